/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * env_rest.h - env_rest() of the env contract: a tail call into the one program for all that needs more than one look, so
 * that neither ingress nor nvi0's egress carries that along, nor is it verified twice. The loader fills the array in; pinned, it
 * keeps its program when the daemon has gone.
 */
#ifndef NATVI_BPF_ENV_REST_H
#define NATVI_BPF_ENV_REST_H

#include "env_tc.h"
#include "dp/env.h"

int natvi_tc_rest(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int (void *));
} rest SEC(".maps") = {
	.values = { [0] = (void *)&natvi_tc_rest },
};

DP int env_rest(struct pkt *p)
{
	bpf_tail_call(p->ctx, &rest, 0);
	drop(p, VERDICT_INTERNAL);
	return p->m->action;
}

#endif
