# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IP identifications of hosts that share an address (RFC 6864 section 5.3.1, RFC 7857 section 10).

That what is given is new and is never given twice between the same ends is looked at for every packet of
every case (run.py); here is what must keep its own, and what must not.
"""
from scapy.layers.inet import IPOption_Router_Alert

from frames import case, echo, icmp_error, other, passes, port, sends, tcp, udp
from world import A, B, C, MASQ, NOBODY, P, S, S2, X, masquerade, pool, rules

H = "198.18.0.10"
ANY = port(0, 65535)
OUT, OUT_X = udp(A + ":4000", S + ":53"), udp(X + ":4000", S + ":53")


def out(host, source, ident, seen, new=True, remote=S, flags="", **where):
    """A packet of a host; outside it is to have the identification `seen`."""
    return sends("lan0", udp("%s:%d" % (host, source), remote + ":53", id=ident, flags=flags), "wan0",
                 udp("%s:%d" % (X, source), remote + ":53", id=seen, flags=flags), "new-forward" if new else "forward", **where)


CASES = [
    case("id-hosts", "two hosts with one identification to one remote get different ones", MASQ,
         out(A, 4000, 1, "$a", a=ANY), out(B, 4001, 1, "$b", b=port(0, 65535, but=["a"])),
         out(C, 4002, 1, "$c", c=port(0, 65535, but=["a", "b"])),
         out(A, 4000, 1, "$d", new=False, d=port(0, 65535, but=["a", "b", "c"]))),
    case("id-many", "many packets between the same ends, and none has one of before", MASQ,
         [sends("lan0", udp(host + ":%d" % source, S + ":53", id=n // 3), "wan0", udp(X + ":%d" % source, S + ":53"),
                "new-forward" if n == 0 else "forward")
          for n in range(0, 120) for host, source in ((A, 4000), (B, 4001), (C, 4002))]),
    case("id-df", "what must not be cut keeps its own, zero too", MASQ,
         out(A, 4000, 1, 1, flags="DF"), out(B, 4001, 1, 1, flags="DF"), out(A, 4000, 0, 0, new=False, flags="DF"),
         out(A, 4000, 65535, 65535, new=False, flags="DF")),
    case("id-reply", "answers keep theirs: their source is nobody's but its own", MASQ,
         sends("lan0", OUT, "wan0", OUT_X, "new-forward"),
         [sends("wan0", udp(S + ":53", X + ":4000", id=n), "lan0", udp(S + ":53", A + ":4000", id=n)) for n in (0, 1, 1, 65535)]),
    case("id-accept", "what is not translated keeps its own", rules("from: {interface: lan0}, to: {interface: wan0}, action: accept"),
         sends("lan0", udp(A + ":4000", S + ":53", id=1), "wan0", udp(A + ":4000", S + ":53", id=1), "new-forward"),
         sends("wan0", udp(S + ":53", A + ":4000", id=1), "lan0", udp(S + ":53", A + ":4000", id=1))),
    case("id-forward", "a server's answers by its outside face get new ones",
         masquerade(forwards='[{proto: udp, external: "%s:443", internal: "%s:8443"}]' % (X, H)),
         sends("wan0", udp(S + ":5000", X + ":443", id=1), "lan0", udp(S + ":5000", H + ":8443", id=1), "new-forward"),
         sends("lan0", udp(H + ":8443", S + ":5000", id=1), "wan0", udp(X + ":443", S + ":5000", id="$i"), i=ANY),
         sends("lan0", udp(A + ":4000", S + ":53", id=1), "wan0", udp(X + ":4000", S + ":53", id="$j"), "new-forward",
               j=port(0, 65535, but=["i"]))),
    case("id-hairpin", "between two hosts inside, both ways", pool(),
         sends("lan0", udp(A + ":4000", S + ":53"), "wan0", udp(P + ":4000", S + ":53"), "new-forward"),
         sends("lan0", udp(B + ":5000", P + ":4000", id=1), "lan0", udp(P + ":5000", A + ":4000", id="$i"), "new-forward", i=ANY),
         sends("lan0", udp(C + ":5001", P + ":4000", id=1), "lan0", udp(P + ":5001", A + ":4000", id="$j"), "new-forward",
               j=port(0, 65535, but=["i"])),
         sends("lan0", udp(A + ":4000", P + ":5000", id=2), "lan0", udp(P + ":4000", B + ":5000", id="$k"), k=ANY)),
    case("id-protocols", "TCP, ICMP and protocols without ports alike", MASQ,
         [sends("lan0", packet.but(id=1), "wan0", packet_x.but(id="$i%d%d" % (n, turn)), "forward" if turn else "new-forward",
                **{"i%d%d" % (n, turn): port(0, 65535, but=["i%d0" % n] if turn else [])})
          for n, (packet, packet_x) in enumerate([(tcp(A + ":4000", S + ":80"), tcp(X + ":4000", S + ":80")),
                                                  (echo(A, S, 9), echo(X, S, 9)),
                                                  (other(A, S, 50), other(X, S, 50))])
          for turn in (0, 1)]),
    case("id-slow", "on the slow road, too", MASQ,
         passes("lan0", udp(A + ":4000", NOBODY + ":53", id=1), "slow-neighbour", udp(X + ":4000", NOBODY + ":53", id="$i"), i=ANY),
         passes("lan0", udp(B + ":4001", NOBODY + ":53", id=1), "slow-neighbour", udp(X + ":4001", NOBODY + ":53", id="$j"),
                j=port(0, 65535, but=["i"])),
         passes("lan0", udp(A + ":4000", NOBODY + ":53", id=1, flags="DF"), "slow-neighbour",
                udp(X + ":4000", NOBODY + ":53", id=1, flags="DF")),
         passes("lan0", udp(A + ":4000", S + ":53", id=1, options=[IPOption_Router_Alert()]), "slow-options",
                udp(X + ":4000", S + ":53", id="$k", options=[IPOption_Router_Alert()]), k=ANY)),
    case("id-error", "an ICMP error from inside gets a new one, what it quotes keeps its own; one from outside is as it was", MASQ,
         sends("lan0", OUT, "wan0", OUT_X, "new-forward"),
         sends("lan0", icmp_error(A, S, 3, 3, udp(S + ":53", A + ":4000", id=7), id=1), "wan0",
               icmp_error(X, S, 3, 3, udp(S + ":53", X + ":4000", id=7), id="$i"), i=ANY),
         sends("lan0", icmp_error(A, S, 3, 3, udp(S + ":53", A + ":4000", id=7), id=1), "wan0",
               icmp_error(X, S, 3, 3, udp(S + ":53", X + ":4000", id=7), id="$j"), j=port(0, 65535, but=["i"])),
         sends("lan0", icmp_error(A, S, 3, 3, udp(S + ":53", A + ":4000", id=7), id=1, flags="DF"), "wan0",
               icmp_error(X, S, 3, 3, udp(S + ":53", X + ":4000", id=7), id=1, flags="DF")),
         sends("wan0", icmp_error(S2, X, 11, 0, OUT_X.but(id=7), id=1), "lan0", icmp_error(S2, A, 11, 0, OUT.but(id=7), id=1))),
    case("id-gso", "a GSO packet takes as many as it will have segments", MASQ,
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         [sends("lan0", tcp(A + ":4000", S + ":80", "A", payload=b"g" * n, id=1), "wan0",
                tcp(X + ":4000", S + ":80", "A", payload=b"g" * n),
                gso=size) for n, size in ((2900, 1448), (3300, 500), (2900, 1448), (1449, 1448), (3300, 100))],
         sends("lan0", tcp(A + ":4000", S + ":80", "A", id=1), "wan0", tcp(X + ":4000", S + ":80", "A")),
         hosts=("tc",), only="GSO packets are tc's alone"),
]
