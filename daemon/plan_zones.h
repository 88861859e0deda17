/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_zones.h - the numbers of a plan's zones, and by which port look-ups for each of them go.
 *
 * Flows and mappings name zones by number, so a name keeps its number for as long as the daemon lives, and over
 * restarts while it is in use. A zone that has gone gives its number to another one only when no fresh one is left.
 */
#ifndef NATVI_DAEMON_PLAN_ZONES_H
#define NATVI_DAEMON_PLAN_ZONES_H

#include "daemon/plan.h"

/* Number the zones of the configuration: plan->zone_names, and names in plan->zones. Returns as plan_build(). */
int plan_zones(struct plan *plan, const struct plan_input *input, char *err, size_t err_len);

#endif
