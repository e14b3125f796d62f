/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_COMMAND_H
#define MKVM_USER_COMMAND_H

/* A command gets what follows its name and answers the exit status. */
int cmd_run(int argc, char **argv);

#endif
