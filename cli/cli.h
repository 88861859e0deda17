/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * cli.h - commands of the natvi binary. Each gets its own words, argv[0] being its name, and
 * returns the exit code. Options may stand anywhere among the words.
 */
#ifndef NATVI_CLI_CLI_H
#define NATVI_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAIL = 1,
	CLI_USAGE = 2,
	CLI_ABSENT = 3,		/* not running, or nothing there by that name */
};


enum { CLI_TAKES_JSON = 1, CLI_TAKES_LIMIT = 2, CLI_TAKES_CONFIRM = 4, CLI_TAKES_CONFIG = 8, CLI_TAKES_PCAP = 16, CLI_TAKES_ACCEL = 32 };

/* What the options of a command said. */
struct cli_opts {
	const char *instance;
	bool json;
	bool not_accelerated;
	const char *config;	/* -c; NULL: none given */
	long limit;		/* -1: none given */
	long confirm_s;		/* -1: none given */
	const char *pcap;	/* NULL: none given */
	long frame;		/* -1: none given */
	int n_words;		/* what is left, options taken out */
	char **words;
};

/* One command of the table in main.c. */
struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;	/* what follows the name */
	const char *help;	/* one line */
	const char *more;	/* further lines for `natvi help NAME`; NULL: none */
};
extern const struct cli_command cli_commands[];	/* ends with a NULL name */

/*
 * Parse argv. takes: CLI_TAKES_*; --instance is always understood, --help prints the command's
 * help. Returns true to go on; else *exit_code is what to end with, and all is said.
 */
bool cli_parse(int argc, char **argv, int takes, struct cli_opts *out, int *exit_code);

/* As cli_parse(), for commands that take no words. */
bool cli_parse_plain(int argc, char **argv, int takes, struct cli_opts *out, int *exit_code);

/* "natvi: text" on stderr. Returns code. */
int cli_error(enum cli_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Exit code for a negative errno of maps_open() or ctl_call(). */
enum cli_exit cli_exit_of(int error);

/* Help of one command on stdout. */
void cli_print_help(const struct cli_command *command);

/* The candidate (list ends with NULL) that is nearest to word in spelling, or NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *candidates);

/* Print a JSON value, which is consumed, with a newline on stdout. Returns CLI_OK or CLI_FAIL. */
struct json_t;
int cli_print_json(struct json_t *value);

int cmd_run(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_confirm(int argc, char **argv);
int cmd_loglevel(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_down(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_flush(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
