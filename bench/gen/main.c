// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The command table of natvi-bench. */
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "natbench.h"

static const struct {
	const char	*name;
	int		(*run)(int argc, char **argv);
	const char	*help;
} commands[] = {
	{ "gen",     cmd_gen,     "send UDP flows from one veth, count them at another" },
	{ "peer",    cmd_peer,    "attach one of the BPF peers to a gateway's port" },
	{ "testrun", cmd_testrun, "time a loaded program, one packet at a time" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(void)
{
	fprintf(stderr, "usage: natvi-bench COMMAND [OPTION...]\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(stderr, "  %-8s %s\n", commands[i].name, commands[i].help);
	return 2;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return usage();
	libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
	stop_on_signals();
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return usage();
}
