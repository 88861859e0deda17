/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * unaccelerated.h - why a connection of the kernel's is not accelerated, as far as it can be told from outside.
 *
 * Life: what a view points to is filled by who asks (cli/accel_view.c), and freed there. No state; any thread.
 */
#ifndef NATVI_LIB_UNACCELERATED_H
#define NATVI_LIB_UNACCELERATED_H

#include "abi/config.h"
#include "abi/flow.h"
#include "lib/conntrack.h"

/* X(enumerator, "name", "text"). The first that holds is the reason. */
#define NATVI_UNACCELERATED(X) \
	X(PROTO,	"proto",	"neither TCP nor UDP") \
	X(LOCAL,	"local",	"one end is the box itself") \
	X(OWN,		"translated",	"natvi has a session of its own with these addresses and ports") \
	X(CLOSING,	"closing",	"a TCP connection that is on its way to its end") \
	X(NOT_ASSURED,	"not-assured",	"not established yet, or UDP that has not been answered for long enough") \
	X(HELPER,	"helper",	"a helper of the kernel's reads it; what that expects is accelerated") \
	X(SEQUENCE,	"sequence-adjusted", "a helper has changed the length of what it carries, so that sequence numbers move") \
	X(OFFLOADED,	"offloaded",	"a flow table of nftables has it") \
	X(EXCLUDED,	"excluded",	"the configuration leaves it out (accelerate: {exclude})") \
	X(XFRM,		"xfrm",		"an IPsec policy selects it") \
	X(NOT_LIBERAL,	"not-liberal",	"the daemon has not had its TCP windows left unchecked yet") \
	X(FRAGMENT,	"fragment",	"it leaves in fragments, or came in such") \
	X(ALTERED,	"altered",	"rules of the kernel's change more than addresses and ports: DSCP, TTL, or mark or class on the way to a shaper") \
	X(IDLE,		"idle",		"nothing stands against it: no packet lately, or none between interfaces that natvi serves")

enum unaccelerated {
#define X(e, name, text) UNACCELERATED_##e,
	NATVI_UNACCELERATED(X)
#undef X
	UNACCELERATED_COUNT
};

/* Any number is fine. */
const char *unaccelerated_name(unsigned int reason);
const char *unaccelerated_text(unsigned int reason);

/* What an IPsec policy selects; lengths as in struct rule, of its family alone. */
struct accel_policy {
	union addr src, dst;
	uint8_t src_len, dst_len;
	uint8_t proto;		/* 0: any */
	bool v4;
	__be16 sport, sport_mask, dport, dport_mask;
};

struct accel_view {
	union addr *own;		/* addresses of the box */
	size_t n_own;
	struct rule *excludes;		/* with RULE_EXCLUDE */
	size_t n_excludes;
	struct accel_policy *policies;	/* for what passes or leaves */
	size_t n_policies;
	bool ways;			/* some exclusion names interfaces or zones */
};

/* What only its asker knows about a connection; ifindex 0 and ZONE_ANY: not known. */
struct accel_facts {
	bool own_session;
	uint8_t left;				/* LEFT_*, as the datapath has seen it leave */
	uint32_t in_ifindex, out_ifindex;	/* where its first packet came in, and left */
	uint16_t in_zone, out_zone;
};

/*
 * The reason for a connection that has no accelerated session. An exclusion by DSCP, or by a mark that the
 * connection does not have, cannot be seen here.
 */
enum unaccelerated unaccelerated_reason(const struct ct_entry *ct, const struct accel_view *view, const struct accel_facts *facts);

/* Is one end of it the box? */
bool accel_is_local(const struct ct_entry *ct, const struct accel_view *view);

#endif
