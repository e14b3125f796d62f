// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables of a PC: how many processors, where the interrupt controllers, how to switch it
 * off and reset it, and which devices are where.
 *
 *   root pointer -> XSDT -> FADT -> DSDT (devices, sleep states), FACS
 *                        -> MADT (processors, interrupt controllers)
 *
 * The tables are written one after the other at LAYOUT_ACPI; all numbers are little-endian.
 */
#include "acpi.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "aml.h"
#include "layout.h"
#include "serial.h"
#include "virtio.h"

#define PACKED __attribute__((packed))

struct header {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem_id[6], oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} PACKED;

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} PACKED;

struct xsdt {
	struct header header;
	uint64_t tables[2];
} PACKED;

struct address {
	uint8_t space, width, offset, access;
	uint64_t address;
} PACKED;

struct fadt {
	struct header header;
	uint32_t facs, dsdt;
	uint8_t reserved, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t smi_values[4];
	uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
	uint32_t gpe0, gpe1;
	uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len;
	uint8_t gpe0_len, gpe1_len, gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty[2], day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved2;
	uint32_t flags;
	struct address reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control;
	struct address x_pm2_control, x_pm_timer, x_gpe0, x_gpe1, sleep_control, sleep_status;
	uint64_t hypervisor;
} PACKED;

#define FADT_REVISION	     6
#define FADT_NO_C2	     0xffff
#define FADT_LEGACY_DEVICES  (1U << 0)
#define FADT_NO_VGA	     (1U << 2)
#define FADT_NO_RTC	     (1U << 5)
#define FADT_WBINVD	     (1U << 0)
#define FADT_NO_POWER_BUTTON (1U << 4)
#define FADT_NO_SLEEP_BUTTON (1U << 5)
#define FADT_RESET	     (1U << 10)
#define SPACE_PORTS	     1

struct facs {
	char signature[4];
	uint32_t length, hardware, waking_vector, lock, flags;
	uint64_t x_waking_vector;
	uint8_t version, reserved[31];
} PACKED;

struct madt {
	struct header header;
	uint32_t lapic, flags;
} PACKED;

struct madt_lapic {
	uint8_t type, length, uid, apic_id;
	uint32_t flags;
} PACKED;

struct madt_ioapic {
	uint8_t type, length, id, reserved;
	uint32_t gpa, first_gsi;
} PACKED;

struct madt_override {
	uint8_t type, length, bus, irq;
	uint32_t gsi;
	uint16_t flags;
} PACKED;

struct madt_nmi {
	uint8_t type, length, uid;
	uint16_t flags;
	uint8_t lint;
} PACKED;

#define MADT_HAS_8259	1
#define MADT_ENABLED	1
#define MADT_LEVEL_HIGH 0xd
#define MADT_ALL_CPUS	0xff

/* Where the next table goes. */
struct writer {
	const struct mem *mem;
	uint64_t gpa;
};

static void *writer_at(const struct writer *writer, size_t len)
{
	if (len > LAYOUT_ACPI_END - writer->gpa)
		return NULL;
	return mem_at(writer->mem, writer->gpa, len);
}

static uint64_t writer_end(struct writer *writer, size_t len)
{
	uint64_t gpa = writer->gpa;

	writer->gpa = (gpa + len + 63) & ~63UL; /* what the FACS wants */
	return gpa;
}

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *bytes = data;
	uint8_t sum = 0;

	while (len--)
		sum += *bytes++;
	return -sum;
}

static void header_fill(void *table, const char *signature, size_t len, uint8_t revision)
{
	struct header *header = table;

	memcpy(header->signature, signature, 4);
	header->length = len;
	header->revision = revision;
	header->checksum = 0;
	memcpy(header->oem_id, "MKVM  ", 6);
	memcpy(header->oem_table_id, "MKVMPC  ", 8);
	header->oem_revision = 1;
	memcpy(header->creator_id, "MKVM", 4);
	header->creator_revision = 1;
	header->checksum = checksum(table, len);
}

static void dsdt_add_serial(struct aml *aml)
{
	aml_begin_device(aml, "COM1");
	aml_name_number(aml, "_HID", 0x0105d041); /* PNP0501 */
	aml_name_number(aml, "_UID", 1);
	aml_begin_resources(aml);
	aml_add_ports(aml, SERIAL_PORT, SERIAL_PORTS);
	aml_add_isa_irq(aml, SERIAL_IRQ);
	aml_end_resources(aml);
	aml_end(aml);
}

static void dsdt_add_virtio(struct aml *aml, unsigned int nr)
{
	char name[] = "VR00";

	name[3] += nr;
	aml_begin_device(aml, name);
	aml_name_string(aml, "_HID", "LNRO0005");
	aml_name_number(aml, "_UID", nr);
	aml_begin_resources(aml);
	aml_add_memory(aml, LAYOUT_VIRTIO + nr * VIRTIO_MMIO_SIZE, VIRTIO_MMIO_SIZE);
	aml_add_edge(aml, LAYOUT_VIRTIO_GSI + nr);
	aml_end_resources(aml);
	aml_end(aml);
}

static uint64_t write_dsdt(struct writer *writer, unsigned int nr_virtio)
{
	uint8_t *table = writer_at(writer, sizeof(struct header) + AML_MAX);
	struct aml aml;
	unsigned int i;

	if (!table)
		return 0;
	memset(table, 0, sizeof(struct header));
	aml_init(&aml, table + sizeof(struct header), AML_MAX);
	aml_begin_scope(&aml, "_SB_");
	dsdt_add_serial(&aml);
	for (i = 0; i < nr_virtio; i++)
		dsdt_add_virtio(&aml, i);
	aml_end(&aml);
	aml_name_sleep(&aml, "_S5_", ACPI_S5_TYPE);
	if (aml.overflow)
		return 0;
	header_fill(table, "DSDT", sizeof(struct header) + aml.size, 2);
	return writer_end(writer, sizeof(struct header) + aml.size);
}

static uint64_t write_facs(struct writer *writer)
{
	struct facs *facs = writer_at(writer, sizeof(*facs));

	if (!facs)
		return 0;
	*facs = (struct facs){ .signature = "FACS", .length = sizeof(*facs), .version = 2 };
	return writer_end(writer, sizeof(*facs));
}

static struct address port(uint16_t number, uint8_t bytes)
{
	return (struct address){
		.space = SPACE_PORTS,
		.width = 8 * bytes,
		.access = bytes > 2 ? 3 : bytes,
		.address = number,
	};
}

static uint64_t write_fadt(struct writer *writer, uint64_t dsdt, uint64_t facs)
{
	struct fadt *fadt = writer_at(writer, sizeof(*fadt));

	if (!fadt)
		return 0;
	*fadt = (struct fadt){
		.facs = facs,
		.dsdt = dsdt,
		.sci = ACPI_SCI_IRQ,
		.pm1a_event = LAYOUT_PM,
		.pm1a_control = LAYOUT_PM + 4,
		.pm1_event_len = 4,
		.pm1_control_len = 2,
		.c2_latency = FADT_NO_C2,
		.c3_latency = FADT_NO_C2,
		.boot_flags = FADT_LEGACY_DEVICES | FADT_NO_VGA | FADT_NO_RTC,
		.flags = FADT_WBINVD | FADT_NO_POWER_BUTTON | FADT_NO_SLEEP_BUTTON | FADT_RESET,
		.reset = port(LAYOUT_PM_RESET, 1),
		.reset_value = ACPI_RESET,
		.x_facs = facs,
		.x_dsdt = dsdt,
		.x_pm1a_event = port(LAYOUT_PM, 4),
		.x_pm1a_control = port(LAYOUT_PM + 4, 2),
	};
	header_fill(fadt, "FACP", sizeof(*fadt), FADT_REVISION);
	return writer_end(writer, sizeof(*fadt));
}

/* Appends an entry behind @at; answers what is behind that. */
static uint8_t *madt_add(uint8_t *at, const void *entry, size_t len)
{
	memcpy(at, entry, len);
	return at + len;
}

static uint8_t *madt_add_cpus(uint8_t *at, unsigned int nr_cpus)
{
	unsigned int i;

	for (i = 0; i < nr_cpus; i++) {
		struct madt_lapic lapic = {
			.type = 0,
			.length = sizeof(lapic),
			.uid = i,
			.apic_id = i,
			.flags = MADT_ENABLED,
		};

		at = madt_add(at, &lapic, sizeof(lapic));
	}
	return at;
}

/* Only the power management's line is unlike ISA's: the 8254 is at pin 0, where KVM has it. */
static uint64_t write_madt(struct writer *writer, unsigned int nr_cpus)
{
	const struct madt_ioapic ioapic = { 1, sizeof(ioapic), 0, 0, LAYOUT_IOAPIC, 0 };
	const struct madt_override sci = {
		2, sizeof(sci), 0, ACPI_SCI_IRQ, ACPI_SCI_IRQ, MADT_LEVEL_HIGH
	};
	const struct madt_nmi nmi = { 4, sizeof(nmi), MADT_ALL_CPUS, 0, 1 };
	size_t len = sizeof(struct madt) + nr_cpus * sizeof(struct madt_lapic) + sizeof(ioapic) +
		     sizeof(sci) + sizeof(nmi);
	struct madt *madt = writer_at(writer, len);
	uint8_t *at = (uint8_t *)(madt + 1);

	if (!madt)
		return 0;
	*madt = (struct madt){ .lapic = LAYOUT_LAPIC, .flags = MADT_HAS_8259 };
	at = madt_add_cpus(at, nr_cpus);
	at = madt_add(at, &ioapic, sizeof(ioapic));
	at = madt_add(at, &sci, sizeof(sci));
	madt_add(at, &nmi, sizeof(nmi));
	header_fill(madt, "APIC", len, 4);
	return writer_end(writer, len);
}

static uint64_t write_xsdt(struct writer *writer, uint64_t fadt, uint64_t madt)
{
	struct xsdt *xsdt = writer_at(writer, sizeof(*xsdt));

	if (!xsdt)
		return 0;
	*xsdt = (struct xsdt){ .tables = { fadt, madt } };
	header_fill(xsdt, "XSDT", sizeof(*xsdt), 1);
	return writer_end(writer, sizeof(*xsdt));
}

static void write_rsdp(struct rsdp *rsdp, uint64_t xsdt)
{
	*rsdp = (struct rsdp){ .revision = 2, .length = sizeof(*rsdp), .xsdt = xsdt };
	memcpy(rsdp->signature, "RSD PTR ", 8);
	memcpy(rsdp->oem_id, "MKVM  ", 6);
	rsdp->checksum = checksum(rsdp, offsetof(struct rsdp, length));
	rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

int acpi_write(const struct mem *mem, unsigned int nr_cpus, unsigned int nr_virtio)
{
	struct writer writer = { mem, LAYOUT_ACPI };
	struct rsdp *rsdp = writer_at(&writer, sizeof(*rsdp));
	uint64_t dsdt, facs, fadt, madt, xsdt;

	if (!rsdp)
		return -ERANGE;
	writer_end(&writer, sizeof(*rsdp));
	dsdt = write_dsdt(&writer, nr_virtio);
	facs = write_facs(&writer);
	fadt = write_fadt(&writer, dsdt, facs);
	madt = write_madt(&writer, nr_cpus);
	xsdt = write_xsdt(&writer, fadt, madt);
	if (!dsdt || !facs || !fadt || !madt || !xsdt)
		return -ENOSPC;
	write_rsdp(rsdp, xsdt);
	return 0;
}
