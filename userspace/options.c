// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command lines: "--name VALUE", "--name=VALUE" and "--flag", as rows of a table that ends with a
 * row without a name.  A wrong one is told by the option's name and what was expected.
 */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

static const struct option_row *option_find(const struct option_row *rows, const char *arg,
					    size_t len)
{
	for (; rows->name; rows++) {
		if (strlen(rows->name) == len && strncmp(rows->name, arg, len) == 0)
			return rows;
	}
	return NULL;
}

/* There is no such option: which there are. */
static void option_unknown(const char *command, const struct option_row *rows, const char *arg)
{
	char names[512] = "";
	size_t used = 0;

	for (; rows->name && used < sizeof(names); rows++)
		used += snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
				 rows->name);
	message("%s: unknown %s '%s': expected one of the options %s; see mkvm %s --help", command,
		arg[0] == '-' ? "option" : "argument", arg, names, command);
}

/* True if all of argv was understood; else a message has said what was not. */
bool options_parse(const char *command, const struct option_row *rows, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		const char *arg = argv[i], *value = strchr(arg, '=');
		size_t len = value ? (size_t)(value - arg) : strlen(arg);
		const struct option_row *row = option_find(rows, arg, len);

		if (!row) {
			option_unknown(command, rows, arg);
			return false;
		}
		if (row->flag) {
			if (value) {
				message("%s: option %s has the value '%s': expected none", command,
					row->name, value + 1);
				return false;
			}
			*row->flag = true;
			continue;
		}
		if (value)
			value++;
		else if (i + 1 < argc)
			value = argv[++i];
		if (!value) {
			message("%s: option %s lacks its value: expected %s", command, row->name,
				row->expected);
			return false;
		}
		if (!row->parse(value, row->into)) {
			message("%s: option %s: '%s' is wrong: expected %s", command, row->name,
				value, row->expected);
			return false;
		}
	}
	return true;
}

static int option_width(const struct option_row *row)
{
	return strlen(row->name) + (row->value ? 1 + strlen(row->value) : 0);
}

void options_help(const struct option_row *rows)
{
	const struct option_row *row;
	int width = 0;

	for (row = rows; row->name; row++) {
		if (option_width(row) > width)
			width = option_width(row);
	}
	for (row = rows; row->name; row++)
		printf("  %s%s%s%*s  %s\n", row->name, row->value ? " " : "",
		       row->value ? row->value : "", width - option_width(row), "", row->help);
}

bool option_text(const char *text, void *into)
{
	*(const char **)into = text;
	return *text != '\0';
}

bool option_size(const char *text, void *into)
{
	static const char suffixes[] = "KMGT";
	unsigned long long size;
	unsigned int shift = 20;
	const char *suffix;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	size = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end & ~0x20);
		if (!suffix || !*suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (size > UINT64_MAX >> shift)
		return false;
	*(uint64_t *)into = size << shift;
	return true;
}

bool option_count(const char *text, void *into)
{
	unsigned long count;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	count = strtoul(text, &end, 10);
	if (errno || *end || count == 0 || count > UINT32_MAX)
		return false;
	*(unsigned int *)into = count;
	return true;
}
