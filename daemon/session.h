/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * session.h - ending sessions and mappings, and leaving the kernel's own connections to it.
 */
#ifndef NATVI_DAEMON_SESSION_H
#define NATVI_DAEMON_SESSION_H

#include <stdbool.h>

#include "daemon/links.h"
#include "daemon/tables.h"
#include "lib/filter.h"
#include "lib/session.h"

/* End sessions for which this is true. *reason is the one asked for, and may be changed. */
typedef bool (*session_pick)(const struct session *session, void *arg, uint32_t *reason);

/*
 * For that reason (enum end_reason). Their mappings rest, unless mappings_drop() follows. KILL_RELEASE: they go on, but their
 * mappings rest, too. Returns how many ended (or let go), or a negative errno.
 */
int sessions_kill(const struct tables *tables, const struct filter *filter, session_pick pick, void *arg, uint32_t reason);

/* Mappings without sessions for which this is true go. */
typedef bool (*mapping_pick)(const struct map_entry *entry, void *arg);

/* Returns how many went, or a negative errno; *busy (may be NULL): how many sessions still hold. */
int mappings_drop(const struct tables *tables, mapping_pick pick, void *arg, int *busy);

/* The outside address and port of a session; false: it has none (forwarded untranslated, or the kernel's). */
bool session_outside(const struct session *session, union addr *addr, __be16 *port);

/*
 * Connections that the kernel's conntrack knows and forwards stay with it: each becomes a session
 * that the datapath passes on untouched. Called once, before natvi has a program on any interface.
 * Returns how many, or a negative errno.
 */
int adopt_existing(const struct tables *tables, const struct links *links);

#endif
