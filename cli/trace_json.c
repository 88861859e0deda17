/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_json.c - a trace for programs. Keys are stable; what the packet did not come to is null.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/verdict.h"

static json_t *json_mac(const uint8_t m[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
	return json_string(text);
}

static json_t *json_addr(const union addr *a)
{
	char text[ADDR_TEXT_LEN];

	return json_string(addr_print(a, text));
}

static json_t *json_tuple(const struct tuple *k)
{
	char proto[PROTO_TEXT_LEN];

	return json_pack("{s:s, s:o, s:i, s:o, s:i}", "proto", addr_print_proto(k->proto, proto), "src", json_addr(&k->src),
			 "sport", ntohs(k->sport), "dst", json_addr(&k->dst), "dport", ntohs(k->dport));
}

static json_t *json_ends(const struct packet_ends *e)
{
	union addr src = packet_src(e), dst = packet_dst(e);
	char proto[PROTO_TEXT_LEN];

	return json_pack("{s:s, s:o, s:i, s:o, s:i}", "proto", addr_print_proto(e->proto, proto), "src", json_addr(&src),
			 "sport", e->sport, "dst", json_addr(&dst), "dport", e->dport);
}

/* A packet as it came in, or as it leaves. */
static json_t *json_packet(const struct packet *p)
{
	char text[PACKET_TEXT_LEN];
	json_t *o = json_ends(&p->ends);

	json_object_set_new(o, "text", json_string(packet_text(p, text)));
	json_object_set_new(o, "ttl", json_integer(p->ttl));
	json_object_set_new(o, "dscp", json_integer(p->dscp));
	json_object_set_new(o, "len", json_integer(p->len));
	json_object_set_new(o, "df", json_boolean(p->df));
	if (p->ends.proto == IPPROTO_TCP)
		json_object_set_new(o, "tcp_flags", json_integer(p->tcp_flags));
	if (p->ends.proto == IPPROTO_ICMP || p->ends.proto == IPPROTO_ICMPV6) {
		json_object_set_new(o, "icmp_type", json_integer(p->icmp_type));
		json_object_set_new(o, "icmp_code", json_integer(p->icmp_code));
	}
	json_object_set_new(o, "about", p->about.proto ? json_ends(&p->about) : json_null());
	if (p->l2) {
		json_object_set_new(o, "smac", json_mac(p->smac));
		json_object_set_new(o, "dmac", json_mac(p->dmac));
		json_object_set_new(o, "vlan", p->has_vlan ? json_integer(p->vlan) : json_null());
		json_object_set_new(o, "inner_vlan", p->has_inner ? json_integer(p->inner) : json_null());
	}
	return o;
}

static json_t *json_in(const struct trace *t)
{
	json_t *o = t->is_ip ? json_packet(&t->packet) : json_object();

	json_object_set_new(o, "iif", json_string(t->packet.iif));
	json_object_set_new(o, "mark", json_integer(t->packet.mark));
	json_object_set_new(o, "vlan", t->packet.has_vlan ? json_integer(t->packet.vlan) : json_null());
	json_object_set_new(o, "complete", json_boolean(!t->cut));
	return o;
}

static json_t *json_port(const struct trace *t)
{
	char zone[NATVI_NAME_LEN];

	if (!t->port)
		return json_null();
	return json_pack("{s:s, s:I, s:i, s:i, s:s, s:s, s:b, s:b}", "name", t->port->port.name, "ifindex", (json_int_t)t->port->port.ifindex,
			 "vlan", t->port->port.vlan, "zone", t->port->port.zone, "zone_name", show_port_zone(&t->show, &t->port->port, zone),
			 "xdp", t->port->xdp, "tc_ingress", t->port->tc_in, "tc_egress", t->port->tc_out);
}

static json_t *json_session(const struct trace *t)
{
	const struct native_session *s = &t->session;
	bool is_orig = s->flow.flags & FLOW_ORIG;
	const struct flow *orig = is_orig ? &s->flow : &s->peer, *reply = is_orig ? &s->peer : &s->flow;
	const struct flow_cold *cold = is_orig ? &s->cold : &s->peer_cold;
	int32_t idle = t->now_s - s->flow.last_seen_s, other = t->now_s - s->peer.last_seen_s, left = s->flow.idle_s - idle;
	struct tuple becomes = { .src = s->flow.new_src, .dst = s->flow.new_dst, .sport = s->flow.new_sport, .dport = s->flow.new_dport,
				 .proto = s->flow.key.proto };
	char rule[8];

	if (s->has_peer && s->peer.idle_s - other > left)
		left = s->peer.idle_s - other;
	if (s->has_peer && other < idle)
		idle = other;
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:s, s:i, s:i, s:i, s:i, s:I, s:I}", "direction", is_orig ? "original" : "reply",
			 "orig", json_tuple(&orig->key), "reply", json_tuple(&reply->key), "becomes", json_tuple(&becomes),
			 "state", session_state(orig, reply), "rule", names_rule(t->show.names, cold->rule, rule), "rule_id", cold->rule,
			 "age_s", (int)(t->now_s - s->cold.created_s), "idle_s", idle < 0 ? 0 : idle, "expires_s", left < 0 ? 0 : left,
			 "packets_orig", (json_int_t)orig->packets, "packets_reply", (json_int_t)reply->packets);
}

static json_t *json_flow(const struct trace *t)
{
	static const char *const results[] = { [TRACE_NO_FLOW] = "none", [TRACE_MISS] = "miss", [TRACE_EXPIRED] = "expired",
					       [TRACE_STRANGE] = "other-conversation", [TRACE_HIT] = "hit" };
	enum trace_flow flow = trace_flow(t);

	return json_pack("{s:s, s:s, s:o}", "result", results[flow], "hook", trace_hook(t),
			 "session", t->has_session ? json_session(t) : json_null());
}

static json_t *json_destination(const struct trace *t)
{
	const struct native_seen *v = &t->view;
	bool pool = t->has_addr && t->addr.pool < NATVI_MAX_POOLS && t->show.pools[t->addr.pool].name[0];
	json_t *o;

	if (!v->missed || !trace_asks_destination(t))
		return json_null();
	o = json_pack("{s:o, s:b, s:b, s:o}", "addr", json_addr(&v->key.dst), "known", t->has_addr,
		      "local", t->has_addr && (t->addr.flags & ADDR_LOCAL), "pool", pool ? json_string(t->show.pools[t->addr.pool].name) : json_null());
	if (t->has_target)
		json_object_set_new(o, "leads_to", json_pack("{s:s, s:o, s:i}", "by", t->target_static ? "forward" : "mapping",
							     "addr", json_addr(&v->out.dst), "port", ntohs(v->out.dport)));
	else
		json_object_set_new(o, "leads_to", json_null());
	return o;
}

static const char *result_name(const struct trace_lookup *l)
{
	static const char *const names[] = { [ROUTE_OK] = "ok", [ROUTE_NO_NEIGHBOUR] = "no-neighbour", [ROUTE_LOCAL] = "not-forwarded",
					     [ROUTE_NONE] = "no-route" };

	return l->result == ROUTE_LOCAL && l->type == RTN_LOCAL ? "local" : l->result == ROUTE_LOCAL && l->type == RTN_UNREACHABLE ? "no-route" :
	       l->result <= ROUTE_NONE ? names[l->result] : "no-route";
}

/* A look-up, whichever. */
static json_t *json_route(const struct trace *t, const struct trace_lookup *l, const char *result, bool way)
{
	static const uint8_t none[6];
	char in[PORT_NAME_LEN], out[PORT_NAME_LEN], gateway[ADDR_TEXT_LEN];
	json_t *o = json_tuple(&l->question.tuple);

	json_object_set_new(o, "iif", json_string(ports_name(t->show.ports, l->question.in, in)));
	json_object_set_new(o, "mark", l->question.use_mark ? json_integer(l->question.mark) : json_null());
	json_object_set_new(o, "tos", json_integer(l->question.tos));
	json_object_set_new(o, "result", json_string(result));
	json_object_set_new(o, "interface", way ? json_string(ports_name(t->show.ports, l->oif, out)) : json_null());
	json_object_set_new(o, "enabled", json_boolean(way && ports_find(t->show.ports, l->oif)));
	json_object_set_new(o, "gateway", l->gateway ? json_string(addr_print4(l->gateway, gateway)) : json_null());
	json_object_set_new(o, "table", l->table ? json_integer(l->table) : json_null());
	json_object_set_new(o, "mtu", l->mtu ? json_integer(l->mtu) : json_null());
	json_object_set_new(o, "neighbour", l->result == ROUTE_OK && memcmp(l->dmac, none, 6) ? json_mac(l->dmac) : json_null());
	json_object_set_new(o, "neighbour_state", l->neighbour ? json_string(l->neighbour) : json_null());
	return o;
}

static json_t *json_lookup(const struct trace *t, const struct trace_lookup *l)
{
	json_t *o = json_route(t, l, result_name(l), l->result == ROUTE_OK || l->result == ROUTE_NO_NEIGHBOUR);

	json_object_set_new(o, "number", json_integer(trace_is_second(t, l) ? 2 : 1));
	return o;
}

static json_t *json_kernel_route(const struct trace *t)
{
	const struct trace_lookup *l = &t->kernel;
	const char *result = l->type == RTN_LOCAL ? "local" : !l->oif ? "no-route" : l->type == RTN_BROADCAST ? "broadcast" :
			     l->type == RTN_MULTICAST ? "multicast" : l->result == ROUTE_OK ? "ok" : "no-neighbour";

	return t->box ? json_route(t, l, result, l->oif) : json_null();
}

static json_t *json_lookups(const struct trace *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n_lookups; i++)
		json_array_append_new(list, json_lookup(t, &t->lookups[i]));
	return list;
}

static json_t *json_sockets(const struct trace *t)
{
	json_t *list = json_array(), *o;

	for (size_t i = 0; i < t->n_sockets; i++) {
		o = json_tuple(&t->sockets[i].tuple);
		json_object_set_new(o, "found", json_boolean(t->sockets[i].takes));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *json_rules(const struct trace *t)
{
	json_t *list = json_array();
	char name[8], does[SHOW_RULE_LEN];

	for (size_t i = 0; i < t->n_rules; i++)
		if (t->applied[i])
			json_array_append_new(list, json_pack("{s:i, s:s, s:s}", "id", t->rules[i].id,
							      "name", names_rule(t->show.names, t->rules[i].id, name),
							      "action", show_rule_does(&t->show, &t->rules[i], does)));
	return list;
}

static json_t *json_mapping(const struct trace *t)
{
	const struct native_seen *v = &t->view;
	bool remote = v->missed && (v->held & COLD_REMOTE);
	bool pool = v->pool < NATVI_MAX_POOLS && t->show.pools[v->pool].name[0];

	if (!t->has_mapping && !remote)
		return json_null();
	return json_pack("{s:s, s:o, s:i, s:o, s:i, s:o, s:b}",
			 "state", remote ? "none" : t->mapping_new ? "new" : mapping_state(&t->mapping),
			 "inside", json_addr(&v->key.src), "inside_port", ntohs(v->key.sport), "outside", json_addr(&v->out.src),
			 "outside_port", ntohs(v->out.sport), "pool", pool ? json_string(t->show.pools[v->pool].name) : json_null(),
			 "by_chance", (remote || t->mapping_new) && v->out.sport != v->key.sport);
}

static json_t *json_result(const struct trace *t)
{
	static const char *const actions[] = { [NATIVE_SEND] = "send", [NATIVE_KERNEL] = "kernel", [NATIVE_DROP] = "drop" };
	bool sends = t->result.action == NATIVE_SEND && !t->result.icmp && !trace_waits(t);
	const char *action = t->result.icmp ? "drop" : trace_waits(t) ? "wait" : t->result.enters ? "kernel" : actions[t->result.action];
	bool leaves = t->out_is_ip && !t->result.icmp && !trace_waits(t);
	char port[PORT_NAME_LEN];

	return json_pack("{s:s, s:o, s:o, s:I}", "action", action,
			 "interface", sends ? json_string(ports_name(t->show.ports, t->result.out_ifindex, port)) : json_null(),
			 "packet", leaves ? json_packet(&t->out) : json_null(), "mark", (json_int_t)t->result.mark);
}

/* What natvi does not see. */
static json_t *json_unseen(const struct trace *t)
{
	static const char *const actions[] = { [TRACE_ELSEWHERE] = "send", [TRACE_STAYS] = "local", [TRACE_NOWHERE] = "drop" };
	bool leaves = trace_way(t) == TRACE_ELSEWHERE;
	char port[PORT_NAME_LEN];

	return json_pack("{s:s, s:o, s:o, s:I}", "action", actions[trace_way(t)],
			 "interface", leaves ? json_string(ports_name(t->show.ports, t->kernel.oif, port)) : json_null(),
			 "packet", leaves ? json_packet(&t->packet) : json_null(), "mark", (json_int_t)t->packet.mark);
}

static json_t *json_verdict(const struct trace *t)
{
	enum verdict v = t->result.verdict;

	if (trace_way(t) != TRACE_NATVI)
		return json_null();
	return json_pack("{s:s, s:s, s:s}", "name", verdict_name(v), "class", verdict_class_name(verdict_class(v)), "text", verdict_text(v));
}

static json_t *json_answer(const struct trace *t)
{
	char port[PORT_NAME_LEN];
	json_t *o;

	if (!t->result.icmp || !t->out_is_ip)
		return json_null();
	o = json_packet(&t->out);
	json_object_set_new(o, "interface", json_string(ports_name(t->show.ports, t->result.out_ifindex, port)));
	return o;
}

int trace_print_json(const struct trace *t)
{
	json_t *o = json_object();

	json_object_set_new(o, "packet", json_in(t));
	json_object_set_new(o, "kernel_route", json_kernel_route(t));
	json_object_set_new(o, "port", json_port(t));
	json_object_set_new(o, "flow", json_flow(t));
	json_object_set_new(o, "wire", trace_wire_json(t));
	json_object_set_new(o, "destination", json_destination(t));
	json_object_set_new(o, "sockets", json_sockets(t));
	json_object_set_new(o, "rules", json_rules(t));
	json_object_set_new(o, "lookups", json_lookups(t));
	json_object_set_new(o, "mapping", json_mapping(t));
	json_object_set_new(o, "nvi", t->crossed ? json_pack("{s:s, s:o}", "verdict", verdict_name(t->cross_verdict),
							     "packet", json_packet(&t->cross)) : json_null());
	json_object_set_new(o, "verdict", json_verdict(t));
	json_object_set_new(o, "result", trace_way(t) == TRACE_NATVI ? json_result(t) : json_unseen(t));
	json_object_set_new(o, "icmp_error", json_answer(t));
	return cli_print_json(o);
}
