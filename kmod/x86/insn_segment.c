// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's loads of segment registers: from a selector to what stands in the register.
 *
 * In real and virtual-8086 mode a selector is a base address.  Otherwise it names a descriptor in
 * the global or the local table, which the processor reads by itself, as a supervisor, and in which
 * it notes that the segment was loaded (the accessed bit).  All rules are checked before that note
 * is made; the register itself changes when the instruction retires.  A load of CS is a far jump or
 * call to another code segment of the same privilege; gates and tasks are unknown here.
 * Compiled in user space, too.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "x86/insn_emu.h"

#define PAGE_BYTES 4096

/* A selector: index, table, requested privilege. */
#define SEL_RPL	  3
#define SEL_LOCAL BIT(2)
#define SEL_INDEX ~7u

/* System descriptors (S is 0) by which CS could be loaded. */
#define SYS_TSS16      1
#define SYS_TSS16_BUSY 3
#define SYS_CALL16     4
#define SYS_TASK       5
#define SYS_TSS	       9
#define SYS_TSS_BUSY   11
#define SYS_CALL       12

/* The byte with the type, where the accessed bit is. */
#define DESC_TYPE_AT 5

/* A descriptor as it stands in the guest's table. */
struct descriptor {
	u64 linear;
	u8 bytes[8];
};

static bool is_null(u16 selector)
{
	return !(selector & ~SEL_RPL);
}

/* The selector's own fault. */
static enum emu_status selector_fault(struct emu *emu, u8 vector, u16 selector)
{
	return emu_raise(emu, vector, true, selector & ~SEL_RPL);
}

/* Where byte @n of a descriptor is. */
static u64 byte_address(const struct emu *emu, const struct descriptor *desc, unsigned int n)
{
	return emu->long_mode ? desc->linear + n : (u32)(desc->linear + n);
}

/* EMU_OK with desc->linear; EMU_FAULT: the table does not have it. */
static enum emu_status find_descriptor(struct emu *emu, u16 selector, struct descriptor *desc)
{
	const struct kvm_dtable *gdt = emu->ops->gdt(emu);
	const struct kvm_segment *ldt = &emu->seg[X86_LDTR];
	bool local = selector & SEL_LOCAL;
	u32 index = selector & SEL_INDEX;

	if (local && (ldt->unusable || !ldt->present))
		return selector_fault(emu, X86_TRAP_GP, selector);
	if (index + sizeof(desc->bytes) - 1 > (local ? ldt->limit : gdt->limit))
		return selector_fault(emu, X86_TRAP_GP, selector);
	desc->linear = (local ? ldt->base : gdt->base) + index;
	if (emu->long_mode && !emu_canonical(emu, desc->linear))
		return EMU_UNKNOWN;
	return EMU_OK;
}

/* A table need not be aligned.  One that is no memory is unknown. */
static enum emu_status read_descriptor(struct emu *emu, u16 selector, struct descriptor *desc)
{
	enum emu_status status = find_descriptor(emu, selector, desc);
	unsigned int done, len;
	u64 linear, gpa;

	for (done = 0; !status && done < sizeof(desc->bytes); done += len) {
		linear = byte_address(emu, desc, done);
		len = PAGE_BYTES - linear % PAGE_BYTES;
		if (len > sizeof(desc->bytes) - done)
			len = sizeof(desc->bytes) - done;
		status = emu->ops->translate(emu, linear, EMU_R | EMU_SYSTEM, &gpa);
		if (!status)
			status = emu->ops->read(emu, gpa, desc->bytes + done, len);
	}
	return status == EMU_READ ? EMU_UNKNOWN : status;
}

/* Where the table cannot be written, as in read-only memory, the bit stays. */
static enum emu_status set_accessed(struct emu *emu, const struct descriptor *desc)
{
	u8 old = desc->bytes[DESC_TYPE_AT], new = old | EMU_SEG_ACCESSED;
	u64 linear = byte_address(emu, desc, DESC_TYPE_AT), gpa;
	enum emu_status status;

	if (new == old)
		return EMU_OK;
	status = emu->ops->translate(emu, linear, EMU_R | EMU_W | EMU_SYSTEM, &gpa);
	if (!status)
		status = emu->ops->exchange(emu, gpa, &old, &new, sizeof(new));
	return status == EMU_WRITE ? EMU_OK : status;
}

static struct kvm_segment parse_descriptor(const struct descriptor *desc, u16 selector)
{
	struct kvm_segment seg = { .selector = selector };
	u64 raw;

	memcpy(&raw, desc->bytes, sizeof(raw));
	seg.base = (raw >> 16 & 0xffffff) | (raw >> 56) << 24;
	seg.limit = (raw & 0xffff) | (raw >> 48 & 0xf) << 16;
	seg.type = raw >> 40 & 0xf;
	seg.s = raw >> 44 & 1;
	seg.dpl = raw >> 45 & 3;
	seg.present = raw >> 47 & 1;
	seg.avl = raw >> 52 & 1;
	seg.l = raw >> 53 & 1;
	seg.db = raw >> 54 & 1;
	seg.g = raw >> 55 & 1;
	if (seg.g)
		seg.limit = seg.limit << 12 | 0xfff;
	return seg;
}

/* What the register will hold.  A loaded segment counts as accessed, whatever its table says. */
static enum emu_status load(struct emu *emu, u8 seg, const struct kvm_segment *value)
{
	emu->loaded_seg = seg;
	emu->loaded = *value;
	emu->shadow = seg == X86_SS;
	return EMU_OK;
}

/* Real mode keeps limit and rights; virtual-8086 mode has its own. */
static struct kvm_segment real_segment(const struct emu *emu, u8 seg, u16 selector)
{
	struct kvm_segment value = emu->seg[seg];

	if (emu->cr0 & X86_CR0_PE)
		value = (struct kvm_segment){
			.limit = 0xffff,
			.type = EMU_SEG_WRITABLE | EMU_SEG_ACCESSED,
			.dpl = 3,
		};
	else if (value.unusable || !value.present)
		value.type = EMU_SEG_WRITABLE;
	value.selector = selector;
	value.base = selector << 4;
	value.type |= EMU_SEG_ACCESSED;
	value.s = 1;
	value.present = 1;
	value.unusable = 0;
	return value;
}

/* Only 64-bit mode has a stack without a segment, and not at CPL 3. */
static enum emu_status load_null(struct emu *emu, u8 seg, u16 selector)
{
	const struct kvm_segment value = {
		.selector = selector,
		.dpl = seg == X86_SS ? emu->cpl : 0,
		.unusable = 1,
	};

	if (seg == X86_SS && (emu->bits != 64 || emu->cpl == 3 || (selector & SEL_RPL) != emu->cpl))
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	return load(emu, seg, &value);
}

/* A stack is writable data of exactly the current privilege. */
static bool is_stack(const struct emu *emu, const struct kvm_segment *desc)
{
	return !(desc->type & EMU_SEG_CODE) && desc->type & EMU_SEG_WRITABLE &&
	       desc->dpl == emu->cpl && (desc->selector & SEL_RPL) == emu->cpl;
}

/* Data, or code that can be read; conforming code is open to all. */
static bool is_data(const struct emu *emu, const struct kvm_segment *desc)
{
	if (desc->type & EMU_SEG_CODE) {
		if (!(desc->type & EMU_SEG_READABLE))
			return false;
		if (desc->type & EMU_SEG_CONFORMING)
			return true;
	}
	return desc->dpl >= emu->cpl && desc->dpl >= (desc->selector & SEL_RPL);
}

/* Loads SS, DS, ES, FS or GS.  EMU_OK: emu->loaded; the register changes at @ops->retire. */
enum emu_status emu_load_data(struct emu *emu, u8 seg, u16 selector)
{
	struct kvm_segment value;
	struct descriptor desc;
	enum emu_status status;

	if (!emu_protected_mode(emu)) {
		value = real_segment(emu, seg, selector);
		return load(emu, seg, &value);
	}
	if (is_null(selector))
		return load_null(emu, seg, selector);
	status = read_descriptor(emu, selector, &desc);
	if (status)
		return status;
	value = parse_descriptor(&desc, selector);
	if (!value.s || !(seg == X86_SS ? is_stack(emu, &value) : is_data(emu, &value)))
		return selector_fault(emu, X86_TRAP_GP, selector);
	if (!value.present)
		return selector_fault(emu, seg == X86_SS ? X86_TRAP_SS : X86_TRAP_NP, selector);
	status = set_accessed(emu, &desc);
	if (status)
		return status;
	value.type |= EMU_SEG_ACCESSED;
	return load(emu, seg, &value);
}

/* No code segment: is it a gate or a task that a far jump or call could go through? */
static enum emu_status check_system(struct emu *emu, const struct kvm_segment *desc)
{
	switch (desc->type) {
	case SYS_CALL:
		return EMU_UNKNOWN;
	case SYS_TSS16:
	case SYS_TSS16_BUSY:
	case SYS_CALL16:
	case SYS_TASK:
	case SYS_TSS:
	case SYS_TSS_BUSY:
		if (!emu->long_mode)
			return EMU_UNKNOWN;
		break;
	}
	return selector_fault(emu, X86_TRAP_GP, desc->selector);
}

/* May a far jump or call go there?  Privilege does not change by it. */
static bool is_callable(const struct emu *emu, const struct kvm_segment *desc)
{
	if (!(desc->type & EMU_SEG_CODE))
		return false;
	if (emu->long_mode && desc->l && desc->db)
		return false;
	if (desc->type & EMU_SEG_CONFORMING)
		return desc->dpl <= emu->cpl;
	return desc->dpl == emu->cpl && (desc->selector & SEL_RPL) <= emu->cpl;
}

/* With CS as it will be: is there room for where to return to, and may execution go on at @rip? */
static enum emu_status check_target(struct emu *emu, const struct kvm_segment *code, u64 rip)
{
	bool call = emu->insn.row->op == INSN_OP_CALL_FAR;
	enum emu_status status = call ? emu_find_frame(emu) : EMU_OK;
	bool good = emu->long_mode && code->l ? emu_canonical(emu, rip) : rip <= code->limit;

	if (!status && !good)
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	return status;
}

static enum emu_status read_code(struct emu *emu, u16 selector, struct descriptor *desc,
				 struct kvm_segment *code)
{
	enum emu_status status;

	if (is_null(selector))
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	status = read_descriptor(emu, selector, desc);
	if (status)
		return status;
	*code = parse_descriptor(desc, selector);
	if (!code->s)
		return check_system(emu, code);
	if (!is_callable(emu, code))
		return selector_fault(emu, X86_TRAP_GP, selector);
	if (!code->present)
		return selector_fault(emu, X86_TRAP_NP, selector);
	return EMU_OK;
}

/* Loads CS for a far jump or call to @rip.  EMU_OK: as emu_load_data(). */
enum emu_status emu_load_code(struct emu *emu, u16 selector, u64 rip)
{
	struct kvm_segment code;
	struct descriptor desc;
	enum emu_status status;

	if (!emu_protected_mode(emu)) {
		code = real_segment(emu, X86_CS, selector);
		status = check_target(emu, &code, rip);
		return status ? status : load(emu, X86_CS, &code);
	}
	status = read_code(emu, selector, &desc, &code);
	if (!status)
		status = check_target(emu, &code, rip);
	if (!status)
		status = set_accessed(emu, &desc);
	if (status)
		return status;
	code.type |= EMU_SEG_ACCESSED;
	code.selector = (selector & ~SEL_RPL) | emu->cpl;
	return load(emu, X86_CS, &code);
}
