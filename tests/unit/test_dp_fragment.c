/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_fragment.c - fragments by the thousand on the native host: what passes of any series is each datagram's bytes once
 * and in order, with one identification; and the bounds of what waits and of what is begun.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/native_impl.h"
#include "lib/verdict.h"
#include "tests/frames.h"

#define IP4(a, b, c, d)	((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define OUTSIDE		IP4(203, 0, 113, 1)
#define SERVER		IP4(192, 0, 2, 9)
#define LAN		1
#define TAP		3
#define BEGIN_S		1000000u

static struct native_interface interfaces[] = {
	{ "lan0", LAN, { 2, 0, 0, 0, 0, 1 }, 1500, IP4(198, 18, 0, 1), 15, false },
	{ "wan0", 2, { 2, 0, 0, 0, 0, 2 }, 1500, OUTSIDE, 24, false },
	{ "tap0", TAP, { 2, 0, 0, 0, 0, 3 }, 1500, 0, 0, false },
};

static struct native_route routes[] = {
	{ {}, IP4(198, 18, 0, 0), 15, LAN, 0, true, { 2, 0, 0, 0, 0, 11 } },
	{ {}, 0, 0, 2, 0, true, { 2, 0, 0, 0, 0, 12 } },
};

static struct native *box;
static uint32_t now_s;

static int setup(void **state)
{
	static const char text[] = "interfaces: [lan0, wan0]\nlimits: {sessions: 30000}\n"
				   "rules: [{from: {interface: lan0}, to: {interface: wan0}, action: masquerade}]\n";
	struct native_net net = {
		.interfaces = interfaces, .n_interfaces = 3, .routes = routes, .n_routes = 2, .local_lo = 32768, .local_hi = 60999,
	};
	struct cfg_errors errors;
	struct config *config;
	char err[256] = "";

	assert_int_equal(config_read_text(text, strlen(text), "config", &config, &errors), 0);
	assert_int_equal(native_new(config, &net, &box, err, sizeof(err)), 0);
	config_free(config);
	cfg_errors_free(&errors);
	now_s = BEGIN_S;
	srand(11);
	return 0;
}

static int teardown(void **state)
{
	native_free(box);
	return 0;
}

/* Units [from, to) of eight bytes of a UDP datagram from src. */
static struct native_result piece(uint32_t src, uint16_t id, uint32_t from, uint32_t to, bool more)
{
	uint8_t f[14 + 20 + 2000] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 11, 8, 0, 0x45 }, *ip = f + 14;
	size_t len = (to - from) * 8;

	put16(ip + 2, 20 + (uint32_t)len);
	put16(ip + 4, id);
	put16(ip + 6, (more ? 0x2000 : 0) | from);
	ip[8] = 64;
	ip[9] = IPPROTO_UDP;
	put32(ip + 12, src);
	put32(ip + 16, SERVER);
	put16(ip + 10, (uint16_t)~sum(ip, 20, 0));
	if (!from) {
		put16(ip + 20, 4000);
		put16(ip + 22, 53);
		put16(ip + 24, 2000);
	}
	return native_run(box, LAN, f, 14 + 20 + len, now_s);
}

/* Model: what is known of a datagram. */
struct datagram {
	bool known, refused;
	uint32_t next, since_s, id;
};

static enum verdict model(struct datagram *d, uint32_t from, uint32_t to, bool more)
{
	if (!from) {
		if (d->known && now_s - d->since_s <= 1)
			return VERDICT_FRAGMENT_OVERLAP;
		*d = (struct datagram){ .known = more, .next = to, .since_s = now_s };
		return VERDICT_FORWARD;
	}
	if (!d->known || now_s - d->since_s > NATVI_FRAGMENT_LIVE_S)
		return VERDICT_FRAGMENT;
	if (d->refused)
		return VERDICT_FRAGMENT_OVERLAP;
	if (from < d->next) {
		d->refused = to > d->next;
		return VERDICT_FRAGMENT_OVERLAP;
	}
	if (from > d->next)
		return VERDICT_FRAGMENT;
	d->next = to;
	d->known = more;
	return VERDICT_FORWARD;
}

static void check_piece(const struct native_result *r, struct datagram *d, uint32_t from)
{
	const uint8_t *ip = r->frame + 14;

	assert_int_equal(r->action, NATIVE_SEND);
	assert_int_equal(get32(ip + 12), OUTSIDE);
	assert_int_equal(sum(ip, 20, 0), 0xffff);
	if (from)
		assert_int_equal(get16(ip + 4), d->id);
	d->id = get16(ip + 4);
}

/* Any pieces of a few datagrams of a few hosts in any order, as the model says. */
static void test_any_order(void **state)
{
	static struct datagram datagrams[3][3];
	unsigned int passed = 0, later = 0, refused = 0;

	for (int i = 0; i < 300000; i++) {
		uint32_t host = (uint32_t)rand() % 3, id = (uint32_t)rand() % 3, from, to;
		struct datagram *d = &datagrams[host][id];
		bool more = rand() % 4;
		struct native_result r;
		enum verdict want;

		from = rand() % 4 ? (uint32_t)rand() % 5 : d->next;
		to = from + 1 + (uint32_t)rand() % 3;
		if (!from && !more)
			continue;	/* that is no fragment */
		now_s += rand() % 40 == 0 ? (uint32_t)rand() % 4 : 0;
		want = model(d, from, to, more);
		r = piece(IP4(198, 18, 0, 2 + host), (uint16_t)id, from, to, more);
		if (r.verdict == VERDICT_NEW_FORWARD)
			r.verdict = VERDICT_FORWARD;
		assert_string_equal(verdict_name(r.verdict), verdict_name(want));
		if (want == VERDICT_FORWARD)
			check_piece(&r, d, from);
		passed += want == VERDICT_FORWARD;
		later += want == VERDICT_FORWARD && from;
		refused += want == VERDICT_FRAGMENT_OVERLAP;
	}
	assert_true(later > 10000 && passed > later + 10000 && refused > 10000);
}

/* The same datagrams in one process are never two with one identification between the same ends. */
static void test_identifications(void **state)
{
	static uint8_t used[65536];

	for (int i = 0; i < 30000; i++) {
		struct native_result r = piece(IP4(198, 18, 0, 2 + rand() % 3), (uint16_t)i, 0, 4, true);

		assert_int_equal(r.action, NATIVE_SEND);
		assert_false(used[get16(r.frame + 14 + 4)]++);
		assert_int_equal(piece(IP4(198, 18, 0, 2), 1, 1, 2, true).action, NATIVE_DROP);
		now_s += i % 200 == 199 ? 2 : 0;
	}
}

/* So many begun ones of a source in a second. */
static void test_unfinished(void **state)
{
	for (int turn = 0; turn < 3; turn++, now_s++) {
		for (int i = 0; i < NATVI_FRAGMENT_UNFINISHED + 100; i++) {
			struct native_result r = piece(IP4(198, 18, 0, 2), (uint16_t)(1000 * turn + i), 0, 4, true);

			assert_int_equal(r.action, i < NATVI_FRAGMENT_UNFINISHED ? NATIVE_SEND : NATIVE_DROP);
			if (i >= NATVI_FRAGMENT_UNFINISHED)
				assert_int_equal(r.verdict, VERDICT_FRAGMENT_LIMIT);
		}
		assert_int_equal(piece(IP4(198, 18, 0, 3), 1 + (uint16_t)turn, 0, 4, true).action, NATIVE_SEND);
	}
}

/* More sources and datagrams than there is room for: the table does not grow, new ones find their way. */
static void test_flood(void **state)
{
	for (uint32_t host = 0; host < 20000; host++) {
		assert_int_equal(piece(IP4(198, 18, 1, 0) + host, 1, 0, 4, true).action, NATIVE_SEND);
		if (host % 100 == 0) {
			assert_int_equal(piece(IP4(198, 18, 0, 2), (uint16_t)host, 0, 4, true).action, NATIVE_SEND);
			assert_int_equal(piece(IP4(198, 18, 0, 2), (uint16_t)host, 4, 8, false).action, NATIVE_SEND);
		}
	}
	assert_int_equal(piece(IP4(198, 18, 1, 0), 1, 4, 8, false).verdict, VERDICT_FRAGMENT);	/* the first of the flood is forgotten */
	assert_int_equal(piece(IP4(198, 18, 1, 0) + 19999, 1, 4, 8, false).action, NATIVE_SEND);
}

static void open_park(void)
{
	box->control.park_ifindex = TAP;
	box->control.heartbeat_s = now_s;
}

static void test_park_source(void **state)
{
	open_park();
	for (int turn = 0; turn < 2; turn++, now_s++)
		for (int i = 0; i < NATVI_PARK_SOURCE + 100; i++) {
			struct native_result r = piece(IP4(198, 18, 0, 2), (uint16_t)i, 4, 8, true);

			assert_int_equal(r.verdict, i < NATVI_PARK_SOURCE ? VERDICT_FRAGMENT_PARKED : VERDICT_FRAGMENT_LIMIT);
			assert_int_equal(r.action, i < NATVI_PARK_SOURCE ? NATIVE_SEND : NATIVE_DROP);
			if (r.action == NATIVE_SEND)
				assert_int_equal(r.out_ifindex, TAP);
		}
	now_s--;
	assert_int_equal(piece(IP4(198, 18, 0, 3), 1, 4, 8, true).verdict, VERDICT_FRAGMENT_PARKED);
}

/* Of all sources together. */
static void test_park_cpu(void **state)
{
	open_park();
	for (uint32_t i = 0; i < NATVI_PARK_CPU + 100; i++)
		assert_int_equal(piece(IP4(198, 18, 1, 0) + i % 100, 1, 4, 8, true).verdict,
				 i < NATVI_PARK_CPU ? VERDICT_FRAGMENT_PARKED : VERDICT_FRAGMENT_LIMIT);
	now_s++;
	assert_int_equal(piece(IP4(198, 18, 1, 0), 1, 4, 8, true).verdict, VERDICT_FRAGMENT_PARKED);
}

static void test_park_heartbeat(void **state)
{
	open_park();
	for (uint32_t i = 0; i < 10; i++, now_s++)
		assert_int_equal(piece(IP4(198, 18, 0, 2), 1, 4, 8, true).verdict,
				 i <= NATVI_HEARTBEAT_S ? VERDICT_FRAGMENT_PARKED : VERDICT_FRAGMENT);
	box->control.heartbeat_s = now_s + 1;	/* a second ticked between the daemon's clock and ours */
	assert_int_equal(piece(IP4(198, 18, 0, 2), 1, 4, 8, true).verdict, VERDICT_FRAGMENT_PARKED);
}

#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_any_order), TEST(test_identifications), TEST(test_unfinished), TEST(test_flood), TEST(test_park_source),
		TEST(test_park_cpu), TEST(test_park_heartbeat),
	};

	return cmocka_run_group_tests_name("dp_fragment", tests, NULL, NULL);
}
