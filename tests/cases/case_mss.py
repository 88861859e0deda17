# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""TCP's maximum segment size, held to what an interface says (mss: N, auto, off)."""
from scapy.layers.inet import IPOption_Router_Alert

from frames import case, fragments, passes, sends, tcp
from world import A, B, D, LAN, NARROW, NOBODY, S, X

H = "198.18.0.10"
ALERT = dict(options=[IPOption_Router_Alert()])


def config(lan0="off", wan0="off", more=""):
    return ("interfaces: [{name: lan0, mss: %s}, lan1, {name: wan0, mss: %s}]\n" % (lan0, wan0) +
            "rules: [{%s, action: masquerade}]\n" % LAN + more)


def raw(options, **but):
    """TCP options as bytes, filled up with zeros."""
    options += b"\0" * (-len(options) % 4)
    return dict(but, l4_dataofs=5 + len(options) // 4, payload=options + b"data of the SYN, which is rare")


def mss(value):
    return b"\2\4" + value.to_bytes(2, "big")


def syn(before, after, remote=S, source=4000, verdict="new-forward", flags="S", **but):
    """A SYN of a host inside with these options, and what becomes of them."""
    make = raw if isinstance(before, bytes) else lambda options, **more: dict(more, l4_options=options)
    return sends("lan0", tcp("%s:%d" % (A, source), remote + ":80", flags, **make(before), **but), "wan0",
                 tcp("%s:%d" % (X, source), remote + ":80", flags, **make(after), **but), verdict)


def synack(before, after, remote=S, source=4000, flags="SA", **but):
    make = raw if isinstance(before, bytes) else lambda options, **more: dict(more, l4_options=options)
    return sends("wan0", tcp(remote + ":80", "%s:%d" % (X, source), flags, **make(before), **but), "lan0",
                 tcp(remote + ":80", "%s:%d" % (A, source), flags, **make(after), **but))


NUMBER = config(wan0=1400)
USUAL = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
HELD = [("MSS", 1400)] + USUAL[1:]

CASES = [
    case("mss-number", "SYN and SYN-ACK through the interface, both ways", NUMBER,
         syn(USUAL, HELD), synack(USUAL, HELD), syn(USUAL, HELD, verdict="forward"), synack(USUAL, HELD),
         syn(mss(65535), mss(1400), verdict="forward"), synack(mss(65535), mss(1400))),
    case("mss-in", "connections from outside likewise",
         config(wan0=1400, more='forwards: [{proto: tcp, external: "%s:443", internal: "%s:8443"}]\n' % (X, H)),
         sends("wan0", tcp(S + ":5000", X + ":443", l4_options=USUAL), "lan0", tcp(S + ":5000", H + ":8443", l4_options=HELD),
               "new-forward"),
         sends("lan0", tcp(H + ":8443", S + ":5000", "SA", l4_options=USUAL), "wan0",
               tcp(X + ":443", S + ":5000", "SA", l4_options=HELD))),
    case("mss-smaller", "a smaller one stays, and an equal one", NUMBER,
         [syn(mss(n), mss(n), source=4000 + n) for n in (0, 1, 536, 1399, 1400)],
         [syn(mss(n), mss(1400), source=4000 + n) for n in (1401, 1402, 9000)]),
    case("mss-none", "where there is none, none is made", NUMBER,
         syn(b"", b""), synack(b"", b""), syn([("SAckOK", b""), ("WScale", 7)], [("SAckOK", b""), ("WScale", 7)], source=4001),
         syn(b"\1" * 40, b"\1" * 40, source=4002), syn(b"\0" * 40, b"\0" * 40, source=4003)),
    case("mss-places", "at every place among the options, even and odd", NUMBER,
         [syn(b"\1" * n + mss(1460 + n), b"\1" * n + mss(1400), source=4000 + n) for n in range(0, 37)],
         [synack(b"\1" * n + mss(1460 + n), b"\1" * n + mss(1400), source=4000 + n) for n in range(0, 37)]),
    case("mss-behind", "behind other options of every length", NUMBER,
         [syn(bytes([254, n]) + b"\2" * (n - 2) + mss(1460), bytes([254, n]) + b"\2" * (n - 2) + mss(1400),
              source=4000 + n) for n in range(2, 37)]),
    case("mss-twice", "a second one is not looked at", NUMBER, syn(mss(1460) + mss(1460), mss(1400) + mss(1460))),
    case("mss-end", "nor what stands behind the end of the options", NUMBER,
         syn(b"\0" + mss(1460), b"\0" + mss(1460)), syn(b"\1\0\0" + mss(1460), b"\1\0\0" + mss(1460), source=4001),
         syn(b"\1" * 8, b"\1" * 8, source=4003)),
    case("mss-malformed", "options that contradict themselves are left alone", NUMBER,
         [syn(options, options, source=4000 + n) for n, options in enumerate([
             b"\2\3\5\xb4" + mss(1460), b"\2\5\5\xb4\0" + mss(1460), b"\2\0\5\xb4", b"\2\1\5\xb4", b"\2\2\5\xb4",
             b"\3\0\0" + mss(1460), b"\3\1\0" + mss(1460),
             b"\1\1\1\2", b"\1\1\2\4", b"\1\2\4\5", b"\1" * 39 + b"\2", b"\1" * 38 + b"\2\4", b"\1" * 37 + b"\2\4\5",
             b"\x08\xff" + mss(1460), b"\x08\x29" + mss(1460), b"\x08\x28" + b"\2" * 38, b"\xfe" + b"\1" * 39])]),
    case("mss-others", "only SYNs are looked at", NUMBER,
         syn(USUAL, HELD), synack(USUAL, HELD), [syn(USUAL, USUAL, verdict="forward", flags=f) for f in ("A", "PA", "FA", "R", "A")],
         [synack(USUAL, USUAL, flags=f) for f in ("A", "PA", "FA", "RA")]),
    case("mss-off", "off is off", config(), syn(USUAL, USUAL), synack(USUAL, USUAL), syn(mss(65535), mss(65535), source=4001)),
    case("mss-auto", "what the interfaces' MTU allows", config(wan0="auto"),
         syn(mss(8960), mss(1460)), synack(mss(8960), mss(1460)), syn(mss(1460), mss(1460), source=4001),
         syn(mss(1461), mss(1460), source=4002)),
    case("mss-auto-route", "and what a narrower route does, both ways", config(wan0="auto"),
         syn(mss(1460), mss(1360), remote=NARROW), synack(mss(1460), mss(1360), remote=NARROW),
         syn(mss(1300), mss(1300), remote=NARROW, source=4001)),
    case("mss-auto-neighbour", "with the interface's MTU where no route says one yet", config(wan0="auto"),
         passes("lan0", tcp(A + ":4000", NOBODY + ":80", **raw(mss(8960))), "slow-neighbour",
                tcp(X + ":4000", NOBODY + ":80", **raw(mss(1460))))),
    case("mss-two", "of two interfaces the smaller one", config(lan0=1300, wan0=1400),
         syn(mss(1460), mss(1300)), synack(mss(1460), mss(1300)), syn(mss(1350), mss(1300), source=4001)),
    case("mss-two-auto", "a number and auto likewise", config(lan0="auto", wan0=1400), syn(mss(1460), mss(1400)),
         synack(mss(1460), mss(1400)),
         syn(mss(1460), mss(1360), remote=NARROW, source=4001)),
    case("mss-lan", "that of the inside interface holds for its connections, not for others", config(lan0=1300),
         syn(mss(1460), mss(1300)), synack(mss(1460), mss(1300)),
         sends("lan1", tcp(D + ":4001", S + ":80", l4_options=USUAL), "wan0", tcp(X + ":4001", S + ":80", l4_options=USUAL),
               "new-forward")),
    case("mss-hairpin", "in and out by one interface", config(lan0=1300),
         sends("lan0", tcp(A + ":4000", S + ":80"), "wan0", tcp(X + ":4000", S + ":80"), "new-forward"),
         sends("lan0", tcp(B + ":5000", X + ":4000", l4_options=[("MSS", 1460)]), "lan0",
               tcp(X + ":5000", A + ":4000", l4_options=[("MSS", 1300)]),
               "new-forward"),
         sends("lan0", tcp(A + ":4000", X + ":5000", "SA", l4_options=[("MSS", 1460)]), "lan0",
               tcp(X + ":4000", B + ":5000", "SA", l4_options=[("MSS", 1300)]))),
    case("mss-slow", "on the slow road, too", NUMBER,
         passes("lan0", tcp(A + ":4000", NOBODY + ":80", l4_options=USUAL), "slow-neighbour",
                tcp(X + ":4000", NOBODY + ":80", l4_options=HELD)),
         sends("wan0", tcp(NOBODY + ":80", X + ":4000", "SA", l4_options=USUAL), "lan0",
               tcp(NOBODY + ":80", A + ":4000", "SA", l4_options=HELD)),
         passes("lan0", tcp(A + ":4001", S + ":80", l4_options=USUAL, **ALERT), "slow-options",
                tcp(X + ":4001", S + ":80", l4_options=HELD, **ALERT)),
         passes("lan0", tcp(A + ":4002", S + ":80", **raw(b"\1" * 35 + mss(1460)), **ALERT), "slow-options",
                tcp(X + ":4002", S + ":80", **raw(b"\1" * 35 + mss(1400)), **ALERT))),
    case("mss-fragment", "in a first fragment", NUMBER,
         fragments("lan0", tcp(A + ":4000", S + ":80", **raw(b"\1" + mss(1460))), "wan0",
                   tcp(X + ":4000", S + ":80", **raw(b"\1" + mss(1400))), 32)),
    case("mss-tagged", "behind a priority tag", NUMBER,
         sends("lan0", tcp(A + ":4000", S + ":80", l4_options=USUAL, tags=((0x8100, 0xa000),)), "wan0",
               tcp(X + ":4000", S + ":80", l4_options=HELD, tags=((0x8100, 0xa000),)), "new-forward")),
    case("mss-gso", "a GSO packet's segments are as they are", NUMBER,
         syn(USUAL, HELD), synack(USUAL, HELD),
         sends("lan0", tcp(A + ":4000", S + ":80", "A", payload=b"g" * 2920), "wan0",
               tcp(X + ":4000", S + ":80", "A", payload=b"g" * 2920), gso=1460),
         hosts=("tc",), only="GSO packets are tc's alone"),
]
