/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bits.h - a plan's reserved and forwarded ports into the port bitmaps.
 *
 * Before a plan is in force the ports that it withholds are taken; after it those that it no longer
 * withholds, and no mapping holds, are released. A reserved port whose mapping outlives the reload is
 * watched: when that mapping goes, the datapath clears the bit, and it has to be taken again.
 */
#ifndef NATVI_DAEMON_BITS_H
#define NATVI_DAEMON_BITS_H

#include "daemon/plan.h"
#include "daemon/tables.h"

/* Take all that the plan withholds of addresses that have all of these ADDR_*; bitmaps of fresh slots are begun anew. */
void bits_take(const struct tables *tables, const struct plan *plan, struct slots *slots, uint8_t of);

/* Release what was withheld of such addresses. was: the plan in force before; NULL: not known, look at every bit. */
int bits_release(const struct tables *tables, const struct plan *was, const struct plan *plan, uint8_t of);

/* How many dynamic mappings hold a port that the plan withholds? Negative errno on failure. */
int bits_overlaps(const struct tables *tables, const struct plan *plan);

#endif
