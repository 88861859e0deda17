/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * show_stats.c - `show stats` and `show drops`: how packets and sessions ended, summed over all CPUs.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/show.h"
#include "lib/table.h"
#include "lib/verdict.h"

static json_t *verdict_json(const struct counters *counters, unsigned int v)
{
	return json_pack("{s:s, s:s, s:I, s:I, s:s}", "name", verdict_name(v),
			 "class", verdict_class_name(verdict_class(v)), "packets", (json_int_t)counters->packets[v],
			 "bytes", (json_int_t)counters->bytes[v], "text", verdict_text(v));
}

static void verdict_row(struct table *table, const struct counters *counters, unsigned int v)
{
	table_add(table, verdict_name(v));
	table_add(table, verdict_class_name(verdict_class(v)));
	table_addf(table, "%llu", (unsigned long long)counters->packets[v]);
	table_addf(table, "%llu", (unsigned long long)counters->bytes[v]);
	table_add(table, verdict_text(v));
}

static json_t *ended_json(const struct counters *counters)
{
	json_t *object = json_object();

	for (unsigned int r = 0; r < END_COUNT; r++)
		json_object_set_new(object, end_reason_name(r), json_integer((json_int_t)counters->ended[r]));
	return object;
}

bool show_accelerates(const struct maps *maps, const struct counters *counters)
{
	return (maps->control.flags & CONTROL_ACCEL) || counters->packets[VERDICT_ACCELERATED];
}

json_t *show_share_json(const struct counters *counters)
{
	struct share s = counters_share(counters);

	return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "packets", (json_int_t)s.packets, "bytes", (json_int_t)s.bytes,
			 "of_packets", (json_int_t)s.all_packets, "of_bytes", (json_int_t)s.all_bytes,
			 "packets_share", share_of(s.packets, s.all_packets), "bytes_share", share_of(s.bytes, s.all_bytes));
}

void show_share_text(const struct counters *counters)
{
	struct share s = counters_share(counters);
	char bytes[16], all[16];

	printf("%llu of %llu packets (%.1f %%), %s of %s bytes (%.1f %%)\n", (unsigned long long)s.packets,
	       (unsigned long long)s.all_packets, 100 * share_of(s.packets, s.all_packets), human_bytes(s.bytes, bytes),
	       human_bytes(s.all_bytes, all), 100 * share_of(s.bytes, s.all_bytes));
}

static json_t *stats_json(const struct counters *counters, const struct usage *usage)
{
	json_t *list = json_array();

	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		json_array_append_new(list, verdict_json(counters, v));
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:i, s:i}", "accelerated", show_share_json(counters), "ended", ended_json(counters), "verdicts", list, "xdp_hits", (json_int_t)counters->xdp_hits,
			 "events_lost", (json_int_t)counters->events_lost, "icmp_suppressed", (json_int_t)counters->icmp_suppressed,
			 "sessions", (int)usage->sessions, "mappings", (int)usage->mappings);
}

static int ended_text(const struct counters *counters)
{
	struct table *table = table_new("ENDED|>SESSIONS|MEANING");
	int ret;

	if (!table)
		return cli_error(CLI_FAIL, "no memory");
	for (unsigned int r = 0; r < END_COUNT; r++) {
		table_add(table, end_reason_name(r));
		table_addf(table, "%llu", (unsigned long long)counters->ended[r]);
		table_add(table, end_reason_text(r));
	}
	putchar('\n');
	ret = table_print(table, stdout);
	table_free(table);
	return ret ? CLI_FAIL : CLI_OK;
}

static int stats_text(const struct show *show, const struct counters *counters)
{
	struct table *table = table_new("VERDICT|CLASS|>PACKETS|>BYTES|MEANING");
	int ret;

	if (!table)
		return cli_error(CLI_FAIL, "no memory");
	for (int class = VERDICT_CLASS_SEND; class <= VERDICT_CLASS_DROP; class++)
		for (unsigned int v = 0; v < VERDICT_COUNT; v++)
			if (verdict_class(v) == (enum verdict_class)class)
				verdict_row(table, counters, v);
	ret = table_print(table, stdout);
	table_free(table);
	if (!ret)
		ret = ended_text(counters);
	printf("\n%llu of the forwarded left at XDP; %llu own ICMP errors suppressed by their rate limit; %llu events lost\n",
	       (unsigned long long)counters->xdp_hits, (unsigned long long)counters->icmp_suppressed,
	       (unsigned long long)counters->events_lost);
	if (show_accelerates(show->maps, counters)) {
		printf("accelerated: ");
		show_share_text(counters);
	}
	return ret ? CLI_FAIL : CLI_OK;
}

int show_stats(struct show *show)
{
	struct counters counters;
	struct usage usage;
	int ret = maps_counters(show->maps, &counters);

	if (!ret)
		ret = maps_usage(show->maps, &usage);
	if (ret)
		return cli_error(CLI_FAIL, "cannot read the counters: %s", strerror(-ret));
	return show->opts->json ? cli_print_json(stats_json(&counters, &usage)) : stats_text(show, &counters);
}

static bool dropped(const struct counters *counters, unsigned int v)
{
	return verdict_class(v) == VERDICT_CLASS_DROP && counters->packets[v];
}

static int drops_json(const struct counters *counters)
{
	json_t *list = json_array();

	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		if (dropped(counters, v))
			json_array_append_new(list, verdict_json(counters, v));
	return cli_print_json(json_pack("{s:o}", "drops", list));
}

int show_drops(struct show *show)
{
	struct counters counters;
	struct table *table;
	int ret = maps_counters(show->maps, &counters);

	if (ret)
		return cli_error(CLI_FAIL, "cannot read the counters: %s", strerror(-ret));
	if (show->opts->json)
		return drops_json(&counters);
	table = table_new("REASON|>PACKETS|>BYTES|MEANING");
	if (!table)
		return cli_error(CLI_FAIL, "no memory");
	for (unsigned int v = 0; v < VERDICT_COUNT; v++) {
		if (!dropped(&counters, v))
			continue;
		table_add(table, verdict_name(v));
		table_addf(table, "%llu", (unsigned long long)counters.packets[v]);
		table_addf(table, "%llu", (unsigned long long)counters.bytes[v]);
		table_add(table, verdict_text(v));
	}
	if (table_rows(table))
		ret = table_print(table, stdout);
	else
		puts("no drops");
	table_free(table);
	return ret ? CLI_FAIL : CLI_OK;
}
