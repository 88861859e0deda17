/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * pins.h - which program belongs to which instance, from the pins alone.
 *
 * Programs on interfaces are known by their ids; every instance of natvi pins its programs as
 * /sys/fs/bpf/natvi/INSTANCE/prog_NAME. A snapshot: pins_read() -> pins_free().
 */
#ifndef NATVI_DAEMON_PINS_H
#define NATVI_DAEMON_PINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/limits.h"

#define PIN_PROG_PREFIX	"prog_"
#define PIN_NEW_SUFFIX	"_new"		/* of programs that not all ports run yet */
#define PIN_OLD_SUFFIX	"_old"		/* the same, of a start that was cut off */

struct pin {
	char instance[NATVI_NAME_LEN];
	char name[64];
	uint32_t id;
};

struct pins {
	struct pin *list;
	size_t n;
};

/* Returns 0 or a negative errno; no directory is no error. */
int pins_read(struct pins *pins);
void pins_free(struct pins *pins);

/* The instance that a program belongs to; NULL: none that can be seen. */
const char *pins_owner(const struct pins *pins, uint32_t id);

/* A descriptor of a pinned program; the caller closes it. Negative errno: it is not pinned under the name that it had. */
int pins_open(const struct pins *pins, uint32_t id);

/* Remove all pins of an instance and its directory. Returns 0 or a negative errno. */
int pins_remove(const char *instance);

#endif
