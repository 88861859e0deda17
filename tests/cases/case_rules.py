# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rules: what they match, in which order, and what they do."""
from frames import answers, case, drops, echo, echo_reply, icmp, net, other, passes, sends, state, tcp, udp
from world import A, B, D, ELSEWHERE, IFS, LAN, NOWHERE, S, S2, S3, X, pool, rules

OUT = udp(A + ":4000", S + ":53")
MASQ_REST = "%s, action: masquerade" % LAN


def translated(packet, **but):
    """The same from the outside address of the way out."""
    return packet.but(src=X + packet.src[packet.src.index(":"):] if ":" in packet.src else X, **but)


def masked(into, packet):
    return sends(into, packet, "wan0", translated(packet), "new-forward")


CASES = [
    case("no-rules", "without a rule all is left to the kernel", IFS,
         passes("lan0", OUT, "no-rule"),
         passes("wan0", tcp(S + ":53", A + ":4000"), "no-rule"),
         passes("lan0", other(A, S, 50), "no-rule"),
         state(sessions=0)),
    case("rule-interface", "by the way in and the way out", rules("from: {interface: lan0}, to: {interface: wan0}, action: masquerade"),
         masked("lan0", OUT),
         passes("lan1", udp(D + ":4000", S + ":53"), "no-rule"),
         passes("lan0", udp(A + ":4000", D + ":53"), "no-rule"),
         passes("wan0", udp(S + ":53", A + ":4000"), "no-rule")),
    case("rule-source", "by source prefixes", rules("from: {source: [198.18.0.0/30, 198.19.0.2/32]}, to: {interface: wan0}, action: masquerade"),
         masked("lan0", udp("198.18.0.2:4000", S + ":53")),
         masked("lan0", udp("198.18.0.3:4001", S + ":53")),
         passes("lan0", udp("198.18.0.4:4002", S + ":53"), "no-rule"),
         masked("lan1", udp("198.19.0.2:4003", S + ":53")),
         passes("lan1", udp("198.19.0.3:4004", S + ":53"), "no-rule")),
    case("rule-destination", "by destination prefixes of every length",
         rules(*["from: {interface: lan0}, to: {interface: wan0, destination: %s}, action: %s" % line for line in [
             ("192.0.2.9/32", "drop"), ("192.0.2.8/31", "reject"), ("192.0.2.0/25", "masquerade"), ("192.0.0.0/8", "kernel"),
             ("0.0.0.0/1", "drop"), ("0.0.0.0/0", "reject")]]),
         drops("lan0", udp(A + ":4000", "192.0.2.9:53"), "rule-drop"),
         answers("lan0", udp(A + ":4000", "192.0.2.8:53"), "rule-reject", 3, 13),
         masked("lan0", udp(A + ":4000", "192.0.2.10:53")),
         passes("lan0", udp(A + ":4000", "192.255.255.255:53"), "rule-kernel"),
         drops("lan0", udp(A + ":4000", "126.0.2.9:53"), "rule-drop"),
         answers("lan0", udp(A + ":4000", "203.0.112.9:53"), "rule-reject", 3, 13)),
    case("rule-ports", "by ports, both ends included",
         rules("from: {interface: lan0, port: [1000-1002, 2000]}, to: {interface: wan0, port: [53, 80-82]}, proto: [udp, tcp], action: masquerade"),
         [masked("lan0", udp("%s:%d" % (A, s), "%s:%d" % (S, d))) for s, d in [(1000, 53), (1002, 82), (2000, 80)]],
         masked("lan0", tcp(A + ":1001", S + ":81")),
         [passes("lan0", udp("%s:%d" % (A, s), "%s:%d" % (S, d)), "no-rule")
          for s, d in [(999, 53), (1003, 53), (1000, 52), (1000, 54), (1000, 79), (1000, 83), (1999, 80), (2001, 80)]],
         passes("lan0", other(A, S, 50), "no-rule"),
         passes("lan0", echo(A, S, 1000), "no-rule")),
    case("rule-proto", "by protocol, by name and number",
         rules("proto: [tcp, icmp, 47], %s" % MASQ_REST, "proto: udp, %s, action: drop" % LAN),
         masked("lan0", tcp(A + ":4000", S + ":53")),
         masked("lan0", echo(A, S, 4)),
         masked("lan0", other(A, S, 47)),
         drops("lan0", OUT, "rule-drop"),
         passes("lan0", other(A, S, 50), "no-rule")),
    case("rule-first", "the first match wins",
         rules("%s, proto: udp, action: drop" % LAN, "%s, action: kernel" % LAN, MASQ_REST),
         drops("lan0", OUT, "rule-drop"),
         passes("lan0", tcp(A + ":4000", S + ":53"), "rule-kernel")),
    case("rule-lists", "every combination of the lists, and no other",
         rules("from: {interface: [lan0, lan1], source: [%s, %s]}, to: {interface: wan0, destination: [%s, %s], port: [53, 80]}, "
               "proto: [tcp, udp], action: masquerade" % (A, D, S, S2)),
         [masked(into, make("%s:%d" % (src, 4000 + i), "%s:%d" % (dst, port_)))
          for i, (into, make, src, dst, port_) in enumerate(
              (into, make, src, dst, port_) for into in ("lan0", "lan1") for make in (udp, tcp) for src in (A, D)
              for dst in (S, S2) for port_ in (53, 80))],
         [passes(into, make("%s:5000" % src, "%s:%d" % (dst, port_)), "no-rule") for into, make, src, dst, port_ in [
             ("lan0", udp, A, S, 54), ("lan0", udp, B, S, 53), ("lan0", tcp, A, S3, 53), ("lan1", tcp, D, S, 443)]]),
    case("rule-many", "far down a long list",
         rules(*["from: {interface: lan0}, to: {interface: wan0, destination: 192.0.%d.%d}, action: drop" % (n // 250, n % 250 + 1)
                 for n in range(0, 499)], MASQ_REST),
         drops("lan0", udp(A + ":4000", "192.0.1.249:53"), "rule-drop"),
         masked("lan0", udp(A + ":4000", "192.0.1.250:53"))),
    case("rule-absent-interface", "an interface that does not exist matches nothing",
         "interfaces: [lan0, lan1, wan0, gone0]\nrules:\n  - {from: {interface: gone0}, action: drop}\n"
         "  - {from: {interface: lan0}, to: {interface: gone0}, action: drop}\n  - {%s}\n" % MASQ_REST,
         masked("lan0", OUT)),
    case("drop", "dropped without a word", rules("%s, action: drop" % LAN),
         drops("lan0", OUT, "rule-drop"),
         drops("lan0", OUT.but(ttl=1), "rule-drop"),
         drops("lan0", other(A, S, 50), "rule-drop"),
         drops("lan0", OUT.part(0, 16), "rule-drop"),
         state(sessions=0, mappings=0)),
    case("reject", "dropped, and the sender is told", rules("%s, action: reject" % LAN),
         answers("lan0", OUT, "rule-reject", 3, 13),
         answers("lan0", tcp(A + ":4000", S + ":80"), "rule-reject", 3, 13),
         answers("lan0", echo(A, S, 4), "rule-reject", 3, 13),
         answers("lan0", other(A, S, 50), "rule-reject", 3, 13),
         state(sessions=0, mappings=0)),
    case("kernel", "left to the kernel as it is", rules("%s, action: kernel" % LAN),
         passes("lan0", OUT, "rule-kernel"),
         passes("lan0", OUT.but(ttl=1), "rule-kernel"),
         passes("lan0", OUT.part(0, 16), "rule-kernel"),
         passes("lan0", OUT.part(16), "rule-kernel"),
         state(sessions=0, mappings=0)),
    case("accept", "forwarded untranslated, and its answers", rules("from: {interface: lan0}, to: {interface: lan1}, action: accept"),
         sends("lan0", udp(A + ":4000", D + ":53"), "lan1", udp(A + ":4000", D + ":53"), "new-forward"),
         sends("lan1", udp(D + ":53", A + ":4000"), "lan0", udp(D + ":53", A + ":4000")),
         sends("lan0", tcp(A + ":4000", D + ":80"), "lan1", tcp(A + ":4000", D + ":80"), "new-forward"),
         sends("lan0", echo(A, D, 4), "lan1", echo(A, D, 4), "new-forward"),
         sends("lan0", other(A, D, 50), "lan1", other(A, D, 50), "new-forward"),
         passes("lan1", udp(D + ":54", A + ":4000"), "no-rule"),
         state(sessions=4, mappings=0)),
    case("accept-echo-both", "two hosts that ping each other with one identifier, as some systems always do",
         rules("from: {interface: lan0}, to: {interface: lan1}, action: accept", "from: {interface: lan1}, to: {interface: lan0}, action: accept"),
         sends("lan0", echo(A, D, 1), "lan1", echo(A, D, 1), "new-forward"), sends("lan1", echo_reply(D, A, 1), "lan0", echo_reply(D, A, 1)),
         sends("lan1", echo(D, A, 1), "lan0", echo(D, A, 1)), sends("lan0", echo_reply(A, D, 1), "lan1", echo_reply(A, D, 1))),
    case("accept-checksums", "forwarded untranslated: no checksum but the header's changes",
         rules("from: {interface: lan0}, to: {interface: lan1}, action: accept"),
         [sends("lan0", udp(A + ":4000", D + ":53", l4_chksum=c), "lan1", udp(A + ":4000", D + ":53", l4_chksum=c), verdict,
                any_checksum=True) for c, verdict in [(0, "new-forward"), (0x1234, "forward"), (0xffff, "forward")]]),
    case("to-the-box", "packets for the box come to no rule", rules("action: drop"),
         passes("lan0", udp(A + ":4000", "198.18.0.1:53"), "local"),
         passes("lan0", tcp(A + ":4000", X + ":22"), "local"),
         drops("lan0", OUT, "rule-drop"),
         drops("wan0", udp(S + ":1", D + ":2"), "rule-drop")),
    case("no-route-kernel", "where the way out matters and there is none, the kernel says so",
         rules(MASQ_REST), passes("lan0", udp(A + ":4000", NOWHERE + ":53"), "local")),
    case("no-route", "translated, and no way out", pool(to=""),
         answers("lan0", udp(A + ":4000", NOWHERE + ":53"), "no-route", 3, 0),
         state(sessions=0, mappings=1)),
    case("out-not-enabled", "translated, but out by an interface that natvi does not serve", pool(to=""),
         drops("lan0", udp(A + ":4000", ELSEWHERE + ":53"), "out-not-enabled"),
         state(sessions=0, mappings=1)),
    case("no-state", "the middle of nothing", rules(MASQ_REST),
         drops("lan0", tcp(A + ":4000", S + ":80", "R"), "no-state"),
         drops("lan0", tcp(A + ":4000", S + ":80", "RA"), "no-state"),
         drops("lan0", icmp(A, S, 0), "no-state"),
         drops("lan0", icmp(A, S, 14), "no-state"),
         state(sessions=0, mappings=0)),
    case("guard", "new flows from outside are refused by the rule that the one-line form makes",
         rules(MASQ_REST, "from: {interface: wan0}, action: drop"),
         drops("wan0", udp(S + ":53", A + ":4000"), "rule-drop"),
         drops("wan0", udp(S + ":53", D + ":4000"), "rule-drop"),
         passes("wan0", tcp(S + ":53", X + ":22"), "local"),
         drops("wan0", tcp(S + ":53", X + ":23"), "syn-held"),
         masked("lan0", OUT),
         sends("wan0", udp(S + ":53", X + ":4000"), "lan0", udp(S + ":53", A + ":4000")),
         net=net(sockets=[{"proto": "tcp", "address": "", "port": 22}])),
]
