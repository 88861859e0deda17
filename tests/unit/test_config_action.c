/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config_action.c - zones, what rules match beside addresses and ports, and what they translate:
 * what is refused, what ends in the struct, and that it does so again by way of JSON.
 */
#include "tests/unit/config_text.h"

#define ZONES	"interfaces: [{name: lan0, zone: red}, {name: lan1, zone: blue}, wan0]\n" \
		"zones: [{name: red, table: 100}, {name: blue, vrf: vrf-blue}]\n"
#define LAN	"from: {source: 198.18.0.0/24}"
#define DNAT(rest) IFS RULE("to: {destination: 192.0.2.1}, " rest)

static const struct bad bad_zones[] = {
	{ "interfaces: [{name: lan0, zone: gren}]\nzones: [{name: green, table: 7}]\n", 2, 1, "zone `gren` is not in `zones`; did you mean `green`?" },
	{ "interfaces: [{name: lan0, zone: zz}]\nzones: [{name: green, table: 7}]\n", 2, 1, "known here: green, global" },
	{ "interfaces: [lan0]\nzones: [{name: green, table: 7}]\n", 1, 2, "zone `green` has no interface; write `zone: green`" },
	{ IFS "zones: [{name: global, table: 7}]\n", 1, 2, "`global` is the zone of everything that is in no other" },
	{ IFS "zones: [{name: 7, table: 7}]\n", 1, 2, "`7` is not a zone's name" },
	{ IFS "zones: [{table: 7}]\n", 1, 2, "a zone needs `name`" },
	{ IFS "zones: {name: a, table: 7}\n", 1, 2, "a list is needed here" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a}]\n", 1, 2, "write one of `table: 100` and `vrf: vrf-blue`" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, table: 7, vrf: v}]\n", 1, 2, "a zone is a routing table or a VRF device" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, table: 0}]\n", 1, 2, "`table` is a whole number from 1 to 4294967295, not `0`" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, table: 253}]\n", 1, 2, "table 253 is the kernel's own (`default`)" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, table: 255}]\n", 1, 2, "table 255 is the kernel's own (`local`)" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, table: 4294967296}]\n", 1, 2, "`table` is a whole number" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones: [{name: a, vrf: a/b}]\n", 1, 2, "`a/b` cannot be an interface's name" },
	{ "interfaces: [{name: lan0, zone: a}]\nzones:\n- {name: a, table: 7}\n- {name: a, table: 8}\n", 1, 4, "zone `a` stands twice; the other is in line 3" },
	{ "interfaces: [{name: a0, zone: a}, {name: b0, zone: b}]\nzones:\n- {name: a, table: 7}\n- {name: b, table: 7}\n", 1, 4,
	  "zone `b` is where zone `a` (line 3) is" },
	{ "interfaces: [{name: a0, zone: a}, {name: b0, zone: b}]\nzones:\n- {name: a, vrf: v}\n- {name: b, vrf: v}\n", 1, 4, "zone `b` is where zone `a`" },
	{ "interfaces: [{name: lan0, nat: route}]\n", 1, 1, "`route` is not a word for what natvi looks at; did you mean `routed`?" },
	{ IFS "orphans: drian\n", 1, 2, "did you mean `drain`?" },
	{ IFS "pools: [{name: p, addresses: 203.0.113.1, zone: red}]\n", 1, 2, "zone `red` is named, but `zones` has none" },
	{ ZONES RULE("from: {zone: rde}, action: drop"), 1, 4, "did you mean `red`?" },
	{ ZONES RULE("from: {zone: [red, red]}, action: drop"), 1, 4, "zone `red` stands twice" },
	{ ZONES RULE("to: {zone: [global, blue, global]}, action: drop"), 1, 4, "zone `global` stands twice" },
	{ ZONES RULE("from: {zone: red, interface: lan0}, action: drop"), 1, 4, "rule rule-1 has `interface` and `zone` in `from`" },
	{ ZONES RULE("to: {zone: red, interface: lan0}, action: drop"), 1, 4, "keep one of the two" },
	{ ZONES RULE("to: {destination: 192.0.2.1}, action: {dnat: 198.18.0.1, zone: bleu}"), 1, 4, "did you mean `blue`?" },
};

static const struct bad bad_matches[] = {
	{ IFS RULE("dscp: 64, action: drop"), 1, 3, "`64` is not a DSCP; a number from 0 to 63, cs0 to cs7" },
	{ IFS RULE("dscp: [ef, 46], action: drop"), 1, 3, "DSCP `46` stands twice" },
	{ IFS RULE("dscp: af44, action: drop"), 1, 3, "`af44` is not a DSCP" },
	{ IFS RULE("dscp: [], action: drop"), 1, 3, "the list is empty" },
	{ IFS RULE("dscp: -1, action: drop"), 1, 3, "is not a DSCP" },
	{ IFS RULE("mark: 0x, action: drop"), 1, 3, "`0x` is not a mark" },
	{ IFS RULE("mark: 4294967296, action: drop"), 1, 3, "a number of 32 bits like 16 or 0x10" },
	{ IFS RULE("mark: 0x10/, action: drop"), 1, 3, "is not a mark" },
	{ IFS RULE("mark: 0x10/0xffx, action: drop"), 1, 3, "is not a mark" },
	{ IFS RULE("mark: 0x10/0xff/1, action: drop"), 1, 3, "is not a mark" },
	{ IFS RULE("mark: 0/0, action: drop"), 1, 3, "mask 0 in `0/0` asks for nothing" },
	{ IFS RULE("mark: 0x1f/0xf, action: drop"), 1, 3, "bits beyond its mask, so no packet has it; write 0xf/0xf" },
	{ IFS RULE("local: both, action: drop"), 1, 3, "known here: in, out" },
	{ IFS RULE("local: in, to: {interface: wan0}, action: accept"), 1, 3, "rule rule-1: what comes in for the box itself (`local: in`) has no way out" },
	{ ZONES RULE("local: in, to: {zone: red}, action: accept"), 1, 4, "leave `interface` and `zone` out of `to`" },
	{ IFS RULE("local: out, from: {interface: lan0}, action: accept"), 1, 3, "(`local: out`) comes in nowhere" },
	{ ZONES RULE("local: out, from: {zone: global}, action: accept"), 1, 4, "leave `interface` and `zone` out of `from`" },
	{ IFS RULE("local: in, action: masquerade"), 1, 3, "keeps its source, or the box could not answer it; add `dnat`" },
	{ IFS POOL RULE("local: in, action: {snat: public}"), 1, 4, "keeps its source" },
	{ IFS RULE(LAN ", local: in, action: {netmap: 203.0.113.0/24}"), 1, 3, "keeps its source" },
	{ IFS RULE("local: in, to: {interface: wan0}, action: {dnat: 198.18.0.1}"), 1, 3, "the way out is only known once" },
	{ IFS RULE("from: {source: 198.18.0.0-198.18.0}, action: drop"), 1, 3, "or a range like 198.18.0.10-198.18.0.99" },
	{ IFS RULE("to: {destination: 198.18.0.9-198.18.0.1}, action: drop"), 1, 3, "reversed" },
	/* 62 prefixes each: the most that a range can be. */
	{ IFS RULE("from: {source: 0.0.0.1-255.255.255.254}, to: {destination: 0.0.0.1-255.255.255.254, port: [1,2]}, proto: tcp, action: drop"), 1, 3,
	  "becomes 7688 entries" },
};

static const struct bad bad_actions[] = {
	{ IFS RULE("action: dnat"), 1, 3, "`dnat` needs an address; write `action: {dnat: ADDRESS[:PORT]}`" },
	{ IFS RULE("action: netmap"), 1, 3, "`netmap` needs a prefix" },
	{ IFS RULE("action: static"), 1, 3, "`static` needs an address" },
	{ IFS RULE("action: {}"), 1, 3, "an action needs `snat`, `netmap` or `static` for the source, or `dnat`" },
	{ IFS RULE("action: {drop: all}"), 2, 3, "unknown key `drop` in an action; known here: snat, netmap, static, dnat, zone" },
	{ IFS RULE("action: {zone: global}"), 1, 3, "`zone` is where a new destination is; write `dnat` beside it" },
	{ IFS RULE("action: {snat: masquerade, zone: global}"), 1, 3, "`zone` is where a new destination is" },
	{ IFS RULE(LAN ", action: {snat: masquerade, netmap: 203.0.113.0/24}"), 1, 3, "keep one of `snat`, `netmap` and `static`" },
	{ IFS RULE("from: {source: 198.18.0.1}, action: {static: 203.0.113.1, netmap: 203.0.113.2}"), 1, 3, "translates the source in one way" },

	{ IFS RULE("action: {netmap: 203.0.113.0/24}"), 1, 3, "rule rule-1 has 0 prefixes in `from: {source: ...}`; `netmap: 203.0.113.0/24` takes" },
	{ IFS RULE("from: {source: [198.18.0.0/24, 198.18.1.0/24]}, action: {netmap: 203.0.113.0/24}"), 1, 3, "has 2 prefixes" },
	{ IFS RULE("from: {source: 198.18.0.1-198.18.0.2}, action: {static: 203.0.113.1}"), 1, 3, "has 2 prefixes in `from: {source: ...}`; `static: 203.0.113.1`" },
	{ IFS RULE(LAN ", action: {netmap: 203.0.113.0/25}"), 1, 3, "source 198.18.0.0/24 has not as many addresses as `netmap: 203.0.113.0/25`" },
	{ IFS RULE(LAN ", action: {static: 203.0.113.1}"), 1, 3, "source 198.18.0.0/24 has not as many addresses as `static: 203.0.113.1`" },
	{ IFS RULE(LAN ", action: {static: 203.0.113.0/24}"), 1, 3, "for the prefix write `netmap: 203.0.113.0/24`" },
	{ IFS RULE(LAN ", action: {netmap: 198.18.0.0/24}"), 1, 3, "source 198.18.0.0/24 and `netmap: 198.18.0.0/24` overlap" },
	{ IFS RULE(LAN ", action: {netmap: 224.0.0.0/24}"), 1, 3, "no host can have" },
	{ IFS RULE("from: {source: 0.0.0.0/1}, action: {netmap: 128.0.0.0/1}"), 1, 3, "no host can have" },
	{ IFS RULE(LAN ", action: {netmap: 203.0.113.9/24}"), 1, 3, "write 203.0.113.0/24" },
	{ IFS RULE("from: {source: 198.18.0.0/15}, action: {netmap: 10.0.0.0/15}"), 1, 3, "brings the addresses of all pools and netmaps to 131072; at most 65536 fit" },
	{ IFS POOL RULE("from: {source: 198.18.0.0/16}, action: {netmap: 10.0.0.0/16}"), 1, 4, "to 65552; at most 65536" },
	{ IFS POOL RULE(LAN ", action: {netmap: 203.0.113.0/24}"), 1, 4, "203.0.113.0/24 overlaps 203.0.113.16/28 of pool `public` (line 2); an address belongs to one pool or netmap" },
	{ IFS "rules:\n- {from: {source: 198.18.0.1}, action: {static: 203.0.113.1}}\n- {" LAN ", action: {netmap: 203.0.113.0/24}}\n", 1, 4,
	  "203.0.113.0/24 overlaps 203.0.113.1 of rule `rule-1` (line 3)" },
	{ IFS "rules:\n- {" LAN ", action: {netmap: 203.0.113.0/24}}\n- {from: {source: 203.0.113.7}, action: masquerade}\n", 1, 4,
	  "source 203.0.113.7 overlaps 203.0.113.0/24 of rule `rule-1` (line 3); inside and outside addresses must differ" },
	{ IFS RULE(LAN ", action: {netmap: 203.0.113.0/24}") FORWARD("proto: tcp, external: \"wan0:80\", internal: 203.0.113.9"), 1, 5,
	  "internal address 203.0.113.9 belongs to rule `rule-1` (line 3)" },

	{ DNAT("action: {dnat: lan0}"), 1, 3, "`lan0` is not ADDRESS[:PORT[-PORT]] or PREFIX" },
	{ DNAT("action: {dnat: \"198.18.0.1:\"}"), 1, 3, "is not ADDRESS" },
	{ DNAT("action: {dnat: }"), 1, 3, "the new destination is missing" },
	{ DNAT("action: {dnat: [198.18.0.1]}"), 1, 3, "the new destination is needed here, not a list" },
	{ DNAT("action: {dnat: 127.0.0.1}"), 1, 3, "no host can have the address 127.0.0.1" },
	{ DNAT("action: {dnat: \"198.18.0.1:0\"}"), 1, 3, "`0` is not a port" },
	{ DNAT("action: {dnat: \"198.18.0.1:80\"}"), 1, 3, "rule rule-1 translates ports, which not all protocols have; add `proto: [tcp, udp]`" },
	{ DNAT("proto: [tcp, icmp], action: {dnat: \"198.18.0.1:80\"}"), 1, 3, "rule rule-1 translates ports, which icmp does not have here" },
	{ DNAT("proto: tcp, action: {dnat: \"198.18.0.1:80-89\"}"), 1, 3, "rule rule-1 has 0 ranges in `to: {port: ...}`; `dnat: \"198.18.0.1:80-89\"`" },
	{ IFS RULE("to: {port: [1-9, 80-89]}, proto: tcp, action: {dnat: \"198.18.0.1:80-89\"}"), 1, 3, "has 2 ranges" },
	{ IFS RULE("to: {port: 1-9}, proto: tcp, action: {dnat: \"198.18.0.1:80-89\"}"), 1, 3, "9 ports do not go to `dnat: \"198.18.0.1:80-89\"` one to one, which has 10" },
	{ IFS RULE("to: {port: 80}, action: {dnat: \"198.18.0.1:80\"}"), 1, 3, "rule rule-1 matches ports" },
	{ IFS RULE("action: {dnat: 198.18.0.1}"), 1, 3, "`dnat` would take everything" },
	{ IFS RULE("from: {source: 192.0.2.0/24}, action: {dnat: 198.18.0.1}"), 1, 3, "`dnat` would take everything" },
	{ IFS RULE("action: {dnat: 198.18.0.0/24}"), 1, 3, "`dnat: 198.18.0.0/24` takes the place of a prefix as long" },
	{ IFS RULE("to: {destination: [192.0.2.0/24, 192.0.3.0/25]}, action: {dnat: 198.18.0.0/24}"), 1, 3,
	  "destination 192.0.3.0/25 has not as many addresses as `dnat: 198.18.0.0/24`" },
	{ DNAT("action: {dnat: \"198.18.0.0/24:80\"}"), 1, 3, "the ports stay; leave `:80` away" },
	{ DNAT("action: {dnat: 224.0.0.0/24}"), 1, 3, "no host can have" },
	{ DNAT("action: {dnat: \"2001:db8::/64\"}"), 1, 3, "is IPv6, which cannot be named here yet" },
	{ IFS RULE("to: {destination: 192.0.2.1, interface: wan0}, action: {dnat: 198.18.0.1}"), 1, 3,
	  "the way out is only known once the destination is translated" },
	{ ZONES RULE("to: {destination: 192.0.2.1, zone: red}, action: {dnat: 198.18.0.1}"), 1, 4, "the new destination's zone is `action: {dnat: ..., zone: ...}`" },
	{ IFS POOL RULE("to: {destination: 192.0.2.1}, action: {dnat: 203.0.113.17}"), 1, 4,
	  "`dnat` leads to 203.0.113.17, which is translated itself: 203.0.113.16/28 of pool `public` (line 2)" },
};

static const struct bad bad_space[] = {
	{ IFS "pools: [{name: a, addresses: [203.0.113.0/24, 203.0.113.4, 203.0.113.9]}]\n", 2, 2, "203.0.113.9 overlaps 203.0.113.0/24 of the same pool" },
	/* Zones keep apart only what is not seen by all of them. */
	{ ZONES "pools:\n- {name: a, addresses: 203.0.113.0/24, zone: red}\n- {name: b, addresses: 203.0.113.9}\n", 1, 5,
	  "203.0.113.9 overlaps 203.0.113.0/24 of pool `a` (line 4); an address belongs to one pool, unless different zones see them" },
	{ ZONES "pools:\n- {name: a, addresses: 203.0.113.0/24, zone: red}\n- {name: b, addresses: 203.0.113.9, zone: red}\n", 1, 5, "of pool `a` (line 4)" },
	{ ZONES "pools:\n- {name: a, addresses: 203.0.113.0/24, zone: red}\n- {name: b, addresses: 203.0.113.0/25, zone: blue}\n"
		"- {name: c, addresses: 203.0.113.200-203.0.113.210, zone: blue}\n- {name: d, addresses: 203.0.113.205, zone: blue}\n", 1, 7, "of pool `c` (line 6)" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: blue}]\n"
		RULE("from: {zone: red, source: 198.18.0.0/24}, to: {zone: blue}, action: {netmap: 203.0.113.0/24}"), 1, 5, "of pool `a` (line 3)" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: blue}]\n"
		RULE("from: {zone: red, source: 198.18.0.0/24}, to: {interface: lan1}, action: {netmap: 203.0.113.0/24}"), 1, 5, "of pool `a`" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n"
		RULE("from: {zone: [blue, red], source: 203.0.113.7}, action: masquerade"), 1, 5, "source 203.0.113.7 overlaps 203.0.113.0/24 of pool `a`" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n" RULE("from: {interface: lan0, source: 203.0.113.7}, action: masquerade"), 1, 5, "overlaps" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n" RULE("from: {source: 203.0.113.7-203.0.114.0}, action: masquerade"), 1, 5,
	  "source 203.0.113.7-203.0.114.0 overlaps" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n"
		RULE("from: {zone: blue}, to: {destination: 192.0.2.1}, action: {dnat: 203.0.113.7, zone: red}"), 1, 5, "`dnat` leads to 203.0.113.7" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n" FORWARD("proto: tcp, external: \"lan0:80\", internal: 203.0.113.9"), 1, 5,
	  "internal address 203.0.113.9 belongs to pool `a`" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n" RULE("to: {zone: blue}, action: {snat: a}"), 1, 5,
	  "rule rule-1 leads to zone `blue`, but only zone `red` sees the addresses of pool `a`; answers would not come back" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n" RULE("to: {interface: [lan0, wan0]}, action: {snat: a}"), 1, 5, "leads to zone `global`" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: global}]\n"
		RULE("from: {zone: blue}, to: {destination: 192.0.2.1}, action: {snat: a, dnat: 198.18.0.1}"), 1, 5, "leads to zone `blue`, but only zone `global`" },
	{ ZONES "pools: [{name: a, addresses: 203.0.113.0/24, zone: red}]\n"
		RULE("to: {destination: 192.0.2.1}, action: {snat: a, dnat: 198.18.0.1, zone: blue}"), 1, 5, "leads to zone `blue`" },
	{ ZONES RULE(LAN ", action: {netmap: 203.0.113.0/24}"), 1, 4, "its source may be in several zones" },
	{ ZONES RULE("from: {zone: [red, blue], source: 198.18.0.1}, action: {static: 203.0.113.1}"), 1, 4, "name one by `from: {zone: ...}`" },
};

BAD_TEST(bad_zones)
BAD_TEST(bad_matches)
BAD_TEST(bad_actions)
BAD_TEST(bad_space)

static void many_zones(char *text, size_t size, int n)
{
	size_t at = (size_t)snprintf(text, size, "interfaces:\n");

	for (int i = 1; i <= n; i++)
		at += (size_t)snprintf(text + at, size - at, "- {name: if%d, zone: z%d}\n", i, i);
	at += (size_t)snprintf(text + at, size - at, "zones:\n");
	for (int i = 1; i <= n; i++)
		at += (size_t)snprintf(text + at, size - at, "- {name: z%d, table: %d}\n", i, i);
}

static void test_many_zones(void **state)
{
	struct cfg_errors errors;
	char text[8192];
	struct config *c;

	many_zones(text, sizeof(text), NATVI_MAX_ZONES);
	assert_int_equal(config_read_text(text, strlen(text), "test.yaml", &c, &errors), -EINVAL);
	assert_int_equal(errors.n, 1);
	assert_true(has_error(&errors, 2 * NATVI_MAX_ZONES + 2, "64 zones; at most 63 fit beside the global one"));
	cfg_errors_free(&errors);

	many_zones(text, sizeof(text), NATVI_MAX_ZONES - 1);
	c = read_good(text);
	assert_true(config_zones(c) == UINT64_MAX);
	assert_true(config_zone(c, "z63") == 1ull << 63);
	assert_true(config_zone(c, "z64") == 0);
	config_free(c);
}

/* What a text means, asked of it and of its JSON. */
static void both_ways(const char *text, void (*check)(const struct config *c))
{
	struct config *c = read_good(text), *again;
	json_t *json = round_trip(c);
	char *dumped = json_dumps(json, 0);

	check(c);
	again = read_good(dumped);
	check(again);
	free(dumped);
	json_decref(json);
	config_free(again);
	config_free(c);
}

static void check_zones(const struct config *c)
{
	assert_int_equal(c->n_zones, 3);
	assert_string_equal(c->zones[0].name, "red");
	assert_int_equal(c->zones[0].table, 4294967295u);
	assert_string_equal(c->zones[0].vrf, "");
	assert_string_equal(c->zones[1].vrf, "vrf-blue");
	assert_int_equal(c->zones[1].table, 0);
	assert_int_equal(c->zones[2].table, 254);
	assert_string_equal(c->interfaces[0].zone, "red");
	assert_true(c->interfaces[0].routed);
	assert_string_equal(c->interfaces[3].zone, "");
	assert_string_equal(c->interfaces[4].zone, "");
	assert_false(c->interfaces[3].routed);
	assert_int_equal(c->orphans, ORPHANS_KILL);
	assert_string_equal(c->pools[0].zone, "blue");
	assert_true(c->pools[0].has_zone);
	assert_string_equal(c->pools[1].zone, "");
	assert_true(c->pools[1].has_zone);
	assert_false(c->pools[2].has_zone);
	assert_int_equal(config_zone(c, ""), CFG_GLOBAL_ZONE);
	assert_int_equal(config_zone(c, "x"), 0);
	assert_int_equal(config_zones(c), 15);
	assert_int_equal(config_pool_zones(c, &c->pools[0]), 4);
	assert_int_equal(config_pool_zones(c, &c->pools[1]), 1);
	assert_int_equal(config_pool_zones(c, &c->pools[2]), 15);
	assert_int_equal(c->rules[0].from.n_zones, 2);
	assert_string_equal(c->rules[0].from.zones[0], "red");
	assert_string_equal(c->rules[0].from.zones[1], "");
	assert_int_equal(config_match_zones(c, &c->rules[0].from), 3);
	assert_string_equal(c->rules[0].to.zones[0], "blue");
	assert_int_equal(config_rule_entries(&c->rules[0]), 2);
	assert_int_equal(config_match_zones(c, &c->rules[1].from), 6);
	assert_int_equal(config_match_zones(c, &c->rules[1].to), 14);
	assert_int_equal(config_rule_entries(&c->rules[1]), 6);
	assert_int_equal(config_masquerade_ways(c), 1);		/* blue has one interface */
	assert_int_equal(config_address_entries(c), 256 + 256 + 4 * 2);
}

static void test_zones(void **state)
{
	both_ways("interfaces: [{name: a, zone: red, nat: routed}, {name: b, zone: blue}, {name: c, zone: m}, {name: d, nat: all}, {name: e, zone: global}]\n"
		  "zones: [{name: red, table: 4294967295}, {name: blue, vrf: vrf-blue}, {name: m, table: main}]\n"
		  "pools: [{name: p, addresses: 203.0.113.0/24, zone: blue}, {name: q, addresses: 203.0.113.0/24, zone: global},"
		  " {name: r, addresses: 192.0.2.0/31}]\n"
		  "orphans: kill\n"
		  "rules:\n"
		  "- {from: {zone: [red, global]}, to: {zone: blue}, action: masquerade}\n"
		  "- {from: {interface: [a, b]}, to: {zone: [m, red, blue]}, action: drop}\n", check_zones);
}

static void check_matches(const struct config *c)
{
	static const struct cfg_prefix4 wanted[] = {
		{ A(198, 18, 0, 5), 32 }, { A(198, 18, 0, 6), 31 }, { A(198, 18, 0, 8), 29 }, { A(198, 18, 0, 16), 30 },
		{ A(198, 18, 0, 20), 32 }, { A(192, 0, 2, 0), 24 },
	};
	const struct cfg_rule *r = c->rules;

	assert_int_equal(r[0].from.n_prefixes, 6);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(r[0].from.prefixes[i].addr, wanted[i].addr);
		assert_int_equal(r[0].from.prefixes[i].len, wanted[i].len);
	}
	assert_int_equal(r[0].to.n_prefixes, 3);
	assert_int_equal(r[0].to.prefixes[0].len, 0);
	assert_int_equal(r[0].to.prefixes[1].len, 32);
	assert_int_equal(r[0].to.prefixes[2].addr, A(224, 0, 0, 0));
	assert_int_equal(r[0].dscp, 1ull << 46 | 1ull << 0 | 1ull << 3 | 1ull << 34 | 1ull << 44 | 1ull << 63);
	assert_int_equal(r[0].mark, 0x10);
	assert_int_equal(r[0].mark_mask, 0xff);
	assert_int_equal(r[0].local, CFG_LOCAL_NO);
	assert_int_equal(config_rule_entries(&r[0]), 18);
	assert_int_equal(r[1].mark, 4294967295u);
	assert_int_equal(r[1].mark_mask, 0xffffffffu);
	assert_int_equal(r[1].dscp, 1ull << 40);
	assert_int_equal(r[1].local, CFG_LOCAL_IN);
	assert_int_equal(r[2].mark, 0);
	assert_int_equal(r[2].mark_mask, 256);
	assert_int_equal(r[2].dscp, 0);
	assert_int_equal(r[2].local, CFG_LOCAL_OUT);
	assert_true(r[2].masquerade);
	assert_int_equal(r[3].from.n_prefixes, 62);
	assert_int_equal(r[4].from.n_prefixes, 1);
	assert_int_equal(r[4].from.prefixes[0].len, 0);
	assert_int_equal(r[5].mark_mask, 0);
}

static void test_matches(void **state)
{
	both_ways(IFS "rules:\n"
		  "- {from: {source: [198.18.0.5-198.18.0.20, 192.0.2.0-192.0.2.255]}, to: {destination: [0.0.0.0/0, 9.9.9.9-9.9.9.9, 224.0.0.0/4]},"
		  " dscp: [46, cs0, 3, AF41, va, 63], mark: 0x10/0xff, action: drop}\n"
		  "- {local: in, dscp: cs5, mark: 4294967295, action: reject}\n"
		  "- {local: out, mark: 0/0x100, to: {interface: wan0}, action: masquerade}\n"
		  "- {from: {source: 0.0.0.1-255.255.255.254}, action: drop}\n"
		  "- {from: {source: 0.0.0.0-255.255.255.255}, local: out, action: kernel}\n"
		  "- {local: in, from: {interface: lan0}, to: {destination: 192.0.2.1}, action: accept}\n", check_matches);
}

static void check_actions(const struct config *c)
{
	const struct cfg_rule *r = c->rules;

	for (size_t i = 0; i < c->n_rules; i++)
		assert_int_equal(r[i].action, ACTION_TRANSLATE);
	assert_true(r[0].netmap);
	assert_int_equal(r[0].src_net.addr, A(203, 0, 113, 0));
	assert_int_equal(r[0].src_net.len, 24);
	assert_false(r[0].dnat || r[0].masquerade || *r[0].pool);
	assert_int_equal(config_rule_entries(&r[0]), 4);	/* two interfaces, both ways */
	assert_true(r[1].netmap);
	assert_int_equal(r[1].src_net.len, 32);
	assert_true(r[2].dnat);
	assert_false(r[2].netmap || r[2].masquerade || r[2].has_dnat_zone);
	assert_int_equal(r[2].dst_net.addr, A(198, 18, 0, 9));
	assert_int_equal(r[2].dst_net.len, 32);
	assert_int_equal(r[2].dnat_ports.lo, 0);
	assert_int_equal(config_rule_entries(&r[2]), 1);
	assert_int_equal(r[3].dnat_ports.lo, 8443);
	assert_int_equal(r[3].dnat_ports.hi, 8443);
	assert_string_equal(r[3].pool, "public");
	assert_int_equal(r[4].dnat_ports.lo, 8000);
	assert_int_equal(r[4].dnat_ports.hi, 8009);
	assert_true(r[4].masquerade);
	assert_int_equal(r[5].dst_net.addr, A(198, 18, 1, 0));
	assert_int_equal(r[5].dst_net.len, 24);
	assert_true(r[5].netmap);
	assert_true(r[6].has_dnat_zone);
	assert_string_equal(r[6].dnat_zone, "");
	assert_int_equal(r[6].local, CFG_LOCAL_IN);
	assert_int_equal(r[7].local, CFG_LOCAL_OUT);
	assert_int_equal(r[8].local, CFG_LOCAL_IN);
	assert_true(r[8].masquerade && r[8].dnat);
	assert_int_equal(config_netmap_addresses(c), 256 + 1 + 256);
	assert_int_equal(config_address_entries(c), 256 + 1 + 256 + 16);
	assert_int_equal(config_pool_addresses(c), 16);
}

static void test_actions(void **state)
{
	both_ways(IFS "rules:\n"
		  "- {from: {interface: [lan0, wan0], source: 198.18.0.0/24}, action: {netmap: 203.0.113.0/24}}\n"
		  "- {from: {source: 198.18.2.1}, action: {netmap: 198.51.100.1}}\n"
		  "- {to: {destination: 192.0.2.1}, action: {dnat: 198.18.0.9/32}}\n"
		  "- {to: {port: [443, 444]}, proto: [tcp, udp], action: {dnat: \"198.18.0.9:8443\", snat: public}}\n"
		  "- {to: {port: 80-89}, proto: tcp, action: {snat: masquerade, dnat: \"198.18.0.9:8000-8009\"}}\n"
		  "- {" LAN ", to: {destination: [192.0.2.0/24, 192.0.3.0-192.0.3.255]}, action: {netmap: 198.51.101.0/24, dnat: 198.18.1.0/24}}\n"
		  "- {local: in, action: {dnat: 198.18.0.9, zone: global}}\n"
		  "- {local: out, action: {dnat: 198.18.0.9}}\n"
		  "- {local: in, to: {port: 53}, proto: udp, action: {dnat: 198.18.0.9, snat: masquerade}}\n"
		  "pools: [{name: public, addresses: 192.0.4.0/28}]\n", check_actions);
}

static void check_space(const struct config *c)
{
	assert_int_equal(config_netmap_zones(c, &c->rules[0]), 4);
	assert_int_equal(config_netmap_zones(c, &c->rules[1]), 2);
	assert_int_equal(config_netmap_zones(c, &c->rules[2]), 1);
	assert_int_equal(config_netmap_zones(c, &c->rules[3]), 7);
	assert_int_equal(config_address_entries(c), 256 + 256 + 256 + 3 + 256);
}

/* The same addresses in two zones: as hosts, and as what stands for them. */
static void test_overlapping_zones(void **state)
{
	both_ways(ZONES "pools: [{name: p, addresses: 203.0.113.0/24, zone: global}]\n"
		  "rules:\n"
		  "- {from: {zone: red, source: 198.18.0.0/24}, to: {zone: blue}, action: {netmap: 203.0.113.0/24}}\n"
		  "- {from: {zone: blue, source: 198.18.0.0/24}, to: {zone: red}, action: {netmap: 203.0.113.0/24}}\n"
		  "- {from: {interface: lan0, source: 198.18.0.0/24}, to: {destination: 192.0.2.0/24},"
		  " action: {netmap: 192.0.2.0/24, dnat: 198.18.0.0/24, zone: global}}\n"
		  "- {from: {zone: red, source: 198.18.0.7}, action: {static: 198.51.100.1}}\n"
		  "- {from: {zone: [red, blue]}, to: {zone: global}, action: {snat: p}}\n"
		  "- {local: out, from: {source: 203.0.113.1}, to: {zone: global}, action: {snat: p}}\n"
		  "forwards: [{proto: tcp, external: \"lan0:80\", internal: 192.0.2.9}]\n", check_space);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_zones),
		cmocka_unit_test(test_bad_matches),
		cmocka_unit_test(test_bad_actions),
		cmocka_unit_test(test_bad_space),
		cmocka_unit_test(test_many_zones),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_overlapping_zones),
	};

	return cmocka_run_group_tests_name("config: zones and actions", tests, NULL, NULL);
}
