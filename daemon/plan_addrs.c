/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_addrs.c - see plan_addrs.h.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_addrs.h"
#include "daemon/plan_zones.h"
#include "lib/addr.h"

static uint64_t bit(uint16_t zone)
{
	return 1ull << zone;
}

uint64_t plan_seeing(const struct plan *plan, uint16_t zone)
{
	uint64_t all = 0;
	uint16_t i;

	if (zone)
		return bit(zone);
	for (i = 0; i < NATVI_MAX_ZONES; i++)
		if (plan->zones[i].name[0])
			all |= bit(i);
	return all;
}

/* All zones without VRFs: they share the box's own addresses. */
static uint64_t plain_zones(const struct plan *plan, const struct config *config)
{
	uint64_t plain = plan_seeing(plan, 0);
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (config->zones[i].vrf[0])
			plain &= ~bit(plan_zone(plan, config->zones[i].name));
	return plain;
}

void plan_add_addr(struct plan *plan, uint32_t addr, uint16_t zone, uint64_t zones, uint8_t flags, unsigned int pool)
{
	plan->addrs[plan->n_addrs++] = (struct plan_addr){
		.zones = zones, .addr = addr, .slot = SLOT_NONE, .zone = zone, .policy = POLICY_NONE, .flags = flags, .pool = (uint8_t)pool,
	};
}

/* Interfaces */

/* The zone of a VRF device by its name; "": it is none's. */
static const char *zone_of_vrf(const struct config *config, const char *device)
{
	size_t i;

	for (i = 0; i < config->n_zones; i++)
		if (!strcmp(config->zones[i].vrf, device))
			return config->zones[i].name;
	return "";
}

/* The zone that sees an interface's addresses alone: its VRF's, whether it is natvi's interface or not; 0: none does. */
static uint16_t link_zone(const struct plan *plan, const struct plan_input *input, uint32_t ifindex)
{
	const struct link *link = links_by_index(input->links, ifindex), *master;
	const struct config *config = input->config;
	size_t i;

	if (!link || !config->n_zones)
		return 0;
	for (i = 0; i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, link->name))
			return plan_zone(plan, config_own_zone(config, config->interfaces[i].zone));
	master = link->master ? links_by_index(input->links, link->master) : link;
	return master ? plan_zone(plan, zone_of_vrf(config, master->name)) : 0;
}

static void add_own(struct plan *plan, const struct plan_input *input)
{
	uint64_t plain = plain_zones(plan, input->config);
	const struct ifaddr4 *addr;
	uint16_t zone;
	size_t i;

	for (i = 0; i < input->links->n_addrs; i++) {
		addr = &input->links->addrs[i];
		zone = link_zone(plan, input, addr->ifindex);
		plan_add_addr(plan, addr->addr, zone, zone ? bit(zone) : plain, ADDR_LOCAL, POOL_NONE);
	}
}

/* Netmaps */

/* The zones from which a netmap's prefix can be reached. */
static uint64_t netmap_zones(const struct plan *plan, const struct cfg_rule *rule)
{
	uint64_t zones = 0;
	size_t i;

	if (rule->has_dnat_zone)
		return bit(plan_zone(plan, rule->dnat_zone));
	for (i = 0; i < rule->to.n_zones; i++)
		zones |= bit(plan_zone(plan, rule->to.zones[i]));
	return zones ? zones : plan_seeing(plan, 0);
}

static void add_netmaps(struct plan *plan, const struct config *config)
{
	const struct cfg_rule *rule;
	uint32_t mask, first, n;
	size_t i;

	for (i = 0; i < config->n_rules; i++) {
		rule = &config->rules[i];
		mask = addr_mask4(rule->src_net.len);
		first = rule->src_net.addr & mask;
		for (n = 0; rule->netmap && n <= ~mask; n++)
			plan_add_addr(plan, first + n, 0, netmap_zones(plan, rule), ADDR_NET, POOL_NONE);
	}
}

/* Forwards */

uint32_t plan_forward_addr(const struct plan_input *input, const struct cfg_forward *forward)
{
	const struct link *link;

	if (forward->ext_addr)
		return forward->ext_addr;
	link = links_by_name(input->links, forward->ext_interface);
	return link ? links_primary4(input->links, link->ifindex) : 0;
}

/* The zone of a forward's interface, by name; without one the global one. */
static const char *forward_zone(const struct config *config, const struct cfg_forward *forward)
{
	size_t i;

	for (i = 0; forward->ext_interface[0] && i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, forward->ext_interface))
			return config->interfaces[i].zone;
	return "";
}

/* An address that a forward names may be one that a single zone sees: then it is that zone's. */
uint16_t plan_forward_outside(const struct plan *plan, const struct plan_input *input, const struct cfg_forward *forward)
{
	uint32_t addr = forward->ext_addr;
	const struct config *config = input->config;
	uint16_t zone, found = 0;
	size_t i, r;

	if (!addr)
		return plan_zone(plan, config_own_zone(config, forward_zone(config, forward)));
	for (i = 0; i < config->n_pools; i++)
		for (r = 0; r < config->pools[i].n_addrs; r++)
			if (config->pools[i].addrs[r].lo <= addr && addr <= config->pools[i].addrs[r].hi)
				return plan_zone(plan, config->pools[i].zone);
	for (i = 0; i < input->links->n_addrs; i++) {
		if (input->links->addrs[i].addr != addr)
			continue;
		zone = link_zone(plan, input, input->links->addrs[i].ifindex);
		if (!zone)
			return 0;
		found = zone;
	}
	return found;
}

uint16_t plan_forward_inside(const struct plan *plan, const struct plan_input *input, const struct cfg_forward *forward)
{
	return plan_zone(plan, forward_zone(input->config, forward));
}

static void add_forwards(struct plan *plan, const struct plan_input *input)
{
	const struct cfg_forward *forward;
	uint32_t addr;
	uint16_t zone;
	size_t i;

	for (i = 0; i < input->config->n_forwards; i++) {
		forward = &input->config->forwards[i];
		addr = plan_forward_addr(input, forward);
		zone = plan_forward_outside(plan, input, forward);
		if (addr)
			plan_add_addr(plan, addr, zone, plan_seeing(plan, zone), ADDR_FORWARD, POOL_NONE);
	}
}

/* Addresses that rules give to the kernel: what comes for them is its own, as for the box's. */
static void add_kernels(struct plan *plan, const struct config *config)
{
	uint64_t plain = plain_zones(plan, config);
	size_t i;

	for (i = 0; i < config->n_rules; i++)
		if (config->rules[i].kernel.snat)
			plan_add_addr(plan, config->rules[i].kernel.snat, 0, plain, ADDR_LOCAL, POOL_NONE);
}

void plan_other_addrs(struct plan *plan, const struct plan_input *input)
{
	size_t i;

	for (i = 0; i < input->n_former; i++)
		plan_add_addr(plan, input->former[i].addr, input->former[i].zone, plan_seeing(plan, input->former[i].zone),
			      ADDR_POOL, POOL_NONE);
	add_own(plan, input);
	add_kernels(plan, input->config);
	add_netmaps(plan, input->config);
	add_forwards(plan, input);
}

/* Merging */

static int compare_addrs(const void *a, const void *b)
{
	const struct plan_addr *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->zone != y->zone)
		return (int)x->zone - (int)y->zone;
	return (int)x->pool - (int)y->pool;
}

static bool same_face(const struct plan_addr *a, const struct plan_addr *b)
{
	return a->addr == b->addr && a->zone == b->zone;
}

/* Zones that see an address as the box's own, over all entries of that address. */
static uint64_t local_zones(const struct plan_addr *addrs, size_t n)
{
	uint64_t zones = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (addrs[i].flags & ADDR_LOCAL)
			zones |= addrs[i].zones;
	return zones;
}

/* The policy of an address that is in several pools reserves what any of them does. */
static uint16_t merge_policies(struct plan *plan, uint16_t a, uint16_t b)
{
	struct portset *merged;
	size_t w;

	if (a == b || b == POLICY_NONE)
		return a;
	if (a == POLICY_NONE)
		return b;
	merged = &plan->policies[plan->n_policies];
	for (w = 0; w < NATVI_PORT_WORDS; w++)
		merged->word[w] = plan->policies[a].word[w] | plan->policies[b].word[w];
	return (uint16_t)plan->n_policies++;
}

/* n entries with one face become one. */
static struct plan_addr merge(struct plan *plan, const struct plan_addr *list, size_t n, uint64_t local)
{
	struct plan_addr merged = list[0];
	uint16_t policy;
	size_t i;

	for (i = 1; i < n; i++) {
		merged.flags |= list[i].flags;
		merged.zones |= list[i].zones;
	}
	if (merged.zone && (merged.zones & local))	/* the pool is that zone's alone, the address is all plain zones' */
		merged.flags |= ADDR_LOCAL;
	for (i = 0; i < n; i++) {
		if (list[i].pool == POOL_NONE || (i && list[i].pool == list[i - 1].pool))
			continue;
		policy = 1 + 2 * list[i].pool + !!(merged.flags & ADDR_LOCAL);
		merged.policy = merge_policies(plan, merged.policy, policy);
	}
	return merged;
}

/* All entries of one address: [from, end) become those from n on. Returns the first place after them. */
static size_t merge_one_addr(struct plan *plan, size_t from, size_t end, size_t n)
{
	uint64_t local = local_zones(&plan->addrs[from], end - from), taken = 0;
	size_t first = n, next, i;

	for (; from < end; from = next) {
		for (next = from + 1; next < end && same_face(&plan->addrs[next], &plan->addrs[from]);)
			next++;
		plan->addrs[n++] = merge(plan, &plan->addrs[from], next - from, local);
	}
	for (i = first; i < n; i++)
		if (plan->addrs[i].zone)
			taken |= plan->addrs[i].zones;
	if (!plan->addrs[first].zone)
		plan->addrs[first].zones &= ~taken;
	return n;
}

void plan_merge_addrs(struct plan *plan)
{
	size_t from, end, n = 0, i;

	qsort(plan->addrs, plan->n_addrs, sizeof(*plan->addrs), compare_addrs);
	for (from = 0; from < plan->n_addrs; from = end) {
		for (end = from + 1; end < plan->n_addrs && plan->addrs[end].addr == plan->addrs[from].addr;)
			end++;
		n = merge_one_addr(plan, from, end, n);
	}
	plan->n_addrs = n;
	for (i = 0; i < n; i++)
		plan->n_addr_keys += (size_t)__builtin_popcountll(plan->addrs[i].zones);
}

/* Finding */

/* The first entry of an address, or the place where it would be. */
static size_t first_of(const struct plan *plan, uint32_t addr)
{
	size_t lo = 0, hi = plan->n_addrs, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (plan->addrs[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct plan_addr *plan_find_addr(const struct plan *plan, uint32_t addr, uint16_t zone)
{
	size_t i;

	for (i = first_of(plan, addr); i < plan->n_addrs && plan->addrs[i].addr == addr; i++)
		if (plan->addrs[i].zone == zone)
			return &plan->addrs[i];
	return NULL;
}

const struct plan_addr *plan_seen_addr(const struct plan *plan, uint32_t addr, uint16_t zone)
{
	size_t i;

	for (i = first_of(plan, addr); i < plan->n_addrs && plan->addrs[i].addr == addr; i++)
		if (plan->addrs[i].zones & bit(zone))
			return &plan->addrs[i];
	return NULL;
}
