/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_OPTIONS_H
#define MKVM_USER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One option of a command.  Exactly one of flag and parse is set; parse gets the value and answers
 * false if it is not what expected says.
 */
struct option_row {
	const char *name;     /* with its dashes */
	const char *value;    /* placeholder in the help; NULL for a flag */
	const char *expected; /* what a value has to be, for the message about a wrong one */
	const char *help;
	bool (*parse)(const char *text, void *into);
	void *into;
	bool *flag;
};

bool options_parse(const char *command, const struct option_row *rows, int argc, char **argv);
void options_help(const struct option_row *rows);

bool option_text(const char *text, void *into);	 /* const char * */
bool option_size(const char *text, void *into);	 /* uint64_t, bytes */
bool option_count(const char *text, void *into); /* unsigned int, at least 1 */

#endif
