// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_SET_SIGNAL_MASK: signals that end KVM_RUN although the thread blocks them, and the other way
 * round.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/guest.h"

#define KERNEL_SIGSET_BYTES 8

guest_code(code_loop, 64,
	   "1: incq " S_SHARED "\n"
	   "jmp 1b\n");
guest_code(code_hlt, 64,
	   "1: hlt\n"
	   "jmp 1b\n");

static volatile sig_atomic_t handled;

static void handle(int signal)
{
	(void)signal;
	handled++;
}

static uint64_t bit(int signal)
{
	return 1ULL << (signal - 1);
}

/* Blocked during KVM_RUN: the signals in @mask. */
static int set_mask(const struct guest *guest, uint64_t mask)
{
	char buffer[sizeof(struct kvm_signal_mask) + KERNEL_SIGSET_BYTES];
	struct kvm_signal_mask *argument = (void *)buffer;

	argument->len = KERNEL_SIGSET_BYTES;
	memcpy(argument->sigset, &mask, KERNEL_SIGSET_BYTES);
	return vcpu_call(&guest->vcpu[0], KVM_SET_SIGNAL_MASK, buffer);
}

static void start(struct guest *guest)
{
	struct sigaction action = { .sa_handler = handle };

	sigaction(SIGUSR1, &action, NULL);
	guest_create(guest, 1);
	guest_load(guest, code_loop);
	guest_start(guest, 0, MODE_LONG);
}

static void block_here(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	REQUIRE(!pthread_sigmask(SIG_BLOCK, &set, NULL));
}

static bool is_blocked_here(int signal)
{
	sigset_t set;

	REQUIRE(!pthread_sigmask(SIG_BLOCK, NULL, &set));
	return sigismember(&set, signal);
}

static void wrong_arguments(void)
{
	struct {
		struct kvm_signal_mask mask;
		uint64_t set;
	} argument = {};
	struct guest guest;

	start(&guest);
	EXPECT_ERRNO(EFAULT, vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, (void *)-1L));
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, &argument));
	argument.mask.len = 4;
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, &argument));
	argument.mask.len = 16;
	EXPECT_ERRNO(EINVAL, vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, &argument));
	EXPECT_ERRNO(0, vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, NULL));
	EXPECT_ERRNO(0, set_mask(&guest, ~0ULL));
}

/* As a VMM does it: the signal is blocked but in KVM_RUN, and none is missed in between. */
static void unblocked_in_the_guest(void)
{
	struct guest guest;

	start(&guest);
	block_here(SIGUSR1);
	REQUIRE_OK(set_mask(&guest, 0));
	raise(SIGUSR1);
	EXPECT_EQ(0, handled);
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(KVM_EXIT_INTR, guest.vcpu[0].run->exit_reason);
	EXPECT(is_blocked_here(SIGUSR1), "the thread's own mask is not back");
	/* It is still there: no handler could run in the kernel, and none after it. */
	EXPECT_EQ(0, handled);
	EXPECT_EQ(SIGUSR1,
		  sigtimedwait(&(sigset_t){ { bit(SIGUSR1) } }, NULL, &(struct timespec){}));
}

static void *send_later(void *data)
{
	usleep(50000);
	pthread_kill(*(pthread_t *)data, SIGUSR1);
	return NULL;
}

static void blocked_in_the_guest(void)
{
	pthread_t self = pthread_self(), sender;
	struct guest guest;

	start(&guest);
	guest_load(&guest, code_hlt);
	REQUIRE_OK(set_mask(&guest, bit(SIGUSR1)));
	REQUIRE(!pthread_create(&sender, NULL, send_later, &self));
	/* Until it comes: between two KVM_RUNs it is handled, in one it waits. */
	while (!handled) {
		int err = vcpu_run(&guest.vcpu[0]);

		EXPECT(err == 0, "KVM_RUN: %s", strerror(-err));
		if (err)
			break;
	}
	REQUIRE(!pthread_join(sender, NULL));
	EXPECT_EQ(1, handled);
	EXPECT(!is_blocked_here(SIGUSR1), "the thread's own mask is not back");
}

/* Without a mask it is the thread's. */
static void no_mask_any_more(void)
{
	struct guest guest;

	start(&guest);
	guest_load(&guest, code_hlt);
	block_here(SIGUSR1);
	REQUIRE_OK(set_mask(&guest, 0));
	REQUIRE_OK(vcpu_call(&guest.vcpu[0], KVM_SET_SIGNAL_MASK, NULL));
	raise(SIGUSR1);
	guest_run_to_hlt(&guest, 0);
	EXPECT_ERRNO(0, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(0, handled);
}

/* A signal while the guest runs. */
static void signal_in_the_guest(void)
{
	pthread_t self = pthread_self(), sender;
	struct guest guest;

	start(&guest);
	block_here(SIGUSR1);
	REQUIRE_OK(set_mask(&guest, 0));
	REQUIRE(!pthread_create(&sender, NULL, send_later, &self));
	EXPECT_ERRNO(EINTR, vcpu_run(&guest.vcpu[0]));
	EXPECT_EQ(KVM_EXIT_INTR, guest.vcpu[0].run->exit_reason);
	REQUIRE(!pthread_join(sender, NULL));
	EXPECT(*guest_shared(&guest) > 0, "the guest did not run");
}

/* SIGKILL cannot be blocked. */
static void killed_all_the_same(void)
{
	struct guest guest;
	int status;
	pid_t pid;

	pid = fork();
	REQUIRE(pid >= 0);
	if (!pid) {
		start(&guest);
		REQUIRE_OK(set_mask(&guest, ~0ULL));
		alarm(60);
		vcpu_run(&guest.vcpu[0]);
		_exit(0);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status 0x%x", status);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(wrong_arguments),	 KTAP_TEST(unblocked_in_the_guest),
	KTAP_TEST(blocked_in_the_guest), KTAP_TEST(no_mask_any_more),
	KTAP_TEST(signal_in_the_guest),	 KTAP_TEST(killed_all_the_same),
};

KTAP_MAIN(tests)
