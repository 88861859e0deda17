/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* accel.bpf.c - the hook at tc egress that learns connections of the kernel's (dp/accel.h). */
#include "env_ct.h"
#include "dp/accel.h"

SEC("tc")
int natvi_tc_accel(struct __sk_buff *skb)
{
	return dp_accel(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
