# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The slow road, MTU, TTL, and natvi's own ICMP errors."""
from scapy.layers.inet import IPOption_Router_Alert

from frames import (Other, adopt, advance, arp, answers, case, drops, echo, icmp_error, interface, net, new_generation, other,
                    passes, route, sends, state, tcp, udp)
from world import A, IFS, MASQ, NARROW, NOBODY, P, S, S2, X, masquerade, pool

OUT, OUT_X = udp(A + ":4000", S + ":53"), udp(X + ":4000", S + ":53")
IN_X, IN = udp(S + ":53", X + ":4000"), udp(S + ":53", A + ":4000")
MARK = 0x40000000
ASKER, WAN_MAC = "02:00:00:00:01:03", "02:00:00:00:00:03"
OUTSIDES = IFS + "rules: [{from: {interface: lan0, source: 198.18.0.8/29}, to: {interface: wan0}, action: {netmap: 203.0.113.64/29}}]\n" \
    "forwards: [{proto: tcp, external: \"203.0.113.40:80\", internal: %s}, {proto: tcp, external: \"%s:80\", internal: %s}]\n" % (A, X, A)
TUN = {
    "interfaces": [interface("lan0", 1, "198.18.0.1/16"), interface("lan1", 2, "198.19.0.1/16"),
                   interface("wan0", 3, "203.0.113.1/24", no_l2=True)],
    "routes": [route("198.18.0.0/16", "lan0", "02:00:00:00:01:01"), route("0.0.0.0/0", "wan0", "02:00:00:00:01:04")],
    "sockets": [], "local_ports": [32768, 60999],
}


def big(packet, ip_bytes, **but):
    """With a payload that makes it this long from the IP header on."""
    head = 40 if packet.kind == "tcp" else 28
    return packet.but(payload=bytes(n % 251 for n in range(ip_bytes - head)), **but)


CASES = [
    # Neighbours and routes
    case("neighbour", "a next hop that is not resolved: translated, the kernel asks for it", MASQ,
         passes("lan0", udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", udp(X + ":4000", NOBODY + ":53")),
         passes("lan0", udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", udp(X + ":4000", NOBODY + ":53")),
         passes("lan0", tcp(A + ":4000", NOBODY + ":80"), "slow-neighbour", tcp(X + ":4000", NOBODY + ":80")),
         passes("lan0", echo(A, NOBODY, 9), "slow-neighbour", echo(X, NOBODY, 9)),
         sends("wan0", udp(NOBODY + ":53", X + ":4000"), "lan0", udp(NOBODY + ":53", A + ":4000")),
         state(sessions=3)),
    case("generation", "routes that changed are looked up again, by tc", MASQ,
         sends("lan0", OUT, "wan0", OUT_X, "new-forward"),
         sends("lan0", OUT, "wan0", OUT_X, at="xdp"),
         new_generation(),
         sends("lan0", OUT, "wan0", OUT_X, at="tc"),
         sends("lan0", OUT, "wan0", OUT_X, at="xdp")),
    case("mark", "slow-road packets carry the mark of natvi's nftables table, others do not", MASQ,
         passes("lan0", udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", udp(X + ":4000", NOBODY + ":53"), mark=MARK),
         passes("lan0", OUT.but(options=[IPOption_Router_Alert()]), "slow-options",
                OUT_X.but(options=[IPOption_Router_Alert()]), mark=MARK),
         passes("lan0", udp(A + ":4000", "198.18.0.1:53"), "local", mark=0),
         net=net(mark_slow=True)),
    case("policy", "with IPsec or mark policies all flows take the kernel's way", MASQ,
         passes("lan0", OUT, "slow-policy", OUT_X),
         passes("lan0", OUT, "slow-policy", OUT_X),
         passes("wan0", IN_X, "slow-policy", IN),
         net=net(policy=True)),
    case("tun", "a link without Ethernet: translated, the kernel does the rest", MASQ,
         passes("lan0", OUT, "slow-link", OUT_X),
         passes("wan0", IN_X, "slow-link", IN),
         drops("wan0", IN_X.but(len=10), "bad-header"),
         net=TUN, hosts=("native",), only="a test run always has Ethernet"),
    case("tun-ttl", "an ICMP error by a link without Ethernet has none", MASQ,
         passes("lan0", OUT, "slow-link", OUT_X),
         answers("wan0", IN_X.but(ttl=1), "ttl-exceeded", 11, 0),
         net=TUN, hosts=("native",), only="a test run always has Ethernet"),

    case("kernels-own", "a connection that the kernel translates stays the kernel's, both ways, whatever the rules say", MASQ,
         adopt(6, A + ":4000 > " + S + ":80", S + ":80 > " + X + ":4000", 100),
         passes("lan0", tcp(A + ":4000", S + ":80", "A"), "kernel-flow"),
         passes("wan0", tcp(S + ":80", X + ":4000", "A"), "kernel-flow"),
         passes("lan0", tcp(A + ":4000", S + ":80", "A", ttl=1), "kernel-flow"),
         passes("lan0", big(tcp(A + ":4000", S + ":80", "A"), 2000, flags="DF"), "kernel-flow"),
         passes("lan0", tcp(A + ":4000", S + ":80", "A", options=[IPOption_Router_Alert()]), "kernel-flow"),
         passes("wan0", icmp_error(S, X, 3, 1, tcp(X + ":4000", S + ":80", "A")), "kernel-flow"),
         state(sessions=1, mappings=0),
         advance(99), passes("wan0", tcp(S + ":80", X + ":4000", "A"), "kernel-flow"),
         advance(99), passes("lan0", tcp(A + ":4000", S + ":80", "A"), "kernel-flow"),
         advance(102), sends("lan0", tcp(A + ":4000", S + ":80", "A"), "wan0", tcp(X + ":4000", S + ":80", "A"), "new-forward")),

    # ARP
    case("arp", "who has a pool's address: natvi, on the interface that was asked", pool("203.0.113.16/31"),
         sends("wan0", arp(1, ASKER, S, "00:00:00:00:00:00", P), "wan0", arp(2, WAN_MAC, P, ASKER, S), "arp-sent"),
         sends("wan0", arp(1, ASKER, S, "ff:ff:ff:ff:ff:ff", "203.0.113.17"), "wan0", arp(2, WAN_MAC, "203.0.113.17", ASKER, S), "arp-sent"),
         state(sessions=0)),
    case("arp-probe", "who wants to have a pool's address himself is told that it is taken", pool("203.0.113.16/31"),
         sends("wan0", arp(1, ASKER, "0.0.0.0", "00:00:00:00:00:00", P), "wan0", arp(2, WAN_MAC, P, ASKER, "0.0.0.0"), "arp-sent"),
         passes("wan0", arp(1, ASKER, "0.0.0.0", "00:00:00:00:00:00", X), "not-ipv4")),
    case("arp-others", "natvi also has the outside addresses of forwards and netmaps, but for those that an interface has", OUTSIDES,
         [sends("wan0", arp(1, ASKER, S, "00:00:00:00:00:00", address), "wan0", arp(2, WAN_MAC, address, ASKER, S), "arp-sent")
          for address in ("203.0.113.40", "203.0.113.64", "203.0.113.71")],
         [passes("wan0", arp(1, ASKER, S, "00:00:00:00:00:00", address), "not-ipv4")
          for address in (X, "203.0.113.41", "203.0.113.63", "203.0.113.72")]),
    case("arp-kernel", "all other ARP is the kernel's", pool("203.0.113.16/31"),
         [passes("wan0", packet, "not-ipv4") for packet in [
             arp(1, ASKER, S, "00:00:00:00:00:00", X), arp(1, ASKER, S, "00:00:00:00:00:00", "203.0.113.18"),
             arp(1, ASKER, P, "00:00:00:00:00:00", P),
             arp(2, ASKER, S, WAN_MAC, P), arp(1, ASKER, S, "00:00:00:00:00:00", P, hwtype=6),
             arp(1, ASKER, S, "00:00:00:00:00:00", P, ptype=0x86dd), arp(1, ASKER, S, "00:00:00:00:00:00", P, hwlen=8),
             arp(8, ASKER, S, "00:00:00:00:00:00", P)]],
         [passes("wan0", Other(arp(1, ASKER, S, "00:00:00:00:00:00", P).after_macs[:n]), "not-ipv4") for n in (4, 20, 29)],
         passes("off0", arp(1, ASKER, S, "00:00:00:00:00:00", P), "not-enabled")),

    # TTL
    case("ttl", "a TTL that runs out here, both ways, with and without a session", MASQ,
         answers("lan0", OUT.but(ttl=1), "ttl-exceeded", 11, 0),
         answers("lan0", OUT.but(ttl=0), "ttl-exceeded", 11, 0),
         sends("lan0", OUT.but(ttl=2), "wan0", OUT_X, "new-forward"),
         answers("lan0", OUT.but(ttl=1), "ttl-exceeded", 11, 0),
         answers("lan0", OUT.but(ttl=0), "ttl-exceeded", 11, 0),
         answers("wan0", IN_X.but(ttl=1), "ttl-exceeded", 11, 0),
         sends("wan0", IN_X.but(ttl=255), "lan0", IN),
         answers("wan0", udp(S2 + ":9", X + ":4000", ttl=1), "ttl-exceeded", 11, 0),
         state(sessions=1, mappings=1)),
    case("ttl-kinds", "about every kind of packet, quoted as it came", MASQ,
         answers("lan0", tcp(A + ":4000", S + ":80", ttl=1), "ttl-exceeded", 11, 0),
         answers("lan0", echo(A, S, 4, ttl=1), "ttl-exceeded", 11, 0),
         answers("lan0", other(A, S, 50, ttl=1), "ttl-exceeded", 11, 0),
         answers("lan0", OUT.but(ttl=1, l4_chksum=0), "ttl-exceeded", 11, 0),
         answers("lan0", OUT.but(ttl=1, options=[IPOption_Router_Alert()]), "ttl-exceeded", 11, 0),
         [answers("lan0", OUT.but(ttl=1, payload=b"q" * n), "ttl-exceeded", 11, 0) for n in (0, 1, 2, 3, 99, 100, 101, 500, 1400)],
         [answers("lan0", OUT.but(ttl=1, trailer=b"\xee" * n), "ttl-exceeded", 11, 0) for n in (1, 2, 17)]),
    case("ttl-local", "for the box itself a TTL of 1 is enough", MASQ,
         passes("lan0", udp(A + ":4000", "198.18.0.1:53", ttl=1), "local"),
         passes("wan0", udp(S + ":4000", X + ":53", ttl=1), "local")),

    # MTU
    case("mtu-df", "too big with DF: 3/4 with the link's MTU; state is as before", MASQ,
         sends("lan0", big(OUT, 1500, flags="DF"), "wan0", big(OUT_X, 1500, flags="DF"), "new-forward"),
         answers("lan0", big(OUT, 1501, flags="DF"), "too-big", 3, 4, 1500),
         answers("lan0", big(tcp(A + ":4000", S + ":80", "A"), 2000, flags="DF"), "too-big", 3, 4, 1500),
         answers("wan0", big(IN_X, 1501, flags="DF"), "too-big", 3, 4, 1500),
         new_generation(),
         sends("lan0", big(OUT, 1500, flags="DF"), "wan0", big(OUT_X, 1500, flags="DF"), at="tc"),
         new_generation(),
         sends("lan0", big(OUT, 1500), "wan0", big(OUT_X, 1500), at="tc")),
    case("mtu-no-df", "too big without DF: translated, the kernel cuts it", MASQ,
         passes("lan0", big(OUT, 1501), "slow-too-big", big(OUT_X, 1501)),
         passes("wan0", big(IN_X, 3000), "slow-too-big", big(IN, 3000)),
         sends("lan0", big(OUT, 1500), "wan0", big(OUT_X, 1500))),
    case("mtu-route", "a route's MTU below the link's", MASQ,
         sends("lan0", big(udp(A + ":4000", NARROW + ":53"), 1400), "wan0", big(udp(X + ":4000", NARROW + ":53"), 1400), "new-forward"),
         answers("lan0", big(udp(A + ":4000", NARROW + ":53"), 1401, flags="DF"), "too-big", 3, 4, 1400),
         passes("lan0", big(udp(A + ":4000", NARROW + ":53"), 1401), "slow-too-big", big(udp(X + ":4000", NARROW + ":53"), 1401))),
    case("mtu-neighbour", "too big for a link whose neighbour is not known either", MASQ,
         answers("lan0", big(udp(A + ":4000", NOBODY + ":53"), 1501, flags="DF"), "too-big", 3, 4, 1500),
         passes("lan0", big(udp(A + ":4000", NOBODY + ":53"), 1501), "slow-neighbour", big(udp(X + ":4000", NOBODY + ":53"), 1501))),
    case("gso", "a GSO packet counts by its segments", MASQ,
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         sends("wan0", tcp(S + ":80", X + ":4000", "SA"), "lan0", tcp(S + ":80", A + ":4000", "SA")),
         sends("lan0", big(tcp(A + ":4000", S + ":80", "A"), 3000, flags="DF"), "wan0",
               big(tcp(X + ":4000", S + ":80", "A"), 3000, flags="DF"), gso=1460),
         sends("lan0", big(tcp(A + ":4000", S + ":80", "A"), 3400, flags="DF"), "wan0",
               big(tcp(X + ":4000", S + ":80", "A"), 3400, flags="DF"), gso=500),
         sends("lan0", tcp(A + ":4000", NARROW + ":80"), "wan0", tcp(X + ":4000", NARROW + ":80"), "new-forward"),
         answers("lan0", big(tcp(A + ":4000", NARROW + ":80", "A"), 3000, flags="DF"), "too-big", 3, 4, 1400, gso=1361),
         sends("lan0", big(tcp(A + ":4000", NARROW + ":80", "A"), 3000, flags="DF"), "wan0",
               big(tcp(X + ":4000", NARROW + ":80", "A"), 3000, flags="DF"), gso=1360),
         passes("lan0", big(tcp(A + ":4000", NARROW + ":80", "A"), 3000), "slow-too-big",
                big(tcp(X + ":4000", NARROW + ":80", "A"), 3000), gso=1361),
         hosts=("tc",), only="GSO packets are tc's alone"),

    # Own ICMP errors
    case("icmp-about-icmp", "no ICMP error is made about an ICMP error", MASQ,
         sends("lan0", OUT, "wan0", OUT_X, "new-forward"),
         drops("wan0", icmp_error(S, X, 3, 3, OUT_X, ttl=1), "ttl-exceeded")),
    case("icmp-rate", "own ICMP errors are limited by the second", masquerade(limits="{icmp-rate: 3}"),
         [answers("lan0", OUT.but(ttl=1, id=n), "ttl-exceeded", 11, 0) for n in range(3)],
         drops("lan0", OUT.but(ttl=1), "ttl-exceeded"),
         drops("lan0", OUT.but(ttl=1), "ttl-exceeded"),
         state(icmp_suppressed=2),
         advance(1),
         answers("lan0", OUT.but(ttl=1), "ttl-exceeded", 11, 0)),
    case("icmp-off", "or switched off", masquerade(limits="{icmp-rate: 0}"),
         drops("lan0", OUT.but(ttl=1), "ttl-exceeded"),
         state(icmp_suppressed=1)),
]
