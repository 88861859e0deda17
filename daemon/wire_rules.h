/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_rules.h - routing rules that wires need, all at one preference of nvi0's own (NVI_PRIORITY), and the tables they lead to.
 *
 *   fwmark MARK lookup NVI_TABLE                 the reply mark and the original mark: out by nvi0, whatever other routes say
 *   from HOST lookup NVI_TABLE                   what bears the box's address on the wire: likewise
 *   iif nvi0 fwmark TARGET_MARK lookup TARGET_TABLE    what was captured and is the kernel's to cut: out of the target
 *
 * A target's table has a second route, to nowhere: what was captured never leaves elsewhere because its target has just gone.
 * No state; each call asks the kernel. What is there stays as it is.
 */
#ifndef NATVI_DAEMON_WIRE_RULES_H
#define NATVI_DAEMON_WIRE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/config.h"

struct nl;
struct nvi;

struct wire_rule {
	uint32_t mark, table;
	uint32_t source;		/* network byte order; 0: any */
	bool target;			/* of what comes in by nvi0 */
};

/* Of what is captured for the device with this index; the table has the same number. */
static inline uint32_t wire_target_mark(uint32_t ifindex)
{
	return CFG_OWN_MARK | ifindex;
}

/* Make those that are missing. Returns 0 or a negative errno. */
int wire_rules_make(struct nl *nl, const struct nvi *nvi, const struct wire_rule *rules, size_t n);

/* Remove all others of these, and the routes of targets that have none any more. */
void wire_rules_clean(struct nl *nl, const struct nvi *nvi, const struct wire_rule *rules, size_t n);

/* The two routes of a target's table. Returns 0 or a negative errno. */
int wire_target_routes(struct nl *nl, uint32_t ifindex);

#endif
