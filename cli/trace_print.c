/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace_print.c - a trace for a person: a line for each stage that the packet came to, in its order.
 */
#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"
#include "lib/verdict.h"

void trace_say(const char *label, const char *format, ...)
{
	va_list args;

	printf("%-12s ", label);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* "source -> destination" of a flow's key. */
static const char *tuple_text(const struct tuple *key, struct line *line)
{
	line_reset(line);
	show_endpoint(line, &key->src, key->sport, key->proto);
	line_text(line, " -> ");
	show_endpoint(line, &key->dst, key->dport, key->proto);
	return line->text;
}

static const char *end_text(const union addr *addr, __be16 port, uint8_t proto, struct line *line)
{
	line_reset(line);
	show_endpoint(line, addr, port, proto);
	return line->text;
}

static void say_packet(const struct trace *t)
{
	const struct packet *p = &t->packet;
	char text[PACKET_TEXT_LEN], more[64] = "", from[IFNAMSIZ + 8];

	snprintf(from, sizeof(from), "in by %s", p->iif);
	if (p->has_vlan)
		snprintf(more, sizeof(more), p->has_inner ? ", VLAN %u.%u" : ", VLAN %u", p->vlan, p->inner);
	if (p->mark)
		snprintf(more + strlen(more), sizeof(more) - strlen(more), ", mark 0x%x", p->mark);
	if (!t->is_ip)
		trace_say("packet", "no IP packet, %zu bytes, %s%s", t->len, from, more);
	else
		trace_say("packet", "%s, %s%s, ttl %u, dscp %u, %u bytes%s%s", packet_text(p, text), t->box ? "sent by the box itself" : from, more,
		    p->ttl, p->dscp, p->len, p->df ? ", df" : "", t->cut ? " (not all of them in the capture)" : "");
}

static void say_port(const struct trace *t)
{
	bool attached = t->port && (t->box ? t->port->tc_out : t->port->tc_in);
	char zone[NATVI_NAME_LEN];

	if (t->box && !t->port)
		return;
	if (!t->port)
		trace_say("port", "%s%s is none of natvi's", t->packet.iif, t->packet.has_vlan ? ", with this VLAN," : "");
	else
		trace_say("port", "%s, zone %s, xdp %s%s%s", t->port->port.name, show_zone(&t->show, t->port->port.zone, zone), t->port->xdp,
		    attached ? "" : "; natvi's program is NOT attached there at tc ", attached ? "" : t->box ? "egress" : "ingress");
}

static void say_session(const struct trace *t, const char *what)
{
	const struct native_session *s = &t->session;
	bool is_orig = s->flow.flags & FLOW_ORIG;
	const struct flow *orig = is_orig ? &s->flow : &s->peer, *reply = is_orig ? &s->peer : &s->flow;
	const struct flow_cold *cold = is_orig ? &s->cold : &s->peer_cold;
	int32_t idle = t->now_s - s->flow.last_seen_s, other = t->now_s - s->peer.last_seen_s, left = s->flow.idle_s - idle;
	char rule[8], age[24], quiet[24], expires[24];
	struct line line;

	if (s->has_peer && s->peer.idle_s - other > left)
		left = s->peer.idle_s - other;
	if (s->has_peer && other < idle)
		idle = other;
	trace_say("flow", "%s: %s direction of %s, %s, rule %s", what, is_orig ? "original" : "reply", tuple_text(&orig->key, &line),
	    session_state(orig, reply), names_rule(t->show.names, cold->rule, rule));
	trace_say("", "age %s, idle %s, expires in %s, %llu+%llu packets", human_seconds(t->now_s - s->cold.created_s, age),
	    human_seconds(idle < 0 ? 0 : idle, quiet), human_seconds(left < 0 ? 0 : left, expires),
	    (unsigned long long)orig->packets, (unsigned long long)reply->packets);
	if (trace_flow(t) == TRACE_HIT && !(s->flow.flags & FLOW_KERNEL) && !t->view.quoted.proto)
		trace_say("", "becomes %s; ends at %s", tuple_text(&(struct tuple){ .src = s->flow.new_src, .dst = s->flow.new_dst,
		    .sport = s->flow.new_sport, .dport = s->flow.new_dport, .proto = s->flow.key.proto }, &line),
		    t->box ? "tc egress" : trace_hook(t));
}

static void say_flow(const struct trace *t)
{
	switch (trace_flow(t)) {
	case TRACE_HIT:
		say_session(t, t->view.quoted.proto ? "the quoted packet has a session" : "hit");
		break;
	case TRACE_STRANGE:
		say_session(t, t->view.missed ? "an ICMP request on the way of replies is a conversation of its own" :
			    "an answer to somebody's ping, which has the identifier of one of the box's own");
		break;
	case TRACE_EXPIRED:
		say_session(t, "miss: the session is over its time");
		break;
	case TRACE_MISS:
		trace_say("flow", t->view.quoted.proto ? "the quoted packet has no session" : "miss: no session");
		break;
	default:
		break;
	}
}

static void say_destination(const struct trace *t)
{
	const struct native_seen *v = &t->view;
	char addr[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN], what[128] = "";
	struct line line;

	if (!v->missed || !trace_asks_destination(t))
		return;
	addr_print(&v->key.dst, addr);
	if (!t->has_addr) {
		trace_say("destination", "%s is none of natvi's addresses", addr);
		return;
	}
	if (t->addr.pool != POOL_NONE)
		snprintf(what, sizeof(what), " of pool %s", show_pool(&t->show, t->addr.pool, pool));
	trace_say("destination", "%s is an address%s%s%s", addr, t->addr.flags & ADDR_LOCAL ? " of the box" : "",
	    what, t->addr.flags & ADDR_NET ? " of a netmap" : "");
	if (t->has_target)
		trace_say("", "a %s leads to %s", t->target_static ? "forward" : "mapping", end_text(&v->out.dst, v->out.dport, v->out.proto, &line));
	else
		trace_say("", "no mapping and no forward leads inside from there");
}

static const char *table_text(uint32_t table, char buf[32])
{
	switch (table) {
	case RT_TABLE_MAIN: return ", table main";
	case RT_TABLE_LOCAL: return ", table local";
	case RT_TABLE_DEFAULT: return ", table default";
	case 0: return "";
	default:
		snprintf(buf, 32, ", table %u", table);
		return buf;
	}
}

static void say_out_by(const struct trace *t, const struct trace_lookup *l, const char *more)
{
	char port[PORT_NAME_LEN], via[64] = "", addr[ADDR_TEXT_LEN], table[32], mtu[24] = "";

	if (l->gateway)
		snprintf(via, sizeof(via), " via %s", addr_print4(l->gateway, addr));
	if (l->mtu)
		snprintf(mtu, sizeof(mtu), ", MTU %u", l->mtu);
	trace_say("", "out by %s%s%s%s%s", ports_name(t->show.ports, l->oif, port), via, table_text(l->table, table), mtu, more);
}

static void say_neighbour(const struct trace_lookup *l)
{
	if (l->result == ROUTE_OK)
		trace_say("", "neighbour %02x:%02x:%02x:%02x:%02x:%02x%s%s", l->dmac[0], l->dmac[1], l->dmac[2], l->dmac[3], l->dmac[4],
		    l->dmac[5], l->neighbour ? ", " : "", l->neighbour ? l->neighbour : "");
	else
		trace_say("", "its neighbour is not resolved%s%s", l->neighbour ? ": " : "", l->neighbour ? l->neighbour : "");
}

static void say_way(const struct trace *t, const struct trace_lookup *l)
{
	char port[PORT_NAME_LEN];

	say_out_by(t, l, "");
	say_neighbour(l);
	if (!ports_find(t->show.ports, l->oif))
		trace_say("", "%s is none of natvi's ports", ports_name(t->show.ports, l->oif, port));
}

static void say_question(const struct trace *t, const char *label, const struct trace_lookup *l)
{
	bool box = l->question.in == IFINDEX_LO;
	char port[PORT_NAME_LEN], mark[24] = "", tos[24] = "";
	struct line line;

	if (l->question.use_mark)
		snprintf(mark, sizeof(mark), ", mark 0x%x", l->question.mark);
	if (l->question.tos)
		snprintf(tos, sizeof(tos), ", tos 0x%02x", l->question.tos);
	trace_say(label, "%s, %s%s%s%s", tuple_text(&l->question.tuple, &line), box ? "from the box itself" : "in by ",
	    box ? "" : ports_name(t->show.ports, l->question.in, port), mark, tos);
}

/* By what way the kernel sends what the box itself sends. */
static void say_kernel_route(const struct trace *t)
{
	const struct trace_lookup *l = &t->kernel;
	char text[32];

	if (!t->box)
		return;
	say_question(t, "kernel route", l);
	if (l->type == RTN_LOCAL)
		trace_say("", "to the box itself%s", table_text(l->table, text));
	else if (!l->oif)
		trace_say("", l->type == RTN_UNREACHABLE ? "no route" : l->type == RTN_PROHIBIT ? "prohibited" :
		    "a black hole, or not by any way from this source");
	else
		say_out_by(t, l, l->type == RTN_BROADCAST ? ", broadcast" : l->type == RTN_MULTICAST ? ", multicast" : "");
	if (trace_way(t) == TRACE_NATVI && trace_asks_neighbour(t))
		say_neighbour(l);
}

static void say_lookup(const struct trace *t, const struct trace_lookup *l)
{
	char port[PORT_NAME_LEN];

	say_question(t, trace_is_second(t, l) ? "look-up 2" : "look-up 1", l);
	if (l->result == ROUTE_OK || l->result == ROUTE_NO_NEIGHBOUR)
		say_way(t, l);
	else if (l->type == RTN_LOCAL)
		trace_say("", "the box itself");
	else if (l->type == RTN_BROADCAST || l->type == RTN_MULTICAST)
		trace_say("", "broadcast or multicast");
	else if (l->result == ROUTE_NONE || l->type == RTN_UNREACHABLE)
		trace_say("", "no route");
	else
		trace_say("", "not forwarded (no route, the box itself, or forwarding is off on %s)", ports_name(t->show.ports, l->question.in, port));
}

/* Rules up to number n of those that matched, those before *at having been said. */
static void say_rules(const struct trace *t, size_t *at, size_t n)
{
	char name[8], does[SHOW_RULE_LEN];

	for (; *at < n; (*at)++) {
		const struct rule *r = &t->rules[*at];

		if (t->applied[*at])
			trace_say("rule", "%u \"%s\": %s", r->id, names_rule(t->show.names, r->id, name), show_rule_does(&t->show, r, does));
	}
}

/* Rules, and the look-ups that they or the search for them needed, in the order in which they were asked. */
static void say_decisions(const struct trace *t)
{
	size_t said = 0;

	for (size_t i = 0; i < t->n_lookups; i++) {
		if (trace_is_second(t, &t->lookups[i]))
			continue;
		say_rules(t, &said, t->lookups[i].n_rules);
		say_lookup(t, &t->lookups[i]);
	}
	say_rules(t, &said, t->n_rules);
	if (t->asked_rules && !t->n_rules && !t->has_target)
		trace_say("rule", "none of them names it");
	else if (trace_unasked(t))
		trace_say("rule", "%s", trace_unasked(t));
}

static void say_sockets(const struct trace *t)
{
	struct line line;

	for (size_t i = 0; i < t->n_sockets; i++)
		trace_say("socket", "the box has %s for %s", t->sockets[i].takes ? "one" : "none", tuple_text(&t->sockets[i].tuple, &line));
}

static void say_mapping(const struct trace *t)
{
	const struct native_seen *v = &t->view;
	bool same = v->out.sport == v->key.sport;
	char pool[NATVI_NAME_LEN];
	struct line in, out;

	if (t->has_mapping)
		trace_say("mapping", "%s: %s -> %s, pool %s", t->mapping_new ? "would be made" : mapping_state(&t->mapping),
		    end_text(&v->key.src, v->key.sport, v->key.proto, &in), end_text(&v->out.src, v->out.sport, v->out.proto, &out),
		    show_pool(&t->show, v->pool, pool));
	else if (v->missed && (v->held & COLD_REMOTE))
		trace_say("mapping", "none, towards this remote alone: %s -> %s", end_text(&v->key.src, v->key.sport, v->key.proto, &in),
		    end_text(&v->out.src, v->out.sport, v->out.proto, &out));
	else
		return;
	if (!same && (!t->has_mapping || t->mapping_new))
		trace_say("", "the port would be chosen by chance, another one each time");
}

static void say_second(const struct trace *t)
{
	bool said = false;

	for (size_t i = 0; i < t->n_lookups; i++)
		if (trace_is_second(t, &t->lookups[i])) {
			say_lookup(t, &t->lookups[i]);
			said = true;
		}
	if (said)
		return;
	if (t->view.missed && t->n_lookups && verdict_class(t->result.verdict) != VERDICT_CLASS_DROP && t->n_rules &&
	    t->result.verdict != VERDICT_RULE_KERNEL)
		trace_say("look-up 2", "not needed: no routing rule asks for the source, look-up 1 holds");
	else if (trace_flow(t) == TRACE_HIT && !t->n_lookups && t->session.flow.oif)
		trace_say("look-up", "not needed: the session knows its route");
}

/* On a wire there are other frames, too. */
static void say_frame_out(const struct trace *t, const char *how)
{
	char port[PORT_NAME_LEN];

	if (t->wire && t->result.action == NATIVE_SEND)
		trace_say("leaves", "as it came%s%s", how, ports_name(t->show.ports, t->result.out_ifindex, port));
}

static void say_copies(const struct trace *t)
{
	char port[PORT_NAME_LEN];

	for (size_t i = 0; i < t->n_copied; i++)
		trace_say("", "and a copy by %s", ports_name(t->show.ports, t->copied[i], port));
}

static void say_out(const struct trace *t, const char *label, const char *how)
{
	const struct packet *p = &t->out;
	char text[PACKET_TEXT_LEN], mac[96] = "", port[PORT_NAME_LEN];

	if (!t->out_is_ip) {
		say_frame_out(t, how);
		return;
	}
	if (p->l2 && t->result.action == NATIVE_SEND)
		snprintf(mac, sizeof(mac), ", %02x:%02x:%02x:%02x:%02x:%02x > %02x:%02x:%02x:%02x:%02x:%02x", p->smac[0], p->smac[1],
			 p->smac[2], p->smac[3], p->smac[4], p->smac[5], p->dmac[0], p->dmac[1], p->dmac[2], p->dmac[3], p->dmac[4],
			 p->dmac[5]);
	if (p->has_vlan && t->result.action == NATIVE_SEND)
		snprintf(mac + strlen(mac), sizeof(mac) - strlen(mac), p->has_inner ? ", VLAN %u.%u" : ", VLAN %u", p->vlan, p->inner);
	trace_say(label, "%s, ttl %u%s%s%s", packet_text(p, text), p->ttl, mac, how,
	    t->result.action == NATIVE_SEND ? ports_name(t->show.ports, t->result.out_ifindex, port) : "");
}

static void say_end(const struct trace *t)
{
	enum verdict v = t->result.verdict;
	char text[PACKET_TEXT_LEN];

	if (t->crossed) {
		trace_say("nvi0", "crosses it as %s, ttl %u", packet_text(&t->cross, text), t->cross.ttl);
		trace_say("", "%s: %s", verdict_name(t->cross_verdict), verdict_text(t->cross_verdict));
	}
	trace_say("verdict", "%s (%s): %s", verdict_name(v), verdict_class_name(verdict_class(v)), verdict_text(v));
	if (t->result.icmp)
		say_out(t, "answer", t->result.enters ? ", to the box itself, in by " : ", back by ");
	else if (trace_waits(t))
		trace_say("", "it waits with the daemon");
	else if (t->result.action == NATIVE_SEND)
		say_out(t, "leaves", t->result.enters ? ", and comes in anew, for the kernel, at " : ", by ");
	else if (t->result.action == NATIVE_KERNEL)
		say_out(t, "to kernel", "");
	say_copies(t);
	if (t->result.action == NATIVE_KERNEL && t->result.mark)
		trace_say("", "with mark 0x%x", t->result.mark);
}

/* What natvi does not see. */
static void say_unseen(const struct trace *t)
{
	char port[PORT_NAME_LEN];

	if (trace_way(t) == TRACE_ELSEWHERE)
		trace_say("verdict", "none: it leaves untouched by %s, which is none of natvi's ports", ports_name(t->show.ports, t->kernel.oif, port));
	else if (trace_way(t) == TRACE_STAYS)
		trace_say("verdict", "none: it stays in the box, natvi does not see it");
	else
		trace_say("verdict", "none: the kernel refuses it, natvi does not see it");
}

void trace_print(const struct trace *t)
{
	say_packet(t);
	say_kernel_route(t);
	if (trace_way(t) != TRACE_NATVI) {
		say_unseen(t);
		return;
	}
	if (t->wire) {
		trace_wire_print(t);
		say_end(t);
		return;
	}
	say_port(t);
	say_flow(t);
	say_destination(t);
	say_decisions(t);
	say_sockets(t);
	say_mapping(t);
	say_second(t);
	say_end(t);
}
