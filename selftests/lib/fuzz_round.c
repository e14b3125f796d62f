// SPDX-License-Identifier: GPL-2.0-only
/*
 * A round of the ioctl fuzzer: a process whose threads make calls on descriptors that they share,
 * close and reopen, while guests run and everything around them is shaken.
 *
 * All that a thread does follows from its numbers.  Only which descriptor a slot holds at the
 * moment, and what the kernel answers, depend on the other threads.
 */
#include "fuzz_round.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <linux/mkvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz_code.h"
#include "fuzz_draw.h"
#include "layout.h"
#include "lib/mode.h"

#define PAGE	  0x1000UL
#define KICK_MS	  20
#define MAX_ERRNO 133		      /* the largest that user space knows */
#define SHAKY	  (FUZZ_MEM_SIZE / 2) /* from here on memory comes and goes */

#define NR_SYSTEM 2
#define NR_VM	  4
#define NR_VCPU	  8
#define NR_STATS  4

static const struct fuzz_setup *setup;

/* A round's descriptors, shared by its threads.  A descriptor is closed by who takes it out. */
static atomic_int system_fds[NR_SYSTEM], vm_fds[NR_VM], vcpu_fds[NR_VCPU], stats_fds[NR_STATS];
static char *run_pages[NR_VCPU]; /* where each vCPU's pages are mapped; at first nobody's */

static const struct {
	atomic_int *fds;
	unsigned int nr;
} pools[FD_KINDS] = {
	[FD_SYSTEM] = { system_fds, NR_SYSTEM },
	[FD_VM] = { vm_fds, NR_VM },
	[FD_VCPU] = { vcpu_fds, NR_VCPU },
};

/* The first thing that went wrong is kept. */
static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *format, ...)
{
	va_list args;

	if (atomic_exchange(&setup->tally->wrong, true))
		return;
	va_start(args, format);
	vsnprintf(setup->tally->what, sizeof(setup->tally->what), format, args);
	va_end(args);
}

static int any_fd(struct rng *rng, atomic_int *fds, unsigned int nr)
{
	return atomic_load(&fds[rng_below(rng, nr)]);
}

static void put_fd(atomic_int *slot, int fd)
{
	int old = atomic_exchange(slot, fd);

	if (old >= 0)
		close(old);
}

/* Maps a vCPU's pages over what is there, so that at any time others may write there. */
static void map_run(unsigned int slot, int fd)
{
	mmap(run_pages[slot], setup->device.run_size, PROT_READ | PROT_WRITE,
	     MAP_SHARED | MAP_FIXED, fd, 0);
}

/* A call answered with a new descriptor: it takes the place of another one. */
static void adopt(struct rng *rng, unsigned long cmd, int fd)
{
	unsigned int slot;

	switch (cmd) {
	case KVM_CREATE_VM:
		put_fd(&vm_fds[rng_below(rng, NR_VM)], fd);
		break;
	case KVM_CREATE_VCPU:
		slot = rng_below(rng, NR_VCPU);
		map_run(slot, fd);
		put_fd(&vcpu_fds[slot], fd);
		break;
	case KVM_GET_STATS_FD:
		put_fd(&stats_fds[rng_below(rng, NR_STATS)], fd);
		break;
	default:
		close(fd);
	}
}

static bool makes_fd(unsigned long cmd)
{
	return cmd == KVM_CREATE_VM || cmd == KVM_CREATE_VCPU || cmd == KVM_GET_STATS_FD ||
	       cmd == KVM_CREATE_DEVICE;
}

struct fuzz_thread {
	pthread_t thread;
	struct rng rng;
	atomic_int id;	      /* the kernel's; 0: has not begun */
	atomic_bool in_guest; /* in a call that may last until it is kicked */
};

static struct fuzz_thread threads[FUZZ_MAX_THREADS];
static __thread struct fuzz_thread *self;

/* The thread's signal waits: the kernel gives up what takes longer than KICK_MS on a slow host. */
static void hold_kicks(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, setup->world.kick);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* The call itself, with kicks where it wants them. */
static int call_kernel(const struct ioctl_info *info, int fd, unsigned long arg)
{
	int answer;

	if (info->cmd == KVM_CREATE_VM)
		hold_kicks(true);
	atomic_store(&self->in_guest, info->cmd == KVM_RUN);
	answer = ioctl(fd, info->cmd, arg);
	atomic_store(&self->in_guest, false);
	if (info->cmd == KVM_CREATE_VM)
		hold_kicks(false);
	return answer;
}

/* One ioctl of the table on @fd. */
static void call(struct rng *rng, size_t row, int fd, void *buffer)
{
	const struct ioctl_info *info = &ioctls[row];
	unsigned long arg = fuzz_argument(rng, &setup->world, info, fd, buffer);
	int answer = call_kernel(info, fd, arg);

	atomic_fetch_add(&setup->tally->calls[row], 1);
	if (answer < 0 && errno > MAX_ERRNO)
		wrong("%s answers errno %d, which is not for user space", info->name, errno);
	if (answer < 0)
		return;
	atomic_fetch_add(&setup->tally->successes[row], 1);
	/* Only a new descriptor is ours to close; of a wild call the answer may be anything. */
	if (makes_fd(info->cmd))
		adopt(rng, info->cmd, answer);
}

static void call_any(struct rng *rng, void *buffer)
{
	bool any = rng_chance(rng, 10); /* what the device does not know is soon refused */
	size_t row = any ? rng_below(rng, nr_ioctls) : setup->had[rng_below(rng, setup->nr_had)];
	enum fd_kind kind = ioctls[row].kind;

	/* Running is what most of the rest is for. */
	if (rng_chance(rng, 10)) {
		row = ioctl_info(FD_VCPU, KVM_RUN) - ioctls;
		kind = FD_VCPU;
	}
	if (rng_chance(rng, 2))
		kind = rng_below(rng, FD_KINDS);
	call(rng, row, any_fd(rng, pools[kind].fds, pools[kind].nr), buffer);
}

/* A new VM, now and then on the MMU that is not the usual one, if there is another. */
static int create_vm(struct rng *rng)
{
	int system = any_fd(rng, system_fds, NR_SYSTEM), fd = -1;

	hold_kicks(true);
	if (rng_chance(rng, 30))
		fd = ioctl(system, KVM_CREATE_VM, MKVM_VM_SHADOW);
	if (fd < 0)
		fd = ioctl(system, KVM_CREATE_VM, 0UL);
	hold_kicks(false);
	return fd;
}

/* A VM with its memory where the code is. */
static void new_vm(struct rng *rng)
{
	struct kvm_userspace_memory_region region = {
		.flags = rng_chance(rng, 50) ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.memory_size = FUZZ_MEM_SIZE / 4,
		.userspace_addr = (uintptr_t)setup->world.mem,
	};
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int fd = create_vm(rng);

	if (fd < 0)
		return;
	ioctl(fd, KVM_SET_USER_MEMORY_REGION, &region);
	/* What has to come before vCPUs. */
	if (rng_chance(rng, 50)) {
		ioctl(fd, KVM_CREATE_IRQCHIP, 0UL);
		ioctl(fd, KVM_CREATE_PIT2, &config);
	} else if (rng_chance(rng, 50)) {
		ioctl(fd, KVM_ENABLE_CAP, &split);
	}
	put_fd(&vm_fds[rng_below(rng, NR_VM)], fd);
}

/* As a guest does that has a clock: of a page that may be there or not. */
static void ask_for_a_clock(struct rng *rng, int fd)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} msrs = {
		.head.nmsrs = 1,
		.entry = { .index = MSR_KVM_SYSTEM_TIME_NEW, .data = fuzz_gpa(rng) | 1 },
	};

	ioctl(fd, KVM_SET_MSRS, &msrs);
}

/* A vCPU of any VM, ready to execute the fuzzed code in some mode. */
static void new_vcpu(struct rng *rng)
{
	int fd = ioctl(any_fd(rng, vm_fds, NR_VM), KVM_CREATE_VCPU, rng_below(rng, 4));

	if (fd < 0)
		return;
	if (rng_chance(rng, 50))
		ask_for_a_clock(rng, fd);
	adopt(rng, KVM_CREATE_VCPU, fd);
}

static void reopen(struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		put_fd(&system_fds[rng_below(rng, NR_SYSTEM)], open(setup->device.path, O_RDWR));
		break;
	case 1:
		put_fd(&vm_fds[rng_below(rng, NR_VM)], -1);
		break;
	case 2:
		put_fd(&vcpu_fds[rng_below(rng, NR_VCPU)], -1);
		break;
	case 3:
		put_fd(&vm_fds[rng_below(rng, NR_VM)], dup(any_fd(rng, vm_fds, NR_VM)));
		break;
	case 4:
	case 5:
		new_vm(rng);
		break;
	default:
		new_vcpu(rng);
	}
}

/* Starts a vCPU of ours on the fuzzed code and runs it. */
static void start_and_run(struct rng *rng, void *buffer)
{
	unsigned int slot = rng_below(rng, NR_VCPU);
	int fd = atomic_load(&vcpu_fds[slot]);
	struct kvm_run *run = (struct kvm_run *)run_pages[slot];

	memset(buffer, 0, sizeof(struct kvm_sregs));
	if (ioctl(fd, KVM_GET_SREGS, buffer) == 0) {
		mode_set(buffer, rng_below(rng, MODE_NR), GUEST_GDT, GUEST_TABLES);
		ioctl(fd, KVM_SET_SREGS, buffer);
	}
	call(rng, ioctl_info(FD_VCPU, KVM_SET_REGS) - ioctls, fd, buffer);
	run->immediate_exit = 0;
	call(rng, ioctl_info(FD_VCPU, KVM_RUN) - ioctls, fd, buffer);
}

/* Writes into a vCPU's shared pages what the kernel may be reading just now. */
static void scribble_run(struct rng *rng)
{
	struct kvm_run *run = (struct kvm_run *)run_pages[rng_below(rng, NR_VCPU)];
	unsigned int i, times = 1 + rng_below(rng, 64);
	volatile char *bytes = (volatile char *)run;

	for (i = 0; i < times; i++) {
		switch (rng_below(rng, 8)) {
		case 0:
			run->immediate_exit = rng_chance(rng, 20);
			break;
		case 1:
			run->request_interrupt_window = rng_next(rng);
			break;
		case 2:
			run->cr8 = rng_below(rng, 20);
			run->apic_base = rng_next(rng);
			break;
		case 3:
			run->kvm_valid_regs = rng_below(rng, 16);
			if (!setup->world.interrupts_on)
				run->kvm_dirty_regs = rng_below(rng, 16);
			break;
		case 4: /* the data of port I/O and the ring of stores */
			bytes[rng_below(rng, setup->device.run_size)] = rng_next(rng);
			break;
		case 5:
			run->io.data_offset = rng_next(rng);
			run->io.count = rng_next(rng);
			break;
		case 6:
			run->exit_reason = rng_below(rng, 40);
			break;
		default:
			bytes[rng_below(rng, sizeof(*run))] = rng_next(rng);
		}
	}
	run->immediate_exit = 0;
}

/*
 * The memory of slots changes, goes away and comes back under the guests.  What splits a mapping in
 * two does so in pieces of some pages: a new VM takes a lock of each mapping, a fork copies it.
 */
static void shake_memory(struct rng *rng)
{
	size_t first = rng_below(rng, 256), pages = 1 + rng_below(rng, 64);
	char *at = setup->world.mem + SHAKY + first * PAGE;
	char *piece = setup->world.mem + SHAKY + first / 8 * 8 * PAGE;
	size_t size = pages * PAGE, pieces = (pages + 7) / 8 * 8 * PAGE;

	switch (rng_below(rng, 8)) {
	case 0:
		madvise(at - SHAKY, size, MADV_COLD);
		break;
	case 1:
		madvise(at, size, MADV_DONTNEED);
		break;
	case 2:
		mprotect(piece, pieces, PROT_READ);
		break;
	case 3:
		mprotect(piece, pieces, PROT_NONE);
		break;
	case 4:
		mprotect(piece, pieces, PROT_READ | PROT_WRITE);
		break;
	case 5:
		mmap(piece, pieces, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
		break;
	case 6: /* the kernel writes, so that it does not matter whether the page is there */
		syscall(SYS_getrandom, at, size / 16, 0);
		break;
	default:
		fuzz_code_one(rng, setup->world.mem + FUZZ_CODE +
					   rng_below(rng, FUZZ_CODE_END - FUZZ_CODE) /
						   FUZZ_CODE_STEP * FUZZ_CODE_STEP);
	}
}

/* Mappings of a vCPU's pages with any offset and length; the kernel looks at what is there. */
static void map_anywhere(struct rng *rng)
{
	size_t size = (1 + rng_below(rng, 8)) * PAGE;
	int fd = any_fd(rng, vcpu_fds, NR_VCPU), pipes[2];
	int flags = rng_chance(rng, 50) ? MAP_SHARED : MAP_PRIVATE;
	off_t offset = rng_chance(rng, 70) ? 0 : rng_below(rng, 128) * PAGE;
	char *at = mmap(NULL, size, rng_below(rng, 4), flags, fd, offset);

	if (at == MAP_FAILED)
		return;
	if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC) == 0) {
		if (write(pipes[1], at + rng_below(rng, size), 1) < 0 && errno > MAX_ERRNO)
			wrong("a mapped page: errno %d", errno);
		close(pipes[0]);
		close(pipes[1]);
	}
	munmap(at, size);
}

static void read_stats(struct rng *rng, void *buffer)
{
	int fd = any_fd(rng, stats_fds, NR_STATS);
	size_t size = rng_below(rng, IOCTL_MAX_SIZE);
	off_t offset = rng_below(rng, 4096);

	if (fd >= 0 && pread(fd, buffer, size, offset) < 0 && errno > MAX_ERRNO)
		wrong("statistics: errno %d", errno);
}

/* A VM is its process's alone. */
static void use_in_child(struct rng *rng)
{
	int vm = any_fd(rng, vm_fds, NR_VM), vcpu = any_fd(rng, vcpu_fds, NR_VCPU), status;
	pid_t pid;

	hold_kicks(true);
	pid = fork();
	if (pid == 0) {
		struct kvm_regs regs;

		/* Other threads close and open: by now the numbers may be a system descriptor's. */
		if (ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000) >= 0 ||
		    ioctl(vm, KVM_CREATE_VCPU, 7) >= 0 || ioctl(vcpu, KVM_RUN, 0) >= 0 ||
		    ioctl(vcpu, KVM_GET_REGS, &regs) >= 0)
			_exit(1);
		_exit(0);
	}
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status))
		wrong("a forked child can use its parent's VM");
	hold_kicks(false);
}

static void one_step(struct rng *rng, void *buffer)
{
	unsigned int what = rng_below(rng, 1000);

	if (what < 780) {
		call_any(rng, buffer);
		return;
	}
	if (what < 900) {
		start_and_run(rng, buffer);
		return;
	}
	atomic_fetch_add(&setup->tally->other, 1);
	if (what < 930)
		reopen(rng);
	else if (what < 960)
		scribble_run(rng);
	else if (what < 985)
		shake_memory(rng);
	else if (what < 993)
		read_stats(rng, buffer);
	else if (what < 999)
		map_anywhere(rng);
	else if (rng_chance(rng, 25)) /* as long as all the rest on a debug kernel */
		use_in_child(rng);
}

static atomic_long round_left; /* calls that the round's threads have not yet begun */

/*
 * Sends the signal to who has been in a guest at a moment, so that no guest keeps a thread; and now
 * and then to anybody, whatever it does.  A signal to each at each moment costs a slow host much.
 */
static void *kick(void *data)
{
	struct rng *rng = data;
	unsigned int i;

	while (true) {
		usleep(KICK_MS * 1000);
		for (i = 0; i < setup->nr_threads; i++) {
			if (atomic_load(&threads[i].in_guest) || rng_chance(rng, 2))
				syscall(SYS_tgkill, getpid(), atomic_load(&threads[i].id),
					setup->world.kick);
		}
	}
	return NULL;
}

static void *fuzz(void *data)
{
	void *buffer = malloc(IOCTL_MAX_SIZE);

	self = data;
	atomic_store(&self->id, gettid());
	while (buffer && atomic_fetch_sub(&round_left, 1) > 0)
		one_step(&self->rng, buffer);
	free(buffer);
	return NULL;
}

static void kicked(int signal)
{
	(void)signal;
}

/* One round of @calls; the calling process, which is for this alone, ends with it. */
void fuzz_round(const struct fuzz_setup *with, uint64_t seed, unsigned long number,
		unsigned long calls)
{
	struct sigaction action = { .sa_handler = kicked };
	struct rng rng = rng_seeded(seed, number << 8),
		   kicks = rng_seeded(seed, number << 8 | 0xff);
	pthread_t kicker;
	char name[16];
	unsigned int i;

	setup = with;
	/* A report of the kernel names the process, and so the round. */
	snprintf(name, sizeof(name), "fuzz-%lu", number);
	prctl(PR_SET_NAME, name);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(setup->world.kick, &action, NULL);
	atomic_store(&round_left, calls);

	for (i = 0; i < NR_SYSTEM; i++)
		atomic_store(&system_fds[i], open(setup->device.path, O_RDWR));
	for (i = 0; i < NR_STATS; i++)
		atomic_store(&stats_fds[i], -1);
	for (i = 0; i < NR_VM; i++) {
		atomic_store(&vm_fds[i], -1);
		new_vm(&rng);
	}
	for (i = 0; i < NR_VCPU; i++) {
		atomic_store(&vcpu_fds[i], -1);
		run_pages[i] = mmap(NULL, setup->device.run_size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	for (i = 0; i < NR_VCPU; i++)
		new_vcpu(&rng);
	for (i = 0; i < setup->nr_threads; i++) {
		threads[i].rng = rng_seeded(seed, number << 8 | (i + 1));
		pthread_create(&threads[i].thread, NULL, fuzz, &threads[i]);
	}
	if (pthread_create(&kicker, NULL, kick, &kicks))
		wrong("no thread to kick the others");
	for (i = 0; i < setup->nr_threads; i++)
		pthread_join(threads[i].thread, NULL);
	_exit(0);
}
