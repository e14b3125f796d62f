/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_RECIPES_H
#define SELFTESTS_RECIPES_H

#include <stdbool.h>
#include <stddef.h>

#include "guest.h"
#include "ioctls.h"

#define RECIPE_SLOT_SIZE 0x40000UL

/* What a call is made on and with, new for each. */
struct attempt {
	struct guest guest;
	int fd;		   /* of the ioctl's kind */
	char *slot_memory; /* RECIPE_SLOT_SIZE bytes */
	char argument[IOCTL_MAX_SIZE];
	char scratch[IOCTL_MAX_SIZE]; /* for what an argument names */
};

/*
 * @what: tells an ioctl's recipes apart
 * @allocates: does the call have to allocate?
 * @make: prepares and answers the argument
 * @check: has the call done its work?
 */
struct recipe {
	unsigned long cmd;
	enum fd_kind kind;
	const char *what;
	bool allocates;
	unsigned long (*make)(struct attempt *f);
	void (*check)(struct attempt *f);
};

extern const struct recipe recipes[];
extern const size_t nr_recipes;

unsigned long recipe_argument(struct attempt *f, const struct ioctl_info *info,
			      const struct recipe *recipe);

#endif
