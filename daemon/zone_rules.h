/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * zone_rules.h - routing rules for zones that are routing tables: `iif PORT lookup TABLE`, one for each interface of the
 * zone, so that the kernel routes what comes in there as natvi does.
 *
 * They are known by their protocol number (NL_PROTOCOL) and preference, and belong to the instance that has the interface. They stay
 * when the daemon ends; the next one takes them over, and `down` removes them. IPv4 only.
 */
#ifndef NATVI_DAEMON_ZONE_RULES_H
#define NATVI_DAEMON_ZONE_RULES_H

#include "lib/config.h"
#include "lib/netlink.h"

#define ZONE_RULE_PREFERENCE	30000	/* of zone 0, which has none; those of zone n have n more */

struct plan;

/*
 * Make those that are missing. Returns how many were, or a negative errno after saying why.
 */
int zone_rules_make(struct nl *nl, const struct config *config, const struct plan *plan);

/* Remove the instance's that are not (any more) as the configuration says; config NULL: all of them. Errors are said. */
void zone_rules_clean(struct nl *nl, const char *instance, const struct config *config, const struct plan *plan);

#endif
