// SPDX-License-Identifier: GPL-2.0-only
/*
 * A serial port, the 16550.
 *
 * The transmitter is always empty: a byte is on the terminal before the guest goes on.  What is
 * received waits in a FIFO, larger than a 16550's, until the guest reads it; who has more may wait
 * for room, so that nothing is lost.  The interrupt is a level, raised as long as there is a reason
 * that the guest wants to hear of.
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

#define IER_BITS    0x0f
#define IER_DATA    0x01
#define IER_EMPTY   0x02
#define IER_LINE    0x04
#define IIR_NONE    0x01 /* no interrupt is pending */
#define IIR_EMPTY   0x02
#define IIR_DATA    0x04
#define IIR_LINE    0x06
#define IIR_FIFO    0xc0
#define FCR_ENABLE  0x01
#define FCR_CLEAR   0x02
#define LCR_DLAB    0x80
#define MCR_DTR	    0x01
#define MCR_RTS	    0x02
#define MCR_OUT1    0x04
#define MCR_OUT2    0x08
#define MCR_LOOP    0x10
#define LSR_DATA    0x01
#define LSR_BREAK   0x10
#define LSR_EMPTY   0x60 /* transmitter and its holding register */
#define MSR_CTS	    0x10
#define MSR_DSR	    0x20
#define MSR_RING    0x40
#define MSR_CARRIER 0x80

void serial_create(struct serial *serial, int in, int out)
{
	memset(serial, 0, sizeof(*serial));
	serial->in = in;
	serial->out = out;
	pthread_mutex_init(&serial->lock, NULL);
	pthread_cond_init(&serial->room, NULL);
	serial_reset(serial);
}

void serial_destroy(struct serial *serial)
{
	pthread_cond_destroy(&serial->room);
	pthread_mutex_destroy(&serial->lock);
}

/* As after power-on; nobody may be using it. */
void serial_reset(struct serial *serial)
{
	serial->ier = 0;
	serial->lcr = 0;
	serial->mcr = 0;
	serial->scr = 0;
	serial->fcr = 0;
	serial->divisor = 1;
	serial->first = 0;
	serial->count = 0;
	serial->got_break = false;
	serial->sent = false;
	serial->irq = false;
	serial->closed = false;
}

/* Who waits in serial_receive() waits no longer. */
void serial_close(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	serial->closed = true;
	pthread_cond_broadcast(&serial->room);
	pthread_mutex_unlock(&serial->lock);
}

/* The most urgent reason for an interrupt. */
static uint8_t serial_reason(const struct serial *serial)
{
	if ((serial->ier & IER_LINE) && serial->got_break)
		return IIR_LINE;
	if ((serial->ier & IER_DATA) && serial->count)
		return IIR_DATA;
	if ((serial->ier & IER_EMPTY) && serial->sent)
		return IIR_EMPTY;
	return IIR_NONE;
}

static void serial_update_irq(struct serial *serial)
{
	bool irq = serial_reason(serial) != IIR_NONE;

	if (irq == serial->irq)
		return;
	serial->irq = irq;
	if (serial->set_irq)
		serial->set_irq(serial->machine, irq);
}

static void serial_put(struct serial *serial, uint8_t byte)
{
	serial->fifo[(serial->first + serial->count++) % SERIAL_FIFO] = byte;
}

/*
 * A byte from the line.  Without room it waits for some, or is lost; false if the port was closed
 * before.
 */
bool serial_receive(struct serial *serial, uint8_t byte, bool wait)
{
	bool open;

	pthread_mutex_lock(&serial->lock);
	while (wait && !serial->closed && serial->count == SERIAL_FIFO)
		pthread_cond_wait(&serial->room, &serial->lock);
	open = !serial->closed;
	if (open && serial->count < SERIAL_FIFO)
		serial_put(serial, byte);
	serial_update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return open;
}

/* The line was held at 0: a zero byte, and a state of the line that says so. */
void serial_receive_break(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	if (serial->count < SERIAL_FIFO) {
		serial_put(serial, 0);
		serial->got_break = true;
	}
	serial_update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_poll_input(struct serial *serial)
{
	struct pollfd input = { .fd = serial->in, .events = POLLIN };
	uint8_t byte;
	ssize_t got;

	if (!serial->polls || serial->count || serial->input_ended || serial->mcr & MCR_LOOP ||
	    poll(&input, 1, 0) <= 0)
		return;
	got = read(serial->in, &byte, 1);
	if (got == 1)
		serial_put(serial, byte);
	else if (got == 0 || (errno != EINTR && errno != EAGAIN))
		serial->input_ended = true;
}

static void serial_send(struct serial *serial, uint8_t byte)
{
	serial->sent = false;
	serial_update_irq(serial);
	serial->sent = true;
	if (serial->mcr & MCR_LOOP) {
		if (serial->count < SERIAL_FIFO)
			serial_put(serial, byte);
		return;
	}
	while (write(serial->out, &byte, 1) < 0 && errno == EINTR)
		;
}

static uint8_t serial_take(struct serial *serial)
{
	uint8_t byte;

	serial_poll_input(serial);
	if (!serial->count)
		return 0;
	byte = serial->fifo[serial->first];
	serial->first = (serial->first + 1) % SERIAL_FIFO;
	serial->count--;
	pthread_cond_signal(&serial->room);
	return byte;
}

static uint8_t serial_identify(struct serial *serial)
{
	uint8_t reason = serial_reason(serial);

	if (reason == IIR_EMPTY)
		serial->sent = false;
	return reason | (serial->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t serial_line_status(struct serial *serial)
{
	uint8_t status = LSR_EMPTY;

	serial_poll_input(serial);
	if (serial->count)
		status |= LSR_DATA;
	if (serial->got_break)
		status |= LSR_BREAK;
	serial->got_break = false;
	return status;
}

/* In a loop the port's outputs are its inputs. */
static uint8_t serial_modem_status(const struct serial *serial)
{
	uint8_t mcr = serial->mcr;

	if (!(mcr & MCR_LOOP))
		return MSR_CARRIER | MSR_DSR | MSR_CTS;
	return (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_RTS ? MSR_CTS : 0) |
	       (mcr & MCR_OUT1 ? MSR_RING : 0) | (mcr & MCR_OUT2 ? MSR_CARRIER : 0);
}

static uint8_t serial_read_reg(struct serial *serial, uint64_t reg)
{
	bool latch = serial->lcr & LCR_DLAB;

	switch (reg) {
	case REG_DATA:
		return latch ? serial->divisor & 0xff : serial_take(serial);
	case REG_IER:
		return latch ? serial->divisor >> 8 : serial->ier;
	case REG_IIR_FCR:
		return serial_identify(serial);
	case REG_LCR:
		return serial->lcr;
	case REG_MCR:
		return serial->mcr;
	case REG_LSR:
		return serial_line_status(serial);
	case REG_MSR:
		return serial_modem_status(serial);
	default:
		return serial->scr;
	}
}

static void serial_write_ier(struct serial *serial, uint8_t value)
{
	/* Whoever begins to wait for an empty transmitter is told at once. */
	if (value & ~serial->ier & IER_EMPTY)
		serial->sent = true;
	serial->ier = value & IER_BITS;
}

static void serial_write_fcr(struct serial *serial, uint8_t value)
{
	if (value & FCR_CLEAR) {
		serial->count = 0;
		pthread_cond_signal(&serial->room);
	}
	serial->fcr = value;
}

static void serial_write_reg(struct serial *serial, uint64_t reg, uint8_t value)
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
			serial_write_ier(serial, value);
		break;
	case REG_IIR_FCR:
		serial_write_fcr(serial, value);
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
		break; /* line and modem status cannot be written */
	}
}

static void serial_read(void *device, uint64_t offset, uint8_t *data, uint32_t len)
{
	struct serial *serial = device;
	uint32_t i;

	pthread_mutex_lock(&serial->lock);
	for (i = 0; i < len; i++)
		data[i] = serial_read_reg(serial, offset + i);
	serial_update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

static void serial_write(void *device, uint64_t offset, const uint8_t *data, uint32_t len)
{
	struct serial *serial = device;
	uint32_t i;

	pthread_mutex_lock(&serial->lock);
	for (i = 0; i < len; i++)
		serial_write_reg(serial, offset + i, data[i]);
	serial_update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
}

const struct bus_ops serial_ops = { .read = serial_read, .write = serial_write };
