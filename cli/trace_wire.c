/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_wire.c - a trace in wire mode: what comes in by a port, out of a capture's target, or from the box itself, and who on the
 * wire is known to be where.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"

static const uint8_t some_host[6] = { 0x02, 0, 0, 0, 0, 0x01 }, some_router[6] = { 0x02, 0, 0, 0, 0, 0x02 }, nobody[6];

void trace_wire_find(struct trace *t)
{
	uint32_t flags = t->port ? t->port->port.flags : 0;
	const struct wire *w;

	if (!(flags & (PORT_WIRE | PORT_TARGET | PORT_NVI)) || t->port->port.zone >= NATVI_MAX_WIRES)
		return;
	w = &t->show.wires[t->port->port.zone];
	if (w->name[0] && (!(flags & PORT_NVI) || w->host))
		t->wire = w;
}

enum trace_role trace_role(const struct trace *t)
{
	return t->port->port.flags & PORT_WIRE ? TRACE_PORT : t->port->port.flags & PORT_TARGET ? TRACE_TARGET : TRACE_BOX;
}

/* What is known */

struct station_search {
	const union addr *addr;
	uint16_t zone;
	struct station found;
	bool has;
};

static int match_station(const struct station *s, void *arg)
{
	struct station_search *search = arg;

	if (s->zone != search->zone || !addr_equal(&s->addr, search->addr))
		return 0;
	search->found = *s;
	search->has = true;
	return 1;
}

static bool find_station(const struct trace *t, const union addr *addr, struct station *to)
{
	struct station_search search = { .addr = addr, .zone = t->port->port.zone };

	maps_each_station(t->show.maps, match_station, &search);
	*to = search.found;
	return search.has;
}

struct neighbour_search {
	const uint8_t *mac;
	uint16_t vlan, zone;
	struct wire_neighbour found;
	bool has;
};

static int match_neighbour(const struct wire_neighbour *n, void *arg)
{
	struct neighbour_search *search = arg;

	if (n->zone != search->zone || n->vlan != search->vlan || memcmp(n->mac, search->mac, sizeof(n->mac)))
		return 0;
	search->found = *n;
	search->has = true;
	return 1;
}

static bool find_neighbour(const struct trace *t, const uint8_t mac[6], uint16_t vlan, struct wire_neighbour *to)
{
	struct neighbour_search search = { .mac = mac, .vlan = vlan, .zone = t->port->port.zone };

	maps_each_neighbour(t->show.maps, match_neighbour, &search);
	*to = search.found;
	return search.has;
}

/* To the box's own address, in its VLAN? */
static bool is_to_box(const struct trace *t, const union addr *dst)
{
	return trace_role(t) == TRACE_PORT && t->wire->host && addr_is4(dst) && dst->word[3] == t->wire->host &&
	       (t->packet.has_vlan ? t->packet.vlan : 0) == t->wire->host_vlan;
}

/* Those of its source and of whom that has sent to, else of its destination, else anybody's. */
void trace_wire_macs(struct trace *t)
{
	union addr src = packet_src(&t->packet.ends), dst = packet_dst(&t->packet.ends);
	struct station from = {}, to = {};
	bool has_from = find_station(t, &src, &from), has_to = find_station(t, &dst, &to);
	struct packet *p = &t->packet;

	t->smac_assumed = !p->has_smac;
	t->dmac_assumed = !p->has_dmac;
	if (!p->has_smac)
		memcpy(p->smac, has_from ? from.mac : some_host, 6);
	if (!p->has_dmac && is_to_box(t, &dst))
		memcpy(p->dmac, t->wire->host_mac, 6);
	else if (!p->has_dmac)
		memcpy(p->dmac, has_from && memcmp(from.peer, nobody, 6) ? from.peer : has_to ? to.mac : some_router, 6);
}

/* Running */

static void at_port(struct trace *t, struct native *n, const struct usage *usage)
{
	t->arrival.hits_only = true;
	t->at_xdp = native_wire(n, &t->arrival, t->frame, t->len, t->now_s).action != NATIVE_KERNEL;
	native_forget(n, &t->show.maps->control, usage);
	t->arrival.hits_only = false;
	t->asked_rules = false;
	t->n_rules = 0;
	t->result = native_wire(n, &t->arrival, t->frame, t->len, t->now_s);
}

#define ARP_BYTES	28

/* The kernel's question for the next hop. */
static size_t question(const struct trace *t, uint8_t frame[ETH_HLEN + ARP_BYTES])
{
	static const uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };
	__be32 host = t->wire->host, hop = htonl(t->kernel.gateway ? t->kernel.gateway : t->packet.ends.dst);
	uint8_t *arp = frame + ETH_HLEN;

	memset(frame, 0xff, ETH_ALEN);
	memcpy(frame + ETH_ALEN, t->port->port.mac, ETH_ALEN);
	frame[12] = ETH_P_ARP >> 8;
	frame[13] = ETH_P_ARP & 0xff;
	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, t->port->port.mac, ETH_ALEN);
	memcpy(arp + 14, &host, sizeof(host));
	memset(arp + 18, 0, ETH_ALEN);
	memcpy(arp + 24, &hop, sizeof(hop));
	return ETH_HLEN + ARP_BYTES;
}

/* The box's own: the kernel asks for a neighbour that it does not know. The packet follows when there is an answer, from natvi or from the wire. */
static void from_box(struct trace *t, struct native *n, const struct usage *usage)
{
	uint8_t frame[ETH_HLEN + ARP_BYTES];
	size_t len = question(t, frame);

	if (t->kernel.result != ROUTE_OK) {
		t->asks_arp = true;
		t->arp = native_host(n, &t->arrival, frame, len, t->now_s);
		if (t->arp.enters)
			memcpy(t->arp_mac, t->arp.frame + ETH_ALEN, ETH_ALEN);
		native_forget(n, &t->show.maps->control, usage);
		memcpy(t->frame, t->arp.enters ? t->arp_mac : nobody, ETH_ALEN);
	}
	t->result = native_host(n, &t->arrival, t->frame, t->len, t->now_s);
}

static bool has_l2(const struct trace *t)
{
	const struct port_hooks *to = t->result.action == NATIVE_SEND ? trace_port(t, t->result.out_ifindex, 0) : t->port;

	return !(to && (to->port.flags & PORT_NO_L2));
}

void trace_wire_run(struct trace *t, struct native *n, const struct usage *usage)
{
	switch (trace_role(t)) {
	case TRACE_PORT:
		at_port(t, n, usage);
		break;
	case TRACE_TARGET:
		t->result = native_target(n, &t->arrival, t->frame, t->len, t->now_s);
		break;
	default:
		from_box(t, n, usage);
	}
	t->n_copied = t->result.n_copied;
	for (size_t i = 0; i < t->n_copied; i++)
		t->copied[i] = t->result.copied[i].ifindex;
	t->out_is_ip = t->result.action != NATIVE_DROP && packet_read(t->result.frame, t->result.len, has_l2(t), &t->out);
}

/* Of who sends it on the wire; of who is to get it there. */
void trace_wire_look(struct trace *t)
{
	bool in = trace_role(t) == TRACE_PORT;
	union addr addr = in ? packet_src(&t->packet.ends) : packet_dst(&t->packet.ends);
	const struct packet *seen = in ? &t->packet : &t->out;

	maps_wire_state(t->show.maps, t->port->port.zone, &t->wire_state);
	t->has_station = t->is_ip && find_station(t, &addr, &t->station);
	if (in ? t->is_ip || t->len >= ETH_HLEN : t->out_is_ip && t->out.l2)
		t->has_neighbour = find_neighbour(t, seen->l2 ? in ? seen->smac : seen->dmac : t->frame + ETH_ALEN,
						  seen->has_vlan ? seen->vlan : 0, &t->neighbour);
}

/* Words */

static bool is_captured_flow(const struct trace *t)
{
	return trace_flow(t) == TRACE_HIT && (t->session.flow.flags & FLOW_WIRE);
}

/* The link that flow f gives what comes out of the target, is it what t leaves with? */
static bool goes_by_flow(const struct trace *t)
{
	bool mark = t->packet.mark && (t->packet.mark == t->wire->reply_mark || t->packet.mark == t->wire->original_mark);

	return is_captured_flow(t) && (trace_role(t) == TRACE_TARGET ? t->session.flow.flags & FLOW_TARGET :
				       mark && !memcmp(t->out.smac, t->session.flow.smac, 6));
}

const char *trace_wire_by(const struct trace *t)
{
	if (trace_role(t) == TRACE_PORT && t->n_rules)
		return "capture";
	if (trace_role(t) == TRACE_PORT)
		return t->result.verdict != VERDICT_WIRE_CAPTURED ? NULL : t->packet.about.proto ? "quoted flow" : "flow";
	if (t->result.action != NATIVE_SEND || t->result.icmp || t->result.enters || !t->out_is_ip)
		return NULL;
	if (t->n_copied)
		return "both ports";
	if (goes_by_flow(t))
		return trace_role(t) == TRACE_TARGET ? "flow" : "mark";
	if (t->has_station && (!memcmp(t->out.dmac, t->station.mac, 6) || (t->has_neighbour && memcmp(t->out.dmac, t->wire_state.gateway, 6))))
		return "station";
	if (t->wire_state.gateway_seen_s && !memcmp(t->out.dmac, t->wire_state.gateway, 6))
		return "gateway";
	return trace_role(t) == TRACE_BOX ? "mac" : NULL;
}

static uint32_t ago(const struct trace *t, uint32_t second)
{
	return (int32_t)(t->now_s - second) > 0 ? t->now_s - second : 0;
}

static const char *side_name(const struct trace *t, uint32_t side, char buf[PORT_NAME_LEN])
{
	return t->wire->port[side & 1] ? ports_name(t->show.ports, t->wire->port[side & 1], buf) : "(absent)";
}

/* "VLAN 100.7", "no VLAN" */
static const char *tags_text(uint8_t tags, const uint16_t tci[2], char buf[24])
{
	if (!(tags & TAGS_COUNT))
		return "no VLAN";
	if ((tags & TAGS_COUNT) > 1)
		snprintf(buf, 24, "VLAN %u.%u", tci[0] & 0xfff, tci[1] & 0xfff);
	else
		snprintf(buf, 24, "VLAN %u", tci[0] & 0xfff);
	return buf;
}

/* Text */

static void say_frame(const struct trace *t)
{
	const struct packet *p = &t->packet;
	char from[MAC_TEXT_LEN], to[MAC_TEXT_LEN];

	if (t->arrival.no_l2 || t->box || t->len < ETH_HLEN)
		return;
	trace_say("frame", "%s%s > %s%s", show_mac(p->l2 ? p->smac : t->frame + 6, from), t->smac_assumed ? " (assumed)" : "",
		  show_mac(p->l2 ? p->dmac : t->frame, to), t->dmac_assumed ? " (assumed)" : "");
}

static void say_role(const struct trace *t)
{
	static const char *const roles[] = { [TRACE_PORT] = "a port", [TRACE_TARGET] = "a target", [TRACE_BOX] = "the box's own" };
	bool attached = trace_role(t) == TRACE_BOX ? t->port->tc_out : t->port->tc_in;

	trace_say("wire", "%s, %s is %s%s%s%s", t->wire->name, t->port->port.name, roles[trace_role(t)],
		  trace_role(t) == TRACE_PORT ? ", xdp " : "", trace_role(t) == TRACE_PORT ? t->port->xdp : "",
		  attached ? "" : "; natvi's program is NOT attached there at tc");
}

static void say_capture(const struct trace *t)
{
	char name[8], port[PORT_NAME_LEN];

	if (trace_role(t) != TRACE_PORT)
		return;
	if (t->n_rules)
		trace_say("capture", "%u \"%s\": to %s", t->rules[0].id, names_rule(t->show.names, t->rules[0].id, name),
			  t->rules[0].target ? ports_name(t->show.ports, t->rules[0].target, port) : "a device that is gone");
	else if (t->asked_rules)
		trace_say("capture", "none names it");
}

static void say_flow(const struct trace *t)
{
	const struct flow *f = t->session.flow.flags & FLOW_TARGET || !t->session.has_peer ? &t->session.flow : &t->session.peer;
	char from[MAC_TEXT_LEN], to[MAC_TEXT_LEN], port[PORT_NAME_LEN], tags[24], age[24];
	bool orig = t->session.flow.flags & FLOW_ORIG;

	if (!t->view.parsed || trace_flow(t) != TRACE_HIT) {
		trace_say("flow", "none%s", trace_flow(t) == TRACE_EXPIRED ? ": its session is over its time" : "");
		return;
	}
	trace_say("flow", "%s direction of a session, %s old, that began %s", orig ? "original" : "reply",
		  human_seconds(ago(t, t->session.cold.created_s), age),
		  orig == !!(t->session.flow.flags & FLOW_TARGET) ? "at the target" : "on the wire");
	if (f->flags & FLOW_TARGET)
		trace_say("", "out of the target it goes to %s, from %s, by %s, %s", show_mac(f->dmac, to), show_mac(f->smac, from),
			  ports_name(t->show.ports, f->oif, port), tags_text(f->tags, f->tci, tags));
}

static void say_station(const struct trace *t)
{
	char addr[ADDR_TEXT_LEN], mac[MAC_TEXT_LEN], port[PORT_NAME_LEN], tags[24], time[24];
	union addr asked = trace_role(t) == TRACE_PORT ? packet_src(&t->packet.ends) : packet_dst(&t->packet.ends);

	if (!t->is_ip)
		return;
	addr_print(&asked, addr);
	if (t->has_station)
		trace_say("station", "%s is behind %s at %s, %s; seen %s ago%s", addr, show_mac(t->station.mac, mac),
			  side_name(t, t->station.side, port), tags_text(t->station.tags, t->station.tci, tags),
			  human_seconds(ago(t, t->station.last_seen_s), time), t->station.tags & STATION_CONFIRMED ? ", it said so itself" : "");
	else
		trace_say("station", "nobody is known to have %s", addr);
}

static void say_neighbour(const struct trace *t)
{
	const struct wire_neighbour *n = &t->neighbour;
	char mac[MAC_TEXT_LEN], next[MAC_TEXT_LEN], port[PORT_NAME_LEN], other[PORT_NAME_LEN], time[24];

	if (!t->has_neighbour)
		return;
	trace_say("neighbour", "%s is at %s, seen %s ago", show_mac(n->mac, mac), side_name(t, n->side, port),
		  human_seconds(ago(t, n->last_seen_s), time));
	if (n->flags & (NEIGHBOUR_MOVED | NEIGHBOUR_CLAIMED))
		trace_say("", "%s %s at %s", n->flags & NEIGHBOUR_MOVED ? "it has moved to" : "its place is claimed by", show_mac(n->next, next),
			  side_name(t, n->next_side, other));
}

static void say_gateway(const struct trace *t)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN], time[24];

	if (trace_role(t) == TRACE_PORT || t->has_station || !t->wire->host)
		return;
	if (t->wire_state.gateway_seen_s)
		trace_say("gateway", "%s at %s, seen %s ago", show_mac(t->wire_state.gateway, mac), side_name(t, t->wire_state.gateway_side, port),
			  human_seconds(ago(t, t->wire_state.gateway_seen_s), time));
	else
		trace_say("gateway", t->wire->flags & WIRE_GATEWAY ? "configured, the kernel asks for it" : "none has been seen");
}

static void say_arp(const struct trace *t)
{
	char mac[MAC_TEXT_LEN];

	if (!t->asks_arp)
		return;
	if (t->arp.enters)
		trace_say("arp", "the kernel asks, and natvi answers: %s", show_mac(t->arp_mac, mac));
	else
		trace_say("arp", "the kernel asks first, on the wire; what follows holds when there is an answer");
}

static void say_by(const struct trace *t)
{
	const char *by = trace_wire_by(t);

	if (by)
		trace_say("decided by", "%s", !strcmp(by, "mac") ? "the MAC address that the kernel has" : by);
}

void trace_wire_print(const struct trace *t)
{
	say_frame(t);
	say_role(t);
	say_capture(t);
	say_flow(t);
	say_station(t);
	say_neighbour(t);
	say_gateway(t);
	say_arp(t);
	say_by(t);
}

/* JSON */

static json_t *mac_json(const uint8_t mac[6])
{
	char text[MAC_TEXT_LEN];

	return json_string(show_mac(mac, text));
}

static json_t *side_json(const struct trace *t, uint32_t side)
{
	char port[PORT_NAME_LEN];

	return json_string(side_name(t, side, port));
}

static json_t *vlans_json(uint8_t tags, const uint16_t tci[2])
{
	json_t *list = json_array();

	for (int i = 0; i < (tags & TAGS_COUNT) && i < NATVI_MAX_VLAN_TAGS; i++)
		json_array_append_new(list, json_integer(tci[i] & 0xfff));
	return list;
}

static json_t *station_json(const struct trace *t)
{
	char addr[ADDR_TEXT_LEN];

	if (!t->has_station)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I}", "addr", addr_print(&t->station.addr, addr), "mac", mac_json(t->station.mac),
			 "port", side_json(t, t->station.side), "vlans", vlans_json(t->station.tags, t->station.tci),
			 "confirmed", !!(t->station.tags & STATION_CONFIRMED), "seen_s", (json_int_t)ago(t, t->station.last_seen_s));
}

static json_t *next_json(const struct trace *t, uint8_t flag)
{
	return t->neighbour.flags & flag ? json_pack("{s:o, s:o}", "mac", mac_json(t->neighbour.next), "port",
						     side_json(t, t->neighbour.next_side)) : json_null();
}

static json_t *neighbour_json(const struct trace *t)
{
	if (!t->has_neighbour)
		return json_null();
	return json_pack("{s:o, s:o, s:I, s:o, s:o}", "mac", mac_json(t->neighbour.mac), "port", side_json(t, t->neighbour.side),
			 "seen_s", (json_int_t)ago(t, t->neighbour.last_seen_s), "moved", next_json(t, NEIGHBOUR_MOVED),
			 "claimed", next_json(t, NEIGHBOUR_CLAIMED));
}

static json_t *capture_json(const struct trace *t)
{
	char name[8], port[PORT_NAME_LEN];

	if (trace_role(t) != TRACE_PORT || !t->n_rules)
		return json_null();
	return json_pack("{s:i, s:s, s:o}", "id", t->rules[0].id, "name", names_rule(t->show.names, t->rules[0].id, name),
			 "to", t->rules[0].target ? json_string(ports_name(t->show.ports, t->rules[0].target, port)) : json_null());
}

static json_t *link_json(const struct trace *t)
{
	const struct flow *f = t->session.flow.flags & FLOW_TARGET || !t->session.has_peer ? &t->session.flow : &t->session.peer;
	char port[PORT_NAME_LEN];

	if (!is_captured_flow(t) || !(f->flags & FLOW_TARGET))
		return json_null();
	return json_pack("{s:o, s:o, s:s, s:o}", "dmac", mac_json(f->dmac), "smac", mac_json(f->smac),
			 "port", ports_name(t->show.ports, f->oif, port), "vlans", vlans_json(f->tags, f->tci));
}

static json_t *gateway_json(const struct trace *t)
{
	return t->wire_state.gateway_seen_s ? json_pack("{s:o, s:o}", "mac", mac_json(t->wire_state.gateway), "port",
							side_json(t, t->wire_state.gateway_side)) : json_null();
}

static json_t *copies_json(const struct trace *t)
{
	json_t *list = json_array();
	char port[PORT_NAME_LEN];

	for (size_t i = 0; i < t->n_copied; i++)
		json_array_append_new(list, json_string(ports_name(t->show.ports, t->copied[i], port)));
	return list;
}

json_t *trace_wire_json(const struct trace *t)
{
	static const char *const roles[] = { [TRACE_PORT] = "port", [TRACE_TARGET] = "target", [TRACE_BOX] = "box" };
	const char *by = t->wire ? trace_wire_by(t) : NULL;

	if (!t->wire)
		return json_null();
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}", "name", t->wire->name, "role", roles[trace_role(t)],
			 "capture", capture_json(t), "by", by ? json_string(by) : json_null(), "link", link_json(t),
			 "station", station_json(t), "neighbour", neighbour_json(t), "gateway", gateway_json(t),
			 "arp", !t->asks_arp ? json_null() : t->arp.enters ? mac_json(t->arp_mac) : json_string("asked"),
			 "copies", copies_json(t), "smac_assumed", t->smac_assumed, "dmac_assumed", t->dmac_assumed);
}
