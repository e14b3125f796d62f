// SPDX-License-Identifier: GPL-2.0-only
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SIZE (1 << 20)

void program_load(const struct guest *guest, const char *name)
{
	char self[512], path[600];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int fd;

	REQUIRE(n > 0, "/proc/self/exe: %s", strerror(errno));
	self[n] = 0;
	*strrchr(self, '/') = 0;
	snprintf(path, sizeof(path), "%s/guest/%s", self, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	REQUIRE(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, guest_at(guest, PROGRAM_LOAD, MAX_SIZE), MAX_SIZE);
	REQUIRE(n > 0 && n < MAX_SIZE, "%s: %zd bytes", path, n);
	close(fd);
}

void program_begin(struct guest *guest, uint64_t rdi, uint64_t rsi)
{
	struct kvm_regs regs = guest_regs(guest, 0);

	regs.rip = PROGRAM_LOAD;
	regs.rsp = GUEST_STACKS;
	regs.rdi = rdi;
	regs.rsi = rsi;
	REQUIRE_OK(vcpu_set_regs(&guest->vcpu[0], &regs));
}
