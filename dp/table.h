/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * table.h - the flow table: find, claim, publish, bury. abi/flow.h has its layout and
 * the life of a slot.
 *
 * Concurrency: any number of CPUs find and insert at once, without locks. A slot is
 * claimed by compare-and-swap; two CPUs that insert the same key both show it as
 * PENDING, then look for each other, and the one in the higher slot withdraws, so a key
 * is never LIVE twice. Readers match LIVE tags only, and a buried slot is not reused
 * while a program may still read it.
 *
 * A handle names a slot: bucket << 3 | slot.
 */
#ifndef NATVI_DP_TABLE_H
#define NATVI_DP_TABLE_H

#include "env.h"

#define EEXIST_	17
#define ENOSPC_	28

struct spot {
	__u32 bucket[2];	/* where a key can live, the preferred one first */
	__u32 tag;		/* its LIVE tag */
	__u32 slot;		/* where it stands if that was free: found without the tags of the others */
};

DP __u64 rotate32(__u64 x)
{
	return x << 32 | x >> 32;
}

/* 64 bits over all of t; seed makes collisions unpredictable for those who choose addresses. */
DP __u64 table_hash(const struct tuple *t, __u64 seed)
{
	const __u64 *w = (const __u64 *)t;
	__u64 h;

	h = (w[0] ^ seed) * (0x9e3779b97f4a7c15ULL ^ (seed << 1));
	h += (rotate32(w[1]) ^ seed) * (0xc2b2ae3d27d4eb4fULL ^ (seed << 2));
	h += (w[2] ^ seed) * (0x165667b19e3779f9ULL ^ (seed << 3));
	h += (rotate32(w[3]) ^ seed) * (0xd6e8feb86659fd93ULL ^ (seed << 4));
	h += (w[4] ^ seed) * (0xa0761d6478bd642fULL ^ (seed << 5));
	h ^= h >> 32;
	h *= 0xe7037ed1a0b428dbULL;
	h ^= h >> 29;
	return h;
}

DP void table_spot(const struct tuple *t, const struct control *c, struct spot *s)
{
	__u64 h = table_hash(t, c->seed);
	__u64 n = c->n_buckets;

	s->bucket[0] = (h >> 32) * n >> 32;
	s->bucket[1] = (h & 0xffffffff) * n >> 32;
	s->tag = TAG_LIVE | ((h >> 17) & TAG_HASH);
	s->slot = (h & 0xffff) * NATVI_BUCKET_SLOTS >> 16;
}

/* 0 if a and b are equal. */
DP __u32 tuple_diff(const struct tuple *a, const struct tuple *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	__u64 d = (x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]);

	return (__u32)(d | d >> 32);
}

DP bool tuple_eq(const struct tuple *a, const struct tuple *b)
{
	return !tuple_diff(a, b);
}

/* 1 if x is 0, else 0, without a branch: one path to verify, whatever slot matches. */
DP __u64 is_zero(__u32 x)
{
	__u64 y = x;

	OPAQUE(y);
	return (y - 1) >> 63;
}

/* Slot of a LIVE flow with this key in b, or -1. */
DP int bucket_find(const struct bucket *b, __u32 tag, const struct tuple *key)
{
	__u64 slot = 0, hits = 0;

#pragma GCC unroll 7
	for (__u64 i = 0; i < NATVI_BUCKET_SLOTS; i++) {
		__u64 eq = is_zero(b->tag[i] ^ tag);

		slot += i & -eq;
		hits += eq;
	}
	if (!hits)
		return -1;
	if (unlikely(hits > 1)) {	/* two keys share 30 bits of hash: settle it by the keys */
		slot = 0;
		for (__u64 i = 0; i < NATVI_BUCKET_SLOTS; i++)
			slot += i & -(is_zero(b->tag[i] ^ tag) & is_zero(tuple_diff(&b->flow[i].key, key)));
	}
	if (slot >= NATVI_BUCKET_SLOTS)
		return -1;
	return tuple_eq(&b->flow[slot].key, key) ? (int)slot : -1;
}

/* The bucket and slot of the LIVE flow with this key, or NULL. The hot path: all in line. */
DP struct bucket *flow_lookup(const struct tuple *key, const struct control *c, __u32 *at)
{
	struct spot s;
	struct bucket *b;
	int slot;

	table_spot(key, c, &s);
	b = env_bucket(s.bucket[0]);
	if (!b)
		return NULL;
	/* Mostly it is here: tag and flow are then fetched at the same time, not one after the other. */
	if (likely(s.slot < NATVI_BUCKET_SLOTS && b->tag[s.slot] == s.tag && tuple_eq(&b->flow[s.slot].key, key))) {
		*at = s.slot;
		return b;
	}
	slot = bucket_find(b, s.tag, key);
	if (slot < 0) {
		b = env_bucket(s.bucket[1]);
		if (!b)
			return NULL;
		slot = bucket_find(b, s.tag, key);
		if (slot < 0)
			return NULL;
	}
	*at = slot;
	return b;
}

DP struct bucket *handle_bucket(__u64 handle, __u32 *slot)
{
	__u32 s = handle & 7;

	OPAQUE(s);	/* the verifier follows "less than 7", not "not 7" */
	if (s >= NATVI_BUCKET_SLOTS)
		return NULL;
	*slot = s;
	return env_bucket(handle >> 3);
}

/* Handle of the LIVE flow with this key, or -1. For all roads but the hot one. */
ENV_GLOBAL __s64 table_find(const struct tuple *key)
{
	const struct control *c = env_control();
	struct spot s;

	if (!key || !c)
		return -1;
	table_spot(key, c, &s);
	for (__u32 i = 0; i < 2; i++) {
		struct bucket *b = env_bucket(s.bucket[i]);
		int slot;

		if (!b)
			return -1;
		slot = bucket_find(b, s.tag, key);
		if (slot >= 0)
			return (__u64)s.bucket[i] << 3 | (__u32)slot;
	}
	return -1;
}

DP __u32 bucket_used(const struct bucket *b)
{
	__u32 n = 0;

	for (__u32 i = 0; i < NATVI_BUCKET_SLOTS; i++)
		n += b->tag[i] != TAG_FREE;
	return n;
}

/* A free slot of b made CLAIMED, wanted if it is one; or -1. */
DP int bucket_claim(struct bucket *b, __u32 wanted)
{
	if (wanted < NATVI_BUCKET_SLOTS && b->tag[wanted] == TAG_FREE &&
	    __sync_val_compare_and_swap(&b->tag[wanted], TAG_FREE, TAG_CLAIMED) == TAG_FREE)
		return wanted;
	for (__u32 i = 0; i < NATVI_BUCKET_SLOTS; i++)
		if (b->tag[i] == TAG_FREE && __sync_val_compare_and_swap(&b->tag[i], TAG_FREE, TAG_CLAIMED) == TAG_FREE)
			return i;
	return -1;
}

/*
 * Does another slot of bucket number nb show this key, so that ours (at handle) has to
 * withdraw? LIVE always wins; of two PENDING ones the lower handle does.
 */
DP bool bucket_rival(__u32 nb, __u32 live_tag, const struct tuple *key, __u64 handle)
{
	struct bucket *b = env_bucket(nb);
	__u32 hash = live_tag & TAG_HASH;

	if (!b)
		return true;
	for (__u32 i = 0; i < NATVI_BUCKET_SLOTS; i++) {
		__u32 tag = *(volatile __u32 *)&b->tag[i];
		__u64 other = (__u64)nb << 3 | i;

		if (tag < TAG_PENDING || (tag & TAG_HASH) != hash || other == handle)
			continue;
		if (!tuple_eq(&b->flow[i].key, key))
			continue;
		if ((tag & TAG_LIVE) || other < handle)
			return true;
	}
	return false;
}

/*
 * Take a slot for key; it is PENDING then: nobody else can insert the key, nobody finds it.
 * Returns its handle, -EEXIST (the key is taken) or -ENOSPC (both its buckets are full).
 */
ENV_GLOBAL __s64 table_insert(const struct tuple *key)
{
	const struct control *c = env_control();
	struct bucket *b, *b2;
	struct spot s;
	__u32 nb;
	int slot;

	if (!key || !c)
		return -ENOSPC_;
	table_spot(key, c, &s);
	b = env_bucket(s.bucket[0]);
	b2 = env_bucket(s.bucket[1]);
	if (!b || !b2)
		return -ENOSPC_;
	nb = s.bucket[0];
	if (bucket_used(b) > 3 && bucket_used(b2) < bucket_used(b)) {
		b = b2;
		nb = s.bucket[1];
	}
	slot = bucket_claim(b, s.slot);
	if (slot < 0)	/* full in between: a race; the sender tries again */
		return -ENOSPC_;
	OPAQUE(slot);
	if (slot < 0 || slot >= NATVI_BUCKET_SLOTS)
		return -ENOSPC_;
	b->flow[slot].key = *key;
	__sync_lock_test_and_set(&b->tag[slot], TAG_PENDING | (s.tag & TAG_HASH));
	asm volatile("" ::: "memory");	/* the exchange is a full barrier; this one is for the compiler */
	if (bucket_rival(s.bucket[0], s.tag, key, (__u64)nb << 3 | (__u32)slot) ||
	    bucket_rival(s.bucket[1], s.tag, key, (__u64)nb << 3 | (__u32)slot)) {
		b->tag[slot] = TAG_FREE;
		return -EEXIST_;
	}
	return (__u64)nb << 3 | (__u32)slot;
}

/* PENDING -> LIVE. */
DP void table_publish(struct bucket *b, __u32 slot)
{
	__sync_lock_test_and_set(&b->tag[slot], (b->tag[slot] & TAG_HASH) | TAG_LIVE);
}

/* PENDING -> FREE: nobody has seen it. */
DP void table_withdraw(struct bucket *b, __u32 slot)
{
	__sync_lock_test_and_set(&b->tag[slot], TAG_FREE);
}

/* LIVE -> DEAD; true for the one caller that did it. */
DP bool table_bury(struct bucket *b, __u32 slot, __u32 sweep)
{
	__u32 tag = b->tag[slot];

	return (tag & TAG_LIVE) && __sync_val_compare_and_swap(&b->tag[slot], tag, TAG_DEAD(sweep)) == tag;
}

#endif
