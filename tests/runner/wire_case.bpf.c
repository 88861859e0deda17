/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_case.bpf.c - bpf/wire.bpf.c for the cases. A test run tells nothing of VLAN tags out of band, of copies, nor where a frame is
 * redirected to: these programs do. A copy is kept and not sent.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "tests/runner/wire_case.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct case_io);
} io SEC(".maps");

static struct case_io *case_io(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&io, &zero);
}

static __attribute__((noinline)) int case_keep(struct __sk_buff *skb, __u32 which)
{
	struct case_io *c = case_io();
	struct case_frame *f;
	__u32 len = skb->len;

	if (!c)
		return -1;
	f = which < CASE_COPIES ? &c->copy[which] : &c->frame;
	if (len > CASE_FRAME_BYTES)
		len = CASE_FRAME_BYTES;
	f->len = len;
	if (skb->vlan_present) {
		f->tag.proto = bpf_ntohs(skb->vlan_proto);
		f->tag.tci = skb->vlan_tci;
	}
	if (len < 1)
		return 0;
	asm volatile("" : "+r"(len));
	return bpf_skb_load_bytes(skb, 0, f->bytes, ((len - 1) & (CASE_FRAME_BYTES - 1)) + 1);
}

static __attribute__((noinline)) long case_redirect(__u32 ifindex, __u64 flags)
{
	struct case_io *c = case_io();

	if (c) {
		c->frame.ifindex = ifindex;
		c->frame.in = !!(flags & BPF_F_INGRESS);
	}
	return bpf_redirect(ifindex, flags);
}

static __attribute__((noinline, unused)) long case_clone(struct __sk_buff *skb, __u32 ifindex, __u64 flags)
{
	struct case_io *c = case_io();
	__u32 n;

	if (!c || c->n_copies >= CASE_COPIES)
		return -1;
	n = c->n_copies & (CASE_COPIES - 1);
	c->copy[n].ifindex = ifindex;
	c->copy[n].in = !!(flags & BPF_F_INGRESS);
	c->n_copies++;
	return case_keep(skb, n);
}

static __attribute__((noinline, unused)) long case_head(struct __sk_buff *skb, __u32 len, __u64 flags)
{
	struct case_io *c = case_io();

	if (c)
		c->headed = 1;
	return bpf_skb_change_head(skb, len, flags);
}

#define bpf_skb_change_head	case_head
#define bpf_redirect		case_redirect
#define bpf_clone_redirect	case_clone

#include "bpf/env_tc.h"
#include "dp/wire.h"

static void case_begin(struct __sk_buff *skb)
{
	struct case_io *c = case_io();

	if (c && c->tag.proto)
		bpf_skb_vlan_push(skb, bpf_htons(c->tag.proto), c->tag.tci);
}

static int case_end(struct __sk_buff *skb, int action)
{
	struct case_io *c = case_io();

	if (!c)
		return action;
	c->ran = 1;
	c->action = action;
	c->mark = skb->mark;
	case_keep(skb, CASE_COPIES);
	return c->hold ? TC_ACT_SHOT : action;
}

SEC("tc")
int case_wire(struct __sk_buff *skb)
{
	case_begin(skb);
	return case_end(skb, dp_wire(skb));
}

SEC("tc")
int case_target(struct __sk_buff *skb)
{
	case_begin(skb);
	return case_end(skb, dp_target(skb));
}

SEC("tc")
int case_host(struct __sk_buff *skb)
{
	case_begin(skb);
	return case_end(skb, dp_host(skb));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
