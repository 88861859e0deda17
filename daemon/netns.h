/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * netns.h - the network namespace that an instance lives in.
 */
#ifndef NATVI_DAEMON_NETNS_H
#define NATVI_DAEMON_NETNS_H

/*
 * Find a namespace by its name ("net:[4026531840]"), among those in /run/netns and of all processes.
 * Returns a descriptor for setns(), or -ENOENT: it is gone.
 */
int netns_find(const char *name);

#endif
