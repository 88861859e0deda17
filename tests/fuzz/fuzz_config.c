/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fuzz_config.c - any bytes as a configuration. Beyond "no crash, no leak": what is refused has errors
 * in the order of their lines that can be printed and put into JSON; what is accepted comes out as
 * JSON that is accepted again and means the same.
 */
#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_errors(const struct cfg_errors *errors)
{
	must(errors->n);
	for (size_t i = 0; i < errors->n; i++) {
		json_t *text = json_string(errors->list[i].text);

		must(text && json_string_length(text));
		must(errors->list[i].line >= (i ? errors->list[i - 1].line : 0));
		json_decref(text);
	}
}

static void check_round_trip(const struct config *config)
{
	json_t *first = config_to_json(config), *second;
	char *text = json_dumps(first, JSON_COMPACT);
	struct cfg_errors errors;
	struct config *again;

	must(first && text);
	must(!config_read_text(text, strlen(text), "json", &again, &errors));
	second = config_to_json(again);
	must(json_equal(first, second));
	json_decref(first);
	json_decref(second);
	cfg_errors_free(&errors);
	config_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cfg_errors errors;
	struct config *config;
	int err = config_read_text((const char *)data, size, "fuzz", &config, &errors);

	must(err == 0 || err == -EINVAL);
	must(!err == !!config);
	if (err)
		check_errors(&errors);
	else
		check_round_trip(config);
	cfg_errors_free(&errors);
	config_free(config);
	return 0;
}
