/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in the guest-physical memory of a PC that runs Linux.
 */
#ifndef MKVM_USER_LAYOUT_H
#define MKVM_USER_LAYOUT_H

#define LAYOUT_GDT	   0x500UL
#define LAYOUT_START_INFO  0x6000UL /* PVH */
#define LAYOUT_ZERO_PAGE   0x7000UL /* 64-bit boot protocol */
#define LAYOUT_TABLES	   0x9000UL /* MODE_TABLE_PAGES pages */
#define LAYOUT_CMDLINE	   0x20000UL
#define LAYOUT_CMDLINE_END 0x30000UL
#define LAYOUT_LOW_END	   0x9fc00UL
#define LAYOUT_ACPI	   0xe0000UL /* where Linux looks for the root pointer, too */
#define LAYOUT_ACPI_END	   0x100000UL
#define LAYOUT_HIGH	   0x100000UL

#define LAYOUT_VIRTIO 0xd0000000UL /* a page a device */
#define LAYOUT_IOAPIC 0xfec00000UL
#define LAYOUT_LAPIC  0xfee00000UL

/* Ports. */
#define LAYOUT_PM	0x600
#define LAYOUT_PM_RESET 0x608

/* Interrupts: pins of the I/O APIC that no ISA device has. */
#define LAYOUT_VIRTIO_GSI 16
#define LAYOUT_MAX_VIRTIO 8

#endif
