// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkvm, the launcher: finds the command and runs it.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "message.h"

#ifndef MKVM_VERSION
#define MKVM_VERSION "0.1"
#endif

struct command {
	const char *name, *help;
	int (*run)(int argc, char **argv);
};

static int cmd_help(int argc, char **argv);
static int cmd_version(int argc, char **argv);

static const struct command commands[] = {
	{ "run", "run a program in a virtual machine", cmd_run },
	{ "help", "this list", cmd_help },
	{ "version", "the launcher's version", cmd_version },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int cmd_help(int argc, char **argv)
{
	size_t i;

	if (argc) {
		message("help: unknown argument '%s'; expected none", argv[0]);
		return STATUS_USAGE;
	}
	puts("Usage: mkvm COMMAND [OPTION]...\n\nCommands:");
	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n`mkvm run --help` tells a command's options.");
	return STATUS_OK;
}

static int cmd_version(int argc, char **argv)
{
	if (argc) {
		message("version: unknown argument '%s'; expected none", argv[0]);
		return STATUS_USAGE;
	}
	puts("mkvm " MKVM_VERSION);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;
	size_t i;

	if (!name) {
		message("no command; expected one such as `mkvm run --flat FILE`; see mkvm help");
		return STATUS_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	for (i = 0; i < NR_COMMANDS; i++) {
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	}
	message("unknown %s '%s'; expected run, help or version; see mkvm help",
		name[0] == '-' ? "option" : "command", name);
	return STATUS_USAGE;
}
