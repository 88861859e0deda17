# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 5508: ICMP."""
import re
import struct
import time

import pytest
from scapy.all import ICMP, IP, TCP, UDP, IPOption_NOP, Raw

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, INSIDE3, INSIDES, REFUSE, SERVER, TO_POOL, config
from hops import BEYOND, DEEP, WAY_OUT, extend, mtr, traceroute, tracepath
from lab import in_time, persist
from wire import exchange
from wires import (FAR, FAR2, FAR3, ONE, ONE_POOL, RAW, RAW2, RAW3, ROUTER, Wires, arrivals, error_about, in_pool, nat,
                   ports_of, quoted, raw_echo, raw_udp, sound, source_rule, summed, word)

SHORT_S = 2
INSIDE_ROUTER = "198.18.0.99"   # has no mapping
REDIRECT, PARAMETER, TIMESTAMP, TIMESTAMP_REPLY = 5, 12, 13, 14
# RFC 4884: length of the quotation, then version 2, checksum, one object (an MPLS label as RFC 4950 has it).
QUOTED_BYTES = 128
OBJECT = struct.pack("!HBB", 8, 1, 1) + b"\x00\x01\x81\x01"


def is_error(packet):
    return ICMP in packet and packet[ICMP].type in (3, 4, 5, 11, 12)


def about(wires):
    """One packet each of UDP, TCP and ICMP that has arrived outside with another port than it had, so that all of it must be undone."""
    packets = {}
    for name, make in (("udp", lambda host: raw_udp(host, 4001, FAR, 5000, b"x" * 60)),
                       ("tcp", lambda host: IP(src=host, dst=FAR) / TCP(sport=4001, dport=5000, flags="S", seq=9) / Raw(b"y" * 9)),
                       ("icmp", lambda host: raw_echo(host, FAR, 4001, data=b"z" * 61))):
        wires.out(make(RAW2))
        packets[name] = wires.out(make(RAW))
    return packets


def undone(name, inner):
    """The quoted packet is what RAW had sent."""
    assert (inner.src, inner.dst) == (RAW, FAR), inner.summary()
    if name == "icmp":
        assert inner[ICMP].id == 4001
    else:
        assert ports_of(inner) == (4001, 5000)


def broken(error, at):
    """The same ICMP message with one bit of it wrong, at an offset in it; its own checksum covers that only if at is not in it."""
    message = bytearray(bytes(error[ICMP]))
    message[at] ^= 0x10
    return IP(src=error.src, dst=error.dst, proto=1) / Raw(bytes(message) if at == 2 else summed(bytes(message)))


@pytest.mark.level("M")
def test_rfc5508_req1(net):
    """An inside host's query goes out and its answer comes back, also where hosts have chosen the same identifier."""
    nat(net, pool=ONE_POOL)
    with arrivals(net, "icmp"):
        for host in INSIDES:    # one after the other: the kernel shows a ping that begins the answers of others, too
            said = net.inside.ping(SERVER, "-e", 77, "-I", host, count=3)
            assert "DUP" not in said, said
    wires = Wires(net)
    seen = {}
    for host in (RAW, RAW2, RAW3):
        out = wires.out(raw_echo(host, FAR, 78))
        seen[host] = out[ICMP].id
        back = wires.into(raw_echo(FAR, out.src, out[ICMP].id, type=0))
        assert (back.dst, back[ICMP].id) == (host, 78)
    assert len(set(seen.values())) == 3


@pytest.mark.level("S")
def test_rfc5508_req1a(net):
    """The identifier that a query goes out with does not depend on where it goes."""
    nat(net)
    wires = Wires(net)
    for host in (RAW, RAW2):
        seen = {(out.src, out[ICMP].id) for out in (wires.out(raw_echo(host, remote, 79)) for remote in (FAR, FAR2, FAR3, "198.51.100.250"))}
        assert len(seen) == 1 and in_pool(next(iter(seen))[0]), seen


@pytest.mark.level("M")
def test_rfc5508_req2(net, defaults):
    """A query may be answered 59 s later with the default configuration; the time is configurable."""
    natvi = nat(net, pool=ONE_POOL, timeouts={"icmp": SHORT_S})
    wires = Wires(net)

    def answered():
        out, again = wires.out(raw_echo(RAW, FAR, 80)), wires.out(raw_echo(RAW, FAR, 81))
        time.sleep(1)
        wires.cross("outside", raw_echo(FAR, ONE, out[ICMP].id, type=0), timeout=2)
        return again
    again = in_time(answered, SHORT_S)
    time.sleep(SHORT_S + 1.1)
    wires.lost("outside", raw_echo(FAR, ONE, again[ICMP].id, type=0))
    natvi.reload(config(net.hook, rules=[TO_POOL, REFUSE], pool=ONE_POOL, timeouts={"icmp": 1234}))
    wires.out(raw_echo(RAW, FAR, 82))
    assert [s["expires_s"] in range(1230, 1235) for s in natvi.sessions("sport", "82")] == [True]
    defaults.ask("icmp")


@pytest.mark.level("S")
def test_rfc5508_req3(net):
    """An ICMP error whose checksum is wrong is dropped, and a query's wrong checksum is not made right."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    packets = about(wires)
    inward = wires.into(raw_udp(FAR, 5000, ONE, packets["udp"].sport, b"to be quoted"))
    errors = [("outside", error_about(packet, 3, 1, ROUTER)) for packet in packets.values()] + [("inside", error_about(inward, 3, 3, RAW))]
    for side, error in errors:
        other = "inside" if side == "outside" else "outside"
        before = natvi.counter("bad-icmp")
        wires.send(side, broken(error, 2))
        wires.none(other, is_error, "an error with a wrong checksum")
        assert natvi.counter("bad-icmp") == before + 1
        wires.cross(side, error, is_error)
    query = raw_echo(RAW, FAR, 4001, seq=5)
    query[ICMP].chksum = 0x1234
    wires.send("inside", query)
    frame = wires.tap["outside"].receive(lambda p: ICMP in p and p[ICMP].seq == 5, 0.5)
    if frame:
        with pytest.raises(AssertionError, match="ICMP checksum is"):
            sound(frame)


@pytest.mark.level("S")
def test_rfc5508_req3a(net):
    """An ICMP error that quotes an IP header with a wrong checksum is dropped."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    packets = about(wires)
    inward = wires.into(raw_udp(FAR, 5000, ONE, packets["udp"].sport, b"to be quoted"))
    errors = [("outside", error_about(packet, 11, 0, ROUTER)) for packet in packets.values()] + [("inside", error_about(inward, 3, 3, RAW))]
    for side, error in errors:
        other = "inside" if side == "outside" else "outside"
        for at in (8 + 10, 8 + 8, 8 + 1):   # the quoted checksum itself, TTL, type of service
            before = natvi.counter("bad-icmp")
            wires.send(side, broken(error, at))
            wires.none(other, is_error, "an error that quotes a damaged header", 0.2)
            assert natvi.counter("bad-icmp") == before + 1
        wires.cross(side, error, is_error)


@pytest.mark.level("M")
def test_rfc5508_req3b(net):
    """IP options in the quoted header are stepped over to find the ports behind them."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    with arrivals(net, "icmp"):
        for name, packet in about(wires).items():
            for count in (4, 20, 40):
                aged = IP(bytes(packet))
                aged.options = [IPOption_NOP()] * count
                aged.ihl = aged.len = aged.chksum = None
                aged = IP(bytes(aged))
                for length in (aged.ihl * 4 + 8, None):
                    error = wires.into(error_about(aged, 3, 1, ROUTER, length=length), is_error)
                    inner = quoted(error)
                    assert inner.ihl == 5 + count // 4 and error.dst == RAW
                    undone(name, inner)
    # A packet that had them from the start.
    out = wires.out(IP(src=RAW, dst=FAR, options=[IPOption_NOP()] * 4) / UDP(sport=4009, dport=5000) / Raw(word()))
    error = wires.into(error_about(out, 11, 0, ROUTER), is_error)
    assert quoted(error).ihl == 6 and ports_of(quoted(error)) == (4009, 5000) and error.dst == RAW


@pytest.mark.level("S")
def test_rfc5508_req3c(net):
    """The checksum of the quoted TCP, UDP or ICMP header does not matter."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    for name, packet in about(wires).items():
        place = 8 + 20 + {"udp": 6, "tcp": 16, "icmp": 2}[name]
        error = wires.into(broken(error_about(packet, 3, 1, ROUTER), place), is_error)
        assert error.dst == RAW
        undone(name, quoted(error))


def extended(packet, type, source, length_given):
    """An error with a quotation of 128 bytes and an extension behind it, as RFC 4884 has it; or without the length, as before it."""
    body = bytes(packet[IP])[:QUOTED_BYTES].ljust(QUOTED_BYTES, b"\0")
    extension = summed(b"\x20\0\0\0" + OBJECT)
    words = QUOTED_BYTES // 4 if length_given else 0
    message = summed(struct.pack("!BBHBBH", type, 0, 0, 0, words, 0) + body + extension)
    return IP(src=source, dst=packet.src, proto=1) / Raw(message), extension


@pytest.mark.level("M")
def test_rfc5508_req3d(net):
    """An extension behind the quoted packet is no part of it: it arrives as it was sent, and the message's checksum is right."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    with arrivals(net, "icmp"):
        for name, packet in about(wires).items():
            for type in (3, 11):
                for length_given in (True, False):
                    message, extension = extended(packet, type, ROUTER, length_given)
                    error = wires.into(message, is_error)
                    raw = bytes(error)[error.ihl * 4:error.len]
                    assert len(raw) == 8 + QUOTED_BYTES + len(extension)
                    assert raw[8 + QUOTED_BYTES:] == extension and raw[5] == (QUOTED_BYTES // 4 if length_given else 0)
                    undone(name, quoted(error))


@pytest.mark.level("M")
def test_rfc5508_req4(net):
    """An error from outside is dropped without a session; with one it goes to the host, type and code kept, quoting what that had sent."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    packets = about(wires)
    with arrivals(net, "icmp"):
        for name, packet in packets.items():
            for type, code in ((3, 0), (3, 1), (3, 3), (3, 13), (11, 0), (11, 1)):
                for length in (28, 29, 33, None):
                    error = wires.into(error_about(packet, type, code, ROUTER, length=length), is_error)
                    assert (error.src, error.dst, error[ICMP].type, error[ICMP].code) == (ROUTER, RAW, type, code)
                    undone(name, quoted(error))
                    if length is None:
                        sound(quoted(error))    # a quotation that is whole has its checksums right, too
    before = natvi.counter("icmp-unrelated")
    strangers = [raw_udp(ONE, 4444, FAR, 5000), raw_udp(ONE, packets["udp"].sport, FAR2, 5000), raw_udp(RAW, 4001, FAR, 5000),
                 raw_udp("192.0.2.9", 4001, FAR, 5000), raw_echo(ONE, FAR, 9999)]
    for stranger in strangers:
        error = error_about(IP(bytes(stranger)), 3, 1, ROUTER)
        error.dst = ONE
        wires.send("outside", error)
    wires.none("inside", is_error, "an error about nothing that went out")
    assert natvi.counter("icmp-unrelated") == before + len(strangers)
    hops_inside(net)


def hops_inside(net):
    """What the tools show to a host behind a router inside."""
    deep, _ = extend(net)
    persist(lambda: way_from(deep))     # all of them wait for a second or so only


def way_from(deep):
    for options in ((), ("-I",), ("-T", "-p", "80"), ("-U", "-p", "53")):
        assert traceroute(deep, BEYOND, *options) == WAY_OUT, options
    for options in ((), ("-u",)):
        assert mtr(deep, BEYOND, *options) == WAY_OUT, options
    assert tracepath(deep, BEYOND) == (WAY_OUT, 1500)


OUTSIDE_FORWARDS = [{"proto": "tcp", "external": "192.0.2.3:8080", "internal": DEEP + ":80"},
                    {"proto": "udp", "external": "192.0.2.4", "internal": DEEP}]


@pytest.mark.level("M")
def test_rfc5508_req5(net):
    """An error from inside is dropped without a session; with one it goes out from the mapped address or the NAT's, quoting what had come."""
    natvi = nat(net, pool=ONE_POOL, forwards=OUTSIDE_FORWARDS)
    wires = Wires(net)
    packets = about(wires)
    back = {"udp": wires.into(raw_udp(FAR, 5000, ONE, packets["udp"].sport, b"u" * 50)),
            "tcp": wires.into(IP(src=FAR, dst=ONE) / TCP(sport=5000, dport=packets["tcp"].sport, flags="SA", seq=3, ack=10)),
            "icmp": wires.into(raw_echo(FAR, ONE, packets["icmp"][ICMP].id, type=0))}
    with arrivals(net, "icmp"):
        for name, packet in back.items():
            for type, code in ((3, 3), (3, 1), (11, 0)):
                for source in (RAW, INSIDE_ROUTER):
                    for length in (28, None):
                        error = wires.out(error_about(packet, type, code, source, length=length), is_error)
                        assert error.src in (ONE, EXTERNAL) and error.dst == FAR, error.summary()
                        assert (error[ICMP].type, error[ICMP].code) == (type, code)
                        inner = quoted(error)
                        assert (inner.src, inner.dst) == (FAR, ONE)
                        if name == "icmp":
                            assert inner[ICMP].id == packets[name][ICMP].id
                        else:
                            assert ports_of(inner) == (5000, packets[name].sport)
    before = natvi.counter("icmp-unrelated")
    error = error_about(IP(bytes(raw_udp(FAR, 5000, INSIDE, 4444))), 3, 3, RAW)
    wires.send("inside", error)
    wires.none("outside", is_error, "an error about nothing that came in")
    assert natvi.counter("icmp-unrelated") == before + 1
    hops_outside(net)


def hops_outside(net):
    """What the tools show to a host outside of the way to a forward: the gateway, a router inside under an outside address, the forward."""
    deep, beyond = extend(net)
    deep.tcp_listen(DEEP, 80)
    persist(lambda: way_to_forwards(beyond))


def way_to_forwards(beyond):
    way = ["198.51.100.129", EXTERNAL]
    for hops, forward in ((traceroute(beyond, "192.0.2.3", "-T", "-p", "8080"), "192.0.2.3"),
                          (traceroute(beyond, "192.0.2.4", "-U", "-p", "53"), "192.0.2.4"),
                          (mtr(beyond, "192.0.2.3", "-T", "-P", "8080") + ["192.0.2.3"], "192.0.2.3"),
                          (mtr(beyond, "192.0.2.4", "-u", "-P", "53") + ["192.0.2.4"], "192.0.2.4"),
                          (tracepath(beyond, "192.0.2.4")[0], "192.0.2.4")):
        assert hops[:2] == way and hops[-1] == forward, hops
        assert len(hops) == 4 and hops[2] in (forward, EXTERNAL), hops
    # And to a scanner: what is forwarded is open or closed, and all else says nothing.
    said = beyond.run("nmap", "-n", "-Pn", "-sU", "-p", "1234", "--max-retries", 3, "192.0.2.4").stdout
    assert re.search(r"1234/udp +closed", said), said


@pytest.mark.level("M")
def test_rfc5508_req6(net):
    """Errors about a query neither end its session, nor let it live longer."""
    natvi = nat(net, pool=ONE_POOL, timeouts={"icmp": SHORT_S})
    wires = Wires(net)

    def alive():
        out, kept = wires.out(raw_echo(RAW, FAR, 90)), wires.out(raw_echo(RAW, FAR, 91))
        reply = wires.into(raw_echo(FAR, ONE, kept[ICMP].id, type=0))
        for type, code in ((3, 1), (3, 3), (11, 0)):
            for packet in (out, kept):
                wires.into(error_about(packet, type, code, ROUTER), is_error)
            wires.out(error_about(reply, type, code, RAW), is_error)
        for packet, id in ((out, 90), (kept, 91)):
            back = wires.into(raw_echo(FAR, ONE, packet[ICMP].id, type=0))
            assert (back.dst, back[ICMP].id) == (RAW, id)
        return out, kept, reply
    out, kept, reply = in_time(alive, SHORT_S)
    for _ in range(SHORT_S + 2):
        time.sleep(1)
        wires.send("outside", error_about(out, 3, 1, ROUTER))
        wires.send("inside", error_about(reply, 3, 3, RAW))
    wires.drain()
    for packet in (out, kept):
        wires.lost("outside", raw_echo(FAR, ONE, packet[ICMP].id, type=0))
    assert natvi.sessions("proto", "icmp") == []


@pytest.mark.level("M")
def test_rfc5508_req7(net):
    """Queries between inside hosts by external addresses and identifiers arrive, and so do errors about hairpinned packets; both look as from outside."""
    nat(net, forwards=[{"proto": "udp", "external": "192.0.2.30", "internal": INSIDE3}])
    wires = Wires(net)
    first, second = wires.out(raw_echo(RAW, FAR, 100)), wires.out(raw_echo(RAW2, FAR, 101))
    wires.drain()

    def at_inside(packet):
        """Send from inside; the packet as it comes back to the inside."""
        seq = packet[ICMP].seq
        wires.send("inside", packet)
        return wires.expect("inside", lambda p: ICMP in p and (p[ICMP].type, p[ICMP].seq) == (packet[ICMP].type, seq), packet.summary())
    request = at_inside(raw_echo(RAW, second.src, second[ICMP].id, seq=7))
    assert (request.dst, request.src) == (RAW2, first.src)
    reply = at_inside(raw_echo(RAW2, request.src, request[ICMP].id, seq=7, type=0))
    # RAW gets its answer from where it had asked, with the identifier that it had used.
    assert (reply.dst, reply.src, reply[ICMP].id) == (RAW, second.src, second[ICMP].id)
    # An error about a hairpinned datagram.
    out = {host: wires.out(raw_udp(host, 4100, FAR, 5000)) for host in (RAW, RAW2)}
    wires.send("inside", raw_udp(RAW, 4100, out[RAW2].src, out[RAW2].sport, b"hello peer"))
    arrived = wires.expect("inside", lambda p: UDP in p and p[IP].dst == RAW2, "the hairpinned datagram")
    assert (arrived.src, arrived.sport) == (out[RAW].src, out[RAW].sport)
    for source in (RAW2, INSIDE_ROUTER):
        wires.drain()
        wires.send("inside", error_about(arrived, 3, 3, source))
        error = wires.expect("inside", is_error, "the error")
        inner = quoted(error)
        assert error.dst == RAW and in_pool(error.src) or error.src == GATEWAY, error.summary()
        assert (inner.src, inner.dst, ports_of(inner)) == (RAW, out[RAW2].src, (4100, out[RAW2].sport))
    # What kernels make of it.
    with arrivals(net, "udp", "icmp"):
        sender, server = net.inside.udp(INSIDE, 4102), net.outside.udp(SERVER, 5000)
        gone = net.inside.udp(INSIDE2, 4103)
        external = exchange(gone, server, (SERVER, 5000))
        gone.close()
        for destination in (external, ("192.0.2.30", 999)):
            sender = net.inside.udp(INSIDE, 0)
            sender.connect(destination)
            sender.send(b"anybody?")
            with pytest.raises(ConnectionRefusedError):
                sender.recv(10)
    assert traceroute(net.inside, "192.0.2.30", "-s", INSIDE, "-U", "-p", "999") == [GATEWAY, "192.0.2.30"]


def exhausted(net, wires, pool, host, code):
    """The second of two flows finds no port: an error to its sender, and the first one goes on."""
    live = net.inside.udp(pool, 4000)
    outside = net.outside.udp(SERVER, 5000 + code)
    external = exchange(live, outside, (SERVER, 5000 + code))
    for packet in (raw_udp(host, 4001, FAR, 5000), IP(src=host, dst=FAR) / TCP(sport=4001, dport=80, flags="S", seq=1)):
        packet = IP(bytes(packet))
        wires.drain()
        if TCP in packet:
            wires.out(packet)   # TCP's ports are others
            packet[TCP].sport = 4002
            del packet[TCP].chksum
            packet = IP(bytes(packet))
        wires.lost("inside", packet)
        error = wires.error("inside")
        inner = quoted(error)
        assert (error[ICMP].code, error.dst, error.src) == (code, host, GATEWAY), error.summary()
        assert (inner.src, inner.dst, ports_of(inner)) == (host, packet.dst, (packet.sport, packet.dport))
    assert exchange(live, outside, (SERVER, 5000 + code)) == external


@pytest.mark.level("S")
def test_rfc5508_req8(net):
    """A packet that gets no port is dropped and its sender told so: ICMP 3/13, or what the administrator has chosen."""
    one_port = {"addresses": ["192.0.2.20"], "ports": "2000"}
    natvi = nat(net, pool=one_port)
    wires = Wires(net)
    exhausted(net, wires, INSIDE, RAW, 13)
    natvi.reload(config(net.hook, rules=[source_rule("other", INSIDE2, RAW2), TO_POOL, REFUSE],
                        pool=one_port, **{"on-exhaustion": "host-unreachable"}) | {"pools": [
                            {"name": "public", **one_port}, {"name": "other", "addresses": ["192.0.2.21"], "ports": "2000"}]})
    exhausted(net, wires, INSIDE2, RAW2, 1)


@pytest.mark.level("M")
def test_rfc5508_req10(net):
    """Destination unreachable, time exceeded and echo pass in both directions; of other messages nothing leaves untranslated."""
    nat(net, pool=ONE_POOL, forwards=[{"proto": "udp", "external": "192.0.2.3:53", "internal": RAW3 + ":53"}])
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    echo = wires.out(raw_echo(RAW, FAR, 110))
    assert wires.into(raw_echo(FAR, ONE, echo[ICMP].id, type=0)).dst == RAW
    back = wires.into(raw_udp(FAR2, 6000, "192.0.2.3", 53))
    for type in (3, 11):
        for code in range(16 if type == 3 else 2):
            assert wires.into(error_about(out, type, code, ROUTER), is_error).dst == RAW
            error = wires.out(error_about(back, type, code, RAW3), is_error)
            assert error.dst == FAR2 and error.src in ("192.0.2.3", EXTERNAL)
    others = [("outside", error_about(out, REDIRECT, 1, ROUTER, unused=0xcb00714d)), ("outside", error_about(out, PARAMETER, 0, ROUTER)),
              ("inside", error_about(back, REDIRECT, 1, RAW3, unused=0xc6120063)), ("inside", error_about(back, PARAMETER, 0, RAW3)),
              ("inside", IP(src=RAW, dst=FAR) / ICMP(type=TIMESTAMP, id=111)),
              ("outside", IP(src=FAR, dst=ONE) / ICMP(type=TIMESTAMP, id=echo[ICMP].id))]
    for side, packet in others:
        wires.drain()
        wires.send(side, packet)
        frame = wires.tap["outside" if side == "inside" else "inside"].receive(lambda p: ICMP in p, 0.3)
        if not frame:
            continue
        arrived = sound(frame[IP])
        if side == "inside":
            assert not arrived.src.startswith("198.18."), arrived.summary()
            assert b"\xc6\x12\x00" not in bytes(arrived), "an inside address leaks: %s" % arrived.summary()
        else:
            assert arrived.dst == RAW, arrived.summary()
