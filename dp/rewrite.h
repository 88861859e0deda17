/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * rewrite.h - the recipe applied: addresses, ports, TTL, link layer, checksums by
 * difference (RFC 1624), the L4 checksum last because that may move the packet.
 */
#ifndef NATVI_DP_REWRITE_H
#define NATVI_DP_REWRITE_H

#include "csum.h"
#include "env.h"
#include "parse.h"

DP bool rewrite_l2(struct pkt *p, const struct flow *f)
{
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return false;
	__builtin_memcpy(eth->h_dest, f->dmac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, f->smac, ETH_ALEN);
	return true;
}

/* Its header has no checksum. */
DP bool rewrite_ipv6(struct pkt *p, const struct flow *f, bool hop)
{
	struct ipv6hdr *ip = p->data + p->m->l3;

	if ((void *)(ip + 1) > p->data_end)
		return false;
	__builtin_memcpy(&ip->saddr, &f->new_src, sizeof(ip->saddr));
	__builtin_memcpy(&ip->daddr, &f->new_dst, sizeof(ip->daddr));
	if (hop)
		ip->hop_limit--;
	return true;
}

/* ttl_delta: CSUM_TTL_DELTA to count this hop, 0 where the kernel will. */
DP bool rewrite_l3(struct pkt *p, const struct flow *f, __u16 ttl_delta)
{
	struct iphdr *ip = p->data + p->m->l3;

	if (unlikely(is_v6(p)))
		return rewrite_ipv6(p, f, ttl_delta);
	if ((void *)(ip + 1) > p->data_end)
		return false;
	ip->saddr = f->new_src.word[3];
	ip->daddr = f->new_dst.word[3];
	if (ttl_delta)
		ip->ttl--;
	ip->check = csum_apply2(ip->check, f->addr_delta, ttl_delta);
	if (p->m->flags & PKT_NEW_ID) {
		ip->check = csum_apply(ip->check, csum_delta16(ip->id, p->m->new_id));
		ip->id = p->m->new_id;
	}
	return true;
}

/* Ports or ICMP identifier, and the checksum. Moves the packet. */
DP bool rewrite_l4(struct pkt *p, const struct flow *f)
{
	void *l4 = p->data + p->m->l4;
	__be16 *ports = l4;
	struct icmp_header *icmp = l4;

	if (unlikely(p->m->flags & PKT_LATER))	/* it has none of these */
		return true;
	switch (p->m->key.proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		if ((void *)(ports + 2) > p->data_end)
			return false;
		ports[0] = f->new_sport;
		ports[1] = f->new_dport;
		if (p->m->key.proto == IPPROTO_TCP)
			return env_l4_csum(p, p->m->l4 + 16, f->addr_delta, f->port_delta, false);
		return env_l4_csum(p, p->m->l4 + 6, f->addr_delta, f->port_delta, true);
	case IPPROTO_ICMP:
		if (p->m->flags & PKT_NO_PORTS)
			return true;
		if ((void *)(icmp + 1) > p->data_end)
			return false;
		icmp->id = f->new_sport;
		return env_l4_csum(p, p->m->l4 + 2, 0, f->port_delta, false);
	default:
		return true;
	}
}

#endif
