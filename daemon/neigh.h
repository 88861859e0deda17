/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * neigh.h - neighbours: whose MAC address flows carry, and which must be kept alive.
 *
 * The kernel tells of every change; most are noise (REACHABLE, STALE, DELAY, PROBE with the same MAC).
 * A table of what is known finds the ones that matter: another MAC, FAILED, or gone. Next hops of live
 * flows are made managed neighbours, which the kernel probes by itself: packets that never see the
 * stack would let them go stale without anybody noticing that they are dead.
 */
#ifndef NATVI_DAEMON_NEIGH_H
#define NATVI_DAEMON_NEIGH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/maps.h"
#include "lib/netlink.h"

struct neighbours;

/* nl is used for requests. NULL: no memory. */
struct neighbours *neigh_new(struct nl *nl);

/* release: neighbours that were made managed are let go. */
void neigh_free(struct neighbours *n, bool release);

/* Ask the kernel for all of them. Returns 0 or a negative errno; *changed: something that matters had changed. */
int neigh_read(struct neighbours *n, bool *changed);

/* One message (RTM_NEWNEIGH, RTM_DELNEIGH). True: cached next hops must be looked up again. */
bool neigh_event(struct neighbours *n, const struct nlmsghdr *msg);

/* Scan some of the flow table for next hops in use; at the end of a pass managed flags follow. Call often. */
void neigh_scan(struct neighbours *n, const struct maps *maps, uint32_t now_s);

/* How many are managed now. */
unsigned int neigh_managed(const struct neighbours *n);

#endif
