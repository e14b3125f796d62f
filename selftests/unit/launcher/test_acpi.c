// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ACPI tables: each is where another says, has its length and its checksum, and the largest
 * machine's fit.
 */
#include <string.h>

#include "acpi.h"
#include "disk.h"
#include "layout.h"
#include "lib/ktap.h"
#include "machine.h"

static struct mem mem;

static uint8_t sum(const uint8_t *bytes, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total += *bytes++;
	return total;
}

static uint64_t number(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, at, len);
	return value;
}

/* The table at @gpa, which has to be a good one with that signature. */
static const uint8_t *table_at(uint64_t gpa, const char *signature)
{
	const uint8_t *table = mem_at(&mem, gpa, 36);
	uint32_t len;

	REQUIRE(table && gpa >= LAYOUT_ACPI && gpa < LAYOUT_ACPI_END);
	EXPECT(memcmp(table, signature, 4) == 0, "no %s", signature);
	len = number(table + 4, 4);
	REQUIRE(len >= 36 && gpa + len <= LAYOUT_ACPI_END);
	EXPECT_EQ(0, sum(table, len));
	return table;
}

static void check_tables(unsigned int cpus, unsigned int devices)
{
	const uint8_t *root, *xsdt, *fadt, *madt, *dsdt;
	uint32_t i, found = 0, len;

	REQUIRE(acpi_write(&mem, cpus, devices) == 0);
	root = mem_at(&mem, LAYOUT_ACPI, 36);
	EXPECT(memcmp(root, "RSD PTR ", 8) == 0);
	EXPECT_EQ(0, sum(root, 20));
	EXPECT_EQ(0, sum(root, 36));
	xsdt = table_at(number(root + 24, 8), "XSDT");
	EXPECT_EQ(36 + 16, number(xsdt + 4, 4));
	fadt = table_at(number(xsdt + 36, 8), "FACP");
	EXPECT_EQ(276, number(fadt + 4, 4));
	EXPECT_EQ(LAYOUT_PM_RESET, number(fadt + 120, 8));
	EXPECT_EQ(0, number(fadt + 36, 4) % 64);
	dsdt = table_at(number(fadt + 140, 8), "DSDT");
	EXPECT_EQ(number(fadt + 40, 4), number(fadt + 140, 8));
	len = number(dsdt + 4, 4);
	for (i = 36; i + 8 <= len; i++)
		found += memcmp(dsdt + i, "LNRO0005", 8) == 0;
	EXPECT_EQ(devices, found);
	madt = table_at(number(xsdt + 44, 8), "APIC");
	len = number(madt + 4, 4);
	for (i = 44, found = 0; i < len; i += madt[i + 1]) {
		REQUIRE(madt[i + 1] >= 2);
		found += madt[i] == 0;
	}
	EXPECT_EQ(len, i);
	EXPECT_EQ(cpus, found);
}

static void tables(void)
{
	memory_create(&mem);
	check_tables(1, 0);
	check_tables(2, 3);
	check_tables(MACHINE_MAX_CPUS, LAYOUT_MAX_VIRTIO);
}

static const struct ktap_test tests[] = { KTAP_TEST(tables) };

KTAP_MAIN(tests)
