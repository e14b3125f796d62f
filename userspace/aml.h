/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MKVM_USER_AML_H
#define MKVM_USER_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AML_MAX	      4095 /* what a length of two bytes can tell */
#define AML_MAX_DEPTH 4

/* Terms of ACPI's language, written one after the other; what does not fit sets overflow. */
struct aml {
	uint8_t *data;
	size_t size, max;
	size_t open[AML_MAX_DEPTH]; /* where the lengths of open terms are */
	unsigned int depth;
	bool overflow;
};

/* Segments of names are four characters. */
void aml_init(struct aml *aml, uint8_t *data, size_t max);
void aml_begin_scope(struct aml *aml, const char *name);
void aml_begin_device(struct aml *aml, const char *name);
void aml_end(struct aml *aml);
void aml_name_string(struct aml *aml, const char *name, const char *value);
void aml_name_number(struct aml *aml, const char *name, uint32_t value);
void aml_name_sleep(struct aml *aml, const char *name, uint8_t type);

/* The resources of the device that is open, between begin and end. */
void aml_begin_resources(struct aml *aml);
void aml_add_ports(struct aml *aml, uint16_t first, uint8_t len);
void aml_add_isa_irq(struct aml *aml, unsigned int irq);
void aml_add_memory(struct aml *aml, uint32_t gpa, uint32_t len);
void aml_add_edge(struct aml *aml, uint32_t gsi);
void aml_end_resources(struct aml *aml);

#endif
