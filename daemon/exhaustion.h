/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * exhaustion.h - running out of ports or of room, said in the log while it lasts.
 *
 * The datapath counts what it refuses (RFC 6888 req. 11); this looks at the counters each second and says
 * what came, at once and then no more often than once in EXHAUSTION_EVERY_S: nothing that was counted stays
 * unsaid, and a flood fills no log. Life: exhaustion_begin() -> exhaustion_due() each second. Plain memory.
 */
#ifndef NATVI_DAEMON_EXHAUSTION_H
#define NATVI_DAEMON_EXHAUSTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"

#define EXHAUSTION_EVERY_S	60
#define EXHAUSTION_REASONS	3

struct exhaustion {
	uint64_t said[EXHAUSTION_REASONS];	/* packets that have been spoken of, by reason */
	uint32_t said_s;			/* when; 0: never */
};

/* What was counted before is not ours to tell. */
void exhaustion_begin(struct exhaustion *e, const struct counters *counters);

/* Is there something to say at now_s (coarse monotonic seconds)? Then text has the sentence. */
bool exhaustion_due(struct exhaustion *e, const struct counters *counters, uint32_t now_s, char *text, size_t len);

#endif
