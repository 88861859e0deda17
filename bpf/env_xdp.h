/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_xdp.h - the env contract at XDP: flow hits only. What a miss would call is
 * declared so that the one datapath compiles, and is compiled away behind
 * env_hits_only(). Checksums must be complete: there is no CHECKSUM_PARTIAL here.
 */
#ifndef NATVI_BPF_ENV_XDP_H
#define NATVI_BPF_ENV_XDP_H

#define ENV_GLOBAL	static inline __attribute__((unused))
#define ENV_CONTEXT	struct xdp_md

#include "env_bpf.h"
#include "dp/csum.h"

DP void env_begin(struct pkt *p)
{
	struct xdp_md *ctx = p->ctx;

	p->m->ifindex = ctx->ingress_ifindex;
	p->m->wire_len = ctx->data_end - ctx->data;
	p->m->gso_size = 0;
	p->m->eth_proto = 0;
	p->m->vlan_present = 0;
	p->m->vlan_tci = 0;
	p->m->mark = 0;
}

DP void env_pointers(struct pkt *p)
{
	struct xdp_md *ctx = p->ctx;

	p->data = (void *)(long)ctx->data;
	p->data_end = (void *)(long)ctx->data_end;
}

/* Of several MAC addresses that a device may have only the first is known here; tc knows them all. */
DP bool env_is_mine(struct pkt *p)
{
	return is_to_port(p);
}

DP bool env_hits_only(const struct pkt *p)
{
	return true;
}

DP int env_punt(struct pkt *p)
{
	return XDP_PASS;
}

DP int env_drop(struct pkt *p)
{
	return XDP_DROP;
}

DP int env_kernel(struct pkt *p)
{
	return XDP_PASS;
}

DP int env_redirect(struct pkt *p, __u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

DP bool env_l4_csum(struct pkt *p, __u32 off, __u16 addr_delta, __u16 port_delta, bool udp)
{
	__u16 *check = p->data + off;

	if ((void *)(check + 1) > p->data_end)
		return false;
	if (udp && !*check)
		return true;
	*check = csum_apply2(*check, addr_delta, port_delta);
	if (udp && !*check)
		*check = 0xffff;
	return true;
}

/* Never reached at XDP. */
DP void env_mark_slow(struct pkt *p, __u32 mark) {}
DP int env_rest(struct pkt *p) { return XDP_PASS; }
DP int env_load(struct pkt *p, __u32 off, void *to, __u32 len) { return -1; }
DP int env_store(struct pkt *p, __u32 off, const void *from, __u32 len) { return -1; }
DP __u32 env_sum_quote(const struct cpu *cpu, __u32 len) { return 0; }
DP int env_sum(struct pkt *p, __u32 off, __u32 len) { return -1; }
DP int env_enter(struct pkt *p, __u32 ifindex) { return XDP_PASS; }
DP int env_resolve(struct pkt *p, __u32 ifindex) { return XDP_PASS; }
DP void env_unmark(struct pkt *p, __u32 mark) { }
DP bool env_is_passing(const struct xdp_md *ctx) { return true; }
DP int env_park(struct pkt *p, enum park_kind kind) { return -1; }
DP int env_cross(struct pkt *p, __u32 handle) { return -1; }
DP __u32 env_origin(struct pkt *p) { return 0; }
DP void env_to_host(struct pkt *p) {}
DP __be16 env_tag_proto(const struct pkt *p) { return 0; }
DP bool env_untag(struct pkt *p, __u32 n) { return false; }
DP bool env_is_there(struct pkt *p, __u32 ifindex) { return true; }
DP bool env_trim(struct pkt *p, __u32 len) { return false; }
DP bool env_frame(struct pkt *p, const struct link_head *l) { return false; }
DP int env_copy(struct pkt *p, __u32 ifindex, bool in) { return -1; }
DP int env_icmp_room(struct pkt *p, __u32 ip_len, __u32 room) { return -1; }
DP void env_route(struct pkt *p, __u32 in, const struct tuple *t, struct route *r, bool mark) { r->result = ROUTE_NONE; }
DP bool env_socket(struct pkt *p, const struct tuple *t) { return false; }

#endif
