/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan.c - pools, addresses and forwards of a plan; its rules and ports are in plan_rules.c. See plan.h.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan.h"
#include "daemon/plan_addrs.h"
#include "daemon/plan_rules.h"
#include "daemon/plan_zones.h"
#include "lib/addr.h"

static int fail(char *err, size_t err_len, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(err, err_len, format, args);
	va_end(args);
	return error;
}

static const char *interface_zone(const struct config *config, const char *interface)
{
	size_t i;

	for (i = 0; i < config->n_interfaces; i++)
		if (!strcmp(config->interfaces[i].name, interface))
			return config->interfaces[i].zone;
	return "";
}

bool config_masquerades(const struct config *config, const char *interface)
{
	const char *zone = interface_zone(config, interface);
	const struct cfg_rule *rule;
	size_t r, i;

	for (r = 0; r < config->n_rules; r++) {
		rule = &config->rules[r];
		if (!rule->masquerade)
			continue;
		if (!rule->to.n_interfaces && !rule->to.n_zones)
			return true;
		for (i = 0; i < rule->to.n_zones; i++)
			if (!strcmp(rule->to.zones[i], zone))
				return true;
		for (i = 0; i < rule->to.n_interfaces; i++)
			if (!strcmp(rule->to.interfaces[i], interface))
				return true;
	}
	return false;
}

static size_t forward_ports(const struct cfg_forward *forward)
{
	return forward->n_protos * (size_t)(forward->ext_ports.hi - forward->ext_ports.lo + 1);
}

/* Addresses that rules give to the kernel. */
static size_t kernel_addrs(const struct config *config)
{
	size_t n = 0, i;

	for (i = 0; i < config->n_rules; i++)
		n += !!config->rules[i].kernel.snat;
	return n;
}

struct plan_needs plan_needs(const struct config *config)
{
	uint32_t zones = (uint32_t)config->n_zones + 1;
	struct plan_needs needs = { 0 };
	size_t i;

	for (i = 0; i < config->n_interfaces; i++)
		needs.pool_addrs += config_masquerades(config, config->interfaces[i].name);
	needs.addr_keys = (uint32_t)(config_address_entries(config) + (needs.pool_addrs + config->n_forwards + kernel_addrs(config)) * zones);
	needs.pool_addrs += (uint32_t)config_pool_addresses(config);
	needs.net_addrs = (uint32_t)config_netmap_addresses(config);
	needs.slots = needs.pool_addrs + config->n_forwards;
	for (i = 0; i < config->n_forwards; i++)
		needs.statics += forward_ports(&config->forwards[i]);
	return needs;
}

/* Building */

struct builder {
	struct plan *plan;
	const struct plan_input *input;
	char *err;
	size_t err_len;
};

/* An unused pool index for a name: the one that it had, or one that no mapping names. */
static int place_pool(struct plan *plan, const struct pool_place *was, const char *name, enum pool_kind kind, bool known)
{
	unsigned int i;

	for (i = 0; i < NATVI_MAX_POOLS; i++) {
		if (plan->places[i].name[0])
			continue;
		if (known && (strcmp(was[i].name, name) || (was[i].kind != kind && was[i].kind != POOL_KIND_ANY)))
			continue;
		if (!known && (was[i].name[0] || was[i].busy))
			continue;
		snprintf(plan->places[i].name, sizeof(plan->places[i].name), "%s", name);
		plan->places[i].kind = kind;
		if (plan->n_pools <= i)
			plan->n_pools = i + 1;
		return (int)i;
	}
	return -1;
}

/* known: names that had an index; then the others. */
static int place_pools(struct builder *b, bool known)
{
	const struct config *config = b->input->config;
	struct plan *plan = b->plan;
	size_t i;
	int at;

	for (i = 0; i < config->n_pools + config->n_interfaces; i++) {
		size_t n = i - config->n_pools;		/* interface, when past the pools */
		bool masq = i >= config->n_pools;
		const char *name = masq ? config->interfaces[n].name : config->pools[i].name;
		uint16_t *place = masq ? &plan->masq_pool[n] : &plan->cfg_pool[i];

		if (*place != POOL_MASQUERADE || (masq && !config_masquerades(config, name)))
			continue;
		at = place_pool(plan, b->input->places, name, masq ? POOL_KIND_MASQUERADE : POOL_KIND_CONFIGURED, known);
		if (at >= 0)
			*place = (uint16_t)at;
		else if (!known)
			return fail(b->err, b->err_len, -E2BIG, "more than %d pools, those of masquerading interfaces and "
				    "those that sessions still use included", NATVI_MAX_POOLS);
	}
	return 0;
}

static uint8_t pool_flags(const struct cfg_behaviour *behaviour)
{
	return (behaviour->random ? POOL_RANDOM : 0) | (behaviour->arbitrary ? POOL_ARBITRARY : 0) |
	       (behaviour->shared ? POOL_SHARED : 0);
}

static void fill_pool(struct builder *b, unsigned int index, size_t first, uint16_t zone, const struct cfg_behaviour *behaviour)
{
	struct plan *plan = b->plan;
	struct pool *pool = &plan->pools[index];

	pool->first = (uint32_t)first;
	pool->n_addrs = (uint32_t)(plan->n_pool_addrs - first);
	pool->mapping = (uint8_t)behaviour->mapping;
	pool->filtering = (uint8_t)behaviour->filtering;
	pool->filtering_tcp = (uint8_t)behaviour->filtering_tcp;
	pool->flags = pool_flags(behaviour);
	pool->zone = zone;
	memcpy(pool->name, plan->places[index].name, sizeof(pool->name));
}

/* Two reserved sets a pool: for addresses of its own (1 + 2 * pool), and for those that the box uses too. */
static void fill_policies(struct builder *b, size_t pool, const struct cfg_ports *ports, size_t n_ports)
{
	const struct plan_input *in = b->input;

	portset_reserved(&b->plan->policies[1 + 2 * pool], ports, n_ports, false, 0, 0);
	portset_reserved(&b->plan->policies[2 + 2 * pool], ports, n_ports, true, in->local_lo, in->local_hi);
}

/* zones: that see it. */
static void add_pool_addr(struct builder *b, uint32_t addr, uint16_t zone, uint64_t zones, unsigned int pool)
{
	b->plan->pool_addrs[b->plan->n_pool_addrs++].addr = addr_from4(addr);
	plan_add_addr(b->plan, addr, zone, zones, ADDR_POOL, pool);
}

static void add_configured_pools(struct builder *b)
{
	const struct config *config = b->input->config;
	struct plan *plan = b->plan;
	const struct cfg_pool *pool;
	size_t i, r, first;
	uint64_t zones;
	uint16_t zone;
	uint32_t addr;

	for (i = 0; i < config->n_pools; i++) {
		pool = &config->pools[i];
		first = plan->n_pool_addrs;
		zone = plan_zone(plan, pool->zone);
		zones = pool->has_zone ? 1ull << zone : plan_seeing(plan, zone);
		for (r = 0; r < pool->n_addrs; r++)
			for (addr = pool->addrs[r].lo; ; addr++) {
				add_pool_addr(b, addr, zone, zones, plan->cfg_pool[i]);
				if (addr == pool->addrs[r].hi)
					break;
			}
		fill_pool(b, plan->cfg_pool[i], first, zone, &pool->behaviour);
		fill_policies(b, plan->cfg_pool[i], pool->ports, pool->n_ports);
	}
}

const struct cfg_pool *config_sharing_conflict(const struct config *config, uint32_t addr, const char *zone)
{
	const char *own = config_own_zone(config, zone);
	const struct cfg_pool *pool;
	size_t i, r;

	for (i = 0; i < config->n_pools; i++) {
		pool = &config->pools[i];
		for (r = 0; r < pool->n_addrs && !strcmp(pool->zone, own); r++)
			if (pool->addrs[r].lo <= addr && addr <= pool->addrs[r].hi)
				return pool->behaviour.shared == config->masquerade.behaviour.shared ? NULL : pool;
	}
	return NULL;
}

/*
 * Masquerading by an interface is a pool of its own with the interface's address, or with none for
 * now. An address cannot have mappings for TCP and UDP together and for each of them: a pool that has it goes before.
 */
static void add_masquerade_pools(struct builder *b)
{
	const struct config *config = b->input->config;
	const struct cfg_masquerade *masq = &config->masquerade;
	const struct cfg_interface *interface;
	struct plan *plan = b->plan;
	const struct link *link;
	uint32_t addr;
	uint16_t zone;
	size_t i, first;

	for (i = 0; i < config->n_interfaces; i++) {
		if (plan->masq_pool[i] == POOL_MASQUERADE)
			continue;
		interface = &config->interfaces[i];
		first = plan->n_pool_addrs;
		zone = plan_zone(plan, config_own_zone(config, interface->zone));
		link = links_by_name(b->input->links, interface->name);
		addr = link ? links_primary4(b->input->links, link->ifindex) : 0;
		if (addr && !config_sharing_conflict(config, addr, interface->zone))
			add_pool_addr(b, addr, zone, plan_seeing(plan, zone), plan->masq_pool[i]);
		fill_pool(b, plan->masq_pool[i], first, zone, &masq->behaviour);
		fill_policies(b, plan->masq_pool[i], masq->ports, masq->n_ports);
	}
}

static int give_slots(struct builder *b, struct slots *slots)
{
	struct plan *plan = b->plan;
	uint64_t *faces = calloc(plan->n_addrs + 1, sizeof(*faces));
	uint32_t *got = calloc(plan->n_addrs + 1, sizeof(*got)), missing = 0;
	size_t i, n = 0;
	int err = -ENOMEM;

	if (!faces || !got)
		goto out;
	for (i = 0; i < plan->n_addrs; i++)
		if (plan->addrs[i].flags & (ADDR_POOL | ADDR_FORWARD))
			faces[n++] = slot_face(plan->addrs[i].addr, plan->addrs[i].zone);
	err = slots_assign(slots, faces, n, got, &missing);
	if (err) {
		fail(b->err, b->err_len, err, "the tables have room for %u outside addresses, and %u more are needed: "
		     "`natvi down` first, then start with this configuration", slots->n, missing);
		goto out;
	}
	for (i = n = 0; i < plan->n_addrs; i++)
		if (plan->addrs[i].flags & (ADDR_POOL | ADDR_FORWARD))
			plan->addrs[i].slot = got[n++];
out:
	free(faces);
	free(got);
	return err;
}

static void finish_pool_addrs(struct plan *plan)
{
	const struct plan_addr *addr;
	const struct pool *pool;
	size_t i, p;

	for (p = 0; p < plan->n_pools; p++) {
		pool = &plan->pools[p];
		for (i = pool->first; i < pool->first + pool->n_addrs; i++) {
			addr = plan_find_addr(plan, addr_to4(&plan->pool_addrs[i].addr), pool->zone);
			plan->pool_addrs[i].slot = addr->slot;
			plan->pool_addrs[i].flags = addr->flags;
		}
	}
}

static void add_static(struct builder *b, const struct cfg_forward *forward, const struct plan_addr *outside,
		       uint8_t proto, uint16_t offset)
{
	struct plan_static *entry = &b->plan->statics[b->plan->n_statics++];

	memset(entry, 0, sizeof(*entry));
	entry->outside.addr = addr_from4(outside->addr);
	entry->outside.port = htons((uint16_t)(forward->ext_ports.lo + offset));
	entry->outside.zone = outside->zone;
	entry->outside.proto = proto;
	entry->outside.kind = MAPPING_OUTSIDE;
	entry->inside.addr = addr_from4(forward->int_addr);
	entry->inside.port = htons((uint16_t)(forward->int_ports.lo + offset));
	entry->inside.zone = plan_forward_inside(b->plan, b->input, forward);
	entry->inside.proto = proto;
	entry->inside.kind = MAPPING_INSIDE;
	entry->inside.pool = outside->pool;
	entry->slot = outside->slot;
	entry->pool = outside->pool;
	entry->filtering = (uint8_t)forward->filtering;
}

static int compare_statics(const void *a, const void *b)
{
	const struct plan_static *x = a, *y = b;

	return memcmp(&x->outside, &y->outside, sizeof(x->outside));
}

static int add_statics(struct builder *b)
{
	const struct config *config = b->input->config;
	const struct plan_addr *outside;
	const struct cfg_forward *forward;
	struct plan *plan = b->plan;
	uint32_t addr, ports, p;
	size_t i, j;

	for (i = 0; i < config->n_forwards; i++) {
		forward = &config->forwards[i];
		addr = plan_forward_addr(b->input, forward);
		if (!addr)
			continue;
		outside = plan_find_addr(plan, addr, plan_forward_outside(plan, b->input, forward));
		ports = (uint32_t)forward->ext_ports.hi - forward->ext_ports.lo + 1;
		for (j = 0; j < forward->n_protos; j++)
			for (p = 0; p < ports; p++)
				add_static(b, forward, outside, forward->protos[j], (uint16_t)p);
	}
	qsort(plan->statics, plan->n_statics, sizeof(*plan->statics), compare_statics);
	for (i = 1; i < plan->n_statics; i++)
		if (!compare_statics(&plan->statics[i - 1], &plan->statics[i])) {
			char text[ADDR_TEXT_LEN];

			return fail(b->err, b->err_len, -EINVAL, "two forwards have the same outside port %s:%u",
				    addr_print(&plan->statics[i].outside.addr, text), ntohs(plan->statics[i].outside.port));
		}
	return 0;
}

/* Ports that a rule has the kernel masquerade with, on this address of an interface that it leads to. */
static int add_kernel(struct plan *plan, const struct cfg_rule *rule, uint32_t addr)
{
	struct plan_kernel *more = realloc(plan->kernels, (plan->n_kernels + rule->n_protos) * sizeof(*more));
	size_t i;

	if (!more)
		return -ENOMEM;
	plan->kernels = more;
	for (i = 0; i < rule->n_protos; i++)
		plan->kernels[plan->n_kernels++] = (struct plan_kernel){ .addr = addr, .ports = rule->kernel.ports, .proto = rule->protos[i] };
	return 0;
}

/* The kernel takes whichever of the interface's addresses suits the next hop. */
static int add_kernels(struct builder *b)
{
	const struct config *config = b->input->config;
	const struct links *links = b->input->links;
	const struct cfg_rule *rule;
	const struct link *link;
	size_t r, i, a;
	int err = 0;

	for (r = 0; r < config->n_rules; r++) {
		rule = &config->rules[r];
		for (i = 0; rule->kernel.masquerade && i < config->n_interfaces; i++) {
			link = config_leaves_by(rule, &config->interfaces[i]) ? links_by_name(links, config->interfaces[i].name) : NULL;
			for (a = 0; link && a < links->n_addrs && !err; a++)
				if (links->addrs[a].ifindex == link->ifindex)
					err = add_kernel(b->plan, rule, links->addrs[a].addr);
		}
	}
	return err ? fail(b->err, b->err_len, err, "out of memory") : 0;
}

static int allocate(struct builder *b, const struct plan_needs *needs)
{
	const struct config *config = b->input->config;
	struct plan *plan = b->plan;
	size_t max_addrs;

	if (needs->pool_addrs > NATVI_MAX_POOL_ADDRS)
		return fail(b->err, b->err_len, -E2BIG, "%u pool addresses are more than the limit of %d",
			    needs->pool_addrs, NATVI_MAX_POOL_ADDRS);
	if (needs->statics > PLAN_MAX_STATICS)
		return fail(b->err, b->err_len, -E2BIG, "%u forwarded ports are more than the limit of %d",
			    needs->statics, PLAN_MAX_STATICS);
	max_addrs = needs->pool_addrs + needs->net_addrs + config->n_forwards + kernel_addrs(config) +
		    b->input->links->n_addrs + b->input->n_former;
	plan->pools = calloc(NATVI_MAX_POOLS, sizeof(*plan->pools));
	plan->cfg_pool = malloc((config->n_pools + 1) * sizeof(*plan->cfg_pool));
	plan->masq_pool = malloc((config->n_interfaces + 1) * sizeof(*plan->masq_pool));
	plan->pool_addrs = calloc(needs->pool_addrs + 1, sizeof(*plan->pool_addrs));
	plan->addrs = calloc(max_addrs + 1, sizeof(*plan->addrs));
	/* A merged set stands for two entries at least; there are no more of them than pool addresses. */
	plan->n_policies = 1 + 2 * NATVI_MAX_POOLS;
	plan->policies = calloc(plan->n_policies + needs->pool_addrs, sizeof(*plan->policies));
	plan->statics = calloc(needs->statics + 1, sizeof(*plan->statics));
	if (!plan->pools || !plan->cfg_pool || !plan->masq_pool || !plan->pool_addrs || !plan->addrs ||
	    !plan->policies || !plan->statics)
		return fail(b->err, b->err_len, -ENOMEM, "out of memory");
	memset(plan->cfg_pool, 0xff, (config->n_pools + 1) * sizeof(*plan->cfg_pool));
	memset(plan->masq_pool, 0xff, (config->n_interfaces + 1) * sizeof(*plan->masq_pool));
	portset_add(&plan->policies[POLICY_NONE], 0, 0);
	return 0;
}

int plan_build(struct plan *plan, const struct plan_input *input, struct slots *slots, char *err, size_t err_len)
{
	struct builder b = { .plan = plan, .input = input, .err = err, .err_len = err_len };
	struct plan_needs needs = plan_needs(input->config);
	int ret;

	memset(plan, 0, sizeof(*plan));
	ret = allocate(&b, &needs);
	if (ret)
		goto fail;
	ret = plan_zones(plan, input, err, err_len);
	if (!ret)
		ret = place_pools(&b, true);
	if (!ret)
		ret = place_pools(&b, false);
	if (ret)
		goto fail;
	add_configured_pools(&b);
	add_masquerade_pools(&b);
	plan_other_addrs(plan, input);
	plan_merge_addrs(plan);
	ret = give_slots(&b, slots);
	if (ret)
		goto fail;
	finish_pool_addrs(plan);
	ret = add_statics(&b);
	if (!ret)
		ret = add_kernels(&b);
	if (!ret)
		ret = plan_rules(plan, input, err, err_len);
	if (!ret)
		return 0;
fail:
	plan_free(plan);
	return ret;
}

void plan_free(struct plan *plan)
{
	free(plan->rules);
	free(plan->pools);
	free(plan->cfg_pool);
	free(plan->masq_pool);
	free(plan->pool_addrs);
	free(plan->ports);
	free(plan->addrs);
	free(plan->policies);
	free(plan->statics);
	free(plan->kernels);
	free(plan->listeners.list);
	free(plan->expected.list);
	memset(plan, 0, sizeof(*plan));
}

/* Where a mapping is for TCP and UDP together it needs the port of both, so what one has is taken for the other. */
static bool counts_for(const struct plan *plan, const struct plan_addr *addr, uint8_t proto, enum portbits_proto bits)
{
	bool shared = addr->pool != POOL_NONE && (plan->pools[addr->pool].flags & POOL_SHARED);
	int own = portbits_proto_of(proto);

	return own == (int)bits || (shared && own != PORTBITS_ICMP && bits != PORTBITS_ICMP);
}

static void add_listeners(const struct plan *plan, const struct listeners *listeners, const struct plan_addr *addr, enum portbits_proto proto,
			  struct portset *out)
{
	const struct listener *l;
	size_t i;

	for (i = 0; i < listeners->n && (addr->flags & ADDR_LOCAL); i++) {
		l = &listeners->list[i];
		if ((!l->addr || l->addr == addr->addr) && counts_for(plan, addr, l->proto, proto))
			portset_add(out, l->port, l->port);
	}
}

static void add_kernel_ports(const struct plan *plan, const struct plan_addr *addr, enum portbits_proto proto, struct portset *out)
{
	const struct plan_kernel *k;
	size_t i;

	for (i = 0; i < plan->n_kernels && (addr->flags & ADDR_LOCAL); i++) {
		k = &plan->kernels[i];
		if (k->addr == addr->addr && counts_for(plan, addr, k->proto, proto))
			portset_add(out, k->ports.lo, k->ports.hi);
	}
}

static void ports_taken(const struct plan *plan, const struct plan_addr *addr, enum portbits_proto proto, struct portset *out)
{
	union addr outside = addr_from4(addr->addr);
	size_t lo = 0, hi = plan->n_statics, mid;
	uint16_t port;

	if (proto == PORTBITS_ICMP)
		memset(out, 0, sizeof(*out));
	else
		*out = plan->policies[addr->policy];
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (memcmp(&plan->statics[mid].outside.addr, &outside, sizeof(outside)) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < plan->n_statics && addr_equal(&plan->statics[lo].outside.addr, &outside); lo++) {
		port = ntohs(plan->statics[lo].outside.port);
		if (plan->statics[lo].outside.zone == addr->zone && counts_for(plan, addr, plan->statics[lo].outside.proto, proto))
			portset_add(out, port, port);
	}
	add_listeners(plan, &plan->listeners, addr, proto, out);
	add_listeners(plan, &plan->expected, addr, proto, out);
	add_kernel_ports(plan, addr, proto, out);
}

static bool is_all_taken(const struct portset *set)
{
	size_t w;

	for (w = 0; w < NATVI_PORT_WORDS; w++)
		if (set->word[w] != UINT64_MAX)
			return false;
	return true;
}

/*
 * An address that gives away neither TCP nor UDP ports gives no ICMP identifiers either: a host whose first packet
 * is a ping would keep to it (pooling: paired), and have no port there for anything else.
 */
void plan_taken(const struct plan *plan, const struct plan_addr *addr, enum portbits_proto proto, struct portset *out)
{
	if (proto == PORTBITS_ICMP) {
		ports_taken(plan, addr, PORTBITS_TCP, out);
		if (is_all_taken(out))
			ports_taken(plan, addr, PORTBITS_UDP, out);
		if (is_all_taken(out))
			return;
	}
	ports_taken(plan, addr, proto, out);
}
