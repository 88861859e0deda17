/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_sessions.c - `show sessions` and `show mappings`, printed as they are found, so that a million
 * of them need no memory.
 */
#include <errno.h>
#include <jansson.h>
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
	uint32_t now_s;
	long n;
};

/* Which way its packets go: "xdp", "tc", or "slow" (translated, then forwarded by the kernel). */
static const char *session_hook(const struct show *show, const struct session *s)
{
	const struct port_hooks *in = ports_find(show->ports, s->reply.oif);

	if ((s->orig.flags & FLOW_SLOW) || !s->orig.oif)
		return "slow";
	if ((s->orig.flags & FLOW_XDP) && in && (!strcmp(in->xdp, "native") || !strcmp(in->xdp, "generic")))
		return "xdp";
	return "tc";
}

static json_t *session_json(const struct printer *p, const struct session *s)
{
	struct tuple peer = session_peer_key(&s->orig, &s->cold);
	char proto[PROTO_TEXT_LEN], rule[8], port[PORT_NAME_LEN];

	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:i, s:i, s:i, s:I, s:i, s:s, s:s, s:b}",
			 "proto", addr_print_proto(s->orig.key.proto, proto), "state", s->state,
			 "orig", show_direction(&s->orig.key, s->orig.packets, s->orig.bytes),
			 "reply", show_direction(&peer, s->reply.packets, s->reply.bytes),
			 "rule", names_rule(p->show->names, s->cold.rule, rule), "rule_id", s->cold.rule,
			 "zone", s->orig.key.zone, "idle_s", (int)s->idle_s, "expires_s", (json_int_t)s->remaining_s,
			 "age_s", (int)(p->now_s - s->cold.created_s),
			 "interface", ports_name(p->show->ports, s->orig.oif, port), "hook", session_hook(p->show, s),
			 "complete", s->has_reply);
}

/* "source -> destination" */
static void add_tuple(struct table *table, const struct tuple *key)
{
	char src[ENDPOINT_LEN], dst[ENDPOINT_LEN];

	table_addf(table, "%s -> %s", show_endpoint(&key->src, key->sport, key->proto, src),
		   show_endpoint(&key->dst, key->dport, key->proto, dst));
}

static void add_count(struct table *table, const struct flow *flow)
{
	char bytes[16];

	table_addf(table, "%llu", (unsigned long long)flow->packets);
	table_add(table, human_bytes(flow->bytes, bytes));
}

static void session_row(const struct printer *p, const struct session *s)
{
	struct tuple peer = session_peer_key(&s->orig, &s->cold);
	char proto[PROTO_TEXT_LEN], rule[8], port[PORT_NAME_LEN], time[24];

	table_add(p->table, addr_print_proto(s->orig.key.proto, proto));
	table_add(p->table, s->state);
	add_tuple(p->table, &s->orig.key);
	add_tuple(p->table, &peer);
	table_add(p->table, names_rule(p->show->names, s->cold.rule, rule));
	add_count(p->table, &s->orig);
	add_count(p->table, &s->reply);
	table_add(p->table, human_seconds(s->idle_s, time));
	table_add(p->table, human_seconds(s->remaining_s, time));
	table_add(p->table, ports_name(p->show->ports, s->orig.oif, port));
	table_add(p->table, session_hook(p->show, s));
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

	if (p->table)
		session_row(p, session);
	else
		json_list_add(&p->list, session_json(p, session));
	return printed(p);
}

static bool printer_begin(struct printer *p, struct show *show, const char *name, const char *headings)
{
	*p = (struct printer){ .show = show, .now_s = maps_now_s() };
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

int show_sessions(struct show *show)
{
	struct printer p;

	if (!printer_begin(&p, show, "sessions",
			   "PROTO|STATE|ORIGINAL|REPLY|RULE|>PACKETS|>BYTES|>R-PACKETS|>R-BYTES|>IDLE|>EXPIRES|OUT|HOOK"))
		return cli_error(CLI_FAIL, "no memory");
	return printer_end(&p, maps_each_session(show->maps, &show->filter, one_session, &p));
}

static json_t *mapping_json(const struct printer *p, const struct map_entry *m)
{
	char proto[PROTO_TEXT_LEN], inside[ADDR_TEXT_LEN], outside[ADDR_TEXT_LEN], pool[NATVI_NAME_LEN];

	return json_pack("{s:s, s:s, s:{s:s, s:i}, s:{s:s, s:i}, s:s, s:I, s:i, s:I}",
			 "proto", addr_print_proto(m->key.proto, proto), "state", mapping_state(&m->value),
			 "inside", "addr", addr_print(&m->key.addr, inside), "port", ntohs(m->key.port),
			 "outside", "addr", addr_print(&m->value.addr, outside), "port", ntohs(m->value.port),
			 "pool", show_pool(p->show->maps, m->value.pool, pool),
			 "sessions", (json_int_t)m->value.refs, "zone", m->key.zone,
			 "since_s", (json_int_t)(p->now_s - m->value.since_s));
}

static void mapping_row(const struct printer *p, const struct map_entry *m)
{
	char proto[PROTO_TEXT_LEN], end[ENDPOINT_LEN], pool[NATVI_NAME_LEN], time[24];

	table_add(p->table, addr_print_proto(m->key.proto, proto));
	table_add(p->table, mapping_state(&m->value));
	table_add(p->table, show_endpoint(&m->key.addr, m->key.port, m->key.proto, end));
	table_add(p->table, show_endpoint(&m->value.addr, m->value.port, m->key.proto, end));
	table_add(p->table, show_pool(p->show->maps, m->value.pool, pool));
	table_addf(p->table, "%u", m->value.refs);
	table_add(p->table, m->value.flags & MAPPING_STATIC ? "-" : human_seconds(p->now_s - m->value.since_s, time));
}

static int one_mapping(const struct map_entry *entry, void *arg)
{
	struct printer *p = arg;

	if (!filter_mapping(&p->show->filter, entry))
		return 0;
	if (p->table)
		mapping_row(p, entry);
	else
		json_list_add(&p->list, mapping_json(p, entry));
	return printed(p);
}

int show_mappings(struct show *show)
{
	struct printer p;

	if (!printer_begin(&p, show, "mappings", "PROTO|STATE|INSIDE|OUTSIDE|POOL|>SESSIONS|>SINCE"))
		return cli_error(CLI_FAIL, "no memory");
	return printer_end(&p, maps_each_mapping(show->maps, one_mapping, &p));
}
