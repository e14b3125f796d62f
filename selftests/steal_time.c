// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steal time: two vCPUs share a processor, and each learns that it waited and that the other one is
 * not running.
 */
#include <asm/kvm_para.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "lib/guest.h"
#include "lib/host.h"

#define MSR_STEAL   0x4b564d03
#define RECORD_GPA  (GUEST_DATA + 0x40)
#define RECORD(cpu) (RECORD_GPA + (cpu)*0x40)
#define AWAY_ENOUGH 5
#define WORDS(cpu)  (8 * (cpu))
#define WORD_AWAY   0 /* times that the other one was seen not to run */
#define WORD_LIES   1 /* times that the record said so of its own CPU */
#define WORD_ODD    2 /* times that its version was odd */
#define WORD_RUNS   3
#define WORD_STOP   64

/*
 * rbx: the own record, rbp: the other one's, rsi: the own words.  The other one does not run while
 * this one does; each time that it has been loaded in between its record has another version.
 */
guest_code(code_watch, 64,
	   "wrmsr\n"
	   "xor %edi, %edi\n"
	   "1: incq 24(%rsi)\n"
	   "cmpb $0, 16(%rbx)\n"
	   "jz 2f\n"
	   "incq 8(%rsi)\n"
	   "2: testl $1, 8(%rbx)\n"
	   "jz 3f\n"
	   "incq 16(%rsi)\n"
	   "3: testb $1, 16(%rbp)\n"
	   "jz 4f\n"
	   "mov 8(%rbp), %eax\n"
	   "cmp %edi, %eax\n"
	   "jz 4f\n"
	   "mov %eax, %edi\n"
	   "incq (%rsi)\n"
	   "4: cmpq $0, " S_SHARED " + 64 * 8\n"
	   "jz 1b\n"
	   "hlt\n");

/* Writes an MSR if one is named, then stops. */
guest_code(code_msr, 64,
	   "1: test %ecx, %ecx\n"
	   "jz 2f\n"
	   "wrmsr\n"
	   "2: out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static volatile struct kvm_steal_time *record_of(const struct guest *guest, unsigned int cpu)
{
	return guest_at(guest, RECORD(cpu), sizeof(struct kvm_steal_time));
}

static void name_msr(struct guest *guest, unsigned int cpu, uint32_t index, uint64_t value)
{
	struct kvm_regs regs = guest_regs(guest, cpu);

	regs.rcx = index;
	regs.rax = (uint32_t)value;
	regs.rdx = value >> 32;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
}

static int steal_msr(const struct guest *guest, unsigned long call, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = { .head.nmsrs = 1, .entry = { .index = MSR_STEAL, .data = *value } };
	int ret = vcpu_call(&guest->vcpu[0], call, &msrs);

	*value = msrs.entry.data;
	return ret;
}

struct watcher {
	struct guest *guest;
	unsigned int cpu;
	pthread_t thread;
};

static void *watch(void *data)
{
	struct watcher *watcher = data;

	guest_run_to_hlt(watcher->guest, watcher->cpu);
	return NULL;
}

static void start_watcher(struct watcher *watcher, struct guest *guest, unsigned int cpu)
{
	struct kvm_regs regs;

	*watcher = (struct watcher){ guest, cpu, 0 };
	guest_start(guest, cpu, MODE_LONG);
	name_msr(guest, cpu, MSR_STEAL, RECORD(cpu) | 1);
	regs = guest_regs(guest, cpu);
	regs.rbx = RECORD(cpu);
	regs.rbp = RECORD(!cpu);
	regs.rsi = GUEST_SHARED + 8 * WORDS(cpu);
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[cpu], &regs));
	REQUIRE(!pthread_create(&watcher->thread, NULL, watch, watcher));
}

static void two_on_one_processor(void)
{
	volatile struct kvm_steal_time *record;
	struct watcher watchers[2];
	volatile uint64_t *words;
	struct guest guest;
	unsigned int i;

	host_pin(0);
	guest_create(&guest, 2);
	guest_load(&guest, code_watch);
	words = guest_shared(&guest);
	start_watcher(&watchers[0], &guest, 0);
	start_watcher(&watchers[1], &guest, 1);
	while (words[WORDS(0) + WORD_AWAY] < AWAY_ENOUGH ||
	       words[WORDS(1) + WORD_AWAY] < AWAY_ENOUGH)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	words[WORD_STOP] = 1;
	for (i = 0; i < 2; i++) {
		REQUIRE(!pthread_join(watchers[i].thread, NULL));
		record = record_of(&guest, i);
		EXPECT(words[WORDS(i) + WORD_RUNS], "CPU %u did not run", i);
		EXPECT_EQ(0, words[WORDS(i) + WORD_LIES]);
		EXPECT_EQ(0, words[WORDS(i) + WORD_ODD]);
		EXPECT(record->steal, "CPU %u has waited, and nobody says so", i);
		EXPECT(record->version >= 2 * AWAY_ENOUGH && !(record->version & 1), "version %u",
		       record->version);
		EXPECT_EQ(0, record->flags);
	}
}

static void start(struct guest *guest)
{
	guest_create(guest, 1);
	guest_load(guest, code_msr);
	guest_start(guest, 0, MODE_LONG);
	guest_enable_traps(guest, 0);
}

static void values(void)
{
	static const uint64_t bad[] = { 1 << 1, 1 << 3 | 1, 1 << 5 | 1 };
	struct guest guest;
	uint64_t value;
	size_t i;

	start(&guest);
	for (i = 0; i < 3; i++) {
		value = RECORD_GPA | bad[i];
		EXPECT_EQ(0, steal_msr(&guest, KVM_SET_MSRS, &value));
		EXPECT_EQ(1, steal_msr(&guest, KVM_GET_MSRS, &value));
		EXPECT_EQ(0, value);
	}
	/* No memory there: it is not told. */
	name_msr(&guest, 0, MSR_STEAL, (GUEST_MEM_SIZE + 0x1000) | 1);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(1, steal_msr(&guest, KVM_GET_MSRS, &value));
	EXPECT_EQ((GUEST_MEM_SIZE + 0x1000) | 1, value);
	/* Not enabled, nothing is written. */
	name_msr(&guest, 0, MSR_STEAL, RECORD_GPA);
	guest_run_to_sync(&guest, 0);
	EXPECT_EQ(0, record_of(&guest, 0)->version);
	EXPECT_EQ(0, guest_nr_traps(&guest));
	name_msr(&guest, 0, MSR_STEAL, RECORD_GPA | 2);
	guest_run_to_hlt(&guest, 0);
	EXPECT_EQ(1, guest_nr_traps(&guest));
	EXPECT_EQ(13, guest_trap(&guest, 0).vector);
}

/* A record that another VM has begun goes on, and what user space restores is not stolen time. */
static void goes_on(void)
{
	volatile struct kvm_steal_time *record;
	uint64_t value = RECORD_GPA | 1;
	struct guest guest;
	uint8_t *around;
	unsigned int i;

	start(&guest);
	around = guest_at(&guest, GUEST_DATA, 0x1000);
	memset(around, 0xcc, 0x1000);
	record = record_of(&guest, 0);
	record->steal = 1ULL << 40;
	record->version = 7;
	record->preempted = 1;
	EXPECT_EQ(1, steal_msr(&guest, KVM_SET_MSRS, &value));
	guest_run_to_sync(&guest, 0);
	EXPECT(record->steal >> 40 == 1, "%llu", (unsigned long long)record->steal);
	EXPECT_EQ(10, record->version);
	EXPECT_EQ(0, record->preempted);
	for (i = 0; i < 0x1000; i++)
		if (i < 0x40 || i >= 0x40 + offsetof(struct kvm_steal_time, u8_pad))
			EXPECT(around[i] == 0xcc, "byte 0x%x was written", i);
}

static void stores_are_logged(void)
{
	static uint64_t bits[GUEST_MEM_SIZE / 4096 / 64];
	struct guest guest;

	start(&guest);
	name_msr(&guest, 0, MSR_STEAL, RECORD_GPA | 1);
	guest_run_to_sync(&guest, 0);
	name_msr(&guest, 0, 0, 0);
	REQUIRE_OK(vm_set_slot(&guest.vm, 0, 0, guest.mem.size, guest.mem.host,
			       KVM_MEM_LOG_DIRTY_PAGES));
	REQUIRE_OK(vm_get_dirty_log(&guest.vm, 0, bits));
	/* Each KVM_RUN loads the vCPU. */
	guest_run_to_sync(&guest, 0);
	REQUIRE_OK(vm_get_dirty_log(&guest.vm, 0, bits));
	EXPECT(bits[0] & 1ULL << RECORD_GPA / 4096, "the record's page is not dirty");
}

static const struct ktap_test tests[] = {
	KTAP_TEST(two_on_one_processor),
	KTAP_TEST(values),
	KTAP_TEST(goes_on),
	KTAP_TEST(stores_are_logged),
};

KTAP_MAIN(tests)
