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
#include <sys/utsname.h>
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

/* Is the running kernel older than this version? */
bool host_kernel_is_before(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int is[2];

	REQUIRE(!uname(&name) && sscanf(name.release, "%u.%u", &is[0], &is[1]) == 2, "uname");
	return is[0] < major || (is[0] == major && is[1] < minor);
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

/* What the environment says of @name. */
uint64_t host_number(const char *name, uint64_t usual)
{
	const char *text = getenv(name);
	char *end = NULL;
	uint64_t value = text ? strtoull(text, &end, 0) : usual;

	REQUIRE(!text || (*text && !*end), "%s=%s: expected a number", name, text);
	return value;
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

/* On which processor a thread of ours is now, or was last. */
int host_processor_of(pid_t tid)
{
	char path[64], text[1024], *at;
	int processor = -1, i;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "re");
	REQUIRE(file, "%s: %s", path, strerror(errno));
	REQUIRE(fgets(text, sizeof(text), file), "%s is empty", path);
	fclose(file);
	/* The processor is the 39th field, the 37th after the program's name. */
	at = strrchr(text, ')');
	for (i = 0; at && i < 37; i++)
		at = strchr(at + 1, ' ');
	REQUIRE(at && sscanf(at, " %d", &processor) == 1, "%s: %s", path, text);
	return processor;
}

#define ONLINE "/sys/devices/system/cpu/cpu1/online"

/* Processor 1, the only one that comes and goes. */
void host_set_online(bool online)
{
	int fd = open(ONLINE, O_WRONLY | O_CLOEXEC);

	REQUIRE(fd >= 0, "%s: %s", ONLINE, strerror(errno));
	REQUIRE(write(fd, online ? "1" : "0", 1) == 1, "%s: %s", ONLINE, strerror(errno));
	close(fd);
}

bool host_is_online(void)
{
	char text = '?';
	int fd = open(ONLINE, O_RDONLY | O_CLOEXEC);

	REQUIRE(fd >= 0, "%s: %s", ONLINE, strerror(errno));
	REQUIRE(read(fd, &text, 1) == 1, "%s: %s", ONLINE, strerror(errno));
	close(fd);
	return text == '1';
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
