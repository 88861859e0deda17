/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Numbers of rules over reloads. */
/* links: daemon/rule_ids.c */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/rule_ids.h"

static json_t *known;
static uint16_t ids[16];

/* Rules as YAML, one a line; ids[] are theirs. */
static void give(const char *rules)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	char text[4096];
	json_t *next;

	snprintf(text, sizeof(text), "interfaces: [{name: lan0}, {name: wan0}]\nrules:\n%s", rules);
	assert_int_equal(config_read_text(text, strlen(text), "test", &config, &errors), 0);
	memset(ids, 0, sizeof(ids));
	next = rule_ids_give(known, config, ids);
	assert_non_null(next);
	json_decref(known);
	known = next;
	config_free(config);
}

static int forget(void **state)
{
	json_decref(known);
	known = NULL;
	return 0;
}

#define A	"- {name: a, from: {interface: lan0}, to: {interface: wan0}, action: masquerade}\n"
#define A2	"- {name: a, from: {interface: lan0}, to: {interface: wan0}, proto: udp, action: masquerade}\n"
#define B	"- {name: b, from: {interface: wan0}, action: drop}\n"
#define RENAMED	"- {name: c, from: {interface: wan0}, action: drop}\n"
#define UNNAMED	"- {from: {interface: lan0}, to: {interface: wan0}, proto: tcp, action: masquerade}\n"
#define OTHER	"- {from: {interface: lan0}, to: {interface: wan0}, proto: icmp, action: masquerade}\n"

static void test_first_ones_are_places(void **state)
{
	give(A B UNNAMED);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 2);
	assert_int_equal(ids[2], 3);
}

static void test_inserted_before(void **state)
{
	give(A UNNAMED);
	give(B A OTHER UNNAMED);
	assert_int_equal(ids[1], 1);
	assert_int_equal(ids[3], 2);
	assert_true(ids[0] > 2 && ids[2] > 2 && ids[0] != ids[2]);
}

static void test_a_name_stays_with_other_content(void **state)
{
	give(B A);
	give(A2 B);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 1);
}

static void test_renamed(void **state)
{
	give(A B);
	give(A RENAMED);
	assert_int_equal(ids[1], 2);
}

/* A second rule of the same content is another one while the first is there. */
static void test_twins(void **state)
{
	give(UNNAMED UNNAMED);
	assert_int_not_equal(ids[0], ids[1]);
	give(B RENAMED);
	assert_int_not_equal(ids[0], ids[1]);
	give(RENAMED B);
	assert_true(ids[0] == 4 && ids[1] == 3);
}

static void test_gone_and_back(void **state)
{
	give(A B);
	give(B OTHER);
	assert_int_equal(ids[0], 2);
	assert_int_equal(ids[1], 3);	/* not the number of one that sessions may still name */
	give(A B);
	assert_int_equal(ids[0], 1);
	assert_int_equal(ids[1], 2);
}

static void test_numbers_run_out(void **state)
{
	char rule[256];
	int i;

	known = json_object();
	for (i = 1; i < 65536; i++) {
		snprintf(rule, sizeof(rule), "name r%d", i);
		if (i != 777)
			json_object_set_new(known, rule, json_integer(i));
	}
	give(A);
	assert_int_equal(ids[0], 777);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_first_ones_are_places, forget),
		cmocka_unit_test_teardown(test_inserted_before, forget),
		cmocka_unit_test_teardown(test_a_name_stays_with_other_content, forget),
		cmocka_unit_test_teardown(test_renamed, forget),
		cmocka_unit_test_teardown(test_twins, forget),
		cmocka_unit_test_teardown(test_gone_and_back, forget),
		cmocka_unit_test_teardown(test_numbers_run_out, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
