// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator: the steps of one instruction, and where it stops and goes on.
 *
 *	decode -> find operands -> read them -> (INS: read the port) -> execute -> write memory
 *	-> retire -> write what is no memory, or the port
 *
 * Up to "retire" the guest sees nothing of it but accessed and dirty bits in its tables, as on a
 * processor.  The emulator may be left for good at any stop.  Compiled in user space, too.
 */
#include <linux/kernel.h>
#include <linux/string.h>
#include <asm/trapnr.h>
#include "x86/insn_emu.h"

enum emu_status emu_raise(struct emu *emu, u8 vector, bool has_error, u32 error)
{
	emu->fault = (struct emu_fault){
		.vector = vector,
		.has_error = has_error,
		.error = error,
	};
	return EMU_FAULT;
}

static enum emu_status check_sse(struct emu *emu)
{
	if (emu->cr0 & X86_CR0_EM || !(emu->cr4 & X86_CR4_OSFXSR))
		return emu_raise(emu, X86_TRAP_UD, false, 0);
	if (emu->cr0 & X86_CR0_TS)
		return emu_raise(emu, X86_TRAP_NM, false, 0);
	return EMU_OK;
}

/*
 * SMSW and LMSW, the two of group 7 that access memory and are executed here, and INVPCID.
 * Privilege comes before the operand.
 */
static enum emu_status take_system(struct emu *emu)
{
	struct x86_insn *insn = &emu->insn;
	bool privileged;

	if (insn_is_invpcid(insn->row) && insn->is_mem) {
		insn->row = &insn_row_invpcid;
		return emu->cpl ? emu_raise(emu, X86_TRAP_GP, true, 0) : EMU_OK;
	}
	if (insn->opcode[0] != 0x0f || insn->opcode[1] != 0x01 || !insn->is_mem)
		return EMU_UNKNOWN;
	switch (insn->modrm >> 3 & 7) {
	case 4:
		insn->row = &insn_row_smsw;
		privileged = emu->cr4 & X86_CR4_UMIP;
		break;
	case 6:
		insn->row = &insn_row_lmsw;
		privileged = true;
		break;
	default:
		return EMU_UNKNOWN;
	}
	if (insn->lock)
		return emu_raise(emu, X86_TRAP_UD, false, 0);
	return privileged && emu->cpl ? emu_raise(emu, X86_TRAP_GP, true, 0) : EMU_OK;
}

static bool is_port_op(const struct emu *emu)
{
	return emu->insn.row->op == INSN_OP_INS || emu->insn.row->op == INSN_OP_OUTS;
}

/*
 * What accesses no memory but the stack of IRET has not exited for an access of its own: another
 * vCPU has put it there since, and the processor executes it.  Or the processor made it, to look up
 * a permission, say: then it comes again, and who uses the emulator has to see that.
 */
static bool has_no_access(const struct x86_insn *insn)
{
	return insn->row->attr & INSN_NO_EXEC && !insn->is_mem && insn->opcode[0] != 0xcf;
}

static enum emu_status decode(struct emu *emu)
{
	switch (insn_decode(&emu->insn, emu->bits)) {
	case INSN_OK:
		break;
	case INSN_LONG:
		return emu_raise(emu, X86_TRAP_GP, true, 0);
	case INSN_UNDEFINED:
		return emu_raise(emu, X86_TRAP_UD, false, 0);
	default:
		return EMU_UNKNOWN;
	}
	if (has_no_access(&emu->insn))
		return EMU_SWAPPED;
	if (emu->insn.row->attr & INSN_NO_EXEC)
		return take_system(emu);
	if (is_port_op(emu) && !emu->port_granted)
		return EMU_SWAPPED;
	return emu->insn.row->attr & INSN_SSE ? check_sse(emu) : EMU_OK;
}

/* A string instruction told to repeat itself no times. */
static bool nothing_to_do(const struct emu *emu)
{
	return emu->insn.row->attr & (INSN_REP | INSN_REPCC) && emu->insn.rep &&
	       !(emu->gpr[X86_RCX] & emu_size_mask(emu->insn.addr_size));
}

/* RIP past the instruction. */
void emu_step_over(struct emu *emu)
{
	emu->rip += emu->insn.len;
	if (emu->bits != 64)
		emu->rip = (u32)emu->rip;
}

static void set_port(struct emu *emu, unsigned int size)
{
	emu->io.gpa = (u16)emu->gpr[X86_RDX];
	emu->io.len = size;
}

static enum emu_status read_port(struct emu *emu)
{
	if (emu->insn.row->op != INSN_OP_INS || emu->stage == EMU_STAGE_PORT)
		return EMU_OK;
	emu->stage = EMU_STAGE_PORT;
	set_port(emu, emu->dst_mem->size);
	return EMU_IN;
}

static enum emu_status write_rest(struct emu *emu)
{
	if (emu->insn.row->op != INSN_OP_OUTS)
		return emu_write_rest(emu);
	if (emu->written)
		return EMU_OK;
	emu->written = emu->src_mem->size;
	set_port(emu, emu->src_mem->size);
	memcpy(emu->io.data, emu->src_mem->data, emu->io.len);
	return EMU_OUT;
}

/* Everything is read: the rest cannot be undone. */
static enum emu_status finish(struct emu *emu)
{
	u64 rip = emu->rip;
	enum emu_status status;

	if (emu->dst_mem)
		memcpy(emu->dst_mem->old, emu->dst_mem->data, sizeof(emu->dst_mem->old));
	emu_step_over(emu);
	status = emu_execute(emu);
	if (!status)
		status = emu_write_memory(emu);
	if (status)
		return status;
	if (emu->repeat)
		emu->rip = rip;
	emu->stage = EMU_STAGE_WRITE;
	emu->written = 0;
	emu->ops->retire(emu);
	return write_rest(emu);
}

static enum emu_status go_on(struct emu *emu)
{
	enum emu_status status = emu_read_operands(emu);

	if (!status)
		status = read_port(emu);
	return status ? status : finish(emu);
}

/* Executes the instruction in emu->insn.bytes, as far as that goes without emu's user. */
enum emu_status emu_start(struct emu *emu)
{
	enum emu_status status = decode(emu);

	emu->repeat = false;
	emu->stage = EMU_STAGE_READ;
	emu->written = 0;
	emu->nr_mem = 0;
	emu->loaded_seg = EMU_NO_SEG;
	emu->shadow = false;
	emu->invalidates = false;
	if (status)
		return status;
	if (nothing_to_do(emu)) {
		emu_step_over(emu);
		emu->ops->retire(emu);
		return EMU_OK;
	}
	status = emu_find_operands(emu);
	return status ? status : go_on(emu);
}

/* The operand that is being read, or NULL. */
static struct emu_mem *unread(struct emu *emu)
{
	unsigned int i;

	for (i = 0; i < emu->nr_mem; i++)
		if (emu->mem[i].access & EMU_R && emu->mem[i].known < emu->mem[i].size)
			return &emu->mem[i];
	return NULL;
}

/*
 * Goes on after EMU_READ or EMU_IN, with data in emu->io and the registers as they are now, or
 * after EMU_WRITE or EMU_OUT.
 */
enum emu_status emu_resume(struct emu *emu)
{
	struct emu_mem *mem;

	switch (emu->stage) {
	case EMU_STAGE_READ:
		mem = unread(emu);
		if (mem) {
			memcpy(mem->data + mem->known, emu->io.data, emu->io.len);
			mem->known += emu->io.len;
		}
		return go_on(emu);
	case EMU_STAGE_PORT:
		memcpy(emu->dst_mem->data, emu->io.data, emu->io.len);
		return go_on(emu);
	case EMU_STAGE_WRITE:
		break;
	}
	return write_rest(emu);
}
