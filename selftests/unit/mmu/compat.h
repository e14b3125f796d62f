/* SPDX-License-Identifier: GPL-2.0-only */
/* In place of the module's: the simulated host is one kernel. */
#ifndef UNIT_MMU_COMPAT_H
#define UNIT_MMU_COMPAT_H

#define COMPAT_FOLL_FAULT 4

#endif
