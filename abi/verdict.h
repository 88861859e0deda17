/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * verdict.h - how a packet can end. One list makes the enumerator, the counter,
 * the name on the command line and in metrics, and the text in the manual.
 *
 * X(enumerator, class, "name", "text"). Classes:
 *   SEND    natvi sent it (or an answer to it) itself
 *   KERNEL  left to the kernel's stack, translated or not as the text says
 *   DROP    gone; there is one reason for it
 *
 * Order is ABI: the counters are indexed by it. New ones go to the end of the list.
 */
#ifndef NATVI_ABI_VERDICT_H
#define NATVI_ABI_VERDICT_H

#define NATVI_VERDICTS(X) \
	X(FORWARD,		SEND,	"forward",		"sent on from the flow table") \
	X(NEW_FORWARD,		SEND,	"new-forward",		"first packet of a new session, sent on") \
	X(ICMP_SENT,		SEND,	"icmp-sent",		"answered with an ICMP error of natvi's own (the packet's own reason is counted as a drop)") \
	X(ARP_SENT,		SEND,	"arp-sent",		"ARP request for an outside address, answered") \
	X(NOT_ENABLED,		KERNEL,	"not-enabled",		"came in by an interface or VLAN that natvi does not serve, or (nat: routed) what is not routed to nvi0") \
	X(NOT_IPV4,		KERNEL,	"not-ipv4",		"neither IPv4 nor anything that natvi translates") \
	X(LOCAL,		KERNEL,	"local",		"for the box itself; or there is no route, and the kernel is to say so") \
	X(MULTICAST,		KERNEL,	"multicast",		"multicast or broadcast") \
	X(NO_RULE,		KERNEL,	"no-rule",		"no rule names it") \
	X(RULE_KERNEL,		KERNEL,	"rule-kernel",		"a rule leaves it to the kernel") \
	X(SLOW_NEIGHBOUR,	KERNEL,	"slow-neighbour",	"translated; the kernel resolves the neighbour and forwards") \
	X(SLOW_OPTIONS,		KERNEL,	"slow-options",		"translated; IP options are the kernel's") \
	X(SLOW_TOO_BIG,		KERNEL,	"slow-too-big",		"translated, or captured from a wire; the kernel fragments it (DF is not set)") \
	X(SLOW_LINK,		KERNEL,	"slow-link",		"translated; a link without Ethernet headers is on the way") \
	X(SLOW_POLICY,		KERNEL,	"slow-policy",		"translated; IPsec or mark policy needs the kernel") \
	X(SLOW_LOCAL,		KERNEL,	"slow-local",		"translated to an address of the box itself") \
	X(KERNEL_FLOW,		KERNEL,	"kernel-flow",		"belongs to a connection that the kernel's conntrack translates") \
	X(TRUNCATED,		DROP,	"truncated",		"shorter than its headers say") \
	X(BAD_HEADER,		DROP,	"bad-header",		"a header field contradicts another") \
	X(FRAGMENT,		DROP,	"fragment",		"an IP fragment that cannot be tied to a flow") \
	X(TTL_EXCEEDED,		DROP,	"ttl-exceeded",		"TTL ran out here") \
	X(TOO_BIG,		DROP,	"too-big",		"larger than the next link's MTU with DF set") \
	X(RULE_DROP,		DROP,	"rule-drop",		"a rule drops it") \
	X(RULE_REJECT,		DROP,	"rule-reject",		"a rule rejects it") \
	X(NO_MAPPING,		DROP,	"no-mapping",		"for a pool address and port that nothing maps") \
	X(FILTERED,		DROP,	"filtered",		"the mapping's filtering does not admit this remote") \
	X(SPOOFED,		DROP,	"spoofed",		"source is an address of the box or of a pool, and it is no hairpin") \
	X(NO_PORT,		DROP,	"no-port",		"no free port (or ICMP id) in the pool") \
	X(TABLE_FULL,		DROP,	"table-full",		"the flow table has no room for a new session") \
	X(MAPPINGS_FULL,	DROP,	"mappings-full",	"the mapping table has no room") \
	X(REMOTE_TAKEN,		DROP,	"remote-taken",		"another host already talks to this remote with a protocol that has no ports") \
	X(RACE,			DROP,	"race",			"another session has the same translated addresses and ports, or another CPU was just making this one") \
	X(NO_ROUTE,		DROP,	"no-route",		"no route to the translated destination") \
	X(OUT_NOT_ENABLED,	DROP,	"out-not-enabled",	"translated, but its way out is an interface that natvi does not serve") \
	X(NO_ADDRESS,		DROP,	"no-address",		"masquerade, but the way out has no usable address") \
	X(BAD_ICMP,		DROP,	"bad-icmp",		"an ICMP error without a usable quoted packet or with a bad checksum") \
	X(ICMP_UNRELATED,	DROP,	"icmp-unrelated",	"an ICMP error about nothing that is mapped") \
	X(NO_STATE,		DROP,	"no-state",		"the middle of a TCP connection that no session knows") \
	X(FRAGMENT_PARKED,	KERNEL,	"fragment-parked",	"a fragment that came before its predecessor, waits with the daemon for a moment (counted again when it is tried again)") \
	X(FRAGMENT_BAD,		DROP,	"fragment-bad",		"a fragment too short, too long or out of alignment") \
	X(FRAGMENT_OVERLAP,	DROP,	"fragment-overlap",	"a fragment that covers what another one brought already") \
	X(FRAGMENT_LIMIT,	DROP,	"fragment-limit",	"more unfinished or early fragments than one source may have") \
	X(SYN_HELD,		DROP,	"syn-held",		"a SYN that nobody asked for: no answer for 6 s, then ICMP port unreachable, or nothing if the inside host connected in the meantime") \
	X(HOST_OUT,		KERNEL,	"box-out",		"sent by the box itself, from a port of its own") \
	X(HOST_NAT,		SEND,	"box-nat",		"sent by the box itself, translated") \
	X(NVI,			SEND,	"nvi",			"sent on after it crossed nvi0") \
	X(NVI_KERNEL,		KERNEL,	"nvi-kernel",		"crossed nvi0; the kernel routes it from there") \
	X(NVI_LOOP,		DROP,	"nvi-loop",		"translated, and its route leads to nvi0 again") \
	X(ACCELERATED,		SEND,	"accelerated",		"of a connection that the kernel's conntrack knows, sent on in the kernel's place") \
	X(ACCEL_KERNEL,		KERNEL,	"accel-kernel",		"of an accelerated connection; the kernel forwards it: the first one of each second, and all that is out of the common") \
	X(WIRE_CROSSED,		SEND,	"wire-crossed",		"from one port of a wire to the other, unchanged") \
	X(WIRE_CAPTURED,	SEND,	"wire-captured",	"taken out of a wire, to the device that a capture rule names") \
	X(WIRE_RETURNED,	SEND,	"wire-returned",	"out of that device back into the wire") \
	X(WIRE_OWN,		SEND,	"wire-own",		"the box's own, from or to its address on a wire") \
	X(WIRE_NO_TARGET,	DROP,	"wire-no-target",	"captured, but the device that it is for is gone or down (fail: closed)") \
	X(WIRE_NO_PORT,		DROP,	"wire-no-port",		"the wire's other port is gone") \
	X(WIRE_UNKNOWN,		DROP,	"wire-unknown",		"for a wire, but nobody there is known to have or to reach its destination") \
	X(OTHER_HOST,		KERNEL,	"other-host",		"in a frame to the MAC address of another host, which an interface in promiscuous mode sees, or one with other devices on it") \
	X(INTERNAL,		DROP,	"internal",		"a table that must exist was not there; please report it")

enum verdict {
#define X(e, class, name, text) VERDICT_##e,
	NATVI_VERDICTS(X)
#undef X
	VERDICT_COUNT
};

enum verdict_class { VERDICT_CLASS_SEND, VERDICT_CLASS_KERNEL, VERDICT_CLASS_DROP };

#endif
