# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Zones: the same addresses in two of them, an uplink that both share, and who sees which translated address."""
from frames import case, drops, passes, port, reload, sends, state, udp
from world import P, S, X, ZONED, ZONES

HOST, OTHER = "198.18.0.2", "198.18.0.3"    # in both zones
GUEST = "203.0.113.9"                       # beside wan0
OUT = ZONES + "rules: [{from: {zone: [red, blue]}, to: {zone: global}, action: masquerade}]\n"
# What comes in for red has a source that red alone sees; the same address is a host's elsewhere.
POOL = ZONES + "pools: [{name: r, addresses: [%s], zone: %%s}]\n" \
    "rules: [{from: {interface: wan0}, to: {destination: 203.0.113.128/25}, action: {snat: r, dnat: %s, zone: red}}]\n" % (P, HOST)
# Two sites with one numbering: each sees the other by a prefix of its own.
TWICE = ZONES + "rules:\n" \
    "  - {from: {zone: red, source: [198.18.0.0/24]}, to: {destination: [198.51.100.0/24]},\n" \
    "     action: {netmap: 192.0.2.0/24, dnat: 198.18.0.0/24, zone: blue}}\n"
FORWARD = ZONES + "rules: [{from: {zone: red}, to: {zone: global}, action: masquerade}]\n" \
    "forwards: [{proto: udp, external: \"%s:53\", internal: \"%s:5353\"}]\n" % (X, GUEST)


def both(one, two, there, back):
    """There and back; each as (way in, packet, way out, packet)"""
    return [sends(one, there[0], two, there[1], "new-forward"), sends(two, back[0], one, back[1])]


CASES = [
    case("zone-overlap", "one address in two zones: each has its own mapping, and answers find the right one", OUT,
         sends("red0", udp(HOST + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
         sends("blue0", udp(HOST + ":4000", S + ":53"), "wan0", udp(X + ":$b", S + ":53"), "new-forward", b=port(but=(4000,))),
         sends("wan0", udp(S + ":53", X + ":4000"), "red0", udp(S + ":53", HOST + ":4000")),
         sends("wan0", udp(S + ":53", X + ":$b"), "blue0", udp(S + ":53", HOST + ":4000")),
         sends("wan0", udp("192.0.2.77:1", X + ":$b"), "blue0", udp("192.0.2.77:1", HOST + ":4000"), "new-forward"),
         state(sessions=3, mappings=2), net=ZONED),
    case("zone-hairpin", "from one zone to the other by the outside address", OUT,
         sends("red0", udp(HOST + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
         both("blue0", "red0", (udp(OTHER + ":5000", X + ":4000"), udp(X + ":5000", HOST + ":4000")),
              (udp(HOST + ":4000", X + ":5000"), udp(X + ":4000", OTHER + ":5000"))), net=ZONED),
    case("zone-netmap-twice", "two sites with the same addresses reach each other, whoever begins", TWICE,
         both("red0", "blue0", (udp(HOST + ":4000", "198.51.100.3:53"), udp("192.0.2.2:4000", OTHER + ":53")),
              (udp(OTHER + ":53", "192.0.2.2:4000"), udp("198.51.100.3:53", HOST + ":4000"))),
         both("blue0", "red0", (udp(HOST + ":6000", "192.0.2.3:53"), udp("198.51.100.2:6000", OTHER + ":53")),
              (udp(OTHER + ":53", "198.51.100.2:6000"), udp("192.0.2.3:53", HOST + ":6000"))),
         drops("blue0", udp("198.18.1.2:6000", "192.0.2.3:53"), "no-mapping"),      # nobody of the site
         passes("wan0", udp(S + ":53", "192.0.2.3:53"), "no-rule"),                 # red's prefix is for blue alone
         state(sessions=2, mappings=0), net=ZONED),
    case("zone-pool", "a pool's addresses are seen by its zone alone", POOL % "red",
         both("wan0", "red0", (udp(GUEST + ":4000", "203.0.113.129:53"), udp(P + ":4000", HOST + ":53")),
              (udp(HOST + ":53", P + ":4000"), udp("203.0.113.129:53", GUEST + ":4000"))),
         drops("red0", udp(HOST + ":53", P + ":4001"), "no-mapping"),
         drops("red0", udp(P + ":53", S + ":4001"), "spoofed"),
         passes("blue0", udp(HOST + ":53", P + ":4000"), "no-rule"),
         passes("wan0", udp(S + ":53", P + ":4000"), "no-rule"), state(sessions=1, mappings=1), net=ZONED),
    case("zone-pool-all", "a pool without a zone: every zone sees its addresses", (POOL % "red").replace(", zone: red}]", "}]"),
         both("wan0", "red0", (udp(GUEST + ":4000", "203.0.113.129:53"), udp(P + ":4000", HOST + ":53")),
              (udp(HOST + ":53", P + ":4000"), udp("203.0.113.129:53", GUEST + ":4000"))),
         drops("blue0", udp(HOST + ":53", P + ":4001"), "no-mapping"), drops("wan0", udp(S + ":53", P + ":4001"), "no-mapping"), net=ZONED),
    case("zone-forward", "a forward's outside address is seen by every zone, its inside is the global one", FORWARD,
         both("red0", "wan0", (udp(HOST + ":4000", X + ":53"), udp(X + ":4000", GUEST + ":5353")),
              (udp(GUEST + ":5353", X + ":4000"), udp(X + ":53", HOST + ":4000"))), net=ZONED),
    case("zone-reload", "a zone's number stays when others come and go", OUT,
         sends("blue0", udp(HOST + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
         reload(OUT.replace("{name: red, table: 100}, ", "").replace(", zone: red}", "}").replace("[red, blue]", "blue")),
         sends("wan0", udp(S + ":53", X + ":4000"), "blue0", udp(S + ":53", HOST + ":4000")),
         sends("blue0", udp(HOST + ":4000", S + ":54"), "wan0", udp(X + ":4000", S + ":54"), "new-forward"),
         state(sessions=2, mappings=1), net=ZONED, hosts=("tc", "xdp"), only="the native host takes one configuration"),
]
