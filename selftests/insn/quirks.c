// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processors of the emulated hosts get wrong by themselves, so that they are no yardstick
 * there.  On a real processor nothing of this applies.
 */
#include "quirks.h"

#include <string.h>

#include "lib/host.h"

/* QEMU has no segment limits. */
bool quirk_overlooks_fault(const struct instance *in)
{
	return host_is_qemu() && in->fault == FAULT_LIMIT;
}

static bool is_unknown_test(const struct instance *in)
{
	return host_is_qemu() && in->row->op == INSN_OP_TEST && in->row->ext == 1;
}

/* In code of 16 bits QEMU's MOVBE has the operand size that it would have in code of 32 bits. */
static bool has_other_size(const struct instance *in)
{
	return host_is_qemu() && in->row->op == INSN_OP_MOVBE && mode_bits(in->mode) == 16;
}

/* The other operand size: without prefix 66, or with one. */
static void flip_size(struct instance *in)
{
	unsigned int i = 0;

	while (in->bytes[i] != 0x66 && in->bytes[i] != 0x0f)
		i++;
	if (in->bytes[i] == 0x66) {
		memmove(in->bytes + i, in->bytes + i + 1, in->len - i - 1);
		in->len--;
		return;
	}
	memmove(in->bytes + 1, in->bytes, in->len);
	in->bytes[0] = 0x66;
	in->len++;
}

/*
 * QEMU does not know one of two encodings of TEST; the other one is run for it.  So is a MOVBE that
 * has the right size there, if it is no longer than an instruction can be.
 */
void quirk_twin(struct instance *in)
{
	if (is_unknown_test(in))
		in->bytes[in->modrm_at] &= 0xc7;
	if (has_other_size(in) && in->len < sizeof(in->bytes))
		flip_size(in);
}

/*
 * QEMU's far call pushes as a supervisor, Bochs's with the privilege of the code segment, which is
 * another if that is conforming.
 */
static bool pushes_as_supervisor(const struct instance *in)
{
	return (host_is_qemu() || host_is_bochs()) && in->row->op == INSN_OP_CALL_FAR;
}

/*
 * QEMU reads what is then written as if it were only read: the error code says so.  An address in
 * the stack that is not canonical is #GP, where it should be #SS.  And whether it is one where an
 * SS prefix stands that 64-bit mode ignores, no manual says.
 */
void quirk_mend(const struct instance *in, struct outcome *outcome)
{
	if (host_is_qemu() && outcome->vector == 14 && row_is_rmw(in->row))
		outcome->error |= 2;
	if (pushes_as_supervisor(in) && outcome->vector == 14)
		outcome->error |= 4;
	if (outcome->vector == 12 && in->fault == FAULT_CANONICAL &&
	    (host_is_qemu() || in->prefix == PREFIX_SS))
		outcome->vector = 13;
}

/*
 * QEMU's far call in 64-bit mode pushes by 32 bits of the stack pointer, and Bochs's now and then.
 * QEMU: the TEST that it does not know may be #UD where it would have to be emulated, and faults
 * elsewhere.  A MOVBE that it takes for a shorter one may not reach the device.
 */
bool quirk_spoils(const struct instance *in, const struct outcome *emulated)
{
	if (pushes_as_supervisor(in) && in->fault == FAULT_SUPERVISOR)
		return true;
	if (in->row->op == INSN_OP_CALL_FAR && in->fault == FAULT_CANONICAL &&
	    (host_is_qemu() || host_is_bochs()))
		return true;
	if (!host_is_qemu())
		return false;
	/* What it would have found out before the stack's end nobody knows. */
	if (in->row->op == INSN_OP_CALL_FAR && in->fault == FAULT_LIMIT && in->limit_seg == SS)
		return true;
	if (has_other_size(in) && in->fault == FAULT_NONE && !emulated->nr_mmio)
		return true;
	return is_unknown_test(in) && (emulated->vector == 6 || in->fault != FAULT_NONE);
}
