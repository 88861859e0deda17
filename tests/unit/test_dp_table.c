/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_table.c - the tables of flows and mappings by themselves: at their nominal load, under threads, and
 * what sessions and mappings leave behind when they fail or end.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/env_native.h"

#include "dp/expire.h"

#define SESSIONS	50000u
#define FLOWS_N		(2 * SESSIONS)
#define THREADS		4
#define NOW_S		5000u

static struct native box;
static struct portbits bits[PORTBITS_PROTOS];
static struct cpu *const cpu = (struct cpu[2]){};

static int setup(void **state)
{
	memset(&box, 0, sizeof(box));
	memset(bits, 0, sizeof(bits));
	memset(cpu, 0, 2 * sizeof(*cpu));
	box.cpu = cpu;
	box.portbits = bits;
	box.control.n_slots = 1;
	box.control.seed = 0x5eed;
	box.control.generation = 1;
	box.control.sweep = 1;
	box.control.max_sessions = SESSIONS;
	box.control.max_mappings = SESSIONS;
	box.control.n_buckets = natvi_buckets_for(SESSIONS);
	box.control.n_mapping_buckets = natvi_mapping_buckets_for(2 * SESSIONS);
	box.buckets = calloc(box.control.n_buckets, sizeof(*box.buckets));
	box.mappings = calloc(box.control.n_mapping_buckets, sizeof(*box.mappings));
	box.random = 99;
	cpu->meta.now_s = NOW_S;
	native_current = &box;
	srand(3);
	return !box.buckets || !box.mappings;
}

static int teardown(void **state)
{
	free(box.buckets);
	free(box.mappings);
	return 0;
}

/* The nth key of a series; neighbours differ in few bits, as flows of one host do. */
static struct tuple nth(uint32_t n)
{
	struct tuple t = { .proto = 17, .sport = htons(1024 + n % 1000), .dport = htons(53) };

	t.src.word[2] = t.dst.word[2] = htonl(0xffff);
	t.src.word[3] = htonl(0xc6120000 + n / 1000);
	t.dst.word[3] = htonl(0xc0000201 + n % 7);
	return t;
}

static struct mapping_key nth_mapping(uint32_t n)
{
	struct tuple t = nth(n);
	struct mapping_key k = { .addr = t.src, .port = t.sport, .proto = t.proto, .kind = n & 1 ? MAPPING_OUTSIDE : MAPPING_INSIDE };

	return k;
}

static __s64 insert(const struct tuple *key)
{
	__s64 handle = table_insert(key);
	struct bucket *b;
	__u32 slot;

	if (handle < 0)
		return handle;
	b = handle_bucket(handle, &slot);
	assert_non_null(b);
	tag_publish(&b->tag[slot]);
	return handle;
}

static bool bury(const struct tuple *key)
{
	__s64 handle = table_find(key);
	struct bucket *b;
	__u32 slot;

	if (handle < 0)
		return false;
	b = handle_bucket(handle, &slot);
	return tag_bury(&b->tag[slot], box.control.sweep);
}

static uint32_t tags(uint32_t from, uint32_t to)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < box.control.n_buckets; i++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS; slot++)
			n += box.buckets[i].tag[slot] >= from && box.buckets[i].tag[slot] <= to;
	return n;
}

#define USED()	tags(1, ~0u)
#define LIVE()	tags(TAG_LIVE, ~0u)

static uint32_t free_rested(void)
{
	uint32_t n = 0;

	box.control.sweep++;
	for (uint32_t i = 0; i < box.control.n_buckets; i++)
		for (int slot = 0; slot < NATVI_BUCKET_SLOTS; slot++)
			n += tag_free(&box.buckets[i].tag[slot], box.control.sweep);
	return n;
}

/* Load */

static void test_nominal_load(void **state)
{
	uint32_t full = 0;

	for (uint32_t n = 0; n < FLOWS_N; n++) {
		struct tuple key = nth(n);
		__s64 handle = insert(&key);

		full += handle == -ENOSPC_;
		if (handle >= 0)
			assert_int_equal(table_find(&key), handle);
	}
	assert_in_range(full, 0, FLOWS_N / 10000);
	assert_int_equal(LIVE(), FLOWS_N - full);
	for (uint32_t n = 0; n < FLOWS_N; n++) {
		struct tuple key = nth(n);
		__u32 slot = 99;

		if (table_find(&key) < 0)
			continue;
		assert_true(table_insert(&key) < 0);
		assert_non_null(flow_lookup(&key, &box.control, &slot));
		assert_true(slot < NATVI_BUCKET_SLOTS);
		key = nth(FLOWS_N + n);
		assert_int_equal(table_find(&key), -1);
		assert_null(flow_lookup(&key, &box.control, &slot));
	}
	assert_int_equal(USED(), FLOWS_N - full);
}

static void test_bury_and_free(void **state)
{
	for (uint32_t n = 0; n < SESSIONS; n++) {
		struct tuple key = nth(n);

		assert_true(insert(&key) >= 0);
	}
	for (uint32_t n = 0; n < SESSIONS; n += 2) {
		struct tuple key = nth(n);

		assert_true(bury(&key));
		assert_false(bury(&key));
		assert_int_equal(table_find(&key), -1);
	}
	assert_int_equal(free_rested(), 0);	/* one pass later it may still be read */
	assert_int_equal(free_rested(), SESSIONS / 2);
	assert_int_equal(free_rested(), 0);
	for (uint32_t n = 0; n < SESSIONS; n++) {
		struct tuple key = nth(n);

		assert_int_equal(table_find(&key) >= 0, n & 1);
		if (!(n & 1))
			assert_true(insert(&key) >= 0);
	}
	assert_int_equal(LIVE(), SESSIONS);
}

/* Sessions come and go at nine tenths of the load, a sweep now and then: hardly one finds no room. */
static void test_churn(void **state)
{
	uint32_t live = FLOWS_N * 9 / 10, full = 0;

	for (uint32_t n = 0; n < live; n++) {
		struct tuple key = nth(n);

		assert_true(insert(&key) >= 0);
	}
	for (uint32_t n = 0; n < 3 * live; n++) {
		struct tuple old = nth(n), key = nth(n + live);

		bury(&old);
		full += insert(&key) == -ENOSPC_;
		if (n % 2000 == 0)
			free_rested();
	}
	assert_in_range(full, 0, 3 * live / 1000);
}

static void test_mappings_load(void **state)
{
	struct mapping value = { .refs = 1 };
	uint32_t full = 0;

	for (uint32_t n = 0; n < 2 * SESSIONS; n++) {
		struct mapping_key key = nth_mapping(n);

		value.since_s = n;
		full += mapping_put(&key, &value) == -ENOSPC_;
	}
	assert_int_equal(full, 0);
	for (uint32_t n = 0; n < 2 * SESSIONS; n++) {
		struct mapping_key key = nth_mapping(n);
		struct mapping *m = mapping_get(&key);

		assert_non_null(m);
		assert_int_equal(m->since_s, n);
		assert_int_equal(mapping_put(&key, &value), -EEXIST_);
	}
	for (uint32_t n = 0; n < 2 * SESSIONS; n++) {
		struct mapping_key key = nth_mapping(n);

		assert_int_equal(mapping_cut(&key), 0);
		assert_int_equal(mapping_cut(&key), -ENOENT_);
		assert_null(mapping_get(&key));
	}
}

/* Two keys of one bucket with the same 30 bits of hash are still two keys. */
static void test_same_tag(void **state)
{
	struct tuple a = nth(1), b = nth(2);
	struct bucket *bucket;
	__s64 handle;
	__u32 slot, at = 99;

	handle = insert(&a);
	bucket = handle_bucket(handle, &slot);
	for (__u32 i = 0; i < 2; i++) {		/* twice: before and behind it */
		__u32 other = slot == 0 || i ? slot + 1 : slot - 1;

		if (other >= NATVI_BUCKET_SLOTS)
			continue;
		bucket->flow[other].key = b;
		bucket->tag[other] = bucket->tag[slot];
		assert_int_equal(table_find(&a), handle);
		assert_ptr_equal(flow_lookup(&a, &box.control, &at), bucket);
		assert_int_equal(at, slot);
		assert_int_equal(table_insert(&a), -EEXIST_);
		bucket->tag[other] = TAG_FREE;
	}
	bucket->flow[slot].key = b;
	assert_int_equal(table_find(&a), -1);
}

/* Threads */

static pthread_barrier_t barrier;
static uint8_t wins[THREADS][FLOWS_N];

static void *insert_all(void *arg)
{
	uint8_t *mine = arg;

	for (uint32_t n = 0; n < FLOWS_N / 2; n++) {
		struct tuple key = nth(n);
		__s64 handle;
		struct bucket *b;
		__u32 slot;

		if (n % 64 == 0)
			pthread_barrier_wait(&barrier);
		handle = table_insert(&key);
		if (handle < 0)
			continue;
		b = handle_bucket(handle, &slot);
		for (volatile int spin = 0; spin < (int)(n % 50); spin++)	/* the other half of a session is made here */
			;
		tag_publish(&b->tag[slot]);
		mine[n]++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	uint32_t nobody = 0;

	memset(wins, 0, sizeof(wins));
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, insert_all, wins[i]), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&barrier);
	for (uint32_t n = 0; n < FLOWS_N / 2; n++) {
		struct tuple key = nth(n);
		int winners = 0;

		for (int i = 0; i < THREADS; i++)
			winners += wins[i][n];
		assert_in_range(winners, 0, 1);
		assert_int_equal(table_find(&key) >= 0, winners);
		if (!winners) {		/* they met and all withdrew: the next packet does it */
			nobody++;
			assert_true(insert(&key) >= 0);
		}
	}
	assert_int_equal(LIVE(), FLOWS_N / 2);
	assert_int_equal(USED(), FLOWS_N / 2);
	assert_in_range(nobody, 0, FLOWS_N / 2 / 10);
}

/* Sessions */

static void draft(uint32_t n)
{
	struct draft *d = &cpu->draft;

	memset(d, 0, sizeof(*d));
	d->orig = nth(n);
	d->out = d->orig;
	d->out.src.word[3] = htonl(0xcb007101);
	d->out.sport = htons(2000 + n);
	tuple_reverse(&d->reply, &d->out);
	d->idle_s = 300;
	d->pool = d->dst_pool = POOL_NONE;
}

static void test_session(void **state)
{
	struct tuple reply;
	struct bucket *b;
	__s64 handle;
	__u32 slot;

	draft(1);
	reply = cpu->draft.reply;
	handle = session_insert(cpu);
	assert_true(handle >= 0);
	assert_int_equal(box.usage.sessions, 1);
	assert_int_equal(LIVE(), 2);
	b = handle_bucket(handle, &slot);
	assert_true(b->flow[slot].flags & FLOW_ORIG);
	assert_int_equal(b->flow[slot].last_seen_s, NOW_S);
	b = handle_bucket(table_find(&reply), &slot);
	assert_false(b->flow[slot].flags & FLOW_ORIG);
	assert_int_equal(session_end(table_find(&reply), cpu, END_FLUSHED), 0);	/* by either direction */
	assert_int_equal(session_end(handle, cpu, END_FLUSHED), -ENOENT_);
	assert_int_equal(box.usage.sessions, 0);
	assert_int_equal(LIVE(), 0);
}

static void test_session_reply_taken(void **state)
{
	draft(1);
	assert_true(session_insert(cpu) >= 0);
	draft(2);
	cpu->draft.reply.dport = htons(2001);	/* the outside port of the first */
	cpu->draft.reply.src = nth(1).dst;
	assert_int_equal(session_insert(cpu), -EREPLY_);
	assert_int_equal(USED(), 2);
	assert_int_equal(box.usage.sessions, 1);
}

static void test_session_orig_taken(void **state)
{
	draft(1);
	assert_true(session_insert(cpu) >= 0);
	draft(1);
	cpu->draft.out.sport = htons(9999);
	tuple_reverse(&cpu->draft.reply, &cpu->draft.out);
	assert_int_equal(session_insert(cpu), -EEXIST_);
	assert_int_equal(USED(), 2);
	assert_int_equal(box.usage.sessions, 1);
}

/* A socket that talks to its own outside address: one flow is both directions. */
static void test_session_one_key(void **state)
{
	struct bucket *b;
	__s64 handle;
	__u32 slot;

	draft(1);
	cpu->draft.reply = cpu->draft.orig;
	tuple_reverse(&cpu->draft.out, &cpu->draft.reply);
	handle = session_insert(cpu);
	assert_true(handle >= 0);
	assert_int_equal(LIVE(), 1);
	assert_int_equal(box.usage.sessions, 1);
	b = handle_bucket(handle, &slot);
	assert_true(b->flow[slot].flags & FLOW_ORIG);
	draft(1);
	cpu->draft.reply = cpu->draft.orig;
	assert_true(session_insert(cpu) < 0);
	assert_int_equal(box.usage.sessions, 1);
	assert_int_equal(session_end(handle, cpu, END_FLUSHED), 0);
	assert_int_equal(session_end(handle, cpu, END_FLUSHED), -ENOENT_);
	assert_int_equal(LIVE(), 0);
	assert_int_equal(box.usage.sessions, 0);
}

static void test_session_limit(void **state)
{
	box.control.max_sessions = 3;
	for (int n = 1; n <= 3; n++) {
		draft(n);
		assert_true(session_insert(cpu) >= 0);
	}
	draft(4);
	assert_int_equal(session_insert(cpu), -ENOSPC_);
	assert_int_equal(USED(), 6);
	assert_int_equal(box.usage.sessions, 3);
}

/* No slot left: whichever of the two is refused, nothing stays. */
static void test_session_full(void **state)
{
	box.control.n_buckets = 3;
	for (int n = 1; ; n++) {
		uint32_t used = USED(), sessions = box.usage.sessions;
		__s64 handle;

		draft(n);
		handle = session_insert(cpu);
		if (handle >= 0)
			continue;
		assert_int_equal(handle, -ENOSPC_);
		assert_int_equal(USED(), used);
		assert_int_equal(box.usage.sessions, sessions);
		assert_int_equal(LIVE(), used);
		if (used >= 3 * NATVI_BUCKET_SLOTS - 1 || n > 10000)
			break;
	}
	assert_in_range(USED(), 3 * NATVI_BUCKET_SLOTS - 1, 3 * NATVI_BUCKET_SLOTS);
}

static void test_session_stale(void **state)
{
	struct tuple reply;
	struct bucket *b;
	__s64 handle;
	__u32 slot;

	draft(1);
	reply = cpu->draft.reply;
	handle = session_insert(cpu);
	cpu->meta.now_s = NOW_S + 300;
	assert_int_equal(session_stale(handle, cpu), 0);
	cpu->meta.now_s = NOW_S + 301;
	assert_int_equal(session_stale(handle, cpu), 1);
	b = handle_bucket(table_find(&reply), &slot);
	b->flow[slot].last_seen_s = NOW_S + 1;	/* the other side has been seen since */
	assert_int_equal(session_stale(handle, cpu), 0);
	assert_int_equal(session_stale(table_find(&reply), cpu), 0);
	cpu->meta.now_s = NOW_S + 302;
	assert_int_equal(session_stale(table_find(&reply), cpu), 1);
}

/* The clock starts near its end: seconds go round. */
static void test_session_clock_wraps(void **state)
{
	__s64 handle;

	cpu->meta.now_s = 0xffffffffu - 10;
	draft(1);
	handle = session_insert(cpu);
	cpu->meta.now_s += 300;
	assert_int_equal(session_stale(handle, cpu), 0);
	cpu->meta.now_s += 1;
	assert_int_equal(session_stale(handle, cpu), 1);
}

/* Mappings */

static int delete_mapping(const struct mapping_key *inside)
{
	cpu->draft.key = *inside;
	return mapping_delete(cpu);
}

static void make_mapping(uint16_t port)
{
	struct draft *d = &cpu->draft;

	draft(port);
	mapping_inside_key(&d->key, &d->orig.src, d->orig.sport, 0, IPPROTO_UDP, 0);
	mapping_outside_key(&d->back, &d->out.src, htons(port), 0, IPPROTO_UDP);
	memset(&d->value, 0, sizeof(d->value));
	d->value.addr = d->out.src;
	d->value.port = htons(port);
	d->value.refs = 1;
	d->value.since_s = NOW_S;
	assert_int_equal(port_claim(0, PORTBITS_UDP, port, 1), port);
}

static bool port_is_taken(uint16_t port)
{
	return bits[PORTBITS_UDP].word[port >> 6] >> (port & 63) & 1;
}

static void sweep_at(uint32_t now_s, uint32_t rest_s)
{
	struct sweep_state s = { .cpu = cpu, .now_s = now_s, .rest_s = rest_s, .sweep = ++box.control.sweep };

	env_loop(box.control.n_mapping_buckets, sweep_mapping_bucket, &s);
}

static void test_mapping_life(void **state)
{
	struct mapping_key inside, outside;
	struct mapping *m;

	make_mapping(4000);
	inside = cpu->draft.key;
	outside = cpu->draft.back;
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	assert_int_equal(box.usage.mappings, 1);
	m = mapping_get(&inside);
	assert_non_null(m);
	assert_non_null(mapping_get(&outside));
	assert_memory_equal(&mapping_get(&outside)->addr, &inside.addr, sizeof(inside.addr));

	assert_true(mapping_hold(m));
	assert_int_equal(m->refs, 2);
	assert_int_equal(delete_mapping(&inside), -EBUSY_);
	sweep_at(NOW_S + 10000, 120);
	assert_non_null(mapping_get(&inside));

	mapping_release(&inside, NOW_S + 5);
	mapping_release(&inside, NOW_S + 10);
	sweep_at(NOW_S + 10 + 120, 120);	/* it rests: whole seconds, so one more makes it 120 s at least */
	assert_non_null(mapping_get(&inside));
	assert_true(port_is_taken(4000));
	sweep_at(NOW_S + 10 + 121, 120);
	assert_null(mapping_get(&inside));
	assert_null(mapping_get(&outside));
	assert_false(port_is_taken(4000));
	assert_int_equal(box.usage.mappings, 0);
	assert_false(mapping_hold(m));		/* who still has a pointer to it */
}

static void test_mapping_twice(void **state)
{
	make_mapping(4000);
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	port_free(&bits[PORTBITS_UDP], 4000);
	make_mapping(4000);
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), -EEXIST_);
	assert_int_equal(box.usage.mappings, 1);
}

/* The OUTSIDE entry is taken: the INSIDE one does not stay. */
static void test_mapping_rollback(void **state)
{
	struct mapping_key inside;

	make_mapping(4000);
	assert_int_equal(mapping_put(&cpu->draft.back, &cpu->draft.value), 0);
	inside = cpu->draft.key;
	assert_int_not_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	assert_null(mapping_get(&inside));
	assert_int_equal(box.usage.mappings, 0);
}

static void test_mapping_limit(void **state)
{
	box.control.max_mappings = 1;
	make_mapping(4000);
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	make_mapping(4001);
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), -ENOSPC_);
	assert_null(mapping_get(&cpu->draft.key));
	assert_int_equal(box.usage.mappings, 1);
}

static void test_mapping_static(void **state)
{
	struct mapping_key inside;

	make_mapping(4000);
	cpu->draft.value.flags = MAPPING_STATIC;
	cpu->draft.value.refs = 0;
	inside = cpu->draft.key;
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	assert_int_equal(delete_mapping(&inside), -EBUSY_);
	sweep_at(NOW_S + 100000, 120);
	assert_non_null(mapping_get(&inside));
	assert_true(port_is_taken(4000));
}

static void test_permit(void **state)
{
	union addr remote = nth(3).dst, other = nth(4).dst;

	make_mapping(4000);
	cpu->draft.out.dst = remote;
	cpu->draft.slot = 0;
	cpu->draft.map_proto = IPPROTO_UDP;
	assert_true(permit_hold(&cpu->draft, NOW_S));
	assert_true(permit_hold(&cpu->draft, NOW_S));
	assert_true(permit_given(&cpu->draft, &remote, cpu->draft.out.sport, 0, cpu->draft.out.proto));
	assert_false(permit_given(&cpu->draft, &other, cpu->draft.out.sport, 0, cpu->draft.out.proto));
	assert_false(permit_given(&cpu->draft, &remote, htons(1), 0, cpu->draft.out.proto));
	mapping_permit_key(&cpu->draft.back, &remote, cpu->draft.out.sport, 0, cpu->draft.out.proto);
	holder_release(&cpu->draft.back);
	assert_true(permit_given(&cpu->draft, &remote, cpu->draft.out.sport, 0, cpu->draft.out.proto));
	holder_release(&cpu->draft.back);
	assert_false(permit_given(&cpu->draft, &remote, cpu->draft.out.sport, 0, cpu->draft.out.proto));
	assert_true(permit_hold(&cpu->draft, NOW_S));	/* and again */
}

/* A mapping for TCP and UDP together has a port of both, and gives both back. */
static void test_mapping_shared(void **state)
{
	struct mapping_key inside;

	make_mapping(4000);
	assert_int_equal(port_claim(0, PORTBITS_TCP, 4000, 1), 4000);
	cpu->draft.key.proto = cpu->draft.back.proto = 0;
	inside = cpu->draft.key;
	assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	assert_int_equal(delete_mapping(&inside), -EBUSY_);
	mapping_release(&inside, NOW_S);
	assert_int_equal(delete_mapping(&inside), 0);
	for (int proto = 0; proto < PORTBITS_PROTOS; proto++)
		for (int w = 0; w < NATVI_PORT_WORDS; w++)
			assert_int_equal(bits[proto].word[w], 0);
	assert_int_equal(box.usage.mappings, 0);
}

/* A host's address is held by its mappings, and goes with the last of them. */
static void test_mapping_paired(void **state)
{
	struct mapping host = { .refs = 2, .pool = 0 };
	union addr addr = nth(1).src;
	struct mapping_key inside[2], k;

	for (int i = 0; i < 2; i++) {
		make_mapping(4000 + i);
		cpu->draft.key.addr = addr;
		cpu->draft.value.flags = MAPPING_PAIRED;
		inside[i] = cpu->draft.key;
		assert_int_equal(mapping_insert(&cpu->draft, &box.control, &box.usage), 0);
	}
	mapping_host_key(&k, &addr, 0, 0);
	assert_int_equal(mapping_put(&k, &host), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mapping_get(&k)->refs, 2 - i);
		mapping_release(&inside[i], NOW_S);
		assert_int_equal(delete_mapping(&inside[i]), 0);
	}
	assert_null(mapping_get(&k));
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nominal_load), TEST(test_bury_and_free), TEST(test_churn), TEST(test_mappings_load), TEST(test_same_tag),
		TEST(test_threads), TEST(test_session), TEST(test_session_reply_taken), TEST(test_session_orig_taken),
		TEST(test_session_one_key), TEST(test_session_limit), TEST(test_session_full), TEST(test_session_stale),
		TEST(test_session_clock_wraps), TEST(test_mapping_life), TEST(test_mapping_twice), TEST(test_mapping_rollback),
		TEST(test_mapping_limit), TEST(test_mapping_static), TEST(test_permit),
		TEST(test_mapping_shared), TEST(test_mapping_paired),
	};

	return cmocka_run_group_tests_name("dp_table", tests, NULL, NULL);
}
