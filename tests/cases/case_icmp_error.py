# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""ICMP errors of others, on their way through (RFC 5508 section 4)."""
from scapy.layers.inet import IPOption_NOP

from frames import (advance, case, drops, echo, echo_reply, icmp_error, net, other, passes, port, sends, state, sweep,
                    tcp, udp)
from world import A, B, D, MASQ, NOBODY, P, S, S2, X, pool

ROUTER = "192.0.2.33"           # somewhere outside
INNER = "198.18.9.9"            # a router inside
OUT, OUT_X = udp(A + ":4000", S + ":53"), udp(X + ":4000", S + ":53")
IN_X, IN = udp(S + ":53", X + ":4000"), udp(S + ":53", A + ":4000")
OPEN = sends("lan0", OUT, "wan0", OUT_X, "new-forward")


def error_in(kind, code, about_x, about, source=ROUTER, verdict="forward", at_x=X, **more):
    """About a packet that went out: seen outside it has the outside address, inside it has the inside one."""
    return sends("wan0", icmp_error(source, at_x, kind, code, about_x, **more), "lan0",
                 icmp_error(source, A, kind, code, about, **more), verdict)


CASES = [
    case("error-kinds", "every kind of error about a packet that went out", MASQ, OPEN,
         [error_in(kind, code, OUT_X.but(ttl=1), OUT.but(ttl=1)) for kind, code in [(3, 0), (3, 1), (3, 3), (3, 13), (4, 0), (11, 0), (11, 1), (12, 0)]],
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
