/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * park_frame.h - what a frame says that the datapath has sent to the park (abi/fragment.h): Ethernet with
 * the park's address as destination, up to two VLAN tags, IPv4.
 *
 * Nothing in the frame is believed: other programs of the box can write to the tap, too. No state.
 */
#ifndef NATVI_DAEMON_PARK_FRAME_H
#define NATVI_DAEMON_PARK_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/fragment.h"

#define PARK_FRAME_MAX	(14 + 4 * NATVI_MAX_VLAN_TAGS + 65535)

/* A datagram, or a connection; no holes, all of it set: it is compared as bytes. */
struct park_key {
	struct tuple tuple;	/* FRAGMENT: as the map `fragments` has it, less the zone; SYN: as it came in */
	uint32_t ifindex;	/* where it came in */
	uint16_t vlan;		/* 0: untagged */
	uint16_t pad;
};

struct park_frame {
	enum park_kind kind;
	struct park_key key;
	uint32_t offset;	/* FRAGMENT: units of 8 bytes; never 0 */
	uint32_t units;		/* that it brings; never 0 */
	bool more;		/* it is not the last one */
};

/*
 * Read a frame. Returns 0; -EBADMSG: sent to the park, but not what it says it is (out->kind is
 * set); -ENOMSG: not sent to the park.
 */
int park_frame_parse(const void *frame, size_t len, struct park_frame *out);

#endif
