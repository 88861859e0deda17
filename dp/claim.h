/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * claim.h - ports of an outside address, claimed in bitmaps.
 *
 * A set bit is taken (by a mapping, a forward) or reserved (the daemon sets the bits of
 * ports that the configuration or the box itself withholds). One atomic fetch-or is the
 * claim. The summary (bit set: word full) lets a search skip what is full, so it costs the
 * same at any load; it is a hint that both sides correct, never the truth.
 *
 * RFC 4787 req. 3a: ports below 1024 stay below, the others above, while there are any;
 * req. 4: parity is kept while the words that are looked at allow it. RFC 6056: the
 * search starts at a random word and takes a random bit of it.
 */
#ifndef NATVI_DP_CLAIM_H
#define NATVI_DP_CLAIM_H

#include "env.h"

#define LOW_WORDS	16u			/* ports 0-1023 */
#define EVEN_PORTS	0x5555555555555555ULL

/* Number of the lowest set bit; x is not 0. */
DP __u32 lowest_bit(__u64 x)
{
	static const __u8 place[64] = {
		0,  1,  2,  53, 3,  7,  54, 27, 4,  38, 41, 8,	34, 55, 48, 28, 62, 5,	39, 46, 44, 42,
		22, 9,	24, 35, 59, 56, 49, 18, 29, 11, 63, 52, 6,  26, 37, 40, 33, 47, 61, 45, 43, 21,
		23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
	};

	return place[((x & -x) * 0x022fdd63cc95386dULL) >> 58];
}

DP int portbits_proto(__u8 proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return PORTBITS_TCP;
	case IPPROTO_UDP:
		return PORTBITS_UDP;
	case IPPROTO_ICMP:
		return PORTBITS_ICMP;
	default:
		return -1;
	}
}

/* Set bit number port; true if it was clear, so that the caller has it now. */
DP bool port_take(struct portbits *b, __u32 port)
{
	__u32 w = port >> 6;
	__u64 bit = 1ULL << (port & 63), old;

	OPAQUE(w);
	w &= NATVI_PORT_WORDS - 1;
	old = __sync_fetch_and_or(&b->word[w], bit);
	if (old & bit)
		return false;
	if ((old | bit) == ~0ULL) {
		__u64 mark = 1ULL << (w & 63);

		__sync_fetch_and_or(&b->summary[w >> 6], mark);
		if (*(volatile __u64 *)&b->word[w] != ~0ULL)	/* freed in between */
			__sync_fetch_and_and(&b->summary[w >> 6], ~mark);
	}
	return true;
}

DP void port_free(struct portbits *b, __u32 port)
{
	__u32 w = port >> 6;

	OPAQUE(w);
	w &= NATVI_PORT_WORDS - 1;
	__sync_fetch_and_and(&b->word[w], ~(1ULL << (port & 63)));
	__sync_fetch_and_and(&b->summary[w >> 6], ~(1ULL << (w & 63)));
}

/*
 * The first word at or after w, going round within [lo, NATVI_PORT_WORDS) or below lo,
 * that the summary does not call full; -1 if there is none. Classes are whole words.
 */
ENV_GLOBAL int word_search(const struct portbits *b, __u32 w, __u32 lo, __u32 hi)
{
	__u64 mask = ~0ULL << (w & 63);

	if (!b || lo > NATVI_PORT_WORDS || hi > NATVI_PORT_WORDS)
		return -1;
	for (__u32 i = 0; i < NATVI_PORT_SUMMARY + 1; i++) {
		__u32 s = (w >> 6) + i, first;
		__u64 open;

		OPAQUE(s);
		s &= NATVI_PORT_SUMMARY - 1;
		first = s << 6;
		open = ~b->summary[s] & mask;
		mask = ~0ULL;
		/* words of the other class do not count */
		if (first < lo && lo - first < 64)
			open &= ~0ULL << (lo - first);
		if (hi > first && hi - first < 64)
			open &= ~(~0ULL << (hi - first));
		if (open && first < hi)
			return first + lowest_bit(open);
	}
	return -1;
}

/* A random clear bit of word w among those in mask, taken; the port, or -1. */
DP int word_take(struct portbits *b, __u32 w, __u64 mask, __u32 random)
{
	__u64 open, upper;
	__u32 port;

	OPAQUE(w);
	open = ~b->word[w & (NATVI_PORT_WORDS - 1)] & mask;
	upper = open & (~0ULL << (random & 63));
	if (!open)
		return -1;
	port = (w << 6) + lowest_bit(upper ? upper : open);
	return port_take(b, port) ? (int)port : -1;
}

/*
 * A random word in [lo, hi), mostly one that is not full: a search from inside a range that is
 * withheld would always end behind it, at the same few ports (RFC 6056 section 3.1).
 */
DP __u32 word_random(struct portbits *b, __u32 lo, __u32 hi, __u32 random)
{
	__u32 w = lo;

	for (__u32 i = 0; i < 4; i++) {
		__u32 s;

		w = lo + (random >> 8) % (hi - lo);
		s = w >> 6;
		OPAQUE(s);
		if (!(b->summary[s & (NATVI_PORT_SUMMARY - 1)] & (1ULL << (w & 63))))
			break;
		random = env_random();
	}
	return w;
}

/*
 * A port in [lo, hi) words, of want's parity where that is to be had.
 * Bounded: NATVI_CLAIM_TRIES words, the last quarter of them without regard to parity.
 */
DP int class_claim(struct portbits *b, __u32 lo, __u32 hi, __u32 want, __u32 random)
{
	__u64 parity = want & 1 ? ~EVEN_PORTS : EVEN_PORTS;
	__u32 w = word_random(b, lo, hi, random);

	for (__u32 i = 0; i < NATVI_CLAIM_TRIES; i++) {
		int found = word_search(b, w, lo, hi);
		int port;

		if (found < 0)
			return -1;
		w = (__u32)found & (NATVI_PORT_WORDS - 1);
		port = word_take(b, w, i < NATVI_CLAIM_TRIES * 3 / 4 ? parity : ~0ULL, random);
		if (port >= 0)
			return port;
		if (i != NATVI_CLAIM_TRIES * 3 / 4 - 1)	/* then take what this very word has */
			w = w + 1 < hi ? w + 1 : lo;
	}
	return -1;
}

/*
 * Claim a port (or ICMP id) of address slot, host order: want itself if it is free, else one
 * of its class and parity, else any. Returns it, or -1: none.
 */
ENV_GLOBAL int port_claim(__u32 slot, __u32 proto_bits, __u32 want, __u32 preserve)
{
	struct portbits *b = env_portbits(slot * PORTBITS_PROTOS + proto_bits);
	__u32 random = env_random();
	int port;

	if (!b || proto_bits >= PORTBITS_PROTOS || want > 0xffff)
		return -1;
	if (preserve && port_take(b, want))
		return want;
	if (proto_bits != PORTBITS_ICMP && want < 1024) {
		port = class_claim(b, 0, LOW_WORDS, want, random);
		if (port >= 0)
			return port;
	}
	return class_claim(b, LOW_WORDS, NATVI_PORT_WORDS, want, random);
}

/* The first clear bit at or after port start among those of mask, going round within [lo, hi) words; or -1. */
DP int class_next(struct portbits *b, __u32 lo, __u32 hi, __u64 mask, __u32 start)
{
	__u32 first = start >> 6, w = first;

	for (__u32 i = 0; i < NATVI_CLAIM_TRIES; i++) {
		int found = word_search(b, w, lo, hi);
		__u64 open;

		if (found < 0)
			return -1;
		w = (__u32)found & (NATVI_PORT_WORDS - 1);
		open = ~b->word[w] & mask;
		if (i == 0 && w == first)
			open &= ~0ULL << (start & 63);
		if (open)
			return (w << 6) + lowest_bit(open);
		w = w + 1 < hi ? w + 1 : lo;
	}
	return -1;
}

#define PORT_ANYWHERE	0x10000u
#define PORT_RANDOM	0x10001u

/*
 * A port that may be shared between remotes: neither reserved nor a forward's, and not claimed here.
 * after: the last one that did not do, so that tries in turn see different ones; PORT_ANYWHERE: want
 * itself, or a random one; PORT_RANDOM: a random one. Returns it, host order, or -1: none.
 */
ENV_GLOBAL int port_pick(__u32 slot, __u32 proto_bits, __u32 want, __u32 after, __u32 any_parity)
{
	struct portbits *b = env_portbits(slot * PORTBITS_PROTOS + proto_bits);
	__u64 mask = any_parity ? ~0ULL : want & 1 ? ~EVEN_PORTS : EVEN_PORTS;
	__u32 random = env_random(), start = after + 1;
	int port = -1;

	if (!b || proto_bits >= PORTBITS_PROTOS || want > 0xffff)
		return -1;
	if (after == PORT_ANYWHERE && !(b->word[(want >> 6) & (NATVI_PORT_WORDS - 1)] & (1ULL << (want & 63))))
		return want;
	if (proto_bits != PORTBITS_ICMP && want < 1024) {
		if (after >= PORT_ANYWHERE || start >= LOW_WORDS * 64)
			start = word_random(b, 0, LOW_WORDS, random) * 64 + (random & 63);
		port = class_next(b, 0, LOW_WORDS, mask, start);
		start = after + 1;
	}
	if (port >= 0)
		return port;
	if (after >= PORT_ANYWHERE || start < LOW_WORDS * 64 || start > 0xffff)
		start = word_random(b, LOW_WORDS, NATVI_PORT_WORDS, random) * 64 + (random & 63);
	return class_next(b, LOW_WORDS, NATVI_PORT_WORDS, mask, start);
}

#endif
