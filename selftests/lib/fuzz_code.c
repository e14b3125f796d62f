// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a fuzzed guest executes: instructions that leave guest mode, or that need to be emulated,
 * each filled up with NOPs to one length, with operands drawn at random.
 *
 * Not among them is what emulated hosts cannot bear: MOV to a debug register (QEMU), and what
 * clears RFLAGS.IF (Bochs: a loop with interrupts off stops the host).
 */
#include "fuzz_code.h"

#include <stddef.h>
#include <string.h>

#define NOP 0x90

/* clang-format off */
/* Bytes '?' are drawn.  The same bytes mean other things in other modes: so much the better. */
static const struct {
	unsigned char length;
	const char *bytes;
} instructions[] = {
	{ 1, "\xf4" },			       /* hlt */
	{ 1, "\xf4" },
	{ 2, "\xe4?" },			       /* in al, imm */
	{ 2, "\xe5?" },
	{ 2, "\xe6?" },			       /* out imm, al */
	{ 2, "\xe7?" },
	{ 2, "\xe6\x20" },		       /* out to the 8259s and the 8254 */
	{ 2, "\xe6\x21" },
	{ 2, "\xe6\xa0" },
	{ 2, "\xe6\x40" },
	{ 2, "\xe6\x43" },
	{ 2, "\xe4\x40" },
	{ 1, "\xec" },			       /* in al, dx */
	{ 1, "\xef" },			       /* out dx, eax */
	{ 2, "\xf3\x6c" },		       /* rep insb */
	{ 2, "\xf3\x6e" },		       /* rep outsb */
	{ 2, "\xf3\x6f" },
	{ 2, "\x0f\xa2" },		       /* cpuid */
	{ 2, "\x0f\x32" },		       /* rdmsr */
	{ 2, "\x0f\x30" },		       /* wrmsr */
	{ 7, "\xb9\x80??\xc0\x0f\x32" },       /* mov ecx, imm; rdmsr */
	{ 7, "\xb9???\x00\x0f\x32" },
	{ 7, "\xb9???\xc0\x0f\x30" },	       /* mov ecx, imm; wrmsr */
	{ 7, "\xb9?\x08\x00\x00\x0f\x30" },    /* the same of an x2APIC, and of a guest's clock */
	{ 7, "\xb9\x01\x4d\x56\x4b\x0f\x30" },
	{ 7, "\xb9\x03\x4d\x56\x4b\x0f\x30" },
	{ 2, "\x0f\x31" },		       /* rdtsc */
	{ 3, "\x0f\x01\xf9" },		       /* rdtscp */
	{ 3, "\x0f\x20\xc0" },		       /* mov rax, cr0 */
	{ 3, "\x0f\x20\xe3" },		       /* mov rbx, cr4 */
	{ 3, "\x0f\x22\xc0" },		       /* mov cr0, rax */
	{ 3, "\x0f\x22\xdb" },		       /* mov cr3, rbx */
	{ 3, "\x0f\x22\xe0" },		       /* mov cr4, rax */
	{ 4, "\x44\x0f\x22\xc0" },	       /* mov cr8, rax */
	{ 3, "\x0f\x21\xf0" },		       /* mov rax, dr6 */
	{ 2, "\x0f\x06" },		       /* clts */
	{ 3, "\x0f\x01\xf0" },		       /* lmsw ax */
	{ 3, "\x0f\x01\x3f" },		       /* invlpg */
	{ 2, "\x0f\x08" },		       /* invd */
	{ 2, "\x0f\x09" },		       /* wbinvd */
	{ 3, "\x0f\x01\xd1" },		       /* xsetbv */
	{ 2, "\xf3\x90" },		       /* pause */
	{ 1, "\xcc" },			       /* int3 */
	{ 2, "\xcd?" },			       /* int */
	{ 2, "\x0f\x0b" },		       /* ud2 */
	{ 3, "\x0f\x01\xc1" },		       /* vmcall */
	{ 3, "\x0f\x01\xd9" },		       /* vmmcall */
	{ 10, "\x31\xc9\xb8\x09\x00\x00\x00\x0f\x01\xd9" }, /* it asks for the clock's pairing */
	{ 3, "\x0f\x01\xd8" },		       /* vmrun */
	{ 3, "\x0f\x01\xdd" },		       /* clgi */
	{ 4, "\xf3\x0f\xc7\x37" },	       /* vmxon */
	{ 3, "\x0f\x01\xc8" },		       /* monitor */
	{ 3, "\x0f\x01\xc9" },		       /* mwait */
	{ 2, "\x0f\x33" },		       /* rdpmc */
	{ 2, "\x0f\xaa" },		       /* rsm */
	{ 2, "\x88\x07" },		       /* mov [rdi], al */
	{ 2, "\x8b\x07" },		       /* mov eax, [rdi] */
	{ 3, "\x48\x89\x06" },		       /* mov [rsi], rax */
	{ 2, "\xc6\x07" },		       /* mov byte [rdi], imm */
	{ 7, "\xbf?\x00\xe0\xfe\x89\x07" },    /* mov edi, imm; mov [rdi], eax: local APIC */
	{ 7, "\xbf?\x00\xc0\xfe\x89\x07" },    /* and I/O APIC */
	{ 2, "\xa4\xaa" },		       /* movsb; stosb */
	{ 2, "\xf3\xaa" },		       /* rep stosb */
	{ 3, "\xf3\x48\xa5" },		       /* rep movsq */
	{ 2, "\xf3\xa6" },		       /* repe cmpsb */
	{ 3, "\xf0\xff\x07" },		       /* lock inc dword [rdi] */
	{ 4, "\xf0\x0f\xc1\x07" },	       /* lock xadd [rdi], eax */
	{ 5, "\xf0\x48\x0f\xc7\x0f" },	       /* lock cmpxchg16b [rdi] */
	{ 2, "\x87\x07" },		       /* xchg [rdi], eax */
	{ 3, "\x0f\xb6\x07" },		       /* movzx eax, byte [rdi] */
	{ 3, "\x0f\x11\x07" },		       /* movups [rdi], xmm0 */
	{ 1, "\x50" },			       /* push, pop */
	{ 1, "\x58" },
	{ 2, "\xff\x37" },		       /* push [rdi] */
	{ 2, "\xff\x17" },		       /* call [rdi] */
	{ 1, "\xcb" },			       /* retf */
	{ 3, "\x0f\x01\x17" },		       /* lgdt */
	{ 3, "\x0f\x00\xd8" },		       /* ltr ax */
	{ 2, "\x8e\xd0" },		       /* mov ss, eax */
	{ 3, "\x0f\xae\x07" },		       /* fxsave */
	{ 3, "\x0f\xae\x27" },		       /* xsave */
	{ 2, "\xf7\xf1" },		       /* div ecx */
	{ 2, "\x0f\x05" },		       /* syscall */
	{ 2, "\x0f\x34" },		       /* sysenter */
	{ 1, "\xfb" },			       /* sti */
	{ 2, "\xeb\xfe" },		       /* loops on itself */
	{ 2, "\xeb?" },			       /* jumps a little */
};

/* clang-format on */

#define NR_INSTRUCTIONS (sizeof(instructions) / sizeof(instructions[0]))

/* Writes one of FUZZ_CODE_STEP bytes. */
void fuzz_code_one(struct rng *rng, void *to)
{
	size_t choice = rng_below(rng, NR_INSTRUCTIONS), i;
	unsigned char bytes[FUZZ_CODE_STEP];

	memset(bytes, NOP, sizeof(bytes));
	for (i = 0; i < instructions[choice].length; i++) {
		unsigned char byte = instructions[choice].bytes[i];

		bytes[i] = byte == '?' ? rng_next(rng) : byte;
	}
	memcpy(to, bytes, sizeof(bytes));
}
