/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_claim.c - ports in bitmaps: every port once, classes, parity, the summary, nearly full, many threads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/env_native.h"

#include "dp/claim.h"

#define HIGH_PORTS	(65536 - 1024)
#define THREADS		4

static struct native box;
static struct portbits bits[PORTBITS_PROTOS];
static struct portbits *const udp = &bits[PORTBITS_UDP];

static int clear(void **state)
{
	memset(bits, 0, sizeof(bits));
	memset(&box, 0, sizeof(box));
	box.portbits = bits;
	box.control.n_slots = 1;
	box.random = 0x123456789abcdef;
	native_current = &box;
	srand(1);
	return 0;
}

static bool is_set(const struct portbits *b, uint32_t port)
{
	return b->word[port >> 6] >> (port & 63) & 1;
}

static void check_summary(const struct portbits *b)
{
	for (uint32_t w = 0; w < NATVI_PORT_WORDS; w++)
		assert_int_equal(b->summary[w >> 6] >> (w & 63) & 1, b->word[w] == ~0ull);
}

static void fill_all_but(struct portbits *b, uint32_t port)
{
	memset(b, 0xff, sizeof(*b));
	port_free(b, port);
}

static int claim(uint32_t want, uint32_t preserve)
{
	return port_claim(0, PORTBITS_UDP, want, preserve);
}

static void test_every_port_once(void **state)
{
	static uint8_t seen[65536];

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < HIGH_PORTS; i++) {
		int port = claim(4000, 0);

		assert_in_range(port, 1024, 65535);
		assert_int_equal(seen[port]++, 0);
		if (i % 4096 == 0)
			check_summary(udp);
	}
	assert_int_equal(claim(4000, 0), -1);
	assert_int_equal(claim(4000, 1), -1);
	check_summary(udp);
	for (int w = 0; w < 16; w++)
		assert_int_equal(udp->word[w], 0);	/* the low class is untouched */
}

static void test_low_class(void **state)
{
	static uint8_t seen[65536];

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 1024; i++) {
		int port = claim(500, 0);

		assert_in_range(port, 0, 1023);
		assert_int_equal(seen[port]++, 0);
	}
	assert_in_range(claim(500, 0), 1024, 65535);	/* better a high one than none */
	assert_in_range(claim(500, 1), 1024, 65535);
}

static void test_preserve(void **state)
{
	int other;

	for (uint32_t port = 0; port < 65536; port += 257) {
		assert_int_equal(claim(port, 1), port);
		assert_true(is_set(udp, port));
		other = claim(port, 1);
		assert_int_not_equal(other, port);
		port_free(udp, (uint32_t)other);
	}
	assert_int_equal(port_claim(0, PORTBITS_TCP, 257, 1), 257);	/* its own bitmap */
	assert_int_equal(port_claim(0, PORTBITS_ICMP, 0, 1), 0);
}

static void test_parity(void **state)
{
	int kept = 0;

	for (int i = 0; i < 20000; i++)
		kept += (claim(5001, 0) & 1) == 1;
	assert_int_equal(kept, 20000);
	clear(state);
	for (int i = 0; i < 20000; i++)
		kept += (claim(5000, 0) & 1) == 0;
	assert_int_equal(kept, 40000);
}

static void test_give_back(void **state)
{
	fill_all_but(udp, 5000);
	check_summary(udp);
	assert_int_equal(claim(4000, 0), 5000);
	check_summary(udp);
	for (int i = 0; i < 5000; i++) {
		uint32_t port = 1024 + (uint32_t)rand() % HIGH_PORTS;

		port_free(udp, port);
		assert_false(is_set(udp, port));
		check_summary(udp);
		assert_int_equal(claim((uint32_t)rand() & 0xffff, 0), port);
	}
}

/* With 64 of 64,512 ports left, whichever they are, a search finds one; and in the end the last. */
static void test_nearly_full(void **state)
{
	for (int round = 0; round < 100; round++) {
		fill_all_but(udp, 1024 + (uint32_t)rand() % HIGH_PORTS);
		for (int i = 0; i < 63; i++)
			port_free(udp, 1024 + (uint32_t)rand() % HIGH_PORTS);
		for (;;) {
			static struct portbits before;
			int port;

			before = *udp;
			port = claim(1024 + (uint32_t)rand() % HIGH_PORTS, rand() % 2);
			if (port < 0)
				break;
			assert_false(is_set(&before, (uint32_t)port));
		}
		for (uint32_t w = 16; w < NATVI_PORT_WORDS; w++)
			assert_true(udp->word[w] == ~0ull);
	}
}

static void test_bad_arguments(void **state)
{
	assert_int_equal(port_claim(1, PORTBITS_UDP, 4000, 1), -1);
	assert_int_equal(port_claim(0, PORTBITS_PROTOS, 4000, 1), -1);
	assert_int_equal(port_claim(0, PORTBITS_UDP, 65536, 1), -1);
	assert_int_equal(port_pick(1, PORTBITS_UDP, 4000, PORT_ANYWHERE, 0), -1);
	assert_int_equal(port_pick(0, PORTBITS_UDP, 65536, PORT_ANYWHERE, 0), -1);
}

/* Pools that share ports: tries in turn see every port of the parity that is open, and no other. */
static void test_pick(void **state)
{
	static const struct { uint32_t lo, hi, want; } ranges[] = {
		{ 5000, 5009, 4000 }, { 5000, 5009, 4001 }, { 1024, 1087, 70 }, { 65530, 65535, 4000 }, { 100, 107, 500 },
		{ 6000, 6200, 4000 },
	};

	for (size_t r = 0; r < sizeof(ranges) / sizeof(ranges[0]); r++) {
		uint32_t last = PORT_ANYWHERE, want = ranges[r].want;
		static uint8_t seen[65536];
		uint32_t tries = ranges[r].hi - ranges[r].lo + 1;

		memset(seen, 0, sizeof(seen));
		memset(udp, 0xff, sizeof(*udp));
		for (uint32_t port = ranges[r].lo; port <= ranges[r].hi; port++)
			port_free(udp, port);
		for (uint32_t i = 0; i < tries; i++) {
			int port = port_pick(0, PORTBITS_UDP, want, last, 0);

			assert_in_range(port, ranges[r].lo, ranges[r].hi);
			assert_int_equal(port & 1, want & 1);
			seen[port] = 1;
			last = (uint32_t)port;
		}
		for (uint32_t port = ranges[r].lo; port <= ranges[r].hi; port++)
			assert_int_equal(seen[port], (port & 1) == (want & 1));
		check_summary(udp);
	}
}

static void test_pick_want(void **state)
{
	assert_int_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 0), 4000);
	assert_int_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 0), 4000);	/* it is not claimed */
	port_take(udp, 4000);
	assert_int_not_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 0), 4000);
	memset(udp, 0xff, sizeof(*udp));
	assert_int_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 1), -1);
	port_free(udp, 5001);
	assert_int_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 0), -1);
	assert_int_equal(port_pick(0, PORTBITS_UDP, 4000, PORT_ANYWHERE, 1), 5001);
}

/* With a range withheld, as on an address that the box uses too, ports are still spread over all others. */
static void test_spread(void **state)
{
	static uint32_t hits[NATVI_PORT_WORDS];

	for (int shared = 0; shared < 2; shared++) {
		clear(state);
		memset(hits, 0, sizeof(hits));
		for (uint32_t port = 32768; port < 61000; port++)
			port_take(udp, port);
		for (int i = 0; i < 20000; i++) {
			int port = shared ? port_pick(0, PORTBITS_UDP, 40000, PORT_ANYWHERE, 0) : claim(40000, 0);

			assert_true(port >= 1024 && (port < 32768 || port >= 61000));
			hits[port >> 6]++;
			if (!shared)
				port_free(udp, (uint32_t)port);
		}
		/* 569 words are open: 35 hits each if chance were fair, and the first behind the range has those of the last try */
		for (uint32_t w = 16; w < NATVI_PORT_WORDS; w++)
			assert_in_range(hits[w], 0, 20000 / 10);
		assert_true(hits[16] && hits[300] && hits[1000]);
	}
}

/* Threads */

static uint8_t taken[65536];

static void *claim_all(void *arg)
{
	long mine = 0;

	for (;;) {
		int port = claim(4000, 0);

		if (port < 0)
			return (void *)mine;
		__atomic_fetch_add(&taken[port], 1, __ATOMIC_RELAXED);
		mine++;
		if (mine % 16 == 0) {		/* give one back now and then */
			__atomic_fetch_sub(&taken[port], 1, __ATOMIC_RELAXED);
			port_free(udp, (uint32_t)port);
		}
	}
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];

	memset(taken, 0, sizeof(taken));
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, claim_all, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (uint32_t port = 0; port < 65536; port++) {
		assert_int_equal(taken[port], is_set(udp, port));
		assert_true(taken[port] <= 1);
	}
	/* what a race left behind in the summary is a hint at most: no port is lost for good */
	while (claim(4000, 0) >= 0)
		;
	for (uint32_t w = 16; w < NATVI_PORT_WORDS; w++)
		assert_true(udp->word[w] == ~0ull);
}

static void test_lowest_bit(void **state)
{
	for (uint32_t i = 0; i < 64; i++) {
		assert_int_equal(lowest_bit(1ull << i), i);
		assert_int_equal(lowest_bit(~0ull << i), i);
		assert_int_equal(lowest_bit(1ull << i | 1ull << 63), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lowest_bit, clear),
		cmocka_unit_test_setup(test_every_port_once, clear),
		cmocka_unit_test_setup(test_low_class, clear),
		cmocka_unit_test_setup(test_preserve, clear),
		cmocka_unit_test_setup(test_parity, clear),
		cmocka_unit_test_setup(test_give_back, clear),
		cmocka_unit_test_setup(test_nearly_full, clear),
		cmocka_unit_test_setup(test_bad_arguments, clear),
		cmocka_unit_test_setup(test_pick, clear),
		cmocka_unit_test_setup(test_pick_want, clear),
		cmocka_unit_test_setup(test_spread, clear),
		cmocka_unit_test_setup(test_threads, clear),
	};

	return cmocka_run_group_tests_name("dp_claim", tests, NULL, NULL);
}
