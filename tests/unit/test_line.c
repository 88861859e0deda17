/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_line.c - lines and their JSON, read back with jansson.
 */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/line.h"

static struct line line;

static int reset(void **state)
{
	line_reset(&line);
	return 0;
}

static void test_numbers(void **state)
{
	line_number(&line, 0);
	line_text(&line, " ");
	line_number(&line, 65535);
	line_text(&line, " ");
	line_number(&line, UINT64_MAX);
	assert_string_equal(line.text, "0 65535 18446744073709551615");
}

static void test_addresses_as_addr_print(void **state)
{
	static const char *const addrs[] = { "0.0.0.0", "203.0.113.9", "255.255.255.255", "2001:db8::1", "::" };
	char text[ADDR_TEXT_LEN];
	union addr addr;

	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		line_reset(&line);
		assert_int_equal(addr_parse(addrs[i], &addr), 0);
		line_addr(&line, &addr);
		assert_string_equal(line.text, addr_print(&addr, text));
	}
}

static void test_json_strings(void **state)
{
	static const char *const texts[] = { "", "office", "a \"b\" \\c", "\x01\x1f\t\n", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\x8d" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *back;

		line_reset(&line);
		line_json(&line, texts[i]);
		back = json_loads(line.text, JSON_DECODE_ANY, NULL);
		assert_non_null(back);
		assert_string_equal(json_string_value(back), texts[i]);
		json_decref(back);
	}
}

static void test_no_utf8(void **state)
{
	static const char *const bad[] = { "\xff", "\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *back;

		line_reset(&line);
		line_json(&line, bad[i]);
		back = json_loads(line.text, JSON_DECODE_ANY, NULL);
		assert_non_null(back);
		assert_non_null(strstr(json_string_value(back), "\xef\xbf\xbd"));
		json_decref(back);
	}
}

static void test_object(void **state)
{
	union addr addr = addr_from4(0xcb007109);
	json_t *back, *want;

	line_json_open(&line, NULL);
	line_json_text(&line, "proto", "tcp");
	line_json_open(&line, "orig");
	line_json_addr(&line, "src", &addr);
	line_json_number(&line, "sport", 80);
	line_json_close(&line);
	line_json_bool(&line, "complete", true);
	line_json_close(&line);
	back = json_loads(line.text, JSON_REJECT_DUPLICATES, NULL);
	want = json_pack("{s:s, s:{s:s, s:i}, s:b}", "proto", "tcp", "orig", "src", "203.0.113.9", "sport", 80, "complete", 1);
	assert_true(json_equal(back, want));
	json_decref(back);
	json_decref(want);
}

static void test_full(void **state)
{
	for (int i = 0; i < 3000; i++)
		line_text(&line, "x");
	assert_true(line.full);
	assert_int_equal(line.len, sizeof(line.text) - 1);
	assert_int_equal(strlen(line.text), line.len);
	line_reset(&line);
	assert_false(line.full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_numbers, reset),
		cmocka_unit_test_setup(test_addresses_as_addr_print, reset),
		cmocka_unit_test_setup(test_json_strings, reset),
		cmocka_unit_test_setup(test_no_utf8, reset),
		cmocka_unit_test_setup(test_object, reset),
		cmocka_unit_test_setup(test_full, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
