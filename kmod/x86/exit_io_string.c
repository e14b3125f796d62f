// SPDX-License-Identifier: GPL-2.0-only
/*
 * INS and OUTS: KVM_EXIT_IO with several elements, where they lie in memory in one page.
 *
 * A repeated one goes to user space in batches: as many elements as lie in the page of the first,
 * in the direction of the copy.  What is no such batch (one element, one that straddles pages, one
 * that is no memory) is the emulator's, an element at a time; so are all while the guest steps
 * itself, which has a debug exception behind each.  The data is in the vCPU's I/O page in the order
 * of the elements.
 */
#include <linux/kvm.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include "guest_mem.h"
#include "mkvm.h"
#include "trace.h"
#include "x86/x86.h"

static void *pio_data(struct mkvm_vcpu *vcpu)
{
	return page_address(vcpu->pages[MKVM_PIO_PAGE]);
}

static int string_exit(struct mkvm_vcpu *vcpu, bool in, unsigned int size, unsigned int count)
{
	struct kvm_run *run = vcpu->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = size;
	run->io.port = (u16)vcpu->x86.emu.gpr[X86_RDX];
	run->io.count = count;
	run->io.data_offset = MKVM_PIO_PAGE * PAGE_SIZE;
	return 0;
}

static void trace_elements(struct mkvm_vcpu *vcpu, bool in, unsigned int size, unsigned int count)
{
	u16 port = vcpu->x86.emu.gpr[X86_RDX];
	const u8 *data = pio_data(vcpu);

	if (!trace_mkvm_pio_enabled())
		return;
	for (; count; count--, data += size) {
		u32 value = 0;

		memcpy(&value, data, size);
		trace_mkvm_pio(vcpu->id, in, port, size, value);
	}
}

/* The emulator goes on, as after an access to memory that user space did. */
static int complete_port(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;
	u64 rip = emu->rip;
	int idx, r;

	if (emu->stage == EMU_STAGE_PORT) {
		x86_emu_load(vcpu);
		if (emu->rip != rip)
			return 1;
		memcpy(emu->io.data, pio_data(vcpu), emu->io.len);
		trace_elements(vcpu, true, emu->io.len, 1);
	}
	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	r = x86_emu_outcome(vcpu, emu_resume(emu));
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	return r;
}

/* EMU_IN, EMU_OUT: the emulator wants one element. */
int x86_emu_port_exit(struct mkvm_vcpu *vcpu, bool in)
{
	struct emu *emu = &vcpu->x86.emu;

	memset(pio_data(vcpu), 0, emu->io.len);
	if (!in) {
		memcpy(pio_data(vcpu), emu->io.data, emu->io.len);
		trace_elements(vcpu, false, emu->io.len, 1);
	}
	vcpu->complete_io = complete_port;
	return string_exit(vcpu, in, emu->io.len, 1);
}

/* A batch in memory. */
struct batch {
	gpa_t gpa; /* of the element at the lowest address */
	unsigned int size;
	unsigned int count;
	bool down; /* the first element is at the highest address */
};

/* The elements in the page of the first one, none of which faults.  Fewer than two: no batch. */
static struct batch find_batch(struct emu *emu)
{
	const struct x86_insn *insn = &emu->insn;
	bool in = insn->row->op == INSN_OP_INS;
	u64 mask = emu_size_mask(insn->addr_size), offset, linear;
	u8 seg = in ? X86_ES : emu_string_segment(insn);
	struct batch batch = { .down = emu->rflags & X86_EFLAGS_DF };
	const struct emu_mem *mem;
	u64 room;

	batch.count = min_t(u64, emu->gpr[X86_RCX] & mask, PAGE_SIZE);
	if (!insn->rep || batch.count < 2 || emu_find_operands(emu))
		return (struct batch){};
	mem = in ? emu->dst_mem : emu->src_mem;
	batch.size = mem->size;
	if (mem->first < mem->size)
		return (struct batch){};
	offset = emu->gpr[in ? X86_RDI : X86_RSI] & mask;
	if (batch.down)
		room = min(offset_in_page(mem->linear), offset) / batch.size + 1;
	else
		room = min(PAGE_SIZE - offset_in_page(mem->linear), mask - offset + 1) / batch.size;
	batch.count = min_t(u64, batch.count, room);
	if (batch.down)
		offset -= (batch.count - 1) * (u64)batch.size;
	if (emu_check_segment(emu, seg, offset, batch.count * batch.size, in ? EMU_W : EMU_R,
			      &linear))
		return (struct batch){};
	batch.gpa = mem->gpa[0];
	if (batch.down)
		batch.gpa -= (batch.count - 1) * (u64)batch.size;
	return batch;
}

/* Between the order of the elements and that of addresses. */
static void turn_around(u8 *data, const struct batch *batch)
{
	unsigned int i, size = batch->size;
	u8 element[4];

	for (i = 0; batch->down && i < batch->count / 2; i++) {
		u8 *one = data + i * size, *other = data + (batch->count - 1 - i) * size;

		memcpy(element, one, size);
		memcpy(one, other, size);
		memcpy(other, element, size);
	}
}

/* The registers after @batch; the last one ends the instruction. */
static void batch_retire(struct mkvm_vcpu *vcpu, const struct batch *batch)
{
	struct emu *emu = &vcpu->x86.emu;
	unsigned int pointer = emu->insn.row->op == INSN_OP_INS ? X86_RDI : X86_RSI;
	s64 bytes = (s64)batch->count * batch->size;
	bool left;

	emu_gpr_add(emu, pointer, emu->insn.addr_size, batch->down ? -bytes : bytes);
	emu_gpr_add(emu, X86_RCX, emu->insn.addr_size, -(s64)batch->count);
	left = emu->gpr[X86_RCX] & emu_size_mask(emu->insn.addr_size);
	if (!left)
		emu_step_over(emu);
	/* Unlike an element, a batch ends a debugger's step. */
	emu->repeat = false;
	emu->ops->retire(emu);
	/* As behind an element. */
	if (left)
		vcpu->x86.rflags |= X86_EFLAGS_RF;
}

static bool guest_can_write(struct mkvm_vcpu *vcpu, gpa_t gpa)
{
	const struct memslot *slot = memslot_find(memslots_get(&vcpu->vm->slots), gpa_to_gfn(gpa));

	return slot && !memslot_readonly(slot);
}

static int complete_none(struct mkvm_vcpu *vcpu)
{
	return 1;
}

/* Memory that is gone by now takes no data. */
static int store_batch(struct mkvm_vcpu *vcpu, const struct batch *batch)
{
	int idx, r;

	idx = srcu_read_lock(&vcpu->vm->slots.srcu);
	r = guest_mem_write(&vcpu->vm->slots, batch->gpa, pio_data(vcpu),
			    batch->count * batch->size);
	srcu_read_unlock(&vcpu->vm->slots.srcu, idx);
	return r == -ENOENT ? 0 : r;
}

static int complete_batch_in(struct mkvm_vcpu *vcpu)
{
	struct emu *emu = &vcpu->x86.emu;
	const struct batch batch = {
		.gpa = vcpu->pio.gpa,
		.size = vcpu->pio.size,
		.count = vcpu->pio.count,
		.down = emu->rflags & X86_EFLAGS_DF,
	};
	u64 rip = emu->rip;
	int r;

	x86_emu_load(vcpu);
	if (emu->rip != rip)
		return 1;
	trace_elements(vcpu, true, batch.size, batch.count);
	turn_around(pio_data(vcpu), &batch);
	r = store_batch(vcpu, &batch);
	if (r)
		return r;
	batch_retire(vcpu, &batch);
	return 1;
}

static int batch_in(struct mkvm_vcpu *vcpu, const struct batch *batch)
{
	memset(pio_data(vcpu), 0, batch->count * batch->size);
	vcpu->pio.gpa = batch->gpa;
	vcpu->pio.size = batch->size;
	vcpu->pio.count = batch->count;
	vcpu->complete_io = complete_batch_in;
	return string_exit(vcpu, true, batch->size, batch->count);
}

/* The data is in the I/O page. */
static int batch_out(struct mkvm_vcpu *vcpu, const struct batch *batch)
{
	turn_around(pio_data(vcpu), batch);
	trace_elements(vcpu, false, batch->size, batch->count);
	batch_retire(vcpu, batch);
	vcpu->complete_io = complete_none;
	return string_exit(vcpu, false, batch->size, batch->count);
}

static bool is_port_op(const struct x86_insn *insn, bool in, unsigned int size)
{
	u8 memory = in ? insn->row->dst : insn->row->src;

	return insn->row->op == (in ? INSN_OP_INS : INSN_OP_OUTS) &&
	       insn_operand_size(insn, memory) == size;
}

/* A device in the kernel takes one element at a time, and a guest that steps sees each. */
static bool wants_single(struct mkvm_vcpu *vcpu)
{
	return irqchip_has_port(vcpu->vm, vcpu->x86.emu.gpr[X86_RDX]) ||
	       x86_guest_rflags(vcpu) & X86_EFLAGS_TF;
}

/*
 * INS or OUTS was intercepted: the processor has found that the guest may use @size ports at DX.
 * Another vCPU may have changed the instruction since; what was not found is not granted.
 */
int x86_exit_io_string(struct mkvm_vcpu *vcpu, bool in, unsigned int size)
{
	struct emu *emu = &vcpu->x86.emu;
	struct batch batch;

	x86_emu_load(vcpu);
	if (x86_insn_decode(vcpu, &emu->insn))
		return x86_emulate(vcpu);
	if (!is_port_op(&emu->insn, in, size))
		return 1;
	emu->port_granted = true;
	batch = find_batch(emu);
	if (batch.count >= 2 && !wants_single(vcpu)) {
		if (emu->insn.row->op == INSN_OP_INS) {
			if (guest_can_write(vcpu, batch.gpa))
				return batch_in(vcpu, &batch);
		} else if (!guest_mem_read(&vcpu->vm->slots, batch.gpa, pio_data(vcpu),
					   batch.count * batch.size)) {
			return batch_out(vcpu, &batch);
		}
	}
	return x86_emu_outcome(vcpu, emu_start(emu));
}
