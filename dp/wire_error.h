/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_error.h - ICMP errors on a wire about what came out of a target (RFC 792, RFC 4443 section 2.4). They go back into it, as
 * the answers of the connection that they quote; on the wire nobody knows who began it, and nobody else is to read it.
 */
#ifndef NATVI_DP_WIRE_ERROR_H
#define NATVI_DP_WIRE_ERROR_H

#include "icmp.h"
#include "wire_flow.h"

#define WIRE_QUOTE_BYTES	80	/* an IP header with options, and enough of the one behind it */

/* The quoted IP header's part of the key of the answers, and where the next header is; false: not usable. */
DP bool wire_quote_ip(struct pkt *p, struct tuple *key, __u32 *l4)
{
	const struct ipv6hdr *ip6 = (const struct ipv6hdr *)p->cpu->quote;
	const struct iphdr *ip = (const struct iphdr *)p->cpu->quote;

	if (is_v6(p)) {
		__builtin_memcpy(&key->src, &ip6->daddr, sizeof(key->src));
		__builtin_memcpy(&key->dst, &ip6->saddr, sizeof(key->dst));
		key->proto = ip6->nexthdr;
		*l4 = sizeof(*ip6);
		return ip6->version == 6;
	}
	addr_from_v4(&key->src, ip->daddr);
	addr_from_v4(&key->dst, ip->saddr);
	key->proto = ip->protocol;
	*l4 = ip->ihl * 4;
	return ip->version == 4 && *l4 >= sizeof(*ip) && !(ip->frag_off & IP_FRAG_OFFSET);
}

/* The key of what answers the packet that p quotes; false: p quotes too little. */
DP bool wire_quote(struct pkt *p, struct tuple *key)
{
	__u32 at = p->m->l4 + sizeof(struct icmp_header), end = p->m->l3 + p->m->len, l4 = 0, len;
	__u8 type;

	__builtin_memset(key, 0, sizeof(*key));
	key->zone = p->m->key.zone;
	if (end < at + sizeof(struct iphdr) + 8)
		return false;
	len = end - at < WIRE_QUOTE_BYTES ? end - at : WIRE_QUOTE_BYTES;
	if (env_load(p, at, p->cpu->quote, len) || !wire_quote_ip(p, key, &l4) || l4 + 8 > len)
		return false;
	switch (key->proto) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		key->dport = quote16(p->cpu, l4);
		key->sport = quote16(p->cpu, l4 + 2);
		return true;
	case IPPROTO_ICMP:
	case IPPROTO_ICMP6:
		type = quote16(p->cpu, l4) & 0xff;
		key->sport = quote16(p->cpu, l4 + 4);
		key->dport = key->sport;
		return is_v6(p) ? type == ICMP6_ECHO || type == ICMP6_ECHOREPLY : is_icmp_query(type);
	default:
		return true;
	}
}

/* NEXT: the error p is captured, to p->m->target. */
DP enum stage wire_error(struct pkt *p)
{
	struct tuple *key = &p->cpu->draft.orig;
	__u64 handle = 0;
	struct flow *f;

	if (!wire_quote(p, key))
		return DONE;
	f = flow_of(key, &handle);
	if (!f || (f->flags & (FLOW_WIRE | FLOW_ORIG | FLOW_TARGET)) != FLOW_WIRE ||
	    (!flow_fresh(f, p->m->now_s) && session_stale(handle, p->cpu)))
		return DONE;
	p->m->target = f->oif;
	return NEXT;
}

#endif
