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

/* Number the zones of the configuration: plan->zone_names, names and tables in plan->zones. Returns as plan_build(). */
int plan_zones(struct plan *plan, const struct plan_input *input, char *err, size_t err_len);

/* The port that each zone's look-ups go by, when plan->ports stands: the first one, of those that are up and have Ethernet if there is one. */
void plan_zone_ports(struct plan *plan);

/* What is wrong with the zone of an interface in a sentence; "": nothing. links: as they are now. */
struct cfg_interface;
void zone_trouble(const struct config *config, const struct cfg_interface *interface, const struct links *links, char *text, size_t len);

/* The same of an interface that is a part of another one. */
void master_trouble(const struct cfg_interface *interface, const struct links *links, char *text, size_t len);

#endif
