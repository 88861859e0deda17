/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * daemon.h - natvi's daemon as the commands see it.
 */
#ifndef NATVI_DAEMON_DAEMON_H
#define NATVI_DAEMON_DAEMON_H

#include <stdbool.h>

struct config;

struct daemon_options {
	const char *instance;		/* a name that instance_name_ok() likes */
	const char *config_path;	/* what a plain reload reads; NULL: the command line was the configuration */
};

/*
 * Load, attach, and serve until `natvi stop`, SIGTERM or SIGINT. Takes config over. The datapath
 * stays when the daemon ends. Says on stderr what goes wrong. Returns 0, or a negative errno when
 * the start failed: then everything is as it was before.
 */
int daemon_run(struct config *config, const struct daemon_options *options);

/*
 * Take an instance down: its daemon is asked to end, sysctls go back, programs are detached, pins
 * removed. Works with the daemon alive or dead, and with an instance of another version. Returns
 * 0, -ENOENT when there is nothing by that name, or another negative errno after saying why.
 */
int daemon_down(const char *instance);

#endif
