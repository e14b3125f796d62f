// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's program: read from a file, checked, laid out in guest memory.
 *
 * A file that begins with ELF's magic is an ELF executable for i386 (started in protected mode) or
 * x86-64 (started in long mode), loaded by its physical addresses; anything else is a flat binary
 * (started in real mode).  Nothing in the file is believed before it is checked: every offset and
 * size is compared with what is left of the file or of the memory, so no sum can overflow.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "file.h"
#include "message.h"

/* Of an ELF header, whatever its class, what is needed. */
struct elf {
	bool is_64;
	unsigned int type, machine;
	uint64_t entry, phoff;
	unsigned int phentsize, phnum;
};

/* Of a program header. */
struct segment {
	uint32_t type;
	uint64_t offset, gpa, filesz, memsz;
};

static int image_load_flat(struct image *image, const struct file *file, const struct mem *mem)
{
	uint64_t room = (mem->size < IMAGE_FLAT_END ? mem->size : IMAGE_FLAT_END) - IMAGE_FLAT_GPA;

	if (file->size > room) {
		message("%s: a flat binary may have %llu bytes (it runs in real mode from 0x7c00), "
			"this has %zu",
			file->path, (unsigned long long)room, file->size);
		return -E2BIG;
	}
	memcpy(mem_at(mem, IMAGE_FLAT_GPA, file->size), file->data, file->size);
	*image = (struct image){
		.mode = MODE_REAL,
		.entry = IMAGE_FLAT_GPA,
		.end = IMAGE_FLAT_GPA + file->size,
	};
	return 0;
}

static int elf_parse_header(struct elf *elf, const struct file *file)
{
	const unsigned char *ident = file->data;
	Elf32_Ehdr header32;
	Elf64_Ehdr header64;

	elf->is_64 = file->size > EI_CLASS && ident[EI_CLASS] == ELFCLASS64;
	if (file->size < (elf->is_64 ? sizeof(header64) : sizeof(header32))) {
		message("%s: malformed ELF: the file ends within its header", file->path);
		return -EINVAL;
	}
	if (ident[EI_DATA] != ELFDATA2LSB || (!elf->is_64 && ident[EI_CLASS] != ELFCLASS32)) {
		message("%s: not an ELF executable for x86", file->path);
		return -EINVAL;
	}
#define ELF_TAKE(header)                                       \
	do {                                                   \
		memcpy(&(header), file->data, sizeof(header)); \
		elf->type = (header).e_type;                   \
		elf->machine = (header).e_machine;             \
		elf->entry = (header).e_entry;                 \
		elf->phoff = (header).e_phoff;                 \
		elf->phentsize = (header).e_phentsize;         \
		elf->phnum = (header).e_phnum;                 \
	} while (0)
	if (elf->is_64)
		ELF_TAKE(header64);
	else
		ELF_TAKE(header32);
#undef ELF_TAKE
	return 0;
}

static int elf_check_header(const struct elf *elf, const struct file *file)
{
	size_t phentsize = elf->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);

	if (elf->machine != (elf->is_64 ? EM_X86_64 : EM_386)) {
		message("%s: not an ELF executable for x86 (its machine is %u)", file->path,
			elf->machine);
		return -EINVAL;
	}
	if (elf->type != ET_EXEC) {
		message("%s: an ELF file of type %u; expected an executable with fixed addresses "
			"(type %u: link with -static -no-pie)",
			file->path, elf->type, ET_EXEC);
		return -EINVAL;
	}
	if (elf->phentsize != phentsize || elf->phnum == 0 || elf->phoff > file->size ||
	    elf->phnum > (file->size - elf->phoff) / phentsize) {
		message("%s: malformed ELF: its program headers are not within the file",
			file->path);
		return -EINVAL;
	}
	return 0;
}

static struct segment elf_segment(const struct elf *elf, const struct file *file, unsigned int i)
{
	const unsigned char *at = file->data + elf->phoff + (size_t)i * elf->phentsize;
	Elf32_Phdr header32;
	Elf64_Phdr header64;

	if (elf->is_64) {
		memcpy(&header64, at, sizeof(header64));
		return (struct segment){ header64.p_type, header64.p_offset, header64.p_paddr,
					 header64.p_filesz, header64.p_memsz };
	}
	memcpy(&header32, at, sizeof(header32));
	return (struct segment){ header32.p_type, header32.p_offset, header32.p_paddr,
				 header32.p_filesz, header32.p_memsz };
}

static int image_load_segment(const struct segment *seg, const struct file *file,
			      const struct mem *mem)
{
	unsigned char *to;

	if (seg->filesz > seg->memsz || seg->offset > file->size ||
	    seg->filesz > file->size - seg->offset) {
		message("%s: malformed ELF: a segment is not within the file", file->path);
		return -EINVAL;
	}
	if (seg->gpa < IMAGE_ELF_MIN_GPA) {
		message("%s: a segment is at 0x%llx; expected 0x%lx or above (below are the page "
			"tables)",
			file->path, (unsigned long long)seg->gpa, IMAGE_ELF_MIN_GPA);
		return -EINVAL;
	}
	to = mem_at(mem, seg->gpa, seg->memsz);
	if (!to) {
		message("%s: a segment of %llu bytes at 0x%llx is not within the guest's memory of "
			"%zu MiB; see --mem",
			file->path, (unsigned long long)seg->memsz, (unsigned long long)seg->gpa,
			mem->size >> 20);
		return -EINVAL;
	}
	memcpy(to, file->data + seg->offset, seg->filesz);
	memset(to + seg->filesz, 0, seg->memsz - seg->filesz);
	return 0;
}

static int image_load_elf(struct image *image, const struct file *file, const struct mem *mem)
{
	bool entry_loaded = false;
	struct elf elf;
	unsigned int i;

	if (elf_parse_header(&elf, file) || elf_check_header(&elf, file))
		return -EINVAL;
	*image = (struct image){
		.mode = elf.is_64 ? MODE_LONG : MODE_PROT32,
		.entry = elf.entry,
	};
	for (i = 0; i < elf.phnum; i++) {
		struct segment seg = elf_segment(&elf, file, i);

		if (seg.type != PT_LOAD || (seg.memsz == 0 && seg.filesz == 0))
			continue;
		if (image_load_segment(&seg, file, mem))
			return -EINVAL;
		if (elf.entry >= seg.gpa && elf.entry - seg.gpa < seg.memsz)
			entry_loaded = true;
		if (seg.gpa + seg.memsz > image->end)
			image->end = seg.gpa + seg.memsz;
	}
	if (!entry_loaded) {
		message("%s: its entry point 0x%llx is in none of its segments' physical addresses",
			file->path, (unsigned long long)elf.entry);
		return -EINVAL;
	}
	return 0;
}

/* A failure has been told when this returns. */
int image_load(struct image *image, const char *path, const struct mem *mem)
{
	struct file file;
	int err;

	err = file_read(&file, path, mem->size,
			"--flat expects a flat binary or an ELF executable");
	if (err)
		return err;
	if (file.size >= SELFMAG && memcmp(file.data, ELFMAG, SELFMAG) == 0)
		err = image_load_elf(image, &file, mem);
	else
		err = image_load_flat(image, &file, mem);
	file_free(&file);
	return err;
}
