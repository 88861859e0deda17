/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * native.h - the datapath in an ordinary process, for replay, tests, fuzzing and trace.
 *
 * Life: native_new() -> native_run()... -> native_free(). The box's network (interfaces,
 * addresses, routes, sockets) is described by a struct native_net. One thread at a time.
 *
 * Or on the tables of a live gateway: native_new_live() -> native_arrive()... -> native_free(). What the
 * datapath touches of them is copied then and there, and the copy is changed; a struct native_source reads them,
 * and asks the kernel for routes and sockets.
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
#define NATIVE_MAX_COPIES 4

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
	uint32_t nvi;			/* ifindex of the interface that is nvi0; 0: there is none. Only for wires */
	uint16_t local_lo, local_hi;	/* ip_local_port_range */
	bool mark_slow;			/* natvi's nftables table stands */
	bool policy;			/* IPsec policies or mark rules exist */
	bool one_route;			/* only the three routing rules of every box */
	bool mark_routes;		/* rules ask for marks, and the look-up takes them */
	bool any_mac;			/* frames of a capture were for other interfaces than these */
	bool tos_routes;		/* rules ask for the TOS */
};

enum native_action { NATIVE_SEND, NATIVE_KERNEL, NATIVE_DROP };

/* A copy of a frame that went out of an interface, or came in there, beside what became of the frame itself. */
struct native_copied {
	uint32_t ifindex;
	bool in;
	uint8_t *frame;
	size_t len;
};

struct native_result {
	enum native_action action;
	enum verdict verdict;		/* the one that was counted, an ICMP error sent aside */
	bool icmp;			/* SEND: an ICMP error of natvi's own */
	uint32_t out_ifindex;		/* SEND */
	bool enters;			/* SEND: it does not leave there, but comes in anew */
	bool crosses;			/* SEND: into nvi0; native_cross() says what becomes of it at the far end */
	bool resolves;			/* SEND: the kernel finds the neighbour, and then the link-layer addresses, too */
	uint32_t mark;			/* as it goes on */
	const uint8_t *frame;		/* SEND, KERNEL: as it leaves; good until the next call */
	size_t len;
	const struct native_copied *copied;	/* likewise; in their order */
	size_t n_copied;
};

/* How a frame comes in, or is about to leave. */
struct native_arrival {
	uint32_t ifindex;
	uint32_t mark;
	uint32_t origin;		/* native_host(): what the kernel forwards came in by that; 0: the box itself sends it */
	uint16_t vlan_tci;		/* host order, out of band: not in the frame */
	bool vlan_present;
	bool no_l2;			/* the frame begins at the IP header */
	bool hits_only;			/* at XDP: what is no hit there is left to tc, uncounted */
};

/* Tables of a live gateway; each is an array of the struct of its name in abi/, in its map's numbering. */
enum native_table {
	NATIVE_SETTINGS, NATIVE_PORTS, NATIVE_ZONES, NATIVE_RULES, NATIVE_POOLS, NATIVE_POOL_ADDRS, NATIVE_PORTBITS,
	NATIVE_BUCKETS, NATIVE_MAPPINGS, NATIVE_WIRES, NATIVE_WIRE_STATES, NATIVE_NEIGHBOURS, NATIVE_STATIONS, NATIVE_TABLES
};

/* A route look-up that the datapath makes. */
struct native_question {
	uint32_t in;			/* input interface */
	uint32_t mark;
	bool use_mark;			/* ask with that */
	bool first;			/* of the packet as it came in: look-up 1 */
	uint8_t tos;
	struct tuple tuple;
};

struct route;
struct fragment;
struct fragment_source;

/* All of it reads and nothing else. The functions that return bool: is there one? */
struct native_source {
	void *arg;
	bool (*entry)(void *arg, enum native_table table, uint32_t i, void *to);
	bool (*addr)(void *arg, const struct addr_key *key, struct addr_info *to);
	bool (*fragment)(void *arg, const struct tuple *key, struct fragment *to);
	bool (*fragment_source)(void *arg, const struct addr_key *key, struct fragment_source *to);
	void (*route)(void *arg, const struct native_question *question, struct route *to);	/* as env_route() */
	bool (*socket)(void *arg, uint32_t ifindex, const struct tuple *tuple);			/* as env_socket() */
	void (*rule)(void *arg, uint32_t i);	/* told: this entry of the rules was the one that matched */
};

/* What the datapath knew of its last packet in the end; struct draft and struct meta say more of each. */
struct native_seen {
	struct tuple key;
	bool parsed;			/* key holds */
	bool missed;			/* it had no flow, and came to nat(): the rest holds */
	struct tuple out;		/* translated, as far as that went */
	uint16_t rule;			/* number in the configuration; 0: none */
	uint8_t held;			/* COLD_* */
	uint8_t pool, dst_pool;		/* or POOL_NONE */
	uint8_t map_proto;		/* of the source's mapping; 0: TCP and UDP */
	uint16_t to_zone;
	struct tuple quoted;		/* ICMP error: key of the flow that it is about; proto 0: there is none */
};

/* A session by the key of either flow. */
struct native_session {
	struct flow flow;		/* the one with the key */
	struct flow peer;
	struct flow_cold cold;		/* of flow */
	struct flow_cold peer_cold;
	bool has_peer;
	bool expired;			/* past its time: a packet takes it for a miss */
};

struct native;

/* On the tables that source reads; control and usage as they are now. random: of ports. 0 or -ENOMEM. */
int native_new_live(const struct native_source *source, const struct control *control, const struct usage *usage, uint64_t random,
		    struct native **out);

/* Let go of all that was copied and changed: the next packet finds the live tables. */
void native_forget(struct native *n, const struct control *control, const struct usage *usage);

/* As native_run(), with more to say. */
struct native_result native_arrive(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len,
				   uint32_t now_s);

/* A frame that the box itself sends, at the egress of a port or of nvi0: KERNEL: it leaves there, as it is now. */
struct native_result native_leave(struct native *n, const struct native_arrival *departure, const void *frame, size_t len,
				  uint32_t now_s);

/* A frame that crosses nvi0, at its far end. */
struct native_result native_cross(struct native *n, uint32_t mark, const void *frame, size_t len, uint32_t now_s);

/*
 * Wires: a frame that comes in by a port, one that comes out of the target of a capture, one on its way out of nvi0. An outer VLAN
 * tag that is in the frame is taken out of band first, as the kernel does before tc; in what comes out all tags are in the frame.
 */
struct native_result native_wire(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len, uint32_t now_s);
struct native_result native_target(struct native *n, const struct native_arrival *arrival, const void *frame, size_t len,
				   uint32_t now_s);
struct native_result native_host(struct native *n, const struct native_arrival *departure, const void *frame, size_t len,
				 uint32_t now_s);

void native_seen(const struct native *n, struct native_seen *out);
bool native_session(struct native *n, const struct tuple *key, uint32_t now_s, struct native_session *out);
bool native_mapping(struct native *n, const struct mapping_key *key, struct mapping *out);

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
