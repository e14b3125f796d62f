/* SPDX-License-Identifier: GPL-2.0-only */
/* What the guest of workloads.c can be asked to do: for it and for the test. */
#ifndef SELFTESTS_GUEST_WORKLOADS_H
#define SELFTESTS_GUEST_WORKLOADS_H

#define WORKLOADS_MEMORY 0x1000000UL /* how much memory it has */
#define WORKLOADS_PAGES	 1024	     /* of a large process */

enum work {
	WORK_SET_UP,
	WORK_ADD_PROCESSES, /* so many there are then */
	WORK_GROW,	    /* to WORKLOADS_PAGES more pages */
	WORK_SHRINK,	    /* back */
	WORK_FILL,	    /* first use of so many pages */
	WORK_FORK,	    /* from here on: so many times */
	WORK_COPY,
	WORK_MAP_256,
	WORK_MAP_16,
	WORK_PROTECT,
	WORK_SWITCH_2,
	WORK_SWITCH_4,
	WORK_SWITCH_8,
	WORK_SWITCH_32
};

#endif
