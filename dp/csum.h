/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * csum.h - one's complement arithmetic (RFC 1624). A delta is what a change adds to the
 * sum that a checksum is the complement of. Words are taken as they lie in memory.
 */
#ifndef NATVI_DP_CSUM_H
#define NATVI_DP_CSUM_H

#include "pkt.h"

/* Delta of "TTL minus one" in the word {TTL, protocol}. */
#define CSUM_TTL_DELTA	((__u16)~__builtin_bswap16(0x0100))

DP __u16 csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

DP __u16 csum_delta32(__u32 from, __u32 to)
{
	return csum_fold((__u64)(__u32)~from + to);
}

DP __u16 csum_delta16(__u16 from, __u16 to)
{
	return csum_fold((__u64)(__u16)~from + to);
}

DP __u16 csum_delta_addr(const union addr *from, const union addr *to)
{
	__u64 sum = 0;

	for (int i = 0; i < 4; i++)
		sum += (__u64)(__u32)~from->word[i] + to->word[i];
	return csum_fold(sum);
}

DP __u16 csum_add(__u16 a, __u16 b)
{
	return csum_fold((__u64)a + b);
}

/* "No change" as 0, never as -0: the checksum of nothing but zeros, which is 0xffff, stays then (RFC 1624 section 3). */
DP __u16 csum_plain(__u16 delta)
{
	return delta == 0xffff ? 0 : delta;
}

/* A checksum field after the words that it covers have changed by two deltas. */
DP __u16 csum_apply2(__u16 check, __u16 delta, __u16 more)
{
	__u32 sum = (__u16)~check;

	sum += delta;
	sum += more;
	sum = (sum & 0xffff) + (sum >> 16);	/* three words leave at most 2 to carry */
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

DP __u16 csum_apply(__u16 check, __u16 delta)
{
	return csum_apply2(check, delta, 0);
}

#endif
