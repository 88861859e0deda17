/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * monitor.c - `natvi monitor`: a line for each session that begins or ends, until interrupted. Reads the
 * pinned ring by itself; the daemon may be dead.
 */
#include <errno.h>
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
	case EVENT_PORT_HELD: return "port-held";
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
	struct line line;

	line_reset(&line);
	line_json_open(&line, NULL);
	line_json_text(&line, "event", kind_name(e->kind));
	line_json_number(&line, "time", (uint64_t)wall(e->time_s));
	line_json_text(&line, "proto", addr_print_proto(e->orig.proto, proto));
	show_direction(&line, "orig", &e->orig, e->packets[0], e->bytes[0]);
	show_direction(&line, "reply", &e->reply, e->packets[1], e->bytes[1]);
	line_json_text(&line, "rule", names_rule(monitor->names, e->rule, rule));
	line_json_number(&line, "rule_id", e->rule);
	if (e->kind == EVENT_EXHAUSTED)
		line_json_text(&line, "verdict", verdict_name(e->verdict));
	if (e->kind == EVENT_SESSION_END)
		line_json_text(&line, "reason", end_reason_name(e->reason));
	line_json_close(&line);
	puts(line.text);
}

static void add_tuple(struct line *line, const struct tuple *t)
{
	show_endpoint(line, &t->src, t->sport, t->proto);
	line_text(line, " -> ");
	show_endpoint(line, &t->dst, t->dport, t->proto);
}

static void print_text(const struct monitor *monitor, const struct event *e)
{
	char clock[16], proto[PROTO_TEXT_LEN], rule[8], there[16], back[16];
	time_t when = wall(e->time_s);
	struct line line;

	line_reset(&line);
	add_tuple(&line, &e->orig);
	strftime(clock, sizeof(clock), "%H:%M:%S", localtime(&when));
	printf("%s %-9s %-4s %s", clock, kind_name(e->kind), addr_print_proto(e->orig.proto, proto), line.text);
	if (e->kind == EVENT_PORT_HELD) {
		puts(": a service of the box listens there, and this mapping is in the way (natvi doctor)");
		return;
	}
	if (e->kind == EVENT_EXHAUSTED) {
		printf(": %s\n", verdict_text(e->verdict));
		return;
	}
	line_reset(&line);
	add_tuple(&line, &e->reply);
	printf(" | reply %s | rule %s", line.text, names_rule(monitor->names, e->rule, rule));
	if (e->kind == EVENT_SESSION_END)
		printf(" | packets %llu/%llu bytes %s/%s | %s", (unsigned long long)e->packets[0],
		       (unsigned long long)e->packets[1], human_bytes(e->bytes[0], there), human_bytes(e->bytes[1], back),
		       end_reason_name(e->reason));
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
