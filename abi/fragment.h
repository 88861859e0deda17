/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fragment.h - IP fragments on their way, and what waits with the daemon.
 *
 * Fragments are tracked, not reassembled. The first one of a datagram carries the ports: it
 * takes the way of every packet and leaves an entry for the others, which follow it in
 * order, each beginning where the last one ended. What overlaps is refused. What comes too early is
 * parked by the daemon until its predecessor has been, NATVI_PARK_MS at most.
 *
 * Key: source, destination, protocol and zone as the datagram comes in, its IP identification
 * in place of the source port. An entry goes when its datagram is complete; one
 * that never is counts for nothing after NATVI_FRAGMENT_LIVE_S and is the first to be overwritten.
 *
 * The park is a tap device of the daemon. The datapath sends a frame there as it came in but for
 * its destination MAC, which says what it is and where it came in (struct park_mac). To try it again the daemon
 * writes it back unchanged; natvi_tc_parked at the tap's ingress then has it come in anew at its port.
 * Nothing is parked while control.park_ifindex is 0 or the heartbeat older than NATVI_HEARTBEAT_S.
 *
 * Concurrency: next moves by compare-and-swap.
 */
#ifndef NATVI_ABI_FRAGMENT_H
#define NATVI_ABI_FRAGMENT_H

#include "limits.h"
#include "types.h"

#define FRAGMENT_KERNEL		0x01	/* the first one was left to the kernel untranslated: so are the others */
#define FRAGMENT_REFUSED	0x02	/* something overlapped: the rest is dropped */
#define FRAGMENT_SLOW		0x04	/* the first one took the slow road: the others follow it */

struct fragment {
	__be16 sport;		/* of the datagram's flow */
	__be16 dport;
	__be16 id;		/* IP identification that goes out */
	__u16 pad;
	__u32 next;		/* units of 8 bytes: where the next fragment has to begin */
	__u32 since_s;		/* coarse monotonic seconds */
	__u8 flags;		/* FRAGMENT_* */
	__u8 verdict;		/* KERNEL, SLOW: enum verdict of the first fragment */
	__u8 pad2[2];
};
NATVI_ASSERT_SIZE(struct fragment, 20);

/* What a source has asked for in this second. */
struct fragment_source {
	__u32 second;
	__u32 unfinished;	/* datagrams begun, less those completed */
	__u32 parked;
	__u32 pad;
};
NATVI_ASSERT_SIZE(struct fragment_source, 16);

/* Counters of IP identifications, by a hash of {source, destination, protocol}. */
struct ids {
	__u32 next[NATVI_IDS];
};
NATVI_ASSERT_SIZE(struct ids, 4 * NATVI_IDS);

enum park_kind {
	PARK_FRAGMENT = 1,	/* to be tried again when the fragment before it has been */
	PARK_SYN = 2,		/* unsolicited; written back when NATVI_SYN_HOLD_MS are over, to be answered or forgotten */
};

#define PARK_MAC_LOCAL	0x02	/* locally administered, one host */

struct park_mac {
	__u8 local;		/* PARK_MAC_LOCAL */
	__u8 kind;		/* enum park_kind */
	__u8 ifindex[4];	/* most significant byte first */
};
NATVI_ASSERT_SIZE(struct park_mac, 6);

#endif
