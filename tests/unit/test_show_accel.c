/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: cli/show.c cli/show_sessions.c cli/show_unaccelerated.c cli/accel_view.c cli/show_rules.c cli/show_stats.c cli/show_tables.c cli/show_wires.c cli/common.c cli/ports.c daemon/pins.c daemon/tc.c */
/*
 * test_show_accel.c - what `show sessions` prints of accelerated connections, as text and JSON, from buckets in memory; and
 * the share of all traffic.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show.h"
#include "lib/addr.h"
#include "lib/session.h"
#include "lib/verdict.h"

const struct cli_command cli_commands[] = { { .name = NULL } };

static struct bucket buckets[4];
static struct maps maps = { .flows = buckets, .n_buckets = 4 };
static struct port_hooks hooks[] = {
	{ .port = { .ifindex = 2, .name = "lan0" }, .xdp = "native" }, { .port = { .ifindex = 3, .name = "wan0" }, .xdp = "off" },
};
static struct ports ports = { hooks, 2 };
static struct cli_opts opts;
static struct zone zones[NATVI_MAX_ZONES];	/* none */
static struct show show;

static int clear(void **state)
{
	memset(buckets, 0, sizeof(buckets));
	opts = (struct cli_opts){ .limit = -1 };
	show = (struct show){ .opts = &opts, .maps = &maps, .ports = &ports, .zones = zones, .names = names_from_json(NULL) };
	assert_non_null(show.names);
	return 0;
}

static int done(void **state)
{
	names_close(show.names);
	filter_free(&show.filter);
	ct_masters_free(&show.masters);
	return 0;
}

static struct tuple tuple(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t proto)
{
	struct tuple t = { .sport = htons(sport), .dport = htons(dport), .proto = proto };

	assert_int_equal(addr_parse(src, &t.src), 0);
	assert_int_equal(addr_parse(dst, &t.dst), 0);
	return t;
}

static struct flow *put(uint32_t slot, const struct tuple *key, const struct tuple *out, uint8_t flags, uint32_t oif)
{
	struct flow *flow = &buckets[0].flow[slot];

	flow->key = *key;
	flow->new_src = out->src;
	flow->new_dst = out->dst;
	flow->new_sport = out->sport;
	flow->new_dport = out->dport;
	flow->flags = flags;
	flow->oif = oif;
	flow->idle_s = NATVI_ACCEL_IDLE_S;
	flow->last_seen_s = maps_now_s();
	flow->tcp_seen = SEEN_SYN | SEEN_ACK;
	buckets[0].tag[slot] = TAG_LIVE | slot;
	return flow;
}

static void put_session(uint32_t slot, const struct tuple *orig, const struct tuple *reply, uint8_t flags)
{
	struct tuple out = { .src = reply->dst, .dst = reply->src, .sport = reply->dport, .dport = reply->sport };
	struct tuple back = { .src = orig->dst, .dst = orig->src, .sport = orig->dport, .dport = orig->sport };

	put(slot, orig, &out, FLOW_ORIG | flags, 3)->packets = 7;
	put(slot + 1, reply, &back, flags, 2)->bytes = 4096;
}

/* The data connection of a transfer that conntrack translates, an IPv6 one, and one of natvi's own. */
static void put_three(void)
{
	struct tuple ftp = tuple("198.18.0.10", 40001, "203.0.113.9", 50000, IPPROTO_TCP);
	struct tuple ftp_back = tuple("203.0.113.9", 50000, "192.0.2.2", 40001, IPPROTO_TCP);
	struct tuple six = tuple("2001:db8::1", 1000, "2001:db8:1::2", 443, IPPROTO_UDP);
	struct tuple six_back = tuple("2001:db8:1::2", 443, "2001:db8::1", 1000, IPPROTO_UDP);
	struct tuple web = tuple("198.18.0.10", 40002, "203.0.113.9", 80, IPPROTO_TCP);
	struct tuple web_back = tuple("203.0.113.9", 80, "192.0.2.3", 40002, IPPROTO_TCP);
	struct ct_entry child = { .orig = ftp, .has_master = true, .master = tuple("198.18.0.10", 40000, "203.0.113.9", 21, IPPROTO_TCP) };

	put_session(0, &ftp, &ftp_back, FLOW_ACCEL);
	put_session(2, &six, &six_back, FLOW_ACCEL | FLOW_XDP);
	put_session(4, &web, &web_back, 0);
	assert_int_equal(ct_masters_add(&show.masters, &child), 0);
	ct_masters_sort(&show.masters);
}

/* What a subject prints; the caller frees it. */
static char *print(int (*subject)(struct show *))
{
	FILE *real = stdout;
	char *text = NULL;
	size_t len;
	int code;

	stdout = open_memstream(&text, &len);
	assert_non_null(stdout);
	code = subject(&show);
	fclose(stdout);
	stdout = real;
	assert_int_equal(code, CLI_OK);
	return text;
}

static void must_have(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("\"%s\" is not in:\n%s", words, text);
}

static void test_text(void **state)
{
	char *text;

	put_three();
	text = print(show_sessions);
	must_have(text, "  MASTER\n");
	must_have(text, "tcp    accelerated  198.18.0.10:40001 -> 203.0.113.9:50000");
	must_have(text, "203.0.113.9:50000 -> 192.0.2.2:40001");
	must_have(text, "child of tcp 198.18.0.10:40000 -> 203.0.113.9:21\n");
	must_have(text, "udp    accelerated  [2001:db8::1]:1000 -> [2001:db8:1::2]:443");
	must_have(text, "tcp    established  198.18.0.10:40002 -> 203.0.113.9:80");
	free(text);
}

/* Without accelerated sessions nothing is different. */
static void test_text_without(void **state)
{
	char *text;

	put_three();
	for (int slot = 0; slot < 4; slot++)
		buckets[0].tag[slot] = TAG_FREE;
	text = print(show_sessions);
	must_have(text, "  HOOK\n");
	assert_null(strstr(text, "child"));
	free(text);
}

static json_t *print_json(int (*subject)(struct show *))
{
	char *text;
	json_t *json;

	opts.json = true;
	text = print(subject);
	json = json_loads(text, 0, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

static const char *word(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_json(void **state)
{
	json_t *json, *list, *ftp, *six, *web;

	put_three();
	json = print_json(show_sessions);
	list = json_object_get(json, "sessions");
	ftp = json_array_get(list, 0);
	six = json_array_get(list, 1);
	web = json_array_get(list, 2);
	assert_int_equal(json_array_size(list), 3);
	assert_true(json_is_true(json_object_get(ftp, "accelerated")));
	assert_string_equal(word(ftp, "state"), "accelerated");
	assert_int_equal(json_integer_value(json_object_get(ftp, "rule_id")), 0);
	assert_string_equal(word(json_object_get(ftp, "master"), "proto"), "tcp");
	assert_string_equal(word(json_object_get(ftp, "master"), "src"), "198.18.0.10");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(ftp, "master"), "dport")), 21);
	assert_string_equal(word(ftp, "hook"), "tc");
	assert_string_equal(word(json_object_get(six, "orig"), "dst"), "2001:db8:1::2");
	assert_string_equal(word(six, "hook"), "xdp");
	assert_null(json_object_get(six, "master"));
	assert_true(json_is_false(json_object_get(web, "accelerated")));
	assert_null(json_object_get(web, "master"));
	json_decref(json);
}

static size_t count(char *const *words, int n)
{
	char err[256];
	json_t *json;
	size_t found;

	assert_int_equal(filter_from_words(&show.filter, n, words, err, sizeof(err)), 0);
	json = print_json(show_sessions);
	found = json_array_size(json_object_get(json, "sessions"));
	json_decref(json);
	filter_free(&show.filter);
	return found;
}

#define COUNT(...)	count((char *const []){ __VA_ARGS__ }, sizeof((char *const []){ __VA_ARGS__ }) / sizeof(char *))

static void test_filters(void **state)
{
	put_three();
	assert_int_equal(COUNT("accelerated"), 2);
	assert_int_equal(COUNT("state", "accelerated"), 2);
	assert_int_equal(COUNT("accelerated", "proto", "tcp"), 1);
	assert_int_equal(COUNT("proto", "udp", "accelerated"), 1);
	assert_int_equal(COUNT("host", "2001:db8::1"), 1);
	assert_int_equal(COUNT("host", "2001:db8::/32"), 1);
	assert_int_equal(COUNT("src", "2001:db8:1::/48"), 0);
	assert_int_equal(COUNT("src", "0.0.0.0/0"), 2);
	assert_int_equal(COUNT("src", "::/0"), 3);
	assert_int_equal(COUNT("state", "established"), 1);
}

static void test_share(void **state)
{
	struct counters counters = { 0 };
	double packets, bytes;
	struct share share;
	json_t *json;

	share = counters_share(&counters);
	assert_true(share_of(share.packets, share.all_packets) == 0);
	assert_false(show_accelerates(&maps, &counters));
	counters.packets[VERDICT_ACCELERATED] = 75;
	counters.packets[VERDICT_ACCEL_KERNEL] = 20;
	counters.packets[VERDICT_NO_RULE] = 5;
	counters.packets[VERDICT_ICMP_SENT] = 1000;		/* no packet of its own */
	counters.packets[VERDICT_FRAGMENT_PARKED] = 1000;	/* counted again */
	counters.bytes[VERDICT_ACCELERATED] = 1500;
	counters.bytes[VERDICT_TTL_EXCEEDED] = 1500;
	share = counters_share(&counters);
	assert_int_equal(share.packets, 75);
	assert_int_equal(share.all_packets, 100);
	assert_int_equal(share.bytes, 1500);
	assert_int_equal(share.all_bytes, 3000);
	assert_true(show_accelerates(&maps, &counters));
	json = show_share_json(&counters);
	assert_int_equal(json_unpack(json, "{s:f, s:f}", "packets_share", &packets, "bytes_share", &bytes), 0);
	assert_true(packets == 0.75 && bytes == 0.5);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text, clear, done),
		cmocka_unit_test_setup_teardown(test_text_without, clear, done),
		cmocka_unit_test_setup_teardown(test_json, clear, done),
		cmocka_unit_test_setup_teardown(test_filters, clear, done),
		cmocka_unit_test_setup_teardown(test_share, clear, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
