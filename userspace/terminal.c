// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terminal that the guest's console is on.  There is one; what it was is remembered here, so
 * that whatever ends the launcher can put it back: terminal_restore() may be called by a signal's
 * handler.
 */
#include "terminal.h"

#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static struct termios terminal_was;
static volatile int terminal_fd = -1; /* whose settings are changed */

/* In the background the terminal is someone else's. */
bool terminal_is_ours(int fd)
{
	return isatty(fd) && tcgetpgrp(fd) == getpgrp();
}

void terminal_set(int fd, enum terminal_mode mode)
{
	struct termios now;

	if (!terminal_is_ours(fd) || tcgetattr(fd, &terminal_was) < 0)
		return;
	now = terminal_was;
	now.c_lflag &= ~(ICANON | ECHO);
	now.c_iflag &= ~(ICRNL | IXON);
	if (mode == TERMINAL_RAW) {
		now.c_lflag &= ~(ISIG | IEXTEN);
		now.c_iflag &= ~(INLCR | IGNCR | ISTRIP | BRKINT);
		now.c_cc[VMIN] = 1;
		now.c_cc[VTIME] = 0;
	}
	if (tcsetattr(fd, TCSANOW, &now) == 0)
		terminal_fd = fd;
}

void terminal_restore(void)
{
	if (terminal_fd >= 0)
		tcsetattr(terminal_fd, TCSADRAIN, &terminal_was);
	terminal_fd = -1;
}

static void terminal_on_fault(int signal)
{
	terminal_restore();
	raise(signal);
}

/* A fault of ours, and what tells us to dump core, puts the terminal back before it ends us. */
void terminal_guard(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT };
	struct sigaction action = { .sa_handler = terminal_on_fault, .sa_flags = SA_RESETHAND };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigaction(faults[i], &action, NULL);
}
