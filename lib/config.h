/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * config.h - one validated configuration, whatever it came from.
 *
 * A file, a command line and the control socket all end in a struct config. It holds
 * names, not interface indexes: resolving is the daemon's, each time links change.
 * Life: config_read_file()/config_from_args() -> config_free(). Plain memory, no sharing.
 */
#ifndef NATVI_LIB_CONFIG_H
#define NATVI_LIB_CONFIG_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "abi/config.h"

#define CFG_OWN_MARK	0x40000000u	/* the bit of packets' marks that is natvi's own */

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC, XDP_MODE_OFF };

struct cfg_interface {
	char name[IFNAMSIZ];
	enum xdp_mode xdp;
	uint16_t mss;			/* 0: off; 88 - 65495: bytes; MSS_AUTO */
	bool routed;			/* nat: routed: only what is routed to nvi0 */
	char zone[NATVI_NAME_LEN];	/* "": the zone of everything that is in no other */
	int line;			/* in the file, for messages; 0: none */
};

/* A range of IPv4 addresses, both ends included, host byte order. */
struct cfg_range4 {
	uint32_t lo, hi;
};

/* Ports, host byte order, both ends included. */
struct cfg_ports {
	uint16_t lo, hi;
};

/* How the mappings of a pool, or of masquerading, are. */
struct cfg_behaviour {
	enum mapping_mode mapping;
	enum filtering filtering;	/* of all but TCP */
	enum filtering filtering_tcp;
	bool arbitrary;			/* a host may get several of the pool's addresses; else one */
	bool random;			/* ports by chance; else the inside's own where it is free */
	bool shared;			/* a mapping is for TCP and UDP together */
};

/* A VRF device, or a routing table. */
struct cfg_zone {
	char name[NATVI_NAME_LEN];
	char vrf[IFNAMSIZ];		/* "": a table */
	uint32_t table;			/* 0: the VRF device's */
	int line;
};

struct cfg_pool {
	struct cfg_behaviour behaviour;	/* first: masquerading has the same readers */
	char name[NATVI_NAME_LEN];
	char zone[NATVI_NAME_LEN];	/* that sees the translated addresses; "": the global one (has_zone) or every one */
	bool has_zone;
	struct cfg_range4 *addrs;
	size_t n_addrs;
	struct cfg_ports *ports;	/* allowed ones; n_ports 0: the default, 1-65535 */
	size_t n_ports;
	int line;
};

/* A prefix; len 0-32 for IPv4, which is the only family so far. addr: host byte order. */
struct cfg_prefix4 {
	uint32_t addr;
	uint8_t len;
};

struct cfg_match {
	char (*interfaces)[IFNAMSIZ];	/* any of them; none: every enabled one */
	size_t n_interfaces;
	char (*zones)[NATVI_NAME_LEN];	/* any of them, "" is the global one; none: every one. Not together with interfaces */
	size_t n_zones;
	struct cfg_prefix4 *prefixes;	/* source in `from`, destination in `to` */
	size_t n_prefixes;
	struct cfg_ports *ports;
	size_t n_ports;
};

enum cfg_local { CFG_LOCAL_NO, CFG_LOCAL_IN, CFG_LOCAL_OUT };

/* The kernel's conntrack helpers, for what NAT has to read to follow (`helper`). */
enum cfg_helper {
	CFG_HELPER_NONE, CFG_HELPER_FTP, CFG_HELPER_TFTP, CFG_HELPER_SIP, CFG_HELPER_PPTP, CFG_HELPER_H323, CFG_HELPER_IRC,
	CFG_HELPER_AMANDA, CFG_HELPER_NETBIOS_NS, CFG_HELPER_SANE, CFG_HELPER_SNMP, CFG_HELPERS
};

/* What the kernel is to do with what a rule leaves to it. All 0: nothing that it would not do anyway. */
struct cfg_kernel {
	bool masquerade;		/* by the way out's own address, with one of these ports */
	struct cfg_ports ports;
	uint32_t snat;			/* host byte order; the source becomes this address, which nothing else has; 0: not */
	enum cfg_helper helper;
};

struct cfg_rule {
	char name[NATVI_NAME_LEN];	/* "" becomes rule-N */
	struct cfg_match from, to;
	uint8_t *protos;		/* IPPROTO_*; none: every */
	size_t n_protos;
	uint64_t dscp;			/* bit n: DSCP n; 0: every */
	uint32_t mark, mark_mask;	/* mask 0: every */
	enum cfg_local local;		/* traffic to or from the box itself, instead of what crosses it */
	enum rule_action action;
	/* ACTION_TRANSLATE: one of the first three for the source, dnat for the destination; one of them at least */
	bool masquerade;		/* by the way out's own address */
	char pool[NATVI_NAME_LEN];	/* snat; "": none */
	bool netmap;			/* the source's prefix (from has just that one) becomes src_net, and the way back */
	struct cfg_prefix4 src_net;	/* as long as that prefix; `static` is one of length 32 */
	bool dnat;			/* the destination becomes dst_net: of length 32, or as long as every prefix in `to` */
	struct cfg_prefix4 dst_net;
	struct cfg_ports dnat_ports;	/* 0-0: the port stays; one: all go there; a range: as long as the one range in `to` */
	struct cfg_kernel kernel;	/* ACTION_KERNEL */
	char dnat_zone[NATVI_NAME_LEN];	/* of the new destination; "": the global one (has_dnat_zone) or the packet's own */
	bool has_dnat_zone;
	int line;
};

/* A static forward: external address and port(s) to an internal one. */
struct cfg_forward {
	uint8_t protos[2];		/* tcp, udp or both */
	size_t n_protos;
	uint32_t ext_addr;		/* host byte order; 0: the address of ext_interface */
	char ext_interface[IFNAMSIZ];
	struct cfg_ports ext_ports;
	uint32_t int_addr;
	struct cfg_ports int_ports;	/* as many as ext_ports */
	enum filtering filtering;	/* FILTER_EI */
	int line;
};

struct cfg_timeouts {
	uint16_t udp_s, tcp_established_s, tcp_opening_s, tcp_closing_s, icmp_s, other_s, rest_s;
};

/* How masquerading treats mappings; the pool's settings for addresses of interfaces. */
struct cfg_masquerade {
	struct cfg_behaviour behaviour;	/* first; never arbitrary: an interface has one address */
	struct cfg_ports *ports;	/* allowed; n_ports 0: 1-65535 without ip_local_port_range */
	size_t n_ports;
};

/* A prefix of either family; len 0-128, of IPv4 96 and more. */
struct cfg_prefix {
	union addr addr;		/* host bits 0 */
	uint8_t len;
};

/* What is taken out of a wire. Lists: any of them; empty: every. */
struct cfg_capture {
	char name[NATVI_NAME_LEN];	/* "" becomes capture-N; unique over all wires, and N counts through all */
	char port[IFNAMSIZ];		/* the wire's port that it comes in by; "": both */
	uint16_t vlan;			/* outer tag; 0: any; or VLAN_UNTAGGED */
	uint8_t family;			/* 4, 6; 0: both */
	struct cfg_prefix *sources;	/* all of one family */
	size_t n_sources;
	struct cfg_prefix *destinations;
	size_t n_destinations;
	uint8_t *protos;		/* IPPROTO_* */
	size_t n_protos;
	struct cfg_ports *source_ports;
	size_t n_source_ports;
	struct cfg_ports *destination_ports;
	size_t n_destination_ports;
	uint64_t dscp;			/* bit n: DSCP n; 0: every */
	char target[IFNAMSIZ];		/* device that it goes to; nvi0: the instance's own, whatever its number */
	int line;
};

/* Two ports between which frames cross unchanged, but for what is captured. */
struct cfg_wire {
	char name[NATVI_NAME_LEN];
	char ports[2][IFNAMSIZ];
	enum xdp_mode xdp;
	uint32_t host;			/* the box's own address there, host byte order; 0: none. One wire at most has one */
	uint8_t host_len;		/* of its network, 1-31 */
	uint16_t host_vlan;		/* 0: untagged */
	uint32_t gateway;		/* the box's, host byte order; 0: learned */
	struct cfg_capture *captures;
	size_t n_captures;
	uint32_t reply_mark;		/* default 0x32, never 0 */
	uint32_t original_mark;
	bool fail_open;			/* captured traffic crosses while its target is gone, and all does while natvi is off; default: not */
	bool arp_moves;			/* an ARP packet alone moves a neighbour that is alive with its old MAC address; default: not */
	uint16_t mss;			/* as cfg_interface.mss; default MSS_AUTO */
	int line;
};

/* What becomes of a TCP connection from outside that nothing leads inside (RFC 5382 req. 4). */
enum cfg_unsolicited {
	UNSOLICITED_HOLD,		/* no word for six seconds, then ICMP port unreachable */
	UNSOLICITED_SILENT,		/* no word */
	UNSOLICITED_KERNEL,		/* of the box's own addresses: the kernel's; else no word */
};

/* Sessions whose rule has gone with a reload. */
enum cfg_orphans {
	ORPHANS_KEEP,			/* go on, and may be joined by new ones of their mappings */
	ORPHANS_DRAIN,			/* go on to their end; their mappings take no new ones */
	ORPHANS_KILL,			/* end at once */
};

struct config {
	char *source;			/* file name, or "command line" */
	struct cfg_zone *zones;
	size_t n_zones;
	struct cfg_interface *interfaces;
	size_t n_interfaces;
	struct cfg_pool *pools;
	size_t n_pools;
	struct cfg_rule *rules;
	size_t n_rules;
	struct cfg_forward *forwards;
	size_t n_forwards;
	struct cfg_timeouts timeouts;
	struct cfg_masquerade masquerade;
	uint32_t max_sessions;		/* limits.sessions, 16 - 16,000,000; default 65,536 */
	uint32_t max_mappings;		/* limits.mappings; default: as sessions */
	uint32_t icmp_rate;		/* limits.icmp_rate, own ICMP errors a second and CPU; default 1000 */
	enum cfg_unsolicited unsolicited;	/* tcp.unsolicited */
	enum cfg_orphans orphans;
	bool accelerate;		/* connections of the kernel's conntrack, too */
	struct cfg_rule *excludes;	/* accelerate.exclude: what is not; only the matches of these count */
	size_t n_excludes;
	struct cfg_wire *wires;		/* with wires there are no zones, interfaces, pools, rules, forwards or acceleration */
	size_t n_wires;
	bool exhaust_host;		/* exhaustion: host-unreachable; else administratively-prohibited (default) */
};

/*
 * Problems found in a configuration, in the order of their lines. Each message says what is
 * wrong and what would be right; line 0 where there is none.
 */
struct cfg_error {
	int line;
	char *text;
};

struct cfg_errors {
	struct cfg_error *list;
	size_t n;
};

/*
 * Read, parse and validate a YAML file ("-": standard input). All problems that can be found in
 * one go are reported. Returns 0 and *out, or -EINVAL with errors, or another negative errno
 * (the file cannot be read; errors then holds one entry that says why).
 */
int config_read_file(const char *path, struct config **out, struct cfg_errors *errors);

/* The same from memory; name stands in messages. text need not end with a NUL. */
int config_read_text(const char *text, size_t len, const char *name, struct config **out, struct cfg_errors *errors);

/*
 * The one-line form: interfaces to enable, and the ones to masquerade by (each must be among the
 * first). Makes: masquerade from every other interface to these; new flows that come in by them
 * and are not for the box: drop. None are needed with accelerate. Same returns as config_read_file().
 */
int config_from_args(char *const *interfaces, size_t n_interfaces, char *const *masquerade, size_t n_masquerade,
		     bool accelerate, struct config **out, struct cfg_errors *errors);

/* NULL is fine. */
void config_free(struct config *config);
void cfg_errors_free(struct cfg_errors *errors);

/* Print "file:line: text" for each error. */
void cfg_errors_print(const struct config *config, const char *name, const struct cfg_errors *errors, FILE *to);

/* Number of entries that rule becomes in the datapath: lists multiplied out, a netmap's way back included. */
size_t config_rule_entries(const struct cfg_rule *rule);

/* The same for a capture. */
size_t config_capture_entries(const struct cfg_capture *capture);

/* Does the rule say what the kernel is to do? */
bool config_instructs(const struct cfg_rule *rule);

/* A helper by its name in the configuration; and the one of the kernel's for that protocol, NULL: it does not follow it. */
const char *config_helper_name(enum cfg_helper helper);
const char *config_helper_type(enum cfg_helper helper, uint8_t proto);

/* Can what this rule speaks of leave by that interface? By name or zone; where the rule says nothing it can by each. */
bool config_leaves_by(const struct cfg_rule *rule, const struct cfg_interface *interface);

/* Is there anything to translate? Without rules, pools and forwards natvi only accelerates, or has wires. */
bool config_translates(const struct config *config);

/* Number of addresses over all pools. */
size_t config_pool_addresses(const struct config *config);

/* Number of addresses over all that netmap rules translate to. */
size_t config_netmap_addresses(const struct config *config);

/* The same of both together, an address counted for each zone that sees it: entries in the datapath's table of addresses. */
size_t config_address_entries(const struct config *config);

/* Sets of zones: bit 0 is the global one, bit n + 1 is zones[n]. */
#define CFG_GLOBAL_ZONE	1ull

/* The zone of that name, "" being the global one; 0: there is none. */
uint64_t config_zone(const struct config *config, const char *name);
/* All of them. */
uint64_t config_zones(const struct config *config);
/* Those that see the addresses of this pool. */
uint64_t config_pool_zones(const struct config *config, const struct cfg_pool *pool);
/* Those that see what this netmap rule translates to: of `to.zone`, else of the new destination (dnat), else all. */
uint64_t config_netmap_zones(const struct config *config, const struct cfg_rule *rule);
/* Those that traffic of this match can be in. */
uint64_t config_match_zones(const struct config *config, const struct cfg_match *match);
/* The one that the host behind this forward is in. */
uint64_t config_forward_zone(const struct config *config, const struct cfg_forward *forward);

/* Number of interfaces that some masquerade rule may leave by; each takes an address and a pool of its own. */
size_t config_masquerade_ways(const struct config *config);

/* Ports of all forwards, each protocol for itself: the static mappings. */
size_t config_static_ports(const struct config *config);

/* Bytes that the kernel's tables will take for this configuration, to within a few percent. */
uint64_t config_memory_bytes(const struct config *config);

/* The configuration as a new jansson object, in the shape of the YAML file with all defaults filled in. */
struct json_t;
struct json_t *config_to_json(const struct config *config);

#endif
