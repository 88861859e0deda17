/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * mapping.h - mappings (RFC 4787 section 2; BIB entries of RFC 6146).
 *
 * A mapping ties an inside {address, port, protocol, zone} to an outside {address,
 * port}. It stands twice in one table: under its inside key, where its state is, and
 * under its outside key, which leads back to the inside. Sessions hold it (refs).
 *
 * Life: made with its first session; refs > 0 while sessions live; at 0 it rests for
 * settings.rest_s, in which only its own inside host can take it up again; then the
 * sweep sets refs from 0 to MAPPING_DEAD, deletes both entries and clears the port's bit.
 * Static mappings (forwards) belong to the configuration and never rest.
 *
 * A mapping of a POOL_SHARED pool is for TCP and UDP together: its keys carry proto 0.
 *
 * A HOST entry ties an inside host to the one pool address that all its mappings have (RFC 6888
 * req. 2). Mappings hold it; it goes with the last of them. Pools of one address need none.
 *
 * A permit is {outside address slot, port, remote address} for address-dependent
 * filtering: while it stands, that remote may send to the mapping from any port.
 */
#ifndef NATVI_ABI_MAPPING_H
#define NATVI_ABI_MAPPING_H

#include "limits.h"
#include "types.h"

enum mapping_kind { MAPPING_INSIDE = 1, MAPPING_OUTSIDE = 2, MAPPING_PERMIT = 3, MAPPING_HOST = 4 };

struct mapping_key {
	union addr addr;	/* inside, outside, or the permit's remote address */
	__be16 port;		/* inside or outside port; ICMP id; 0 where there are no ports, and in a HOST key */
	__u16 zone;		/* INSIDE, HOST: of the host; PERMIT: low 16 bits of the slot; OUTSIDE: addr_info.zone */
	__u8 proto;		/* IPPROTO_*; 0: TCP and UDP together, and in a HOST key */
	__u8 kind;		/* enum mapping_kind */
	__u16 pool;		/* INSIDE, HOST: its pool (a host has a mapping in each pool it uses); PERMIT: high 16 bits of the slot; OUTSIDE: 0 */
};
NATVI_ASSERT_SIZE(struct mapping_key, 24);

#define MAPPING_STATIC	0x01	/* a forward: made and removed with the configuration */
#define MAPPING_PAIRED	0x02	/* INSIDE: holds its host's HOST entry */
#define MAPPING_BOX	0x04	/* the box's own use of a port that NAT might have given away: inside and outside are the same */

#define SLOT_NONE	0xffffffffu
#define POOL_NONE	0xffu

#define MAPPING_DEAD	0x80000000u	/* refs: the sweep has decided to delete it */

/* INSIDE: addr and port are the outside ones; OUTSIDE: the inside ones; HOST: addr and slot of the pool address. */
struct mapping {
	union addr addr;
	__be16 port;
	__u16 zone;		/* OUTSIDE: zone of the inside host; INSIDE: in the key of the other entry */
	__u32 refs;		/* INSIDE, PERMIT: sessions that hold it; HOST: mappings */
	__u32 since_s;		/* INSIDE: made, or refs fell to 0, coarse seconds */
	__u32 slot;		/* address slot of the outside address: its port bitmaps; SLOT_NONE: none */
	__u8 pool;		/* index of its pool when it was made; POOL_NONE: a forward outside all pools */
	__u8 flags;		/* MAPPING_* */
	__u8 filtering;		/* enum filtering */
	__u8 filtering_tcp;	/* enum filtering of TCP, where the mapping serves UDP too */
	__u8 pad[4];
};
NATVI_ASSERT_SIZE(struct mapping, 40);

/* One entry of the table. A mapping is two: INSIDE and OUTSIDE. */
struct map_entry {
	struct mapping_key key;
	struct mapping value;
};
NATVI_ASSERT_SIZE(struct map_entry, 64);

/*
 * The table is an array of these, kept as the flow table is: abi/flow.h has the tags and the
 * life of a slot.
 */
struct mapping_bucket {
	__u32 tag[NATVI_MAPPING_SLOTS];
	__u32 spilled;		/* as in struct bucket */
	struct map_entry entry[NATVI_MAPPING_SLOTS];
};
NATVI_ASSERT_SIZE(struct mapping_bucket, NATVI_BUCKET_BYTES);

/* Entries for so many mappings: two each, permits and hosts; ports of forwards have two, too. */
static inline __u32 natvi_mapping_entries_for(__u32 mappings, __u32 statics)
{
	return 2 * mappings + mappings / 2 + 2 * statics;
}

/* Buckets for a number of entries: at most four fifths of the slots are used. */
static inline __u32 natvi_mapping_buckets_for(__u32 entries)
{
	return (__u32)(((__u64)entries * 5 / 4 + NATVI_MAPPING_SLOTS - 1) / NATVI_MAPPING_SLOTS) + 2;
}

#endif
