# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What waits with the daemon: early fragments (RFC 4787 req. 14) and unsolicited SYNs (RFC 5382 req. 4).

The daemon is played by the case: its tap is an interface, its sign of life a step, and what it writes
back comes in by natvi_tc_parked.
"""
from frames import (PARK_SYN, PARKED, TAP, advance, case, drops, fragments, heartbeat, interface, parks, passes, released,
                    returns, route, sends, state, stray, sweep, tcp, udp)
from world import A, AD, APD, B, MASQ, P, S, S2, X, masquerade, pool

LONG = bytes(n % 251 for n in range(2000))
OUT, OUT_X = udp(A + ":4000", S + ":53", payload=LONG), udp(X + ":4000", S + ":53", payload=LONG)
IN_X, IN = udp(S + ":53", X + ":4000", payload=LONG), udp(S + ":53", A + ":4000", payload=LONG)
FIRST = sends("lan0", OUT.part(0, 800), "wan0", OUT_X.part(0, 800), "new-forward")
SECOND = sends("lan0", OUT.part(800, 1600), "wan0", OUT_X.part(800, 1600))
LAST = sends("lan0", OUT.part(1600), "wan0", OUT_X.part(1600))
SYN, SYN_IN = tcp(S + ":5000", P + ":4000"), tcp(S + ":5000", A + ":4000")
HELD = parks("wan0", SYN, PARK_SYN)
LISTENING = dict(PARKED, sockets=[{"proto": "tcp", "address": "", "port": 22}, {"proto": "udp", "address": "", "port": 53}])
TUN = {
    "interfaces": [interface("lan0", 1, "198.18.0.1/16"), interface("lan1", 2, "198.19.0.1/16"),
                   interface("wan0", 3, "203.0.113.1/24", no_l2=True), interface(TAP, 4, "198.51.100.1/24")],
    "routes": [route("198.18.0.0/16", "lan0", "02:00:00:00:01:01"), route("0.0.0.0/0", "wan0", "02:00:00:00:01:04")],
    "sockets": [], "local_ports": [32768, 60999], "park": TAP,
}


def connect(verdict="new-forward"):
    """The inside host connects to who has sent the SYN."""
    return sends("lan0", tcp(A + ":4000", S + ":5000"), "wan0", tcp(P + ":4000", S + ":5000"), verdict)


def unsolicited(how, settings=""):
    return pool(settings=settings, tcp="{unsolicited: %s}" % how)


CASES = [
    # Fragments
    case("park-early", "a piece that comes too early waits, and passes when it comes back", MASQ,
         FIRST, parks("lan0", OUT.part(1600)), SECOND, returns("lan0", OUT.part(1600)), LAST, net=PARKED),
    case("park-reversed", "all pieces the wrong way round, out and back", MASQ,
         parks("lan0", OUT.part(1600)), parks("lan0", OUT.part(800, 1600)), FIRST,
         returns("lan0", OUT.part(800, 1600)), SECOND, returns("lan0", OUT.part(1600)), LAST,
         parks("wan0", IN_X.part(800)), sends("wan0", IN_X.part(0, 800), "lan0", IN.part(0, 800)),
         returns("wan0", IN_X.part(800)), sends("wan0", IN_X.part(800), "lan0", IN.part(800)),
         state(sessions=1), net=PARKED),
    case("park-again", "one that comes back too early waits again", MASQ,
         parks("lan0", OUT.part(1600)), FIRST, returns("lan0", OUT.part(1600)), parks("lan0", OUT.part(1600)), SECOND,
         returns("lan0", OUT.part(1600)), LAST, parks("lan0", OUT.part(1600)), net=PARKED),
    case("park-kernel", "of what is the kernel's likewise", MASQ,
         parks("wan0", IN_X.part(800)), passes("wan0", IN_X.part(0, 800), "local"), returns("wan0", IN_X.part(800)),
         passes("wan0", IN_X.part(800), "local"), net=PARKED),
    case("park-overlap", "what overlaps does not wait", MASQ,
         FIRST, SECOND, drops("lan0", OUT.part(800, 1600), "fragment-overlap"), drops("lan0", OUT.part(0, 800), "fragment-overlap"),
         drops("lan0", OUT.part(1592, 2000), "fragment-overlap"), drops("lan0", OUT.part(1600), "fragment-overlap"),
         drops("lan0", OUT.part(800, 808, flags="MF", len=21), "fragment-bad"), net=PARKED),
    case("park-dead", "with the daemon dead for more than five seconds nothing waits; in order they pass", MASQ,
         advance(5), parks("lan0", OUT.part(1600)), advance(1), drops("lan0", OUT.part(1600), "fragment"),
         fragments("lan0", OUT, "wan0", OUT_X, 800, 1600),
         heartbeat(), parks("lan0", OUT.part(1600)), net=PARKED),
    case("park-tagged", "a frame waits with its tags", MASQ,
         parks("lan0", OUT.but(tags=((0x8100, 0xa000),)).part(800)),
         sends("lan0", OUT.but(tags=((0x8100, 0xa000),)).part(0, 800), "wan0", OUT_X.but(tags=((0x8100, 0xa000),)).part(0, 800),
               "new-forward"),
         returns("lan0", OUT.but(tags=((0x8100, 0xa000),)).part(800)), net=PARKED),
    case("park-tun", "one from a link without Ethernet waits with a header made for it", MASQ,
         passes("lan0", OUT.part(0, 800), "slow-link", OUT_X.part(0, 800)), parks("wan0", IN_X.part(800)),
         net=TUN, hosts=("native",), only="a test run always has Ethernet"),
    case("park-stray", "what natvi has not put into the tap goes nowhere", MASQ,
         stray(OUT, "fragment"), stray(OUT.patch(0, b"\2\1\0\0\xff\xf0"), "fragment"),
         stray(OUT.patch(0, b"\2\1\xff\xff\xff\xff"), "fragment"),
         stray(OUT.patch(0, b"\0\1\0\0\0\1"), "fragment"), stray(OUT.patch(0, b"\2\2\0\0\0\0"), "fragment"), net=PARKED),

    # SYNs that nobody asked for
    case("syn-held", "no answer for a while, then port unreachable", pool(),
         HELD, HELD, released("wan0", SYN, True), state(sessions=0, mappings=0), net=PARKED),
    case("syn-held-met", "or nothing, if the inside host has connected in the meantime", pool(),
         HELD, connect(), released("wan0", SYN, False), state(sessions=1),
         sends("wan0", SYN, "lan0", SYN_IN), state(sessions=1, idle={A + ":4000 > " + S + ":5000": 7680}), net=PARKED),
    case("syn-held-other", "a connection to somebody else is none to him", pool(),
         HELD, sends("lan0", tcp(A + ":4001", S + ":5000"), "wan0", tcp(P + ":4001", S + ":5000"), "new-forward"),
         released("wan0", SYN, True), net=PARKED),
    case("syn-held-over", "nor is one that is over by then", pool(timeouts="{tcp-opening: 2}"),
         HELD, connect(), advance(3), released("wan0", SYN, True), state(sessions=0), net=PARKED),
    case("syn-held-filtered", "where filtering keeps it out, likewise", pool(settings=APD),
         sends("lan0", tcp(A + ":4000", S2 + ":80"), "wan0", tcp(P + ":4000", S2 + ":80"), "new-forward"),
         HELD, released("wan0", SYN, True), HELD, connect(), released("wan0", SYN, False), state(sessions=2), net=PARKED),
    case("syn-held-inside", "from inside to an unmapped port of the pool, too", pool(),
         parks("lan0", tcp(B + ":5000", P + ":4000"), PARK_SYN), released("lan0", tcp(B + ":5000", P + ":4000"), True), net=PARKED),
    case("syn-held-resting", "to a port whose mapping rests", masquerade(timeouts="{tcp-opening: 2}"),
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"), advance(3), sweep(ended=1),
         parks("wan0", tcp(S + ":5000", X + ":4000"), PARK_SYN), net=PARKED),
    case("syn-held-kinds", "a SYN is what has no ACK and no RST; all else is as ever", pool(),
         [parks("wan0", tcp(S + ":5000", P + ":4000", flags), PARK_SYN) for flags in ("S", "SF", "SEC", "SP")],
         [drops("wan0", tcp(S + ":5000", P + ":4000", flags), "no-mapping") for flags in ("A", "SA", "F", "R", "SR", "")],
         drops("wan0", udp(S + ":5000", P + ":4000"), "no-mapping"), net=PARKED),
    case("syn-held-options", "one with TCP options and data is quoted in full", pool(),
         [[parks("wan0", packet, PARK_SYN), released("wan0", packet, True)] for packet in (
             SYN.but(l4_options=[("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0))]), SYN.but(payload=b"q" * 300),
             SYN.but(payload=b""))],
         net=PARKED),
    case("syn-held-tagged", "one with a VLAN tag is not answered", pool(),
         parks("wan0", SYN.but(tags=((0x8100, 0xa000),)), PARK_SYN), released("wan0", SYN.but(tags=((0x8100, 0xa000),)), False),
         net=PARKED),
    case("syn-held-rate", "the answers are bound by the rate of natvi's own errors", pool(limits="{icmp-rate: 2}"),
         HELD, [released("wan0", SYN, True)] * 2, released("wan0", SYN, False), state(icmp_suppressed=1),
         advance(1), released("wan0", SYN, True), net=PARKED),
    case("syn-held-dead", "with the daemon dead, or without one, there is no answer at all", pool(),
         advance(6), drops("wan0", SYN, "syn-held"), heartbeat(), HELD, net=PARKED),
    case("syn-held-nobody", "nor where the daemon has no tap", pool(), drops("wan0", SYN, "syn-held"),
         drops("wan0", SYN, "syn-held")),
    case("syn-held-rule", "what no mapping was ever asked for: the rules decide", pool(),
         passes("wan0", tcp(S + ":5000", A + ":4000"), "no-rule"), net=PARKED),
    case("syn-held-local", "on the box's own address: not what a socket listens to, nor what NAT never uses", MASQ,
         parks("wan0", tcp(S + ":5000", X + ":80"), PARK_SYN), released("wan0", tcp(S + ":5000", X + ":80"), True),
         passes("wan0", tcp(S + ":5000", X + ":22"), "local"),
         parks("wan0", tcp(S + ":5000", X + ":53"), PARK_SYN),
         passes("wan0", tcp(S + ":5000", X + ":40000"), "local"),
         passes("lan0", tcp(A + ":5000", "198.18.0.1:80"), "local"),
         parks("lan0", tcp(A + ":5000", X + ":80"), PARK_SYN),
         [passes("wan0", tcp(S + ":5000", X + ":80", flags), "local") for flags in ("A", "SA", "R")],
         net=LISTENING),
    case("syn-held-local-filtered", "where a mapping has the port, filtering decides before any socket", masquerade(AD),
         sends("lan0", tcp(A + ":4000", S2 + ":80"), "wan0", tcp(X + ":4000", S2 + ":80"), "new-forward"),
         parks("wan0", tcp(S + ":5000", X + ":4000"), PARK_SYN), net=LISTENING),

    # By setting
    case("syn-silent", "dropped without a word", unsolicited("silent"),
         drops("wan0", SYN, "no-mapping"), connect(), sends("wan0", SYN, "lan0", SYN_IN), net=PARKED),
    case("syn-silent-filtered", "likewise where filtering keeps it out", unsolicited("silent", APD),
         sends("lan0", tcp(A + ":4000", S2 + ":80"), "wan0", tcp(P + ":4000", S2 + ":80"), "new-forward"),
         drops("wan0", SYN, "filtered"), net=PARKED),
    case("syn-silent-local", "the box's own sockets are reached all the same", masquerade(tcp="{unsolicited: silent}"),
         drops("wan0", tcp(S + ":5000", X + ":80"), "no-mapping"), passes("wan0", tcp(S + ":5000", X + ":22"), "local"),
         passes("wan0", tcp(S + ":5000", X + ":40000"), "local"), net=LISTENING),
    case("syn-kernel", "on the box's own address the kernel answers", masquerade(tcp="{unsolicited: kernel}"),
         passes("wan0", tcp(S + ":5000", X + ":80"), "local"), passes("wan0", tcp(S + ":5000", X + ":22"), "local"), net=LISTENING),
    case("syn-kernel-pool", "on a pool's nobody does", unsolicited("kernel"), drops("wan0", SYN, "no-mapping"), net=PARKED),
]
