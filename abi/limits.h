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
#define NATVI_ABI_VERSION	1

#define NATVI_MAX_PORTS		1024	/* enabled interfaces; a power of two */
#define NATVI_PORT_PROBES	8	/* slots looked at for one interface */
#define NATVI_MAX_RULES		4096	/* entries after lists are multiplied out */
#define NATVI_MAX_POOLS		255
#define NATVI_MAX_POOL_ADDRS	65536	/* addresses over all pools */
#define NATVI_MAX_VLAN_TAGS	2

#define NATVI_BUCKET_SLOTS	7	/* flows in a bucket of the flow table */
#define NATVI_MAPPING_SLOTS	15	/* mapping entries in a bucket of the mapping table */
#define NATVI_BUCKET_BYTES	1024	/* of both: a look-up touches one page */

#define NATVI_PORT_WORDS	1024	/* 65,536 ports in 64-bit words */
#define NATVI_PORT_SUMMARY	16	/* one bit a word */
#define NATVI_CLAIM_TRIES	8	/* words tried for one claim */
#define NATVI_POOL_TRIES	4	/* addresses tried for one new mapping */
#define NATVI_REMOTE_TRIES	16	/* ports tried where the reply key is the claim */

#define NATVI_ICMP_QUOTE_BYTES	128	/* most of the offending packet that an own ICMP error quotes */
#define NATVI_MIN_MTU		68	/* RFC 791 */

#define NATVI_NAME_LEN		32	/* names of pools, rules, instances, with the NUL */

#endif
