/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_MACHINE_H
#define MKVM_USER_MACHINE_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "image.h"
#include "lib/mem.h"
#include "lib/vcpu.h"
#include "serial.h"

#define MACHINE_MAX_CPUS 64
#define MACHINE_MIN_MEM	 (2UL << 20)
#define MACHINE_MAX_MEM	 (3UL << 30) /* above is where a PC has its devices */
#define MACHINE_NR_EXITS 64	     /* counted by KVM's exit reason */

/* Pages that the host brings in for one fault of a PC's; ANY: as suits the device. */
#define MACHINE_POPULATE     16
#define MACHINE_MAX_POPULATE 512
#define MACHINE_POPULATE_ANY UINT_MAX

/* The status of a machine that the guest wants to begin anew. */
#define MACHINE_RESET -1

/* A byte written here ends the machine; it is the launcher's exit status. */
#define MACHINE_EXIT_PORT 0xf4

struct machine;

struct machine_cpu {
	struct machine *machine;
	unsigned int id;
	struct vcpu vcpu;
	pthread_t thread;
	bool started;
	uint64_t exits[MACHINE_NR_EXITS];
};

struct machine {
	struct kvm_dev dev;
	struct vm vm;
	struct mem mem;
	struct bus ports, mmio;
	bool is_pc; /* with interrupt controllers in the kernel */
	struct machine_cpu cpus[MACHINE_MAX_CPUS];
	unsigned int nr_cpus;
	pthread_t owner;     /* told by SIGUSR1 when a CPU's thread ends */
	atomic_uint running; /* threads that have not ended */
	unsigned long mmu;   /* MKVM_VM_* that it is on; 0: as the module says */
	unsigned int moves;  /* how often SIGUSR2 has changed that */
	atomic_bool stop;
	struct serial serial;
	pthread_mutex_t lock; /* who ends the machine first: status */
	int status;
};

struct machine_config {
	const char *device;
	unsigned long vm_type;
	uint64_t mem_size;
	enum mem_pages pages;  /* of a PC */
	unsigned int populate; /* of a PC: MKVM_CAP_POPULATE */
	unsigned int nr_cpus;
	bool is_pc;
};

int machine_create(struct machine *machine, const struct machine_config *config);
int machine_open(struct machine *machine, const struct machine_config *config);
void machine_destroy(struct machine *machine);
int machine_check_image(const struct machine *machine, const struct machine_config *config,
			const struct image *image);
int machine_boot(struct machine *machine, const struct image *image);
int machine_make_vm(struct machine *machine, const struct machine_config *config);
void machine_drop_vm(struct machine *machine);
int machine_run(struct machine *machine);
void machine_stop(struct machine *machine, int status);
void machine_cpu_died(struct machine_cpu *cpu);
void machine_ports(struct machine_cpu *cpu);
bool machine_mmio(struct machine_cpu *cpu);

#endif
