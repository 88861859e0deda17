# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Routing rules: a packet is routed as it is after translation, with its input interface and mark."""
from frames import case, net, route, sends, udp
from world import A, D, P, S, UPLINK, UPLINK_IFS, X, Y, masquerade, uplinks

BOTH = UPLINK_IFS + "rules: [{from: {interface: [lan0, lan1]}, to: {interface: [wan0, wan1]}, action: masquerade}]\n"
POOL = UPLINK_IFS + "pools: [{name: second, addresses: [%s]}]\nrules: [{from: {interface: lan0}, action: {snat: second}}]\n" % P


def by(out, into, packet, source, **more):
    """There and back."""
    port = packet.src.split(":")[1]
    back = udp("%s" % packet.dst, "%s:%s" % (source, port))
    return [sends(into, packet, out, packet.but(src="%s:%s" % (source, port)), "new-forward", **more),
            sends(out, back, into, back.but(dst=packet.src))]


CASES = [
    case("route-translated-source", "the way out is chosen by the translated source, not by the inside's", POOL,
         by("wan1", "lan0", udp(A + ":4000", S + ":53"), P),
         net=uplinks(route("0.0.0.0/0", "wan1", UPLINK, source=P + "/32"), route("0.0.0.0/0", "wan0", "02:00:00:00:01:09", source="198.18.0.0/16"))),
    case("route-input", "by the interface that a packet came in by", BOTH,
         by("wan1", "lan1", udp(D + ":4000", S + ":53"), Y), by("wan0", "lan0", udp(A + ":4000", S + ":53"), X),
         net=uplinks(route("0.0.0.0/0", "wan1", UPLINK, iif="lan1"))),
    case("route-mark", "by the mark that somebody has put on it", BOTH,
         by("wan1", "lan0", udp(A + ":4000", S + ":53"), Y, given=0x10), by("wan0", "lan0", udp(A + ":4001", S + ":53"), X, given=0x20),
         by("wan0", "lan0", udp(A + ":4002", S + ":53"), X),
         net=uplinks(route("0.0.0.0/0", "wan1", UPLINK, mark=0x10))),
    case("route-tos", "by its TOS; a flow that changes it is routed anew", BOTH,
         by("wan1", "lan0", udp(A + ":4000", S + ":53", tos=0x10), Y), by("wan0", "lan0", udp(A + ":4001", S + ":53"), X),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(Y + ":4000", S + ":53")),
         sends("lan0", udp(A + ":4000", S + ":53", tos=0x10), "wan1", udp(Y + ":4000", S + ":53", tos=0x10)),
         net=uplinks(route("0.0.0.0/0", "wan1", UPLINK, tos=0x10))),
    case("route-tables", "tables are asked in order; what the first has not, the next one may", BOTH,
         by("wan0", "lan1", udp(D + ":4000", "192.0.2.10:53"), X), by("wan1", "lan1", udp(D + ":4000", S + ":53"), Y),
         net=uplinks(route("192.0.2.10/32", "wan0", "02:00:00:00:01:0a", iif="lan1"), route("192.0.2.0/24", "wan1", UPLINK, source="198.19.0.0/16"),
                     route("192.0.2.0/28", "wan1", UPLINK, source=Y + "/32"))),
    case("route-one", "without routing rules one look-up says it all", masquerade(), by("wan0", "lan0", udp(A + ":4000", S + ":53"), X),
         net=net(one_route=True)),
]
