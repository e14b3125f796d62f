// SPDX-License-Identifier: GPL-2.0-only
/*
 * SVM as the rest of the module sees it.
 */
#include "svm/svm.h"

static int ops_setup(struct mmu_caps *caps)
{
	int r = svm_caps_setup(caps);

	if (r)
		return r;
	r = svm_vmcb_setup();
	if (r)
		return r;
	r = svm_cpu_setup();
	if (r)
		svm_vmcb_teardown();
	return r;
}

static void ops_teardown(void)
{
	svm_cpu_teardown();
	svm_vmcb_teardown();
}

static int ops_vcpu_create(struct mkvm_vcpu *vcpu)
{
	return svm_vmcb_alloc(to_svm(vcpu));
}

static void ops_vcpu_destroy(struct mkvm_vcpu *vcpu)
{
	svm_vmcb_free(to_svm(vcpu));
}

static void ops_vcpu_reset(struct mkvm_vcpu *vcpu)
{
	svm_vmcb_init(to_svm(vcpu));
}

/* Identifiers are a CPU's own, and its numbers of generations too. */
static void ops_vcpu_load(struct mkvm_vcpu *vcpu, int cpu, bool cpu_changed)
{
	if (cpu_changed)
		to_svm(vcpu)->asid_generation = 0;
}

static void ops_vcpu_put(struct mkvm_vcpu *vcpu)
{
	svm_cpu_put_tsc_aux();
}

static void ops_flush_tlb(struct mkvm_vcpu *vcpu)
{
	svm_cpu_flush(to_svm(vcpu));
}

const struct vendor_ops svm_vendor_ops = {
	.name = "SVM",
	.vendor = MKVM_VENDOR_SVM,
	.vcpu_size = sizeof(struct svm_vcpu),
	.pdptrs_are_state = false,
	.shadows_differ = false,
	.has_shadow_paging = true,

	.setup = ops_setup,
	.teardown = ops_teardown,
	.cpu_check = svm_cpu_check,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.cpu_emergency = svm_cpu_emergency,

	.vcpu_create = ops_vcpu_create,
	.vcpu_destroy = ops_vcpu_destroy,
	.vcpu_reset = ops_vcpu_reset,
	.vcpu_load = ops_vcpu_load,
	.vcpu_put = ops_vcpu_put,
	.state_fetch = svm_state_fetch,
	.flush_tlb = ops_flush_tlb,
	.enter = svm_run_enter,
	.exit_irqoff = svm_exit_irqoff,
	.handle_exit = svm_exit_handle,
	.reason_index = svm_exit_reason_index,
	.index_reason = svm_exit_index_reason,
};
