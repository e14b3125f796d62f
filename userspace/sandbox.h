/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_SANDBOX_H
#define MKVM_USER_SANDBOX_H

int sandbox_enter(void);

#endif
