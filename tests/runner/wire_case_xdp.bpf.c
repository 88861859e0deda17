/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire_case_xdp.bpf.c - bpf/wire_xdp.bpf.c for the cases: where a frame is redirected to. */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

__u32 xdp_ifindex;

static __attribute__((noinline)) long case_redirect(__u32 ifindex, __u64 flags)
{
	xdp_ifindex = ifindex;
	return bpf_redirect(ifindex, flags);
}

#define bpf_redirect	case_redirect

#include "bpf/env_xdp.h"
#include "dp/wire.h"

SEC("xdp")
int case_xdp_wire(struct xdp_md *ctx)
{
	return dp_wire(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
