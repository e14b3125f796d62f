/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_INSN_ENCODE_H
#define SELFTESTS_INSN_ENCODE_H

#include "instance.h"

/* An instruction in parts; registers that an address may use are solved for it. */
struct code {
	struct instance *in;
	unsigned int bits;
	unsigned int addr_size;
	uint16_t fixed; /* registers whose value is settled, a bit each */
	int override;	/* segment, or -1 */

	bool opsize_prefix, rex_w, rex_any;
	uint8_t repeat; /* f2, f3, or 0 */
	uint8_t opcode;
	uint8_t reg;   /* ModRM.reg, up to 15 */
	uint8_t opreg; /* in the opcode, up to 15 */
	uint8_t mod, rm;
	bool has_sib;
	uint8_t scale, index, base; /* of the SIB byte, up to 15 */
	uint64_t disp;
	unsigned int disp_len;
	bool rip_relative;
	uint64_t rip_target;
	uint64_t imm;
	unsigned int imm_len;
	bool imm_is_jump; /* imm counts from the next instruction */

	/* of the last operand that was placed */
	int seg;
	uint64_t ea;
};

bool encode_ea(struct code *c, int seg, uint64_t linear);
bool encode_memory(struct code *c, uint64_t linear);
bool encode_finish(struct code *c);

#endif
