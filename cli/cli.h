/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cli.h - commands of the natvi binary. Each gets its own words, argv[0] being its name, and
 * returns the exit code. Options may stand anywhere among the words.
 */
#ifndef NATVI_CLI_CLI_H
#define NATVI_CLI_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAIL = 1,
	CLI_USAGE = 2,
	CLI_ABSENT = 3,		/* not running, or nothing there by that name */
};



/* Options that all commands here understand; a command refuses those that it has no use for. */
struct cli_opts {
	const char *instance;
	bool json;
	long limit;		/* -1: none given */
	long confirm_s;		/* -1: none given */
	bool history;
	int n_words;		/* what is left, options taken out */
	char **words;
};

enum { CLI_TAKES_JSON = 1, CLI_TAKES_LIMIT = 2, CLI_TAKES_CONFIRM = 4, CLI_TAKES_HISTORY = 8 };

/* Parse argv. takes: CLI_TAKES_*. Returns 0, or CLI_USAGE after saying what is wrong. */
int cli_parse(int argc, char **argv, int takes, struct cli_opts *out);

/* "natvi NAME: text" on stderr. Returns code. */
int cli_error(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exit code for a negative errno of maps_open() or ctl_call(). */
enum cli_exit cli_exit_of(int error);

/* Print a JSON value (consumed) and a newline on stdout. Returns CLI_OK or CLI_FAIL. */
struct json_t;
int cli_print_json(struct json_t *value);

/* One command of the table in main.c; NULL if there is none by that name. */
struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;	/* after the name */
	const char *help;	/* one line */
	const char *more;	/* further lines for `natvi help NAME`; NULL: none */
};
const struct cli_command *cli_find(const char *name);
extern const struct cli_command cli_commands[];

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_confirm(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* The parts of `natvi show`, one file each or a few; opts and words are what follows the subject. */
struct maps;
struct names;
struct filter;
struct show {
	const struct cli_opts *opts;
	struct maps *maps;
	struct names *names;
	struct filter *filter;
};
int show_sessions(struct show *show);
int show_mappings(struct show *show);
int show_pools(struct show *show);
int show_rules(struct show *show);
int show_interfaces(struct show *show);
int show_stats(struct show *show);
int show_drops(struct show *show);

#endif
