/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * write.h - a plan into the maps. The caller says in which order; see engine.c.
 */
#ifndef NATVI_DAEMON_WRITE_H
#define NATVI_DAEMON_WRITE_H

#include "daemon/plan.h"
#include "daemon/tables.h"

/* Is there room for the plan in the maps? 0, or -ENOSPC with a sentence that names the way out. */
int write_fits(const struct tables *tables, const struct plan *plan, char *err, size_t err_len);

/*
 * Settings, rules, pools and pool addresses into the half that is not in force, which then comes into
 * force. was: what is in force now; NULL: not known. Nothing is done where they are equal. Returns 0,
 * 1 when nothing changed, or a negative errno: then the half in force is as it was.
 */
int write_half(const struct tables *tables, const struct plan *was, const struct plan *plan);

/* Addresses that are new or different. Then, when the plan is in force, remove those that are not in it. */
int write_addrs(const struct tables *tables, const struct plan *was, const struct plan *plan);
int remove_addrs(const struct tables *tables, const struct plan *was, const struct plan *plan);

/* Zones in place. was: what the table holds; NULL: not known. Returns 1 if some changed, 0, or a negative errno. */
int write_zones(const struct tables *tables, const struct plan *was, const struct plan *plan);

/*
 * Wires in place that are new or different; then, when no port is theirs any more, remove those that have gone. A number that
 * is another wire's now than it was of (names: [NATVI_MAX_WIRES]) begins with nothing learned. Return 1 if some changed, 0, or a
 * negative errno.
 */
int write_wires(const struct tables *tables, const struct plan *was, const struct plan *plan, const char (*names)[NATVI_NAME_LEN]);
int remove_wires(const struct tables *tables, const struct plan *was, const struct plan *plan);

/*
 * Ports into their slots; entries of interfaces that are not in the plan are emptied. shadow: the map's
 * content, [NATVI_MAX_PORTS]. Returns how many entries changed, or a negative errno.
 */
int write_ports(const struct tables *tables, struct port *shadow, const struct port *ports, size_t n_ports);

#endif
