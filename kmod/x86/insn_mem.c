// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's memory operands: where they are, whether they may be touched, and what is there.
 *
 * An offset in a segment becomes a linear address (limit, rights, canonical form), is checked for
 * alignment, and then becomes one guest-physical address, or two if it goes on in another page.
 * All of an instruction's operands are checked and translated before the first one is read, sources
 * first: what user space reads for the guest is not read twice because of a fault.  Only a far
 * call's stack waits until the code segment is known, whose faults come first.
 * Compiled in user space, too.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "x86/insn_emu.h"

#define EMU_PAGE_SIZE 4096

bool emu_protected_mode(const struct emu *emu)
{
	return (emu->cr0 & X86_CR0_PE) && !(emu->rflags & X86_EFLAGS_VM);
}

bool emu_canonical(const struct emu *emu, u64 linear)
{
	unsigned int shift = 64 - emu->va_bits;

	return (u64)((s64)(linear << shift) >> shift) == linear;
}

unsigned int emu_stack_size(const struct emu *emu)
{
	if (emu->bits == 64)
		return 8;
	return emu->seg[X86_SS].db ? 4 : 2;
}

static enum emu_status segment_fault(struct emu *emu, u8 seg)
{
	return emu_raise(emu, seg == X86_SS ? X86_TRAP_SS : X86_TRAP_GP, true, 0);
}

static bool segment_allows(const struct kvm_segment *seg, u32 access)
{
	if (seg->unusable || !seg->present)
		return false;
	if (seg->type & EMU_SEG_CODE)
		return !(access & EMU_W) && seg->type & EMU_SEG_READABLE;
	return !(access & EMU_W) || seg->type & EMU_SEG_WRITABLE;
}

/* Is the whole of [@offset, @offset + @size) inside?  A limit of 4 GiB lets an access wrap. */
static bool segment_spans(const struct kvm_segment *seg, u64 offset, u32 size)
{
	u64 last = offset + size - 1;

	if (!(seg->type & EMU_SEG_CODE) && seg->type & EMU_SEG_EXPAND_DOWN)
		return offset > seg->limit && last <= (seg->db ? 0xffffffffull : 0xffffull);
	return last <= seg->limit || seg->limit == 0xffffffff;
}

/* EMU_OK with the linear address, or EMU_FAULT. */
enum emu_status emu_check_segment(struct emu *emu, u8 seg, u64 offset, u32 size, u32 access,
				  u64 *linear)
{
	const struct kvm_segment *desc = &emu->seg[seg];

	if (emu->bits == 64) {
		*linear = offset + (seg >= X86_FS ? desc->base : 0);
		if (!emu_canonical(emu, *linear) || !emu_canonical(emu, *linear + size - 1))
			return segment_fault(emu, seg);
		return EMU_OK;
	}
	if (emu_protected_mode(emu) && !segment_allows(desc, access))
		return segment_fault(emu, seg);
	if (!segment_spans(desc, offset, size))
		return segment_fault(emu, seg);
	*linear = (u32)(desc->base + offset);
	return EMU_OK;
}

static enum emu_status check_alignment(struct emu *emu, const struct emu_mem *mem)
{
	bool wide = mem->size == 16;
	/* A far pointer is aligned as its offset is, and what a far call pushes as wide. */
	u8 align = insn_is_far(emu->insn.row) ? emu->insn.op_size : mem->size;

	if (!(mem->linear & (align - 1)))
		return EMU_OK;
	if (wide &&
	    (emu->insn.row->attr & INSN_ALIGNED || emu->insn.row->op == INSN_OP_CMPXCHG_PAIR))
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	if (!wide && emu->cpl == 3 && emu->cr0 & X86_CR0_AM && emu->rflags & X86_EFLAGS_AC)
		return emu_raise(emu, X86_TRAP_AC, true, 0);
	return EMU_OK;
}

static enum emu_status translate(struct emu *emu, struct emu_mem *mem)
{
	u32 left = EMU_PAGE_SIZE - mem->linear % EMU_PAGE_SIZE;
	enum emu_status status;
	u64 next;

	mem->first = left < mem->size ? left : mem->size;
	status = emu->ops->translate(emu, mem->linear, mem->access, &mem->gpa[0]);
	if (status || mem->first == mem->size)
		return status;
	next = mem->linear + mem->first;
	if (emu->bits != 64)
		next = (u32)next;
	return emu->ops->translate(emu, next, mem->access, &mem->gpa[1]);
}

/* A memory operand at @offset in @seg: checked, translated, and noted. */
static enum emu_status add_mem(struct emu *emu, u8 seg, u64 offset, unsigned int size, u32 access,
			       struct emu_mem **where)
{
	struct emu_mem *mem = &emu->mem[emu->nr_mem++];
	enum emu_status status;

	memset(mem, 0, sizeof(*mem));
	mem->size = size;
	mem->access = access;
	*where = mem;
	status = emu_check_segment(emu, seg, offset, size, access, &mem->linear);
	if (!status)
		status = check_alignment(emu, mem);
	return status ? status : translate(emu, mem);
}

/* A bit test with the number of the bit in a register reaches beyond the operand. */
static s64 bit_offset(const struct emu *emu)
{
	const struct x86_insn *insn = &emu->insn;
	unsigned int shift = 64 - 8 * insn->op_size;
	s64 bit;

	if (insn->row->op < INSN_OP_BT || insn->row->op > INSN_OP_BTC ||
	    INSN_KIND(insn->row->src) != INSN_REG)
		return 0;
	bit = (s64)(emu->gpr[insn->reg] << shift) >> shift;
	/* Whole operands, rounded down. */
	return (bit >> 3) & -(s64)insn->op_size;
}

static u64 modrm_offset(const struct emu *emu)
{
	const struct x86_insn *insn = &emu->insn;
	u64 offset = insn->disp + bit_offset(emu);

	if (insn->base != INSN_NO_REG)
		offset += emu->gpr[insn->base];
	if (insn->index != INSN_NO_REG)
		offset += emu->gpr[insn->index] << insn->scale;
	if (insn->rip_relative)
		offset += emu->rip + insn->len;
	/* What POP stores to is addressed with the stack pointer that it leaves. */
	if (insn->row->op == INSN_OP_POP && insn->base == X86_RSP)
		offset += insn->op_size;
	return offset & emu_size_mask(insn->addr_size);
}

static u8 modrm_segment(const struct x86_insn *insn)
{
	if (insn->seg != INSN_NO_SEG)
		return insn->seg;
	return insn->base == X86_RSP || insn->base == X86_RBP ? X86_SS : X86_DS;
}

u8 emu_string_segment(const struct x86_insn *insn)
{
	return insn->seg != INSN_NO_SEG ? insn->seg : X86_DS;
}

static enum emu_status find_operand(struct emu *emu, u8 operand, u32 access, struct emu_mem **where)
{
	const struct x86_insn *insn = &emu->insn;
	unsigned int size = insn_operand_size(insn, operand);
	u64 addr_mask = emu_size_mask(insn->addr_size);
	u64 top = emu->gpr[X86_RSP];

	switch ((enum insn_kind)INSN_KIND(operand)) {
	case INSN_RM:
	case INSN_MEM:
	case INSN_MOFFS:
		if (!insn->is_mem)
			return EMU_OK;
		return add_mem(emu, modrm_segment(insn), modrm_offset(emu), size, access, where);
	case INSN_SI:
		return add_mem(emu, emu_string_segment(insn), emu->gpr[X86_RSI] & addr_mask, size,
			       access, where);
	case INSN_DI:
		return add_mem(emu, X86_ES, emu->gpr[X86_RDI] & addr_mask, size, access, where);
	case INSN_STACK:
		if (access & EMU_W)
			top -= insn->op_size;
		return add_mem(emu, X86_SS, top & emu_size_mask(emu_stack_size(emu)), size, access,
			       where);
	default:
		return EMU_OK;
	}
}

/* Finds, checks and translates the operands in memory. */
enum emu_status emu_find_operands(struct emu *emu)
{
	const struct insn_row *row = emu->insn.row;
	u32 dst_access =
		(row->attr & INSN_DST_R ? EMU_R : 0) | (row->attr & INSN_DST_W ? EMU_W : 0);
	enum emu_status status;

	emu->nr_mem = 0;
	emu->src_mem = NULL;
	emu->dst_mem = NULL;
	emu->link_mem = NULL;
	if (row->op == INSN_OP_CMPS) {
		status = find_operand(emu, row->dst, EMU_R, &emu->dst_mem);
		return status ? status : find_operand(emu, row->src, EMU_R, &emu->src_mem);
	}
	status = find_operand(emu, row->src, EMU_R, &emu->src_mem);
	if (status || row->op == INSN_OP_CALL_FAR)
		return status;
	return find_operand(emu, row->dst, dst_access, &emu->dst_mem);
}

/* Of a far call, which has read where to: finds where CS goes, and RIP below it. */
enum emu_status emu_find_frame(struct emu *emu)
{
	enum emu_status status = find_operand(emu, emu->insn.row->dst, EMU_W, &emu->dst_mem);
	u8 size = emu->insn.op_size;
	u64 below = emu->gpr[X86_RSP] - 2 * size;

	if (status)
		return status;
	return add_mem(emu, X86_SS, below & emu_size_mask(emu_stack_size(emu)), size, EMU_W,
		       &emu->link_mem);
}

/* The longest piece at @done that lies in one page: where, and how long. */
static unsigned int mem_piece(const struct emu_mem *mem, unsigned int done, u64 *gpa)
{
	if (done < mem->first) {
		*gpa = mem->gpa[0] + done;
		return mem->first - done;
	}
	*gpa = mem->gpa[1] + done - mem->first;
	return mem->size - done;
}

/* The next piece for the emulator's user to do. */
static void set_io(struct emu *emu, u64 gpa, unsigned int len)
{
	emu->io.gpa = gpa;
	emu->io.len = len < EMU_MAX_IO ? len : EMU_MAX_IO;
}

static enum emu_status read_operand(struct emu *emu, struct emu_mem *mem)
{
	while (mem->known < mem->size) {
		enum emu_status status;
		unsigned int len;
		u64 gpa;

		len = mem_piece(mem, mem->known, &gpa);
		status = emu->ops->read(emu, gpa, mem->data + mem->known, len);
		if (status == EMU_READ)
			set_io(emu, gpa, len);
		if (status)
			return status;
		mem->known += len;
	}
	return EMU_OK;
}

/* Reads what has not been read yet.  EMU_READ: user space has to, and then it goes on here. */
enum emu_status emu_read_operands(struct emu *emu)
{
	unsigned int i;

	for (i = 0; i < emu->nr_mem; i++) {
		enum emu_status status;

		if (!(emu->mem[i].access & EMU_R))
			continue;
		status = read_operand(emu, &emu->mem[i]);
		if (status)
			return status;
	}
	return EMU_OK;
}

static bool is_locked(const struct emu *emu)
{
	return emu->insn.lock || emu->insn.row->attr & INSN_ATOMIC;
}

/* Both pages of an operand, as far as there is memory; what is not goes to io_pages. */
static enum emu_status write_pages(struct emu *emu, struct emu_mem *mem)
{
	unsigned int page, done = 0;

	mem->io_pages = 0;
	for (page = 0; done < mem->size; page++) {
		enum emu_status status;
		unsigned int len;
		u64 gpa;

		len = mem_piece(mem, done, &gpa);
		status = emu->ops->write(emu, gpa, mem->data + done, len);
		if (status == EMU_WRITE)
			mem->io_pages |= BIT(page);
		else if (status)
			return status;
		done += len;
	}
	return EMU_OK;
}

/*
 * A locked instruction's operand goes in one piece, by compare and exchange; the bus lock of one
 * that straddles pages is not imitated.
 */
static enum emu_status write_operand(struct emu *emu, struct emu_mem *mem)
{
	enum emu_status status;

	if (!is_locked(emu) || mem->first < mem->size)
		return write_pages(emu, mem);
	mem->io_pages = 0;
	status = emu->ops->exchange(emu, mem->gpa[0], mem->old, mem->data, mem->size);
	if (status != EMU_WRITE)
		return status;
	mem->io_pages = BIT(0);
	return EMU_OK;
}

/* Writes what is stored as far as it is memory. */
enum emu_status emu_write_memory(struct emu *emu)
{
	unsigned int i;

	emu->written = 0;
	for (i = 0; i < emu->nr_mem; i++) {
		enum emu_status status;

		if (!(emu->mem[i].access & EMU_W))
			continue;
		status = write_operand(emu, &emu->mem[i]);
		if (status)
			return status;
	}
	return EMU_OK;
}

/* The rest of one operand; those before it had @before bytes. */
static enum emu_status write_operand_rest(struct emu *emu, struct emu_mem *mem, unsigned int before)
{
	while (emu->written < before + mem->size) {
		unsigned int done = emu->written - before;
		u64 gpa;
		unsigned int len = mem_piece(mem, done, &gpa);

		if (mem->io_pages & BIT(done >= mem->first)) {
			set_io(emu, gpa, len);
			memcpy(emu->io.data, mem->data + done, emu->io.len);
			emu->written += emu->io.len;
			return EMU_WRITE;
		}
		emu->written += len;
	}
	return EMU_OK;
}

/* The rest of what is stored, piece by piece: EMU_WRITE until there is none. */
enum emu_status emu_write_rest(struct emu *emu)
{
	unsigned int i, before = 0;

	for (i = 0; i < emu->nr_mem; i++) {
		enum emu_status status;

		if (!(emu->mem[i].access & EMU_W))
			continue;
		status = write_operand_rest(emu, &emu->mem[i], before);
		if (status)
			return status;
		before += emu->mem[i].size;
	}
	return EMU_OK;
}

/* May execution go on at @rip? */
enum emu_status emu_check_jump(struct emu *emu, u64 rip)
{
	bool good = emu->bits == 64 ? emu_canonical(emu, rip) : rip <= emu->seg[X86_CS].limit;

	return good ? EMU_OK : emu_raise(emu, X86_TRAP_GP, true, 0);
}
