// SPDX-License-Identifier: GPL-2.0-only
/*
 * A serial port for guests that poll: the registers of a 16550 without its interrupts.
 *
 * The transmitter is always empty: a byte is on the terminal before the guest goes on.  Input is
 * looked for when the guest asks whether there is any.  A terminal gives single keys, unechoed, but
 * ^C and ^Z still mean what they mean.
 */
#include "serial.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum {
	REG_DATA = 0, /* divisor's low byte while LCR_DLAB */
	REG_IER = 1,  /* divisor's high byte while LCR_DLAB */
	REG_IIR_FCR = 2,
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

#define IER_BITS  0x0f
#define IIR_NONE  0x01 /* no interrupt is pending */
#define LCR_DLAB  0x80
#define MCR_LOOP  0x10
#define LSR_DATA  0x01
#define LSR_EMPTY 0x60 /* transmitter and its holding register */
#define MSR_READY 0xb0 /* carrier, data set ready, clear to send */

void serial_open(struct serial *serial, int in, int out)
{
	struct termios raw;

	memset(serial, 0, sizeof(*serial));
	serial->in = in;
	serial->out = out;
	serial->divisor = 1;
	/* In the background the terminal is someone else's. */
	if (!isatty(in) || tcgetpgrp(in) != getpgrp() || tcgetattr(in, &serial->terminal) < 0)
		return;
	raw = serial->terminal;
	raw.c_lflag &= ~(ICANON | ECHO);
	raw.c_iflag &= ~(ICRNL | IXON);
	serial->terminal_changed = tcsetattr(in, TCSANOW, &raw) == 0;
}

void serial_close(struct serial *serial)
{
	if (serial->terminal_changed)
		tcsetattr(serial->in, TCSADRAIN, &serial->terminal);
	serial->terminal_changed = false;
}

static void serial_poll_input(struct serial *serial)
{
	struct pollfd input = { .fd = serial->in, .events = POLLIN };
	ssize_t got;

	if (serial->have_byte || serial->input_ended || poll(&input, 1, 0) <= 0)
		return;
	got = read(serial->in, &serial->byte, 1);
	if (got == 1)
		serial->have_byte = true;
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		serial->input_ended = true;
}

static void serial_send(struct serial *serial, uint8_t byte)
{
	if (serial->mcr & MCR_LOOP) {
		serial->byte = byte;
		serial->have_byte = true;
		return;
	}
	while (write(serial->out, &byte, 1) < 0 && errno == EINTR)
		;
}

static uint8_t serial_receive(struct serial *serial)
{
	if (!(serial->mcr & MCR_LOOP))
		serial_poll_input(serial);
	if (!serial->have_byte)
		return 0;
	serial->have_byte = false;
	return serial->byte;
}

uint8_t serial_read(struct serial *serial, unsigned int reg)
{
	bool latch = serial->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return latch ? serial->divisor & 0xff : serial_receive(serial);
	case REG_IER:
		return latch ? serial->divisor >> 8 : serial->ier;
	case REG_IIR_FCR:
		return IIR_NONE;
	case REG_LCR:
		return serial->lcr;
	case REG_MCR:
		return serial->mcr;
	case REG_LSR:
		if (!(serial->mcr & MCR_LOOP))
			serial_poll_input(serial);
		return LSR_EMPTY | (serial->have_byte ? LSR_DATA : 0);
	case REG_MSR:
		return MSR_READY;
	default:
		return serial->scr;
	}
}

void serial_write(struct serial *serial, unsigned int reg, uint8_t value)
{
	bool latch = serial->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		if (latch)
			serial->divisor = (serial->divisor & 0xff00) | value;
		else
			serial_send(serial, value);
		break;
	case REG_IER:
		if (latch)
			serial->divisor = (serial->divisor & 0xff) | value << 8;
		else
			serial->ier = value & IER_BITS;
		break;
	case REG_LCR:
		serial->lcr = value;
		break;
	case REG_MCR:
		serial->mcr = value & 0x1f;
		break;
	case REG_SCR:
		serial->scr = value;
		break;
	default:
		break; /* the FIFO's control; line and modem status cannot be written */
	}
}
