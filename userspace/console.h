/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_CONSOLE_H
#define MKVM_USER_CONSOLE_H

#include <pthread.h>
#include <stdbool.h>

#include "serial.h"

/* The thread that hands standard input to the guest's serial port. */
struct console {
	struct serial *serial;
	void (*quit)(void *machine);
	void *machine;
	int stop_fd;
	bool terminal; /* keys after Ctrl-A are ours */
	bool escaped;
	bool running;
	pthread_t thread;
};

int console_create(struct console *console, struct serial *serial);
void console_destroy(struct console *console);
int console_start(struct console *console);
void console_stop(struct console *console);

#endif
