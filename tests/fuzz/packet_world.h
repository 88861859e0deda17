/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * packet_world.h - what fuzz_packet.c chooses from: configurations, the box's network, addresses and ports. Only
 * that file includes it.
 */
#ifndef NATVI_TESTS_FUZZ_PACKET_WORLD_H
#define NATVI_TESTS_FUZZ_PACKET_WORLD_H

#include <netinet/in.h>

#include "host/native.h"

#define IFS	"interfaces: [lan0, lan1, wan0]\nlimits: {sessions: 24, mappings: 20, icmp-rate: 20}\n"
#define LAN	"from: {interface: [lan0, lan1]}, to: {interface: wan0}"
#define MASQ	"rules: [{" LAN ", action: masquerade}]\n"
#define POOL(settings) "pools: [{name: p, addresses: 203.0.113.16/31" settings "}]\nrules: [{" LAN ", action: {snat: p}}]\n"
#define WEB	"forwards: [{proto: [tcp, udp], external: \"203.0.113.1:443\", internal: \"198.18.0.2:4000\"}, " \
		"{proto: udp, external: \"203.0.113.16:80-83\", internal: \"198.18.0.3:500-503\", filtering: address-dependent}]\n"
#define SHORT	"timeouts: {udp: 4, tcp-established: 9, tcp-transitory: 3, icmp: 2, other: 5, port-rest: 6}\n"

#define CLAMP	1000
#define MSS(n)	"interfaces: [lan0, lan1, {name: wan0, mss: " #n "}]\nlimits: {sessions: 24, mappings: 20, icmp-rate: 20}\n"
#define FOUR(settings) "pools: [{name: p, addresses: 203.0.113.16/30" settings "}]\nrules: [{" LAN ", action: {snat: p}}]\n"

static const char *const configs[] = {
	IFS MASQ,
	IFS MASQ WEB SHORT,
	IFS POOL(", filtering: address-dependent") WEB SHORT,
	IFS POOL(", filtering: address-and-port-dependent, ports: [80, 4000-4005]"),
	IFS POOL(", mapping: address-and-port-dependent, ports: [80, 4000-4005]") SHORT,
	IFS "masquerade: {mapping: address-and-port-dependent}\n" MASQ WEB,
	IFS "rules:\n- {from: {interface: lan0}, to: {interface: lan1}, action: accept}\n"
	"- {from: {interface: lan0}, to: {port: 53}, proto: udp, action: reject}\n"
	"- {" LAN ", proto: esp, action: drop}\n- {to: {interface: wan0, destination: 192.0.2.10}, action: kernel}\n"
	"- {" LAN ", action: masquerade}\n" WEB "on-exhaustion: host-unreachable\n",
	MSS(1000) MASQ SHORT "tcp: {unsolicited: silent}\n",
	MSS(1000) "masquerade: {protocols: shared, filtering: {tcp: address-dependent, udp: endpoint-independent}}\n" MASQ WEB SHORT,
	IFS FOUR(", protocols: shared, filtering: address-dependent, ports: [80, 4000-4003]") SHORT,
	IFS FOUR(", ports: [80, 4000-4003]") WEB SHORT "tcp: {unsolicited: kernel}\n",
	IFS FOUR(", pooling: arbitrary, port-selection: random, ports: [80, 4000-4003], filtering: {tcp: address-and-port-dependent, udp: "
		 "address-dependent}") SHORT,
	IFS FOUR(", port-selection: random, mapping: address-and-port-dependent, ports: [80, 4000-4003]"),
	IFS "rules:\n- {to: {destination: 203.0.113.1, port: 80}, proto: tcp, action: {dnat: \"198.18.0.2:4000\"}}\n"
	"- {from: {interface: lan0}, to: {destination: 192.0.2.10}, action: {snat: masquerade, dnat: 198.19.0.2}}\n"
	"- {local: in, to: {destination: 198.18.0.1}, action: {dnat: 198.18.0.3}}\n- {dscp: [1, 2], action: drop}\n"
	"- {" LAN ", action: masquerade}\n" SHORT,
	IFS "rules:\n- {from: {interface: lan0, source: 198.18.0.2/31}, action: {netmap: 203.0.113.16/31}}\n"
	"- {from: {source: 198.19.0.2}, action: {static: 203.0.113.18}}\n- {" LAN ", action: masquerade}\n" SHORT,
	"zones: [{name: red, table: 100}]\ninterfaces: [lan0, {name: lan1, zone: red}, wan0]\nlimits: {sessions: 24, mappings: 20, icmp-rate: 20}\n"
	"pools: [{name: p, addresses: 203.0.113.16/31}]\n"
	"rules:\n- {from: {zone: red, source: 198.19.0.0/30}, action: {netmap: 203.0.113.4/30}}\n"
	"- {from: {interface: wan0}, to: {destination: 203.0.113.17, port: 80}, proto: [tcp, udp], action: {dnat: \"198.19.0.2:4000\", zone: red}}\n"
	"- {from: {interface: [lan0, lan1]}, to: {zone: global}, action: {snat: p}}\n" SHORT,
};

#define N_CONFIGS	(sizeof(configs) / sizeof(configs[0]))
#define WAN		3
#define TAP		4	/* what natvi does not serve serves as the daemon's tap */

#define IP4(a, b, c, d)	((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))
#define MAC(n)		{ 2, 0, 0, 0, 0, n }

static struct native_interface interfaces[] = {
	{ "lan0", 1, MAC(1), 1500, IP4(198, 18, 0, 1), 16, false },
	{ "lan1", 2, MAC(2), 1500, IP4(198, 19, 0, 1), 16, false },
	{ "wan0", WAN, MAC(3), 1500, IP4(203, 0, 113, 1), 24, false },
	{ "off0", 4, MAC(4), 1500, IP4(198, 51, 100, 1), 24, false },
};

static struct native_route routes[] = {
	{ {}, IP4(198, 18, 0, 0), 16, 1, 0, true, MAC(11) },
	{ {}, IP4(198, 19, 0, 0), 16, 2, 0, true, MAC(12) },
	{ {}, 0, 0, WAN, 0, true, MAC(13) },
	{ {}, IP4(192, 0, 2, 64), 27, WAN, 0, false, {} },
	{ {}, IP4(192, 0, 2, 128), 27, WAN, 600, true, MAC(14) },
	{ {}, IP4(198, 51, 100, 0), 24, 4, 0, true, MAC(15) },
	{ {}, IP4(192, 0, 2, 96), 27, 0, 0, false, {} },
};

static struct native_socket sockets[] = { { IPPROTO_TCP, 0, 80 }, { IPPROTO_UDP, 0, 4001 } };

static const uint32_t addrs[] = {
	IP4(198, 18, 0, 2), IP4(198, 18, 0, 3), IP4(198, 19, 0, 2), IP4(192, 0, 2, 9), IP4(192, 0, 2, 10), IP4(192, 0, 2, 65),
	IP4(192, 0, 2, 129), IP4(203, 0, 113, 1), IP4(203, 0, 113, 16), IP4(203, 0, 113, 17), IP4(198, 18, 0, 1), IP4(192, 0, 2, 97),
	IP4(198, 51, 100, 9), IP4(224, 0, 0, 1), IP4(198, 18, 0, 4), IP4(192, 0, 2, 11),
};

static const uint16_t l4_ports[] = { 4000, 4001, 80, 443, 500, 53, 0, 65535 };

#endif
