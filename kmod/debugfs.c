// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a VM shows to who looks for faults: a directory of its own in debugfs, named after its
 * process and its number.  Nothing depends on it: without debugfs there is none.
 *
 * "audit" walks all host tables and tells the first entry that cannot be derived from slots, host
 * and dirty log, or that there is none.  The host's frames are compared only if the reader is a
 * thread of the VM's process.
 */
#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include "mkvm.h"

static struct dentry *debugfs_root;

/* Under the MMU's lock, which keeps the host from taking away what is mapped. */
static bool audit_is_frame(void *data, hva_t hva, hfn_t hfn, bool writable)
{
	struct page *page;
	bool same;

	if (writable && host_map_denies_write(hva))
		return false;
	/* What is not there, or not without sleeping, is not known to be wrong. */
	if (get_user_pages_fast_only(hva, 1, writable ? FOLL_WRITE : 0, &page) != 1)
		return true;
	same = page_to_pfn(page) == hfn;
	put_page(page);
	return same;
}

static int audit_show(struct seq_file *m, void *unused)
{
	struct mkvm *vm = m->private;
	struct mmu_audit audit = { 0 };
	int level;

	if (current->mm == vm->mm)
		audit.is_frame = audit_is_frame;
	mmu_audit(&vm->mmu, &audit);
	if (audit.found)
		seq_printf(m, "%s: gfn 0x%llx level %d entry 0x%llx\n", audit.found, audit.gfn,
			   audit.level, audit.entry);
	else
		seq_puts(m, "ok\n");
	seq_printf(m, "table pages %llu, retired %llu\n", audit.pages, audit.retired);
	seq_printf(m, "table bytes %zu, metadata bytes %llu\n", mmu_table_bytes(&vm->mmu),
		   mkvm_metadata_bytes(vm));
	for (level = 1; level <= MMU_MAX_LEVEL; level++)
		if (audit.mapped[level])
			seq_printf(m, "level %d leaves %llu\n", level, audit.mapped[level]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(audit);

/* The VM is whole, but not yet visible to others.  May sleep. */
void mkvm_debugfs_add(struct mkvm *vm)
{
	char name[48];

	snprintf(name, sizeof(name), "%d-%llu", task_tgid_nr(current), vm->number);
	vm->debugfs = debugfs_create_dir(name, debugfs_root);
	debugfs_create_file("audit", 0400, vm->debugfs, vm, &audit_fops);
}

/* Nobody reads any more when this returns.  May sleep. */
void mkvm_debugfs_remove(struct mkvm *vm)
{
	debugfs_remove(vm->debugfs);
}

void mkvm_debugfs_init(void)
{
	debugfs_root = debugfs_create_dir("mkvm", NULL);
}

void mkvm_debugfs_exit(void)
{
	debugfs_remove(debugfs_root);
}
