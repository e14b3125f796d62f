// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine that the tests run on, where that matters.
 */
#include "host.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktap.h"

/* QEMU's translator, which tells its name where a hypervisor does. */
bool host_is_qemu(void)
{
	unsigned int eax, ebx, ecx, edx;

	__cpuid(1, eax, ebx, ecx, edx);
	if (!(ecx & 1U << 31))
		return false;
	__cpuid(0x40000000, eax, ebx, ecx, edx);
	return memcmp(&ebx, "TCGT", 4) == 0;
}

/* Bochs, whose firmware tells its name: the processor claims to be a real one. */
bool host_is_bochs(void)
{
	char vendor[32] = "";
	int fd = open("/sys/class/dmi/id/bios_vendor", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, vendor, sizeof(vendor) - 1) < 0)
		vendor[0] = 0;
	close(fd);
	return strstr(vendor, "Bochs");
}

/* A kernel that looks for its own faults, and is some ten times slower for it. */
bool host_kernel_is_debug(void)
{
	return access("/proc/self/fail-nth", F_OK) == 0;
}

/*
 * How many events to make where @count prove the point: fewer by MKVM_FEWER_EVENTS, which a run on
 * a slow emulator may have where another one makes them all.
 */
unsigned int host_events(unsigned int count)
{
	const char *text = getenv("MKVM_FEWER_EVENTS");
	char *end = NULL;
	unsigned long divisor = text ? strtoul(text, &end, 10) : 1;

	REQUIRE(divisor && (!end || !*end), "MKVM_FEWER_EVENTS=%s: expected a number", text);
	return divisor < count ? count / divisor : 1;
}

/* A thread of ours runs on this CPU only; 0: the calling one. */
void host_pin_thread(pid_t tid, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	REQUIRE(sched_setaffinity(tid, sizeof(set), &set) == 0, "CPU %d: %s", cpu, strerror(errno));
}

/* The calling thread, and those that it starts, run on this CPU only. */
void host_pin(int cpu)
{
	host_pin_thread(0, cpu);
}

#define CLOCKSOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* What the kernel keeps its time by. */
void host_get_clocksource(char name[32])
{
	FILE *file = fopen(CLOCKSOURCE, "re");

	REQUIRE(file, CLOCKSOURCE ": %s", strerror(errno));
	REQUIRE(fscanf(file, "%31s", name) == 1);
	fclose(file);
}

void host_set_clocksource(const char *name)
{
	FILE *file = fopen(CLOCKSOURCE, "we");

	REQUIRE(file, CLOCKSOURCE ": %s", strerror(errno));
	REQUIRE(fputs(name, file) >= 0 && fclose(file) == 0, "%s: %s", name, strerror(errno));
}

bool host_clocksource_is(const char *name)
{
	char own[32];

	host_get_clocksource(own);
	return strcmp(own, name) == 0;
}
