# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Pools: a host keeps to one address, mappings for TCP and UDP together, filtering by protocol, ports by chance."""
from frames import (address, advance, answers, case, drops, echo, echo_reply, even, net, odd, other, port, reload, scattered,
                    sends, state, sweep, tcp, timestamp, udp)
from world import A, AD, B, C, D, P, S, S2, S3, X, masquerade, pool

P2 = "203.0.113.17"
TWO, FOUR = "203.0.113.16/31", "203.0.113.16/30"
EITHER = address(P, P2)
SIXTEEN = address(*["203.0.113.%d" % n for n in range(16, 32)])
SHARED = "protocols: shared"
H = "198.18.0.10"


def out(inside, outside, verdict="new-forward", remote=S + ":53", make=udp, **where):
    return sends("lan0", make(inside, remote), "wan0", make(outside, remote), verdict, **where)


def back(remote, outside, inside, verdict="forward", make=udp):
    return sends("wan0", make(remote, outside), "lan0", make(remote, inside), verdict)


def ping(host, outside, ident, seen=None, remote=S, verdict="new-forward", **where):
    return sends("lan0", echo(host, remote, ident), "wan0", echo(outside, remote, ident if seen is None else seen), verdict, **where)


def hosts(n):
    return ["198.18.1.%d" % (i + 1) for i in range(n)]


CASES = [
    # Paired (RFC 4787 req. 2, RFC 6888 req. 2, RFC 7857 section 4)
    case("pair-protocols", "a host has one address for UDP, TCP and ICMP, whatever comes first", pool(FOUR),
         [[first(host, "a%d" % n, address("203.0.113.16", P2, "203.0.113.18", "203.0.113.19")),
           out(host + ":5001", "$a%d:$u%d" % (n, n), **{"u%d" % n: port()}),
           out(host + ":5002", "$a%d:$t%d" % (n, n), make=tcp, **{"t%d" % n: port()}),
           ping(host, "$a%d" % n, 5003, "$i%d" % n, **{"i%d" % n: port(0)})]
          for n, (host, first) in enumerate(zip(hosts(9), [
              lambda host, name, rule: out(host + ":4000", "$%s:$p%s" % (name, name), **{name: rule, "p" + name: port()}),
              lambda host, name, rule: out(host + ":4000", "$%s:$p%s" % (name, name), make=tcp, **{name: rule, "p" + name: port()}),
              lambda host, name, rule: ping(host, "$%s" % name, 77, "$p%s" % name, **{name: rule, "p" + name: port(0)})] * 3))],
         state(sessions=36, mappings=36)),
    case("pair-full", "an address without free ports: its host is refused, a new host goes to another", pool(TWO, "ports: 5000"),
         out(A + ":1", "$a:5000", a=EITHER),
         answers("lan0", udp(A + ":2", S + ":53"), "no-port", 3, 13),
         out(B + ":1", "$b:5000", b=address(P, P2)),
         answers("lan0", udp(B + ":2", S + ":53"), "no-port", 3, 13),
         answers("lan0", udp(C + ":1", S + ":53"), "no-port", 3, 13),
         out(A + ":3", "$a:5000", make=tcp), out(B + ":3", "$b:5000", make=tcp),
         ping(A, "$a", 7), ping(B, "$b", 7),
         answers("lan0", tcp(A + ":4", S + ":53"), "no-port", 3, 13),
         state(sessions=6, mappings=6)),
    case("pair-full-icmp", "the identifiers of an address are bounded by nothing but their number", pool(TWO, "ports: 5000"),
         ping(A, "$a", 7, a=EITHER), [ping(A, "$a", n) for n in (8, 0, 65535)],
         out(A + ":1", "$a:5000"), answers("lan0", udp(A + ":2", S + ":53"), "no-port", 3, 13)),
    case("pair-holds", "a host keeps its address while one of its mappings stands, a resting one too",
         pool(TWO, "ports: 5000", timeouts="{udp: 10, port-rest: 20}"),
         ping(A, "$a", 7, a=EITHER), out(A + ":1", "$a:5000"), advance(40), ping(A, "$a", 7, verdict="forward"), advance(11),
         sweep(ended=1),
         advance(21), sweep(mappings_freed=1), state(sessions=1, mappings=1), out(A + ":2", "$a:5000"), state(mappings=2)),
    case("pair-over", "when all are gone it gets one where there is room",
         pool(TWO, "ports: 5000", timeouts="{udp: 10, port-rest: 20}"),
         out(A + ":1", "$a:5000", a=EITHER), advance(11), sweep(ended=1), advance(21), sweep(mappings_freed=1), state(mappings=0),
         [out("198.18.1.%d:1" % n, "$h%d:5000" % n, **{"h%d" % n: EITHER}) for n in (1, 2)],
         answers("lan0", udp(A + ":1", S + ":53"), "no-port", 3, 13), state(mappings=2)),
    case("pair-esp", "protocols without ports use it, too", pool(TWO, "ports: 5000"),
         [[out(host + ":1", "$a%d:5000" % n, **{"a%d" % n: EITHER}),
           sends("lan0", other(host, "192.0.2.%d" % (20 + n), 50), "wan0", other("$a%d" % n, "192.0.2.%d" % (20 + n), 50),
                 "new-forward")]
          for n, host in enumerate(hosts(2))],
         [[advance(302), sweep(), advance(122), sweep(),
           [[out(host + ":1", "$b%d%d:5000" % (turn, n), **{"b%d%d" % (turn, n): EITHER}),
             sends("lan0", other(host, "192.0.2.%d" % (20 + n), 50), "wan0",
                   other("$b%d%d" % (turn, n), "192.0.2.%d" % (20 + n), 50), "new-forward")]
            for n, host in enumerate(hosts(9)[turn:turn + 2])]] for turn in range(2, 7)]),
    case("pair-two-lans", "hosts of two interfaces share the pool", pool(TWO, "ports: 5000"),
         out(A + ":1", "$a:5000", a=EITHER),
         sends("lan1", udp(D + ":1", S + ":53"), "wan0", udp("$d:5000", S + ":53"), "new-forward", d=EITHER),
         answers("lan1", udp(D + ":2", S + ":53"), "no-port", 3, 13)),
    case("pool-used-up", "new hosts find the last address that has room, and those that have one its last port",
         pool("203.0.113.16/28", "ports: 5000-5001"),
         [[out(host + ":1", "$a%d:$p%d" % (n, n), **{"a%d" % n: SIXTEEN, "p%d" % n: port(5000, 5001)}),
           out(host + ":2", "$a%d:$q%d" % (n, n), **{"q%d" % n: port(5000, 5001, but=["p%d" % n])})]
          for n, host in enumerate(hosts(16))],
         answers("lan0", udp(A + ":1", S + ":53"), "no-port", 3, 13), answers("lan0", udp("198.18.1.1:3", S + ":53"), "no-port", 3, 13),
         state(sessions=32, mappings=32)),
    case("pool-used-up-arbitrary", "one host uses all of them, where it may",
         pool("203.0.113.16/28", "ports: 5000-5001, pooling: arbitrary"),
         [out("%s:%d" % (A, n + 1), "$a%d:$p%d" % (n, n), **{"a%d" % n: SIXTEEN, "p%d" % n: port(5000, 5001)}) for n in range(32)],
         answers("lan0", udp(A + ":100", S + ":53"), "no-port", 3, 13), answers("lan0", udp(B + ":1", S + ":53"), "no-port", 3, 13),
         state(sessions=32, mappings=32)),
    case("pair-mappings-full", "a host without room for a mapping leaves nothing behind",
         pool(TWO, limits="{sessions: 100, mappings: 16}"),
         [out("%s:%d" % (A, 4000 + i), "$a:%d" % (4000 + i), **({"a": EITHER} if i == 0 else {})) for i in range(16)],
         answers("lan0", udp(B + ":4100", S + ":53"), "mappings-full", 3, 13),
         answers("lan0", udp(A + ":4100", S + ":53"), "mappings-full", 3, 13),
         state(sessions=16, mappings=16), advance(302), sweep(ended=16), advance(122), sweep(mappings_freed=16), state(mappings=0)),
    case("pair-no-route", "nor does one whose packet has no way out", pool(TWO, to=""),
         answers("lan0", udp(A + ":4000", "192.0.2.97:53"), "no-route", 3, 0), state(sessions=0, mappings=1),
         advance(122), sweep(mappings_freed=1), state(mappings=0)),
    case("pair-hairpin", "a host that first talks to another one inside", pool(TWO),
         out(A + ":4000", "$a:4000", a=EITHER),
         sends("lan0", udp(B + ":5000", "$a:4000"), "lan0", udp("$b:5000", A + ":4000"), "new-forward", b=EITHER),
         out(B + ":5001", "$b:5001"), ping(B, "$b", 7)),
    case("pair-reload", "a host whose address a reload has taken away gets another one, and keeps to that", pool(FOUR),
         out(A + ":4000", "$a:4000", a=address("203.0.113.16", P2, "203.0.113.18", "203.0.113.19")),
         reload(pool("203.0.113.20/30")),
         out(A + ":4000", "$a:4000", "forward"),
         out(A + ":4001", "$b:4001", b=address("203.0.113.20", "203.0.113.21", "203.0.113.22", "203.0.113.23")),
         out(A + ":4002", "$b:4002"), ping(A, "$b", 7), out(A + ":4003", "$b:4003", make=tcp),
         state(sessions=5), advance(302), sweep(), advance(302), sweep(), advance(302), sweep(), state(sessions=0, mappings=0),
         hosts=("tc", "xdp"), only="the native host takes one configuration"),
    case("arbitrary", "by setting a host may get a second address", pool(TWO, "ports: 5000, pooling: arbitrary"),
         out(A + ":1", "$a:5000", a=EITHER), out(A + ":2", "$b:5000", b=EITHER),
         answers("lan0", udp(A + ":3", S + ":53"), "no-port", 3, 13),
         answers("lan0", udp(B + ":3", S + ":53"), "no-port", 3, 13), state(mappings=2)),

    # TCP and UDP together (RFC 7857 sections 5 and 6)
    case("shared", "one mapping for TCP and UDP", pool(settings=SHARED),
         out(A + ":4000", P + ":4000"), out(A + ":4000", P + ":4000", make=tcp), state(sessions=2, mappings=1),
         back(S2 + ":9", P + ":4000", A + ":4000", "new-forward"), back(S2 + ":9", P + ":4000", A + ":4000", "new-forward", make=tcp),
         back(S + ":53", P + ":4000", A + ":4000"), back(S + ":53", P + ":4000", A + ":4000", make=tcp),
         ping(A, P, 4000), state(sessions=5, mappings=2)),
    case("shared-udp-opens", "what UDP has opened is open to TCP, and the other way round", pool(settings=SHARED),
         out(A + ":4000", P + ":4000"), back(S2 + ":9", P + ":4000", A + ":4000", "new-forward", make=tcp),
         out(B + ":4001", P + ":4001", make=tcp), back(S2 + ":9", P + ":4001", B + ":4001", "new-forward"),
         drops("wan0", udp(S2 + ":9", P + ":4002"), "no-mapping"), drops("wan0", tcp(S2 + ":9", P + ":4002"), "syn-held"),
         state(mappings=2)),
    case("shared-taken", "a port is taken for both protocols", pool(settings=SHARED),
         out(A + ":4000", P + ":4000"), out(B + ":4000", P + ":$b", make=tcp, b=even(but=[4000])),
         out(C + ":4000", P + ":$c", c=even(but=[4000, "b"])),
         state(mappings=3)),
    case("shared-exhausted", "and missing for both", pool(settings=SHARED + ", ports: 5000-5001"),
         out(A + ":5000", P + ":5000"), out(A + ":5001", P + ":5001", make=tcp),
         answers("lan0", udp(A + ":1", S + ":53"), "no-port", 3, 13), answers("lan0", tcp(A + ":1", S + ":53"), "no-port", 3, 13),
         out(A + ":5000", P + ":5000", make=tcp), ping(A, P, 5000), state(mappings=3)),
    case("shared-freed", "it rests and is freed for both when the last session of both is over",
         pool(settings=SHARED, timeouts="{udp: 10, tcp-opening: 20, port-rest: 30}"),
         out(A + ":4000", P + ":4000"), out(A + ":4000", P + ":4000", make=tcp), advance(11), sweep(ended=1, mappings_freed=0),
         advance(10), sweep(ended=1, mappings_freed=0), state(sessions=0, mappings=1),
         out(B + ":4000", P + ":$b", b=even(but=[4000])), advance(31), sweep(ended=1, mappings_freed=1), state(mappings=1),
         out(C + ":4000", P + ":4000", make=tcp)),
    case("shared-hairpin", "between two hosts inside", pool(settings=SHARED),
         out(A + ":4000", P + ":4000"),
         sends("lan0", tcp(B + ":5000", P + ":4000"), "lan0", tcp(P + ":5000", A + ":4000"), "new-forward"),
         sends("lan0", tcp(A + ":4000", P + ":5000", "SA"), "lan0", tcp(P + ":4000", B + ":5000", "SA")),
         sends("lan0", udp(B + ":5000", P + ":4000"), "lan0", udp(P + ":5000", A + ":4000"), "new-forward"),
         state(sessions=3, mappings=2), advance(242), sweep(), advance(7682), sweep(), advance(302), sweep(),
         state(sessions=0, mappings=0)),
    case("shared-hairpin-itself", "a socket with itself", pool(settings=SHARED),
         out(A + ":4000", P + ":4000"), sends("lan0", udp(A + ":4000", P + ":4000"), "lan0", udp(P + ":4000", A + ":4000"),
                                              "new-forward"),
         state(sessions=2, mappings=1), advance(302), sweep(ended=2), advance(122), sweep(mappings_freed=1)),
    case("shared-filtering-ad", "address-dependent filtering counts addresses for both", pool(settings=SHARED + ", " + AD),
         out(A + ":4000", P + ":4000"), back(S + ":99", P + ":4000", A + ":4000", "new-forward", make=tcp),
         back(S + ":99", P + ":4000", A + ":4000", "new-forward"), drops("wan0", udp(S2 + ":99", P + ":4000"), "filtered"),
         drops("wan0", tcp(S2 + ":99", P + ":4000"), "syn-held"), out(A + ":4000", P + ":4000", make=tcp, remote=S2 + ":80"),
         back(S2 + ":99", P + ":4000", A + ":4000", "new-forward"), state(mappings=1)),
    case("shared-forward", "a forward keeps its port for itself in both",
         pool(settings=SHARED, forwards='[{proto: tcp, external: "%s:443", internal: "%s:8443"}]' % (P, H)),
         back(S + ":5000", P + ":443", H + ":8443", "new-forward", make=tcp),
         out(H + ":8443", P + ":443", make=tcp), out(H + ":8443", P + ":8443"),
         out(A + ":443", P + ":$p", p=odd(1, 1023, but=[443])), out(B + ":443", P + ":$q", make=tcp, q=odd(1, 1023, but=[443, "p"])),
         drops("wan0", udp(S + ":5000", P + ":443"), "no-mapping"), state(mappings=3)),
    case("shared-listener", "a port that a socket of the box has in either protocol is not given", masquerade(SHARED),
         out(A + ":8080", X + ":$p", p=even(but=[8080, *range(32768, 61000)])),
         out(A + ":5354", X + ":$q", make=tcp, q=even(but=[5354, "p", *range(32768, 61000)])),
         out(A + ":5355", X + ":5355"), state(mappings=3),
         net=net(sockets=[{"proto": "tcp", "address": "", "port": 8080}, {"proto": "udp", "address": X, "port": 5354}])),
    case("shared-paired", "together with pairing", pool(TWO, SHARED + ", ports: 5000"),
         out(A + ":1", "$a:5000", a=EITHER), out(A + ":1", "$a:5000", make=tcp),
         answers("lan0", tcp(A + ":2", S + ":53"), "no-port", 3, 13),
         out(B + ":1", "$b:5000", b=EITHER), state(mappings=2)),

    # Filtering by protocol (RFC 5382 req. 3: may differ)
    case("filtering-apart", "TCP closed to strangers, UDP open",
         pool(settings="filtering: {tcp: address-and-port-dependent, udp: endpoint-independent}"),
         out(A + ":4000", P + ":4000"), out(A + ":4000", P + ":4000", make=tcp),
         back(S2 + ":9", P + ":4000", A + ":4000", "new-forward"), drops("wan0", tcp(S2 + ":9", P + ":4000"), "syn-held"),
         drops("wan0", tcp(S2 + ":9", P + ":4000", "A"), "filtered"), state(sessions=3)),
    case("filtering-apart-udp", "the other way round",
         pool(settings="filtering: {tcp: endpoint-independent, udp: address-dependent}"),
         out(A + ":4000", P + ":4000"), out(A + ":4000", P + ":4000", make=tcp),
         drops("wan0", udp(S2 + ":9", P + ":4000"), "filtered"), back(S + ":9", P + ":4000", A + ":4000", "new-forward"),
         back(S2 + ":9", P + ":4000", A + ":4000", "new-forward", make=tcp)),
    case("filtering-apart-shared", "where both have one mapping, too",
         pool(settings="filtering: {tcp: address-dependent, udp: endpoint-independent}, " + SHARED),
         out(A + ":4000", P + ":4000"), back(S2 + ":9", P + ":4000", A + ":4000", "new-forward"),
         drops("wan0", tcp(S + ":9", P + ":4000"), "syn-held"),
         out(A + ":4000", P + ":4000", make=tcp, remote=S3 + ":80"), back(S3 + ":9", P + ":4000", A + ":4000", "new-forward",
                                                                          make=tcp),
         drops("wan0", tcp(S2 + ":9", P + ":4000", "A"), "filtered"), state(mappings=1)),

    # Ports by chance (RFC 6056, RFC 7857 section 9)
    case("random", "ports by chance, with their class and parity", pool(settings="port-selection: random"),
         [out(A + ":%d" % (4000 + 2 * n), P + ":$p%d" % n, **{"p%d" % n: scattered(even(), "p%d", 4000, 2, n)}) for n in range(4)],
         [out(A + ":%d" % (4001 + 2 * n), P + ":$q%d" % n, make=tcp, **{"q%d" % n: scattered(odd(), "q%d", 4001, 2,
                                                                                             n)}) for n in range(4)],
         [out(A + ":%d" % (500 + 2 * n), P + ":$r%d" % n, **{"r%d" % n: scattered(even(2, 1022), "r%d", 500, 2,
                                                                                  n)}) for n in range(4)],
         [ping(A, P, 500 + n, "$i%d" % n, **{"i%d" % n: scattered(port(0), "i%d", 500, 1, n)}) for n in range(4)],
         out(A + ":4000", P + ":$p0", "forward"), out(A + ":4000", P + ":$p0", remote=S2 + ":9"), state(mappings=16)),
    case("random-apd", "by remote, too", pool(settings="port-selection: random, mapping: address-and-port-dependent"),
         [out(A + ":%d" % (4000 + 2 * n), P + ":$p%d" % n, **{"p%d" % n: scattered(even(), "p%d", 4000, 2, n)}) for n in range(4)]),
    case("random-few", "to the last one", pool(settings="port-selection: random, ports: 5000-5007"),
         [out("%s:%d" % (A, 4000 + n), P + ":$p%d" % n, **{"p%d" % n: port(5000, 5007,
                                                                           but=["p%d" % i for i in range(n)])}) for n in range(8)],
         answers("lan0", udp(A + ":1", S + ":53"), "no-port", 3, 13)),

    # An echo to the outside identifier of another host inside
    case("hairpin-echo", "one host pings another by its outside face, both ways", pool(),
         ping(A, P, 77), sends("lan0", echo(B, P, 77), "lan0", echo(P, A, "$i"), "new-forward", i=port(0, 65535, but=[77])),
         sends("lan0", echo_reply(A, P, "$i"), "lan0", echo_reply(P, B, 77)),
         sends("lan0", echo(B, P, 77), "lan0", echo(P, A, "$i")), ping(B, P, 77, "$i"),
         state(sessions=3, mappings=2), advance(62), sweep(ended=3), state(sessions=0), advance(122), sweep(mappings_freed=2),
         state(mappings=0)),
    case("hairpin-echo-outside", "from outside nobody does", pool(),
         ping(A, P, 77), drops("wan0", echo(S2, P, 77), "no-mapping"), drops("wan0", echo(S, P, 78), "no-mapping"),
         drops("wan0", timestamp(S2, P, 77), "no-mapping"), drops("wan0", echo_reply(S2, P, 77), "no-mapping"),
         drops("lan0", echo(B, P, 78), "no-mapping"),
         state(sessions=1, mappings=1)),
    case("hairpin-echo-itself", "a host pings its own outside face", pool(),
         ping(A, P, 77), sends("lan0", echo(A, P, 77), "lan0", echo(P, A, 77), "new-forward"),
         state(sessions=2, mappings=1), advance(62), sweep(ended=2), advance(122), sweep(mappings_freed=1)),
]
