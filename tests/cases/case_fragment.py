# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fragments (RFC 4787 req. 14): they follow their first one, in order, or not at all."""
from scapy.layers.inet import IPOption_Router_Alert

from frames import (adopt, advance, answers, case, drops, echo, echo_reply, even, fragments, icmp, icmp_error, left, net, other,
                    passes, port, sends, state, sweep, tcp, udp)
from world import A, APD, B, C, LAN, MASQ, NARROW, NOBODY, P, S, S2, X, masquerade, pool, rules

LONG = bytes(n % 251 for n in range(2000))
H = "198.18.0.10"
MARK = 0x40000000
ALERT = dict(options=[IPOption_Router_Alert()])


def long_udp(src, dst, **but):
    return udp(src, dst, payload=LONG, **but)


OUT, OUT_X = long_udp(A + ":4000", S + ":53"), long_udp(X + ":4000", S + ":53")
IN_X, IN = long_udp(S + ":53", X + ":4000"), long_udp(S + ":53", A + ":4000")
FIRST = sends("lan0", OUT.part(0, 800), "wan0", OUT_X.part(0, 800), "new-forward")
SECOND = sends("lan0", OUT.part(800, 1600), "wan0", OUT_X.part(800, 1600))
LAST = sends("lan0", OUT.part(1600), "wan0", OUT_X.part(1600))
OPEN = sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), "new-forward")


def firsts(n, verdict, **but):
    """As many datagrams of A, begun and not finished."""
    return [sends("lan0", OUT.part(0, 800, id=i + 1, **but), "wan0", OUT_X.part(0, 800), verdict if i == 0 else "forward")
            for i in range(n)]


CASES = [
    # In order
    case("frag-udp", "UDP out and back in three pieces; the last one ends it", MASQ,
         fragments("lan0", OUT, "wan0", OUT_X, 800, 1600),
         drops("lan0", OUT.part(1600), "fragment"),
         drops("lan0", OUT.part(800, 1600), "fragment"),
         fragments("wan0", IN_X, "lan0", IN, 800, 1600, verdict="forward"),
         drops("wan0", IN_X.part(1600), "fragment"),
         fragments("lan0", OUT, "wan0", OUT_X, 1480, verdict="forward", id=7),
         fragments("wan0", IN_X, "lan0", IN, 8, 1000, verdict="forward", id=7),
         state(sessions=1, mappings=1)),
    case("frag-small", "pieces of eight bytes, the first one nothing but the header", MASQ,
         fragments("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53"), 8, 16, 24),
         fragments("wan0", udp(S + ":53", X + ":4000"), "lan0", udp(S + ":53", A + ":4000"), 8, 16, 24, verdict="forward")),
    case("frag-tcp", "TCP, its first piece with all of its header", MASQ,
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         sends("wan0", tcp(S + ":80", X + ":4000", "SA"), "lan0", tcp(S + ":80", A + ":4000", "SA")),
         [fragments("lan0", tcp(A + ":4000", S + ":80", "A", payload=LONG, id=i), "wan0",
                    tcp(X + ":4000", S + ":80", "A", payload=LONG), *cuts, verdict="forward")
          for i, cuts in enumerate([(24, 1000), (24, 32, 1480), (1024,)])],
         fragments("wan0", tcp(S + ":80", X + ":4000", "PA", payload=LONG), "lan0", tcp(S + ":80", A + ":4000", "PA", payload=LONG),
                   24, 1000, verdict="forward"),
         state(idle={A + ":4000 > " + S + ":80": 7680})),
    case("frag-echo", "an echo and its answer, by identifier; two hosts have the same one", MASQ,
         fragments("lan0", echo(A, S, 77, payload=LONG), "wan0", echo(X, S, 77, payload=LONG), 800, 1600),
         sends("lan0", echo(B, S, 77, payload=LONG).part(0, 800), "wan0", echo(X, S, "$i", payload=LONG).part(0, 800), "new-forward",
               i=port(0, 65535, but=[77])),
         sends("lan0", echo(B, S, 77, payload=LONG).part(800), "wan0", echo(X, S, "$i", payload=LONG).part(800)),
         fragments("wan0", echo_reply(S, X, "$i", payload=LONG), "lan0", echo_reply(S, B, 77, payload=LONG), 800, verdict="forward"),
         fragments("wan0", echo_reply(S, X, 77, payload=LONG), "lan0", echo_reply(S, A, 77, payload=LONG), 8, 808, verdict="forward", id=9),
         state(sessions=2, mappings=2)),
    case("frag-esp", "a protocol without ports", MASQ,
         fragments("lan0", other(A, S, 50, payload=LONG), "wan0", other(X, S, 50, payload=LONG), 800, 1600),
         fragments("wan0", other(S, X, 50, payload=LONG), "lan0", other(S, A, 50, payload=LONG), 8, 1000, verdict="forward")),
    case("frag-hairpin", "from one host inside to another and back", pool(),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         fragments("lan0", long_udp(B + ":5000", P + ":4000"), "lan0", long_udp(P + ":5000", A + ":4000"), 800, 1600),
         fragments("lan0", long_udp(A + ":4000", P + ":5000"), "lan0", long_udp(P + ":4000", B + ":5000"), 800, 1600, verdict="forward"),
         state(sessions=2, mappings=2)),
    case("frag-forward", "to a forward, and its answers", masquerade(forwards='[{proto: udp, external: "%s:443", internal: "%s:8443"}]' % (X, H)),
         fragments("wan0", long_udp(S + ":5000", X + ":443"), "lan0", long_udp(S + ":5000", H + ":8443"), 800, 1600),
         fragments("lan0", long_udp(H + ":8443", S + ":5000"), "wan0", long_udp(X + ":443", S + ":5000"), 800, 1600, verdict="forward"),
         fragments("lan0", long_udp(A + ":5000", X + ":443"), "lan0", long_udp(X + ":5000", H + ":8443"), 800)),
    case("frag-accept", "forwarded untranslated they keep their identification",
         rules("from: {interface: lan0}, to: {interface: wan0}, action: accept"),
         fragments("lan0", OUT, "wan0", OUT, 800, 1600)),
    case("frag-changed-port", "another port outside: only the first piece shows it", pool(),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         sends("lan0", long_udp(B + ":4000", S + ":53").part(0, 800), "wan0", long_udp(P + ":$p", S + ":53").part(0, 800), "new-forward",
               p=even(but=[4000])),
         sends("lan0", long_udp(B + ":4000", S + ":53").part(800), "wan0", long_udp(P + ":$p", S + ":53").part(800)),
         fragments("wan0", long_udp(S + ":53", P + ":$p"), "lan0", long_udp(S + ":53", B + ":4000"), 800, verdict="forward")),
    case("frag-no-checksum", "UDP without a checksum, in pieces", MASQ,
         fragments("lan0", OUT.but(l4_chksum=0), "wan0", OUT_X.but(l4_chksum=0), 800)),
    case("frag-vlan", "with a priority tag in the frame", MASQ,
         fragments("lan0", OUT.but(tags=((0x8100, 0xa000),)), "wan0", OUT_X.but(tags=((0x8100, 0xa000),)), 800)),
    case("frag-df", "pieces that must not be cut further have a new identification all the same", MASQ,
         sends("lan0", OUT.part(0, 800, flags="DF+MF"), "wan0", OUT_X.part(0, 800, flags="DF+MF"), "new-forward"),
         sends("lan0", OUT.part(800, None, flags="DF"), "wan0", OUT_X.part(800, None, flags="DF"))),
    case("frag-interleaved", "pieces of several datagrams and hosts at a time", MASQ,
         [[sends("lan0", long_udp(host + ":%d" % source, S + ":53", id=ident).part(a, b), "wan0",
                 long_udp(X + ":%d" % source, S + ":53").part(a, b),
                 "new-forward" if a == 0 and ident == 1 else "forward")
           for host, source in ((A, 4000), (B, 4001), (C, 4002)) for ident in (1, 2, 3)]
          for a, b in ((0, 800), (800, 1600), (1600, None))],
         state(sessions=3)),
    case("frag-protocols", "an identification is one of its protocol", MASQ,
         [sends("lan0", packet.part(0, 800), "wan0", packet_x.part(0, 800), "new-forward") for packet, packet_x in [
             (OUT, OUT_X), (tcp(A + ":4000", S + ":53", "A", payload=LONG), tcp(X + ":4000", S + ":53", "A", payload=LONG)),
             (echo(A, S, 4000, payload=LONG), echo(X, S, 4000, payload=LONG))]],
         [sends("lan0", packet.part(800), "wan0", packet_x.part(800)) for packet, packet_x in [
             (OUT, OUT_X), (tcp(A + ":4000", S + ":53", "A", payload=LONG), tcp(X + ":4000", S + ":53", "A", payload=LONG)),
             (echo(A, S, 4000, payload=LONG), echo(X, S, 4000, payload=LONG))]]),
    case("frag-longest", "the longest datagram of all", MASQ,
         fragments("lan0", udp(A + ":4000", S + ":53", payload=b"l" * 65507), "wan0", udp(X + ":4000", S + ":53", payload=b"l" * 65507),
                   *range(1480, 65515, 1480))),

    # Out of order, with nobody to keep what is early
    case("frag-alone", "a later piece without its first one is never let through", MASQ,
         OPEN, drops("lan0", OUT.part(800, 1600), "fragment"), drops("lan0", OUT.part(1600), "fragment"),
         drops("wan0", IN_X.part(1600), "fragment"), state(sessions=1)),
    case("frag-gap", "a piece that comes too early is dropped, and passes when its turn has come", MASQ,
         FIRST, drops("lan0", OUT.part(1600), "fragment"), SECOND, LAST),
    case("frag-reversed", "the wrong way round: only the first one passes; in order they pass then", MASQ,
         drops("lan0", OUT.part(1600), "fragment"), drops("lan0", OUT.part(800, 1600), "fragment"), FIRST, SECOND, LAST),
    case("frag-other-id", "another identification, another destination, another protocol are another datagram", MASQ,
         FIRST, drops("lan0", OUT.part(800, 1600, id=9), "fragment"),
         drops("lan0", long_udp(A + ":4000", S2 + ":53").part(800, 1600), "fragment"),
         drops("lan0", long_udp(B + ":4000", S + ":53").part(800, 1600), "fragment"),
         drops("lan0", other(A, S, 50, payload=LONG).part(800, 1600), "fragment"), SECOND),

    # Overlapping
    case("frag-repeated", "a piece that was there already is refused, the others go on", MASQ,
         FIRST, SECOND, drops("lan0", OUT.part(800, 1600), "fragment-overlap"), drops("lan0", OUT.part(800, 808), "fragment-overlap"),
         drops("lan0", OUT.part(1592, 1600), "fragment-overlap"), LAST),
    case("frag-overlap", "one that covers old and new ends the datagram", MASQ,
         FIRST, drops("lan0", OUT.part(792, 1600), "fragment-overlap"), drops("lan0", OUT.part(800, 1600), "fragment-overlap"),
         drops("lan0", OUT.part(1600), "fragment-overlap"), drops("lan0", OUT.part(0, 800), "fragment-overlap"),
         advance(2), sends("lan0", OUT.part(0, 800), "wan0", OUT_X.part(0, 800)), SECOND, LAST),
    case("frag-overlap-header", "one that would write over the TCP flags (RFC 3128)", MASQ,
         sends("lan0", tcp(A + ":4000", S + ":80", "A", payload=LONG).part(0, 24), "wan0",
               tcp(X + ":4000", S + ":80", "A", payload=LONG).part(0, 24), "new-forward"),
         drops("lan0", tcp(A + ":4000", S + ":80", "A", payload=LONG).part(8, 48), "fragment-overlap"),
         drops("lan0", tcp(A + ":4000", S + ":80", "A", payload=LONG).part(24), "fragment-overlap")),
    case("frag-first-again", "a second first piece is refused for a second, then it begins a new datagram", MASQ,
         FIRST, drops("lan0", OUT.part(0, 800), "fragment-overlap"), drops("lan0", OUT.part(0, 1600), "fragment-overlap"),
         advance(1), drops("lan0", OUT.part(0, 800), "fragment-overlap"), SECOND, advance(1),
         sends("lan0", OUT.part(0, 800), "wan0", OUT_X.part(0, 800)), SECOND, LAST,
         sends("lan0", OUT.part(0, 800), "wan0", OUT_X.part(0, 800))),

    # Time
    case("frag-late", "a datagram is remembered for five seconds", MASQ,
         FIRST, advance(5), SECOND, advance(1), drops("lan0", OUT.part(1600), "fragment"), state(sessions=1)),
    case("frag-expired", "and goes nowhere when its session is over", masquerade(timeouts="{udp: 2}"),
         FIRST, advance(3), drops("lan0", OUT.part(800, 1600), "fragment"), state(sessions=0)),

    # What cannot be
    case("frag-bad", "too short, too long, out of alignment", MASQ,
         [drops("lan0", tcp(A + ":4000", S + ":80", "A", payload=LONG).part(0, n), "fragment-bad") for n in (8, 16)],
         [drops("lan0", OUT.part(a, b, flags="MF"), "fragment-bad") for a, b in [(0, 13), (0, 804), (800, 801), (800, 1599), (8, 8)]],
         [drops("lan0", packet.part(0, 0, flags="MF"), "fragment-bad") for packet in (
             OUT, tcp(A + ":4000", S + ":80"), echo(A, S, 7), other(A, S, 50))],
         drops("lan0", OUT.part(800, 800, flags=""), "fragment-bad"),
         drops("lan0", OUT.part(0, 100, flags="", frag=8191), "fragment-bad"),
         drops("lan0", OUT.part(0, 12, flags="", frag=8188), "fragment-bad"),
         drops("lan0", OUT.part(0, 11, flags="", frag=8188), "fragment"),
         state(sessions=0)),
    case("frag-bad-local", "the box itself does not get them either", MASQ,
         drops("wan0", udp(S + ":53", X + ":4000").part(0, 13, flags="MF"), "fragment-bad"),
         drops("lan0", tcp(A + ":53", "198.18.0.1:22").part(0, 8), "fragment-bad")),
    case("frag-bad-header", "a first piece whose L4 header cannot be", MASQ,
         drops("lan0", OUT.but(l4_len=7).part(0, 800), "bad-header"),
         drops("lan0", tcp(A + ":4000", S + ":80", "A", l4_dataofs=7, payload=LONG).part(0, 24), "bad-header"),
         drops("lan0", tcp(A + ":4000", S + ":80", "A", l4_dataofs=4, payload=LONG).part(0, 24), "bad-header")),

    # The kernel's own
    case("frag-local", "for the box itself: after their first one to the kernel, without it nowhere", MASQ,
         drops("wan0", IN_X.part(800), "fragment"),
         left("wan0", IN_X, "local", 800, 1600),
         drops("wan0", IN_X.part(1600), "fragment"),
         left("lan0", echo(A, "198.18.0.1", 1, payload=LONG), "local", 800),
         left("wan0", other(S, X, 50, payload=LONG), "local", 800),
         passes("wan0", IN_X.part(0, 800, id=3), "local"),
         drops("wan0", IN_X.part(1600, id=3), "fragment"),
         drops("wan0", IN_X.part(792, 1600, id=3), "fragment-overlap"),
         drops("wan0", IN_X.part(800, 1600, id=3), "fragment-overlap"),
         state(sessions=0)),
    case("frag-no-rule", "where no rule names them", pool(),
         left("wan0", udp(S + ":53", A + ":4000", payload=LONG), "no-rule", 800, 1600),
         drops("wan0", udp(S + ":53", A + ":4000", payload=LONG).part(1600), "fragment")),
    case("frag-rule-kernel", "where a rule leaves them to the kernel", rules("%s, action: kernel" % LAN),
         left("lan0", OUT, "rule-kernel", 800, 1600), drops("lan0", OUT.part(1600), "fragment"), state(sessions=0, mappings=0)),
    case("frag-kernel-flow", "of a connection that the kernel translates", MASQ,
         adopt(17, A + ":4000 > " + S + ":53", S + ":53 > " + X + ":4000", 100),
         left("lan0", OUT, "kernel-flow", 800, 1600), left("wan0", IN_X, "kernel-flow", 800, 1600)),
    case("frag-kernel-after-translated", "a first one that is the kernel's does not take a translated datagram's others there",
         rules("%s, proto: udp, to: {interface: wan0, port: 99}, action: kernel" % LAN.split(", to")[0], "%s, action: masquerade" % LAN),
         FIRST, drops("lan0", long_udp(A + ":4000", S + ":99").part(0, 800), "fragment-overlap"), SECOND, LAST,
         left("lan0", long_udp(A + ":4000", S + ":99"), "rule-kernel", 800)),
    case("frag-multicast", "multicast is the kernel's, each piece by itself", MASQ,
         passes("lan0", long_udp(A + ":4000", "224.0.0.5:53").part(800), "multicast"),
         passes("lan0", long_udp(A + ":4000", "224.0.0.5:53").part(0, 800), "multicast")),
    case("frag-not-enabled", "likewise what comes in by another interface", MASQ,
         passes("off0", long_udp("198.51.100.9:4000", S + ":53").part(800), "not-enabled"),
         passes("off0", long_udp("198.51.100.9:4000", S + ":53").part(0, 800), "not-enabled")),

    # First ones that end here
    case("frag-drop", "the first one dropped by a rule: so are the others", rules("%s, action: drop" % LAN),
         drops("lan0", OUT.part(0, 800), "rule-drop"), drops("lan0", OUT.part(800), "fragment"), state(sessions=0)),
    case("frag-reject", "its sender is told about the first one alone", rules("%s, action: reject" % LAN),
         answers("lan0", OUT.part(0, 800), "rule-reject", 3, 13), drops("lan0", OUT.part(800), "fragment")),
    case("frag-no-mapping", "for a pool's address and port that nothing maps", pool(),
         drops("wan0", long_udp(S + ":53", P + ":4000").part(0, 800), "no-mapping"),
         drops("wan0", long_udp(S + ":53", P + ":4000").part(800), "fragment")),
    case("frag-filtered", "from a remote that filtering keeps out", masquerade(APD), OPEN,
         drops("wan0", long_udp(S2 + ":53", X + ":4000").part(0, 800), "filtered"),
         drops("wan0", long_udp(S2 + ":53", X + ":4000").part(800), "fragment")),
    case("frag-ttl", "a TTL that runs out: told about the first one, not about a later one", MASQ,
         answers("lan0", OUT.part(0, 800, ttl=1), "ttl-exceeded", 11, 0),
         drops("lan0", OUT.part(800, 1600), "fragment"),
         FIRST, drops("lan0", OUT.part(800, 1600, ttl=1), "ttl-exceeded"), LAST),
    case("frag-icmp-other", "ICMP that is neither query nor error", MASQ,
         drops("lan0", icmp(A, S, 17, payload=LONG).part(0, 800), "no-state"),
         drops("lan0", icmp(A, S, 17, payload=LONG).part(800), "fragment")),
    case("frag-error", "ICMP errors in pieces cannot be tied to anything; the box's own it gets", pool(),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         [drops("wan0", icmp_error(S2, P, 3, 3, long_udp(P + ":4000", S + ":53")).part(a, b), "fragment") for a, b in ((0, 800), (800, None))],
         left("wan0", icmp_error(S2, X, 3, 3, long_udp(X + ":4000", S + ":53")), "local", 800)),

    # MTU and the slow road
    case("frag-too-big", "a first piece too big with DF: told; a later one too big: nothing", MASQ,
         answers("lan0", long_udp(A + ":4000", NARROW + ":53").part(0, 1400, flags="DF+MF"), "too-big", 3, 4, 1400),
         drops("lan0", long_udp(A + ":4000", NARROW + ":53").part(1400, flags="DF"), "fragment"),
         sends("lan0", long_udp(A + ":4000", NARROW + ":53").part(0, 8, flags="DF+MF"), "wan0",
               long_udp(X + ":4000", NARROW + ":53").part(0, 8, flags="DF+MF"), "forward"),
         drops("lan0", long_udp(A + ":4000", NARROW + ":53").part(8, 1408, flags="DF+MF"), "too-big")),
    case("frag-slow-too-big", "a first piece that the kernel has to cut: the others go to the kernel, too", MASQ,
         left("lan0", long_udp(A + ":4000", NARROW + ":53"), "slow-too-big", 1400, 1800, expect=long_udp(X + ":4000", NARROW + ":53")),
         sends("lan0", long_udp(A + ":4000", NARROW + ":53", id=5).part(0, 800), "wan0", long_udp(X + ":4000", NARROW + ":53").part(0, 800)),
         sends("lan0", long_udp(A + ":4000", NARROW + ":53", id=5).part(800), "wan0", long_udp(X + ":4000", NARROW + ":53").part(800)),
         sends("lan0", long_udp(A + ":4000", NARROW + ":53", id=6).part(0, 8), "wan0", long_udp(X + ":4000", NARROW + ":53").part(0, 8)),
         passes("lan0", long_udp(A + ":4000", NARROW + ":53", id=6).part(8, 1408), "slow-too-big",
                long_udp(X + ":4000", NARROW + ":53").part(8, 1408)),
         sends("lan0", long_udp(A + ":4000", NARROW + ":53", id=6).part(1408), "wan0", long_udp(X + ":4000", NARROW + ":53").part(1408))),
    case("frag-slow-neighbour", "fragments to a host whose neighbour is not known, with the mark", MASQ,
         left("lan0", long_udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", 800, 1600, expect=long_udp(X + ":4000", NOBODY + ":53"),
              mark=MARK),
         drops("lan0", long_udp(A + ":4000", NOBODY + ":53").part(1600), "fragment"),
         net=net(mark_slow=True)),
    case("frag-slow-options", "IP options on the first one alone: all go the same way", MASQ,
         passes("lan0", OUT.but(**ALERT).part(0, 800), "slow-options", OUT_X.but(**ALERT).part(0, 800)),
         passes("lan0", OUT.part(800), "slow-options", OUT_X.part(800))),
    case("frag-slow-policy", "with IPsec or mark policies", MASQ,
         left("lan0", OUT, "slow-policy", 800, 1600, expect=OUT_X), left("wan0", IN_X, "slow-policy", 800, 1600, expect=IN),
         net=net(policy=True)),

    # Bounds
    case("frag-limit", "so many unfinished datagrams of one source in a second; another host may still begin some", MASQ,
         firsts(256, "new-forward"),
         drops("lan0", OUT.part(0, 800, id=999), "fragment-limit"),
         drops("lan0", OUT.part(800, id=999), "fragment"),
         sends("lan0", OUT.part(800, id=1), "wan0", OUT_X.part(800)),      # a free place
         sends("lan0", OUT.part(0, 800, id=1000), "wan0", OUT_X.part(0, 800)),
         drops("lan0", OUT.part(0, 800, id=1001), "fragment-limit"),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(X + ":4000", S + ":53")),
         fragments("lan0", long_udp(B + ":4001", S + ":53"), "wan0", long_udp(X + ":4001", S + ":53"), 800),
         fragments("wan0", IN_X, "lan0", IN, 800, verdict="forward"),
         advance(1),
         sends("lan0", OUT.part(0, 800, id=1002), "wan0", OUT_X.part(0, 800)),
         state(sessions=2)),
    case("frag-limit-local", "what is the kernel's is bounded likewise, and counted once", MASQ,
         [passes("wan0", IN_X.part(0, 800, id=i + 1), "local") for i in range(256)],
         drops("wan0", IN_X.part(0, 800, id=999), "fragment-limit"),
         drops("wan0", IN_X.part(800, id=999), "fragment")),
    case("frag-limit-multicast", "multicast is not", MASQ,
         [passes("lan0", long_udp(A + ":4000", "224.0.0.5:53").part(0, 800, id=i + 1), "multicast") for i in range(257)],
         fragments("lan0", OUT, "wan0", OUT_X, 800)),
    case("frag-limit-dropped", "what a rule drops leaves room for others", rules("proto: udp, to: {port: 99}, action: drop", "%s, action: masquerade" % LAN),
         [drops("lan0", long_udp(A + ":4000", S + ":99").part(0, 800, id=i + 1), "rule-drop") for i in range(256)],
         fragments("lan0", OUT, "wan0", OUT_X, 800, id=999)),
    case("frag-finished", "datagrams that are completed do not count", MASQ, FIRST, SECOND, LAST,
         [fragments("lan0", OUT, "wan0", OUT_X, 800, verdict="forward", id=i + 1) for i in range(257)]),
]
