/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wires.c - see wires.h.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "daemon/plan_wires.h"
#include "daemon/session.h"
#include "daemon/state.h"
#include "daemon/switches.h"
#include "daemon/wire_bridge.h"
#include "daemon/wires.h"
#include "lib/addr.h"
#include "lib/log.h"

bool wires_were(const struct daemon *d)
{
	size_t i;

	for (i = 0; i < NATVI_MAX_WIRES; i++)
		if (d->wires[i][0])
			return true;
	return false;
}

static bool takes_xdp(const struct plan *plan, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].ifindex == ifindex)
			return plan->ports[i].flags & PORT_XDP_OUT;
	return false;
}

void wires_settle(struct plan *plan)
{
	struct wire *wire;
	size_t i;

	for (i = 0; i < NATVI_MAX_WIRES; i++) {
		wire = &plan->wires[i];
		if (wire->name[0] && takes_xdp(plan, wire->port[0]) && takes_xdp(plan, wire->port[1]))
			wire->flags |= WIRE_XDP;
	}
}

void wires_prepare(struct daemon *d, const struct config *config, const struct served *list, size_t n)
{
	if (!config || !config->n_wires)
		return;
	switches_set_wires(d->instance, list, n, config_host_wire(config));
	wire_targets_make(d, list, n);
}

/* Sessions */

struct ending {
	const struct plan *was, *plan;	/* was: before; NULL: not known */
	const struct links *links;
	bool all;
	bool gone[NATVI_MAX_WIRES];
};

static bool is_target(const struct plan *plan, uint32_t ifindex)
{
	size_t i;

	for (i = 0; i < plan->n_ports; i++)
		if (plan->ports[i].ifindex == ifindex && (plan->ports[i].flags & PORT_TARGET))
			return true;
	return false;
}

/* A device that is there, and that nothing is captured for any more: what began there goes on as on any wire. */
static bool was_dismissed(const struct ending *e, uint32_t ifindex)
{
	return e->was && is_target(e->was, ifindex) && !is_target(e->plan, ifindex) && links_by_index(e->links, ifindex);
}

static bool has_ended(const struct session *session, void *arg, uint32_t *reason)
{
	const struct flow *wire = session->orig.flags & FLOW_TARGET ? &session->reply : &session->orig;
	const struct ending *e = arg;

	return e->all || (session->orig.key.zone < NATVI_MAX_WIRES && e->gone[session->orig.key.zone]) ||
	       ((wire->flags & FLOW_WIRE) && was_dismissed(e, wire->oif));
}

static bool any_mapping(const struct map_entry *entry, void *arg)
{
	return true;
}

static bool dismisses(const struct ending *e)
{
	size_t i;

	for (i = 0; e->was && i < e->was->n_ports; i++)
		if (was_dismissed(e, e->was->ports[i].ifindex))
			return true;
	return false;
}

void wires_end_sessions(struct daemon *d, const struct plan *plan, const struct links *links, bool wires)
{
	struct ending e = { .was = d->has_plan ? &d->plan : NULL, .plan = plan, .links = links };
	bool any;
	size_t i;
	int n;

	e.all = (d->has_plan || d->tables->reused) && wires != wires_were(d);
	any = e.all;
	for (i = 0; i < NATVI_MAX_WIRES; i++) {
		e.gone[i] = d->wires[i][0] && strcmp(d->wires[i], plan->wires[i].name) && (!d->has_plan || d->plan.wires[i].name[0]);
		any |= e.gone[i];
	}
	if (!any && !dismisses(&e))
		return;
	tables_grace();		/* no packet goes by the former plan any more */
	n = sessions_kill(d->tables, NULL, has_ended, &e, END_RULE_GONE);
	if (e.all)
		mappings_drop(d->tables, any_mapping, NULL, NULL);
	if (n > 0)
		log_info("%d sessions ended: their wires, targets or interfaces have gone", n);
}

/* Telling */

static const char *fate(const struct cfg_wire *wire)
{
	return wire->fail_open ? "crosses (fail: open)" : "is dropped (fail: closed)";
}

static void tell_target(const struct cfg_wire *wire, const struct served *now, const struct served *was)
{
	bool known = was && was->role == ATTACH_TARGET;

	if (known && was->ifindex == now->ifindex && was->usable == now->usable)
		return;
	if (now->usable)
		log_info("%s: is there, captured traffic of wire %s goes to it", now->name, wire->name);
	else if (now->ifindex)
		log_warn("%s: is down or has no carrier: captured traffic of wire %s %s", now->name, wire->name, fate(wire));
	else if (known && was->ifindex)
		log_warn("%s: has gone: captured traffic of wire %s %s", now->name, wire->name, fate(wire));
	else
		log_info("%s: is not there yet: captured traffic of wire %s %s until it is", now->name, wire->name, fate(wire));
}

static void tell_port(const struct cfg_wire *wire, const struct served *now, const struct served *was)
{
	bool known = was && was->role == ATTACH_WIRE;

	if (known && was->ifindex == now->ifindex && was->usable == now->usable)
		return;
	if (!now->ifindex && known && was->ifindex)
		log_warn("%s: has gone: nothing crosses wire %s until it is back", now->name, wire->name);
	else if (now->ifindex && !now->usable)
		log_warn("%s: is down or has no carrier: nothing crosses wire %s", now->name, wire->name);
	else if (now->usable && known && !was->usable)
		log_info("%s: is there, frames cross wire %s", now->name, wire->name);
}

static uint32_t mtu_of(const struct links *links, const char *name)
{
	const struct link *link = links_by_name(links, name);

	return link ? link->mtu : 0;
}

static bool mtus_differ(const struct links *links, const struct cfg_wire *wire)
{
	uint32_t first = mtu_of(links, wire->ports[0]), second = mtu_of(links, wire->ports[1]);

	return first && second && first != second;
}

static void tell_mtus(const struct links *before, const struct links *links, const struct cfg_wire *wire)
{
	uint32_t first = mtu_of(links, wire->ports[0]), second = mtu_of(links, wire->ports[1]);

	if (mtus_differ(links, wire) && (first != mtu_of(before, wire->ports[0]) || second != mtu_of(before, wire->ports[1])))
		log_warn("wire %s: the MTU of %s is %u, that of %s is %u: larger frames than the smaller one are lost; a cable takes the "
			 "same both ways (`ip link set DEV mtu`)", wire->name, wire->ports[0], first, wire->ports[1], second);
}

static uint32_t own_address(const struct links *links, const char *name)
{
	const struct link *link = links_by_name(links, name);
	size_t i;

	for (i = 0; link && i < links->n_addrs; i++)
		if (links->addrs[i].ifindex == link->ifindex)
			return links->addrs[i].addr;
	return 0;
}

static void tell_address(const struct links *before, const struct links *links, const struct cfg_wire *wire, const char *port)
{
	uint32_t addr = own_address(links, port);
	char text[ADDR_TEXT_LEN];

	if (addr && addr != own_address(before, port))
		log_warn("%s: has an address of its own, %s, that nobody reaches while it is a port of wire %s: `ip addr flush dev %s`; the "
			 "box's address on the wire is `host`", port, addr_print4(addr, text), wire->name, port);
}

void wires_tell(const struct daemon *d, const struct config *config, const struct links *links, const struct served *list, size_t n)
{
	const struct cfg_wire *wire;
	const struct served *was;
	size_t i;

	for (i = 0; i < config->n_wires; i++) {
		wire = &config->wires[i];
		tell_mtus(&d->links, links, wire);
		tell_address(&d->links, links, wire, wire->ports[0]);
		tell_address(&d->links, links, wire, wire->ports[1]);
	}
	for (i = 0; i < n; i++) {
		was = served_find(d->served, d->n_served, list[i].name);
		wire = list[i].role != ATTACH_NAT ? &config->wires[list[i].wire] : NULL;
		if (list[i].role == ATTACH_TARGET)
			tell_target(wire, &list[i], was);
		else if (wire)
			tell_port(wire, &list[i], was);
	}
}

/* Status */

static const char *xdp_name(enum xdp_mode mode)
{
	return mode == XDP_MODE_NATIVE ? "native" : mode == XDP_MODE_GENERIC ? "generic" : "off";
}

static json_t *served_json(const struct served *s)
{
	json_t *object = json_pack("{s:s, s:I, s:b, s:b, s:b, s:s}", "name", s->name, "ifindex", (json_int_t)s->ifindex,
				   "present", s->ifindex != 0, "up", s->usable, "attached", s->up, "xdp", xdp_name(s->attached.xdp));

	if (s->attached.why_off[0])
		json_object_set_new(object, "xdp_why_off", json_string(s->attached.why_off));
	if (s->trouble[0])
		json_object_set_new(object, "trouble", json_string(s->trouble));
	return object;
}

static const char *target_state(const struct served *s)
{
	return !s->ifindex ? "gone" : s->usable ? "up" : "down";
}

static json_t *target_json(const struct served *s)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:b}", "name", s->name, "ifindex", (json_int_t)s->ifindex, "state", target_state(s),
				   "attached", s->up);

	if (s->trouble[0])
		json_object_set_new(object, "trouble", json_string(s->trouble));
	return object;
}

/* The box itself is one, too, where a capture says so. */
static void add_box(const struct daemon *d, const struct cfg_wire *wire, json_t *targets)
{
	size_t i;

	for (i = 0; i < wire->n_captures; i++)
		if (wire_target_is_box(wire->captures[i].target)) {
			json_array_append_new(targets, json_pack("{s:s, s:I, s:s, s:b}", "name", d->nvi.name, "ifindex",
				(json_int_t)d->nvi.ifindex, "state", d->nvi.ifindex ? "up" : "gone", "attached", d->nvi.ifindex != 0));
			return;
		}
}

static json_t *host_json(const struct daemon *d, const struct cfg_wire *wire)
{
	char text[ADDR_TEXT_LEN];
	json_t *object;

	if (!wire->host)
		return json_null();
	addr_print4(wire->host, text);
	object = json_pack("{s:o, s:s, s:i}", "address", json_sprintf("%s/%u", text, wire->host_len), "interface", d->nvi.name,
			   "vlan", wire->host_vlan);
	if (wire->gateway)
		json_object_set_new(object, "gateway", json_string(addr_print4(wire->gateway, text)));
	return object;
}

static json_t *wire_json(const struct daemon *d, size_t number)
{
	const struct cfg_wire *wire = &d->config->wires[number];
	json_t *ports = json_array(), *targets = json_array();
	char bridge[IFNAMSIZ];
	size_t i;

	for (i = 0; i < d->n_served; i++) {
		if (d->served[i].role == ATTACH_NAT || d->served[i].wire != number)
			continue;
		if (d->served[i].role == ATTACH_WIRE)
			json_array_append_new(ports, served_json(&d->served[i]));
		else
			json_array_append_new(targets, target_json(&d->served[i]));
	}
	add_box(d, wire, targets);
	wire_bridge_name(d, wire, bridge);
	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:s, s:s?, s:b}", "name", wire->name, "number", plan_wire(&d->plan, wire->name),
			 "ports", ports, "targets", targets, "host", host_json(d, wire), "fail", wire->fail_open ? "open" : "closed",
			 "bridge", bridge[0] ? bridge : NULL, "mtus_differ", mtus_differ(&d->links, wire));
}

json_t *wires_json(const struct daemon *d)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < d->config->n_wires; i++)
		json_array_append_new(list, wire_json(d, i));
	return list;
}
