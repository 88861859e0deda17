/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * sweep.h - expiry: natvi_sweep over the tables, a slice at a time.
 *
 * A pass over the whole flow table begins each second where that is cheap, and at least every five
 * seconds. A slice is as large as fits a few milliseconds, so that the daemon answers meanwhile. Each
 * second the heartbeat is written, what drains is looked after, and running out of room is said.
 */
#ifndef NATVI_DAEMON_SWEEP_H
#define NATVI_DAEMON_SWEEP_H

#include <stdint.h>

struct daemon;

int sweep_start(struct daemon *d);
void sweep_stop(struct daemon *d);

/* The last whole pass. */
struct sweep_report {
	double seconds;			/* of program time */
	uint32_t live, ended, freed;
	uint32_t mappings_live, mappings_freed;
	uint32_t slices;
};
void sweep_report(const struct daemon *d, struct sweep_report *out);

#endif
