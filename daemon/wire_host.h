/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_host.h - the box's own address on a wire: nvi0 has it, and the routes and routing rules that go with it.
 *
 *   ADDRESS/LEN dev nvi0                                          (the kernel adds the route to the network)
 *   default dev nvi0 src ADDRESS metric WIRE_HOST_METRIC          main table; via the gateway if one is configured
 *   NETWORK, and default as in the main table                     table of nvi0's own (NVI_TABLE)
 *   fwmark MARK lookup that table                                 for the reply and the original mark (wire_rules.h)
 *   from ADDRESS lookup that table                                so that another default route takes no answers away
 *
 * All bear natvi's protocol number, so that they are known again. The metric is so large that another default route of the box,
 * to a management network say, goes first, in whatever order they came. What somebody deletes is made again; all of it goes
 * when no wire has an address any more, and with `down`.
 */
#ifndef NATVI_DAEMON_WIRE_HOST_H
#define NATVI_DAEMON_WIRE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_HOST_METRIC	20800u	/* of nvi0; nvi1 has the next one, and so on */

struct daemon;
struct served;
struct nl;
struct nlmsghdr;
struct nvi;

/* What stands; part of struct nvi. Zeroed first, for comparing. */
struct wire_host {
	uint32_t addr;			/* host byte order; 0: nothing does */
	uint32_t gateway;		/* likewise; 0: the routes are to the device */
	uint32_t marks[2];		/* of the routing rules; 0: none */
	uint32_t len;
};

/* Bring all that to what the configuration says. again: even if that has not changed. Failures are logged. */
void wire_host_follow(struct daemon *d, bool again);

/* Routing rules for targets that are there, before anything is captured for them. */
void wire_targets_make(struct daemon *d, const struct served *served, size_t n);

/* Might this message about an address, a route or a routing rule mean that something of it has gone? */
bool wire_host_hear(const struct daemon *d, const struct nlmsghdr *msg);

/* Take all of it away. Needs no daemon. */
void wire_host_remove(struct nl *nl, const struct nvi *nvi);

#endif
