/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_sessions.c - `show sessions` and `show mappings`, printed as they are found, so that a million
 * of them need no memory.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"

#define STOP		1	/* a callback has had enough */
#define FLUSH_ROWS	4096	/* rows held to find column widths */

struct printer {
	struct show *show;
	struct table *table;	/* NULL: JSON */
	struct json_list list;
	bool accelerated;	/* some session is: there is a column for masters */
	bool captured;		/* some session is: there is one for what is known of the wire */
	bool zones;		/* there are some: a column, or names */
	uint32_t now_s;
	long n;
};

/* Is the box itself one end of it? */
static bool session_is_own(const struct session *s)
{
	return (s->cold.flags & COLD_BOX) || ((s->orig.flags & FLOW_SLOW) && !s->orig.oif);
}

static bool takes_xdp(const struct port_hooks *in)
{
	return in && (!strcmp(in->xdp, "native") || !strcmp(in->xdp, "generic"));
}

/* Of one of the kernel's connections each direction has its way, once a packet of it has been seen. */
static const char *accelerated_hook(const struct show *show, const struct session *s)
{
	const struct port_hooks *in = ports_find(show->ports, s->reply.oif), *out = ports_find(show->ports, s->orig.oif);

	return ((s->orig.flags & FLOW_XDP) && takes_xdp(in)) || ((s->reply.flags & FLOW_XDP) && takes_xdp(out)) ? "xdp" : "tc";
}

/* Which way its packets go: "xdp", "tc", "slow" (translated, then forwarded by the kernel), "box": from or to itself, or "wire": captured. */
static const char *session_hook(const struct show *show, const struct session *s)
{
	const struct port_hooks *in = ports_find(show->ports, s->reply.oif);

	if (s->orig.flags & FLOW_WIRE)
		return "wire";
	if (session_is_accelerated(&s->orig, &s->reply))
		return accelerated_hook(show, s);
	if (session_is_own(s))
		return "box";
	if ((s->orig.flags & FLOW_SLOW) || !s->orig.oif)
		return "slow";
	if ((s->orig.flags & FLOW_XDP) && takes_xdp(in))
		return "xdp";
	return "tc";
}

static const struct tuple *master_of(const struct printer *p, const struct session *s)
{
	return s->orig.flags & FLOW_ACCEL ? ct_master_of(&p->show->masters, &s->orig.key) : NULL;
}

static void master_json(struct line *line, const struct tuple *master)
{
	char proto[PROTO_TEXT_LEN];

	line_json_open(line, "master");
	line_json_text(line, "proto", addr_print_proto(master->proto, proto));
	show_ends(line, master);
	line_json_close(line);
}

/* A captured session: the flow that knows how packets leave by the wire, which is that out of the target. */
static const struct flow *wire_side(const struct session *s)
{
	return s->orig.flags & FLOW_TARGET || !s->has_reply ? &s->orig : &s->reply;
}

static uint32_t wire_target(const struct session *s)
{
	return s->orig.flags & FLOW_TARGET ? s->reply.oif : s->orig.oif;
}

static void tags_json(struct line *line, const struct flow *f)
{
	static const char *const keys[NATVI_MAX_VLAN_TAGS] = { "tag", "inner_tag" };
	static const uint8_t service[NATVI_MAX_VLAN_TAGS] = { TAGS_OUTER_AD, TAGS_INNER_AD };

	for (int i = 0; i < (f->tags & TAGS_COUNT) && i < NATVI_MAX_VLAN_TAGS; i++) {
		line_json_open(line, keys[i]);
		line_json_number(line, "vlan", f->tci[i] & 0xfff);
		line_json_number(line, "priority", f->tci[i] >> 13);
		line_json_bool(line, "service", f->tags & service[i]);
		line_json_close(line);
	}
}

static void wire_json(const struct printer *p, const struct session *s, struct line *line)
{
	char name[NATVI_NAME_LEN], port[PORT_NAME_LEN], mac[MAC_TEXT_LEN];
	const struct flow *f = wire_side(s);
	bool way = f->flags & FLOW_TARGET;

	line_json_open(line, "wire");
	line_json_text(line, "name", show_wire(p->show, s->orig.key.zone, name));
	line_json_text(line, "port", way ? ports_name(p->show->ports, f->oif, port) : "-");
	line_json_text(line, "target", ports_name(p->show->ports, wire_target(s), port));
	line_json_text(line, "mac", show_mac(way ? f->dmac : f->smac, mac));
	line_json_text(line, "peer_mac", show_mac(way ? f->smac : f->dmac, mac));
	tags_json(line, f);
	line_json_close(line);
}

static void session_json(const struct printer *p, const struct session *s, struct line *line)
{
	struct tuple peer = session_peer_key(&s->orig, &s->cold);
	const struct tuple *master = master_of(p, s);
	char proto[PROTO_TEXT_LEN], rule[8], port[PORT_NAME_LEN], zone[NATVI_NAME_LEN];

	line_json_open(line, NULL);
	line_json_text(line, "proto", addr_print_proto(s->orig.key.proto, proto));
	line_json_text(line, "state", s->state);
	show_direction(line, "orig", &s->orig.key, s->orig.packets, s->orig.bytes);
	show_direction(line, "reply", &peer, s->reply.packets, s->reply.bytes);
	line_json_text(line, "rule", names_rule(p->show->names, s->cold.rule, rule));
	line_json_number(line, "rule_id", s->cold.rule);
	line_json_number(line, "zone", s->orig.key.zone);
	if (!(s->orig.flags & FLOW_WIRE))
		line_json_text(line, "zone_name", show_zone(p->show, s->orig.key.zone, zone));
	line_json_number(line, "idle_s", s->idle_s);
	line_json_number(line, "expires_s", s->remaining_s);
	line_json_number(line, "age_s", p->now_s - s->cold.created_s);
	line_json_text(line, "interface", ports_name(p->show->ports, s->orig.oif, port));
	line_json_text(line, "hook", session_hook(p->show, s));
	line_json_bool(line, "box", session_is_own(s));
	line_json_bool(line, "complete", s->has_reply);
	line_json_bool(line, "accelerated", session_is_accelerated(&s->orig, &s->reply));
	if (master)
		master_json(line, master);
	if (s->orig.flags & FLOW_WIRE)
		wire_json(p, s, line);
	line_json_close(line);
}

/* "source -> destination" */
static void add_tuple(struct table *table, const struct tuple *key, struct line *line)
{
	line_reset(line);
	show_tuple(line, key);
	table_add(table, line->text);
}

static void add_number(struct table *table, uint64_t number, struct line *line)
{
	line_reset(line);
	line_number(line, number);
	table_add(table, line->text);
}

static void add_count(struct table *table, const struct flow *flow, struct line *line)
{
	char bytes[16];

	add_number(table, flow->packets, line);
	table_add(table, human_bytes(flow->bytes, bytes));
}

static void add_master(struct table *table, const struct tuple *master, struct line *line)
{
	char proto[PROTO_TEXT_LEN];

	line_reset(line);
	if (master) {
		line_text(line, "child of ");
		line_text(line, addr_print_proto(master->proto, proto));
		line_text(line, " ");
		show_tuple(line, master);
	}
	table_add(table, line->text);
}

/* "w0 eth1 02:00:00:00:00:01 (for 02:00:00:00:00:02) vlan 100" */
static void add_wire(const struct printer *p, const struct session *s, struct line *line)
{
	char name[NATVI_NAME_LEN], port[PORT_NAME_LEN], mac[MAC_TEXT_LEN];
	const struct flow *f = wire_side(s);
	bool way = f->flags & FLOW_TARGET;

	line_reset(line);
	if (s->orig.flags & FLOW_WIRE) {
		line_text(line, show_wire(p->show, s->orig.key.zone, name));
		line_text(line, " ");
		line_text(line, way ? ports_name(p->show->ports, f->oif, port) : "-");
		line_text(line, " ");
		line_text(line, show_mac(way ? f->dmac : f->smac, mac));
		line_text(line, " with ");
		line_text(line, show_mac(way ? f->smac : f->dmac, mac));
		for (int i = 0; i < (f->tags & TAGS_COUNT) && i < NATVI_MAX_VLAN_TAGS; i++) {
			line_text(line, i ? "." : " VLAN ");
			line_number(line, f->tci[i] & 0xfff);
		}
	}
	table_add(p->table, line->text);
}

static void session_row(const struct printer *p, const struct session *s, struct line *line)
{
	struct tuple peer = session_peer_key(&s->orig, &s->cold);
	char proto[PROTO_TEXT_LEN], rule[8], port[PORT_NAME_LEN], time[24], zone[NATVI_NAME_LEN];

	table_add(p->table, addr_print_proto(s->orig.key.proto, proto));
	table_add(p->table, s->state);
	add_tuple(p->table, &s->orig.key, line);
	add_tuple(p->table, &peer, line);
	table_add(p->table, names_rule(p->show->names, s->cold.rule, rule));
	add_count(p->table, &s->orig, line);
	add_count(p->table, &s->reply, line);
	table_add(p->table, human_seconds(s->idle_s, time));
	table_add(p->table, human_seconds(s->remaining_s, time));
	table_add(p->table, ports_name(p->show->ports, s->orig.oif, port));
	table_add(p->table, session_hook(p->show, s));
	if (p->zones)
		table_add(p->table, show_zone(p->show, s->orig.key.zone, zone));
	if (p->accelerated)
		add_master(p->table, master_of(p, s), line);
	if (p->captured)
		add_wire(p, s, line);
}

/* After each row: print a batch, and is the limit reached? */
static int printed(struct printer *p)
{
	p->n++;
	if (p->table && p->n % FLUSH_ROWS == 0 && table_print(p->table, stdout))
		return -EIO;
	return p->show->opts->limit >= 0 && p->n >= p->show->opts->limit ? STOP : 0;
}

static int one_session(const struct session *session, void *arg)
{
	struct printer *p = arg;
	struct line line;

	line_reset(&line);
	if (p->table) {
		session_row(p, session, &line);
	} else {
		session_json(p, session, &line);
		json_list_add(&p->list, &line);
	}
	return printed(p);
}

static bool printer_begin(struct printer *p, struct show *show, const char *name, const char *headings)
{
	*p = (struct printer){ .show = show, .now_s = maps_now_s(), .zones = show_has_zones(show) };
	if (show->opts->json) {
		json_list_begin(&p->list, name);
		return true;
	}
	p->table = table_new(headings);
	return p->table;
}

/* ret: what the walk returned. */
static int printer_end(struct printer *p, int ret)
{
	if (ret == STOP)
		ret = 0;
	if (!p->table) {
		int code = json_list_end(&p->list);

		return ret ? cli_error(CLI_FAIL, "cannot read the table: %s", strerror(-ret)) : code;
	}
	if (!ret)
		ret = table_print(p->table, stdout);
	table_free(p->table);
	return ret ? cli_error(CLI_FAIL, "cannot show the table: %s", strerror(-ret)) : CLI_OK;
}

static int is_accelerated(const struct session *session, void *arg)
{
	return session_is_accelerated(&session->orig, &session->reply) ? STOP : 0;
}

static int is_captured(const struct session *session, void *arg)
{
	return session->orig.flags & FLOW_WIRE ? STOP : 0;
}

#define SESSION_HEADINGS	"PROTO|STATE|ORIGINAL|REPLY|RULE|>PACKETS|>BYTES|>R-PACKETS|>R-BYTES|>IDLE|>EXPIRES|OUT|HOOK"

int show_sessions(struct show *show)
{
	bool accelerated = maps_each_session(show->maps, &show->filter, is_accelerated, NULL) == STOP;
	bool captured = !accelerated && maps_each_session(show->maps, &show->filter, is_captured, NULL) == STOP;
	char headings[160];
	struct printer p;

	snprintf(headings, sizeof(headings), SESSION_HEADINGS "%s%s", show_has_zones(show) ? "|ZONE" : "",
		 accelerated ? "|MASTER" : captured ? "|WIRE" : "");
	if (!printer_begin(&p, show, "sessions", headings))
		return cli_error(CLI_FAIL, "no memory");
	p.accelerated = accelerated;
	p.captured = captured;
	if (accelerated && !show->masters.n)
		ct_masters_read(&show->masters);	/* who cannot be asked names none */
	return printer_end(&p, maps_each_session(show->maps, &show->filter, one_session, &p));
}

static void end_json(struct line *line, const char *key, const union addr *addr, __be16 port)
{
	line_json_open(line, key);
	line_json_addr(line, "addr", addr);
	line_json_number(line, "port", ntohs(port));
	line_json_close(line);
}

/* A mapping without protocol is for TCP and UDP together. */
static const char *mapping_proto(const struct map_entry *m, char buf[PROTO_TEXT_LEN])
{
	return m->key.proto ? addr_print_proto(m->key.proto, buf) : "tcp+udp";
}

/* Is its inside end the box itself? */
static bool mapping_is_own(const struct show *show, const struct map_entry *m)
{
	struct addr_key key = { .addr = m->key.addr, .zone = m->key.zone };
	struct addr_info info;

	return (m->value.flags & MAPPING_BOX) ||
	       (!bpf_map_lookup_elem(show->maps->fd[MAPS_ADDRS], &key, &info) && (info.flags & ADDR_LOCAL));
}

static void mapping_json(const struct printer *p, const struct map_entry *m, struct line *line)
{
	char proto[PROTO_TEXT_LEN], pool[NATVI_NAME_LEN], zone[NATVI_NAME_LEN];

	line_json_open(line, NULL);
	line_json_text(line, "proto", mapping_proto(m, proto));
	line_json_text(line, "state", mapping_state(&m->value));
	end_json(line, "inside", &m->key.addr, m->key.port);
	end_json(line, "outside", &m->value.addr, m->value.port);
	line_json_bool(line, "box", mapping_is_own(p->show, m));
	line_json_text(line, "pool", show_pool(p->show, m->value.pool, pool));
	line_json_number(line, "sessions", m->value.refs);
	line_json_number(line, "zone", m->key.zone);
	line_json_text(line, "zone_name", show_zone(p->show, m->key.zone, zone));
	line_json_number(line, "since_s", p->now_s - m->value.since_s);
	line_json_close(line);
}

static void add_endpoint(struct table *table, const union addr *addr, __be16 port, uint8_t proto, struct line *line)
{
	line_reset(line);
	show_endpoint(line, addr, port, proto);
	table_add(table, line->text);
}

static void mapping_row(const struct printer *p, const struct map_entry *m, struct line *line)
{
	char proto[PROTO_TEXT_LEN], pool[NATVI_NAME_LEN], time[24], zone[NATVI_NAME_LEN];
	uint8_t ports_of = m->key.proto ? m->key.proto : IPPROTO_TCP;

	table_add(p->table, mapping_proto(m, proto));
	table_add(p->table, mapping_state(&m->value));
	line_reset(line);
	show_endpoint(line, &m->key.addr, m->key.port, ports_of);
	line_text(line, mapping_is_own(p->show, m) ? " (box)" : "");
	table_add(p->table, line->text);
	add_endpoint(p->table, &m->value.addr, m->value.port, ports_of, line);
	table_add(p->table, show_pool(p->show, m->value.pool, pool));
	add_number(p->table, m->value.refs, line);
	table_add(p->table, m->value.flags & MAPPING_STATIC ? "-" : human_seconds(p->now_s - m->value.since_s, time));
	if (p->zones)
		table_add(p->table, show_zone(p->show, m->key.zone, zone));
}

static int one_mapping(const struct map_entry *entry, void *arg)
{
	struct printer *p = arg;
	struct line line;

	if (!filter_mapping(&p->show->filter, entry))
		return 0;
	line_reset(&line);
	if (p->table) {
		mapping_row(p, entry, &line);
	} else {
		mapping_json(p, entry, &line);
		json_list_add(&p->list, &line);
	}
	return printed(p);
}

#define MAPPING_HEADINGS	"PROTO|STATE|INSIDE|OUTSIDE|POOL|>SESSIONS|>SINCE"

int show_mappings(struct show *show)
{
	struct printer p;

	if (!printer_begin(&p, show, "mappings", show_has_zones(show) ? MAPPING_HEADINGS "|ZONE" : MAPPING_HEADINGS))
		return cli_error(CLI_FAIL, "no memory");
	return printer_end(&p, maps_each_mapping(show->maps, one_mapping, &p));
}
