/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_filter.c - filters from words and JSON, and what they admit.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/filter.h"
#include "lib/maps.h"
#include "lib/names.h"
#include "lib/session.h"

#define WORDS(...)	(char *const []){ __VA_ARGS__ }, sizeof((char *const []){ __VA_ARGS__ }) / sizeof(char *)

static char err[256];

static union addr ip(const char *text)
{
	union addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static struct names *office_names(void)
{
	json_t *running = json_pack("{s:[{s:s}, {s:s}]}", "rules", "name", "guests", "name", "office");
	struct names *names = names_from_json(running);

	json_decref(running);
	assert_non_null(names);
	return names;
}

/* 198.18.0.10:5001 -> 203.0.113.9:80, translated to 203.0.113.1:6001, by rule 2. */
static struct session web_session(void)
{
	struct session s = { .has_reply = true, .state = "established", .cold.rule = 2 };

	s.orig.key = (struct tuple){ .src = ip("198.18.0.10"), .dst = ip("203.0.113.9"), .sport = htons(5001),
				     .dport = htons(80), .proto = IPPROTO_TCP };
	s.orig.new_src = ip("203.0.113.1");
	s.orig.new_dst = ip("203.0.113.9");
	s.orig.new_sport = htons(6001);
	s.orig.new_dport = htons(80);
	s.orig.oif = 7;
	s.reply.oif = 1;	/* lo */
	return s;
}

static bool admits(char *const *words, size_t n)
{
	struct names *names = office_names();
	struct session s = web_session();
	struct filter filter;
	bool result;

	assert_int_equal(filter_from_words(&filter, (int)n, words, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), 0);
	result = filter_session(&filter, &s);
	filter_free(&filter);
	names_close(names);
	return result;
}

static void test_addresses(void **state)
{
	assert_true(admits(WORDS("src", "198.18.0.10")));
	assert_true(admits(WORDS("src", "198.18.0.0/16")));
	assert_true(admits(WORDS("src", "0.0.0.0/0")));
	assert_false(admits(WORDS("src", "198.18.0.11")));
	assert_false(admits(WORDS("src", "203.0.113.9")));
	assert_true(admits(WORDS("dst", "203.0.113.9")));
	assert_false(admits(WORDS("dst", "203.0.113.1")));
	assert_true(admits(WORDS("host", "203.0.113.1")));
	assert_true(admits(WORDS("host", "198.18.0.10")));
	assert_true(admits(WORDS("host", "203.0.113.8/31")));
	assert_false(admits(WORDS("host", "192.0.2.1")));
	assert_false(admits(WORDS("host", "2001:db8::/32")));
}

static void test_ports(void **state)
{
	assert_true(admits(WORDS("sport", "5001")));
	assert_false(admits(WORDS("sport", "6001")));
	assert_true(admits(WORDS("dport", "80")));
	assert_false(admits(WORDS("dport", "5001")));
	assert_true(admits(WORDS("port", "6001")));
	assert_true(admits(WORDS("port", "80")));
	assert_false(admits(WORDS("port", "81")));
}

static void test_others(void **state)
{
	assert_true(admits(WORDS("proto", "tcp")));
	assert_true(admits(WORDS("proto", "6")));
	assert_false(admits(WORDS("proto", "udp")));
	assert_true(admits(WORDS("state", "established")));
	assert_false(admits(WORDS("state", "syn-sent")));
	assert_true(admits(WORDS("interface", "lo")));
}

static void test_rules(void **state)
{
	assert_true(admits(WORDS("rule", "office")));
	assert_true(admits(WORDS("rule", "2")));
	assert_true(admits(WORDS("rule", "#2")));
	assert_false(admits(WORDS("rule", "guests")));
	assert_false(admits(WORDS("rule", "1")));
}

static void test_all_terms_must_hold(void **state)
{
	assert_true(admits(WORDS("proto", "tcp", "src", "198.18.0.0/16", "dport", "80", "rule", "office")));
	assert_false(admits(WORDS("proto", "tcp", "src", "198.18.0.0/16", "dport", "81", "rule", "office")));
	assert_true(admits(NULL, 0));
}

static void test_unresolved_matches_nothing(void **state)
{
	struct session s = web_session();
	struct filter filter;

	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "rule", "office" }, err, sizeof(err)), 0);
	assert_false(filter_session(&filter, &s));
	filter_free(&filter);
}

static void test_unknown_names(void **state)
{
	struct names *names = office_names();
	struct filter filter;

	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "rule", "nobody" }, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "rule \"nobody\""));
	filter_free(&filter);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "rule", "3" }, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), -ENOENT);
	filter_free(&filter);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "zone", "red" }, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), -ENOENT);
	filter_free(&filter);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "zone", "global" }, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), 0);
	filter_free(&filter);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "interface", "no-such-if" }, err, sizeof(err)), 0);
	assert_int_equal(filter_resolve(&filter, names, err, sizeof(err)), -ENOENT);
	filter_free(&filter);
	names_close(names);
}

static void refused(const char *part, char *const *words, size_t n)
{
	struct filter filter;

	err[0] = '\0';
	assert_int_equal(filter_from_words(&filter, (int)n, words, err, sizeof(err)), -EINVAL);
	if (!strstr(err, part))
		fail_msg("\"%s\" does not say \"%s\"", err, part);
	assert_null(filter.terms);
}

static void test_errors_say_what_is_right(void **state)
{
	refused("\"source\" is no filter word", WORDS("source", "198.18.0.1"));
	refused("\"src\" needs a value", WORDS("src"));
	refused("\"dport\" needs a value", WORDS("proto", "tcp", "dport"));
	refused("right would be", WORDS("src", "198.18.0.256"));
	refused("198.18.0.0/24", WORDS("src", "198.18.0.7/24"));
	refused("0 to 65535", WORDS("port", "65536"));
	refused("0 to 65535", WORDS("port", "http"));
	refused("tcp, udp", WORDS("proto", "tpc"));
	refused("syn-sent", WORDS("state", "open"));
	refused("longer", WORDS("rule", "0123456789012345678901234567890123456789012345678901234567890123456789"));
}

static void test_json_both_ways(void **state)
{
	struct filter words, back;
	json_t *json;

	assert_int_equal(filter_from_words(&words, 4, (char *const []){ "proto", "tcp", "src", "198.18.0.0/16" }, err, sizeof(err)), 0);
	json = filter_to_json(&words);
	assert_int_equal(json_array_size(json), 2);
	assert_int_equal(filter_from_json(&back, json, err, sizeof(err)), 0);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.terms[0].what, FILTER_PROTO);
	assert_int_equal(back.terms[0].number, IPPROTO_TCP);
	assert_int_equal(back.terms[1].len, 96 + 16);
	assert_string_equal(back.terms[1].text, "198.18.0.0/16");
	json_decref(json);
	filter_free(&words);
	filter_free(&back);
}

static void test_json_null_is_all(void **state)
{
	struct session s = web_session();
	struct filter filter;

	assert_int_equal(filter_from_json(&filter, NULL, err, sizeof(err)), 0);
	assert_true(filter_session(&filter, &s));
	filter_free(&filter);
}

static void test_bad_json(void **state)
{
	static const char *const bad[] = { "{}", "3", "[3]", "[[]]", "[[\"src\"]]", "[[\"src\", 3]]", "[[\"src\", \"x\"]]",
					   "[[\"proto\", \"tcp\", \"udp\"]]", "[[\"proto\", \"tcp\"], [\"nonsense\", \"1\"]]" };
	struct filter filter;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *json = json_loads(bad[i], JSON_DECODE_ANY, NULL);

		assert_non_null(json);
		assert_int_equal(filter_from_json(&filter, json, err, sizeof(err)), -EINVAL);
		json_decref(json);
	}
}

static void test_mappings(void **state)
{
	struct map_entry m = {
		.key = { .addr = ip("198.18.0.10"), .port = htons(5001), .proto = IPPROTO_UDP, .kind = MAPPING_INSIDE },
		.value = { .addr = ip("203.0.113.1"), .port = htons(6001), .refs = 0 },
	};
	struct filter filter;

	assert_int_equal(filter_from_words(&filter, 8, (char *const []){ "src", "198.18.0.0/16", "host", "203.0.113.1", "port", "6001",
									"state", "resting" }, err, sizeof(err)), 0);
	assert_int_equal(filter_check_mapping(&filter, err, sizeof(err)), 0);
	assert_true(filter_mapping(&filter, &m));
	m.value.refs = 1;
	assert_false(filter_mapping(&filter, &m));
	filter_free(&filter);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "dst", "203.0.113.9" }, err, sizeof(err)), 0);
	assert_int_equal(filter_check_mapping(&filter, err, sizeof(err)), -EINVAL);
	filter_free(&filter);
}

static bool mapping_is(const struct map_entry *m, const char *word, const char *value)
{
	struct filter filter;
	bool result;

	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ (char *)word, (char *)value }, err, sizeof(err)), 0);
	result = filter_mapping(&filter, m);
	filter_free(&filter);
	return result;
}

/* A state that stands alone, among pairs, and is one of them for the control socket. */
static void test_accelerated(void **state)
{
	struct session s = web_session();
	struct filter filter, again;
	json_t *json;

	s.state = "accelerated";
	assert_int_equal(filter_from_words(&filter, 5, (char *const []){ "proto", "tcp", "accelerated", "dport", "80" }, err, sizeof(err)), 0);
	assert_int_equal(filter.n, 3);
	assert_true(filter_session(&filter, &s));
	json = filter_to_json(&filter);
	assert_int_equal(filter_from_json(&again, json, err, sizeof(err)), 0);
	s.state = "established";
	assert_false(filter_session(&filter, &s));
	assert_false(filter_session(&again, &s));
	json_decref(json);
	filter_free(&filter);
	filter_free(&again);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "accelerated", "proto" }, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "\"proto\" needs a value after it"));
}

/* Connections that only conntrack knows. */
static void test_connections(void **state)
{
	static char *const words[][2] = { { "host", "2001:db8::1" }, { "port", "21" }, { "proto", "udp" }, { "rule", "office" },
					  { "interface", "lo" }, { "state", "kernel" } };
	struct filter filter;

	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(filter_from_words(&filter, 2, words[i], err, sizeof(err)), 0);
		assert_int_equal(filter_check_connection(&filter, err, sizeof(err)), i < 3 ? 0 : -EINVAL);
		filter_free(&filter);
	}
	assert_non_null(strstr(err, "a connection that is not accelerated has no state"));
}

static void test_mappings_of_both_protocols(void **state)
{
	struct map_entry m = { .key = { .addr = ip("198.18.0.10"), .kind = MAPPING_INSIDE } };

	assert_true(mapping_is(&m, "proto", "tcp") && mapping_is(&m, "proto", "udp"));
	assert_false(mapping_is(&m, "proto", "icmp") || mapping_is(&m, "proto", "0"));
	m.key.proto = IPPROTO_TCP;
	assert_true(mapping_is(&m, "proto", "tcp"));
	assert_false(mapping_is(&m, "proto", "udp"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_all_terms_must_hold),
		cmocka_unit_test(test_unresolved_matches_nothing),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_errors_say_what_is_right),
		cmocka_unit_test(test_json_both_ways),
		cmocka_unit_test(test_json_null_is_all),
		cmocka_unit_test(test_bad_json),
		cmocka_unit_test(test_accelerated),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_mappings_of_both_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
