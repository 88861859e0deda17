/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config_accel.c - `accelerate` and its exclusions: what is refused, what ends in the struct, the way through JSON,
 * and the command line's form.
 */
#include "tests/unit/config_text.h"

#define ACCEL(rest)	IFS "accelerate:\n  exclude:\n  - {" rest "}\n"
#define ZONES		"interfaces: [{name: red0, zone: red}, wan0]\nzones: [{name: red, table: 100}]\n"

static const struct bad bad_accelerate[] = {
	{ IFS "accelerate: on\n", 1, 2, "`on` is not a word for whether connections of the kernel's are accelerated" },
	{ IFS "accelerate: ture\n", 1, 2, "did you mean `true`?" },
	{ IFS "accelerate:\n", 1, 2, "is missing" },
	{ IFS "accelerate: [true]\n", 1, 2, "is needed here, not a list" },
	{ IFS "accelerate: true\naccelerate: false\n", 1, 3, "`accelerate` stands twice in the configuration" },
	{ IFS "accelarate: true\n", 1, 2, "did you mean `accelerate`?" },
	{ IFS "accelerate: {exlude: []}\n", 1, 2, "unknown key `exlude` in `accelerate`; did you mean `exclude`?" },
	{ IFS "accelerate: {exclude: {proto: udp}}\n", 1, 2, "a list is needed here, not a block of keys; write `- {to: {port: 5060}, proto: udp}`" },
	{ IFS "accelerate: {exclude: [udp]}\n", 1, 2, "an exclusion is a block of keys" },
};

static const struct bad bad_exclusions[] = {
	{ ACCEL(""), 1, 4, "exclusion 1 names nothing, so all would be excluded; write `accelerate: false`" },
	{ ACCEL("from: {}, to: {}"), 1, 4, "exclusion 1 names nothing" },
	{ IFS "accelerate:\n  exclude:\n  - {proto: udp}\n  -\n", 1, 5, "exclusion 2 names nothing" },
	{ ACCEL("name: a, proto: udp"), 1, 4, "unknown key `name` in an exclusion; known here: from, to, proto, dscp, mark" },
	{ ACCEL("action: drop, proto: udp"), 1, 4, "unknown key `action` in an exclusion" },
	{ ACCEL("local: in, proto: udp"), 1, 4, "unknown key `local` in an exclusion" },
	{ ACCEL("proto: udp, proto: tcp"), 1, 4, "`proto` stands twice in an exclusion" },
	{ ACCEL("proto: [tcp, icmp]"), 1, 4, "exclusion 1 names icmp, which is never accelerated; write `tcp` or `udp`" },
	{ ACCEL("proto: tpc"), 1, 4, "`tpc` is not a protocol" },
	{ ACCEL("from: {destination: 192.0.2.1}"), 1, 4, "unknown key `destination` in `from`" },
	{ ACCEL("to: {source: 192.0.2.1}"), 1, 4, "unknown key `source` in `to`" },
	{ ACCEL("from: {interface: lan1}"), 1, 4, "interface `lan1` is not in `interfaces`; did you mean `lan0`?" },
	{ ACCEL("to: {zone: red}"), 1, 4, "zone `red` is named, but `zones` has none" },
	{ ZONES "accelerate: {exclude: [{from: {zone: red, interface: red0}}]}\n", 1, 3,
	  "exclusion 1 has `interface` and `zone` in `from`; an interface is in one zone" },
	{ ZONES "accelerate: {exclude: [{to: {zone: red, interface: wan0}}]}\n", 1, 3, "in `to`; an interface is in one zone" },
	{ ACCEL("from: {source: \"2001:db8::/32\"}"), 1, 4, "`2001:db8::/32` is IPv6, which cannot be named here yet; write an IPv4 address" },
	{ ACCEL("to: {destination: 192.0.2.1/24}"), 1, 4, "has address bits beyond the prefix; write 192.0.2.0/24" },
	{ ACCEL("to: {port: 0}"), 1, 4, "`0` is not a port" },
	{ ACCEL("to: {port: []}"), 1, 4, "the list is empty" },
	{ ACCEL("dscp: 64"), 1, 4, "`64` is not a DSCP" },
	{ ACCEL("mark: 0/0"), 1, 4, "mask 0 in `0/0` asks for nothing" },
	/* Only what could be read is judged. */
	{ ACCEL("proto: [icmp, tpc]"), 1, 4, "`tpc` is not a protocol" },
	{ ACCEL("from: {source: 0.0.0.1-255.255.255.254}, to: {destination: 0.0.0.1-255.255.255.254, port: [1, 2]}"), 1, 4,
	  "exclusion 1 becomes 7688 entries when its lists are multiplied out, which makes more than the 4096 that all rules may have" },
	/* Rules and exclusions together. */
	{ IFS "rules: [{from: {source: 0.0.0.1-255.255.255.254}, to: {destination: 0.0.0.1-255.255.255.254}, action: accept}]\n"
	  "accelerate:\n  exclude:\n  - {proto: udp}\n  - {from: {source: 0.0.0.1-255.255.255.254}, to: {port: [1, 2, 3, 4, 5]}}\n", 1, 6,
	  "exclusion 2 becomes 310 entries" },
};

BAD_TEST(bad_accelerate)
BAD_TEST(bad_exclusions)

static void test_forms(void **state)
{
	static const struct {
		const char *text;
		bool accelerate;
	} list[] = {
		{ IFS, false },
		{ IFS "accelerate: false\n", false },
		{ IFS "accelerate: true\n", true },
		{ IFS "accelerate: \"true\"\n", true },
		{ IFS "accelerate: {}\n", true },
		{ IFS "accelerate: {exclude: }\n", true },
		{ IFS "accelerate: {exclude: []}\n", true },
		{ "interfaces: [{name: lan0, nat: routed}, wan0]\naccelerate: true\n", true },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct config *c = read_good(list[i].text);
		json_t *json = round_trip(c);

		assert_int_equal(c->accelerate, list[i].accelerate);
		assert_int_equal(c->n_excludes, 0);
		assert_false(config_translates(c));
		assert_true(json_equal(json_object_get(json, "accelerate"), list[i].accelerate ? json_true() : json_false()));
		json_decref(json);
		config_free(c);
	}
}

static void test_exclusions(void **state)
{
	struct config *c = read_good(
		ZONES "accelerate:\n"
		"  exclude:\n"
		"  - from: {interface: [red0, wan0], source: [198.18.0.0/16, 198.18.0.10-198.18.0.11], port: 1024-65535}\n"
		"    to: {zone: [red, global], destination: 203.0.113.9, ports: [80, 443]}\n"
		"    proto: [tcp, udp]\n"
		"    dscp: [ef, 8]\n"
		"    mark: 0x10/0xff\n"
		"  - {to: {port: 5060}}\n"
		"  - {mark: 7}\n");
	const struct cfg_rule *e = c->excludes;
	json_t *json = round_trip(c), *list = json_object_get(json_object_get(json, "accelerate"), "exclude");

	assert_true(c->accelerate);
	assert_int_equal(c->n_excludes, 3);
	assert_int_equal(e[0].line, 5);
	assert_int_equal(e[0].from.n_interfaces, 2);
	assert_string_equal(e[0].from.interfaces[1], "wan0");
	assert_int_equal(e[0].from.n_prefixes, 2);
	assert_int_equal(e[0].from.prefixes[0].addr, A(198, 18, 0, 0));
	assert_int_equal(e[0].from.ports[0].hi, 65535);
	assert_int_equal(e[0].to.n_zones, 2);
	assert_string_equal(e[0].to.zones[1], "");
	assert_int_equal(e[0].to.prefixes[0].len, 32);
	assert_int_equal(e[0].to.n_ports, 2);
	assert_int_equal(e[0].n_protos, 2);
	assert_true(e[0].dscp == (1ull << 46 | 1ull << 8));
	assert_int_equal(e[0].mark, 0x10);
	assert_int_equal(e[0].mark_mask, 0xff);
	assert_int_equal(config_rule_entries(&e[0]), 2 * 2 * 2 * 2 * 2);
	assert_int_equal(e[1].n_protos, 0);		/* both that there are */
	assert_int_equal(e[1].to.ports[0].lo, 5060);
	assert_int_equal(e[2].mark_mask, UINT32_MAX);
	assert_int_equal(json_array_size(list), 3);
	assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(list, 0), "dscp"), 0)), "cs1");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 2), "mark")), "0x7");
	assert_null(json_object_get(json_array_get(list, 0), "action"));
	json_decref(json);
	config_free(c);
}

/* Beside rules; and an exclusion's sources may be anybody's, a pool's too. */
static void test_beside_rules(void **state)
{
	struct config *c = read_good(
		IFS POOL RULE("from: {source: 198.18.0.0/16}, action: {snat: public}")
		"accelerate: {exclude: [{from: {source: 203.0.113.16/28}}, {from: {interface: lan0}}]}\n");

	assert_true(config_translates(c));
	assert_int_equal(c->n_excludes, 2);
	json_decref(round_trip(c));
	config_free(c);
}

static void test_args(void **state)
{
	char *const interfaces[] = { "lan0", "wan0" }, *const masquerade[] = { "wan0" };
	struct cfg_errors errors;
	struct config *c;

	assert_int_equal(config_from_args(interfaces, 2, NULL, 0, true, &c, &errors), 0);
	assert_true(c->accelerate);
	assert_int_equal(c->n_interfaces, 2);
	assert_int_equal(c->n_rules, 0);
	assert_false(config_translates(c));
	json_decref(round_trip(c));
	config_free(c);
	assert_int_equal(config_from_args(interfaces, 2, masquerade, 1, true, &c, &errors), 0);
	assert_true(c->accelerate);
	assert_int_equal(c->n_rules, 2);
	config_free(c);
	assert_int_equal(config_from_args(interfaces, 2, masquerade, 1, false, &c, &errors), 0);
	assert_false(c->accelerate);
	config_free(c);
	assert_int_equal(config_from_args(interfaces, 2, NULL, 0, false, &c, &errors), -EINVAL);
	assert_true(has_error(&errors, 0, "or `--accelerate` for what the kernel forwards"));
	cfg_errors_free(&errors);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_accelerate),
		cmocka_unit_test(test_bad_exclusions),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_exclusions),
		cmocka_unit_test(test_beside_rules),
		cmocka_unit_test(test_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
