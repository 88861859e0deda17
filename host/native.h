/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native.h - the datapath in an ordinary process, for replay, tests and fuzzing.
 *
 * Life: native_new() -> native_run()... -> native_free(). The box's network (interfaces,
 * addresses, routes, sockets) is described by a struct native_net. One thread at a time.
 */
#ifndef NATVI_HOST_NATIVE_H
#define NATVI_HOST_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/event.h"
#include "lib/config.h"

#define NATIVE_HEADROOM	64
#define NATIVE_MAX_FRAME 65536

struct native_interface {
	char name[IFNAMSIZ];
	uint32_t ifindex;		/* 1-65535 */
	uint8_t mac[6];
	uint32_t mtu;
	uint32_t addr;			/* IPv4, host byte order; 0: none */
	uint8_t addr_len;
	bool no_l2;			/* a tun: packets begin at the IP header */
};

/* A packet that a routing rule speaks of: what is 0 does not matter. */
struct native_selector {
	uint32_t iif;			/* it came in by */
	uint32_t source;		/* host byte order */
	uint32_t mark;
	uint8_t source_len;
	uint8_t tos;
	uint8_t pad[2];			/* 0: selectors are compared as bytes */
};

/* Routes with one selector are a table of their own; tables are asked in the order of their first routes, that without a selector last. */
struct native_route {
	struct native_selector selector;
	uint32_t prefix;		/* host byte order */
	uint8_t len;
	uint32_t ifindex;		/* 0: unreachable */
	uint32_t mtu;			/* 0: the interface's */
	bool has_mac;			/* false: the neighbour is not resolved */
	uint8_t mac[6];			/* of the next hop, or of every host on the link */
};

/* Number of a route's table: of its first route in the list; SIZE_MAX: of that without a selector. */
struct native_net;
size_t native_table(const struct native_net *net, const struct native_route *route);

struct native_socket {
	uint8_t proto;
	uint32_t addr;			/* 0: any */
	uint16_t port;
};

struct native_net {
	struct native_interface *interfaces;
	size_t n_interfaces;
	struct native_route *routes;	/* longest prefix wins; the first of equals */
	size_t n_routes;
	struct native_socket *sockets;
	size_t n_sockets;
	uint16_t local_lo, local_hi;	/* ip_local_port_range */
	bool mark_slow;			/* natvi's nftables table stands */
	bool policy;			/* IPsec policies or mark rules exist */
	bool one_route;			/* only the three routing rules of every box */
	bool mark_routes;		/* rules ask for marks, and the look-up takes them */
	bool tos_routes;		/* rules ask for the TOS */
};

enum native_action { NATIVE_SEND, NATIVE_KERNEL, NATIVE_DROP };

struct native_result {
	enum native_action action;
	enum verdict verdict;		/* the one that was counted, an ICMP error sent aside */
	bool icmp;			/* SEND: an ICMP error of natvi's own */
	uint32_t out_ifindex;		/* SEND */
	uint32_t mark;			/* KERNEL */
	const uint8_t *frame;		/* SEND, KERNEL: as it leaves; good until the next call */
	size_t len;
};

struct native;

/*
 * A datapath with the tables that config makes of this network. config and net may go afterwards.
 * Returns 0, or a negative errno with a sentence in err.
 */
int native_new(const struct config *config, const struct native_net *net, struct native **out, char *err, size_t err_len);
void native_free(struct native *n);

/* The mark of all frames that come in from now on; 0 at first. */
void native_mark(struct native *n, uint32_t mark);

/* One frame of 1-NATIVE_MAX_FRAME bytes coming in by ifindex at now_s (monotonic seconds, > 0). */
struct native_result native_run(struct native *n, uint32_t ifindex, const void *frame, size_t len, uint32_t now_s);

/* The same for a frame that the daemon has kept, as it came to its tap (abi/fragment.h). */
struct native_result native_parked(struct native *n, uint32_t ifindex, const void *frame, size_t len, uint32_t now_s);

/* The routes' generation moves, as when the kernel's routes have changed. */
void native_new_generation(struct native *n);

/* Leave a connection to the kernel: 0, -EEXIST or -ENOSPC. */
int native_adopt(struct native *n, const struct adopt_args *args, uint32_t now_s);

/* One whole sweep at now_s. */
struct sweep_args native_sweep(struct native *n, uint32_t now_s);

const struct counters *native_counters(const struct native *n);
const struct usage *native_usage(const struct native *n);

/* Buckets of the flow table, for dumps. */
const struct bucket *native_buckets(const struct native *n, uint32_t *n_buckets);

#endif
