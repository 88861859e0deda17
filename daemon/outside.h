/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * outside.h - the outside addresses that no interface owns: those of pools, of netmap and static rules, and of forwards.
 *
 * They are ranges, so that a pool of 65,536 addresses is one entry. Nothing but natvi speaks for them: the datapath
 * answers ARP (dp/arp.h), announce.h tells the neighbours, routes.h the routing daemon.
 *
 * Life: outside_list() -> outside_free(). Plain memory; names are borrowed from the configuration.
 */
#ifndef NATVI_DAEMON_OUTSIDE_H
#define NATVI_DAEMON_OUTSIDE_H

#include "daemon/links.h"
#include "lib/config.h"

enum outside_kind { OUTSIDE_POOL, OUTSIDE_RULE, OUTSIDE_FORWARD };

/* Addresses of one pool, one rule, or of forwards. Host byte order, both ends included. */
struct outside {
	uint32_t lo, hi;
	enum outside_kind kind;
	size_t index;		/* of the pool or rule in the configuration; 0 for forwards */
	const char *name;	/* of that pool or rule; "" for forwards */
	uint64_t zones;		/* that see the addresses: a set as in lib/config.h */
};

struct outsides {
	struct outside *list;	/* by zones and address, none twice for a set of zones; neighbours of one pool are one entry */
	size_t n;
};

/* Returns 0 or -ENOMEM; *out is empty then. */
int outside_list(const struct config *config, const struct links *links, struct outsides *out);
void outside_free(struct outsides *outsides);

/* The largest prefix that begins at lo and does not go beyond hi: its length. */
uint8_t outside_prefix(uint32_t lo, uint32_t hi);

/* The last address of a prefix. */
uint32_t outside_last(uint32_t addr, uint8_t len);

/*
 * Hosts of the link that this address is connected to: between network and broadcast address, if there are such.
 * false: the address stands alone.
 */
bool outside_subnet(const struct ifaddr4 *addr, uint32_t *lo, uint32_t *hi);

/*
 * What neighbours need to be told. fn is called with a sentence for each pool, rule or forward that lies in no connected
 * subnet of an interface of the configuration (in its zone); where interfaces are not there yet, or have no address,
 * just once, with a sentence that names them. Returns how often.
 */
typedef void (*outside_fn)(const char *subject, const char *text, void *arg);
int outside_advise(const struct config *config, const struct links *links, outside_fn fn, void *arg);

#endif
