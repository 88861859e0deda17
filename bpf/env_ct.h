/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_ct.h - the part of the env contract that asks conntrack: kernel functions, and the fields of its structs that are
 * read. A kernel without nf_conntrack has none of these, so only an object of its own includes this.
 */
#ifndef NATVI_BPF_ENV_CT_H
#define NATVI_BPF_ENV_CT_H

#include "env_tc.h"

#include <bpf/bpf_core_read.h>

/* As in the kernel; what stands elsewhere there is found by name. */
#define IPS_SEEN_REPLY	(1 << 1)
#define IPS_ASSURED	(1 << 2)
#define IPS_CONFIRMED	(1 << 3)
#define IPS_SEQ_ADJUST	(1 << 6)
#define IPS_DYING	(1 << 9)
#define IPS_TEMPLATE	(1 << 11)
#define IPS_OFFLOAD	(1 << 14)
#define TCP_ESTABLISHED_ 3	/* TCP_CONNTRACK_ESTABLISHED */
#define TCP_LIBERAL	0x08	/* IP_CT_TCP_FLAG_BE_LIBERAL */
#define NFCT_POINTER	~7UL	/* of skb->_nfct, below it stands the state */
#define DST_POINTER	~1UL	/* of skb->_skb_refdst */
#define METRICS_POINTER	~3UL	/* of dst->_metrics */
#define METRIC_MTU	1	/* RTAX_MTU, counted from 0 */
#define OPTS_BYTES_61	12	/* of bpf_ct_opts before kernel 6.11, which has zones */

struct bpf_ct_opts___natvi {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u16 ct_zone_id;
	__u8 ct_zone_dir;
	__u8 reserved[3];
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct bpf_ct_opts {
	__u16 ct_zone_id;
};

struct nf_conntrack_zone {
	__u16 id;
	__u8 dir;
};

union nf_inet_addr {
	__u32 all[4];
};

union nf_conntrack_man_proto {
	__be16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct ip_ct_tcp_state {
	__u8 flags;
};

struct ip_ct_tcp {
	struct ip_ct_tcp_state seen[2];
	__u8 state;
};

union nf_conntrack_proto {
	struct ip_ct_tcp tcp;
};

struct nf_ct_ext {
	__u8 offset[4];
};

struct nf_conn {
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	__u32 mark;
	struct nf_ct_ext *ext;
	union nf_conntrack_proto proto;
};

struct sk_buff {
	unsigned long _nfct;
	unsigned long _skb_refdst;
};

struct dst_entry {
	unsigned long _metrics;
};

struct xfrm_id {
	__u32 spi;
};

struct xfrm_state {
	struct xfrm_id id;
};

enum nf_ct_ext_id {
	NF_CT_EXT_HELPER,
	NF_CT_EXT_TIMEOUT,
	NF_CT_EXT_SYNPROXY,
};

#pragma clang attribute pop

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
					 struct bpf_ct_opts___natvi *opts, __u32 opts_size) __ksym;
extern void bpf_ct_release(struct nf_conn *ct) __ksym;
extern int bpf_ct_change_timeout(struct nf_conn *ct, __u32 timeout_ms) __ksym;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;	/* kernel 6.2 */

/* The zone that the kernel has tracked the packet in; 0 where that cannot be seen, or not be asked for. */
DP void ct_zone(struct __sk_buff *skb, struct bpf_ct_opts___natvi *opts)
{
	const struct nf_conn *ct;
	struct sk_buff *kernel_skb;

	if (!bpf_core_field_exists(struct bpf_ct_opts, ct_zone_id) || !bpf_cast_to_kern_ctx)
		return;
	kernel_skb = bpf_cast_to_kern_ctx(skb);
	ct = (const void *)(kernel_skb->_nfct & NFCT_POINTER);
	if (!ct)
		return;
	bpf_core_read(&opts->ct_zone_id, sizeof(opts->ct_zone_id), &ct->zone.id);
	bpf_core_read(&opts->ct_zone_dir, sizeof(opts->ct_zone_dir), &ct->zone.dir);
}

/* The connection, held; opts->dir: the direction that t is. */
DP struct nf_conn *ct_get(struct pkt *p, const struct tuple *t, struct bpf_ct_opts___natvi *opts)
{
	struct bpf_sock_tuple *k = (void *)p->cpu->query;
	__u32 bytes = sizeof(k->ipv4);

	if (addr_is_v4(&t->src)) {
		k->ipv4.saddr = t->src.word[3];
		k->ipv4.daddr = t->dst.word[3];
		k->ipv4.sport = t->sport;
		k->ipv4.dport = t->dport;
	} else {
		bytes = sizeof(k->ipv6);
		__builtin_memcpy(k->ipv6.saddr, &t->src, sizeof(k->ipv6.saddr));
		__builtin_memcpy(k->ipv6.daddr, &t->dst, sizeof(k->ipv6.daddr));
		k->ipv6.sport = t->sport;
		k->ipv6.dport = t->dport;
	}
	__builtin_memset(opts, 0, sizeof(*opts));
	opts->netns_id = BPF_F_CURRENT_NETNS;
	opts->l4proto = t->proto;
	ct_zone(p->ctx, opts);
	if (!bpf_core_field_exists(struct bpf_ct_opts, ct_zone_id))
		return bytes == sizeof(k->ipv4) ? bpf_skb_ct_lookup(p->ctx, k, sizeof(k->ipv4), opts, OPTS_BYTES_61) :
						  bpf_skb_ct_lookup(p->ctx, k, sizeof(k->ipv6), opts, OPTS_BYTES_61);
	return bytes == sizeof(k->ipv4) ? bpf_skb_ct_lookup(p->ctx, k, sizeof(k->ipv4), opts, sizeof(*opts)) :
					  bpf_skb_ct_lookup(p->ctx, k, sizeof(k->ipv6), opts, sizeof(*opts));
}

DP void ct_addr(union addr *to, const union nf_inet_addr *from, bool v4)
{
	if (v4) {
		addr_from_v4(to, from->all[0]);
		return;
	}
	to->word[0] = from->all[0];
	to->word[1] = from->all[1];
	to->word[2] = from->all[2];
	to->word[3] = from->all[3];
}

DP void ct_tuple(struct tuple *to, const struct nf_conntrack_tuple *from, bool v4)
{
	ct_addr(&to->src, &from->src.u3, v4);
	ct_addr(&to->dst, &from->dst.u3, v4);
	to->sport = from->src.u.all;
	to->dport = from->dst.u.all;
	to->proto = from->dst.protonum;
	to->zone = 0;
	to->pad = 0;
}

DP __u32 ct_flags(const struct nf_conn *c, __u8 proto)
{
	const unsigned long wanted = IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY;
	unsigned long status = c->status;
	const struct nf_ct_ext *ext = c->ext;
	__u32 flags = 0;

	if ((status & wanted) == wanted && !(status & (IPS_DYING | IPS_TEMPLATE | IPS_OFFLOAD)) &&
	    (proto != IPPROTO_TCP || c->proto.tcp.state == TCP_ESTABLISHED_))
		flags |= CT_STEADY;
	if (proto != IPPROTO_TCP || (c->proto.tcp.seen[0].flags & c->proto.tcp.seen[1].flags & TCP_LIBERAL))
		flags |= CT_LIBERAL;
	if (status & IPS_SEQ_ADJUST)
		flags |= CT_KERNELS;
	if (!ext)
		return flags;
	if (ext->offset[bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_HELPER)])
		flags |= CT_KERNELS;
	if (bpf_core_enum_value_exists(enum nf_ct_ext_id, NF_CT_EXT_TIMEOUT) &&
	    ext->offset[bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_TIMEOUT)])
		flags |= CT_KERNELS;
	if (bpf_core_enum_value_exists(enum nf_ct_ext_id, NF_CT_EXT_SYNPROXY) &&
	    ext->offset[bpf_core_enum_value(enum nf_ct_ext_id, NF_CT_EXT_SYNPROXY)])
		flags |= CT_KERNELS;
	return flags;
}

DP bool env_ct(struct pkt *p, const struct tuple *t, struct ct *to)
{
	bool v4 = addr_is_v4(&t->src);
	struct bpf_ct_opts___natvi opts;
	struct nf_conn *c = ct_get(p, t, &opts);

	if (!c)
		return false;
	ct_tuple(&to->orig, &c->tuplehash[0].tuple, v4);
	ct_tuple(&to->reply, &c->tuplehash[1].tuple, v4);
	to->mark = c->mark;
	to->zone = c->zone.id;
	to->flags = ct_flags(c, t->proto);
	bpf_ct_release(c);
	if (opts.dir)
		to->flags |= CT_REPLY;
	return true;
}

DP void env_ct_refresh(struct pkt *p, const struct tuple *t, __u32 s)
{
	struct bpf_ct_opts___natvi opts;
	struct nf_conn *c = ct_get(p, t, &opts);

	if (!c)
		return;
	bpf_ct_change_timeout(c, s * 1000);
	bpf_ct_release(c);
}

/* A kernel without IPsec does not have the function. */
DP bool env_was_encrypted(struct pkt *p)
{
	struct bpf_xfrm_state *state = (void *)p->cpu->query;

	return bpf_core_field_exists(struct xfrm_state, id) && !bpf_skb_get_xfrm_state(p->ctx, 0, state, sizeof(*state), 0);
}

DP bool env_is_classed(const struct pkt *p)
{
	const struct __sk_buff *skb = p->ctx;

	return skb->mark || TC_H_MAJ(skb->priority);
}

DP __u32 env_route_mtu(struct pkt *p)
{
	struct sk_buff *skb;
	const struct dst_entry *dst;
	unsigned long metrics = 0;
	__u32 mtu = 0;

	if (!bpf_cast_to_kern_ctx)
		return 0;
	skb = bpf_cast_to_kern_ctx(p->ctx);
	dst = (const void *)(skb->_skb_refdst & DST_POINTER);
	if (!dst || bpf_core_read(&metrics, sizeof(metrics), &dst->_metrics))
		return 0;
	metrics = (metrics & METRICS_POINTER) + METRIC_MTU * sizeof(__u32);
	return bpf_probe_read_kernel(&mtu, sizeof(mtu), (const void *)metrics) ? 0 : mtu;
}

#endif
