/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * status.c - `natvi status`: the daemon by its socket, the datapath by its maps. Either may be there without
 * the other. Exit code 0 only when the daemon answers.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/ctl.h"
#include "lib/table.h"
#include "lib/verdict.h"

#define STATUS_TIMEOUT_MS	2000

struct status {
	const struct cli_opts *opts;
	json_t *daemon;			/* its answer, or NULL */
	char why_not[512];		/* when it is NULL */
	struct maps *maps;
	struct names *names;
	struct ports *ports;
	struct usage usage;
	struct counters counters;
	uint64_t drops;			/* packets */
	uint32_t heartbeat_age_s;
};

static void ask_daemon(struct status *status)
{
	int ret = ctl_call(status->opts->instance, ctl_request("status"), STATUS_TIMEOUT_MS, &status->daemon,
			   status->why_not, sizeof(status->why_not));

	if (ret) {
		json_decref(status->daemon);
		status->daemon = NULL;
	}
}

static int read_maps(struct status *status)
{
	char err[512];
	int ret = maps_open(&status->maps, status->opts->instance, err, sizeof(err));

	if (ret)
		return cli_error(cli_exit_of(ret), "%s", err);
	status->ports = ports_read(status->maps);
	status->names = names_open(status->opts->instance);
	ret = maps_usage(status->maps, &status->usage);
	if (!ret)
		ret = maps_counters(status->maps, &status->counters);
	if (ret || !status->ports || !status->names)
		return cli_error(CLI_FAIL, "cannot read the tables: %s", strerror(ret ? -ret : ENOMEM));
	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		if (verdict_class(v) == VERDICT_CLASS_DROP)
			status->drops += status->counters.packets[v];
	status->heartbeat_age_s = maps_now_s() - status->maps->control.heartbeat_s;
	return CLI_OK;
}

/* From the daemon's answer, else from the file that it left. */
static json_t *fact(const struct status *status, const char *key)
{
	json_t *value = json_object_get(status->daemon, key);

	return value ? value : json_object_get(names_running(status->names), key);
}

static json_t *interface_json(const struct port_hooks *h)
{
	return json_pack("{s:s, s:b, s:b, s:s, s:b, s:b}", "name", h->port.name, "present", h->present,
			 "up", !(h->port.flags & PORT_DOWN), "xdp", h->xdp, "tc_ingress", h->tc_in, "tc_egress", h->tc_out);
}

static int print_json(const struct status *status)
{
	const struct control *control = &status->maps->control;
	json_t *interfaces = json_array(), *object;
	char hash[20];

	for (size_t i = 0; i < status->ports->n; i++)
		json_array_append_new(interfaces, interface_json(&status->ports->list[i]));
	snprintf(hash, sizeof(hash), "%016" PRIx64, (uint64_t)control->abi_hash);
	object = json_pack("{s:s, s:b, s:O?, s:O?, s:O?, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
			   "instance", status->opts->instance, "running", status->daemon != NULL,
			   "pid", status->daemon ? fact(status, "pid") : NULL, "started", fact(status, "started"),
			   "source", fact(status, "source"), "abi", (int)control->abi, "abi_hash", hash,
			   "heartbeat_age_s", (json_int_t)status->heartbeat_age_s,
			   "sessions", (json_int_t)status->usage.sessions, "max_sessions", (json_int_t)control->max_sessions,
			   "mappings", (json_int_t)status->usage.mappings, "max_mappings", (json_int_t)control->max_mappings,
			   "drops", (json_int_t)status->drops, "accelerated", show_share_json(&status->counters),
			   "interfaces", interfaces);
	if (object && status->daemon)
		json_object_set(object, "daemon", status->daemon);
	return cli_print_json(object);
}

/* started: seconds since the epoch, or text. */
static void print_since(const json_t *started)
{
	char text[64], age[24];
	time_t when = (time_t)json_integer_value(started);

	if (json_is_string(started)) {
		printf(", since %s", json_string_value(started));
	} else if (json_is_integer(started)) {
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", localtime(&when));
		printf(", since %s (%s)", text, human_seconds((uint64_t)(time(NULL) - when), age));
	}
}

static void print_daemon(const struct status *status)
{
	const char *source = json_string_value(fact(status, "source"));

	printf("instance    %s\n", status->opts->instance);
	if (status->daemon) {
		printf("daemon      running, pid %lld", (long long)json_integer_value(fact(status, "pid")));
		print_since(fact(status, "started"));
		putchar('\n');
	} else {
		printf("daemon      not running; its datapath goes on by itself (%s)\n", status->why_not);
	}
	printf("config      %s\n", source ? source : "unknown");
}

/* What the daemon knows beside the maps: interfaces that it waits for or cannot serve, and why XDP is off. */
static void print_notes(const struct status *status)
{
	json_t *interfaces = json_object_get(status->daemon, "interfaces"), *entry;
	const char *name, *trouble, *why_off;
	size_t i;

	json_array_foreach(interfaces, i, entry) {
		name = json_string_value(json_object_get(entry, "name"));
		trouble = json_string_value(json_object_get(entry, "trouble"));
		why_off = json_string_value(json_object_get(entry, "xdp_why_off"));
		if (trouble)
			printf("%s: %s\n", name, trouble);
		else if (json_is_false(json_object_get(entry, "present")))
			printf("%s: waited for\n", name);
		if (why_off)
			printf("%s: no XDP: %s\n", name, why_off);
	}
	trouble = json_string_value(json_object_get(status->daemon, "conflict"));
	if (trouble)
		puts(trouble);
	if (json_is_true(json_object_get(status->daemon, "unconfirmed")))
		puts("the configuration waits for `natvi confirm`, and goes back without it");
}

static void print_interfaces(const struct status *status)
{
	struct table *table = table_new("INTERFACE|STATE|XDP|TC");

	for (size_t i = 0; table && i < status->ports->n; i++) {
		const struct port_hooks *h = &status->ports->list[i];

		table_add(table, h->port.name);
		table_add(table, !h->present ? "elsewhere" : h->port.flags & PORT_DOWN ? "down" : "up");
		table_add(table, h->xdp);
		table_add(table, h->tc_in && h->tc_out ? "in+out" : h->tc_in ? "in" : h->tc_out ? "out" : "off");
	}
	if (table)
		table_print(table, stdout);
	table_free(table);
}

static void print_held(const json_t *park, const char *name, const char *text)
{
	const json_t *counts = json_object_get(park, name);
	static const char *const words[] = { "held", "parked", "released", "expired", "refused", "repeated" };
	size_t i;

	printf("%-12s", text);
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		printf("%s%lld %s", i ? ", " : "", (long long)json_integer_value(json_object_get(counts, words[i])), words[i]);
	putchar('\n');
}

/* What waits with the daemon. */
static void print_park(const struct status *status)
{
	const json_t *park = json_object_get(status->daemon, "park");
	const char *interface = json_string_value(json_object_get(park, "interface"));

	if (!park)
		return;
	if (interface)
		printf("park        %s, %lld bytes\n", interface, (long long)json_integer_value(json_object_get(park, "bytes")));
	else
		puts("park        none: no tap device; `natvi doctor` says why");
	print_held(park, "fragments", "fragments");
	print_held(park, "syns", "SYNs");
}

static void print_text(const struct status *status)
{
	const struct control *control = &status->maps->control;
	char age[24];

	print_daemon(status);
	printf("heartbeat   %s ago\n", human_seconds(status->heartbeat_age_s, age));
	printf("tables      version %u (%016" PRIx64 ")\n", control->abi, (uint64_t)control->abi_hash);
	printf("sessions    %u of %u\n", status->usage.sessions, control->max_sessions);
	printf("mappings    %u of %u\n", status->usage.mappings, control->max_mappings);
	printf("drops       %" PRIu64 " packets%s\n", status->drops, status->drops ? "; `natvi show drops` says why" : "");
	if (show_accelerates(status->maps, &status->counters)) {
		printf("accelerated ");
		show_share_text(&status->counters);
	}
	print_park(status);
	putchar('\n');
	print_interfaces(status);
	print_notes(status);
}

int cmd_status(int argc, char **argv)
{
	struct cli_opts opts;
	struct status status = { .opts = &opts };
	int code;

	if (!cli_parse_plain(argc, argv, CLI_TAKES_JSON, &opts, &code))
		return code;
	code = read_maps(&status);
	if (!code) {
		ask_daemon(&status);
		if (opts.json)
			code = print_json(&status);
		else
			print_text(&status);
		if (!code && !status.daemon)
			code = CLI_ABSENT;
	}
	json_decref(status.daemon);
	ports_free(status.ports);
	names_close(status.names);
	maps_close(status.maps);
	return code;
}
