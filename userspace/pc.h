/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_PC_H
#define MKVM_USER_PC_H

#include <stdbool.h>

#include "console.h"
#include "layout.h"
#include "linux_boot.h"
#include "machine.h"
#include "pm.h"
#include "virtio_blk.h"
#include "virtio_net.h"
#include "virtio_rng.h"

#define PC_MAX_DISKS (LAYOUT_MAX_VIRTIO - 2) /* beside random numbers and a network card */

struct pc_disk {
	const char *path;
	bool readonly;
};

struct pc_config {
	const char *kernel, *initrd, *append, *tap; /* initrd, tap: NULL for none */
	struct pc_disk disks[PC_MAX_DISKS];
	unsigned int nr_disks;
};

/* A machine with what Linux wants around it. */
struct pc {
	struct machine *machine;
	struct linux_boot boot;
	struct pm pm;
	struct console console;
	struct virtio_dev rng;
	struct virtio_net net;
	struct virtio_blk disks[PC_MAX_DISKS];
	unsigned int nr_disks;
	bool has_net, has_rng, has_console;
	struct virtio_dev *devices[LAYOUT_MAX_VIRTIO];
	unsigned int nr_devices;
};

int pc_create(struct pc *pc, struct machine *machine, const struct pc_config *config);
void pc_destroy(struct pc *pc);
int pc_boot(struct pc *pc);
int pc_reset(struct pc *pc);
int pc_run(struct pc *pc);

#endif
