// SPDX-License-Identifier: GPL-2.0-only
/*
 * Length and operands of intercepted instructions, for a processor that reports neither.
 *
 * A processor with SVM but without next-RIP saving and decode assists says only that, say, a MOV to
 * CR4 was met.  The bytes are fetched through the guest's own tables.  The guest may change them
 * between the exit and the fetch; the opcode is therefore the caller's to check against the exit.
 */
#include <asm/processor-flags.h>
#include <asm/msr-index.h>
#include "guest_mem.h"
#include "mmu/mmu.h"
#include "x86/x86.h"

/* What follows an opcode. */
#define OP_KNOWN BIT(0)
#define OP_MODRM BIT(1)
#define OP_IMM8	 BIT(2)
#define OP_REGS	 BIT(3) /* the ModRM byte names registers whatever its mod field says */

static const u8 one_byte_ops[256] = {
	[0x6c ... 0x6f] = OP_KNOWN,	      /* INS, OUTS */
	[0x90] = OP_KNOWN,		      /* PAUSE */
	[0xcc] = OP_KNOWN,		      /* INT3 */
	[0xcd] = OP_KNOWN | OP_IMM8,	      /* INT n */
	[0xce ... 0xcf] = OP_KNOWN,	      /* INTO, IRET */
	[0xe4 ... 0xe7] = OP_KNOWN | OP_IMM8, /* IN, OUT */
	[0xec ... 0xef] = OP_KNOWN,
	[0xf1] = OP_KNOWN, /* INT1 */
	[0xf4] = OP_KNOWN, /* HLT */
};

static const u8 two_byte_ops[256] = {
	[0x01] = OP_KNOWN | OP_MODRM,			 /* LMSW, INVLPG, XSETBV, VMMCALL, ... */
	[0x06] = OP_KNOWN,				 /* CLTS */
	[0x08 ... 0x09] = OP_KNOWN,			 /* INVD, WBINVD */
	[0x0b] = OP_KNOWN,				 /* UD2 */
	[0x20 ... 0x23] = OP_KNOWN | OP_MODRM | OP_REGS, /* MOV CR, MOV DR */
	[0x30 ... 0x33] = OP_KNOWN,			 /* WRMSR, RDTSC, RDMSR, RDPMC */
	[0xa2] = OP_KNOWN,				 /* CPUID */
};

/* Where the decoder stands. */
struct insn_cursor {
	struct x86_insn *insn;
	unsigned int pos;
	u8 rex;
	bool addr16;
	bool long_mode;
};

static enum gpt_mode guest_paging(const struct x86_vcpu *x86)
{
	if (!(x86->cr0 & X86_CR0_PG))
		return GPT_NONE;
	if (x86->efer & EFER_LMA)
		return GPT_LONG;
	return x86->cr4 & X86_CR4_PAE ? GPT_PAE : GPT_32;
}

/* Up to 15 bytes at the guest's RIP; fewer if the next page is not there. */
void x86_insn_fetch(struct mkvm_vcpu *vcpu, struct x86_insn *insn)
{
	struct x86_vcpu *x86 = &vcpu->x86;
	struct gpt_root root;
	gva_t linear;

	memset(insn, 0, sizeof(*insn));
	x86_fetch(vcpu, X86_ST_RIP | X86_ST_CRS | X86_ST_SEGS);
	root = (struct gpt_root){
		.mode = guest_paging(x86),
		.cr3 = x86->cr3,
		.pse = x86->cr4 & X86_CR4_PSE,
	};
	linear = x86->seg[X86_CS].base + x86->rip;
	if (!x86_is_64bit(vcpu))
		linear = (u32)linear;
	while (insn->nr_bytes < sizeof(insn->bytes)) {
		gva_t gva = linear + insn->nr_bytes;
		size_t n = min_t(size_t, sizeof(insn->bytes) - insn->nr_bytes,
				 PAGE_SIZE - offset_in_page(gva));
		gpa_t gpa = gpt_translate(&vcpu->vm->slots, &root, gva);

		if (gpa == GPA_NONE ||
		    guest_mem_read(&vcpu->vm->slots, gpa, insn->bytes + insn->nr_bytes, n))
			break;
		insn->nr_bytes += n;
	}
}

static bool next_byte(struct insn_cursor *cur, u8 *byte)
{
	if (cur->pos >= cur->insn->nr_bytes)
		return false;
	*byte = cur->insn->bytes[cur->pos++];
	return true;
}

/* The first byte that is no prefix. */
static bool skip_prefixes(struct insn_cursor *cur, bool code32, u8 *byte)
{
	bool addr_prefix = false;

	while (next_byte(cur, byte)) {
		switch (*byte) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0x66:
		case 0xf0:
		case 0xf2:
		case 0xf3:
			break;
		case 0x67:
			addr_prefix = true;
			break;
		default:
			/* REX counts only right before the opcode. */
			if (cur->long_mode && (*byte & 0xf0) == 0x40) {
				cur->rex = *byte;
				if (!next_byte(cur, byte))
					return false;
			}
			cur->addr16 = !cur->long_mode && code32 == addr_prefix;
			return true;
		}
	}
	return false;
}

/* Bytes of SIB and displacement that follow a ModRM byte with a memory operand. */
static bool skip_memory_operand(struct insn_cursor *cur)
{
	u8 mod = cur->insn->modrm >> 6, rm = cur->insn->modrm & 7, sib = 0;
	unsigned int disp;

	if (cur->addr16) {
		disp = mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0;
	} else {
		if (rm == 4 && !next_byte(cur, &sib))
			return false;
		disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
		if (mod == 0 && (rm == 5 || (rm == 4 && (sib & 7) == 5)))
			disp = 4;
	}
	cur->pos += disp;
	return true;
}

static bool decode_modrm(struct insn_cursor *cur, u8 op)
{
	struct x86_insn *insn = cur->insn;

	if (!next_byte(cur, &insn->modrm))
		return false;
	insn->has_modrm = true;
	insn->reg = ((insn->modrm >> 3) & 7) | (cur->rex & 4 ? 8 : 0);
	insn->rm = (insn->modrm & 7) | (cur->rex & 1 ? 8 : 0);
	if ((op & OP_REGS) || insn->modrm >> 6 == 3)
		return true;
	return skip_memory_operand(cur);
}

/*
 * Decodes the instruction at the guest's RIP.  The vCPU is loaded and the caller holds a read side
 * of the slots.  May sleep.  0, or -EINVAL: not in memory, or none of the instructions above.
 */
int x86_insn_decode(struct mkvm_vcpu *vcpu, struct x86_insn *insn)
{
	struct insn_cursor cur = { .insn = insn };
	u8 byte, op;

	x86_insn_fetch(vcpu, insn);
	cur.long_mode = x86_is_64bit(vcpu);
	if (!skip_prefixes(&cur, vcpu->x86.seg[X86_CS].db, &byte))
		return -EINVAL;
	insn->opcode[0] = byte;
	op = one_byte_ops[byte];
	if (byte == 0x0f) {
		if (!next_byte(&cur, &byte))
			return -EINVAL;
		insn->opcode[1] = byte;
		op = two_byte_ops[byte];
	}
	if (!(op & OP_KNOWN))
		return -EINVAL;
	if ((op & OP_MODRM) && !decode_modrm(&cur, op))
		return -EINVAL;
	if (op & OP_IMM8)
		cur.pos++;
	if (cur.pos > insn->nr_bytes)
		return -EINVAL;
	insn->len = cur.pos;
	return 0;
}
