// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkvm run: runs a program in a virtual machine, its serial port on the terminal.
 */
#include <linux/mkvm.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "machine.h"
#include "message.h"
#include "mmu_choice.h"
#include "options.h"
#include "stats.h"

struct run_options {
	const char *image;
	const char *device;
	enum mmu_choice mmu;
	uint64_t mem;
	unsigned int cpus;
	bool stats;
	bool help;
};

static void run_help(const struct option_row *rows)
{
	puts("Usage: mkvm run --flat FILE [OPTION]...\n"
	     "Runs a program in a virtual machine; its serial port (0x3f8) is the terminal.\n");
	options_help(rows);
	puts("\n"
	     "FILE is one of\n"
	     "  ELF, x86-64    loaded by its physical addresses (0x10000 or above); starts at its\n"
	     "                 entry in 64-bit mode, the first 4 GiB mapped one to one\n"
	     "  ELF, i386      the same in 32-bit protected mode, flat segments, paging off\n"
	     "  anything else  a flat binary: loaded at 0x7c00, starts there in real mode\n"
	     "All CPUs start at the entry: rdi = the CPU's number from 0, rsi = how many there\n"
	     "are, rdx = bytes of memory, rsp = a stack of its own (ELF: 64 KiB; flat: 256 bytes).\n"
	     "\n"
	     "The run ends, with exit status\n"
	     "  0      when every CPU has executed HLT\n"
	     "  V      when a CPU writes the byte V to port 0xf4\n"
	     "  1      when it cannot start or go on; a message says why\n"
	     "  2      when the command line is wrong\n"
	     "  3      when a CPU shuts down (triple fault)\n"
	     "  128+N  by signal N (SIGINT, SIGTERM, SIGHUP)\n"
	     "\n"
	     "The environment's MKVM_DEVICE is the device where --device names none.");
}

static bool run_check(const struct run_options *options)
{
	if (!options->image) {
		message("run: option --flat is missing: expected --flat FILE; see mkvm run --help");
		return false;
	}
	if (options->mem < MACHINE_MIN_MEM || options->mem > MACHINE_MAX_MEM ||
	    options->mem & 0xfff) {
		message("run: option --mem: expected 2M to 3G in whole pages of 4K");
		return false;
	}
	if (options->cpus > MACHINE_MAX_CPUS) {
		message("run: option --cpus: %u is wrong: expected 1 to %d", options->cpus,
			MACHINE_MAX_CPUS);
		return false;
	}
	return true;
}

static int run_machine(const struct run_options *options)
{
	static struct machine machine;
	struct machine_config config = {
		.device = options->device,
		.mem_size = options->mem,
		.nr_cpus = options->cpus,
	};
	struct image image;
	int status = STATUS_FAILED;

	if (machine_create(&machine, &config))
		return STATUS_FAILED;
	if (image_load(&image, options->image, &machine.mem) == 0 &&
	    machine_check_image(&machine, &config, &image) == 0 &&
	    mmu_choice_vm_type(options->mmu, options->device, &config.vm_type) == 0 &&
	    machine_open(&machine, &config) == 0 && machine_boot(&machine, &image) == 0) {
		status = machine_run(&machine);
		if (options->stats)
			stats_print(&machine);
	}
	machine_destroy(&machine);
	return status;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = {
		.device = kvm_dev_default(),
		.mmu = MMU_AUTO,
		.mem = 64UL << 20,
		.cpus = 1,
	};
	const struct option_row rows[] = {
		{ .name = "--flat",
		  .value = "FILE",
		  .parse = option_text,
		  .into = &options.image,
		  .expected = "a file",
		  .help = "the program to run" },
		{ .name = "--mmu",
		  .value = "auto|tdp|shadow",
		  .parse = mmu_choice_parse,
		  .into = &options.mmu,
		  .expected = "auto, tdp or shadow",
		  .help = "memory virtualisation (auto: as the module's mmu says)" },
		{ .name = "--mem",
		  .value = "SIZE",
		  .parse = option_size,
		  .into = &options.mem,
		  .expected = "a size such as 64M (K, M, G; MiB without one)",
		  .help = "the guest's memory (64M)" },
		{ .name = "--cpus",
		  .value = "N",
		  .parse = option_count,
		  .into = &options.cpus,
		  .expected = "a number, 1 to 64",
		  .help = "the guest's CPUs (1)" },
		{ .name = "--device",
		  .value = "PATH",
		  .parse = option_text,
		  .into = &options.device,
		  .expected = "a device such as /dev/mkvm or /dev/kvm",
		  .help = "the device to use (/dev/mkvm)" },
		{ .name = "--stats",
		  .flag = &options.stats,
		  .help = "tell at the end how often the guest exited, and why" },
		{ .name = "--help", .flag = &options.help, .help = "this text" },
		{ .name = NULL },
	};

	if (!options_parse("run", rows, argc, argv))
		return STATUS_USAGE;
	if (options.help) {
		run_help(rows);
		return STATUS_OK;
	}
	if (!run_check(&options))
		return STATUS_USAGE;
	return run_machine(&options);
}
