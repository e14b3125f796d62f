// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctl fuzzer: random sequences of all ioctls with valid, nearly valid and garbage arguments,
 * from several threads on descriptors that they share, close and reopen.  Meanwhile guests run,
 * kvm_run is scribbled on, the memory of slots goes away and comes back, and forked children use
 * what is not theirs.
 *
 * A round is a process with up to FUZZ_ROUND_CALLS calls.  Its numbers come from the seed and the
 * round's number alone, so each thread's sequence of calls can be had again:
 *
 *	FUZZ_SEED=S FUZZ_ROUND=N ./fuzz_ioctl		only that round
 *	FUZZ_THREADS=1					so that the order is the same too
 *	FUZZ_CALLS=N					so many ioctls in all
 *
 * What fails a run: a report of the kernel (the emulated host looks for it); an answer that is no
 * errno of user space; another process that may use a VM; a round that cannot be ended; a VM that
 * the module found to contradict itself; memory that is not given back; a device that does not work
 * afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cgroup.h"
#include "lib/fuzz_code.h"
#include "lib/fuzz_round.h"
#include "lib/guest.h"
#include "lib/host.h"

#define PAGE	    0x1000UL
#define BEHIND	    (1UL << 37)
#define ROUND_LIMIT 900 /* seconds; only so that a round that cannot be ended is told as one */
#define KICK	    SIGUSR1
#define CGROUP	    "fuzz-ioctl"

static struct fuzz_setup setup;

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

/* The first thing that went wrong is kept. */
static void wrong(const char *what)
{
	if (!atomic_exchange(&setup.tally->wrong, true))
		snprintf(setup.tally->what, sizeof(setup.tally->what), "%s", what);
}

static void learn_whether_had(size_t row, int fd)
{
	if (ioctl_is_had(&ioctls[row], fd))
		setup.had[setup.nr_had++] = row;
}

/* A vCPU that was asked may run or wait otherwise the next time; a VM is soon asked. */
static void learn_what_is_had(void)
{
	struct guest guest, one;
	size_t i;

	guest_create_without_cpuid(&guest, 1);
	for (i = 0; i < nr_ioctls; i++) {
		if (ioctls[i].kind != FD_VCPU) {
			learn_whether_had(i, ioctls[i].kind == FD_VM ? guest.vm.fd : guest.dev.fd);
			continue;
		}
		guest_create_without_cpuid(&one, 1);
		learn_whether_had(i, one.vcpu[0].fd);
		guest_destroy(&one);
	}
	guest_destroy(&guest);
}

/*
 * @size bytes, and behind them nothing for as far as a guest reaches: a slot or a log may be larger
 * than what it names.
 */
static char *memory_with_end(size_t size)
{
	char *at = mmap(NULL, size + BEHIND, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);

	REQUIRE(at != MAP_FAILED && mprotect(at, size, PROT_READ | PROT_WRITE) == 0);
	return at;
}

/* Memory for guests: HLT everywhere, tables for each mode's start, and the fuzzed code. */
static void build_world(uint64_t seed)
{
	struct rng rng = rng_seeded(seed, -1UL);
	struct mem mem = { .size = FUZZ_MEM_SIZE };
	unsigned int i;
	size_t at;

	setup.world.mem = memory_with_end(FUZZ_MEM_SIZE);
	setup.world.scratch = memory_with_end(IOCTL_MAX_SIZE);
	setup.world.forbidden = memory_with_end(6 * PAGE) + 6 * PAGE;
	setup.world.readonly = memory_with_end(PAGE);
	REQUIRE(mprotect(setup.world.readonly, PAGE, PROT_READ) == 0);
	for (i = 0; i < FUZZ_EVENTS; i++)
		setup.world.events[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	setup.world.kick = KICK;
	setup.world.no_breakpoints = host_is_qemu();
	setup.world.interrupts_on = host_is_bochs();

	memset(setup.world.mem, 0xf4, FUZZ_MEM_SIZE / 4);
	mem.host = setup.world.mem;
	REQUIRE_OK(mode_build_gdt(&mem, GUEST_GDT, GUEST_TSS));
	REQUIRE_OK(mode_build_tables(&mem, GUEST_TABLES, MODE_LONG));
	for (at = FUZZ_CODE; at < FUZZ_CODE_END; at += FUZZ_CODE_STEP)
		fuzz_code_one(&rng, setup.world.mem + at);
	/* Once more where code of 16 bits can jump. */
	memcpy(setup.world.mem + GUEST_CODE, setup.world.mem + FUZZ_CODE,
	       GUEST_CODE_END - GUEST_CODE);
}

static unsigned long calls_so_far(void)
{
	unsigned long sum = 0;
	size_t i;

	for (i = 0; i < nr_ioctls; i++)
		sum += atomic_load(&setup.tally->calls[i]);
	return sum;
}

/* Of @calls in all, how many the next round makes. */
static unsigned long round_calls(unsigned long calls)
{
	unsigned long left = calls - calls_so_far();

	return left < FUZZ_ROUND_CALLS ? left : FUZZ_ROUND_CALLS;
}

/* A round in a child; false if it did not end as it should. */
static bool one_round(uint64_t seed, unsigned long number, unsigned long calls)
{
	int status, waited = 0;
	pid_t pid = fork();

	REQUIRE(pid >= 0, "fork: %s", strerror(errno));
	if (pid == 0) {
		if (!cgroup_enter(CGROUP))
			wrong("there is no memory cgroup to enter");
		fuzz_round(&setup, seed, number, calls);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		usleep(20000);
		if (++waited == ROUND_LIMIT * 50) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			wrong("signals did not get its threads out");
		}
	}
	if (!WIFEXITED(status))
		wrong("it was ended by a signal");
	return !atomic_load(&setup.tally->wrong);
}

static void tell(unsigned long rounds, uint64_t seed)
{
	static const char *const kinds[FD_KINDS] = { "system", "VM", "vCPU" };
	unsigned long missed = 0, refused = 0;
	unsigned int i;

	for (i = 0; i < setup.nr_had; i++) {
		const struct ioctl_info *info = &ioctls[setup.had[i]];
		unsigned long calls = atomic_load(&setup.tally->calls[setup.had[i]]);
		unsigned long successes = atomic_load(&setup.tally->successes[setup.had[i]]);

		ktap_note("%-32s %-6s %7lu calls %7lu successes", info->name, kinds[info->kind],
			  calls, successes);
		missed += !calls;
		refused += !successes;
	}
	ktap_note("%lu ioctls and %lu other things in %lu rounds, seed %llu", calls_so_far(),
		  atomic_load(&setup.tally->other), rounds, (unsigned long long)seed);
	EXPECT(!missed || rounds < 4, "%lu ioctls were never called", missed);
	/* The rarest succeed every 2,500 calls or so. */
	EXPECT(!refused || rounds < 10, "%lu ioctls have never succeeded", refused);
}

/* Lines of the kernel's log from now on. */
static int log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

/* The module says so when it finds a VM in contradiction with itself. */
static void expect_no_dead_vm(int log)
{
	char line[1024];
	ssize_t length;

	while (log >= 0) {
		length = read(log, line, sizeof(line) - 1);
		if (length < 0 && errno == EPIPE)
			continue; /* the log has gone on without us */
		if (length <= 0)
			break;
		line[length] = 0;
		EXPECT(!strstr(line, "mkvm: a VM of process"), "%s", line);
	}
}

static void expect_a_working_device(void)
{
	struct guest guest;

	guest_create(&guest, 1);
	*(unsigned char *)guest_at(&guest, GUEST_CODE, 1) = 0xf4; /* hlt */
	guest_start(&guest, 0, MODE_LONG);
	guest_run_to_hlt(&guest, 0);
	guest_destroy(&guest);
}

/* About a minute's, on an idle machine. */
static unsigned long usual_calls(void)
{
	if (host_is_bochs())
		return 1000;
	return host_kernel_is_debug() ? 4000 : 40000;
}

static void survives_a_storm_of_calls(void)
{
	unsigned long calls = setting("FUZZ_CALLS", usual_calls()), rounds = 0;
	unsigned long only = setting("FUZZ_ROUND", -1UL), number = 0;
	uint64_t seed = setting("FUZZ_SEED", 1);
	int log = log_open();

	setup.nr_threads = setting("FUZZ_THREADS", 4);
	REQUIRE(setup.nr_threads >= 1 && setup.nr_threads <= FUZZ_MAX_THREADS,
		"FUZZ_THREADS: 1 to %d", FUZZ_MAX_THREADS);
	setup.tally = mmap(NULL, sizeof(*setup.tally), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	REQUIRE(setup.tally != MAP_FAILED && nr_ioctls <= FUZZ_MAX_IOCTLS);
	/* Who touches a page first is charged for it: not a round. */
	memset(setup.tally, 0, sizeof(*setup.tally));
	device_open(&setup.device);
	if (!kvm_dev_is_mkvm(&setup.device))
		ktap_skip("fuzzes mkvm's own code");
	REQUIRE(cgroup_make(CGROUP), "no memory cgroup can be made");
	build_world(seed);
	fuzz_world_learn(&setup.world, setup.device.fd);
	learn_what_is_had();
	ktap_note("seed %llu, %lu calls, %u threads; %u of %zu ioctls are had",
		  (unsigned long long)seed, calls, setup.nr_threads, setup.nr_had, nr_ioctls);

	for (number = only == -1UL ? 0 : only; calls_so_far() < calls; number++) {
		rounds++;
		if (!one_round(seed, number, round_calls(calls))) {
			ktap_note("again: FUZZ_SEED=%llu FUZZ_ROUND=%lu FUZZ_THREADS=%u",
				  (unsigned long long)seed, number, setup.nr_threads);
			break;
		}
		if (rounds % 25 == 0)
			ktap_note("%lu calls", calls_so_far());
		if (only != -1UL)
			break;
	}
	tell(rounds, seed);
	REQUIRE(!atomic_load(&setup.tally->wrong), "round %lu: %s", number, setup.tally->what);
	expect_no_dead_vm(log);
	EXPECT(cgroup_ends(CGROUP), "memory is not given back");
	expect_a_working_device();
}

int main(int argc, char **argv)
{
	struct ktap_test tests[] = {
		KTAP_TEST_LIMIT(survives_a_storm_of_calls, setting("FUZZ_LIMIT", 600)),
	};

	return ktap_main(tests, 1, argc, argv);
}
