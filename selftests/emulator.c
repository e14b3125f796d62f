// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each instruction of the decoder's table, in each mode, with each operand size and prefix, with
 * and without a fault: run by the processor on RAM, and by emulation on memory that is no slot.
 * Registers, flags and memory must come out the same, and so must exceptions.
 *
 * The module's own table is compiled in: a row that is added to it is tried here.  A row that no
 * instance was made of fails the test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "insn/quirks.h"
#include "insn/stage.h"
#include "lib/host.h"

#define SEED_ENV     "EMULATOR_SEED"
#define TELL_ENV     "EMULATOR_TELL"   /* so many failures are told in full, not one a row */
#define ROUNDS_ENV   "EMULATOR_ROUNDS" /* so many instances of each kind, not one */
#define MODE_ENV     "EMULATOR_MODE"   /* this mode alone */
#define MAX_TOLD     12
#define FLAG_RF	     0x10000
#define STATUS_FLAGS 0x8d5
#define MAX_ROWS     256
#define MAX_KNOWN    16
#define NR_SIZES     4
#define RETRIES	     30
#define SELECTORS    4 /* so many instances where there is one, for each that would be */

struct trial {
	struct stage ram, mmio;
	uint8_t memory[COMPARED], expected[COMPARED];
	enum try_mode mode;
	unsigned int rounds;
	unsigned int instances, emulated, faults, wrong, told;
	unsigned int by_emulator; /* instances with a fault that was the emulator's */
	unsigned int by_emulator_of_row[MAX_ROWS];
	bool reached[MAX_ROWS][NR_SIZES][NR_PREFIXES][2];
	unsigned int of_row[MAX_ROWS][2];    /* without a fault, and with one */
	unsigned int at_cpl[MAX_ROWS][2][2]; /* of these at CPL 0, and at CPL 3 */
	unsigned int wrong_of_row[MAX_ROWS];
	const char *known[MAX_KNOWN];
	unsigned int nr_known;
};

static const unsigned int sizes[NR_SIZES] = { 0, 2, 4, 8 };

static void describe(char *text, size_t room, const struct instance *in)
{
	unsigned int i, n;

	n = snprintf(text, room, "%s, %s%s, size %u, %s, CPL %u:", mode_title(in->mode),
		     prefix_title(in->prefix), in->row->name, in->size, fault_title(in->fault),
		     in->user ? 3 : 0);
	for (i = 0; i < in->len && n < room; i++)
		n += snprintf(text + n, room - n, " %02x", in->bytes[i]);
}

static uint64_t flags_mask(const struct instance *in, const struct outcome *native)
{
	uint64_t mask = ~(uint64_t)FLAG_RF;

	if (native->vector == NO_VECTOR)
		return mask & ~(uint64_t)in->row->undefined;
	/* What an interrupted repetition has compared may show, or not. */
	return in->row->attr & INSN_REPCC ? mask & ~(uint64_t)STATUS_FLAGS : mask;
}

/* Of one that cannot be used only selector and base are anything. */
static bool same_segment(const struct kvm_segment *a, const struct kvm_segment *b)
{
	if (a->selector != b->selector || a->base != b->base || a->unusable != b->unusable)
		return false;
	return a->unusable || (a->limit == b->limit && a->type == b->type &&
			       a->present == b->present && a->dpl == b->dpl && a->db == b->db &&
			       a->s == b->s && a->l == b->l && a->g == b->g && a->avl == b->avl);
}

static const char *difference(const struct instance *in, const struct outcome *a,
			      const struct outcome *b)
{
	static const char *const registers[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						 "rsi", "rdi", "r8",  "r9",  "r10", "r11",
						 "r12", "r13", "r14", "r15" };
	unsigned int i;

	if (a->exit != b->exit)
		return "the exit";
	if (a->vector != b->vector)
		return "the exception";
	if (a->error != b->error)
		return "the error code";
	if (a->cr2 != b->cr2)
		return "CR2";
	if (a->rip != b->rip)
		return "rip";
	for (i = 0; i < 16; i++)
		if (a->gpr[i] != b->gpr[i])
			return registers[i];
	if ((a->rflags ^ b->rflags) & flags_mask(in, a))
		return "flags";
	if (a->nr_out != b->nr_out || memcmp(a->out, b->out, a->nr_out))
		return "output";
	if (a->has_segments && b->has_segments) {
		for (i = 0; i < NR_SEGS; i++)
			if (!same_segment(&a->segment[i], &b->segment[i]))
				return "a segment register";
		if (memcmp(a->descriptors, b->descriptors, sizeof(a->descriptors)))
			return "a descriptor";
	}
	return memcmp(a->memory, b->memory, COMPARED) ? "memory" : NULL;
}

static void tell_registers(const char *who, const struct outcome *o)
{
	ktap_note("  %s: exit %u.%u vector %x error %llx cr2 %llx rip %llx rflags %llx mmio %u",
		  who, o->exit, o->detail, o->vector, (unsigned long long)o->error,
		  (unsigned long long)o->cr2, (unsigned long long)o->rip,
		  (unsigned long long)o->rflags, o->nr_mmio);
	ktap_note("  %s: rax %llx rcx %llx rdx %llx rbx %llx rsp %llx rbp %llx rsi %llx rdi %llx",
		  who, (unsigned long long)o->gpr[RAX], (unsigned long long)o->gpr[RCX],
		  (unsigned long long)o->gpr[RDX], (unsigned long long)o->gpr[RBX],
		  (unsigned long long)o->gpr[RSP], (unsigned long long)o->gpr[RBP],
		  (unsigned long long)o->gpr[RSI], (unsigned long long)o->gpr[RDI]);
}

static void tell_segments(const char *who, const struct outcome *o)
{
	static const char *const names[NR_SEGS] = { "es", "cs", "ss", "ds", "fs", "gs" };
	int i;

	for (i = 0; i < NR_SEGS && o->has_segments; i++) {
		const struct kvm_segment *s = &o->segment[i];

		ktap_note(
			"  %s: %s %x base %llx limit %x type %x s%u dpl%u p%u db%u l%u g%u avl%u%s",
			who, names[i], s->selector, (unsigned long long)s->base, s->limit, s->type,
			s->s, s->dpl, s->present, s->db, s->l, s->g, s->avl,
			s->unusable ? " unusable" : "");
	}
}

static void tell_memory(const struct outcome *a, const struct outcome *b)
{
	unsigned int i, told = 0;

	for (i = 0; i < COMPARED && told < 24; i++) {
		if (a->memory[i] == b->memory[i])
			continue;
		ktap_note("  at %x: %02x, emulated %02x", RAM_BELOW + i, a->memory[i],
			  b->memory[i]);
		told++;
	}
}

static void tell(struct trial *trial, const struct instance *in, const char *what,
		 const struct outcome *native, const struct outcome *emulated)
{
	char text[200];
	const char *more = getenv(TELL_ENV);

	trial->wrong++;
	if (trial->wrong_of_row[in->row - insn_rows]++ && !more)
		return;
	if (trial->told++ >= (more ? strtoul(more, NULL, 0) : MAX_TOLD))
		return;
	describe(text, sizeof(text), in);
	ktap_fail(__FILE__, __LINE__, "", " %s: %s differs", text, what);
	tell_registers("native", native);
	tell_registers("emulated", emulated);
	tell_segments("native", native);
	tell_segments("emulated", emulated);
	tell_memory(native, emulated);
}

/* Each name once. */
static void tell_known(struct trial *trial, const struct instance *in, const char *name)
{
	char text[200];
	unsigned int i;

	for (i = 0; i < trial->nr_known; i++)
		if (strcmp(trial->known[i], name) == 0)
			return;
	REQUIRE(trial->nr_known < MAX_KNOWN, "%s", name);
	trial->known[trial->nr_known++] = name;
	describe(text, sizeof(text), in);
	ktap_differs(name, "", " %s", text);
}

/*
 * What the kernel's own kvm is known to get wrong, by the names that the table of differences has;
 * NULL: this is something else.
 */
static const char *known_of_kvm(const struct instance *in, const struct outcome *native,
				const struct outcome *emulated)
{
	bool internal = emulated->exit == KVM_EXIT_INTERNAL_ERROR;
	bool ran = emulated->exit == KVM_EXIT_HLT && emulated->vector == NO_VECTOR;

	/* At CPL 3 it gives #UD to what it does not know. */
	bool unknown = internal || emulated->vector == 6;

	if (unknown && strcmp(in->row->name, "lddqu") == 0)
		return "lddqu";
	if (unknown && strcmp(in->row->name, "movntdqa") == 0)
		return "movntdqa";
	if (unknown && in->row->op == INSN_OP_CMPXCHG_PAIR && in->size == 8)
		return "cmpxchg16b";
	if (unknown && in->row->op == INSN_OP_MOVBE &&
	    in->size == (mode_bits(in->mode) == 16 ? 4 : 2))
		return "movbe_66";
	if (INSN_KIND(in->row->src) == INSN_SREG && ran)
		return "mov_sreg_rex_w";
	if (in->fault == FAULT_CANONICAL && native->vector != NO_VECTOR && emulated->vector == 14)
		return "canonical_end";
	if (row_is_rmw(in->row) && native->vector == 14 && native->error & 1 && ran)
		return "readonly_page";
	if (in->row->op == INSN_OP_INS && emulated->vector == native->vector)
		return native->vector == NO_VECTOR ? "ins_read_ahead" : "ins_half_written";
	if ((in->row->op == INSN_OP_CALL || in->row->op == INSN_OP_CALL_FAR) && ran)
		return "push_after_read";
	if (in->row->op == INSN_OP_CALL_FAR && (native->vector == 12 || native->vector == 14) &&
	    emulated->vector == native->vector)
		return "far_call_accessed";
	if (insn_is_far(in->row) && unknown)
		return "far_to_no_code";
	if (in->fault == FAULT_SELECTOR && native->vector == 13 && (ran || emulated->vector == 11))
		return "data_privilege";
	if (insn_loads_segment(in->row) && ran && emulated->segment[SS].selector == 0)
		return "null_stack";
	return NULL;
}

static void expect_memory(struct trial *trial, const struct instance *in, struct outcome *native)
{
	unsigned int i;

	memcpy(trial->expected, trial->memory, COMPARED);
	for (i = 0; i < in->nr_overlays; i++)
		memcpy(trial->expected + in->overlays[i].at - RAM_BELOW, in->overlays[i].bytes, 16);
	native->memory = trial->expected;
}

/* What is to come of it: what comes of it on RAM, as far as the processor is to be believed. */
static void run_native(struct trial *trial, const struct instance *in, struct outcome *native)
{
	struct instance twin = *in;

	if (quirk_overlooks_fault(in)) {
		outcome_expect_fault(native, in, in->limit_seg == SS ? 12 : 13);
		expect_memory(trial, in, native);
		return;
	}
	quirk_twin(&twin);
	stage_run(&trial->ram, &twin, trial->memory, native);
	if (native->vector == NO_VECTOR && native->exit == KVM_EXIT_HLT)
		native->rip += (int)(in->len - twin.len);
	/* Of port input, hardware does nothing but to exit: it is emulated on RAM, too. */
	if (native->vector != NO_VECTOR && !row_is_string(in->row))
		expect_memory(trial, in, native);
}

/* Has it moved anything? */
static bool has_left(const struct outcome *emulated)
{
	return emulated->nr_mmio || emulated->nr_out;
}

static bool is_emulated(const struct instance *in, const struct outcome *emulated)
{
	/* A repetition may be one of no times. */
	return in->fault != FAULT_NONE || emulated->nr_mmio || row_is_string(in->row);
}

/* Exits for an access of the device, of which a fault ends one as much as the device's answer. */
static uint64_t device_exits(const struct trial *trial)
{
	struct counts counts;

	if (!kvm_dev_is_mkvm(&trial->mmio.guest.dev))
		return 0;
	guest_counts(&trial->mmio.guest, 0, &counts);
	return counts.sum.causes[MKVM_CAUSE_MMIO];
}

/* A processor may find a fault before it sees that there is a device. */
static void run_emulated(struct trial *trial, const struct instance *in, struct outcome *emulated)
{
	uint64_t before = in->fault ? device_exits(trial) : 0;

	stage_run(&trial->mmio, in, trial->memory, emulated);
	if (!in->fault || device_exits(trial) == before)
		return;
	trial->by_emulator++;
	trial->by_emulator_of_row[in->row - insn_rows]++;
}

/* Answers whether anything was moved. */
static bool try_instance(struct trial *trial, const struct instance *in)
{
	const struct kvm_dev *dev = &trial->ram.guest.dev;
	const char *what, *known = NULL;
	struct outcome native, emulated;

	run_native(trial, in, &native);
	run_emulated(trial, in, &emulated);
	quirk_mend(in, &native);
	quirk_mend(in, &emulated);
	trial->instances++;
	trial->emulated += emulated.nr_mmio != 0;
	trial->faults += native.vector != NO_VECTOR;
	if (quirk_spoils(in, &emulated))
		return has_left(&emulated);
	what = difference(in, &native, &emulated);
	if (!what && !is_emulated(in, &emulated))
		what = "that it made no MMIO exit";
	if (what && !kvm_dev_is_mkvm(dev))
		known = known_of_kvm(in, &native, &emulated);
	if (known)
		tell_known(trial, in, known);
	else if (what)
		tell(trial, in, what, &native, &emulated);
	return has_left(&emulated);
}

static bool choose_fault(struct instance *in)
{
	unsigned int first = random_below(NR_FAULTS - 1), i;

	if (row_has_selector(in->row) && random_below(2))
		first = FAULT_SELECTOR - 1;

	for (i = 0; i < NR_FAULTS - 1; i++) {
		in->fault = 1 + (first + i) % (NR_FAULTS - 1);
		if (instance_make(in))
			return true;
	}
	return false;
}

/* By turns at CPL 0 and at CPL 3, where there are both. */
static void choose_privilege(struct trial *trial, struct instance *in, bool faults)
{
	unsigned int turn = trial->of_row[in->row - insn_rows][faults]++;

	in->user = turn % 2;
	if (!legal_privilege(in->row, in->mode, faults, in->user))
		in->user = !in->user;
}

static void try_one(struct trial *trial, struct instance *in, unsigned int size_index, bool faults)
{
	unsigned int row = in->row - insn_rows;

	choose_privilege(trial, in, faults);
	in->fault = FAULT_NONE;
	if (faults ? !choose_fault(in) : !instance_make(in))
		return;
	/* That a string instruction was repeated no times does not count. */
	if (try_instance(trial, in) || faults)
		trial->reached[row][size_index][in->prefix][faults] = true;
	trial->at_cpl[row][faults][in->user]++;
}

static bool has_faults(const struct instance *in)
{
	return legal_privilege(in->row, in->mode, true, false) ||
	       legal_privilege(in->row, in->mode, true, true);
}

static void try_combination(struct trial *trial, struct instance *in, unsigned int size_index)
{
	unsigned int rounds = trial->rounds * (row_has_selector(in->row) ? SELECTORS : 1);
	unsigned int row = in->row - insn_rows, i;

	for (i = 0; i < rounds; i++) {
		try_one(trial, in, size_index, false);
		if (has_faults(in))
			try_one(trial, in, size_index, true);
	}
	for (i = 0; i < RETRIES && !trial->reached[row][size_index][in->prefix][false]; i++)
		try_one(trial, in, size_index, false);
}

typedef void (*combination_fn)(struct trial *trial, struct instance *in, unsigned int size_index);

/* Calls what for each row, size and prefix that there is in the mode. */
static void walk_combinations(struct trial *trial, combination_fn what)
{
	unsigned int row, size, prefix;

	for (row = 0; row < insn_nr_rows; row++) {
		for (size = 0; size < NR_SIZES; size++) {
			if (!row_is_tried(&insn_rows[row]) ||
			    !legal_size(&insn_rows[row], trial->mode, sizes[size]))
				continue;
			for (prefix = 0; prefix < NR_PREFIXES; prefix++) {
				struct instance in = {
					.row = &insn_rows[row],
					.mode = trial->mode,
					.size = sizes[size],
					.prefix = prefix,
				};

				if (legal_prefix(in.row, in.mode, prefix))
					what(trial, &in, size);
			}
		}
	}
}

static void check_reached(struct trial *trial, struct instance *in, unsigned int size_index)
{
	const bool *reached = trial->reached[in->row - insn_rows][size_index][in->prefix];

	EXPECT(reached[0], "%s, %s%s, size %u: no instance", mode_title(in->mode),
	       prefix_title(in->prefix), in->row->name, in->size);
	EXPECT(reached[1] || !has_faults(in) || (in->mode == IN_REAL && in->prefix == PREFIX_CS),
	       "%s, %s%s, size %u: no instance with a fault", mode_title(in->mode),
	       prefix_title(in->prefix), in->row->name, in->size);
}

static void check_privileges(struct trial *trial, struct instance *in, unsigned int size_index)
{
	unsigned int faults, user;

	(void)size_index;
	for (faults = 0; faults < 2; faults++)
		for (user = 0; user < 2; user++)
			EXPECT(trial->at_cpl[in->row - insn_rows][faults][user] ||
				       !legal_privilege(in->row, in->mode, faults, user),
			       "%s, %s: none at CPL %u with%s fault", mode_title(in->mode),
			       in->row->name, user ? 3 : 0, faults ? " a" : "out");
}

/*
 * Of each row some faults were the emulator's.  Not so on processors that look at segments and the
 * guest's tables before they see that there is no memory: QEMU's does not.
 */
static void check_faults_by_emulator(const struct trial *trial)
{
	unsigned int i;

	if (!kvm_dev_is_mkvm(&trial->ram.guest.dev))
		return;
	ktap_note("%u faults were the emulator's", trial->by_emulator);
	for (i = 0; host_is_qemu() && i < insn_nr_rows; i++) {
		const struct insn_row *row = &insn_rows[i];
		/* An access of a port exits for that, before anything is looked at. */
		bool port = INSN_KIND(row->dst) == INSN_PORT || INSN_KIND(row->src) == INSN_PORT;

		EXPECT(port || !trial->of_row[i][true] || trial->by_emulator_of_row[i],
		       "%s (map %u, opcode %02x /%u): of %u faults none was the emulator's",
		       row->name, row->map, row->opcode, row->ext, trial->of_row[i][true]);
	}
}

static void try_mode(struct trial *trial, enum try_mode mode)
{
	trial->mode = mode;
	stage_create(&trial->ram, mode, true);
	stage_create(&trial->mmio, mode, false);
	walk_combinations(trial, try_combination);
	walk_combinations(trial, check_reached);
	walk_combinations(trial, check_privileges);
	stage_destroy(&trial->ram);
	stage_destroy(&trial->mmio);
	memset(trial->reached, 0, sizeof(trial->reached));
	memset(trial->at_cpl, 0, sizeof(trial->at_cpl));
	ktap_note("%s: %u instances so far, %u with MMIO exits, %u with an exception, %u wrong",
		  mode_title(mode), trial->instances, trial->emulated, trial->faults, trial->wrong);
}

/* Is there any emulation?  Without, each of the thousands would be told as wrong. */
static bool emulates(struct trial *trial)
{
	struct instance in = { .row = insn_rows, .mode = IN_REAL };
	struct outcome outcome;

	REQUIRE(instance_make(&in), "no instance of the first row");
	stage_create(&trial->mmio, IN_REAL, false);
	stage_run(&trial->mmio, &in, trial->memory, &outcome);
	stage_destroy(&trial->mmio);
	return outcome.exit != KVM_EXIT_INTERNAL_ERROR;
}

static void every_row(void)
{
	const char *seed = getenv(SEED_ENV), *rounds = getenv(ROUNDS_ENV);
	const char *only = getenv(MODE_ENV);
	struct trial *trial = calloc(1, sizeof(*trial));
	unsigned int i, mode;

	REQUIRE(trial && insn_nr_rows <= MAX_ROWS, "%u rows", insn_nr_rows);
	random_seed(seed ? strtoull(seed, NULL, 0) : 1);
	trial->rounds = rounds ? strtoul(rounds, NULL, 0) : 1;
	ktap_note("%s=%s %s=%u", SEED_ENV, seed ? seed : "1", ROUNDS_ENV, trial->rounds);
	for (i = 0; i < COMPARED; i++)
		trial->memory[i] = random_u64();
	if (!emulates(trial))
		ktap_skip("this device emulates no instruction");
	for (mode = 0; mode < NR_MODES; mode++)
		if (!only || !strcmp(only, mode_title(mode)))
			try_mode(trial, mode);
	for (i = 0; i < insn_nr_rows; i++)
		if (trial->wrong_of_row[i])
			ktap_note("wrong: %s (map %u, opcode %02x /%u): %u", insn_rows[i].name,
				  insn_rows[i].map, insn_rows[i].opcode, insn_rows[i].ext,
				  trial->wrong_of_row[i]);
	check_faults_by_emulator(trial);
	EXPECT_EQ(0, trial->wrong);
	EXPECT(trial->instances >= 5000, "%u instances", trial->instances);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(every_row, 850),
};

KTAP_MAIN(tests)
