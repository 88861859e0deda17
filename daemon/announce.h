/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * announce.h - ARP announcements (RFC 5227 section 2.3) of the outside addresses that no interface owns.
 *
 * Who knew another box by such an address learns the port's MAC address, and a switch learns where it is. They go out of
 * the ports whose connected subnet has the address: all when a port comes up, its MAC address changes, or a link below
 * it says that it has moved; new ones when a reload brings them. Each address twice, a second apart (ANNOUNCE_NUM), as
 * requests: section 3 of the RFC says why these and not replies, which some hosts ignore; a switch looks at neither.
 *
 * At most ANNOUNCE_RATE frames a second leave in all; memory is by ranges, not by addresses.
 *
 * Life: announce_open() -> announce_follow() after each change of links or configuration -> announce_close(). The
 * socket is opened with CAP_NET_RAW, which the daemon gives up afterwards.
 */
#ifndef NATVI_DAEMON_ANNOUNCE_H
#define NATVI_DAEMON_ANNOUNCE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/links.h"
#include "daemon/outside.h"
#include "lib/config.h"

#define ANNOUNCE_RATE	1000	/* frames a second */
#define ANNOUNCE_NUM	2	/* RFC 5227 section 1.1 */

struct daemon;
struct nlmsghdr;

/* Addresses, host byte order, both ends included. */
struct span {
	uint32_t lo, hi;
};

struct spans {
	struct span *list;	/* sorted, none twice */
	size_t n;
};

/*
 * Which addresses does an interface of the configuration announce? Those in its connected subnets, but where an
 * interface before it in the same zone is connected to that subnet too: two MAC addresses would quarrel. 0 or -ENOMEM.
 */
int announce_spans(const struct config *config, const struct links *links, const struct outsides *outsides, size_t interface,
		   struct spans *out);

/* What now has and before has not. 0 or -ENOMEM. */
int announce_new(const struct spans *now, const struct spans *before, struct spans *out);

int announce_open(struct daemon *d);
void announce_close(struct daemon *d);
void announce_follow(struct daemon *d);

/* A link says that what is behind it has moved (failover of a bond, a virtual machine on another host). */
void announce_event(struct daemon *d, const struct nlmsghdr *msg);

#endif
