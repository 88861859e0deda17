/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/plan.c daemon/plan_addrs.c daemon/plan_rules.c daemon/plan_zones.c daemon/addrs.c daemon/links.c */
/* What a rule of the configuration becomes in the datapath: traffic, zones, what is translated, and a netmap's way back. */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/plan.h"
#include "lib/addr.h"

static struct link test_links[] = {
	{ .ifindex = 2, .name = "lan0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER },
	{ .ifindex = 3, .name = "wan0", .flags = IFF_UP, .carrier = true, .mtu = 1400, .type = ARPHRD_ETHER },
	{ .ifindex = 4, .name = "red0", .flags = IFF_UP, .carrier = true, .mtu = 1500, .type = ARPHRD_ETHER },
};
static struct links picture = { .list = test_links, .n = 3 };
static struct pool_place no_places[NATVI_MAX_POOLS];

static struct cfg_interface interfaces[] = { { .name = "lan0" }, { .name = "wan0", .routed = true }, { .name = "red0", .zone = "red" } };
static struct cfg_zone zones[] = { { .name = "red", .table = 100 }, { .name = "blue", .vrf = "vrf-blue" } };
static char lan[1][IFNAMSIZ] = { "lan0" }, ways[2][IFNAMSIZ] = { "lan0", "red0" };
static char both[3][NATVI_NAME_LEN] = { "red", "blue", "" };
static struct cfg_prefix4 inside[] = { { 0xc6120000, 24 } };				/* 198.18.0.0/24 */
static struct cfg_prefix4 outside[] = { { 0xcb007100, 24 }, { 0xc0000200, 24 } };	/* 203.0.113.0/24, 192.0.2.0/24 */
static struct cfg_prefix4 net100 = { 0xc6336405, 24 };					/* 198.51.100.5/24 */
static struct cfg_ports sports[] = { { 1000, 1999 } }, dports[] = { { 80, 80 }, { 443, 443 } };
static uint8_t tcp[] = { 6 };

static struct plan plan;
static struct slots slots;

static const struct rule *build(const struct cfg_rule *rule, const char (*names)[NATVI_NAME_LEN])
{
	struct config config = { .source = "test", .zones = zones, .n_zones = 2, .interfaces = interfaces, .n_interfaces = 3,
				 .rules = (struct cfg_rule *)rule, .n_rules = 1 };
	struct plan_input input = { .config = &config, .links = &picture, .places = no_places, .zones = names };
	char err[512] = "";

	assert_int_equal(slots_init(&slots, 64), 0);
	if (plan_build(&plan, &input, &slots, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(plan.settings.n_rules, plan.n_rules);
	return plan.rules;
}

static int done(void **state)
{
	plan_free(&plan);
	slots_free(&slots);
	return 0;
}

static void traffic(void **state)
{
	static const struct {
		struct cfg_rule rule;
		uint8_t traffic;
		uint32_t flags;
	} list[] = {
		{ { .masquerade = true }, RULE_THROUGH, SETTINGS_NEED_OUT },
		{ { .action = ACTION_DROP }, RULE_THROUGH | RULE_TO_NET, SETTINGS_NEED_OUT },
		{ { .action = ACTION_DROP, .local = CFG_LOCAL_IN }, RULE_TO_BOX, SETTINGS_NEED_OUT | SETTINGS_TO_KNOWN },
		{ { .masquerade = true, .local = CFG_LOCAL_OUT }, RULE_FROM_BOX, SETTINGS_NEED_OUT | SETTINGS_FROM_BOX },
		{ { .dnat = true, .dst_net = { 0xc6120002, 32 } }, RULE_THROUGH | RULE_TO_BOX | RULE_TO_POOL | RULE_TO_NET, SETTINGS_TO_KNOWN },
		{ { .dnat = true, .dst_net = { 0xc6120002, 32 }, .local = CFG_LOCAL_IN }, RULE_TO_BOX, SETTINGS_TO_KNOWN },
		{ { .dnat = true, .dst_net = { 0xc6120002, 32 }, .local = CFG_LOCAL_OUT }, RULE_FROM_BOX, SETTINGS_FROM_BOX },
		{ { .dnat = true, .dst_net = { 0xc6120002, 32 }, .to = { .zones = both, .n_zones = 1 } },
		  RULE_THROUGH | RULE_TO_BOX | RULE_TO_POOL | RULE_TO_NET, SETTINGS_TO_KNOWN | SETTINGS_NEED_OUT },
	};
	const uint32_t mask = SETTINGS_NEED_OUT | SETTINGS_TO_KNOWN | SETTINGS_FROM_BOX;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		assert_int_equal(build(&list[i].rule, NULL)[0].traffic, list[i].traffic);
		assert_int_equal(plan.settings.flags & mask, list[i].flags);
		done(state);
	}
}

static void matches(void **state)
{
	struct cfg_rule rule = { .from = { .zones = both, .n_zones = 3 }, .to = { .zones = both, .n_zones = 2 }, .masquerade = true,
				 .dscp = 1ull << 46 | 1ull << 8, .mark = 0x10, .mark_mask = 0xff };
	const struct rule *r = build(&rule, NULL);
	unsigned int seen = 0;

	assert_int_equal(plan.n_rules, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(r[i].dscp, rule.dscp);
		assert_int_equal(r[i].mark, 0x10);
		assert_int_equal(r[i].mark_mask, 0xff);
		assert_int_equal(r[i].new_zone, ZONE_ANY);
		assert_int_equal(r[i].pool, POOL_MASQUERADE);
		assert_int_equal(r[i].flags, RULE_SNAT);
		assert_true(r[i].in_zone <= 2 && (r[i].out_zone == 1 || r[i].out_zone == 2));
		seen |= 1u << (r[i].in_zone * 2 + r[i].out_zone - 1);
	}
	assert_int_equal(seen, 0x3f);
	done(state);
	r = build(&(struct cfg_rule){ .action = ACTION_DROP }, NULL);
	assert_int_equal(r->in_zone, ZONE_ANY);
	assert_int_equal(r->out_zone, ZONE_ANY);
}

static void destination(void **state)
{
	struct cfg_rule rule = { .dnat = true, .dst_net = { 0xc6120002, 32 }, .dnat_ports = { 8080, 8080 }, .to = { .ports = dports, .n_ports = 1 } };
	const struct rule *r = build(&rule, NULL);

	assert_int_equal(r->flags, RULE_DNAT);
	assert_int_equal(addr_to4(&r->new_dst), 0xc6120002);
	assert_int_equal(r->new_port, 8080);
	assert_int_equal(r->new_port_hi, 8080);
	assert_int_equal(r->new_zone, ZONE_ANY);
	done(state);

	rule.dnat_ports = (struct cfg_ports){ 0 };
	rule.has_dnat_zone = true;
	r = build(&rule, NULL);
	assert_int_equal(r->new_port, 0);
	assert_int_equal(r->new_zone, 0);
	done(state);

	strcpy(rule.dnat_zone, "blue");
	rule.to.prefixes = outside;
	rule.to.n_prefixes = 2;
	rule.dst_net = net100;
	rule.masquerade = true;		/* twice NAT */
	r = build(&rule, NULL);
	assert_int_equal(plan.n_rules, 2);
	assert_int_equal(r->flags, RULE_SNAT | RULE_DST_NET);
	assert_int_equal(r->dst_len, 96 + 24);
	assert_int_equal(addr_to4(&r->new_dst), 0xc6336400);
	assert_int_equal(r->new_zone, 2);
}

static void netmap(void **state)
{
	struct cfg_rule rule = { .from = { .interfaces = ways, .n_interfaces = 2, .prefixes = inside, .n_prefixes = 1, .ports = sports, .n_ports = 1 },
				 .to = { .zones = both + 1, .n_zones = 2, .prefixes = outside, .n_prefixes = 1, .ports = dports, .n_ports = 2 },
				 .protos = tcp, .n_protos = 1, .netmap = true, .src_net = net100, .dscp = 1 };
	const struct rule *r = build(&rule, NULL);
	size_t i;

	assert_int_equal(plan.n_rules, 8 + 4);		/* the way back does not go by interface */
	for (i = 0; i < 8; i++) {
		assert_int_equal(r[i].flags, RULE_SRC_NET);
		assert_int_equal(addr_to4(&r[i].new_src), 0xc6336400);
		assert_int_equal(r[i].traffic, RULE_THROUGH);
	}
	for (; i < 12; i++) {
		assert_int_equal(r[i].id, 1);
		assert_int_equal(r[i].flags, RULE_DST_NET);
		assert_int_equal(r[i].traffic, RULE_THROUGH | RULE_TO_POOL | RULE_TO_BOX | RULE_TO_NET);
		assert_int_equal(r[i].in_ifindex, 0);
		assert_int_equal(r[i].out_ifindex, 0);
		assert_true(r[i].in_zone == 2 || r[i].in_zone == 0);
		assert_int_equal(r[i].out_zone, ZONE_ANY);
		assert_int_equal(r[i].new_zone, 0);	/* lan0's */
		assert_int_equal(addr_to4(&r[i].dst), 0xc6336400);
		assert_int_equal(r[i].dst_len, 96 + 24);
		assert_int_equal(addr_to4(&r[i].new_dst), 0xc6120000);
		assert_int_equal(addr_to4(&r[i].src), 0xcb007100);
		assert_int_equal(r[i].src_len, 96 + 24);
		assert_int_equal(r[i].proto, 6);
		assert_int_equal(r[i].dport_lo, 1000);
		assert_int_equal(r[i].dport_hi, 1999);
		assert_true(r[i].sport_lo == 80 || r[i].sport_lo == 443);
		assert_int_equal(r[i].dscp, 0);
	}
	assert_true(plan.settings.flags & SETTINGS_TO_KNOWN);
	done(state);

	/* its hosts' zone, named or that of their interface; from anywhere */
	rule = (struct cfg_rule){ .from = { .zones = both, .n_zones = 1, .prefixes = inside, .n_prefixes = 1 }, .netmap = true, .src_net = net100 };
	r = build(&rule, NULL);
	assert_int_equal(plan.n_rules, 2);
	assert_int_equal(r[1].new_zone, 1);
	assert_int_equal(r[1].in_zone, ZONE_ANY);
	assert_int_equal(r[1].src_len, 0);
	done(state);
	rule.from = (struct cfg_match){ .interfaces = ways + 1, .n_interfaces = 1, .prefixes = inside, .n_prefixes = 1 };
	assert_int_equal(build(&rule, NULL)[1].new_zone, 1);
}

/* Behind the rules, for the datapath's look at a connection of the kernel's only. */
static void exclusions(void **state)
{
	static struct cfg_ports sip[] = { { 5060, 5061 } };
	struct cfg_rule rule = { .action = ACTION_DROP }, excludes[] = {
		{ .from = { .interfaces = ways, .n_interfaces = 2, .prefixes = inside, .n_prefixes = 1 }, .to = { .ports = sip, .n_ports = 1 } },
		{ .to = { .zones = both, .n_zones = 1 }, .protos = tcp, .n_protos = 1, .dscp = 2, .mark = 7, .mark_mask = 0xff },
	};
	struct config config = { .source = "test", .zones = zones, .n_zones = 2, .interfaces = interfaces, .n_interfaces = 3,
				 .rules = &rule, .n_rules = 1, .accelerate = true, .excludes = excludes, .n_excludes = 2 };
	struct plan_input input = { .config = &config, .links = &picture, .places = no_places };
	char err[512] = "";
	const struct rule *r;

	assert_int_equal(slots_init(&slots, 64), 0);
	assert_int_equal(plan_build(&plan, &input, &slots, err, sizeof(err)), 0);
	r = plan.rules;
	assert_int_equal(plan.n_rules, 1 + 2 + 1);
	assert_int_equal(plan.settings.n_rules, 4);
	assert_true(plan.settings.flags & SETTINGS_EXCLUDE);
	assert_int_equal(r[0].traffic, RULE_THROUGH | RULE_TO_NET);
	assert_int_equal(r[0].id, 1);
	for (size_t i = 1; i < 4; i++) {
		assert_int_equal(r[i].traffic, RULE_EXCLUDE);
		assert_int_equal(r[i].id, 0);
		assert_int_equal(r[i].flags, 0);
	}
	assert_int_equal(r[1].in_ifindex, 2);
	assert_int_equal(r[2].in_ifindex, 4);
	assert_int_equal(addr_to4(&r[2].src), 0xc6120000);
	assert_int_equal(r[2].src_len, 96 + 24);
	assert_int_equal(r[2].dport_lo, 5060);
	assert_int_equal(r[2].dport_hi, 5061);
	assert_int_equal(r[2].proto, 0);
	assert_int_equal(r[2].out_zone, ZONE_ANY);
	assert_int_equal(r[3].out_zone, 1);
	assert_int_equal(r[3].in_zone, ZONE_ANY);
	assert_int_equal(r[3].src_len, 0);		/* of either family */
	assert_int_equal(r[3].sport_hi, 65535);
	assert_int_equal(r[3].proto, 6);
	assert_int_equal(r[3].dscp, 2);
	assert_int_equal(r[3].mark, 7);
	assert_int_equal(r[3].mark_mask, 0xff);
	done(state);

	config.n_excludes = 0;
	assert_int_equal(slots_init(&slots, 64), 0);
	assert_int_equal(plan_build(&plan, &input, &slots, err, sizeof(err)), 0);
	assert_int_equal(plan.n_rules, 1);
	assert_false(plan.settings.flags & SETTINGS_EXCLUDE);
}

/* All together have as many entries as there is room for. */
static void exclusions_beyond_the_limit(void **state)
{
	static struct cfg_ports ports[NATVI_MAX_RULES];
	struct cfg_rule rule = { .action = ACTION_DROP }, exclude = { .to = { .ports = ports, .n_ports = NATVI_MAX_RULES } };
	struct config config = { .source = "test", .interfaces = interfaces, .n_interfaces = 2, .rules = &rule, .n_rules = 1,
				 .accelerate = true, .excludes = &exclude, .n_excludes = 1 };
	struct plan_input input = { .config = &config, .links = &picture, .places = no_places };
	char err[512] = "";

	assert_int_equal(slots_init(&slots, 64), 0);
	assert_int_equal(plan_build(&plan, &input, &slots, err, sizeof(err)), -E2BIG);
	assert_non_null(strstr(err, "4097 entries"));
	slots_free(&slots);
	assert_int_equal(slots_init(&slots, 64), 0);
	exclude.to.n_ports--;
	assert_int_equal(plan_build(&plan, &input, &slots, err, sizeof(err)), 0);
	assert_int_equal(plan.n_rules, NATVI_MAX_RULES);
}

/* Two sites with one prefix: each sees the other by another one, whoever begins. */
static void netmap_twice(void **state)
{
	struct cfg_rule rule = { .from = { .zones = both, .n_zones = 1, .prefixes = inside, .n_prefixes = 1 },
				 .to = { .prefixes = outside, .n_prefixes = 1 }, .netmap = true, .src_net = net100, .dnat = true,
				 .dst_net = { 0xc6120000, 24 }, .has_dnat_zone = true, .dnat_zone = "blue" };
	const struct rule *r = build(&rule, NULL);

	assert_int_equal(plan.n_rules, 2);
	assert_int_equal(r[0].flags, RULE_SRC_NET | RULE_DST_NET);
	assert_int_equal(r[0].new_zone, 2);
	assert_int_equal(r[1].flags, RULE_SRC_NET | RULE_DST_NET);
	assert_int_equal(r[1].in_zone, 2);
	assert_int_equal(addr_to4(&r[1].src), 0xc6120000);
	assert_int_equal(r[1].src_len, 96 + 24);
	assert_int_equal(addr_to4(&r[1].new_src), 0xcb007100);
	assert_int_equal(addr_to4(&r[1].dst), 0xc6336400);
	assert_int_equal(addr_to4(&r[1].new_dst), 0xc6120000);
	assert_int_equal(r[1].new_zone, 1);
	done(state);

	/* many to one cannot be put back: what comes from there keeps its source */
	rule.dst_net = (struct cfg_prefix4){ 0xc6120007, 32 };
	r = build(&rule, NULL);
	assert_int_equal(r[0].flags, RULE_SRC_NET | RULE_DNAT);
	assert_int_equal(r[1].flags, RULE_DST_NET);
	assert_int_equal(r[1].src_len, 128);
	assert_int_equal(addr_to4(&r[1].src), 0xc6120007);
}

static void zones_keep_their_number(void **state)
{
	static const char names[NATVI_MAX_ZONES][NATVI_NAME_LEN] = { [1] = "gone", [3] = "blue" };
	char full[NATVI_MAX_ZONES][NATVI_NAME_LEN] = { "" };
	struct cfg_rule rule = { .from = { .interfaces = lan, .n_interfaces = 1 }, .action = ACTION_DROP };

	build(&rule, NULL);
	assert_int_equal(plan_zone(&plan, "red"), 1);
	assert_int_equal(plan_zone(&plan, "blue"), 2);
	assert_int_equal(plan_zone(&plan, ""), 0);
	assert_string_equal(plan.zones[0].name, "global");
	assert_string_equal(plan.zones[1].name, "red");
	assert_int_equal(plan.zones[1].table, 100);
	assert_int_equal(plan.ports[0].zone, 0);
	assert_int_equal(plan.ports[1].flags & PORT_ROUTED, PORT_ROUTED);
	assert_int_equal(plan.ports[2].zone, 1);
	done(state);

	build(&rule, names);
	assert_int_equal(plan_zone(&plan, "blue"), 3);
	assert_int_equal(plan_zone(&plan, "red"), 2);	/* not the number of the one that has gone */
	assert_string_equal(plan.zone_names[1], "gone");
	assert_string_equal(plan.zones[1].name, "");
	assert_int_equal(plan.ports[2].zone, 2);
	done(state);

	for (int i = 1; i < NATVI_MAX_ZONES; i++)	/* until there is no other */
		snprintf(full[i], sizeof(full[i]), i == 5 ? "red" : "z%d", i);
	build(&rule, (const char (*)[NATVI_NAME_LEN])full);
	assert_int_equal(plan_zone(&plan, "red"), 5);
	assert_int_equal(plan_zone(&plan, "blue"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(traffic, done),
		cmocka_unit_test_teardown(matches, done),
		cmocka_unit_test_teardown(destination, done),
		cmocka_unit_test_teardown(exclusions, done),
		cmocka_unit_test_teardown(exclusions_beyond_the_limit, done),
		cmocka_unit_test_teardown(netmap, done),
		cmocka_unit_test_teardown(netmap_twice, done),
		cmocka_unit_test_teardown(zones_keep_their_number, done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
