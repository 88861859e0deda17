/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nvi.h - nvi0, the virtual interface: a veth pair of the instance's own in its namespace.
 *
 * The near end is named nvi0, or the first of nvi1, nvi2 ... that nobody has; the far end has a p behind that. Both are
 * known again by their alias, which names the instance. They stay when the daemon ends, the next one takes them over, and
 * `down` removes them. Who deletes nvi0 gets it back, with the routes that led there.
 *
 * With wires it is an interface like any other, with the box's address on a wire (wire_host.c).
 *
 * What natvi itself translates for a destination that is routed to nvi0 has to leave by another route. Those are kept
 * in a routing table of nvi0's own (nvi_routes.c), which packets from the far end look at.
 */
#ifndef NATVI_DAEMON_NVI_H
#define NATVI_DAEMON_NVI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/links.h"
#include "daemon/wire_host.h"

#define NVI_TABLE	188	/* of nvi0; nvi1 has the next one, and so on */
#define NVI_PRIORITY	188	/* of the first of two routing rules for nvi0; nvi1's are the next two, and so on */
#define NVI_GROUP	188	/* interface group of all such devices */

/* prefix: host byte order */
typedef void (*nvi_route_fn)(uint32_t prefix, uint8_t len, uint32_t table, void *arg);

struct daemon;
struct nl;
struct nlmsghdr;
struct port;

/* The pair makes part of struct daemon; ifindex 0: there is none. */
struct nvi {
	uint32_t ifindex, peer;
	unsigned int number;
	char name[IFNAMSIZ], peer_name[IFNAMSIZ];
	struct nvi_routes *routes;
	bool wire;			/* it is the box's own interface on a wire (wire_host.c), not an entry to NAT */
	struct wire_host host;		/* likewise */
	bool other_default;		/* likewise: the box has another default route */
};

/* Make the pair or take it over, with the programs that are loaded. Returns 0 or a negative errno after saying why. */
int nvi_open(struct daemon *d);

/* Is it still there, up, with its programs? Else it is made so. Returns true when it was not. */
bool nvi_verify(struct daemon *d);

/* Make it what a configuration with or without wires needs. Returns 0 or a negative errno after saying why. */
int nvi_serve(struct daemon *d, bool wire);

int nvi_set_mtu(struct daemon *d, uint32_t mtu);

/* Is this one of the two devices? */
bool nvi_owns(const struct daemon *d, uint32_t ifindex);

/* Its entry among the ports, so that it is shown with them; on a wire, zone is that one's number. False: there is none. */
bool nvi_port(const struct daemon *d, const struct links *links, uint16_t zone, struct port *port);

/* What nvi_open() made goes. */
void nvi_undo(struct daemon *d);

/* Forget; the devices stay. */
void nvi_close(struct daemon *d);

/* Remove an instance's devices, routing rules and routes. Needs no daemon. Returns 0 or a negative errno. */
int nvi_remove(struct nl *nl, const char *instance, const struct links *links);

/* The same for the device of an instance, if it has one. */
int nvi_check(struct nl *nl, const char *instance, const struct links *links, nvi_route_fn fn, void *arg);

/* nvi_routes.c */

/* Follow the routes to nvi0 that are not natvi's: all is read, and what differs is written. */
void nvi_routes_follow(struct daemon *d);

/* Might this message about a route or a routing rule change anything there? */
bool nvi_routes_hear(const struct daemon *d, const struct nlmsghdr *msg);

/* Put back the routes that went with the device. */
void nvi_routes_restore(struct daemon *d);

void nvi_routes_free(struct nvi *nvi);

/* Routes to this device that no other could take the place of: what is translated comes back. */
int nvi_routes_check(struct nl *nl, uint32_t ifindex, unsigned int number, nvi_route_fn fn, void *arg);

/* Remove the routing rules and routes that are made for the device with this number. */
void nvi_routes_remove(struct nl *nl, unsigned int number);

#endif
