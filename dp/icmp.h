/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * icmp.h - natvi's own ICMP errors: time exceeded, fragmentation needed, unreachable.
 *
 * The stack would send them to the translated source, that is to the box. They quote the
 * packet as it came in (RFC 792, RFC 1812 section 4.3.2.3) and go back to the link-layer
 * address that it came from. One function makes all of them; a CPU sends at most
 * settings.icmp_rate a second. None is made about ICMP errors, fragments that are not the
 * first, or a source that names no single host (RFC 1122 section 3.2.2).
 */
#ifndef NATVI_DP_ICMP_H
#define NATVI_DP_ICMP_H

#include "csum.h"
#include "parse.h"

#define ICMP_HEAD_BYTES	(sizeof(struct iphdr) + sizeof(struct icmp_header))
#define ICMP_TTL	64
#define ICMP_TOS	0xc0	/* internetwork control, RFC 1812 section 4.3.2.5 */

struct icmp_error_headers {
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp_header icmp;
} __attribute__((packed, aligned(2)));

/* Of cpu->quote, in network byte order; at is even. */
DP __u16 quote16(const struct cpu *cpu, __u32 at)
{
	OPAQUE(at);
	at &= NATVI_ICMP_QUOTE_BYTES - 1;
	return at & 1 ? 0 : *(const __u16 *)&cpu->quote[at];
}

/* May this CPU send one more in this second? */
DP bool icmp_allowed(struct pkt *p, const struct settings *set)
{
	struct cpu *cpu = p->cpu;

	if (cpu->icmp_second != p->m->now_s) {
		cpu->icmp_second = p->m->now_s;
		cpu->icmp_tokens = 0;
	}
	if (cpu->icmp_tokens >= set->icmp_rate) {
		cpu->counters.icmp_suppressed++;
		return false;
	}
	cpu->icmp_tokens++;
	return true;
}

/*
 * Sum of all that is quoted. fill: the sending device will still complete the quoted packet's
 * L4 checksum, which makes all from l4_at on sum up to the complement of what the field holds now.
 */
DP __u32 quote_sum_all(const struct cpu *cpu, __u32 l4_at, __u32 field_at, bool fill)
{
	if (!fill)
		return env_sum_quote(cpu, NATVI_ICMP_QUOTE_BYTES);
	OPAQUE(field_at);
	field_at &= NATVI_ICMP_QUOTE_BYTES - 2;
	return env_sum_quote(cpu, l4_at) + (__u16)~*(const __u16 *)&cpu->quote[field_at];
}

DP void icmp_fill(struct icmp_error_headers *h, const struct pkt *p, __u8 type, __u8 code, __u16 mtu, __u32 quoted,
		  __u64 quoted_sum)
{
	const __u16 *w = (const __u16 *)h + sizeof(h->eth) / 2;	/* the IP header */
	__u64 sum = 0;

	h->ip.version = 4;
	h->ip.ihl = 5;
	h->ip.tos = ICMP_TOS;
	h->ip.tot_len = __builtin_bswap16(ICMP_HEAD_BYTES + quoted);
	h->ip.frag_off = IP_DF_BIT;
	h->ip.ttl = ICMP_TTL;
	h->ip.protocol = IPPROTO_ICMP;
	h->ip.saddr = p->port->addr4 && !(p->port->flags & (PORT_WIRE | PORT_TARGET)) ? p->port->addr4 : p->m->key.dst.word[3];
	h->ip.daddr = p->m->key.src.word[3];
	h->icmp.type = type;
	h->icmp.code = code;
	h->icmp.value = __builtin_bswap16(mtu);
	for (int i = 0; i < 10; i++)
		sum += w[i];
	h->ip.check = (__u16)~csum_fold(sum);
	w += sizeof(h->ip) / 2;
	h->icmp.checksum = (__u16)~csum_fold(quoted_sum + w[0] + w[2] + w[3]);
}

/* The Ethernet header of what goes back, if there is one, and the start of the packet into cpu->quote; false: not there. */
DP bool icmp_begin(struct pkt *p, struct ethhdr *back, __be16 proto, __u32 quoted)
{
	struct ethhdr eth;

	if (p->m->l3) {
		if (env_load(p, 0, &eth, sizeof(eth)))
			return false;
		__builtin_memcpy(back->h_dest, eth.h_source, ETH_ALEN);
		__builtin_memcpy(back->h_source, eth.h_dest, ETH_ALEN);
		back->h_proto = proto;
	}
	__builtin_memset(p->cpu->quote, 0, sizeof(p->cpu->quote));
	return !env_load(p, p->m->l3, p->cpu->quote, quoted);
}

/* Build the error in place of the packet and send it back; false: could not. Moves the packet. */
DP bool icmp_send(struct pkt *p, __u8 type, __u8 code, __u16 mtu)
{
	__u32 quoted = p->m->len < NATVI_ICMP_QUOTE_BYTES ? p->m->len : NATVI_ICMP_QUOTE_BYTES;
	__u32 field = p->m->key.proto == IPPROTO_TCP ? 16 : 6;
	const struct iphdr *quoted_ip = (const struct iphdr *)p->cpu->quote;
	struct icmp_error_headers h = {};
	int fill;

	if (!icmp_begin(p, &h.eth, __builtin_bswap16(ETH_P_IP), quoted) || (quoted_ip->frag_off & IP_FRAG_OFFSET))
		return false;
	fill = env_icmp_room(p, quoted, ICMP_HEAD_BYTES);
	if (fill < 0)
		return false;
	icmp_fill(&h, p, type, code, mtu, quoted, quote_sum_all(p->cpu, p->m->l4 - p->m->l3, p->m->l4 - p->m->l3 + field, fill));
	if (p->m->l3 ? env_store(p, 0, &h, sizeof(h)) : env_store(p, 0, &h.ip, ICMP_HEAD_BYTES))
		return false;
	/* what the kernel has routed to nvi0 has no sender's address left: the error crosses, and is routed to it */
	if (p->m->flags & PKT_AT_NVI)
		p->m->action = env_redirect(p, p->control->nvi_ifindex);
	else	/* the box itself has sent it: it is behind the port, not before it */
		p->m->action = p->m->flags & PKT_FROM_BOX ? env_enter(p, p->m->ifindex) : env_redirect(p, p->m->ifindex);
	return true;
}

/* Drop p for reason; its sender is told by icmp_answer(). The packet must still be as it came in. */
DP enum stage refuse(struct pkt *p, enum verdict reason, __u8 type, __u8 code, __u16 mtu)
{
	p->m->error_type = type;
	p->m->error_code = code;
	p->m->error_mtu = mtu;
	return drop(p, reason);
}

/* Send the error that refuse() asked for, if one may be sent. */
DP enum stage icmp_answer(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	if (!set || !p->port || (p->m->flags & (PKT_ICMP_ERROR | PKT_TAGGED)) || !icmp_allowed(p, set))
		return DONE;
	if (icmp_send(p, p->m->error_type, p->m->error_code, p->m->error_mtu))
		pkt_count(p, VERDICT_ICMP_SENT);
	else
		p->m->action = env_drop(p);
	return DONE;
}

/* No resources for a new flow: RFC 5508 req. 8, or RFC 6888 req. 11 by setting. */
DP enum stage refuse_exhausted(struct pkt *p, enum verdict reason)
{
	const struct settings *set = env_settings(p->control->active);
	struct cpu *cpu = p->cpu;

	if (set && cpu->exhausted_s != p->m->now_s) {
		cpu->exhausted_s = p->m->now_s;
		__builtin_memset(&cpu->event, 0, sizeof(cpu->event));
		cpu->event.kind = EVENT_EXHAUSTED;
		cpu->event.time_s = p->m->now_s;
		cpu->event.orig = p->m->key;
		cpu->event.verdict = reason;
		if (env_event(&cpu->event))
			cpu->counters.events_lost++;
	}
	return refuse(p, reason, ICMP_DEST_UNREACH,
		      set && (set->flags & SETTINGS_EXHAUST_HOST) ? ICMP_HOST_UNREACH : ICMP_PKT_FILTERED, 0);
}

#endif
