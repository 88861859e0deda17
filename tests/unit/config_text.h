/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config_text.h - for the tests of configurations: texts that must be refused, each with a line and words of
 * an error and the number of them; texts that must be accepted; and the way through JSON and back.
 */
#ifndef NATVI_TESTS_UNIT_CONFIG_TEXT_H
#define NATVI_TESTS_UNIT_CONFIG_TEXT_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/config.h"

#define A(a, b, c, d)	((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define IFS	"interfaces: [lan0, wan0]\n"
#define POOL	"pools: [{name: public, addresses: [203.0.113.16/28]}]\n"
#define RULE(rest) "rules:\n- {" rest "}\n"
#define FORWARD(rest) "forwards:\n- {" rest "}\n"

struct bad {
	const char *text;
	size_t n;		/* errors in all */
	int line;		/* of the one that holds the words */
	const char *words;
};

static inline bool has_error(const struct cfg_errors *errors, int line, const char *words)
{
	for (size_t i = 0; i < errors->n; i++)
		if (errors->list[i].line == line && strstr(errors->list[i].text, words))
			return true;
	return false;
}

static inline void run_bad(const struct bad *list, size_t n)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bad *b = &list[i];
		struct cfg_errors errors;
		struct config *config;
		int err = config_read_text(b->text, strlen(b->text), "test.yaml", &config, &errors);

		if (err != -EINVAL || config || errors.n != b->n || !has_error(&errors, b->line, b->words)) {
			wrong++;
			print_error("---\n%s--- wanted %zu, one of them \"%d: %s\"; returned %d with:\n", b->text, b->n, b->line,
				    b->words, err);
			cfg_errors_print(NULL, "test.yaml", &errors, stderr);
		}
		for (size_t j = 1; j < errors.n; j++)
			assert_true(errors.list[j].line >= errors.list[j - 1].line);
		cfg_errors_free(&errors);
		config_free(config);
	}
	assert_int_equal(wrong, 0);
}

#define BAD_TEST(name) \
	static void test_##name(void **state) \
	{ \
		run_bad(name, sizeof(name) / sizeof(name[0])); \
	}

static inline struct config *read_good(const char *text)
{
	struct cfg_errors errors;
	struct config *config;
	int err = config_read_text(text, strlen(text), "test.yaml", &config, &errors);

	cfg_errors_print(NULL, "test.yaml", &errors, stderr);
	assert_int_equal(err, 0);
	assert_non_null(config);
	assert_int_equal(errors.n, 0);
	cfg_errors_free(&errors);
	return config;
}

/* JSON of a configuration, read as YAML, gives the same JSON. Returns it. */
static inline json_t *round_trip(const struct config *config)
{
	json_t *first = config_to_json(config), *second;
	char *text = json_dumps(first, JSON_INDENT(1));
	struct config *again;

	assert_non_null(first);
	again = read_good(text);
	second = config_to_json(again);
	assert_true(json_equal(first, second));
	json_decref(second);
	config_free(again);
	free(text);
	return first;
}

#endif
