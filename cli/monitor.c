/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * monitor.c - `natvi monitor`: a line for each session that begins or ends, and for each MAC address that moves on a wire, until interrupted. Reads the
 * pinned ring by itself; the daemon may be dead.
 */
#include <errno.h>
#include <net/if.h>
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
	const struct maps *maps;
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
	case EVENT_NEIGHBOUR_MOVED: return "moved";
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

/* Names of wires and ports are looked up as they are now: moves are rare. */
static void moved_port(const struct monitor *monitor, const struct event *e, char wire[NATVI_NAME_LEN], char port[IF_NAMESIZE])
{
	struct wire w = { .name = "" };

	if (maps_wire(monitor->maps, e->orig.zone, &w) || !w.name[0])
		snprintf(w.name, sizeof(w.name), "#%u", e->orig.zone);
	memcpy(wire, w.name, NATVI_NAME_LEN);
	if (!if_indextoname(w.port[e->verdict & 1], port))
		snprintf(port, IF_NAMESIZE, "-");
}

static bool has_address(const struct event *e)
{
	return e->orig.src.quad[0] || e->orig.src.quad[1];
}

static void print_moved_json(const struct monitor *monitor, const struct event *e)
{
	char wire[NATVI_NAME_LEN], port[IF_NAMESIZE], mac[MAC_TEXT_LEN];
	struct line line;

	moved_port(monitor, e, wire, port);
	line_reset(&line);
	line_json_open(&line, NULL);
	line_json_text(&line, "event", kind_name(e->kind));
	line_json_number(&line, "time", (uint64_t)wall(e->time_s));
	line_json_text(&line, "wire", wire);
	line_json_text(&line, "from_mac", show_mac(e->mac[0], mac));
	line_json_text(&line, "to_mac", show_mac(e->mac[1], mac));
	line_json_text(&line, "port", port);
	if (has_address(e))
		line_json_addr(&line, "addr", &e->orig.src);
	line_json_text(&line, "reason", e->reason == MOVED_BY_ARP ? "arp" : "packet");
	line_json_close(&line);
	puts(line.text);
}

static void print_moved(const struct monitor *monitor, const struct event *e, const char *clock)
{
	char wire[NATVI_NAME_LEN], port[IF_NAMESIZE], mac[MAC_TEXT_LEN];
	struct line line;

	moved_port(monitor, e, wire, port);
	line_reset(&line);
	line_text(&line, show_mac(e->mac[0], mac));
	line_text(&line, " is ");
	line_text(&line, show_mac(e->mac[1], mac));
	line_text(&line, " now, at ");
	line_text(&line, port);
	if (has_address(e)) {
		line_text(&line, ": it has ");
		line_addr(&line, &e->orig.src);
	}
	printf("%s %-9s %-4s %s (by %s)\n", clock, kind_name(e->kind), wire, line.text, e->reason == MOVED_BY_ARP ? "ARP" : "a packet");
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
	if (e->kind == EVENT_NEIGHBOUR_MOVED) {
		print_moved(monitor, e, clock);
		return;
	}
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

	if (monitor->opts->json && event->kind == EVENT_NEIGHBOUR_MOVED)
		print_moved_json(monitor, event);
	else if (monitor->opts->json)
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
	names = names_open(opts.instance);
	monitor = (struct monitor){ .opts = &opts, .names = names, .maps = maps };
	ret = events_open(&events, opts.instance, one_event, &monitor, err, sizeof(err));
	if (ret) {
		names_close(names);
		maps_close(maps);
		return cli_error(CLI_FAIL, "%s", err);
	}
	code = follow(events);
	events_close(events);
	names_close(names);
	maps_close(maps);
	return code;
}
