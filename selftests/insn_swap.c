// SPDX-License-Identifier: GPL-2.0-only
/*
 * An instruction that changes between the exit that it makes and its emulation: another thread
 * writes others over it all the time.
 *
 * What comes of it is what one of them does, whole: an access as it makes it, to its port, or its
 * exception.  A user's instruction that needs more rights than a user has is an exception,
 * whichever exit it has come into.  And the guest goes on.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/guest.h"
#include "lib/host.h"

#define CODE	   0x20000 /* a page of its own */
#define SLOT	   0x40	   /* in it, the instruction */
#define DEVICE	   0x40000000u
#define SOURCE	   0x30010 /* kvm takes one at DEVICE's offset in a page for the device */
#define PORT	   0x510
#define OTHER_PORT 0x77
#define VALUE	   0x12345678u
#define FROM_RAM   0x6b
#define FROM_PORT  0x5a

/* Each round begins with the same registers; an exception goes on with the next one. */
/* clang-format off */
guest_code(code_round, 64,
	   "mov $" STRING(VALUE) ", %eax\n"
	   "mov $" STRING(DEVICE) ", %edi\n"
	   "mov $" STRING(SOURCE) ", %esi\n"
	   "mov $" STRING(PORT) ", %edx\n"
	   "cld\n"
	   ".org code_round + " STRING(SLOT) ", 0x90\n"
	   ".long 0x90909090\n"
	   "jmp code_round\n");
/* clang-format on */

/*
 * Four bytes each, by prefixes that mean nothing there: what follows stands at the same place, and
 * a store of them is one.
 */
/* clang-format off */
static const char *const for_users[] = {
	"\x3e\x3e\x89\x07", /* mov %eax, (%rdi) */
	"\x3e\x3e\x3e\x6c", /* insb */
	"\x3e\x3e\x8b\x07", /* mov (%rdi), %eax */
	"\x3e\x3e\x3e\x6e", /* outsb */
	"\x3e\x3e\x3e\xa4", /* movsb */
	"\x3e\x0f\x22\xdf", /* mov %rdi, %cr3 */
	"\x3e\x3e\x89\x07",
	"\x3e\x3e\x3e\xee", /* out %al, (%dx) */
	"\x3e\x0f\x01\xe0", /* smsw %eax */
	"\x3e\x0f\x01\xf0", /* lmsw %ax */
	"\x3e\x3e\x8b\x07",
	"\x3e\x0f\x20\xc0", /* mov %cr0, %rax */
	"\x3e\x3e\x0f\x0b", /* ud2 */
	"\x3e\x3e\x3e\x90",
};

static const char *const for_the_kernel[] = {
	"\x3e\x3e\x89\x07",
	"\x3e\x3e\x3e\x6c",
	"\x3e\x3e\x3e\xee",
	"\x3e\x3e\x8b\x07",
	"\x3e\x3e\x3e\x6e",
	"\x3e\x3e\xe6\x77", /* out %al, $0x77 */
	"\x3e\x3e\x3e\xa4",
	"\x3e\x3e\x0f\x0b",
	"\x3e\x0f\x01\xe0",
	"\x3e\x3e\x3e\x6c",
	"\x3e\x0f\x20\xc0",
	"\x3e\x3e\x3e\x90",
};

/* clang-format on */

enum seen {
	STORES,
	LOADS,
	COPIES,
	INPUTS,	 /* that then were stored to the device */
	OUTPUTS, /* to PORT */
	OUTPUTS_ELSEWHERE,
	NR_SEEN
};

struct swap {
	struct guest guest;
	const char *const *insns;
	unsigned int nr_insns;
	atomic_bool stop;
	atomic_ulong writes;
	unsigned int seen[NR_SEEN];
};

static void *write_insns(void *data)
{
	struct swap *swap = data;
	atomic_uint *slot = guest_at(&swap->guest, CODE + SLOT, 4);
	unsigned int i, insn;

	for (i = 0; !swap->stop; i = (i + 1) % swap->nr_insns) {
		memcpy(&insn, swap->insns[i], sizeof(insn));
		atomic_store(slot, insn);
		swap->writes++;
	}
	return NULL;
}

/* A handler returns there: by entries of the table that are a user's. */
static void to_user_mode(struct guest *guest)
{
	struct kvm_sregs sregs = guest_sregs(guest, 0);
	uint64_t *table = guest_at(guest, GUEST_GDT, GDT_SIZE + 16);

	table[GDT_SIZE / 8] = 0x00affb000000ffff;
	table[GDT_SIZE / 8 + 1] = 0x00cff3000000ffff;
	sregs.gdt.limit = GDT_SIZE + 15;
	sregs.tr.base = GUEST_TSS;
	sregs.tr.limit = 0x67; /* with no ports */
	sregs.cs.dpl = 3;
	sregs.cs.selector = GDT_SIZE | 3;
	sregs.ss.dpl = 3;
	sregs.ss.selector = (GDT_SIZE + 8) | 3;
	/* QEMU 7.2 takes a busy one for none where it looks for the stack of CPL 0. */
	if (host_is_qemu())
		sregs.tr.type = 9;
	REQUIRE_OK(vcpu_set_sregs(&guest->vcpu[0], &sregs));
	*(uint64_t *)guest_at(guest, GUEST_TSS + 4, 8) = GUEST_STACKS;
}

static void create(struct swap *swap, bool user)
{
	struct guest *guest = &swap->guest;
	struct kvm_regs regs;

	guest_create(guest, 1);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
	memcpy(guest_at(guest, CODE, 0x1000), code_round, code_round_end - code_round);
	memset(guest_at(guest, SOURCE, 16), FROM_RAM, 16);
	if (user)
		to_user_mode(guest);
	regs = guest_regs(guest, 0);
	regs.rip = CODE;
	regs.r15 = CODE; /* where exceptions go on */
	regs.rflags = 2; /* no ports for users */
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}

static void expect_store(struct swap *swap, const struct kvm_run *run)
{
	uint32_t value = 0;

	memcpy(&value, run->mmio.data, run->mmio.len < 4 ? run->mmio.len : 4);
	if (run->mmio.len == 4 && value == VALUE)
		swap->seen[STORES]++;
	else if (run->mmio.len == 1 && value == FROM_RAM)
		swap->seen[COPIES]++;
	else if (run->mmio.len == 1 && value == FROM_PORT)
		swap->seen[INPUTS]++;
	else
		EXPECT(false, "%u bytes, 0x%x, written to the device", run->mmio.len, value);
}

static void expect_mmio(struct swap *swap, struct kvm_run *run)
{
	EXPECT_EQ(DEVICE, run->mmio.phys_addr);
	if (run->mmio.is_write) {
		expect_store(swap, run);
		return;
	}
	EXPECT_EQ(4, run->mmio.len);
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	swap->seen[LOADS]++;
}

static void expect_port(struct swap *swap, struct kvm_run *run, bool user)
{
	uint8_t *data = vcpu_io_data(&swap->guest.vcpu[0]);

	EXPECT(!user, "a user got at port 0x%x", run->io.port);
	EXPECT(run->io.size == 1 && run->io.count == 1, "%u of %u bytes", run->io.count,
	       run->io.size);
	if (run->io.direction == KVM_EXIT_IO_IN) {
		EXPECT_EQ(PORT, run->io.port);
		data[0] = FROM_PORT;
		return;
	}
	if (run->io.port == OTHER_PORT) {
		EXPECT_EQ(VALUE & 0xff, data[0]);
		swap->seen[OUTPUTS_ELSEWHERE]++;
		return;
	}
	EXPECT_EQ(PORT, run->io.port);
	EXPECT(data[0] == (VALUE & 0xff) || data[0] == FROM_RAM, "0x%x written to the port",
	       data[0]);
	swap->seen[OUTPUTS]++;
}

/* Until each was seen, and some more. */
static bool goes_on(const struct swap *swap, unsigned int exits, unsigned int wanted)
{
	unsigned int i;

	if (exits < wanted)
		return true;
	for (i = 0; i < NR_SEEN; i++)
		if (!swap->seen[i] && (i <= COPIES || swap->insns == for_the_kernel))
			return exits < 20 * wanted;
	return false;
}

/* False: stock kvm has given up, as it does now and then. */
static bool run_rounds(struct swap *swap, bool user)
{
	struct kvm_run *run = swap->guest.vcpu[0].run;
	unsigned int exits, wanted = host_events(3000);

	for (exits = 0; goes_on(swap, exits, wanted); exits++) {
		uint32_t reason = guest_run(&swap->guest, 0);

		if (reason == KVM_EXIT_INTERNAL_ERROR && !kvm_dev_is_mkvm(&swap->guest.dev))
			return false;
		REQUIRE(reason == KVM_EXIT_MMIO || reason == KVM_EXIT_IO, "exit %u", reason);
		if (reason == KVM_EXIT_MMIO)
			expect_mmio(swap, run);
		else
			expect_port(swap, run, user);
	}
	ktap_note("%u exits, %lu instructions written, %llu exceptions", exits, swap->writes,
		  (unsigned long long)guest_nr_traps(&swap->guest));
	return true;
}

static void try_swaps(bool user)
{
	static struct swap swap;
	pthread_t writer;
	unsigned int i;
	bool done;

	swap.insns = user ? for_users : for_the_kernel;
	swap.nr_insns = user ? sizeof(for_users) / sizeof(for_users[0])
			     : sizeof(for_the_kernel) / sizeof(for_the_kernel[0]);
	create(&swap, user);
	REQUIRE(!pthread_create(&writer, NULL, write_insns, &swap));
	done = run_rounds(&swap, user);
	swap.stop = true;
	pthread_join(writer, NULL);
	if (!done) {
		guest_destroy(&swap.guest);
		ktap_skip("kvm does not emulate what has come there");
	}
	for (i = 0; i < NR_SEEN; i++)
		EXPECT(swap.seen[i] || (user && i > COPIES), "kind %u was not seen", i);
	EXPECT(guest_nr_traps(&swap.guest) > 0, "no exception");
	EXPECT(guest_regs(&swap.guest, 0).rip >= CODE, "the guest is elsewhere");
	guest_destroy(&swap.guest);
}

static void of_a_user(void)
{
	try_swaps(true);
}

static void of_the_kernel(void)
{
	try_swaps(false);
}

static const struct ktap_test tests[] = {
	KTAP_TEST_LIMIT(of_a_user, 300),
	KTAP_TEST_LIMIT(of_the_kernel, 300),
};

KTAP_MAIN(tests)
