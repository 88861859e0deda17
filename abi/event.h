/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * event.h - what the datapath tells user space as it happens (`natvi monitor`, logs),
 * per-CPU counters, and the arguments of the SYSCALL programs.
 *
 * Events are a stream that may lose: a full ring is counted (cpu.events_lost), never waited for.
 */
#ifndef NATVI_ABI_EVENT_H
#define NATVI_ABI_EVENT_H

#include "flow.h"
#include "mapping.h"
#include "verdict.h"

enum event_kind {
	EVENT_SESSION_NEW = 1,
	EVENT_SESSION_END = 2,
	EVENT_EXHAUSTED = 3,	/* at most one a second and CPU */
	EVENT_PORT_HELD = 4,	/* a socket of the box listens where a mapping leads inside; orig: from the inside end to the outside one */
	REQUEST_LIBERAL = 5,	/* in requests: conntrack is not to check the windows of this TCP connection; orig and reply are its
				   tuples, rule is its conntrack zone */
	EVENT_NEIGHBOUR_MOVED = 6,	/* on a wire (orig.zone): orig.src is the address, if one is known, mac the old and the new MAC
					   address, verdict the port (0 or 1) that it is behind now, reason enum moved */
};

/*
 * Why a session ended. X(enumerator, "name", "text"); the order is ABI, the counters are indexed by it.
 */
#define NATVI_END_REASONS(X) \
	X(IDLE,			"idle",			"no packet for longer than its time-out") \
	X(CLOSED,		"closed",		"a TCP connection that was closed or reset, after the time that such a one has left") \
	X(FLUSHED,		"flushed",		"ended by hand, or to make way for a forward") \
	X(ADDRESS_GONE,		"address-gone",		"its outside address is not the box's any more") \
	X(RULE_GONE,		"rule-gone",		"a reload took away its rule, forward or pool address (orphans: kill)") \
	X(INTERFACE_GONE,	"interface-gone",	"the interface that it masquerades by is down or gone")

enum end_reason {
#define X(e, name, text) END_##e,
	NATVI_END_REASONS(X)
#undef X
	END_COUNT
};

/* What a neighbour's move was learned from. */
enum moved { MOVED_BY_PACKET, MOVED_BY_ARP };

struct event {
	__u32 kind;		/* enum event_kind */
	__u32 time_s;
	struct tuple orig;
	struct tuple reply;	/* as the answer comes in */
	union {
		__u64 packets[2];	/* END: original, reply */
		__u8 mac[2][8];	/* NEIGHBOUR_MOVED: the first six bytes of each */
	};
	__u64 bytes[2];
	__u16 rule;
	__u16 verdict;		/* EXHAUSTED: enum verdict */
	__u32 reason;		/* END: enum end_reason */
};
NATVI_ASSERT_SIZE(struct event, 128);

/* One CPU's counters. Scratch space of the programs follows in dp/, not here. */
struct counters {
	__u64 packets[64];	/* by enum verdict */
	__u64 bytes[64];
	__u64 xdp_hits;		/* of FORWARD, ACCELERATED and WIRE_CROSSED: how many left at XDP */
	__u64 events_lost;
	__u64 icmp_suppressed;	/* own ICMP errors over the rate limit */
	__u64 ended[8];		/* sessions, by enum end_reason */
	__u64 pad;
	struct {
		__u64 packets;
		__u64 bytes;	/* of whole frames */
	} crossed[NATVI_MAX_WIRES][2];	/* by the port that they came in by */
};
NATVI_ASSERT_SIZE(struct counters, 1632);
_Static_assert(END_COUNT <= 8, "struct counters has room for 8 reasons");
_Static_assert(VERDICT_COUNT <= 64, "struct counters has room for 64 verdicts");

/* Argument of natvi_sweep: one pass over a part of the tables. */
struct sweep_args {
	__u32 first_bucket;	/* in */
	__u32 n_buckets;	/* in */
	__u32 mappings;		/* in: 0: of the flow table; 1: of the mapping table */
	__u32 live;		/* out: sessions seen alive */
	__u32 ended;		/* out: sessions ended */
	__u32 freed;		/* out: slots freed */
	__u32 mappings_live;	/* out */
	__u32 mappings_freed;	/* out */
};
NATVI_ASSERT_SIZE(struct sweep_args, 32);

#define KILL_RELEASE	0xffffffffu

/*
 * Argument of natvi_kill: end the session that this flow belongs to (either direction). reason KILL_RELEASE: it goes on,
 * but lets go of the mappings that it holds, so that no other session comes of it; one about to end anyway ends (idle).
 */
struct kill_args {
	struct tuple key;
	__s32 result;		/* out: 0, or -2 (ENOENT) */
	__u32 reason;		/* in: enum end_reason, or KILL_RELEASE */
};
NATVI_ASSERT_SIZE(struct kill_args, 48);

/* Argument of natvi_unmap: delete the mapping with this inside key if no session holds it. */
struct unmap_args {
	struct mapping_key key;
	__s32 result;		/* out: 0, -2 (ENOENT), -16 (EBUSY) */
	__u32 pad;
};
NATVI_ASSERT_SIZE(struct unmap_args, 32);

/*
 * Argument of natvi_mapping: one entry of the mapping table, for forwards. LOOK copies the
 * value out; PUT inserts a new key; SET changes all of the value but refs and since_s; CUT removes it.
 */
enum mapping_op { MAPPING_LOOK = 0, MAPPING_PUT = 1, MAPPING_SET = 2, MAPPING_CUT = 3 };

struct mapping_args {
	struct mapping value;	/* in and out */
	struct mapping_key key;
	__u32 op;
	__s32 result;		/* out: 0, -2 (ENOENT), -17 (EEXIST), -28 (ENOSPC) */
};
NATVI_ASSERT_SIZE(struct mapping_args, 72);

/*
 * Argument of natvi_adopt: leave a connection that the kernel already translates to the
 * kernel. Both keys as their packets come in.
 */
struct adopt_args {
	struct tuple orig;
	struct tuple reply;
	__u32 idle_s;		/* in: 1-65535 */
	__s32 result;		/* out: 0, -17 (EEXIST), -28 (ENOSPC) */
};
NATVI_ASSERT_SIZE(struct adopt_args, 88);

#endif
