# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Time-outs, expiry with and without the sweep, resting ports. TCP's states are in case_tcp.py."""
from frames import advance, case, drops, echo, echo_reply, even, other, sends, state, sweep, tcp, udp
from world import A, B, P, S, S2, X, masquerade, pool

C, R = A + ":4000", S + ":80"     # client, server
CX = P + ":4000"
POOL = pool()
TIMES = dict(timeouts="{udp: 20, tcp-established: 100, tcp-opening: 10, tcp-closing: 12, icmp: 5, other: 7, port-rest: 30}")


def udp_out(verdict="forward", inside=C, outside=CX, remote=R, **where):
    return sends("lan0", udp(inside, remote), "wan0", udp(outside, remote), verdict, **where)


def udp_back(verdict="forward", inside=C, outside=CX, remote=R):
    return sends("wan0", udp(remote, outside), "lan0", udp(remote, inside), verdict)


CASES = [
    # Time-outs
    case("timeouts", "every kind has its own", masquerade(**TIMES),
         udp_out("new-forward", outside=X + ":4000"),
         sends("lan0", echo(A, S, 9), "wan0", echo(X, S, 9), "new-forward"),
         sends("lan0", other(A, S, 50), "wan0", other(X, S, 50), "new-forward"),
         sends("lan0", tcp(A + ":4001", R), "wan0", tcp(X + ":4001", R), "new-forward"),
         sends("lan0", tcp(A + ":4002", R, "A"), "wan0", tcp(X + ":4002", R, "A"), "new-forward"),
         sends("wan0", tcp(R, X + ":4002", "A"), "lan0", tcp(R, A + ":4002", "A")),
         state(sessions=5, idle={"%s > %s" % (C, R): 20, "%s:9 > %s:9" % (A, S): 5, "%s:0 > %s:0" % (A, S): 7,
                                 "%s:4001 > %s" % (A, R): 10, "%s:4002 > %s" % (A, R): 112}),
         advance(4), sweep(ended=0, live=5),
         advance(2), sweep(ended=1, live=4),       # echo
         advance(3), sweep(ended=1, live=3),       # ESP
         advance(3), sweep(ended=1, live=2),       # half-open TCP
         advance(10), sweep(ended=1, live=1),      # UDP
         advance(90), sweep(ended=0, live=1),
         advance(2), sweep(ended=1, live=0),
         state(sessions=0)),
    case("refresh-out", "packets out keep a session", POOL,
         udp_out("new-forward"), [[advance(299), udp_out()] for _ in range(3)], udp_back(), state(sessions=1)),
    case("refresh-in", "packets in keep it as well (RFC 4787 req. 6)", POOL,
         udp_out("new-forward"), [[advance(299), udp_back()] for _ in range(3)], udp_out(), state(sessions=1)),
    case("refresh-other-side", "one side's silence alone ends nothing, and the sweep agrees", POOL,
         udp_out("new-forward"), advance(299), udp_back(), advance(200), sweep(ended=0, live=1), udp_out(),
         advance(299), sweep(ended=0, live=1), udp_back(), state(sessions=1)),
    case("expired-miss", "past its time a session is a miss before any sweep", POOL,
         udp_out("new-forward"), udp_back(), advance(302),
         drops("wan0", udp(R, CX), "no-mapping"),
         state(sessions=0),
         udp_out("new-forward"), udp_back(), state(sessions=1, mappings=1)),
    case("expired-icmp", "an echo for a minute", POOL,
         sends("lan0", echo(A, S, 9), "wan0", echo(P, S, 9), "new-forward"), advance(59),
         sends("wan0", echo_reply(S, P, 9), "lan0", echo_reply(S, A, 9)), advance(62),
         drops("wan0", echo_reply(S, P, 9), "no-mapping")),
    case("sweep-frees", "the sweep ends, buries, and frees two passes later", POOL,
         udp_out("new-forward"), sweep(ended=0, live=1, freed=0), advance(302), sweep(ended=1, live=0, freed=0),
         sweep(freed=0), sweep(freed=2), state(sessions=0)),

    # Ports at rest (RFC 6888 req. 8)
    case("port-rests", "a port that became free is not given to another host for a while", POOL,
         udp_out("new-forward"), advance(302), sweep(ended=1, mappings_freed=0),
         drops("wan0", udp(S2 + ":1", CX), "no-mapping"),
         udp_out("new-forward", inside=B + ":4000", outside=P + ":$p", p=even(but=[4000])),
         state(sessions=1, mappings=2)),
    case("port-rests-own", "but to the same host at once", POOL,
         udp_out("new-forward"), advance(302), sweep(ended=1), udp_out("new-forward"), udp_back("new-forward", remote=S2 + ":7"),
         state(sessions=2, mappings=1)),
    case("port-rested", "the sweep gives it back when it has rested", POOL,
         udp_out("new-forward"), advance(302), sweep(ended=1, mappings_freed=0),
         advance(118), sweep(mappings_freed=0), advance(4), sweep(mappings_freed=1),
         state(mappings=0),
         udp_out("new-forward", inside=B + ":4000", outside=CX)),
    case("port-held", "a mapping does not rest while one of its sessions lives", POOL,
         udp_out("new-forward"), advance(200), udp_out("new-forward", remote=S2 + ":80"), advance(150), sweep(ended=1, mappings_freed=0),
         udp_back("new-forward", remote=S2 + ":81"), advance(140), sweep(mappings_freed=0),
         udp_back(remote=S2 + ":81"), state(sessions=2, mappings=1)),
]
