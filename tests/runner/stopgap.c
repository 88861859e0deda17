/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stopgap.c - wires of a case until the configuration and the plan know them; its text is JSON. */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/plan.h"
#include "host/native_impl.h"
#include "lib/addr.h"
#include "tests/runner/runner.h"

struct wire stopgap_wires[NATVI_MAX_WIRES];
static json_t *wires;

int stopgap_config(const char *text, struct config **config, char *err)
{
	json_t *all = json_loads(text, 0, NULL), *list = json_incref(json_object_get(all, "wires"));
	struct cfg_errors errors;
	char *rest;
	int ret;

	json_decref(wires);
	wires = list;
	json_object_del(all, "wires");
	json_object_set_new(all, "interfaces", json_pack("[s]", "absent0"));
	rest = json_dumps(all, 0);
	ret = config_read_text(rest, strlen(rest), "config", config, &errors);
	if (ret)
		snprintf(err, RUNNER_ERR_LEN, "config:%d: %s", errors.n ? errors.list[0].line : 0, errors.n ? errors.list[0].text : "?");
	cfg_errors_free(&errors);
	json_decref(all);
	free(rest);
	return ret;
}

static const char *text(const json_t *o, const char *key, const char *otherwise)
{
	const char *t = json_string_value(json_object_get(o, key));

	return t ? t : otherwise;
}

static uint32_t index_of(const struct scene *s, const char *name)
{
	const struct native_interface *in = scene_interface(s, name);

	return in ? in->ifindex : 0;
}

static void prefix(const char *t, union addr *a, uint8_t *len, uint8_t *family)
{
	char copy[64];
	char *slash;

	snprintf(copy, sizeof(copy), "%s", t);
	slash = strchr(copy, '/');
	if (slash)
		*slash = 0;
	addr_parse(copy, a);
	*family = addr_is4(a) ? 4 : 6;
	*len = (uint8_t)(slash ? atoi(slash + 1) + (*family == 4 ? 96 : 0) : 128);
	for (int bit = *len; bit < 128; bit++)
		a->byte[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

static void range(const json_t *v, uint16_t *lo, uint16_t *hi)
{
	unsigned int a = 0, b = 65535;

	if (json_is_integer(v))
		a = b = (unsigned int)json_integer_value(v);
	else if (json_is_string(v))
		sscanf(json_string_value(v), "%u-%u", &a, &b);
	*lo = (uint16_t)a;
	*hi = (uint16_t)b;
}

static json_t *listed(const json_t *m, const char *key)
{
	json_t *v = json_object_get(m, key);

	return json_is_array(v) ? json_incref(v) : v ? json_pack("[O]", v) : json_pack("[n]");
}

static size_t captures(const struct scene *s, struct rule *rules, size_t n, uint16_t number, const json_t *wire)
{
	json_t *capture, *src, *dst, *proto, *sport, *dport;
	size_t i, a, b, c, d, e;

	json_array_foreach(json_object_get(wire, "capture"), i, capture) {
		json_t *m = json_object_get(capture, "match"), *vlan = json_object_get(m, "vlan");
		const char *port = text(m, "port", "");
		json_t *srcs = listed(m, "source"), *dsts = listed(m, "destination"), *protos = listed(m, "proto");
		json_t *sports = listed(m, "source-ports"), *dports = listed(m, "destination-ports"), *code;
		struct rule r = { .action = ACTION_CAPTURE, .traffic = RULE_CAPTURE, .in_zone = number, .out_zone = ZONE_ANY,
				  .id = (uint16_t)(i + 1), .target = index_of(s, text(capture, "to", "")) };
		size_t k;

		r.vlan = json_is_string(vlan) ? VLAN_UNTAGGED : (uint16_t)json_integer_value(vlan);
		if (*port)
			r.in_ifindex = index_of(s, port) ? index_of(s, port) : IFINDEX_ABSENT;
		json_t *codes = listed(m, "dscp");
		json_array_foreach(codes, k, code)
			if (json_is_integer(code))
				r.dscp |= 1ull << json_integer_value(code);
		json_array_foreach(srcs, a, src)
		json_array_foreach(dsts, b, dst)
		json_array_foreach(protos, c, proto)
		json_array_foreach(sports, d, sport)
		json_array_foreach(dports, e, dport) {
			struct rule one = r;

			if (json_is_string(src))
				prefix(json_string_value(src), &one.src, &one.src_len, &one.family);
			if (json_is_string(dst))
				prefix(json_string_value(dst), &one.dst, &one.dst_len, &one.family);
			if (json_is_integer(proto))
				one.proto = (uint8_t)json_integer_value(proto);
			else if (json_is_string(proto))
				addr_parse_proto(json_string_value(proto), &one.proto);
			range(sport, &one.sport_lo, &one.sport_hi);
			range(dport, &one.dport_lo, &one.dport_hi);
			rules[n++] = one;
		}
	}
	return n;
}

static void one_wire(const struct scene *s, uint16_t number, const json_t *from, struct wire *w)
{
	json_t *host = json_object_get(from, "host"), *ports = json_object_get(from, "ports"), *marks = json_object_get(from, "marks");
	json_t *reply = json_object_get(marks, "reply"), *original = json_object_get(marks, "original");
	const struct native_interface *nvi = scene_interface(s, s->nvi);
	const char *mss = text(from, "mss", "auto");
	unsigned int len = 0;
	char addr[64] = "";

	memset(w, 0, sizeof(*w));
	snprintf(w->name, sizeof(w->name), "%s", text(from, "name", ""));
	for (int i = 0; i < 2; i++)
		w->port[i] = index_of(s, json_string_value(json_array_get(ports, (size_t)i)));
	w->flags = (!strcmp(text(from, "fail", "closed"), "open") ? WIRE_OPEN : 0) |
		   (!strcmp(text(from, "mac-changes", "verify"), "arp") ? WIRE_ARP_MOVES : 0) | (strcmp(mss, "no") ? WIRE_MSS : 0);
	w->mss = json_is_integer(json_object_get(from, "mss")) ? (uint16_t)json_integer_value(json_object_get(from, "mss")) : MSS_AUTO;
	w->reply_mark = reply ? (uint32_t)json_integer_value(reply) : 0x32;
	w->original_mark = original ? (uint32_t)json_integer_value(original) : 0x32;
	if (host && sscanf(text(host, "address", ""), "%63[^/]/%u", addr, &len) == 2) {
		w->host = inet_addr(addr);
		w->host_mask = htonl(addr_mask4((uint8_t)len));
		w->host_vlan = (uint16_t)json_integer_value(json_object_get(host, "vlan"));
		if (nvi)
			memcpy(w->host_mac, nvi->mac, 6);
	}
}

static void add_port(struct port *p, const struct native_interface *in, uint32_t flags, uint16_t zone)
{
	*p = (struct port){ .ifindex = in->ifindex, .zone = zone, .flags = flags | (in->no_l2 ? PORT_NO_L2 : 0), .mtu = in->mtu,
			    .mss = flags & PORT_WIRE ? stopgap_wires[zone].mss : 0, .masq_pool = POOL_MASQUERADE };
	memcpy(p->mac, in->mac, 6);
	snprintf(p->name, sizeof(p->name), "%s", in->name);
}

static size_t build(const struct scene *s, struct rule *rules, struct port *ports, size_t *n_ports)
{
	size_t n = 0, number, i;
	json_t *from, *capture;

	*n_ports = 0;
	memset(stopgap_wires, 0, sizeof(*stopgap_wires) * NATVI_MAX_WIRES);
	json_array_foreach(*s->nvi ? wires : NULL, number, from) {
		struct wire *w = &stopgap_wires[number];

		one_wire(s, (uint16_t)number, from, w);
		n = captures(s, rules, n, (uint16_t)number, from);
		for (int k = 0; k < 2; k++)
			if (w->port[k])
				add_port(&ports[(*n_ports)++], scene_interface(s, json_string_value(json_array_get(
					 json_object_get(from, "ports"), (size_t)k))), PORT_WIRE | (k ? PORT_SECOND : 0), (uint16_t)number);
		if (w->host)
			add_port(&ports[(*n_ports)++], scene_interface(s, s->nvi), PORT_NVI, (uint16_t)number);
		json_array_foreach(json_object_get(from, "capture"), i, capture) {
			const struct native_interface *in = scene_interface(s, text(capture, "to", ""));
			bool known = !in || !strcmp(in->name, s->nvi);

			for (size_t k = 0; k < *n_ports; k++)
				known |= in && ports[k].ifindex == in->ifindex;
			if (!known)
				add_port(&ports[(*n_ports)++], in, PORT_TARGET, (uint16_t)number);
		}
	}
	return n;
}

void stopgap_plan(struct plan *plan, const struct scene *s)
{
	if (!*s->nvi)
		return;
	plan->rules = realloc(plan->rules, NATVI_MAX_RULES * sizeof(*plan->rules));
	plan->ports = realloc(plan->ports, 64 * sizeof(*plan->ports));
	plan->n_rules = build(s, plan->rules, plan->ports, &plan->n_ports);
	plan->settings.n_rules = (uint32_t)plan->n_rules;
}

void stopgap_native(struct native *n, const struct scene *s)
{
	struct port ports[64];
	size_t n_ports = 0;

	if (!*s->nvi)
		return;
	n->settings[0].n_rules = (uint32_t)build(s, n->rules, ports, &n_ports);
	memcpy(n->wires, stopgap_wires, sizeof(*n->wires) * NATVI_MAX_WIRES);
	for (size_t i = 0; i < n_ports; i++)
		n->ports[natvi_port_slot(ports[i].ifindex, 0, 0)] = ports[i];
	n->control.nvi_ifindex = index_of(s, s->nvi);
}
