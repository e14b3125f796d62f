// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host is short of memory: what a VM can do without are its shadow tables, which faults make
 * anew.  Each VM has a shrinker of its own; the kernel asks them in turn.
 */
#include "mkvm.h"

static struct mkvm *vm_of(struct shrinker *shrinker)
{
	return container_of(compat_shrinker_of(shrinker), struct mkvm, shrinker);
}

static unsigned long vm_count(struct shrinker *shrinker, struct shrink_control *sc)
{
	return mmu_shadow_pages(&vm_of(shrinker)->mmu) ?: SHRINK_EMPTY;
}

static unsigned long vm_scan(struct shrinker *shrinker, struct shrink_control *sc)
{
	return mmu_shadow_shrink(&vm_of(shrinker)->mmu, sc->nr_to_scan) ?: SHRINK_STOP;
}

/* May sleep.  0 or -ENOMEM. */
int mkvm_shrinker_register(struct mkvm *vm)
{
	return compat_shrinker_register(&vm->shrinker, "mkvm-shadow", vm_count, vm_scan);
}

/* May sleep. */
void mkvm_shrinker_unregister(struct mkvm *vm)
{
	compat_shrinker_unregister(&vm->shrinker);
}
