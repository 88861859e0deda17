/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * links.h - a picture of the namespace: interfaces and their IPv4 addresses.
 *
 * A picture is read whole and never patched, so that a lost event costs nothing but the next
 * reading. Life: links_read() -> links_free(). Plain memory, owned by who read it.
 */
#ifndef NATVI_DAEMON_LINKS_H
#define NATVI_DAEMON_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/netlink.h"

#define LINK_ALIAS_LEN	128

struct link {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	unsigned int flags;		/* IFF_* */
	bool carrier;
	uint32_t carrier_ups;		/* how often it has come */
	uint32_t mtu;
	uint16_t type;			/* ARPHRD_* */
	uint8_t mac[6];
	char kind[16];			/* "veth", "bridge", ...; "" for hardware */
	char qdisc[16];			/* the root's kind */
	char alias[LINK_ALIAS_LEN];	/* cut off if it is longer */
	uint32_t peer;			/* ifindex of the link below or the veth's other end; 0: none */
	bool peer_elsewhere;		/* that ifindex is another namespace's */
	uint32_t master;		/* ifindex of the bridge, bond or VRF that it is in; 0: none */
	uint32_t vrf_table;		/* of a VRF device */
	uint32_t xdp_driver, xdp_generic, xdp_hardware;	/* ids of attached programs; 0: none */
};

struct ifaddr4 {
	uint32_t ifindex;
	uint32_t addr;			/* host byte order */
	uint8_t len, scope;
	bool secondary;
};

struct links {
	struct link *list;
	size_t n;
	struct ifaddr4 *addrs;
	size_t n_addrs;
};

/* Returns 0 or a negative errno; on error *out is empty. */
int links_read(struct nl *nl, struct links *out);

/* Have the kernel remove an interface. 0 or a negative errno. */
int links_delete(struct nl *nl, uint32_t ifindex);
void links_free(struct links *links);

/* NULL: there is none. */
const struct link *links_by_name(const struct links *links, const char *name);
const struct link *links_by_index(const struct links *links, uint32_t ifindex);

/* The address that masquerading by an interface uses: its first primary one, global before narrower scopes; 0: none. */
uint32_t links_primary4(const struct links *links, uint32_t ifindex);

/* Does an interface of the box own this address? */
bool links_owns4(const struct links *links, uint32_t addr);

#endif
