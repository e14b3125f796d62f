// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkvm run: runs Linux, or a program of its own, in a virtual machine, its serial port on the
 * terminal.
 */
#include <linux/mkvm.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "machine.h"
#include "message.h"
#include "mmu_choice.h"
#include "options.h"
#include "pc.h"
#include "sandbox.h"
#include "stats.h"
#include "terminal.h"

struct run_options {
	const char *image; /* --flat */
	struct pc_config pc;
	const char *device;
	enum mmu_choice mmu;
	enum mem_pages pages;
	uint64_t mem;
	unsigned int populate;
	unsigned int cpus;
	bool stats;
	bool no_reboot;
	bool help;
};

#define MEM_NOT_SAID  UINT64_MAX
#define FLAT_MEM      (64UL << 20)
#define LINUX_MEM     (512UL << 20)
#define LINUX_MIN_MEM (16UL << 20)
#define LINUX_APPEND  "console=ttyS0"

static void run_help(const struct option_row *rows)
{
	puts("Usage: mkvm run --kernel FILE [OPTION]...\n"
	     "       mkvm run --flat FILE [OPTION]...\n"
	     "Runs Linux, or a program of its own, in a virtual machine; its serial port (0x3f8) is\n"
	     "the terminal.\n");
	options_help(rows);
	puts("\n"
	     "Linux is a bzImage, entered by the 64-bit boot protocol, or a vmlinux with a PVH entry.\n"
	     "Its devices are told by ACPI: a serial port, and by virtio-mmio (LNRO0005) disks, the\n"
	     "network card, random numbers. On a terminal Ctrl-A x ends it, Ctrl-A ? lists more.\n"
	     "\n"
	     "A FILE of --flat is one of\n"
	     "  ELF, x86-64    loaded by its physical addresses (0x10000 or above); starts at its\n"
	     "                 entry in 64-bit mode, the first 4 GiB mapped one to one\n"
	     "  ELF, i386      the same in 32-bit protected mode, flat segments, paging off\n"
	     "  anything else  a flat binary: loaded at 0x7c00, starts there in real mode\n"
	     "All CPUs start at the entry: rdi = the CPU's number from 0, rsi = how many there\n"
	     "are, rdx = bytes of memory, rsp = a stack of its own (ELF: 64 KiB; flat: 256 bytes).\n"
	     "\n"
	     "The run ends, with exit status\n"
	     "  0      when Linux powers off (with --no-reboot: or reboots), or Ctrl-A x is typed;\n"
	     "         with --flat: when every CPU has executed HLT\n"
	     "  V      when a CPU writes the byte V to port 0xf4\n"
	     "  1      when it cannot start or go on; a message says why\n"
	     "  2      when the command line is wrong\n"
	     "  3      when a CPU shuts down (triple fault)\n"
	     "  128+N  by signal N (SIGINT, SIGTERM, SIGHUP)\n"
	     "\n"
	     "SIGUSR2 takes a VM of --mmu shadow to the processor's second table, and back.\n"
	     "\n"
	     "The environment's MKVM_DEVICE is the device where --device names none.");
}

static bool run_check_kind(const struct run_options *options)
{
	const struct pc_config *pc = &options->pc;

	if (options->image && pc->kernel) {
		message("run: options --flat and --kernel exclude each other: expected one of "
			"them");
		return false;
	}
	if (!options->image && !pc->kernel) {
		message("run: neither option --kernel nor --flat is there: expected --kernel FILE "
			"or --flat FILE; see mkvm run --help");
		return false;
	}
	if (options->image && (pc->initrd || pc->append || pc->tap || pc->nr_disks ||
			       options->pages != MEM_PAGES_ANY || options->no_reboot ||
			       options->populate != MACHINE_POPULATE_ANY)) {
		message("run: options --initrd, --append, --disk, --net, --hugepages, --populate "
			"and --no-reboot are for --kernel; expected --kernel FILE");
		return false;
	}
	return true;
}

static bool run_check(const struct run_options *options)
{
	uint64_t min = options->image ? MACHINE_MIN_MEM : LINUX_MIN_MEM;
	uint64_t unit = options->pages == MEM_PAGES_1G	 ? 1UL << 30
			: options->pages == MEM_PAGES_2M ? 1UL << 21
							 : 1UL << 12;

	if (options->mem < min || options->mem > MACHINE_MAX_MEM || options->mem % unit) {
		message("run: option --mem: expected %lluM to 3G in whole pages of %lluK",
			(unsigned long long)min >> 20, (unsigned long long)unit >> 10);
		return false;
	}
	if (options->cpus > MACHINE_MAX_CPUS) {
		message("run: option --cpus: %u is wrong: expected 1 to %d", options->cpus,
			MACHINE_MAX_CPUS);
		return false;
	}
	return true;
}

static int run_flat(const struct run_options *options, struct machine *machine,
		    struct machine_config *config)
{
	struct image image;
	int status;

	if (image_load(&image, options->image, &machine->mem) ||
	    machine_check_image(machine, config, &image) ||
	    mmu_choice_vm_type(options->mmu, options->device, &config->vm_type) ||
	    machine_open(machine, config) || machine_boot(machine, &image))
		return STATUS_FAILED;
	terminal_set(STDIN_FILENO, TERMINAL_KEYS);
	status = machine_run(machine);
	terminal_restore();
	if (options->stats)
		stats_print(machine);
	return status;
}

/* Runs the guest, after each reset of its own with a new VM, until it ends otherwise. */
static int run_until_off(const struct run_options *options, struct pc *pc,
			 const struct machine_config *config)
{
	int status;

	for (;;) {
		if (pc_boot(pc))
			return STATUS_FAILED;
		status = pc_run(pc);
		if (status != MACHINE_RESET)
			return status;
		if (options->no_reboot)
			return STATUS_OK;
		machine_drop_vm(pc->machine);
		if (pc_reset(pc) || machine_make_vm(pc->machine, config))
			return STATUS_FAILED;
	}
}

static double run_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int run_linux(const struct run_options *options, struct machine *machine,
		     struct machine_config *config)
{
	static struct pc pc;
	int status = STATUS_FAILED;
	double start;

	if (pc_create(&pc, machine, &options->pc) == 0 &&
	    mmu_choice_vm_type(options->mmu, options->device, &config->vm_type) == 0 &&
	    machine_open(machine, config) == 0 && sandbox_enter() == 0) {
		terminal_guard();
		terminal_set(STDIN_FILENO, TERMINAL_RAW);
		start = run_seconds();
		status = run_until_off(options, &pc, config);
		terminal_restore();
		if (options->stats) {
			message("ran for %.2f s", run_seconds() - start);
			stats_print(machine);
		}
	}
	pc_destroy(&pc);
	return status;
}

static int run_machine(const struct run_options *options)
{
	static struct machine machine;
	struct machine_config config = {
		.device = options->device,
		.mem_size = options->mem,
		.pages = options->pages,
		.populate = options->populate,
		.nr_cpus = options->cpus,
		.is_pc = options->pc.kernel,
	};
	int status;

	if (machine_create(&machine, &config))
		return STATUS_FAILED;
	if (config.is_pc)
		status = run_linux(options, &machine, &config);
	else
		status = run_flat(options, &machine, &config);
	machine_destroy(&machine);
	return status;
}

/* "IMG" or "IMG,ro", once for each disk. */
static bool option_disk(const char *text, void *into)
{
	static char paths[PC_MAX_DISKS][4096];
	struct pc_config *pc = into;
	size_t len = strlen(text);
	bool readonly = len >= 3 && strcmp(text + len - 3, ",ro") == 0;

	if (readonly)
		len -= 3;
	if (!len || len >= sizeof(paths[0]) || pc->nr_disks == PC_MAX_DISKS)
		return false;
	memcpy(paths[pc->nr_disks], text, len);
	pc->disks[pc->nr_disks] = (struct pc_disk){ paths[pc->nr_disks], readonly };
	pc->nr_disks++;
	return true;
}

/* "tap=NAME" */
static bool option_net(const char *text, void *into)
{
	static const char prefix[] = "tap=";

	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	return option_text(text + sizeof(prefix) - 1, into);
}

static bool option_pages(const char *text, void *into)
{
	static const char *const names[] = {
		[MEM_PAGES_THP] = "thp",
		[MEM_PAGES_2M] = "2M",
		[MEM_PAGES_1G] = "1G",
		[MEM_PAGES_4K] = "off",
	};
	enum mem_pages pages;

	for (pages = MEM_PAGES_THP; pages <= MEM_PAGES_4K; pages++) {
		if (strcmp(text, names[pages]) == 0) {
			*(enum mem_pages *)into = pages;
			return true;
		}
	}
	return false;
}

static bool option_populate(const char *text, void *into)
{
	unsigned int pages = 0;

	if (strcmp(text, "0") != 0 && !option_count(text, &pages))
		return false;
	if (pages > MACHINE_MAX_POPULATE || (pages & (pages - 1)))
		return false;
	*(unsigned int *)into = pages;
	return true;
}

/* The empty text is a command line too. */
static bool option_any_text(const char *text, void *into)
{
	*(const char **)into = text;
	return true;
}

int cmd_run(int argc, char **argv)
{
	struct run_options options = {
		.device = kvm_dev_default(),
		.mmu = MMU_AUTO,
		.mem = MEM_NOT_SAID,
		.populate = MACHINE_POPULATE_ANY,
		.cpus = 1,
	};
	const struct option_row rows[] = {
		{ .name = "--kernel",
		  .value = "FILE",
		  .parse = option_text,
		  .into = &options.pc.kernel,
		  .expected = "a file",
		  .help = "the Linux to run" },
		{ .name = "--flat",
		  .value = "FILE",
		  .parse = option_text,
		  .into = &options.image,
		  .expected = "a file",
		  .help = "a program that needs no kernel" },
		{ .name = "--initrd",
		  .value = "FILE",
		  .parse = option_text,
		  .into = &options.pc.initrd,
		  .expected = "a file",
		  .help = "Linux's initial file system" },
		{ .name = "--append",
		  .value = "TEXT",
		  .parse = option_any_text,
		  .into = &options.pc.append,
		  .expected = "the kernel's command line",
		  .help = "what Linux is told (" LINUX_APPEND ")" },
		{ .name = "--disk",
		  .value = "IMG[,ro]",
		  .parse = option_disk,
		  .into = &options.pc,
		  .expected = "a raw image, and at most 6 of them",
		  .help = "a disk; may be repeated" },
		{ .name = "--net",
		  .value = "tap=NAME",
		  .parse = option_net,
		  .into = &options.pc.tap,
		  .expected = "tap=NAME",
		  .help = "a network card on that tap interface" },
		{ .name = "--hugepages",
		  .value = "thp|2M|1G|off",
		  .parse = option_pages,
		  .into = &options.pages,
		  .expected = "thp, 2M, 1G or off",
		  .help = "the host's pages under the guest's memory (as the host likes)" },
		{ .name = "--populate",
		  .value = "PAGES",
		  .parse = option_populate,
		  .into = &options.populate,
		  .expected = "0 or a power of two up to 512",
		  .help = "what the host brings in for one fault, of 4K (mkvm: 16; 0: no more)" },
		{ .name = "--no-reboot",
		  .flag = &options.no_reboot,
		  .help = "end where Linux would reboot" },
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
		  .help = "the guest's memory (512M; --flat: 64M)" },
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
	if (!run_check_kind(&options))
		return STATUS_USAGE;
	if (options.mem == MEM_NOT_SAID)
		options.mem = options.image ? FLAT_MEM : LINUX_MEM;
	if (!run_check(&options))
		return STATUS_USAGE;
	if (!options.pc.append)
		options.pc.append = LINUX_APPEND;
	return run_machine(&options);
}
