/* SPDX-License-Identifier: GPL-2.0-only */
/* For kernel code in user space. */
#include <string.h>
