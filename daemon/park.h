/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park.h - the daemon's side of what has to wait: fragments that come before their predecessor, and SYNs that
 * nobody asked for. The datapath sends them to a tap of the daemon (park_tap.h), which keeps them in bounds
 * (park_queue.h) and writes them back when their turn has come. abi/fragment.h has the whole way.
 *
 * Without a tap everything else goes on: the datapath then drops what would have to wait.
 *
 * Life: park_open(), while capabilities are still there; park_start(), with the loop; park_close(). What
 * waits at the end is lost. Belongs to the loop's thread.
 */
#ifndef NATVI_DAEMON_PARK_H
#define NATVI_DAEMON_PARK_H

#include <jansson.h>

struct daemon;

/* Make the tap and tell the datapath. No tap is no error: it is said, and tried again later. Returns 0 or -ENOMEM. */
int park_open(struct daemon *d);
void park_start(struct daemon *d);

/* Links or filters have changed: was it the tap? */
void park_verify(struct daemon *d);

/* For `status`. */
json_t *park_json(const struct daemon *d);

/* The datapath sends nothing any more, and the tap is gone. */
void park_close(struct daemon *d);

#endif
