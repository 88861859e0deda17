# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ICMP errors of others, on their way through (RFC 5508 section 4)."""
from scapy.layers.inet import IPOption_NOP

from frames import advance, case, drops, echo, icmp_error, net, other, passes, port, sends, state, sweep, tcp, udp
from world import A, B, MASQ, NOBODY, P, S, S2, X, pool

ROUTER = "192.0.2.33"           # somewhere outside
INNER = "198.18.9.9"            # a router inside
OUT, OUT_X = udp(A + ":4000", S + ":53"), udp(X + ":4000", S + ":53")
IN_X, IN = udp(S + ":53", X + ":4000"), udp(S + ":53", A + ":4000")
OPEN = sends("lan0", OUT, "wan0", OUT_X, "new-forward")


def error_in(kind, code, about_x, about, source=ROUTER, verdict="forward", at_x=X, **more):
    """About a packet that went out: seen outside it has the outside address, inside it has the inside one."""
    return sends("wan0", icmp_error(source, at_x, kind, code, about_x, **more), "lan0",
                 icmp_error(source, A, kind, code, about, **more), verdict)


MPLS = bytes.fromhex("2000") + bytes.fromhex("0000") + b"\0\x08\1\1\x00\x3e\x81\x01"     # an extension header and a label; RFC 4950


def wrong(about, keep):
    """A checksum that is not the one of an error with so much of this packet in it."""
    right = bytes(icmp_error(ROUTER, X, 3, 3, about, keep=keep).layers({}))[22:24]
    return int.from_bytes(right, "big") ^ 1


def moved(check, before, after, at=26):
    """What becomes of an L4 checksum by changing one packet into the other: the difference of the right ones."""
    old, new = (int.from_bytes(bytes(packet.layers({}))[at:at + 2], "big") for packet in (before, after))
    return (check - old + new - 1) % 0xffff + 1 if check else 0


CASES = [
    case("error-kinds", "every kind of error about a packet that went out", MASQ, OPEN,
         [error_in(kind, code, OUT_X.but(ttl=1), OUT.but(ttl=1)) for kind,
          code in [(3, 0), (3, 1), (3, 3), (3, 13), (4, 0), (11, 0), (11, 1), (12, 0)]],
         error_in(3, 4, OUT_X, OUT, mtu=1300),
         error_in(3, 3, OUT_X, OUT, source=S),
         state(sessions=1, mappings=1)),
    case("error-quotes", "quotes of every length from the least that names a flow", MASQ, OPEN,
         [error_in(11, 0, OUT_X, OUT, keep=n) for n in range(28, 50)]),
    case("error-quote-short", "a quote too short to name a flow: the box's own business", MASQ, OPEN,
         [passes("wan0", icmp_error(ROUTER, X, 11, 0, OUT_X, keep=n), "local") for n in (0, 1, 19, 20, 27)]),
    case("error-tcp", "about TCP, with eight bytes of it, and with all", MASQ,
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         [error_in(3, 1, tcp(X + ":4000", S + ":80"), tcp(A + ":4000", S + ":80"), keep=n) for n in (28, 29, 36, 38, 39, 40, 61)]),
    case("error-echo", "about an echo", MASQ,
         sends("lan0", echo(A, S, 77), "wan0", echo(X, S, 77), "new-forward"),
         error_in(3, 1, echo(X, S, 77), echo(A, S, 77)),
         sends("lan0", echo(B, S, 77), "wan0", echo(X, S, "$i"), "new-forward", i=port(0, 65535, but=[77])),
         sends("wan0", icmp_error(ROUTER, X, 11, 0, echo(X, S, "$i")), "lan0", icmp_error(ROUTER, B, 11, 0, echo(B, S, 77)))),
    case("error-esp", "about a protocol without ports", MASQ,
         sends("lan0", other(A, S, 50), "wan0", other(X, S, 50), "new-forward"),
         error_in(3, 4, other(X, S, 50), other(A, S, 50), mtu=1400)),
    case("error-udp-no-checksum", "about UDP without a checksum", MASQ, OPEN,
         error_in(3, 3, OUT_X.but(l4_chksum=0), OUT.but(l4_chksum=0))),
    case("error-options", "about a packet with IP options", MASQ, OPEN,
         error_in(12, 0, OUT_X.but(options=[IPOption_NOP()] * 8), OUT.but(options=[IPOption_NOP()] * 8)),
         error_in(12, 0, OUT_X.but(options=[IPOption_NOP()] * 40), OUT.but(options=[IPOption_NOP()] * 40))),
    case("error-long", "about a long packet, of which it quotes much", MASQ, OPEN,
         [error_in(3, 4, OUT_X.but(payload=b"z" * 700), OUT.but(payload=b"z" * 700), mtu=600, keep=n) for n in (548, 549, 700)]),
    case("error-out", "from a host inside about a packet that came in: it has the outside address, too", MASQ, OPEN,
         sends("wan0", IN_X, "lan0", IN),
         sends("lan0", icmp_error(A, S, 3, 3, IN), "wan0", icmp_error(X, S, 3, 3, IN_X)),
         sends("lan0", icmp_error(INNER, S, 11, 0, IN), "wan0", icmp_error(X, S, 11, 0, IN_X))),
    case("error-hairpin", "between two hosts inside", MASQ, OPEN,
         sends("lan0", udp(B + ":5000", X + ":4000"), "lan0", udp(X + ":5000", A + ":4000"), "new-forward"),
         sends("lan0", icmp_error(A, X, 3, 3, udp(X + ":5000", A + ":4000")), "lan0",
               icmp_error(X, B, 3, 3, udp(B + ":5000", X + ":4000")))),
    case("error-hairpin-both", "from the other one of them, too", MASQ, OPEN,
         sends("lan0", udp(B + ":5000", X + ":4000"), "lan0", udp(X + ":5000", A + ":4000"), "new-forward"),
         sends("lan0", udp(A + ":4000", X + ":5000"), "lan0", udp(X + ":4000", B + ":5000")),
         sends("lan0", icmp_error(B, X, 3, 3, udp(X + ":4000", B + ":5000")), "lan0",
               icmp_error(X, A, 3, 3, udp(A + ":4000", X + ":5000"))),
         sends("lan0", icmp_error(INNER, X, 11, 0, udp(X + ":4000", B + ":5000")), "lan0",
               icmp_error(X, A, 11, 0, udp(A + ":4000", X + ":5000")))),

    # Checksums (RFC 5508 req. 3)
    case("error-bad-checksum", "a wrong ICMP checksum, at every length", MASQ, OPEN,
         [drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X.but(payload=b"z" * 1400), keep=n,
                                   l4_chksum=wrong(OUT_X.but(payload=b"z" * 1400), n)), "bad-icmp")
          for n in [*range(28, 50), 127, 128, 129, 255, 256, 257, 547, 548, 1399, 1400]],
         [error_in(3, 3, OUT_X.but(payload=b"z" * 1400), OUT.but(payload=b"z" * 1400), keep=n)
          for n in [*range(28, 50), 127, 128, 129, 255, 256, 257, 547, 548, 1399, 1400]],
         [drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X, l4_chksum=n), "bad-icmp") for n in (0, 0xffff, 0x1234)],
         state(sessions=1)),
    case("error-bad-bits", "a bit wrong anywhere in a long one", MASQ, OPEN,
         error_in(3, 3, OUT_X.but(payload=b"z" * 1300), OUT.but(payload=b"z" * 1300)),
         [drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X.but(payload=b"z" * 1300)).patch(n, b"\x7b"), "bad-icmp")
          for n in (70, 71, 130, 141, 142, 155, 169, 170, 297, 298, 299, 425, 426, 900, 901, 1369)]),
    case("error-bad-quote", "a wrong checksum of the quoted IP header, and no options or some", MASQ, OPEN,
         [drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X.but(chksum=n)), "bad-icmp") for n in (0, 1, 0xffff, 0x1234)],
         [drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X.but(chksum=0x1234, options=[IPOption_NOP()] * n), keep=n + 28),
                "bad-icmp") for n in (4, 8, 40)],
         drops("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X.but(chksum=0x1234), keep=28), "bad-icmp"), state(sessions=1)),
    case("error-bad-out", "from inside and between hosts inside likewise", MASQ, OPEN,
         sends("wan0", IN_X, "lan0", IN),
         drops("lan0", icmp_error(A, S, 3, 3, IN, l4_chksum=0x1234), "bad-icmp"),
         drops("lan0", icmp_error(A, S, 3, 3, IN.but(chksum=0x1234)), "bad-icmp"),
         sends("lan0", udp(B + ":5000", X + ":4000"), "lan0", udp(X + ":5000", A + ":4000"), "new-forward"),
         drops("lan0", icmp_error(A, X, 3, 3, udp(X + ":5000", A + ":4000"), l4_chksum=0x1234), "bad-icmp"),
         drops("lan0", icmp_error(A, X, 3, 3, udp(X + ":5000", A + ":4000", chksum=0x1234)), "bad-icmp")),
    case("error-bad-box", "what is the box's own it gets, right or wrong", MASQ,
         passes("wan0", icmp_error(ROUTER, X, 3, 3, OUT_X, l4_chksum=0x1234), "local")),
    case("error-quote-l4", "the quoted L4 checksum is not looked at: a wrong one stays wrong by as much", MASQ, OPEN,
         error_in(3, 3, OUT_X.but(l4_chksum=0x1234), OUT.but(l4_chksum=moved(0x1234, OUT_X, OUT))),
         error_in(3, 3, OUT_X.but(l4_chksum=0xffff), OUT.but(l4_chksum=moved(0xffff, OUT_X, OUT))),
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         error_in(3, 1, tcp(X + ":4000", S + ":80", l4_chksum=0x1234),
                  tcp(A + ":4000", S + ":80", l4_chksum=moved(0x1234, tcp(X + ":4000", S + ":80"), tcp(A + ":4000", S + ":80"), 36))),
         sends("lan0", echo(A, S, 9), "wan0", echo(X, S, 9), "new-forward"),
         error_in(3, 1, echo(X, S, 9, l4_chksum=0x1234), echo(A, S, 9, l4_chksum=0x1234))),
    case("error-extensions", "what follows the quote (RFC 4884) stays as it is, and the checksum is over all of it", MASQ, OPEN,
         [error_in(kind, 0, OUT_X.but(payload=b"z" * 72 + b"\0" * 28), OUT.but(payload=b"z" * 72 + b"\0" * 28), l4_length=32,
                   behind=extension)
          for kind in (3, 11, 12) for extension in (MPLS, MPLS + b"\0\x08\2\1\xde\xad\xbe\xef", b"\x20", MPLS + b"odd")],
         drops("wan0", icmp_error(ROUTER, X, 11, 0, OUT_X.but(payload=b"z" * 100), behind=MPLS).patch(170, b"\x2f"), "bad-icmp"),
         sends("lan0", icmp_error(INNER, S, 11, 0, IN.but(payload=b"z" * 100), l4_length=32, behind=MPLS), "wan0",
               icmp_error(X, S, 11, 0, IN_X.but(payload=b"z" * 100), l4_length=32, behind=MPLS))),
    case("error-unrelated", "about nothing that is known", pool(),
         sends("lan0", OUT, "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4001", S + ":53")), "icmp-unrelated"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S2 + ":53")), "icmp-unrelated"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, tcp(P + ":4000", S + ":53")), "icmp-unrelated"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53"), keep=27), "bad-icmp"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53", version=6)), "bad-icmp"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53", ihl=4)), "bad-icmp"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53", ihl=15)), "bad-icmp"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53", frag=10)), "bad-icmp"),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, icmp_error(P, S, 3, 3, udp(S + ":53", P + ":4000"))), "bad-icmp"),
         passes("wan0", icmp_error(ROUTER, X, 3, 3, udp(X + ":4001", S + ":53")), "local"),
         passes("wan0", icmp_error(ROUTER, A, 3, 3, OUT), "no-rule"),
         drops("lan0", icmp_error(A, S, 3, 3, udp(S + ":1", A + ":2")), "icmp-unrelated"),
         state(sessions=1)),
    case("error-expired", "about a session past its time", pool(),
         sends("lan0", OUT, "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         advance(302),
         drops("wan0", icmp_error(ROUTER, P, 3, 3, udp(P + ":4000", S + ":53")), "icmp-unrelated"),
         state(mappings=1)),
    case("error-keeps-time", "an error does not keep a session alive, nor end it", MASQ, OPEN,
         advance(200), error_in(3, 3, OUT_X, OUT), advance(102), sweep(ended=1)),
    case("error-slow", "to a host whose neighbour is not known: translated, TTL untouched", MASQ,
         passes("lan0", udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", udp(X + ":4000", NOBODY + ":53")),
         passes("lan0", icmp_error(A, NOBODY, 3, 3, udp(NOBODY + ":53", A + ":4000")), "slow-neighbour",
                icmp_error(X, NOBODY, 3, 3, udp(NOBODY + ":53", X + ":4000")))),
    case("error-slow-mark", "with the mark, too", MASQ, OPEN,
         passes("lan0", udp(A + ":4000", NOBODY + ":53"), "slow-neighbour", udp(X + ":4000", NOBODY + ":53"), mark=0x40000000),
         passes("lan0", icmp_error(A, NOBODY, 3, 3, udp(NOBODY + ":53", A + ":4000")), "slow-neighbour",
                icmp_error(X, NOBODY, 3, 3, udp(NOBODY + ":53", X + ":4000")), mark=0x40000000),
         net=net(mark_slow=True)),
    case("error-too-big", "no error about an error, however big", MASQ,
         sends("lan0", OUT, "wan0", OUT_X, "new-forward"),
         error_in(3, 3, OUT_X.but(payload=b"z" * 1400), OUT.but(payload=b"z" * 1400), keep=1400)),
]
