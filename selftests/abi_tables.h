/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ABI in numbers: sizes, offsets and ioctls as they are for good.
 */
#ifndef SELFTESTS_ABI_TABLES_H
#define SELFTESTS_ABI_TABLES_H

/* clang-format off */

#define ABI_STRUCTS(SIZE, FIELD) \
	SIZE(kvm_run, 2352) \
	FIELD(kvm_run, request_interrupt_window, 0) \
	FIELD(kvm_run, immediate_exit, 1) \
	FIELD(kvm_run, exit_reason, 8) \
	FIELD(kvm_run, ready_for_interrupt_injection, 12) \
	FIELD(kvm_run, if_flag, 13) \
	FIELD(kvm_run, flags, 14) \
	FIELD(kvm_run, cr8, 16) \
	FIELD(kvm_run, apic_base, 24) \
	FIELD(kvm_run, hw.hardware_exit_reason, 32) \
	FIELD(kvm_run, fail_entry.hardware_entry_failure_reason, 32) \
	FIELD(kvm_run, fail_entry.cpu, 40) \
	FIELD(kvm_run, ex.exception, 32) \
	FIELD(kvm_run, ex.error_code, 36) \
	FIELD(kvm_run, io.direction, 32) \
	FIELD(kvm_run, io.size, 33) \
	FIELD(kvm_run, io.port, 34) \
	FIELD(kvm_run, io.count, 36) \
	FIELD(kvm_run, io.data_offset, 40) \
	FIELD(kvm_run, debug.arch, 32) \
	FIELD(kvm_run, mmio.phys_addr, 32) \
	FIELD(kvm_run, mmio.data, 40) \
	FIELD(kvm_run, mmio.len, 48) \
	FIELD(kvm_run, mmio.is_write, 52) \
	FIELD(kvm_run, internal.suberror, 32) \
	FIELD(kvm_run, internal.ndata, 36) \
	FIELD(kvm_run, internal.data, 40) \
	FIELD(kvm_run, emulation_failure.flags, 40) \
	FIELD(kvm_run, emulation_failure.insn_size, 48) \
	FIELD(kvm_run, emulation_failure.insn_bytes, 49) \
	FIELD(kvm_run, msr.error, 32) \
	FIELD(kvm_run, msr.reason, 40) \
	FIELD(kvm_run, msr.index, 44) \
	FIELD(kvm_run, msr.data, 48) \
	FIELD(kvm_run, kvm_valid_regs, 288) \
	FIELD(kvm_run, kvm_dirty_regs, 296) \
	FIELD(kvm_run, s.regs, 304) \
	SIZE(kvm_debug_exit_arch, 32) \
	FIELD(kvm_debug_exit_arch, exception, 0) \
	FIELD(kvm_debug_exit_arch, pc, 8) \
	FIELD(kvm_debug_exit_arch, dr6, 16) \
	FIELD(kvm_debug_exit_arch, dr7, 24) \
	SIZE(kvm_regs, 144) \
	FIELD(kvm_regs, rax, 0) \
	FIELD(kvm_regs, rbx, 8) \
	FIELD(kvm_regs, rcx, 16) \
	FIELD(kvm_regs, rdx, 24) \
	FIELD(kvm_regs, rsi, 32) \
	FIELD(kvm_regs, rdi, 40) \
	FIELD(kvm_regs, rsp, 48) \
	FIELD(kvm_regs, rbp, 56) \
	FIELD(kvm_regs, r8, 64) \
	FIELD(kvm_regs, r15, 120) \
	FIELD(kvm_regs, rip, 128) \
	FIELD(kvm_regs, rflags, 136) \
	SIZE(kvm_segment, 24) \
	FIELD(kvm_segment, base, 0) \
	FIELD(kvm_segment, limit, 8) \
	FIELD(kvm_segment, selector, 12) \
	FIELD(kvm_segment, type, 14) \
	FIELD(kvm_segment, present, 15) \
	FIELD(kvm_segment, dpl, 16) \
	FIELD(kvm_segment, db, 17) \
	FIELD(kvm_segment, s, 18) \
	FIELD(kvm_segment, l, 19) \
	FIELD(kvm_segment, g, 20) \
	FIELD(kvm_segment, avl, 21) \
	FIELD(kvm_segment, unusable, 22) \
	SIZE(kvm_dtable, 16) \
	FIELD(kvm_dtable, base, 0) \
	FIELD(kvm_dtable, limit, 8) \
	SIZE(kvm_sregs, 312) \
	FIELD(kvm_sregs, cs, 0) \
	FIELD(kvm_sregs, ds, 24) \
	FIELD(kvm_sregs, es, 48) \
	FIELD(kvm_sregs, fs, 72) \
	FIELD(kvm_sregs, gs, 96) \
	FIELD(kvm_sregs, ss, 120) \
	FIELD(kvm_sregs, tr, 144) \
	FIELD(kvm_sregs, ldt, 168) \
	FIELD(kvm_sregs, gdt, 192) \
	FIELD(kvm_sregs, idt, 208) \
	FIELD(kvm_sregs, cr0, 224) \
	FIELD(kvm_sregs, cr2, 232) \
	FIELD(kvm_sregs, cr3, 240) \
	FIELD(kvm_sregs, cr4, 248) \
	FIELD(kvm_sregs, cr8, 256) \
	FIELD(kvm_sregs, efer, 264) \
	FIELD(kvm_sregs, apic_base, 272) \
	FIELD(kvm_sregs, interrupt_bitmap, 280) \
	SIZE(kvm_sregs2, 320) \
	FIELD(kvm_sregs2, cs, 0) \
	FIELD(kvm_sregs2, tr, 144) \
	FIELD(kvm_sregs2, ldt, 168) \
	FIELD(kvm_sregs2, gdt, 192) \
	FIELD(kvm_sregs2, idt, 208) \
	FIELD(kvm_sregs2, cr0, 224) \
	FIELD(kvm_sregs2, cr4, 248) \
	FIELD(kvm_sregs2, cr8, 256) \
	FIELD(kvm_sregs2, efer, 264) \
	FIELD(kvm_sregs2, apic_base, 272) \
	FIELD(kvm_sregs2, flags, 280) \
	FIELD(kvm_sregs2, pdptrs, 288) \
	SIZE(kvm_fpu, 416) \
	FIELD(kvm_fpu, fpr, 0) \
	FIELD(kvm_fpu, fcw, 128) \
	FIELD(kvm_fpu, fsw, 130) \
	FIELD(kvm_fpu, ftwx, 132) \
	FIELD(kvm_fpu, last_opcode, 134) \
	FIELD(kvm_fpu, last_ip, 136) \
	FIELD(kvm_fpu, last_dp, 144) \
	FIELD(kvm_fpu, xmm, 152) \
	FIELD(kvm_fpu, mxcsr, 408) \
	SIZE(kvm_xsave, 4096) \
	FIELD(kvm_xsave, region, 0) \
	SIZE(kvm_xcr, 16) \
	FIELD(kvm_xcr, xcr, 0) \
	FIELD(kvm_xcr, value, 8) \
	SIZE(kvm_xcrs, 392) \
	FIELD(kvm_xcrs, nr_xcrs, 0) \
	FIELD(kvm_xcrs, flags, 4) \
	FIELD(kvm_xcrs, xcrs, 8) \
	SIZE(kvm_msr_entry, 16) \
	FIELD(kvm_msr_entry, index, 0) \
	FIELD(kvm_msr_entry, data, 8) \
	SIZE(kvm_msrs, 8) \
	FIELD(kvm_msrs, nmsrs, 0) \
	FIELD(kvm_msrs, entries, 8) \
	SIZE(kvm_msr_list, 4) \
	FIELD(kvm_msr_list, nmsrs, 0) \
	FIELD(kvm_msr_list, indices, 4) \
	SIZE(kvm_cpuid_entry2, 40) \
	FIELD(kvm_cpuid_entry2, function, 0) \
	FIELD(kvm_cpuid_entry2, index, 4) \
	FIELD(kvm_cpuid_entry2, flags, 8) \
	FIELD(kvm_cpuid_entry2, eax, 12) \
	FIELD(kvm_cpuid_entry2, ebx, 16) \
	FIELD(kvm_cpuid_entry2, ecx, 20) \
	FIELD(kvm_cpuid_entry2, edx, 24) \
	SIZE(kvm_cpuid2, 8) \
	FIELD(kvm_cpuid2, nent, 0) \
	FIELD(kvm_cpuid2, entries, 8) \
	SIZE(kvm_clock_data, 48) \
	FIELD(kvm_clock_data, clock, 0) \
	FIELD(kvm_clock_data, flags, 8) \
	FIELD(kvm_clock_data, realtime, 16) \
	FIELD(kvm_clock_data, host_tsc, 24) \
	SIZE(kvm_debugregs, 128) \
	FIELD(kvm_debugregs, db, 0) \
	FIELD(kvm_debugregs, dr6, 32) \
	FIELD(kvm_debugregs, dr7, 40) \
	FIELD(kvm_debugregs, flags, 48) \
	SIZE(kvm_vcpu_events, 64) \
	FIELD(kvm_vcpu_events, exception.injected, 0) \
	FIELD(kvm_vcpu_events, exception.nr, 1) \
	FIELD(kvm_vcpu_events, exception.has_error_code, 2) \
	FIELD(kvm_vcpu_events, exception.pending, 3) \
	FIELD(kvm_vcpu_events, exception.error_code, 4) \
	FIELD(kvm_vcpu_events, interrupt.injected, 8) \
	FIELD(kvm_vcpu_events, interrupt.nr, 9) \
	FIELD(kvm_vcpu_events, interrupt.soft, 10) \
	FIELD(kvm_vcpu_events, interrupt.shadow, 11) \
	FIELD(kvm_vcpu_events, nmi.injected, 12) \
	FIELD(kvm_vcpu_events, nmi.pending, 13) \
	FIELD(kvm_vcpu_events, nmi.masked, 14) \
	FIELD(kvm_vcpu_events, sipi_vector, 16) \
	FIELD(kvm_vcpu_events, flags, 20) \
	FIELD(kvm_vcpu_events, smi, 24) \
	FIELD(kvm_vcpu_events, triple_fault.pending, 28) \
	FIELD(kvm_vcpu_events, exception_has_payload, 55) \
	FIELD(kvm_vcpu_events, exception_payload, 56) \
	SIZE(kvm_mp_state, 4) \
	FIELD(kvm_mp_state, mp_state, 0) \
	SIZE(kvm_interrupt, 4) \
	FIELD(kvm_interrupt, irq, 0) \
	SIZE(kvm_translation, 24) \
	FIELD(kvm_translation, linear_address, 0) \
	FIELD(kvm_translation, physical_address, 8) \
	FIELD(kvm_translation, valid, 16) \
	FIELD(kvm_translation, writeable, 17) \
	FIELD(kvm_translation, usermode, 18) \
	SIZE(kvm_signal_mask, 4) \
	FIELD(kvm_signal_mask, len, 0) \
	FIELD(kvm_signal_mask, sigset, 4) \
	SIZE(kvm_guest_debug, 72) \
	FIELD(kvm_guest_debug, control, 0) \
	FIELD(kvm_guest_debug, arch, 8) \
	SIZE(kvm_sync_regs, 520) \
	FIELD(kvm_sync_regs, regs, 0) \
	FIELD(kvm_sync_regs, sregs, 144) \
	FIELD(kvm_sync_regs, events, 456) \
	SIZE(kvm_userspace_memory_region, 32) \
	FIELD(kvm_userspace_memory_region, slot, 0) \
	FIELD(kvm_userspace_memory_region, flags, 4) \
	FIELD(kvm_userspace_memory_region, guest_phys_addr, 8) \
	FIELD(kvm_userspace_memory_region, memory_size, 16) \
	FIELD(kvm_userspace_memory_region, userspace_addr, 24) \
	SIZE(kvm_userspace_memory_region2, 160) \
	FIELD(kvm_userspace_memory_region2, slot, 0) \
	FIELD(kvm_userspace_memory_region2, flags, 4) \
	FIELD(kvm_userspace_memory_region2, guest_phys_addr, 8) \
	FIELD(kvm_userspace_memory_region2, memory_size, 16) \
	FIELD(kvm_userspace_memory_region2, userspace_addr, 24) \
	FIELD(kvm_userspace_memory_region2, guest_memfd_offset, 32) \
	FIELD(kvm_userspace_memory_region2, guest_memfd, 40) \
	SIZE(kvm_dirty_log, 16) \
	FIELD(kvm_dirty_log, slot, 0) \
	FIELD(kvm_dirty_log, dirty_bitmap, 8) \
	SIZE(kvm_clear_dirty_log, 24) \
	FIELD(kvm_clear_dirty_log, slot, 0) \
	FIELD(kvm_clear_dirty_log, num_pages, 4) \
	FIELD(kvm_clear_dirty_log, first_page, 8) \
	FIELD(kvm_clear_dirty_log, dirty_bitmap, 16) \
	SIZE(kvm_enable_cap, 104) \
	FIELD(kvm_enable_cap, cap, 0) \
	FIELD(kvm_enable_cap, flags, 4) \
	FIELD(kvm_enable_cap, args, 8) \
	SIZE(kvm_coalesced_mmio_zone, 16) \
	FIELD(kvm_coalesced_mmio_zone, addr, 0) \
	FIELD(kvm_coalesced_mmio_zone, size, 8) \
	FIELD(kvm_coalesced_mmio_zone, pio, 12) \
	SIZE(kvm_coalesced_mmio, 24) \
	FIELD(kvm_coalesced_mmio, phys_addr, 0) \
	FIELD(kvm_coalesced_mmio, len, 8) \
	FIELD(kvm_coalesced_mmio, pio, 12) \
	FIELD(kvm_coalesced_mmio, data, 16) \
	SIZE(kvm_coalesced_mmio_ring, 8) \
	FIELD(kvm_coalesced_mmio_ring, first, 0) \
	FIELD(kvm_coalesced_mmio_ring, last, 4) \
	FIELD(kvm_coalesced_mmio_ring, coalesced_mmio, 8) \
	SIZE(kvm_msr_filter_range, 24) \
	FIELD(kvm_msr_filter_range, flags, 0) \
	FIELD(kvm_msr_filter_range, nmsrs, 4) \
	FIELD(kvm_msr_filter_range, base, 8) \
	FIELD(kvm_msr_filter_range, bitmap, 16) \
	SIZE(kvm_msr_filter, 392) \
	FIELD(kvm_msr_filter, flags, 0) \
	FIELD(kvm_msr_filter, ranges, 8) \
	SIZE(kvm_stats_header, 24) \
	FIELD(kvm_stats_header, flags, 0) \
	FIELD(kvm_stats_header, name_size, 4) \
	FIELD(kvm_stats_header, num_desc, 8) \
	FIELD(kvm_stats_header, id_offset, 12) \
	FIELD(kvm_stats_header, desc_offset, 16) \
	FIELD(kvm_stats_header, data_offset, 20) \
	SIZE(kvm_stats_desc, 16) \
	FIELD(kvm_stats_desc, flags, 0) \
	FIELD(kvm_stats_desc, exponent, 4) \
	FIELD(kvm_stats_desc, size, 6) \
	FIELD(kvm_stats_desc, offset, 8) \
	FIELD(kvm_stats_desc, bucket_size, 12) \
	FIELD(kvm_stats_desc, name, 16) \
	SIZE(kvm_pre_fault_memory, 64) \
	FIELD(kvm_pre_fault_memory, gpa, 0) \
	FIELD(kvm_pre_fault_memory, size, 8) \
	FIELD(kvm_pre_fault_memory, flags, 16) \
	FIELD(kvm_pre_fault_memory, padding, 24) \
	SIZE(kvm_irq_level, 8) \
	FIELD(kvm_irq_level, irq, 0) \
	FIELD(kvm_irq_level, level, 4) \
	SIZE(kvm_pic_state, 16) \
	FIELD(kvm_pic_state, last_irr, 0) \
	FIELD(kvm_pic_state, irr, 1) \
	FIELD(kvm_pic_state, imr, 2) \
	FIELD(kvm_pic_state, isr, 3) \
	FIELD(kvm_pic_state, priority_add, 4) \
	FIELD(kvm_pic_state, irq_base, 5) \
	FIELD(kvm_pic_state, read_reg_select, 6) \
	FIELD(kvm_pic_state, poll, 7) \
	FIELD(kvm_pic_state, special_mask, 8) \
	FIELD(kvm_pic_state, init_state, 9) \
	FIELD(kvm_pic_state, auto_eoi, 10) \
	FIELD(kvm_pic_state, rotate_on_auto_eoi, 11) \
	FIELD(kvm_pic_state, special_fully_nested_mode, 12) \
	FIELD(kvm_pic_state, init4, 13) \
	FIELD(kvm_pic_state, elcr, 14) \
	FIELD(kvm_pic_state, elcr_mask, 15) \
	SIZE(kvm_ioapic_state, 216) \
	FIELD(kvm_ioapic_state, base_address, 0) \
	FIELD(kvm_ioapic_state, ioregsel, 8) \
	FIELD(kvm_ioapic_state, id, 12) \
	FIELD(kvm_ioapic_state, irr, 16) \
	FIELD(kvm_ioapic_state, pad, 20) \
	FIELD(kvm_ioapic_state, redirtbl, 24) \
	SIZE(kvm_irqchip, 520) \
	FIELD(kvm_irqchip, chip_id, 0) \
	FIELD(kvm_irqchip, pad, 4) \
	FIELD(kvm_irqchip, chip, 8) \
	SIZE(kvm_lapic_state, 1024) \
	FIELD(kvm_lapic_state, regs, 0) \
	SIZE(kvm_irq_routing_entry, 48) \
	FIELD(kvm_irq_routing_entry, gsi, 0) \
	FIELD(kvm_irq_routing_entry, type, 4) \
	FIELD(kvm_irq_routing_entry, flags, 8) \
	FIELD(kvm_irq_routing_entry, pad, 12) \
	FIELD(kvm_irq_routing_entry, u, 16) \
	SIZE(kvm_irq_routing, 8) \
	FIELD(kvm_irq_routing, nr, 0) \
	FIELD(kvm_irq_routing, flags, 4) \
	FIELD(kvm_irq_routing, entries, 8) \
	SIZE(kvm_irq_routing_irqchip, 8) \
	FIELD(kvm_irq_routing_irqchip, irqchip, 0) \
	FIELD(kvm_irq_routing_irqchip, pin, 4) \
	SIZE(kvm_irq_routing_msi, 16) \
	FIELD(kvm_irq_routing_msi, address_lo, 0) \
	FIELD(kvm_irq_routing_msi, address_hi, 4) \
	FIELD(kvm_irq_routing_msi, data, 8) \
	FIELD(kvm_irq_routing_msi, devid, 12) \
	SIZE(kvm_msi, 32) \
	FIELD(kvm_msi, address_lo, 0) \
	FIELD(kvm_msi, address_hi, 4) \
	FIELD(kvm_msi, data, 8) \
	FIELD(kvm_msi, flags, 12) \
	FIELD(kvm_msi, devid, 16) \
	FIELD(kvm_msi, pad, 20) \
	SIZE(kvm_irqfd, 32) \
	FIELD(kvm_irqfd, fd, 0) \
	FIELD(kvm_irqfd, gsi, 4) \
	FIELD(kvm_irqfd, flags, 8) \
	FIELD(kvm_irqfd, resamplefd, 12) \
	FIELD(kvm_irqfd, pad, 16) \
	SIZE(kvm_ioeventfd, 64) \
	FIELD(kvm_ioeventfd, datamatch, 0) \
	FIELD(kvm_ioeventfd, addr, 8) \
	FIELD(kvm_ioeventfd, len, 16) \
	FIELD(kvm_ioeventfd, fd, 20) \
	FIELD(kvm_ioeventfd, flags, 24) \
	FIELD(kvm_ioeventfd, pad, 28) \
	SIZE(kvm_pit_config, 64) \
	FIELD(kvm_pit_config, flags, 0) \
	FIELD(kvm_pit_config, pad, 4) \
	SIZE(kvm_pit_channel_state, 24) \
	FIELD(kvm_pit_channel_state, count, 0) \
	FIELD(kvm_pit_channel_state, latched_count, 4) \
	FIELD(kvm_pit_channel_state, count_latched, 6) \
	FIELD(kvm_pit_channel_state, status_latched, 7) \
	FIELD(kvm_pit_channel_state, status, 8) \
	FIELD(kvm_pit_channel_state, read_state, 9) \
	FIELD(kvm_pit_channel_state, write_state, 10) \
	FIELD(kvm_pit_channel_state, write_latch, 11) \
	FIELD(kvm_pit_channel_state, rw_mode, 12) \
	FIELD(kvm_pit_channel_state, mode, 13) \
	FIELD(kvm_pit_channel_state, bcd, 14) \
	FIELD(kvm_pit_channel_state, gate, 15) \
	FIELD(kvm_pit_channel_state, count_load_time, 16) \
	SIZE(kvm_pit_state, 72) \
	FIELD(kvm_pit_state, channels, 0) \
	SIZE(kvm_pit_state2, 112) \
	FIELD(kvm_pit_state2, channels, 0) \
	FIELD(kvm_pit_state2, flags, 72) \
	FIELD(kvm_pit_state2, reserved, 76) \
	SIZE(kvm_reinject_control, 32) \
	FIELD(kvm_reinject_control, pit_reinject, 0) \
	FIELD(kvm_reinject_control, reserved, 1) \
	SIZE(kvm_x86_mce, 64) \
	FIELD(kvm_x86_mce, status, 0) \
	FIELD(kvm_x86_mce, addr, 8) \
	FIELD(kvm_x86_mce, misc, 16) \
	FIELD(kvm_x86_mce, mcg_status, 24) \
	FIELD(kvm_x86_mce, bank, 32) \
	FIELD(kvm_x86_mce, pad1, 33) \
	FIELD(kvm_x86_mce, pad2, 40) \
	SIZE(kvm_cpuid, 8) \
	FIELD(kvm_cpuid, nent, 0) \
	FIELD(kvm_cpuid, padding, 4) \
	FIELD(kvm_cpuid, entries, 8) \
	SIZE(kvm_cpuid_entry, 24) \
	FIELD(kvm_cpuid_entry, function, 0) \
	FIELD(kvm_cpuid_entry, eax, 4) \
	FIELD(kvm_cpuid_entry, ebx, 8) \
	FIELD(kvm_cpuid_entry, ecx, 12) \
	FIELD(kvm_cpuid_entry, edx, 16) \
	FIELD(kvm_cpuid_entry, padding, 20) \
	SIZE(kvm_clock_pairing, 64) \
	FIELD(kvm_clock_pairing, sec, 0) \
	FIELD(kvm_clock_pairing, nsec, 8) \
	FIELD(kvm_clock_pairing, tsc, 16) \
	FIELD(kvm_clock_pairing, flags, 24) \
	FIELD(kvm_clock_pairing, pad, 28) \
	SIZE(kvm_steal_time, 64) \
	FIELD(kvm_steal_time, steal, 0) \
	FIELD(kvm_steal_time, version, 8) \
	FIELD(kvm_steal_time, flags, 12) \
	FIELD(kvm_steal_time, preempted, 16) \
	FIELD(kvm_steal_time, u8_pad, 17) \
	FIELD(kvm_steal_time, pad, 20)

/*
 * Name, number, descriptors that have it, argument: NONE: must be 0.  VALUE: a number.  IN, OUT,
 * INOUT: an address.  IN_OR_NULL: so, and none is an answer as well.  LATER: an address that not
 * every kvm looks at first, or at all.
 */
#define ABI_IOCTLS(IOCTL) \
	IOCTL(KVM_GET_API_VERSION, 0x0000ae00, DEV, NONE) \
	IOCTL(KVM_CREATE_VM, 0x0000ae01, DEV, VALUE) \
	IOCTL(KVM_CHECK_EXTENSION, 0x0000ae03, DEV|VM, VALUE) \
	IOCTL(KVM_GET_VCPU_MMAP_SIZE, 0x0000ae04, DEV, NONE) \
	IOCTL(KVM_GET_SUPPORTED_CPUID, 0xc008ae05, DEV, INOUT) \
	IOCTL(KVM_GET_EMULATED_CPUID, 0xc008ae09, DEV, INOUT) \
	IOCTL(KVM_GET_MSR_INDEX_LIST, 0xc004ae02, DEV, INOUT) \
	IOCTL(KVM_GET_MSR_FEATURE_INDEX_LIST, 0xc004ae0a, DEV, INOUT) \
	IOCTL(KVM_X86_GET_MCE_CAP_SUPPORTED, 0x8008ae9d, DEV, OUT) \
	IOCTL(KVM_CREATE_VCPU, 0x0000ae41, VM, VALUE) \
	IOCTL(KVM_ENABLE_CAP, 0x4068aea3, VM|VCPU, IN) \
	IOCTL(KVM_SET_USER_MEMORY_REGION, 0x4020ae46, VM, IN) \
	IOCTL(KVM_SET_USER_MEMORY_REGION2, 0x40a0ae49, VM, IN) \
	IOCTL(KVM_GET_DIRTY_LOG, 0x4010ae42, VM, IN) \
	IOCTL(KVM_CLEAR_DIRTY_LOG, 0xc018aec0, VM, IN) \
	IOCTL(KVM_SET_TSS_ADDR, 0x0000ae47, VM, VALUE) \
	IOCTL(KVM_SET_IDENTITY_MAP_ADDR, 0x4008ae48, VM, IN) \
	IOCTL(KVM_SET_BOOT_CPU_ID, 0x0000ae78, VM, VALUE) \
	IOCTL(KVM_SET_NR_MMU_PAGES, 0x0000ae44, VM, VALUE) \
	IOCTL(KVM_GET_NR_MMU_PAGES, 0x0000ae45, VM, VALUE) \
	IOCTL(KVM_REGISTER_COALESCED_MMIO, 0x4010ae67, VM, IN) \
	IOCTL(KVM_UNREGISTER_COALESCED_MMIO, 0x4010ae68, VM, IN) \
	IOCTL(KVM_X86_SET_MSR_FILTER, 0x4188aec6, VM, IN) \
	IOCTL(KVM_CREATE_IRQCHIP, 0x0000ae60, VM, VALUE) \
	IOCTL(KVM_IRQ_LINE, 0x4008ae61, VM, IN) \
	IOCTL(KVM_IRQ_LINE_STATUS, 0xc008ae67, VM, INOUT) \
	IOCTL(KVM_GET_IRQCHIP, 0xc208ae62, VM, INOUT) \
	IOCTL(KVM_SET_IRQCHIP, 0x8208ae63, VM, IN) \
	IOCTL(KVM_SET_GSI_ROUTING, 0x4008ae6a, VM, IN) \
	IOCTL(KVM_SIGNAL_MSI, 0x4020aea5, VM, IN) \
	IOCTL(KVM_IRQFD, 0x4020ae76, VM, IN) \
	IOCTL(KVM_IOEVENTFD, 0x4040ae79, VM, IN) \
	IOCTL(KVM_CREATE_PIT, 0x0000ae64, VM, VALUE) \
	IOCTL(KVM_CREATE_PIT2, 0x4040ae77, VM, IN) \
	IOCTL(KVM_GET_PIT, 0xc048ae65, VM, LATER) \
	IOCTL(KVM_SET_PIT, 0x8048ae66, VM, IN) \
	IOCTL(KVM_GET_PIT2, 0x8070ae9f, VM, LATER) \
	IOCTL(KVM_SET_PIT2, 0x4070aea0, VM, IN) \
	IOCTL(KVM_REINJECT_CONTROL, 0x0000ae71, VM, IN) \
	IOCTL(KVM_RUN, 0x0000ae80, VCPU, NONE) \
	IOCTL(KVM_GET_REGS, 0x8090ae81, VCPU, OUT) \
	IOCTL(KVM_SET_REGS, 0x4090ae82, VCPU, IN) \
	IOCTL(KVM_GET_SREGS, 0x8138ae83, VCPU, OUT) \
	IOCTL(KVM_SET_SREGS, 0x4138ae84, VCPU, IN) \
	IOCTL(KVM_GET_SREGS2, 0x8140aecc, VCPU, OUT) \
	IOCTL(KVM_SET_SREGS2, 0x4140aecd, VCPU, IN) \
	IOCTL(KVM_GET_FPU, 0x81a0ae8c, VCPU, OUT) \
	IOCTL(KVM_SET_FPU, 0x41a0ae8d, VCPU, IN) \
	IOCTL(KVM_GET_XSAVE, 0x9000aea4, VCPU, OUT) \
	IOCTL(KVM_SET_XSAVE, 0x5000aea5, VCPU, IN) \
	IOCTL(KVM_GET_XSAVE2, 0x9000aecf, VCPU, OUT) \
	IOCTL(KVM_GET_XCRS, 0x8188aea6, VCPU, OUT) \
	IOCTL(KVM_SET_XCRS, 0x4188aea7, VCPU, IN) \
	IOCTL(KVM_GET_MSRS, 0xc008ae88, DEV|VCPU, INOUT) \
	IOCTL(KVM_SET_MSRS, 0x4008ae89, VCPU, IN) \
	IOCTL(KVM_SET_CPUID, 0x4008ae8a, VCPU, IN) \
	IOCTL(KVM_X86_SETUP_MCE, 0x4008ae9c, VCPU, IN) \
	IOCTL(KVM_SET_CPUID2, 0x4008ae90, VCPU, IN) \
	IOCTL(KVM_GET_CPUID2, 0xc008ae91, VCPU, INOUT) \
	IOCTL(KVM_GET_DEBUGREGS, 0x8080aea1, VCPU, OUT) \
	IOCTL(KVM_SET_DEBUGREGS, 0x4080aea2, VCPU, IN) \
	IOCTL(KVM_GET_VCPU_EVENTS, 0x8040ae9f, VCPU, OUT) \
	IOCTL(KVM_SET_VCPU_EVENTS, 0x4040aea0, VCPU, IN) \
	IOCTL(KVM_GET_MP_STATE, 0x8004ae98, VCPU, OUT) \
	IOCTL(KVM_SET_MP_STATE, 0x4004ae99, VCPU, IN) \
	IOCTL(KVM_SET_TSC_KHZ, 0x0000aea2, VM|VCPU, VALUE) \
	IOCTL(KVM_GET_TSC_KHZ, 0x0000aea3, VM|VCPU, VALUE) \
	IOCTL(KVM_X86_SET_MCE, 0x4040ae9e, VCPU, IN) \
	IOCTL(KVM_GET_CLOCK, 0x8030ae7c, VM, OUT) \
	IOCTL(KVM_SET_CLOCK, 0x4030ae7b, VM, IN) \
	IOCTL(KVM_KVMCLOCK_CTRL, 0x0000aead, VCPU, VALUE) \
	IOCTL(KVM_INTERRUPT, 0x4004ae86, VCPU, IN) \
	IOCTL(KVM_NMI, 0x0000ae9a, VCPU, VALUE) \
	IOCTL(KVM_GET_LAPIC, 0x8400ae8e, VCPU, LATER) \
	IOCTL(KVM_SET_LAPIC, 0x4400ae8f, VCPU, LATER) \
	IOCTL(KVM_TRANSLATE, 0xc018ae85, VCPU, INOUT) \
	IOCTL(KVM_SET_SIGNAL_MASK, 0x4004ae8b, VCPU, IN_OR_NULL) \
	IOCTL(KVM_SET_GUEST_DEBUG, 0x4048ae9b, VCPU, IN) \
	IOCTL(KVM_PRE_FAULT_MEMORY, 0xc040aed5, VCPU, LATER) \
	IOCTL(KVM_GET_STATS_FD, 0x0000aece, VM|VCPU, VALUE)

#endif
