/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nvi.h - the virtual interface: which packets of a routed port are natvi's, and both ends of nvi0.
 *
 * A port with PORT_ROUTED is the kernel's but for what look-up 1 sends to nvi0, and what is for natvi's own
 * addresses. That is translated at the port and crosses nvi0 (PKT_CROSS) instead of leaving at once; at the far end
 * its flow says where it goes on to. The TTL is counted there, by natvi or by the kernel, and not before: what the
 * kernel has routed to nvi0 itself gets its hop back when it arrives.
 *
 * What cannot go on by its flow alone is the kernel's. It comes in anew at its own port, with natvi's mark, so that
 * rules for that interface hold; only where its routes would lead back to nvi0 it is routed from the far end.
 */
#ifndef NATVI_DP_NVI_H
#define NATVI_DP_NVI_H

#include "abi/nvi.h"
#include "box.h"
#include "forward.h"

/* Two addresses of a crossing frame; 0: not one of these. */
DP __u32 nvi_word(const __u8 *address)
{
	struct nvi_mac mac;

	__builtin_memcpy(&mac, address, sizeof(mac));
	if (mac.local != NVI_MAC_LOCAL || mac.kind != NVI_MAC_KIND)
		return 0;
	return (__u32)mac.word[0] << 24 | mac.word[1] << 16 | mac.word[2] << 8 | mac.word[3];
}

/* Does p have a flow whose route is as new as can be? Then it was routed to nvi0 when that was looked up. */
DP bool nvi_has_flow(struct pkt *p)
{
	const struct flow *f;
	__u32 slot = 0;
	struct bucket *b;

	if (!may_have_flow(p) || (p->m->flags & PKT_LATER))
		return false;
	b = flow_lookup(&p->m->key, p->control, &slot);
	if (!b)
		return false;
	f = bucket_flow(b, slot);
	return !(f->flags & FLOW_KERNEL) && route_holds(p, f, b, slot);
}

/* Is a packet of a routed port natvi's? NEXT: yes, and what is translated crosses nvi0. */
DP enum stage nvi_gate(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);
	struct route *way = &p->cpu->draft.route;

	if (!set)
		return drop(p, VERDICT_INTERNAL);
	if (is_kernels_v4(p->m->key.src.word[3], p->m->key.dst.word[3]))
		return kernel(p, VERDICT_MULTICAST);
	if (!nvi_has_flow(p) && !addr_find(p, &p->m->key.dst)) {
		env_route(p, p->m->ifindex, &p->m->key, way, set->flags & SETTINGS_MARK_ROUTES);
		if (!way->oif || way->oif != p->control->nvi_ifindex)
			return kernel(p, VERDICT_NOT_ENABLED);
	}
	if (p->control->nvi_ifindex)
		p->m->flags |= PKT_CROSS;
	return NEXT;
}

/* The hop that the kernel has counted, given back: the far end counts it. */
DP bool nvi_uncount(struct pkt *p)
{
	struct ethhdr *eth = p->data;
	struct iphdr *ip = (void *)(eth + 1);

	if ((void *)(ip + 1) > p->data_end)
		return false;
	if (eth->h_proto != __builtin_bswap16(ETH_P_IP) || ip->ttl == 0xff)
		return true;
	ip->ttl++;
	ip->check = csum_apply(ip->check, (__u16)~CSUM_TTL_DELTA);
	return true;
}

/*
 * Is what the box itself sends over nvi0 to be looked at? What is for translated addresses, or an error about what came from
 * there; and what rules speak of, from the beginning of a conversation on.
 */
DP bool nvi_box(struct pkt *p)
{
	const struct settings *set = env_settings(p->control->active);

	if ((p->m->flags & PKT_ICMP_ERROR) || addr_find(p, &p->m->key.dst))
		return true;
	if (!set || !(set->flags & SETTINGS_FROM_BOX))
		return false;
	return box_begins(p) || table_find(&p->m->key) >= 0;
}

/*
 * A frame on its way out of nvi0. What natvi has translated has its say in its addresses; the rest is what the kernel has
 * routed here, of a port or of the box itself. NEXT: it is taken up as if it came in there.
 */
DP enum stage nvi_out(struct pkt *p)
{
	__u32 from = env_origin(p);
	struct ethhdr *eth = p->data;

	if ((void *)(eth + 1) > p->data_end)
		return drop(p, VERDICT_TRUNCATED);
	p->m->action = env_kernel(p);
	if (nvi_word(eth->h_dest))
		return DONE;	/* counted where it was translated, and again at the far end */
	p->m->flags |= PKT_CROSS | PKT_AT_NVI;
	if (from == p->control->nvi_peer)
		return drop(p, VERDICT_NVI_LOOP);
	if (!nvi_uncount(p))
		return drop(p, VERDICT_TRUNCATED);
	if (!from)
		p->m->flags |= PKT_FROM_BOX;
	p->m->ifindex = from ? from : p->control->nvi_ifindex;
	if (!port_find(p) || parse(p, true) == DONE)
		return DONE;
	/* translated before: the slow road of a port led here, or an answer of natvi's own to one of these */
	if (from && addr_find(p, &p->m->key.src))
		return DONE;
	return from || nvi_box(p) ? NEXT : kernel(p, VERDICT_HOST_OUT);
}

/* Is p what flow f makes of its packets? */
DP bool nvi_takes(const struct pkt *p, const struct flow *f)
{
	const struct tuple *key = &p->m->key;

	if (key->dst.word[3] != f->new_dst.word[3])
		return false;
	if (p->m->flags & PKT_ICMP_ERROR)
		return true;
	if (key->src.word[3] != f->new_src.word[3] || key->proto != f->key.proto)
		return false;
	return (p->m->flags & PKT_LATER) || (key->sport == f->new_sport && key->dport == f->new_dport);
}

/* Can f send p on as it is? */
DP bool nvi_is_fast(const struct pkt *p, const struct flow *f, struct bucket *b, __u32 slot)
{
	return route_holds(p, f, b, slot) && f->oif && p->m->seg_len <= f->mtu && p->m->ttl > 1 &&
	       !(p->m->flags & PKT_OPTIONS) && !(f->flags & (FLOW_SLOW | FLOW_KERNEL));
}

DP enum stage nvi_forward(struct pkt *p, const struct flow *f)
{
	struct iphdr *ip = p->data + p->m->l3;

	if ((void *)(ip + 1) > p->data_end || !rewrite_l2(p, f))
		return drop(p, VERDICT_TRUNCATED);
	ip->ttl--;
	ip->check = csum_apply(ip->check, CSUM_TTL_DELTA);
	return sent(p, VERDICT_NVI, env_redirect(p, f->oif));
}

/* The kernel routes it from here. */
DP enum stage nvi_stay(struct pkt *p)
{
	env_to_host(p);
	return kernel(p, VERDICT_NVI_KERNEL);
}

/* The kernel's, by the routes of a zone: p comes in anew at its own port, or that zone's first one. */
DP enum stage nvi_enter(struct pkt *p, __u32 zone)
{
	const struct settings *set = env_settings(p->control->active);
	struct route *way = &p->cpu->draft.route;
	const struct zone *z = env_zone(zone);
	struct ethhdr *eth = p->data;
	__u32 in = route_in(p, zone);

	if (!set || !z || !(set->flags & SETTINGS_MARK_SLOW) || (p->port->flags & PORT_NVI) || !in ||
	    (void *)(eth + 1) > p->data_end)
		return nvi_stay(p);
	__builtin_memcpy(eth->h_dest, zone == p->m->key.zone ? p->port->mac : z->mac, ETH_ALEN);
	env_route(p, in, &p->m->key, way, set->flags & SETTINGS_MARK_ROUTES);
	if (way->oif == p->control->nvi_ifindex)
		return nvi_stay(p);
	env_mark_slow(p, set->slow_mark);
	return sent(p, VERDICT_NVI_KERNEL, env_enter(p, in));
}

/* A frame at the far end. */
DP enum stage nvi_in(struct pkt *p)
{
	struct ethhdr *eth = p->data;
	const struct flow *f;
	__u32 handle, slot = 0;
	struct bucket *b;

	if ((void *)(eth + 1) > p->data_end)
		return drop(p, VERDICT_TRUNCATED);
	p->m->ifindex = nvi_word(eth->h_dest);
	handle = nvi_word(eth->h_source);
	if (!p->m->ifindex || !port_find(p))
		return nvi_stay(p);
	if (parse(p, true) == DONE)
		return DONE;
	settle();
	b = handle_bucket(handle, &slot);
	if (!b)
		return nvi_stay(p);
	f = bucket_flow(b, slot);
	if (!(*bucket_tag(b, slot) & TAG_LIVE) || !nvi_takes(p, f))
		return nvi_stay(p);
	if (nvi_is_fast(p, f, b, slot))
		return nvi_forward(p, f);
	return nvi_enter(p, bucket_cold(b, slot)->route_zone);
}

#endif
