// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual machine with its memory, CPUs and devices; one thread a CPU.
 *
 * It ends when every CPU has halted, or when machine_stop() was called: by a CPU's thread
 * (shutdown, exit port, error) or by the owner (a signal).  The first to stop it decides the
 * status.  A thread that is in KVM_RUN, or about to enter it, is got out by immediate_exit and a
 * signal.
 */
#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/names.h"
#include "lib/x86.h"
#include "message.h"

#define SIGNAL_KICK	SIGUSR1
#define STACK_SIZE	0x10000UL /* of each CPU of an ELF image */
#define FLAT_STACK_SIZE 0x100UL	  /* of each CPU of a flat image */

static int machine_create_cpus(struct machine *machine, unsigned int nr)
{
	int max = kvm_dev_extension(&machine->dev, KVM_CAP_MAX_VCPUS);
	int err;

	if (max > 0 && nr > (unsigned int)max) {
		message("--cpus %u: %s allows %d", nr, machine->dev.path, max);
		return -EINVAL;
	}
	for (; machine->nr_cpus < nr; machine->nr_cpus++) {
		struct machine_cpu *cpu = &machine->cpus[machine->nr_cpus];

		cpu->machine = machine;
		cpu->id = machine->nr_cpus;
		err = vcpu_create(&cpu->vcpu, &machine->dev, &machine->vm, cpu->id);
		if (err) {
			message("cannot make CPU %u: %s", cpu->id, strerror(-err));
			return err;
		}
		err = vcpu_offer_host_cpuid(&cpu->vcpu, &machine->dev);
		if (err) {
			message("cannot set CPUID of CPU %u: %s", cpu->id, strerror(-err));
			machine->nr_cpus++;
			return err;
		}
	}
	return 0;
}

/* A machine of memory alone, so that an image can be checked without a device. */
int machine_create(struct machine *machine, const struct machine_config *config)
{
	int err;

	memset(machine, 0, sizeof(*machine));
	machine->dev.fd = -1;
	machine->vm.fd = -1;
	err = mem_create(&machine->mem, 0, config->mem_size);
	if (err) {
		message("cannot get %llu MiB of memory for the guest: %s",
			(unsigned long long)config->mem_size >> 20, strerror(-err));
		return err;
	}
	pthread_mutex_init(&machine->lock, NULL);
	return 0;
}

/* Adds what the device makes: the VM and its CPUs.  A failure has been told when this returns. */
int machine_open(struct machine *machine, const struct machine_config *config)
{
	int err;

	err = kvm_dev_open(&machine->dev, config->device);
	if (err) {
		message_open_failed(config->device, err);
		return err;
	}
	err = vm_create(&machine->vm, &machine->dev, config->vm_type);
	if (err) {
		message_create_vm_failed(&machine->dev, config->vm_type, err);
		return err;
	}
	err = mem_attach(&machine->mem, &machine->vm, 0);
	if (err) {
		message("cannot give the guest its memory: %s", strerror(-err));
		return err;
	}
	return machine_create_cpus(machine, config->nr_cpus);
}

void machine_destroy(struct machine *machine)
{
	while (machine->nr_cpus)
		vcpu_destroy(&machine->cpus[--machine->nr_cpus].vcpu);
	vm_close(&machine->vm);
	mem_destroy(&machine->mem);
	kvm_dev_close(&machine->dev);
	pthread_mutex_destroy(&machine->lock);
}

static int machine_boot_cpu(struct machine *machine, struct machine_cpu *cpu,
			    const struct image *image)
{
	struct kvm_regs regs = { .rip = image->entry, .rflags = X86_RFLAGS_FIXED };
	struct kvm_sregs sregs;
	int err;

	if (image->mode == MODE_REAL)
		regs.rsp = IMAGE_FLAT_GPA - cpu->id * FLAT_STACK_SIZE;
	else
		regs.rsp = machine->mem.size - cpu->id * STACK_SIZE;
	regs.rdi = cpu->id;
	regs.rsi = machine->nr_cpus;
	regs.rdx = machine->mem.size;

	err = vcpu_get_sregs(&cpu->vcpu, &sregs);
	if (err)
		return err;
	mode_set(&sregs, image->mode, IMAGE_GDT_GPA, IMAGE_TABLES_GPA);
	err = vcpu_set_sregs(&cpu->vcpu, &sregs);
	if (err)
		return err;
	return vcpu_set_regs(&cpu->vcpu, &regs);
}

/* Whether each CPU's stack has its place.  A failure has been told when this returns. */
int machine_check_image(const struct machine *machine, const struct machine_config *config,
			const struct image *image)
{
	uint64_t stacks = config->nr_cpus * STACK_SIZE;

	if (image->mode == MODE_REAL)
		return 0;
	if (stacks <= machine->mem.size && image->end <= machine->mem.size - stacks)
		return 0;
	message("the image leaves no room for the stacks (%lu KiB a CPU at the end of memory); see "
		"--mem",
		STACK_SIZE >> 10);
	return -ENOSPC;
}

/* Sets every CPU to the image's entry point in the image's mode. */
int machine_boot(struct machine *machine, const struct image *image)
{
	unsigned int i;
	int err = 0;

	if (image->mode != MODE_REAL) {
		err = mode_build_gdt(&machine->mem, IMAGE_GDT_GPA, 0);
		if (!err)
			err = mode_build_tables(&machine->mem, IMAGE_TABLES_GPA, image->mode);
	}
	for (i = 0; i < machine->nr_cpus && !err; i++)
		err = machine_boot_cpu(machine, &machine->cpus[i], image);
	if (err)
		message("cannot start the guest in %s: %s", mode_name(image->mode), strerror(-err));
	return err;
}

/* From any thread; returns at once, machine_run() returns when all CPUs are out. */
void machine_stop(struct machine *machine, int status)
{
	unsigned int i;

	pthread_mutex_lock(&machine->lock);
	if (!atomic_load(&machine->stop)) {
		machine->status = status;
		atomic_store(&machine->stop, true);
	}
	for (i = 0; i < machine->nr_cpus; i++) {
		struct machine_cpu *cpu = &machine->cpus[i];

		__atomic_store_n(&cpu->vcpu.run->immediate_exit, 1, __ATOMIC_SEQ_CST);
		if (cpu->started && !pthread_equal(cpu->thread, pthread_self()))
			pthread_kill(cpu->thread, SIGNAL_KICK);
	}
	pthread_mutex_unlock(&machine->lock);
}

/* An exit that the launcher can do nothing about: tells what it was. */
static void machine_cpu_died(struct machine_cpu *cpu)
{
	const struct kvm_run *run = cpu->vcpu.run;
	const char *name = name_of_exit(run->exit_reason);
	struct kvm_regs regs = { 0 };
	int status = STATUS_FAILED;

	vcpu_get_regs(&cpu->vcpu, &regs);
	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		message("CPU %u shut down at rip 0x%llx: a triple fault, unless the guest meant it",
			cpu->id, regs.rip);
		status = STATUS_SHUTDOWN;
		break;
	case KVM_EXIT_FAIL_ENTRY:
		message("CPU %u could not enter the guest at rip 0x%llx: hardware reason 0x%llx",
			cpu->id, regs.rip, run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_MMIO:
		message("CPU %u: the guest %s physical address 0x%llx at rip 0x%llx: there is "
			"neither memory nor a device",
			cpu->id, run->mmio.is_write ? "writes to" : "reads from",
			run->mmio.phys_addr, regs.rip);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		message("CPU %u: %s could not go on at rip 0x%llx (internal error, suberror %u%s)",
			cpu->id, cpu->machine->dev.path, regs.rip, run->internal.suberror,
			run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
				? ": an instruction that it cannot emulate, such as one that "
				  "uses an address without memory"
				: "");
		break;
	case KVM_EXIT_UNKNOWN:
		message("CPU %u: the guest left by a hardware exit that nobody handles, 0x%llx, at "
			"rip 0x%llx",
			cpu->id, run->hw.hardware_exit_reason, regs.rip);
		break;
	default:
		message("CPU %u: exit %u (%s) at rip 0x%llx, for which there is no handler",
			cpu->id, run->exit_reason, name ? name : "unnamed", regs.rip);
	}
	machine_stop(cpu->machine, status);
}

static void machine_cpu_loop(struct machine_cpu *cpu)
{
	struct machine *machine = cpu->machine;
	uint32_t reason;
	int err;

	while (!atomic_load(&machine->stop)) {
		err = vcpu_run(&cpu->vcpu);
		if (err == -EINTR || err == -EAGAIN)
			continue;
		if (err) {
			message("CPU %u: KVM_RUN: %s%s", cpu->id, strerror(-err),
				err == -EIO ? "; dmesg says why" : "");
			machine_stop(machine, STATUS_FAILED);
			return;
		}
		reason = cpu->vcpu.run->exit_reason;
		cpu->exits[reason < MACHINE_NR_EXITS ? reason : 0]++;
		/* No interrupt can reach this guest: HLT is for good. */
		if (reason == KVM_EXIT_HLT)
			return;
		if (reason == KVM_EXIT_INTR || (reason == KVM_EXIT_IO && machine_ports(cpu)))
			continue;
		if (!atomic_load(&machine->stop))
			machine_cpu_died(cpu);
		return;
	}
}

static void *machine_cpu_thread(void *data)
{
	struct machine_cpu *cpu = data;
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, SIGNAL_KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	machine_cpu_loop(cpu);
	atomic_fetch_sub(&cpu->machine->running, 1);
	pthread_kill(cpu->machine->owner, SIGNAL_KICK);
	return NULL;
}

static void machine_on_kick(int signal)
{
	(void)signal; /* it has done its work by interrupting KVM_RUN */
}

static int machine_start_threads(struct machine *machine)
{
	unsigned int i;
	int err = 0;

	pthread_mutex_lock(&machine->lock);
	for (i = 0; i < machine->nr_cpus && !err; i++) {
		struct machine_cpu *cpu = &machine->cpus[i];

		atomic_fetch_add(&machine->running, 1);
		err = pthread_create(&cpu->thread, NULL, machine_cpu_thread, cpu);
		if (err)
			atomic_fetch_sub(&machine->running, 1);
		else
			cpu->started = true;
	}
	pthread_mutex_unlock(&machine->lock);
	if (!err)
		return 0;
	message("cannot start a thread for CPU %u: %s", i - 1, strerror(err));
	machine_stop(machine, STATUS_FAILED);
	return -err;
}

/* Runs all CPUs until the machine has ended; answers the exit status. */
int machine_run(struct machine *machine)
{
	struct sigaction kick = { .sa_handler = machine_on_kick };
	sigset_t waited, before;
	unsigned int i;
	int signal;

	machine->owner = pthread_self();
	sigaction(SIGNAL_KICK, &kick, NULL);
	sigemptyset(&waited);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGHUP);
	sigaddset(&waited, SIGNAL_KICK);
	pthread_sigmask(SIG_BLOCK, &waited, &before);

	serial_open(&machine->serial, STDIN_FILENO, STDOUT_FILENO);
	machine_start_threads(machine);
	while (atomic_load(&machine->running)) {
		if (sigwait(&waited, &signal) || signal == SIGNAL_KICK)
			continue;
		message("ended by signal %d (%s)", signal, strsignal(signal));
		machine_stop(machine, STATUS_SIGNAL + signal);
	}
	for (i = 0; i < machine->nr_cpus; i++) {
		if (machine->cpus[i].started)
			pthread_join(machine->cpus[i].thread, NULL);
		machine->cpus[i].started = false;
	}
	serial_close(&machine->serial);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return machine->status;
}
