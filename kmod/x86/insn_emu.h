/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator: executes one instruction, the way the processor would have.
 *
 * An instruction goes through steps: its operands in memory are found and every access is checked
 * and translated; they are read; the result is computed; memory is written.  Where there is no
 * memory the emulator stops with a piece of at most eight bytes for its user to read or write, and
 * goes on from there.  Nothing of the guest's has changed until the last read is done; a fault
 * leaves everything as it was, so the instruction can be executed anew.
 *
 * The emulator knows no vCPU: registers are copies, memory is behind struct emu_ops.
 */
#ifndef MKVM_X86_INSN_EMU_H
#define MKVM_X86_INSN_EMU_H

#include <linux/kvm.h>
#include "x86/insn.h"

#define EMU_MAX_IO 8 /* bytes of a piece that the emulator's user does */

struct emu;

/* What became of an instruction, or of a step of it. */
enum emu_status {
	EMU_OK,	     /* step: go on.  Instruction: done */
	EMU_FAULT,   /* emu->fault is to be delivered; nothing has changed */
	EMU_READ,    /* the user reads emu->io, and resumes */
	EMU_WRITE,   /* the user writes emu->io, and resumes; registers are changed already */
	EMU_IN,	     /* so, but emu->io is about the port emu->io.gpa: INS */
	EMU_OUT,     /* so: OUTS */
	EMU_AGAIN,   /* memory changed meanwhile: nothing was done, let the guest try again */
	EMU_SWAPPED, /* the processor's to execute, as no access of it exits: nothing was done */
	EMU_UNKNOWN, /* the emulator does not know the instruction; nothing has changed */
	EMU_ERROR,   /* the host could not do it: emu->error */
};

/* Kinds of access. */
#define EMU_R BIT(0)
#define EMU_W BIT(1)
/* With these: by the processor itself, a supervisor's access whatever runs. */
#define EMU_SYSTEM BIT(2)

/* No segment register. */
#define EMU_NO_SEG 0xff

/**
 * struct emu_ops - what the emulator asks of its user
 * @translate: linear to guest-physical address for an access of EMU_R | EMU_W by privilege
 *	emu->cpl, or by the processor: EMU_SYSTEM.  EMU_OK, EMU_FAULT with emu->fault, EMU_ERROR
 * @read: @len bytes within one page.  EMU_OK, EMU_READ: no memory there; EMU_ERROR
 * @write: so, with EMU_WRITE for no memory
 * @exchange: atomically: if memory still holds @old, store @new.  EMU_OK, EMU_WRITE: no memory
 *	there that can be written; EMU_AGAIN: it holds something else; EMU_ERROR
 * @read_xmm: an XMM register's 16 bytes
 * @write_xmm: so
 * @gdt: the global descriptor table
 * @retire: the instruction is executed: emu->gpr, rip, rflags, cr0, @loaded, @shadow and
 *	@invalidates are the guest's from now on
 */
struct emu_ops {
	enum emu_status (*translate)(struct emu *emu, u64 linear, u32 access, u64 *gpa);
	enum emu_status (*read)(struct emu *emu, u64 gpa, void *data, unsigned int len);
	enum emu_status (*write)(struct emu *emu, u64 gpa, const void *data, unsigned int len);
	enum emu_status (*exchange)(struct emu *emu, u64 gpa, const void *old, const void *new,
				    unsigned int len);
	void (*read_xmm)(struct emu *emu, unsigned int reg, void *data);
	void (*write_xmm)(struct emu *emu, unsigned int reg, const void *data);
	const struct kvm_dtable *(*gdt)(struct emu *emu);
	void (*retire)(struct emu *emu);
};

/* An exception. */
struct emu_fault {
	u8 vector;
	bool has_error;
	u32 error;
	u64 address; /* of a page fault */
};

/**
 * struct emu_mem - an operand in memory
 * @linear: its address
 * @gpa: of its first byte, and of the first byte in the next page if it goes on there
 * @size: bytes, at most 16
 * @first: bytes in the first page
 * @access: EMU_R, EMU_W
 * @known: how many bytes from its beginning have been read
 * @io_pages: bit n: its nth page is no memory that can be written
 * @data: its value
 * @old: its value before the instruction
 */
struct emu_mem {
	u64 linear;
	u64 gpa[2];
	u8 size;
	u8 first;
	u8 access;
	u8 known;
	u8 io_pages;
	u8 data[16];
	u8 old[16];
};

/* Where an instruction is. */
enum emu_stage {
	EMU_STAGE_READ,	 /* operands are read */
	EMU_STAGE_PORT,	 /* a port is read */
	EMU_STAGE_WRITE, /* the instruction is executed; what is no memory is written */
};

/**
 * struct emu - the emulator of one processor
 * @ops: immutable
 * @gpr: in: general registers; out, at @ops->retire: the new ones
 * @rip: in: of the instruction; out: of the next
 * @rflags: in and out
 * @cr0: in; out, at @ops->retire: LMSW's new one
 * @cr4: in
 * @seg: in: segment registers by enum x86_seg
 * @bits: in: of the code segment: 16, 32, 64
 * @cpl: in: privilege level
 * @long_mode: in: EFER.LMA: 64-bit or compatibility mode
 * @va_bits: in: width of a linear address in 64-bit mode
 * @port_granted: in: the processor has found that INS or OUTS may use its ports; without it they
 *	are EMU_SWAPPED, and the processor's to look at
 * @insn: in: bytes and nr_bytes; the rest is the decoder's
 * @io: out, with EMU_READ to EMU_OUT: the piece; in, after EMU_READ and EMU_IN: its data
 * @fault: out, with EMU_FAULT
 * @error: out, with EMU_ERROR: a negative errno
 * @loaded_seg: out, at @ops->retire: the segment register that was loaded, or EMU_NO_SEG
 * @loaded: out: what is in it
 * @shadow: out: interrupts are held off for one more instruction: SS was loaded
 * @invalidates: out, at @ops->retire: what the processor has cached of the guest's tables is to go
 * @repeat: a string instruction with a repeat prefix has elements left, and RIP stays
 * @mem: operands in memory, in the order in which they are checked
 * @nr_mem: how many
 * @src_mem: the source operand's, or NULL
 * @dst_mem: the destination operand's, or NULL
 * @link_mem: where a far call stores RIP, or NULL; @dst_mem is where it stores CS
 * @stage: where it is
 * @written: bytes of what is stored that are done with, by memory or by @io
 */
struct emu {
	const struct emu_ops *ops;
	u64 gpr[X86_NR_GPRS];
	u64 rip;
	u64 rflags;
	u64 cr0;
	u64 cr4;
	const struct kvm_segment *seg;
	u8 bits;
	u8 cpl;
	u8 va_bits;
	bool long_mode;
	bool port_granted;
	struct x86_insn insn;
	struct {
		u64 gpa;
		u8 len;
		u8 data[EMU_MAX_IO];
	} io;
	struct emu_fault fault;
	int error;
	u8 loaded_seg;
	struct kvm_segment loaded;
	bool shadow;
	bool invalidates;
	bool repeat;
	struct emu_mem mem[3];
	u8 nr_mem;
	struct emu_mem *src_mem;
	struct emu_mem *dst_mem;
	struct emu_mem *link_mem;
	enum emu_stage stage;
	u8 written;
};

/* insn_emu.c */
enum emu_status __must_check emu_start(struct emu *emu);
enum emu_status __must_check emu_resume(struct emu *emu);
enum emu_status emu_raise(struct emu *emu, u8 vector, bool has_error, u32 error);
void emu_step_over(struct emu *emu);

/* insn_mem.c */
enum emu_status __must_check emu_find_operands(struct emu *emu);
enum emu_status __must_check emu_find_frame(struct emu *emu);
enum emu_status __must_check emu_read_operands(struct emu *emu);
enum emu_status __must_check emu_write_memory(struct emu *emu);
enum emu_status __must_check emu_write_rest(struct emu *emu);
enum emu_status __must_check emu_check_jump(struct emu *emu, u64 rip);
enum emu_status __must_check emu_check_segment(struct emu *emu, u8 seg, u64 offset, u32 size,
					       u32 access, u64 *linear);
unsigned int emu_stack_size(const struct emu *emu);
u8 emu_string_segment(const struct x86_insn *insn);
bool emu_protected_mode(const struct emu *emu);
bool emu_canonical(const struct emu *emu, u64 linear);

/* insn_segment.c */
enum emu_status __must_check emu_load_data(struct emu *emu, u8 seg, u16 selector);
enum emu_status __must_check emu_load_code(struct emu *emu, u16 selector, u64 rip);

/* Types of a segment: bits of kvm_segment.type */
#define EMU_SEG_CODE	    BIT(3)
#define EMU_SEG_EXPAND_DOWN BIT(2) /* data */
#define EMU_SEG_CONFORMING  BIT(2) /* code */
#define EMU_SEG_WRITABLE    BIT(1) /* data */
#define EMU_SEG_READABLE    BIT(1) /* code */
#define EMU_SEG_ACCESSED    BIT(0)

/* The bits of a number of @size bytes. */
static inline u64 emu_size_mask(unsigned int size)
{
	return ~0ull >> (64 - 8 * size);
}

/* insn_exec.c */
enum emu_status __must_check emu_execute(struct emu *emu);
u64 emu_lmsw(u64 cr0, u16 msw);
void emu_gpr_add(struct emu *emu, unsigned int reg, unsigned int size, s64 amount);

/* insn_alu.c */
u64 emu_alu(enum insn_op op, unsigned int size, u64 dst, u64 src, u64 *flags);

#endif /* MKVM_X86_INSN_EMU_H */
