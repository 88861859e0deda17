/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * trace.h - what the files of `natvi trace` share: a packet, what the datapath asked about it, and what became of it.
 *
 * Life: one struct trace for one packet. Nothing of the gateway is changed: tables are copied (host/native.h), the
 * kernel is asked by a test run (bpf/ask.bpf.c) and by netlink.
 */
#ifndef NATVI_CLI_TRACE_H
#define NATVI_CLI_TRACE_H

#include "cli/show.h"
#include "host/native.h"
#include "lib/packet.h"

#define TRACE_LOOKUPS	8	/* of routes; a packet makes three at most */
#define TRACE_RULES	4
#define TRACE_SOCKETS	8

/* One look-up of a route. */
struct trace_lookup {
	struct native_question question;
	uint32_t result;		/* enum route_result */
	uint32_t oif, mtu;
	uint32_t gateway;		/* host byte order; 0: the destination is on the link */
	uint8_t dmac[6], smac[6];
	uint32_t table;			/* 0: not known */
	uint8_t type;			/* RTN_*; RTN_UNSPEC: not known */
	const char *neighbour;		/* state, or NULL */
	size_t n_rules;			/* rules that had matched before */
};

struct trace_socket {
	struct tuple tuple;
	bool takes;
};

struct asker;

struct trace {
	struct show show;		/* the instance */
	int fragments, fragment_sources;	/* maps; -1: not open */
	struct asker *asker;

	struct packet packet;		/* as understood */
	bool is_ip;			/* packet says what is in the frame */
	bool cut;			/* the capture holds only a part of it */
	bool box;			/* the box itself sends it */
	struct trace_lookup kernel;	/* box: the kernel's own look-up */
	struct native_arrival arrival;	/* box: where it leaves by that */
	const struct port_hooks *port;	/* NULL: the interface is none of natvi's */
	uint8_t *frame;			/* as it comes in at XDP */
	size_t len;
	uint32_t now_s;

	struct trace_lookup lookups[TRACE_LOOKUPS];
	size_t n_lookups;
	struct rule rules[TRACE_RULES];	/* entries that matched */
	bool applied[TRACE_RULES];	/* not: it was held against the packet for its hairpin, and is none for it */
	size_t n_rules;
	bool asked_rules;
	struct trace_socket sockets[TRACE_SOCKETS];
	size_t n_sockets;

	const struct wire *wire;	/* that the port or target is of, or that the box sends by; NULL: none */
	bool smac_assumed, dmac_assumed;	/* nobody said who sends it, or to whom */
	bool asks_arp;			/* the kernel has to ask for the next hop's MAC address first */
	struct native_result arp;	/* what becomes of that question; its frame is gone */
	uint8_t arp_mac[6];		/* natvi's answer to it, if it gives one */
	bool has_station;		/* what stands of the sender on the wire, or of whom it is for */
	struct station station;
	bool has_neighbour;		/* likewise of that MAC address */
	struct wire_neighbour neighbour;
	struct wire_state wire_state;
	uint32_t copied[NATIVE_MAX_COPIES];	/* interfaces that a copy leaves by */
	size_t n_copied;

	bool at_xdp;			/* it would end at XDP, if a program is there */
	struct native_result result;	/* in the end; of what has crossed nvi0, at its far end */
	bool crossed;
	enum verdict cross_verdict;	/* before it crossed */
	struct packet cross;		/* on nvi0 */
	struct native_seen view;
	struct packet out;		/* as it leaves, or the ICMP error that goes back */
	bool out_is_ip;
	bool has_session, strange;	/* a flow has its key; strange: but it is another conversation */
	struct native_session session;
	bool has_mapping, mapping_new;	/* the source's */
	struct mapping_key mapping_key;
	struct mapping mapping;
	bool has_target, target_static;	/* the destination's: a mapping led inside */
	bool has_addr;
	struct addr_info addr;		/* of the destination */
};

/* The tables of the instance and the answers of the kernel; trace is arg. */
struct native_source trace_source(struct trace *trace);

/* Asks the kernel in the caller's namespace. NULL: err says why not. */
struct asker *asker_open(char *err, size_t err_len);
void asker_close(struct asker *asker);

/* One look-up as the datapath makes it, and what else is known of the route. 0 or a negative errno. */
int asker_route(struct asker *asker, const struct native_question *question, struct trace_lookup *out);
int asker_socket(struct asker *asker, uint32_t ifindex, const struct tuple *tuple, bool *takes);

/*
 * The look-up that the kernel makes when the box itself sends p, with nothing asked of the neighbour. 0 or a negative errno. No
 * route: oif is 0, and type says why: RTN_UNREACHABLE, RTN_PROHIBIT, RTN_BLACKHOLE.
 */
int asker_own_route(struct asker *asker, const struct packet *p, struct trace_lookup *out);

/* May the box itself send from addr (host byte order)? */
bool asker_is_own(struct asker *asker, uint32_t addr);

/* Link-layer address that the kernel has for addr (host byte order) on an interface; false: none. */
bool asker_neighbour(struct asker *asker, uint32_t ifindex, uint32_t addr, uint8_t mac[6], const char **state);

/* A frame out of a capture, as trace->frame. Exit code; what is wrong has been said. */
int trace_read_pcap(struct trace *trace, const char *path, long number);

/* Of a packet that the box itself sends, which is in trace->frame from its IP header on: its way out, and the frame there. Likewise. */
int trace_box(struct trace *trace);

void trace_print(const struct trace *trace);
int trace_print_json(const struct trace *trace);	/* exit code */

/* trace_wire.c: a frame on a wire, out of a target, or of the box's own. */
enum trace_role { TRACE_PORT, TRACE_TARGET, TRACE_BOX };
enum trace_role trace_role(const struct trace *trace);
void trace_wire_find(struct trace *trace);			/* sets wire */
void trace_wire_macs(struct trace *trace);			/* link-layer addresses that were not said */
void trace_wire_run(struct trace *trace, struct native *n, const struct usage *usage);
void trace_wire_look(struct trace *trace);			/* what is known of its ends */
const char *trace_wire_by(const struct trace *trace);		/* what decided where it goes: a word; NULL: nothing had to */
void trace_wire_print(const struct trace *trace);
struct json_t *trace_wire_json(const struct trace *trace);	/* null where there is no wire */

/* A line, label first. */
void trace_say(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Words for both. */
enum trace_flow { TRACE_NO_FLOW, TRACE_MISS, TRACE_EXPIRED, TRACE_STRANGE, TRACE_HIT };
enum trace_flow trace_flow(const struct trace *trace);
const char *trace_hook(const struct trace *trace);		/* where it ends: "xdp", "tc" or "box" */
bool trace_is_second(const struct trace *trace, const struct trace_lookup *lookup);	/* look-up 2 */
bool trace_waits(const struct trace *trace);			/* the packet goes to the daemon for a while */
const struct port_hooks *trace_port(const struct trace *trace, uint32_t ifindex, uint16_t vlan);	/* or NULL */
const char *trace_unasked(const struct trace *trace);		/* why no rule was held against what the box sends; NULL: some were */

/* Does natvi see what the box sends? Else it leaves by an interface that is not natvi's, stays in the box, or goes nowhere. */
enum trace_way { TRACE_NATVI, TRACE_ELSEWHERE, TRACE_STAYS, TRACE_NOWHERE };
enum trace_way trace_way(const struct trace *trace);
bool trace_asks_neighbour(const struct trace *trace);		/* box: it leaves by a port with neighbours */
bool trace_asks_destination(const struct trace *trace);		/* natvi's addresses and mappings matter; not at a port's egress */

#endif
