/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan_wires.c - see plan_wires.h. A wire keeps its number for as long as its name is in use: flows and what is learned
 * of it go by it. A capture's lists are multiplied out like a rule's; its entries are in the configuration's order.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/wire_rules.h"
#include "lib/addr.h"

#define BOX	"nvi0"	/* as a target, whatever the instance's own is called */

bool wire_target_is_box(const char *target)
{
	return !strcmp(target, BOX);
}

bool wire_target_usable(const struct link *link)
{
	return link && (link->flags & IFF_UP) && link->carrier;
}

const struct cfg_wire *config_host_wire(const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_wires; i++)
		if (config->wires[i].host)
			return &config->wires[i];
	return NULL;
}

size_t config_captures(const struct config *config)
{
	size_t n = 0, i;

	for (i = 0; i < config->n_wires; i++)
		n += config->wires[i].n_captures;
	return n;
}

uint32_t wire_mtu(const struct cfg_wire *wire, const struct links *links)
{
	const struct link *link;
	uint32_t mtu = 0;
	size_t i;

	for (i = 0; i < 2; i++) {
		link = links_by_name(links, wire->ports[i]);
		if (link && (!mtu || link->mtu < mtu))
			mtu = link->mtu;
	}
	return mtu;
}

/* Numbers */

static bool is_configured(const struct config *config, const char *name)
{
	size_t i;

	for (i = 0; i < config->n_wires; i++)
		if (!strcmp(config->wires[i].name, name))
			return true;
	return false;
}

/* NATVI_MAX_WIRES: there is none. */
uint16_t plan_wire(const struct plan *plan, const char *name)
{
	uint16_t i = 0;

	while (i < NATVI_MAX_WIRES && strcmp(plan->wire_names[i], name))
		i++;
	return i;
}

/* A number that nobody has had, else that of a wire which has gone. */
static uint16_t free_number(const struct plan *plan, const struct config *config)
{
	uint16_t i = plan_wire(plan, "");

	if (i < NATVI_MAX_WIRES)
		return i;
	for (i = 0; i < NATVI_MAX_WIRES && is_configured(config, plan->wire_names[i]);)
		i++;
	return i;
}

static int number_wires(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	uint16_t number;
	size_t i;

	if (input->wires)
		memcpy(plan->wire_names, input->wires, sizeof(plan->wire_names));
	for (i = 0; i < config->n_wires; i++) {
		if (plan_wire(plan, config->wires[i].name) < NATVI_MAX_WIRES)
			continue;
		number = free_number(plan, config);
		if (number == NATVI_MAX_WIRES) {
			snprintf(err, err_len, "%zu wires are more than the limit of %d", config->n_wires, NATVI_MAX_WIRES);
			return -E2BIG;
		}
		strcpy(plan->wire_names[number], config->wires[i].name);
	}
	return 0;
}

/* Wires */

static void fill_wire(struct plan *plan, const struct plan_input *input, const struct cfg_wire *from)
{
	const struct link *nvi = input->nvi ? links_by_index(input->links, input->nvi) : NULL, *link;
	struct wire *wire = &plan->wires[plan_wire(plan, from->name)];
	size_t i;

	for (i = 0; i < 2; i++) {
		link = links_by_name(input->links, from->ports[i]);
		wire->port[i] = link ? link->ifindex : 0;
	}
	wire->flags = (from->fail_open ? WIRE_OPEN : 0) | (from->arp_moves ? WIRE_ARP_MOVES : 0) | (from->mss ? WIRE_MSS : 0) |
		      (from->gateway ? WIRE_GATEWAY : 0);
	wire->reply_mark = from->reply_mark;
	wire->original_mark = from->original_mark;
	wire->host = htonl(from->host);
	wire->host_mask = from->host ? htonl(addr_mask4(from->host_len)) : 0;
	wire->host_vlan = from->host_vlan;
	wire->mss = from->mss;
	if (nvi)
		memcpy(wire->host_mac, nvi->mac, sizeof(wire->host_mac));
	memcpy(wire->name, from->name, sizeof(wire->name));
}

/* Rules */

static uint32_t target_index(const struct plan_input *input, const char *target)
{
	const struct link *link;

	if (wire_target_is_box(target))
		return input->nvi;
	link = links_by_name(input->links, target);
	return wire_target_usable(link) ? link->ifindex : 0;
}

static uint32_t port_index(const struct plan_input *input, const char *port)
{
	const struct link *link = *port ? links_by_name(input->links, port) : NULL;

	return link ? link->ifindex : *port ? IFINDEX_ABSENT : 0;
}

static void set_prefix(union addr *addr, uint8_t *len, const struct cfg_prefix *list, size_t n, size_t i)
{
	if (!n)
		return;
	*addr = list[i].addr;
	*len = list[i].len;
}

static void set_ports(uint16_t *lo, uint16_t *hi, const struct cfg_ports *list, size_t n, size_t i)
{
	*lo = n ? list[i].lo : 0;
	*hi = n ? list[i].hi : 65535;
}

static void fill_capture(struct rule *out, const struct plan_input *input, const struct cfg_capture *c, size_t combination)
{
	memset(out, 0, sizeof(*out));
	out->action = ACTION_CAPTURE;
	out->traffic = RULE_CAPTURE;
	out->in_ifindex = port_index(input, c->port);
	out->out_zone = ZONE_ANY;
	out->new_zone = ZONE_ANY;
	out->pool = POOL_MASQUERADE;
	set_prefix(&out->src, &out->src_len, c->sources, c->n_sources, plan_digit(&combination, c->n_sources));
	set_prefix(&out->dst, &out->dst_len, c->destinations, c->n_destinations, plan_digit(&combination, c->n_destinations));
	set_ports(&out->sport_lo, &out->sport_hi, c->source_ports, c->n_source_ports, plan_digit(&combination, c->n_source_ports));
	set_ports(&out->dport_lo, &out->dport_hi, c->destination_ports, c->n_destination_ports,
		  plan_digit(&combination, c->n_destination_ports));
	out->proto = c->n_protos ? c->protos[plan_digit(&combination, c->n_protos)] : 0;
	out->dscp = c->dscp;
	out->vlan = c->vlan;
	out->family = c->family;
	out->target = target_index(input, c->target);
}

static int add_rules(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	size_t total = 0, number = 0, w, i, c;
	const struct cfg_wire *wire;
	struct rule *rule;

	for (w = 0; w < config->n_wires; w++)
		for (i = 0; i < config->wires[w].n_captures; i++)
			total += config_capture_entries(&config->wires[w].captures[i]);
	if (total > NATVI_MAX_RULES) {
		snprintf(err, err_len, "the captures make %zu entries when their lists are multiplied out; the limit is %d",
			 total, NATVI_MAX_RULES);
		return -E2BIG;
	}
	plan->rules = calloc(total + 1, sizeof(*plan->rules));
	if (!plan->rules) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	for (w = 0; w < config->n_wires; w++) {
		wire = &config->wires[w];
		for (i = 0; i < wire->n_captures; i++, number++)
			for (c = 0; c < config_capture_entries(&wire->captures[i]); c++) {
				rule = &plan->rules[plan->n_rules++];
				fill_capture(rule, input, &wire->captures[i], c);
				rule->in_zone = plan_wire(plan, wire->name);
				rule->id = input->rule_ids ? input->rule_ids[number] : (uint16_t)(number + 1);
			}
	}
	return 0;
}

/* Ports */

static struct port *find_port(struct plan *plan, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].ifindex == ifindex)
			return &plan->ports[i];
	return NULL;
}

static struct port *add_port(struct plan *plan, const struct link *link, uint16_t zone, uint32_t flags)
{
	struct port *port = &plan->ports[plan->n_ports++];

	memset(port, 0, sizeof(*port));
	port->ifindex = link->ifindex;
	port->zone = zone;
	port->flags = flags;
	port->masq_pool = POOL_MASQUERADE;
	port->mtu = link->mtu;
	if (link->type != ARPHRD_ETHER && link->type != ARPHRD_LOOPBACK)
		port->flags |= PORT_NO_L2;
	if (!wire_target_usable(link))
		port->flags |= PORT_DOWN;
	memcpy(port->mac, link->mac, sizeof(port->mac));
	memcpy(port->name, link->name, sizeof(port->name));
	return port;
}

static int clash(char *err, size_t err_len, const char *device, const struct port *port, const struct plan *plan)
{
	snprintf(err, err_len, "%s is %s of wire %s already: a device belongs to one wire", device,
		 port->flags & PORT_WIRE ? "a port" : "a target", plan->wire_names[port->zone]);
	return -EINVAL;
}

static int add_ends(struct plan *plan, const struct plan_input *input, const struct cfg_wire *wire, char *err, size_t err_len)
{
	const struct port *there;
	const struct link *link;
	size_t i;

	for (i = 0; i < 2; i++) {
		link = links_by_name(input->links, wire->ports[i]);
		if (!link)
			continue;
		there = find_port(plan, link->ifindex);
		if (there)
			return clash(err, err_len, link->name, there, plan);
		if (link->type != ARPHRD_ETHER) {
			snprintf(err, err_len, "%s is no Ethernet interface: frames cannot cross there", link->name);
			return -EINVAL;
		}
		add_port(plan, link, plan_wire(plan, wire->name), PORT_WIRE | (i ? PORT_SECOND : 0))->mss = wire->mss;
	}
	return 0;
}

static int add_targets(struct plan *plan, const struct plan_input *input, const struct cfg_wire *wire, char *err, size_t err_len)
{
	uint16_t number = plan_wire(plan, wire->name);
	const struct port *there;
	const struct link *link;
	size_t i;

	for (i = 0; i < wire->n_captures; i++) {
		if (wire_target_is_box(wire->captures[i].target))
			continue;
		link = links_by_name(input->links, wire->captures[i].target);
		if (!link)
			continue;
		there = find_port(plan, link->ifindex);
		if (there && (there->zone != number || !(there->flags & PORT_TARGET)))
			return clash(err, err_len, link->name, there, plan);
		if (!there)
			add_port(plan, link, number, PORT_TARGET)->target_mark = wire_target_mark(link->ifindex);
	}
	return 0;
}

static int add_ports(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	const struct config *config = input->config;
	size_t i;
	int ret = 0;

	plan->ports = calloc(2 * config->n_wires + config_captures(config) + 1, sizeof(*plan->ports));	/* and nvi0 */
	if (!plan->ports) {
		snprintf(err, err_len, "out of memory");
		return -ENOMEM;
	}
	for (i = 0; i < config->n_wires && !ret; i++)
		ret = add_ends(plan, input, &config->wires[i], err, err_len);
	for (i = 0; i < config->n_wires && !ret; i++)
		ret = add_targets(plan, input, &config->wires[i], err, err_len);
	return ret;
}

int plan_wires(struct plan *plan, const struct plan_input *input, char *err, size_t err_len)
{
	int ret = number_wires(plan, input, err, err_len);
	size_t i;

	for (i = 0; i < input->config->n_wires && !ret; i++)
		fill_wire(plan, input, &input->config->wires[i]);
	if (!ret)
		ret = add_rules(plan, input, err, err_len);
	return ret ? ret : add_ports(plan, input, err, err_len);
}
