/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* links: daemon/addrs.c */
/* Slots of outside addresses, and bitmaps of their ports. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/mapping.h"
#include "daemon/addrs.h"

#define A slot_face(0xc0000201, 0)	/* 192.0.2.1; the next one is the same address in another zone */

static void slots_are_given_and_kept(void **state)
{
	uint64_t first[] = { A, A + 1, A + 5 }, second[] = { A + 1, A + 2, A + 5 };
	uint32_t got[3], again[3], missing;
	struct slots slots;

	assert_int_equal(slots_init(&slots, 4), 0);
	assert_int_equal(slots_assign(&slots, first, 3, got, &missing), 0);
	assert_int_not_equal(got[0], got[1]);
	assert_int_not_equal(got[1], got[2]);
	assert_true(slots.list[got[0]].fresh && slots.list[got[0]].state == SLOT_USED);
	for (uint32_t i = 0; i < 4; i++)
		slots.list[i].fresh = false;

	assert_int_equal(slots_assign(&slots, second, 3, again, &missing), 0);
	assert_int_equal(again[0], got[1]);
	assert_int_equal(again[2], got[2]);
	assert_int_equal(slots.list[got[0]].state, SLOT_DRAINING);
	assert_int_not_equal(again[1], got[0]);		/* a draining slot is nobody's yet */
	assert_true(slots.list[again[1]].fresh);
	assert_false(slots.list[again[0]].fresh);

	assert_int_equal(slots_assign(&slots, first, 2, again, &missing), 0);
	assert_int_equal(again[0], got[0]);		/* and its own when it comes back */
	assert_false(slots.list[again[0]].fresh);
	slots_free(&slots);
}

static void slots_run_out(void **state)
{
	uint64_t faces[] = { A, A + 1, A + 2, A + 3 };
	uint32_t got[4], missing;
	struct slots slots;

	assert_int_equal(slots_init(&slots, 2), 0);
	assert_int_equal(slots_assign(&slots, faces, 4, got, &missing), -ENOSPC);
	assert_int_equal(missing, 2);
	slots_free(&slots);
}

static void slots_come_back_from_tables(void **state)
{
	uint64_t faces[] = { A, A + 1 };
	uint32_t got[2], missing;
	struct slots slots;

	assert_int_equal(slots_init(&slots, 3), 0);
	assert_int_equal(slots_adopt(&slots, A + 1, 2), 0);
	assert_int_equal(slots_adopt(&slots, A + 1, 2), 0);
	assert_int_equal(slots_adopt(&slots, A, 2), -EEXIST);
	assert_int_equal(slots_adopt(&slots, A, 3), -ERANGE);
	assert_int_equal(slots_assign(&slots, faces, 2, got, &missing), 0);
	assert_int_equal(got[1], 2);
	assert_int_not_equal(got[0], 2);
	slots_free(&slots);
}

static unsigned int count(const struct portset *set)
{
	unsigned int n = 0;

	for (unsigned int port = 0; port < 65536; port++)
		n += portset_has(set, (uint16_t)port);
	return n;
}

static void ports_are_reserved(void **state)
{
	struct cfg_ports allowed[] = { { 1024, 2047 }, { 5000, 5000 }, { 60000, 65535 } };
	struct portset set;

	portset_reserved(&set, NULL, 0, false, 32768, 60999);
	assert_int_equal(count(&set), 1);
	assert_true(portset_has(&set, 0));

	portset_reserved(&set, NULL, 0, true, 32768, 60999);
	assert_int_equal(count(&set), 1 + 60999 - 32768 + 1);
	assert_false(portset_has(&set, 32767));
	assert_true(portset_has(&set, 32768));
	assert_true(portset_has(&set, 60999));
	assert_false(portset_has(&set, 61000));

	portset_reserved(&set, allowed, 3, false, 0, 0);
	assert_int_equal(count(&set), 65536 - 1024 - 1 - 5536);
	assert_true(portset_has(&set, 1023));
	assert_false(portset_has(&set, 1024));
	assert_false(portset_has(&set, 2047));
	assert_true(portset_has(&set, 2048));
	assert_false(portset_has(&set, 5000));
	assert_false(portset_has(&set, 65535));

	portset_reserved(&set, allowed, 3, true, 60000, 60999);
	assert_true(portset_has(&set, 60000));
	assert_false(portset_has(&set, 61000));
}

static void every_range_is_exact(void **state)
{
	static const uint16_t edges[] = { 0, 1, 62, 63, 64, 65, 127, 128, 1000, 65471, 65472, 65534, 65535 };
	struct portset set;

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (size_t j = i; j < sizeof(edges) / sizeof(edges[0]); j++) {
			memset(&set, 0, sizeof(set));
			portset_add(&set, edges[i], edges[j]);
			assert_int_equal(count(&set), edges[j] - edges[i] + 1);
			assert_true(portset_has(&set, edges[i]) && portset_has(&set, edges[j]));
			portset_remove(&set, edges[i], edges[j]);
			assert_int_equal(count(&set), 0);
		}
}

static bool summary_true(const struct portbits *bits)
{
	for (unsigned int w = 0; w < NATVI_PORT_WORDS; w++)
		if ((bits->summary[w >> 6] >> (w & 63) & 1) != (bits->word[w] == ~0ull))
			return false;
	return true;
}

static void summary_follows(void **state)
{
	struct portbits *bits = calloc(1, sizeof(*bits));

	assert_non_null(bits);
	portbits_take(bits, 5, 0xffffffffull);
	assert_true(summary_true(bits));
	portbits_take(bits, 5, ~0ull);
	assert_int_equal(bits->summary[0], 1u << 5);
	portbits_take(bits, 1023, ~0ull);
	assert_true(summary_true(bits));
	portbits_release(bits, 5, 1);
	assert_int_equal(bits->summary[0], 0);
	assert_true(summary_true(bits));
	portbits_wipe(bits);
	assert_true(summary_true(bits));
	free(bits);
}

/* As the datapath does it, at the same time, to the same word. */
static void *claim_and_free(void *arg)
{
	struct portbits *bits = arg;

	for (int i = 0; i < 200000; i++) {
		if (__atomic_fetch_or(&bits->word[7], 1ull, __ATOMIC_SEQ_CST) & 1)
			continue;
		if (__atomic_load_n(&bits->word[7], __ATOMIC_SEQ_CST) == ~0ull)
			__atomic_fetch_or(&bits->summary[0], 1ull << 7, __ATOMIC_SEQ_CST);
		__atomic_fetch_and(&bits->word[7], ~1ull, __ATOMIC_SEQ_CST);
		__atomic_fetch_and(&bits->summary[0], ~(1ull << 7), __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void no_bit_is_lost_beside_the_datapath(void **state)
{
	struct portbits *bits = calloc(1, sizeof(*bits));
	pthread_t other;

	assert_non_null(bits);
	assert_int_equal(pthread_create(&other, NULL, claim_and_free, bits), 0);
	for (int i = 0; i < 200000; i++) {
		portbits_take(bits, 7, ~1ull);
		assert_int_equal(bits->word[7] | 1, ~0ull);
		portbits_release(bits, 7, 0xff00ull);
	}
	pthread_join(other, NULL);
	assert_int_equal(bits->word[7], ~0xff01ull);
	portbits_take(bits, 7, 0xff00ull);
	assert_int_equal(bits->word[7], ~1ull);
	assert_int_equal(bits->summary[0] & 1u << 7, 0);
	free(bits);
}

static void protocols_with_ports(void **state)
{
	assert_int_equal(portbits_proto_of(IPPROTO_TCP), PORTBITS_TCP);
	assert_int_equal(portbits_proto_of(IPPROTO_UDP), PORTBITS_UDP);
	assert_int_equal(portbits_proto_of(IPPROTO_ICMP), PORTBITS_ICMP);
	assert_int_equal(portbits_proto_of(IPPROTO_ESP), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_given_and_kept),
		cmocka_unit_test(slots_run_out),
		cmocka_unit_test(slots_come_back_from_tables),
		cmocka_unit_test(ports_are_reserved),
		cmocka_unit_test(every_range_is_exact),
		cmocka_unit_test(summary_follows),
		cmocka_unit_test(no_bit_is_lost_beside_the_datapath),
		cmocka_unit_test(protocols_with_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
