// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest that greets: each CPU in its turn tells by the serial port which mode it finds itself
 * in, then halts.  Built twice, as a 32-bit and as a 64-bit program.
 */
#define SERIAL_DATA   0x3f8
#define SERIAL_STATUS 0x3fd
#define SERIAL_EMPTY  0x20
#define MSR_EFER      0xc0000080

#define CR0_PG	 (1UL << 31)
#define CR4_PAE	 (1UL << 5)
#define EFER_LMA (1UL << 10)

static volatile unsigned int turn;

static inline unsigned char inb(unsigned short port)
{
	unsigned char value;

	asm volatile("inb %1, %0" : "=a"(value) : "d"(port));
	return value;
}

static inline void outb(unsigned char value, unsigned short port)
{
	asm volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static unsigned long read_efer(void)
{
	unsigned int low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
	return low;
}

static void put_char(char c)
{
	while (!(inb(SERIAL_STATUS) & SERIAL_EMPTY))
		;
	outb(c, SERIAL_DATA);
}

static void put(const char *text)
{
	while (*text)
		put_char(*text++);
}

static void put_decimal(unsigned int value)
{
	if (value > 9)
		put_decimal(value / 10);
	put_char('0' + value % 10);
}

static void put_hex(const char *name, unsigned long value)
{
	int shift = 60;

	put(name);
	put("=0x");
	if (sizeof(value) == 4)
		shift = 28;
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
}

static const char *paging(unsigned long cr0, unsigned long cr4, unsigned long efer)
{
	if (!(cr0 & CR0_PG))
		return "no paging";
	if (efer & EFER_LMA)
		return "4-level paging";
	return cr4 & CR4_PAE ? "PAE paging" : "32-bit paging";
}

/* Called by the start code with what the launcher left in the registers. */
void guest_main(unsigned int cpu, unsigned int nr_cpus);

void guest_main(unsigned int cpu, unsigned int nr_cpus)
{
	unsigned long cr0, cr3, cr4, efer = read_efer();

	asm volatile("mov %%cr0, %0" : "=r"(cr0));
	asm volatile("mov %%cr3, %0" : "=r"(cr3));
	asm volatile("mov %%cr4, %0" : "=r"(cr4));
	while (turn != cpu)
		asm volatile("pause");
	put("Hello from a ");
	put_decimal(8 * sizeof(long));
	put("-bit guest: CPU ");
	put_decimal(cpu);
	put(" of ");
	put_decimal(nr_cpus);
	put(", ");
	put(paging(cr0, cr4, efer));
	put_hex(" (CR0", cr0);
	put_hex(" CR3", cr3);
	put_hex(" CR4", cr4);
	put_hex(" EFER", efer);
	put(")\n");
	turn = cpu + 1;
}
