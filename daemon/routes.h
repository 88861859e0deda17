/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * routes.h - routes "PREFIX dev nvi0 proto 208 scope link" to the outside addresses that no interface owns.
 *
 * A routing daemon can export them; and what nothing maps ends at nvi0 instead of going round between this box and its
 * router. They are in the main table, those of a pool with a zone in that zone's. They stay when the daemon ends, and are
 * adopted by the next one; what makes them ours is the protocol and the device. A route of somebody else's to exactly the
 * same prefix, with the same metric (0), is left alone.
 *
 * Life: routes_open() -> routes_follow() each time something may have changed -> routes_close().
 */
#ifndef NATVI_DAEMON_ROUTES_H
#define NATVI_DAEMON_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/links.h"
#include "lib/config.h"
#include "lib/netlink.h"

#define ROUTES_PROTO	NL_PROTOCOL	/* rtm_protocol; packaging/rt_protos.conf names it */

struct daemon;
struct nlmsghdr;

/* A route as it is to be. Sorted by all of it. */
struct route4 {
	uint32_t table;
	uint32_t addr;		/* host byte order */
	uint8_t len;
};

struct route_list {
	struct route4 *list;
	size_t n;
};

/* The routes that a configuration asks for: as few as the ranges of each pool or rule allow. 0 or -ENOMEM. */
int routes_wanted(const struct config *config, const struct links *links, struct route_list *out);
bool route_list_has(const struct route_list *routes, const struct route4 *route);
void route_list_free(struct route_list *routes);

/* The kernel's routes with our protocol by this device. 0 or a negative errno. */
int routes_present(uint32_t ifindex, struct route_list *out);

/* Take them all away. 0 or a negative errno. */
int routes_withdraw(uint32_t ifindex);

int routes_open(struct daemon *d);
void routes_close(struct daemon *d);

/* Make the kernel's routes those that the configuration in force asks for, if something has changed since. */
void routes_follow(struct daemon *d);

/* A route has changed (NULL: any may have): is routes_follow() to look at the kernel's again? */
bool routes_event(struct daemon *d, const struct nlmsghdr *msg);

#endif
