/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * flush.c - end sessions or forget mappings, by the daemon, which alone changes tables.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/ctl.h"
#include "lib/filter.h"

#define FLUSH_TIMEOUT_MS	60000	/* a million sessions */

static int flush(const struct cli_opts *opts, const char *what, const struct filter *filter)
{
	json_t *request = ctl_request("flush"), *reply = NULL;
	long long flushed, busy;
	char err[512];
	int ret;

	json_object_set_new(request, "what", json_string(what));
	json_object_set_new(request, "filter", filter_to_json(filter));
	ret = ctl_call(opts->instance, request, FLUSH_TIMEOUT_MS, &reply, err, sizeof(err));
	if (ret) {
		json_decref(reply);
		return cli_error(cli_exit_of(ret), "%s", err);
	}
	if (opts->json) {
		json_object_del(reply, "ok");
		return cli_print_json(reply);
	}
	flushed = json_integer_value(json_object_get(reply, "flushed"));
	busy = json_integer_value(json_object_get(reply, "busy"));
	printf("%lld %.*s%s flushed\n", flushed, (int)strlen(what) - 1, what, flushed == 1 ? "" : "s");
	if (busy)
		printf("%lld %s live sessions and stay; `natvi flush sessions` first\n", busy, busy == 1 ? "has" : "have");
	json_decref(reply);
	return CLI_OK;
}

int cmd_flush(int argc, char **argv)
{
	struct cli_opts opts;
	struct filter filter;
	const char *what;
	char err[256];
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON, &opts, &code))
		return code;
	what = opts.n_words ? opts.words[0] : "";
	if (strcmp(what, "sessions") && strcmp(what, "mappings"))
		return cli_error(CLI_USAGE, "flush what? `natvi flush sessions` or `natvi flush mappings`, then a filter if not all");
	code = filter_from_words(&filter, opts.n_words - 1, opts.words + 1, err, sizeof(err));
	if (!code && !strcmp(what, "mappings"))
		code = filter_check_mapping(&filter, err, sizeof(err));
	if (code) {
		filter_free(&filter);
		return cli_error(CLI_USAGE, "%s", err);
	}
	code = flush(&opts, what, &filter);
	filter_free(&filter);
	return code;
}
