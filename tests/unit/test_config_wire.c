/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * test_config_wire.c - `wires`: what is refused, each message with its line; what ends in the struct, the defaults, entries,
 * and the way through JSON.
 */
#include "lib/addr.h"
#include "tests/unit/config_text.h"

#define WIRE(rest)	"wires:\n- {name: w0, ports: [eth1, eth2], " rest "}\n"
#define HOST(rest)	WIRE("host: {" rest "}")
#define NET(rest)	HOST("address: 192.0.2.10/24, " rest)
/* The capture is in line 5. */
#define CAPTURE(rest)	"wires:\n- name: w0\n  ports: [eth1, eth2]\n  capture:\n  - {" rest "}\n"
#define MATCH(rest)	CAPTURE("to: tun0, match: {" rest "}")
#define W(n)		"- {name: w" #n ", ports: [a" #n ", b" #n "]}\n"
#define RANGE		"0.0.0.1-255.255.255.254"

static const struct bad bad_keys[] = {
	{ "wires: []\n", 1, 0, "`interfaces` is empty; name the interfaces that natvi shall serve, like "
	  "`interfaces: [{name: lan0}, {name: wan0}]`, or `wires: [{name: w0, ports: [eth1, eth2]}]`" },
	{ "limits: {}\n", 1, 1, "the configuration needs `interfaces` (for NAT and acceleration) or `wires`" },
	{ "wire: []\n", 2, 1, "unknown key `wire` in the configuration; did you mean `wires`?" },
	{ "wires: {name: w0}\n", 1, 1, "a list is needed here, not a block of keys; write `- {name: w0, ports: [eth1, eth2]}`" },
	{ "wires: [w0]\n", 1, 1, "a wire is a block of keys (`name: ...`), not plain text" },
	{ "wires:\n- ports: [eth1, eth2]\n", 1, 2, "a wire needs `name`" },
	{ "wires:\n- name: w0\n", 1, 2, "a wire needs `ports`" },
	{ "wires:\n-\n", 2, 2, "a wire needs `ports`" },
	{ WIRE("captures: []"), 1, 2, "unknown key `captures` in a wire; did you mean `capture`?" },
	{ WIRE("name: w1"), 1, 2, "`name` stands twice in a wire; the first is in line 2" },
	{ WIRE("mac_changes: arp"), 1, 2, "did you mean `mac-changes`?" },
	{ WIRE("host: 192.0.2.10/24"), 1, 2, "`host` is a block of keys (`address: ...`), not plain text" },
	{ WIRE("host: {}"), 1, 2, "`host` needs `address`" },
	{ WIRE("host: {adress: 192.0.2.10/24}"), 2, 2, "unknown key `adress` in `host`; did you mean `address`?" },
	{ WIRE("marks: 0x32"), 1, 2, "`marks` is a block of keys (`reply: ...`), not plain text" },
	{ WIRE("marks: {replay: 1}"), 1, 2, "did you mean `reply`?" },
	{ WIRE("capture: {to: tun0}"), 1, 2, "a list is needed here, not a block of keys; write `- {match: {destination: 203.0.113.0/24}, to: tun0}`" },
	{ WIRE("capture: [tun0]"), 1, 2, "a capture is a block of keys" },
	{ CAPTURE("match: {}"), 1, 5, "a capture needs `to`" },
	{ CAPTURE("macth: {}, to: tun0"), 1, 5, "unknown key `macth` in a capture; did you mean `match`?" },
	{ CAPTURE("to: tun0, match: eth1"), 1, 5, "`match` is a block of keys (`port: ...`), not plain text" },
	{ MATCH("sorce: 198.51.100.0/24"), 1, 5, "unknown key `sorce` in `match`; did you mean `source`?" },
	{ MATCH("from: {source: 198.51.100.0/24}"), 1, 5, "unknown key `from` in `match`; known here: port, vlan, source, destination" },
};

static const struct bad bad_wires[] = {
	{ "wires: [{name: 7, ports: [eth1, eth2]}]\n", 1, 1, "`7` is not a wire's name; 1 to 31 letters" },
	{ "wires: [{name: -w, ports: [eth1, eth2]}]\n", 1, 1, "`-w` is not a wire's name" },
	{ "wires: [{name: a23456789012345678901234567890123, ports: [eth1, eth2]}]\n", 1, 1, "is not a wire's name" },
	{ "wires: [{name: w0, ports: eth1}]\n", 1, 1, "a wire has two ports; write `ports: [eth1, eth2]`" },
	{ "wires: [{name: w0, ports: []}]\n", 1, 1, "a wire has two ports" },
	{ "wires: [{name: w0, ports: [eth1]}]\n", 1, 1, "a wire has two ports" },
	{ "wires: [{name: w0, ports: [eth1, eth2, eth3]}]\n", 1, 1, "a wire has two ports" },
	{ "wires: [{name: w0, ports: {a: b}}]\n", 1, 1, "a wire has two ports" },
	{ "wires: [{name: w0, ports: [eth1, e/2]}]\n", 1, 1, "`e/2` cannot be an interface's name" },
	{ "wires: [{name: w0, ports: [eth1, [eth2]]}]\n", 1, 1, "an interface's name is needed here, not a list" },
	{ "wires: [{name: w0, ports: [eth1, nvi0]}]\n", 1, 1, "`nvi0` leads to the box itself; a wire has its ports to others" },
	{ "wires: [{name: w0, ports: [lo, eth1]}]\n", 1, 1, "`lo` leads to the box itself" },
	{ CAPTURE("to: lo"), 1, 5, "`to: lo` is a way from the box to itself; its own stack is `to: nvi0`, and other programs have devices, like `to: tun0`" },
	{ "wires:\n- name: w0\n  ports:\n  - eth1\n  - eth1\n", 1, 5, "port `eth1` stands twice; it is in wire `w0` (line 4) already, and a port is one end of one wire" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2]}\n- {name: w1, ports: [eth3, eth1]}\n", 1, 3, "port `eth1` stands twice; it is in wire `w0` (line 2) already" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2]}\n- {name: w0, ports: [eth3, eth4]}\n", 1, 3, "wire `w0` stands twice; the other is in line 2" },
	{ "wires:\n" W(0) W(1) W(2) W(3) W(4) W(5) W(6) W(7) W(8) W(9) W(10) W(11) W(12) W(13) W(14) W(15) W(16) W(17), 1, 18, "18 wires; at most 16 fit" },
	{ WIRE("xdp: natve"), 1, 2, "`natve` is not a way to use XDP; did you mean `native`?" },
	{ WIRE("mss: 87"), 1, 2, "`mss` is a whole number from 88 to 65495, not `87`" },
	{ WIRE("mss: atuo"), 1, 2, "`atuo` is not a limit for `mss` (a number of bytes or a word); did you mean `auto`?" },
	{ WIRE("fail: shut"), 1, 2, "`shut` is not a way to fail; known here: closed, open" },
	{ WIRE("fail: opne"), 1, 2, "did you mean `open`?" },
	{ WIRE("mac-changes: always"), 1, 2, "`always` is not a way to learn changes of MAC addresses; known here: verify, arp" },
	{ WIRE("marks: {reply: 0}"), 1, 2, "mark 0 is what packets have that nobody has marked; write another one, like 0x32" },
	{ WIRE("marks: {original: 0x0}"), 1, 2, "mark 0 is what packets have" },
	{ WIRE("marks: {reply: 0x32/0xff}"), 1, 2, "`0x32/0xff` is not a mark to be set; a number of 32 bits like 50 or 0x32, without a mask" },
	{ WIRE("marks: {original: 4294967296}"), 1, 2, "`4294967296` is not a mark to be set" },
	{ WIRE("marks: {original: 0x40000032}"), 1, 2, "bit 0x40000000 in `0x40000032` is natvi's own; write a mark without it, like 0x32" },
	{ WIRE("marks: {reply: 0x40000000}"), 1, 2, "write a mark without it, like 0x32" },
	{ WIRE("marks: {original: red}"), 1, 2, "`red` is not a mark to be set" },
	{ WIRE("marks: {original: }"), 1, 2, "a mark is missing" },
};

static const struct bad bad_hosts[] = {
	{ HOST("address: 192.0.2.10"), 1, 2, "`192.0.2.10` is not an address with the length of its network, like 192.0.2.10/24" },
	{ HOST("address: 192.0.2.10/32"), 1, 2, "`192.0.2.10/32`: the network that the box is in has a length from 1 to 31, like 192.0.2.10/24" },
	{ HOST("address: 192.0.2.10/0"), 1, 2, "has a length from 1 to 31" },
	{ HOST("address: 192.0.2.10/33"), 1, 2, "`192.0.2.10/33` is not an address with the length of its network, like 192.0.2.10/24" },
	{ HOST("address: 192.0.2.10/"), 1, 2, "is not an address with the length of its network" },
	{ HOST("address: /24"), 1, 2, "is not an address with the length of its network" },
	{ HOST("address: box"), 1, 2, "is not an address with the length of its network" },
	{ HOST("address: 192.0.2.10/24/24"), 1, 2, "is not an address with the length of its network" },
	{ HOST("address: 192.0.2.10000000000000000000000000000000000000000000000000000000000/24"), 1, 2, "is not an address with the length" },
	{ HOST("address: \"2001:db8::10/64\""), 1, 2, "`2001:db8::10/64` is IPv6, but the box's address on a wire is IPv4; write one like 192.0.2.10/24" },
	{ HOST("address: [192.0.2.10/24]"), 1, 2, "the box's address with the length of its network is needed here, not a list" },
	{ HOST("address: 127.0.0.1/8"), 1, 2, "no host can have the address 127.0.0.1; write one like 192.0.2.10/24" },
	{ HOST("address: 224.0.0.5/24"), 1, 2, "no host can have the address 224.0.0.5" },
	{ HOST("address: 255.255.255.255/24"), 1, 2, "no host can have the address 255.255.255.255" },
	{ HOST("address: 0.0.0.1/24"), 1, 2, "no host can have the address 0.0.0.1" },
	{ HOST("address: 192.0.2.0/24"), 1, 2, "192.0.2.0 is the address of the network 192.0.2.0/24 itself; the box has one of the addresses in it" },
	{ HOST("address: 192.0.2.255/24"), 1, 2, "192.0.2.255 is the broadcast address of the network 192.0.2.0/24 itself" },
	{ HOST("address: 192.0.2.4/30"), 1, 2, "192.0.2.4 is the address of the network 192.0.2.4/30 itself" },
	{ HOST("address: 192.0.2.7/30"), 1, 2, "192.0.2.7 is the broadcast address of the network 192.0.2.4/30 itself" },
	{ NET("vlan: 0"), 1, 2, "`vlan` is a whole number from 1 to 4094, not `0`" },
	{ NET("vlan: 4095"), 1, 2, "`vlan` is a whole number from 1 to 4094, not `4095`" },
	{ NET("vlan: none"), 1, 2, "`none` is not a VLAN (a number from 1 to 4094, or a word); known here: untagged" },
	{ NET("vlan: [1]"), 1, 2, "is needed here, not a list" },
	{ NET("gateway: 198.51.100.1"), 1, 2, "gateway 198.51.100.1 is not in the network 192.0.2.0/24 of `address`; it is one of the neighbours there" },
	{ NET("gateway: 192.0.2.10"), 1, 2, "gateway 192.0.2.10 is the box's own address; write that of the router" },
	{ NET("gateway: 192.0.2.0"), 1, 2, "gateway 192.0.2.0 is the address of the network 192.0.2.0/24 itself; write that of the router" },
	{ NET("gateway: 192.0.2.255"), 1, 2, "gateway 192.0.2.255 is the broadcast address of the network 192.0.2.0/24 itself" },
	{ NET("gateway: 0.0.0.0"), 1, 2, "no host can have the address 0.0.0.0; leave `gateway` away to have it learned" },
	{ NET("gateway: 192.0.2.1/24"), 1, 2, "`192.0.2.1/24` is not an IPv4 address like 192.0.2.1" },
	{ NET("gateway: \"2001:db8::1\""), 1, 2, "`2001:db8::1` is not an IPv4 address like 192.0.2.1; leave `gateway` away to have it learned" },
	{ NET("gateway: "), 1, 2, "the gateway's address is missing" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], host: {address: 192.0.2.10/24}}\n"
	  "- {name: w1, ports: [eth3, eth4], host: {address: 198.51.100.10/24}}\n", 1, 3,
	  "the box has its address on one wire, by the `host` in line 2; take one of the two away" },
	/* Where the address could not be read, neither the gateway nor what leads to the box is judged. */
	{ "wires: [{name: w0, ports: [eth1, eth2], host: {address: box, gateway: 198.51.100.1}, capture: [{to: nvi0}]}]\n", 1, 1, "`box` is not an address" },
};

static const struct bad bad_captures[] = {
	{ CAPTURE("name: 1, to: tun0"), 1, 5, "`1` is not a capture's name" },
	{ CAPTURE("to: "), 1, 5, "an interface's name is missing" },
	{ CAPTURE("to: [tun0, tun1]"), 1, 5, "an interface's name is needed here, not a list" },
	{ CAPTURE("to: sixteen-letters-"), 1, 5, "1 to 15 characters" },
	{ CAPTURE("to: eth1"), 1, 5, "`eth1` is a port of wire `w0` (line 3), and cannot be a target; name the device of a program, like `to: tun0`" },
	{ CAPTURE("to: nvi0"), 1, 5, "`to: nvi0` leads to the box itself, which has no address on wire `w0`; give the wire a `host`, or name another device" },
	{ MATCH("port: eth3"), 1, 5, "`eth3` is not a port of wire `w0`; did you mean `eth1`?" },
	{ MATCH("port: 443"), 1, 5, "`443` is not a port of wire `w0`; known here: eth1, eth2 (ports of TCP and UDP are `source-ports` and `destination-ports`)" },
	{ MATCH("port: [eth1, eth2]"), 1, 5, "an interface's name is needed here, not a list" },
	{ MATCH("vlan: 0"), 1, 5, "`vlan` is a whole number from 1 to 4094, not `0`" },
	{ MATCH("vlan: 4095"), 1, 5, "from 1 to 4094, not `4095`" },
	{ MATCH("vlan: any"), 1, 5, "`any` is not a VLAN (a number from 1 to 4094, or a word); known here: untagged" },
	{ MATCH("source: 198.51.100.1/24"), 1, 5, "`198.51.100.1/24` has address bits beyond the prefix; write 198.51.100.0/24" },
	{ MATCH("destination: \"2001:db8::1/32\""), 1, 5, "`2001:db8::1/32` has address bits beyond the prefix; write 2001:db8::/32" },
	{ MATCH("source: 198.51.100.9-198.51.100.1"), 1, 5, "range `198.51.100.9-198.51.100.1` is reversed; the lower address comes first" },
	{ MATCH("source: \"2001:db8::1-2001:db8::9\""), 1, 5, "is not an IPv6 address or a prefix like 2001:db8::/32 (ranges are of IPv4 only)" },
	{ MATCH("source: \"2001:db8::/129\""), 1, 5, "`2001:db8::/129` is not an IPv6 address or a prefix" },
	{ MATCH("source: 198.51.100.0/33"), 1, 5, "`198.51.100.0/33` is not an address, a prefix like 198.18.0.0/16 or 2001:db8::/32, or a range like 198.18.0.10-198.18.0.99" },
	{ MATCH("source: [::/0]"), 1, 5, "within brackets a value that begins or ends with `:` has to stand in quotes, like \"::/0\"" },
	{ MATCH("source: ::1"), 1, 5, "has to stand in quotes" },
	{ MATCH("source: [2001:db8::, 2001:db8::1]"), 1, 5, "has to stand in quotes" },
	{ MATCH("source: [, 2001:db8::1]"), 1, 5, "a value is missing here" },
	{ MATCH("source: any"), 1, 5, "`any` is not an address, a prefix" },
	{ MATCH("source: []"), 1, 5, "the list is empty; name at least one, or leave the key away" },
	{ MATCH("destination: {}"), 1, 5, "an address, prefix or range is needed here, not a block of keys" },
	{ MATCH("source: 198.51.100.0/24, destination: \"2001:db8::/32\""), 1, 5, "capture capture-1 names IPv4 and IPv6, and a packet is of one of them; write a capture for each" },
	{ MATCH("source: [198.51.100.0/24, \"2001:db8::/32\"]"), 1, 5, "names IPv4 and IPv6" },
	{ MATCH("source: \"::/0\", destination: 0.0.0.0/0"), 1, 5, "names IPv4 and IPv6" },
	{ MATCH("source: \"::/0\", proto: [tcp, icmp]"), 1, 5, "capture capture-1 names icmp, which IPv6 does not have; write icmpv6" },
	{ MATCH("source: 0.0.0.0/0, proto: icmpv6"), 1, 5, "capture capture-1 names icmpv6, which IPv4 does not have; write icmp" },
	{ MATCH("proto: tpc"), 1, 5, "`tpc` is not a protocol" },
	{ MATCH("proto: [tcp, 6]"), 1, 5, "protocol `6` stands twice" },
	{ MATCH("dscp: 64"), 1, 5, "`64` is not a DSCP" },
	{ MATCH("dscp: [ef, 46]"), 1, 5, "DSCP `46` stands twice" },
	{ MATCH("proto: tcp, source-ports: 0"), 1, 5, "`0` is not a port" },
	{ MATCH("proto: tcp, destination-ports: [2000-1000]"), 1, 5, "port range `2000-1000` is reversed; write 1000-2000" },
	{ MATCH("destination-ports: 443"), 1, 5, "capture capture-1 matches ports, which not all protocols have; add `proto: [tcp, udp]`" },
	{ MATCH("source-port: 443"), 1, 5, "matches ports, which not all protocols have" },
	{ MATCH("proto: [udp, esp], source-ports: 443"), 1, 5, "capture capture-1 matches ports, which esp does not have here; give it a capture without ports" },
	{ "wires:\n- name: w0\n  ports: [eth1, eth2]\n  capture:\n  - {name: a, to: tun0}\n  - {name: a, to: tun0}\n", 1, 6, "capture `a` stands twice; the other is in line 5" },
	{ MATCH("source: " RANGE ", destination: " RANGE ", proto: [tcp, udp]"), 1, 5,
	  "capture capture-1 becomes 7688 entries when its lists are multiplied out, which makes more than the 4096 that all captures may have; use wider prefixes or fewer lists in one capture" },
};

static const struct bad bad_together[] = {
	/* Of two wires. */
	{ "wires:\n- {name: w0, ports: [eth1, eth2], capture: [{to: tun0}]}\n- {name: w1, ports: [eth3, eth4], capture: [{to: tun1}, {to: tun0}]}\n",
	  1, 3, "`tun0` is a target of wire `w0` (line 2) already; what comes out of it goes back into one wire, so name another device" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], capture: [{to: eth4}]}\n- {name: w1, ports: [eth3, eth4]}\n",
	  1, 2, "`eth4` is a port of wire `w1` (line 3), and cannot be a target" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], host: {address: 192.0.2.10/24}, capture: [{to: nvi0}]}\n"
	  "- {name: w1, ports: [eth3, eth4], capture: [{to: nvi0}]}\n", 1, 3, "the box itself, which has no address on wire `w1`" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2]}\n- {name: w1, ports: [eth3, eth4], capture: [{match: {port: eth1}, to: tun1}]}\n",
	  1, 3, "`eth1` is not a port of wire `w1`" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], capture: [{name: a, to: tun0}]}\n- {name: w1, ports: [eth3, eth4], capture: [{name: a, to: tun1}]}\n",
	  1, 3, "capture `a` stands twice; the other is in line 2" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], capture: [{to: tun0}]}\n- {name: w1, ports: [eth3, eth4], capture: [{name: capture-1, to: tun1}]}\n",
	  1, 3, "capture `capture-1` stands twice" },
	{ "wires:\n- {name: w0, ports: [eth1, eth2], capture: [{match: {source: " RANGE ", destination: " RANGE "}, to: tun0}]}\n"
	  "- {name: w1, ports: [eth3, eth4], capture: [{match: {source: " RANGE "}, to: tun1}, {match: {source: " RANGE ", proto: [tcp, udp, icmp, gre, esp]}, to: tun1}]}\n",
	  1, 3, "capture capture-3 becomes 310 entries" },
	/* The first one of a name is an owner, also where it stands last in the alphabet and in the list of captures. */
	{ "wires:\n- {name: z, ports: [eth1, eth2], capture: [{to: b}, {to: a}]}\n- {name: a, ports: [eth3, eth4], capture: [{to: a}, {to: b}]}\n",
	  2, 3, "`b` is a target of wire `z` (line 2) already" },
	/* What could not be read is not held against others. */
	{ "wires: [{name: w0, ports: [eth1], capture: [{match: {port: eth2}, to: tun0}]}]\n", 1, 1, "a wire has two ports" },
	/* Ports stand behind what names them. */
	{ "wires:\n- capture:\n  - {match: {port: eth2}, to: tun0}\n  - {match: {port: eth9}, to: eth1}\n  ports: [eth1, eth2]\n  name: w0\n", 2, 4, "`eth1` is a port of wire `w0` (line 5)" },
	{ "wires:\n- capture:\n  - {match: {port: eth2}, to: tun0}\n  - {match: {port: eth9}, to: eth1}\n  ports: [eth1, eth2]\n  name: w0\n", 2, 4, "`eth9` is not a port of wire `w0`" },
	/* All of one wire at once. */
	{ "wires:\n- name: w0\n  ports: [eth1, eth1]\n  host: {address: 192.0.2.0/24}\n  capture:\n  - {match: {vlan: 0}, to: eth1}\n  fail: shut\n  marks: {reply: 0}\n",
	  6, 7, "`shut` is not a way to fail" },
};

#define BESIDE(key)	"`" key "` does not stand beside `wires`; NAT and acceleration go into an instance of their own: another file, for `natvi run --instance NAME`"

static const struct bad bad_beside[] = {
	{ WIRE("") IFS, 1, 3, BESIDE("interfaces") },
	{ IFS WIRE(""), 1, 1, BESIDE("interfaces") },
	{ IFS "zones: [{name: red, table: 100}]\n" POOL "rules: [{action: masquerade}]\nforwards: [{proto: tcp, external: \"wan0:1\", internal: \"198.18.0.1:1\"}]\n" WIRE(""),
	  6, 4, BESIDE("rules") },
	{ "zones: [{name: red, table: 100}]\n" WIRE(""), 2, 1, BESIDE("zones") },
	{ WIRE("") POOL, 1, 3, BESIDE("pools") },
	{ WIRE("") "masquerade: {port-selection: random}\n", 1, 3, BESIDE("masquerade") },
	{ WIRE("") "tcp: {unsolicited: silent}\n", 1, 3, BESIDE("tcp") },
	{ WIRE("") "forwards: [{proto: tcp, external: \"203.0.113.1:1\", internal: \"198.18.0.1:1\"}]\n", 1, 3, BESIDE("forwards") },
	{ WIRE("") "accelerate: true\n", 1, 3, BESIDE("accelerate") },
	{ WIRE("") "accelerate: {exclude: [{proto: udp}]}\n", 1, 3, BESIDE("accelerate") },
};

BAD_TEST(bad_keys)
BAD_TEST(bad_wires)
BAD_TEST(bad_hosts)
BAD_TEST(bad_captures)
BAD_TEST(bad_together)
BAD_TEST(bad_beside)

/* Ports and targets go into one table with nvi0. */
static void test_devices(void **state)
{
	size_t size = 64 << 10, at;
	char *text = malloc(size);

	for (int targets = 1021; targets <= 1022; targets++) {
		struct cfg_errors errors;
		struct config *c;

		at = (size_t)snprintf(text, size, "wires:\n- name: w0\n  ports: [eth1, eth2]\n  capture:\n");
		for (int i = 0; i < targets; i++)
			at += (size_t)snprintf(text + at, size - at, "  - {to: tun%d}\n  - {to: tun%d}\n", i, i);
		assert_int_equal(config_read_text(text, at, "test.yaml", &c, &errors), targets == 1021 ? 0 : -EINVAL);
		assert_int_equal(errors.n, targets == 1022);
		assert_true(targets == 1021 || has_error(&errors, 0, "1025 ports and targets, nvi0 included; at most 1024 fit"));
		cfg_errors_free(&errors);
		config_free(c);
	}
	free(text);
}

/* A plain patch lead. */
static void test_defaults(void **state)
{
	struct config *c = read_good("wires: [{name: w0, ports: [eth1, eth2]}]\n");
	const struct cfg_wire *w = c->wires;
	json_t *json = round_trip(c), *wire = json_array_get(json_object_get(json, "wires"), 0);
	const char *xdp, *fail, *moves, *mss, *reply, *original;

	assert_int_equal(c->n_wires, 1);
	assert_int_equal(c->n_interfaces + c->n_rules, 0);
	assert_false(config_translates(c));
	assert_false(c->accelerate);
	assert_string_equal(w->name, "w0");
	assert_string_equal(w->ports[0], "eth1");
	assert_string_equal(w->ports[1], "eth2");
	assert_int_equal(w->line, 1);
	assert_int_equal(w->xdp, XDP_MODE_AUTO);
	assert_int_equal(w->host | w->gateway | w->host_len | w->host_vlan, 0);
	assert_int_equal(w->n_captures, 0);
	assert_int_equal(w->reply_mark, 0x32);
	assert_int_equal(w->original_mark, 0x32);
	assert_false(w->fail_open);
	assert_false(w->arp_moves);
	assert_int_equal(w->mss, MSS_AUTO);
	assert_int_equal(json_unpack(wire, "{ss ss ss ss s[] s{ss ss}}", "xdp", &xdp, "fail", &fail, "mac-changes", &moves, "mss", &mss,
				     "capture", "marks", "reply", &reply, "original", &original), 0);
	assert_string_equal(xdp, "auto");
	assert_string_equal(fail, "closed");
	assert_string_equal(moves, "verify");
	assert_string_equal(mss, "auto");
	assert_string_equal(reply, "0x32");
	assert_string_equal(original, "0x32");
	assert_null(json_object_get(wire, "host"));
	json_decref(json);
	config_free(c);
}

static void test_all(void **state)
{
	struct config *c = read_good(
		"wires:\n"
		"  - name: w0\n"
		"    ports: [eth1, eth2]\n"
		"    xdp: native\n"
		"    host: {address: 192.0.2.10/24, vlan: 100, gateway: 192.0.2.1}\n"
		"    capture:\n"
		"      - name: site\n"
		"        match: {port: eth2, vlan: 100, source: [198.51.100.0/24, 198.18.0.1-198.18.0.2], destination: 203.0.113.0/24,\n"
		"                proto: [tcp, udp], source-ports: [1024-65535], destination-ports: [80, 443, 8000-8010], dscp: [ef, 8]}\n"
		"        to: tun0\n"
		"      - {match: {vlan: untagged, destination: [\"2001:db8::/32\", \"2001:db8::1\"]}, to: tun0}\n"
		"      - {match: {proto: tcp, destination-port: 22}, to: nvi0}\n"
		"    marks: {reply: 1, original: 0xbfffffff}\n"
		"    fail: open\n"
		"    mac-changes: arp\n"
		"    mss: 1300\n"
		"  - {name: w1, ports: [eth3, eth4], xdp: off, mss: off, capture: [{to: tun1}]}\n"
		"limits: {sessions: 1000}\n"
		"timeouts: {udp: 60}\n");
	const struct cfg_wire *w = c->wires;
	const struct cfg_capture *a = w->captures;
	union addr net;
	uint8_t len;

	assert_int_equal(c->n_wires, 2);
	assert_int_equal(w->line, 2);
	assert_int_equal(w->xdp, XDP_MODE_NATIVE);
	assert_int_equal(w->host, A(192, 0, 2, 10));
	assert_int_equal(w->host_len, 24);
	assert_int_equal(w->host_vlan, 100);
	assert_int_equal(w->gateway, A(192, 0, 2, 1));
	assert_int_equal(w->reply_mark, 1);
	assert_int_equal(w->original_mark, 0xbfffffff);
	assert_true(w->fail_open);
	assert_true(w->arp_moves);
	assert_int_equal(w->mss, 1300);
	assert_int_equal(w->n_captures, 3);
	assert_string_equal(a[0].name, "site");
	assert_int_equal(a[0].line, 7);
	assert_string_equal(a[0].port, "eth2");
	assert_int_equal(a[0].vlan, 100);
	assert_int_equal(a[0].family, 4);
	assert_int_equal(a[0].n_sources, 3);
	assert_int_equal(addr_parse_prefix("198.51.100.0/24", &net, &len), 0);
	assert_true(addr_equal(&a[0].sources[0].addr, &net));
	assert_int_equal(a[0].sources[0].len, 96 + 24);
	assert_int_equal(addr_to4(&a[0].sources[2].addr), A(198, 18, 0, 2));
	assert_int_equal(a[0].sources[2].len, 128);
	assert_int_equal(a[0].n_destinations, 1);
	assert_int_equal(a[0].n_protos, 2);
	assert_int_equal(a[0].protos[1], IPPROTO_UDP);
	assert_int_equal(a[0].source_ports[0].hi, 65535);
	assert_int_equal(a[0].n_destination_ports, 3);
	assert_int_equal(a[0].destination_ports[2].hi, 8010);
	assert_true(a[0].dscp == (1ull << 46 | 1ull << 8));
	assert_string_equal(a[0].target, "tun0");
	assert_int_equal(config_capture_entries(&a[0]), 3 * 1 * 2 * 1 * 3);
	assert_string_equal(a[1].name, "capture-2");
	assert_int_equal(a[1].vlan, VLAN_UNTAGGED);
	assert_int_equal(a[1].family, 6);
	assert_int_equal(a[1].destinations[0].len, 32);
	assert_int_equal(a[1].destinations[1].len, 128);
	assert_int_equal(config_capture_entries(&a[1]), 2);
	assert_int_equal(a[2].family, 0);
	assert_string_equal(a[2].target, "nvi0");
	assert_string_equal(w[1].captures[0].name, "capture-4");
	assert_int_equal(w[1].captures[0].vlan, 0);
	assert_int_equal(config_capture_entries(&w[1].captures[0]), 1);
	assert_int_equal(w[1].xdp, XDP_MODE_OFF);
	assert_int_equal(w[1].mss, 0);
	assert_int_equal(c->max_sessions, 1000);
	assert_int_equal(c->timeouts.udp_s, 60);
	json_decref(round_trip(c));
	config_free(c);
}

/* All of IPv4, all of IPv6, and what is neither said nor meant. */
static void test_families(void **state)
{
	static const struct {
		const char *match;
		int family, len, is4;
	} list[] = {
		{ "source: 0.0.0.0/0", 4, 96, 1 },
		{ "source: 0.0.0.0/0, destination: 203.0.113.7", 4, 96, 1 },
		{ "source: \"::/0\"", 6, 0, 0 },
		{ "source: \"::/0\", proto: icmpv6", 6, 0, 0 },
		{ "source: 2001:db8::/32", 6, 32, 0 },
		{ "source: [2001:db8::1]", 6, 128, 0 },
		{ "source: \"::ffff:198.51.100.0/120\"", 4, 120, 1 },
		{ "source: 198.51.100.7, proto: icmp", 4, 128, 1 },
		{ "proto: [icmp, icmpv6]", 0, -1, 0 },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const struct cfg_capture *capture;
		struct config *c;
		char text[256];

		snprintf(text, sizeof(text), MATCH("%s"), list[i].match);
		c = read_good(text);
		capture = c->wires[0].captures;
		assert_int_equal(capture->family, list[i].family);
		assert_int_equal(capture->n_sources, list[i].len >= 0);
		if (list[i].len >= 0) {
			assert_int_equal(capture->sources[0].len, list[i].len);
			assert_int_equal(addr_is4(&capture->sources[0].addr), list[i].is4);
		}
		json_decref(round_trip(c));
		config_free(c);
	}
}

static void test_hosts(void **state)
{
	static const char *const list[] = {
		HOST("address: 192.0.2.10/24"),
		HOST("address: 192.0.2.10/31, gateway: 192.0.2.11"),
		HOST("address: 192.0.2.10/1, gateway: 198.51.100.1"),
		HOST("address: 192.0.2.9/30, vlan: untagged, gateway: 192.0.2.10"),
		HOST("address: 192.0.2.10/24, vlan: 4094"),
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct config *c = read_good(list[i]);

		assert_int_equal(c->wires[0].host_vlan, i == 4 ? 4094 : 0);
		json_decref(round_trip(c));
		config_free(c);
	}
}

/* What says nothing of NAT may stand there, as it does in the JSON form. Sixteen wires fit; one target may be named often. */
static void test_beside(void **state)
{
	struct config *c = read_good(
		"interfaces: []\nzones:\npools: []\nrules: []\nforwards: []\naccelerate: false\nmasquerade: {}\ntcp:\n"
		"orphans: drain\non-exhaustion: host-unreachable\n"
		"wires:\n" W(0) W(1) W(2) W(3) W(4) W(5) W(6) W(7) W(8) W(9) W(10) W(11) W(12) W(13) W(14)
		"- {name: w15, ports: [a15, b15], capture: [{to: tun0}, {to: tun0}, {match: {port: b15}, to: tun1}]}\n");

	assert_int_equal(c->n_wires, 16);
	assert_int_equal(c->wires[15].n_captures, 3);
	assert_int_equal(c->orphans, ORPHANS_DRAIN);
	json_decref(round_trip(c));
	config_free(c);
	c = read_good(IFS "wires: []\n");
	assert_int_equal(c->n_wires, 0);
	json_decref(round_trip(c));
	config_free(c);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_keys),
		cmocka_unit_test(test_bad_wires),
		cmocka_unit_test(test_bad_hosts),
		cmocka_unit_test(test_bad_captures),
		cmocka_unit_test(test_bad_together),
		cmocka_unit_test(test_bad_beside),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_beside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
