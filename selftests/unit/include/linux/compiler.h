/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernel code in user space. */
#ifndef UNIT_LINUX_COMPILER_H
#define UNIT_LINUX_COMPILER_H

#define __must_check __attribute__((warn_unused_result))

#endif
