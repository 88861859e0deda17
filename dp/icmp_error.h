/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * icmp_error.h - ICMP errors of others, on their way through (RFC 5508 section 4, RFC 4787 req. 12).
 *
 * The quoted packet left here translated, so its reverse is the key of the flow that its
 * answers take, and that flow's recipe undoes the translation. Quoted header and outer
 * header are both translated; type, code and what follows the quoted headers (RFC 4884) stay. A
 * wrong checksum over the message or the quoted IP header is a drop (RFC 5508 req. 3); the quoted
 * L4 checksum is not looked at. An error neither refreshes nor ends a session.
 */
#ifndef NATVI_DP_ICMP_ERROR_H
#define NATVI_DP_ICMP_ERROR_H

#include "icmp.h"
#include "nat.h"

#define QUOTE_BYTES	(60 + 20)	/* an IP header with options and a TCP header */

/* What is known of the quoted packet. */
struct quoted {
	__u32 at;		/* offset of the quoted IP header in the packet */
	__u32 len;		/* bytes of it in cpu->quote */
	__u32 l4;		/* offset of its L4 header from there, 20-60 */
};

DP void quote16_set(struct cpu *cpu, __u32 at, __u16 value)
{
	OPAQUE(at);
	at &= NATVI_ICMP_QUOTE_BYTES - 2;
	*(__u16 *)&cpu->quote[at] = value;
}

/* Offset of the checksum in an L4 header, or 0: none that natvi keeps right. */
DP __u32 csum_place(__u8 proto)
{
	return proto == IPPROTO_TCP ? 16 : proto == IPPROTO_UDP ? 6 : proto == IPPROTO_ICMP ? 2 : 0;
}

/* Are the checksums of the message and of the quoted IP header right? */
DP bool quoted_verify(struct pkt *p, const struct quoted *q)
{
	return csum_fold(env_sum_quote(p->cpu, q->l4)) == 0xffff &&
	       env_sum(p, p->m->l4, p->m->l3 + p->m->len - p->m->l4) == 0xffff;
}

/* Read the quoted packet into cpu->quote; draft.reply becomes the key of the way back. False: not usable. */
DP bool quoted_parse(struct pkt *p, struct quoted *q)
{
	struct tuple *key = &p->cpu->draft.reply;
	struct cpu *cpu = p->cpu;
	const struct iphdr *ip = (const struct iphdr *)cpu->quote;

	q->at = p->m->l4 + sizeof(struct icmp_header);
	if (p->m->l3 + p->m->len < q->at + sizeof(*ip) + 8)	/* RFC 792: header and 8 bytes at least */
		return false;
	q->len = p->m->l3 + p->m->len - q->at;
	if (q->len > QUOTE_BYTES)
		q->len = QUOTE_BYTES;
	if (env_load(p, q->at, cpu->quote, q->len))
		return false;
	q->l4 = ip->ihl * 4;
	if (ip->version != 4 || q->l4 < sizeof(*ip) || q->l4 + 8 > q->len || (ip->frag_off & IP_FRAG_OFFSET))
		return false;
	addr_from_v4(&key->src, ip->daddr);
	addr_from_v4(&key->dst, ip->saddr);
	key->proto = ip->protocol;
	key->zone = p->m->key.zone;
	key->pad = 0;
	key->sport = 0;
	key->dport = 0;
	if (key->proto == IPPROTO_TCP || key->proto == IPPROTO_UDP) {
		key->dport = quote16(cpu, q->l4);
		key->sport = quote16(cpu, q->l4 + 2);
	} else if (key->proto == IPPROTO_ICMP) {
		if (!is_icmp_query(quote16(cpu, q->l4) & 0xff))
			return false;
		key->sport = quote16(cpu, q->l4 + 4);
		key->dport = key->sport;
	}
	return true;
}

/*
 * Undo f's opposite direction in the quote: what went out as f's reverse came in from f's
 * destination. Returns what all that adds to the ICMP checksum.
 */
DP __u16 quoted_translate(struct cpu *cpu, const struct quoted *q, const struct flow *f)
{
	struct iphdr *ip = (struct iphdr *)cpu->quote;
	__u32 check_at = csum_place(f->key.proto);
	__u16 change = 0, check, fixed;

	/* the addresses and the header checksum over them cancel out */
	ip->saddr = f->new_dst.word[3];
	ip->daddr = f->new_src.word[3];
	ip->check = csum_apply(ip->check, f->addr_delta);
	if (f->key.proto == IPPROTO_ICMP) {
		quote16_set(cpu, q->l4 + 4, f->new_sport);
		change = f->port_delta;
	} else if (f->key.proto == IPPROTO_TCP || f->key.proto == IPPROTO_UDP) {
		quote16_set(cpu, q->l4, f->new_dport);
		quote16_set(cpu, q->l4 + 2, f->new_sport);
		change = f->port_delta;
	}
	if (!check_at || q->l4 + check_at + 2 > q->len)
		return change;
	check = quote16(cpu, q->l4 + check_at);
	if (f->key.proto == IPPROTO_UDP && !check)
		return change;
	fixed = csum_apply(check, f->key.proto == IPPROTO_ICMP ? f->port_delta : csum_add(f->addr_delta, f->port_delta));
	quote16_set(cpu, q->l4 + check_at, fixed);
	return csum_add(change, csum_delta16(check, fixed));
}

/* The outer header: to who sent the quoted packet; from its translator's face where f has one. */
DP bool outer_translate(struct pkt *p, const struct flow *f, __u16 ttl_delta)
{
	struct iphdr *ip = p->data + p->m->l3;
	__u16 delta;

	if ((void *)(ip + 1) > p->data_end)
		return false;
	delta = csum_delta32(ip->daddr, f->new_dst.word[3]);
	ip->daddr = f->new_dst.word[3];
	if (f->new_src.word[3] != f->key.src.word[3]) {
		delta = csum_add(delta, csum_delta32(ip->saddr, f->new_src.word[3]));
		ip->saddr = f->new_src.word[3];
	}
	if (ttl_delta)
		ip->ttl--;
	ident_renew(p, f);
	if (p->m->flags & PKT_NEW_ID) {
		delta = csum_add(delta, csum_delta16(ip->id, p->m->new_id));
		ip->id = p->m->new_id;
	}
	ip->check = csum_apply2(ip->check, delta, ttl_delta);
	return true;
}

/* An error that belongs to no session: the box's own business, or nobody's. */
DP enum stage icmp_error_unknown(struct pkt *p, enum verdict why)
{
	const struct settings *set = env_settings(p->control->active);
	const struct addr_info *info = addr_find(p, &p->m->key.dst);
	const struct rule *r;

	if (info)
		return info->flags & ADDR_LOCAL ? kernel(p, VERDICT_LOCAL) : drop(p, why);
	if (!set)
		return drop(p, VERDICT_INTERNAL);
	route_find(p, &p->m->key, &p->cpu->draft.route, set, p->m->key.zone);
	r = rule_match(p, RULE_THROUGH, &p->cpu->draft.route, 0);
	if (!r || r->action == ACTION_KERNEL)
		return kernel(p, r ? VERDICT_RULE_KERNEL : VERDICT_NO_RULE);
	return drop(p, why);
}

/* Handle of the flow that draft.reply, the key of the way back, names; -1: none that lives. */
DP __s64 quoted_flow(struct pkt *p)
{
	__s64 handle = table_find(&p->cpu->draft.reply);

	return handle < 0 || session_stale(handle, p->cpu) ? -1 : handle;
}

/* Both headers by flow f. False: the packet is not what it seemed. Moves the packet. */
DP bool quoted_rewrite(struct pkt *p, const struct quoted *q, const struct flow *f, __u16 ttl_delta)
{
	__u16 change;

	if (!outer_translate(p, f, ttl_delta))
		return false;
	change = quoted_translate(p->cpu, q, f);
	return q->len >= 28 && q->len <= QUOTE_BYTES && !env_store(p, q->at, p->cpu->quote, q->len) &&
	       env_l4_csum(p, p->m->l4 + 2, 0, change, false);
}

DP enum stage icmp_error(struct pkt *p)
{
	enum verdict slow = VERDICT_FORWARD;
	struct quoted q = {};
	struct bucket *b;
	struct flow *f;
	__s64 handle;
	__u32 slot = 0;
	int enter = 0;
	bool over;

	if (p->m->flags & PKT_FRAGMENT)
		return icmp_error_unknown(p, VERDICT_FRAGMENT);
	if (!quoted_parse(p, &q))
		return icmp_error_unknown(p, VERDICT_BAD_ICMP);
	handle = quoted_flow(p);
	b = handle < 0 ? NULL : handle_bucket(handle, &slot);
	if (!b)
		return icmp_error_unknown(p, VERDICT_ICMP_UNRELATED);
	f = bucket_flow(b, slot);
	if (f->flags & FLOW_KERNEL)
		return kernel(p, VERDICT_KERNEL_FLOW);
	if (!quoted_verify(p, &q))
		return drop(p, VERDICT_BAD_ICMP);
	if (p->m->ttl <= 1 && !is_to_box(f))
		return drop(p, VERDICT_TTL_EXCEEDED);
	if (!route_holds(p, f, b, slot) && forward_reroute(p, f, b, slot, &slow) == DONE)
		return DONE;
	if (is_to_box(f))
		slow = VERDICT_SLOW_LOCAL;
	else if (slow == VERDICT_FORWARD && (f->flags & FLOW_SLOW))
		slow = forward_slow_why(p);
	p->m->slow = slow;
	settle();
	slow = p->m->slow & 63;
	over = is_to_cross(p, f);
	if (slow == VERDICT_FORWARD && !over && !rewrite_l2(p, f))
		return drop(p, VERDICT_TRUNCATED);
	if (slow != VERDICT_FORWARD && !over)
		enter = slow_begin(p, f, bucket_cold(b, slot)->route_zone);
	if (enter < 0)
		return drop(p, VERDICT_NO_ROUTE);
	if (!quoted_rewrite(p, &q, f, slow == VERDICT_FORWARD && !over ? CSUM_TTL_DELTA : 0))
		return drop(p, VERDICT_BAD_ICMP);
	if (over)
		return cross(p, handle, slow);
	if (slow != VERDICT_FORWARD)
		return slow_end(p, slow, enter);
	return sent(p, VERDICT_FORWARD, env_redirect(p, f->oif));
}

#endif
