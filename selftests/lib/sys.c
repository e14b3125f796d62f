// SPDX-License-Identifier: GPL-2.0-only
#include "sys.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/swap.h>
#include <unistd.h>

#define ZRAM "/dev/zram0"
#define PAGE 0x1000

bool sys_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return written;
}

bool sys_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return false;
	n = fread(text, 1, size - 1, file);
	text[n] = 0;
	fclose(file);
	return true;
}

/* The choice that stands in brackets among others, or the first word. */
static void setting_now(const char *path, char *now, size_t size)
{
	char text[256] = "", *at;

	sys_read(path, text, sizeof(text));
	at = strchr(text, '[');
	at = at ? at + 1 : text;
	at[strcspn(at, " ]\n")] = 0;
	snprintf(now, size, "%s", at);
}

bool sys_set(struct sys_setting *setting, const char *path, const char *text)
{
	setting->path = path;
	setting_now(path, setting->before, sizeof(setting->before));
	return sys_write(path, text);
}

void sys_restore(const struct sys_setting *setting)
{
	sys_write(setting->path, setting->before);
}

uint64_t sys_count(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	size_t length = name ? strlen(name) : 0;
	char line[256];
	uint64_t value = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (name && (strncmp(line, name, length) || line[length] != ' '))
			continue;
		value = strtoull(line + length, NULL, 10);
		break;
	}
	fclose(file);
	return value;
}

/* What mkswap would write: the header of version 1. */
static bool swap_make(size_t bytes)
{
	static uint32_t header[PAGE / 4];
	int fd = open(ZRAM, O_WRONLY | O_CLOEXEC);
	bool made;

	if (fd < 0)
		return false;
	header[256] = 1;
	header[257] = bytes / PAGE - 1;
	memcpy((char *)header + PAGE - 10, "SWAPSPACE2", 10);
	made = write(fd, header, PAGE) == PAGE;
	close(fd);
	return made;
}

/* Swap space of @bytes, in memory, compressed.  False: the host has no zram that is free. */
bool swap_start(size_t bytes)
{
	char size[32];

	snprintf(size, sizeof(size), "%zu", bytes);
	return sys_write("/sys/block/zram0/disksize", size) && swap_make(bytes) &&
	       swapon(ZRAM, 0) == 0;
}

void swap_stop(void)
{
	swapoff(ZRAM);
	sys_write("/sys/block/zram0/reset", "1");
}

static uint64_t page_map(const volatile void *at)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry = 0;

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * 8) != sizeof(entry))
		entry = 0;
	close(fd);
	return entry;
}

bool page_is_present(const volatile void *at)
{
	return page_map(at) >> 63 & 1;
}

bool page_is_swapped(const volatile void *at)
{
	return page_map(at) >> 62 & 1;
}
