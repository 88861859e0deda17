/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_native.h - the env contract (dp/env.h) in an ordinary process: replay, unit tests,
 * fuzzing, trace. Tables are plain memory of the struct native that native_run() has set, and routes
 * come from a list; a trace has both from a source instead. A frame that is sent is left in the struct. One thread.
 *
 * Only host/native.c includes this.
 */
#ifndef NATVI_HOST_ENV_NATIVE_H
#define NATVI_HOST_ENV_NATIVE_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define ENV_GLOBAL	static __attribute__((unused))
#define ENV_CONTEXT	struct native_frame

#include "abi/nvi.h"
#include "dp/pkt.h"
#include "dp/csum.h"
#include "host/native.h"
#include "host/native_impl.h"

DP struct native *native(void)
{
	return native_current;
}

DP __u32 env_now_s(struct cpu *cpu)
{
	return native()->now_s;
}

/* xorshift: the same run gives the same packets. */
DP __u32 env_random(void)
{
	__u64 x = native()->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	native()->random = x;
	return x >> 16;
}

#define ENV_TABLE(function, type, table, limit, id)                                            \
	DP type *function(__u32 i)                                                             \
	{                                                                                      \
		if (i >= (limit))                                                              \
			return NULL;                                                           \
		return unlikely(native()->source) ? native_entry(native(), id, i) : &native()->table[i]; \
	}

ENV_TABLE(env_settings, const struct settings, settings, 2, NATIVE_SETTINGS)
ENV_TABLE(env_port, const struct port, ports, NATVI_MAX_PORTS, NATIVE_PORTS)
ENV_TABLE(env_zone, const struct zone, zones, NATVI_MAX_ZONES, NATIVE_ZONES)
ENV_TABLE(env_rule, const struct rule, rules, 2 * NATVI_MAX_RULES, NATIVE_RULES)
ENV_TABLE(env_pool, const struct pool, pools, 2 * NATVI_MAX_POOLS, NATIVE_POOLS)
ENV_TABLE(env_pool_addr, const struct pool_addr, pool_addrs, 2 * native()->control.n_pool_addrs, NATIVE_POOL_ADDRS)
ENV_TABLE(env_portbits, struct portbits, portbits, native()->control.n_slots * PORTBITS_PROTOS, NATIVE_PORTBITS)
ENV_TABLE(env_bucket, struct bucket, buckets, native()->control.n_buckets, NATIVE_BUCKETS)
ENV_TABLE(env_mapping_bucket, struct mapping_bucket, mappings, native()->control.n_mapping_buckets, NATIVE_MAPPINGS)
ENV_TABLE(env_wire, const struct wire, wires, NATVI_MAX_WIRES, NATIVE_WIRES)
ENV_TABLE(env_wire_state, struct wire_state, wire_states, NATVI_MAX_WIRES, NATIVE_WIRE_STATES)
ENV_TABLE(env_neighbours, struct wire_neighbours, neighbours, NATVI_NEIGHBOUR_SETS, NATIVE_NEIGHBOURS)
ENV_TABLE(env_stations, struct stations, stations, NATVI_STATION_SETS, NATIVE_STATIONS)

DP struct cpu *env_cpu(__u32 i)
{
	return i < 2 ? &native()->cpu[i] : NULL;
}

DP struct control *env_control(void)
{
	return &native()->control;
}

DP struct usage *env_usage(void)
{
	return &native()->usage;
}

DP struct ids *env_ids(void)
{
	return &native()->ids;
}

/* There is no kernel beside it whose helpers could announce anything. */
DP bool env_expected(const struct tuple *k)
{
	return false;
}

DP struct fragment *env_fragment(const struct tuple *k)
{
	return native_fragment(native(), k);
}

DP void env_fragment_put(const struct tuple *k, const struct fragment *f)
{
	native_fragment_put(native(), k, f);
}

DP void env_fragment_cut(const struct tuple *k)
{
	native_fragment_cut(native(), k);
}

DP struct fragment_source *env_fragment_source(const struct addr_key *k)
{
	return native_fragment_source(native(), k);
}

DP const struct addr_info *env_addr(const struct addr_key *k)
{
	return native_addr_find(native(), k);
}

DP void env_loop(__u32 n, long (*fn)(__u32, void *), void *arg)
{
	native()->last_rule = NATIVE_NO_RULE;
	for (__u32 i = 0; i < n && !fn(i, arg); i++)
		;
}

DP long env_event(const struct event *e)
{
	native()->events++;
	return 0;
}

DP void env_begin(struct pkt *p)
{
	struct native_frame *f = p->ctx;

	p->m->ifindex = f->ifindex;
	p->m->wire_len = f->len;
	p->m->gso_size = 0;
	p->m->eth_proto = f->eth_proto;
	p->m->vlan_present = f->vlan_present;
	p->m->vlan_tci = f->vlan_tci;
	p->m->mark = f->mark;
}

DP void env_pointers(struct pkt *p)
{
	struct native_frame *f = p->ctx;

	p->data = f->data;
	p->data_end = f->data + f->len;
}

DP bool env_is_mine(struct pkt *p)
{
	return native()->net.any_mac || is_to_port(p);
}

DP bool env_hits_only(const struct pkt *p)
{
	return unlikely(native()->hits_only);
}

DP int env_punt(struct pkt *p)
{
	return NATIVE_KERNEL;
}

DP int env_drop(struct pkt *p)
{
	return NATIVE_DROP;
}

DP int env_kernel(struct pkt *p)
{
	return NATIVE_KERNEL;
}

DP int env_redirect(struct pkt *p, __u32 ifindex)
{
	struct native_frame *f = p->ctx;

	f->out_ifindex = ifindex;
	return NATIVE_SEND;
}

DP int env_enter(struct pkt *p, __u32 ifindex)
{
	struct native_frame *f = p->ctx;

	f->enters = true;
	return env_redirect(p, ifindex);
}

/* The neighbour is found at once. */
DP int env_resolve(struct pkt *p, __u32 ifindex)
{
	struct native_frame *f = p->ctx;

	f->resolves = true;
	return env_redirect(p, ifindex);
}

DP int env_park(struct pkt *p, enum park_kind kind)
{
	__u32 in = p->m->ifindex;
	struct ethhdr head = { .h_dest = { PARK_MAC_LOCAL, kind, in >> 24, in >> 16, in >> 8, in },
			       .h_proto = __builtin_bswap16(ETH_P_IP) };
	struct native_frame *f = p->ctx;

	if (p->m->l3) {
		memcpy(f->data, head.h_dest, sizeof(head.h_dest));
	} else {
		f->data -= sizeof(head);
		f->len += sizeof(head);
		memcpy(f->data, &head, sizeof(head));
		env_pointers(p);
	}
	return env_redirect(p, native()->control.park_ifindex);
}

/* As it lies on nvi0; native_cross() has it arrive at the far end. */
DP int env_cross(struct pkt *p, __u32 handle)
{
	__u32 in = p->m->ifindex;
	struct nvi_mac to = { NVI_MAC_LOCAL, NVI_MAC_KIND, { in >> 24, in >> 16, in >> 8, in } };
	struct nvi_mac from = { NVI_MAC_LOCAL, NVI_MAC_KIND, { handle >> 24, handle >> 16, handle >> 8, handle } };
	struct native_frame *f = p->ctx;
	struct ethhdr *eth;

	if (!p->m->l3) {
		f->data -= sizeof(*eth);
		f->len += sizeof(*eth);
		env_pointers(p);
	}
	eth = p->data;
	memcpy(eth->h_dest, &to, sizeof(to));
	memcpy(eth->h_source, &from, sizeof(from));
	eth->h_proto = __builtin_bswap16(ETH_P_IP);
	f->crosses = true;
	return env_redirect(p, native()->control.nvi_ifindex);
}

DP __u32 env_origin(struct pkt *p)
{
	struct native_frame *f = p->ctx;

	return f->origin;
}

DP void env_to_host(struct pkt *p)
{
}

DP void env_mark_slow(struct pkt *p, __u32 mark)
{
	struct native_frame *f = p->ctx;

	f->mark |= mark;
}

DP void env_unmark(struct pkt *p, __u32 mark)
{
	struct native_frame *f = p->ctx;

	f->mark &= ~mark;
}

/* Bytes go out of the frame or come into it behind the MAC addresses. */
DP void native_shift(struct pkt *p, __s32 bytes)
{
	struct native_frame *f = p->ctx;

	memmove(f->data - bytes, f->data, 2 * ETH_ALEN);
	f->data -= bytes;
	f->len += bytes;
	env_pointers(p);
}

DP __be16 env_tag_proto(const struct pkt *p)
{
	const struct native_frame *f = p->ctx;

	return f->vlan_proto;
}

/* A trace runs where the devices are. */
DP bool env_is_there(struct pkt *p, __u32 ifindex)
{
	char name[IFNAMSIZ];

	return !native()->source || if_indextoname(ifindex, name);
}

DP bool env_trim(struct pkt *p, __u32 len)
{
	struct native_frame *f = p->ctx;

	if (len > f->len)
		return false;
	f->len = len;
	env_pointers(p);
	return true;
}

/* The one out of band is the outermost. */
DP bool env_untag(struct pkt *p, __u32 n)
{
	struct native_frame *f = p->ctx;

	if (n && f->vlan_present) {
		f->vlan_present = false;
		n--;
	}
	if (f->len < sizeof(struct ethhdr) + n * 4)
		return false;
	native_shift(p, -4 * (__s32)n);
	return true;
}

DP bool env_frame(struct pkt *p, const struct link_head *head)
{
	__u32 n = head->tags & TAGS_COUNT, old = p->m->l3 ? sizeof(struct ethhdr) : 0, bytes = sizeof(struct ethhdr) + n * 4;
	struct native_frame *f = p->ctx;
	__be16 *w;

	if (n > NATVI_MAX_VLAN_TAGS || f->len < old || f->data + old - bytes < f->room)
		return false;
	f->data += old;
	f->data -= bytes;
	f->len += bytes - old;
	f->vlan_present = false;
	f->l2 = true;
	env_pointers(p);
	memcpy(f->data, head->dmac, ETH_ALEN);
	memcpy(f->data + ETH_ALEN, head->smac, ETH_ALEN);
	w = (__be16 *)(f->data + 2 * ETH_ALEN);
	for (__u32 i = 0; i < n; i++) {
		bool service = head->tags & (i ? TAGS_INNER_AD : TAGS_OUTER_AD);

		*w++ = __builtin_bswap16(service ? ETH_P_8021AD : ETH_P_8021Q);
		*w++ = __builtin_bswap16(head->tci[i]);
	}
	*w = head->proto;
	return true;
}

DP int env_copy(struct pkt *p, __u32 ifindex, bool in)
{
	return native_copy_frame(native(), p->ctx, ifindex, in);
}

/* Whose egress is asked for at all is the box's own. */
DP bool env_is_passing(const struct native_frame *f)
{
	return false;
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

DP int env_load(struct pkt *p, __u32 off, void *to, __u32 len)
{
	if (p->data + off + len > p->data_end)
		return -EFAULT;
	memcpy(to, p->data + off, len);
	return 0;
}

DP int env_store(struct pkt *p, __u32 off, const void *from, __u32 len)
{
	if (p->data + off + len > p->data_end)
		return -EFAULT;
	memcpy(p->data + off, from, len);
	return 0;
}

DP __u32 env_sum_quote(const struct cpu *cpu, __u32 len)
{
	const __u16 *w = (const __u16 *)cpu->quote;
	__u32 sum = 0;

	for (__u32 i = 0; i < len / 2; i++)
		sum += w[i];
	return sum;
}

DP int env_sum(struct pkt *p, __u32 off, __u32 len)
{
	__u64 sum = 0;

	if (p->data + off + len > p->data_end)
		return -EFAULT;
	for (__u32 i = 0; i < len; i++)
		sum += i & 1 ? ((__u8 *)p->data)[off + i] << 8 : ((__u8 *)p->data)[off + i];
	return csum_fold(sum);
}

DP int env_icmp_room(struct pkt *p, __u32 ip_len, __u32 room)
{
	struct native_frame *f = p->ctx;

	if (f->data - f->room < (long)room || p->m->l3 + ip_len > f->len)
		return -EINVAL;
	f->data -= room;
	f->len = room + p->m->l3 + ip_len;
	p->data = f->data;
	p->data_end = f->data + f->len;
	return 0;
}

DP void env_route(struct pkt *p, __u32 in, const struct tuple *t, struct route *r, bool mark)
{
	struct native_question q = { .in = in, .tos = p->m->tos, .mark = p->m->mark, .use_mark = mark, .tuple = *t };

	q.first = t != &p->cpu->draft.out;
	if (unlikely(native()->source))
		native()->source->route(native()->source->arg, &q, r);
	else
		native_route(native(), in, t, r);
}

DP bool env_socket(struct pkt *p, const struct tuple *t)
{
	if (unlikely(native()->source))
		return native()->source->socket(native()->source->arg, p->m->ifindex, t);
	return native_socket(native(), t);
}

#endif
