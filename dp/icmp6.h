/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * icmp6.h - "packet too big" of wire mode's own (RFC 4443 section 3.2), in the name of who the packet was for.
 */
#ifndef NATVI_DP_ICMP6_H
#define NATVI_DP_ICMP6_H

#include "icmp.h"

#define ICMP6_HEAD_BYTES	(sizeof(struct ipv6hdr) + ICMP6_BYTES)
#define ICMP6_BYTES		8
#define ICMP6_PROTO		58

struct icmp6_headers {
	struct ethhdr eth;
	struct ipv6hdr ip;
	__u8 type, code;
	__u16 checksum;
	__be32 mtu;
} __attribute__((packed, aligned(2)));

DP void icmp6_fill(struct icmp6_headers *h, const struct pkt *p, __u32 quoted, __u64 quoted_sum)
{
	const __u16 *w = (const __u16 *)h + sizeof(h->eth) / 2;	/* the IP header */
	__u64 sum = quoted_sum;

	h->ip.version = 6;
	h->ip.payload_len = __builtin_bswap16(ICMP6_BYTES + quoted);
	h->ip.nexthdr = ICMP6_PROTO;
	h->ip.hop_limit = ICMP_TTL;
	__builtin_memcpy(&h->ip.saddr, &p->m->key.dst, sizeof(h->ip.saddr));
	__builtin_memcpy(&h->ip.daddr, &p->m->key.src, sizeof(h->ip.daddr));
	h->type = p->m->error_type;
	h->mtu = __builtin_bswap32(p->m->error_mtu);
	for (int i = 4; i < 20; i++)	/* both addresses, of the pseudo header of RFC 8200 section 8.1 */
		sum += w[i];
	sum += __builtin_bswap16(ICMP6_BYTES + quoted) + __builtin_bswap16(ICMP6_PROTO);
	w += sizeof(h->ip) / 2;
	sum += w[0] + w[2] + w[3];
	h->checksum = (__u16)~csum_fold(sum);
}

/* As icmp_send(). */
DP bool icmp6_send(struct pkt *p)
{
	__u32 quoted = p->m->len < NATVI_ICMP_QUOTE_BYTES ? p->m->len : NATVI_ICMP_QUOTE_BYTES;
	__u32 field = p->m->key.proto == IPPROTO_TCP ? 16 : 6;
	struct icmp6_headers h = {};
	int fill;

	if (!icmp_begin(p, &h.eth, __builtin_bswap16(ETH_P_IPV6), quoted))
		return false;
	fill = env_icmp_room(p, quoted, ICMP6_HEAD_BYTES);
	if (fill < 0)
		return false;
	icmp6_fill(&h, p, quoted, quote_sum_all(p->cpu, p->m->l4 - p->m->l3, p->m->l4 - p->m->l3 + field, fill));
	if (p->m->l3 ? env_store(p, 0, &h, sizeof(h)) : env_store(p, 0, &h.ip, ICMP6_HEAD_BYTES))
		return false;
	p->m->action = env_redirect(p, p->m->ifindex);
	return true;
}

/* As icmp_answer(). */
DP enum stage icmp6_answer(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	if (!set || !p->port || (p->m->flags & (PKT_ICMP_ERROR | PKT_TAGGED)) || !icmp_allowed(p, set))
		return DONE;
	if (icmp6_send(p))
		pkt_count(p, VERDICT_ICMP_SENT);
	else
		p->m->action = env_drop(p);
	return DONE;
}

#endif
