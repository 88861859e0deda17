/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire_xdp.bpf.c - a wire's port at XDP: what crosses. */
#include "env_xdp.h"
#include "dp/wire.h"

SEC("xdp")
int natvi_xdp_wire(struct xdp_md *ctx)
{
	return dp_wire(ctx);
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
