/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * main.c - the command table, and help from it. A command is a verb with a file of its own.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/filter.h"
#include "lib/packet.h"
#include "lib/verdict.h"

#define SHOW_USAGE	"sessions [--not-accelerated]|mappings|pools|rules|interfaces|zones|wires [WIRE]|stats|drops [FILTER...] [--limit N] [--json]"

const struct cli_command cli_commands[] = {
	{ "run", cmd_run, "[-c FILE] | IFACE... [--masquerade IFACE] [--accelerate] [--log error|warn|info|debug]",
	  "the daemon: attach, translate, serve",
	  "-c FILE             configuration; default /etc/natvi/natvi.yaml\n"
	  "--masquerade IFACE  without a file: what leaves by IFACE takes its address; several with commas\n"
	  "--accelerate        without a file: connections that the kernel forwards are sent on at the hook\n"
	  "--log LEVEL         how much it says\n" },
	{ "check", cmd_check, "FILE [--json]", "validate a configuration, and say what would be right", NULL },
	{ "reload", cmd_reload, "[FILE] [--confirm SECONDS]", "put a configuration in force; sessions live on",
	  "Without FILE the daemon reads its own file again. With --confirm the old configuration comes\n"
	  "back by itself unless `natvi confirm` follows in time.\n" },
	{ "confirm", cmd_confirm, "", "keep what `reload --confirm` has put in force", NULL },
	{ "stop", cmd_stop, "", "end the daemon; the datapath goes on translating", NULL },
	{ "down", cmd_down, "", "detach the datapath, end all sessions, put sysctls back",
	  "Works with the daemon dead, and with an instance that another version made.\n" },
	{ "loglevel", cmd_loglevel, "[error|warn|info|debug]", "how much the daemon says; without a level: show it", NULL },
	{ "status", cmd_status, "[--json]", "is it running, since when, how full, what is attached",
	  "Exit code 0: running; 3: the daemon is not running (the datapath may be there all the same).\n" },
	{ "doctor", cmd_doctor, "[-c FILE] [--json]", "what in this box works against natvi", NULL },
	{ "show", cmd_show, SHOW_USAGE, "what the tables hold; works with the daemon dead", filter_help },
	{ "flush", cmd_flush, "sessions|mappings [FILTER...] [--json]", "end sessions, or forget mappings that none holds",
	  filter_help },
	{ "monitor", cmd_monitor, "[--json]", "sessions as they begin and end, MAC addresses that move on a wire", NULL },
	{ "trace", cmd_trace, "'PACKET' | --pcap FILE [--frame N] iif NAME [--json]",
	  "what would happen to a packet, stage by stage; sends nothing", packet_help },
	{ "replay", cmd_replay, "IN.pcap OUT.pcap -c FILE [--address IFACE=ADDR/LEN]... [--verbose] [--json]",
	  "the datapath on a capture; needs no privilege",
	  "--address IFACE=ADDR/LEN  an interface of FILE has this address; masquerading needs one\n"
	  "--verbose                 a line for each packet\n" },
	{ "demo", cmd_demo, "", "a gateway between two namespaces, with real traffic", NULL },
	{ "bench", cmd_bench, "[--quick]", "side by side with the kernel, on this machine", NULL },
	{ "help", cmd_help, "[COMMAND | verdicts]", "this, or more about one command; how packets can end", NULL },
	{ "version", cmd_version, "[--json]", "version of natvi and of its tables", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static const struct cli_command *find(const char *name)
{
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void print_all(FILE *to)
{
	fputs("usage: natvi COMMAND [--instance NAME] ...\n\n", to);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(to, "  %-9s %s\n", c->name, c->help);
	fputs("\n`natvi help COMMAND` says more; natvi(8) and natvi.yaml(5) say all.\n", to);
}

static int unknown(const char *word)
{
	const char *names[sizeof(cli_commands) / sizeof(cli_commands[0])];
	const char *near;
	size_t n = 0;

	for (const struct cli_command *c = cli_commands; c->name; c++)
		names[n++] = c->name;
	names[n] = NULL;
	near = cli_nearest(word, names);
	if (near)
		return cli_error(CLI_USAGE, "there is no command \"%s\"; did you mean `natvi %s`?", word, near);
	return cli_error(CLI_USAGE, "there is no command \"%s\"; `natvi help` lists them", word);
}

static void print_verdicts(void)
{
	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		printf("%-16s %-7s %s\n", verdict_name(v), verdict_class_name(verdict_class(v)), verdict_text(v));
}

int cmd_help(int argc, char **argv)
{
	const struct cli_command *command;

	if (argc < 2) {
		print_all(stdout);
		return CLI_OK;
	}
	if (!strcmp(argv[1], "verdicts")) {
		print_verdicts();
		return CLI_OK;
	}
	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	cli_print_help(command);
	return CLI_OK;
}

int main(int argc, char **argv)
{
	const struct cli_command *command;
	int code;

	if (argc < 2) {
		print_all(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		argv[1] = "help";
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		argv[1] = "version";
	command = find(argv[1]);
	if (!command)
		return unknown(argv[1]);
	code = command->run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout))
		return cli_error(CLI_FAIL, "cannot write all of the output");
	return code;
}
