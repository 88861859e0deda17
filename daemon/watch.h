/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * watch.h - what changes in the namespace, and what follows from it.
 *
 * Links and addresses: the plan is made again. Routes, rules and neighbours that matter: a new
 * generation, so that cached next hops are looked up again. IPsec policies and mark rules: flows stay
 * on the slow road. Events are gathered for a few milliseconds; lost ones cause a full reading.
 */
#ifndef NATVI_DAEMON_WATCH_H
#define NATVI_DAEMON_WATCH_H

#include <stdbool.h>

struct daemon;
struct neighbours;

/* Listen; d->policy is set from what is there now. Before the first engine_apply(), so that nothing is missed. */
int watch_open(struct daemon *d);

/* Begin to act on what was heard. After the first engine_apply(). */
void watch_start(struct daemon *d);

/* release: see neigh_free(). */
void watch_close(struct daemon *d, bool release);

struct neighbours *watch_neighbours(struct daemon *d);

#endif
