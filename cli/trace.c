/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace.c - `natvi trace`: what would happen to a packet on the live gateway, without sending it.
 *
 * The datapath itself runs here, on copies of what it touches. First as at XDP, where only hits end, then as at tc. What the box
 * itself sends has the kernel's route first (trace_box.c), then that port's tc egress.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "cli/trace.h"
#include "dp/pkt.h"
#include "lib/addr.h"
#include "lib/instance.h"
#include "lib/verdict.h"

#define ETH_BYTES	14
#define TAG_BYTES	4
#define MAX_SENTENCE	1024

static const uint8_t some_host[6] = { 0x02, 0, 0, 0, 0, 0x01 };

static int open_pin(const char *instance, const char *name)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	char path[INSTANCE_PATH_LEN];

	instance_pin_path(path, instance, name);
	return bpf_obj_get_opts(path, &opts);
}

static int trace_open(struct trace *t)
{
	char err[512];
	int code = show_open(&t->show);

	if (code)
		return code;
	t->fragments = open_pin(t->show.opts->instance, "fragments");
	t->fragment_sources = open_pin(t->show.opts->instance, "fragment_sources");
	t->asker = asker_open(err, sizeof(err));
	return t->asker ? CLI_OK : cli_error(CLI_FAIL, "%s", err);
}

static void trace_close(struct trace *t)
{
	asker_close(t->asker);
	if (t->fragments >= 0)
		close(t->fragments);
	if (t->fragment_sources >= 0)
		close(t->fragment_sources);
	free(t->frame);
	show_close(&t->show);
}

static int no_interface(const struct trace *t)
{
	const char *names[64] = { NULL }, *near;

	for (size_t i = 0; i < t->show.ports->n && i < 63; i++)
		names[i] = t->show.ports->list[i].port.name;
	near = cli_nearest(t->packet.iif, names);
	if (near)
		return cli_error(CLI_USAGE, "iif %s: there is no such interface here; did you mean %s?", t->packet.iif, near);
	return cli_error(CLI_USAGE, "iif %s: there is no such interface in this network namespace", t->packet.iif);
}

/* Tables can be read from anywhere, routes only in the namespace that they are of. */
static int check_here(const struct trace *t)
{
	for (size_t i = 0; i < t->show.ports->n; i++)
		if (t->show.ports->list[i].present)
			return CLI_OK;
	if (!t->show.ports->n)
		return CLI_OK;
	return cli_error(CLI_FAIL, "instance \"%s\" serves another network namespace: none of its interfaces (%s ...) is here; run this "
			 "command there", t->show.opts->instance, t->show.ports->list[0].port.name);
}

const struct port_hooks *trace_port(const struct trace *t, uint32_t ifindex, uint16_t vlan)
{
	for (size_t i = 0; i < t->show.ports->n; i++)
		if (t->show.ports->list[i].port.ifindex == ifindex && t->show.ports->list[i].port.vlan == vlan)
			return &t->show.ports->list[i];
	return NULL;
}

static const struct port_hooks *wire_port(const struct trace *t)
{
	const struct port_hooks *port = trace_port(t, t->arrival.ifindex, 0);

	return port && (port->port.flags & (PORT_WIRE | PORT_TARGET)) ? port : NULL;
}

/* What only makes sense on a wire, or on an Ethernet. */
static int check_words(const struct trace *t)
{
	const struct packet *p = &t->packet;

	if (p->ends.v6 && (t->box || !(t->wire || (t->show.maps->control.flags & CONTROL_ACCEL))))
		return cli_error(CLI_USAGE, "trace: natvi has to do with IPv6 only on a wire, and with `accelerate` where it crosses the box; right would be "
				 "IPv4, or iif NAME of a wire's port or target");
	if ((p->has_smac || p->has_dmac || p->has_vlan) && t->arrival.no_l2)
		return cli_error(CLI_USAGE, "iif %s: there is no Ethernet there; right would be the same without smac, dmac and vlan", p->iif);
	return CLI_OK;
}

/* Where it comes in. What the box itself sends comes from lo, as routing rules have it, and begins at its IP header. */
static int find_way_in(struct trace *t)
{
	if (!t->packet.iif[0])
		return cli_error(CLI_USAGE, "trace: it is not said where the packet comes in; right would be: iif NAME ..., or iif lo if the box "
				 "itself sends it");
	t->arrival.ifindex = if_nametoindex(t->packet.iif);
	if (!t->arrival.ifindex)
		return no_interface(t);
	t->arrival.mark = t->packet.mark;
	t->box = t->arrival.ifindex == IFINDEX_LO;
	if (t->box && t->packet.has_vlan)
		return cli_error(CLI_USAGE, "iif lo: what the box itself sends has no VLAN yet; right would be the same without vlan %u", t->packet.vlan);
	if (!t->box)
		t->port = trace_port(t, t->arrival.ifindex, t->packet.has_vlan ? t->packet.vlan : 0);
	if (!t->box && !t->port && t->packet.has_vlan)	/* a wire has all VLANs */
		t->port = wire_port(t);
	trace_wire_find(t);
	t->arrival.no_l2 = t->box || (t->port && (t->port->port.flags & PORT_NO_L2));
	return check_words(t);
}

/* The described packet as a frame from its source, or from some host. */
static int make_frame(struct trace *t)
{
	struct packet *p = &t->packet;
	const char *state;

	t->frame = malloc(PACKET_L2_BYTES + PACKET_MAX_BYTES);
	if (!t->frame)
		return cli_error(CLI_FAIL, "no memory");
	p->l2 = !t->arrival.no_l2;
	if (t->wire && !t->box)
		trace_wire_macs(t);
	if (t->port && !t->wire && !p->has_dmac)
		memcpy(p->dmac, t->port->port.mac, 6);
	if (!t->wire && !p->has_smac)
		memcpy(p->smac, some_host, 6);
	if (!t->box && !t->wire && !p->has_smac)
		asker_neighbour(t->asker, t->arrival.ifindex, p->ends.src, p->smac, &state);
	t->len = packet_build(p, t->frame);
	t->is_ip = true;
	return CLI_OK;
}

/* As the tc hook gets it: the kernel has taken the outer VLAN tag out of the frame. */
static size_t untag(struct trace *t)
{
	uint16_t type;

	if (t->arrival.no_l2 || t->len < ETH_BYTES + TAG_BYTES)
		return t->len;
	type = t->frame[12] << 8 | t->frame[13];
	if (type != 0x8100 && type != 0x88a8)
		return t->len;
	t->arrival.vlan_present = true;
	t->arrival.vlan_tci = t->frame[14] << 8 | t->frame[15];
	memmove(t->frame + 12, t->frame + 12 + TAG_BYTES, t->len - 12 - TAG_BYTES);
	return t->len - TAG_BYTES;
}

/* The box has a ping under way to who pings it, with the same identifier: its answer is not that. */
static bool is_other_ping(const struct trace *t)
{
	bool query = t->packet.icmp_type == ICMP_ECHO || t->packet.icmp_type == ICMP_TIMESTAMP;

	return t->box && !(t->port->port.flags & PORT_NVI) && t->packet.ends.proto == IPPROTO_ICMP && packet_icmp_is_query(t->packet.icmp_type) &&
	       query != !!(t->session.flow.flags & FLOW_ORIG);
}

/* What stood in the tables about its flow and its mapping, before. */
static void look_back(struct trace *t, struct native *n)
{
	const struct native_seen *v = &t->view;

	if (v->quoted.proto || v->parsed)
		t->has_session = native_session(n, v->quoted.proto ? &v->quoted : &v->key, t->now_s, &t->session);
	t->strange = t->has_session && !t->session.expired && (v->missed || is_other_ping(t));
	if (!v->missed)
		return;
	t->has_addr = !bpf_map_lookup_elem(t->show.maps->fd[MAPS_ADDRS], &(struct addr_key){ .addr = v->key.dst, .zone = v->key.zone }, &t->addr);
	if (v->held & COLD_SRC_MAPPED) {
		t->has_mapping = true;
		t->mapping_key = (struct mapping_key){ .addr = v->key.src, .port = v->key.sport, .zone = v->key.zone,
						       .proto = v->map_proto, .kind = MAPPING_INSIDE, .pool = v->pool };
		t->mapping_new = !native_mapping(n, &t->mapping_key, &t->mapping) || (t->mapping.refs & MAPPING_DEAD);
	}
}

/* Did a mapping or a forward lead inside? Else it was a rule, or nothing, that changed the destination. */
static void find_target(struct trace *t, struct native *n)
{
	const struct native_seen *v = &t->view;
	struct mapping_key key = { .addr = v->out.dst, .port = v->out.dport, .zone = v->to_zone, .proto = v->key.proto,
				   .kind = MAPPING_INSIDE, .pool = v->dst_pool };
	struct mapping m;

	if (!v->missed || (addr_equal(&v->out.dst, &v->key.dst) && (v->out.dport == v->key.dport || v->key.proto == IPPROTO_ICMP)))
		return;
	for (size_t i = 0; i < t->n_rules; i++)
		if (t->rules[i].flags & (RULE_DNAT | RULE_DST_NET))
			return;
	t->has_target = true;
	if (native_mapping(n, &key, &m) || (key.proto = 0, native_mapping(n, &key, &m)))
		t->target_static = m.flags & MAPPING_STATIC;
}

/* Behind a mapping or a new destination a rule for hairpins is sought, and the draft says whether it was one. */
static void find_applied(struct trace *t)
{
	for (size_t i = 0; i < t->n_rules; i++)
		t->applied[i] = !t->view.missed || (!i && !t->has_target) || t->rules[i].id == t->view.rule;
}

/* At XDP, where only hits end; then as tc gets it. */
static void come_in(struct trace *t, struct native *n, const struct usage *usage)
{
	t->arrival.hits_only = true;
	native_arrive(n, &t->arrival, t->frame, t->len, t->now_s);
	t->at_xdp = native_counters(n)->xdp_hits;
	native_forget(n, &t->show.maps->control, usage);
	t->len = untag(t);
	t->arrival.hits_only = false;
	t->asked_rules = false;
	t->result = native_arrive(n, &t->arrival, t->frame, t->len, t->now_s);
}

/* At the egress of the port that the kernel's route leads to. What is the kernel's there leaves by it. */
static void leave(struct trace *t, struct native *n)
{
	t->result = native_leave(n, &t->arrival, t->frame, t->len, t->now_s);
	if (t->result.action != NATIVE_KERNEL)
		return;
	t->result.action = NATIVE_SEND;
	t->result.out_ifindex = t->arrival.ifindex;
	t->result.crosses = t->port->port.flags & PORT_NVI;
}

/* Has the frame link-layer addresses that are known? */
static bool knows_addresses(const struct trace *t)
{
	static const uint8_t none[6];
	const struct port_hooks *to = t->result.action == NATIVE_SEND ? trace_port(t, t->result.out_ifindex, 0) : NULL;

	return t->out.l2 && !t->result.resolves && memcmp(t->out.dmac, none, 6) && !(to && (to->port.flags & PORT_NO_L2));
}

static int go(struct trace *t)
{
	struct native_source source = trace_source(t);
	struct native *n = NULL;
	struct usage usage;
	uint64_t random;

	if (maps_refresh((struct maps *)t->show.maps) || maps_usage(t->show.maps, &usage))
		return cli_error(CLI_FAIL, "cannot read the tables of instance \"%s\"", t->show.opts->instance);
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = t->now_s;
	if (native_new_live(&source, &t->show.maps->control, &usage, random, &n))
		return cli_error(CLI_FAIL, "no memory");
	t->now_s = maps_now_s();
	if (t->wire)
		trace_wire_run(t, n, &usage);
	else if (t->box)
		leave(t, n);
	else
		come_in(t, n, &usage);
	native_seen(n, &t->view);
	if (t->result.crosses) {
		t->crossed = packet_read(t->result.frame, t->result.len, true, &t->cross);
		t->cross_verdict = t->result.verdict;
		t->arrival.no_l2 = false;
		t->result = native_cross(n, t->result.mark, t->result.frame, t->result.len, t->now_s);
	}
	if (!t->wire)
		t->out_is_ip = (t->result.action == NATIVE_SEND || t->result.action == NATIVE_KERNEL) &&
			       packet_read(t->result.frame, t->result.len, !t->arrival.no_l2 || trace_waits(t), &t->out);
	t->out.l2 = t->out_is_ip && knows_addresses(t);
	native_forget(n, &t->show.maps->control, &usage);
	look_back(t, n);
	find_target(t, n);
	find_applied(t);
	if (t->wire)
		trace_wire_look(t);
	native_free(n);
	return CLI_OK;
}

static int understand(struct trace *t)
{
	char text[MAX_SENTENCE] = "", err[512];
	size_t at = 0;

	for (int i = 0; i < t->show.opts->n_words; i++)
		at += snprintf(text + at, at < sizeof(text) ? sizeof(text) - at : 0, "%s%s", i ? " " : "", t->show.opts->words[i]);
	if (at >= sizeof(text))
		return cli_error(CLI_USAGE, "trace: the packet is described in more than %d letters", MAX_SENTENCE - 1);
	if (t->show.opts->frame >= 0 && !t->show.opts->pcap)
		return cli_error(CLI_USAGE, "trace: --frame says which frame of a capture; right would be --pcap FILE --frame %ld",
				 t->show.opts->frame);
	if (packet_parse(text, !t->show.opts->pcap, &t->packet, err, sizeof(err)))
		return cli_error(CLI_USAGE, "trace: %s", err);
	return CLI_OK;
}

int cmd_trace(int argc, char **argv)
{
	struct cli_opts opts;
	struct trace t = { .show = { .opts = &opts }, .fragments = -1, .fragment_sources = -1 };
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON | CLI_TAKES_PCAP, &opts, &code))
		return code;
	code = understand(&t);
	if (!code)
		code = trace_open(&t);
	if (!code)
		code = check_here(&t);
	if (!code)
		code = find_way_in(&t);
	if (!code)
		code = opts.pcap ? trace_read_pcap(&t, opts.pcap, opts.frame < 0 ? 1 : opts.frame) : make_frame(&t);
	if (!code && t.box)
		code = trace_box(&t);
	if (!code && trace_way(&t) == TRACE_NATVI)
		code = go(&t);
	if (!code && opts.json)
		code = trace_print_json(&t);
	else if (!code)
		trace_print(&t);
	trace_close(&t);
	return code;
}

enum trace_flow trace_flow(const struct trace *t)
{
	if (t->strange)
		return TRACE_STRANGE;
	if (t->has_session)
		return t->session.expired ? TRACE_EXPIRED : TRACE_HIT;
	return t->view.missed || t->view.quoted.proto ? TRACE_MISS : TRACE_NO_FLOW;
}

const char *trace_hook(const struct trace *t)
{
	bool there = t->port && (!strcmp(t->port->xdp, "native") || !strcmp(t->port->xdp, "generic"));

	return t->box ? "box" : t->at_xdp && there ? "xdp" : "tc";
}

/* Look-up 2 goes by the translated packet; masquerading behind a new destination asks for the way out first. */
bool trace_is_second(const struct trace *t, const struct trace_lookup *l)
{
	const struct tuple *q = &l->question.tuple;
	const struct rule *r = l->n_rules ? &t->rules[l->n_rules - 1] : NULL;
	bool masquerades = r && (r->flags & RULE_SNAT) && r->pool == POOL_MASQUERADE;

	if (l->question.first)
		return false;
	return !masquerades || !addr_equal(&q->src, &t->view.key.src) || q->sport != t->view.key.sport;
}

bool trace_waits(const struct trace *t)
{
	return t->result.action == NATIVE_SEND && t->show.maps->control.park_ifindex &&
	       t->result.out_ifindex == t->show.maps->control.park_ifindex;
}
