/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * table.h - the two tables, flows and mappings: find, claim, publish, bury. abi/flow.h has
 * the life of a slot.
 *
 * Both are arrays of 1,024-byte buckets that begin with their tags; a struct shape says how
 * they differ. A key lives in one of the two buckets that its hash names, in the slot that
 * its hash names if that was free. The second bucket is only looked at where the first one
 * says that it has spilled, so that a miss costs one page too.
 *
 * Concurrency: any number of CPUs find and insert at once, without locks. A slot is
 * claimed by compare-and-swap; two CPUs that insert the same key both show it as
 * PENDING, then look for each other, and who sees the other withdraws, so a key
 * is never LIVE twice. Readers match LIVE tags only, and a buried slot is not reused
 * while a program may still read it.
 *
 * A handle names a slot: bucket << 4 | slot.
 */
#ifndef NATVI_DP_TABLE_H
#define NATVI_DP_TABLE_H

#include "env.h"

#define ENOENT_	2
#define EBUSY_	16
#define EEXIST_	17
#define ENOSPC_	28

/* Always a constant, so that none of it is left after compilation. */
struct shape {
	bool mappings;		/* which table */
	__u32 slots;
	__u32 first;		/* offset of the first slot; a slot begins with its key */
	__u32 stride;
	__u32 quads;		/* of 8 bytes in a key */
	__u32 full;		/* used slots from which on the other bucket is looked at */
};

#define FLOWS	((struct shape){ false, NATVI_BUCKET_SLOTS, __builtin_offsetof(struct bucket, flow), \
				 sizeof(struct flow), sizeof(struct tuple) / 8, 4 })
#define MAPPINGS ((struct shape){ true, NATVI_MAPPING_SLOTS, __builtin_offsetof(struct mapping_bucket, entry), \
				  sizeof(struct map_entry), sizeof(struct mapping_key) / 8, 8 })

struct spot {
	__u32 bucket[2];	/* where a key can live, the preferred one first */
	__u32 tag;		/* its LIVE tag */
	__u32 slot;		/* where it stands if that was free: found without the tags of the others */
};

DP __u64 rotate32(__u64 x)
{
	return x << 32 | x >> 32;
}

/* 64 bits over a key; seed makes collisions unpredictable for those who choose addresses. */
DP __u64 table_hash(const struct shape sh, const void *key, __u64 seed)
{
	static const __u64 odd[5] = {
		0x9e3779b97f4a7c15ULL, 0xc2b2ae3d27d4eb4fULL, 0x165667b19e3779f9ULL, 0xd6e8feb86659fd93ULL, 0xa0761d6478bd642fULL,
	};
	const __u64 *w = key;
	__u64 h = 0;

#pragma GCC unroll 5
	for (__u32 i = 0; i < sh.quads; i++)
		h += ((i & 1 ? rotate32(w[i]) : w[i]) ^ seed) * (odd[i] ^ (seed << (i + 1)));
	h ^= h >> 32;
	h *= 0xe7037ed1a0b428dbULL;
	h ^= h >> 29;
	return h;
}

DP void table_spot(const struct shape sh, const void *key, const struct control *c, struct spot *s)
{
	__u64 h = table_hash(sh, key, c->seed);
	__u64 n = sh.mappings ? c->n_mapping_buckets : c->n_buckets;

	s->bucket[0] = (h >> 32) * n >> 32;
	s->bucket[1] = (h & 0xffffffff) * n >> 32;
	s->tag = TAG_LIVE | ((h >> 17) & TAG_HASH);
	s->slot = (h & 0xffff) * sh.slots >> 16;
}

/* 0 if a and b are equal. */
DP __u32 key_diff(const struct shape sh, const void *a, const void *b)
{
	const __u64 *x = a, *y = b;
	__u64 d = 0;

#pragma GCC unroll 5
	for (__u32 i = 0; i < sh.quads; i++)
		d |= x[i] ^ y[i];
	return (__u32)(d | d >> 32);
}

/* The bucket, which begins with its tags; NULL: there is none of that number. */
DP __u32 *table_bucket(const struct shape sh, __u32 nb)
{
	return sh.mappings ? (__u32 *)env_mapping_bucket(nb) : (__u32 *)env_bucket(nb);
}

/* Behind the tags: has the bucket sent a key to its other place? */
DP __u32 *bucket_spilled(const struct shape sh, __u32 *tag)
{
	return &tag[sh.slots];
}

DP void *bucket_key(const struct shape sh, __u32 *tag, __u64 slot)
{
	return (void *)tag + sh.first + slot * sh.stride;
}

/* 1 if x is 0, else 0, without a branch: one path to verify, whatever slot matches. */
DP __u64 is_zero(__u32 x)
{
	__u64 y = x;

	OPAQUE(y);
	return (y - 1) >> 63;
}

/* Bit i: slot i's tag is wanted in the bits of care. */
DP __u32 tags_mask(const struct shape sh, const __u32 *tag, __u32 wanted, __u32 care)
{
	__u64 mask = 0;

#pragma GCC unroll 15
	for (__u32 i = 0; i < sh.slots; i++)
		mask |= is_zero((tag[i] ^ wanted) & care) << i;
	return mask;
}

/* Number of the lowest set bit of a mask that is not 0 and below 2^16; no branches here either. */
DP __u32 first_slot(__u32 mask)
{
	__u32 n;

	mask &= -mask;
	n = (1 - is_zero(mask & 0xff00)) * 8 + (1 - is_zero(mask & 0xf0f0)) * 4 +
	    (1 - is_zero(mask & 0xcccc)) * 2 + (1 - is_zero(mask & 0xaaaa));
	OPAQUE(n);	/* else the compiler asks "not 15" where the verifier wants "less than 15" */
	return n;
}

#define SAME_TAGS	3	/* keys of one bucket that share 30 bits of hash: more will not be met */

/* Slot of a LIVE key in a bucket, or -1. */
DP int bucket_find(const struct shape sh, __u32 *tag, __u32 wanted, const void *key)
{
	__u32 mask = tags_mask(sh, tag, wanted, ~0u);

	for (int n = 0; n < SAME_TAGS && mask; n++) {
		__u32 slot = first_slot(mask);

		if (slot < sh.slots && !key_diff(sh, bucket_key(sh, tag, slot), key))
			return slot;
		mask &= mask - 1;
	}
	return -1;
}

/* Handle of a LIVE key, or -1. */
DP __s64 find(const struct shape sh, const void *key)
{
	const struct control *c = env_control();
	struct spot s;

	if (!key || !c)
		return -1;
	table_spot(sh, key, c, &s);
	for (__u32 i = 0; i < 2; i++) {
		__u32 *tag = table_bucket(sh, s.bucket[i]);
		int slot;

		if (!tag)
			return -1;
		slot = bucket_find(sh, tag, s.tag, key);
		if (slot >= 0)
			return (__u64)s.bucket[i] << 4 | (__u32)slot;
		if (!*bucket_spilled(sh, tag))
			return -1;
	}
	return -1;
}

DP __u32 bucket_used(const struct shape sh, const __u32 *tag)
{
	__u64 unused = 0;

#pragma GCC unroll 15
	for (__u32 i = 0; i < sh.slots; i++)
		unused += is_zero(tag[i]);
	return sh.slots - unused;
}

/* A free slot made CLAIMED, wanted if it is one; or -1: none, or other CPUs were faster three times. */
DP int bucket_claim(const struct shape sh, __u32 *tag, __u32 wanted)
{
	for (int n = 0; n < 3; n++) {
		__u32 mask = tags_mask(sh, tag, TAG_FREE, ~0u), slot;

		if (!mask)
			return -1;
		slot = mask >> wanted & 1 ? wanted : first_slot(mask);
		if (slot < sh.slots && __sync_val_compare_and_swap(&tag[slot], TAG_FREE, TAG_CLAIMED) == TAG_FREE)
			return slot;
	}
	return -1;
}

/*
 * Does another slot of bucket number nb show this key, so that ours (at handle) has to
 * withdraw? A PENDING one may have looked before ours was there and be on its way to LIVE: it
 * counts as much. Two that see each other both withdraw, and the sender's next packet finds one
 * or makes it.
 */
DP bool bucket_rival(const struct shape sh, __u32 nb, __u32 live_tag, const void *key, __u64 handle)
{
	__u32 *tag = table_bucket(sh, nb), mask;

	if (!tag)
		return true;
	mask = tags_mask(sh, tag, live_tag, TAG_HASH);
	for (int n = 0; n < SAME_TAGS && mask; n++) {
		__u32 slot = first_slot(mask);
		__u64 other = (__u64)nb << 4 | slot;

		if (slot >= sh.slots)
			return true;
		mask &= mask - 1;
		if (other == handle || tag[slot] < TAG_PENDING || key_diff(sh, bucket_key(sh, tag, slot), key))
			continue;
		return true;
	}
	return false;
}

/*
 * Take a slot for key; it is PENDING then: nobody else can insert the key, nobody finds it.
 * Returns its handle, -EEXIST (the key is taken) or -ENOSPC (both its buckets are full).
 */
DP __s64 claim(const struct shape sh, const void *key)
{
	const struct control *c = env_control();
	__u32 *tag, *tag2, *first, nb, used;
	struct spot s;
	__u64 handle;
	int slot;

	if (!key || !c)
		return -ENOSPC_;
	table_spot(sh, key, c, &s);
	tag = table_bucket(sh, s.bucket[0]);
	tag2 = table_bucket(sh, s.bucket[1]);
	if (!tag || !tag2)
		return -ENOSPC_;
	first = tag;
	nb = s.bucket[0];
	used = bucket_used(sh, tag);
	if (used >= sh.full && bucket_used(sh, tag2) < used) {
		*(volatile __u32 *)bucket_spilled(sh, first) = 1;	/* before the key shows there */
		tag = tag2;
		nb = s.bucket[1];
	}
	slot = bucket_claim(sh, tag, s.slot);
	if (slot < 0 || slot >= (int)sh.slots)
		return -ENOSPC_;
	__builtin_memcpy(bucket_key(sh, tag, slot), key, sh.quads * 8);
	__sync_lock_test_and_set(&tag[slot], TAG_PENDING | (s.tag & TAG_HASH));
	asm volatile("" ::: "memory");	/* the exchange is a full barrier; this one is for the compiler */
	handle = (__u64)nb << 4 | (__u32)slot;
	if (bucket_rival(sh, s.bucket[0], s.tag, key, handle) ||
	    (*(volatile __u32 *)bucket_spilled(sh, first) && bucket_rival(sh, s.bucket[1], s.tag, key, handle))) {
		tag[slot] = TAG_FREE;
		return -EEXIST_;
	}
	return handle;
}

/* PENDING -> LIVE. */
DP void tag_publish(__u32 *tag)
{
	__sync_lock_test_and_set(tag, (*tag & TAG_HASH) | TAG_LIVE);
}

/* PENDING -> FREE: nobody has seen it. */
DP void tag_withdraw(__u32 *tag)
{
	__sync_lock_test_and_set(tag, TAG_FREE);
}

/* LIVE -> DEAD; true for the one caller that did it. */
DP bool tag_bury(__u32 *at, __u32 sweep)
{
	__u32 tag = *at;

	return (tag & TAG_LIVE) && __sync_val_compare_and_swap(at, tag, TAG_DEAD(sweep)) == tag;
}

/* DEAD -> FREE, if it was buried two passes ago. */
DP bool tag_free(__u32 *at, __u32 sweep)
{
	__u32 tag = *at;

	return tag == TAG_DEAD(sweep + 1) && __sync_val_compare_and_swap(at, tag, TAG_FREE) == tag;
}

/* Slot part of a handle, or slots: no such one. */
DP __u32 handle_slot(const struct shape sh, __u64 handle)
{
	__u32 s = handle & 15;

	OPAQUE(s);	/* the verifier follows "less than", not "not equal" */
	return s < sh.slots ? s : sh.slots;
}

/* Flows */

/* The bucket and slot of the LIVE flow with this key, or NULL. The hot path: all in line. */
DP struct bucket *flow_lookup(const struct tuple *key, const struct control *c, __u32 *at)
{
	struct spot s;
	struct bucket *b;
	int slot;

	table_spot(FLOWS, key, c, &s);
	b = env_bucket(s.bucket[0]);
	if (!b)
		return NULL;
	/* Mostly it is here: tag and flow are then fetched at the same time, not one after the other. */
	if (likely(s.slot < NATVI_BUCKET_SLOTS && b->tag[s.slot] == s.tag && !key_diff(FLOWS, &b->flow[s.slot].key, key))) {
		*at = s.slot;
		return b;
	}
	slot = bucket_find(FLOWS, b->tag, s.tag, key);
	if (slot < 0) {
		b = b->spilled ? env_bucket(s.bucket[1]) : NULL;
		if (!b)
			return NULL;
		slot = bucket_find(FLOWS, b->tag, s.tag, key);
		if (slot < 0)
			return NULL;
	}
	*at = slot;
	return b;
}

/*
 * Slot number s of a bucket. The bound is said again right before the address, in 64 bits, and the address is made at once:
 * older verifiers lose the bound of a number on the way through the stack, not that of an address. A slot that is none becomes
 * the first one.
 */
DP __u64 slot_within(__u32 s, __u64 slots)
{
	__u64 slot = s;

	OPAQUE(slot);
	slot = slot < slots ? slot : 0;
	OPAQUE(slot);	/* from here on the compiler has this one, not the one before the comparison */
	return slot;
}

DP __u64 bucket_slot(__u32 s)
{
	return slot_within(s, NATVI_BUCKET_SLOTS);
}

DP struct flow *bucket_flow(struct bucket *b, __u32 s)
{
	struct flow *at = &b->flow[bucket_slot(s)];

	OPAQUE(at);
	return at;
}

DP struct flow_cold *bucket_cold(struct bucket *b, __u32 s)
{
	struct flow_cold *at = &b->cold[bucket_slot(s)];

	OPAQUE(at);
	return at;
}

DP __u8 *bucket_tos(struct bucket *b, __u32 s)
{
	__u8 *at = &b->tos[bucket_slot(s)];

	OPAQUE(at);
	return at;
}

DP __u32 *bucket_tag(struct bucket *b, __u32 s)
{
	__u32 *at = &b->tag[bucket_slot(s)];

	OPAQUE(at);
	return at;
}

DP struct bucket *handle_bucket(__u64 handle, __u32 *slot)
{
	__u32 s = handle_slot(FLOWS, handle);

	if (s >= NATVI_BUCKET_SLOTS)
		return NULL;
	*slot = s;
	return env_bucket(handle >> 4);
}

/*
 * Have the lines that key is about to be written to fetched side by side; one after the other they are most of what a new
 * session costs. A guess: nothing depends on it.
 */
DP int prefetch(const struct shape sh, const void *key)
{
	const struct control *c = env_control();
	struct spot s;
	__u32 *tag;
	void *at;

	if (!key || !c)
		return 0;
	table_spot(sh, key, c, &s);
	tag = table_bucket(sh, s.bucket[0]);
	if (!tag)
		return 0;
	at = bucket_key(sh, tag, slot_within(s.slot, sh.slots));
	OPAQUE(at);
	PREFETCH(tag);
	PREFETCH(at);
	if (sh.stride > 64) {
		PREFETCH(at + 64);
		PREFETCH((void *)tag + 64);	/* cold */
	}
	return 0;
}

/* Handle of the LIVE flow with this key, or -1. For all roads but the hot one. */
ENV_GLOBAL __s64 table_find(const struct tuple *key)
{
	return find(FLOWS, key);
}

/* The flow with this key, and its handle; or NULL. */
DP struct flow *flow_of(const struct tuple *key, __u64 *handle)
{
	__s64 found = table_find(key);
	struct bucket *b;
	__u32 slot = 0;

	if (found < 0)
		return NULL;
	*handle = found;
	b = handle_bucket(found, &slot);
	return b ? bucket_flow(b, slot) : NULL;
}

ENV_GLOBAL int table_prefetch(const struct tuple *key)
{
	return prefetch(FLOWS, key);
}

/* As claim(). */
ENV_GLOBAL __s64 table_insert(const struct tuple *key)
{
	return claim(FLOWS, key);
}

#endif
