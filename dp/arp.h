/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * arp.h - answers for outside addresses that no interface owns (RFC 826): those of pools, forwards and netmaps. So
 * what lies in a connected subnet needs neither alias addresses nor proxy ARP.
 */
#ifndef NATVI_DP_ARP_H
#define NATVI_DP_ARP_H

#include "nat.h"

struct arp_packet {
	__be16 htype, ptype;
	__u8 hlen, plen;
	__be16 op;
	__u8 sha[ETH_ALEN];
	__u8 spa[4];
	__u8 tha[ETH_ALEN];
	__u8 tpa[4];
} __attribute__((packed));

#define ARP_REQUEST	__builtin_bswap16(1)
#define ARP_REPLY	__builtin_bswap16(2)
#define ARP_ETHERNET	__builtin_bswap16(1)

DP __be32 arp_addr(const __u8 bytes[4])
{
	__be32 addr;

	__builtin_memcpy(&addr, bytes, sizeof(addr));
	return addr;
}

/*
 * Does this request ask for an address that natvi answers for? Also in a probe (RFC 5227 section 2.1.1), so that nobody
 * else takes the address; an announcement asks for nothing.
 */
DP bool arp_is_ours(struct pkt *p, const struct arp_packet *arp)
{
	const struct addr_info *info;
	union addr target;

	if (arp->htype != ARP_ETHERNET || arp->ptype != __builtin_bswap16(ETH_P_IP) || arp->hlen != ETH_ALEN ||
	    arp->plen != 4 || arp->op != ARP_REQUEST || arp_addr(arp->spa) == arp_addr(arp->tpa))
		return false;
	addr_from_v4(&target, arp_addr(arp->tpa));
	info = addr_find(p, &target);
	return info && (info->flags & (ADDR_POOL | ADDR_FORWARD | ADDR_NET)) && !(info->flags & ADDR_LOCAL);
}

DP enum stage arp(struct pkt *p)
{
	struct arp_packet *arp = p->data + p->m->l3;
	struct ethhdr *eth = p->data;
	__u8 asked[4];

	if (env_hits_only(p))
		return punt(p);
	if (!p->m->l3 || (void *)(arp + 1) > p->data_end || (void *)(eth + 1) > p->data_end || !arp_is_ours(p, arp))
		return kernel(p, VERDICT_NOT_IPV4);
	__builtin_memcpy(asked, arp->tpa, sizeof(asked));
	__builtin_memcpy(arp->tha, arp->sha, ETH_ALEN);
	__builtin_memcpy(arp->tpa, arp->spa, sizeof(arp->tpa));
	__builtin_memcpy(arp->sha, p->port->mac, ETH_ALEN);
	__builtin_memcpy(arp->spa, asked, sizeof(asked));
	arp->op = ARP_REPLY;
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, p->port->mac, ETH_ALEN);
	return sent(p, VERDICT_ARP_SENT, env_redirect(p, p->m->ifindex));
}

#endif
