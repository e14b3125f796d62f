// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs an instance and tells what became of it.
 *
 * The instruction stands at INSN_AT, a HLT behind it; SSE instructions have a load before and a
 * store behind them.  Exceptions end at a HLT as well, of which there is one for each vector; at
 * CPL 3 a HLT is an exception itself, so that both come to one; where the segments are of interest
 * an OUT stands there instead.  The window is answered from the same memory that it is in the other
 * VM.
 */
#include "stage.h"

#include <string.h>

#include "lib/host.h"

#define TRAPS_END   (GUEST_TRAPS + 32 * 16)
#define TRAP_STACK  0xf800
#define WITH_ERROR  0x227d00u
#define MAX_EXITS   400
#define END_PORT    0xee
#define PAGE_RIGHTS (X86_PTE_P | X86_PTE_W | X86_PTE_U)

/* Page tables of our own: beside those of the guest's mode. */
#define TABLE_LOW   0x6000
#define TABLE_HIGH3 0x7000
#define TABLE_HIGH2 0x8000
#define TABLE_HIGH1 0xa000

static const struct {
	uint32_t linear, physical;
	uint32_t rights;
} aliases[] = {
	{ BEFORE_ABSENT, WINDOW, PAGE_RIGHTS },
	{ BEFORE_ABSENT + 0x1000, 0, 0 },
	{ BEFORE_READONLY, WINDOW, PAGE_RIGHTS },
	{ BEFORE_READONLY + 0x1000, WINDOW + 0x1000, X86_PTE_P | X86_PTE_U },
	{ BEFORE_SUPERVISOR, WINDOW, PAGE_RIGHTS },
	{ BEFORE_SUPERVISOR + 0x1000, WINDOW + 0x1000, X86_PTE_P | X86_PTE_W },
	{ PAGE_READONLY, WINDOW, X86_PTE_P | X86_PTE_U },
	{ PAGE_SUPERVISOR, WINDOW, X86_PTE_P | X86_PTE_W },
};

static uint64_t alias_entry(uint64_t linear)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (aliases[i].linear == linear)
			return aliases[i].physical | aliases[i].rights;
	return linear | PAGE_RIGHTS;
}

/* Small pages for the lowest part, and in 64-bit mode the last page below the hole. */
static void build_tables(struct stage *stage)
{
	struct guest *guest = &stage->guest;
	uint32_t *low32 = guest_at(guest, TABLE_LOW, 0x1000);
	uint64_t *low = guest_at(guest, TABLE_LOW, 0x1000), *top;
	unsigned int i;

	if (stage->mode != IN_LONG) {
		REQUIRE_OK(mode_build_tables(&guest->mem, GUEST_TABLES, MODE_PAGED32));
		*(uint32_t *)guest_at(guest, GUEST_TABLES, 4) = TABLE_LOW | PAGE_RIGHTS;
		for (i = 0; i < 1024; i++)
			low32[i] = alias_entry((uint64_t)i << 12);
		return;
	}
	REQUIRE_OK(mode_build_tables(&guest->mem, GUEST_TABLES, MODE_LONG));
	memset(guest_at(guest, TABLE_LOW, 0x3000), 0, 0x3000);
	memset(guest_at(guest, TABLE_HIGH1, 0x1000), 0, 0x1000);
	/* The directory of the first GiB is the third page. */
	*(uint64_t *)guest_at(guest, GUEST_TABLES + 0x2000, 8) = TABLE_LOW | PAGE_RIGHTS;
	for (i = 0; i < 512; i++)
		low[i] = alias_entry((uint64_t)i << 12);
	/* The other directories give way. */
	memset(guest_at(guest, GUEST_TABLES + 0x1008, 24), 0, 24);
	top = guest_at(guest, GUEST_TABLES, 0x1000);
	top[255] = TABLE_HIGH3 | PAGE_RIGHTS;
	*(uint64_t *)guest_at(guest, TABLE_HIGH3 + 511 * 8, 8) = TABLE_HIGH2 | PAGE_RIGHTS;
	*(uint64_t *)guest_at(guest, TABLE_HIGH2 + 511 * 8, 8) = TABLE_HIGH1 | PAGE_RIGHTS;
	*(uint64_t *)guest_at(guest, TABLE_HIGH1 + 511 * 8, 8) = WINDOW | PAGE_RIGHTS;
}

/* A HLT for each vector, and the way there. */
static void build_traps(struct stage *stage)
{
	struct guest *guest = &stage->guest;
	uint64_t *wide = guest_at(guest, GUEST_IDT, 32 * 16);
	uint32_t *real = guest_at(guest, 0, 32 * 4);
	uint32_t *tss = guest_at(guest, GUEST_TSS, 0x68);
	unsigned int vector;

	memset(guest_at(guest, GUEST_TRAPS, TRAPS_END - GUEST_TRAPS), 0xf4,
	       TRAPS_END - GUEST_TRAPS);
	for (vector = 0; vector < 32; vector++) {
		uint64_t handler = GUEST_TRAPS + vector * 16;

		if (stage->mode == IN_REAL)
			real[vector] = handler;
		else if (stage->mode == IN_LONG)
			wide[2 * vector] = handler | (uint64_t)SEL_CODE64 << 16 | 0x8e01ULL << 32;
		else
			wide[vector] = handler | (uint64_t)SEL_CODE32 << 16 | 0x8e00ULL << 32;
	}
	memset(tss, 0, 0x68);
	tss[1] = TRAP_STACK; /* that of CPL 0 */
	if (stage->mode == IN_LONG)
		tss[9] = TRAP_STACK; /* the interrupt stack table's first */
	else
		tss[2] = SEL_DATA;
}

static struct kvm_segment *segment_of(struct kvm_sregs *sregs, int seg)
{
	struct kvm_segment *const segments[NR_SEGS] = {
		[ES] = &sregs->es, [CS] = &sregs->cs, [SS] = &sregs->ss,
		[DS] = &sregs->ds, [FS] = &sregs->fs, [GS] = &sregs->gs,
	};

	return segments[seg];
}

static void build_sregs(struct stage *stage, bool user)
{
	static const enum cpu_mode modes[NR_MODES] = { MODE_REAL, MODE_PROT16, MODE_PAGED32,
						       MODE_LONG };
	struct kvm_sregs *sregs = &stage->sregs[user];
	int seg;

	*sregs = guest_sregs(&stage->guest, 0);
	mode_set(sregs, modes[stage->mode], GUEST_GDT, GUEST_TABLES);
	for (seg = 0; seg < NR_SEGS; seg++) {
		struct kvm_segment *segment = segment_of(sregs, seg);

		segment->base = segment_base(stage->mode, seg);
		if (stage->mode == IN_REAL)
			segment->selector = segment->base >> 4;
		if (user) {
			segment->dpl = 3;
			segment->selector |= 3;
		}
	}
	sregs->cr4 |= X86_CR4_OSFXSR;
	sregs->gdt.base = GUEST_GDT;
	sregs->gdt.limit = FIRST_DESCRIPTOR + descriptors_size() - 1;
	if (stage->mode != IN_REAL) {
		sregs->cr0 |= X86_CR0_PG | X86_CR0_WP;
		sregs->cr3 = GUEST_TABLES;
		sregs->tr.base = GUEST_TSS;
		sregs->tr.limit = 0x67;
		sregs->tr.selector = SEL_TSS;
		/* QEMU 7.2 takes a busy one for none where it looks for the stack of CPL 0. */
		if (host_is_qemu())
			sregs->tr.type = 9;
		sregs->idt.base = GUEST_IDT;
	}
	sregs->idt.limit = stage->mode == IN_LONG ? 32 * 16 - 1 : 32 * 8 - 1;
}

void stage_create(struct stage *stage, enum try_mode mode, bool window_is_ram)
{
	struct guest *guest = &stage->guest;
	char *host;

	memset(stage, 0, sizeof(*stage));
	stage->mode = mode;
	guest_create(guest, 1);
	host = guest->mem.host;
	if (!window_is_ram) {
		REQUIRE_OK(vm_set_slot(&guest->vm, 0, 0, 0, host, 0));
		REQUIRE_OK(vm_set_slot(&guest->vm, 0, 0, WINDOW, host, 0));
		REQUIRE_OK(vm_set_slot(&guest->vm, 1, WINDOW_END, guest->mem.size - WINDOW_END,
				       host + WINDOW_END, 0));
	}
	build_tables(stage);
	build_traps(stage);
	build_sregs(stage, false);
	build_sregs(stage, true);
}

void stage_destroy(struct stage *stage)
{
	guest_destroy(&stage->guest);
}

/* MOVDQU between an XMM register and an address, through DS; how many bytes it is long. */
static unsigned int put_movdqu(const struct instance *in, uint8_t *at, bool store, uint32_t linear)
{
	uint32_t offset = linear - segment_base(in->mode, DS);
	unsigned int bits = mode_bits(in->mode), n = 0;

	at[n++] = 0xf3;
	if (in->xmm >= 8)
		at[n++] = 0x44;
	at[n++] = 0x0f;
	at[n++] = store ? 0x7f : 0x6f;
	at[n++] = (in->xmm & 7) << 3 | (bits == 64 ? 4 : bits == 32 ? 5 : 6);
	if (bits == 64)
		at[n++] = 0x25;
	memcpy(at + n, &offset, bits == 16 ? 2 : 4);
	return n + (bits == 16 ? 2 : 4);
}

struct placed {
	uint64_t start, end; /* end: the HLT */
};

static bool ends_by_out(const struct instance *in)
{
	return in->user && row_has_selector(in->row);
}

/* Of one byte, or of two. */
static void put_end(const struct instance *in, uint8_t *at)
{
	at[0] = ends_by_out(in) ? 0xe6 : 0xf4;
	at[1] = END_PORT;
}

static struct placed put_code(struct stage *stage, const struct instance *in)
{
	uint8_t *page = guest_at(&stage->guest, CODE, 0x1000), load[16];
	unsigned int before = 0, at = INSN_AT - CODE;

	if (in->xmm >= 0) {
		before = put_movdqu(in, load, false, XMM_IN);
		memcpy(page + at - before, load, before);
	}
	memcpy(page + at, in->bytes, in->len);
	at += in->len;
	if (in->xmm >= 0)
		at += put_movdqu(in, page + at, true, XMM_OUT);
	put_end(in, page + at);
	put_end(in, page + CODE_PAD - CODE);
	return (struct placed){ INSN_AT - before - segment_base(in->mode, CS),
				CODE + at - segment_base(in->mode, CS) };
}

static void put_memory(struct stage *stage, const struct instance *in, const uint8_t *memory)
{
	unsigned int i;

	memcpy(guest_at(&stage->guest, RAM_BELOW, COMPARED), memory, COMPARED);
	for (i = 0; i < in->nr_overlays; i++)
		memcpy(guest_at(&stage->guest, in->overlays[i].at, 16), in->overlays[i].bytes, 16);
}

static void settle(struct stage *stage, const struct instance *in)
{
	struct kvm_sregs sregs = stage->sregs[in->user];

	if (stage->settled && !in->user && in->limit_seg < 0)
		return;
	if (in->limit_seg >= 0) {
		segment_of(&sregs, in->limit_seg)->limit = in->limit;
		segment_of(&sregs, in->limit_seg)->g = 0;
	}
	REQUIRE_OK(vcpu_set_sregs(&stage->guest.vcpu[0], &sregs));
	stage->settled = !in->user && in->limit_seg < 0;
}

static void set_registers(struct stage *stage, const struct instance *in, uint64_t rip)
{
	const uint64_t *gpr = in->gpr;
	struct kvm_regs regs = {
		.rax = gpr[RAX],
		.rcx = gpr[RCX],
		.rdx = gpr[RDX],
		.rbx = gpr[RBX],
		.rsp = gpr[RSP],
		.rbp = gpr[RBP],
		.rsi = gpr[RSI],
		.rdi = gpr[RDI],
		.r8 = gpr[8],
		.r9 = gpr[9],
		.r10 = gpr[10],
		.r11 = gpr[11],
		.r12 = gpr[12],
		.r13 = gpr[13],
		.r14 = gpr[14],
		.r15 = gpr[15],
		.rip = rip,
		.rflags = in->rflags,
	};

	REQUIRE_OK(vcpu_set_regs(&stage->guest.vcpu[0], &regs));
}

static void get_registers(struct stage *stage, struct outcome *outcome)
{
	struct kvm_regs regs = guest_regs(&stage->guest, 0);
	const uint64_t gpr[16] = {
		regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rsp, regs.rbp, regs.rsi, regs.rdi,
		regs.r8,  regs.r9,  regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
	};

	memcpy(outcome->gpr, gpr, sizeof(gpr));
	outcome->rip = regs.rip;
	outcome->rflags = regs.rflags;
}

static bool answer_mmio(struct stage *stage, struct outcome *outcome)
{
	struct kvm_run *run = stage->guest.vcpu[0].run;
	uint64_t at = run->mmio.phys_addr;
	void *here;

	outcome->nr_mmio++;
	if (at < WINDOW || run->mmio.len > 8 || at + run->mmio.len > WINDOW_END)
		return false;
	here = guest_at(&stage->guest, at, run->mmio.len);
	if (run->mmio.is_write)
		memcpy(here, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, here, run->mmio.len);
	return true;
}

/* What a port gives is a function of how much was taken. */
static bool answer_port(struct stage *stage, struct outcome *outcome, unsigned int *taken)
{
	struct kvm_run *run = stage->guest.vcpu[0].run;
	uint8_t *data = vcpu_io_data(&stage->guest.vcpu[0]);
	unsigned int i, bytes = run->io.size * run->io.count;

	if (run->io.port != INSTANCE_PORT)
		return false;
	for (i = 0; i < bytes; i++) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			data[i] = 0x11 + 29 * (*taken)++;
		else if (outcome->nr_out < sizeof(outcome->out))
			outcome->out[outcome->nr_out++] = data[i];
	}
	return true;
}

static void run_to_end(struct stage *stage, struct outcome *outcome)
{
	struct kvm_run *run = stage->guest.vcpu[0].run;
	unsigned int i, taken = 0;

	for (i = 0; i < MAX_EXITS; i++) {
		outcome->exit = guest_run(&stage->guest, 0);
		if (outcome->exit == KVM_EXIT_MMIO) {
			if (!answer_mmio(stage, outcome))
				break;
		} else if (outcome->exit == KVM_EXIT_IO && run->io.port == END_PORT) {
			outcome->exit = KVM_EXIT_HLT;
			break;
		} else if (outcome->exit == KVM_EXIT_IO) {
			if (!answer_port(stage, outcome, &taken))
				break;
		} else {
			break;
		}
	}
	if (outcome->exit == KVM_EXIT_INTERNAL_ERROR)
		outcome->detail = run->internal.suberror;
}

static uint64_t frame_word(const uint8_t **at, unsigned int width)
{
	uint64_t value = 0;

	memcpy(&value, *at, width);
	*at += width;
	return value;
}

/* A frame of @bytes is taken from the stack of what was interrupted, as if it had not been. */
static void undo_frame(struct stage *stage, struct outcome *outcome, uint64_t at,
		       unsigned int bytes, const uint8_t *memory)
{
	uint64_t mask = mode_bits(stage->mode) == 16 ? 0xffff : 0xffffffff;
	uint64_t *rsp = &outcome->gpr[RSP];

	*rsp = (*rsp & ~mask) | ((*rsp + bytes) & mask);
	if (at >= RAM_BELOW && at + bytes <= RAM_BELOW + COMPARED)
		memcpy(guest_at(&stage->guest, at, bytes), memory + at - RAM_BELOW, bytes);
}

/* At the HLT of a vector: the exception's frame, and back to what was interrupted. */
static void read_trap(struct stage *stage, const struct instance *in, struct outcome *outcome,
		      const uint8_t *memory)
{
	unsigned int bits = mode_bits(stage->mode), width = bits == 64 ? 8 : 4;
	struct kvm_sregs sregs = guest_sregs(&stage->guest, 0);
	/* A stack of 16 bits is that of 16-bit code: a handler at another CPL has one of 32. */
	bool narrow = bits == 16 && !in->user;
	uint64_t at = sregs.ss.base + (narrow ? outcome->gpr[RSP] & 0xffff : outcome->gpr[RSP]);
	const uint8_t *frame, *start;

	outcome->vector = (outcome->rip - GUEST_TRAPS) / 16;
	if (stage->mode == IN_REAL)
		width = 2;
	frame = guest_at(&stage->guest, at, 64);
	start = frame;
	if (width > 2 && WITH_ERROR >> outcome->vector & 1)
		outcome->error = frame_word(&frame, width);
	outcome->rip = frame_word(&frame, width);
	frame_word(&frame, width);
	outcome->rflags = frame_word(&frame, width);
	if (in->user || bits == 64)
		outcome->gpr[RSP] = frame_word(&frame, width);
	else
		undo_frame(stage, outcome, at, frame - start, memory);
	if (outcome->vector == 14)
		outcome->cr2 = sregs.cr2;
}

static void judge_end(struct stage *stage, const struct instance *in, struct outcome *outcome,
		      uint64_t end, const uint8_t *memory)
{
	if (outcome->rip >= GUEST_TRAPS && outcome->rip < TRAPS_END)
		read_trap(stage, in, outcome, memory);
	else if (!ends_by_out(in))
		outcome->rip--;
	/* The HLT at CPL 3. */
	if (in->user && outcome->vector == 13 && outcome->error == 0 &&
	    (outcome->rip == end || outcome->rip == in->pad))
		outcome->vector = NO_VECTOR;
}

static void *descriptors(struct stage *stage)
{
	return guest_at(&stage->guest, GUEST_GDT + FIRST_DESCRIPTOR, descriptors_size());
}

/* What is left in registers and table.  After an exception CS and SS are the handler's. */
static void get_segments(struct stage *stage, struct outcome *outcome)
{
	struct kvm_sregs sregs = guest_sregs(&stage->guest, 0);
	bool kept = outcome->vector == NO_VECTOR;
	int seg;

	outcome->has_segments = true;
	for (seg = 0; seg < NR_SEGS; seg++)
		if (kept || (seg != CS && seg != SS))
			outcome->segment[seg] = *segment_of(&sregs, seg);
	memcpy(outcome->descriptors, descriptors(stage), descriptors_size());
	stage->settled = false;
}

/* @memory is what stands at RAM_BELOW and behind, but for the instance's own contents. */
void stage_run(struct stage *stage, const struct instance *in, const uint8_t *memory,
	       struct outcome *outcome)
{
	struct placed placed = put_code(stage, in);

	*outcome = (struct outcome){ .vector = NO_VECTOR };
	put_memory(stage, in, memory);
	if (row_has_selector(in->row))
		descriptors_build(descriptors(stage), in->mode);
	settle(stage, in);
	set_registers(stage, in, placed.start);
	run_to_end(stage, outcome);
	get_registers(stage, outcome);
	if (outcome->exit == KVM_EXIT_HLT)
		judge_end(stage, in, outcome, placed.end, memory);
	if (outcome->exit != KVM_EXIT_HLT || outcome->vector != NO_VECTOR)
		stage->settled = false;
	if (row_has_selector(in->row))
		get_segments(stage, outcome);
	outcome->memory = guest_at(&stage->guest, RAM_BELOW, COMPARED);
}

/* An exception without an error code's bits, at the instruction; nothing has changed. */
void outcome_expect_fault(struct outcome *outcome, const struct instance *in, unsigned int vector)
{
	*outcome = (struct outcome){
		.exit = KVM_EXIT_HLT,
		.vector = vector,
		.rip = INSN_AT - segment_base(in->mode, CS),
		.rflags = in->rflags,
	};
	memcpy(outcome->gpr, in->gpr, sizeof(outcome->gpr));
}
