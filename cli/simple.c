/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * simple.c - commands that hand over to something else: stop, loglevel, down, demo, bench; and version.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "daemon/daemon.h"
#include "lib/ctl.h"
#include "lib/maps.h"

#ifndef NATVI_LIBEXEC
#define NATVI_LIBEXEC	"/usr/local/libexec/natvi"
#endif

int cmd_stop(int argc, char **argv)
{
	struct cli_opts opts;
	json_t *reply = NULL;
	char err[512];
	int code, ret;

	if (!cli_parse_plain(argc, argv, 0, &opts, &code))
		return code;
	ret = ctl_call(opts.instance, ctl_request("stop"), CTL_TIMEOUT_MS, &reply, err, sizeof(err));
	json_decref(reply);
	return ret ? cli_error(cli_exit_of(ret), "%s", err) : CLI_OK;
}

int cmd_loglevel(int argc, char **argv)
{
	json_t *request = ctl_request("loglevel"), *reply = NULL;
	struct cli_opts opts;
	char err[512];
	int code, ret;

	if (!cli_parse(argc, argv, CLI_TAKES_JSON, &opts, &code)) {
		json_decref(request);
		return code;
	}
	if (opts.n_words > 1) {
		json_decref(request);
		return cli_error(CLI_USAGE, "loglevel: one level, not also \"%s\"", opts.words[1]);
	}
	if (opts.n_words)
		json_object_set_new(request, "level", json_string(opts.words[0]));
	ret = ctl_call(opts.instance, request, CTL_TIMEOUT_MS, &reply, err, sizeof(err));
	if (ret)
		cli_error(cli_exit_of(ret), "%s", err);
	else if (opts.json)
		cli_print_json(json_pack("{s:O}", "level", json_object_get(reply, "level")));
	else
		puts(json_string_value(json_object_get(reply, "level")));
	json_decref(reply);
	return cli_exit_of(ret);
}

int cmd_down(int argc, char **argv)
{
	struct cli_opts opts;
	int code, ret;

	if (!cli_parse_plain(argc, argv, 0, &opts, &code))
		return code;
	ret = daemon_down(opts.instance);
	if (ret == -ENOENT)
		return cli_error(CLI_ABSENT, "there is no instance \"%s\" to take down", opts.instance);
	return ret ? CLI_FAIL : CLI_OK;
}

int cmd_version(int argc, char **argv)
{
	struct cli_opts opts;
	char hash[20];
	int code;

	if (!cli_parse_plain(argc, argv, CLI_TAKES_JSON, &opts, &code))
		return code;
	snprintf(hash, sizeof(hash), "%016" PRIx64, natvi_abi_hash());
	if (opts.json)
		return cli_print_json(json_pack("{s:s, s:i, s:s}", "version", NATVI_VERSION, "abi", NATVI_ABI_VERSION,
						"abi_hash", hash));
	printf("natvi %s, tables %d (%s)\n", NATVI_VERSION, NATVI_ABI_VERSION, hash);
	return CLI_OK;
}

/* Directory of the running binary, with its slash. */
static int own_dir(char buf[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", buf, PATH_MAX - 1);
	char *slash;

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	slash = strrchr(buf, '/');
	if (!slash)
		return -EINVAL;
	slash[1] = '\0';
	return 0;
}

/* Where a program of natvi's is: in the source tree, beside the binary's directory, or where it was meant to be installed. */
static bool find_program(const char *name, const char *in_tree, char path[PATH_MAX + 128])
{
	char dir[PATH_MAX];

	if (own_dir(dir))
		return false;
	snprintf(path, PATH_MAX + 128, "%s../%s", dir, in_tree);
	if (!access(path, X_OK))
		return true;
	snprintf(path, PATH_MAX + 128, "%s../libexec/natvi/%s", dir, name);
	if (!access(path, X_OK))
		return true;
	snprintf(path, PATH_MAX + 128, "%s/%s", NATVI_LIBEXEC, name);
	return !access(path, X_OK);
}

/* Become a program of natvi's. It finds this binary by $NATVI. */
static int become(const char *name, const char *in_tree, char **argv)
{
	char path[PATH_MAX + 128], self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		setenv("NATVI", self, 0);
	}
	if (!find_program(name, in_tree, path))
		return cli_error(CLI_FAIL, "%s is neither installed (`make install`) nor in the source tree beside this program", name);
	argv[0] = path;
	execv(path, argv);
	return cli_error(CLI_FAIL, "cannot run %s: %s", path, strerror(errno));
}

int cmd_demo(int argc, char **argv)
{
	return become("natvi-demo", "packaging/demo/natvi-demo", argv);
}

int cmd_bench(int argc, char **argv)
{
	return become("natvi-bench", "bench/run.py", argv);
}
