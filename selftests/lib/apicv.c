// SPDX-License-Identifier: GPL-2.0-only
/* Tests with and without virtual-interrupt delivery: see apicv.h. */
#include "apicv.h"

#include <asm/vmx.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mkvm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

#define PARAMETER "/sys/module/mkvm/parameters/apicv"

bool apicv_helps;

static bool processor_helps(void)
{
	char line[4096];
	bool found = false;
	FILE *file = fopen("/proc/cpuinfo", "re");

	REQUIRE(file, "/proc/cpuinfo");
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "vmx flags", 9) && strstr(line, " vid") &&
			strstr(line, " vapic_reg");
	fclose(file);
	return found;
}

/* Returns what it was. */
static char set_parameter(char value)
{
	int fd = open(PARAMETER, O_RDWR | O_CLOEXEC);
	char before;

	if (fd < 0)
		return value; /* kvm has none that can be changed */
	REQUIRE(read(fd, &before, 1) == 1 && pwrite(fd, &value, 1, 0) == 1, "%s: %s", PARAMETER,
		strerror(errno));
	close(fd);
	return before;
}

/*
 * By the module, and by the processor if it can.  On the same processor: of an event that an exit
 * interrupts Bochs tells the type of the last one that the module has injected there.
 */
void apicv_both_ways(void (*test)(void))
{
	char before = set_parameter('N');

	host_pin(0);
	apicv_helps = false;
	test();
	set_parameter('Y');
	apicv_helps = processor_helps();
	if (apicv_helps)
		test();
	else
		ktap_note("this processor delivers no interrupts by itself");
	set_parameter(before);
}

uint64_t apicv_exits(const struct guest *guest)
{
	struct counts counts;

	guest_counts(guest, 0, &counts);
	return counts.sum.exits;
}

uint64_t apicv_exits_of(const struct guest *guest, uint32_t vmx, uint32_t svm)
{
	struct counts counts;

	guest_counts(guest, 0, &counts);
	return counts_of_reason(&counts, counts.sum.vendor == MKVM_VENDOR_VMX ? vmx : svm);
}

/* Where the processor knows the page or where it does not. */
uint64_t apicv_page_exits(const struct guest *guest)
{
	struct counts counts;

	guest_counts(guest, 0, &counts);
	if (counts.sum.vendor != MKVM_VENDOR_VMX)
		return counts.sum.causes[MKVM_CAUSE_MMIO];
	return counts.sum.causes[MKVM_CAUSE_MMIO] +
	       counts_of_reason(&counts, EXIT_REASON_APIC_ACCESS) +
	       counts_of_reason(&counts, EXIT_REASON_APIC_WRITE);
}

uint64_t apicv_eoi_exits(const struct guest *guest)
{
	return apicv_exits_of(guest, EXIT_REASON_EOI_INDUCED, ~0u);
}

bool apicv_is_about(uint64_t expected, uint64_t is)
{
	return is == expected || (host_is_qemu() && is > expected && is <= expected + 4);
}
