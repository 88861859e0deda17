/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config.c - configurations that are refused: each with the line of its first error, words that
 * the message must hold, and how many errors there are in all (no problem is told twice).
 * What is accepted is in test_config_good.c; zones and actions are in test_config_action.c.
 */
#include <time.h>

#include "tests/unit/config_text.h"

static const struct bad bad_syntax[] = {
	{ "", 1, 0, "needs `interfaces`" },
	{ "# nothing\n", 1, 0, "needs `interfaces`" },
	{ "~\n", 1, 1, "begins with a key" },
	{ "hello\n", 1, 1, "begins with a key" },
	{ "- name: lan0\n", 1, 1, "begins with a key" },
	{ "interfaces:\n  - name: lan0\n\t- name: wan0\n", 1, 3, "tab cannot indent" },
	{ IFS "pools:\n  - name: a\n   addresses: 203.0.113.1\n", 1, 4, "items of one list have their `-` in one column" },
	{ "interfaces: [lan0, wan0\nrules: []\n", 1, 2, "needs a `,` or `]`" },
	{ "interfaces: [{name: lan0, xdp: off]\n", 1, 1, "needs a `,` or `}`" },
	{ IFS "limits: {sessions: 16\n", 1, 3, "`{` opens in line 2" },
	{ IFS "\nrules:\n- name: \"office\n  action: drop\n", 1, 4, "quote that opens here is never closed" },
	{ IFS "rules: @office\n", 1, 2, "cannot start with `@`" },
	{ IFS "a: b: c\n", 1, 2, "a key cannot stand here" },
	{ IFS "rules: \"\\q\"\n", 1, 2, "unknown escape" },
	{ IFS " rules: []\n", 1, 2, "" },
	{ IFS "rules\n", 1, 2, "write `key: value`" },
	{ IFS "rules: !!map {}\n", 1, 2, "tag" },
	{ IFS "---\nrules: []\n", 1, 2, "second document" },
	{ IFS "rules: *office\n", 1, 2, "no anchor `&office`" },
	{ IFS "rules: &r [*r]\n", 1, 2, "no anchor `&r`" },
	{ IFS "limits: [[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]\n", 1, 2, "nested deeper than 16" },
	{ IFS "\xff\n", 1, 2, "byte 0xff is not UTF-8" },
	{ IFS "# \xed\xa0\x80\n", 1, 2, "not UTF-8" },
	{ IFS "# a\x01\n", 1, 2, "control character 0x01" },
	{ IFS "rules: [{name: \"a\\nb\", action: drop}]\n", 1, 2, "one line without control characters" },
	{ IFS "rules: |\n  text\n", 1, 2, "one line" },
};

static const struct bad bad_keys[] = {
	{ IFS "rulez: []\n", 1, 2, "unknown key `rulez` in the configuration; did you mean `rules`?" },
	{ IFS "nothing-like-it: 1\n", 1, 2, "known here: interfaces, zones, pools, masquerade" },
	{ IFS "? [a]\n: b\n", 1, 2, "a key in the configuration is a word, not a list" },
	{ IFS "limits: {sessions: 20}\nlimits: {}\n", 1, 3, "`limits` stands twice in the configuration; the first is in line 2" },
	{ IFS "rules:\n- name: x\n  form: {}\n  action: drop\n", 1, 4, "did you mean `from`?" },
	{ IFS RULE("from: {sorce: 198.18.0.0/16}, action: drop"), 1, 3, "unknown key `sorce` in `from`; did you mean `source`?" },
	{ IFS RULE("from: {destination: 198.18.0.0/16}, action: drop"), 1, 3, "unknown key `destination` in `from`" },
	{ IFS RULE("from: lan0, action: drop"), 1, 3, "`from` is a block of keys (`interface: ...`), not plain text" },
	{ IFS "timeouts: {upd: 5m}\n", 1, 2, "did you mean `udp`?" },
	{ IFS "tcp: {unsolicted: hold}\n", 1, 2, "did you mean `unsolicited`?" },
	{ IFS "timeouts: {tcp_established: 5m}\n", 1, 2, "did you mean `tcp-established`?" },
	{ IFS "limits: {sessoins: 20}\n", 1, 2, "did you mean `sessions`?" },
	{ IFS "masquerade: {port: 1-2}\n", 1, 2, "did you mean `ports`?" },
	{ IFS "pools: [{nam: a, addresses: 203.0.113.1}]\n", 2, 2, "a pool needs `name`" },
	{ IFS FORWARD("proto: tcp, outside: \"wan0:1\", internal: 198.18.0.1"), 2, 3, "a forward needs `external`" },
	{ IFS RULE("name: a, name: b, action: drop"), 1, 3, "`name` stands twice in a rule" },
	{ IFS RULE("name: a"), 1, 3, "a rule needs `action`" },
	{ IFS "rules: {name: a}\n", 1, 2, "a list is needed here, not a block of keys" },
	{ IFS "rules: [drop]\n", 1, 2, "a rule is a block of keys" },
	{ IFS "limits: 5\n", 1, 2, "`limits` is a block of keys" },
	{ "interfaces: lan0\n", 1, 1, "a list is needed here, not plain text; write `- name: lan0`" },
};

static const struct bad bad_values[] = {
	{ "interfaces: []\n", 1, 0, "`interfaces` is empty" },
	{ "interfaces:\n", 1, 0, "`interfaces` is empty" },
	{ "interfaces: [{name: lan0, xdp: yes}]\n", 1, 1, "`yes` is not a way to use XDP; known here: auto, native, generic, off" },
	{ "interfaces: [{name: lan0, xdp: natve}]\n", 1, 1, "did you mean `native`?" },
	{ "interfaces: [{name: lan0, mss: 87}]\n", 1, 1, "`mss` is a whole number from 88 to 65495, not `87`" },
	{ "interfaces:\n- name: lan0\n  mss: 65496\n", 1, 3, "from 88 to 65495, not `65496`" },
	{ "interfaces: [{name: lan0, mss: 1400b}]\n", 1, 1, "from 88 to 65495, not `1400b`" },
	{ "interfaces: [{name: lan0, mss: atuo}]\n", 1, 1, "`atuo` is not a limit for `mss` (a number of bytes or a word); did you mean `auto`?" },
	{ "interfaces: [{name: lan0, mss: -1}]\n", 1, 1, "known here: off, auto" },
	{ "interfaces: [{name: lan0, mss: [1400]}]\n", 1, 1, "is needed here, not a list" },
	{ "interfaces: [{name: lan0, mss: }]\n", 1, 1, "is missing" },
	{ "interfaces: [{name: lan0, zone: blue}]\n", 1, 1, "zone `blue` is named, but `zones` has none; add it there" },
	{ "interfaces: [{xdp: off}]\n", 1, 1, "an interface needs `name`" },
	{ "interfaces: [a/b]\n", 1, 1, "`a/b` cannot be an interface's name" },
	{ "interfaces: [sixteen-letters-]\n", 1, 1, "1 to 15 characters" },
	{ "interfaces:\n- lan0\n- name: wan0\n- name: lan0\n", 1, 4, "interface `lan0` stands twice; the other is in line 2" },
	{ IFS "on-exhaustion: host-unreachble\n", 1, 2, "did you mean `host-unreachable`?" },
	{ IFS "on-exhaustion: [a]\n", 1, 2, "not a list" },
	{ IFS "timeouts: {udp: 0}\n", 1, 2, "`udp` is from 1 to 65535 seconds" },
	{ IFS "timeouts:\n  tcp-established: 19h\n", 1, 3, "from 1 to 65535 seconds" },
	{ IFS "timeouts: {tcp-opening: 0, tcp-closing: soon}\n", 2, 2, "`tcp-closing` is a time in seconds" },
	{ IFS "timeouts: {tcp-opening: 0}\n", 1, 2, "`tcp-opening` is from 1 to 65535 seconds" },
	{ IFS "timeouts: {tcp-transitory: 70000}\n", 1, 2, "`tcp-transitory` is from 1 to 65535 seconds" },
	{ IFS "timeouts: {tcp-open: 4m}\n", 1, 2, "did you mean `tcp-opening`?" },
	{ IFS "timeouts: {icmp: 1m2h}\n", 1, 2, "like 90s, 5m or 2h4m, not `1m2h`" },
	{ IFS "timeouts: {icmp: five}\n", 1, 2, "`icmp` is a time" },
	{ IFS "timeouts: {icmp: -5}\n", 1, 2, "`icmp` is a time" },
	{ IFS "timeouts: {port-rest: 99999999999999999999999h}\n", 1, 2, "`port-rest` is from 1 to" },
	{ IFS "timeouts: {other: }\n", 1, 2, "`other` is missing" },
	{ IFS "limits: {sessions: 15}\n", 1, 2, "from 16 to 16000000, not `15`" },
	{ IFS "limits: {sessions: 16000001}\n", 1, 2, "from 16 to 16000000" },
	{ IFS "limits: {sessions: 4294967312}\n", 1, 2, "from 16 to 16000000" },
	{ IFS "limits: {mappings: many}\n", 1, 2, "`mappings` is a whole number" },
	{ IFS "limits: {icmp-rate: 1e3}\n", 1, 2, "`icmp-rate` is a whole number" },
	{ IFS "tcp: {unsolicited: hodl}\n", 1, 2, "`hodl` is not an answer to unsolicited connections; did you mean `hold`?" },
	{ IFS "tcp: {unsolicited: reset}\n", 1, 2, "known here: hold, silent, kernel" },
	{ IFS "tcp: hold\n", 1, 2, "`tcp` is a block of keys (`unsolicited: ...`), not plain text" },
	{ IFS "masquerade: {mapping: endpoint}\n", 1, 2, "`endpoint` is not a kind of mapping" },
	{ IFS "masquerade: {ports: 70000}\n", 1, 2, "from 1 to 65535" },
	{ IFS "masquerade: {ports: []}\n", 1, 2, "the list is empty" },
};

static const struct bad bad_pools[] = {
	{ IFS "pools: [{name: a, addresses: []}]\n", 1, 2, "the pool is empty" },
	{ IFS "pools:\n- name: a\n  addresses:\n", 1, 4, "the pool is empty" },
	{ IFS "pools: [{name: a}]\n", 1, 2, "a pool needs `addresses`" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.17/28}]\n", 1, 2, "write 203.0.113.16/28" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.9-203.0.113.1}]\n", 1, 2, "reversed" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.256}]\n", 1, 2, "`203.0.113.256` is not an IPv4 address" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.0/33}]\n", 1, 2, "is not an IPv4 address" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.010}]\n", 1, 2, "is not an IPv4 address" },
	{ IFS "pools: [{name: a, addresses: ' 203.0.113.1'}]\n", 1, 2, "is not an IPv4 address" },
	{ IFS "pools: [{name: a, addresses: [\"2001:db8::/64\"]}]\n", 1, 2, "is IPv6, which cannot be named here yet" },
	{ IFS "pools: [{name: a, addresses: 224.0.0.1}]\n", 1, 2, "no host can have" },
	{ IFS "pools: [{name: a, addresses: 120.0.0.0-130.0.0.0}]\n", 1, 2, "no host can have" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, ports: 2000-1000}]\n", 1, 2, "port range `2000-1000` is reversed; write 1000-2000" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, ports: 0-1000}]\n", 1, 2, "from 1 to 65535" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, ports: 1-65536}]\n", 1, 2, "from 1 to 65535" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, ports: [1-9, x]}]\n", 1, 2, "`x` is not a port" },
	{ IFS "pools: [{name: masquerade, addresses: 203.0.113.1}]\n", 1, 2, "cannot be called `masquerade`" },
	{ IFS "pools: [{name: 'a b', addresses: 203.0.113.1}]\n", 1, 2, "`a b` is not a pool's name" },
	{ IFS "pools: [{name: 17, addresses: 203.0.113.1}]\n", 1, 2, "with a letter among them" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.1}\n- {name: a, addresses: 203.0.113.2}\n", 1, 4, "pool `a` stands twice; the other is in line 3" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.0/28}\n- {name: b, addresses: [203.0.113.7]}\n", 1, 4,
	  "203.0.113.7 overlaps 203.0.113.0/28 of pool `a` (line 3)" },
	{ IFS "pools:\n- name: a\n  addresses:\n  - 203.0.113.8\n  - 203.0.113.1-203.0.113.9\n", 1, 6, "of the same pool (line 5)" },
	{ IFS "pools: [{name: a, addresses: 198.18.0.0/15}]\n", 1, 2, "at most 65536 fit" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.1, mapping: address-and-port-dependent, filtering: endpoint-independent}\n", 1, 3,
	  "goes with `filtering: address-and-port-dependent` only" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.1, mapping: address-and-port-dependent, filtering: address-dependent}\n", 1, 3,
	  "with `filtering: address-dependent` write `mapping: endpoint-independent`" },
	{ IFS "masquerade: {mapping: address-and-port-dependent, filtering: endpoint-independent}\n", 1, 2, "masquerade: `mapping" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.1, mapping: address-and-port-dependent, filtering: {tcp: address-dependent}}\n", 1, 3,
	  "with `filtering: address-dependent` write `mapping: endpoint-independent`" },
	{ IFS "pools:\n- {name: a, addresses: 203.0.113.1, mapping: address-and-port-dependent, protocols: shared}\n", 1, 3,
	  "pool a: `protocols: shared` goes with `mapping: endpoint-independent` only" },
	{ IFS "masquerade: {protocols: shared, mapping: address-and-port-dependent}\n", 1, 2, "masquerade: `protocols: shared` goes with" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, protocols: both}]\n", 1, 2, "known here: separate, shared" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, pooling: pared}]\n", 1, 2, "did you mean `paired`?" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, port-selection: randm}]\n", 1, 2, "did you mean `random`?" },
	{ IFS "pools: [{name: a, addresses: 203.0.113.1, port_selection: random}]\n", 1, 2, "did you mean `port-selection`?" },
	{ IFS "masquerade: {pooling: paired}\n", 1, 2, "unknown key `pooling` in `masquerade`" },
	{ IFS "masquerade:\n  filtering: {tcp: none}\n", 1, 3, "`none` is not a kind of filtering" },
	{ IFS "masquerade: {filtering: {gre: address-dependent}}\n", 1, 2, "unknown key `gre` in `filtering`; known here: tcp, udp" },
	{ IFS "masquerade: {filtering: [address-dependent]}\n", 1, 2, "a kind of filtering is needed here, not a list" },
};

static const struct bad bad_rules[] = {
	{ IFS RULE("from: {interface: lan1}, action: drop"), 1, 3, "interface `lan1` is not in `interfaces`; did you mean `lan0`?" },
	{ IFS RULE("to: {interface: [wan0, tun9]}, action: drop"), 1, 3, "interface `tun9` is not in `interfaces`; known here: lan0, wan0" },
	{ IFS RULE("from: {interface: [lan0, lan0]}, action: drop"), 1, 3, "stands twice" },
	{ IFS RULE("action: {snat: public}"), 1, 3, "pool `public` is named, but `pools` has none" },
	{ IFS POOL RULE("action: {snat: pulbic}"), 1, 4, "did you mean `public`?" },
	{ IFS POOL RULE("action: snat"), 1, 4, "`snat` needs a pool" },
	{ IFS RULE("action: masq"), 1, 3, "known here: masquerade, accept, drop, reject, kernel" },
	{ IFS RULE("action: {snta: x}"), 2, 3, "did you mean `snat`?" },
	{ IFS RULE("action: [drop]"), 1, 3, "not a list" },
	{ IFS RULE("name: -x, action: drop"), 1, 3, "no `-` first" },
	{ IFS RULE("name: a23456789b123456789c123456789d12, action: drop"), 1, 3, "is not a rule's name" },
	{ IFS "rules:\n- {name: a, action: drop}\n- {name: a, action: drop}\n", 1, 4, "rule `a` stands twice" },
	{ IFS "rules:\n- {name: rule-2, action: drop}\n- {action: drop}\n", 1, 4, "rule `rule-2` stands twice" },
	{ IFS RULE("from: {source: 198.18.0.1/16}, action: drop"), 1, 3, "write 198.18.0.0/16" },
	{ IFS RULE("from: {source: []}, action: drop"), 1, 3, "the list is empty" },
	{ IFS RULE("from: {source: 198.18.0.9-198.18.0.0}, action: drop"), 1, 3, "reversed; the lower address comes first" },
	{ IFS RULE("to: {destination: \"2001:db8::1\"}, action: drop"), 1, 3, "IPv6" },
	{ IFS RULE("proto: tpc, action: drop"), 1, 3, "`tpc` is not a protocol; tcp, udp" },
	{ IFS RULE("proto: 0, action: drop"), 1, 3, "leave `proto` away" },
	{ IFS RULE("proto: 256, action: drop"), 1, 3, "is not a protocol" },
	{ IFS RULE("proto: [tcp, 6], action: drop"), 1, 3, "protocol `6` stands twice" },
	{ IFS RULE("to: {port: 25}, action: drop"), 1, 3, "add `proto: [tcp, udp]`" },
	{ IFS RULE("to: {port: 25}, proto: [tcp, icmp], action: drop"), 1, 3, "which icmp does not have" },
	{ IFS RULE("to: {port: 9-8}, proto: tcp, action: drop"), 1, 3, "write 8-9" },
	{ IFS POOL RULE("from: {source: 203.0.113.0/24}, action: {snat: public}"), 1, 4,
	  "source 203.0.113.0/24 overlaps 203.0.113.16/28 of pool `public` (line 2)" },
	{ IFS POOL RULE("from: {source: [198.18.0.0/16, 203.0.113.31]}, action: {snat: public}"), 1, 4, "inside and outside addresses must differ" },
	{ IFS POOL RULE("from: {source: 203.0.113.20}, action: masquerade"), 1, 4, "source 203.0.113.20 overlaps 203.0.113.16/28 of pool `public`" },
	{ IFS "pools:\n- {name: a, addresses: [203.0.113.1, 203.0.113.9]}\n- {name: b, addresses: 203.0.113.5}\n"
	      RULE("from: {source: 203.0.113.8/29}, action: {snat: b}"), 1, 6, "overlaps 203.0.113.9 of pool `a` (line 3)" },
	{ IFS POOL RULE("from: {source: 203.0.113.20}"), 1, 4, "a rule needs `action`" },
};

static const struct bad bad_forwards[] = {
	{ IFS FORWARD("proto: icmp, external: \"203.0.113.1:1\", internal: \"198.18.0.1:1\""), 1, 3, "tcp, udp or [tcp, udp], not `icmp`" },
	{ IFS FORWARD("proto: [tcp, tcp], external: \"203.0.113.1:1\", internal: \"198.18.0.1:1\""), 1, 3, "stands twice" },
	{ IFS FORWARD("external: \"203.0.113.1:1\", internal: \"198.18.0.1:1\""), 1, 3, "a forward needs `proto`" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.300:1\", internal: \"198.18.0.1:1\""), 1, 3, "is not ADDRESS[:PORT[-PORT]] or INTERFACE" },
	{ IFS FORWARD("proto: tcp, external: \"[2001:db8::1]:1\", internal: \"198.18.0.1:1\""), 1, 3, "is not ADDRESS" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:\", internal: \"198.18.0.1:1\""), 1, 3, "is not ADDRESS" },
	{ IFS FORWARD("proto: tcp, external: wan0, internal: 198.18.0.1"), 1, 3, "without a port would give all of the box away" },
	{ IFS FORWARD("proto: tcp, external: \"wan1:80\", internal: 198.18.0.1"), 1, 3, "did you mean `wan0`?" },
	{ IFS FORWARD("proto: tcp, external: \"wan0:80\", internal: \"lan0:80\""), 1, 3, "is not ADDRESS[:PORT[-PORT]], like" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:80\", internal: \"198.18.0.1:0\""), 1, 3, "`0` is not a port" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:90-80\", internal: \"198.18.0.1\""), 1, 3, "write 80-90" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:80-89\", internal: \"198.18.0.1:8080\""), 1, 3, "write `internal: \"198.18.0.1:8080-8089\"`" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:80\", internal: \"198.18.0.1:8080-8089\""), 1, 3, "write `internal: \"198.18.0.1:8080\"`" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:80-89\", internal: \"198.18.0.1:65530\""), 1, 3, "both must be as many" },
	{ IFS FORWARD("proto: tcp, external: \"127.0.0.1:80\", internal: 198.18.0.1"), 1, 3, "no host can have the address 127.0.0.1" },
	{ IFS FORWARD("proto: tcp, external: \"203.0.113.1:80\", internal: 203.0.113.1"), 1, 3, "leads from 203.0.113.1 to itself" },
	{ IFS POOL FORWARD("proto: tcp, external: \"203.0.113.1:80\", internal: 203.0.113.20"), 1, 4, "belongs to pool `public` (line 2)" },
	{ IFS "forwards:\n- {proto: tcp, external: \"wan0:80\", internal: 198.18.0.1}\n- {proto: [udp, tcp], external: \"wan0:79-81\", internal: 198.18.0.2}\n",
	  1, 4, "tcp wan0:80 is forwarded in line 3 already" },
	{ IFS "forwards:\n- {proto: tcp, external: 203.0.113.1, internal: 198.18.0.1}\n- {proto: tcp, external: \"203.0.113.1:9\", internal: 198.18.0.2}\n"
	      "- {proto: tcp, external: \"203.0.113.1:30\", internal: 198.18.0.2}\n", 2, 5, "tcp 203.0.113.1:30 is forwarded in line 3 already" },
	{ IFS "forwards:\n- {proto: [tcp, udp], external: 203.0.113.1, internal: 198.18.0.1}\n"
	      "- {proto: tcp, external: \"203.0.113.2:1-3\", internal: 198.18.0.2}\n", 1, 3, "the forwards have 131073 ports" },
	{ IFS FORWARD("proto: tcp, external: \"wan0:80\", internal: 198.18.0.1, filtering: none"), 1, 3, "is not a kind of filtering" },
};

BAD_TEST(bad_syntax)
BAD_TEST(bad_keys)
BAD_TEST(bad_values)
BAD_TEST(bad_pools)
BAD_TEST(bad_rules)
BAD_TEST(bad_forwards)

static int read_text(const char *text, size_t len, struct config **config, struct cfg_errors *errors)
{
	return config_read_text(text, len, "test.yaml", config, errors);
}

/* Everything at once, by line, and printed as compilers do. */
static void test_all_at_once(void **state)
{
	static const char text[] =
		"forwards: [{proto: tcp, external: \"wan1:80\", internal: 198.18.0.1}]\n"
		"interfaces: [{name: lan0, xpd: off}, wan0]\n"
		"pools: [{name: a, addresses: 203.0.113.1/24}]\n"
		"rules: [{action: {snat: b}}, {action: dorp}]\n";
	static const int lines[] = { 1, 2, 3, 4, 4 };
	struct cfg_errors errors;
	struct config *config;
	char *printed = NULL;
	size_t len;
	FILE *out = open_memstream(&printed, &len);

	assert_int_equal(read_text(text, strlen(text), &config, &errors), -EINVAL);
	assert_int_equal(errors.n, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(errors.list[i].line, lines[i]);
	cfg_errors_print(NULL, "test.yaml", &errors, out);
	fclose(out);
	assert_non_null(strstr(printed, "test.yaml:2: unknown key `xpd` in an interface; did you mean `xdp`?\n"));
	free(printed);
	cfg_errors_free(&errors);
	assert_null(errors.list);
}

static void test_many_errors_are_cut(void **state)
{
	char text[8192] = IFS "rules:\n";
	struct cfg_errors errors;
	struct config *config;

	for (int i = 0; i < 300; i++)
		strcat(text, "- {action: no}\n");
	assert_int_equal(read_text(text, strlen(text), &config, &errors), -EINVAL);
	assert_int_equal(errors.n, 101);
	assert_int_equal(errors.list[99].line, 102);
	assert_non_null(strstr(errors.list[100].text, "200 further problems"));
	cfg_errors_free(&errors);
}

/* Aliases that double at every step: 2^20 values from 21 lines. */
static void test_alias_bomb(void **state)
{
	char text[4096] = "a0: &a0 [x, x]\n", line[64];
	struct cfg_errors errors;
	struct config *config;

	for (int i = 1; i <= 20; i++) {
		snprintf(line, sizeof(line), "a%d: &a%d [*a%d, *a%d]\n", i, i, i - 1, i - 1);
		strcat(text, line);
	}
	assert_int_equal(read_text(text, strlen(text), &config, &errors), -EINVAL);
	assert_int_equal(errors.n, 1);
	assert_non_null(strstr(errors.list[0].text, "more than 500000 values"));
	cfg_errors_free(&errors);
}

static void test_many_anchors(void **state)
{
	char *text = calloc(1, 16384), line[32];
	struct cfg_errors errors;
	struct config *config;

	for (int i = 0; i < 257; i++) {
		snprintf(line, sizeof(line), "- &a%d x\n", i);
		strcat(text, line);
	}
	assert_int_equal(read_text(text, strlen(text), &config, &errors), -EINVAL);
	assert_non_null(strstr(errors.list[0].text, "more than 256 anchors"));
	cfg_errors_free(&errors);
	free(text);
}

/* A text of n copies of item. */
static char *repeat(const char *head, const char *item, size_t n, size_t *len)
{
	size_t step = strlen(item);
	char *text;

	*len = strlen(head) + n * step;
	text = malloc(*len + 1);
	strcpy(text, head);
	for (size_t i = 0; i < n; i++)
		memcpy(text + strlen(head) + i * step, item, step + 1);
	return text;
}

static void assert_refused(char *text, size_t len, const char *words)
{
	struct cfg_errors errors;
	struct config *config;

	assert_int_equal(read_text(text, len, &config, &errors), -EINVAL);
	assert_true(errors.n > 0);
	if (!strstr(errors.list[0].text, words))
		fail_msg("wanted \"%s\", got \"%s\"", words, errors.list[0].text);
	cfg_errors_free(&errors);
	free(text);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Large and malicious files are refused soon; the bound is wide because the build is sanitized. */
static void test_large(void **state)
{
	double start = now();
	size_t len;
	char *text;

	text = repeat("", "#", (4 << 20) + 1, &len);
	assert_refused(text, len, "larger than 4 MiB");
	text = repeat("a: [", "a,", 2000000, &len);
	assert_refused(text, len, "more than 500000 values");
	text = repeat("", "[", 4 << 20, &len);
	assert_refused(text, len, "nested deeper");
	text = repeat("", "{a: ", 1 << 20, &len);
	assert_refused(text, len, "nested deeper");
	text = repeat("interfaces: [a]\nrules:\n", "- {zzz: 1, action: drap}\n", 90000, &len);
	assert_refused(text, len, "unknown key");
	text = repeat("interfaces: [a]\nrules: [{action: {snat: p}, from: {source: [", "198.18.0.0/24,", 100000, &len);
	memcpy(text + len - 14, "192.0.2.1]}}]\n", 14);
	assert_refused(text, len, "pool `p` is named");
	text = repeat("interfaces: [a]\nrules:\n", "- {action: drop}\n", 4097, &len);
	assert_refused(text, len, "rule rule-4097 becomes 1 entries");
	assert_true(now() - start < 60);
}

static void test_rule_product(void **state)
{
	size_t len;
	char *text = repeat("interfaces: [a]\nrules:\n- proto: [tcp, udp]\n  to: {port: [1", ",2", 99, &len);

	text = realloc(text, len + 256);
	strcat(text, "]}\n  from: {source: [198.18.0.0/24, 198.18.1.0/24, 198.18.2.0/24], port: [1,2,3,4,5,6,7]}\n  action: drop\n");
	assert_refused(text, strlen(text), "rule rule-1 becomes 4200 entries");
}

static void test_unreadable(void **state)
{
	struct cfg_errors errors;
	struct config *config;

	assert_int_equal(config_read_file("/nowhere/natvi.yaml", &config, &errors), -ENOENT);
	assert_null(config);
	assert_int_equal(errors.n, 1);
	assert_int_equal(errors.list[0].line, 0);
	assert_non_null(strstr(errors.list[0].text, "cannot be read: No such file"));
	cfg_errors_free(&errors);
	assert_int_equal(config_read_file("/", &config, &errors), -EISDIR);
	assert_int_equal(errors.n, 1);
	cfg_errors_free(&errors);
}

/* Pools of interfaces and of the configuration share 255 places. */
static void test_masquerade_ways(void **state)
{
	char text[16384] = "interfaces: [", name[32];

	for (int i = 0; i < 256; i++) {
		snprintf(name, sizeof(name), "if%d,", i);
		strcat(text, name);
	}
	strcat(text, "]\nrules: [{action: masquerade}]\n");
	assert_refused(strdup(text), strlen(text), "masquerading by 256 interfaces beside 0 pools; 255 fit together");
}

struct bad_args {
	char *interfaces[4];
	size_t n_interfaces;
	char *masquerade[4];
	size_t n_masquerade;
	const char *words;
};

static void test_bad_args(void **state)
{
	static const struct bad_args list[] = {
		{ { "lan0", "wan0" }, 2, { "wan1" }, 1, "`--masquerade wan1` is not among the interfaces" },
		{ { "lan0", "wan0" }, 2, { NULL }, 0, "nothing to translate" },
		{ { "wan0" }, 1, { "wan0" }, 1, "all interfaces masquerade" },
		{ { "lan0", "wan0", "lan0" }, 3, { "wan0" }, 1, "interface `lan0` is named twice" },
		{ { "lan0", "wan0" }, 2, { "wan0", "wan0" }, 2, "given twice" },
		{ { "lan0", "a/b" }, 2, { "a/b" }, 1, "cannot be an interface's name" },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const struct bad_args *b = &list[i];
		struct cfg_errors errors;
		struct config *config;

		assert_int_equal(config_from_args(b->interfaces, b->n_interfaces, b->masquerade, b->n_masquerade, false, &config,
						  &errors), -EINVAL);
		assert_null(config);
		assert_true(has_error(&errors, 0, b->words));
		cfg_errors_free(&errors);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_syntax),
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_bad_pools),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_bad_forwards),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_many_errors_are_cut),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_many_anchors),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_rule_product),
		cmocka_unit_test(test_masquerade_ways),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_bad_args),
	};

	return cmocka_run_group_tests_name("config: refused", tests, NULL, NULL);
}
