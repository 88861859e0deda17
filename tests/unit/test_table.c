/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_table.c - columns, and the short forms of numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/table.h"

/* What table prints, to be freed. */
static char *print(struct table *table)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	assert_int_equal(table_print(table, file), 0);
	fclose(file);
	return text;
}

static void test_alignment(void **state)
{
	struct table *table = table_new("NAME|>COUNT|TEXT");
	char *text;

	table_add(table, "a");
	table_addf(table, "%d", 5);
	table_add(table, "x y");
	table_add(table, "longer-name");
	table_addf(table, "%d", 1234567);
	table_add(table, "z");
	assert_int_equal(table_rows(table), 2);
	text = print(table);
	assert_string_equal(text, "NAME           COUNT  TEXT\n"
				  "a                  5  x y\n"
				  "longer-name  1234567  z\n");
	free(text);
	table_free(table);
}

static void test_empty_has_a_heading(void **state)
{
	struct table *table = table_new("<A|>B");
	char *text = print(table);

	assert_string_equal(text, "A  B\n");
	assert_int_equal(table_rows(table), 0);
	free(text);
	table_free(table);
}

static void test_in_parts(void **state)
{
	struct table *table = table_new("A|B");
	char *text;

	table_add(table, "wide-one");
	table_add(table, "1");
	text = print(table);
	assert_string_equal(text, "A         B\nwide-one  1\n");
	free(text);
	table_add(table, "w");
	table_add(table, "2");
	text = print(table);
	assert_string_equal(text, "w         2\n");	/* no second heading; as wide as before */
	assert_int_equal(table_rows(table), 2);
	free(text);
	table_free(table);
}

static void test_unfinished_row(void **state)
{
	struct table *table = table_new("A|B|C");
	char *text;

	table_add(table, "1");
	text = print(table);
	assert_string_equal(text, "A  B  C\n1  -  -\n");
	free(text);
	table_free(table);
}

static void test_many_long_cells(void **state)
{
	struct table *table = table_new("A|>B");
	char cell[300], *text;

	memset(cell, 'x', sizeof(cell) - 1);
	cell[sizeof(cell) - 1] = '\0';
	for (int i = 0; i < 1000; i++) {
		table_add(table, cell);
		table_addf(table, "%d", i);
	}
	text = print(table);
	assert_int_equal(strlen(text), 1001 * (299 + 2 + 3 + 1));
	free(text);
	table_free(table);
}

static void test_bytes(void **state)
{
	char buf[16];

	assert_string_equal(human_bytes(0, buf), "0");
	assert_string_equal(human_bytes(1023, buf), "1023");
	assert_string_equal(human_bytes(1024, buf), "1.0K");
	assert_string_equal(human_bytes(1536, buf), "1.5K");
	assert_string_equal(human_bytes(1024 * 1024 - 1, buf), "1.0M");
	assert_string_equal(human_bytes(104857600, buf), "100M");
	assert_string_equal(human_bytes(UINT64_MAX, buf), "16.0E");
}

static void test_seconds(void **state)
{
	char buf[24];

	assert_string_equal(human_seconds(0, buf), "0s");
	assert_string_equal(human_seconds(75, buf), "1m15s");
	assert_string_equal(human_seconds(7440, buf), "2h04m");
	assert_string_equal(human_seconds(90000, buf), "1d01h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_empty_has_a_heading),
		cmocka_unit_test(test_in_parts),
		cmocka_unit_test(test_unfinished_row),
		cmocka_unit_test(test_many_long_cells),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
