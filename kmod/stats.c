// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of a VM or a vCPU, in KVM's binary form: a descriptor of its own, which is a file of
 *
 *	struct kvm_stats_header, an identification, a struct kvm_stats_desc with its name for each
 *	value, and the values, 64 bits each
 *
 * What has a name in kvm and means the same here has that name; the causes of MMU exits and what
 * else is ours begin with "mkvm_".  All but the values is always the same, so a reader reads it
 * once.  The file pins the VM, and may be read by any process, also while vCPUs run: a value is as
 * old as its own reading.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mkvm_kvm.h>
#include <linux/slab.h>
#include <uapi/asm/svm.h>
#include <uapi/asm/vmx.h>
#include "mkvm.h"
#include "user_work.h"
#include "x86/x86.h"

#define STATS_NAME 48 /* with the final 0; as kvm has it */

/* struct kvm_stats_desc with its name, whose length older headers do not tell. */
struct stats_desc {
	u32 flags;
	s16 exponent;
	u16 size;
	u32 offset;
	u32 bucket_size;
	char name[STATS_NAME];
};

static_assert(offsetof(struct stats_desc, name) == offsetof(struct kvm_stats_desc, name));

/* An open file; @vcpu is NULL for a VM's. */
struct stats_file {
	struct mkvm *vm;
	struct mkvm_vcpu *vcpu;
	char id[STATS_NAME];
};

/**
 * struct stats_row - one value
 * @name: what it is called
 * @type: KVM_STATS_TYPE_*
 * @read: reads it; no lock is held
 * @arg: for @read
 */
struct stats_row {
	const char *name;
	u32 type;
	u64 (*read)(const struct stats_file *file, u32 arg);
	u32 arg;
};

#define COUNT(name, read, arg)                             \
	{                                                  \
		name, KVM_STATS_TYPE_CUMULATIVE, read, arg \
	}
#define LEVEL(name, read, arg)                          \
	{                                               \
		name, KVM_STATS_TYPE_INSTANT, read, arg \
	}
#define CAUSE(name, cause) COUNT("mkvm_cause_" name, vcpu_cause, cause)
#define REASON(name, vmx_reason, svm_reason) \
	COUNT(name, vcpu_reason, (vmx_reason) << 16 | (svm_reason))

static u64 vm_flushes_asked(const struct stats_file *file, u32 arg)
{
	return atomic64_read(&file->vm->flushes.asked);
}

static u64 vm_flushes_done(const struct stats_file *file, u32 arg)
{
	return atomic64_read(&file->vm->flushes.done);
}

static u64 vm_flush_interrupts(const struct stats_file *file, u32 arg)
{
	return atomic64_read(&file->vm->flushes.interrupts);
}

static u64 vm_mapped(const struct stats_file *file, u32 level)
{
	return atomic_long_read(&file->vm->mmu.mapped[level]);
}

static u64 vm_host_event(const struct stats_file *file, u32 arg)
{
	return atomic_long_read(&file->vm->mmu.host_events[arg]);
}

static u64 vm_mapped_around(const struct stats_file *file, u32 arg)
{
	return atomic_long_read(&file->vm->mmu.mapped_around);
}

static u64 vm_tables_opened(const struct stats_file *file, u32 arg)
{
	return mmu_shadow_opened(&file->vm->mmu);
}

static u64 vm_chains_cut(const struct stats_file *file, u32 arg)
{
	return mmu_shadow_cut(&file->vm->mmu);
}

static u64 vm_table_pages(const struct stats_file *file, u32 arg)
{
	return atomic_long_read(&file->vm->mmu.table_pages);
}

static u64 vm_table_bytes(const struct stats_file *file, u32 arg)
{
	return mmu_table_bytes(&file->vm->mmu);
}

/* What memory virtualisation takes besides the tables: slots, logs, reserves, lists.  May sleep. */
u64 mkvm_metadata_bytes(struct mkvm *vm)
{
	u64 bytes = mmu_metadata_bytes(&vm->mmu) + memslot_table_bytes(&vm->slots);
	struct mkvm_vcpu *vcpu;
	unsigned long id;

	rcu_read_lock(); /* one that cannot be made after all is taken out again */
	xa_for_each(&vm->vcpus, id, vcpu)
		bytes += mmu_vcpu_bytes(&vcpu->mmu);
	rcu_read_unlock();
	return bytes;
}

static u64 vm_metadata_bytes(const struct stats_file *file, u32 arg)
{
	return mkvm_metadata_bytes(file->vm);
}

static const struct stats_row vm_rows[] = {
	COUNT("remote_tlb_flush", vm_flushes_done, 0),
	COUNT("remote_tlb_flush_requests", vm_flushes_asked, 0),
	COUNT("mkvm_flush_interrupts", vm_flush_interrupts, 0),
	LEVEL("pages_4k", vm_mapped, 1),
	LEVEL("pages_2m", vm_mapped, 2),
	LEVEL("pages_1g", vm_mapped, 3),
	LEVEL("mkvm_table_pages", vm_table_pages, 0),
	LEVEL("mkvm_table_bytes", vm_table_bytes, 0),
	LEVEL("mkvm_metadata_bytes", vm_metadata_bytes, 0),
	COUNT("mkvm_mapped_around", vm_mapped_around, 0),
	COUNT("mkvm_tables_opened", vm_tables_opened, 0),
	COUNT("mkvm_chains_cut", vm_chains_cut, 0),
	COUNT("mkvm_host_invalidate", vm_host_event, MMU_HOST_INVALIDATE),
	COUNT("mkvm_host_invalidate_hit", vm_host_event, MMU_HOST_INVALIDATE_HIT),
	COUNT("mkvm_host_age_flush", vm_host_event, MMU_HOST_AGE_FLUSH),
	COUNT("mkvm_host_age", vm_host_event, MMU_HOST_AGE),
	COUNT("mkvm_host_test_young", vm_host_event, MMU_HOST_TEST_YOUNG),
};

static u64 vcpu_cause(const struct stats_file *file, u32 cause)
{
	return READ_ONCE(file->vcpu->counts.causes[cause]);
}

static u64 vcpu_fixed(const struct stats_file *file, u32 arg)
{
	return vcpu_cause(file, MKVM_CAUSE_FILL) + vcpu_cause(file, MKVM_CAUSE_DIRTY_LOG) +
	       vcpu_cause(file, MKVM_CAUSE_DIRTY_BIT) + vcpu_cause(file, MKVM_CAUSE_ACCESSED_BIT);
}

static u64 vcpu_faults(const struct stats_file *file, u32 arg)
{
	u64 sum = 0;
	u32 i;

	for (i = MKVM_CAUSE_NONE + 1; i < MKVM_NR_CAUSES; i++)
		sum += vcpu_cause(file, i);
	return sum;
}

static u64 vcpu_exits(const struct stats_file *file, u32 arg)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < MKVM_NR_REASONS; i++)
		sum += READ_ONCE(file->vcpu->counts.exits[i]);
	return sum;
}

static u64 vcpu_entries(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.entries);
}

/* Exits for one reason of the hardware's: VMX's in the upper half, SVM's in the lower. */
static u64 vcpu_reason(const struct stats_file *file, u32 reasons)
{
	u32 reason = mkvm_vendor->vendor == MKVM_VENDOR_VMX ? reasons >> 16 : reasons & 0xffff;

	return READ_ONCE(file->vcpu->counts.exits[mkvm_vendor->reason_index(reason)]);
}

static u64 vcpu_flushes(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.flushes);
}

static u64 vcpu_flushes_covered(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.flushes_covered);
}

static u64 vcpu_mmio_exits(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.mmio_exits);
}

static u64 vcpu_interrupts(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.interrupts);
}

static u64 vcpu_signals(const struct stats_file *file, u32 arg)
{
	return user_work_signals(file->vcpu->standin);
}

static u64 vcpu_yields(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.yields);
}

static u64 vcpu_yields_taken(const struct stats_file *file, u32 arg)
{
	return READ_ONCE(file->vcpu->counts.yields_taken);
}

static const struct stats_row vcpu_rows[] = {
	COUNT("pf_taken", vcpu_faults, 0),
	COUNT("pf_fixed", vcpu_fixed, 0),
	COUNT("pf_emulate", vcpu_cause, MKVM_CAUSE_MMIO),
	COUNT("pf_spurious", vcpu_cause, MKVM_CAUSE_SPURIOUS),
	COUNT("tlb_flush", vcpu_flushes, 0),
	COUNT("mkvm_tlb_flush_covered", vcpu_flushes_covered, 0),
	COUNT("exits", vcpu_exits, 0),
	REASON("io_exits", EXIT_REASON_IO_INSTRUCTION, SVM_EXIT_IOIO),
	COUNT("mmio_exits", vcpu_mmio_exits, 0),
	COUNT("irq_injections", vcpu_interrupts, 0),
	COUNT("signal_exits", vcpu_signals, 0),
	REASON("irq_window_exits", EXIT_REASON_INTERRUPT_WINDOW, SVM_EXIT_VINTR),
	REASON("nmi_window_exits", EXIT_REASON_NMI_WINDOW, SVM_EXIT_IRET),
	REASON("halt_exits", EXIT_REASON_HLT, SVM_EXIT_HLT),
	REASON("irq_exits", EXIT_REASON_EXTERNAL_INTERRUPT, SVM_EXIT_INTR),
	REASON("invlpg", EXIT_REASON_INVLPG, SVM_EXIT_INVLPG),
	REASON("mkvm_pause_exits", EXIT_REASON_PAUSE_INSTRUCTION, SVM_EXIT_PAUSE),
	COUNT("directed_yield_attempted", vcpu_yields, 0),
	COUNT("directed_yield_successful", vcpu_yields_taken, 0),
	COUNT("mkvm_entries", vcpu_entries, 0),
	CAUSE("guest_not_present", MKVM_CAUSE_GUEST_NOT_PRESENT),
	CAUSE("guest_protection", MKVM_CAUSE_GUEST_PROTECTION),
	CAUSE("guest_reserved", MKVM_CAUSE_GUEST_RESERVED),
	CAUSE("fill", MKVM_CAUSE_FILL),
	CAUSE("dirty_bit", MKVM_CAUSE_DIRTY_BIT),
	CAUSE("accessed_bit", MKVM_CAUSE_ACCESSED_BIT),
	CAUSE("tracked_emulated", MKVM_CAUSE_TRACKED_EMULATED),
	CAUSE("tracked_opened", MKVM_CAUSE_TRACKED_OPENED),
	CAUSE("dirty_log", MKVM_CAUSE_DIRTY_LOG),
	CAUSE("mmio", MKVM_CAUSE_MMIO),
	CAUSE("cr3", MKVM_CAUSE_CR3),
	CAUSE("invlpg", MKVM_CAUSE_INVLPG),
	CAUSE("mode_change", MKVM_CAUSE_MODE_CHANGE),
	CAUSE("notifier_retry", MKVM_CAUSE_NOTIFIER_RETRY),
	CAUSE("spurious", MKVM_CAUSE_SPURIOUS),
	CAUSE("host_error", MKVM_CAUSE_HOST_ERROR),
	CAUSE("log_full", MKVM_CAUSE_LOG_FULL),
};

/**
 * struct stats_image - the whole file
 * @header: see <linux/kvm.h>
 * @id: whose it is
 * @desc: a descriptor for each row, and behind them the values
 */
struct stats_image {
	struct kvm_stats_header header;
	char id[STATS_NAME];
	struct stats_desc desc[];
};

static void image_fill(struct stats_image *image, const struct stats_file *file,
		       const struct stats_row *rows, u32 nr)
{
	u64 *values = (u64 *)&image->desc[nr];
	u32 i;

	image->header = (struct kvm_stats_header){
		.name_size = STATS_NAME,
		.num_desc = nr,
		.id_offset = offsetof(struct stats_image, id),
		.desc_offset = offsetof(struct stats_image, desc),
		.data_offset = struct_size(image, desc, nr),
	};
	memcpy(image->id, file->id, sizeof(image->id));
	for (i = 0; i < nr; i++) {
		image->desc[i].flags = rows[i].type | KVM_STATS_UNIT_NONE | KVM_STATS_BASE_POW10;
		image->desc[i].size = 1;
		image->desc[i].offset = i * sizeof(u64);
		strscpy(image->desc[i].name, rows[i].name, STATS_NAME);
		values[i] = rows[i].read(file, rows[i].arg);
	}
}

static ssize_t stats_read(struct file *filp, char __user *user, size_t size, loff_t *pos)
{
	const struct stats_file *file = filp->private_data;
	const struct stats_row *rows = file->vcpu ? vcpu_rows : vm_rows;
	u32 nr = file->vcpu ? ARRAY_SIZE(vcpu_rows) : ARRAY_SIZE(vm_rows);
	struct stats_image *image;
	size_t bytes;
	ssize_t r;

	bytes = struct_size(image, desc, nr) + nr * sizeof(u64);
	image = kzalloc(bytes, GFP_KERNEL_ACCOUNT);
	if (!image)
		return -ENOMEM;
	image_fill(image, file, rows, nr);
	r = simple_read_from_buffer(user, size, pos, image, bytes);
	kfree(image);
	return r;
}

static int stats_release(struct inode *inode, struct file *filp)
{
	struct stats_file *file = filp->private_data;

	mkvm_vm_put(file->vm);
	kfree(file);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.read = stats_read,
	.release = stats_release,
	.llseek = noop_llseek,
};

static struct stats_file *stats_file_alloc(struct mkvm *vm, struct mkvm_vcpu *vcpu)
{
	struct stats_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return NULL;
	file->vm = vm;
	file->vcpu = vcpu;
	if (vcpu)
		snprintf(file->id, sizeof(file->id), "mkvm-%d-%llu/vcpu-%u", task_tgid_nr(current),
			 vm->number, vcpu->id);
	else
		snprintf(file->id, sizeof(file->id), "mkvm-%d-%llu", task_tgid_nr(current),
			 vm->number);
	return file;
}

/* KVM_GET_STATS_FD, of @vcpu or if that is NULL of @vm: a descriptor, -EMFILE or -ENOMEM. */
long mkvm_stats_fd(struct mkvm *vm, struct mkvm_vcpu *vcpu)
{
	struct stats_file *file;
	struct file *filp;
	long r;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	r = -ENOMEM;
	file = stats_file_alloc(vm, vcpu);
	if (!file)
		goto put_fd;
	filp = anon_inode_getfile(vcpu ? "mkvm-vcpu-stats" : "mkvm-vm-stats", &stats_fops, file,
				  O_RDONLY);
	if (IS_ERR(filp)) {
		r = PTR_ERR(filp);
		goto free_file;
	}
	mkvm_vm_get(vm);
	filp->f_mode |= FMODE_PREAD;
	fd_install(fd, filp);
	return fd;

free_file:
	kfree(file);
put_fd:
	put_unused_fd(fd);
	return r;
}
