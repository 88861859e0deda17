/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_queue.c - see park_queue.h.
 *
 * A datagram stays known for its time, also when nothing of it waits any more: a fragment that comes back,
 * because another CPU was not done with the one before it, has no new time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "abi/config.h"
#include "daemon/park_frame.h"
#include "daemon/park_queue.h"

/* What others send chooses the keys: the hash must not be known to them. */
static uint64_t hash_secret[2];
static unsigned int keyed_hash(const void *key, size_t len);

#define HASH_NONFATAL_OOM	1
#define HASH_FUNCTION(key, len, out)	((out) = keyed_hash((key), (len)))
#include <uthash.h>
#include <utlist.h>

#define OVERHEAD	32u	/* of an allocation, and its share of a hash table's buckets */

/* Who sent something that is here. */
struct source {
	struct addr_key key;
	uint32_t bytes;		/* of what it has here; at 0 it goes */
	uint32_t syns;
	UT_hash_handle hh;
};

struct held_key {
	struct datagram *of;
	uint64_t offset;
};

/* A fragment that waits. */
struct held {
	struct held_key key;
	uint32_t units;
	bool more;
	struct held *prev, *next;	/* of its datagram */
	UT_hash_handle hh;
	uint32_t len;
	uint8_t frame[];
};

struct datagram {
	struct park_key key;
	struct source *source;
	struct held *fragments;		/* NULL: not among those that wait */
	uint64_t until_us;
	bool refused;
	struct datagram *older, *younger;
	struct datagram *before, *behind;	/* among those that wait */
	UT_hash_handle hh;
};

struct syn {
	struct park_key key;
	struct source *source;
	uint64_t due_us;
	struct syn *older, *younger;
	UT_hash_handle hh;
	uint32_t len;
	uint8_t frame[];
};

struct park_queue {
	struct park_calls calls;
	struct source *sources;		/* hash tables */
	struct datagram *datagrams;
	struct held *held;
	struct syn *syns;
	struct datagram *oldest;	/* lists: by time */
	struct syn *oldest_syn;
	struct datagram *waiting;	/* in turn */
	uint32_t n_waiting;
	uint32_t fragment_bytes, syn_bytes;
	uint64_t ran_us;
	bool unfinished;		/* the last run had more to give back */
	struct park_counts fragments, syn_counts;
};

/* SipHash-1-3 (Aumasson and Bernstein, 2012), its upper and lower half joined. */

static void sip_round(uint64_t v[4])
{
#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))
	v[0] += v[1]; v[1] = ROTATE(v[1], 13) ^ v[0]; v[0] = ROTATE(v[0], 32);
	v[2] += v[3]; v[3] = ROTATE(v[3], 16) ^ v[2];
	v[0] += v[3]; v[3] = ROTATE(v[3], 21) ^ v[0];
	v[2] += v[1]; v[1] = ROTATE(v[1], 17) ^ v[2]; v[2] = ROTATE(v[2], 32);
#undef ROTATE
}

static unsigned int keyed_hash(const void *key, size_t len)
{
	uint64_t v[4] = { hash_secret[0] ^ 0x736f6d6570736575u, hash_secret[1] ^ 0x646f72616e646f6du,
			  hash_secret[0] ^ 0x6c7967656e657261u, hash_secret[1] ^ 0x7465646279746573u };
	uint64_t word;
	size_t at;

	for (at = 0; at <= len; at += sizeof(word)) {
		word = 0;
		memcpy(&word, (const char *)key + at, len - at < sizeof(word) ? len - at : sizeof(word));
		if (len - at < sizeof(word))
			word |= (uint64_t)len << 56;
		v[3] ^= word;
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return (unsigned int)(word ^ word >> 32);
}

/* Room */

static uint32_t held_bytes(size_t len)
{
	return (uint32_t)(sizeof(struct held) + len + OVERHEAD);
}

static uint32_t datagram_bytes(void)
{
	return sizeof(struct datagram) + sizeof(struct source) + 2 * OVERHEAD;
}

static uint32_t syn_bytes(size_t len)
{
	return (uint32_t)(sizeof(struct syn) + len + sizeof(struct source) + 2 * OVERHEAD);
}

static struct source *source_get(struct park_queue *q, const struct tuple *tuple)
{
	struct addr_key key = { .addr = tuple->src, .zone = tuple->zone };
	struct source *s;

	HASH_FIND(hh, q->sources, &key, sizeof(key), s);
	if (s)
		return s;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = key;
	HASH_ADD(hh, q->sources, key, sizeof(s->key), s);
	if (s->hh.tbl)
		return s;
	free(s);
	return NULL;
}

/* A source that has nothing here is forgotten. */
static void source_put(struct park_queue *q, struct source *s)
{
	if (!s || s->bytes)
		return;
	HASH_DELETE(hh, q->sources, s);
	free(s);
}

static bool source_takes(const struct source *s, uint32_t bytes)
{
	return s->bytes + bytes <= NATVI_PARK_SOURCE_BYTES;
}

static bool fragments_take(const struct park_queue *q, uint32_t bytes)
{
	return q->fragment_bytes + bytes <= NATVI_PARK_BYTES - PARK_SYN_BYTES;
}

/* Fragments */

static void datagram_drop(struct park_queue *q, struct datagram *d)
{
	struct source *s = d->source;

	HASH_DELETE(hh, q->datagrams, d);
	DL_DELETE2(q->oldest, d, older, younger);
	q->fragment_bytes -= datagram_bytes();
	s->bytes -= datagram_bytes();
	source_put(q, s);
	free(d);
}

static struct datagram *datagram_new(struct park_queue *q, const struct park_key *key, uint64_t now_us)
{
	struct source *s = source_get(q, &key->tuple);
	struct datagram *d = NULL;

	if (s && source_takes(s, datagram_bytes()) && fragments_take(q, datagram_bytes()))
		d = calloc(1, sizeof(*d));
	if (d) {
		d->key = *key;
		HASH_ADD(hh, q->datagrams, key, sizeof(d->key), d);
		if (!d->hh.tbl) {
			free(d);
			d = NULL;
		}
	}
	if (!d) {
		source_put(q, s);
		return NULL;
	}
	d->source = s;
	d->until_us = now_us + NATVI_PARK_MS * 1000u;
	DL_APPEND2(q->oldest, d, older, younger);
	q->fragment_bytes += datagram_bytes();
	s->bytes += datagram_bytes();
	return d;
}

static struct held *held_find(const struct park_queue *q, struct datagram *d, uint32_t offset)
{
	struct held_key key = { .of = d, .offset = offset };
	struct held *h;

	HASH_FIND(hh, q->held, &key, sizeof(key), h);
	return h;
}

static void held_drop(struct park_queue *q, struct held *h)
{
	struct datagram *d = h->key.of;

	HASH_DELETE(hh, q->held, h);
	DL_DELETE(d->fragments, h);
	if (!d->fragments) {
		DL_DELETE2(q->waiting, d, before, behind);
		q->n_waiting--;
	}
	q->fragment_bytes -= held_bytes(h->len);
	d->source->bytes -= held_bytes(h->len);
	q->fragments.held--;
	free(h);
}

/* All that waits of a datagram; counter says what became of it. */
static void held_drop_all(struct park_queue *q, struct datagram *d, uint64_t *counter)
{
	while (d->fragments) {
		held_drop(q, d->fragments);
		++*counter;
	}
}

static bool held_new(struct park_queue *q, struct datagram *d, const struct park_frame *f, const void *frame, size_t len)
{
	struct held *h = NULL;

	if (source_takes(d->source, held_bytes(len)) && fragments_take(q, held_bytes(len)))
		h = calloc(1, sizeof(*h) + len);
	if (!h)
		return false;
	h->key = (struct held_key){ .of = d, .offset = f->offset };
	HASH_ADD(hh, q->held, key, sizeof(h->key), h);
	if (!h->hh.tbl) {
		free(h);
		return false;
	}
	h->units = f->units;
	h->more = f->more;
	h->len = (uint32_t)len;
	memcpy(h->frame, frame, len);
	if (!d->fragments) {
		DL_APPEND2(q->waiting, d, before, behind);
		q->n_waiting++;
	}
	DL_APPEND(d->fragments, h);
	q->fragment_bytes += held_bytes(len);
	d->source->bytes += held_bytes(len);
	q->fragments.held++;
	return true;
}

static void put_fragment(struct park_queue *q, const struct park_frame *f, const void *frame, size_t len, uint64_t now_us)
{
	struct datagram *d;
	struct held *same;

	HASH_FIND(hh, q->datagrams, &f->key, sizeof(f->key), d);
	same = d ? held_find(q, d, f->offset) : NULL;
	if (same && same->units == f->units && same->more == f->more) {
		q->fragments.repeated++;
		return;
	}
	if (same) {
		/* One of the two is a trick (RFC 3128, RFC 5722): which one, nobody can know. */
		held_drop_all(q, d, &q->fragments.refused);
		d->refused = true;
	}
	if (!d)
		d = datagram_new(q, &f->key, now_us);
	if (d && !d->refused && held_new(q, d, f, frame, len))
		q->fragments.parked++;
	else
		q->fragments.refused++;
}

/* SYNs */

static void syn_drop(struct park_queue *q, struct syn *syn)
{
	struct source *s = syn->source;

	HASH_DELETE(hh, q->syns, syn);
	DL_DELETE2(q->oldest_syn, syn, older, younger);
	q->syn_bytes -= syn_bytes(syn->len);
	s->bytes -= syn_bytes(syn->len);
	s->syns--;
	q->syn_counts.held--;
	source_put(q, s);
	free(syn);
}

static bool syn_fits(const struct park_queue *q, const struct source *s, size_t len)
{
	return s->syns < NATVI_SYN_SOURCE && source_takes(s, syn_bytes(len)) && q->syn_bytes + syn_bytes(len) <= PARK_SYN_BYTES;
}

static bool syn_new(struct park_queue *q, const struct park_key *key, const void *frame, size_t len, uint64_t now_us)
{
	struct source *s = source_get(q, &key->tuple);
	struct syn *syn = s && syn_fits(q, s, len) ? calloc(1, sizeof(*syn) + len) : NULL;

	if (syn) {
		syn->key = *key;
		HASH_ADD(hh, q->syns, key, sizeof(syn->key), syn);
		if (!syn->hh.tbl) {
			free(syn);
			syn = NULL;
		}
	}
	if (!syn) {
		source_put(q, s);
		return false;
	}
	syn->source = s;
	syn->due_us = now_us + NATVI_SYN_HOLD_MS * 1000u;
	syn->len = (uint32_t)len;
	memcpy(syn->frame, frame, len);
	DL_APPEND2(q->oldest_syn, syn, older, younger);
	q->syn_bytes += syn_bytes(len);
	s->bytes += syn_bytes(len);
	s->syns++;
	q->syn_counts.held++;
	return true;
}

static void put_syn(struct park_queue *q, const struct park_frame *f, const void *frame, size_t len, uint64_t now_us)
{
	struct syn *syn;

	HASH_FIND(hh, q->syns, &f->key, sizeof(f->key), syn);
	if (syn)
		q->syn_counts.repeated++;
	else if (syn_new(q, &f->key, frame, len, now_us))
		q->syn_counts.parked++;
	else
		q->syn_counts.refused++;
}

void park_queue_put(struct park_queue *q, const void *frame, size_t len, uint64_t now_us)
{
	struct park_frame f;
	int ret = park_frame_parse(frame, len, &f), zone;

	if (ret == -ENOMSG)
		return;
	zone = ret ? -1 : q->calls.zone(f.key.ifindex, f.key.vlan, q->calls.arg);
	if (zone < 0) {
		(f.kind == PARK_FRAGMENT ? &q->fragments : &q->syn_counts)->refused++;
		return;
	}
	f.key.tuple.zone = (__u16)zone;
	if (f.kind == PARK_FRAGMENT)
		put_fragment(q, &f, frame, len, now_us);
	else
		put_syn(q, &f, frame, len, now_us);
}

/* Time */

static void give_back(struct park_queue *q, struct park_counts *counts, const void *frame, size_t len)
{
	if (q->calls.release(frame, len, q->calls.arg))
		counts->released++;
	else
		counts->expired++;
}

/* All of a datagram's fragments that follow each other from where it has come to. */
static void look(struct park_queue *q, struct datagram *d, unsigned int *frames)
{
	struct held *h;
	uint32_t next;

	switch (q->calls.next(&d->key.tuple, &next, q->calls.arg)) {
	case PARK_WAIT:
		return;
	case PARK_REFUSED:
		held_drop_all(q, d, &q->fragments.refused);
		d->refused = true;
		return;
	case PARK_NEXT:
		break;
	}
	while (*frames && (h = held_find(q, d, next))) {
		next += h->units;
		give_back(q, &q->fragments, h->frame, h->len);
		held_drop(q, h);
		--*frames;
	}
}

static void look_round(struct park_queue *q, unsigned int *frames)
{
	uint32_t n = q->n_waiting < PARK_RUN_LOOKS ? q->n_waiting : PARK_RUN_LOOKS;
	struct datagram *d;

	while (n-- && *frames) {
		d = q->waiting;
		look(q, d, frames);
		if (!d->fragments)
			continue;
		DL_DELETE2(q->waiting, d, before, behind);
		DL_APPEND2(q->waiting, d, before, behind);
	}
}

void park_queue_run(struct park_queue *q, uint64_t now_us)
{
	unsigned int frames = PARK_RUN_FRAMES;
	struct datagram *d;

	q->ran_us = now_us;
	while (q->oldest && q->oldest->until_us <= now_us) {
		d = q->oldest;
		held_drop_all(q, d, &q->fragments.expired);
		datagram_drop(q, d);
	}
	while (frames && q->oldest_syn && q->oldest_syn->due_us <= now_us) {
		give_back(q, &q->syn_counts, q->oldest_syn->frame, q->oldest_syn->len);
		syn_drop(q, q->oldest_syn);
		frames--;
	}
	look_round(q, &frames);
	q->unfinished = !frames;
}

uint64_t park_queue_due(const struct park_queue *q)
{
	uint64_t due = UINT64_MAX;

	if (q->waiting)
		due = q->ran_us + (q->unfinished ? 0 : PARK_TICK_US);
	if (q->oldest && q->oldest->until_us < due)
		due = q->oldest->until_us;
	if (q->oldest_syn && q->oldest_syn->due_us < due)
		due = q->oldest_syn->due_us;
	return due;
}

/* Life-cycle */

struct park_queue *park_queue_new(const struct park_calls *calls)
{
	struct park_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	if (!hash_secret[0] && getrandom(hash_secret, sizeof(hash_secret), 0) != sizeof(hash_secret)) {
		free(q);
		return NULL;
	}
	q->calls = *calls;
	return q;
}

void park_queue_free(struct park_queue *q)
{
	uint64_t gone = 0;

	if (!q)
		return;
	while (q->oldest) {
		held_drop_all(q, q->oldest, &gone);
		datagram_drop(q, q->oldest);
	}
	while (q->oldest_syn)
		syn_drop(q, q->oldest_syn);
	free(q);
}

void park_queue_report(const struct park_queue *q, struct park_report *out)
{
	out->fragments = q->fragments;
	out->syns = q->syn_counts;
	out->bytes = q->fragment_bytes + q->syn_bytes;
}
