// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is read of a kernel's file: images that are right, that are cut, and that lie.
 *
 * Each image is given to the parser in memory of exactly its size, so that a read beyond it is
 * noticed; what the parser says is right has to lie within file and memory.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ktap.h"
#include "lib/rng.h"
#include "linux_image.h"
#include "seed.h"

#define CALLS	   400000
#define MEM_SIZE   (256UL << 20)
#define IMAGE_SIZE 8192UL
#define SETUP_SIZE 1024UL /* of a bzImage with one sector of setup */
#define PVH_AT	   0x1000100UL

static const char *parse(struct linux_image *image, const void *bytes, size_t size, uint64_t mem)
{
	uint8_t *copy = malloc(size ? size : 1);
	const char *why;

	REQUIRE(copy);
	memcpy(copy, bytes, size);
	why = linux_image_parse(image, copy, size, mem);
	free(copy);
	return why;
}

static void expect_wrong(const void *bytes, size_t size, uint64_t mem, const char *text)
{
	struct linux_image image;
	const char *why = parse(&image, bytes, size, mem);

	EXPECT(why && strstr(why, text), "told '%s', expected '%s'", why ? why : "nothing", text);
}

static struct setup_header *make_bzimage(uint8_t *file)
{
	struct setup_header *hdr = (struct setup_header *)(file + 0x1f1);

	memset(file, 0, IMAGE_SIZE);
	hdr->setup_sects = 1;
	hdr->syssize = (IMAGE_SIZE - SETUP_SIZE) / 16;
	hdr->boot_flag = 0xaa55;
	hdr->jump = 0x6aeb;
	memcpy(&hdr->header, "HdrS", 4);
	hdr->version = 0x020f;
	hdr->loadflags = LOADED_HIGH;
	hdr->initrd_addr_max = 0x7fffffff;
	hdr->kernel_alignment = 0x200000;
	hdr->relocatable_kernel = 1;
	hdr->xloadflags = XLF_KERNEL_64;
	hdr->cmdline_size = 2047;
	hdr->pref_address = 0x1000000;
	hdr->init_size = 0x2000000;
	return hdr;
}

static void good_bzimage(void)
{
	uint8_t file[IMAGE_SIZE];
	struct linux_image image;

	make_bzimage(file);
	EXPECT(!parse(&image, file, sizeof(file), MEM_SIZE));
	EXPECT_EQ(LINUX_BZIMAGE, image.kind);
	EXPECT_EQ(0x1000200, image.entry);
	EXPECT_EQ(0x3000000, image.end);
	EXPECT_EQ(1, image.nr_segments);
	EXPECT_EQ(SETUP_SIZE, image.segments[0].offset);
	EXPECT_EQ(IMAGE_SIZE - SETUP_SIZE, image.segments[0].filesz);
	EXPECT_EQ(2047, image.cmdline_max);
	/* With little memory it goes as low as it can. */
	EXPECT(!parse(&image, file, sizeof(file), 0x2200000));
	EXPECT_EQ(0x200000, image.segments[0].gpa);
}

static void wrong_bzimages(void)
{
	uint8_t file[IMAGE_SIZE];
	struct setup_header *hdr;

	make_bzimage(file);
	expect_wrong(file, 0, MEM_SIZE, "neither");
	expect_wrong(file, 0x205, MEM_SIZE, "neither");
	expect_wrong(file, 0x206, MEM_SIZE, "ends within its setup");
	expect_wrong(file, SETUP_SIZE, MEM_SIZE, "ends before the kernel");
	expect_wrong(file, IMAGE_SIZE - 1, MEM_SIZE, "ends before the kernel");
	expect_wrong(file, IMAGE_SIZE, 0x2100000, "--mem");
	hdr = make_bzimage(file);
	hdr->boot_flag = 0;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "signature");
	hdr = make_bzimage(file);
	hdr->version = 0x20b;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "64-bit");
	hdr = make_bzimage(file);
	hdr->xloadflags = 0;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "64-bit");
	hdr = make_bzimage(file);
	hdr->jump = 0x10eb; /* a header too short to tell */
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "64-bit");
	hdr = make_bzimage(file);
	hdr->syssize = 0xffffffff;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "ends before");
	hdr = make_bzimage(file);
	hdr->syssize = 1;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "ends before");
	hdr = make_bzimage(file);
	hdr->setup_sects = 255;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "ends before");
	hdr = make_bzimage(file);
	hdr->kernel_alignment = 3;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "alignment");
	hdr = make_bzimage(file);
	hdr->init_size = 16;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "contradict");
	hdr = make_bzimage(file);
	hdr->relocatable_kernel = 0;
	hdr->pref_address = 0x1000;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "contradict");
	hdr->pref_address = -0x1000ULL;
	expect_wrong(file, IMAGE_SIZE, MEM_SIZE, "--mem");
}

struct elf_file {
	Elf64_Ehdr elf;
	Elf64_Phdr load, note;
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} notes;
	uint8_t code[512];
};

static void make_elf(struct elf_file *file)
{
	memset(file, 0, sizeof(*file));
	memcpy(file->elf.e_ident, ELFMAG, SELFMAG);
	file->elf.e_ident[EI_CLASS] = ELFCLASS64;
	file->elf.e_ident[EI_DATA] = ELFDATA2LSB;
	file->elf.e_type = ET_EXEC;
	file->elf.e_machine = EM_X86_64;
	file->elf.e_phoff = offsetof(struct elf_file, load);
	file->elf.e_phentsize = sizeof(Elf64_Phdr);
	file->elf.e_phnum = 2;
	file->load.p_type = PT_LOAD;
	file->load.p_offset = offsetof(struct elf_file, code);
	file->load.p_paddr = PVH_AT & ~0xfffUL;
	file->load.p_filesz = sizeof(file->code);
	file->load.p_memsz = 0x10000;
	file->note.p_type = PT_NOTE;
	file->note.p_offset = offsetof(struct elf_file, notes);
	file->note.p_filesz = sizeof(file->notes);
	file->notes.head = (Elf64_Nhdr){ .n_namesz = 4, .n_descsz = 8, .n_type = 18 };
	memcpy(file->notes.name, "Xen", 4);
	file->notes.entry = PVH_AT;
}

static void good_elf(void)
{
	struct linux_image image;
	struct elf_file file;

	make_elf(&file);
	EXPECT(!parse(&image, &file, sizeof(file), MEM_SIZE));
	EXPECT_EQ(LINUX_PVH, image.kind);
	EXPECT_EQ(PVH_AT, image.entry);
	EXPECT_EQ((PVH_AT & ~0xfffUL) + 0x10000, image.end);
	EXPECT_EQ(1, image.nr_segments);
}

static void wrong_elfs(void)
{
	struct elf_file file;

	make_elf(&file);
	expect_wrong(&file, 4, MEM_SIZE, "ends within its ELF header");
	expect_wrong(&file, 63, MEM_SIZE, "ends within its ELF header");
	expect_wrong(&file, 100, MEM_SIZE, "program headers");
	expect_wrong(&file, sizeof(file) - 1, MEM_SIZE, "not within the file");
	expect_wrong(&file, sizeof(file), 0x1000000, "--mem");
	file.elf.e_machine = EM_386;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "no ELF executable");
	make_elf(&file);
	file.elf.e_phoff = -8ULL;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "program headers");
	make_elf(&file);
	file.elf.e_phnum = 0xffff;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "program headers");
	make_elf(&file);
	file.load.p_offset = -1ULL;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "not within the file");
	make_elf(&file);
	file.load.p_filesz = -1ULL;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "not within the file");
	make_elf(&file);
	file.load.p_memsz = 16;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "larger in the file");
	make_elf(&file);
	file.load.p_paddr = 0x1000;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "below 1 MiB");
	make_elf(&file);
	file.load.p_paddr = -0x1000ULL;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "--mem");
	make_elf(&file);
	file.load.p_memsz = -1ULL;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "--mem");
	make_elf(&file);
	file.notes.head.n_type = 1;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "no PVH entry");
	make_elf(&file);
	file.notes.head.n_descsz = 0xffffffff;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "no PVH entry");
	make_elf(&file);
	file.notes.head.n_namesz = 0xfffffffd;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "no PVH entry");
	make_elf(&file);
	file.notes.entry = 0x100000;
	expect_wrong(&file, sizeof(file), MEM_SIZE, "in none of its segments");
}

static void check_result(const struct linux_image *image, size_t size, uint64_t mem)
{
	unsigned int i;

	REQUIRE(image->nr_segments && image->nr_segments <= LINUX_MAX_SEGMENTS);
	REQUIRE(image->end <= mem);
	for (i = 0; i < image->nr_segments; i++) {
		const struct linux_segment *seg = &image->segments[i];

		REQUIRE(seg->offset <= size && seg->filesz <= size - seg->offset);
		REQUIRE(seg->filesz <= seg->memsz);
		REQUIRE(seg->gpa >= LINUX_MIN_GPA && seg->gpa <= mem &&
			seg->memsz <= mem - seg->gpa);
	}
}

/* An image that is right but for some bytes and its end. */
static void images_that_lie(void)
{
	static const uint8_t edges[] = { 0, 1, 0x7f, 0x80, 0xff };
	const char *text = getenv("CALLS");
	unsigned long i, calls = text ? strtoul(text, NULL, 0) : CALLS, right = 0;
	struct rng rng = rng_seeded(test_seed(), 3);
	union {
		uint8_t bytes[IMAGE_SIZE];
		struct elf_file elf;
	} file;
	struct linux_image image;

	for (i = 0; i < calls; i++) {
		bool elf = rng_below(&rng, 2);
		size_t size = elf ? sizeof(file.elf) : IMAGE_SIZE, first = elf ? 0 : 0x1f1;
		size_t interesting = elf ? offsetof(struct elf_file, code) : 0x80;
		unsigned int edits = rng_below(&rng, 6);
		uint64_t mem = 16UL << (20 + rng_below(&rng, 6));

		if (elf)
			make_elf(&file.elf);
		else
			make_bzimage(file.bytes);
		while (edits--)
			file.bytes[first + rng_below(&rng, interesting)] =
				rng_below(&rng, 2) ? edges[rng_below(&rng, 5)] : rng_next(&rng);
		if (!rng_below(&rng, 3))
			size = rng_below(&rng, size + 1);
		if (!parse(&image, file.bytes, size, mem)) {
			check_result(&image, size, mem);
			right++;
		}
	}
	ktap_note("%lu images, %lu of them right", calls, right);
	EXPECT(right > calls / 100 && right < calls);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(good_bzimage),
	KTAP_TEST(wrong_bzimages),
	KTAP_TEST(good_elf),
	KTAP_TEST(wrong_elfs),
	KTAP_TEST_LIMIT(images_that_lie, 600),
};

KTAP_MAIN(tests)
