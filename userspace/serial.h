/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_SERIAL_H
#define MKVM_USER_SERIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

#define SERIAL_PORT  0x3f8
#define SERIAL_PORTS 8

/* A 16550 whose line is the terminal; one thread at a time may use it. */
struct serial {
	int in, out;
	uint8_t ier, lcr, mcr, scr;
	uint16_t divisor;
	bool have_byte; /* received and not yet read */
	uint8_t byte;
	bool input_ended;
	bool terminal_changed;
	struct termios terminal;
};

void serial_open(struct serial *serial, int in, int out);
void serial_close(struct serial *serial);
uint8_t serial_read(struct serial *serial, unsigned int reg);
void serial_write(struct serial *serial, unsigned int reg, uint8_t value);

#endif
