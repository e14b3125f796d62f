/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_ACPI_H
#define MKVM_USER_ACPI_H

#include "lib/mem.h"

#define ACPI_SCI_IRQ 9
#define ACPI_S5_TYPE 5
#define ACPI_RESET   6

int acpi_write(const struct mem *mem, unsigned int nr_cpus, unsigned int nr_virtio);

#endif
