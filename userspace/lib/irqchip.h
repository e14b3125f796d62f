/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_IRQCHIP_H
#define MKVM_USER_IRQCHIP_H

#include <stdbool.h>
#include <stdint.h>

#include "vcpu.h"
#include "vm.h"

const char *irqchip_missing(const struct kvm_dev *dev);
int irqchip_prepare(const struct vm *vm);
int irqchip_set_line(const struct vm *vm, uint32_t gsi, bool level);
int irqchip_bind_eventfd(const struct vm *vm, uint32_t gsi, int fd);
int irqchip_bind_doorbell(const struct vm *vm, uint64_t gpa, uint32_t value, int fd);
int irqchip_wire_lapic(const struct vcpu *vcpu);

#endif
