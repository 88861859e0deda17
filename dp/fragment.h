/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * fragment.h - fragments of a datagram follow their first one (RFC 4787 req. 14).
 *
 * abi/fragment.h has the life of an entry, and of what is parked. A later fragment without an
 * entry is never let through: nobody knows yet what it has to become.
 */
#ifndef NATVI_DP_FRAGMENT_H
#define NATVI_DP_FRAGMENT_H

#include "ident.h"
#include "park.h"
#include "parse.h"

#define FRAGMENT_REPEAT_S	1	/* a second first fragment within this time is a repetition, later a new datagram */

/* Key of p's datagram, in per-CPU memory. */
DP struct tuple *fragment_key(struct pkt *p)
{
	struct tuple *k = &p->cpu->fragment_key;

	*k = p->m->key;
	k->sport = p->m->frag_id;
	k->dport = 0;
	return k;
}

DP bool fragment_fresh(const struct fragment *f, __u32 now_s)
{
	return (__s32)(now_s - f->since_s) <= NATVI_FRAGMENT_LIVE_S;
}

/* May p's source begin one more datagram? */
DP bool fragment_allowed(struct pkt *p)
{
	struct fragment_source *s = source_now(p);

	if (!s || s->unfinished >= NATVI_FRAGMENT_UNFINISHED)
		return false;
	__sync_fetch_and_add(&s->unfinished, 1);
	p->m->flags |= PKT_BEGUN;
	return true;
}

/* One unfinished datagram less. */
DP void fragment_uncount(struct pkt *p)
{
	struct fragment_source *s = source_now(p);

	if (s && s->unfinished)
		__sync_fetch_and_sub(&s->unfinished, 1);
}

/* The last fragment is on its way: the entry goes, and counts no more. */
DP void fragment_end(struct pkt *p)
{
	env_fragment_cut(fragment_key(p));
	fragment_uncount(p);
}

/* A first fragment: NEXT if it begins a datagram, and its source may. */
DP enum stage fragment_first(struct pkt *p)
{
	const struct fragment *f = env_fragment(fragment_key(p));

	if (f && (__s32)(p->m->now_s - f->since_s) <= FRAGMENT_REPEAT_S)
		return drop(p, VERDICT_FRAGMENT_OVERLAP);
	return fragment_allowed(p) ? NEXT : drop(p, VERDICT_FRAGMENT_LIMIT);
}

/* The others shall follow this first fragment. flags: FRAGMENT_*; why: with KERNEL and SLOW, its verdict. */
DP void fragment_begin(struct pkt *p, __u8 flags, enum verdict why)
{
	struct fragment *f = &p->cpu->fragment;

	__builtin_memset(f, 0, sizeof(*f));
	f->sport = p->m->key.sport;
	f->dport = p->m->key.dport;
	f->id = p->m->flags & PKT_NEW_ID ? p->m->new_id : p->m->frag_id;
	f->next = p->m->frag_end;
	f->since_s = p->m->now_s;
	f->flags = flags;
	f->verdict = why;
	env_fragment_put(fragment_key(p), f);
	p->m->flags |= PKT_TRACKED;
}

/* The way of a first fragment has ended. What the kernel has got untranslated the others follow; what is dropped counts no more. */
DP void fragment_done(struct pkt *p)
{
	if ((p->m->flags & (PKT_BEGUN | PKT_TRACKED)) != PKT_BEGUN)
		return;
	if (p->m->flags & PKT_LEFT)
		fragment_begin(p, FRAGMENT_KERNEL, p->m->left);
	else
		fragment_uncount(p);
}

/* Too early: a moment with the daemon, or nothing. */
DP enum stage fragment_park(struct pkt *p)
{
	int action;

	if (!park_open(p))
		return drop(p, VERDICT_FRAGMENT);
	if (!park_allowed(p))
		return drop(p, VERDICT_FRAGMENT_LIMIT);
	action = env_park(p, PARK_FRAGMENT);
	return action < 0 ? drop(p, VERDICT_FRAGMENT) : sent(p, VERDICT_FRAGMENT_PARKED, action);
}

/* A later fragment: NEXT when its predecessor has passed; its ports are known then. */
DP enum stage fragment_follow(struct pkt *p)
{
	__u32 at = p->m->frag_at;
	struct fragment *f;

	f = env_fragment(fragment_key(p));
	if (!f || !fragment_fresh(f, p->m->now_s))
		return fragment_park(p);
	if (f->flags & FRAGMENT_REFUSED)
		return drop(p, VERDICT_FRAGMENT_OVERLAP);
	if (at < f->next) {
		if (p->m->frag_end > f->next)	/* more than a repetition: somebody plays tricks (RFC 3128) */
			f->flags |= FRAGMENT_REFUSED;
		return drop(p, VERDICT_FRAGMENT_OVERLAP);
	}
	if (__sync_val_compare_and_swap(&f->next, at, p->m->frag_end) != at)
		return fragment_park(p);
	p->m->key.sport = f->sport;
	p->m->key.dport = f->dport;
	p->m->slow = f->flags & FRAGMENT_SLOW ? f->verdict & 63 : VERDICT_FORWARD;
	p->m->new_id = f->id;
	p->m->flags |= PKT_NEW_ID;
	if (p->m->key.proto == IPPROTO_TCP || p->m->key.proto == IPPROTO_UDP || p->m->key.proto == IPPROTO_ICMP)
		p->m->flags &= ~PKT_NO_PORTS;
	p->m->left = f->flags & FRAGMENT_KERNEL ? f->verdict & 63 : VERDICT_FORWARD;
	if (!p->m->frag_more)
		fragment_end(p);
	return p->m->left ? kernel(p, p->m->left & 63) : NEXT;
}

/* A fragment finds its datagram. NEXT: it is a packet like others now. */
DP enum stage fragment(struct pkt *p)
{
	if (is_kernels_v4(p->m->key.src.word[3], p->m->key.dst.word[3]))
		return kernel(p, VERDICT_MULTICAST);
	return p->m->flags & PKT_FIRST ? fragment_first(p) : fragment_follow(p);
}

#endif
