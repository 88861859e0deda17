/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_zone.c - zones: their keys, the name of one in other keys, sets of them, and what must hold. A
 * zone is a VRF device or a routing table; `global` is the one of everything that is in no other, and
 * is not written down in `zones`.
 */
#include <linux/rtnetlink.h>

#include "lib/config_impl.h"

_Static_assert(NATVI_MAX_ZONES <= 64, "a set of zones is 64 bits");

/* Keys */

static void zone_name(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_zone *zone = to;

	if (!cfg_name(p, value, "a zone's name", zone->name)) {
		p->names_broken = true;
	} else if (!strcmp(zone->name, "global")) {
		cfg_fail(p, value->line, "`global` is the zone of everything that is in no other, and there without being named");
		p->names_broken = true;
	}
}

static void zone_table(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_zone *zone = to;

	if (value->type == NODE_SCALAR && !strcmp(value->text, "main")) {
		zone->table = RT_TABLE_MAIN;
		return;
	}
	zone->table = cfg_number(p, value, "`table`", 1, UINT32_MAX, 0);
	if (zone->table == RT_TABLE_DEFAULT || zone->table == RT_TABLE_LOCAL)
		cfg_fail(p, value->line, "table %u is the kernel's own (`%s`); a zone has a table of its own, like 100", zone->table,
			 zone->table == RT_TABLE_LOCAL ? "local" : "default");
}

static void zone_vrf(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_ifname(p, value, ((struct cfg_zone *)to)->vrf);
}

static const struct cfg_key zone_keys[] = {
	{ "name", zone_name, true },
	{ "table", zone_table, false },
	{ "vrf", zone_vrf, false },
};

static void read_zone(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_zone *zone = CFG_ADD(p, p->config->zones, p->config->n_zones);

	if (!zone)
		return;
	zone->line = value->line;
	CFG_MAP(p, value, "a zone", zone_keys, zone);
	if (!*zone->name)
		p->names_broken = true;
	if (value->type == NODE_MAP && cfg_has(value, "table") == cfg_has(value, "vrf"))
		cfg_fail(p, value->line, "a zone is a routing table or a VRF device; write one of `table: 100` and `vrf: vrf-blue`");
}

void cfg_read_zones(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {name: blue, table: 100}", read_zone, to);
}

bool cfg_zone(struct cfg_parse *p, const struct node *value, char to[NATVI_NAME_LEN])
{
	if (value->type == NODE_SCALAR && !strcmp(value->text, "global")) {
		*to = '\0';
		return true;
	}
	return cfg_name(p, value, "a zone's name", to) && cfg_ref_add(p, REF_ZONE, value->line, to);
}

/* Sets */

uint64_t config_zone(const struct config *c, const char *name)
{
	if (!*name)
		return CFG_GLOBAL_ZONE;
	for (size_t i = 0; i < c->n_zones && i < NATVI_MAX_ZONES - 1; i++)
		if (!strcmp(c->zones[i].name, name))
			return CFG_GLOBAL_ZONE << (i + 1);
	return 0;
}

uint64_t config_zones(const struct config *c)
{
	return c->n_zones >= NATVI_MAX_ZONES - 1 ? UINT64_MAX : (CFG_GLOBAL_ZONE << (c->n_zones + 1)) - 1;
}

uint64_t config_pool_zones(const struct config *c, const struct cfg_pool *pool)
{
	return pool->has_zone || *pool->zone ? config_zone(c, pool->zone) : config_zones(c);
}

static uint64_t interface_zone(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_interfaces; i++)
		if (!strcmp(c->interfaces[i].name, name))
			return config_zone(c, c->interfaces[i].zone);
	return 0;
}

uint64_t config_forward_zone(const struct config *c, const struct cfg_forward *forward)
{
	return *forward->ext_interface ? interface_zone(c, forward->ext_interface) : CFG_GLOBAL_ZONE;
}

uint64_t config_match_zones(const struct config *c, const struct cfg_match *match)
{
	uint64_t zones = 0;

	if (!c->n_zones)
		return CFG_GLOBAL_ZONE;
	if (!match->n_zones && !match->n_interfaces)
		return config_zones(c);
	for (size_t i = 0; i < match->n_zones; i++)
		zones |= config_zone(c, match->zones[i]);
	for (size_t i = 0; i < match->n_interfaces; i++)
		zones |= interface_zone(c, match->interfaces[i]);
	return zones;
}

uint64_t config_netmap_zones(const struct config *c, const struct cfg_rule *rule)
{
	if (rule->to.n_zones)
		return config_match_zones(c, &rule->to);
	return rule->has_dnat_zone ? config_zone(c, rule->dnat_zone) : config_zones(c);
}

/* What must hold */

static bool same_table(const struct cfg_zone *a, const struct cfg_zone *b)
{
	return *a->vrf || *b->vrf ? !strcmp(a->vrf, b->vrf) : a->table && a->table == b->table;
}

static void check_zone(struct cfg_parse *p, size_t number)
{
	const struct config *c = p->config;
	const struct cfg_zone *zone = &c->zones[number];
	size_t i;

	for (i = 0; i < number; i++)
		if (same_table(&c->zones[i], zone))
			cfg_fail(p, zone->line, "zone `%s` is where zone `%s` (line %d) is; one zone may have many interfaces", zone->name,
				 c->zones[i].name, c->zones[i].line);
	for (i = 0; i < c->n_interfaces; i++)
		if (!strcmp(c->interfaces[i].zone, zone->name))
			return;
	if (*zone->name && !p->names_broken)
		cfg_fail(p, zone->line, "zone `%s` has no interface; write `zone: %s` at those of `interfaces` that are in it",
			 zone->name, zone->name);
}

void cfg_check_zones(struct cfg_parse *p)
{
	const struct config *c = p->config;

	if (c->n_zones > NATVI_MAX_ZONES - 1)
		cfg_fail(p, c->zones[NATVI_MAX_ZONES - 1].line, "%zu zones; at most %d fit beside the global one", c->n_zones,
			 NATVI_MAX_ZONES - 1);
	for (size_t i = 0; i < c->n_zones && i < NATVI_MAX_ZONES; i++)
		check_zone(p, i);
}
