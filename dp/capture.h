/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * capture.h - what is taken out of a wire: a frame as a wire sees it, and the rule that names it.
 *
 * A wire lets everything through that it does not understand: what cannot be parsed is never captured.
 */
#ifndef NATVI_DP_CAPTURE_H
#define NATVI_DP_CAPTURE_H

#include "learn.h"
#include "parse.h"
#include "rule.h"

#define IPPROTO_ICMP6	58
#define IPPROTO_FRAGMENT_	44
#define ETH_P_8021AD_BE	__builtin_bswap16(ETH_P_8021AD)

/* Echo requests and replies have an identifier; what is below 128 is an error. */
DP enum stage parse_icmp6(struct pkt *p, void *l4, __u32 room)
{
	struct icmp_header *icmp = l4;

	if ((void *)(icmp + 1) > p->data_end || room < sizeof(*icmp))
		return bad(p, VERDICT_TRUNCATED);
	p->m->icmp_type = icmp->type;
	if (icmp->type == ICMP6_ECHO || icmp->type == ICMP6_ECHOREPLY) {
		p->m->key.sport = icmp->id;
		p->m->key.dport = icmp->id;
	} else {
		p->m->flags |= icmp->type < 128 ? PKT_ICMP_ERROR : PKT_NO_PORTS;
	}
	return NEXT;
}

struct fragment_header {
	__u8 nexthdr, reserved;
	__be16 frag_off;
	__be16 id_high, id;
};

/* IPv6 with all that may be captured; other extension headers than the fragment's are a protocol without ports. */
DP enum stage parse_ipv6_whole(struct pkt *p)
{
	void *l4 = p->data + p->m->l3 + sizeof(struct ipv6hdr);
	__u32 room;

	if (parse_ipv6_head(p) == DONE)
		return DONE;
	room = p->m->len - sizeof(struct ipv6hdr);
	if (p->m->key.proto == IPPROTO_FRAGMENT_) {
		struct fragment_header *fh = l4;

		if ((void *)(fh + 1) > p->data_end || room < sizeof(*fh))
			return bad(p, VERDICT_TRUNCATED);
		p->m->key.proto = fh->nexthdr;
		p->m->frag_id = fh->id ^ fh->id_high;
		p->m->l4 += sizeof(*fh);
		p->m->flags &= ~PKT_DF;
		if (fh->frag_off & __builtin_bswap16(0xfff8)) {
			p->m->flags |= PKT_LATER | PKT_NO_PORTS;
			return NEXT;
		}
		p->m->flags |= PKT_FIRST;
		l4 += sizeof(*fh);
		room -= sizeof(*fh);
	}
	switch (p->m->key.proto) {
	case IPPROTO_TCP:
		return parse_tcp(p, l4, room);
	case IPPROTO_UDP:
		return parse_udp(p, l4, room);
	case IPPROTO_ICMP6:
		return parse_icmp6(p, l4, room);
	default:
		p->m->flags |= PKT_NO_PORTS;
		return NEXT;
	}
}

/* MAC addresses and up to two tags, in p->m->link; false: no whole Ethernet header. */
DP bool parse_link(struct pkt *p)
{
	struct link_head *l = &p->m->link;
	struct ethhdr *eth = p->data;
	__u32 tags = 0;

	if ((void *)(eth + 1) > p->data_end)
		return false;
	__builtin_memcpy(l->dmac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(l->smac, eth->h_source, ETH_ALEN);
	l->side = !!(p->port->flags & PORT_SECOND);
	l->tci[0] = 0;
	l->tci[1] = 0;
	l->tags = 0;
	p->m->eth_proto = eth->h_proto;
	p->m->l3 = sizeof(*eth);
	if (p->m->vlan_present) {
		l->tci[0] = p->m->vlan_tci;
		l->tags = env_tag_proto(p) == ETH_P_8021AD_BE ? TAGS_OUTER_AD : 0;
		tags = 1;
	}
	for (int i = 0; i < NATVI_MAX_VLAN_TAGS && is_vlan(p->m->eth_proto); i++) {
		struct vlan_header *tag = p->data + p->m->l3;

		if (tags == NATVI_MAX_VLAN_TAGS || (void *)(tag + 1) > p->data_end)
			break;
		l->tci[tags & 1] = __builtin_bswap16(tag->tci);
		if (p->m->eth_proto == ETH_P_8021AD_BE)
			l->tags |= tags ? TAGS_INNER_AD : TAGS_OUTER_AD;
		tags++;
		p->m->eth_proto = tag->proto;
		p->m->l3 += sizeof(*tag);
		p->m->flags |= PKT_TAGGED;
	}
	l->tags |= tags;
	return true;
}

/* An IP packet that could be captured: its headers are sound, and it speaks to one host beyond its link. */
DP bool parse_captured(struct pkt *p)
{
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_IP))
		return parse_ipv4(p) == NEXT && !is_kernels_v4(p->m->key.src.word[3], p->m->key.dst.word[3]) &&
		       (p->m->key.proto != IPPROTO_ICMP || p->m->icmp_type != ICMP_REDIRECT);
	if (!is_v6(p) || parse_ipv6_whole(p) == DONE)
		return false;
	/* unspecified, multicast and link-local addresses stay on their link */
	return p->m->key.dst.byte[0] != 0xff && (p->m->key.src.byte[0] != 0xfe || (p->m->key.src.byte[1] & 0xc0) != 0x80) &&
	       (p->m->key.dst.byte[0] != 0xfe || (p->m->key.dst.byte[1] & 0xc0) != 0x80) &&
	       (p->m->key.src.quad[0] || p->m->key.src.quad[1]);
}

/* A capture's ports, for fragments only if it asks for none: a fragment goes with the rest of its datagram, or is taken for one that does. */
DP bool capture_names_ports(const struct rule *r, const struct meta *m)
{
	if (m->flags & PKT_LATER)
		return true;
	return port_within(__builtin_bswap16(m->key.sport), r->sport_lo, r->sport_hi) &&
	       port_within(__builtin_bswap16(m->key.dport), r->dport_lo, r->dport_hi);
}

DP bool capture_names_link(const struct rule *r, const struct meta *m)
{
	__u32 vlan = m->link.tags & TAGS_COUNT ? m->link.tci[0] & 0xfff : VLAN_UNTAGGED;

	return (!r->vlan || r->vlan == vlan) && (!r->in_ifindex || r->in_ifindex == m->ifindex);
}

/* What most traffic fails is asked first. */
DP bool capture_names(const struct rule *r, const struct meta *m)
{
	if (r->in_zone != m->key.zone || r->traffic != RULE_CAPTURE)
		return false;
	if (!prefix_match(&m->key.dst, &r->dst, r->dst_len) || !prefix_match(&m->key.src, &r->src, r->src_len))
		return false;
	if (r->proto && r->proto != m->key.proto)
		return false;
	if (r->family && r->family != (m->eth_proto == __builtin_bswap16(ETH_P_IP) ? 4 : 6))
		return false;
	return capture_names_ports(r, m) && capture_names_link(r, m) && (!r->dscp || (r->dscp >> (m->tos >> 2) & 1));
}

static long capture_step(__u32 i, void *arg)
{
	struct rule_walk *w = arg;
	const struct rule *r = env_rule(w->base + i);

	if (!r)
		return 1;
	if (!capture_names(r, w->m))
		return 0;
	w->found = w->base + i;
	return 1;
}

/* The first rule that takes p out of its wire, or NULL. */
DP const struct rule *capture_find(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);
	struct rule_walk w = { .m = p->m, .base = p->control->active ? NATVI_MAX_RULES : 0, .found = -1 };

	if (!set || !set->n_rules)
		return NULL;
	env_loop(set->n_rules, capture_step, &w);
	return w.found < 0 ? NULL : env_rule(w.found);
}

/* The device that all captures of a wire are for, the box itself aside. */
struct target_walk {
	__u32 zone, base, nvi;
	__u32 found;		/* ifindex; 0: there is none, or there are several, or one of them is gone */
};

static long target_step(__u32 i, void *arg)
{
	struct target_walk *w = arg;
	const struct rule *r = env_rule(w->base + i);

	if (!r)
		return 1;
	if (r->in_zone != w->zone || r->traffic != RULE_CAPTURE || (r->target && r->target == w->nvi) ||
	    (r->target && r->target == w->found))
		return 0;
	w->found = w->found ? 0 : r->target;
	return !w->found;
}

/* As target_walk.found: where what began in a target goes that is not there by its former ifindex. */
DP __u32 capture_target(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);
	struct target_walk w = { .zone = p->m->key.zone, .base = p->control->active ? NATVI_MAX_RULES : 0, .nvi = p->control->nvi_ifindex };

	if (set)
		env_loop(set->n_rules, target_step, &w);
	return w.found;
}

#endif
