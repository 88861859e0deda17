/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/exhaustion.c */
/*
 * test_exhaustion.c - what is said of refused sessions, and how often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/exhaustion.h"

static struct exhaustion e;
static struct counters counters;
static char text[768];

static int begin(void **state)
{
	memset(&counters, 0, sizeof(counters));
	counters.packets[VERDICT_NO_PORT] = 1000;
	exhaustion_begin(&e, &counters);
	return 0;
}

static bool due(uint32_t now_s)
{
	text[0] = '\0';
	return exhaustion_due(&e, &counters, now_s, text, sizeof(text));
}

static void said(uint32_t now_s, const char *words)
{
	assert_true(due(now_s));
	if (!strstr(text, words))
		fail_msg("\"%s\" does not say \"%s\"", text, words);
}

static void nothing_new_is_nothing_said(void **state)
{
	assert_false(due(100));
	counters.packets[VERDICT_FORWARD] = 7;
	counters.packets[VERDICT_NO_MAPPING] = 7;
	assert_false(due(101));
}

static void once_in_an_interval(void **state)
{
	counters.packets[VERDICT_NO_PORT] += 3;
	said(100, "no room for new sessions: 3 packets by no-port (");
	assert_null(strstr(text, "within"));
	for (uint32_t s = 101; s < 160; s++) {
		counters.packets[VERDICT_NO_PORT]++;
		assert_false(due(s));
	}
	said(160, "59 packets by no-port");
	assert_non_null(strstr(text, ", within 60 s"));
	assert_false(due(161));
}

/* What came after the last line is said when its time has come, though it is over by then; then it is quiet. */
static void nothing_stays_unsaid(void **state)
{
	counters.packets[VERDICT_TABLE_FULL] = 1;
	said(100, "1 packets by table-full");
	counters.packets[VERDICT_TABLE_FULL] = 2;
	assert_false(due(101));
	said(160, "1 packets by table-full");
	for (uint32_t s = 161; s < 400; s++)
		assert_false(due(s));
	counters.packets[VERDICT_TABLE_FULL] = 3;
	said(400, "1 packets by table-full");
}

static void all_reasons_in_one_line(void **state)
{
	counters.packets[VERDICT_NO_PORT] += 1;
	counters.packets[VERDICT_TABLE_FULL] = 22;
	counters.packets[VERDICT_MAPPINGS_FULL] = 333;
	said(5, "1 packets by no-port (");
	assert_non_null(strstr(text, ", 22 packets by table-full ("));
	assert_non_null(strstr(text, ", 333 packets by mappings-full ("));
	assert_non_null(strstr(text, "limits.mappings)"));
	counters.packets[VERDICT_NO_PORT] = counters.packets[VERDICT_TABLE_FULL] = counters.packets[VERDICT_MAPPINGS_FULL] = ~0ull;
	said(65, "limits.mappings), within 60 s");
}

/* Seconds since the box started may wrap. */
static void clock_wraps(void **state)
{
	counters.packets[VERDICT_NO_PORT]++;
	assert_true(due(0xfffffff0));
	counters.packets[VERDICT_NO_PORT]++;
	assert_false(due(10));
	assert_true(due(44));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_new_is_nothing_said, begin),
		cmocka_unit_test_setup(once_in_an_interval, begin),
		cmocka_unit_test_setup(nothing_stays_unsaid, begin),
		cmocka_unit_test_setup(all_reasons_in_one_line, begin),
		cmocka_unit_test_setup(clock_wraps, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
