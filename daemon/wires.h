/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wires.h - what the engine does for wires beside the plan: around enforcing one, and what an operator is told.
 */
#ifndef NATVI_DAEMON_WIRES_H
#define NATVI_DAEMON_WIRES_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct daemon;
struct json_t;
struct links;
struct plan;
struct served;

/* Did the tables last have wires, of this daemon or the one before? */
bool wires_were(const struct daemon *d);

/* Which wires take XDP frames at both ends, when the plan's ports are settled. */
void wires_settle(struct plan *plan);

/* Before there are ports: switches of theirs, and the kernel's ways to targets. */
void wires_prepare(struct daemon *d, const struct config *config, const struct served *list, size_t n);

/* A plan is in force: sessions end whose wire or target is none any more, or all when wires take NAT's place or NAT theirs. */
void wires_end_sessions(struct daemon *d, const struct plan *plan, const struct links *links, bool wires);

/* Say what has changed of ports and targets since d's plan; those that come next are list. */
void wires_tell(const struct daemon *d, const struct config *config, const struct links *links, const struct served *list, size_t n);

/* Each with its ports, targets and bridge, for `status`. */
struct json_t *wires_json(const struct daemon *d);

#endif
