/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_wires.c - `show wires`: what crosses, what is captured, and who has been learned.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"

#define SHOWN_ADDRS	4	/* of a neighbour, in the table */

struct wires_view {
	struct show *show;
	struct counters counters;
	uint64_t sessions[NATVI_MAX_WIRES];
	struct wire_neighbour *neighbours;
	size_t n_neighbours;
	struct station *stations;
	size_t n_stations;
	uint32_t now_s;
};

/* Of one wire. */
struct wire_view {
	const struct wires_view *all;
	uint32_t number;
	struct wire wire;
	struct wire_state state;
};

/* Reading */

static int add_neighbour(const struct wire_neighbour *n, void *arg)
{
	struct wires_view *v = arg;

	v->neighbours[v->n_neighbours++] = *n;
	return 0;
}

static int add_station(const struct station *s, void *arg)
{
	struct wires_view *v = arg;

	v->stations[v->n_stations++] = *s;
	return 0;
}

static int count_session(const struct session *s, void *arg)
{
	struct wires_view *v = arg;

	if ((s->orig.flags & FLOW_WIRE) && s->orig.key.zone < NATVI_MAX_WIRES)
		v->sessions[s->orig.key.zone]++;
	return 0;
}

/* By port, then VLAN, then MAC address. */
static int compare_neighbours(const void *a, const void *b)
{
	const struct wire_neighbour *x = a, *y = b;

	if (x->side != y->side)
		return x->side - y->side;
	return x->vlan != y->vlan ? x->vlan - y->vlan : memcmp(x->mac, y->mac, sizeof(x->mac));
}

/* Those that have said themselves that they have it first, then by address. */
static int compare_stations(const void *a, const void *b)
{
	const struct station *x = a, *y = b;
	int said = (y->tags & STATION_CONFIRMED) - (x->tags & STATION_CONFIRMED);

	return said ? said : memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

static int read_all(struct wires_view *v, const struct maps *maps)
{
	int ret;

	v->neighbours = calloc(NATVI_NEIGHBOUR_SETS * NATVI_NEIGHBOUR_WAYS, sizeof(*v->neighbours));
	v->stations = calloc(NATVI_STATION_SETS * NATVI_STATION_WAYS, sizeof(*v->stations));
	if (!v->neighbours || !v->stations)
		return -ENOMEM;
	v->now_s = maps_now_s();
	ret = maps_counters(maps, &v->counters);
	if (!ret)
		ret = maps_each_session(maps, NULL, count_session, v);
	if (!ret)
		ret = maps_each_neighbour(maps, add_neighbour, v);
	if (!ret)
		ret = maps_each_station(maps, add_station, v);
	qsort(v->neighbours, v->n_neighbours, sizeof(*v->neighbours), compare_neighbours);
	qsort(v->stations, v->n_stations, sizeof(*v->stations), compare_stations);
	return ret;
}

/* What the wire's parts are in words */

static uint64_t age(const struct wire_view *w, uint32_t second)
{
	return (int32_t)(w->all->now_s - second) > 0 ? w->all->now_s - second : 0;
}

/* Has this neighbour this address? */
static bool has_address(const struct wire_neighbour *n, const struct station *s)
{
	uint16_t vlan = s->tags & TAGS_COUNT ? s->tci[0] & 0xfff : 0;

	return s->zone == n->zone && vlan == n->vlan && !memcmp(s->mac, n->mac, sizeof(n->mac));
}

/* The wire in the running configuration; NULL: not known. */
static const json_t *configured(const struct wire_view *w)
{
	const json_t *list = json_object_get(names_running(w->all->show->names), "wires"), *wire;
	size_t i;

	json_array_foreach((json_t *)list, i, wire) {
		const char *name = json_string_value(json_object_get(wire, "name"));

		if (name && !strcmp(name, w->wire.name))
			return wire;
	}
	return NULL;
}

/* That of one that is not there is the configuration's. */
static const char *port_name(const struct wire_view *w, uint32_t side, char buf[PORT_NAME_LEN])
{
	uint32_t ifindex = w->wire.port[side & 1];
	const char *name;

	if (ifindex)
		return ports_name(w->all->show->ports, ifindex, buf);
	name = json_string_value(json_array_get(json_object_get(configured(w), "ports"), side & 1));
	return name ? name : "(absent)";
}

static const char *port_state(const struct wire_view *w, uint32_t side)
{
	const struct port_hooks *h = ports_find(w->all->show->ports, w->wire.port[side & 1]);

	return !h || !h->present ? "absent" : h->port.flags & PORT_DOWN ? "down" : "up";
}

static const char *target_state(const struct wire_view *w, const char *name)
{
	const struct ports *ports = w->all->show->ports;

	for (size_t i = 0; i < ports->n; i++) {
		const struct port_hooks *h = &ports->list[i];

		if (strcmp(h->port.name, name) || h->port.zone != w->number || !(h->port.flags & (PORT_TARGET | PORT_NVI)))
			continue;
		return h->port.flags & PORT_NVI ? "box" : !h->present ? "gone" : h->port.flags & PORT_DOWN ? "down" : "up";
	}
	return !strcmp(name, "nvi0") ? "box" : "gone";
}

static bool listed(const json_t *list, const char *name)
{
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)list, i, one)
		if (!strcmp(json_string_value(json_object_get(one, "name")), name))
			return true;
	return false;
}

static void list_target(const struct wire_view *w, json_t *list, const char *name)
{
	if (name && !listed(list, name))
		json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "state", target_state(w, name)));
}

/* Names and states: those of the configuration, else those that are there. */
static json_t *targets_json(const struct wire_view *w)
{
	const json_t *captures = json_object_get(configured(w), "capture"), *capture;
	const struct ports *ports = w->all->show->ports;
	json_t *list = json_array();
	size_t i;

	json_array_foreach((json_t *)captures, i, capture)
		list_target(w, list, json_string_value(json_object_get(capture, "to")));
	for (i = 0; i < ports->n; i++)
		if ((ports->list[i].port.flags & PORT_TARGET) && ports->list[i].port.zone == w->number)
			list_target(w, list, ports->list[i].port.name);
	return list;
}

/* JSON */

static json_t *vlan_json(uint16_t vlan)
{
	return vlan ? json_integer(vlan) : json_null();
}

static json_t *port_json(const struct wire_view *w, uint32_t side)
{
	const struct port_hooks *h = ports_find(w->all->show->ports, w->wire.port[side]);
	char name[PORT_NAME_LEN];

	return json_pack("{s:s, s:I, s:s, s:s, s:{s:I, s:I}}", "name", port_name(w, side, name), "ifindex", (json_int_t)w->wire.port[side],
			 "state", port_state(w, side), "xdp", h ? h->xdp : "off",
			 "crossed", "packets", (json_int_t)w->all->counters.crossed[w->number][side].packets,
			 "bytes", (json_int_t)w->all->counters.crossed[w->number][side].bytes);
}

static json_t *gateway_json(const struct wire_view *w)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN];

	if (!w->state.gateway_seen_s)
		return json_null();
	return json_pack("{s:s, s:s, s:I}", "mac", show_mac(w->state.gateway, mac), "port", port_name(w, w->state.gateway_side, port),
			 "seen_s", (json_int_t)age(w, w->state.gateway_seen_s));
}

static json_t *host_json(const struct wire_view *w)
{
	char mac[MAC_TEXT_LEN], addr[ADDR_TEXT_LEN];

	if (!w->wire.host)
		return json_null();
	addr_print4(ntohl(w->wire.host), addr);
	return json_pack("{s:o, s:o, s:s, s:b, s:o}", "address", json_sprintf("%s/%d", addr, __builtin_popcount(w->wire.host_mask)),
			 "vlan", vlan_json(w->wire.host_vlan), "mac", show_mac(w->wire.host_mac, mac),
			 "gateway_configured", !!(w->wire.flags & WIRE_GATEWAY), "gateway", gateway_json(w));
}

static json_t *next_json(const struct wire_view *w, const struct wire_neighbour *n, uint8_t flag)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN];

	if (!(n->flags & flag))
		return json_null();
	return json_pack("{s:s, s:s, s:I}", "mac", show_mac(n->next, mac), "port", port_name(w, n->next_side, port),
			 "since_s", (json_int_t)age(w, n->moved_s));
}

static json_t *neighbour_json(const struct wire_view *w, const struct wire_neighbour *n)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN], addr[ADDR_TEXT_LEN];
	json_t *addrs = json_array();

	for (size_t i = 0; i < w->all->n_stations; i++) {
		const struct station *s = &w->all->stations[i];

		if (has_address(n, s))
			json_array_append_new(addrs, json_pack("{s:s, s:b, s:I}", "addr", addr_print(&s->addr, addr), "confirmed",
							       !!(s->tags & STATION_CONFIRMED), "seen_s", (json_int_t)age(w, s->last_seen_s)));
	}
	return json_pack("{s:s, s:o, s:s, s:I, s:I, s:b, s:o, s:o, s:o}", "mac", show_mac(n->mac, mac), "vlan", vlan_json(n->vlan),
			 "port", port_name(w, n->side, port), "seen_s", (json_int_t)age(w, n->last_seen_s),
			 "first_seen_s", (json_int_t)age(w, n->first_seen_s), "router", !!(n->flags & NEIGHBOUR_ROUTER),
			 "claimed", next_json(w, n, NEIGHBOUR_CLAIMED), "moved", next_json(w, n, NEIGHBOUR_MOVED), "addresses", addrs);
}

static json_t *mss_json(const struct wire *wire)
{
	if (!(wire->flags & WIRE_MSS))
		return json_string("off");
	return wire->mss == MSS_AUTO ? json_string("auto") : json_integer(wire->mss);
}

static json_t *wire_json(const struct wire_view *w)
{
	json_t *neighbours = json_array();

	for (size_t i = 0; i < w->all->n_neighbours; i++)
		if (w->all->neighbours[i].zone == w->number)
			json_array_append_new(neighbours, neighbour_json(w, &w->all->neighbours[i]));
	return json_pack("{s:s, s:i, s:[o, o], s:s, s:s, s:o, s:{s:I, s:I}, s:o, s:o, s:I, s:o}", "name", w->wire.name,
			 "number", (int)w->number, "ports", port_json(w, 0), port_json(w, 1),
			 "fail", w->wire.flags & WIRE_OPEN ? "open" : "closed",
			 "mac_changes", w->wire.flags & WIRE_ARP_MOVES ? "arp" : "verify",
			 "mss", mss_json(&w->wire),
			 "marks", "reply", (json_int_t)w->wire.reply_mark, "original", (json_int_t)w->wire.original_mark,
			 "host", host_json(w), "targets", targets_json(w), "sessions", (json_int_t)w->all->sessions[w->number],
			 "neighbours", neighbours);
}

/* Text */

static void print_port(const struct wire_view *w, uint32_t side)
{
	const char *state = port_state(w, side);
	char name[PORT_NAME_LEN];

	printf("%s", port_name(w, side, name));
	if (strcmp(state, "up"))
		printf(" (%s)", state);
}

static void print_settings(const struct wire_view *w)
{
	printf("%s: ", w->wire.name);
	print_port(w, 0);
	printf(" and ");
	print_port(w, 1);
	printf("; fail %s, MAC changes %s, MSS ", w->wire.flags & WIRE_OPEN ? "open" : "closed", w->wire.flags & WIRE_ARP_MOVES ? "arp" : "verify");
	if ((w->wire.flags & WIRE_MSS) && w->wire.mss != MSS_AUTO)
		printf("%u", w->wire.mss);
	else
		printf("%s", w->wire.flags & WIRE_MSS ? "auto" : "off");
	printf(", marks 0x%x (reply) and 0x%x (original)\n", w->wire.reply_mark, w->wire.original_mark);
}

static void print_gateway(const struct wire_view *w)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN], time[24];

	if (w->wire.flags & WIRE_GATEWAY)
		printf("  gateway     configured\n");
	else if (!w->state.gateway_seen_s)
		printf("  gateway     none seen yet\n");
	else
		printf("  gateway     %s at %s, seen %s ago\n", show_mac(w->state.gateway, mac), port_name(w, w->state.gateway_side, port),
		       human_seconds(age(w, w->state.gateway_seen_s), time));
}

static void print_box(const struct wire_view *w)
{
	char addr[ADDR_TEXT_LEN], mac[MAC_TEXT_LEN];

	if (!w->wire.host)
		return;
	printf("  box         %s/%d, ", addr_print4(ntohl(w->wire.host), addr), __builtin_popcount(w->wire.host_mask));
	if (w->wire.host_vlan)
		printf("VLAN %u, ", w->wire.host_vlan);
	printf("%s\n", show_mac(w->wire.host_mac, mac));
	print_gateway(w);
}

static void print_traffic(const struct wire_view *w)
{
	char port[PORT_NAME_LEN], bytes[16];
	json_t *targets = targets_json(w), *target;
	size_t i;

	for (uint32_t side = 0; side < 2; side++)
		printf("  from %-6s %llu packets crossed, %s bytes\n", port_name(w, side, port),
		       (unsigned long long)w->all->counters.crossed[w->number][side].packets,
		       human_bytes(w->all->counters.crossed[w->number][side].bytes, bytes));
	printf("  captured    %llu %s", (unsigned long long)w->all->sessions[w->number],
	       w->all->sessions[w->number] == 1 ? "session" : "sessions");
	json_array_foreach(targets, i, target)
		printf("%s %s (%s)", i ? "," : ", to", json_string_value(json_object_get(target, "name")),
		       json_string_value(json_object_get(target, "state")));
	putchar('\n');
	json_decref(targets);
}

static void add_addresses(struct table *table, const struct wire_view *w, const struct wire_neighbour *n)
{
	struct line line = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < w->all->n_stations; i++) {
		if (!has_address(n, &w->all->stations[i]))
			continue;
		if (found++ >= SHOWN_ADDRS)
			continue;
		line_text(&line, line.len ? " " : "");
		line_addr(&line, &w->all->stations[i].addr);
	}
	if (found > SHOWN_ADDRS) {
		line_text(&line, " and ");
		line_number(&line, found - SHOWN_ADDRS);
		line_text(&line, " more");
	}
	table_add(table, line.len ? line.text : "-");
}

static void add_note(struct table *table, const struct wire_view *w, const struct wire_neighbour *n)
{
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN];
	bool gateway = w->state.gateway_seen_s && !memcmp(n->mac, w->state.gateway, sizeof(n->mac)) && n->vlan == w->wire.host_vlan;
	const char *what = gateway ? "gateway" : n->flags & NEIGHBOUR_ROUTER ? "router" : "";

	if (n->flags & (NEIGHBOUR_MOVED | NEIGHBOUR_CLAIMED))
		table_addf(table, "%s%s%s %s at %s", what, *what ? ", " : "", n->flags & NEIGHBOUR_MOVED ? "moved to" : "claimed by",
			   show_mac(n->next, mac), port_name(w, n->next_side, port));
	else
		table_add(table, what);
}

static int print_neighbours(const struct wire_view *w)
{
	struct table *table = table_new("  MAC|>VLAN|PORT|>SEEN|ADDRESSES|NOTE");
	char mac[MAC_TEXT_LEN], port[PORT_NAME_LEN], time[24];
	int ret;

	for (size_t i = 0; table && i < w->all->n_neighbours; i++) {
		const struct wire_neighbour *n = &w->all->neighbours[i];

		if (n->zone != w->number)
			continue;
		table_addf(table, "  %s", show_mac(n->mac, mac));
		if (n->vlan)
			table_addf(table, "%u", n->vlan);
		else
			table_add(table, "-");
		table_add(table, port_name(w, n->side, port));
		table_add(table, human_seconds(age(w, n->last_seen_s), time));
		add_addresses(table, w, n);
		add_note(table, w, n);
	}
	ret = table ? table_print(table, stdout) : -ENOMEM;
	table_free(table);
	return ret;
}

static int print_wire(const struct wire_view *w)
{
	print_settings(w);
	print_box(w);
	print_traffic(w);
	return print_neighbours(w);
}

/* All */

/* Is it asked for? */
static bool is_meant(const struct show *show, const struct wire *wire)
{
	return wire->name[0] && (show->opts->n_words < 2 || !strcmp(show->opts->words[1], wire->name));
}

static int show_each(struct wires_view *v, json_t *list, size_t *n)
{
	struct wire_view w = { .all = v };
	int ret = 0;

	for (; w.number < NATVI_MAX_WIRES && !ret; w.number++) {
		ret = maps_wire(v->show->maps, w.number, &w.wire);
		if (!ret)
			ret = maps_wire_state(v->show->maps, w.number, &w.state);
		if (ret || !is_meant(v->show, &w.wire))
			continue;
		if (v->show->opts->json) {
			json_array_append_new(list, wire_json(&w));
		} else {
			printf("%s", *n ? "\n" : "");
			ret = print_wire(&w);
		}
		++*n;
	}
	return ret;
}

static int no_wire(const struct show *show)
{
	if (show->opts->n_words > 1)
		return cli_error(CLI_ABSENT, "there is no wire \"%s\" in instance \"%s\"; `natvi show wires` lists those that there are",
				 show->opts->words[1], show->opts->instance);
	if (!show->opts->json)
		printf("There is no wire in instance \"%s\".\n", show->opts->instance);
	return CLI_OK;
}

int show_wires(struct show *show)
{
	struct wires_view v = { .show = show };
	int ret = read_all(&v, show->maps), code = CLI_OK;
	json_t *list = json_array();
	size_t n = 0;

	if (!ret)
		ret = show_each(&v, list, &n);
	if (ret)
		code = cli_error(CLI_FAIL, "cannot show the wires: %s", strerror(-ret));
	else if (!n)
		code = no_wire(show);
	if (!code && show->opts->json)
		code = cli_print_json(json_pack("{s:O}", "wires", list));
	json_decref(list);
	free(v.neighbours);
	free(v.stations);
	return code;
}
