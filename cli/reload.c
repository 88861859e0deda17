/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * reload.c - reload and confirm: hand the daemon a configuration. It validates and applies it; all
 * or nothing. What is wrong with a file is found here already, before the daemon is asked.
 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/config.h"
#include "lib/ctl.h"

#define RELOAD_TIMEOUT_MS	60000	/* a big configuration on a busy box */

/* Does the file hold a good configuration? Says all that is wrong with it. */
static bool check_file(const char *path)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	int ret = config_read_file(path, &config, &errors);

	if (ret) {
		cfg_errors_print(NULL, path, &errors, stderr);
		cli_error(CLI_FAIL, "%s is not put in force", path);
	}
	cfg_errors_free(&errors);
	config_free(config);
	return !ret;
}

static void say(const json_t *reply, const struct cli_opts *opts)
{
	const char *source = json_string_value(json_object_get(reply, "source"));

	printf("%s is in force\n", source ? source : opts->n_words ? opts->words[0] : "the configuration");
	if (opts->confirm_s > 0)
		printf("it goes back in %ld s unless you say `natvi confirm`\n", opts->confirm_s);
}

static int ask(const struct cli_opts *opts, json_t *request, json_t **reply)
{
	char err[4096];
	int ret = ctl_call(opts->instance, request, RELOAD_TIMEOUT_MS, reply, err, sizeof(err));

	return ret ? cli_error(cli_exit_of(ret), "%s", err) : CLI_OK;
}

int cmd_reload(int argc, char **argv)
{
	char path[PATH_MAX];
	struct cli_opts opts;
	json_t *request, *reply = NULL;
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_CONFIRM, &opts, &code))
		return code;
	if (opts.n_words > 1)
		return cli_error(CLI_USAGE, "reload: one file, not also \"%s\"", opts.words[1]);
	request = ctl_request("reload");
	if (opts.n_words) {
		if (!realpath(opts.words[0], path)) {
			json_decref(request);
			return cli_error(CLI_FAIL, "cannot read %s: %s", opts.words[0], strerror(errno));
		}
		if (!check_file(path)) {
			json_decref(request);
			return CLI_FAIL;
		}
		json_object_set_new(request, "path", json_string(path));
	}
	if (opts.confirm_s > 0)
		json_object_set_new(request, "confirm", json_integer(opts.confirm_s));
	code = ask(&opts, request, &reply);
	if (!code)
		say(reply, &opts);
	json_decref(reply);
	return code;
}

int cmd_confirm(int argc, char **argv)
{
	struct cli_opts opts;
	json_t *reply = NULL;
	int code;

	if (!cli_parse_plain(argc, argv, 0, &opts, &code))
		return code;
	code = ask(&opts, ctl_request("confirm"), &reply);
	json_decref(reply);
	return code;
}
