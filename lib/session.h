/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * session.h - sessions as a person sees them: both flows put together again from the flow table.
 *
 * Life: a struct session is a copy; it stays good after the datapath has ended the session.
 * Concurrency: see maps.h. The two halves are copied one after the other, so their counters
 * may be a few packets apart.
 */
#ifndef NATVI_LIB_SESSION_H
#define NATVI_LIB_SESSION_H

#include "lib/filter.h"
#include "lib/maps.h"

struct session {
	struct flow orig;
	struct flow_cold cold;		/* of orig */
	struct flow reply;		/* all 0 when has_reply is false */
	bool has_reply;			/* false: caught while it came or went */
	const char *state;		/* see session_state() */
	uint32_t idle_s;		/* since the last packet of either direction */
	uint32_t remaining_s;		/* until it expires if nothing more comes; the longer of both directions */
};

typedef int (*session_fn)(const struct session *session, void *arg);

/*
 * Every live session that the filter (NULL: all) admits; those past their idle time are left out.
 * fn returns 0 to go on; anything else ends the walk and is returned. -ENOMEM is possible.
 */
int maps_each_session(const struct maps *maps, const struct filter *filter, session_fn fn, void *arg);

/*
 * TCP: "syn-sent", "syn-received", "established", "closing" (FIN one way), "closed" (FIN both
 * ways), "reset". Others: "unreplied" until the reply direction has carried a packet, then "replied".
 * "kernel": a connection that was the kernel's before natvi started, or that it does more with than natvi can, and is left to
 * it. "accelerated": one of the kernel's conntrack, established there, that natvi sends on.
 */
const char *session_state(const struct flow *orig, const struct flow *reply);

/* Is it one of the kernel's connections, of which natvi sends on one direction at least? */
bool session_is_accelerated(const struct flow *orig, const struct flow *reply);

/* The key of the session's other flow. */
struct tuple session_peer_key(const struct flow *orig, const struct flow_cold *cold);

/* All words that session_state() can return, ended by NULL. */
extern const char *const session_states[];

#endif
