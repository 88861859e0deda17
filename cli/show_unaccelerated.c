/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_unaccelerated.c - `show sessions --not-accelerated`: connections of the kernel's that have no accelerated session,
 * each with the reason. The sessions are noted first, then conntrack is read and printed as it comes.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/accel_view.h"
#include "cli/show.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/table.h"

#define STOP		1
#define FLUSH_ROWS	4096

/* Sessions by their original tuple, zones aside. */
struct known {
	struct tuple key;
	bool accelerated;
	bool own;		/* natvi's */
	uint8_t left;		/* LEFT_*: a direction that the kernel keeps */
};

struct lister {
	struct show *show;
	struct table *table;	/* NULL: JSON */
	struct json_list list;
	struct accel_view view;
	struct nl nl;		/* where the view asks for ways */
	struct known *known;
	size_t n_known;
	long n;
};

static int known_compare(const void *a, const void *b)
{
	return memcmp(&((const struct known *)a)->key, &((const struct known *)b)->key, sizeof(struct tuple));
}

/* What is left to the kernel is as good as unknown. */
static int note_session(const struct session *s, void *arg)
{
	struct lister *l = arg;
	struct known *grown = l->known;

	if (s->orig.flags & FLOW_KERNEL)
		return 0;
	if (!(l->n_known & (l->n_known - 1)))
		grown = realloc(l->known, (l->n_known ? l->n_known * 2 : 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	l->known = grown;
	grown = &grown[l->n_known++];
	*grown = (struct known){ .key = s->orig.key, .accelerated = session_is_accelerated(&s->orig, &s->reply) };
	grown->key.zone = 0;
	grown->own = !(s->orig.flags & FLOW_ACCEL);
	grown->left = grown->own ? 0 : (s->orig.tcp_seen | s->reply.tcp_seen) & (LEFT_CUT | LEFT_ALTERED);
	return 0;
}

static const struct known *find(const struct lister *l, const struct tuple *key)
{
	struct known wanted = { .key = *key };

	return l->n_known ? bsearch(&wanted, l->known, l->n_known, sizeof(wanted), known_compare) : NULL;
}

/* As the filter knows sessions. */
static bool admits(const struct lister *l, const struct ct_entry *ct)
{
	struct session s = { .orig = { .key = ct->orig, .new_src = ct->reply.dst, .new_dst = ct->reply.src,
				       .new_sport = ct->reply.dport, .new_dport = ct->reply.sport } };

	return filter_session(&l->show->filter, &s);
}

static void connection_json(struct lister *l, const struct ct_entry *ct, enum unaccelerated reason, struct line *line)
{
	char proto[PROTO_TEXT_LEN];

	line_json_open(line, NULL);
	line_json_text(line, "proto", addr_print_proto(ct->orig.proto, proto));
	line_json_text(line, "reason", unaccelerated_name(reason));
	line_json_text(line, "text", unaccelerated_text(reason));
	line_json_open(line, "orig");
	show_ends(line, &ct->orig);
	line_json_close(line);
	line_json_open(line, "reply");
	show_ends(line, &ct->reply);
	line_json_close(line);
	line_json_text(line, "helper", ct->helper);
	line_json_number(line, "ct_zone", ct->zone);
	line_json_number(line, "ct_mark", ct->mark);
	line_json_number(line, "expires_s", ct->timeout_s);
	line_json_close(line);
	json_list_add(&l->list, line);
}

static void add_tuple(struct table *table, const struct tuple *t, struct line *line)
{
	line_reset(line);
	show_tuple(line, t);
	table_add(table, line->text);
}

static void connection_row(struct lister *l, const struct ct_entry *ct, enum unaccelerated reason, struct line *line)
{
	char proto[PROTO_TEXT_LEN], time[24];

	table_add(l->table, addr_print_proto(ct->orig.proto, proto));
	add_tuple(l->table, &ct->orig, line);
	add_tuple(l->table, &ct->reply, line);
	table_add(l->table, human_seconds(ct->timeout_s, time));
	table_add(l->table, unaccelerated_name(reason));
	if (reason == UNACCELERATED_HELPER)
		table_addf(l->table, "%s (%s)", unaccelerated_text(reason), ct->helper);
	else
		table_add(l->table, unaccelerated_text(reason));
}

static int one_connection(const struct ct_entry *ct, void *arg)
{
	struct accel_facts facts = { .in_zone = ZONE_ANY, .out_zone = ZONE_ANY };
	const struct cli_opts *opts = ((struct lister *)arg)->show->opts;
	struct lister *l = arg;
	const struct known *known = find(l, &ct->orig);
	enum unaccelerated reason;
	struct line line;

	if ((known && known->accelerated && !known->left) || !admits(l, ct))
		return 0;
	facts.own_session = known && known->own;
	facts.left = known ? known->left : 0;
	if (l->view.ways)
		accel_ways(&l->nl, l->show->ports, ct, &facts);
	reason = unaccelerated_reason(ct, &l->view, &facts);
	line_reset(&line);
	if (l->table)
		connection_row(l, ct, reason, &line);
	else
		connection_json(l, ct, reason, &line);
	l->n++;
	if (l->table && l->n % FLUSH_ROWS == 0 && table_print(l->table, stdout))
		return -EIO;
	return opts->limit >= 0 && l->n >= opts->limit ? STOP : 0;
}

/* All but the connections. */
static int prepare(struct lister *l)
{
	int ret = maps_each_session(l->show->maps, NULL, note_session, l);

	if (!ret)
		ret = accel_view_read(&l->view, l->show->maps);
	if (!ret && l->view.ways)
		ret = nl_open(&l->nl, NETLINK_ROUTE);
	if (l->n_known)
		qsort(l->known, l->n_known, sizeof(*l->known), known_compare);
	return ret;
}

static int print_all(struct lister *l)
{
	int ret, code = CLI_OK;

	if (l->show->opts->json)
		json_list_begin(&l->list, "not_accelerated");
	ret = ct_each(one_connection, l);
	if (ret == STOP || ret == -EOPNOTSUPP)
		ret = 0;	/* a kernel that tracks none has none */
	if (!l->table)
		code = json_list_end(&l->list);
	else if (!ret)
		ret = table_print(l->table, stdout);
	return ret ? cli_error(CLI_FAIL, "cannot read the kernel's connections: %s", strerror(-ret)) : code;
}

int show_not_accelerated(struct show *show)
{
	struct lister l = { .show = show };
	int code, ret = prepare(&l);

	if (!ret && !show->opts->json) {
		l.table = table_new("PROTO|ORIGINAL|REPLY|>EXPIRES|REASON|MEANING");
		ret = l.table ? 0 : -ENOMEM;
	}
	code = ret ? cli_error(CLI_FAIL, "cannot tell why: %s", strerror(-ret)) : print_all(&l);
	table_free(l.table);
	nl_close(&l.nl);
	accel_view_free(&l.view);
	free(l.known);
	return code;
}
