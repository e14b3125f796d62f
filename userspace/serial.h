/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_SERIAL_H
#define MKVM_USER_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus.h"

#define SERIAL_PORT  0x3f8
#define SERIAL_PORTS 8
#define SERIAL_IRQ   4
#define SERIAL_FIFO  4096

/* A 16550 whose line is the terminal.  @lock guards what follows it. */
struct serial {
	int in, out;
	bool polls; /* input is looked for when the guest asks, not handed to serial_receive() */
	void (*set_irq)(void *machine, bool level); /* NULL: not wired */
	void *machine;

	pthread_mutex_t lock;
	pthread_cond_t room; /* in the FIFO, or closed */
	bool closed;
	uint8_t ier, lcr, mcr, scr, fcr;
	uint16_t divisor;
	uint8_t fifo[SERIAL_FIFO];
	unsigned int first, count;
	bool got_break;
	bool sent; /* the transmitter has become empty, and that was not told yet */
	bool irq;
	bool input_ended;
};

extern const struct bus_ops serial_ops;

void serial_create(struct serial *serial, int in, int out);
void serial_destroy(struct serial *serial);
void serial_reset(struct serial *serial);
void serial_close(struct serial *serial);
bool serial_receive(struct serial *serial, uint8_t byte, bool wait);
void serial_receive_break(struct serial *serial);

#endif
