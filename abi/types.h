/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * types.h - addresses and tuples, the words of everything else in abi/.
 *
 * Addresses are 128 bits everywhere; IPv4 is ::ffff:a.b.c.d. Ports and addresses
 * are in network byte order, everything else is in host byte order unless its
 * type says __be.
 */
#ifndef NATVI_ABI_TYPES_H
#define NATVI_ABI_TYPES_H

#include <linux/types.h>

#define NATVI_ASSERT_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " must have " #bytes " bytes")

union addr {
	__u8 byte[16];
	__be32 word[4];
	__u64 quad[2];
};
NATVI_ASSERT_SIZE(union addr, 16);

/*
 * One direction of a conversation as it is seen on the wire before translation.
 * For ICMP echo both ports hold the identifier; for protocols without ports both are 0.
 */
struct tuple {
	union addr src;
	union addr dst;
	__be16 sport;
	__be16 dport;
	__u16 zone;
	__u8 proto;		/* IPPROTO_* */
	__u8 pad;		/* 0 */
};
NATVI_ASSERT_SIZE(struct tuple, 40);

#endif
