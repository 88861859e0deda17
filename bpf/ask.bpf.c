/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ask.bpf.c - what the datapath would be told by the kernel, for `natvi trace`: the very functions of env_tc.h, in a
 * test run. It is attached nowhere, sends nothing and touches no table; abi/ask.h is its frame.
 */
#include "env_tc.h"
#include "abi/ask.h"

static struct cpu scratch;

static void ask_route(struct pkt *p, struct ask *a)
{
	const struct bpf_fib_lookup *fib = (const void *)p->cpu->query;
	struct route *r = &scratch.draft.route;

	env_route(p, a->in, &scratch.draft.orig, r, a->use_mark);
	a->result = r->result;
	a->oif = r->oif;
	a->mtu = r->mtu;
	a->gateway = fib->ipv4_dst;
	__builtin_memcpy(a->dmac, r->dmac, sizeof(a->dmac));
	__builtin_memcpy(a->smac, r->smac, sizeof(a->smac));
}

SEC("tc")
int natvi_ask(struct __sk_buff *skb)
{
	struct pkt packet = { .ctx = skb, .cpu = &scratch, .m = &scratch.meta }, *p = &packet;
	struct ask *a = (void *)(long)skb->data;

	if ((void *)(a + 1) > (void *)(long)skb->data_end)
		return -1;
	scratch.draft.orig = a->tuple;
	p->m->ifindex = a->in;
	p->m->mark = a->mark;
	p->m->tos = a->tos;
	if (a->what == ASK_SOCKET)
		a->socket = env_socket(p, &scratch.draft.orig);
	else
		ask_route(p, a);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
