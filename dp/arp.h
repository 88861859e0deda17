/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * arp.h - answers for outside addresses that no interface owns (RFC 826): those of pools, forwards and netmaps. So
 * what lies in a connected subnet needs neither alias addresses nor proxy ARP.
 */
#ifndef NATVI_DP_ARP_H
#define NATVI_DP_ARP_H

#include "arp_packet.h"
#include "nat.h"

/*
 * Does this request ask for an address that natvi answers for? Also in a probe (RFC 5227 section 2.1.1), so that nobody
 * else takes the address; an announcement asks for nothing.
 */
DP bool arp_is_ours(struct pkt *p, const struct arp_packet *arp)
{
	const struct addr_info *info;
	union addr target;

	if (arp->op != ARP_REQUEST || arp_addr(arp->spa) == arp_addr(arp->tpa))
		return false;
	addr_from_v4(&target, arp_addr(arp->tpa));
	info = addr_find(p, &target);
	return info && (info->flags & (ADDR_POOL | ADDR_FORWARD | ADDR_NET)) && !(info->flags & ADDR_LOCAL);
}

DP enum stage arp(struct pkt *p)
{
	struct ethhdr *eth = p->data;
	struct arp_packet *arp;

	if (env_hits_only(p))
		return punt(p);
	arp = arp_of(p);
	if (!p->m->l3 || !arp || (void *)(eth + 1) > p->data_end || !arp_is_ours(p, arp))
		return kernel(p, VERDICT_NOT_IPV4);
	arp_reply(arp, p->port->mac);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, p->port->mac, ETH_ALEN);
	return sent(p, VERDICT_ARP_SENT, env_redirect(p, p->m->ifindex));
}

#endif
