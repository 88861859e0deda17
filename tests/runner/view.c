/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * view.c - the tables as JSON, and what must hold of them between any two packets.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/verdict.h"
#include "tests/runner/runner.h"

int view_add(struct view *view, const struct mapping_key *key, const struct mapping *value)
{
	if (view->n_entries == view->room) {
		struct entry *more;

		view->room = view->room ? 2 * view->room : 64;
		more = realloc(view->entries, view->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		view->entries = more;
	}
	view->entries[view->n_entries].key = *key;
	view->entries[view->n_entries++].value = *value;
	return 0;
}

/* JSON */

static json_t *place(const union addr *addr, __be16 port)
{
	char text[ADDR_TEXT_LEN];

	return json_sprintf("%s:%u", addr_print(addr, text), ntohs(port));
}

static json_t *flow_json(const struct flow *f, const struct flow_cold *cold)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:b, s:i, s:i, s:I, s:I, s:i}",
			 "src", place(&f->key.src, f->key.sport), "dst", place(&f->key.dst, f->key.dport),
			 "new_src", place(&f->new_src, f->new_sport), "new_dst", place(&f->new_dst, f->new_dport),
			 "proto", f->key.proto, "orig", !!(f->flags & FLOW_ORIG), "idle_s", f->idle_s, "seen", f->tcp_seen,
			 "packets", (json_int_t)f->packets, "bytes", (json_int_t)f->bytes, "rule", cold->rule);
}

static json_t *entry_json(const struct entry *e)
{
	static const char *const kinds[] = { "", "inside", "outside", "permit", "host" };

	return json_pack("{s:s, s:o, s:o, s:i, s:I, s:b}", "kind", e->key.kind <= MAPPING_HOST ? kinds[e->key.kind] : "?",
			 "key", place(&e->key.addr, e->key.port), "to", place(&e->value.addr, e->value.port),
			 "proto", e->key.proto, "refs", (json_int_t)e->value.refs, "static", !!(e->value.flags & MAPPING_STATIC));
}

json_t *view_json(const struct view *view)
{
	json_t *flows = json_array(), *mappings = json_array(), *counters = json_object();

	for (uint32_t n = 0; n < view->control->n_buckets; n++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS; slot++) {
			const struct bucket *b = &view->buckets[n];

			if (b->tag[slot] & TAG_LIVE)
				json_array_append_new(flows, flow_json(&b->flow[slot], &b->cold[slot]));
		}
	for (size_t i = 0; i < view->n_entries; i++)
		json_array_append_new(mappings, entry_json(&view->entries[i]));
	for (unsigned int v = 0; v < VERDICT_COUNT; v++)
		if (view->counters.packets[v])
			json_object_set_new(counters, verdict_name(v), json_integer((json_int_t)view->counters.packets[v]));
	return json_pack("{s:i, s:i, s:o, s:o, s:o, s:I, s:I, s:[[I, I], [I, I]]}", "sessions", view->usage->sessions, "mappings", view->usage->mappings,
			 "flows", flows, "table", mappings, "counters", counters,
			 "icmp_suppressed", (json_int_t)view->counters.icmp_suppressed,
			 "xdp_hits", (json_int_t)view->counters.xdp_hits,
			 "crossed", (json_int_t)view->counters.crossed[0][0].packets, (json_int_t)view->counters.crossed[0][0].bytes,
			 (json_int_t)view->counters.crossed[0][1].packets, (json_int_t)view->counters.crossed[0][1].bytes);
}

/* What must hold */

static char sentence[256];

static const char *say(const char *what, const struct flow *f)
{
	char src[ADDR_TEXT_LEN], dst[ADDR_TEXT_LEN];

	snprintf(sentence, sizeof(sentence), "%s: %s:%u > %s:%u proto %u", what, addr_print(&f->key.src, src), ntohs(f->key.sport),
		 addr_print(&f->key.dst, dst), ntohs(f->key.dport), f->key.proto);
	return sentence;
}

static const char *say_entry(const char *what, const struct entry *e)
{
	char text[ADDR_TEXT_LEN];

	snprintf(sentence, sizeof(sentence), "%s: kind %u %s:%u proto %u refs %u", what, e->key.kind, addr_print(&e->key.addr, text),
		 ntohs(e->key.port), e->key.proto, e->value.refs);
	return sentence;
}

static bool same_tuple(const struct tuple *a, const struct tuple *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* LIVE flows with this key. */
static unsigned int count_key(const struct view *view, const struct tuple *key, const struct flow **found)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < view->control->n_buckets; i++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS; slot++)
			if ((view->buckets[i].tag[slot] & TAG_LIVE) && same_tuple(&view->buckets[i].flow[slot].key, key)) {
				*found = &view->buckets[i].flow[slot];
				n++;
			}
	return n;
}

static struct entry *find_entry(const struct view *view, const struct mapping_key *key)
{
	for (size_t i = 0; i < view->n_entries; i++)
		if (!memcmp(&view->entries[i].key, key, sizeof(*key)))
			return &view->entries[i];
	return NULL;
}

static const char *check_flow(const struct view *view, const struct flow *f, const struct flow_cold *cold)
{
	struct tuple peer_key = {
		.src = f->new_dst, .dst = f->new_src, .sport = f->new_dport, .dport = f->new_sport,
		.proto = f->key.proto, .zone = cold->peer_zone,
	};
	const struct flow *peer = NULL, *self = NULL;

	if (count_key(view, &f->key, &self) != 1)
		return say("a key is LIVE twice", f);
	if (count_key(view, &peer_key, &peer) != 1)
		return say("a LIVE flow has no LIVE peer", f);
	if (peer != f && !((peer->flags ^ f->flags) & FLOW_ORIG))	/* a socket with its own outside face is its own peer */
		return say("both flows of a session are of one direction", f);
	return NULL;
}

/* Take what the session of this original flow holds off the entries' refs, which are a copy. */
static const char *unhold(const struct view *view, const struct flow *f, const struct flow_cold *cold)
{
	struct mapping_key key = { .kind = MAPPING_INSIDE };
	struct entry *e = NULL;

	if (cold->flags & COLD_SRC_MAPPED) {
		key.proto = cold->flags & COLD_SRC_SHARED ? 0 : f->key.proto;
		key.addr = f->key.src;
		key.port = f->key.sport;
		key.zone = f->key.zone;
		key.pool = cold->pool;
		e = find_entry(view, &key);
		if (!e || e->value.refs-- == 0)
			return say("a session's source mapping is not there or not held", f);
	}
	if (e && (cold->flags & COLD_PERMIT)) {
		struct mapping_key permit = {
			.addr = f->new_dst, .port = f->new_sport, .proto = key.proto, .kind = MAPPING_PERMIT,
			.zone = (__u16)e->value.slot, .pool = (__u16)(e->value.slot >> 16),
		};

		e = find_entry(view, &permit);
		if (!e || e->value.refs-- == 0)
			return say("a session's permit is not there or not held", f);
	}
	if (cold->flags & COLD_DST_MAPPED) {
		key.proto = cold->flags & COLD_DST_SHARED ? 0 : f->key.proto;
		key.addr = f->new_dst;
		key.port = f->new_dport;
		key.zone = cold->route_zone;
		key.pool = cold->dst_pool;
		e = find_entry(view, &key);
		if (!e || e->value.refs-- == 0)
			return say("a session's destination mapping is not there or not held", f);
	}
	return NULL;
}

static const char *check_flows(const struct view *view)
{
	const char *broken = NULL;
	uint32_t orig = 0;

	for (uint32_t i = 0; i < view->control->n_buckets && !broken; i++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS && !broken; slot++) {
			const struct bucket *b = &view->buckets[i];
			const struct flow *f = &b->flow[slot];

			if (b->tag[slot] == TAG_CLAIMED || (b->tag[slot] & TAG_PENDING))
				return say("a slot was left CLAIMED or PENDING", f);
			if (!(b->tag[slot] & TAG_LIVE))
				continue;
			broken = check_flow(view, f, &b->cold[slot]);
			if (!broken && (f->flags & FLOW_ORIG)) {
				orig++;
				broken = unhold(view, f, &b->cold[slot]);
			}
		}
	if (!broken && orig != view->usage->sessions) {
		snprintf(sentence, sizeof(sentence), "usage says %u sessions, and %u are LIVE", view->usage->sessions, orig);
		return sentence;
	}
	return broken;
}

static bool bit_is_set(const struct view *view, uint32_t slot, enum portbits_proto bits, uint16_t port)
{
	return slot < view->control->n_slots &&
	       (view->portbits[slot * PORTBITS_PROTOS + bits].word[port >> 6] >> (port & 63) & 1);
}

/* proto 0: TCP and UDP together have both. */
static bool port_is_set(const struct view *view, uint32_t slot, uint8_t proto, uint16_t port)
{
	if (!proto)
		return bit_is_set(view, slot, PORTBITS_TCP, port) && bit_is_set(view, slot, PORTBITS_UDP, port);
	return bit_is_set(view, slot, proto == IPPROTO_TCP ? PORTBITS_TCP : proto == IPPROTO_UDP ? PORTBITS_UDP : PORTBITS_ICMP, port);
}

static const char *check_inside(const struct view *view, const struct entry *e)
{
	struct mapping_key back = {
		.addr = e->value.addr, .port = e->value.port, .zone = e->value.zone, .proto = e->key.proto, .kind = MAPPING_OUTSIDE,
	};
	const struct entry *other = find_entry(view, &back);

	if (!other)
		return say_entry("a mapping has no OUTSIDE entry", e);
	if (memcmp(&other->value.addr, &e->key.addr, sizeof(e->key.addr)) || other->value.port != e->key.port)
		return say_entry("an OUTSIDE entry leads elsewhere", e);
	if (!port_is_set(view, e->value.slot, e->key.proto, ntohs(e->value.port)))
		return say_entry("the port of a mapping is not claimed", e);
	return NULL;
}

/* Take a paired mapping off its host's refs, which are a copy. */
static const char *unpair(const struct view *view, const struct entry *e)
{
	struct mapping_key key = { .addr = e->key.addr, .zone = e->key.zone, .kind = MAPPING_HOST, .pool = e->key.pool };
	struct entry *host = find_entry(view, &key);

	if (!host || host->value.refs-- == 0)
		return say_entry("a paired mapping's host is not there or not held", e);
	if (!view->reloaded && memcmp(&host->value.addr, &e->value.addr, sizeof(e->value.addr)))
		return say_entry("a paired mapping has another address than its host", e);
	return NULL;
}

/* Permits and hosts go with the last that holds them. */
static const char *check_holders(const struct view *view)
{
	for (size_t i = 0; i < view->n_entries; i++) {
		const struct entry *e = &view->entries[i];

		if ((e->key.kind == MAPPING_PERMIT || e->key.kind == MAPPING_HOST) && !e->value.refs)
			return say_entry("it stands, and nothing holds it", e);
	}
	return NULL;
}

/* After all that holds an entry has been taken off its refs. */
static const char *check_refs(const struct view *view)
{
	for (size_t i = 0; i < view->n_entries; i++)
		if (view->entries[i].key.kind != MAPPING_OUTSIDE && view->entries[i].value.refs)
			return say_entry("what holds it is gone (refs above that)", &view->entries[i]);
	return NULL;
}

static const char *check_entries(const struct view *view)
{
	const char *broken = NULL;
	uint32_t dynamic = 0;

	for (size_t i = 0; i < view->n_entries && !broken; i++) {
		const struct entry *e = &view->entries[i];

		if (e->key.kind != MAPPING_INSIDE)
			continue;
		dynamic += !(e->value.flags & MAPPING_STATIC);
		broken = check_inside(view, e);
		if (!broken && (e->value.flags & MAPPING_PAIRED))
			broken = unpair(view, e);
	}
	if (!broken)
		broken = check_refs(view);
	if (!broken && dynamic != view->usage->mappings) {
		snprintf(sentence, sizeof(sentence), "usage says %u mappings, and %u stand", view->usage->mappings, dynamic);
		return sentence;
	}
	return broken;
}

uint64_t view_claimed(const struct view *view)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < view->control->n_slots * PORTBITS_PROTOS; i++)
		for (uint32_t w = 0; w < NATVI_PORT_WORDS; w++)
			n += (uint32_t)__builtin_popcountll(view->portbits[i].word[w]);
	return n;
}

/* A set bit is a dynamic mapping's, or was there before; and no word is said to be full that is not: nobody would look into it. */
const char *view_bits_broken(const struct view *view)
{
	uint64_t wanted = view->claimed_before, have = view_claimed(view);

	for (size_t i = 0; i < view->n_entries; i++)
		if (view->entries[i].key.kind == MAPPING_INSIDE && !(view->entries[i].value.flags & MAPPING_STATIC))
			wanted += view->entries[i].key.proto ? 1 : 2;
	for (uint32_t i = 0; i < view->control->n_slots * PORTBITS_PROTOS; i++)
		for (uint32_t w = 0; w < NATVI_PORT_WORDS; w++)
			if (view->portbits[i].summary[w / 64] >> (w & 63) & 1 && ~view->portbits[i].word[w]) {
				snprintf(sentence, sizeof(sentence), "port bits %u: word %u is said to be full and is not", i, w);
				return sentence;
			}
	if (view->reloaded || have == wanted)
		return NULL;
	snprintf(sentence, sizeof(sentence), "%llu ports are claimed, and mappings and reservations make %llu",
		 (unsigned long long)have, (unsigned long long)wanted);
	return sentence;
}

const char *view_broken(const struct view *view)
{
	const char *broken = check_holders(view);

	if (!broken)
		broken = check_flows(view);
	return broken ? broken : check_entries(view);
}
