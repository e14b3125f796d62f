// SPDX-License-Identifier: GPL-2.0-only
/* See machine.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <asm/trapnr.h>

#include "machine.h"

static u64 random_state = 1;

void random_seed(u64 seed)
{
	random_state = seed * 2 + 1;
}

u64 random_u64(void)
{
	u64 x = random_state += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

u64 random_below(u64 end)
{
	return random_u64() % end;
}

void arena_create(void)
{
	void *at = mmap((void *)ARENA, ARENA_SIZE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)ARENA) {
		perror("cannot have memory at a low address");
		exit(1);
	}
}

u8 *arena_at(u64 address)
{
	return (u8 *)address;
}

static struct machine *machine_of(struct emu *emu)
{
	return (struct machine *)emu;
}

static bool in_table(u64 address)
{
	return address >= TABLE && address < TABLE + TABLE_SIZE;
}

static u8 *bytes_at(struct emu *emu, u64 address)
{
	return in_table(address) ? machine_of(emu)->table + (address - TABLE) : arena_at(address);
}

static bool in_arena(u64 address)
{
	return address >= ARENA && address < ARENA + ARENA_SIZE;
}

static enum page_kind kind_of(const struct machine *m, u64 address)
{
	if (in_table(address))
		return m->table_kind;
	return in_arena(address) ? m->page[(address - ARENA) / 4096] : PAGE_ABSENT;
}

static enum emu_status op_translate(struct emu *emu, u64 linear, u32 access, u64 *gpa)
{
	enum page_kind kind = kind_of(machine_of(emu), linear);

	*gpa = linear;
	if (kind != PAGE_ABSENT && !(kind == PAGE_PROTECTED && access & EMU_W) &&
	    in_table(linear) == !!(access & EMU_SYSTEM))
		return EMU_OK;
	emu_raise(emu, X86_TRAP_PF, true, access & EMU_W ? 2 : 0);
	emu->fault.address = linear;
	return EMU_FAULT;
}

static enum emu_status op_read(struct emu *emu, u64 gpa, void *data, unsigned int len)
{
	if (kind_of(machine_of(emu), gpa) == PAGE_DEVICE)
		return EMU_READ;
	memcpy(data, bytes_at(emu, gpa), len);
	return EMU_OK;
}

static bool takes_no_store(struct emu *emu, u64 gpa)
{
	enum page_kind kind = kind_of(machine_of(emu), gpa);

	return kind == PAGE_DEVICE || kind == PAGE_READ_ONLY;
}

static enum emu_status op_write(struct emu *emu, u64 gpa, const void *data, unsigned int len)
{
	if (takes_no_store(emu, gpa))
		return EMU_WRITE;
	memcpy(arena_at(gpa), data, len);
	return EMU_OK;
}

static enum emu_status op_exchange(struct emu *emu, u64 gpa, const void *old, const void *new,
				   unsigned int len)
{
	struct machine *m = machine_of(emu);

	if (takes_no_store(emu, gpa))
		return EMU_WRITE;
	if (m->contended || memcmp(bytes_at(emu, gpa), old, len)) {
		m->contended = false;
		return EMU_AGAIN;
	}
	memcpy(bytes_at(emu, gpa), new, len);
	return EMU_OK;
}

static void op_read_xmm(struct emu *emu, unsigned int reg, void *data)
{
	memcpy(data, machine_of(emu)->xmm[reg], 16);
}

static void op_write_xmm(struct emu *emu, unsigned int reg, const void *data)
{
	memcpy(machine_of(emu)->xmm[reg], data, 16);
}

static const struct kvm_dtable *op_gdt(struct emu *emu)
{
	return &machine_of(emu)->gdt;
}

static void op_retire(struct emu *emu)
{
	struct machine *m = machine_of(emu);

	m->retired++;
	if (emu->loaded_seg != EMU_NO_SEG)
		m->seg[emu->loaded_seg] = emu->loaded;
}

static const struct emu_ops ops = {
	.translate = op_translate,
	.read = op_read,
	.write = op_write,
	.exchange = op_exchange,
	.read_xmm = op_read_xmm,
	.write_xmm = op_write_xmm,
	.gdt = op_gdt,
	.retire = op_retire,
};

void machine_set_descriptor(struct machine *m, unsigned int selector, u64 descriptor)
{
	memcpy(m->table + (m->gdt.base - TABLE) + (selector & ~7u), &descriptor, 8);
}

u64 machine_descriptor(const struct machine *m, unsigned int selector)
{
	u64 descriptor;

	memcpy(&descriptor, m->table + (m->gdt.base - TABLE) + (selector & ~7u), 8);
	return descriptor;
}

static void make_table(struct machine *m, unsigned int bits)
{
	unsigned int flags = bits == 64 ? 10 : bits == 32 ? 12 : 8;

	m->gdt = (struct kvm_dtable){ .base = TABLE, .limit = TABLE_LENGTH - 1 };
	machine_set_descriptor(m, TABLE_DATA, DESCRIPTOR(ARENA, 0xfffff, 0x92, 12));
	machine_set_descriptor(m, TABLE_CODE, DESCRIPTOR(0, 0xfffff, 0x9a, flags));
}

/* A flat machine in @bits-bit code at CPL 0, all registers 0. */
void machine_init(struct machine *m, unsigned int bits)
{
	int i;

	memset(m, 0, sizeof(*m));
	for (i = 0; i < X86_NR_SEGS; i++)
		m->seg[i] = (struct kvm_segment){
			.limit = 0xffffffff,
			.type = i == X86_CS ? 11 : 3,
			.present = 1,
			.s = 1,
			.db = bits != 16,
			.l = i == X86_CS && bits == 64,
		};
	m->emu.ops = &ops;
	m->emu.seg = m->seg;
	m->emu.bits = bits;
	m->emu.va_bits = 48;
	m->emu.long_mode = bits == 64;
	m->emu.port_granted = true;
	make_table(m, bits);
	m->emu.cr0 = X86_CR0_PE;
	m->emu.cr4 = X86_CR4_OSFXSR;
	m->emu.rflags = X86_EFLAGS_FIXED;
}

void machine_set_code(struct machine *m, const u8 *bytes, unsigned int len)
{
	memset(&m->emu.insn, 0, sizeof(m->emu.insn));
	memcpy(m->emu.insn.bytes, bytes, len);
	m->emu.insn.nr_bytes = len;
}

static void do_piece(struct machine *m, enum emu_status status)
{
	struct emu *emu = &m->emu;

	m->pieces++;
	if (emu->io.len > m->max_piece)
		m->max_piece = emu->io.len;
	switch (status) {
	case EMU_READ:
		memcpy(emu->io.data, arena_at(emu->io.gpa), emu->io.len);
		break;
	case EMU_WRITE:
		memcpy(arena_at(emu->io.gpa), emu->io.data, emu->io.len);
		break;
	case EMU_IN:
		memcpy(emu->io.data, &m->port_value, emu->io.len);
		break;
	default:
		memcpy(&m->port_value, emu->io.data, emu->io.len);
	}
}

/* One instruction, with all that the emulator leaves to its user. */
enum emu_status machine_step(struct machine *m)
{
	enum emu_status status = emu_start(&m->emu);
	unsigned int n = 0;

	while (status == EMU_READ || status == EMU_WRITE || status == EMU_IN || status == EMU_OUT) {
		/* Twice 16 bytes, in two pages each, is the most. */
		if (n++ > 8) {
			fprintf(stderr, "an instruction does not end\n");
			abort();
		}
		do_piece(m, status);
		status = emu_resume(&m->emu);
	}
	return status;
}
