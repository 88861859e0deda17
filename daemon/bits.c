/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * bits.c - see bits.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bits.h"
#include "daemon/mappings.h"

static struct portbits *bits_of(const struct tables *tables, uint32_t slot, unsigned int proto)
{
	return &tables->portbits[slot * PORTBITS_PROTOS + proto];
}

/* A slot that no program knows yet: plain stores will do. */
static void begin_bits(struct portbits *bits, const struct portset *taken)
{
	unsigned int w;

	portbits_wipe(bits);
	for (w = 0; w < NATVI_PORT_WORDS; w++) {
		bits->word[w] = taken->word[w];
		if (taken->word[w] == ~0ull)
			bits->summary[w >> 6] |= 1ull << (w & 63);
	}
}

static void take_set(struct portbits *bits, const struct portset *taken)
{
	uint64_t missing;
	unsigned int w;

	for (w = 0; w < NATVI_PORT_WORDS; w++) {
		missing = taken->word[w] & ~__atomic_load_n(&bits->word[w], __ATOMIC_RELAXED);
		if (missing)
			portbits_take(bits, w, missing);
	}
}

void bits_take(const struct tables *tables, const struct plan *plan, struct slots *slots, uint8_t of)
{
	const struct plan_addr *addr;
	struct portset taken;
	unsigned int proto;
	size_t i;

	for (i = 0; i < plan->n_addrs; i++) {
		addr = &plan->addrs[i];
		if (addr->slot == SLOT_NONE || (addr->flags & of) != of)
			continue;
		for (proto = 0; proto < PORTBITS_PROTOS; proto++) {
			plan_taken(plan, addr, proto, &taken);
			if (slots->list[addr->slot].fresh)
				begin_bits(bits_of(tables, addr->slot, proto), &taken);
			else
				take_set(bits_of(tables, addr->slot, proto), &taken);
		}
		slots->list[addr->slot].fresh = false;
	}
}

/* Releasing */

struct candidate {
	uint32_t slot;
	uint16_t proto, word;
	uint64_t mask;
};

struct candidates {
	struct candidate *list;
	size_t n, room;
};

static int add_candidate(struct candidates *c, uint32_t slot, unsigned int proto, unsigned int word, uint64_t mask)
{
	struct candidate *more;

	if (c->n == c->room) {
		c->room = c->room ? 2 * c->room : 256;
		more = realloc(c->list, c->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->list = more;
	}
	c->list[c->n++] = (struct candidate){ slot, (uint16_t)proto, (uint16_t)word, mask };
	return 0;
}

static int compare_bitmap(struct candidates *c, const struct tables *tables, const struct plan *was, const struct plan *plan,
			  const struct plan_addr *addr, unsigned int proto)
{
	const struct plan_addr *before = was ? plan_find_addr(was, addr->addr, addr->zone) : NULL;
	struct portbits *bits = bits_of(tables, addr->slot, proto);
	struct portset old, new;
	uint64_t mask;
	unsigned int w;
	int err;

	if (was && (!before || before->slot != addr->slot))
		return 0;
	plan_taken(plan, addr, proto, &new);
	if (before)
		plan_taken(was, before, proto, &old);
	for (w = 0; w < NATVI_PORT_WORDS; w++) {
		mask = (before ? old.word[w] : __atomic_load_n(&bits->word[w], __ATOMIC_RELAXED)) & ~new.word[w];
		err = mask ? add_candidate(c, addr->slot, proto, w, mask) : 0;
		if (err)
			return err;
	}
	return 0;
}

/* A claim is a bit first and a mapping then: when the grace is over, each claim that was seen has its mapping. */
static int release_candidates(const struct tables *tables, const struct candidates *c)
{
	struct held held;
	uint64_t mask;
	size_t i;
	int err;

	tables_grace();
	err = held_read(tables, false, &held);
	if (err)
		return err;
	for (i = 0; i < c->n; i++) {
		mask = c->list[i].mask & ~held_word(&held, c->list[i].slot, c->list[i].proto, c->list[i].word);
		if (mask)
			portbits_release(bits_of(tables, c->list[i].slot, c->list[i].proto), c->list[i].word, mask);
	}
	held_free(&held);
	return 0;
}

int bits_release(const struct tables *tables, const struct plan *was, const struct plan *plan, uint8_t of)
{
	struct candidates c = { 0 };
	unsigned int proto;
	int err = 0;
	size_t i;

	for (i = 0; i < plan->n_addrs; i++)
		for (proto = 0; plan->addrs[i].slot != SLOT_NONE && (plan->addrs[i].flags & of) == of && proto < PORTBITS_PROTOS && !err; proto++)
			err = compare_bitmap(&c, tables, was, plan, &plan->addrs[i], proto);
	if (!err && c.n)
		err = release_candidates(tables, &c);
	free(c.list);
	return err;
}

int bits_overlaps(const struct tables *tables, const struct plan *plan)
{
	unsigned int proto;
	struct portset taken;
	struct held held;
	int err, n = 0;
	size_t i, at;

	err = held_read(tables, true, &held);
	if (err)
		return err;
	for (i = 0; i < plan->n_addrs && held.n; i++)
		for (proto = 0; plan->addrs[i].slot != SLOT_NONE && proto < PORTBITS_ICMP; proto++) {
			plan_taken(plan, &plan->addrs[i], proto, &taken);
			for (at = 0; at < NATVI_PORT_WORDS; at++)
				if (taken.word[at])
					n += __builtin_popcountll(taken.word[at] &
						held_word(&held, plan->addrs[i].slot, proto, (unsigned int)at));
		}
	held_free(&held);
	return n;
}
