/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * ask.h - one question to the kernel, as the datapath would ask it: where would this packet be routed to,
 * or would a socket of the box take it? The frame of a test run of natvi_ask (bpf/ask.bpf.c), in and out. It is
 * between a command and a program of its own, not part of what is pinned.
 */
#ifndef NATVI_ABI_ASK_H
#define NATVI_ABI_ASK_H

#include "types.h"

enum ask_what { ASK_ROUTE = 1, ASK_SOCKET = 2 };

struct ask {
	__u8 ethernet[16];	/* a test run's frame has that; 0 */
	struct tuple tuple;	/* in */
	__u32 in;		/* in: input interface */
	__u32 mark;		/* in */
	__u8 what;		/* in: enum ask_what */
	__u8 use_mark;		/* in */
	__u8 tos;		/* in */
	__u8 socket;		/* out: 1: one takes it */
	__u32 result;		/* out: enum route_result */
	__u32 oif;		/* out, and so are all below */
	__u32 mtu;
	__be32 gateway;		/* the destination itself where the route has none */
	__u8 dmac[6];
	__u8 smac[6];
};
NATVI_ASSERT_SIZE(struct ask, 96);

#endif
