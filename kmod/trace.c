// SPDX-License-Identifier: GPL-2.0-only
/* The tracepoints of trace.h come to life here. */
#include <linux/module.h>

#define CREATE_TRACE_POINTS
#include "trace.h"
