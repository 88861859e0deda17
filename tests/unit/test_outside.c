/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/outside.c daemon/announce.c daemon/routes.c daemon/links.c */
/*
 * test_outside.c - outside addresses that no interface owns: their ranges, prefixes, routes, and what is announced where.
 */
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/announce.h"
#include "daemon/outside.h"
#include "daemon/routes.h"
#include "lib/addr.h"

#define IFS	"interfaces: [lan0, wan0, wan1]\n"
#define RULE	"rules: [{name: out, from: {interface: lan0}, to: {interface: wan0}, action: {snat: p}}]\n"
#define POOL(addrs)	IFS "pools: [{name: p, addresses: [" addrs "]}]\n" RULE
#define ZONES	"zones: [{name: red, table: 100}, {name: blue, table: 101}]\n" \
		"interfaces: [{name: lan0, zone: red}, {name: wan0, zone: blue}, wan1]\n"

static struct link test_links[] = {
	{ .ifindex = 2, .name = "lan0", .flags = IFF_UP }, { .ifindex = 3, .name = "wan0", .flags = IFF_UP },
	{ .ifindex = 4, .name = "wan1", .flags = IFF_UP },
};

/* "wan0 203.0.113.1/24 lan0 198.18.0.1/24" */
static struct links picture(const char *text)
{
	struct links links = { .list = test_links, .n = sizeof(test_links) / sizeof(test_links[0]) };
	char *copy = strdup(text), *save = NULL, *name, *slash, *value;
	struct ifaddr4 addr;

	links.addrs = calloc(16, sizeof(*links.addrs));
	for (name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		value = strtok_r(NULL, " ", &save);
		slash = strchr(value, '/');
		addr = (struct ifaddr4){ .ifindex = links_by_name(&links, name)->ifindex, .len = (uint8_t)atoi(slash + 1) };
		*slash = '\0';
		assert_int_equal(addr_parse4(value, &addr.addr), 0);
		links.addrs[links.n_addrs++] = addr;
	}
	free(copy);
	return links;
}

static struct config *read_config(const char *yaml)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;

	if (config_read_text(yaml, strlen(yaml), "test.yaml", &config, &errors)) {
		cfg_errors_print(NULL, "test.yaml", &errors, stderr);
		fail();
	}
	cfg_errors_free(&errors);
	return config;
}

static void expect_outsides(const char *yaml, const char *addresses, const char *expected)
{
	struct config *config = read_config(yaml);
	struct links links = picture(addresses);
	struct outsides outsides;
	char text[1024] = "", range[ADDR_RANGE_LEN];
	size_t i;

	assert_int_equal(outside_list(config, &links, &outsides), 0);
	for (i = 0; i < outsides.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 addr_print_range4(outsides.list[i].lo, outsides.list[i].hi, range));
	assert_string_equal(text, expected);
	outside_free(&outsides);
	free(links.addrs);
	config_free(config);
}

static void ranges(void **state)
{
	expect_outsides(POOL("192.0.2.0/28, 192.0.2.16-192.0.2.19, 192.0.2.30"), "", "192.0.2.0-192.0.2.19 192.0.2.30");
	expect_outsides(POOL("192.0.2.0/28"), "wan0 192.0.2.0/24 wan1 192.0.2.15/32", "192.0.2.1-192.0.2.14");
	expect_outsides(POOL("192.0.2.0/30"), "wan0 192.0.2.2/24 wan1 192.0.2.2/24 lan0 192.0.2.1/32", "192.0.2.0 192.0.2.3");
	expect_outsides(POOL("192.0.2.1"), "wan0 192.0.2.1/24", "");
	expect_outsides(POOL("1.0.0.0, 223.255.255.128/25"), "", "1.0.0.0 223.255.255.128/25");
	expect_outsides(POOL("192.0.2.0/30") "forwards: [{proto: tcp, external: \"192.0.2.1:80\", internal: 198.18.0.2},"
			" {proto: tcp, external: \"192.0.2.4:80\", internal: 198.18.0.2},"
			" {proto: tcp, external: \"wan0:80\", internal: 198.18.0.2}]\n", "wan0 203.0.113.1/24", "192.0.2.0/30 192.0.2.4");
	expect_outsides(IFS "rules: [{from: {interface: lan0, source: 198.18.0.0/29}, to: {interface: wan0}, action: {netmap: 192.0.2.8/29}},"
			" {from: {interface: lan0, source: 198.18.1.1}, to: {interface: wan0}, action: {static: 192.0.2.16}}]\n", "",
			"192.0.2.8/29 192.0.2.16");
}

static void expect_routes(const char *yaml, const char *addresses, const char *expected)
{
	struct config *config = read_config(yaml);
	struct links links = picture(addresses);
	struct route_list routes;
	char text[1024] = "", prefix[ADDR_TEXT_LEN];
	size_t i;

	assert_int_equal(routes_wanted(config, &links, &routes), 0);
	for (i = 0; i < routes.n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s@%u", i ? " " : "",
			 addr_print_prefix4(routes.list[i].addr, routes.list[i].len, prefix), routes.list[i].table);
		assert_true(route_list_has(&routes, &routes.list[i]));
	}
	assert_string_equal(text, expected);
	route_list_free(&routes);
	free(links.addrs);
	config_free(config);
}

static void prefixes(void **state)
{
	assert_int_equal(outside_prefix(0, 0xffffffff), 0);
	assert_int_equal(outside_prefix(1, 0xffffffff), 32);
	assert_int_equal(outside_prefix(0xffffffff, 0xffffffff), 32);
	assert_int_equal(outside_prefix(0xc0000200, 0xc000020e), 29);
	expect_routes(POOL("192.0.2.1-192.0.2.6"), "", "192.0.2.1@254 192.0.2.2/31@254 192.0.2.4/31@254 192.0.2.6@254");
	expect_routes(POOL("223.255.255.0-223.255.255.255"), "", "223.255.255.0/24@254");
	expect_routes(POOL("192.0.2.0/28"), "wan0 192.0.2.7/24",
		      "192.0.2.0/30@254 192.0.2.4/31@254 192.0.2.6@254 192.0.2.8/29@254");
}

static void tables(void **state)
{
	expect_routes(ZONES "pools: [{name: p, addresses: [192.0.2.0/28], zone: red}, {name: q, addresses: [192.0.2.32]},"
		      " {name: r, addresses: [192.0.2.0/28], zone: blue}, {name: s, addresses: [192.0.2.64], zone: global}]\n"
		      "rules: [{from: {zone: red}, to: {zone: blue}, action: {snat: r}}, {from: {zone: red}, to: {zone: global}, action: {snat: q}}]\n",
		      "", "192.0.2.0/28@100 192.0.2.0/28@101 192.0.2.32@254 192.0.2.64@254");
}

static void expect_spans(const char *yaml, const char *addresses, size_t interface, const char *expected)
{
	struct config *config = read_config(yaml);
	struct links links = picture(addresses);
	struct outsides outsides;
	struct spans spans;
	char text[1024] = "", range[ADDR_RANGE_LEN];
	size_t i;

	assert_int_equal(outside_list(config, &links, &outsides), 0);
	assert_int_equal(announce_spans(config, &links, &outsides, interface, &spans), 0);
	for (i = 0; i < spans.n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 addr_print_range4(spans.list[i].lo, spans.list[i].hi, range));
	assert_string_equal(text, expected);
	free(spans.list);
	outside_free(&outsides);
	free(links.addrs);
	config_free(config);
}

static void announced(void **state)
{
	expect_spans(POOL("203.0.113.32/30, 192.0.2.0/28"), "wan0 203.0.113.1/24", 1, "203.0.113.32/30");
	expect_spans(POOL("203.0.113.32/30, 192.0.2.0/28"), "wan0 203.0.113.1/24", 0, "");
	/* no network and no broadcast address, and none that is owned */
	expect_spans(POOL("203.0.113.0/24"), "wan0 203.0.113.1/24", 1, "203.0.113.2-203.0.113.254");
	expect_spans(POOL("203.0.112.0/23"), "wan0 203.0.113.254/24", 1, "203.0.113.1-203.0.113.253");
	expect_spans(POOL("203.0.113.1"), "wan0 203.0.113.0/31", 1, "203.0.113.1");
	expect_spans(POOL("203.0.113.1"), "wan0 203.0.113.2/32", 1, "");
	/* one voice a subnet; two subnets of one interface; one address of two subnets once */
	expect_spans(POOL("203.0.113.32"), "wan0 203.0.113.1/24 wan1 203.0.113.2/24", 2, "");
	expect_spans(POOL("203.0.113.32, 192.0.2.9"), "wan0 203.0.113.1/24 wan0 192.0.2.1/24 wan1 198.51.100.1/24", 1,
		     "192.0.2.9 203.0.113.32");
	expect_spans(POOL("203.0.113.32"), "wan0 203.0.113.1/24 wan0 203.0.113.2/24 wan0 203.0.113.3/25", 1, "203.0.113.32");
	/* a zone's are told in that zone; the same subnet in two zones has two voices */
	expect_spans(ZONES "pools: [{name: p, addresses: [203.0.113.32], zone: red}, {name: q, addresses: [203.0.113.33]}]\n"
		     "rules: [{from: {zone: blue}, to: {zone: red}, action: {snat: p}}, {from: {zone: red}, to: {zone: blue}, action: {snat: q}}]\n",
		     "lan0 203.0.113.1/24 wan0 203.0.113.1/24", 0, "203.0.113.32 203.0.113.33");
	expect_spans(ZONES "pools: [{name: p, addresses: [203.0.113.32], zone: red}, {name: q, addresses: [203.0.113.33]}]\n"
		     "rules: [{from: {zone: blue}, to: {zone: red}, action: {snat: p}}, {from: {zone: red}, to: {zone: blue}, action: {snat: q}}]\n",
		     "lan0 203.0.113.1/24 wan0 203.0.113.1/24", 1, "203.0.113.33");
}

static void news(void **state)
{
	struct span now[] = { { 10, 20 }, { 30, 40 }, { 0xfffffff0, 0xffffffff } }, before[] = { { 12, 14 }, { 16, 32 }, { 41, 50 } };
	struct spans a = { now, 3 }, b = { before, 3 }, none = { NULL, 0 }, out;

	assert_int_equal(announce_new(&a, &b, &out), 0);
	assert_int_equal(out.n, 4);
	assert_memory_equal(out.list, ((struct span[]){ { 10, 11 }, { 15, 15 }, { 33, 40 }, { 0xfffffff0, 0xffffffff } }), 4 * sizeof(*out.list));
	free(out.list);
	assert_int_equal(announce_new(&a, &a, &out), 0);
	assert_int_equal(out.n, 0);
	assert_int_equal(announce_new(&none, &a, &out), 0);
	assert_int_equal(out.n, 0);
}

static void count_advice(const char *subject, const char *text, void *arg)
{
	snprintf(arg, 512, "%s: %.60s", subject, text);
}

static int advise(const char *yaml, const char *addresses, char text[512])
{
	struct config *config = read_config(yaml);
	struct links links = picture(addresses);
	int told;

	text[0] = '\0';
	told = outside_advise(config, &links, count_advice, text);
	free(links.addrs);
	config_free(config);
	return told;
}

static void advice(void **state)
{
	char text[512];

	assert_int_equal(advise(POOL("203.0.113.32/30"), "wan0 203.0.113.1/24", text), 0);
	assert_int_equal(advise(POOL("203.0.113.32/30, 192.0.2.0/28"), "wan0 203.0.113.1/24", text), 1);
	assert_non_null(strstr(text, "pool \"p\": in no connected subnet"));
	assert_int_equal(advise(POOL("203.0.113.1"), "wan0 203.0.113.1/24", text), 0);
	test_links[2].flags = 0;
	assert_int_equal(advise(POOL("203.0.113.32/30"), "wan0 203.0.113.1/24", text), 0);
	assert_int_equal(advise(POOL("192.0.2.0/28"), "wan0 203.0.113.1/24", text), 1);
	assert_non_null(strstr(text, "interfaces: wan1 not here"));
	test_links[2].flags = IFF_UP;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges), cmocka_unit_test(prefixes), cmocka_unit_test(tables), cmocka_unit_test(announced),
		cmocka_unit_test(news), cmocka_unit_test(advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
