/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Model-specific registers: what the files of this noun offer each other.
 *
 * An access is the guest's (RDMSR, WRMSR) or the host's (KVM_GET_MSRS, KVM_SET_MSRS); the host may
 * more.  What a refusal is called tells user space why, if it has asked to be told.
 */
#ifndef MKVM_X86_MSR_H
#define MKVM_X86_MSR_H

#include "mkvm.h"
#include "x86/x86.h"

enum msr_result {
	MSR_OK,
	MSR_UNKNOWN,  /* there is no such register */
	MSR_INVALID,  /* there is; not this access, or not this value */
	MSR_FILTERED, /* user space has forbidden it */
};

enum msr_who {
	MSR_BY_GUEST,
	MSR_BY_HOST,
};

typedef enum msr_result (*msr_read_fn)(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				       u64 *value);
typedef enum msr_result (*msr_write_fn)(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
					u64 value);

/* What a value that is written must be, or what becomes of it. */
enum msr_rule {
	MSR_ANY,
	MSR_CANONICAL,
	MSR_SIGN_EXTENDED, /* made canonical */
	MSR_U32,
	MSR_PAT,     /* eight memory types */
	MSR_MASK,    /* only bits of the row's @value */
	MSR_IGNORED, /* anything, and forgotten */
};

/* Who may do what: the row's @rights. */
#define MSR_GUEST_R BIT(0)
#define MSR_GUEST_W BIT(1)
#define MSR_HOST_R  BIT(2)
#define MSR_HOST_W  BIT(3)
#define MSR_R	    (MSR_GUEST_R | MSR_HOST_R)
#define MSR_W	    (MSR_GUEST_W | MSR_HOST_W)
#define MSR_RW	    (MSR_R | MSR_W)
#define MSR_HOST    (MSR_HOST_R | MSR_HOST_W)

/* The row's @flags. */
#define MSR_LISTED	  BIT(0) /* KVM_GET_MSR_INDEX_LIST names it */
#define MSR_LISTED_PROBED BIT(1) /* likewise, if the host's processor has it */
#define MSR_FEATURE	  BIT(2) /* KVM_GET_MSR_FEATURE_INDEX_LIST names it */
#define MSR_FROZEN	  BIT(3) /* the host cannot change it once the vCPU has run */

/**
 * struct msr_row - some MSRs that are alike
 * @first: the first one's number
 * @last: the last one's
 * @rights: MSR_GUEST_R ...
 * @flags: MSR_LISTED ...
 * @vendor: MKVM_VENDOR_* of the host that has them; 0: any
 * @feature: what the guest must have to get at them; the host need not
 * @rule: of values that are written
 * @group: of state that holds the field
 * @offset: of the field in struct x86_vcpu; the next one's is behind it.  0: there is none
 * @value: MSR_MASK: the bits; without a field: what is read
 * @read: does it, if it is more than reading the field
 * @write: does it, if it is more than writing the field
 */
struct msr_row {
	u32 first;
	u32 last;
	u8 rights;
	u8 flags;
	u8 vendor;
	u8 feature;
	enum msr_rule rule;
	u32 group;
	size_t offset;
	u64 value;
	msr_read_fn read;
	msr_write_fn write;
};

/* msr_table.c */
extern const struct msr_row msr_rows[];
extern const unsigned int msr_nr_rows;

/* msr.c; the vCPU is loaded */
const struct msr_row *msr_find(u32 index);
enum msr_result msr_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
			 u64 *value) __must_check;
enum msr_result msr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
			  u64 value) __must_check;

/* msr_feature.c */
u64 msr_feature(u32 index); /* what the host's side of a feature MSR offers */

/* msr_mtrr.c, msr_mce.c */
enum msr_result msr_mtrr_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value);
enum msr_result msr_mce_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value);
enum msr_result msr_mce_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value);
void msr_mce_init(struct mkvm_vcpu *vcpu);

/* kvmclock_page.c */
enum msr_result msr_kvmclock_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 *value);
enum msr_result msr_kvmclock_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who, u64 value);

/* steal_time.c */
enum msr_result msr_steal_time_read(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				    u64 *value);
enum msr_result msr_steal_time_write(struct mkvm_vcpu *vcpu, u32 index, enum msr_who who,
				     u64 value);

/* msr_filter.c; the caller holds a read side of the slots' SRCU */
bool msr_is_allowed(struct mkvm_vcpu *vcpu, u32 index, u32 access);

#endif /* MKVM_X86_MSR_H */
