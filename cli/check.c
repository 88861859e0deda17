/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * check.c - `natvi check FILE`: is this a configuration? All problems at once, or what it would
 * become. Reads the file, and the interfaces of this box to say what its neighbours need to know; asks no running
 * instance.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/outside.h"
#include "lib/addr.h"
#include "lib/config.h"

static size_t rule_entries(const struct config *config)
{
	size_t n = 0;

	for (size_t i = 0; i < config->n_rules; i++)
		n += config_rule_entries(&config->rules[i]);
	return n;
}

static void count_captures(const struct config *config, size_t *captures, size_t *entries)
{
	*captures = *entries = 0;
	for (size_t i = 0; i < config->n_wires; i++) {
		const struct cfg_wire *wire = &config->wires[i];

		*captures += wire->n_captures;
		for (size_t j = 0; j < wire->n_captures; j++)
			*entries += config_capture_entries(&wire->captures[j]);
	}
}

static const char *plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void print_wires(const struct config *c)
{
	size_t captures, entries;
	char text[ADDR_TEXT_LEN];

	count_captures(c, &captures, &entries);
	printf("%zu %s, %zu %s (%zu %s)", c->n_wires, plural(c->n_wires, "wire", "wires"), captures,
	       plural(captures, "capture", "captures"), entries, plural(entries, "entry", "entries"));
	for (size_t i = 0; i < c->n_wires; i++)
		if (c->wires[i].host)
			printf(", the box is %s/%u on %s", addr_print4(c->wires[i].host, text), c->wires[i].host_len, c->wires[i].name);
}

static void print_nat(const struct config *c)
{
	size_t addrs = config_pool_addresses(c), entries = rule_entries(c);

	printf("%zu %s, ", c->n_interfaces, plural(c->n_interfaces, "interface", "interfaces"));
	if (c->n_pools)
		printf("%zu %s with %zu %s, ", c->n_pools, plural(c->n_pools, "pool", "pools"), addrs,
		       plural(addrs, "address", "addresses"));
	printf("%zu %s (%zu %s), ", c->n_rules, plural(c->n_rules, "rule", "rules"), entries,
	       plural(entries, "entry", "entries"));
	printf("%zu %s", c->n_forwards, plural(c->n_forwards, "forward", "forwards"));
	if (c->accelerate)
		printf(", accelerates");
	if (c->n_excludes)
		printf(" with %zu %s", c->n_excludes, plural(c->n_excludes, "exclusion", "exclusions"));
}

static void print_ok(const char *name, const struct config *c)
{
	printf("%s: ok: ", name);
	if (c->n_wires)
		print_wires(c);
	else
		print_nat(c);
	printf("; tables will take %llu MiB\n", (unsigned long long)(config_memory_bytes(c) + (1 << 20) - 1) >> 20);
}

/* Notes: what else has to be done for the configuration to work. */
static void note(const char *subject, const char *text, void *arg)
{
	json_array_append_new(arg, json_pack("{ss ss}", "subject", subject, "text", text));
}

static json_t *notes(const struct config *config)
{
	json_t *list = json_array();
	struct links links = { 0 };
	struct nl nl = { 0 };
	char text[256];
	int err;

	/* Wires have no outside addresses. */
	if (config->n_wires)
		return list;
	err = nl_open(&nl, NETLINK_ROUTE);
	if (!err)
		err = links_read(&nl, &links);
	if (err) {
		snprintf(text, sizeof(text), "this box's cannot be read (%s): whether routers need routes to outside addresses cannot be said",
			 strerror(-err));
		note("interfaces", text, list);
	} else {
		outside_advise(config, &links, note, list);
	}
	links_free(&links);
	nl_close(&nl);
	return list;
}

static void print_notes(const char *name, json_t *list)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		printf("%s: note: %s: %s\n", name, json_string_value(json_object_get(entry, "subject")),
		       json_string_value(json_object_get(entry, "text")));
	json_decref(list);
}

static json_t *ok_json(const char *name, const struct config *c)
{
	size_t captures, entries;

	count_captures(c, &captures, &entries);
	return json_pack("{sb ss so s{sI sI sI sI sI sI sI sb sI sI sI sI} so}", "ok", 1, "file", name, "notes", notes(c), "summary",
			 "interfaces", (json_int_t)c->n_interfaces, "pools", (json_int_t)c->n_pools,
			 "pool_addresses", (json_int_t)config_pool_addresses(c), "rules", (json_int_t)c->n_rules,
			 "rule_entries", (json_int_t)rule_entries(c), "forwards", (json_int_t)c->n_forwards,
			 "memory_bytes", (json_int_t)config_memory_bytes(c), "accelerate", c->accelerate,
			 "exclusions", (json_int_t)c->n_excludes, "wires", (json_int_t)c->n_wires,
			 "captures", (json_int_t)captures, "capture_entries", (json_int_t)entries, "config", config_to_json(c));
}

static json_t *errors_json(const char *name, const struct cfg_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->n; i++)
		json_array_append_new(list, json_pack("{ss si ss}", "file", name, "line", errors->list[i].line, "text",
						      errors->list[i].text));
	return json_pack("{sb ss so}", "ok", 0, "file", name, "errors", list);
}

int cmd_check(int argc, char **argv)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	struct cli_opts opts;
	const char *name;
	int err;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON, &opts, &err))
		return err;
	if (opts.n_words != 1)
		return cli_error(CLI_USAGE, "which file? `natvi check FILE`, - for standard input");
	name = opts.words[0];
	err = config_read_file(name, &config, &errors);
	if (opts.json)
		cli_print_json(err ? errors_json(name, &errors) : ok_json(name, config));
	else if (err == -ENOMEM)
		cli_error(CLI_FAIL, "out of memory");
	else if (err)
		cfg_errors_print(NULL, name, &errors, stderr);
	else {
		print_ok(name, config);
		print_notes(name, notes(config));
	}
	cfg_errors_free(&errors);
	config_free(config);
	return err ? CLI_FAIL : CLI_OK;
}
