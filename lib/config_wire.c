/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_wire.c - wires: the keys of wires and of what is captured from them, and what must hold. A port belongs to one
 * wire, and so does the target of a capture: what comes out of it goes back into that wire. All of that is judged by names
 * once the whole file is read, because the ports of a wire may stand behind what names them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "lib/addr.h"
#include "lib/config_impl.h"

#define DEFAULT_MARK	0x32
#define MAX_VLAN	4094

const char *const cfg_fail_words[] = { "closed", "open", NULL };
const char *const cfg_moves_words[] = { "verify", "arp", NULL };

/* The wire that is being read, for what is noted with a line. */
static void wire_ref(struct cfg_parse *p, enum cfg_ref_kind kind, int line, const char *name)
{
	struct cfg_ref *ref = cfg_ref_add(p, kind, line, name);

	if (ref)
		ref->index = p->config->n_wires - 1;
}

/* none: what `untagged` stands for. */
static uint16_t read_vlan(struct cfg_parse *p, const struct node *value, uint16_t none)
{
	static const char *const words[] = { "untagged", NULL };

	if (value->type == NODE_SCALAR && *value->text >= '0' && *value->text <= '9')
		return (uint16_t)cfg_number(p, value, "`vlan`", 1, MAX_VLAN, 0);
	return cfg_word(p, value, "a VLAN (a number from 1 to 4094, or a word)", words) == 0 ? none : 0;
}

/* Captures: what is matched */

static void match_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	if (cfg_ifname(p, value, capture->port))
		wire_ref(p, REF_CAPTURE_PORT, value->line, capture->port);
}

static void match_vlan(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_capture *)to)->vlan = read_vlan(p, value, VLAN_UNTAGGED);
}

static void add_prefix(struct cfg_parse *p, union addr addr, uint8_t len, struct cfg_prefix **list, size_t *n)
{
	struct cfg_prefix *added = CFG_ADD(p, *list, *n);

	if (added)
		*added = (struct cfg_prefix){ addr, len };
}

/* A range becomes as few prefixes as it can: 62 at most. */
static void add_range(struct cfg_parse *p, uint32_t lo, uint32_t hi, struct cfg_prefix **list, size_t *n)
{
	struct cfg_prefix4 prefix;

	do {
		prefix = cfg_largest_prefix(lo, hi);
		add_prefix(p, addr_from4(prefix.addr), (uint8_t)(96 + prefix.len), list, n);
		lo = cfg_prefix_range(prefix).hi;
	} while (lo++ != hi && !p->no_memory);
}

static void read_prefix(struct cfg_parse *p, const struct node *value, struct cfg_prefix **list, size_t *n)
{
	const char *text = cfg_text(p, value, "an address, prefix or range");
	char quoted[CFG_QUOTE_LEN], printed[ADDR_TEXT_LEN];
	union addr addr;
	uint32_t lo, hi;
	uint8_t len;
	int err;

	if (!text)
		return;
	cfg_quote(text, quoted);
	err = addr_parse_prefix(text, &addr, &len);
	if (!err)
		add_prefix(p, addr, len, list, n);
	else if (err == -EDOM)
		cfg_fail(p, value->line, "`%s` has address bits beyond the prefix; write %s", quoted,
			 addr_print_prefix(&addr, len, printed));
	else if (strchr(text, ':'))
		cfg_fail(p, value->line, "`%s` is not an IPv6 address or a prefix like 2001:db8::/32 (ranges are of IPv4 only)", quoted);
	else if (!(err = addr_parse_range4(text, &lo, &hi)))
		add_range(p, lo, hi, list, n);
	else if (err == -ERANGE && strchr(text, '-'))
		cfg_fail(p, value->line, "range `%s` is reversed; the lower address comes first", quoted);
	else
		cfg_fail(p, value->line, "`%s` is not an address, a prefix like 198.18.0.0/16 or 2001:db8::/32, or a range like "
			 "198.18.0.10-198.18.0.99", quoted);
}

static void match_source(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	read_prefix(p, value, &capture->sources, &capture->n_sources);
}

static void match_destination(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	read_prefix(p, value, &capture->destinations, &capture->n_destinations);
}

static void match_proto(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	cfg_add_proto(p, value, &capture->protos, &capture->n_protos);
}

static void match_source_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	cfg_add_ports(p, value, &capture->source_ports, &capture->n_source_ports);
}

static void match_destination_port(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	cfg_add_ports(p, value, &capture->destination_ports, &capture->n_destination_ports);
}

static void match_dscp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_add_dscp(p, value, &((struct cfg_capture *)to)->dscp);
}

#define LIST_READER(function, one) \
	static void function(struct cfg_parse *p, const struct node *value, void *to) \
	{ \
		cfg_each(p, value, one, to); \
	}

LIST_READER(match_sources, match_source)
LIST_READER(match_destinations, match_destination)
LIST_READER(match_protos, match_proto)
LIST_READER(match_source_ports, match_source_port)
LIST_READER(match_destination_ports, match_destination_port)
LIST_READER(match_dscps, match_dscp)

static const struct cfg_key match_keys[] = {
	{ "port", match_port, false },
	{ "vlan", match_vlan, false },
	{ "source", match_sources, false },
	{ "destination", match_destinations, false },
	{ "proto", match_protos, false },
	{ "source-port", match_source_ports, false },
	{ "source-ports", match_source_ports, false },
	{ "destination-port", match_destination_ports, false },
	{ "destination-ports", match_destination_ports, false },
	{ "dscp", match_dscps, false },
};

/* Captures */

static void capture_name(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_name(p, value, "a capture's name", ((struct cfg_capture *)to)->name);
}

static void capture_match(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`match`", match_keys, to);
}

static void capture_to(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_capture *capture = to;

	if (cfg_ifname(p, value, capture->target))
		wire_ref(p, REF_TARGET, value->line, capture->target);
}

static const struct cfg_key capture_keys[] = {
	{ "name", capture_name, false },
	{ "match", capture_match, false },
	{ "to", capture_to, true },
};

static bool is_family(const struct cfg_prefix *list, size_t n, bool ip4)
{
	for (size_t i = 0; i < n; i++)
		if (addr_is4(&list[i].addr) == ip4)
			return true;
	return false;
}

static void check_families(struct cfg_parse *p, struct cfg_capture *c)
{
	bool ip4 = is_family(c->sources, c->n_sources, true) || is_family(c->destinations, c->n_destinations, true);
	bool ip6 = is_family(c->sources, c->n_sources, false) || is_family(c->destinations, c->n_destinations, false);
	uint8_t other = ip4 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	c->family = ip4 ? 4 : ip6 ? 6 : 0;
	if (ip4 && ip6)
		cfg_fail(p, c->line, "capture %s names IPv4 and IPv6, and a packet is of one of them; write a capture for each", c->name);
	else if (c->family && c->n_protos && memchr(c->protos, other, c->n_protos))
		cfg_fail(p, c->line, "capture %s names %s, which IPv%u does not have; write %s", c->name, ip4 ? "icmpv6" : "icmp", c->family,
			 ip4 ? "icmp" : "icmpv6");
}

static void check_ports(struct cfg_parse *p, const struct cfg_capture *c)
{
	char name[PROTO_TEXT_LEN];

	if (!c->n_protos)
		cfg_fail(p, c->line, "capture %s matches ports, which not all protocols have; add `proto: [tcp, udp]`", c->name);
	for (size_t i = 0; i < c->n_protos; i++) {
		if (c->protos[i] == IPPROTO_TCP || c->protos[i] == IPPROTO_UDP)
			continue;
		cfg_fail(p, c->line, "capture %s matches ports, which %s does not have here; give it a capture without ports", c->name,
			 addr_print_proto(c->protos[i], name));
		return;
	}
}

static void read_capture(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_wire *wire = to;
	struct cfg_capture *capture = CFG_ADD(p, wire->captures, wire->n_captures);
	size_t errors = p->errors->n + p->errors_dropped;

	if (!capture)
		return;
	p->n_captures++;
	capture->line = value->line;
	CFG_MAP(p, value, "a capture", capture_keys, capture);
	if (!*capture->name)
		snprintf(capture->name, sizeof(capture->name), "capture-%zu", p->n_captures);
	if (p->errors->n + p->errors_dropped != errors)
		return;
	check_families(p, capture);
	if (capture->n_source_ports || capture->n_destination_ports)
		check_ports(p, capture);
}

/* The box's own address */

static void host_address(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the box's address with the length of its network"), *slash;
	char quoted[CFG_QUOTE_LEN], alone[ADDR_TEXT_LEN];
	struct cfg_wire *wire = to;
	uint32_t addr, net;
	uint8_t len;
	int err;

	if (!text)
		return;
	cfg_quote(text, quoted);
	slash = strchr(text, '/');
	err = addr_parse_prefix4(text, &net, &len);
	snprintf(alone, sizeof(alone), "%.*s", slash ? (int)(slash - text) : 0, text);
	if (strchr(text, ':'))
		cfg_fail(p, value->line, "`%s` is IPv6, but the box's address on a wire is IPv4; write one like 192.0.2.10/24", quoted);
	else if ((err && err != -EDOM) || addr_parse4(alone, &addr))
		cfg_fail(p, value->line, "`%s` is not an address with the length of its network, like 192.0.2.10/24", quoted);
	else if (!len || len > 31)
		cfg_fail(p, value->line, "`%s`: the network that the box is in has a length from 1 to 31, like 192.0.2.10/24", quoted);
	else if (!cfg_unicast(addr))
		cfg_fail(p, value->line, "no host can have the address %s; write one like 192.0.2.10/24", alone);
	else {
		wire->host = addr;
		wire->host_len = len;
	}
}

static void host_vlan(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_wire *)to)->host_vlan = read_vlan(p, value, 0);
}

static void host_gateway(struct cfg_parse *p, const struct node *value, void *to)
{
	const char *text = cfg_text(p, value, "the gateway's address");
	char quoted[CFG_QUOTE_LEN];
	uint32_t addr;

	if (!text)
		return;
	if (addr_parse4(text, &addr))
		cfg_fail(p, value->line, "`%s` is not an IPv4 address like 192.0.2.1; leave `gateway` away to have it learned",
			 cfg_quote(text, quoted));
	else if (!cfg_unicast(addr))
		cfg_fail(p, value->line, "no host can have the address %s; leave `gateway` away to have it learned", text);
	else
		((struct cfg_wire *)to)->gateway = addr;
}

static const struct cfg_key host_keys[] = {
	{ "address", host_address, true },
	{ "vlan", host_vlan, false },
	{ "gateway", host_gateway, false },
};

/* The two addresses of a network that are nobody's; it has none in a /31 (RFC 3021). */
static const char *nobodys(const struct cfg_wire *w, uint32_t addr)
{
	uint32_t beyond = ~addr_mask4(w->host_len);

	return w->host_len == 31 || ((addr & beyond) && (addr & beyond) != beyond) ? NULL :
	       addr & beyond ? "the broadcast address" : "the address";
}

static void check_host(struct cfg_parse *p, int line, const struct cfg_wire *w)
{
	char text[ADDR_TEXT_LEN], net[ADDR_TEXT_LEN];
	uint32_t mask = addr_mask4(w->host_len);
	const char *is = nobodys(w, w->host);

	addr_print_prefix4(w->host & mask, w->host_len, net);
	if (is)
		cfg_fail(p, line, "%s is %s of the network %s itself; the box has one of the addresses in it", addr_print4(w->host, text),
			 is, net);
	if (!w->gateway)
		return;
	is = nobodys(w, w->gateway);
	addr_print4(w->gateway, text);
	if ((w->gateway & mask) != (w->host & mask))
		cfg_fail(p, line, "gateway %s is not in the network %s of `address`; it is one of the neighbours there, or leave `gateway` "
			 "away to have it learned", text, net);
	else if (w->gateway == w->host)
		cfg_fail(p, line, "gateway %s is the box's own address; write that of the router, or leave `gateway` away to have it learned",
			 text);
	else if (is)
		cfg_fail(p, line, "gateway %s is %s of the network %s itself; write that of the router", text, is, net);
}

/* Wires */

static void wire_name(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_name(p, value, "a wire's name", ((struct cfg_wire *)to)->name);
}

static void wire_ports(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_wire *wire = to;

	if (value->type != NODE_LIST || value->n_kids != 2) {
		cfg_fail(p, value->line, "a wire has two ports; write `ports: [eth1, eth2]`");
		return;
	}
	for (int i = 0; i < 2; i++)
		if (cfg_ifname(p, value->kids[i], wire->ports[i]))
			wire_ref(p, REF_WIRE_PORT, value->kids[i]->line, wire->ports[i]);
}

static void wire_xdp(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_xdp(p, value, &((struct cfg_wire *)to)->xdp);
}

static void wire_host(struct cfg_parse *p, const struct node *value, void *to)
{
	size_t errors = p->errors->n + p->errors_dropped;

	if (p->host_line)
		cfg_fail(p, value->line, "the box has its address on one wire, by the `host` in line %d; take one of the two away",
			 p->host_line);
	else
		p->host_wire = p->config->n_wires - 1;
	p->host_line = p->host_line ? p->host_line : value->line;
	CFG_MAP(p, value, "`host`", host_keys, to);
	if (p->errors->n + p->errors_dropped == errors)
		check_host(p, value->line, to);
}

static void wire_capture(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {match: {destination: 203.0.113.0/24}, to: tun0}", read_capture, to);
}

static void marks_reply(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_mark_value(p, value, &((struct cfg_wire *)to)->reply_mark);
}

static void marks_original(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_mark_value(p, value, &((struct cfg_wire *)to)->original_mark);
}

static const struct cfg_key marks_keys[] = {
	{ "reply", marks_reply, false },
	{ "original", marks_original, false },
};

static void wire_marks(struct cfg_parse *p, const struct node *value, void *to)
{
	CFG_MAP(p, value, "`marks`", marks_keys, to);
}

static void wire_fail(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_wire *)to)->fail_open = cfg_word(p, value, "a way to fail", cfg_fail_words) == 1;
}

static void wire_moves(struct cfg_parse *p, const struct node *value, void *to)
{
	((struct cfg_wire *)to)->arp_moves = cfg_word(p, value, "a way to learn changes of MAC addresses", cfg_moves_words) == 1;
}

static void wire_mss(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_read_mss(p, value, &((struct cfg_wire *)to)->mss);
}

static const struct cfg_key wire_keys[] = {
	{ "name", wire_name, true },
	{ "ports", wire_ports, true },
	{ "xdp", wire_xdp, false },
	{ "host", wire_host, false },
	{ "capture", wire_capture, false },
	{ "marks", wire_marks, false },
	{ "fail", wire_fail, false },
	{ "mac-changes", wire_moves, false },
	{ "mss", wire_mss, false },
};

static void read_wire(struct cfg_parse *p, const struct node *value, void *to)
{
	struct cfg_wire *wire = CFG_ADD(p, p->config->wires, p->config->n_wires);

	if (!wire)
		return;
	wire->line = value->line;
	wire->reply_mark = wire->original_mark = DEFAULT_MARK;
	wire->mss = MSS_AUTO;
	CFG_MAP(p, value, "a wire", wire_keys, wire);
}

void cfg_read_wires(struct cfg_parse *p, const struct node *value, void *to)
{
	cfg_list(p, value, "- {name: w0, ports: [eth1, eth2]}", read_wire, to);
}

/* What must hold */

static bool says_nothing(const struct node *value)
{
	return cfg_is_empty(value) || (value->type == NODE_SCALAR && !strcmp(value->text, "false"));
}

void cfg_check_alone(struct cfg_parse *p, const struct node *root)
{
	static const char *const others[] = { "interfaces", "zones", "pools", "masquerade", "tcp", "rules", "forwards", "accelerate" };

	for (size_t i = 0; i + 1 < root->n_kids; i += 2) {
		const struct node *key = root->kids[i];

		for (size_t j = 0; key->type == NODE_SCALAR && j < sizeof(others) / sizeof(others[0]); j++)
			if (!strcmp(key->text, others[j]) && !says_nothing(root->kids[i + 1]))
				cfg_fail(p, key->line, "`%s` does not stand beside `wires`; NAT and acceleration go into an instance of their own: "
					 "another file, for `natvi run --instance NAME`", key->text);
	}
}

/* A new list of the names of that kind, sorted; their index is that of the reference. */
static struct cfg_named *names_of_refs(struct cfg_parse *p, enum cfg_ref_kind kind, size_t *n)
{
	struct cfg_named *list = calloc(p->n_refs + 1, sizeof(*list));

	*n = 0;
	if (!list)
		p->no_memory = true;
	for (size_t i = 0; list && i < p->n_refs; i++)
		if (p->refs[i].kind == kind)
			list[(*n)++] = (struct cfg_named){ p->refs[i].name, p->refs[i].line, i };
	if (*n)
		cfg_names_sort(list, *n);
	return list;
}

static const struct cfg_wire *ref_wire(const struct cfg_parse *p, size_t ref)
{
	return &p->config->wires[p->refs[ref].index];
}

static void check_wire_ports(struct cfg_parse *p, const struct cfg_named *ports, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct cfg_named *port = &ports[i], *before = i ? &ports[i - 1] : NULL;

		if (!strcmp(port->name, CFG_NVI) || !strcmp(port->name, "lo"))
			cfg_fail(p, port->line, "`%s` leads to the box itself; a wire has its ports to others, like `ports: [eth1, eth2]`",
				 port->name);
		else if (before && !strcmp(before->name, port->name))
			cfg_fail(p, port->line, "port `%s` stands twice; it is in wire `%s` (line %d) already, and a port is one end of one "
				 "wire", port->name, ref_wire(p, before->index)->name, before->line);
	}
}

static void check_capture_port(struct cfg_parse *p, const struct cfg_ref *ref)
{
	const struct cfg_wire *w = &p->config->wires[ref->index];
	bool number = ref->name[strspn(ref->name, "0123456789-")] == '\0';
	const char *words[] = { w->ports[0], w->ports[1], NULL };
	char hint[CFG_HINT_LEN];

	/* What could not be read is not held against anybody. */
	if (!*w->ports[0] || !*w->ports[1] || !strcmp(ref->name, w->ports[0]) || !strcmp(ref->name, w->ports[1]))
		return;
	cfg_fail(p, ref->line, "`%s` is not a port of wire `%s`; %s%s", ref->name, w->name, cfg_hint(p, ref->name, words, hint),
		 number ? " (ports of TCP and UDP are `source-ports` and `destination-ports`)" : "");
}

/* owner: the first one of that name. */
static void check_target(struct cfg_parse *p, const struct cfg_named *target, const struct cfg_named *owner,
			 const struct cfg_named *port)
{
	const struct cfg_wire *w = ref_wire(p, target->index), *first = ref_wire(p, owner->index);

	if (!strcmp(target->name, CFG_NVI)) {
		/* Its host may have been refused. */
		if (!w->host && !(p->host_line && p->refs[target->index].index == p->host_wire))
			cfg_fail(p, target->line, "`to: " CFG_NVI "` leads to the box itself, which has no address on wire `%s`; give the wire a "
				 "`host`, or name another device", w->name);
	} else if (!strcmp(target->name, "lo")) {
		cfg_fail(p, target->line, "`to: lo` is a way from the box to itself; its own stack is `to: " CFG_NVI "`, and other programs have "
			 "devices, like `to: tun0`");
	} else if (port) {
		cfg_fail(p, target->line, "`%s` is a port of wire `%s` (line %d), and cannot be a target; name the device of a program, like "
			 "`to: tun0`", target->name, ref_wire(p, port->index)->name, port->line);
	} else if (w != first) {
		cfg_fail(p, target->line, "`%s` is a target of wire `%s` (line %d) already; what comes out of it goes back into one wire, so "
			 "name another device", target->name, first->name, owner->line);
	}
}

/* n_ports and all targets are to fit into one table, with nvi0. */
static void check_targets(struct cfg_parse *p, const struct cfg_named *ports, size_t n_ports)
{
	size_t n, devices = n_ports + 1;
	struct cfg_named *targets = names_of_refs(p, REF_TARGET, &n);
	const struct cfg_named *owner = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!owner || strcmp(owner->name, targets[i].name)) {
			owner = &targets[i];
			devices += strcmp(owner->name, CFG_NVI) != 0;
		}
		check_target(p, &targets[i], owner, cfg_names_find(ports, n_ports, targets[i].name));
	}
	if (devices > NATVI_MAX_PORTS)
		cfg_fail(p, 0, "%zu ports and targets, " CFG_NVI " included; at most %d fit", devices, NATVI_MAX_PORTS);
	free(targets);
}

static void check_wire_names(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct cfg_named *wires = CFG_NAMES_OF(p, c->wires, c->n_wires);
	struct cfg_named *captures = calloc(p->n_captures + 1, sizeof(*captures));
	size_t n = 0;

	if (wires)
		cfg_names_check(p, wires, c->n_wires, "wire");
	if (!captures)
		p->no_memory = true;
	for (size_t i = 0; captures && i < c->n_wires; i++)
		for (size_t j = 0; j < c->wires[i].n_captures; j++, n++)
			captures[n] = (struct cfg_named){ c->wires[i].captures[j].name, c->wires[i].captures[j].line, n };
	if (n)
		cfg_names_check(p, captures, n, "capture");
	free(wires);
	free(captures);
}

static void check_captures(struct cfg_parse *p)
{
	const struct config *c = p->config;
	char what[NATVI_NAME_LEN + 8];
	size_t total = 0;

	for (size_t i = 0; i < c->n_wires; i++) {
		for (size_t j = 0; j < c->wires[i].n_captures; j++) {
			const struct cfg_capture *capture = &c->wires[i].captures[j];

			snprintf(what, sizeof(what), "capture %s", capture->name);
			cfg_count_entries(p, capture->line, config_capture_entries(capture), what, "capture", &total);
		}
	}
}

void cfg_check_wires(struct cfg_parse *p)
{
	const struct config *c = p->config;
	struct cfg_named *ports;
	size_t n;

	if (!c->n_wires)
		return;
	if (c->n_wires > NATVI_MAX_WIRES)
		cfg_fail(p, c->wires[NATVI_MAX_WIRES].line, "%zu wires; at most %d fit", c->n_wires, NATVI_MAX_WIRES);
	check_wire_names(p);
	ports = names_of_refs(p, REF_WIRE_PORT, &n);
	check_wire_ports(p, ports, n);
	for (size_t i = 0; i < p->n_refs; i++)
		if (p->refs[i].kind == REF_CAPTURE_PORT)
			check_capture_port(p, &p->refs[i]);
	check_targets(p, ports, n);
	check_captures(p);
	free(ports);
}
