// SPDX-License-Identifier: GPL-2.0-only
/*
 * A Linux kernel in guest memory, with what the boot protocol wants beside it: by the 64-bit
 * protocol the zero page, for a PVH entry the start info; a map of the memory, the command line,
 * the initrd, descriptor and page tables; and the first CPU's registers.
 */
#include "linux_boot.h"

#include <errno.h>
#include <string.h>

#include "layout.h"
#include "lib/mode.h"
#include "lib/x86.h"
#include "message.h"

#define PAGE		 4096UL
#define LOADER_UNKNOWN	 0xff
#define E820_RAM	 1
#define E820_RESERVED	 2
#define START_INFO_MAGIC 0x336ec578

/* Selectors that the 64-bit protocol names. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18

#define BOOT_GDT_SIZE 0x20

/* The PVH boot protocol's structures. */
struct pvh_start_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modlist_gpa, cmdline_gpa, rsdp_gpa, memmap_gpa;
	uint32_t memmap_entries, reserved;
};

struct pvh_module {
	uint64_t gpa, size, cmdline_gpa, reserved;
};

struct pvh_memory {
	uint64_t gpa, size;
	uint32_t type, reserved;
};

/* All that lies at LAYOUT_START_INFO. */
struct pvh_page {
	struct pvh_start_info info;
	struct pvh_module module;
	struct pvh_memory memory[3];
};

/* Below the kernel's limit, at a page, as high as may be. */
static int boot_place_initrd(struct linux_boot *boot, uint64_t mem_size)
{
	uint64_t top = mem_size, gpa;

	if (!boot->initrd.size)
		return 0;
	if (boot->image.initrd_max < top - 1)
		top = boot->image.initrd_max + 1;
	if (boot->initrd.size > top || boot->image.end > top) {
		message("%s: there is no room for it; see --mem", boot->initrd.path);
		return -ENOSPC;
	}
	gpa = (top - boot->initrd.size) & ~(PAGE - 1);
	if (gpa < boot->image.end) {
		message("%s: there is no room for it beside the kernel, which ends at %llu MiB; "
			"see --mem",
			boot->initrd.path, (unsigned long long)boot->image.end >> 20);
		return -ENOSPC;
	}
	boot->initrd_gpa = gpa;
	return 0;
}

static int boot_check(struct linux_boot *boot, uint64_t mem_size)
{
	const char *why =
		linux_image_parse(&boot->image, boot->kernel.data, boot->kernel.size, mem_size);
	uint64_t room = LAYOUT_CMDLINE_END - LAYOUT_CMDLINE - 1;

	if (why) {
		message("--kernel %s: %s", boot->kernel.path, why);
		return -EINVAL;
	}
	if (boot->image.cmdline_max < room)
		room = boot->image.cmdline_max;
	if (strlen(boot->cmdline) > room) {
		message("--append: %zu characters; this kernel takes %llu", strlen(boot->cmdline),
			(unsigned long long)room);
		return -E2BIG;
	}
	return boot_place_initrd(boot, mem_size);
}

/* A failure has been told when this returns. */
int linux_boot_read(struct linux_boot *boot, const char *kernel, const char *initrd,
		    const char *cmdline, uint64_t mem_size)
{
	int err;

	*boot = (struct linux_boot){ .cmdline = cmdline };
	err = file_read(&boot->kernel, kernel, mem_size, "--kernel expects a bzImage or a vmlinux");
	if (!err && initrd)
		err = file_read(&boot->initrd, initrd, mem_size, "--initrd expects an archive");
	if (!err)
		err = boot_check(boot, mem_size);
	if (err)
		linux_boot_free(boot);
	return err;
}

void linux_boot_free(struct linux_boot *boot)
{
	file_free(&boot->initrd);
	file_free(&boot->kernel);
}

static void boot_add_memory(struct boot_params *params, uint64_t first, uint64_t end, uint32_t type)
{
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
		.addr = first,
		.size = end - first,
		.type = type,
	};
}

static int boot_write_zero_page(const struct linux_boot *boot, const struct mem *mem)
{
	struct boot_params *params = mem_at(mem, LAYOUT_ZERO_PAGE, sizeof(*params));

	if (!params)
		return -ERANGE;
	memset(params, 0, sizeof(*params));
	params->hdr = boot->image.hdr;
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.code32_start = boot->image.segments[0].gpa;
	params->hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	params->hdr.ramdisk_image = boot->initrd_gpa;
	params->hdr.ramdisk_size = boot->initrd.size;
	params->acpi_rsdp_addr = LAYOUT_ACPI;
	boot_add_memory(params, 0, LAYOUT_LOW_END, E820_RAM);
	boot_add_memory(params, LAYOUT_ACPI, LAYOUT_ACPI_END, E820_RESERVED);
	boot_add_memory(params, LAYOUT_HIGH, mem->size, E820_RAM);
	return 0;
}

static int boot_write_start_info(const struct linux_boot *boot, const struct mem *mem)
{
	struct pvh_page *page = mem_at(mem, LAYOUT_START_INFO, sizeof(*page));
	uint64_t at = LAYOUT_START_INFO;

	if (!page)
		return -ERANGE;
	memset(page, 0, sizeof(*page));
	page->info = (struct pvh_start_info){
		.magic = START_INFO_MAGIC,
		.version = 1,
		.nr_modules = boot->initrd.size != 0,
		.modlist_gpa = at + offsetof(struct pvh_page, module),
		.cmdline_gpa = LAYOUT_CMDLINE,
		.rsdp_gpa = LAYOUT_ACPI,
		.memmap_gpa = at + offsetof(struct pvh_page, memory),
		.memmap_entries = 3,
	};
	page->module = (struct pvh_module){ .gpa = boot->initrd_gpa, .size = boot->initrd.size };
	page->memory[0] = (struct pvh_memory){ 0, LAYOUT_LOW_END, E820_RAM, 0 };
	page->memory[1] =
		(struct pvh_memory){ LAYOUT_ACPI, LAYOUT_ACPI_END - LAYOUT_ACPI, E820_RESERVED, 0 };
	page->memory[2] = (struct pvh_memory){ LAYOUT_HIGH, mem->size - LAYOUT_HIGH, E820_RAM, 0 };
	return 0;
}

static int boot_write_tables(const struct mem *mem)
{
	/* Flat segments: 64-bit code and data at the protocol's selectors. */
	static const uint64_t gdt[BOOT_GDT_SIZE / 8] = {
		[BOOT_CS / 8] = 0x00af9b000000ffff,
		[BOOT_DS / 8] = 0x00cf93000000ffff,
	};
	void *to = mem_at(mem, LAYOUT_GDT, sizeof(gdt));

	if (!to)
		return -ERANGE;
	memcpy(to, gdt, sizeof(gdt));
	return mode_build_tables(mem, LAYOUT_TABLES, MODE_LONG);
}

static int boot_write_segments(const struct linux_boot *boot, const struct mem *mem)
{
	unsigned int i;

	for (i = 0; i < boot->image.nr_segments; i++) {
		const struct linux_segment *seg = &boot->image.segments[i];
		unsigned char *to = mem_at(mem, seg->gpa, seg->memsz);

		if (!to)
			return -ERANGE;
		memcpy(to, boot->kernel.data + seg->offset, seg->filesz);
		memset(to + seg->filesz, 0, seg->memsz - seg->filesz);
	}
	return 0;
}

/* All that the guest begins with. */
int linux_boot_load(const struct linux_boot *boot, const struct mem *mem)
{
	size_t len = strlen(boot->cmdline) + 1;
	void *cmdline = mem_at(mem, LAYOUT_CMDLINE, len);
	void *initrd = mem_at(mem, boot->initrd_gpa, boot->initrd.size);
	int err = boot_write_segments(boot, mem);

	if (err)
		return err;
	if (!cmdline || !initrd)
		return -ERANGE;
	memcpy(cmdline, boot->cmdline, len);
	if (boot->initrd.size)
		memcpy(initrd, boot->initrd.data, boot->initrd.size);
	if (boot->image.kind == LINUX_PVH) {
		err = mode_build_gdt(mem, LAYOUT_GDT, 0);
		return err ? err : boot_write_start_info(boot, mem);
	}
	err = boot_write_tables(mem);
	return err ? err : boot_write_zero_page(boot, mem);
}

/* The first CPU's registers at the kernel's entry. */
void linux_boot_set(const struct linux_boot *boot, struct kvm_regs *regs, struct kvm_sregs *sregs)
{
	*regs = (struct kvm_regs){ .rip = boot->image.entry, .rflags = X86_RFLAGS_FIXED };
	if (boot->image.kind == LINUX_PVH) {
		regs->rbx = LAYOUT_START_INFO;
		mode_set(sregs, MODE_PROT32, LAYOUT_GDT, 0);
		return;
	}
	regs->rsi = LAYOUT_ZERO_PAGE;
	mode_set(sregs, MODE_LONG, LAYOUT_GDT, LAYOUT_TABLES);
	sregs->gdt.limit = BOOT_GDT_SIZE - 1;
	sregs->cs.selector = BOOT_CS;
	sregs->ds.selector = BOOT_DS;
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
}
