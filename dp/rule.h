/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rule.h - which rule names a new flow. First match wins; only misses come here.
 */
#ifndef NATVI_DP_RULE_H
#define NATVI_DP_RULE_H

#include "env.h"

#define OUT_ANY	0xfffffffeu	/* hairpin: the way out does not count */

/* What a rule is held against beside the packet itself. */
struct rule_walk {
	const struct meta *m;
	__u32 out_ifindex;	/* or OUT_ANY */
	__u32 out_zone;
	__u32 traffic;		/* RULE_THROUGH ...: the one that the packet is */
	__u32 not_flags;	/* rules with one of these RULE_* are passed over */
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

/* The first len bits (0-128) of a become net's. */
DP void prefix_replace(union addr *a, const union addr *net, __u32 len)
{
	__u64 high = len >= 64 ? ~0ULL : ~(~0ULL >> (len & 63));
	__u64 low = len >= 128 ? ~0ULL : len <= 64 ? 0 : ~(~0ULL >> ((len - 64) & 63));

	high = __builtin_bswap64(high);
	low = __builtin_bswap64(low);
	a->quad[0] = (net->quad[0] & high) | (a->quad[0] & ~high);
	a->quad[1] = (net->quad[1] & low) | (a->quad[1] & ~low);
}

DP bool port_within(__u16 port, __u16 lo, __u16 hi)
{
	return port >= lo && port <= hi;
}

/* Does r hold for this way out? For hairpin, whatever it is, only if r is about the source alone or would translate it there. */
DP bool rule_names_way(const struct rule *r, const struct rule_walk *w)
{
	if (w->out_ifindex == OUT_ANY)
		return (!r->out_ifindex && r->out_zone == ZONE_ANY) || (r->flags & (RULE_SNAT | RULE_SRC_NET));
	return (!r->out_ifindex || r->out_ifindex == w->out_ifindex) && (r->out_zone == ZONE_ANY || r->out_zone == w->out_zone);
}

/* Only a rule for which all the rest holds costs its second cache line. */
DP bool rule_names(const struct rule *r, const struct rule_walk *w)
{
	const struct meta *m = w->m;

	if (!(r->traffic & w->traffic) || (r->flags & w->not_flags))
		return false;
	if (r->in_ifindex && r->in_ifindex != m->ifindex)
		return false;
	if (!rule_names_way(r, w))
		return false;
	if (r->proto && r->proto != m->key.proto)
		return false;
	if (r->in_zone != ZONE_ANY && r->in_zone != m->key.zone)
		return false;
	if (!port_within(__builtin_bswap16(m->key.sport), r->sport_lo, r->sport_hi) ||
	    !port_within(__builtin_bswap16(m->key.dport), r->dport_lo, r->dport_hi))
		return false;
	if (!prefix_match(&m->key.src, &r->src, r->src_len) || !prefix_match(&m->key.dst, &r->dst, r->dst_len))
		return false;
	return !((m->mark ^ r->mark) & r->mark_mask) && (!r->dscp || (r->dscp >> (m->tos >> 2) & 1));
}

static long rule_step(__u32 i, void *arg)
{
	struct rule_walk *w = arg;
	const struct rule *r = env_rule(w->base + i);

	if (!r)
		return 1;
	if (!rule_names(r, w))
		return 0;
	w->found = w->base + i;
	return 1;
}

/* Index of the first rule for cpu's packet going out by this interface and zone, or -1. kind: its traffic, and not_flags << 8. */
ENV_GLOBAL __s64 rule_find(const struct cpu *cpu, __u32 out_ifindex, __u32 out_zone, __u32 kind)
{
	const struct control *c = env_control();
	const struct settings *set = c ? env_settings(c->active) : NULL;
	struct rule_walk w = {
		.out_ifindex = out_ifindex,
		.out_zone = out_zone,
		.traffic = kind & 0xff,
		.not_flags = kind >> 8,
		.found = -1,
	};

	if (!cpu || !set)
		return -1;
	w.m = &cpu->meta;
	w.base = c->active ? NATVI_MAX_RULES : 0;
	env_loop(set->n_rules, rule_step, &w);
	return w.found;
}

/* The first rule for packet p of this kind of traffic; way: out of the box, or NULL for any. NULL: none names it. */
DP const struct rule *rule_match(struct pkt *p, __u32 traffic, const struct route *way, __u32 not_flags)
{
	__s64 found = rule_find(p->cpu, way ? way->oif : OUT_ANY, way ? way->zone : 0, traffic | not_flags << 8);

	return found < 0 ? NULL : env_rule(found);
}

/* The destination as the rule wants it, in draft->out and draft->to_zone. */
DP void rule_translate_dst(struct pkt *p, const struct rule *r)
{
	struct draft *draft = &p->cpu->draft;
	__u32 port = r->new_port;

	if (r->new_zone != ZONE_ANY)
		draft->to_zone = r->new_zone;
	if (r->flags & RULE_DST_NET)
		prefix_replace(&draft->out.dst, &r->new_dst, r->dst_len);
	if (!(r->flags & RULE_DNAT))
		return;
	draft->out.dst = r->new_dst;
	if (!port || (p->m->key.proto != IPPROTO_TCP && p->m->key.proto != IPPROTO_UDP))
		return;
	if (r->new_port_hi > r->new_port)
		port += __builtin_bswap16(p->m->key.dport) - r->dport_lo;
	draft->out.dport = __builtin_bswap16(port);
}

#endif
