/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/park_queue.c daemon/park_frame.c */
/*
 * test_park_queue.c - what waits in the park: order, gaps, contradictions, time, bounds, and frames that lie.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/park_frame.h"
#include "daemon/park_queue.h"
#include "lib/addr.h"

#define MS		1000u
#define PORT		7u
#define NOT_SERVED	9u
#define HOST		0xc612000au	/* 198.18.0.10 */
#define SERVER		0xcb007109u	/* 203.0.113.9 */
#define MAX_OUT		20000

/* The datapath's word on one datagram, by its identification. */
static struct {
	enum park_turn turn;
	uint32_t next;
} known[65536];

static struct park_queue *queue;
static unsigned int looks;
static bool tap_works;

/* What came out, in order: identification or source port, and where the fragment begins. */
static struct out {
	uint16_t id;
	uint32_t offset;
	size_t len;
	uint8_t first[64];
} out[MAX_OUT];
static size_t n_out;

static int zone_of(uint32_t ifindex, uint16_t vlan, void *arg)
{
	return ifindex == NOT_SERVED ? -1 : vlan ? 5 : 0;
}

/* The datapath itself: what is released at `next` moves it. */
static enum park_turn next_of(const struct tuple *t, uint32_t *next, void *arg)
{
	uint16_t id = ntohs(t->sport);

	looks++;
	assert_int_equal(t->dport, 0);
	assert_int_equal(t->pad, 0);
	*next = known[id].next;
	return known[id].turn;
}

static bool take_out(const void *frame, size_t len, void *arg)
{
	struct park_frame f;

	assert_int_equal(park_frame_parse(frame, len, &f), 0);
	assert_true(n_out < MAX_OUT);
	if (!tap_works)
		return false;
	out[n_out] = (struct out){ ntohs(f.key.tuple.sport), f.offset, len, { 0 } };
	memcpy(out[n_out++].first, frame, len < 64 ? len : 64);
	if (f.kind == PARK_FRAGMENT && known[ntohs(f.key.tuple.sport)].turn == PARK_NEXT) {
		assert_int_equal(known[ntohs(f.key.tuple.sport)].next, f.offset);
		known[ntohs(f.key.tuple.sport)].next += f.units;
	}
	return true;
}

static int set_up(void **state)
{
	static const struct park_calls calls = { .zone = zone_of, .next = next_of, .release = take_out };

	memset(known, 0, sizeof(known));
	n_out = looks = 0;
	tap_works = true;
	queue = park_queue_new(&calls);
	return queue ? 0 : -1;
}

/* However a test has used the queue: in the end nothing is left of it. */
static int tear_down(void **state)
{
	struct park_report r;
	unsigned int i;

	for (i = 0; i < 10000 && park_queue_due(queue) != UINT64_MAX; i++)
		park_queue_run(queue, UINT64_MAX / 2);
	park_queue_report(queue, &r);
	assert_int_equal(r.bytes, 0);
	assert_int_equal(r.fragments.held, 0);
	assert_int_equal(r.syns.held, 0);
	park_queue_free(queue);
	return 0;
}

static struct park_report report(void)
{
	struct park_report r;

	park_queue_report(queue, &r);
	assert_true(r.bytes <= NATVI_PARK_BYTES);
	return r;
}

/* Frames */

struct spec {
	uint32_t src, dst, ifindex;
	uint16_t id;
	uint32_t offset, bytes;		/* units of 8 bytes; payload */
	bool last;
	uint8_t proto;
	uint16_t vlan;
	unsigned int tags, option_words, padding;
	uint8_t fill;
};

static uint8_t *put16(uint8_t *at, uint16_t value)
{
	*at++ = (uint8_t)(value >> 8);
	*at++ = (uint8_t)value;
	return at;
}

static uint8_t *put32(uint8_t *at, uint32_t value)
{
	return put16(put16(at, (uint16_t)(value >> 16)), (uint16_t)value);
}

static uint8_t *put_ethernet(uint8_t *at, enum park_kind kind, const struct spec *s)
{
	unsigned int i;

	*at++ = PARK_MAC_LOCAL;
	*at++ = (uint8_t)kind;
	at = put32(at, s->ifindex ? s->ifindex : PORT);
	memcpy(at, "\x02\xaa\xbb\xcc\xdd\xee", 6);
	at += 6;
	for (i = 0; i < s->tags; i++) {
		at = put16(at, i ? 0x8100 : 0x88a8);
		at = put16(at, i ? 999 : (uint16_t)(0x6000 | s->vlan));
	}
	return put16(at, 0x0800);
}

static uint8_t *put_ip(uint8_t *at, const struct spec *s, uint16_t bits, uint32_t bytes)
{
	*at++ = (uint8_t)(0x45 + s->option_words);
	*at++ = 0;
	at = put16(at, (uint16_t)(20 + 4 * s->option_words + bytes));
	at = put16(at, s->id);
	at = put16(at, bits);
	*at++ = 64;
	*at++ = s->proto ? s->proto : IPPROTO_UDP;
	at = put16(at, 0);
	at = put32(at, s->src ? s->src : HOST);
	at = put32(at, s->dst ? s->dst : SERVER);
	memset(at, 1, 4 * s->option_words);	/* no operation */
	return at + 4 * s->option_words;
}

static size_t make_fragment(uint8_t *frame, const struct spec *s)
{
	uint32_t bytes = s->bytes ? s->bytes : 8;
	uint8_t *at = put_ethernet(frame, PARK_FRAGMENT, s);

	at = put_ip(at, s, (uint16_t)(s->offset | (s->last ? 0 : 0x2000)), bytes);
	memset(at, s->fill, bytes + s->padding);
	return (size_t)(at - frame) + bytes + s->padding;
}

static size_t make_syn(uint8_t *frame, const struct spec *s, uint16_t sport, uint16_t dport)
{
	uint8_t *at = put_ethernet(frame, PARK_SYN, s);
	struct spec tcp = *s;

	tcp.proto = s->proto ? s->proto : IPPROTO_TCP;
	at = put_ip(at, &tcp, 0x4000, 20);
	at = put16(put16(at, sport), dport);
	at = put32(put32(at, 1), 0);
	at = put16(put16(at, 0x5002), 1024);
	return (size_t)(put32(at, 0) - frame);
}

static uint8_t buf[PARK_FRAME_MAX + 64];

static void put(const struct spec *s, uint64_t now)
{
	size_t len = make_fragment(buf, s);
	uint8_t *exact = malloc(len);	/* so that ASan sees what is read behind it */

	memcpy(exact, buf, len);
	park_queue_put(queue, exact, len, now);
	free(exact);
}

static void put_syn(const struct spec *s, uint16_t sport, uint16_t dport, uint64_t now)
{
	size_t len = make_syn(buf, s, sport, dport);
	uint8_t *exact = malloc(len);

	memcpy(exact, buf, len);
	park_queue_put(queue, exact, len, now);
	free(exact);
}

/* Fragments of 1,480 bytes, n of them with the first one, which never comes here. */
static void put_nth(uint16_t id, unsigned int i, unsigned int n, uint64_t now)
{
	put(&(struct spec){ .id = id, .offset = i * 185, .bytes = i == n - 1 ? 100 : 1480, .last = i == n - 1 }, now);
}

static void first_passes(uint16_t id, uint32_t units)
{
	known[id].turn = PARK_NEXT;
	known[id].next = units;
}

static void check_order(uint16_t id, unsigned int n)
{
	unsigned int i;

	assert_int_equal(n_out, n - 1);
	for (i = 1; i < n; i++) {
		assert_int_equal(out[i - 1].id, id);
		assert_int_equal(out[i - 1].offset, i * 185);
	}
}

/* Order */

static void reversed(void **state)
{
	unsigned int i;

	for (i = 41; i-- > 1;)
		put_nth(1, i, 41, 0);
	park_queue_run(queue, 0);
	assert_int_equal(n_out, 0);
	first_passes(1, 185);
	park_queue_run(queue, PARK_TICK_US);
	check_order(1, 41);
	assert_int_equal(report().fragments.released, 40);
	assert_int_equal(report().fragments.parked, 40);
}

static void shuffled(void **state)
{
	unsigned int order[40], i, j, swap;

	srand(7);
	for (i = 0; i < 40; i++)
		order[i] = i + 1;
	for (i = 40; i-- > 1;) {
		j = (unsigned int)rand() % (i + 1);
		swap = order[i];
		order[i] = order[j];
		order[j] = swap;
	}
	/* The first one passes in the middle of it. */
	for (i = 0; i < 40; i++) {
		if (i == 20)
			first_passes(1, 185);
		put_nth(1, order[i], 41, i);
		park_queue_run(queue, i);
	}
	check_order(1, 41);
}

static void gap(void **state)
{
	put_nth(1, 2, 5, 0);
	put_nth(1, 4, 5, 0);
	first_passes(1, 185);
	park_queue_run(queue, 0);
	assert_int_equal(n_out, 0);
	known[1].next = 2 * 185;	/* the one between has passed by itself */
	park_queue_run(queue, 1 * MS);
	assert_int_equal(n_out, 1);
	assert_int_equal(out[0].offset, 2 * 185);
	park_queue_run(queue, 2 * MS);
	assert_int_equal(n_out, 1);
	known[1].next = 4 * 185;
	park_queue_run(queue, 3 * MS);
	assert_int_equal(n_out, 2);
}

static void frames_are_unchanged(void **state)
{
	struct spec s = { .id = 77, .offset = 3, .bytes = 5, .last = true, .tags = 2, .vlan = 12, .option_words = 10, .padding = 9, .fill = 0xee };
	size_t len = make_fragment(buf, &s);
	struct park_frame f;
	uint8_t was[128];

	assert_int_equal(park_frame_parse(buf, len, &f), 0);
	assert_int_equal(f.key.vlan, 12);	/* the outer tag */
	memcpy(was, buf, len);
	put(&s, 0);
	first_passes(77, 3);
	park_queue_run(queue, 0);
	assert_int_equal(n_out, 1);
	assert_int_equal(out[0].len, len);
	assert_memory_equal(out[0].first, was, len < 64 ? len : 64);
}

/* Each of these is a datagram of its own: what one of them has come to says nothing about the others. */
static void datagrams_are_told_apart(void **state)
{
	struct park_frame a, b;
	struct spec base = { .id = 1, .offset = 1 }, others[] = {
		{ .id = 2, .offset = 1 }, { .id = 1, .offset = 1, .src = HOST + 1 }, { .id = 1, .offset = 1, .dst = SERVER + 1 },
		{ .id = 1, .offset = 1, .proto = IPPROTO_ICMP }, { .id = 1, .offset = 1, .ifindex = 8 },
		{ .id = 1, .offset = 1, .tags = 1, .vlan = 3 },
	};
	size_t i;

	assert_int_equal(park_frame_parse(buf, make_fragment(buf, &base), &a), 0);
	put(&base, 0);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(park_frame_parse(buf, make_fragment(buf, &others[i]), &b), 0);
		assert_memory_not_equal(&a.key, &b.key, sizeof(a.key));
		put(&others[i], 0);
		assert_int_equal(report().fragments.held, i + 2);
	}
	assert_int_equal(report().fragments.repeated, 0);
	park_queue_run(queue, 0);
	assert_int_equal(looks, 7);
}

/* Contradictions */

static void the_same_twice_does_no_harm(void **state)
{
	put_nth(1, 2, 3, 0);
	put_nth(1, 1, 3, 0);
	put_nth(1, 1, 3, 0);
	put_nth(1, 2, 3, 0);
	assert_int_equal(report().fragments.held, 2);
	assert_int_equal(report().fragments.repeated, 2);
	first_passes(1, 185);
	park_queue_run(queue, 0);
	check_order(1, 3);
	assert_int_equal(report().fragments.refused, 0);
}

/* Two that begin at one place and end at different ones: the datagram is given up, also what comes later of it. */
static void contradiction_ends_the_datagram(void **state)
{
	put(&(struct spec){ .id = 1, .offset = 10, .bytes = 80 }, 0);
	put(&(struct spec){ .id = 1, .offset = 20, .bytes = 80, .last = true }, 0);
	put(&(struct spec){ .id = 1, .offset = 10, .bytes = 88 }, 0);
	assert_int_equal(report().fragments.held, 0);
	assert_int_equal(report().fragments.refused, 3);
	put(&(struct spec){ .id = 1, .offset = 20, .bytes = 80, .last = true }, 0);
	assert_int_equal(report().fragments.refused, 4);
	first_passes(1, 10);
	park_queue_run(queue, 0);
	assert_int_equal(n_out, 0);
	/* One that says to be the last, and is the same otherwise. */
	put(&(struct spec){ .id = 2, .offset = 10, .bytes = 80 }, 0);
	put(&(struct spec){ .id = 2, .offset = 10, .bytes = 80, .last = true }, 0);
	assert_int_equal(report().fragments.held, 0);
}

/* What begins within another one never has its turn. */
static void overlap_never_leaves(void **state)
{
	put(&(struct spec){ .id = 1, .offset = 15, .bytes = 80, .fill = 1 }, 0);
	put(&(struct spec){ .id = 1, .offset = 10, .bytes = 80 }, 0);
	put(&(struct spec){ .id = 1, .offset = 20, .bytes = 80, .last = true }, 0);
	first_passes(1, 10);
	park_queue_run(queue, 0);
	assert_int_equal(n_out, 2);
	assert_int_equal(out[0].offset, 10);
	assert_int_equal(out[1].offset, 20);
	park_queue_run(queue, NATVI_PARK_MS * MS);
	assert_int_equal(n_out, 2);
	assert_int_equal(report().fragments.expired, 1);
}

static void refused_by_the_datapath(void **state)
{
	put_nth(1, 1, 3, 0);
	put_nth(1, 2, 3, 0);
	known[1].turn = PARK_REFUSED;
	park_queue_run(queue, 0);
	assert_int_equal(report().fragments.refused, 2);
	assert_int_equal(report().fragments.held, 0);
	assert_int_equal(n_out, 0);
}

/* Time */

static void deadline_is_the_first_ones(void **state)
{
	uint64_t end = 5 * MS + NATVI_PARK_MS * MS;

	put_nth(1, 3, 4, 5 * MS);
	put_nth(1, 2, 4, 150 * MS);
	park_queue_run(queue, end - 1);
	assert_int_equal(report().fragments.held, 2);
	park_queue_run(queue, end);
	assert_int_equal(report().fragments.held, 0);
	assert_int_equal(report().fragments.expired, 2);
	assert_int_equal(report().bytes, 0);
	first_passes(1, 185);
	park_queue_run(queue, end + 1);
	assert_int_equal(n_out, 0);
}

/* Given back, and back again: it has no new time. */
static void what_comes_back_keeps_its_deadline(void **state)
{
	unsigned int i;

	for (i = 0; i < 40; i++) {
		put_nth(1, 1, 2, i * 5 * MS);
		first_passes(1, 185);
		park_queue_run(queue, i * 5 * MS + 1);
		assert_int_equal(report().fragments.released, i + 1);
	}
	put_nth(1, 1, 2, 199 * MS);
	known[1].turn = PARK_WAIT;
	park_queue_run(queue, 200 * MS);
	assert_int_equal(report().fragments.expired, 1);
	assert_int_equal(report().bytes, 0);
}

static void due_says_when(void **state)
{
	assert_int_equal(park_queue_due(queue), UINT64_MAX);
	park_queue_run(queue, 10 * MS);
	put_nth(1, 1, 2, 10 * MS);
	assert_int_equal(park_queue_due(queue), 10 * MS + PARK_TICK_US);
	first_passes(1, 185);
	park_queue_run(queue, 11 * MS);
	assert_int_equal(report().fragments.held, 0);
	/* The datagram is known for its time, but nobody looks after it. */
	assert_int_equal(park_queue_due(queue), 10 * MS + NATVI_PARK_MS * MS);
	park_queue_run(queue, 10 * MS + NATVI_PARK_MS * MS);
	assert_int_equal(park_queue_due(queue), UINT64_MAX);
	put_syn(&(struct spec){ 0 }, 1, 2, 300 * MS);
	assert_int_equal(park_queue_due(queue), 300 * MS + NATVI_SYN_HOLD_MS * MS);
}

static void nothing_is_lost_count_of_without_a_tap(void **state)
{
	put_nth(1, 1, 2, 0);
	put_syn(&(struct spec){ 0 }, 1, 2, 0);
	first_passes(1, 185);
	tap_works = false;
	park_queue_run(queue, 1);
	park_queue_run(queue, NATVI_SYN_HOLD_MS * MS);
	assert_int_equal(report().fragments.expired, 1);
	assert_int_equal(report().syns.expired, 1);
	assert_int_equal(report().fragments.released + report().syns.released, 0);
}

/* Bounds */

static void bound_of_a_source(void **state)
{
	uint32_t i;

	for (i = 0; i < 20000; i++)
		put(&(struct spec){ .id = (uint16_t)i, .offset = 1 + (i >> 8), .bytes = 800 }, 0);
	assert_true(report().bytes <= NATVI_PARK_SOURCE_BYTES);
	assert_true(report().fragments.held > NATVI_PARK_SOURCE_BYTES / 2000);
	assert_int_equal(report().fragments.held + report().fragments.refused, 20000);
	/* Others are not touched by it. */
	put(&(struct spec){ .src = HOST + 1, .id = 1, .offset = 5 }, 0);
	assert_int_equal(report().fragments.parked, report().fragments.held);
	assert_int_equal(report().fragments.refused, 20000 - (report().fragments.held - 1));
}

static void bound_of_all(void **state)
{
	uint32_t i, taken;

	for (i = 0; i < 40000; i++)
		put(&(struct spec){ .src = HOST + i % 256, .id = (uint16_t)i, .offset = 9, .bytes = 400 }, 0);
	taken = report().fragments.held;
	assert_true(report().bytes <= NATVI_PARK_BYTES - PARK_SYN_BYTES);
	assert_true(report().bytes > NATVI_PARK_BYTES / 2);
	assert_int_equal(taken + report().fragments.refused, 40000);
	/* SYNs have their own room. */
	put_syn(&(struct spec){ .src = HOST + 5000 }, 1, 2, 0);
	assert_int_equal(report().syns.held, 1);
	/* What waited first is served, and then there is room again. */
	for (i = 0; i < 65536; i++)
		first_passes((uint16_t)i, 9);
	for (i = 0; i < 200; i++)
		park_queue_run(queue, i);
	assert_int_equal(report().fragments.released, taken);
	park_queue_run(queue, NATVI_PARK_MS * MS);
	put(&(struct spec){ .src = HOST + 9000, .id = 1, .offset = 5 }, NATVI_PARK_MS * MS);
	assert_int_equal(report().fragments.held, 1);
}

/* Many small fragments of few datagrams are no way round the bound. */
static void bound_with_small_fragments(void **state)
{
	uint32_t i;

	for (i = 1; i < 8000; i++)
		put(&(struct spec){ .id = 1, .offset = i, .bytes = 8 }, 0);
	assert_true(report().bytes <= NATVI_PARK_SOURCE_BYTES);
	assert_int_equal(report().fragments.held + report().fragments.refused, 7999);
	first_passes(1, 1);
	for (i = 0; report().fragments.held; i++) {
		park_queue_run(queue, i);
		assert_true(n_out <= (i + 1) * PARK_RUN_FRAMES);
		assert_true(park_queue_due(queue) <= i + PARK_TICK_US || !report().fragments.held);
		assert_true(i < 100);
	}
}

static void a_run_is_bounded(void **state)
{
	uint32_t i;

	for (i = 0; i < 3000; i++)
		put(&(struct spec){ .src = HOST + i % 100, .id = (uint16_t)i, .offset = 9 }, 0);
	assert_int_equal(report().fragments.held, 3000);
	park_queue_run(queue, 0);
	assert_int_equal(looks, PARK_RUN_LOOKS);
	/* All of them have their turn within a round. */
	first_passes(2999, 9);
	for (i = 1; !n_out; i++) {
		park_queue_run(queue, i);
		assert_true(i <= 3000 / PARK_RUN_LOOKS + 1);
	}
}

/* SYNs */

static void syn_is_held(void **state)
{
	uint64_t end = 3 * MS + NATVI_SYN_HOLD_MS * MS;

	put_syn(&(struct spec){ 0 }, 1000, 80, 3 * MS);
	park_queue_run(queue, end - 1);
	assert_int_equal(n_out, 0);
	park_queue_run(queue, end);
	assert_int_equal(n_out, 1);
	assert_int_equal(out[0].id, 1000);
	assert_int_equal(out[0].len, 54);
	assert_int_equal(report().syns.released, 1);
	assert_int_equal(report().bytes, 0);
}

/* A sender tries again after 1 s, 3 s, ...: one answer, and not later for that. */
static void repeated_syn_is_dropped(void **state)
{
	put_syn(&(struct spec){ 0 }, 1000, 80, 0);
	put_syn(&(struct spec){ .id = 44 }, 1000, 80, 1000 * MS);
	put_syn(&(struct spec){ .id = 45 }, 1000, 80, 3000 * MS);
	assert_int_equal(report().syns.repeated, 2);
	park_queue_run(queue, NATVI_SYN_HOLD_MS * MS);
	assert_int_equal(n_out, 1);
	put_syn(&(struct spec){ .id = 46 }, 1000, 80, 7000 * MS);
	assert_int_equal(report().syns.held, 1);
	assert_int_equal(report().syns.parked, 2);
}

static void syns_are_told_apart(void **state)
{
	put_syn(&(struct spec){ 0 }, 1000, 80, 0);
	put_syn(&(struct spec){ 0 }, 1001, 80, 0);
	put_syn(&(struct spec){ 0 }, 1000, 81, 0);
	put_syn(&(struct spec){ .src = HOST + 1 }, 1000, 80, 0);
	put_syn(&(struct spec){ .dst = SERVER + 1 }, 1000, 80, 0);
	put_syn(&(struct spec){ .ifindex = 8 }, 1000, 80, 0);
	assert_int_equal(report().syns.held, 6);
}

static void syns_of_a_source(void **state)
{
	uint32_t i;

	for (i = 0; i < 10000; i++)
		put_syn(&(struct spec){ 0 }, (uint16_t)i, 80, 0);
	assert_int_equal(report().syns.held, NATVI_SYN_SOURCE);
	assert_int_equal(report().syns.refused, 10000 - NATVI_SYN_SOURCE);
	put_syn(&(struct spec){ .src = HOST + 1 }, 1, 80, 0);
	assert_int_equal(report().syns.held, NATVI_SYN_SOURCE + 1);
	park_queue_run(queue, NATVI_SYN_HOLD_MS * MS);
	put_syn(&(struct spec){ 0 }, 1, 80, NATVI_SYN_HOLD_MS * MS);
	assert_int_equal(report().syns.held, 1);
}

static void syns_of_all(void **state)
{
	uint32_t i, held, runs = 0;

	for (i = 0; i < 10000; i++)
		put_syn(&(struct spec){ .src = HOST + i }, 1, 80, i);
	held = report().syns.held;
	assert_true(report().bytes <= PARK_SYN_BYTES && report().bytes > PARK_SYN_BYTES / 2);
	/* Fragments have their own room. */
	put(&(struct spec){ .src = HOST, .id = 1, .offset = 5 }, 0);
	assert_int_equal(report().fragments.held, 1);
	while (report().syns.held) {
		park_queue_run(queue, NATVI_SYN_HOLD_MS * MS + 10000);
		assert_true(n_out <= ++runs * PARK_RUN_FRAMES);
		assert_true(park_queue_due(queue) <= NATVI_SYN_HOLD_MS * MS + 10000 || !report().syns.held);
	}
	assert_int_equal(n_out, held);
	for (i = 1; i < n_out; i++)
		assert_int_equal(out[i].id, 1);
}

/* Frames that lie */

static void expect(int ret, const uint8_t *frame, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	struct park_frame f;

	memcpy(exact, frame, len);
	assert_int_equal(park_frame_parse(exact, len, &f), ret);
	park_queue_put(queue, exact, len, 0);
	free(exact);
}

/* Cut off anywhere: no frame is taken that is not all there. */
static void every_short_length(void **state)
{
	struct spec tagged = { .id = 3, .offset = 2, .bytes = 24, .tags = 2, .vlan = 7, .option_words = 10 };
	size_t len, full = make_fragment(buf, &tagged);

	for (len = 0; len < full; len++)
		expect(len < 14 ? -ENOMSG : -EBADMSG, buf, len);
	full = make_syn(buf, &tagged, 5, 6);
	for (len = 0; len < full; len++)
		expect(len < 14 ? -ENOMSG : -EBADMSG, buf, len);
	assert_int_equal(report().fragments.held + report().syns.held, 0);
	expect(0, buf, full);
	assert_int_equal(report().syns.held, 1);
}

static void not_for_the_park(void **state)
{
	size_t len = make_fragment(buf, &(struct spec){ .offset = 1 });

	buf[0] = 0x33;		/* IPv6 multicast and the like */
	expect(-ENOMSG, buf, len);
	buf[0] = PARK_MAC_LOCAL;
	buf[1] = 0;
	expect(-ENOMSG, buf, len);
	buf[1] = 3;
	expect(-ENOMSG, buf, len);
	assert_int_equal(report().fragments.refused + report().syns.refused, 0);
}

static void headers_that_contradict(void **state)
{
	const struct { size_t at; uint8_t value; } wrong[] = {
		{ 14, 0x65 }, { 14, 0x44 }, { 14, 0x4f },	/* version, header length */
		{ 16, 0xff }, { 17, 19 }, { 17, 20 },		/* total length */
		{ 12, 0x86 }, { 13, 0x06 },			/* another protocol */
		{ 12, 0x81 },					/* a tag where IP begins */
	};
	size_t i, len;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		len = make_fragment(buf, &(struct spec){ .offset = 1 });
		buf[wrong[i].at] = wrong[i].value;
		expect(-EBADMSG, buf, len);
	}
	assert_int_equal(report().fragments.refused, sizeof(wrong) / sizeof(wrong[0]));
}

static void fragments_that_are_none(void **state)
{
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 0 }));		/* a first one never waits */
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 0, .last = true }));	/* no fragment */
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 3, .bytes = 12 }));	/* ends off an eight */
	expect(0, buf, make_fragment(buf, &(struct spec){ .offset = 3, .bytes = 12, .last = true }));
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 8191, .last = true }));	/* beyond 65,535 */
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 8100, .bytes = 1480 }));
	expect(0, buf, make_fragment(buf, &(struct spec){ .offset = 8188, .bytes = 8, .last = true }));
	expect(-EBADMSG, buf, make_fragment(buf, &(struct spec){ .offset = 1, .ifindex = NOT_SERVED, .tags = 3 }));
	assert_int_equal(report().fragments.held, 2);
	put(&(struct spec){ .offset = 1, .ifindex = NOT_SERVED }, 0);
	assert_int_equal(report().fragments.held, 2);
	assert_int_equal(report().fragments.refused, 7);
}

static void syns_that_are_none(void **state)
{
	size_t len = make_syn(buf, &(struct spec){ 0 }, 1, 2);

	buf[23] = IPPROTO_UDP;
	expect(-EBADMSG, buf, len);
	len = make_syn(buf, &(struct spec){ 0 }, 1, 2);
	buf[20] = 0x20;		/* a fragment */
	expect(-EBADMSG, buf, len);
	len = make_syn(buf, &(struct spec){ 0 }, 1, 2);
	buf[17] = 39;		/* half a TCP header, by what the IP header says */
	expect(-EBADMSG, buf, len);
	assert_int_equal(report().syns.refused, 3);
	assert_int_equal(report().syns.held, 0);
}

/* Whatever bytes come: no crash, the bounds hold, and time clears it all. */
static void random_frames(void **state)
{
	uint32_t i, j, len;

	srand(11);
	for (i = 0; i < 200000; i++) {
		len = (uint32_t)make_fragment(buf, &(struct spec){ .id = (uint16_t)(rand() % 8), .offset = (uint32_t)rand() % 12,
			.bytes = 8u * ((uint32_t)rand() % 4), .last = !(rand() % 4), .src = HOST + (uint32_t)rand() % 4 });
		if (!(rand() % 3))
			len = (uint32_t)make_syn(buf, &(struct spec){ .src = HOST + (uint32_t)rand() % 4 }, (uint16_t)(rand() % 50), 1);
		for (j = (uint32_t)rand() % 3; j; j--)
			buf[(uint32_t)rand() % len] ^= (uint8_t)(1u << rand() % 8);
		known[rand() % 8].turn = (enum park_turn)(rand() % 3);
		known[rand() % 8].next = (uint32_t)rand() % 12;
		park_queue_put(queue, buf, len, i * 10ull);
		if (!(rand() % 16))
			park_queue_run(queue, i * 10ull);
		if (n_out > MAX_OUT - 1000)
			n_out = 0;
	}
	assert_true(report().bytes <= NATVI_PARK_BYTES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(reversed), CASE(shuffled), CASE(gap), CASE(frames_are_unchanged), CASE(datagrams_are_told_apart),
		CASE(the_same_twice_does_no_harm), CASE(contradiction_ends_the_datagram), CASE(overlap_never_leaves),
		CASE(refused_by_the_datapath), CASE(deadline_is_the_first_ones), CASE(what_comes_back_keeps_its_deadline),
		CASE(due_says_when), CASE(nothing_is_lost_count_of_without_a_tap), CASE(bound_of_a_source), CASE(bound_of_all),
		CASE(bound_with_small_fragments), CASE(a_run_is_bounded), CASE(syn_is_held), CASE(repeated_syn_is_dropped),
		CASE(syns_are_told_apart), CASE(syns_of_a_source), CASE(syns_of_all), CASE(every_short_length),
		CASE(not_for_the_park), CASE(headers_that_contradict), CASE(fragments_that_are_none), CASE(syns_that_are_none),
		CASE(random_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
