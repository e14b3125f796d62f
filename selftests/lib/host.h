/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_HOST_H
#define SELFTESTS_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

bool host_is_qemu(void);
bool host_is_bochs(void);
bool host_kernel_is_debug(void);
bool host_kernel_is_before(unsigned int major, unsigned int minor);
unsigned int host_events(unsigned int count);
uint64_t host_number(const char *name, uint64_t usual);
void host_get_clocksource(char name[32]);
void host_set_clocksource(const char *name);
bool host_clocksource_is(const char *name);
void host_pin(int cpu);
void host_pin_thread(pid_t tid, int cpu);
int host_processor_of(pid_t tid);
void host_set_online(bool online);
bool host_is_online(void);

#endif
