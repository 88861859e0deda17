/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config_good.c - configurations that are accepted: what ends in the struct, the defaults, the
 * one-line form, the JSON form (which reads back as itself), the examples, and the time it takes.
 * Run from the repository's root, where examples/ is.
 */
#include <glob.h>
#include <time.h>

#include "abi/flow.h"
#include "abi/mapping.h"
#include "tests/unit/config_text.h"

static void test_defaults(void **state)
{
	struct config *c = read_good("interfaces:\n- name: lan0\n-\n  name: wan0\n");

	assert_string_equal(c->source, "test.yaml");
	assert_int_equal(c->n_interfaces, 2);
	assert_string_equal(c->interfaces[0].name, "lan0");
	assert_string_equal(c->interfaces[1].name, "wan0");
	assert_int_equal(c->interfaces[0].xdp, XDP_MODE_AUTO);
	assert_int_equal(c->interfaces[0].mss, 0);
	assert_int_equal(c->interfaces[0].line, 2);
	assert_int_equal(c->interfaces[1].line, 4);
	assert_int_equal(c->n_pools + c->n_rules + c->n_forwards, 0);
	assert_int_equal(c->timeouts.udp_s, 300);
	assert_int_equal(c->timeouts.tcp_established_s, 7440);
	assert_int_equal(c->timeouts.tcp_opening_s, 240);
	assert_int_equal(c->timeouts.tcp_closing_s, 240);
	assert_int_equal(c->timeouts.icmp_s, 60);
	assert_int_equal(c->timeouts.other_s, 300);
	assert_int_equal(c->timeouts.rest_s, 120);
	assert_int_equal(c->masquerade.behaviour.mapping, MAPPING_EI);
	assert_int_equal(c->masquerade.behaviour.filtering, FILTER_EI);
	assert_int_equal(c->masquerade.n_ports, 0);
	assert_int_equal(c->max_sessions, 65536);
	assert_int_equal(c->max_mappings, 65536);
	assert_int_equal(c->icmp_rate, 1000);
	assert_false(c->exhaust_host);
	assert_int_equal(c->unsolicited, UNSOLICITED_HOLD);
	config_free(c);
	config_free(NULL);
}

static void test_settings(void **state)
{
	struct config *c = read_good(
		"interfaces: [{name: lan0, xdp: off, zone: global, mss: off}, {name: a, xdp: native, mss: auto}, {name: b, xdp: generic, mss: 1412}]\n"
		"timeouts: {udp: 5m, tcp-established: 2h4m, tcp-transitory: 300s, icmp: 1, other: 1h1m1s, port-rest: \"7\"}\n"
		"limits: {sessions: 1000000, icmp-rate: 0}\n"
		"masquerade: {ports: [1024-2047, 5000], mapping: address-and-port-dependent}\n"
		"tcp: {unsolicited: kernel}\n"
		"on-exhaustion: host-unreachable\n");

	assert_int_equal(c->interfaces[0].xdp, XDP_MODE_OFF);
	assert_int_equal(c->interfaces[1].xdp, XDP_MODE_NATIVE);
	assert_int_equal(c->interfaces[2].xdp, XDP_MODE_GENERIC);
	assert_int_equal(c->interfaces[0].mss, 0);
	assert_int_equal(c->interfaces[1].mss, MSS_AUTO);
	assert_int_equal(c->interfaces[2].mss, 1412);
	assert_int_equal(c->timeouts.udp_s, 300);
	assert_int_equal(c->timeouts.tcp_established_s, 7440);
	assert_int_equal(c->timeouts.tcp_opening_s, 300);
	assert_int_equal(c->timeouts.tcp_closing_s, 300);
	assert_int_equal(c->timeouts.icmp_s, 1);
	assert_int_equal(c->timeouts.other_s, 3661);
	assert_int_equal(c->timeouts.rest_s, 7);
	assert_int_equal(c->max_sessions, 1000000);
	assert_int_equal(c->max_mappings, 1000000);
	assert_int_equal(c->icmp_rate, 0);
	assert_int_equal(c->masquerade.n_ports, 2);
	assert_int_equal(c->masquerade.ports[0].lo, 1024);
	assert_int_equal(c->masquerade.ports[1].hi, 5000);
	assert_int_equal(c->masquerade.behaviour.mapping, MAPPING_APD);
	assert_int_equal(c->masquerade.behaviour.filtering, FILTER_APD);
	assert_true(c->exhaust_host);
	assert_int_equal(c->unsolicited, UNSOLICITED_KERNEL);
	json_decref(round_trip(c));
	config_free(c);
}

/* tcp-transitory is both, but an explicit one counts more, wherever it stands. */
static void test_tcp_timeouts(void **state)
{
	static const struct {
		const char *timeouts;
		int opening_s, closing_s;
	} list[] = {
		{ "{udp: 10}", 240, 240 },
		{ "{}", 240, 240 },
		{ "{tcp-transitory: 10}", 10, 10 },
		{ "{tcp-opening: 20}", 20, 240 },
		{ "{tcp-closing: 5m}", 240, 300 },
		{ "{tcp-transitory: 10, tcp-opening: 20}", 20, 10 },
		{ "{tcp-closing: 30, tcp-transitory: 10}", 10, 30 },
		{ "{tcp-opening: 20, tcp-transitory: 10, tcp-closing: 30}", 20, 30 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		char text[256];
		struct config *c;

		snprintf(text, sizeof(text), IFS "timeouts: %s\n", list[i].timeouts);
		c = read_good(text);
		assert_int_equal(c->timeouts.tcp_opening_s, list[i].opening_s);
		assert_int_equal(c->timeouts.tcp_closing_s, list[i].closing_s);
		config_free(c);
	}
}

static void test_pools(void **state)
{
	struct config *c = read_good(
		IFS "pools:\n"
		"- name: public\n"
		"  addresses: [203.0.113.16/28, 203.0.113.40-203.0.113.47, 203.0.113.50]\n"
		"  ports: 1024-65535\n"
		"  filtering: address-dependent\n"
		"- {name: b.2, addresses: 203.0.113.0/28, ports: [80, 443], mapping: address-and-port-dependent}\n");

	assert_int_equal(c->n_pools, 2);
	assert_string_equal(c->pools[0].name, "public");
	assert_int_equal(c->pools[0].n_addrs, 3);
	assert_int_equal(c->pools[0].addrs[0].lo, A(203, 0, 113, 16));
	assert_int_equal(c->pools[0].addrs[0].hi, A(203, 0, 113, 31));
	assert_int_equal(c->pools[0].addrs[1].lo, A(203, 0, 113, 40));
	assert_int_equal(c->pools[0].addrs[1].hi, A(203, 0, 113, 47));
	assert_int_equal(c->pools[0].addrs[2].lo, c->pools[0].addrs[2].hi);
	assert_int_equal(c->pools[0].n_ports, 1);
	assert_int_equal(c->pools[0].ports[0].lo, 1024);
	assert_int_equal(c->pools[0].ports[0].hi, 65535);
	assert_int_equal(c->pools[0].behaviour.mapping, MAPPING_EI);
	assert_int_equal(c->pools[0].behaviour.filtering, FILTER_AD);
	assert_int_equal(c->pools[0].line, 3);
	assert_int_equal(c->pools[1].behaviour.mapping, MAPPING_APD);
	assert_int_equal(c->pools[1].behaviour.filtering, FILTER_APD);
	assert_int_equal(c->pools[1].n_ports, 2);
	assert_int_equal(config_pool_addresses(c), 16 + 8 + 1 + 16);
	config_free(c);
}

static void test_behaviour(void **state)
{
	struct config *c = read_good(
		IFS "pools:\n"
		"- {name: a, addresses: 203.0.113.1}\n"
		"- {name: b, addresses: 203.0.113.2, pooling: arbitrary, port-selection: random, protocols: shared}\n"
		"- {name: c, addresses: 203.0.113.3, pooling: paired, port-selection: preserve, protocols: separate}\n"
		"- {name: d, addresses: 203.0.113.4, filtering: {tcp: address-dependent, udp: address-and-port-dependent}}\n"
		"- {name: e, addresses: 203.0.113.5, filtering: {udp: address-dependent}}\n"
		"- {name: f, addresses: 203.0.113.6, mapping: address-and-port-dependent, filtering: {}}\n"
		"masquerade: {port-selection: random, protocols: shared, filtering: {tcp: address-dependent}}\n");
	static const struct cfg_behaviour wanted[] = {
		{ MAPPING_EI, FILTER_EI, FILTER_EI, false, false, false },
		{ MAPPING_EI, FILTER_EI, FILTER_EI, true, true, true },
		{ MAPPING_EI, FILTER_EI, FILTER_EI, false, false, false },
		{ MAPPING_EI, FILTER_APD, FILTER_AD, false, false, false },
		{ MAPPING_EI, FILTER_AD, FILTER_EI, false, false, false },
		{ MAPPING_APD, FILTER_APD, FILTER_APD, false, false, false },
		{ MAPPING_EI, FILTER_EI, FILTER_AD, false, true, true },
	};

	for (size_t i = 0; i < 7; i++) {
		const struct cfg_behaviour *b = i < 6 ? &c->pools[i].behaviour : &c->masquerade.behaviour;

		assert_int_equal(b->mapping, wanted[i].mapping);
		assert_int_equal(b->filtering, wanted[i].filtering);
		assert_int_equal(b->filtering_tcp, wanted[i].filtering_tcp);
		assert_int_equal(b->arbitrary, wanted[i].arbitrary);
		assert_int_equal(b->random, wanted[i].random);
		assert_int_equal(b->shared, wanted[i].shared);
	}
	config_free(c);
}

static void test_rules(void **state)
{
	struct config *c = read_good(
		"rules:\n"
		"- name: office\n"
		"  from: {interface: [lan0, dmz0], source: [198.18.0.0/16, 198.19.0.1], port: 1024-65535}\n"
		"  to: {interface: wan0, destination: 192.0.2.0/24, ports: [80, 443, 8000-8010]}\n"
		"  proto: [tcp, UDP]\n"
		"  action: {snat: public}\n"
		"- {from: {source: 0.0.0.0/0}, action: {snat: public}}\n"
		"- {to: {}, action: masquerade}\n"
		"- {action: {snat: masquerade}}\n"
		"- {action: accept}\n"
		"- {action: drop, proto: [icmp, esp, gre, sctp, 200]}\n"
		"- {action: reject}\n"
		"- {action: kernel}\n"
		"interfaces: [lan0, dmz0, wan0]\n"
		"pools: [{name: public, addresses: 203.0.113.1}]\n");
	const struct cfg_rule *r = c->rules;

	assert_int_equal(c->n_rules, 8);
	assert_string_equal(r[0].name, "office");
	assert_int_equal(r[0].line, 2);
	assert_int_equal(r[0].from.n_interfaces, 2);
	assert_string_equal(r[0].from.interfaces[1], "dmz0");
	assert_int_equal(r[0].from.prefixes[0].addr, A(198, 18, 0, 0));
	assert_int_equal(r[0].from.prefixes[0].len, 16);
	assert_int_equal(r[0].from.prefixes[1].len, 32);
	assert_int_equal(r[0].from.ports[0].lo, 1024);
	assert_int_equal(r[0].to.n_prefixes, 1);
	assert_int_equal(r[0].to.n_ports, 3);
	assert_int_equal(r[0].to.ports[2].hi, 8010);
	assert_int_equal(r[0].n_protos, 2);
	assert_int_equal(r[0].protos[1], IPPROTO_UDP);
	assert_int_equal(r[0].action, ACTION_TRANSLATE);
	assert_false(r[0].masquerade);
	assert_string_equal(r[0].pool, "public");
	assert_int_equal(config_rule_entries(&r[0]), 2 * 2 * 1 * 1 * 1 * 3 * 2);
	assert_string_equal(r[1].name, "rule-2");
	assert_int_equal(config_rule_entries(&r[1]), 1);
	for (int i = 2; i < 4; i++) {
		assert_int_equal(r[i].action, ACTION_TRANSLATE);
		assert_true(r[i].masquerade);
		assert_string_equal(r[i].pool, "");
	}
	assert_int_equal(r[4].action, ACTION_ACCEPT);
	assert_int_equal(r[5].action, ACTION_DROP);
	assert_int_equal(r[5].n_protos, 5);
	assert_int_equal(r[5].protos[4], 200);
	assert_int_equal(r[6].action, ACTION_REJECT);
	assert_int_equal(r[7].action, ACTION_KERNEL);
	config_free(c);
}

static void test_forwards(void **state)
{
	struct config *c = read_good(
		IFS "forwards:\n"
		"- {proto: tcp, external: \"203.0.113.1:443\", internal: \"198.18.0.10:8443\"}\n"
		"- {proto: [udp, tcp], external: \"wan0:8000-8009\", internal: \"198.18.0.10:9000-9009\", filtering: address-dependent}\n"
		"- {proto: udp, external: \"203.0.113.1:443\", internal: 198.18.0.11}\n"
		"- {proto: tcp, external: 203.0.113.2, internal: 198.18.0.12}\n");
	const struct cfg_forward *f = c->forwards;

	assert_int_equal(c->n_forwards, 4);
	assert_int_equal(f[0].n_protos, 1);
	assert_int_equal(f[0].protos[0], IPPROTO_TCP);
	assert_int_equal(f[0].ext_addr, A(203, 0, 113, 1));
	assert_string_equal(f[0].ext_interface, "");
	assert_int_equal(f[0].ext_ports.lo, 443);
	assert_int_equal(f[0].ext_ports.hi, 443);
	assert_int_equal(f[0].int_addr, A(198, 18, 0, 10));
	assert_int_equal(f[0].int_ports.lo, 8443);
	assert_int_equal(f[0].filtering, FILTER_EI);
	assert_int_equal(f[0].line, 3);
	assert_int_equal(f[1].n_protos, 2);
	assert_int_equal(f[1].ext_addr, 0);
	assert_string_equal(f[1].ext_interface, "wan0");
	assert_int_equal(f[1].int_ports.hi, 9009);
	assert_int_equal(f[1].filtering, FILTER_AD);
	assert_int_equal(f[2].int_ports.lo, 443);
	assert_int_equal(f[3].ext_ports.lo, 1);
	assert_int_equal(f[3].int_ports.hi, 65535);
	config_free(c);
}

/* Only what is translated must differ from the pools: their addresses may be kept out, and "any" is anybody else. */
static void test_sources_beside_pools(void **state)
{
	struct config *c = read_good(
		IFS "pools: [{name: p, addresses: [203.0.113.16/28, 203.0.113.40-203.0.113.47]}]\n"
		"rules:\n"
		"- {from: {interface: wan0, source: 203.0.113.16/28}, action: drop}\n"
		"- {from: {source: 203.0.113.0/24}, action: accept}\n"
		"- {from: {source: 0.0.0.0/0}, action: {snat: p}}\n"
		"- {from: {source: [203.0.113.0/28, 203.0.113.32/29, 203.0.113.48/28]}, action: {snat: p}}\n"
		"- {to: {destination: 203.0.113.16/28}, action: masquerade}\n");

	assert_int_equal(c->n_rules, 5);
	config_free(c);
}

/* What a file needs to say twice it may say once, with an anchor; and notation is free. */
static void test_yaml_forms(void **state)
{
	struct config *c = read_good(
		"%YAML 1.1\n---\n"
		"\"interfaces\" : [ 'lan0' , \"wan0\" ] # both\n"
		"rules:\n"
		"  - name: a\r\n"
		"    from: &inside\n"
		"      source: &nets [198.18.0.0/24,\n"
		"                     198.18.1.0/24]\n"
		"    action: drop\n"
		"  - {name: b, from: *inside, to: {destination: *nets}, action: drop}\n"
		"pools:\n"
		"forwards: []\n"
		"...\n");

	assert_int_equal(c->n_rules, 2);
	assert_int_equal(c->rules[1].from.n_prefixes, 2);
	assert_int_equal(c->rules[1].to.prefixes[1].addr, A(198, 18, 1, 0));
	assert_int_equal(config_rule_entries(&c->rules[1]), 4);
	config_free(c);
}

static void test_text_without_nul(void **state)
{
	static const char text[] = "interfaces: [a]";
	char *exact = malloc(sizeof(text) - 1);
	struct cfg_errors errors;
	struct config *config;

	/* A byte read beyond the end would be the sanitizer's find. */
	memcpy(exact, text, sizeof(text) - 1);
	assert_int_equal(config_read_text(exact, sizeof(text) - 1, "x", &config, &errors), 0);
	config_free(config);
	free(exact);
}

static void test_args(void **state)
{
	char *const interfaces[] = { "lan0", "wan0", "lan1", "wan1" };
	char *const masquerade[] = { "wan0", "wan1" };
	struct cfg_errors errors;
	struct config *c;

	assert_int_equal(config_from_args(interfaces, 4, masquerade, 2, false, &c, &errors), 0);
	assert_int_equal(errors.n, 0);
	assert_string_equal(c->source, "command line");
	assert_int_equal(c->n_interfaces, 4);
	assert_int_equal(c->n_rules, 2);
	assert_string_equal(c->rules[0].name, "masquerade");
	assert_int_equal(c->rules[0].action, ACTION_TRANSLATE);
	assert_true(c->rules[0].masquerade);
	assert_int_equal(c->rules[0].from.n_interfaces, 2);
	assert_string_equal(c->rules[0].from.interfaces[0], "lan0");
	assert_string_equal(c->rules[0].from.interfaces[1], "lan1");
	assert_int_equal(c->rules[0].to.n_interfaces, 2);
	assert_string_equal(c->rules[0].to.interfaces[1], "wan1");
	assert_int_equal(c->rules[1].action, ACTION_DROP);
	assert_int_equal(c->rules[1].from.n_interfaces, 2);
	assert_string_equal(c->rules[1].from.interfaces[0], "wan0");
	assert_int_equal(c->rules[1].to.n_interfaces, 0);
	assert_int_equal(c->max_sessions, 65536);
	assert_int_equal(c->masquerade.behaviour.filtering, FILTER_EI);
	config_free(c);
}

static void test_json(void **state)
{
	struct config *c = read_good(
		IFS "pools: [{name: p, addresses: [203.0.113.1-203.0.113.6, 203.0.113.8/29]}]\n"
		"rules: [{name: r, from: {source: 198.18.0.0/16}, to: {port: 1-2}, proto: udp, action: {snat: p}}]\n"
		"forwards: [{proto: tcp, external: \"wan0:80-81\", internal: 198.18.0.1}]\n"
		"timeouts: {udp: 2m}\n");
	const char *xdp, *mapping, *range, *prefix, *pool, *internal;
	json_t *json = round_trip(c);
	int udp, sessions;

	assert_int_equal(json_unpack(json, "{s[{ss},{}] s[{ss s[ss]}] s[{s{ss}}] s[{ss}] s{si} s{si}}",
				     "interfaces", "xdp", &xdp,
				     "pools", "mapping", &mapping, "addresses", &range, &prefix,
				     "rules", "action", "snat", &pool,
				     "forwards", "internal", &internal,
				     "timeouts", "udp", &udp, "limits", "sessions", &sessions), 0);
	assert_string_equal(xdp, "auto");
	assert_string_equal(mapping, "endpoint-independent");
	assert_string_equal(range, "203.0.113.1-203.0.113.6");
	assert_string_equal(prefix, "203.0.113.8/29");
	assert_string_equal(pool, "p");
	assert_string_equal(internal, "198.18.0.1:80-81");
	assert_int_equal(udp, 120);
	assert_int_equal(sessions, 65536);
	json_decref(json);
	config_free(c);
}

/* A setting is not lost on its way into JSON and back; filtering is one word where one will do. */
static void test_json_of_behaviour(void **state)
{
	struct config *c = read_good(
		IFS "pools: [{name: p, addresses: 203.0.113.1, filtering: {tcp: address-dependent}, pooling: arbitrary, protocols: shared}]\n"
		"masquerade: {filtering: {tcp: address-dependent, udp: address-dependent}, port-selection: random}\n");
	const char *tcp, *udp, *pooling, *pool_ports, *pool_protocols, *masquerade, *ports, *protocols;
	json_t *json = round_trip(c);

	assert_int_equal(json_unpack(json, "{s[{s{ss ss} ss ss ss}] s{ss ss ss}}",
				     "pools", "filtering", "tcp", &tcp, "udp", &udp, "pooling", &pooling,
				     "port-selection", &pool_ports, "protocols", &pool_protocols,
				     "masquerade", "filtering", &masquerade, "port-selection", &ports, "protocols", &protocols), 0);
	assert_string_equal(tcp, "address-dependent");
	assert_string_equal(udp, "endpoint-independent");
	assert_string_equal(pooling, "arbitrary");
	assert_string_equal(pool_ports, "preserve");
	assert_string_equal(pool_protocols, "shared");
	assert_string_equal(masquerade, "address-dependent");
	assert_string_equal(ports, "random");
	assert_string_equal(protocols, "separate");
	json_decref(json);
	config_free(c);
}

static void test_json_of_args(void **state)
{
	char *const interfaces[] = { "lan0", "wan0" }, *const masquerade[] = { "wan0" };
	struct cfg_errors errors;
	struct config *c;

	assert_int_equal(config_from_args(interfaces, 2, masquerade, 1, false, &c, &errors), 0);
	json_decref(round_trip(c));
	config_free(c);
}

static void test_examples(void **state)
{
	glob_t found;

	assert_int_equal(glob("examples/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 3);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct cfg_errors errors;
		struct config *config;
		int err = config_read_file(found.gl_pathv[i], &config, &errors);

		cfg_errors_print(config, found.gl_pathv[i], &errors, stderr);
		assert_int_equal(err, 0);
		assert_string_equal(config->source, found.gl_pathv[i]);
		json_decref(round_trip(config));
		cfg_errors_free(&errors);
		config_free(config);
	}
	globfree(&found);
}

/* What the fuzzer starts from is meant to reach behind every key. */
static void test_all_keys(void **state)
{
	static const char *const files[] = { "tests/fuzz/corpus_config/all-keys.yaml", "tests/fuzz/corpus_config/zones.yaml",
					       "tests/fuzz/corpus_config/accelerate.yaml", "tests/fuzz/corpus_config/wires.yaml" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct cfg_errors errors;
		struct config *config;
		int err = config_read_file(files[i], &config, &errors);

		cfg_errors_print(config, files[i], &errors, stderr);
		assert_int_equal(err, 0);
		json_decref(round_trip(config));
		cfg_errors_free(&errors);
		config_free(config);
	}
}

/* The complete configurations that the manual shows. */
static void test_manual(void **state)
{
	FILE *page = fopen("man/natvi.yaml.5", "r");
	char line[256], text[4096] = "";
	bool in = false;
	int n = 0;

	assert_non_null(page);
	while (fgets(line, sizeof(line), page)) {
		if (!strncmp(line, ".Ed", 3) && in) {
			config_free(read_good(text));
			text[0] = '\0';
			in = false;
			n++;
		}
		if (in)
			strcat(text, line);
		in |= !strncmp(line, ".Bd -literal", 12);
	}
	fclose(page);
	assert_int_equal(n, 9);
}

static void test_sizes(void **state)
{
	struct config *c = read_good(
		IFS "limits: {sessions: 1000000, mappings: 500000}\n"
		"pools: [{name: p, addresses: 203.0.113.0/24}]\n"
		"rules: [{to: {interface: wan0}, action: masquerade}, {to: {interface: wan0}, action: masquerade}]\n"
		"forwards: [{proto: [tcp, udp], external: \"wan0:1-100\", internal: 198.18.0.1}]\n");
	uint64_t flows = (uint64_t)natvi_buckets_for(1000000) * 1024, ports = (256 + 1 + 1) * 3 * 8320;
	uint64_t entries = 2 * 500000 + 500000 / 2 + 2 * 200;

	assert_int_equal(config_masquerade_ways(c), 1);
	assert_int_equal(config_static_ports(c), 200);
	assert_int_equal(config_memory_bytes(c), flows + ports + natvi_mapping_buckets_for(entries) * 1024 + 256 * (48 + 24 + 8));
	config_free(c);
	c = read_good(IFS "rules: [{action: masquerade}]\n");
	assert_int_equal(config_masquerade_ways(c), 2);
	config_free(c);
}

/* As many rules as there can be. An unsanitized build takes some 20 ms; the bound leaves room for slow machines. */
static void test_many_rules(void **state)
{
	size_t size = NATVI_MAX_RULES * 200 + 64, at;
	char *text = malloc(size);
	struct config *c;
	clock_t start;

	at = (size_t)snprintf(text, size, IFS "pools: [{name: p, addresses: 203.0.113.0/24}]\nrules:\n");
	for (unsigned int i = 0; i < NATVI_MAX_RULES; i++)
		at += (size_t)snprintf(text + at, size - at,
				       "  - name: customer-%u\n    from: {interface: lan0, source: 198.18.%u.%u}\n"
				       "    to: {interface: wan0, port: 80}\n    proto: tcp\n    action: {snat: p}\n",
				       i, i >> 8, i & 255);
	start = clock();
	c = read_good(text);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
	assert_int_equal(c->n_rules, NATVI_MAX_RULES);
	assert_string_equal(c->rules[NATVI_MAX_RULES - 1].name, "customer-4095");
	config_free(c);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_tcp_timeouts),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_behaviour),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_sources_beside_pools),
		cmocka_unit_test(test_yaml_forms),
		cmocka_unit_test(test_text_without_nul),
		cmocka_unit_test(test_args),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_behaviour),
		cmocka_unit_test(test_json_of_args),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_many_rules),
	};

	return cmocka_run_group_tests_name("config: accepted", tests, NULL, NULL);
}
