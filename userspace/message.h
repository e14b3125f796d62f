/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_MESSAGE_H
#define MKVM_USER_MESSAGE_H

#include "lib/kvm_dev.h"

/* The launcher's exit statuses; a guest that asks for one by the debug-exit port gets that one. */
enum status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,   /* could not start or go on; a sentence says why */
	STATUS_USAGE = 2,    /* wrong command line */
	STATUS_SHUTDOWN = 3, /* the guest shut down: triple fault */
	STATUS_SIGNAL = 128, /* + the signal's number */
};

void message(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_open_failed(const char *path, int err);
void message_create_vm_failed(const struct kvm_dev *dev, unsigned long type, int err);

#endif
