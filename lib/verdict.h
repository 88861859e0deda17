/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * verdict.h - names, classes and texts of the verdicts, from the one list in abi/verdict.h; and of the reasons for which sessions end.
 */
#ifndef NATVI_LIB_VERDICT_H
#define NATVI_LIB_VERDICT_H

#include "abi/event.h"
#include "abi/verdict.h"

/* Any number is fine: what is not in the list is "unknown". */
const char *verdict_name(unsigned int verdict);
const char *verdict_text(unsigned int verdict);

enum verdict_class verdict_class(unsigned int verdict);

/* "send", "kernel" or "drop". */
const char *verdict_class_name(enum verdict_class class);

/*
 * How much of what came to the ports, or left the box by them, was accelerated. An ICMP error of natvi's own and a parked
 * fragment do not count: the packet itself is counted, too.
 */
struct share {
	__u64 packets, bytes;		/* accelerated */
	__u64 all_packets, all_bytes;
};
struct share counters_share(const struct counters *counters);
/* A part of a whole, 0 to 1; 0 of nothing. */
double share_of(__u64 part, __u64 whole);

/* Why a session ended: "idle" ...; abi/event.h has the list. */
const char *end_reason_name(unsigned int reason);
const char *end_reason_text(unsigned int reason);

#endif
