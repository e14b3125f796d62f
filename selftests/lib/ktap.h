/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tests and what they claim.
 *
 * A program lists its tests in a table and hands it to ktap_main().  Each test runs in a process of
 * its own: it may crash, hang or end with objects open, and the others do not notice.
 *
 * EXPECT_*: a false claim fails the test, which goes on.  REQUIRE: a false claim ends it.
 */
#ifndef SELFTESTS_KTAP_H
#define SELFTESTS_KTAP_H

#include <stdbool.h>
#include <stddef.h>

#define KTAP_PASS 0
#define KTAP_FAIL 1
#define KTAP_SKIP 4

struct ktap_test {
	const char *name;
	void (*run)(void);
	unsigned int limit; /* seconds; 0: the usual */
};

/* clang-format off */
#define KTAP_TEST(function) { #function, function, 0 }
#define KTAP_TEST_LIMIT(function, seconds) { #function, function, seconds }
/* clang-format on */
#define KTAP_MAIN(tests)                                                                 \
	int main(int argc, char **argv)                                                  \
	{                                                                                \
		return ktap_main(tests, sizeof(tests) / sizeof((tests)[0]), argc, argv); \
	}

int ktap_main(const struct ktap_test *tests, size_t nr, int argc, char **argv);
void ktap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void ktap_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void ktap_fail(const char *file, int line, const char *claim, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void ktap_differs(const char *name, const char *claim, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void ktap_after(void);
void ktap_end(int status) __attribute__((noreturn));
bool ktap_equal(const char *file, int line, const char *what, unsigned long long expected,
		unsigned long long actual);
bool ktap_error(const char *file, int line, const char *what, int expected, int actual);
int ktap_success(const char *file, int line, const char *what, int answer);

/* The values are compared and shown as unsigned 64-bit numbers. */
#define EXPECT_EQ(expected, actual)                                             \
	ktap_equal(__FILE__, __LINE__, #actual, (unsigned long long)(expected), \
		   (unsigned long long)(actual))

/* A wrapper's answer (0, a value, or a negative errno) against the errno it should fail with. */
#define EXPECT_ERRNO(expected, answer) ktap_error(__FILE__, __LINE__, #answer, expected, answer)

/* Without a message of its own (a format and its arguments) the claim itself is told. */
#define EXPECT(claim, ...)                                                      \
	do {                                                                    \
		if (!(claim))                                                   \
			ktap_fail(__FILE__, __LINE__, #claim, " " __VA_ARGS__); \
	} while (0)

#define REQUIRE(claim, ...)                                                     \
	do {                                                                    \
		if (!(claim)) {                                                 \
			ktap_fail(__FILE__, __LINE__, #claim, " " __VA_ARGS__); \
			ktap_end(KTAP_FAIL);                                    \
		}                                                               \
	} while (0)

/* A wrapper that has to succeed for the test to make sense. */
#define REQUIRE_OK(call) ktap_success(__FILE__, __LINE__, #call, call)

#endif
