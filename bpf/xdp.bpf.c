/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* xdp.bpf.c - the hook at XDP: packets of known flows. */
#include "env_xdp.h"
#include "dp/dp.h"

SEC("xdp")
int natvi_xdp(struct xdp_md *ctx)
{
	return dp_run(ctx);
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
