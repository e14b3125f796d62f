// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the processors of the emulated hosts get wrong by themselves, so that they are no yardstick
 * there.  On a real processor nothing of this applies.
 */
#include "quirks.h"

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

/* QEMU does not know one of two encodings of TEST; the other one is run for it. */
void quirk_twin(struct instance *in)
{
	if (is_unknown_test(in))
		in->bytes[in->modrm_at] &= 0xc7;
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
 * QEMU, 16-bit code: MOVBE has the operand size that 32-bit code would have.  The TEST that it
 * does not know may be #UD where it would have to be emulated, and faults elsewhere.  A far call
 * in 64-bit mode pushes by 32 bits of the stack pointer.
 */
bool quirk_spoils(const struct instance *in, const struct outcome *emulated)
{
	if (pushes_as_supervisor(in) && in->fault == FAULT_SUPERVISOR)
		return true;
	if (!host_is_qemu())
		return false;
	if (in->row->op == INSN_OP_CALL_FAR && in->fault == FAULT_CANONICAL)
		return true;
	if (in->row->op == INSN_OP_MOVBE && mode_bits(in->mode) == 16)
		return true;
	return is_unknown_test(in) && (emulated->vector == 6 || in->fault != FAULT_NONE);
}
