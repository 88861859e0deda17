/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_tc.h - the env contract at tc ingress: the whole datapath. GSO packets stay whole,
 * the outer VLAN tag is out of band, and checksums may be left to the sending device
 * (CHECKSUM_PARTIAL), which only the kernel's own helpers keep right.
 */
#ifndef NATVI_BPF_ENV_TC_H
#define NATVI_BPF_ENV_TC_H

#include <linux/pkt_cls.h>

#define ENV_GLOBAL	__attribute__((noinline))
#define ENV_CONTEXT	struct __sk_buff

#include "env_bpf.h"
#include "abi/nvi.h"
#include "dp/csum.h"

#define ENODEV_		19
#define FIB_LOOKUP_MARK	(1U << 5)	/* BPF_FIB_LOOKUP_MARK, kernel 6.10 */
#define PULL_BYTES	(14 + 4 + 60 + 60)	/* the most that headers take */

/* Headers are made linear. */
DP void env_begin(struct pkt *p)
{
	struct __sk_buff *skb = p->ctx;

	if (skb->data_end - skb->data < PULL_BYTES && skb->data_end - skb->data < skb->len)
		bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES);
	p->m->ifindex = skb->ifindex;
	p->m->wire_len = skb->len;
	p->m->gso_size = skb->gso_size;
	p->m->eth_proto = skb->protocol;
	p->m->vlan_present = skb->vlan_present;
	p->m->vlan_tci = skb->vlan_tci;
	p->m->mark = skb->mark;
}

DP void env_pointers(struct pkt *p)
{
	struct __sk_buff *skb = p->ctx;

	p->data = (void *)(long)skb->data;
	p->data_end = (void *)(long)skb->data_end;
}

/* What the driver or the device above has found. */
DP bool env_is_mine(struct pkt *p)
{
	struct __sk_buff *skb = p->ctx;

	return !skb->pkt_type;	/* PACKET_HOST */
}

DP bool env_hits_only(const struct pkt *p)
{
	return false;
}

DP int env_punt(struct pkt *p)
{
	return TC_ACT_UNSPEC;
}

DP int env_drop(struct pkt *p)
{
	return TC_ACT_SHOT;
}

/* Filters of others behind natvi's still see it. */
DP int env_kernel(struct pkt *p)
{
	return TC_ACT_UNSPEC;
}

/* What natvi itself sends on tells its egress by this. */
#define TC_INDEX_SENT	0x4e56

DP int env_redirect(struct pkt *p, __u32 ifindex)
{
	struct __sk_buff *skb = p->ctx;

	if (p->control->flags & CONTROL_ACCEL)
		skb->tc_index = TC_INDEX_SENT;
	return bpf_redirect(ifindex, 0);
}

DP int env_enter(struct pkt *p, __u32 ifindex)
{
	return bpf_redirect(ifindex, BPF_F_INGRESS);
}

/*
 * The helper would take a next hop, too, but then the packet keeps its old route, and goes by that one's neighbour when it
 * has waited for this one. It must have a link-layer header, which is cut off again.
 */
DP int env_resolve(struct pkt *p, __u32 ifindex)
{
	if (!p->m->l3 && bpf_skb_change_head(p->ctx, sizeof(struct ethhdr), 0))
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

/* VLAN tags that are out of band go into the frame on the tap's way to the daemon. */
DP int env_park(struct pkt *p, enum park_kind kind)
{
	struct ethhdr *head = (void *)p->cpu->query;
	struct park_mac *mac = (void *)head->h_dest;
	__u32 in = p->m->ifindex;

	__builtin_memset(head, 0, sizeof(*head));
	mac->local = PARK_MAC_LOCAL;
	mac->kind = kind;
	mac->ifindex[0] = in >> 24;
	mac->ifindex[1] = in >> 16;
	mac->ifindex[2] = in >> 8;
	mac->ifindex[3] = in;
	head->h_proto = __builtin_bswap16(ETH_P_IP);
	if (!p->m->l3 && bpf_skb_change_head(p->ctx, sizeof(*head), 0))
		return -1;
	if (bpf_skb_store_bytes(p->ctx, 0, head, p->m->l3 ? sizeof(*mac) : sizeof(*head), 0))
		return -1;
	return bpf_redirect(p->control->park_ifindex, 0);
}

DP void nvi_mac_put(__u8 *address, __u32 word)
{
	struct nvi_mac mac = { NVI_MAC_LOCAL, NVI_MAC_KIND, { word >> 24, word >> 16, word >> 8, word } };

	__builtin_memcpy(address, &mac, sizeof(mac));
}

DP int env_cross(struct pkt *p, __u32 handle)
{
	struct ethhdr *head = (void *)p->cpu->query;

	nvi_mac_put(head->h_dest, p->m->ifindex);
	nvi_mac_put(head->h_source, handle);
	head->h_proto = __builtin_bswap16(ETH_P_IP);
	if (!p->m->l3 && bpf_skb_change_head(p->ctx, sizeof(*head), 0))
		return -1;
	if (bpf_skb_store_bytes(p->ctx, 0, head, p->m->l3 ? 2 * ETH_ALEN : sizeof(*head), 0))
		return -1;
	return bpf_redirect(p->control->nvi_ifindex, 0);
}

DP __u32 env_origin(struct pkt *p)
{
	struct __sk_buff *skb = p->ctx;

	return skb->ingress_ifindex;
}

DP __be16 env_tag_proto(const struct pkt *p)
{
	const struct __sk_buff *skb = p->ctx;

	return skb->vlan_proto;
}

/* The outer tag is out of band, and the next one takes its place there. */
DP bool env_untag(struct pkt *p, __u32 n)
{
	for (__u32 i = 0; i < NATVI_MAX_VLAN_TAGS && i < n; i++)
		if (bpf_skb_vlan_pop(p->ctx))
			return false;
	return true;
}

DP bool env_trim(struct pkt *p, __u32 len)
{
	return !bpf_skb_change_tail(p->ctx, len, 0);
}

DP bool env_frame(struct pkt *p, const struct link_head *l)
{
	struct ethhdr *head = (void *)p->cpu->query;
	__u32 tags = l->tags & TAGS_COUNT;

	__builtin_memcpy(head->h_dest, l->dmac, ETH_ALEN);
	__builtin_memcpy(head->h_source, l->smac, ETH_ALEN);
	head->h_proto = l->proto;
	if (!p->m->l3 && bpf_skb_change_head(p->ctx, sizeof(*head), 0))
		return false;
	if (bpf_skb_store_bytes(p->ctx, 0, head, sizeof(*head), 0))
		return false;
	if (tags == 2 && bpf_skb_vlan_push(p->ctx, __builtin_bswap16(l->tags & TAGS_INNER_AD ? ETH_P_8021AD : ETH_P_8021Q), l->tci[1]))
		return false;
	return !tags || !bpf_skb_vlan_push(p->ctx, __builtin_bswap16(l->tags & TAGS_OUTER_AD ? ETH_P_8021AD : ETH_P_8021Q), l->tci[0]);
}

DP int env_copy(struct pkt *p, __u32 ifindex, bool in)
{
	return bpf_clone_redirect(p->ctx, ifindex, in ? BPF_F_INGRESS : 0) ? -1 : 0;
}

DP bool env_is_there(struct pkt *p, __u32 ifindex)
{
	struct bpf_fib_lookup *fib = (void *)p->cpu->query;

	__builtin_memset(fib, 0, sizeof(*fib));
	fib->family = AF_INET_;
	fib->ifindex = ifindex;
	return bpf_fib_lookup(p->ctx, fib, sizeof(*fib), 0) != -ENODEV_;
}

DP void env_to_host(struct pkt *p)
{
	bpf_skb_change_type(p->ctx, 0);	/* PACKET_HOST */
}

DP void env_mark_slow(struct pkt *p, __u32 mark)
{
	struct __sk_buff *skb = p->ctx;

	skb->mark |= mark;
}

DP void env_unmark(struct pkt *p, __u32 mark)
{
	struct __sk_buff *skb = p->ctx;

	skb->mark &= ~mark;
}

/* The sign is taken off: a gateway behind a veth is not meant. */
DP bool env_is_forwarded(struct __sk_buff *skb)
{
	if (skb->tc_index != TC_INDEX_SENT)
		return skb->ingress_ifindex;
	skb->tc_index = 0;
	return false;
}

DP bool env_is_passing(const struct __sk_buff *skb)
{
	return skb->ingress_ifindex && !skb->mark;
}

DP bool env_l4_csum(struct pkt *p, __u32 off, __u16 addr_delta, __u16 port_delta, bool udp)
{
	__u64 flags = udp ? BPF_F_MARK_MANGLED_0 : 0;

	if (addr_delta && addr_delta != 0xffff &&
	    bpf_l4_csum_replace(p->ctx, off, 0, addr_delta, flags | BPF_F_PSEUDO_HDR))
		return false;
	return !port_delta || port_delta == 0xffff || !bpf_l4_csum_replace(p->ctx, off, 0, port_delta, flags);
}

/* 1 to NATVI_ICMP_QUOTE_BYTES, said so that every kernel's verifier follows. */
DP __u32 piece_len(__u32 len)
{
	OPAQUE(len);
	return ((len - 1) & (NATVI_ICMP_QUOTE_BYTES - 1)) + 1;
}

DP int env_load(struct pkt *p, __u32 off, void *to, __u32 len)
{
	if (len < 1 || len > NATVI_ICMP_QUOTE_BYTES)
		return -1;
	return bpf_skb_load_bytes(p->ctx, off, to, piece_len(len));
}

DP int env_store(struct pkt *p, __u32 off, const void *from, __u32 len)
{
	if (len < 1 || len > NATVI_ICMP_QUOTE_BYTES)
		return -1;
	return bpf_skb_store_bytes(p->ctx, off, from, piece_len(len), 0);
}

#define SUM_PIECE	NATVI_ICMP_QUOTE_BYTES

struct sum_walk {
	struct __sk_buff *skb;
	__u32 off;
	__u32 left;
	__s64 sum;
};

static long sum_step(__u32 i, void *arg)
{
	struct sum_walk *w = arg;
	__u32 n = w->left < SUM_PIECE ? w->left : SUM_PIECE;
	struct cpu *cpu = env_cpu(0);

	if (!cpu)
		return 1;
	__builtin_memset(cpu->piece, 0, sizeof(cpu->piece));
	if (bpf_skb_load_bytes(w->skb, w->off, cpu->piece, piece_len(n))) {
		w->sum = -1;
		return 1;
	}
	w->sum = bpf_csum_diff(NULL, 0, (__be32 *)cpu->piece, SUM_PIECE, w->sum);
	w->off += n;
	w->left -= n;
	return w->sum < 0 || !w->left;
}

ENV_GLOBAL int skb_sum(struct __sk_buff *skb, __u32 off, __u32 len)
{
	struct sum_walk w = { .skb = skb, .off = off, .left = len };

	bpf_loop((len + SUM_PIECE - 1) / SUM_PIECE, sum_step, &w, 0);
	return w.sum < 0 || w.left ? -1 : csum_fold(w.sum);
}

DP __u32 env_sum_quote(const struct cpu *cpu, __u32 len)
{
	OPAQUE(len);
	if (len > NATVI_ICMP_QUOTE_BYTES)
		return 0;
	return csum_fold(bpf_csum_diff(NULL, 0, (__be32 *)cpu->quote, len & ~3u, 0));
}

DP int env_sum(struct pkt *p, __u32 off, __u32 len)
{
	return skb_sum(p->ctx, off, len);
}

/*
 * Is the L4 checksum left to the sending device? The helper changes the field of a
 * complete checksum and leaves the other kind alone, so it is tried and undone.
 */
DP int csum_is_partial(struct pkt *p)
{
	__u16 before, after;
	__u32 off;

	if ((p->m->key.proto != IPPROTO_TCP && p->m->key.proto != IPPROTO_UDP) || (p->m->flags & PKT_FRAGMENT))
		return 0;
	off = p->m->l4 + (p->m->key.proto == IPPROTO_TCP ? 16 : 6);
	if (bpf_skb_load_bytes(p->ctx, off, &before, 2) || !before ||
	    bpf_l4_csum_replace(p->ctx, off, 0, 1, 0) || bpf_skb_load_bytes(p->ctx, off, &after, 2))
		return 0;
	if (before == after)
		return 1;
	bpf_skb_store_bytes(p->ctx, off, &before, 2, 0);
	return 0;
}

DP int env_icmp_room(struct pkt *p, __u32 ip_len, __u32 room)
{
	int partial = csum_is_partial(p);

	if (p->m->l3 + ip_len < p->m->wire_len && bpf_skb_change_tail(p->ctx, p->m->l3 + ip_len, 0))
		return -1;
	/* between Ethernet and IP: the skb's network header moves along, which a port without Ethernet needs */
	if (bpf_skb_adjust_room(p->ctx, room, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	return partial;
}

DP void env_route(struct pkt *p, __u32 in, const struct tuple *t, struct route *r, bool mark)
{
	struct bpf_fib_lookup *fib = (void *)p->cpu->query;

	_Static_assert(sizeof(*fib) <= sizeof(p->cpu->query), "struct cpu has room for it");
	__builtin_memset(fib, 0, sizeof(*fib));
	fib->family = AF_INET_;
	fib->l4_protocol = t->proto;
	fib->sport = t->sport;
	fib->dport = t->dport;
	fib->tot_len = 1;	/* asks for the route's MTU */
	fib->ifindex = in;
	if (addr_is_v4(&t->dst)) {
		fib->tos = p->m->tos & TOS_DSCP;
		fib->ipv4_src = t->src.word[3];
		fib->ipv4_dst = t->dst.word[3];
	} else {
		fib->family = AF_INET6_;
		fib->flowinfo = __builtin_bswap32((__u32)(p->m->tos & TOS_DSCP) << 20);
		__builtin_memcpy(fib->ipv6_src, &t->src, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, &t->dst, sizeof(fib->ipv6_dst));
	}
	r->oif = 0;
	r->mtu = 0;
	if (mark)
		__builtin_memcpy(fib->smac, &(__u32){ p->m->mark }, sizeof(__u32));	/* the union's member `mark` of newer headers */
	switch (bpf_fib_lookup(p->ctx, fib, sizeof(*fib), mark ? FIB_LOOKUP_MARK : 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		r->result = ROUTE_OK;
		r->mtu = fib->mtu_result;
		__builtin_memcpy(r->dmac, fib->dmac, sizeof(r->dmac));
		__builtin_memcpy(r->smac, fib->smac, sizeof(r->smac));
		break;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		r->result = ROUTE_NO_NEIGHBOUR;
		break;
	case BPF_FIB_LKUP_RET_NOT_FWDED:
	case BPF_FIB_LKUP_RET_FWD_DISABLED:
		r->result = ROUTE_LOCAL;
		return;
	default:
		r->result = ROUTE_NONE;
		return;
	}
	r->oif = fib->ifindex;
}

/* Is there a socket that the kernel would give packets with this tuple to? */
DP bool env_socket(struct pkt *p, const struct tuple *t)
{
	struct bpf_sock_tuple *tuple = (void *)p->cpu->query;
	struct bpf_sock *sk;

	tuple->ipv4.saddr = t->src.word[3];
	tuple->ipv4.daddr = t->dst.word[3];
	tuple->ipv4.sport = t->sport;
	tuple->ipv4.dport = t->dport;
	if (t->proto == IPPROTO_TCP)
		sk = bpf_sk_lookup_tcp(p->ctx, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(p->ctx, tuple, sizeof(tuple->ipv4), BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

#endif
