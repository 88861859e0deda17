/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * run.c - `natvi run`: a configuration from a file or from the command line, then the daemon.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "daemon/daemon.h"
#include "lib/config.h"
#include "lib/instance.h"
#include "lib/log.h"

#define DEFAULT_FILE	"/etc/natvi/natvi.yaml"
#define MAX_MASQUERADE	64

struct run_words {
	const char *instance;
	const char *file;
	char *masquerade[MAX_MASQUERADE];
	size_t n_masquerade;
	bool accelerate;
	char **interfaces;
	size_t n_interfaces;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "instance", required_argument, NULL, 'i' },
	{ "log", required_argument, NULL, 'l' },
	{ "masquerade", required_argument, NULL, 'm' },
	{ "accelerate", no_argument, NULL, 'a' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* "wan0,wan1" in parts; text is cut up. */
static int take_masquerade(struct run_words *w, char *text)
{
	char *name;

	while ((name = strsep(&text, ","))) {
		if (!*name)
			continue;
		if (w->n_masquerade == MAX_MASQUERADE)
			return cli_error(CLI_USAGE, "--masquerade: more than %d interfaces; use a file (-c)", MAX_MASQUERADE);
		w->masquerade[w->n_masquerade++] = name;
	}
	return CLI_OK;
}

static int take_option(struct run_words *w, int opt, char **argv)
{
	enum log_level level;

	switch (opt) {
	case 'c':
		w->file = optarg;
		return CLI_OK;
	case 'i':
		w->instance = optarg;
		if (instance_name_ok(optarg))
			return CLI_OK;
		return cli_error(CLI_USAGE, "--instance \"%s\": right would be letters, digits, - and _, at most %d, "
				 "the first one a letter or digit", optarg, NATVI_NAME_LEN - 1);
	case 'l':
		if (log_level_parse(optarg, &level))
			return cli_error(CLI_USAGE, "--log \"%s\": right would be error, warn, info or debug", optarg);
		log_set_level(level);
		return CLI_OK;
	case 'm':
		return take_masquerade(w, optarg);
	case 'a':
		w->accelerate = true;
		return CLI_OK;
	case ':':
		return cli_error(CLI_USAGE, "run: %s needs a value", argv[optind - 1]);
	default:
		return cli_error(CLI_USAGE, "run: it does not know %s; `natvi help run` lists what it does", argv[optind - 1]);
	}
}

/* A file, or interfaces and what is to be done with them. */
static int check_words(struct run_words *w)
{
	if (w->file && w->accelerate)
		return cli_error(CLI_USAGE, "run: with a file (-c) it is the file that says so: accelerate: true");
	if (w->file && (w->n_interfaces || w->n_masquerade))
		return cli_error(CLI_USAGE, "run: a file (-c), or interfaces on the command line; not both");
	if (!w->n_interfaces && (w->n_masquerade || w->accelerate))
		return cli_error(CLI_USAGE, "run: name all interfaces that natvi is to serve: natvi run lan0 wan0 %s",
				 w->accelerate ? "--accelerate" : "--masquerade wan0");
	if (w->n_interfaces && !w->n_masquerade && !w->accelerate)
		return cli_error(CLI_USAGE, "run: say which interface leads outside: natvi run lan0 wan0 --masquerade wan0; or that the "
				 "kernel's connections are to be sent on: --accelerate");
	if (!w->file && !w->n_interfaces)
		w->file = DEFAULT_FILE;
	return CLI_OK;
}

static int parse(int argc, char **argv, struct run_words *w)
{
	int opt, code;

	*w = (struct run_words){ .instance = INSTANCE_DEFAULT };
	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		if (opt == 'h') {
			char *help[] = { (char *)"help", argv[0], NULL };

			exit(cmd_help(2, help));
		}
		code = take_option(w, opt, argv);
		if (code)
			return code;
	}
	w->interfaces = argv + optind;
	w->n_interfaces = (size_t)(argc - optind);
	return check_words(w);
}

int cmd_run(int argc, char **argv)
{
	struct cfg_errors errors = { 0 };
	struct config *config = NULL;
	struct daemon_options options;
	char path[PATH_MAX];
	struct run_words w;
	int code, ret;

	code = parse(argc, argv, &w);
	if (code)
		return code;
	/* A reload reads the same file, wherever the daemon stands then. */
	if (w.file && strcmp(w.file, "-") && realpath(w.file, path))
		w.file = path;
	if (w.file)
		ret = config_read_file(w.file, &config, &errors);
	else
		ret = config_from_args(w.interfaces, w.n_interfaces, w.masquerade, w.n_masquerade, w.accelerate,
				       &config, &errors);
	if (ret) {
		cfg_errors_print(NULL, w.file ? w.file : "command line", &errors, stderr);
		cfg_errors_free(&errors);
		return CLI_FAIL;
	}
	cfg_errors_free(&errors);
	options = (struct daemon_options){ .instance = w.instance, .config_path = w.file && strcmp(w.file, "-") ? w.file : NULL };
	return daemon_run(config, &options) ? CLI_FAIL : CLI_OK;
}
