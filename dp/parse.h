/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * parse.h - one pass over the headers; fills the second part of struct pkt and its key.
 *
 * Whatever is read is checked against data_end first. The IPv4 header checksum is not
 * verified: it is changed by difference, so a wrong one stays wrong and the receiver sees it.
 */
#ifndef NATVI_DP_PARSE_H
#define NATVI_DP_PARSE_H

#include "env.h"
#include "port.h"

struct vlan_header {
	__be16 tci;
	__be16 proto;
};

#define IP_FRAG_BITS	__builtin_bswap16(0x3fff)	/* MF and offset */
#define IP_FRAG_OFFSET	__builtin_bswap16(0x1fff)
#define IP_MORE_BIT	__builtin_bswap16(0x2000)
#define IP_DF_BIT	__builtin_bswap16(0x4000)

/* What is wrong with it, for the caller to judge. */
DP enum stage bad(struct pkt *p, enum verdict why)
{
	p->m->bad = why;
	return DONE;
}

DP bool is_vlan(__be16 proto)
{
	return proto == __builtin_bswap16(ETH_P_8021Q) || proto == __builtin_bswap16(ETH_P_8021AD);
}

/* Ethernet and up to two tags; p->m->eth_proto and p->m->l3 afterwards. */
DP enum stage parse_l2(struct pkt *p)
{
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return bad(p, VERDICT_TRUNCATED);
	p->m->eth_proto = eth->h_proto;
	p->m->l3 = sizeof(*eth);
	for (int i = 0; i < NATVI_MAX_VLAN_TAGS && is_vlan(p->m->eth_proto); i++) {
		struct vlan_header *tag = p->data + p->m->l3;

		if ((void *)(tag + 1) > p->data_end)
			return bad(p, VERDICT_TRUNCATED);
		if (!p->m->vlan_present) {
			p->m->vlan_present = 1;
			p->m->vlan_tci = __builtin_bswap16(tag->tci);
		}
		p->m->eth_proto = tag->proto;
		p->m->l3 += sizeof(*tag);
		p->m->flags |= PKT_TAGGED;
	}
	return NEXT;
}

DP bool is_icmp_query(__u8 type)
{
	return type == ICMP_ECHO || type == ICMP_ECHOREPLY || type == ICMP_TIMESTAMP || type == ICMP_TIMESTAMPREPLY;
}

DP bool is_icmp_error(__u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB ||
	       type == ICMP_SOURCE_QUENCH;
}

DP enum stage parse_tcp(struct pkt *p, void *l4, __u32 room)
{
	struct tcphdr *tcp = l4;

	if ((void *)(tcp + 1) > p->data_end || room < sizeof(*tcp))
		return bad(p, VERDICT_TRUNCATED);
	if (tcp->doff < 5 || tcp->doff * 4u > room)
		return bad(p, VERDICT_BAD_HEADER);
	p->m->key.sport = tcp->source;
	p->m->key.dport = tcp->dest;
	p->m->tcp_flags = ((__u8 *)tcp)[13] & (SEEN_FIN | SEEN_SYN | SEEN_RST | SEEN_ACK);
	p->m->tcp_head = tcp->doff * 4;
	p->m->tcp_data = room > tcp->doff * 4u;
	return NEXT;
}

DP enum stage parse_udp(struct pkt *p, void *l4, __u32 room)
{
	struct udphdr *udp = l4;
	__u32 len;

	if ((void *)(udp + 1) > p->data_end || room < sizeof(*udp))
		return bad(p, VERDICT_TRUNCATED);
	len = __builtin_bswap16(udp->len);
	if ((len < sizeof(*udp) && !(p->m->flags & PKT_GSO)) || (len > room && !(p->m->flags & PKT_FIRST)))
		return bad(p, VERDICT_BAD_HEADER);
	p->m->key.sport = udp->source;
	p->m->key.dport = udp->dest;
	return NEXT;
}

DP enum stage parse_icmp(struct pkt *p, void *l4, __u32 room)
{
	struct icmp_header *icmp = l4;

	if ((void *)(icmp + 1) > p->data_end || room < sizeof(*icmp))
		return bad(p, VERDICT_TRUNCATED);
	p->m->icmp_type = icmp->type;
	if (is_icmp_query(icmp->type)) {
		p->m->key.sport = icmp->id;
		p->m->key.dport = icmp->id;
	} else if (is_icmp_error(icmp->type)) {
		p->m->flags |= PKT_ICMP_ERROR;
	} else {
		p->m->flags |= PKT_NO_PORTS;
	}
	return NEXT;
}

DP enum stage parse_l4(struct pkt *p, void *l4, __u32 room)
{
	switch (p->m->key.proto) {
	case IPPROTO_TCP:
		return parse_tcp(p, l4, room);
	case IPPROTO_UDP:
		return parse_udp(p, l4, room);
	case IPPROTO_ICMP:
		return parse_icmp(p, l4, room);
	default:
		p->m->flags |= PKT_NO_PORTS;
		return NEXT;
	}
}

/* Lengths of the packet on the wire: a GSO packet counts by its largest segment. */
DP void parse_lengths(struct pkt *p, void *ip, __u32 head_bytes)
{
	p->m->seg_len = p->m->len;
	if (!p->m->gso_size)
		return;
	p->m->flags |= PKT_GSO;
	if (p->m->key.proto == IPPROTO_TCP) {
		struct tcphdr *tcp = ip + head_bytes;

		if ((void *)(tcp + 1) <= p->data_end)
			p->m->seg_len = head_bytes + tcp->doff * 4 + p->m->gso_size;
	} else {
		p->m->seg_len = head_bytes + sizeof(struct udphdr) + p->m->gso_size;
	}
}

/*
 * A fragment with room bytes behind its IP header. Only the last one may end off an eight, none may end
 * behind the longest datagram, and the first one has to show its whole L4 header (RFC 1858, RFC 3128).
 */
DP enum stage parse_fragment(struct pkt *p, const struct iphdr *ip, __u32 room)
{
	__u32 at = __builtin_bswap16(ip->frag_off & IP_FRAG_OFFSET);

	p->m->frag_at = at;
	p->m->frag_end = at + (room + 7) / 8;
	p->m->frag_more = !!(ip->frag_off & IP_MORE_BIT);
	p->m->flags |= at ? PKT_LATER | PKT_NO_PORTS : PKT_FIRST;
	if (!room || (p->m->frag_more && room % 8) || at * 8 + room > 0xffff - sizeof(*ip) ||
	    (!at && ip->protocol == IPPROTO_TCP && room < sizeof(struct tcphdr)))
		return bad(p, VERDICT_FRAGMENT_BAD);
	return NEXT;
}

DP enum stage parse_ipv4(struct pkt *p)
{
	struct iphdr *ip = p->data + p->m->l3;
	__u32 head_bytes, present;

	if ((void *)(ip + 1) > p->data_end)
		return bad(p, VERDICT_TRUNCATED);
	head_bytes = ip->ihl * 4;
	present = p->m->wire_len - p->m->l3;
	p->m->len = __builtin_bswap16(ip->tot_len);
	if (!p->m->len && p->m->gso_size)	/* more than 64 KiB in one GSO packet */
		p->m->len = present;
	if (ip->version != 4 || head_bytes < sizeof(*ip) || p->m->len < head_bytes)
		return bad(p, VERDICT_BAD_HEADER);
	if (p->m->len > present)
		return bad(p, VERDICT_TRUNCATED);

	p->m->ttl = ip->ttl;
	p->m->tos = ip->tos;
	addr_from_v4(&p->m->key.src, ip->saddr);
	addr_from_v4(&p->m->key.dst, ip->daddr);
	p->m->key.proto = ip->protocol;
	p->m->l4 = p->m->l3 + head_bytes;
	if (head_bytes > sizeof(*ip))
		p->m->flags |= PKT_OPTIONS;
	if (ip->frag_off & IP_DF_BIT)
		p->m->flags |= PKT_DF;
	parse_lengths(p, ip, head_bytes);
	p->m->frag_id = ip->id;
	if (unlikely(ip->frag_off & IP_FRAG_BITS)) {
		if (parse_fragment(p, ip, p->m->len - head_bytes) == DONE)
			return DONE;
		if (p->m->flags & PKT_LATER)
			return NEXT;
	}
	return parse_l4(p, (void *)ip + head_bytes, p->m->len - head_bytes);
}

DP bool is_v6(const struct pkt *p)
{
	return p->m->eth_proto == __builtin_bswap16(ETH_P_IPV6);
}

DP enum stage parse_ipv6_head(struct pkt *p)
{
	struct ipv6hdr *ip = p->data + p->m->l3;
	__u32 present;

	if ((void *)(ip + 1) > p->data_end)
		return bad(p, VERDICT_TRUNCATED);
	present = p->m->wire_len - p->m->l3;
	p->m->len = __builtin_bswap16(ip->payload_len) + sizeof(*ip);
	if (!ip->payload_len && p->m->gso_size)
		p->m->len = present;
	if (ip->version != 6)
		return bad(p, VERDICT_BAD_HEADER);
	if (p->m->len > present)
		return bad(p, VERDICT_TRUNCATED);
	p->m->ttl = ip->hop_limit;
	p->m->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
	__builtin_memcpy(&p->m->key.src, &ip->saddr, sizeof(p->m->key.src));
	__builtin_memcpy(&p->m->key.dst, &ip->daddr, sizeof(p->m->key.dst));
	p->m->key.proto = ip->nexthdr;
	p->m->l4 = p->m->l3 + sizeof(*ip);
	p->m->flags |= PKT_DF;
	parse_lengths(p, ip, sizeof(*ip));
	return NEXT;
}

/*
 * IPv6 is only looked at for connections of the kernel's: a protocol that is none of TCP and UDP, which extension headers
 * are too, has no flow.
 */
DP enum stage parse_ipv6(struct pkt *p)
{
	struct ipv6hdr *ip = p->data + p->m->l3;

	if (parse_ipv6_head(p) == DONE)
		return DONE;
	if (p->m->key.proto == IPPROTO_TCP)
		return parse_tcp(p, ip + 1, p->m->len - sizeof(*ip));
	if (p->m->key.proto == IPPROTO_UDP)
		return parse_udp(p, ip + 1, p->m->len - sizeof(*ip));
	p->m->flags |= PKT_NO_PORTS;
	return NEXT;
}

/* Multicast, broadcast, loopback and "this network" are the stack's own business. */
DP bool is_kernels_v4(__be32 src, __be32 dst)
{
	__u8 s = *(__u8 *)&src, d = *(__u8 *)&dst;	/* first bytes as they lie in memory */

	return d >= 224 || d == 127 || d == 0 || s >= 224 || s == 127 || s == 0;
}

/* ICMP errors name no flow by themselves. */
DP bool may_have_flow(const struct pkt *p)
{
	return !(p->m->flags & PKT_ICMP_ERROR) && !(p->m->key.proto == IPPROTO_ICMP && (p->m->flags & PKT_NO_PORTS));
}

/* p cannot be made out. Where nothing is translated that is for the kernel to judge, and for its rules. */
DP enum stage refuse_bad(struct pkt *p)
{
	return p->control->flags & CONTROL_NO_NAT ? kernel(p, VERDICT_NO_RULE) : drop(p, p->m->bad & 63);
}

/* With addresses of IPv4 in IPv6's writing, which no flow of IPv4 is to take for its own. */
DP bool is_mapped_v6(const struct pkt *p)
{
	return is_v6(p) && (addr_is_v4(&p->m->key.src) || addr_is_v4(&p->m->key.dst));
}

/* l2: the packet has an Ethernet header, whatever its port. */
DP enum stage parse(struct pkt *p, bool l2)
{
	if (!l2)
		p->m->l3 = 0;
	else if (parse_l2(p) == DONE)
		return refuse_bad(p);
	if (unlikely(p->m->flags & PKT_TAGGED) && !port_find(p))
		return kernel(p, VERDICT_NOT_ENABLED);
	if (p->m->eth_proto == __builtin_bswap16(ETH_P_ARP))
		return NEXT;
	if (is_v6(p) && (p->control->flags & CONTROL_ACCEL)) {
		if (parse_ipv6(p) == DONE)
			return refuse_bad(p);
		return is_mapped_v6(p) ? kernel(p, VERDICT_NOT_IPV4) : NEXT;
	}
	if (p->m->eth_proto != __builtin_bswap16(ETH_P_IP))
		return kernel(p, VERDICT_NOT_IPV4);
	return parse_ipv4(p) == DONE ? refuse_bad(p) : NEXT;
}

#endif
