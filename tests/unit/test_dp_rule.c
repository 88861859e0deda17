/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_dp_rule.c - prefixes bit by bit, and the first of many random rules against a plain search.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/env_native.h"

#include "dp/rule.h"

#define ROUNDS	20000
#define RULES	200

static struct native box;
static struct cpu cpu;
static struct pkt packet = { .cpu = &cpu, .control = &box.control, .m = &cpu.meta };

static int setup(void **state)
{
	memset(&box, 0, sizeof(box));
	memset(&cpu, 0, sizeof(cpu));
	box.rules = calloc(2 * NATVI_MAX_RULES, sizeof(*box.rules));
	native_current = &box;
	srand(7);
	return !box.rules;
}

static int teardown(void **state)
{
	free(box.rules);
	return 0;
}

static int bit(const union addr *a, unsigned int i)
{
	return a->byte[i / 8] >> (7 - i % 8) & 1;
}

static bool naive_prefix(const union addr *a, const union addr *net, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		if (bit(a, i) != bit(net, i))
			return false;
	return true;
}

/* An address that shares some number of leading bits with another one. */
static void near(union addr *to, const union addr *from, unsigned int shared)
{
	*to = *from;
	if (shared < 128)
		to->byte[shared / 8] ^= 0x80 >> shared % 8;
	for (unsigned int i = shared + 1; i < 128; i++)
		to->byte[i / 8] ^= rand() & (0x80 >> i % 8);
}

static void test_prefix(void **state)
{
	union addr a, net;

	for (int i = 0; i < 16; i++)
		net.byte[i] = rand();
	for (unsigned int shared = 0; shared <= 128; shared++)
		for (unsigned int len = 0; len <= 128; len++) {
			near(&a, &net, shared);
			assert_int_equal(prefix_match(&a, &net, len), naive_prefix(&a, &net, len));
			assert_int_equal(prefix_match(&a, &net, len), shared >= len);
		}
}

static void test_prefix_replace(void **state)
{
	union addr a, net, was;

	for (unsigned int len = 0; len <= 128; len++)
		for (int i = 0; i < 50; i++) {
			for (int k = 0; k < 16; k++) {
				was.byte[k] = (uint8_t)rand();
				net.byte[k] = (uint8_t)rand();
			}
			a = was;
			prefix_replace(&a, &net, len);
			for (unsigned int k = 0; k < 128; k++)
				assert_int_equal(bit(&a, k), bit(k < len ? &net : &was, k));
		}
}

/* Rules of few different values, so that many match. */

static uint16_t few_ports(void)
{
	static const uint16_t ports[] = { 0, 1, 53, 80, 1023, 1024, 65535 };

	return ports[rand() % 7];
}

static void few_addresses(union addr *a, bool v6)
{
	memset(a, 0, sizeof(*a));
	if (v6) {
		a->byte[0] = 0x20;
		a->byte[7] = rand() % 2;
	} else {
		a->byte[10] = a->byte[11] = 0xff;
		a->byte[12] = 198;
		a->byte[13] = 18 + rand() % 2;
	}
	a->byte[15] = rand() % 4;
}

/* 0-128 bits; of IPv4 those of ::ffff:0:0/96 are always meant. */
static uint8_t some_length(bool v6)
{
	return rand() % 3 == 0 ? 0 : v6 ? rand() % 129 : 96 + rand() % 33;
}

static void random_rule(struct rule *r, uint16_t id)
{
	bool v6 = rand() % 4 == 0;

	memset(r, 0, sizeof(*r));
	r->in_ifindex = rand() % 3;
	r->out_ifindex = rand() % 8 ? (uint32_t)rand() % 3 : IFINDEX_ABSENT;
	few_addresses(&r->src, v6);
	few_addresses(&r->dst, v6);
	r->src_len = some_length(v6);
	r->dst_len = some_length(v6);
	r->proto = rand() % 2 ? 0 : 6 + 11 * (rand() % 2);
	r->sport_hi = r->dport_hi = 65535;
	if (rand() % 3 == 0) {
		r->dport_lo = few_ports();
		r->dport_hi = few_ports();
	}
	if (rand() % 5 == 0)
		r->sport_lo = few_ports();
	r->traffic = 1 + rand() % 31;
	r->flags = rand() % 16;
	r->in_zone = rand() % 3 ? ZONE_ANY : (uint16_t)(rand() % 2);
	r->out_zone = rand() % 3 ? ZONE_ANY : (uint16_t)(rand() % 2);
	r->dscp = rand() % 3 ? 0 : 0x10003ULL << rand() % 32;
	r->mark_mask = rand() % 3 ? 0 : 0xf0;
	r->mark = 0x10 * (rand() % 3);
	r->id = id;
}

struct wanted {
	struct route way;
	uint32_t traffic, not_flags;
	bool any_way;
};

/* Hairpin: a rule for some way out holds for every one if it translates the source, else for none. */
static bool naive_way(const struct rule *r, const struct wanted *w)
{
	if (!r->out_ifindex && r->out_zone == ZONE_ANY)
		return true;
	if (w->any_way)
		return r->flags & (RULE_SNAT | RULE_SRC_NET);
	return (!r->out_ifindex || r->out_ifindex == w->way.oif) && (r->out_zone == ZONE_ANY || r->out_zone == w->way.zone);
}

static bool naive_match(const struct rule *r, const struct meta *m, const struct wanted *w)
{
	uint16_t sport = ntohs(m->key.sport), dport = ntohs(m->key.dport);

	return (!r->in_ifindex || r->in_ifindex == m->ifindex) && naive_way(r, w) &&
	       (r->in_zone == ZONE_ANY || r->in_zone == m->key.zone) && (r->traffic & w->traffic) && !(r->flags & w->not_flags) &&
	       (m->mark & r->mark_mask) == (r->mark & r->mark_mask) && (!r->dscp || (r->dscp & 1ULL << m->tos / 4)) && (!r->proto || r->proto == m->key.proto) &&
	       sport >= r->sport_lo && sport <= r->sport_hi && dport >= r->dport_lo && dport <= r->dport_hi &&
	       naive_prefix(&m->key.src, &r->src, r->src_len) && naive_prefix(&m->key.dst, &r->dst, r->dst_len);
}

static void random_packet(struct meta *m)
{
	bool v6 = rand() % 4 == 0;

	m->ifindex = 1 + rand() % 2;
	few_addresses(&m->key.src, v6);
	few_addresses(&m->key.dst, v6);
	m->key.sport = htons(few_ports());
	m->key.dport = htons(few_ports());
	m->key.proto = rand() % 2 ? 6 : 17;
	m->key.zone = rand() % 2;
	m->mark = 0x10 * (rand() % 3) + rand() % 3;
	m->tos = (uint8_t)rand();
}

static void test_first_match(void **state)
{
	int hits = 0, misses = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct wanted w = { .traffic = 1u << rand() % 5, .not_flags = rand() % 4 ? 0 : RULE_DNAT, .any_way = rand() % 8 == 0 };
		uint32_t base, n;
		const struct rule *want = NULL, *got;

		box.control.active = rand() % 2;
		base = box.control.active * NATVI_MAX_RULES;
		if (round % 100 == 0)
			for (int i = 0; i < RULES; i++) {
				random_rule(&box.rules[i], 1 + i);
				random_rule(&box.rules[NATVI_MAX_RULES + i], 1001 + i);
			}
		w.way.oif = 1 + (uint32_t)rand() % 2;
		w.way.zone = rand() % 2;
		n = box.settings[box.control.active].n_rules = rand() % 100;
		random_packet(&cpu.meta);
		for (uint32_t i = 0; i < n && !want; i++)
			if (naive_match(&box.rules[base + i], &cpu.meta, &w))
				want = &box.rules[base + i];
		got = rule_match(&packet, w.traffic, w.any_way ? NULL : &w.way, w.not_flags);
		assert_ptr_equal(got, want);
		*(want ? &hits : &misses) += 1;
	}
	assert_true(hits > ROUNDS / 20 && misses > ROUNDS / 10);
}

/* All of a full list is looked at, and nothing behind it. */
static void test_whole_list(void **state)
{
	for (uint32_t i = 0; i < 2 * NATVI_MAX_RULES; i++) {
		random_rule(&box.rules[i], 1);
		box.rules[i].in_ifindex = IFINDEX_ABSENT;
	}
	random_packet(&cpu.meta);
	box.control.active = 0;
	box.settings[0].n_rules = NATVI_MAX_RULES;
	assert_null(rule_match(&packet, RULE_THROUGH, NULL, 0));
	memset(&box.rules[NATVI_MAX_RULES], 0, sizeof(struct rule));	/* the other half's first matches all */
	box.rules[NATVI_MAX_RULES].sport_hi = box.rules[NATVI_MAX_RULES].dport_hi = 65535;
	box.rules[NATVI_MAX_RULES].in_zone = box.rules[NATVI_MAX_RULES].out_zone = ZONE_ANY;
	box.rules[NATVI_MAX_RULES].traffic = RULE_THROUGH;
	assert_null(rule_match(&packet, RULE_THROUGH, NULL, 0));
	box.rules[NATVI_MAX_RULES - 1] = box.rules[NATVI_MAX_RULES];
	assert_ptr_equal(rule_match(&packet, RULE_THROUGH, NULL, 0), &box.rules[NATVI_MAX_RULES - 1]);
	box.settings[0].n_rules--;
	assert_null(rule_match(&packet, RULE_THROUGH, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefix_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_first_match, setup, teardown),
		cmocka_unit_test_setup_teardown(test_whole_list, setup, teardown),
	};

	return cmocka_run_group_tests_name("dp_rule", tests, NULL, NULL);
}
