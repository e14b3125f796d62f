// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console on a terminal of its own: which keys are the guest's, which the launcher's, and that
 * the terminal is put back however the launcher ends.
 */
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include "console.h"
#include "lib/ktap.h"
#include "terminal.h"

#define QUIT_STATUS 7
#define WAIT_MS	    20000

static struct serial serial;
static struct console console;

static void on_quit(void *machine)
{
	(void)machine;
	terminal_restore();
	_exit(QUIT_STATUS);
}

/* The guest: echoes what it receives as hexadecimal numbers; 'q' makes the launcher fault. */
static void echo(void)
{
	char text[8];

	for (;;) {
		uint8_t status, byte;

		serial_ops.read(&serial, 5, &status, 1);
		if (status & 0x10)
			dprintf(STDOUT_FILENO, "<break>");
		if (!(status & 1)) {
			usleep(1000);
			continue;
		}
		serial_ops.read(&serial, 0, &byte, 1);
		if (byte == 'q')
			raise(SIGSEGV);
		snprintf(text, sizeof(text), "<%02x>", byte);
		dprintf(STDOUT_FILENO, "%s", text);
	}
}

static void run_console(void)
{
	serial_create(&serial, STDIN_FILENO, STDOUT_FILENO);
	REQUIRE(console_create(&console, &serial) == 0);
	console.quit = on_quit;
	terminal_guard();
	terminal_set(STDIN_FILENO, TERMINAL_RAW);
	dprintf(STDOUT_FILENO, "<ready>");
	REQUIRE(console_start(&console) == 0);
	echo();
}

static pid_t child;
static int master, slave;
static char seen[4096];
static struct termios before;

/* Starts the console on a new terminal, of which we keep both ends. */
static void console_begin(void)
{
	REQUIRE(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	REQUIRE(tcgetattr(slave, &before) == 0);
	child = fork();
	if (!child) {
		REQUIRE(login_tty(slave) == 0);
		run_console();
	}
}

/* Reads until the terminal shows the text. */
static bool shows(const char *text)
{
	struct pollfd output = { .fd = master, .events = POLLIN };
	size_t len = strlen(seen);
	ssize_t got;

	while (!strstr(seen, text)) {
		if (poll(&output, 1, WAIT_MS) <= 0 || len + 1 >= sizeof(seen))
			return false;
		got = read(master, seen + len, sizeof(seen) - 1 - len);
		if (got <= 0)
			return false;
		len += got;
		seen[len] = '\0';
	}
	return true;
}

static void type(const char *keys)
{
	REQUIRE(write(master, keys, strlen(keys)) == (ssize_t)strlen(keys));
}

/* Its end, by exit status or signal, and the terminal as it was. */
static int ended(void)
{
	struct termios after;
	int status;

	REQUIRE(waitpid(child, &status, 0) == child);
	REQUIRE(tcgetattr(slave, &after) == 0);
	EXPECT_EQ(before.c_lflag, after.c_lflag);
	EXPECT_EQ(before.c_iflag, after.c_iflag);
	EXPECT_EQ(before.c_oflag, after.c_oflag);
	return status;
}

static void keys_are_the_guests(void)
{
	struct termios now;

	console_begin();
	EXPECT(shows("<ready>"));
	REQUIRE(tcgetattr(slave, &now) == 0);
	EXPECT_EQ(0, now.c_lflag & (ICANON | ECHO | ISIG));
	/* Interrupt, end of file, suspend, quit, carriage return, flow control. */
	type("\003\004\032\034\r\023\021~");
	EXPECT(shows("<03><04><1a><1c><0d><13><11><7e>"), "%s", seen);
	type("\001x");
	EXPECT_EQ(QUIT_STATUS << 8, ended());
}

static void keys_after_ctrl_a(void)
{
	console_begin();
	EXPECT(shows("<ready>"));
	type("a\001?");
	EXPECT(shows("Ctrl-A x"), "%s", seen);
	type("\001\001b");
	EXPECT(shows("<61><01><62>") || shows("<01><62>"), "%s", seen);
	type("\001b");
	EXPECT(shows("<break><00>"), "%s", seen);
	type("\001zc");
	EXPECT(shows("<63>") && !strstr(seen, "<7a>"), "%s", seen);
	type("\001x");
	EXPECT_EQ(QUIT_STATUS << 8, ended());
}

static void put_back_after_a_fault(void)
{
	console_begin();
	EXPECT(shows("<ready>"));
	type("q");
	EXPECT_EQ(SIGSEGV, ended() & 0x7f);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(keys_are_the_guests),
	KTAP_TEST(keys_after_ctrl_a),
	KTAP_TEST(put_back_after_a_fault),
};

KTAP_MAIN(tests)
