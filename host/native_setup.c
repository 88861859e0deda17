/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native_setup.c - a configuration into the tables of the native host, by the same plan
 * (daemon/plan.h) that the daemon writes into maps.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan.h"
#include "daemon/plan_wires.h"
#include "host/native_impl.h"
#include "lib/addr.h"

/* The network as the daemon would read it from the kernel. */
static int picture(const struct native_net *net, struct links *links)
{
	links->list = calloc(net->n_interfaces + 1, sizeof(*links->list));
	links->addrs = calloc(net->n_interfaces + 1, sizeof(*links->addrs));
	if (!links->list || !links->addrs)
		return -ENOMEM;
	for (size_t i = 0; i < net->n_interfaces; i++) {
		const struct native_interface *in = &net->interfaces[i];
		struct link *link = &links->list[links->n++];

		link->ifindex = in->ifindex;
		snprintf(link->name, sizeof(link->name), "%s", in->name);
		link->flags = IFF_UP | IFF_RUNNING;
		link->carrier = true;
		link->mtu = in->mtu;
		link->type = in->no_l2 ? ARPHRD_NONE : ARPHRD_ETHER;
		memcpy(link->mac, in->mac, sizeof(link->mac));
		if (!in->addr)
			continue;
		links->addrs[links->n_addrs].ifindex = in->ifindex;
		links->addrs[links->n_addrs].addr = in->addr;
		links->addrs[links->n_addrs].len = in->addr_len;
		links->n_addrs++;
	}
	return 0;
}

void native_plan_nvi(struct plan *plan, const struct config *config, const struct links *links, uint32_t nvi)
{
	const struct link *link = nvi ? links_by_index(links, nvi) : NULL;
	const struct cfg_wire *host = config_host_wire(config);
	struct port *port = &plan->ports[plan->n_ports];

	if (!link || !host)
		return;
	*port = (struct port){ .ifindex = nvi, .zone = plan_wire(plan, host->name), .flags = PORT_NVI, .masq_pool = POOL_MASQUERADE,
			       .mtu = wire_mtu(host, links) };
	memcpy(port->mac, link->mac, sizeof(port->mac));
	memcpy(port->name, link->name, sizeof(port->name));
	plan->n_ports++;
}

static int fill_ports(struct native *n, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_ports; i++) {
		const struct port *port = &plan->ports[i];
		uint32_t probe;

		for (probe = 0; probe < NATVI_PORT_PROBES; probe++) {
			struct port *slot = &n->ports[natvi_port_slot(port->ifindex, port->vlan, probe)];

			if (!slot->ifindex) {
				*slot = *port;
				break;
			}
		}
		if (probe == NATVI_PORT_PROBES)
			return -ENOSPC;
	}
	return 0;
}

static int fill_addrs(struct native *n, const struct plan *plan)
{
	struct portset *taken = malloc(sizeof(*taken));

	if (!taken)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n_addrs; i++) {
		const struct plan_addr *a = &plan->addrs[i];
		struct addr_info info = { .slot = a->slot, .flags = a->flags, .pool = a->pool, .zone = a->zone };

		for (uint64_t zones = a->zones; zones; zones &= zones - 1) {
			struct addr_key key = { .addr = addr_from4(a->addr), .zone = (uint16_t)__builtin_ctzll(zones) };

			if (native_addr_add(n, &key, &info)) {
				free(taken);
				return -ENOMEM;
			}
		}
		if (a->slot == SLOT_NONE)
			continue;
		for (int proto = 0; proto < PORTBITS_PROTOS; proto++) {
			plan_taken(plan, a, proto, taken);
			for (unsigned int w = 0; w < NATVI_PORT_WORDS; w++)
				portbits_take(&n->portbits[a->slot * PORTBITS_PROTOS + proto], w, taken->word[w]);
		}
	}
	free(taken);
	return 0;
}

static int fill_statics(struct native *n, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_statics; i++) {
		const struct plan_static *s = &plan->statics[i];
		struct mapping m = { .slot = s->slot, .pool = s->pool, .filtering = s->filtering, .flags = MAPPING_STATIC };
		int err;

		m.addr = s->inside.addr;
		m.port = s->inside.port;
		m.zone = s->inside.zone;
		err = native_mapping_put(n, &s->outside, &m);
		if (err)
			return err;
		m.addr = s->outside.addr;
		m.port = s->outside.port;
		m.zone = s->outside.zone;
		err = native_mapping_put(n, &s->inside, &m);
		if (err && err != -EEXIST)	/* two forwards to one place: the first is its outside face */
			return err;
	}
	return 0;
}

static int fill(struct native *n, const struct plan *plan)
{
	int err;

	n->settings[0] = plan->settings;
	memcpy(n->rules, plan->rules, plan->n_rules * sizeof(*plan->rules));
	memcpy(n->zones, plan->zones, sizeof(n->zones));
	memcpy(n->wires, plan->wires, NATVI_MAX_WIRES * sizeof(*n->wires));
	memcpy(n->pools, plan->pools, NATVI_MAX_POOLS * sizeof(*plan->pools));
	n->control.n_pool_addrs = plan->n_pool_addrs;
	n->pool_addrs = calloc(2 * plan->n_pool_addrs + 1, sizeof(*n->pool_addrs));
	n->portbits = calloc(n->control.n_slots * PORTBITS_PROTOS + 1, sizeof(*n->portbits));
	if (!n->pool_addrs || !n->portbits)
		return -ENOMEM;
	memcpy(n->pool_addrs, plan->pool_addrs, plan->n_pool_addrs * sizeof(*plan->pool_addrs));
	err = fill_ports(n, plan);
	if (!err)
		err = fill_addrs(n, plan);
	if (!err)
		err = fill_statics(n, plan);
	return err;
}

int native_setup(struct native *n, const struct config *config, char *err, size_t err_len)
{
	struct pool_place *places = calloc(NATVI_MAX_POOLS, sizeof(*places));
	struct links links = {};
	struct slots slots = {};
	struct plan plan;
	int ret = -ENOMEM;

	snprintf(err, err_len, "out of memory");
	if (!places || picture(&n->net, &links))
		goto out;
	n->control.n_slots = plan_needs(config).slots + n->net.n_interfaces;
	if (slots_init(&slots, n->control.n_slots))
		goto out;
	ret = plan_build(&plan, &(struct plan_input){
		.config = config, .places = places, .links = &links,
		.local_lo = n->net.local_lo, .local_hi = n->net.local_hi,
		.policy = n->net.policy, .mark_slow = n->net.mark_slow, .one_route = n->net.one_route,
		.mark_routes = n->net.mark_routes, .nvi = n->net.nvi,
	}, &slots, err, err_len);
	if (ret)
		goto out;
	native_plan_nvi(&plan, config, &links, n->net.nvi);
	n->control.nvi_ifindex = n->net.nvi;
	/* no kernel routes anything to nvi0 here: what could be routed there is */
	for (size_t i = 0; i < plan.n_ports; i++)
		plan.ports[i].flags &= ~PORT_ROUTED;
	ret = fill(n, &plan);
	plan_free(&plan);
out:
	slots_free(&slots);
	links_free(&links);
	free(places);
	return ret;
}
