/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * orphans.h - sessions whose rule, forward or pool address a reload has taken away (config.orphans).
 *
 * keep   they go on, and so do their mappings: other sessions may come of those
 * drain  they go on, and let go of their mappings, which take no new sessions from outside; what their host begins
 *        anew goes by the rules in force
 * kill   they end
 *
 * An address that left all pools stays natvi's for as long as sessions or mappings have it ("former"), unless they are to
 * be killed. An address that an interface lost is none of this: its sessions end (drain.h). A forward has but one mapping,
 * which goes with it: keep is drain there.
 */
#ifndef NATVI_DAEMON_ORPHANS_H
#define NATVI_DAEMON_ORPHANS_H

#include "daemon/plan.h"

struct daemon;

/*
 * Which of the addresses in use before (d->slots) are in no plan that gave slots, are not lost to the box, and are in use
 * still? Into *list, to be freed. Returns how many, or a negative errno.
 */
int orphans_former(const struct daemon *d, const struct slots *slots, const struct links *links, struct plan_addr **list);

/* A reload is in force: see to the sessions whose rule or address has gone. */
void orphans_settle(struct daemon *d);

/* Now and then: is some former address used no more? Then it is taken off d->former, and true returned: the plan is to be made anew. */
bool orphans_gone(struct daemon *d);

#endif
