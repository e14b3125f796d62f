// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the launcher may still ask of the kernel once a guest runs: only what running it, serving
 * its devices and making it anew need.  No file can be opened, no program started, no socket made.
 *
 * The filter is a list of system calls, and for ioctl() a list of requests.  Anything else ends the
 * launcher, which says what it was.
 */
#include "sandbox.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/mkvm.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "message.h"
#include "terminal.h"

static const unsigned int allowed_calls[] = {
	/* devices, console, messages */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_preadv,
	SYS_pwritev,
	SYS_poll,
	SYS_fdatasync,
	SYS_getrandom,
	SYS_eventfd2,
	SYS_close,
	SYS_lseek,
	SYS_newfstatat,
	SYS_fstat,
	/* threads and signals */
	SYS_clone,
	SYS_clone3,
	SYS_exit,
	SYS_exit_group,
	SYS_futex,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_sched_yield,
	SYS_gettid,
	SYS_getpid,
	SYS_tgkill,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigtimedwait,
	SYS_restart_syscall,
	SYS_getpgrp,
	SYS_getpgid,
	/* memory and time */
	SYS_mmap,
	SYS_munmap,
	SYS_mprotect,
	SYS_mremap,
	SYS_madvise,
	SYS_brk,
	SYS_clock_gettime,
	SYS_clock_nanosleep,
};

static const unsigned int allowed_requests[] = {
	KVM_RUN,
	KVM_GET_REGS,
	KVM_SET_REGS,
	KVM_GET_SREGS,
	KVM_SET_SREGS,
	KVM_SET_MSRS,
	KVM_GET_LAPIC,
	KVM_SET_LAPIC,
	KVM_SET_CPUID2,
	KVM_GET_SUPPORTED_CPUID,
	KVM_CHECK_EXTENSION,
	KVM_CREATE_VM,
	KVM_ENABLE_CAP,
	KVM_CREATE_VCPU,
	KVM_SET_USER_MEMORY_REGION,
	KVM_SET_TSS_ADDR,
	KVM_SET_IDENTITY_MAP_ADDR,
	KVM_CREATE_IRQCHIP,
	KVM_CREATE_PIT2,
	KVM_IRQ_LINE,
	KVM_IRQFD,
	KVM_IOEVENTFD,
	KVM_GET_STATS_FD,
	MKVM_GET_COUNTS,
	MKVM_SET_MMU,
	TCGETS,
	TIOCGWINSZ,
	TCSETS,
	TCSETSW,
	TIOCGPGRP,
};

#define NR_CALLS    (sizeof(allowed_calls) / sizeof(allowed_calls[0]))
#define NR_REQUESTS (sizeof(allowed_requests) / sizeof(allowed_requests[0]))
#define MAX_LENGTH  (2 * NR_CALLS + 2 * NR_REQUESTS + 10)

#define LOAD(field)   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define ANSWER(what)  BPF_STMT(BPF_RET | BPF_K, what)
#define UNLESS(value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1) /* skips one */

static void add(struct sock_fprog *program, struct sock_filter instruction)
{
	program->filter[program->len++] = instruction;
}

static void build(struct sock_fprog *program)
{
	size_t i;

	add(program, (struct sock_filter)LOAD(arch));
	add(program,
	    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	add(program, (struct sock_filter)ANSWER(SECCOMP_RET_KILL_PROCESS));
	add(program, (struct sock_filter)LOAD(nr));
	for (i = 0; i < NR_CALLS; i++) {
		add(program, (struct sock_filter)UNLESS(allowed_calls[i]));
		add(program, (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW));
	}
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0));
	add(program, (struct sock_filter)ANSWER(SECCOMP_RET_TRAP));
	add(program, (struct sock_filter)LOAD(args[1]));
	for (i = 0; i < NR_REQUESTS; i++) {
		add(program, (struct sock_filter)UNLESS(allowed_requests[i]));
		add(program, (struct sock_filter)ANSWER(SECCOMP_RET_ALLOW));
	}
	add(program, (struct sock_filter)ANSWER(SECCOMP_RET_TRAP));
}

/* Only calls that the filter allows. */
static void on_refused(int signal, siginfo_t *info, void *context)
{
	char text[80];
	int len;

	(void)signal;
	(void)context;
	terminal_restore();
	len = snprintf(text, sizeof(text), "mkvm: ended: system call %d is not allowed here\n",
		       info->si_syscall);
	if (write(STDERR_FILENO, text, len) < 0)
		_exit(STATUS_FAILED);
	_exit(STATUS_FAILED);
}

/* Before any thread but the first is there.  A failure has been told when this returns. */
int sandbox_enter(void)
{
	static struct sock_filter filter[MAX_LENGTH];
	struct sock_fprog program = { .filter = filter };
	struct sigaction refused = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };

	build(&program);
	sigaction(SIGSYS, &refused, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		message("cannot give up privileges: %s", strerror(errno));
		return -errno;
	}
	return 0;
}
