// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's console: standard input goes to its serial port.  On a terminal the key Ctrl-A calls
 * the launcher; all others are the guest's.
 */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "message.h"
#include "terminal.h"

#define KEY_ESCAPE ('a' & 0x1f)

static const char console_help[] =
	"\r\n"
	"Ctrl-A x       ends the virtual machine\r\n"
	"Ctrl-A s       types the terminal's size as a command of the guest's shell\r\n"
	"Ctrl-A b       sends a break (to Linux: SysRq)\r\n"
	"Ctrl-A Ctrl-A  sends Ctrl-A\r\n"
	"Ctrl-A ?       this list\r\n";

int console_create(struct console *console, struct serial *serial)
{
	*console = (struct console){ .serial = serial };
	console->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return console->stop_fd < 0 ? -errno : 0;
}

void console_destroy(struct console *console)
{
	close(console->stop_fd);
}

/* A serial line has no size, and nothing on it tells of a change: the guest's shell is told. */
static bool console_type_size(struct console *console)
{
	struct winsize size;
	char text[64];
	int i, n;

	if (ioctl(console->serial->in, TIOCGWINSZ, &size) < 0)
		return true;
	n = snprintf(text, sizeof(text), "stty rows %u cols %u\r", size.ws_row, size.ws_col);
	for (i = 0; i < n; i++) {
		if (!serial_receive(console->serial, text[i], false))
			return false;
	}
	return true;
}

/* The key after Ctrl-A; false if there is to be no more input. */
static bool console_command(struct console *console, uint8_t key)
{
	console->escaped = false;
	switch (key) {
	case 'x':
	case 'X':
		console->quit(console->machine);
		return false;
	case 's':
		return console_type_size(console);
	case 'b':
		serial_receive_break(console->serial);
		return true;
	case KEY_ESCAPE:
		return serial_receive(console->serial, key, false);
	case '?':
	case 'h':
		if (write(STDERR_FILENO, console_help, sizeof(console_help) - 1) < 0)
			return true;
		return true;
	default:
		return true;
	}
}

static bool console_take(struct console *console, uint8_t key)
{
	if (!console->terminal)
		return serial_receive(console->serial, key, true);
	if (console->escaped)
		return console_command(console, key);
	console->escaped = key == KEY_ESCAPE;
	/* Without waiting: the key that ends a guest which reads no more must get through. */
	return console->escaped || serial_receive(console->serial, key, false);
}

static void *console_thread(void *data)
{
	struct console *console = data;
	struct pollfd fds[2] = {
		{ .fd = console->serial->in, .events = POLLIN },
		{ .fd = console->stop_fd, .events = POLLIN },
	};
	uint8_t keys[64];
	ssize_t got, i;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		if (!fds[0].revents)
			continue;
		got = read(console->serial->in, keys, sizeof(keys));
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return NULL;
		for (i = 0; i < got; i++) {
			if (!console_take(console, keys[i]))
				return NULL;
		}
	}
}

int console_start(struct console *console)
{
	uint64_t count;
	int err;

	/* In the background the terminal's input is someone else's. */
	console->terminal = terminal_is_ours(console->serial->in);
	if (isatty(console->serial->in) && !console->terminal)
		return 0;
	if (read(console->stop_fd, &count, sizeof(count)) < 0)
		console->escaped = false;
	err = pthread_create(&console->thread, NULL, console_thread, console);
	console->running = !err;
	return -err;
}

void console_stop(struct console *console)
{
	uint64_t one = 1;

	if (!console->running)
		return;
	serial_close(console->serial);
	if (write(console->stop_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(console->thread, NULL);
	console->running = false;
}
