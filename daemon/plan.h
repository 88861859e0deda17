/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * plan.h - all that the maps are to hold, worked out in memory before anything is written.
 *
 * A plan is a function of the configuration, the picture of the links and a few facts of the box.
 * Life: plan_build() -> plan_free(). The daemon keeps the plan in force, to see what a new one
 * changes. Touches no map.
 */
#ifndef NATVI_DAEMON_PLAN_H
#define NATVI_DAEMON_PLAN_H

#include "abi/config.h"
#include "abi/mapping.h"
#include "abi/wire.h"
#include "daemon/addrs.h"
#include "daemon/links.h"
#include "daemon/listeners.h"
#include "lib/config.h"

#define SLOW_MARK		CFG_OWN_MARK	/* the bit of skb->mark that marks slow-road packets */
#define PLAN_MAX_STATICS	131072	/* forwarded ports over all forwards */

/* Where pools stand: mappings name them by index, so a name keeps its index. */
enum pool_kind { POOL_KIND_ANY, POOL_KIND_CONFIGURED, POOL_KIND_MASQUERADE };	/* ANY: read back from the maps */

struct pool_place {
	char name[NATVI_NAME_LEN];	/* "": nobody's */
	enum pool_kind kind;
	bool busy;			/* nobody's, but mappings still name it */
};

struct plan_input {
	const struct config *config;
	const struct pool_place *places;	/* [NATVI_MAX_POOLS] as they were */
	const char (*zones)[NATVI_NAME_LEN];	/* [NATVI_MAX_ZONES] names as they were numbered; NULL: not at all */
	const struct links *links;
	uint16_t local_lo, local_hi;	/* net.ipv4.ip_local_port_range */
	bool policy;			/* IPsec policies or mark rules exist */
	bool one_route;			/* only the three routing rules of every box */
	bool mark_routes;		/* rules ask for marks, and the kernel's look-up takes them */
	uint32_t ct_tcp_s;		/* see struct settings */
	bool mark_slow;			/* natvi's nftables table stands */
	const struct plan_addr *former;	/* addresses that a reload took away, and that sessions still have; they stay natvi's */
	size_t n_former;
	const uint16_t *rule_ids;	/* of the configuration's rules, or of its captures over all wires; NULL: by their place */
	const char (*wires)[NATVI_NAME_LEN];	/* [NATVI_MAX_WIRES] names as they were numbered; NULL: not at all */
	uint32_t nvi;			/* ifindex of nvi0; 0: there is none */
};

/*
 * One address of interest: of the box, of a pool or a netmap, or outside address of a forward. In two zones it is two; a
 * zone sees one of them at most. Sorted by address, then zone.
 */
struct plan_addr {
	uint64_t zones;			/* bit: number of a zone that sees it */
	uint32_t addr;			/* host byte order */
	uint32_t slot;			/* or SLOT_NONE */
	uint16_t zone;			/* as addr_info.zone */
	uint16_t policy;		/* in plan.policies: reserved TCP and UDP ports */
	uint8_t flags;			/* ADDR_* */
	uint8_t pool;			/* or POOL_NONE */
	uint8_t pad[2];			/* 0: plans are compared as bytes */
};

/* One forwarded port: the two entries of its static mapping. Sorted by outside. */
struct plan_static {
	struct mapping_key outside, inside;
	uint32_t slot;
	uint8_t pool;
	uint8_t filtering;
};

/* Ports of the box's address that the kernel's own NAT gives away. */
struct plan_kernel {
	uint32_t addr;			/* host byte order */
	struct cfg_ports ports;
	uint8_t proto;			/* IPPROTO_TCP, IPPROTO_UDP */
	uint8_t pad[3];			/* 0: plans are compared as bytes */
};

struct plan {
	struct settings settings;
	struct rule *rules;
	size_t n_rules;
	struct pool *pools;		/* [NATVI_MAX_POOLS]; unused ones have no name */
	size_t n_pools;			/* the highest used index and one */
	struct pool_place places[NATVI_MAX_POOLS];
	uint16_t *cfg_pool;		/* index of each configured pool */
	uint16_t *masq_pool;		/* of each interface's masquerade pool, or POOL_MASQUERADE */
	struct pool_addr *pool_addrs;
	size_t n_pool_addrs;
	struct port *ports;		/* interfaces that exist, in the configuration's order */
	size_t n_ports;
	struct zone zones[NATVI_MAX_ZONES];
	char zone_names[NATVI_MAX_ZONES][NATVI_NAME_LEN];	/* by number, those of zones that have gone too */
	struct wire wires[NATVI_MAX_WIRES];	/* by number; those without a name are not there */
	char wire_names[NATVI_MAX_WIRES][NATVI_NAME_LEN];	/* likewise, those of wires that have gone too */
	struct plan_addr *addrs;
	size_t n_addrs;
	size_t n_addr_keys;		/* with each zone that sees them: entries of the table */
	struct portset *policies;
	size_t n_policies;
	struct plan_static *statics;
	size_t n_statics;
	struct plan_kernel *kernels;
	size_t n_kernels;
	struct listeners listeners;	/* the owner puts them in */
	struct listeners expected;	/* likewise: ports that helpers of the kernel's expect connections on */
};

/*
 * slots is changed to what the plan needs; on error its content is of no use (work on a copy).
 * Returns 0, or a negative errno with a sentence for a person in err: -ENOSPC the pinned tables
 * have too few slots, -E2BIG a limit of abi/limits.h is passed, -ENOMEM.
 */
int plan_build(struct plan *plan, const struct plan_input *input, struct slots *slots, char *err, size_t err_len);
void plan_free(struct plan *plan);

/* What a configuration asks for, before any table is made. */
struct plan_needs {
	uint32_t slots;
	uint32_t pool_addrs;
	uint32_t net_addrs;		/* translated addresses of netmaps */
	uint32_t addr_keys;		/* all these addresses and those of forwards, once for each zone that may see them */
	uint32_t statics;
};
struct plan_needs plan_needs(const struct config *config);

/* Take the next digit of a number written with mixed bases, 0 counting as 1: how a list multiplied out is walked. */
size_t plan_digit(size_t *number, size_t base);

/* Number of a zone by its name; "" is 0. The name is one of the configuration's. */
uint16_t plan_zone(const struct plan *plan, const char *name);

/* The address with this addr_info.zone, or as a packet of this zone sees it; NULL: it is not in the plan. */
const struct plan_addr *plan_find_addr(const struct plan *plan, uint32_t addr, uint16_t zone);
const struct plan_addr *plan_seen_addr(const struct plan *plan, uint32_t addr, uint16_t zone);

/* Ports of a slot and protocol that must stay taken: reserved ones, those of the box's services and of the kernel's NAT, and forwards (of a shared pool: those of TCP and UDP). */
void plan_taken(const struct plan *plan, const struct plan_addr *addr, enum portbits_proto proto, struct portset *out);

/*
 * The pool that has this address of an interface in that zone too, if it shares mappings between TCP and UDP and
 * masquerading does not, or the other way round; else NULL. Masquerading then goes without the address.
 */
const struct cfg_pool *config_sharing_conflict(const struct config *config, uint32_t addr, const char *zone);

/* The zone whose alone an address of an interface in this zone is: a VRF's; else "". */
const char *config_own_zone(const struct config *config, const char *zone);

/* Do rules masquerade by this interface? */
bool config_masquerades(const struct config *config, const char *interface);

#endif
