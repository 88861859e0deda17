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
#include "lib/instance.h"

#define RELOAD_TIMEOUT_MS	60000	/* a big configuration on a busy box */
#define CONFIG_MAX		(8u << 20)	/* bytes */

/* Does the text hold a good configuration? Says all that is wrong with it. */
static bool check_text(const char *text, size_t len, const char *name)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	int ret = config_read_text(text, len, name, &config, &errors);

	if (ret) {
		cfg_errors_print(NULL, name, &errors, stderr);
		cli_error(CLI_FAIL, "%s is not put in force", name);
	}
	cfg_errors_free(&errors);
	config_free(config);
	return !ret;
}

/* Standard input to its end into new memory. */
static int read_stdin(char **text, size_t *len)
{
	FILE *memory = open_memstream(text, len);
	char part[4096];
	size_t n;

	if (!memory)
		return -ENOMEM;
	while ((n = fread(part, 1, sizeof(part), stdin)) && (size_t)ftell(memory) < CONFIG_MAX)
		fwrite(part, 1, n, memory);
	n = (size_t)ftell(memory);
	fclose(memory);
	return n < CONFIG_MAX ? 0 : -EFBIG;
}

/*
 * The file's text goes along with its name: the daemon may be shut in where it cannot see the file.
 * Returns an exit code.
 */
static int add_file(json_t *request, const char *file)
{
	bool from_stdin = !strcmp(file, "-");
	char path[PATH_MAX] = "standard input", *text = NULL;
	size_t len;
	int ret;

	if (!from_stdin && !realpath(file, path))
		return cli_error(CLI_FAIL, "cannot read %s: %s", file, strerror(errno));
	ret = from_stdin ? read_stdin(&text, &len) : file_read(path, CONFIG_MAX, &text, &len);
	if (ret) {
		free(text);
		return cli_error(CLI_FAIL, "cannot read %s: %s", file, strerror(-ret));
	}
	if (!check_text(text, len, file)) {
		free(text);
		return CLI_FAIL;
	}
	ret = json_object_set_new(request, "text", json_stringn(text, len));
	ret |= json_object_set_new(request, "path", json_string(path));
	free(text);
	return ret ? cli_error(CLI_FAIL, "%s is not UTF-8 text", file) : CLI_OK;
}

static void say(const json_t *reply, const char *file, long confirm_s)
{
	const char *source = json_string_value(json_object_get(reply, "source"));

	printf("%s is in force\n", source ? source : file ? file : "the configuration");
	if (confirm_s > 0)
		printf("it goes back in %ld s unless you say `natvi confirm`\n", confirm_s);
}

static int ask(const struct cli_opts *opts, json_t *request, json_t **reply)
{
	char err[4096];
	int ret = ctl_call(opts->instance, request, RELOAD_TIMEOUT_MS, reply, err, sizeof(err));

	return ret ? cli_error(cli_exit_of(ret), "%s", err) : CLI_OK;
}

int cmd_reload(int argc, char **argv)
{
	json_t *request, *reply = NULL;
	struct cli_opts opts;
	const char *file;
	int code;

	if (!cli_parse(argc, argv, CLI_TAKES_CONFIRM | CLI_TAKES_CONFIG, &opts, &code))
		return code;
	if (opts.n_words > 1 - !!opts.config)
		return cli_error(CLI_USAGE, "reload: one file, not also \"%s\"", opts.words[opts.n_words - 1]);
	file = opts.config ? opts.config : opts.n_words ? opts.words[0] : NULL;
	request = ctl_request("reload");
	code = file ? add_file(request, file) : CLI_OK;
	if (code) {
		json_decref(request);
		return code;
	}
	if (opts.confirm_s > 0)
		json_object_set_new(request, "confirm", json_integer(opts.confirm_s));
	code = ask(&opts, request, &reply);
	if (!code)
		say(reply, file, opts.confirm_s);
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
