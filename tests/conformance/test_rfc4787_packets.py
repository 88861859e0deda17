# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 4787, requirements 9, 10 and 12 to 14: hairpins, payloads, ICMP, sizes and fragments of UDP's packets."""
import itertools
import random
import re

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Raw

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, INSIDES, MASQUERADE, SERVER, TO_POOL
from lab import persist
from services import iperf3, listening
from stun import Stun
from wire import Capture, exchange
from wires import (FAR, FAR2, FAR3, ONE, ONE_POOL, RAW, RAW2, RAW3, ROUTER, ROUTER2, Wires, arrivals, error_about, icmp_of_all_kinds, joined, load, nat,
                   pieces, ports_of, quoted, raw_echo, raw_udp, set_mtu, settings, silent, word)

UNREACHABLES = [code for code in range(16) if code != 4]
FORWARD = {"proto": "udp", "external": "192.0.2.3:5353", "internal": INSIDE2 + ":53"}
SIP = (b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.10:5060\r\nContact: <sip:alice@198.18.0.10:5060>\r\n\r\n"
       b"v=0\r\no=alice 1 1 IN IP4 198.18.0.10\r\nc=IN IP4 198.18.0.10\r\nm=audio 7078 RTP/AVP 0\r\n")
TFTP_READ = b"\0\1file\0octet\0"


@pytest.mark.level("M")
def test_rfc4787_req9(net):
    """A packet from inside to the external address and port of an inside host's mapping, or of a forward, reaches that host."""
    nat(net, forwards=[FORWARD])
    server = net.outside.udp(SERVER, 5000)
    peers = [net.inside.udp(host, 4030 + n) for n, host in enumerate(INSIDES)]
    with arrivals(net, "udp"):
        externals = [exchange(peer, server, (SERVER, 5000)) for peer in peers]
        for (here, there) in itertools.permutations(range(len(peers)), 2):
            text = b"%d to %d" % (here, there)
            peers[here].sendto(text, externals[there])
            assert peers[there].recvfrom(100)[0] == text
        # Also to another socket of the same host.
        own = net.inside.udp(INSIDE, 4040)
        peers[0].sendto(b"me", exchange(own, server, (SERVER, 5000)))
        assert own.recvfrom(10)[0] == b"me"
        service = net.inside.udp(INSIDE2, 53)
        peers[0].sendto(b"?", ("192.0.2.3", 5353))
        assert service.recvfrom(10)[0] == b"?"
    assert Stun(net).ask("-H", port=4100).hairpinned()


@pytest.mark.level("M")
def test_rfc4787_req9a(net):
    """The receiver of such a packet sees the sender's external address and port as its source, and can answer to it."""
    nat(net, forwards=[FORWARD])
    server = net.outside.udp(SERVER, 5000)
    first, second, same_host = net.inside.udp(INSIDE, 4030), net.inside.udp(INSIDE2, 4031), net.inside.udp(INSIDE, 4032)
    service = net.inside.udp(INSIDE2, 53)
    externals = {sock: exchange(sock, server, (SERVER, 5000)) for sock in (first, second, same_host)}
    externals[service] = ("192.0.2.3", 5353)
    for here, there in itertools.permutations(externals, 2):
        here.sendto(b"who?", externals[there])
        data, source = there.recvfrom(10)
        # The host that the forward leads to has one mapping, both ways.
        assert (data, source) == (b"who?", externals[here])
        there.sendto(b"you!", source)
        assert here.recvfrom(10) == (b"you!", externals[there])


def kernels(port):
    """A rule that leaves a UDP port to the kernel, and the kernel's own NAT with its helper for TFTP."""
    rule = dict(MASQUERADE, name="kernel", proto="udp", to={"interface": "wan0", "ports": [port]}, action="kernel")
    return rule, """table ip alg {
        ct helper tftp { type "tftp" protocol udp; }
        chain help { type filter hook prerouting priority 0; udp dport %d ct helper set "tftp"; }
        chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
    }""" % port


@pytest.mark.level("S")
def test_rfc4787_req10(net):
    """No payload of UDP is changed and no port opened for what it says, unless the administrator leaves a protocol to a helper."""
    rule, table = kernels(69)
    strict = {"filtering": "address-and-port-dependent"}
    natvi = nat(net, strict)
    inside, sip = net.inside.udp(INSIDE, 5060), net.outside.udp(SERVER, 5060)
    inside.sendto(SIP, (SERVER, 5060))
    data, source = sip.recvfrom(2000)
    assert data == SIP
    media, caller = net.inside.udp(INSIDE, 7078), net.outside.udp(SERVER, 8000)
    caller.sendto(b"audio", (source[0], 7078))
    assert silent(media)
    client, server, data_port = net.inside.udp(INSIDE, 4069), net.outside.udp(SERVER, 69), net.outside.udp(SERVER, 3333)

    def tftp():
        """A server of TFTP answers by another port; whether the client gets it."""
        client.sendto(TFTP_READ, (SERVER, 69))
        data, source = server.recvfrom(100)
        assert data == TFTP_READ
        data_port.sendto(b"\0\3\0\1data", source)
        return not silent(client)
    assert not tftp()
    # The same protocol, left to the kernel and its helper.
    net.gateway.run("nft", "-f", "-", input=table)
    natvi.reload(settings(net, strict, rules=[rule, TO_POOL]))
    client = net.inside.udp(INSIDE, 4070)
    assert tftp() and client.recvfrom(100) == (b"\0\3\0\1data", (SERVER, 3333))


@pytest.mark.level("M")
def test_rfc4787_req12(net):
    """No ICMP message, from whichever side, ends a mapping."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    back = wires.into(raw_udp(FAR, 5000, ONE, 4001))
    for error in icmp_of_all_kinds(out, ROUTER):
        wires.send("outside", error)
    for error in icmp_of_all_kinds(back, RAW):
        wires.send("inside", error)
    # The last one did arrive before the mapping is looked at.
    wires.into(error_about(out, 3, 1, FAR), lambda p: ICMP in p and p[IP].src == FAR)
    assert wires.into(raw_udp(FAR, 5000, ONE, 4001)).dst == RAW
    assert wires.into(raw_udp(FAR2, 5000, ONE, 4001)).dst == RAW
    assert wires.out(raw_udp(RAW, 4001, FAR2, 5001)).sport == 4001
    assert [m["outside"]["port"] for m in natvi.show("mappings") if m["inside"]["addr"] == RAW] == [4001]
    assert len(natvi.sessions()) == 3


@pytest.mark.level("S")
def test_rfc4787_req12a(net):
    """An ICMP error is not dropped for who sent it: it comes from routers on the way, which no session knows."""
    nat(net, pool=dict(ONE_POOL, filtering="address-and-port-dependent"))
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    for router in (FAR, FAR3, ROUTER, ROUTER2, SERVER, "203.0.113.200"):
        error = wires.into(error_about(out, 11, 0, router), lambda p: ICMP in p and p[ICMP].type == 11)
        assert (error.src, error.dst) == (router, RAW)


@pytest.mark.level("R")
def test_rfc4787_req12b(net):
    """Destination unreachable is translated, whatever its code: to the host, quoting the packet as the host had sent it."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    taker = wires.out(raw_udp(RAW2, 4001, FAR2, 5000))   # so that the port of the next one must change
    with arrivals(net, "udp", "icmp"):
        out = wires.out(raw_udp(RAW, 4001, FAR, 5000, b"x" * 40))
        assert taker.sport != out.sport
        for code in UNREACHABLES:
            error = wires.into(error_about(out, 3, code, ROUTER, length=28), lambda p: ICMP in p and p[ICMP].type == 3)
            inner = quoted(error)
            assert (error.dst, error[ICMP].code) == (RAW, code)
            assert (inner.src, inner.dst, ports_of(inner)) == (RAW, FAR, (4001, 5000)), inner.summary()
        # What the host's kernel makes of it.
        client = net.inside.udp(INSIDE, 4002)
        client.connect((SERVER, 5999))
        client.send(b"nobody there")
        with pytest.raises(ConnectionRefusedError):
            client.recv(10)


def too_big(wires, side, packet, mtu, own):
    """A packet with DF that does not fit: its sender is told the next link's size, by the gateway, and nothing goes on."""
    wires.drain()
    wires.lost(side, packet)
    error = wires.error(side)
    assert (error.src in own, error.dst, error[ICMP].code, error[ICMP].nexthopmtu) == (True, packet.src, 4, mtu), error.summary()
    inner, sent = quoted(error), bytes(IP(bytes(packet)))
    compared = min(len(bytes(inner)), 128)
    assert compared >= 28
    # TTL and checksum may differ: the packet has passed the gateway's ingress.
    assert bytes(inner)[:8] == sent[:8] and bytes(inner)[9:10] == sent[9:10] and bytes(inner)[12:compared] == sent[12:compared]


@pytest.mark.level("M")
def test_rfc4787_req13(net):
    """A packet with DF that is too big for the next link: ICMP 3/4 with that link's MTU to its sender, quoting what he sent, both ways."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    set_mtu(net, natvi, wan0=1400)
    too_big(wires, "inside", raw_udp(RAW, 4001, FAR, 5000, word() + b"x" * 1400, flags="DF"), 1400, (GATEWAY, EXTERNAL))
    too_big(wires, "inside", raw_udp(RAW2, 4009, FAR2, 5000, word() + b"x" * 1400, flags="DF"), 1400, (GATEWAY, EXTERNAL))
    wires.out(raw_udp(RAW, 4001, FAR, 5000, word() + b"x" * (1400 - 28 - 8), flags="DF"))
    said = net.inside.run("ping", "-c", 1, "-W", 10, "-M", "do", "-s", 1400, "-I", INSIDE, SERVER, check=False).stdout
    assert re.search(r"From %s .*[Ff]rag needed.*mtu = 1400" % GATEWAY, said), said
    assert iperf3(net.outside, net.inside, SERVER, seconds=1)["sum_received"]["bytes"] >= 100000
    set_mtu(net, natvi, wan0=1500, lan0=1300)
    own = (EXTERNAL, ONE)
    too_big(wires, "outside", raw_udp(FAR, 5000, out.src, out.sport, word() + b"x" * 1300, flags="DF"), 1300, own)
    too_big(wires, "outside", raw_udp(FAR2, 5000, out.src, out.sport, word() + b"x" * 1300, flags="DF"), 1300, own)
    wires.into(raw_udp(FAR, 5000, out.src, out.sport, word() + b"x" * (1300 - 28 - 8), flags="DF"))
    assert iperf3(net.outside, net.inside, SERVER, "-R", seconds=1)["sum_received"]["bytes"] >= 100000


@pytest.mark.level("M")
def test_rfc4787_req13a(net):
    """Without DF it is fragmented, and the fragments leave in order, both ways."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    with arrivals(net, "udp"):
        for mtus, mtu, side, packet in (
                ({"wan0": 600}, 600, "inside", raw_udp(RAW, 4001, FAR, 5000, word() + b"x" * 1400)),
                ({"wan0": 1500, "lan0": 700}, 700, "outside", raw_udp(FAR, 5000, out.src, out.sport, word() + b"x" * 1400))):
            set_mtu(net, natvi, **mtus)
            arrived = wires.cross_pieces(side, [IP(bytes(packet))])
            assert [f.frag for f in arrived] == sorted(f.frag for f in arrived) and len(arrived) == 3
            assert all(f.len <= mtu for f in arrived)
            whole = joined(arrived)
            assert load(whole[UDP]) == load(packet[UDP])
            assert (whole.src, whole.dst, whole.sport, whole.dport) == (
                (ONE, FAR, 4001, 5000) if side == "inside" else (FAR, RAW, 5000, 4001))


def datagrams(out):
    """Large packets of each protocol from both sides, given the external port of each protocol's mapping."""
    body = [word() + bytes(range(256)) * 15 for _ in range(6)]
    yield "inside", raw_udp(RAW, 4001, FAR, 5000, body[0])
    yield "outside", raw_udp(FAR, 5000, ONE, out["udp"], body[1])
    yield "inside", raw_echo(RAW, FAR, 77, seq=9, data=body[2])
    yield "outside", raw_echo(FAR, ONE, out["icmp"], seq=9, type=0, data=body[3])
    yield "inside", IP(src=RAW, dst=FAR) / TCP(sport=4001, dport=5000, flags="A", seq=5, ack=6) / Raw(body[4])
    yield "outside", IP(src=FAR, dst=ONE) / TCP(sport=5000, dport=out["tcp"], flags="A", seq=6, ack=5) / Raw(body[5])


ORDERS = {"in order": lambda n: list(range(n)), "reversed": lambda n: list(range(n))[::-1], "second first": lambda n: [1, 0, *range(2, n)],
          "last first": lambda n: [n - 1, *range(n - 1)]}


@pytest.mark.level("M")
def test_rfc4787_req14(net):
    """Fragments arrive, translated, in whichever order they came: UDP, TCP and ICMP, both ways."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    out = {"udp": wires.out(raw_udp(RAW, 4001, FAR, 5000)).sport, "icmp": wires.out(raw_echo(RAW, FAR, 77))[ICMP].id}
    out["tcp"] = wires.out(IP(src=RAW, dst=FAR) / TCP(sport=4001, dport=5000, flags="S", seq=4))[TCP].sport
    wires.into(IP(src=FAR, dst=ONE) / TCP(sport=5000, dport=out["tcp"], flags="SA", seq=5, ack=5))
    ids = itertools.count(1000)
    for name, order in ORDERS.items():
        for side, packet in datagrams(out):
            def crossed():
                parts = pieces(packet, 1400, id=next(ids))
                return joined(wires.cross_pieces(side, [parts[i] for i in order(len(parts))], 3))
            try:
                whole = persist(crossed)
            except AssertionError as problem:
                raise AssertionError("%s, from %s, %s: %s" % (packet.summary(), side, name, problem)) from problem
            assert (whole.src, whole.dst) == ((ONE, FAR) if side == "inside" else (FAR, RAW))
            assert bytes(whole)[-3000:] == bytes(packet)[-3000:]
    # Kernels, a STUN client with padding, and a scanner whose SYNs are in pieces.
    with arrivals(net, "udp", "icmp"):
        exchange(net.inside.udp(INSIDE, 4002), net.outside.udp(SERVER, 5000), (SERVER, 5000), b"y" * 20000)
        net.inside.ping(SERVER, "-s", 30000, "-I", INSIDE, count=2, interval=0.2)
    assert Stun(net).mapping(4100, "-P") == "endpoint-independent"
    net.outside.tcp_listen(SERVER, 80)
    listening(net.outside, 80)
    said = net.inside.run("nmap", "-n", "-Pn", "-sS", "--mtu", 24, "-p", "80,81", "-S", INSIDE, "-e", "eth0", SERVER).stdout
    assert re.search(r"80/tcp +open", said) and re.search(r"81/tcp +closed", said), said


def hostile(out):
    """Fragments that lead to nothing, as bytes of IP packets with their sides, without end."""
    dice = random.Random(4787)
    filler = b"z" * 64
    for number in itertools.count():
        id = dice.randrange(65536)
        stranger = "198.51.100.%d" % dice.randrange(1, 77)
        sort = number % 5
        if sort == 0:   # first ones, to a mapping that is there
            yield "outside", IP(src=stranger, dst=ONE, proto=17, flags="MF", id=id) / UDP(sport=1, dport=out.sport, len=2000) / filler
        elif sort == 1:     # later ones that nothing went before
            yield "outside", IP(src=stranger, dst=ONE, proto=17, flags="MF", frag=dice.randrange(1, 8000), id=id) / filler
        elif sort == 2:     # tiny ones, and ones beyond the end
            yield "outside", IP(src=FAR3, dst=ONE, proto=17, frag=dice.choice((0, 1, 8191)), flags="MF", id=id) / filler[:8]
        elif sort == 3:     # from inside, by hosts that nobody knows and by one that has a mapping
            yield "inside", IP(src=dice.choice((RAW3, "198.18.0.99")), dst=FAR3, proto=17, frag=dice.randrange(1, 8000), id=id) / filler
        else:   # what one might guess of a good datagram to come
            yield "outside", IP(src=FAR3, dst=ONE, proto=17, flags="MF", frag=dice.choice((2, 175)), id=id % 64) / filler


@pytest.mark.level("M")
def test_rfc4787_req14a(net):
    """A flood of fragments that never make a datagram does no harm to other packets and fragments, and lets nothing out untranslated."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    leaks = [Capture(net.outside, filter="src net 198.18.0.0/15 or src host %s" % ONE),
             Capture(net.inside, filter="dst net 192.0.2.0/24 or dst host %s" % RAW)]
    flood = hostile(out)
    burst = [(side, bytes(wires.header[side] / packet)) for side, packet in itertools.islice(flood, 4000)]
    wires.ignore("src net 198.51.100.0/25 or host %s" % FAR3)
    inside, outside = net.inside.udp(INSIDE, 4003), net.outside.udp(SERVER, 5000)
    for sock in (inside, outside):
        sock.settimeout(5)
    ids = itertools.count(2000)
    for _ in range(8):
        for side, frame in burst:
            wires.tap[side].sock.send(frame)
        assert persist(lambda: exchange(inside, outside, (SERVER, 5000))) == (ONE, 4003)
        assert persist(lambda: exchange(inside, outside, (SERVER, 5000), b"y" * 5000)) == (ONE, 4003)
        for side, packet in list(datagrams({"udp": out.sport, "icmp": 1, "tcp": 1}))[:2]:
            whole = persist(lambda: joined(wires.cross_pieces(side, pieces(packet, 1400, id=next(ids)), 3)))
            assert load(whole[UDP]) == load(packet[UDP])
        wires.drain()
    assert natvi.counter("fragment") + natvi.counter("fragment-limit") + natvi.counter("fragment-bad") > 1000
    outward, inward = (capture.stop().fields("ip", "ip.src", "ip.dst") for capture in leaks)
    assert {source for source, _ in outward} == {ONE}, "untranslated, outside"
    assert {destination for _, destination in inward} == {RAW}, "untranslated, inside"
