/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show.c - `natvi show`: what the pinned maps hold. Needs no daemon. One snapshot, then it ends.
 */
#include "cli/show.h"

#include <jansson.h>
#include <stdio.h>
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
		cli_error(CLI_USAGE, "show: there is no \"%s\" to show; there are sessions, mappings, pools, rules, interfaces, stats, drops",
			  word);
	return NULL;
}

/* The words after the subject. */
static int read_filter(struct show *show, const struct subject *subject)
{
	const struct cli_opts *opts = show->opts;
	char err[256];
	int ret;

	if (!subject->filters && opts->n_words > 1)
		return cli_error(CLI_USAGE, "show %s takes no filter (\"%s\")", subject->name, opts->words[1]);
	ret = filter_from_words(&show->filter, opts->n_words - 1, opts->words + 1, err, sizeof(err));
	if (!ret && subject->run == show_mappings)
		ret = filter_check_mapping(&show->filter, err, sizeof(err));
	return ret ? cli_error(cli_exit_of(ret), "%s", err) : CLI_OK;
}

static int show_open(struct show *show, const struct subject *subject)
{
	char err[512];
	int ret = maps_open((struct maps **)&show->maps, show->opts->instance, err, sizeof(err));

	if (ret)
		return cli_error(cli_exit_of(ret), "%s", err);
	show->names = names_open(show->opts->instance);
	show->ports = ports_read(show->maps);
	if (!show->names || !show->ports)
		return cli_error(CLI_FAIL, "no memory");
	ret = filter_resolve(&show->filter, show->names, err, sizeof(err));
	return ret ? cli_error(CLI_FAIL, "%s", err) : subject->run(show);
}

int cmd_show(int argc, char **argv)
{
	const struct subject *subject;
	struct cli_opts opts;
	struct show show = { .opts = &opts };
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON | CLI_TAKES_LIMIT, &opts, &code))
		return code;
	if (!opts.n_words)
		return cli_error(CLI_USAGE, "show what? sessions, mappings, pools, rules, interfaces, stats or drops");
	subject = subject_of(opts.words[0]);
	if (!subject)
		return CLI_USAGE;
	code = read_filter(&show, subject);
	if (!code)
		code = show_open(&show, subject);
	ports_free(show.ports);
	names_close(show.names);
	maps_close((struct maps *)show.maps);
	filter_free(&show.filter);
	return code;
}

const char *show_endpoint(const union addr *addr, __be16 port, uint8_t proto, char buf[ENDPOINT_LEN])
{
	bool ports = proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP;
	char text[ADDR_TEXT_LEN];

	addr_print(addr, text);
	if (!ports)
		snprintf(buf, ENDPOINT_LEN, "%s", text);
	else if (addr_is4(addr))
		snprintf(buf, ENDPOINT_LEN, "%s:%u", text, ntohs(port));
	else
		snprintf(buf, ENDPOINT_LEN, "[%s]:%u", text, ntohs(port));
	return buf;
}

json_t *show_direction(const struct tuple *key, uint64_t packets, uint64_t bytes)
{
	char src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN];

	return json_pack("{s:s, s:i, s:s, s:i, s:I, s:I}", "src", addr_print(&key->src, src), "sport", ntohs(key->sport),
			 "dst", addr_print(&key->dst, dst), "dport", ntohs(key->dport),
			 "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

const char *show_pool(const struct maps *maps, uint32_t pool, char buf[NATVI_NAME_LEN])
{
	struct pool entry;

	if (pool == POOL_NONE)
		return "-";
	if (!maps_pool(maps, pool, &entry) && entry.name[0])
		snprintf(buf, NATVI_NAME_LEN, "%s", entry.name);
	else
		snprintf(buf, NATVI_NAME_LEN, "#%u", pool);
	return buf;
}

void json_list_begin(struct json_list *list, const char *name)
{
	*list = (struct json_list){ 0 };
	printf("{\"%s\": [", name);
}

void json_list_add(struct json_list *list, json_t *entry)
{
	fputs(list->n++ ? ",\n " : "\n ", stdout);
	if (!entry || json_dumpf(entry, stdout, 0))
		list->failed = true;
	json_decref(entry);
}

int json_list_end(struct json_list *list)
{
	fputs(list->n ? "\n]}\n" : "]}\n", stdout);
	return list->failed ? cli_error(CLI_FAIL, "cannot print JSON") : CLI_OK;
}
