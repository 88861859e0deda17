/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config.h - what the daemon tells the datapath, and the names of all maps.
 *
 * settings, rules, pools and pool addresses stand twice: the daemon writes the half
 * that is not active and then moves control.active, so a reload is seen whole or not
 * at all. Ports and addresses follow the kernel's links and addresses and are kept in place.
 *
 * Writer: the daemon alone. Readers: all programs, and `show`.
 */
#ifndef NATVI_ABI_CONFIG_H
#define NATVI_ABI_CONFIG_H

#include "limits.h"
#include "types.h"
#include "verdict.h"

/*
 * Maps, pinned by these names under /sys/fs/bpf/natvi/INSTANCE/:
 *
 *   control     ARRAY [1] struct control
 *   usage       ARRAY [1] struct usage
 *   settings    ARRAY [2] struct settings                 by half
 *   rules       ARRAY [2 * NATVI_MAX_RULES] struct rule         half * MAX + i
 *   pools       ARRAY [2 * NATVI_MAX_POOLS] struct pool
 *   pool_addrs  ARRAY [2 * n] struct pool_addr            n: control.n_pool_addrs
 *   ports       ARRAY [NATVI_MAX_PORTS] struct port       slot: see natvi_port_slot()
 *   zones       ARRAY [NATVI_MAX_ZONES] struct zone
 *   addrs       HASH  struct addr_key -> struct addr_info own and translated addresses, by the zone that sees them
 *   portbits    ARRAY [slots * PORTBITS_PROTOS] struct portbits, mmapable
 *   flows       ARRAY [control.n_buckets] struct bucket, mmapable
 *   mappings    ARRAY [control.n_mapping_buckets] struct mapping_bucket, mmapable
 *   expected    HASH struct tuple -> struct tuple  connections that the kernel's helpers have announced (dp/expect.h)
 *   fragments   LRU_HASH struct tuple -> struct fragment  see abi/fragment.h
 *   fragment_sources LRU_HASH struct addr_key -> struct fragment_source
 *   ids         ARRAY [1] struct ids
 *   wires       ARRAY [NATVI_MAX_WIRES] struct wire         see abi/wire.h
 *   wire_states ARRAY [NATVI_MAX_WIRES] struct wire_state
 *   neighbours  ARRAY [NATVI_NEIGHBOUR_SETS] struct neighbours
 *   stations    ARRAY [NATVI_STATION_SETS] struct stations
 *   rest        PROG_ARRAY [1]                            what ingress goes on to where one look is not enough
 *   cpu         PERCPU_ARRAY [2] struct cpu               0: packets, 1: SYSCALL programs
 *   events      RINGBUF struct event
 *   requests    RINGBUF struct event                      what the datapath asks of the daemon, kinds REQUEST_*
 */

enum mapping_mode { MAPPING_EI = 0, MAPPING_APD = 1 };	/* RFC 4787 section 4.1 */
enum filtering { FILTER_EI = 0, FILTER_AD = 1, FILTER_APD = 2 };	/* section 5 */

/* Hot: read for every packet. */
struct control {
	__u32 active;		/* half in force: 0 or 1 */
	__u32 generation;	/* of routes; never 0 */
	__u64 seed;		/* of the flow table's hash; set once, when the map is made */
	__u32 n_buckets;
	__u32 n_pool_addrs;	/* entries in a half of pool_addrs */
	__u32 n_slots;		/* address slots in portbits */
	__u32 abi;		/* NATVI_ABI_VERSION */
	__u64 abi_hash;		/* over all struct sizes and offsets; see lib/maps.h */
	__u32 sweep;		/* number of the sweep under way or last done */
	__u32 max_sessions;	/* limits.sessions that the tables were made for */
	__u32 max_mappings;	/* limits.mappings likewise */
	__u32 heartbeat_s;	/* coarse monotonic second of the daemon's last sign of life */
	__u32 events_until_s;	/* events are made until then; a reader renews it, at most 10 s ahead */
	__u32 n_mapping_buckets;
	__u32 park_ifindex;	/* the daemon's tap for what has to wait (abi/fragment.h); 0: none, nothing can wait */
	__u32 flags;		/* CONTROL_* */
	__u32 nvi_ifindex;	/* nvi0; 0: there is none */
	__u32 nvi_peer;		/* its far end, where what has crossed is sent on */
	__u32 pad[12];
};
NATVI_ASSERT_SIZE(struct control, 128);

#define CONTROL_TOS	0x01	/* routing rules ask for the TOS: a flow whose TOS changes looks its route up again */
#define CONTROL_ACCEL	0x02	/* connections of the kernel's conntrack are learned and sent on, IPv6 too */
#define CONTROL_EXPECT	0x08	/* there are announced connections: look into `expected` */
#define CONTROL_NO_NAT	0x04	/* there is nothing to translate: what has no flow is the kernel's, whatever it is */

/* Counted up and down atomically by the datapath; a cache line of its own. */
struct usage {
	__u32 sessions;		/* live ones */
	__u32 mappings;		/* live and resting dynamic ones */
	__u32 pad[14];
};
NATVI_ASSERT_SIZE(struct usage, 64);

#define SETTINGS_NEED_OUT	0x01	/* some rule asks for the way out: do look-up 1 */
#define SETTINGS_EXHAUST_HOST	0x02	/* on exhaustion ICMP 3/1 (RFC 6888 req. 11), else 3/13 (RFC 5508 req. 8) */
#define SETTINGS_MARK_SLOW	0x04	/* natvi's nftables table stands: mark slow-road packets for it */
#define SETTINGS_POLICY		0x08	/* IPsec policies or mark rules exist: flows stay on the slow road */
#define SETTINGS_ONE_ROUTE	0x10	/* only the three routing rules of every box: a route does not depend on the source */
#define SETTINGS_MARK_ROUTES	0x20	/* routing rules ask for marks, and the kernel's look-up takes them (6.10) */
#define SETTINGS_SYN_HOLD	0x40	/* an unsolicited SYN waits (RFC 5382 req. 4) ... */
#define SETTINGS_SYN_SILENT	0x80	/* ... or is dropped without a word; neither: the kernel's where the address is the box's */
#define SETTINGS_TO_KNOWN	0x100	/* some rule speaks of packets to addresses of the box or of pools (RULE_TO_BOX, RULE_TO_POOL) */
#define SETTINGS_FROM_BOX	0x200	/* some rule speaks of what the box itself sends (RULE_FROM_BOX) */
#define SETTINGS_TO_BOX		0x400	/* some rule speaks of what comes in for the box itself (RULE_TO_BOX) */
#define SETTINGS_EXCLUDE	0x800	/* some entry says what is not accelerated (RULE_EXCLUDE) */
#define SETTINGS_HELP		0x1000	/* some rule has a helper of the kernel's at work */

struct settings {
	__u32 flags;		/* SETTINGS_* */
	__u32 n_rules;
	__u32 n_pools;
	__u16 udp_idle_s;	/* RFC 4787 req. 5; default 300 */
	__u16 tcp_established_s;	/* RFC 5382 req. 5; default 7440 */
	__u16 tcp_opening_s;	/* half-open connections (RFC 7857 section 2.2); default 240 */
	__u16 tcp_closing_s;	/* closed both ways, or reset (sections 2.2, 2.3); default 240 */
	__u16 icmp_idle_s;	/* RFC 5508 req. 2; default 60 */
	__u16 other_idle_s;	/* protocols without ports; default 300 */
	__u16 rest_s;		/* a freed port rests; RFC 6888 req. 8; default 120 */
	__u16 pad;
	__u32 icmp_rate;	/* own ICMP errors a second and CPU; default 1000 */
	__u32 slow_mark;	/* bit that marks slow-road packets */
	__u32 ct_tcp_s;		/* the kernel's own time-out of established TCP connections */
};
NATVI_ASSERT_SIZE(struct settings, 40);

enum rule_action {
	ACTION_TRANSLATE = 0,	/* as rule.flags say */
	ACTION_ACCEPT = 1,	/* forward untranslated, tracked */
	ACTION_DROP = 2,
	ACTION_REJECT = 3,	/* ICMP 3/13 to the sender */
	ACTION_KERNEL = 4,	/* leave it to the kernel */
	ACTION_CAPTURE = 5,	/* take it out of the wire, to rule.target; the zone is the wire */
};

#define POOL_MASQUERADE	0xffffu	/* the pool of the port that the packet leaves by */
#define IFINDEX_ABSENT	0xffffffffu	/* the named interface does not exist: matches nothing */

/* rule.flags: what is translated, one of the source's and one of the destination's at most */
#define RULE_SNAT	0x01	/* source: an address of rule.pool; masquerade when that is POOL_MASQUERADE */
#define RULE_SRC_NET	0x02	/* source: its first src_len bits become new_src's */
#define RULE_DNAT	0x04	/* destination: new_dst, and new_port (see there) */
#define RULE_DST_NET	0x08	/* destination: its first dst_len bits become new_dst's */

/* rule.traffic: what it speaks of */
#define RULE_THROUGH	0x01	/* what crosses the box */
#define RULE_TO_BOX	0x02	/* what comes in for an address of the box itself */
#define RULE_TO_POOL	0x04	/* what comes in for a translated address that no interface owns */
#define RULE_FROM_BOX	0x08	/* what the box itself sends */
#define RULE_TO_NET	0x10	/* what comes in for the translated address of a netmap */

#define RULE_EXCLUDE	0x20	/* connections of the kernel's that are not accelerated, by their first packet */

#define RULE_CAPTURE	0x40	/* what crosses a wire */

#define VLAN_UNTAGGED	0xffffu

#define ZONE_ANY	0xffffu

/*
 * First match wins. A list in the configuration becomes one entry for each combination; a netmap has a
 * second one for the way back, RULE_DST_NET. The second half is only read of the rule that matches, but
 * for dscp and mark.
 */
struct rule {
	__u32 in_ifindex;	/* 0: any */
	__u32 out_ifindex;	/* 0: any */
	union addr src;		/* network part; host bits 0 */
	union addr dst;
	__u8 src_len;		/* 0-128; 96 + n for IPv4 */
	__u8 dst_len;
	__u8 proto;		/* 0: any */
	__u8 action;		/* enum rule_action */
	__u16 sport_lo, sport_hi;	/* host order, inclusive; 0-65535: any */
	__u16 dport_lo, dport_hi;
	__u16 in_zone;		/* or ZONE_ANY */
	__u16 out_zone;		/* of the way out; or ZONE_ANY */
	__u8 traffic;		/* RULE_THROUGH ... */
	__u8 flags;		/* RULE_SNAT ... */
	__u16 id;		/* of the rule in the configuration, from 1; its own for as long as it is there */
	__u16 pool;		/* RULE_SNAT */
	__u16 new_zone;		/* RULE_DNAT, RULE_DST_NET: of the new destination; ZONE_ANY: the packet's own */

	__u64 dscp;		/* bit n: DSCP n is meant; 0: any */
	__u32 mark, mark_mask;	/* mask 0: any */
	union addr new_src;
	union addr new_dst;
	__u16 new_port;		/* RULE_DNAT: host order; 0: the port stays */
	__u16 new_port_hi;	/* new_port: all go there; higher: dport_lo becomes new_port, the next the next */
	__u32 target;		/* ACTION_CAPTURE: ifindex; 0: it is gone */
	__u16 vlan;		/* likewise: outer VLAN; 0: any; or VLAN_UNTAGGED */
	__u8 family;		/* likewise: 4, 6; 0: both */
	__u8 pad[5];
};
NATVI_ASSERT_SIZE(struct rule, 128);

#define POOL_RANDOM	0x01	/* ports by chance; else the inside's own port where it is free */
#define POOL_ARBITRARY	0x02	/* a host may get several addresses; else one (paired, RFC 4787 req. 2) */
#define POOL_SHARED	0x04	/* a mapping is for TCP and UDP together (RFC 7857 sections 5, 6) */

/* A pool keeps its index for as long as its name is in use: mappings refer to it. n_addrs 0: unused. */
struct pool {
	__u32 first;		/* in pool_addrs, within the half */
	__u32 n_addrs;
	__u8 mapping;		/* enum mapping_mode */
	__u8 filtering;		/* enum filtering; of all but TCP */
	__u8 filtering_tcp;	/* enum filtering; RFC 5382 req. 3: may differ */
	__u8 flags;		/* POOL_* */
	__u16 zone;		/* as addr_info.zone */
	__u16 pad;
	char name[NATVI_NAME_LEN];
};
NATVI_ASSERT_SIZE(struct pool, 48);

struct pool_addr {
	union addr addr;
	__u32 slot;		/* stable over reloads for as long as the address is in use */
	__u32 flags;		/* ADDR_* */
};
NATVI_ASSERT_SIZE(struct pool_addr, 24);

#define PORT_NO_L2	0x01	/* tun and the like: packets begin at the IP header */
#define PORT_XDP_OUT	0x02	/* takes redirected XDP frames */
#define PORT_TRUSTED	0x04	/* an own source address may come in here */
#define PORT_DOWN	0x08	/* no carrier or administratively down */
#define PORT_ROUTED	0x10	/* only what is routed to nvi0 is natvi's */
#define PORT_NVI	0x20	/* nvi0 itself */
#define PORT_WIRE	0x40	/* end of the wire that zone is the number of; all VLANs */
#define PORT_SECOND	0x80	/* PORT_WIRE: it is wire.port[1] */
#define PORT_TARGET	0x100	/* what is captured from that wire goes there; what comes out of there goes back to the wire */
#define PORT_SHAPED	0x200	/* its queueing discipline may go by a packet's mark or class */

#define MSS_AUTO	0xffffu

/* An enabled interface. */
struct port {
	__u32 ifindex;		/* 0: slot is empty */
	__u16 vlan;		/* 0: untagged */
	__u16 zone;
	__u32 flags;		/* PORT_* */
	union {
		__u32 masq_pool;	/* its masquerade pool, or POOL_MASQUERADE when it has none */
		__u32 target_mark;	/* PORT_TARGET: what comes in by nvi0 with this mark the kernel sends out there; 0: nothing */
	};
	__be32 addr4;		/* first address, source of own ICMP errors; 0: none */
	__u32 mtu;
	__u8 mac[6];
	__u16 mss;		/* TCP's MSS is held to this many bytes; MSS_AUTO: to what the MTUs allow; 0: left alone */
	char name[16];
};
NATVI_ASSERT_SIZE(struct port, 48);

/* Where the search for an interface starts; then up to NATVI_PORT_PROBES slots on. */
static inline __u32 natvi_port_slot(__u32 ifindex, __u32 vlan, __u32 probe)
{
	return (ifindex + vlan * 61 + probe) & (NATVI_MAX_PORTS - 1);
}

/*
 * A VRF or a routing table. Number 0 is the one of everything that is in no other. A look-up for another
 * zone than the packet's own goes by the zone's first port.
 */
struct zone {
	__u32 ifindex;		/* of that port; 0: the zone has none, nothing can be sent there */
	__u32 table;		/* routing table, for `show` */
	__u8 mac[6];		/* of that port */
	__u16 pad;
	char name[NATVI_NAME_LEN];
};
NATVI_ASSERT_SIZE(struct zone, 48);

struct addr_key {
	union addr addr;
	__u16 zone;		/* of the port that a packet with this address comes in by */
	__u16 pad[3];
};
NATVI_ASSERT_SIZE(struct addr_key, 24);

#define ADDR_LOCAL	0x01	/* an interface of the box owns it */
#define ADDR_POOL	0x02	/* in a pool, or the address of a masquerading port */
#define ADDR_FORWARD	0x04	/* outside address of a forward */
#define ADDR_NET	0x08	/* translated address of a netmap */

struct addr_info {
	__u32 slot;		/* its port bitmaps, or SLOT_NONE */
	__u8 flags;		/* ADDR_* */
	__u8 pool;		/* pool index, or POOL_NONE */
	__u16 zone;		/* in the keys of its mappings (OUTSIDE); 0 where every zone sees the address */
};
NATVI_ASSERT_SIZE(struct addr_info, 8);

/* Claimed ports of one outside address and protocol; a set bit is taken or reserved. */
enum portbits_proto { PORTBITS_TCP = 0, PORTBITS_UDP = 1, PORTBITS_ICMP = 2, PORTBITS_PROTOS = 3 };

struct portbits {
	__u64 summary[NATVI_PORT_SUMMARY];	/* bit set: that word is full */
	__u64 word[NATVI_PORT_WORDS];
};
NATVI_ASSERT_SIZE(struct portbits, 8320);

#endif
