// SPDX-License-Identifier: GPL-2.0-only
/*
 * The serial port's registers and its interrupt, as Linux's 8250 driver uses them.
 */
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "lib/ktap.h"
#include "serial.h"

enum {
	DATA,
	IER,
	IIR,
	LCR,
	MCR,
	LSR,
	MSR,
	SCR
};

static struct serial serial;
static bool irq;
static unsigned int edges;
static int line[2];

static void set_irq(void *machine, bool level)
{
	(void)machine;
	edges += level && !irq;
	irq = level;
}

static void serial_begin(void)
{
	REQUIRE(pipe(line) == 0);
	serial_create(&serial, -1, line[1]);
	serial.set_irq = set_irq;
}

static uint8_t in(unsigned int reg)
{
	uint8_t value;

	serial_ops.read(&serial, reg, &value, 1);
	return value;
}

static void out(unsigned int reg, uint8_t value)
{
	serial_ops.write(&serial, reg, &value, 1);
}

static void is_a_16550(void)
{
	serial_begin();
	out(SCR, 0x5a);
	EXPECT_EQ(0x5a, in(SCR));
	out(IER, 0xff);
	EXPECT_EQ(0x0f, in(IER));
	out(IER, 0);
	EXPECT_EQ(0x01, in(IIR));
	out(IIR, 1);
	EXPECT_EQ(0xc1, in(IIR));
	out(LCR, 0x80);
	out(DATA, 0x34);
	out(IER, 0x12);
	EXPECT_EQ(0x34, in(DATA));
	EXPECT_EQ(0x12, in(IER));
	out(LCR, 3);
	EXPECT_EQ(0, in(IER));
	EXPECT_EQ(0x60, in(LSR));
	EXPECT_EQ(0xb0, in(MSR));
}

static void a_loop(void)
{
	serial_begin();
	out(MCR, 0x1a);
	EXPECT_EQ(0x90, in(MSR)&0xf0);
	out(MCR, 0x15);
	EXPECT_EQ(0x60, in(MSR)&0xf0);
	out(DATA, 'x');
	EXPECT_EQ(0x61, in(LSR));
	EXPECT_EQ('x', in(DATA));
	EXPECT_EQ(0x60, in(LSR));
}

static void tells_that_it_has_sent(void)
{
	char sent[2];

	serial_begin();
	EXPECT(!irq);
	out(IER, 2);
	EXPECT(irq);
	EXPECT_EQ(0x02, in(IIR));
	EXPECT(!irq);
	EXPECT_EQ(0x01, in(IIR));
	/* Each byte is an edge of its own, for a controller that looks for edges. */
	edges = 0;
	out(DATA, 'a');
	out(DATA, 'b');
	EXPECT_EQ(2, edges);
	EXPECT(read(line[0], sent, 2) == 2 && memcmp(sent, "ab", 2) == 0);
	out(IER, 0);
	EXPECT(!irq);
}

static void tells_that_it_has_received(void)
{
	serial_begin();
	EXPECT(serial_receive(&serial, 'a', false));
	EXPECT(!irq);
	out(IER, 1);
	EXPECT(irq);
	EXPECT_EQ(0x04, in(IIR));
	EXPECT(serial_receive(&serial, 'b', false));
	EXPECT_EQ('a', in(DATA));
	EXPECT(irq);
	EXPECT_EQ('b', in(DATA));
	EXPECT(!irq);
	EXPECT_EQ(0, in(DATA));
}

static void a_break(void)
{
	serial_begin();
	out(IER, 5);
	serial_receive_break(&serial);
	EXPECT(irq);
	EXPECT_EQ(0x06, in(IIR));
	EXPECT_EQ(0x71, in(LSR));
	EXPECT_EQ(0x04, in(IIR));
	EXPECT_EQ(0, in(DATA));
	EXPECT_EQ(0x60, in(LSR));
	EXPECT(!irq);
}

static void *sender(void *data)
{
	unsigned int i;

	(void)data;
	for (i = 0; i < 3 * SERIAL_FIFO; i++) {
		if (!serial_receive(&serial, i * 7, true))
			return NULL;
	}
	return data;
}

/* Who waits for room loses nothing. */
static void nothing_is_lost(void)
{
	unsigned int i = 0, wrong = 0;
	pthread_t thread;

	serial_begin();
	REQUIRE(pthread_create(&thread, NULL, sender, NULL) == 0);
	while (i < 3 * SERIAL_FIFO) {
		if (in(LSR)&1)
			wrong += in(DATA) != (uint8_t)(i++ * 7);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(0, wrong);
}

/* Who does not wait is not held up; who waits is let go when the port is closed. */
static void full(void)
{
	pthread_t thread;
	unsigned int i;
	void *result;

	serial_begin();
	for (i = 0; i < SERIAL_FIFO + 10; i++)
		EXPECT(serial_receive(&serial, 'x', false));
	REQUIRE(pthread_create(&thread, NULL, sender, &serial) == 0);
	serial_close(&serial);
	pthread_join(thread, &result);
	EXPECT(!result);
	for (i = 0; in(LSR)&1; i++)
		in(DATA);
	EXPECT_EQ(SERIAL_FIFO, i);
}

static const struct ktap_test tests[] = {
	KTAP_TEST(is_a_16550),
	KTAP_TEST(a_loop),
	KTAP_TEST(tells_that_it_has_sent),
	KTAP_TEST(tells_that_it_has_received),
	KTAP_TEST(a_break),
	KTAP_TEST(nothing_is_lost),
	KTAP_TEST(full),
};

KTAP_MAIN(tests)
