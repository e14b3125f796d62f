// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads what a Linux kernel's file says of itself: a bzImage's setup header, or an ELF file's
 * segments and its PVH note.
 *
 * Nothing in the file is believed before it is checked, and every offset and size is compared with
 * what is left of the file or of the memory, so that no sum can overflow.  No memory but the file's
 * is read, and none but the result's is written.
 */
#include "linux_image.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#define SECTOR	       512UL
#define HEADER_AT      0x1f1UL
#define MAGIC_AT       0x202UL
#define JUMP_AT	       0x201UL
#define ENTRY_64       0x200UL
#define BOOT_FLAG      0xaa55
#define VERSION_64     0x020c /* the first with flags that tell of 64-bit entries */
#define DEFAULT_SECTS  4
#define CMDLINE_PVH    2047
#define INITRD_MAX_PVH 0xffffffffUL
#define NOTE_PVH_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

/* A file's bytes offset .. offset + len, or NULL. */
static const uint8_t *file_at(const uint8_t *file, size_t size, uint64_t offset, uint64_t len)
{
	return offset <= size && len <= size - offset ? file + offset : NULL;
}

static bool range_is_within(uint64_t first, uint64_t len, uint64_t size)
{
	return first <= size && len <= size - first;
}

/* The setup header is as long as the byte behind its first jump says. */
static const char *bzimage_read_header(struct linux_image *image, const uint8_t *file, size_t size)
{
	const uint8_t *header = file_at(file, size, HEADER_AT, sizeof(image->hdr));
	size_t len;

	if (!header)
		return "the file ends within its setup header";
	len = MAGIC_AT + file[JUMP_AT] - HEADER_AT;
	if (len > sizeof(image->hdr))
		len = sizeof(image->hdr);
	memset(&image->hdr, 0, sizeof(image->hdr));
	memcpy(&image->hdr, header, len);
	if (image->hdr.boot_flag != BOOT_FLAG)
		return "its boot sector has no signature";
	if (image->hdr.version < VERSION_64 || !(image->hdr.loadflags & LOADED_HIGH) ||
	    !(image->hdr.xloadflags & XLF_KERNEL_64))
		return "it has no 64-bit entry point";
	return NULL;
}

/* Where the kernel wants to be, or as low as may be if that is not in memory. */
static const char *bzimage_place(struct linux_image *image, uint64_t mem_size)
{
	const struct setup_header *hdr = &image->hdr;
	struct linux_segment *seg = &image->segments[0];
	uint64_t align = hdr->kernel_alignment;

	seg->gpa = hdr->pref_address;
	if (hdr->relocatable_kernel) {
		if (!align || align & (align - 1) || align > 1UL << 30)
			return "its alignment is no power of two";
		if (seg->gpa % align || !range_is_within(seg->gpa, hdr->init_size, mem_size))
			seg->gpa = (LINUX_MIN_GPA + align - 1) & ~(align - 1);
	}
	if (seg->gpa < LINUX_MIN_GPA || seg->filesz > hdr->init_size)
		return "its addresses or sizes contradict each other";
	if (!range_is_within(seg->gpa, hdr->init_size, mem_size))
		return "the guest's memory is too small for it; see --mem";
	image->end = seg->gpa + hdr->init_size;
	image->entry = seg->gpa + ENTRY_64;
	return NULL;
}

static const char *bzimage_parse(struct linux_image *image, const uint8_t *file, size_t size,
				 uint64_t mem_size)
{
	const struct setup_header *hdr = &image->hdr;
	struct linux_segment *seg = &image->segments[0];
	const char *why = bzimage_read_header(image, file, size);

	if (why)
		return why;
	seg->offset = (1 + (hdr->setup_sects ? hdr->setup_sects : DEFAULT_SECTS)) * SECTOR;
	seg->filesz = hdr->syssize * 16UL;
	seg->memsz = seg->filesz;
	if (seg->filesz <= ENTRY_64 || !file_at(file, size, seg->offset, seg->filesz))
		return "the file ends before the kernel does";
	image->kind = LINUX_BZIMAGE;
	image->nr_segments = 1;
	image->initrd_max = hdr->initrd_addr_max;
	image->cmdline_max = hdr->cmdline_size;
	return bzimage_place(image, mem_size);
}

/* A note: its header, the name and the contents, each filled up to four bytes. */
static bool elf_find_pvh(const uint8_t *notes, size_t size, uint64_t *entry)
{
	uint64_t at = 0;

	while (range_is_within(at, sizeof(Elf64_Nhdr), size)) {
		uint64_t name, contents;
		Elf64_Nhdr note;
		uint32_t value;

		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		contents = name + ((note.n_namesz + 3ULL) & ~3ULL);
		at = contents + ((note.n_descsz + 3ULL) & ~3ULL);
		if (!range_is_within(contents, note.n_descsz, size))
			return false;
		if (note.n_type != NOTE_PVH_ENTRY || note.n_namesz != 4 ||
		    memcmp(notes + name, "Xen", 4) != 0 || note.n_descsz < sizeof(value))
			continue;
		memcpy(&value, notes + contents, sizeof(value));
		*entry = value;
		return true;
	}
	return false;
}

static const char *elf_add_segment(struct linux_image *image, const Elf64_Phdr *header,
				   uint64_t mem_size)
{
	if (!header->p_memsz)
		return NULL;
	if (image->nr_segments == LINUX_MAX_SEGMENTS)
		return "it has too many segments";
	if (header->p_filesz > header->p_memsz)
		return "a segment is larger in the file than in memory";
	if (header->p_paddr < LINUX_MIN_GPA)
		return "a segment is below 1 MiB, where the launcher's tables are";
	if (!range_is_within(header->p_paddr, header->p_memsz, mem_size))
		return "the guest's memory is too small for it; see --mem";
	image->segments[image->nr_segments++] = (struct linux_segment){
		.gpa = header->p_paddr,
		.offset = header->p_offset,
		.filesz = header->p_filesz,
		.memsz = header->p_memsz,
	};
	if (header->p_paddr + header->p_memsz > image->end)
		image->end = header->p_paddr + header->p_memsz;
	return NULL;
}

static bool elf_entry_is_loaded(const struct linux_image *image)
{
	unsigned int i;

	for (i = 0; i < image->nr_segments; i++) {
		const struct linux_segment *seg = &image->segments[i];

		if (image->entry >= seg->gpa && image->entry - seg->gpa < seg->filesz)
			return true;
	}
	return false;
}

static const char *elf_parse_segments(struct linux_image *image, const uint8_t *file, size_t size,
				      uint64_t mem_size, const Elf64_Ehdr *elf)
{
	const uint8_t *headers =
		file_at(file, size, elf->e_phoff, elf->e_phnum * sizeof(Elf64_Phdr));
	bool pvh = false;
	unsigned int i;

	if (elf->e_phentsize != sizeof(Elf64_Phdr) || !elf->e_phnum || !headers)
		return "its program headers are not within the file";
	for (i = 0; i < elf->e_phnum; i++) {
		const uint8_t *contents;
		const char *why = NULL;
		Elf64_Phdr header;

		memcpy(&header, headers + i * sizeof(header), sizeof(header));
		contents = file_at(file, size, header.p_offset, header.p_filesz);
		if (!contents)
			return "a segment is not within the file";
		if (header.p_type == PT_LOAD)
			why = elf_add_segment(image, &header, mem_size);
		else if (header.p_type == PT_NOTE && !pvh)
			pvh = elf_find_pvh(contents, header.p_filesz, &image->entry);
		if (why)
			return why;
	}
	if (!pvh)
		return "it has no PVH entry (CONFIG_PVH)";
	return elf_entry_is_loaded(image) ? NULL : "its PVH entry is in none of its segments";
}

static const char *elf_parse(struct linux_image *image, const uint8_t *file, size_t size,
			     uint64_t mem_size)
{
	Elf64_Ehdr elf;

	if (size < sizeof(elf))
		return "the file ends within its ELF header";
	memcpy(&elf, file, sizeof(elf));
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf.e_machine != EM_X86_64 || elf.e_type != ET_EXEC)
		return "it is no ELF executable for x86-64";
	image->kind = LINUX_PVH;
	image->initrd_max = INITRD_MAX_PVH;
	image->cmdline_max = CMDLINE_PVH;
	return elf_parse_segments(image, file, size, mem_size, &elf);
}

/* NULL, or what is wrong with the file. */
const char *linux_image_parse(struct linux_image *image, const uint8_t *file, size_t size,
			      uint64_t mem_size)
{
	static const char magic[] = "HdrS";
	const uint8_t *at;

	memset(image, 0, sizeof(*image));
	if (size >= SELFMAG && memcmp(file, ELFMAG, SELFMAG) == 0)
		return elf_parse(image, file, size, mem_size);
	at = file_at(file, size, MAGIC_AT, sizeof(magic) - 1);
	if (!at || memcmp(at, magic, sizeof(magic) - 1) != 0)
		return "it is neither a bzImage nor an ELF file";
	return bzimage_parse(image, file, size, mem_size);
}
