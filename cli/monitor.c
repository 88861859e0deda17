/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * monitor.c - `natvi monitor`: a line for each session that begins or ends, until interrupted. Reads the
 * pinned ring by itself; the daemon may be dead.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/events.h"
#include "lib/table.h"
#include "lib/verdict.h"

struct monitor {
	const struct cli_opts *opts;
	const struct names *names;
};

static volatile sig_atomic_t ended;

static void on_signal(int signal)
{
	ended = signal;
}

static const char *kind_name(uint32_t kind)
{
	switch (kind) {
	case EVENT_SESSION_NEW: return "new";
	case EVENT_SESSION_END: return "end";
	case EVENT_EXHAUSTED: return "exhausted";
	default: return "unknown";
	}
}

/* Wall clock of a coarse monotonic second. */
static time_t wall(uint32_t time_s)
{
	return time(NULL) - (int32_t)(maps_now_s() - time_s);
}

static void print_json(const struct monitor *monitor, const struct event *e)
{
	char proto[PROTO_TEXT_LEN], rule[8];
	json_t *line = json_pack("{s:s, s:I, s:s, s:o, s:o, s:s, s:i}", "event", kind_name(e->kind),
				 "time", (json_int_t)wall(e->time_s), "proto", addr_print_proto(e->orig.proto, proto),
				 "orig", show_direction(&e->orig, e->packets[0], e->bytes[0]),
				 "reply", show_direction(&e->reply, e->packets[1], e->bytes[1]),
				 "rule", names_rule(monitor->names, e->rule, rule), "rule_id", e->rule);

	if (e->kind == EVENT_EXHAUSTED)
		json_object_set_new(line, "verdict", json_string(verdict_name(e->verdict)));
	json_dumpf(line, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(line);
}

static void print_tuple(const struct tuple *t)
{
	char src[ENDPOINT_LEN], dst[ENDPOINT_LEN];

	printf(" %s -> %s", show_endpoint(&t->src, t->sport, t->proto, src), show_endpoint(&t->dst, t->dport, t->proto, dst));
}

static void print_text(const struct monitor *monitor, const struct event *e)
{
	char clock[16], proto[PROTO_TEXT_LEN], rule[8], there[16], back[16];
	time_t when = wall(e->time_s);

	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&when));
	printf("%s %-9s %-4s", clock, kind_name(e->kind), addr_print_proto(e->orig.proto, proto));
	print_tuple(&e->orig);
	if (e->kind == EVENT_EXHAUSTED) {
		printf(": %s\n", verdict_text(e->verdict));
		return;
	}
	printf(" | reply");
	print_tuple(&e->reply);
	printf(" | rule %s", names_rule(monitor->names, e->rule, rule));
	if (e->kind == EVENT_SESSION_END)
		printf(" | packets %llu/%llu bytes %s/%s", (unsigned long long)e->packets[0], (unsigned long long)e->packets[1],
		       human_bytes(e->bytes[0], there), human_bytes(e->bytes[1], back));
	putchar('\n');
}

static void one_event(const struct event *event, void *arg)
{
	const struct monitor *monitor = arg;

	if (monitor->opts->json)
		print_json(monitor, event);
	else
		print_text(monitor, event);
}

static int follow(struct events *events)
{
	struct sigaction action = { .sa_handler = on_signal };
	int ret = 0;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	while (!ended && ret >= 0) {
		ret = events_poll(events, 1000);
		if (fflush(stdout))
			return CLI_FAIL;	/* nobody reads any more */
	}
	return ret < 0 && ret != -EINTR ? cli_error(CLI_FAIL, "cannot read events: %s", strerror(-ret)) : CLI_OK;
}

int cmd_monitor(int argc, char **argv)
{
	struct monitor monitor;
	struct events *events;
	struct cli_opts opts;
	struct names *names;
	struct maps *maps;
	char err[512];
	int code, ret;

	if (!cli_parse_plain(argc, argv, CLI_TAKES_JSON, &opts, &code))
		return code;
	ret = maps_open(&maps, opts.instance, err, sizeof(err));
	if (ret)
		return cli_error(cli_exit_of(ret), "%s", err);
	maps_close(maps);	/* it is there, and of this version */
	names = names_open(opts.instance);
	monitor = (struct monitor){ .opts = &opts, .names = names };
	ret = events_open(&events, opts.instance, one_event, &monitor, err, sizeof(err));
	if (ret) {
		names_close(names);
		return cli_error(CLI_FAIL, "%s", err);
	}
	code = follow(events);
	events_close(events);
	names_close(names);
	return code;
}
