/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_queue.h - what waits in the park: early fragments and unsolicited SYNs (abi/fragment.h). No I/O.
 *
 * A fragment waits until its datagram has come to where it begins, which `next` is asked for: NATVI_PARK_MS at
 * most, counted from the first of its datagram that waited, so that nothing goes round in circles. Two that
 * contradict each other end the datagram. A SYN waits for NATVI_SYN_HOLD_MS, not less.
 *
 * Bounds: NATVI_PARK_BYTES of memory in all, of which SYNs have PARK_SYN_BYTES and fragments the rest, so that
 * neither starves the other; NATVI_PARK_SOURCE_BYTES and NATVI_SYN_SOURCE for one source. What does
 * not fit is refused; what waits already stays. No step takes longer the more there is: hash tables with a
 * secret key, lists in the order of time, and so many look-ups and frames a run.
 *
 * Life: park_queue_new() -> park_queue_free(). Plain memory, one thread.
 */
#ifndef NATVI_DAEMON_PARK_QUEUE_H
#define NATVI_DAEMON_PARK_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fragment.h"

#define PARK_SYN_BYTES	(NATVI_PARK_BYTES / 4)
#define PARK_TICK_US	1000	/* between two looks at what waits */
#define PARK_RUN_LOOKS	256	/* datagrams that one run looks at */
#define PARK_RUN_FRAMES	256	/* frames that one run gives back */

enum park_turn {
	PARK_WAIT,		/* nothing is known of the datagram yet */
	PARK_NEXT,		/* it has come to *next, units of 8 bytes */
	PARK_REFUSED,		/* the rest of it is not wanted */
};

struct park_calls {
	/* Zone of the port; negative: nothing is served there. */
	int (*zone)(uint32_t ifindex, uint16_t vlan, void *arg);
	/* How far is this datagram (key of the map `fragments`)? */
	enum park_turn (*next)(const struct tuple *datagram, uint32_t *next, void *arg);
	/* Its turn has come; the frame is as it was put. false: it could not be given back, and counts as expired. */
	bool (*release)(const void *frame, size_t len, void *arg);
	void *arg;
};

struct park_counts {
	uint64_t parked;	/* taken in */
	uint64_t released;
	uint64_t expired;	/* waited in vain */
	uint64_t refused;	/* no room, no sense, or a contradiction */
	uint64_t repeated;	/* the same waits already */
	uint32_t held;		/* now */
};

struct park_report {
	struct park_counts fragments, syns;
	uint32_t bytes;		/* of memory, now */
};

struct park_queue;

/* NULL: no memory. */
struct park_queue *park_queue_new(const struct park_calls *calls);
void park_queue_free(struct park_queue *queue);

/* Take in a frame that the datapath has sent. now_us: monotonic microseconds, in all functions here. */
void park_queue_put(struct park_queue *queue, const void *frame, size_t len, uint64_t now_us);

/* Give back what has its turn, forget what waits in vain. */
void park_queue_run(struct park_queue *queue, uint64_t now_us);

/* When to run next; UINT64_MAX: not before something is put. */
uint64_t park_queue_due(const struct park_queue *queue);

void park_queue_report(const struct park_queue *queue, struct park_report *out);

#endif
