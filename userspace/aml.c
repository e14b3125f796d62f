// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes ACPI's machine language, as much of it as a table of devices needs.
 *
 * A term that holds others begins with its length: two bytes are left free for it and filled in
 * when the term ends.
 */
#include "aml.h"

#include <string.h>

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_EXTENDED = 0x5b,
	OP_EXT_DEVICE = 0x82,
};

/* Descriptors of resources, with their lengths. */
enum {
	RES_IRQ = 0x22,
	RES_PORTS = 0x47,
	RES_END = 0x79,
	RES_MEMORY = 0x86,
	RES_INTERRUPT = 0x89,
};

#define INTERRUPT_EDGE_HIGH 0x03 /* the device consumes it; edge, active high, its own */

void aml_init(struct aml *aml, uint8_t *data, size_t max)
{
	*aml = (struct aml){ .data = data, .max = max };
}

static void aml_bytes(struct aml *aml, const void *bytes, size_t len)
{
	if (len > aml->max - aml->size) {
		aml->overflow = true;
		return;
	}
	memcpy(aml->data + aml->size, bytes, len);
	aml->size += len;
}

static void aml_byte(struct aml *aml, uint8_t byte)
{
	aml_bytes(aml, &byte, 1);
}

/* Little-endian, as we are. */
static void aml_value(struct aml *aml, uint32_t value, size_t len)
{
	aml_bytes(aml, &value, len);
}

static void aml_open(struct aml *aml)
{
	if (aml->depth == AML_MAX_DEPTH) {
		aml->overflow = true;
		return;
	}
	aml->open[aml->depth++] = aml->size;
	aml_value(aml, 0, 2);
}

/* Four bits of the length in the first byte, which says that one more follows. */
void aml_end(struct aml *aml)
{
	size_t at, len;

	if (aml->overflow || !aml->depth) {
		aml->overflow = true;
		return;
	}
	at = aml->open[--aml->depth];
	len = aml->size - at;
	if (len > AML_MAX) {
		aml->overflow = true;
		return;
	}
	aml->data[at] = 0x40 | (len & 0xf);
	aml->data[at + 1] = len >> 4;
}

void aml_begin_scope(struct aml *aml, const char *name)
{
	aml_byte(aml, OP_SCOPE);
	aml_open(aml);
	aml_bytes(aml, name, 4);
}

void aml_begin_device(struct aml *aml, const char *name)
{
	aml_byte(aml, OP_EXTENDED);
	aml_byte(aml, OP_EXT_DEVICE);
	aml_open(aml);
	aml_bytes(aml, name, 4);
}

static void aml_name(struct aml *aml, const char *name)
{
	aml_byte(aml, OP_NAME);
	aml_bytes(aml, name, 4);
}

void aml_name_string(struct aml *aml, const char *name, const char *value)
{
	aml_name(aml, name);
	aml_byte(aml, OP_STRING);
	aml_bytes(aml, value, strlen(value) + 1);
}

void aml_name_number(struct aml *aml, const char *name, uint32_t value)
{
	aml_name(aml, name);
	aml_byte(aml, OP_DWORD);
	aml_value(aml, value, 4);
}

/* A sleep state: what to write into the control registers, and two words that are reserved. */
void aml_name_sleep(struct aml *aml, const char *name, uint8_t type)
{
	unsigned int i;

	aml_name(aml, name);
	aml_byte(aml, OP_PACKAGE);
	aml_open(aml);
	aml_byte(aml, 4);
	for (i = 0; i < 4; i++) {
		aml_byte(aml, OP_BYTE);
		aml_byte(aml, i < 2 ? type : 0);
	}
	aml_end(aml);
}

/* A buffer, whose size as a word is filled in at the end. */
void aml_begin_resources(struct aml *aml)
{
	aml_name(aml, "_CRS");
	aml_byte(aml, OP_BUFFER);
	aml_open(aml);
	aml_byte(aml, OP_WORD);
	aml_value(aml, 0, 2);
}

void aml_add_ports(struct aml *aml, uint16_t first, uint8_t len)
{
	aml_byte(aml, RES_PORTS);
	aml_byte(aml, 1); /* all 16 bits are decoded */
	aml_value(aml, first, 2);
	aml_value(aml, first, 2);
	aml_byte(aml, 1);
	aml_byte(aml, len);
}

void aml_add_isa_irq(struct aml *aml, unsigned int irq)
{
	aml_byte(aml, RES_IRQ);
	aml_value(aml, 1U << irq, 2);
}

void aml_add_memory(struct aml *aml, uint32_t gpa, uint32_t len)
{
	aml_byte(aml, RES_MEMORY);
	aml_value(aml, 9, 2);
	aml_byte(aml, 1); /* to read and write */
	aml_value(aml, gpa, 4);
	aml_value(aml, len, 4);
}

void aml_add_edge(struct aml *aml, uint32_t gsi)
{
	aml_byte(aml, RES_INTERRUPT);
	aml_value(aml, 6, 2);
	aml_byte(aml, INTERRUPT_EDGE_HIGH);
	aml_byte(aml, 1);
	aml_value(aml, gsi, 4);
}

void aml_end_resources(struct aml *aml)
{
	size_t contents, len;

	aml_byte(aml, RES_END);
	aml_byte(aml, 0); /* no checksum */
	if (aml->overflow || !aml->depth)
		return;
	contents = aml->open[aml->depth - 1] + 5;
	len = aml->size - contents;
	aml->data[contents - 2] = len & 0xff;
	aml->data[contents - 1] = len >> 8;
	aml_end(aml);
}
