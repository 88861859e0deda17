/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_zones.c - see plan_zones.h.
 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "daemon/plan_zones.h"

static bool is_configured(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (!strcmp(config->zones[i].name, name))
			return true;
	return false;
}

/* NATVI_MAX_ZONES: there is none. */
static uint16_t number_of(const struct plan *plan, const char *name)
{
	uint16_t i = 1;

	while (i < NATVI_MAX_ZONES && strcmp(plan->zone_names[i], name))
		i++;
	return i;
}

/* A number that nobody has had, else that of a zone which has gone; NATVI_MAX_ZONES: there is none. */
static uint16_t free_number(const struct plan *plan, const struct config *config)
{
	uint16_t i = number_of(plan, "");

	if (i < NATVI_MAX_ZONES)
		return i;
	for (i = 1; i < NATVI_MAX_ZONES && is_configured(config, plan->zone_names[i]);)
		i++;
	return i;
}

uint16_t plan_zone(const struct plan *plan, const char *name)
{
	return *name ? number_of(plan, name) : 0;
}

const char *config_own_zone(const struct config *config, const char *zone)
{
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (config->zones[i].vrf[0] && !strcmp(config->zones[i].name, zone))
			return zone;
	return "";
}

static uint32_t table_of(const struct cfg_zone *zone, const struct links *links)
{
	const struct link *vrf = zone->vrf[0] ? links_by_name(links, zone->vrf) : NULL;

	return vrf ? vrf->vrf_table : zone->table;
}

int plan_zones(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	uint16_t number;
	size_t i;

	if (input->zones)
		memcpy(plan->zone_names, input->zones, sizeof(plan->zone_names));
	strcpy(plan->zones[0].name, "global");
	plan->zones[0].table = RT_TABLE_MAIN;
	for (i = 0; i < config->n_zones; i++) {
		number = number_of(plan, config->zones[i].name);
		if (number == NATVI_MAX_ZONES)
			number = free_number(plan, config);
		if (number == NATVI_MAX_ZONES) {
			snprintf(err, err_len, "%zu zones are more than the limit of %d", config->n_zones, NATVI_MAX_ZONES - 1);
			return -E2BIG;
		}
		strcpy(plan->zone_names[number], config->zones[i].name);
		strcpy(plan->zones[number].name, config->zones[i].name);
		plan->zones[number].table = table_of(&config->zones[i], input->links);
	}
	return 0;
}

static unsigned int rank(const struct port *port)
{
	return (port->flags & PORT_DOWN ? 0 : 2) + (port->flags & PORT_NO_L2 ? 0 : 1);
}

void plan_zone_ports(struct plan *plan)
{
	const struct port *best[NATVI_MAX_ZONES] = { NULL }, *port;
	struct zone *zone;
	size_t i;

	for (i = 0; i < plan->n_ports; i++) {
		port = &plan->ports[i];
		if (!best[port->zone] || rank(port) > rank(best[port->zone]))
			best[port->zone] = port;
	}
	for (i = 0; i < NATVI_MAX_ZONES; i++) {
		zone = &plan->zones[i];
		zone->ifindex = best[i] ? best[i]->ifindex : 0;
		memset(zone->mac, 0, sizeof(zone->mac));
		if (best[i])
			memcpy(zone->mac, best[i]->mac, sizeof(zone->mac));
	}
}

static const struct cfg_zone *zone_named(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (!strcmp(config->zones[i].name, name))
			return &config->zones[i];
	return NULL;
}

void zone_trouble(const struct config *config, const struct cfg_interface *interface, const struct links *links, char *text, size_t len)
{
	const struct cfg_zone *zone = zone_named(config, interface->zone);
	const struct link *link = links_by_name(links, interface->name);
	const struct link *master = link && link->master ? links_by_index(links, link->master) : NULL;
	bool in_vrf = master && !strcmp(master->kind, "vrf");

	*text = '\0';
	if (!link)
		return;
	if (zone && zone->vrf[0] && (!in_vrf || strcmp(master->name, zone->vrf)))
		snprintf(text, len, "%s: its zone %s is VRF %s, but it is %s%s: the kernel routes its packets elsewhere; "
			 "`ip link set %s master %s` would be right", interface->name, zone->name, zone->vrf,
			 in_vrf ? "in VRF " : "in no VRF", in_vrf ? master->name : "", interface->name, zone->vrf);
	else if (in_vrf && !zone)
		snprintf(text, len, "%s: it is in VRF %s and has no `zone`: its addresses count as those of the global zone; give it a zone "
			 "with `vrf: %s`", interface->name, master->name, master->name);
	else if (in_vrf && !zone->vrf[0])
		snprintf(text, len, "%s: its zone %s is routing table %u, but it is in VRF %s, which goes before", interface->name, zone->name,
			 zone->table, master->name);
}

void master_trouble(const struct cfg_interface *interface, const struct links *links, char *text, size_t len)
{
	static const char *const kinds[] = { "bridge", "bond", "team", "openvswitch" };
	const struct link *link = links_by_name(links, interface->name);
	const struct link *master = link && link->master ? links_by_index(links, link->master) : NULL;
	size_t i;

	*text = '\0';
	for (i = 0; master && i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(master->kind, kinds[i]))
			snprintf(text, len, "%s: it is a part of the %s %s, which has the addresses and routes, and by which packets come in: "
				 "`interfaces` would have to name %s instead", interface->name, kinds[i], master->name, master->name);
}
