/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_csum.c - checksums changed by difference against sums over all bytes, over many random changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dp/csum.h"

#define ROUNDS	20000
#define WORDS	32

static uint16_t data[WORDS];

/* RFC 1071, the slow way: one carry at a time. */
static uint16_t naive_sum(void)
{
	uint32_t sum = 0;

	for (int i = 0; i < WORDS; i++) {
		sum += data[i];
		if (sum > 0xffff)
			sum = (sum & 0xffff) + 1;
	}
	return (uint16_t)sum;
}

static uint16_t naive_check(void)
{
	return (uint16_t)~naive_sum();
}

/* Values at the edges more often than chance would have it. */
static uint16_t some16(void)
{
	static const uint16_t edges[] = { 0, 1, 0xffff, 0xfffe, 0x8000, 0x7fff, 0x00ff, 0xff00 };

	return rand() % 4 ? (uint16_t)rand() : edges[rand() % 8];
}

static uint32_t some32(void)
{
	return (uint32_t)some16() << 16 | some16();
}

static int fill(void **state)
{
	srand(4711);
	for (int i = 0; i < WORDS; i++)
		data[i] = some16();
	data[WORDS - 1] = 0x4500;	/* never all zero, as no header is */
	return 0;
}

static void test_fold(void **state)
{
	assert_int_equal(csum_fold(0), 0);
	assert_int_equal(csum_fold(0xffff), 0xffff);
	assert_int_equal(csum_fold(0x10000), 1);
	assert_int_equal(csum_fold(0x1fffe), 0xffff);
	assert_int_equal(csum_fold(~0ull), 0xffff);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t x = (uint64_t)some32() << 32 | some32();
		uint16_t got = csum_fold(x);

		assert_int_equal(got % 0xffff, x % 0xffff);
		assert_true(got != 0 || x == 0);	/* what is not zero folds to 0xffff, not to zero */
	}
}

static void test_words16(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t before = naive_check(), to = some16();
		int at = rand() % (WORDS - 1);
		uint16_t delta = csum_delta16(data[at], to);

		data[at] = to;
		assert_int_equal(csum_apply(before, delta), naive_check());
	}
}

static void test_words32(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t before = naive_check();
		uint32_t from, to = some32();
		int at = rand() % (WORDS - 2);

		memcpy(&from, &data[at], sizeof(from));
		memcpy(&data[at], &to, sizeof(to));
		assert_int_equal(csum_apply(before, csum_delta32(from, to)), naive_check());
	}
}

static void test_addresses(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t before = naive_check();
		union addr from, to;

		memcpy(&from, &data[4], sizeof(from));
		for (int w = 0; w < 4; w++)
			to.word[w] = some32();
		memcpy(&data[4], &to, sizeof(to));
		assert_int_equal(csum_apply(before, csum_delta_addr(&from, &to)), naive_check());
	}
}

/* What a session does: two addresses, two ports, in one go; and the way back undoes it. */
static void test_both_ways(void **state)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t before = naive_check(), ports = 0, addrs = 0, original[WORDS];

		memcpy(original, data, sizeof(data));
		for (int w = 0; w < 2; w++) {
			uint32_t from, to = some32();
			uint16_t port = some16();

			memcpy(&from, &data[2 * w], sizeof(from));
			memcpy(&data[2 * w], &to, sizeof(to));
			addrs = w ? csum_add(addrs, csum_delta32(from, to)) : csum_delta32(from, to);
			ports = w ? csum_add(ports, csum_delta16(data[8 + w], port)) : csum_delta16(data[8 + w], port);
			data[8 + w] = port;
		}
		assert_int_equal(csum_apply(before, csum_add(addrs, ports)), naive_check());
		assert_int_equal(csum_apply2(before, addrs, ports), naive_check());
		before = naive_check();
		memcpy(data, original, sizeof(data));
		assert_int_equal(csum_apply2(before, (uint16_t)~addrs, (uint16_t)~ports), naive_check());
	}
}

static void test_ttl(void **state)
{
	uint8_t *ttl = (uint8_t *)&data[6];

	for (int i = 0; i < ROUNDS; i++) {
		uint16_t before;

		data[6] = some16();
		if (!*ttl)
			continue;
		before = naive_check();
		--*ttl;
		assert_int_equal(csum_apply2(before, 0xffff, CSUM_TTL_DELTA), naive_check());
		assert_int_equal(csum_apply(before, CSUM_TTL_DELTA), naive_check());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_fold, fill),
		cmocka_unit_test_setup(test_words16, fill),
		cmocka_unit_test_setup(test_words32, fill),
		cmocka_unit_test_setup(test_addresses, fill),
		cmocka_unit_test_setup(test_both_ways, fill),
		cmocka_unit_test_setup(test_ttl, fill),
	};

	return cmocka_run_group_tests_name("dp_csum", tests, NULL, NULL);
}
