// SPDX-License-Identifier: GPL-2.0-only
/*
 * KTAP on stdout: a plan, a line a test, comments.
 * Invariant: every test of the table gets exactly one result line, whatever it does.
 */
#include "ktap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

/* Only so that a hang is told as one: emulated hosts are slow, with a debug kernel more so. */
#define KTAP_LIMIT	 120
#define KTAP_DEBUG_TIMES 4

static volatile bool ktap_failed; /* in a test's own process */

static void ktap_print(const char *head, const char *format, va_list args)
{
	char text[512], *line, *rest = text;

	vsnprintf(text, sizeof(text), format, args);
	while ((line = strsep(&rest, "\n")))
		printf("# %s%s\n", head, line);
	fflush(stdout);
}

void ktap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ktap_print("", format, args);
	va_end(args);
}

void ktap_fail(const char *file, int line, const char *claim, const char *format, ...)
{
	const char *base = strrchr(file, '/');
	char head[256];
	va_list args;

	ktap_failed = true;
	snprintf(head, sizeof(head), "%s:%d:%s%s", base ? base + 1 : file, line,
		 strcmp(format, " ") == 0 ? " not true: " : "",
		 strcmp(format, " ") == 0 ? claim : "");
	va_start(args, format);
	ktap_print(head, format, args);
	va_end(args);
}

/*
 * A claim that does not hold on the kernel's own kvm; scripts/ktap knows which may.  A format of
 * " " stands for the claim itself.
 */
void ktap_differs(const char *name, const char *claim, const char *format, ...)
{
	char head[256];
	va_list args;

	snprintf(head, sizeof(head), "differs: %s:%s%s", name,
		 strcmp(format, " ") == 0 ? " not true: " : "",
		 strcmp(format, " ") == 0 ? claim : "");
	va_start(args, format);
	ktap_print(head, format, args);
	va_end(args);
}

/* Ends the test's process from any thread, without waiting for the others. */
void ktap_end(int status)
{
	fflush(stdout);
	_exit(status);
}

static int ktap_skip_pipe = -1;

void ktap_skip(const char *format, ...)
{
	char reason[256];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (len >= (int)sizeof(reason))
		len = sizeof(reason) - 1;
	if (write(ktap_skip_pipe, reason, len) != len)
		ktap_end(KTAP_FAIL);
	ktap_end(ktap_failed ? KTAP_FAIL : KTAP_SKIP);
}

bool ktap_equal(const char *file, int line, const char *what, unsigned long long expected,
		unsigned long long actual)
{
	if (expected == actual)
		return true;
	ktap_fail(file, line, what, " %s: expected %llu (0x%llx), is %llu (0x%llx)", what, expected,
		  expected, actual, actual);
	return false;
}

bool ktap_error(const char *file, int line, const char *what, int expected, int actual)
{
	if (actual == -expected || (expected == 0 && actual >= 0))
		return true;
	ktap_fail(file, line, what, " %s: expected %s, is %s", what,
		  expected ? strerror(expected) : "success",
		  actual < 0 ? strerror(-actual) : "success");
	return false;
}

/* Answers what it was given, or does not return. */
int ktap_success(const char *file, int line, const char *what, int answer)
{
	if (answer < 0) {
		ktap_error(file, line, what, 0, answer);
		ktap_end(KTAP_FAIL);
	}
	return answer;
}

static unsigned int ktap_limit(const struct ktap_test *test)
{
	return (test->limit ? test->limit : KTAP_LIMIT) *
	       (host_kernel_is_debug() ? KTAP_DEBUG_TIMES : 1);
}

/* What is to be looked at when a test has come to its end, in its process: audit.c. */
__attribute__((weak)) void ktap_after(void)
{
}

static void ktap_child(const struct ktap_test *test, int skip_pipe)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ktap_skip_pipe = skip_pipe;
	alarm(ktap_limit(test));
	test->run();
	ktap_after();
	ktap_end(ktap_failed ? KTAP_FAIL : KTAP_PASS);
}

/* In a process of its own; answers how it ended, as waitpid() tells it. */
static int ktap_wait(const struct ktap_test *test, int skip_pipe)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		ktap_child(test, skip_pipe);
	if (pid < 0) {
		printf("# cannot fork: %s\n", strerror(errno));
		return KTAP_FAIL << 8;
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return KTAP_FAIL << 8;
	}
	return status;
}

/* Runs a test and prints its line; false if it failed. */
static bool ktap_run(const struct ktap_test *test, size_t number)
{
	int status, code, skip_pipe[2];
	char reason[256] = "";

	if (pipe2(skip_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		printf("not ok %zu %s # no pipe\n", number, test->name);
		return false;
	}
	status = ktap_wait(test, skip_pipe[1]);
	if (read(skip_pipe[0], reason, sizeof(reason) - 1) < 0)
		reason[0] = '\0';
	close(skip_pipe[0]);
	close(skip_pipe[1]);

	code = WIFEXITED(status) ? WEXITSTATUS(status) : KTAP_FAIL;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("# hung: no end within %u s\n", ktap_limit(test));
	else if (WIFSIGNALED(status))
		printf("# died by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
	printf("%s %zu %s", code == KTAP_PASS || code == KTAP_SKIP ? "ok" : "not ok", number,
	       test->name);
	if (code == KTAP_SKIP)
		printf(" # SKIP %s", reason);
	putchar('\n');
	fflush(stdout);
	return code == KTAP_PASS || code == KTAP_SKIP;
}

static bool ktap_chosen(const struct ktap_test *test, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], test->name) == 0)
			return true;
	}
	return argc < 2;
}

/* Arguments name the tests to run; without any, all.  Answers the program's exit status. */
int ktap_main(const struct ktap_test *tests, size_t nr, int argc, char **argv)
{
	size_t i, chosen = 0, failed = 0, number = 0;

	for (i = 0; i < nr; i++)
		chosen += ktap_chosen(&tests[i], argc, argv);
	if (!chosen) {
		fprintf(stderr, "%s: no such test; there are:", argv[0]);
		for (i = 0; i < nr; i++)
			fprintf(stderr, " %s", tests[i].name);
		fputc('\n', stderr);
		return 2;
	}
	printf("TAP version 13\n1..%zu\n", chosen);
	for (i = 0; i < nr; i++) {
		if (ktap_chosen(&tests[i], argc, argv))
			failed += !ktap_run(&tests[i], ++number);
	}
	return failed ? KTAP_FAIL : KTAP_PASS;
}
