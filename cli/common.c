/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * common.c - what the commands share: options, errors, help, JSON on stdout.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/instance.h"

int cli_error(enum cli_exit code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("natvi: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

enum cli_exit cli_exit_of(int error)
{
	switch (error) {
	case 0: return CLI_OK;
	case -ENOENT: case -ECONNREFUSED: return CLI_ABSENT;
	default: return CLI_FAIL;
	}
}

void cli_print_help(const struct cli_command *command)
{
	printf("usage: natvi %s%s%s [--instance NAME]\n\n%s\n", command->name, *command->usage ? " " : "", command->usage,
	       command->help);
	if (command->more)
		printf("\n%s", command->more);
}

static void print_help_of(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (!strcmp(c->name, name))
			cli_print_help(c);
}

/* A number from lo to hi, or -1 after saying what is wrong. */
static long number(const char *option, const char *text, long lo, long hi)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (!errno && end != text && !*end && value >= lo && value <= hi)
		return value;
	cli_error(CLI_USAGE, "--%s %s: right would be a number from %ld to %ld", option, text, lo, hi);
	return -1;
}

enum { OPT_INSTANCE = 256, OPT_JSON, OPT_LIMIT, OPT_CONFIRM, OPT_PCAP, OPT_FRAME, OPT_NOT_ACCELERATED };

static const struct option long_options[] = {
	{ "instance", required_argument, NULL, OPT_INSTANCE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "limit", required_argument, NULL, OPT_LIMIT },
	{ "not-accelerated", no_argument, NULL, OPT_NOT_ACCELERATED },
	{ "confirm", required_argument, NULL, OPT_CONFIRM },
	{ "pcap", required_argument, NULL, OPT_PCAP },
	{ "frame", required_argument, NULL, OPT_FRAME },
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool allowed(int opt, int takes)
{
	switch (opt) {
	case OPT_JSON: return takes & CLI_TAKES_JSON;
	case OPT_LIMIT: return takes & CLI_TAKES_LIMIT;
	case OPT_NOT_ACCELERATED: return takes & CLI_TAKES_ACCEL;
	case OPT_CONFIRM: return takes & CLI_TAKES_CONFIRM;
	case 'c': return takes & CLI_TAKES_CONFIG;
	case OPT_PCAP: case OPT_FRAME: return takes & CLI_TAKES_PCAP;
	default: return true;
	}
}

/* One option. Returns false when its value is wrong. */
static bool take(int opt, struct cli_opts *out)
{
	switch (opt) {
	case OPT_INSTANCE:
		out->instance = optarg;
		if (instance_name_ok(optarg))
			return true;
		cli_error(CLI_USAGE, "--instance \"%s\": right would be letters, digits, - and _, at most %d", optarg,
			  NATVI_NAME_LEN - 1);
		return false;
	case OPT_JSON:
		out->json = true;
		return true;
	case OPT_NOT_ACCELERATED:
		out->not_accelerated = true;
		return true;
	case 'c':
		out->config = optarg;
		return true;
	case OPT_PCAP:
		out->pcap = optarg;
		return true;
	case OPT_FRAME:
		return (out->frame = number("frame", optarg, 1, 1000000000)) >= 0;
	case OPT_LIMIT:
		return (out->limit = number("limit", optarg, 1, 1000000000)) >= 0;
	default:
		return (out->confirm_s = number("confirm", optarg, 1, 86400)) >= 0;
	}
}

static bool bad_option(char **argv, const char *option, int *exit_code)
{
	*exit_code = cli_error(CLI_USAGE, "%s: it does not know %s; `natvi help %s` lists what it does", argv[0], option, argv[0]);
	return false;
}

bool cli_parse(int argc, char **argv, int takes, struct cli_opts *out, int *exit_code)
{
	int opt;

	*out = (struct cli_opts){ .instance = INSTANCE_DEFAULT, .limit = -1, .confirm_s = -1, .frame = -1 };
	optind = 1;
	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":c:h", long_options, NULL)) != -1) {
		if (opt == 'h') {
			print_help_of(argv[0]);
			*exit_code = CLI_OK;
			return false;
		}
		if (opt == ':') {
			*exit_code = cli_error(CLI_USAGE, "%s: %s needs a value", argv[0], argv[optind - 1]);
			return false;
		}
		if (opt == '?' || !allowed(opt, takes))
			return bad_option(argv, argv[optind - 1], exit_code);
		if (!take(opt, out)) {
			*exit_code = CLI_USAGE;
			return false;
		}
	}
	out->n_words = argc - optind;
	out->words = argv + optind;
	return true;
}

bool cli_parse_plain(int argc, char **argv, int takes, struct cli_opts *out, int *exit_code)
{
	if (!cli_parse(argc, argv, takes, out, exit_code))
		return false;
	if (!out->n_words)
		return true;
	*exit_code = cli_error(CLI_USAGE, "%s: it takes no \"%s\"", argv[0], out->words[0]);
	return false;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance; words of up to 31 letters, longer ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], n = strlen(b), diagonal, old;

	if (n > 31)
		return 99;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			old = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i] != b[j - 1]));
			diagonal = old;
		}
	}
	return row[n];
}

const char *cli_nearest(const char *word, const char *const *candidates)
{
	size_t best = strlen(word) < 4 ? 2 : 3, d;	/* beyond that it is no slip of the finger */
	const char *near = NULL;

	if (strlen(word) > 31)
		return NULL;
	for (; *candidates; candidates++) {
		d = strncmp(*candidates, word, strlen(word)) ? distance(word, *candidates) : 0;
		if (d < best) {
			best = d;
			near = *candidates;
		}
	}
	return near;
}

int cli_print_json(json_t *value)
{
	int ret = value ? json_dumpf(value, stdout, JSON_INDENT(2)) : -1;

	json_decref(value);
	if (ret)
		return cli_error(CLI_FAIL, "cannot print JSON");
	putchar('\n');
	return CLI_OK;
}
