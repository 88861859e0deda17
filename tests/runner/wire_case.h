/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * wire_case.h - what wire_case.bpf.c is told and tells, in its map `io`.
 */
#ifndef NATVI_TESTS_WIRE_CASE_H
#define NATVI_TESTS_WIRE_CASE_H

#include <linux/types.h>

#define CASE_FRAME_BYTES	8192
#define CASE_COPIES		4

struct case_tag {
	__u16 proto;		/* host order; 0: none */
	__u16 tci;
};

struct case_frame {
	__u32 ifindex;
	__u32 in;		/* it comes in there */
	__u32 len;		/* of bytes; what is longer is cut off */
	struct case_tag tag;	/* out of band */
	__u8 bytes[CASE_FRAME_BYTES];
};

struct case_io {
	/* told */
	struct case_tag tag;	/* comes in with that out of band */
	__u32 hold;		/* attached to a device: nothing goes on from there */
	/* tells */
	__u32 ran;
	__s32 action;		/* TC_ACT_* */
	__u32 mark;
	__u32 n_copies;
	__u32 headed;		/* it had no Ethernet header and got one */
	struct case_frame frame;	/* ifindex and in: of a redirect */
	struct case_frame copy[CASE_COPIES];
};

#endif
