/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * limits.h - every bound of the system, in one place.
 *
 * Nothing in natvi is searched or allocated without one of these. A bound that
 * an operator can move is in struct settings or in the map sizes; these are the
 * ones that the programs are compiled with.
 */
#ifndef NATVI_ABI_LIMITS_H
#define NATVI_ABI_LIMITS_H

/* Moved with every change of a struct or of a meaning in abi/. */
#define NATVI_ABI_VERSION	4

#define NATVI_MAX_PORTS		1024	/* enabled interfaces; a power of two */
#define NATVI_PORT_PROBES	8	/* slots looked at for one interface */
#define NATVI_MAX_RULES		4096	/* entries after lists are multiplied out */
#define NATVI_MAX_POOLS		255
#define NATVI_MAX_ZONES		64	/* the first one included */
#define NATVI_MAX_POOL_ADDRS	65536	/* addresses over all pools */
#define NATVI_MAX_VLAN_TAGS	2

#define NATVI_BUCKET_SLOTS	7	/* flows in a bucket of the flow table */
#define NATVI_MAPPING_SLOTS	15	/* mapping entries in a bucket of the mapping table */
#define NATVI_BUCKET_BYTES	1024	/* of both: a look-up touches one page */

#define NATVI_PORT_WORDS	1024	/* 65,536 ports in 64-bit words */
#define NATVI_PORT_SUMMARY	16	/* one bit a word */
#define NATVI_CLAIM_TRIES	8	/* words tried for one claim */
#define NATVI_POOL_TRIES	4	/* addresses tried for one new mapping */
#define NATVI_POOL_SCAN		256	/* and then looked at, for one that has a port left */
#define NATVI_FACE_TRIES	4	/* ports tried on one address, if a socket of the box or the other protocol has them */
#define NATVI_REMOTE_TRIES	16	/* ports tried where the reply key is the claim */

#define NATVI_EXPECTED		8192	/* halves of announced connections that are known at a time */
#define NATVI_FRAGMENTS		16384	/* fragmented datagrams that are known at a time */
#define NATVI_FRAGMENT_SOURCES	4096	/* hosts whose share of them is known at a time */
#define NATVI_FRAGMENT_UNFINISHED 256	/* datagrams that a source may begin in a second and not finish */
#define NATVI_FRAGMENT_LIVE_S	5	/* a datagram is forgotten after this time */
#define NATVI_PARK_SOURCE	4096	/* packets of a source that may go to the daemon in a second */
#define NATVI_PARK_CPU		16384	/* and of all sources, for each CPU */
#define NATVI_IDS		1024	/* counters of IP identifications; a power of two */

#define NATVI_HEARTBEAT_S	5	/* a daemon without a sign of life for longer is taken for dead */
#define NATVI_PARK_MS		200	/* the daemon keeps an early fragment for at most this long */
#define NATVI_SYN_HOLD_MS	6000	/* and an unsolicited SYN for at least this long (RFC 5382 req. 4) */
#define NATVI_PARK_BYTES	(4u << 20)	/* memory of all that the daemon keeps */
#define NATVI_PARK_SOURCE_BYTES	(256u << 10)	/* and of one source */
#define NATVI_SYN_SOURCE	64	/* SYNs of one source that are held at a time */

#define NATVI_ICMP_QUOTE_BYTES	128	/* most of the offending packet that an own ICMP error quotes */
#define NATVI_MIN_MTU		68	/* RFC 791 */

#define NATVI_ACCEL_IDLE_S	30	/* an accelerated session without packets is forgotten; its connection is the kernel's */
#define NATVI_ACCEL_ANSWER_S	4	/* a direction without packets for longer does not answer the other one */
#define NATVI_ACCEL_ASKED	256	/* connections that the daemon was asked about in this second, for each CPU; a power of two */

#define NATVI_MAX_WIRES		16
#define NATVI_NEIGHBOUR_SETS	256	/* MAC addresses that are remembered, over all wires; a power of two */
#define NATVI_NEIGHBOUR_WAYS	4
#define NATVI_STATION_SETS	4096	/* and addresses of IP; a power of two */
#define NATVI_STATION_WAYS	3
#define NATVI_WIRE_CLAIM_S	60	/* a claim by ARP that has not come true by then never will */
#define NATVI_WIRE_GATEWAY_S	10	/* a gateway that has been silent for longer gives way to another one */
#define NATVI_WIRE_SILENT_S	2	/* a neighbour that has been silent for longer gives way to who says that it has its address */

#define NATVI_NAME_LEN		32	/* names of pools, rules, instances, with the NUL */

#endif
