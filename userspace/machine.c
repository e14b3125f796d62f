// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual machine with its memory, its CPUs, one thread each, and its serial port.
 *
 * It ends when every CPU has halted for good, or when machine_stop() was called: by a CPU's thread
 * (shutdown, exit port, error) or by the owner (a signal).  The first to stop it decides the
 * status.  A thread that is in KVM_RUN, or about to enter it, is got out by immediate_exit and a
 * signal.
 */
#include "machine.h"

#include <errno.h>
#include <linux/mkvm.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cpuid.h"
#include "lib/irqchip.h"
#include "lib/x86.h"
#include "message.h"

#define SIGNAL_KICK	SIGUSR1
#define SIGNAL_MOVE	SIGUSR2
#define STACK_SIZE	0x10000UL /* of each CPU of an ELF image */
#define FLAT_STACK_SIZE 0x100UL	  /* of each CPU of a flat image */

/* On a PC a CPU knows how many there are, and which it is. */
static int machine_set_cpuid(struct machine *machine, struct machine_cpu *cpu, unsigned int nr)
{
	static struct cpuid cpuid;
	int err;

	if (!machine->is_pc)
		return vcpu_offer_host_cpuid(&cpu->vcpu, &machine->dev);
	err = cpuid_get_supported(&cpuid, &machine->dev);
	if (err)
		return err;
	cpuid_describe_pc(&cpuid, &machine->dev);
	cpuid_set_topology(&cpuid, cpu->id, nr);
	return cpuid_set(&cpu->vcpu, &cpuid);
}

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
		memset(cpu->exits, 0, sizeof(cpu->exits));
		err = machine_set_cpuid(machine, cpu, nr);
		if (err) {
			message("cannot set CPUID of CPU %u: %s", cpu->id, strerror(-err));
			machine->nr_cpus++;
			return err;
		}
	}
	return 0;
}

static int machine_create_memory(struct machine *machine, const struct machine_config *config)
{
	int err;

	if (config->is_pc)
		err = mem_create_shared(&machine->mem, 0, config->mem_size, config->pages);
	else
		err = mem_create(&machine->mem, 0, config->mem_size);
	if (!err)
		return 0;
	message("cannot get %llu MiB of memory for the guest: %s",
		(unsigned long long)config->mem_size >> 20, strerror(-err));
	if (config->pages == MEM_PAGES_2M || config->pages == MEM_PAGES_1G)
		message("--hugepages: make the host's pool of such pages large enough: "
			"/sys/kernel/mm/hugepages/hugepages-%s/nr_hugepages",
			config->pages == MEM_PAGES_2M ? "2048kB" : "1048576kB");
	return err;
}

/* A machine without CPUs, so that an image can be checked without a device. */
int machine_create(struct machine *machine, const struct machine_config *config)
{
	int err;

	memset(machine, 0, sizeof(*machine));
	/* Who waits for it gets it nevertheless. */
	signal(SIGNAL_MOVE, SIG_IGN);
	machine->dev.fd = -1;
	machine->vm.fd = -1;
	machine->is_pc = config->is_pc;
	err = machine_create_memory(machine, config);
	if (err)
		return err;
	pthread_mutex_init(&machine->lock, NULL);
	serial_create(&machine->serial, STDIN_FILENO, STDOUT_FILENO);
	machine->serial.polls = !machine->is_pc;
	return bus_add(&machine->ports, &(struct bus_range){ .first = SERIAL_PORT,
							     .size = SERIAL_PORTS,
							     .ops = &serial_ops,
							     .device = &machine->serial });
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
	if (config->is_pc && irqchip_missing(&machine->dev)) {
		message("--kernel: %s lacks %s: Linux needs interrupt controllers and a timer in "
			"the kernel",
			config->device, irqchip_missing(&machine->dev));
		return -EOPNOTSUPP;
	}
	return machine_make_vm(machine, config);
}

/* A guest goes through much memory once: a fault that brings in more of it saves the next ones. */
static int machine_populate(const struct machine *machine, const struct machine_config *config)
{
	bool any = config->populate == MACHINE_POPULATE_ANY;
	unsigned int pages = any ? MACHINE_POPULATE : config->populate;
	int err;

	if (kvm_dev_extension(&machine->dev, MKVM_CAP_POPULATE) <= 0) {
		if (any || !pages)
			return 0;
		message("--populate: %s brings in what the guest touches and no more; expected "
			"--populate 0",
			config->device);
		return -EOPNOTSUPP;
	}
	err = vm_enable_cap(&machine->vm, MKVM_CAP_POPULATE, pages);
	if (err)
		message("--populate %u: %s: %s", pages, config->device, strerror(-err));
	return err;
}

/* The VM and its CPUs, in the state of power-on.  A failure has been told when this returns. */
int machine_make_vm(struct machine *machine, const struct machine_config *config)
{
	int err;

	err = vm_create(&machine->vm, &machine->dev, config->vm_type);
	if (err) {
		message_create_vm_failed(&machine->dev, config->vm_type, err);
		return err;
	}
	machine->mmu = config->vm_type;
	err = mem_attach(&machine->mem, &machine->vm, 0);
	if (err) {
		message("cannot give the guest its memory: %s", strerror(-err));
		return err;
	}
	if (machine->is_pc) {
		err = machine_populate(machine, config);
		if (err)
			return err;
		err = irqchip_prepare(&machine->vm);
		if (err) {
			message("%s: cannot make the interrupt controllers: %s", config->device,
				strerror(-err));
			return err;
		}
	}
	return machine_create_cpus(machine, config->nr_cpus);
}

/* What machine_make_vm() made; memory and devices stay. */
void machine_drop_vm(struct machine *machine)
{
	while (machine->nr_cpus)
		vcpu_destroy(&machine->cpus[--machine->nr_cpus].vcpu);
	vm_close(&machine->vm);
	atomic_store(&machine->stop, false);
}

void machine_destroy(struct machine *machine)
{
	machine_drop_vm(machine);
	serial_destroy(&machine->serial);
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

/* False: there is nothing that could be done. */
static bool machine_serve(struct machine_cpu *cpu, uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_INTR:
		return true;
	case KVM_EXIT_IO:
		machine_ports(cpu);
		return true;
	case KVM_EXIT_MMIO:
		/* Linux looks for devices where a PC may have some. */
		return machine_mmio(cpu) || cpu->machine->is_pc;
	default:
		return false;
	}
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
		if (machine_serve(cpu, reason))
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

/* From shadow tables to the second table, or back. */
static void machine_move(struct machine *machine)
{
	unsigned long to = machine->mmu == MKVM_VM_SHADOW ? MKVM_VM_TDP : MKVM_VM_SHADOW;
	int err = vm_set_mmu(&machine->vm, to);

	if (err) {
		message("SIGUSR2: the MMU cannot be changed (%s): expected --mmu shadow",
			strerror(-err));
		return;
	}
	machine->mmu = to;
	machine->moves++;
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
	sigaddset(&waited, SIGNAL_MOVE);
	pthread_sigmask(SIG_BLOCK, &waited, &before);

	machine_start_threads(machine);
	while (atomic_load(&machine->running)) {
		if (sigwait(&waited, &signal) || signal == SIGNAL_KICK)
			continue;
		if (signal == SIGNAL_MOVE) {
			machine_move(machine);
			continue;
		}
		message("ended by signal %d (%s)", signal, strsignal(signal));
		machine_stop(machine, STATUS_SIGNAL + signal);
	}
	for (i = 0; i < machine->nr_cpus; i++) {
		if (machine->cpus[i].started)
			pthread_join(machine->cpus[i].thread, NULL);
		machine->cpus[i].started = false;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (machine->moves)
		message("the MMU was changed %u times", machine->moves);
	return machine->status;
}
