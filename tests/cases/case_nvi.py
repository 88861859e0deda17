# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""No inside, no outside: rules that translate destinations, prefixes and both ends, in any direction; zones."""
from frames import advance, answers, case, drops, echo, echo_reply, icmp_error, other, passes, port, sends, state, sweep, tcp, udp
from world import A, B, D, LAN, NOWHERE, P, S, S2, X, ZONED, ZONES, rules

SEEN = "192.0.2.25"        # a destination that nobody has: behind wan0 for the routes
N = "203.0.113.%d"          # translated space of a netmap
REST = "%s, action: masquerade" % LAN


def zoned(*lines, **keys):
    text = ZONES + "rules:\n" + "".join("  - {%s}\n" % line for line in lines)
    return text + "".join("%s: %s\n" % (key, value) for key, value in keys.items())


NETMAP = "from: {interface: lan0, source: 198.18.0.0/29}, to: {interface: wan0}, action: {netmap: 203.0.113.64/29}"
RED = "from: {zone: red, source: 198.18.0.0/28}, action: {netmap: 203.0.113.32/28}"
BLUE = "from: {zone: blue, source: 198.18.0.0/28}, action: {netmap: 203.0.113.48/28}"
RED_A, BLUE_A, BLUE_B = N % 34, N % 50, N % 51      # A, A and B as others see them

CASES = [
    # Destinations
    case("dnat", "a rule gives the destination another address; the source stays", rules(
        "from: {interface: wan0}, to: {destination: %s}, action: {dnat: %s}" % (SEEN, A)),
        sends("wan0", udp(S + ":5000", SEEN + ":53"), "lan0", udp(S + ":5000", A + ":53"), "new-forward"),
        sends("lan0", udp(A + ":53", S + ":5000"), "wan0", udp(SEEN + ":53", S + ":5000")),
        sends("wan0", echo(S, SEEN, 7), "lan0", echo(S, A, 7), "new-forward"),
        sends("lan0", echo_reply(A, S, 7), "wan0", echo_reply(SEEN, S, 7)),
        sends("wan0", other(S, SEEN, 47), "lan0", other(S, A, 47), "new-forward"),
        passes("wan0", udp(S + ":5000", "192.0.2.28:53"), "no-rule"),
        state(sessions=3, mappings=0)),
    case("dnat-port", "to one port", rules(
        "from: {interface: wan0}, to: {destination: %s, port: 80}, proto: tcp, action: {dnat: '%s:8080'}" % (SEEN, A)),
        sends("wan0", tcp(S + ":5000", SEEN + ":80"), "lan0", tcp(S + ":5000", A + ":8080"), "new-forward"),
        sends("lan0", tcp(A + ":8080", S + ":5000", "SA"), "wan0", tcp(SEEN + ":80", S + ":5000", "SA")),
        passes("wan0", tcp(S + ":5000", SEEN + ":81"), "no-rule"),
        passes("wan0", udp(S + ":5000", SEEN + ":80"), "no-rule")),
    case("dnat-port-range", "to a range of ports, one by one", rules(
        "from: {interface: wan0}, to: {destination: %s, port: 8000-8009}, proto: tcp, action: {dnat: '%s:9000-9009'}" % (SEEN, A)),
        [sends("wan0", tcp(S + ":5000", "%s:%d" % (SEEN, 8000 + i)), "lan0", tcp(S + ":5000", "%s:%d" % (A, 9000 + i)), "new-forward")
         for i in (0, 5, 9)],
        passes("wan0", tcp(S + ":5000", SEEN + ":8010"), "no-rule")),
    case("dnat-prefix", "prefix to prefix", rules(
        "from: {interface: wan0}, to: {destination: 192.0.2.24/30}, action: {dnat: 198.18.0.0/30}"),
        sends("wan0", udp(S + ":5000", "192.0.2.26:53"), "lan0", udp(S + ":5000", A + ":53"), "new-forward"),
        sends("wan0", udp(S + ":5000", "192.0.2.27:53"), "lan0", udp(S + ":5000", B + ":53"), "new-forward"),
        sends("lan0", udp(B + ":53", S + ":5000"), "wan0", udp("192.0.2.27:53", S + ":5000"))),
    case("dnat-own-address", "also for what comes in for the box's own address", rules(
        "to: {destination: %s, port: 443}, proto: tcp, action: {dnat: '%s:8443'}" % (X, A), REST),
        sends("wan0", tcp(S + ":5000", X + ":443"), "lan0", tcp(S + ":5000", A + ":8443"), "new-forward"),
        sends("lan0", tcp(A + ":8443", S + ":5000", "SA"), "wan0", tcp(X + ":443", S + ":5000", "SA"))),
    case("dnat-hairpin", "an inside host keeps its outside face on the way to another by a rule", rules(
        "to: {destination: %s, port: 443}, proto: tcp, action: {dnat: '%s:8443'}" % (X, A), REST),
        sends("lan0", tcp(B + ":5000", X + ":443"), "lan0", tcp(X + ":5000", A + ":8443"), "new-forward"),
        sends("lan0", tcp(A + ":8443", X + ":5000", "SA"), "lan0", tcp(X + ":443", B + ":5000", "SA")),
        sends("lan1", tcp(D + ":6000", X + ":443"), "lan0", tcp(X + ":6000", A + ":8443"), "new-forward")),
    case("dnat-after-mapping", "a mapping comes before the rules", rules(
        REST, "to: {destination: %s}, action: {dnat: %s}" % (X, B)),
        sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        sends("wan0", udp(S2 + ":9", X + ":4000"), "lan0", udp(S2 + ":9", A + ":4000"), "new-forward"),
        sends("wan0", udp(S2 + ":9", X + ":4001"), "lan0", udp(S2 + ":9", B + ":4001"), "new-forward")),
    case("dnat-ttl", "a packet that would die here is answered before it is translated", rules(
        "from: {interface: wan0}, to: {destination: %s}, action: {dnat: %s}" % (SEEN, A)),
        answers("wan0", udp(S + ":5000", SEEN + ":53", ttl=1), "ttl-exceeded", 11, 0), state(sessions=0)),
    case("dnat-error", "an ICMP error from the new destination", rules(
        "from: {interface: wan0}, to: {destination: %s}, action: {dnat: %s}" % (SEEN, A)),
        sends("wan0", udp(S + ":5000", SEEN + ":53"), "lan0", udp(S + ":5000", A + ":53"), "new-forward"),
        sends("lan0", icmp_error(A, S, 3, 3, udp(S + ":5000", A + ":53")), "wan0",
              icmp_error(SEEN, S, 3, 3, udp(S + ":5000", SEEN + ":53")))),

    case("dnat-no-route", "an address that no route leads to", rules(
        "from: {interface: lan0}, to: {destination: %s}, action: {snat: masquerade, dnat: %s}" % (NOWHERE, S), REST),
        sends("lan0", udp(A + ":4000", NOWHERE + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        passes("lan0", udp(A + ":4000", "192.0.2.98:53"), "local")),

    # Both ends
    case("twice", "source and destination by one rule", rules(
        "from: {interface: lan0}, to: {destination: %s}, action: {snat: masquerade, dnat: %s}" % (SEEN, S)),
        sends("lan0", udp(A + ":4000", SEEN + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        sends("wan0", udp(S + ":53", X + ":4000"), "lan0", udp(SEEN + ":53", A + ":4000")),
        sends("lan0", tcp(A + ":4000", SEEN + ":53"), "wan0", tcp(X + ":4000", S + ":53"), "new-forward"),
        sends("lan0", echo(A, SEEN, 7), "wan0", echo(X, S, 7), "new-forward"),
        sends("wan0", echo_reply(S, X, 7), "lan0", echo_reply(SEEN, A, 7)),
        state(sessions=3, mappings=3)),
    case("twice-pool", "with a pool, and a port", rules(
        "from: {interface: wan0}, to: {destination: %s, port: 80}, proto: tcp, action: {snat: inner, dnat: '%s:8080'}" % (X, A),
        pools="[{name: inner, addresses: [198.18.0.100]}]"),
        sends("wan0", tcp(S + ":5000", X + ":80"), "lan0", tcp("198.18.0.100:5000", A + ":8080"), "new-forward"),
        sends("lan0", tcp(A + ":8080", "198.18.0.100:5000", "SA"), "wan0", tcp(X + ":80", S + ":5000", "SA"))),
    case("twice-netmap", "prefixes at both ends: two networks with the same addresses", rules(
        "from: {interface: lan0, source: 198.18.0.0/28}, to: {destination: 203.0.113.80/28}, "
        "action: {netmap: 203.0.113.64/28, dnat: 198.19.0.0/28}"),
        sends("lan0", udp(A + ":4000", N % 82 + ":53"), "lan1", udp(N % 66 + ":4000", D + ":53"), "new-forward"),
        sends("lan1", udp(D + ":53", N % 66 + ":4000"), "lan0", udp(N % 82 + ":53", A + ":4000"))),

    # Prefixes
    case("netmap", "prefix to prefix, ports as they are, either side begins", rules(NETMAP),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(N % 66 + ":4000", S + ":53"), "new-forward"),
         sends("wan0", udp(S + ":53", N % 66 + ":4000"), "lan0", udp(S + ":53", A + ":4000")),
         sends("wan0", tcp(S + ":5000", N % 67 + ":22"), "lan0", tcp(S + ":5000", B + ":22"), "new-forward"),
         sends("lan0", tcp(B + ":22", S + ":5000", "SA"), "wan0", tcp(N % 67 + ":22", S + ":5000", "SA")),
         sends("wan0", echo(S, N % 66, 9), "lan0", echo(S, A, 9), "new-forward"),
         sends("lan0", other(A, S, 50), "wan0", other(N % 66, S, 50), "new-forward"),
         sends("wan0", other(S, N % 66, 50), "lan0", other(S, A, 50)),
         state(sessions=4, mappings=0), advance(302), sweep(), advance(7500), sweep(), state(sessions=0)),
    case("netmap-spoofed", "its addresses as sources from outside", rules(NETMAP),
         drops("wan0", udp(N % 66 + ":4000", A + ":53"), "spoofed")),
    case("netmap-hairpin", "two of its hosts by their outside addresses", rules(NETMAP),
         sends("lan0", udp(A + ":4000", N % 67 + ":53"), "lan0", udp(N % 66 + ":4000", B + ":53"), "new-forward"),
         sends("lan0", udp(B + ":53", N % 66 + ":4000"), "lan0", udp(N % 67 + ":53", A + ":4000"))),
    case("netmap-filtered", "rules above it hold for what comes in for its addresses, too", rules(
        "from: {interface: wan0}, to: {port: 25}, proto: tcp, action: drop", NETMAP, "from: {interface: wan0}, action: reject"),
        drops("wan0", tcp(S + ":5000", N % 66 + ":25"), "rule-drop"),
        sends("wan0", tcp(S + ":5000", N % 66 + ":22"), "lan0", tcp(S + ":5000", A + ":22"), "new-forward"),
        answers("wan0", tcp(S + ":5000", A + ":22"), "rule-reject", 3, 13)),
    case("static", "one address for one host, both ways", rules(
        "from: {source: %s}, action: {static: %s}" % (A, P), REST),
        sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(P + ":4000", S + ":80"), "new-forward"),
        sends("wan0", tcp(S + ":5000", P + ":22"), "lan0", tcp(S + ":5000", A + ":22"), "new-forward"),
        sends("lan0", tcp(B + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
        sends("lan0", tcp(B + ":4001", P + ":22"), "lan0", tcp(X + ":4001", A + ":22"), "new-forward")),

    # What rules match
    case("rule-range", "by ranges of addresses", rules(
        "from: {source: 198.18.0.2-198.18.0.3}, to: {interface: wan0}, action: masquerade"),
        sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        sends("lan0", udp(B + ":4001", S + ":53"), "wan0", udp(X + ":4001", S + ":53"), "new-forward"),
        passes("lan0", udp("198.18.0.4:4000", S + ":53"), "no-rule"),
        drops("lan0", udp("198.18.0.1:4000", S + ":53"), "spoofed")),
    case("rule-dscp", "by DSCP, named or numbered", rules(
        "dscp: [ef, 10], %s, action: masquerade" % LAN, "dscp: cs1, %s, action: drop" % LAN),
        sends("lan0", udp(A + ":4000", S + ":53", tos=46 << 2), "wan0", udp(X + ":4000", S + ":53", tos=46 << 2), "new-forward"),
        sends("lan0", udp(A + ":4001", S + ":53", tos=10 << 2 | 2), "wan0", udp(X + ":4001", S + ":53", tos=10 << 2 | 2), "new-forward"),
        drops("lan0", udp(A + ":4002", S + ":53", tos=8 << 2), "rule-drop"),
        passes("lan0", udp(A + ":4003", S + ":53"), "no-rule")),
    case("rule-mark", "by mark and mask", rules(
        "mark: 0x10/0xf0, %s, action: masquerade" % LAN, "mark: 3, %s, action: drop" % LAN),
        sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward", given=0x1f),
        drops("lan0", udp(A + ":4001", S + ":53"), "rule-drop", given=3),
        passes("lan0", udp(A + ":4002", S + ":53"), "no-rule", given=0x23),
        passes("lan0", udp(A + ":4003", S + ":53"), "no-rule"), hosts=("native", "tc")),
    case("rule-local-in", "what comes in for the box itself", rules(
        "local: in, proto: tcp, to: {port: 22}, from: {interface: wan0}, action: drop",
        "local: in, proto: udp, to: {port: 53}, from: {interface: wan0}, action: reject",
        "local: in, proto: tcp, to: {port: 80}, action: {dnat: '%s:8080'}" % A, REST),
        drops("wan0", tcp(S + ":5000", X + ":22"), "rule-drop"),
        answers("wan0", udp(S + ":5000", X + ":53"), "rule-reject", 3, 13),
        sends("wan0", tcp(S + ":5000", X + ":80"), "lan0", tcp(S + ":5000", A + ":8080"), "new-forward"),
        passes("lan0", udp(A + ":5000", X + ":53"), "local"),
        passes("lan0", tcp(A + ":5000", "198.18.0.1:22"), "local")),
    case("rule-same-interface", "one interface to itself", rules(
        "from: {interface: lan0}, to: {destination: %s}, action: {snat: own, dnat: %s}" % (SEEN, B),
        pools="[{name: own, addresses: [198.18.0.100]}]"),
        sends("lan0", udp(A + ":4000", SEEN + ":53"), "lan0", udp("198.18.0.100:4000", B + ":53"), "new-forward"),
        sends("lan0", udp(B + ":53", "198.18.0.100:4000"), "lan0", udp(SEEN + ":53", A + ":4000"))),

    # Zones
    case("zones-apart", "two zones with the same addresses reach one uplink, each with its own sessions", zoned(
        "from: {zone: red}, to: {interface: wan0}, action: masquerade", "from: {zone: blue}, to: {interface: wan0}, action: masquerade"),
        sends("red0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        sends("blue0", udp(A + ":4000", S + ":53"), "wan0", udp("%s:$blue" % X, S + ":53"), "new-forward", blue=port()),
        sends("wan0", udp(S + ":53", X + ":4000"), "red0", udp(S + ":53", A + ":4000")),
        sends("wan0", udp(S + ":53", X + ":$blue"), "blue0", udp(S + ":53", A + ":4000")),
        state(sessions=2, mappings=2), net=ZONED),
    case("zones-talk", "two zones with the same network talk to each other, and to the uplink", zoned(RED, BLUE),
         sends("red0", udp(A + ":4000", BLUE_A + ":53"), "blue0", udp(RED_A + ":4000", A + ":53"), "new-forward"),
         sends("blue0", udp(A + ":53", RED_A + ":4000"), "red0", udp(BLUE_A + ":53", A + ":4000")),
         sends("blue0", tcp(B + ":4000", RED_A + ":22"), "red0", tcp(BLUE_B + ":4000", A + ":22"), "new-forward"),
         sends("red0", tcp(A + ":22", BLUE_B + ":4000", "SA"), "blue0", tcp(RED_A + ":22", B + ":4000", "SA")),
         sends("red0", echo(A, BLUE_B, 5), "blue0", echo(RED_A, B, 5), "new-forward"),
         sends("red0", udp(A + ":4001", S + ":53"), "wan0", udp(RED_A + ":4001", S + ":53"), "new-forward"),
         sends("wan0", udp(S + ":53", RED_A + ":4001"), "red0", udp(S + ":53", A + ":4001")),
         sends("wan0", tcp(S + ":5000", BLUE_A + ":80"), "blue0", tcp(S + ":5000", A + ":80"), "new-forward"),
         sends("blue0", tcp(A + ":80", S + ":5000", "SA"), "wan0", tcp(BLUE_A + ":80", S + ":5000", "SA")),
         net=ZONED),
    case("zone-dnat", "a rule leads into a zone", zoned(
        "from: {interface: wan0}, to: {destination: %s, port: 80}, proto: tcp, action: {dnat: '%s:8080', zone: blue}" % (X, A)),
        sends("wan0", tcp(S + ":5000", X + ":80"), "blue0", tcp(S + ":5000", A + ":8080"), "new-forward"),
        sends("blue0", tcp(A + ":8080", S + ":5000", "SA"), "wan0", tcp(X + ":80", S + ":5000", "SA")),
        net=ZONED),
    case("zone-to", "by the zone of the way out", zoned(
        "from: {zone: red}, to: {zone: global}, action: masquerade", "from: {zone: blue}, to: {zone: global}, action: drop"),
        sends("red0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward"),
        drops("blue0", udp(A + ":4000", S + ":53"), "rule-drop"), net=ZONED),
]
