/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * nvi.h - frames on their way over nvi0.
 *
 * nvi0 is one end of a veth pair. What is translated crosses it as it is, and its MAC addresses say what the
 * far end (nvi0p) has to know: the destination names the interface that the packet came in by, the source the
 * flow that it takes. Frames with other addresses come from the kernel.
 */
#ifndef NATVI_ABI_NVI_H
#define NATVI_ABI_NVI_H

#include "limits.h"
#include "types.h"

#define NVI_MAC_LOCAL	0x02	/* locally administered, one host */
#define NVI_MAC_KIND	'N'

struct nvi_mac {
	__u8 local;		/* NVI_MAC_LOCAL */
	__u8 kind;		/* NVI_MAC_KIND */
	__u8 word[4];		/* most significant byte first: ifindex, or the low 32 bits of the flow's handle */
};
NATVI_ASSERT_SIZE(struct nvi_mac, 6);

#endif
