# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""TCP: the state machine of RFC 7857 figure 1, seen by the time-out that a connection has and by when it ends."""
from frames import advance, case, drops, sends, state, sweep, tcp
from world import A, P, S, pool

C, R = A + ":4000", S + ":80"     # client, server
CX = P + ":4000"
OPENING, CLOSING = 30, 20
ESTABLISHED = 100 + CLOSING     # its own time, and then it is as one that is closing (figure 1: TRANS)
POOL = pool(timeouts="{tcp-opening: %d, tcp-established: 100, tcp-closing: %d}" % (OPENING, CLOSING))
H = "198.18.0.10"
FORWARD = POOL + 'forwards: [{proto: tcp, external: "%s:443", internal: "%s:8443"}]\n' % (P, H)


def out(flags, verdict="forward", client=C, client_x=CX, server=R, at=None, data=b""):
    return sends("lan0", tcp(client, server, flags, payload=data), "wan0", tcp(client_x, server, flags, payload=data), verdict, at)


def back(flags, verdict="forward", client=C, client_x=CX, server=R, at=None, data=b""):
    return sends("wan0", tcp(server, client_x, flags, payload=data), "lan0", tcp(server, client, flags, payload=data), verdict, at)


def data(send, flags="A", at=None):
    return send(flags, data=b"some data", at=at)


def idle(seconds, client=C, client_x=CX, server=R):
    """Both directions know of the same time-out."""
    return state(sessions=1, idle={"%s > %s" % (client, server): seconds, "%s > %s" % (server, client_x): seconds})


def gone(seconds):
    """It lives for so many more quiet seconds, and no longer."""
    return [advance(seconds), sweep(ended=0, live=1), advance(1), sweep(ended=1), state(sessions=0)]


HANDSHAKE = [out("S", "new-forward"), idle(OPENING), back("SA"), idle(ESTABLISHED), out("A"), idle(ESTABLISHED)]
FINS = [out("FA"), back("A"), back("FA"), out("A"), idle(CLOSING)]

CASES = [
    # CLOSED, INIT
    case("tcp-init", "a SYN alone is opening; each one more renews that", POOL,
         out("S", "new-forward"), idle(OPENING), advance(29), out("S"), idle(OPENING), gone(OPENING)),
    case("tcp-init-late", "an answer after that time comes to nobody", POOL,
         out("S", "new-forward"), advance(31), drops("wan0", tcp(R, CX, "SA"), "no-mapping"), state(sessions=0)),
    case("tcp-established", "established from the server's SYN on", POOL, HANDSHAKE, back("A"), data(out), data(back),
         idle(ESTABLISHED),
         data(out, at="xdp"), data(back, at="xdp"), data(out, "PA", at="xdp")),
    case("tcp-established-syn-ack", "also before the client has acknowledged it", POOL,
         out("S", "new-forward"), back("SA"), gone(ESTABLISHED)),
    case("tcp-established-refresh", "packets of either side keep it", POOL, HANDSHAKE,
         [[advance(99), out("A"), advance(99), back("A")] for _ in range(3)], gone(ESTABLISHED)),
    case("tcp-established-quiet",
         "one that was quiet for its time is transitory for four minutes more, and established again by data", POOL, HANDSHAKE,
         advance(101), data(out), idle(ESTABLISHED), advance(119), data(back), idle(ESTABLISHED), gone(ESTABLISHED)),
    case("tcp-longest", "the longest times are no shorter ones together",
         pool(timeouts="{tcp-established: 65000, tcp-closing: 1000}"),
         out("S", "new-forward"), back("SA"), idle(65535), advance(65534), out("A"), gone(65535)),
    case("tcp-defaults", "two hours and four minutes established, four minutes before and after", pool(),
         out("S", "new-forward"), idle(240), back("SA"), out("A"), idle(7680),
         advance(7679), back("A"), advance(7679), out("A"), out("FA"), back("FA"), idle(240), gone(240)),
    case("tcp-transitory", "one setting for opening and closing", pool(timeouts="{tcp-transitory: 17}"),
         out("S", "new-forward"), idle(17), back("SA"), idle(7457), out("R"), idle(17)),
    case("tcp-simultaneous", "both send a SYN: established", POOL,
         out("S", "new-forward"), idle(OPENING), back("S"), idle(ESTABLISHED), out("SA"), back("SA"), out("A"), idle(ESTABLISHED),
         data(out, at="xdp")),
    case("tcp-split", "a handshake in four parts", POOL, out("S", "new-forward"), back("A"), idle(OPENING), back("S"),
         idle(ESTABLISHED),
         out("SA"), back("A"), idle(ESTABLISHED)),
    case("tcp-forward", "a connection from outside, likewise", FORWARD,
         sends("wan0", tcp(S + ":5000", P + ":443"), "lan0", tcp(S + ":5000", H + ":8443"), "new-forward"),
         state(idle={S + ":5000 > " + P + ":443": OPENING}),
         sends("lan0", tcp(H + ":8443", S + ":5000", "SA"), "wan0", tcp(P + ":443", S + ":5000", "SA")),
         state(idle={S + ":5000 > " + P + ":443": ESTABLISHED, H + ":8443 > " + S + ":5000": ESTABLISHED}),
         sends("wan0", tcp(S + ":5000", P + ":443", "R"), "lan0", tcp(S + ":5000", H + ":8443", "R")),
         state(idle={S + ":5000 > " + P + ":443": CLOSING, H + ":8443 > " + S + ":5000": CLOSING})),
    case("tcp-syn-established", "a SYN within an established connection changes nothing", POOL, HANDSHAKE,
         out("S"), idle(ESTABLISHED), back("A"), back("S"), idle(ESTABLISHED)),
    case("tcp-midstream", "a connection that natvi has not seen begin is taken up", POOL,
         out("A", "new-forward"), idle(OPENING), back("A"), idle(ESTABLISHED), data(out), idle(ESTABLISHED)),
    case("tcp-midstream-fin", "its end is, too", POOL, out("FA", "new-forward"), idle(OPENING), back("FA"), idle(CLOSING)),

    # FIN
    case("tcp-fin-client", "a FIN of the client leaves it established", POOL, HANDSHAKE, out("FA"), idle(ESTABLISHED), back("A"),
         data(back), data(back), idle(ESTABLISHED), gone(ESTABLISHED)),
    case("tcp-fin-server", "a FIN of the server likewise", POOL, HANDSHAKE, back("FA"), idle(ESTABLISHED), data(out),
         gone(ESTABLISHED)),
    case("tcp-fin-both", "both: closing, whoever was first; stragglers are still translated", POOL, HANDSHAKE,
         out("FA"), back("FA"), idle(CLOSING), out("A"), back("A"), back("FA"), idle(CLOSING), gone(CLOSING)),
    case("tcp-fin-both-server", "the server first", POOL, HANDSHAKE, back("FA"), out("FA"), idle(CLOSING), back("A"), gone(CLOSING)),
    case("tcp-fin-stays", "data after both FINs does not open it again", POOL, HANDSHAKE, FINS, data(out), data(back), idle(CLOSING)),
    case("tcp-fin-early", "a FIN before the server's SYN", POOL, out("S", "new-forward"), out("FA"), idle(OPENING), back("SA"),
         idle(ESTABLISHED),
         back("FA"), idle(CLOSING)),

    # RST
    case("tcp-rst-client", "a RST of the client: closing, for both", POOL, HANDSHAKE, out("R"), idle(CLOSING), gone(CLOSING)),
    case("tcp-rst-server", "a RST of the server", POOL, HANDSHAKE, back("RA"), idle(CLOSING), gone(CLOSING)),
    case("tcp-rst-opening", "a connection refused", POOL, out("S", "new-forward"), back("RA"), idle(CLOSING),
         out("S"), idle(OPENING), back("SA"), idle(ESTABLISHED)),
    case("tcp-rst-fin", "a RST after a FIN", POOL, HANDSHAKE, out("FA"), back("R"), idle(CLOSING), gone(CLOSING)),
    case("tcp-rst-ack", "acknowledgements after a RST do not open it again, and keep it", POOL, HANDSHAKE,
         [[reset, out("A"), back("A"), idle(CLOSING)] for reset in (out("R"), back("R"))],
         advance(15), out("A"), advance(15), back("A"), idle(CLOSING), gone(CLOSING)),
    case("tcp-rst-data-client", "data after a RST does: it was not meant for them (RFC 5961)", POOL, HANDSHAKE,
         back("R"), idle(CLOSING), data(out), idle(ESTABLISHED), back("A"), idle(ESTABLISHED), data(back), gone(ESTABLISHED)),
    case("tcp-rst-data-server", "whoever sends it", POOL, HANDSHAKE, out("R"), idle(CLOSING), data(back), idle(ESTABLISHED),
         out("A"), idle(ESTABLISHED),
         data(out, at="xdp"), data(back), data(back, at="xdp")),
    case("tcp-rst-data-same", "also he who sent the RST", POOL, HANDSHAKE, out("R"), data(out), idle(ESTABLISHED), data(back),
         idle(ESTABLISHED)),
    case("tcp-rst-data-rst", "and a RST after that closes it once more", POOL, HANDSHAKE, back("R"), data(out), idle(ESTABLISHED),
         back("R"), idle(CLOSING),
         out("A"), idle(CLOSING), data(back), idle(ESTABLISHED)),
    case("tcp-rst-data-fin", "the end of one that has come back", POOL, HANDSHAKE, back("R"), data(out), data(back), out("FA"),
         idle(ESTABLISHED),
         back("FA"), idle(CLOSING)),
    case("tcp-rst-midstream", "one that natvi has not seen begin comes back by data of both", POOL,
         out("A", "new-forward"), back("A"), idle(ESTABLISHED), back("R"), idle(CLOSING), data(out), idle(OPENING), data(back),
         idle(ESTABLISHED)),
    case("tcp-rst-repeated", "RSTs alone keep nothing alive (RFC 7857 section 7.1)", POOL, HANDSHAKE,
         advance(50), back("R"), advance(10), back("R"), advance(10), out("R"), back("R"), advance(1), sweep(ended=1),
         state(sessions=0)),
    case("tcp-rst-new", "a RST starts nothing", POOL, drops("lan0", tcp(C, R, "R"), "no-state"),
         drops("lan0", tcp(C, R, "RA"), "no-state"),
         drops("lan0", tcp(C, R, "SR"), "no-state"), state(sessions=0, mappings=0)),

    # The same ports again
    case("tcp-reopened", "a SYN on a closing session begins anew", POOL, HANDSHAKE, FINS,
         out("S"), idle(OPENING), back("SA"), idle(ESTABLISHED), out("A"), data(out), idle(ESTABLISHED), out("FA"),
         idle(ESTABLISHED)),
    case("tcp-reopened-server", "from the other side, too", POOL, HANDSHAKE, FINS,
         back("S"), idle(OPENING), out("SA"), idle(ESTABLISHED), back("A"), idle(ESTABLISHED)),
    case("tcp-reopened-rst", "likewise after a RST", POOL, HANDSHAKE,
         back("R"), idle(CLOSING), out("S"), idle(OPENING), back("SA"), idle(ESTABLISHED), out("A"), idle(ESTABLISHED)),
    case("tcp-reopened-stragglers", "the last words of the old connection within the new one", POOL, HANDSHAKE, FINS,
         out("S"), idle(OPENING), back("A"), idle(OPENING), back("SA"), idle(ESTABLISHED)),
    case("tcp-reopened-expired", "or later: a new session", POOL, HANDSHAKE, FINS, advance(21), out("S", "new-forward"),
         idle(OPENING)),

    # Time
    case("tcp-times-apart", "each state by its own clock, with and without the sweep", POOL, HANDSHAKE,
         advance(119), back("A"), advance(121), drops("wan0", tcp(R, CX, "A"), "no-mapping"), state(sessions=0),
         out("S", "new-forward"), advance(31), out("S", "new-forward"), back("R"), advance(21),
         drops("wan0", tcp(R, CX, "A"), "no-mapping"),
         state(sessions=0)),
]
