/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * guard.h - natvi's nftables table in step with the interfaces that it serves.
 *
 * Before a change the guard covers the interfaces of both configurations and admits those that keep
 * their programs through it; after the change it is that of the new one.
 */
#ifndef NATVI_DAEMON_GUARD_H
#define NATVI_DAEMON_GUARD_H

#include <stddef.h>

struct config;
struct daemon;
struct served;

/*
 * Make the table admit what both lists serve (after NULL: nothing yet is known of it), and have the kernel do what both
 * configurations ask of it (was NULL: there is one only). Sets d->mark_slow when the table stands. Does nothing when the
 * table says so already.
 */
void guard_set(struct daemon *d, const struct config *was, const struct config *config, const struct served *before,
	       size_t n_before, const struct served *after, size_t n_after);

/* Make the table again if somebody has removed it. */
void guard_restore(struct daemon *d);

/* No table: nothing is translated. */
void guard_drop(struct daemon *d);

void guard_free(struct daemon *d);

#endif
