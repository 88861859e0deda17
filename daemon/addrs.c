/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * addrs.c - see addrs.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "abi/mapping.h"
#include "daemon/addrs.h"

int slots_init(struct slots *slots, uint32_t n)
{
	slots->list = calloc(n ? n : 1, sizeof(*slots->list));
	slots->n = slots->list ? n : 0;
	return slots->list ? 0 : -ENOMEM;
}

int slots_copy(struct slots *to, const struct slots *from)
{
	int err = slots_init(to, from->n);

	if (!err)
		memcpy(to->list, from->list, from->n * sizeof(*to->list));
	return err;
}

void slots_free(struct slots *slots)
{
	free(slots->list);
	slots->list = NULL;
	slots->n = 0;
}

int slots_adopt(struct slots *slots, uint64_t face, uint32_t slot)
{
	struct slot *s;

	if (slot >= slots->n)
		return -ERANGE;
	s = &slots->list[slot];
	if (s->state != SLOT_FREE && s->face != face)
		return -EEXIST;
	s->face = face;
	s->state = SLOT_DRAINING;
	s->fresh = s->local = false;
	return 0;
}

/* Position of a face in a sorted list, or -1. */
static ssize_t find_face(const uint64_t *faces, size_t n, uint64_t face)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (faces[mid] == face)
			return (ssize_t)mid;
		if (faces[mid] < face)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

int slots_assign(struct slots *slots, const uint64_t *faces, size_t n, uint32_t *out, uint32_t *missing)
{
	uint32_t i, next = 0;
	ssize_t at;
	size_t a;

	for (a = 0; a < n; a++)
		out[a] = SLOT_NONE;
	for (i = 0; i < slots->n; i++) {
		if (slots->list[i].state == SLOT_FREE)
			continue;
		at = find_face(faces, n, slots->list[i].face);
		slots->list[i].state = at < 0 || out[at] != SLOT_NONE ? SLOT_DRAINING : SLOT_USED;
		if (slots->list[i].state == SLOT_USED)
			out[at] = i;
	}
	*missing = 0;
	for (a = 0; a < n; a++) {
		if (out[a] != SLOT_NONE)
			continue;
		while (next < slots->n && slots->list[next].state != SLOT_FREE)
			next++;
		if (next == slots->n) {
			++*missing;
			continue;
		}
		slots->list[next] = (struct slot){ .face = faces[a], .state = SLOT_USED, .fresh = true };
		out[a] = next;
	}
	return *missing ? -ENOSPC : 0;
}

/* Bits lo-hi (0-63) of a word. */
static uint64_t bits_between(unsigned int lo, unsigned int hi)
{
	return (~0ull >> (63 - (hi - lo))) << lo;
}

void portset_add(struct portset *set, uint16_t lo, uint16_t hi)
{
	unsigned int first = lo >> 6, last = hi >> 6, w;

	for (w = first; w <= last; w++)
		set->word[w] |= bits_between(w == first ? lo & 63 : 0, w == last ? hi & 63 : 63);
}

void portset_remove(struct portset *set, uint16_t lo, uint16_t hi)
{
	unsigned int first = lo >> 6, last = hi >> 6, w;

	for (w = first; w <= last; w++)
		set->word[w] &= ~bits_between(w == first ? lo & 63 : 0, w == last ? hi & 63 : 63);
}

void portset_reserved(struct portset *set, const struct cfg_ports *allowed, size_t n_allowed, bool shared,
		      uint16_t local_lo, uint16_t local_hi)
{
	size_t i;

	memset(set, n_allowed ? 0xff : 0, sizeof(*set));
	for (i = 0; i < n_allowed; i++)
		portset_remove(set, allowed[i].lo, allowed[i].hi);
	if (shared && local_lo <= local_hi)
		portset_add(set, local_lo, local_hi);
	portset_add(set, 0, 0);
}

void portbits_wipe(struct portbits *bits)
{
	memset(bits, 0, sizeof(*bits));
}

/*
 * The summary follows the word: set when full, cleared when not. Between the two steps another
 * CPU may do the opposite to the word, so look again until what stands in the summary is true.
 */
static void settle_summary(struct portbits *bits, unsigned int word)
{
	__u64 bit = 1ull << (word & 63), *summary = &bits->summary[word >> 6];
	bool full, again;

	do {
		full = __atomic_load_n(&bits->word[word], __ATOMIC_SEQ_CST) == ~0ull;
		if (full)
			__atomic_fetch_or(summary, bit, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_and(summary, ~bit, __ATOMIC_SEQ_CST);
		again = full != (__atomic_load_n(&bits->word[word], __ATOMIC_SEQ_CST) == ~0ull);
	} while (again);
}

void portbits_take(struct portbits *bits, unsigned int word, uint64_t mask)
{
	__atomic_fetch_or(&bits->word[word], mask, __ATOMIC_SEQ_CST);
	settle_summary(bits, word);
}

void portbits_release(struct portbits *bits, unsigned int word, uint64_t mask)
{
	__atomic_fetch_and(&bits->word[word], ~mask, __ATOMIC_SEQ_CST);
	settle_summary(bits, word);
}

int portbits_proto_of(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP:
		return PORTBITS_TCP;
	case IPPROTO_UDP:
		return PORTBITS_UDP;
	case IPPROTO_ICMP:
		return PORTBITS_ICMP;
	default:
		return -1;
	}
}
