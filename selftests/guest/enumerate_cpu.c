// SPDX-License-Identifier: GPL-2.0-only
/* What both kinds of code do to their processor in the same way. */
#include "enumerate_cpu.h"

#define VENDOR_AMD 0x68747541 /* how its name begins */

/* Of the modes those that all formats know. */
void cpu_read_features(struct paging_cpu *cpu)
{
	uint32_t out[4];

	cpu->modes = MODE_WP;
	cpu_cpuid(0, out);
	cpu->amd = out[1] == VENDOR_AMD;
	/* A second table of AMD's has them walked as other entries are. */
	cpu->loads = !cpu->amd;
	cpu_cpuid(0x80000008, out);
	cpu->phys_bits = out[0] & 0xff;
	cpu_cpuid(0x80000001, out);
	cpu->large3 = out[3] >> 26 & 1;
	cpu->modes |= out[3] >> 20 & 1 ? MODE_NX : 0;
	cpu_cpuid(7, out);
	cpu->modes |= out[1] >> 7 & 1 ? MODE_SMEP : 0;
	cpu->modes |= out[1] >> 20 & 1 ? MODE_SMAP : 0;
}

void cpu_set_nxe(bool on)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	low = on ? low | EFER_NXE : low & ~EFER_NXE;
	asm volatile("wrmsr" : : "a"(low), "d"(high), "c"(MSR_EFER) : "memory");
}

void cpu_set_wp(bool on)
{
	unsigned long cr0;

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	cr0 = on ? cr0 | CR0_WP : cr0 & ~CR0_WP;
	asm volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}
