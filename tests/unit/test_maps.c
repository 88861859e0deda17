/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_maps.c - sessions put together from buckets in memory, their states and times; port bits; the ABI's hash.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/addr.h"
#include "lib/maps.h"
#include "lib/session.h"
#include "lib/verdict.h"

#define BUCKETS	64

static struct bucket buckets[BUCKETS];
static struct maps maps = { .flows = buckets, .n_buckets = BUCKETS };

static int clear(void **state)
{
	memset(buckets, 0, sizeof(buckets));
	return 0;
}

static union addr ip(const char *text)
{
	union addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

/* Put a flow at a place; it was last seen ago_s ago. */
static struct flow *put(uint32_t place, const struct tuple *key, const struct tuple *to, uint8_t flags, uint32_t ago_s)
{
	struct bucket *bucket = &buckets[place / NATVI_BUCKET_SLOTS];
	uint32_t slot = place % NATVI_BUCKET_SLOTS;
	struct flow *flow = &bucket->flow[slot];

	assert_true(place / NATVI_BUCKET_SLOTS < BUCKETS);
	flow->key = *key;
	flow->new_src = to->src;
	flow->new_dst = to->dst;
	flow->new_sport = to->sport;
	flow->new_dport = to->dport;
	flow->flags = flags;
	flow->idle_s = 300;
	flow->last_seen_s = maps_now_s() - ago_s;
	bucket->cold[slot].rule = 3;
	bucket->tag[slot] = TAG_LIVE | (place & TAG_HASH);
	return flow;
}

static struct tuple reversed(const struct tuple *t)
{
	return (struct tuple){ .src = t->dst, .dst = t->src, .sport = t->dport, .dport = t->sport, .proto = t->proto };
}

/* Client n's session at two places. Returns the original flow; the other one is *reply. */
static struct flow *put_session(uint32_t place, uint32_t other, uint16_t n, uint8_t proto, uint32_t ago_s, struct flow **reply)
{
	struct tuple orig = { .src = ip("198.18.0.10"), .dst = ip("203.0.113.9"), .sport = htons(n), .dport = htons(80),
			      .proto = proto };
	struct tuple out = orig, back, to;

	out.src = ip("203.0.113.1");
	out.sport = htons((uint16_t)(n + 1000));
	back = reversed(&out);
	to = reversed(&orig);
	*reply = put(other, &back, &to, 0, ago_s);
	return put(place, &orig, &out, FLOW_ORIG, ago_s);
}

struct seen {
	size_t n, stop_at;
	struct session last;
};

static int see(const struct session *session, void *arg)
{
	struct seen *seen = arg;

	seen->last = *session;
	return ++seen->n == seen->stop_at ? 77 : 0;
}

static void test_pair(void **state)
{
	struct flow *orig, *reply;
	struct seen seen = { 0 };

	orig = put_session(3, 200, 5001, IPPROTO_UDP, 10, &reply);
	orig->packets = 7;
	reply->packets = 5;
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_true(seen.last.has_reply);
	assert_int_equal(seen.last.orig.packets, 7);
	assert_int_equal(seen.last.reply.packets, 5);
	assert_int_equal(seen.last.cold.rule, 3);
	assert_string_equal(seen.last.state, "replied");
}

static void test_many_pairs_find_their_own_reply(void **state)
{
	struct seen seen = { 0 };
	struct flow *reply;

	for (uint32_t i = 0; i < BUCKETS * NATVI_BUCKET_SLOTS / 2; i++) {
		put_session(i, BUCKETS * NATVI_BUCKET_SLOTS - 1 - i, (uint16_t)(1 + i), IPPROTO_UDP, 1, &reply)->packets = i;
		reply->packets = i;
		memset(&seen, 0, sizeof(seen));
		assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
		assert_int_equal(seen.n, i + 1);
		assert_true(seen.last.has_reply);
		assert_int_equal(seen.last.orig.packets, seen.last.reply.packets);
	}
}

static void test_not_live_is_not_seen(void **state)
{
	static const uint32_t tags[] = { TAG_FREE, TAG_CLAIMED, TAG_DEAD(0), TAG_DEAD(1), TAG_DEAD(2), TAG_PENDING | 5 };
	struct flow *reply;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct seen seen = { 0 };

		put_session(0, 1, 5001, IPPROTO_UDP, 1, &reply);
		buckets[0].tag[0] = tags[i];
		assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
		assert_int_equal(seen.n, 0);
	}
}

static void test_reply_of_a_zone(void **state)
{
	struct seen seen = { 0 };
	struct flow *reply;

	put_session(0, 1, 5001, IPPROTO_UDP, 1, &reply);
	reply->key.zone = 4;
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_false(seen.last.has_reply);
	buckets[0].cold[0].peer_zone = 4;
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_true(seen.last.has_reply);
}

static void test_half_a_session(void **state)
{
	struct seen seen = { 0 };
	struct flow *reply;

	put_session(0, 1, 5001, IPPROTO_UDP, 1, &reply);
	buckets[0].tag[1] = TAG_FREE;
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_false(seen.last.has_reply);
	assert_int_equal(seen.last.reply.packets, 0);
}

static void test_times(void **state)
{
	struct flow *orig, *reply;
	struct seen seen = { 0 };

	orig = put_session(0, 1, 5001, IPPROTO_UDP, 100, &reply);
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_in_range(seen.last.remaining_s, 199, 200);
	assert_in_range(seen.last.idle_s, 100, 101);
	reply->last_seen_s = maps_now_s() - 40;	/* the later direction counts */
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_in_range(seen.last.remaining_s, 259, 260);
	assert_in_range(seen.last.idle_s, 40, 41);
	seen.n = 0;
	orig->last_seen_s = reply->last_seen_s = maps_now_s() - 302;	/* past its time, not yet swept */
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_int_equal(seen.n, 0);
}

static void test_seen_in_the_future(void **state)
{
	struct flow *orig, *reply;
	struct seen seen = { 0 };

	orig = put_session(0, 1, 5001, IPPROTO_UDP, 0, &reply);
	orig->last_seen_s = maps_now_s() + 2;	/* a second ticked between the clock and the copy */
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.last.idle_s, 0);
}

static void test_callback_ends_the_walk(void **state)
{
	struct seen seen = { .stop_at = 2 };
	struct flow *reply;

	for (uint32_t i = 0; i < 5; i++)
		put_session(i, 100 + i, (uint16_t)(1 + i), IPPROTO_UDP, 1, &reply);
	assert_int_equal(maps_each_session(&maps, NULL, see, &seen), 77);
	assert_int_equal(seen.n, 2);
}

static void test_filtered_walk(void **state)
{
	struct seen seen = { 0 };
	struct filter filter;
	struct flow *reply;
	char err[128];

	put_session(0, 10, 5001, IPPROTO_UDP, 1, &reply);
	put_session(1, 11, 5002, IPPROTO_TCP, 1, &reply);
	assert_int_equal(filter_from_words(&filter, 2, (char *const []){ "proto", "tcp" }, err, sizeof(err)), 0);
	assert_int_equal(maps_each_session(&maps, &filter, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(ntohs(seen.last.orig.key.sport), 5002);
	filter_free(&filter);
}

static const char *tcp(uint8_t orig_seen, uint8_t reply_seen)
{
	struct flow orig = { .key.proto = IPPROTO_TCP, .tcp_seen = orig_seen }, reply = { .tcp_seen = reply_seen };

	return session_state(&orig, &reply);
}

static void test_tcp_states(void **state)
{
	assert_string_equal(tcp(SEEN_SYN, 0), "syn-sent");
	assert_string_equal(tcp(SEEN_SYN, SEEN_SYN | SEEN_ACK), "syn-received");
	assert_string_equal(tcp(SEEN_SYN, SEEN_SYN), "syn-received");
	assert_string_equal(tcp(SEEN_SYN | SEEN_ACK, SEEN_SYN | SEEN_ACK), "established");
	assert_string_equal(tcp(SEEN_SYN | SEEN_ACK | SEEN_FIN, SEEN_SYN | SEEN_ACK), "closing");
	assert_string_equal(tcp(SEEN_SYN | SEEN_ACK, SEEN_SYN | SEEN_ACK | SEEN_FIN), "closing");
	assert_string_equal(tcp(SEEN_SYN | SEEN_ACK | SEEN_FIN, SEEN_SYN | SEEN_ACK | SEEN_FIN), "closed");
	assert_string_equal(tcp(SEEN_SYN, SEEN_RST | SEEN_ACK), "reset");
	assert_string_equal(session_state(&(struct flow){ .flags = FLOW_ACCEL, .tcp_seen = SEEN_ACK }, &(struct flow){ 0 }), "accelerated");
	assert_string_equal(session_state(&(struct flow){ .flags = FLOW_ACCEL, .key.proto = IPPROTO_TCP }, &(struct flow){ 0 }), "kernel");
}

static void test_port_bits(void **state)
{
	struct portbits *bits = calloc(2 * PORTBITS_PROTOS, sizeof(*bits));
	struct maps with_bits = { .portbits = bits, .n_portbits = 2 * PORTBITS_PROTOS };

	bits[PORTBITS_PROTOS + PORTBITS_UDP].word[0] = 0xff;
	bits[PORTBITS_PROTOS + PORTBITS_UDP].word[NATVI_PORT_WORDS - 1] = 1;
	memset(bits[PORTBITS_TCP].word, 0xff, sizeof(bits->word));
	memset(bits[PORTBITS_TCP].summary, 0xff, sizeof(bits->summary));	/* is no claim */
	assert_int_equal(maps_claimed(&with_bits, 0, PORTBITS_TCP), 65536);
	assert_int_equal(maps_claimed(&with_bits, 0, PORTBITS_UDP), 0);
	assert_int_equal(maps_claimed(&with_bits, 1, PORTBITS_UDP), 9);
	assert_int_equal(maps_claimed(&with_bits, 2, PORTBITS_TCP), 0);
	assert_int_equal(maps_claimed(&with_bits, SLOT_NONE, PORTBITS_TCP), 0);
	free(bits);
}

static void test_mapping_states(void **state)
{
	assert_string_equal(mapping_state(&(struct mapping){ .refs = 2 }), "active");
	assert_string_equal(mapping_state(&(struct mapping){ .refs = 0 }), "resting");
	assert_string_equal(mapping_state(&(struct mapping){ .flags = MAPPING_STATIC }), "static");
}

static void test_open_says_why_not(void **state)
{
	char err[512] = "";
	struct maps *none;

	assert_int_equal(maps_open(&none, "no/good", err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "no/good"));
	assert_true(maps_open(&none, "not-there-at-all", err, sizeof(err)) < 0);
	assert_true(strlen(err) > 10);
}

static void test_abi_hash(void **state)
{
	assert_true(natvi_abi_hash() != 0);
	assert_true(natvi_abi_hash() == natvi_abi_hash());
}

static void test_verdicts(void **state)
{
	for (unsigned int v = 0; v < VERDICT_COUNT; v++) {
		assert_true(strlen(verdict_name(v)) > 0);
		assert_true(strlen(verdict_text(v)) > 10);
		for (unsigned int w = 0; w < v; w++)
			assert_string_not_equal(verdict_name(v), verdict_name(w));
	}
	assert_string_equal(verdict_name(VERDICT_NO_PORT), "no-port");
	assert_int_equal(verdict_class(VERDICT_NO_PORT), VERDICT_CLASS_DROP);
	assert_string_equal(verdict_name(VERDICT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pair, clear),
		cmocka_unit_test_setup(test_many_pairs_find_their_own_reply, clear),
		cmocka_unit_test_setup(test_not_live_is_not_seen, clear),
		cmocka_unit_test_setup(test_reply_of_a_zone, clear),
		cmocka_unit_test_setup(test_half_a_session, clear),
		cmocka_unit_test_setup(test_times, clear),
		cmocka_unit_test_setup(test_seen_in_the_future, clear),
		cmocka_unit_test_setup(test_callback_ends_the_walk, clear),
		cmocka_unit_test_setup(test_filtered_walk, clear),
		cmocka_unit_test(test_tcp_states),
		cmocka_unit_test(test_port_bits),
		cmocka_unit_test(test_mapping_states),
		cmocka_unit_test(test_open_says_why_not),
		cmocka_unit_test(test_abi_hash),
		cmocka_unit_test(test_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
