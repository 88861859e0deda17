/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_track.c - the TCP state machine against figure 1 of RFC 7857: all that can be reached from a client's SYN
 * by any packets of both sides. What the figure leaves open is not asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/env_native.h"

#include "dp/track.h"

enum figure { INIT, ESTABLISHED, CLIENT_FIN, SERVER_FIN, BOTH_FIN, TRANS, STATES, OPEN = STATES };
enum seen { C_SYN, S_SYN, C_FIN, S_FIN, C_RST, S_RST, C_DATA, S_DATA, C_ACK, S_ACK, EVENTS };

/* OPEN: the figure does not say. A server's SYN acknowledges the client's. A FIN carries no data here. */
static const enum figure next[STATES][EVENTS] = {
	[INIT] = { INIT, ESTABLISHED, OPEN, OPEN, TRANS, TRANS, INIT, OPEN, INIT, OPEN },
	[ESTABLISHED] = { ESTABLISHED, ESTABLISHED, CLIENT_FIN, SERVER_FIN, TRANS, TRANS, ESTABLISHED, ESTABLISHED, ESTABLISHED, ESTABLISHED },
	[CLIENT_FIN] = { OPEN, OPEN, CLIENT_FIN, BOTH_FIN, TRANS, TRANS, CLIENT_FIN, CLIENT_FIN, CLIENT_FIN, CLIENT_FIN },
	[SERVER_FIN] = { OPEN, OPEN, BOTH_FIN, SERVER_FIN, TRANS, TRANS, SERVER_FIN, SERVER_FIN, SERVER_FIN, SERVER_FIN },
	[BOTH_FIN] = { INIT, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN },
	[TRANS] = { INIT, TRANS, OPEN, OPEN, TRANS, TRANS, ESTABLISHED, ESTABLISHED, TRANS, TRANS },
};

/* TRANS by TCP_EST's time-out: an established connection has the time of both. */
static const struct settings set = { .tcp_opening_s = 1, .tcp_established_s = 20, .tcp_closing_s = 3 };
static const uint16_t time_of[STATES] = { 1, 23, 23, 23, 3, 3 };

static struct cpu cpu;
static struct pkt packet = { .m = &cpu.meta };
static bool visited[32][32][STATES][2];
static unsigned int n_visited, n_moved;

static const uint8_t flags_of[EVENTS] = {
	[C_SYN] = SEEN_SYN, [S_SYN] = SEEN_SYN | SEEN_ACK, [C_FIN] = SEEN_FIN | SEEN_ACK, [S_FIN] = SEEN_FIN | SEEN_ACK, [C_RST] = SEEN_RST,
	[S_RST] = SEEN_RST | SEEN_ACK, [C_DATA] = SEEN_ACK, [S_DATA] = SEEN_ACK, [C_ACK] = SEEN_ACK, [S_ACK] = SEEN_ACK,
};

static bool is_server(enum seen e)
{
	return e == S_SYN || e == S_FIN || e == S_RST || e == S_DATA || e == S_ACK;
}

/* fin: TRANS was come to with a FIN of one side seen; the figure forgets that, a connection does not. */
static void walk(uint8_t client, uint8_t server, enum figure state, bool fin)
{
	if (visited[client & 31][server & 31][state][fin])
		return;
	visited[client & 31][server & 31][state][fin] = true;
	n_visited++;
	assert_int_equal(tcp_idle_s(&set, client, server), time_of[state]);
	for (enum seen e = 0; e < EVENTS; e++) {
		struct flow c = { .tcp_seen = client }, s = { .tcp_seen = server };
		enum figure to = next[state][e];
		bool had_reset = (client | server) & SEEN_RST;

		if (to == OPEN || (state == TRANS && (fin || !(client & server & SEEN_SYN)) && (e == C_DATA || e == S_DATA)))
			continue;
		packet.m->tcp_flags = flags_of[e];
		packet.m->tcp_data = e == C_DATA || e == S_DATA;
		packet.m->flags = 0;
		if (is_server(e))
			s.tcp_seen = tcp_next(&packet, &s, &c);
		else
			c.tcp_seen = tcp_next(&packet, &c, &s);
		/* RSTs keep nothing alive that is reset already; all else does */
		assert_int_equal(!!(packet.m->flags & PKT_NO_REFRESH), (e == C_RST || e == S_RST) && had_reset);
		n_moved++;
		walk(c.tcp_seen, s.tcp_seen, to, to == TRANS && (fin || state == CLIENT_FIN || state == SERVER_FIN));
	}
}

static void test_figure_1(void **state)
{
	walk(SEEN_SYN, 0, INIT, false);
	assert_in_range(n_visited, 15, 200);	/* it has been somewhere */
	assert_true(n_moved > 100);
}

/* Whatever comes in whatever order: a time-out is one of the three, and flags are ones that there are. */
static void test_anything(void **state)
{
	for (unsigned int i = 0; i < 32 * 32 * 32; i++)
		for (int data = 0; data < 2; data++) {
			uint8_t all = SEEN_FIN | SEEN_SYN | SEEN_RST | SEEN_ACK;
			struct flow f = { .tcp_seen = i & all }, peer = { .tcp_seen = i >> 5 & all };

			packet.m->tcp_flags = i >> 10 & all;
			packet.m->tcp_data = data;
			f.tcp_seen = tcp_next(&packet, &f, &peer);
			assert_false((f.tcp_seen | peer.tcp_seen) & ~all);
			assert_in_range(tcp_idle_s(&set, f.tcp_seen, peer.tcp_seen), 1, 23);
			assert_int_equal(tcp_idle_s(&set, f.tcp_seen, peer.tcp_seen), tcp_idle_s(&set, peer.tcp_seen, f.tcp_seen));
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figure_1),
		cmocka_unit_test(test_anything),
	};

	return cmocka_run_group_tests_name("dp_track", tests, NULL, NULL);
}
