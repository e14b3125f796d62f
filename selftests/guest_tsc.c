// SPDX-License-Identifier: GPL-2.0-only
/*
 * The time stamp counter: 0 when the vCPU is made, then forward with the host's, whoever runs it.
 */
#include <linux/kvm.h>
#include <pthread.h>
#include <x86intrin.h>

#include "lib/guest.h"

guest_code(code_tsc, 64,
	   "1: rdtsc\n"
	   "shl $32, %rdx\n"
	   "or %rdx, %rax\n"
	   "out %al, $" S_SYNC "\n"
	   "jmp 1b\n");

static uint64_t read_tsc(struct guest *guest, unsigned int cpu)
{
	guest_run_to_sync(guest, cpu);
	return guest_regs(guest, cpu).rax;
}

/* It cannot be more than what the host's has advanced since before the vCPU was made. */
static void starts_at_0(void)
{
	uint64_t before = __rdtsc(), tsc, passed;
	struct guest guest;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	tsc = read_tsc(&guest, 0);
	passed = __rdtsc() - before;
	EXPECT(tsc > 0 && tsc <= passed, "the guest reads %llu, the host's has advanced by %llu",
	       (unsigned long long)tsc, (unsigned long long)passed);
}

static void *read_in_thread(void *data)
{
	static uint64_t tsc;

	tsc = read_tsc(data, 0);
	return &tsc;
}

static void goes_forward(void)
{
	uint64_t last = 0, tsc;
	pthread_t thread;
	struct guest guest;
	void *found;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	for (i = 0; i < 50; i++) {
		if (i % 5 == 4) {
			REQUIRE(!pthread_create(&thread, NULL, read_in_thread, &guest));
			REQUIRE(!pthread_join(thread, &found));
			tsc = *(uint64_t *)found;
		} else {
			tsc = read_tsc(&guest, 0);
		}
		EXPECT(tsc > last, "%llu after %llu", (unsigned long long)tsc,
		       (unsigned long long)last);
		last = tsc;
	}
}

/* Between two reads the host's counter advances by at least as much as the guest's. */
static void advances_with_the_hosts(void)
{
	uint64_t host, first, second;
	struct guest guest;
	int i;

	guest_create(&guest, 1);
	guest_load(&guest, code_tsc);
	guest_start(&guest, 0, MODE_LONG);
	for (i = 0; i < 10; i++) {
		host = __rdtsc();
		first = read_tsc(&guest, 0);
		second = read_tsc(&guest, 0);
		host = __rdtsc() - host;
		EXPECT(second - first < host, "the guest's advanced by %llu, the host's by %llu",
		       (unsigned long long)(second - first), (unsigned long long)host);
	}
}

static const struct ktap_test tests[] = {
	KTAP_TEST(starts_at_0),
	KTAP_TEST(goes_forward),
	KTAP_TEST(advances_with_the_hosts),
};

KTAP_MAIN(tests)
