/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* arp_packet.h - ARP for Ethernet and IPv4 (RFC 826). */
#ifndef NATVI_DP_ARP_PACKET_H
#define NATVI_DP_ARP_PACKET_H

#include "pkt.h"

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

/* Behind Ethernet and tags, as long as l3 says they are; NULL: it is none. */
DP struct arp_packet *arp_of(const struct pkt *p)
{
	struct arp_packet *arp = p->data + p->m->l3;

	if ((void *)(arp + 1) > p->data_end || arp->htype != ARP_ETHERNET || arp->ptype != __builtin_bswap16(ETH_P_IP) ||
	    arp->hlen != ETH_ALEN || arp->plen != 4)
		return NULL;
	return arp;
}

/* A request becomes its reply: the address that it asks for is behind mac. */
DP void arp_reply(struct arp_packet *arp, const __u8 mac[6])
{
	__u8 asked[4];

	__builtin_memcpy(asked, arp->tpa, sizeof(asked));
	__builtin_memcpy(arp->tha, arp->sha, ETH_ALEN);
	__builtin_memcpy(arp->tpa, arp->spa, sizeof(arp->tpa));
	__builtin_memcpy(arp->sha, mac, ETH_ALEN);
	__builtin_memcpy(arp->spa, asked, sizeof(asked));
	arp->op = ARP_REPLY;
}

#endif
