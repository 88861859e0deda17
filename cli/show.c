/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show.c - `natvi show`: what the pinned maps hold. Needs no daemon. One snapshot, then it ends.
 */
#include "cli/show.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/table.h"
#include "lib/verdict.h"

static const struct subject {
	const char *name;
	int (*run)(struct show *show);
	bool filters;
} subjects[] = {
	{ "sessions", show_sessions, true },
	{ "mappings", show_mappings, true },
	{ "pools", show_pools, false },
	{ "rules", show_rules, false },
	{ "interfaces", show_interfaces, false },
	{ "zones", show_zones, false },
	{ "wires", show_wires, false },
	{ "stats", show_stats, false },
	{ "drops", show_drops, false },
};
#define N_SUBJECTS	(sizeof(subjects) / sizeof(subjects[0]))

static const struct subject *subject_of(const char *word)
{
	const char *names[N_SUBJECTS + 1] = { NULL }, *near;

	for (size_t i = 0; i < N_SUBJECTS; i++) {
		names[i] = subjects[i].name;
		if (!strcmp(subjects[i].name, word))
			return &subjects[i];
	}
	near = cli_nearest(word, names);
	if (near)
		cli_error(CLI_USAGE, "show: there is no \"%s\" to show; did you mean `natvi show %s`?", word, near);
	else
		cli_error(CLI_USAGE, "show: there is no \"%s\" to show; there are sessions, mappings, pools, rules, interfaces, zones, wires, stats, drops",
			  word);
	return NULL;
}

/* The words after the subject. */
static int read_filter(struct show *show, const struct subject *subject)
{
	const struct cli_opts *opts = show->opts;
	char err[256];
	int ret;

	if (opts->not_accelerated && subject->run != show_sessions)
		return cli_error(CLI_USAGE, "show %s: --not-accelerated goes with sessions: natvi show sessions --not-accelerated",
				 subject->name);
	if (subject->run == show_wires && opts->n_words > 2)
		return cli_error(CLI_USAGE, "show wires takes one name of a wire (\"%s\" is too much)", opts->words[2]);
	if (subject->run == show_wires)
		return CLI_OK;
	if (!subject->filters && opts->n_words > 1)
		return cli_error(CLI_USAGE, "show %s takes no filter (\"%s\")", subject->name, opts->words[1]);
	ret = filter_from_words(&show->filter, opts->n_words - 1, opts->words + 1, err, sizeof(err));
	if (!ret && subject->run == show_mappings)
		ret = filter_check_mapping(&show->filter, err, sizeof(err));
	if (!ret && opts->not_accelerated)
		ret = filter_check_connection(&show->filter, err, sizeof(err));
	return ret ? cli_error(CLI_USAGE, "%s", err) : CLI_OK;
}

static struct pool *read_pools(const struct maps *maps)
{
	struct pool *pools = calloc(NATVI_MAX_POOLS, sizeof(*pools));

	for (uint32_t i = 0; pools && i < NATVI_MAX_POOLS && !maps_pool(maps, i, &pools[i]); i++)
		;
	return pools;
}

static struct zone *read_zones(const struct maps *maps)
{
	struct zone *zones = calloc(NATVI_MAX_ZONES, sizeof(*zones));

	for (uint32_t i = 0; zones && i < NATVI_MAX_ZONES && !maps_zone(maps, i, &zones[i]); i++)
		;
	return zones;
}

static struct wire *read_wires(const struct maps *maps)
{
	struct wire *wires = calloc(NATVI_MAX_WIRES, sizeof(*wires));

	for (uint32_t i = 0; wires && i < NATVI_MAX_WIRES && !maps_wire(maps, i, &wires[i]); i++)
		;
	return wires;
}

int show_open(struct show *show)
{
	char err[512];
	int ret = maps_open((struct maps **)&show->maps, show->opts->instance, err, sizeof(err));

	if (ret)
		return cli_error(cli_exit_of(ret), "%s", err);
	show->names = names_open(show->opts->instance);
	show->ports = ports_read(show->maps);
	show->pools = read_pools(show->maps);
	show->zones = read_zones(show->maps);
	show->wires = read_wires(show->maps);
	if (!show->names || !show->ports || !show->pools || !show->zones || !show->wires)
		return cli_error(CLI_FAIL, "no memory");
	names_take_zones(show->names, show->zones);
	ret = filter_resolve(&show->filter, show->names, err, sizeof(err));
	return ret ? cli_error(CLI_FAIL, "%s", err) : CLI_OK;
}

void show_close(struct show *show)
{
	ct_masters_free(&show->masters);
	free(show->pools);
	free(show->zones);
	free(show->wires);
	ports_free(show->ports);
	names_close(show->names);
	maps_close((struct maps *)show->maps);
	filter_free(&show->filter);
}

int cmd_show(int argc, char **argv)
{
	const struct subject *subject;
	struct cli_opts opts;
	struct show show = { .opts = &opts };
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON | CLI_TAKES_LIMIT | CLI_TAKES_ACCEL, &opts, &code))
		return code;
	if (!opts.n_words)
		return cli_error(CLI_USAGE, "show what? sessions, mappings, pools, rules, interfaces, zones, wires, stats or drops");
	subject = subject_of(opts.words[0]);
	if (!subject)
		return CLI_USAGE;
	code = read_filter(&show, subject);
	if (!code)
		code = show_open(&show);
	if (!code)
		code = opts.not_accelerated ? show_not_accelerated(&show) : subject->run(&show);
	show_close(&show);
	return code;
}

void show_endpoint(struct line *line, const union addr *addr, __be16 port, uint8_t proto)
{
	bool ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
	bool brackets = ports && !addr_is4(addr);

	if (brackets)
		line_text(line, "[");
	line_addr(line, addr);
	if (brackets)
		line_text(line, "]");
	if (!ports)
		return;
	line_text(line, ":");
	line_number(line, ntohs(port));
}

void show_tuple(struct line *line, const struct tuple *t)
{
	show_endpoint(line, &t->src, t->sport, t->proto);
	line_text(line, " -> ");
	show_endpoint(line, &t->dst, t->dport, t->proto);
}

void show_ends(struct line *line, const struct tuple *t)
{
	line_json_addr(line, "src", &t->src);
	line_json_number(line, "sport", ntohs(t->sport));
	line_json_addr(line, "dst", &t->dst);
	line_json_number(line, "dport", ntohs(t->dport));
}

void show_direction(struct line *line, const char *key, const struct tuple *t, uint64_t packets, uint64_t bytes)
{
	line_json_open(line, key);
	show_ends(line, t);
	line_json_number(line, "packets", packets);
	line_json_number(line, "bytes", bytes);
	line_json_close(line);
}

const char *show_zone(const struct show *show, uint32_t zone, char buf[NATVI_NAME_LEN])
{
	if (zone < NATVI_MAX_ZONES && show->zones[zone].name[0])
		return show->zones[zone].name;
	snprintf(buf, NATVI_NAME_LEN, "#%u", zone);
	return buf;
}

const char *show_wire(const struct show *show, uint32_t wire, char buf[NATVI_NAME_LEN])
{
	if (wire < NATVI_MAX_WIRES && show->wires[wire].name[0])
		return show->wires[wire].name;
	snprintf(buf, NATVI_NAME_LEN, "#%u", wire);
	return buf;
}

const char *show_port_zone(const struct show *show, const struct port *port, char buf[NATVI_NAME_LEN])
{
	bool of_wire = (port->flags & (PORT_WIRE | PORT_TARGET)) || ((port->flags & PORT_NVI) && show->wires[port->zone & (NATVI_MAX_WIRES - 1)].host);

	return of_wire ? show_wire(show, port->zone, buf) : show_zone(show, port->zone, buf);
}

const char *show_mac(const uint8_t mac[6], char buf[MAC_TEXT_LEN])
{
	snprintf(buf, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return buf;
}

bool show_has_zones(const struct show *show)
{
	for (uint32_t i = 1; i < NATVI_MAX_ZONES; i++)
		if (show->zones[i].name[0])
			return true;
	return false;
}

const char *show_pool(const struct show *show, uint32_t pool, char buf[NATVI_NAME_LEN])
{
	if (pool == POOL_NONE)
		return "-";
	if (pool < NATVI_MAX_POOLS && show->pools[pool].name[0])
		return show->pools[pool].name;
	snprintf(buf, NATVI_NAME_LEN, "#%u", pool);
	return buf;
}

void json_list_begin(struct json_list *list, const char *name)
{
	*list = (struct json_list){ 0 };
	printf("{\"%s\": [", name);
}

void json_list_add(struct json_list *list, const struct line *object)
{
	fputs_unlocked(list->n++ ? ",\n " : "\n ", stdout);
	fwrite_unlocked(object->text, 1, object->len, stdout);
	list->failed |= object->full;
}

int json_list_end(struct json_list *list)
{
	fputs(list->n ? "\n]}\n" : "]}\n", stdout);
	return list->failed ? cli_error(CLI_FAIL, "cannot print JSON") : CLI_OK;
}
