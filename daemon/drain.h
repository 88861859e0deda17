/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * drain.h - what outlives its configuration for a while: sessions and mappings on addresses that
 * are in no pool any more, the slots and pool indexes that they name, and reserved ports that they hold.
 */
#ifndef NATVI_DAEMON_DRAIN_H
#define NATVI_DAEMON_DRAIN_H

#include "daemon/plan.h"

struct daemon;

/* End sessions and mappings on lost addresses; slots that nothing names any more are free. */
void drain(struct daemon *d);

/* The same in a moment: an address that an interface has again by then was never lost. */
void drain_soon(struct daemon *d);

/* Names and kinds of a plan's pools; an index whose name went is busy until places_refresh() says otherwise. */
void places_follow(struct pool_place *places, const struct pool_place *now);

/* Which indexes without a name do mappings still refer to? */
void places_refresh(struct daemon *d);

#endif
