/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_man.c - natvi(8) lists every verdict with its text, in the words of abi/verdict.h. Runs in the top directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/instance.h"
#include "lib/verdict.h"

static void test_verdicts(void **state)
{
	char want[512], *page;
	unsigned int listed = 0;
	size_t len;

	assert_int_equal(file_read("man/natvi.8", 1 << 20, &page, &len), 0);
	for (unsigned int v = 0; v < VERDICT_COUNT; v++) {
		snprintf(want, sizeof(want), "\n.It Cm %s\n%s\n", verdict_name(v), verdict_text(v));
		if (!strstr(page, want))
			fail_msg("man/natvi.8 does not have, under VERDICTS:%s", want);
	}
	for (char *at = strstr(page, ".Sh VERDICTS"); (at = strstr(at, "\n.It Cm ")); at++)
		listed++;
	assert_int_equal(listed, VERDICT_COUNT);	/* and none that is gone */
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_verdicts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
