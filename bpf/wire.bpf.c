/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire.bpf.c - wires at tc: their ports' ingress, the ingress of what captured traffic goes to, nvi0's egress. */
#include "env_tc.h"
#include "dp/wire.h"

SEC("tc")
int natvi_tc_wire(struct __sk_buff *skb)
{
	return dp_wire(skb);
}

SEC("tc")
int natvi_tc_target(struct __sk_buff *skb)
{
	return dp_target(skb);
}

SEC("tc")
int natvi_tc_host(struct __sk_buff *skb)
{
	return dp_host(skb);
}

char LICENSE[] __weak SEC("license") = "Dual BSD/GPL";
