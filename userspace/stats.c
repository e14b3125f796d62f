// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a guest's run cost: exits from guest mode by the hardware's reason, those of the MMU by
 * cause, and exits to user space.  On stderr: stdout is the guest's.
 */
#include "stats.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/counts.h"
#include "lib/names.h"
#include "lib/vm_stats.h"
#include "message.h"

static void stats_row(const char *name, uint32_t value, uint64_t count)
{
	char number[16];

	if (!count)
		return;
	snprintf(number, sizeof(number), "0x%x", value);
	fprintf(stderr, "  %-22s %10llu\n", name ? name : number, (unsigned long long)count);
}

static void stats_total(uint64_t count)
{
	fprintf(stderr, "  %-22s %10llu\n", "= total", (unsigned long long)count);
}

static void stats_print_counts(const struct counts *counts)
{
	uint32_t vendor = counts->sum.vendor, i;

	message("exits from the guest, by reason (%s; %llu entries)",
		vendor == MKVM_VENDOR_VMX ? "VMX" : "SVM", (unsigned long long)counts->sum.entries);
	for (i = 0; i < counts->sum.nr_reasons; i++) {
		uint32_t reason = counts->reasons[i].reason;

		stats_row(name_of_hardware_exit(vendor, reason), reason, counts->reasons[i].count);
	}
	stats_total(counts->sum.exits);
	message("of these for memory virtualisation, by cause");
	for (i = 0; i < MKVM_NR_CAUSES; i++)
		stats_row(name_of_cause(i), i, counts->sum.causes[i]);
	stats_total(counts->sum.mmu_exits);
}

static void stats_print_user(const struct machine *machine)
{
	uint64_t total = 0;
	uint32_t reason;
	unsigned int i;

	message("exits to user space, by reason");
	for (reason = 0; reason < MACHINE_NR_EXITS; reason++) {
		uint64_t count = 0;

		for (i = 0; i < machine->nr_cpus; i++)
			count += machine->cpus[i].exits[reason];
		stats_row(name_of_exit(reason), reason, count);
		total += count;
	}
	stats_total(total);
}

/* The sizes that the guest's memory is mapped by when it ends; stock kvm tells them, too. */
static void stats_print_pages(const struct machine *machine)
{
	static const char *const names[] = { "pages_4k", "pages_2m", "pages_1g" };
	unsigned int i;

	message("pages that the MMU maps, by size");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint64_t pages;
		int err = vm_stats_get(&machine->vm, names[i], &pages);

		if (err)
			message("--stats: %s: %s", names[i], strerror(-err));
		else
			stats_row(names[i], 0, pages);
	}
}

void stats_print(const struct machine *machine)
{
	static struct counts total, counts;
	unsigned int i;
	int err = 0;

	if (!kvm_dev_is_mkvm(&machine->dev)) {
		message("%s is stock kvm, which does not tell its exits from the guest; count the "
			"trace event kvm:kvm_exit instead",
			machine->dev.path);
	} else {
		memset(&total, 0, sizeof(total));
		for (i = 0; i < machine->nr_cpus && !err; i++) {
			err = counts_get(&counts, &machine->cpus[i].vcpu);
			if (!err)
				err = counts_add(&total, &counts);
		}
		if (err)
			message("--stats: cannot read the counts of CPU %u: %s", i - 1,
				strerror(-err));
		else
			stats_print_counts(&total);
	}
	stats_print_user(machine);
	stats_print_pages(machine);
}
