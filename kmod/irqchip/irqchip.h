/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt controllers and the timer of a PC, in the kernel.
 *
 * A device's line, a GSI, goes by the VM's routes to pins of the 8259 pair and of the I/O APIC, or
 * becomes a message.  I/O APIC, messages and processors send interrupts to local APICs, one of each
 * vCPU; the 8259 pair has one output, which vCPUs take that have their LINT0 open for it.  A vCPU
 * that gets something is kicked, and takes the vector when it enters its guest.
 *
 * All of it may be called where interrupts are off: devices' file descriptors and timers do.
 */
#ifndef MKVM_IRQCHIP_IRQCHIP_H
#define MKVM_IRQCHIP_IRQCHIP_H

#include <linux/list.h>
#include <linux/mkvm_kvm.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/types.h>
#include <asm/barrier.h>

#define IRQ_MAX_GSIS	4096 /* exclusive; what KVM_CAP_IRQ_ROUTING answers */
#define IRQ_IOAPIC_PINS KVM_IOAPIC_NUM_PINS
#define IRQ_PIC_PINS	16

struct ioapic;
struct irq_routes;
struct mkvm;
struct mkvm_vcpu;
struct pic;
struct pit;

/* Who holds a line up: it is low when nobody does. */
enum irq_source {
	IRQ_SOURCE_USER,
	IRQ_SOURCE_RESAMPLE, /* file descriptors with a resample descriptor */
	IRQ_SOURCE_PIT,
};

enum irqchip_mode {
	IRQCHIP_NONE,
	IRQCHIP_KERNEL, /* all of it */
	IRQCHIP_SPLIT,	/* local APICs; the others are user space's */
};

/**
 * struct irqchip - a VM's interrupt controllers
 * @mode: what there is; written once under vm->lock, while there is no vCPU
 * @pic: with IRQCHIP_KERNEL; set before @mode
 * @ioapic: likewise
 * @pit: if it was created; set once under vm->lock
 * @reserved_pins: of IRQCHIP_SPLIT: GSIs below are pins of user space's I/O APIC; immutable
 * @x2apic_ids: KVM_X2APIC_API_USE_32BIT_IDS; read and written by anyone
 * @no_broadcast_quirk: KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK; likewise
 * @lock: changes of routes, and who listens to or feeds interrupts by a descriptor
 * @srcu: readers of @routes, @resamplers and @ioeventfds; any context
 * @routes: written under @lock
 * @irqfds: @irqfd_lock
 * @resamplers: written under @lock
 * @ioeventfds: written under @lock
 * @irqfd_lock: @irqfds; taken with interrupts off
 * @access: a page that the processor knows accesses of local APICs' registers by: lapic_access.c;
 *	NULL: none.  Set under vm->lock, before the first vCPU
 */
struct irqchip {
	enum irqchip_mode mode;
	struct pic *pic;
	struct ioapic *ioapic;
	struct pit *pit;
	u32 reserved_pins;
	bool x2apic_ids;
	bool no_broadcast_quirk;
	struct mutex lock;
	struct srcu_struct srcu;
	struct irq_routes __rcu *routes;
	struct list_head irqfds;
	struct list_head resamplers;
	struct list_head ioeventfds;
	spinlock_t irqfd_lock;
	struct page *access;
};

/* What there is; who sees more than IRQCHIP_NONE sees the chips, too. */
static inline enum irqchip_mode irqchip_mode(const struct irqchip *chip)
{
	return smp_load_acquire(&chip->mode); /* pairs with irqchip_create() */
}

/* The 8254, or NULL. */
static inline struct pit *irqchip_pit(const struct irqchip *chip)
{
	return smp_load_acquire(&chip->pit); /* pairs with pit_create() */
}

/**
 * struct irq_msg - an interrupt on its way to local APICs
 * @dest: the destination's ID, or a set of them
 * @vector: 0 to 255
 * @mode: APIC_DM_*
 * @shorthand: APIC_DEST_SELF, _ALLINC or _ALLBUT; 0: @dest says
 * @logical: @dest is a logical destination
 * @level: level-triggered
 * @told: somebody besides the I/O APIC's pin waits for its end
 * @lowest: one of several destinations, though @mode does not say so
 * @deassert: of an INIT: it does nothing
 */
struct irq_msg {
	u32 dest;
	u8 vector;
	u16 mode;
	u32 shorthand;
	bool logical;
	bool level;
	bool told;
	bool lowest;
	bool deassert;
};

/* irqchip.c: their life, their state as user space sees it; the caller may sleep */
int irqchip_init(struct irqchip *chip) __must_check;
void irqchip_stop(struct mkvm *vm);
void irqchip_destroy(struct mkvm *vm);
int irqchip_create(struct mkvm *vm) __must_check;
int irqchip_split(struct mkvm *vm, u64 pins) __must_check;
int irqchip_x2apic_api(struct mkvm *vm, u64 flags);
int irqchip_get(struct mkvm *vm, struct kvm_irqchip *state) __must_check;
int irqchip_put(struct mkvm *vm, const struct kvm_irqchip *state) __must_check;
/* What a vCPU is to take; its owner, any context. */
bool irqchip_has_external(struct mkvm_vcpu *vcpu);
bool irqchip_has_interrupt(struct mkvm_vcpu *vcpu);
int irqchip_take_external(struct mkvm_vcpu *vcpu);
int irqchip_take_interrupt(struct mkvm_vcpu *vcpu);

/* bus.c: the guest's accesses to devices in the kernel; false: there is none.  May sleep. */
bool irqchip_mmio_read(struct mkvm_vcpu *vcpu, u64 gpa, void *data, unsigned int len);
bool irqchip_mmio_write(struct mkvm_vcpu *vcpu, u64 gpa, const void *data, unsigned int len);
bool irqchip_port_read(struct mkvm_vcpu *vcpu, u16 port, void *data, unsigned int len);
bool irqchip_port_write(struct mkvm_vcpu *vcpu, u16 port, const void *data, unsigned int len);
bool irqchip_has_port(struct mkvm *vm, u16 port);

/* routing.c; any context but an NMI */
int irq_routes_set(struct mkvm *vm, const struct kvm_irq_routing *head,
		   const struct kvm_irq_routing_entry __user *user) __must_check;
int irq_routes_default(struct mkvm *vm) __must_check;
void irq_routes_destroy(struct irqchip *chip);
int irq_set_line(struct mkvm *vm, enum irq_source source, u32 gsi, bool level);
int irq_send_msi(struct mkvm *vm, const struct kvm_msi *msi);
bool irq_pin_has_resampler(struct mkvm *vm, unsigned int chip, unsigned int pin);
bool irq_is_awaited(struct mkvm *vm, unsigned int chip, unsigned int pin);
void irq_acked(struct mkvm *vm, unsigned int chip, unsigned int pin);
void irq_opened(struct mkvm *vm, unsigned int chip, unsigned int pin);
bool irq_routes_level_vector(struct mkvm *vm, u8 vector);

/* deliver.c: how many got it.  Any context but an NMI. */
int irq_deliver(struct mkvm *vm, struct mkvm_vcpu *from, const struct irq_msg *msg);
int irq_deliver_set(struct mkvm *vm, const u64 set[2], unsigned int bits, u32 min,
		    const struct irq_msg *msg);
void irq_end_halt(struct mkvm *vm, u32 apic_id);

/* pic.c; ioapic.c; pit.c */
struct pic *pic_create(struct mkvm *vm);
void pic_destroy(struct pic *pic);
int pic_set_line(struct pic *pic, enum irq_source source, unsigned int pin, bool level);
int pic_take(struct pic *pic);
bool pic_output(const struct pic *pic);
u8 pic_read(struct pic *pic, u16 port);
void pic_write(struct pic *pic, u16 port, u8 value);
bool pic_has_port(u16 port);
void pic_get(struct pic *pic, unsigned int which, struct kvm_pic_state *state);
void pic_put(struct pic *pic, unsigned int which, const struct kvm_pic_state *state);

struct ioapic *ioapic_create(struct mkvm *vm);
void ioapic_destroy(struct ioapic *ioapic);
int ioapic_set_line(struct ioapic *ioapic, enum irq_source source, unsigned int pin, bool level);
void ioapic_eoi(struct ioapic *ioapic, u8 vector, bool level, bool directed);
bool ioapic_has_gpa(u64 gpa);
void ioapic_read(struct ioapic *ioapic, u64 gpa, void *data, unsigned int len);
void ioapic_write(struct ioapic *ioapic, u64 gpa, const void *data, unsigned int len);
void ioapic_get(struct ioapic *ioapic, struct kvm_ioapic_state *state);
void ioapic_put(struct ioapic *ioapic, const struct kvm_ioapic_state *state);

int pit_create(struct mkvm *vm, const struct kvm_pit_config *config) __must_check;
void pit_destroy(struct pit *pit);
bool pit_has_port(const struct pit *pit, u16 port);
u8 pit_read(struct pit *pit, u16 port);
void pit_write(struct pit *pit, u16 port, u8 value);
void pit_acked(struct pit *pit);
void pit_forget_owed(struct pit *pit);
void pit_get(struct pit *pit, struct kvm_pit_state2 *state);
void pit_put(struct pit *pit, const struct kvm_pit_state2 *state);
void pit_set_reinject(struct pit *pit, bool reinject);

/* irqfd.c, ioeventfd.c; the caller may sleep */
int irqfd_set(struct mkvm *vm, const struct kvm_irqfd *args) __must_check;
void irqfd_destroy_all(struct mkvm *vm);
void irqfd_acked(struct mkvm *vm, u32 gsi);
bool irqfd_resamples(struct mkvm *vm, u32 gsi);
int irqfd_init(void) __must_check;
void irqfd_exit(void);
int ioeventfd_set(struct mkvm *vm, const struct kvm_ioeventfd *args) __must_check;
bool ioeventfd_write(struct mkvm *vm, bool port, u64 addr, const void *data, unsigned int len);
void ioeventfd_destroy_all(struct irqchip *chip);

#endif /* MKVM_IRQCHIP_IRQCHIP_H */
