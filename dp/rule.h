/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rule.h - which rule names a new flow. First match wins; only misses come here.
 */
#ifndef NATVI_DP_RULE_H
#define NATVI_DP_RULE_H

#include "env.h"

#define OUT_ANY	0xfffffffeu	/* hairpin: the way out does not count */

struct rule_walk {
	const struct meta *m;
	__u32 out_ifindex;	/* or OUT_ANY */
	__u32 base;		/* first rule of the half */
	__s64 found;		/* index of the rule, or -1 */
};

/* Are the first len bits of a and net the same? */
DP bool prefix_match(const union addr *a, const union addr *net, __u32 len)
{
	__u64 high = a->quad[0] ^ net->quad[0], low = a->quad[1] ^ net->quad[1];

	if (len == 0)
		return true;
	if (len <= 64)
		return !(__builtin_bswap64(high) >> ((64 - len) & 63));
	return !high && !(__builtin_bswap64(low) >> ((128 - len) & 63));
}

DP bool port_within(__u16 port, __u16 lo, __u16 hi)
{
	return port >= lo && port <= hi;
}

DP bool rule_names(const struct rule *r, const struct meta *m, __u32 out_ifindex)
{
	if (r->in_ifindex && r->in_ifindex != m->ifindex)
		return false;
	if (r->out_ifindex && r->out_ifindex != out_ifindex && out_ifindex != OUT_ANY)
		return false;
	if (r->proto && r->proto != m->key.proto)
		return false;
	if (!port_within(__builtin_bswap16(m->key.sport), r->sport_lo, r->sport_hi) ||
	    !port_within(__builtin_bswap16(m->key.dport), r->dport_lo, r->dport_hi))
		return false;
	return prefix_match(&m->key.src, &r->src, r->src_len) && prefix_match(&m->key.dst, &r->dst, r->dst_len);
}

static long rule_step(__u32 i, void *arg)
{
	struct rule_walk *w = arg;
	const struct rule *r = env_rule(w->base + i);

	if (!r)
		return 1;
	if (!rule_names(r, w->m, w->out_ifindex))
		return 0;
	w->found = w->base + i;
	return 1;
}

/* The rule for p going out by out_ifindex; NULL: none names it. */
DP const struct rule *rule_match(struct pkt *p, const struct settings *set, __u32 out_ifindex)
{
	struct rule_walk w = {
		.m = p->m,
		.out_ifindex = out_ifindex,
		.base = p->control->active ? NATVI_MAX_RULES : 0,
		.found = -1,
	};

	env_loop(set->n_rules, rule_step, &w);
	return w.found < 0 ? NULL : env_rule(w.found);
}

#endif
