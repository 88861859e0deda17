# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 7857: updates of the others."""
import itertools
import time

import pytest
from scapy.all import ESP, ICMP, IP, TCP, UDP, Raw

from chance import unpredictable, unrelated
from gateway import REFUSE, TO_POOL
from lab import in_time
from wire import reset
from wires import (FAR, FAR2, ONE, ONE_POOL, RAW, RAW2, RAW3, Segments, Wires, connected, error_about, joined, nat, pieces,
                   raw_echo, raw_udp, settings, source_rule, talk, word)


@pytest.mark.level("S")
def test_rfc7857_req2_1(net):
    """The state machine of figure 1: established from the server's SYN on, closing once both have said FIN or one RST, back with data."""
    nat(net, pool=ONE_POOL, timeouts={"tcp-established": 8, "tcp-opening": 3, "tcp-closing": 4})
    wires = Wires(net)
    names = ("init", "server-syn", "client-fin", "server-fin", "both-fin", "client-rst", "server-rst", "revived", "again", "timed-out")
    line = {name: Segments(wires, sport=4000 + n) for n, name in enumerate(names)}
    line["init"].out("S")
    line["server-syn"].out("S")
    line["server-syn"].into("SA")
    for name in names[2:]:
        line[name].open()
    line["client-fin"].out("FA")
    line["server-fin"].into("FA")
    line["both-fin"].close()
    line["client-rst"].out("R", advance=False)
    line["server-rst"].into("R", advance=False)
    line["revived"].into("R", advance=False)
    line["revived"].out("PA", b"it was no end")
    line["again"].close()
    line["again"].out("S")      # a new connection by the same ports
    line["again"].into("SA")
    idle_since = time.monotonic()
    time.sleep(5.2)     # more than opening and closing, less than established
    line["server-syn"].out("A")
    line["client-fin"].into("PA", b"the other half")
    line["server-fin"].out("PA", b"the other half")
    line["revived"].into("PA", b"and back")
    line["again"].out("A")
    line["again"].into("PA", b"new data")
    line["init"].lost("outside", "SA")
    line["both-fin"].lost("outside", "FA")
    line["client-rst"].lost("outside", "PA", b"late")
    line["server-rst"].lost("outside", "PA", b"late")
    # Its time as established is over; figure 1 keeps it as long as a closing one.
    time.sleep(max(0, idle_since + 9.2 - time.monotonic()))
    line["timed-out"].into("PA", b"not too late")


@pytest.mark.level("S")
@pytest.mark.timeout(330)
def test_rfc7857_req2_2(net, defaults):
    """Connections that open and those that close have times of their own, each of 4 min by default."""
    natvi = nat(net, pool=ONE_POOL, timeouts={"tcp-opening": 2, "tcp-closing": 9})
    wires = Wires(net)

    def both(sport):
        opening, closing = Segments(wires, sport=sport), Segments(wires, sport=sport + 1)
        opening.out("S")
        closing.open().close()
        closing.next["outside"] -= 1
        return opening, closing
    first = both(4000)
    time.sleep(4)
    first[0].lost("outside", "SA")
    first[1].into("FA")
    natvi.reload(settings(net, ONE_POOL, timeouts={"tcp-opening": 9, "tcp-closing": 2}))
    second = both(4010)
    time.sleep(4)
    second[0].into("SA")
    second[1].lost("outside", "FA")
    defaults.ask("tcp-opening")
    defaults.ask("tcp-closing")


@pytest.mark.level("M")
@pytest.mark.timeout(330)
def test_rfc7857_req2_3(net, defaults):
    """A RST is translated, and the connection's state stays for 4 quiet minutes: data of who did not believe it still passes."""
    nat(net, pool=ONE_POOL, timeouts={"tcp-closing": 3})
    wires = Wires(net)
    numbers = itertools.count()

    def believed_by_nobody(flags):
        number = next(numbers)
        out, into = Segments(wires, sport=4000 + number).open(), Segments(wires, sport=4100 + number).open()
        rst = out.out(flags, advance=False)
        assert (rst.src, rst[TCP].sport) == (ONE, 4000 + number) and rst[TCP].flags == flags
        rst = into.into(flags, advance=False)
        assert (rst.dst, rst[TCP].dport) == (RAW, 4100 + number)
        time.sleep(1.5)
        out.into("PA", b"what?")
        into.out("PA", b"pardon?")
    for flags in ("R", "RA"):
        in_time(lambda: believed_by_nobody(flags), 3)
    # What kernels make of it.
    for closer in (0, 1):
        pair = connected(net, 5000 + closer)[:2]
        talk(*pair)
        pair[1 - closer].settimeout(20)
        reset(pair[closer])
        with pytest.raises(ConnectionResetError):
            pair[1 - closer].recv(1)
    defaults.ask("tcp-reset")


@pytest.mark.level("S")
def test_rfc7857_req4(net):
    """A host has one external address in all protocols, those without ports included, and in what it begins anew."""
    natvi = nat(net, timeouts={"udp": 1, "port-rest": 1})
    wires = Wires(net)
    hosts = ["198.18.0.%d" % n for n in range(100, 116)]
    wires.neighbours(*hosts)
    for number, host in enumerate(hosts):
        remote = "198.51.100.%d" % (200 + number)     # protocols without ports need one each
        seen = {wires.out(packet).src for packet in (
            raw_udp(host, 4000, remote, 5000), IP(src=host, dst=remote) / TCP(sport=4000, dport=80, flags="S", seq=number),
            raw_echo(host, remote, 4000), IP(src=host, dst=remote) / ESP(spi=number, seq=1, data=word()))}
        assert len(seen) == 1, "%s: %s" % (host, seen)
    # UDP's mappings go, the others stay; the next one is where they are.
    before = {host: wires.out(raw_echo(host, FAR, 4000)).src for host in hosts}
    time.sleep(4)
    assert not natvi.sessions("proto", "udp")
    assert {host: wires.out(raw_udp(host, 4010, FAR, 5000)).src for host in hosts} == before


def external_ports(wires, host, port):
    """The external ports of a host's UDP and TCP from one port."""
    udp = wires.out(raw_udp(host, port, FAR, 5000))
    tcp = wires.out(IP(src=host, dst=FAR) / TCP(sport=port, dport=80, flags="S", seq=port))
    assert udp.src == tcp.src
    return udp.sport, tcp.sport


def two_ways(net):
    """natvi with a pool whose protocols are separate (the default) for RAW and RAW2, and one where they are shared, for RAW3 and the fourth."""
    fourth = "198.18.0.53"
    natvi = nat(net, pool=ONE_POOL, rules=[source_rule("common", RAW3, fourth), TO_POOL, REFUSE], tcp={"unsolicited": "silent"},
                pools=[{"name": "common", "addresses": ["192.0.2.20"], "protocols": "shared"}])
    wires = Wires(net)
    wires.neighbours(fourth)
    return natvi, wires, fourth


@pytest.mark.level("S")
def test_rfc7857_req5(net):
    """TCP and UDP of one inside port are mapped each for itself; by a setting they have one external port together."""
    _, wires, fourth = two_ways(net)
    # UDP's port is taken by another host, TCP's is not.
    assert wires.out(raw_udp(RAW2, 4000, FAR, 5000)).sport == 4000
    udp, tcp = external_ports(wires, RAW, 4000)
    assert tcp == 4000 and udp != 4000
    assert wires.out(raw_udp(fourth, 4000, FAR, 5000)).sport == 4000
    for port in range(4000, 4020, 2):
        udp, tcp = external_ports(wires, RAW3, port)
        assert udp == tcp and (udp != 4000), (port, udp, tcp)
    # It has both: another host gets neither.
    udp, tcp = external_ports(wires, fourth, 4002)
    assert udp == tcp != 4002


@pytest.mark.level("S")
def test_rfc7857_req6(net):
    """Who may send is decided for each protocol: a UDP mapping lets no TCP in, and the other way round; by the same setting it does."""
    natvi, wires, fourth = two_ways(net)

    def from_outside(packet):
        udp = raw_udp(FAR2, 7000, packet.src, packet.sport)
        tcp = IP(src=FAR2, dst=packet.src) / TCP(sport=7000, dport=packet.sport, flags="S", seq=7)
        return {"udp": udp, "tcp": tcp}
    for host, port, shared in ((RAW, 4000, False), (RAW3, 4000, True)):
        for name, make in (("udp", lambda p: raw_udp(host, p, FAR, 5000)),
                           ("tcp", lambda p: IP(src=host, dst=FAR) / TCP(sport=p, dport=80, flags="S", seq=p))):
            port += 2
            packets = from_outside(wires.out(make(port)))
            for protocol, packet in packets.items():
                if protocol == name or shared:
                    arrived = wires.into(packet)
                    assert (arrived.dst, arrived.dport) == (host, port)
                else:
                    wires.lost("outside", packet)


@pytest.mark.level("S")
def test_rfc7857_req7_1(net):
    """ICMP errors and RSTs that a host sends in answer to what came from outside do not keep its mapping alive."""
    nat(net, pool=dict(ONE_POOL, filtering="endpoint-independent"), timeouts={"udp": 3, "tcp-closing": 3, "tcp-opening": 3, "icmp": 3})
    wires = Wires(net)
    out, kept = (wires.out(raw_udp(RAW, port, FAR, 5000)) for port in (4000, 4001))
    attack = wires.into(raw_udp(FAR2, 6000, ONE, out.sport))
    connection = Segments(wires, sport=4002).open()
    connection.into("PA", b"unwanted")
    connection.out("R", advance=False)
    for _ in range(5):
        wires.send("inside", error_about(attack, 3, 3, RAW))
        connection.say("inside", "R")
        wires.out(raw_udp(RAW, 4001, FAR, 5000))
        time.sleep(1)
    wires.drain()
    wires.lost("outside", raw_udp(FAR, 5000, ONE, out.sport))
    connection.lost("outside", "PA", b"after all")

    def data_keeps_it_alive():
        assert wires.out(raw_udp(RAW, 4001, FAR, 5000)).sport == kept.sport
        time.sleep(1)
        assert wires.into(raw_udp(FAR, 5000, ONE, kept.sport)).dst == RAW
    in_time(data_keeps_it_alive, 3)


@pytest.mark.level("S")
def test_rfc7857_req9(net):
    """Ports are chosen by chance (RFC 6056) where the administrator wants it so: UDP's, TCP's and ICMP's identifiers."""
    nat(net, pool=dict(ONE_POOL, **{"port-selection": "random"}))
    wires = Wires(net)
    makers = {"udp": lambda port: raw_udp(RAW, port, FAR, 5000), "icmp": lambda port: raw_echo(RAW, FAR, port),
              "tcp": lambda port: IP(src=RAW, dst=FAR) / TCP(sport=port, dport=80, flags="S", seq=port)}
    series = {}
    for name, make in makers.items():
        arrived = [wires.out(make(port)) for port in range(20001, 20801, 2)]
        series[name] = [out[ICMP].id if name == "icmp" else out.sport for out in arrived]
        assert all(port >= 1024 for port in series[name])
        unpredictable(series[name])
    unrelated(series["udp"], series["tcp"])


@pytest.mark.level("S")
def test_rfc7857_req10(net):
    """Packets that may be fragmented, of hosts that share an address, do not share IP identifications; a datagram's fragments have one."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    makers = {"udp": lambda host: raw_udp(host, 4000, FAR, 5000), "icmp": lambda host: raw_echo(host, FAR, 4000),
              "tcp": lambda host: IP(src=host, dst=FAR) / TCP(sport=4000, dport=80, flags="A", seq=1) / Raw(word())}

    def identified(packet, id):
        packet.id = id
        return packet
    for host in (RAW, RAW2, RAW3):
        wires.out(IP(src=host, dst=FAR) / TCP(sport=4000, dport=80, flags="S", seq=0))
    for name, make in makers.items():
        given = [wires.out(identified(make(host), id)).id for id in (1, 7, 7, 300, 65535, *range(40, 60)) for host in (RAW, RAW2, RAW3)]
        assert len(set(given)) == len(given), "%s: an identification twice within %d packets" % (name, len(given))
    # Two datagrams in pieces, at once, with the same identification.
    body = {host: word() + bytes([65 + n]) * 3000 for n, host in enumerate((RAW, RAW2))}
    parts = {host: pieces(raw_udp(host, 4000, FAR, 5000, data), 1400, id=4711) for host, data in body.items()}
    mixed = [piece for pair in zip(parts[RAW], parts[RAW2]) for piece in pair]
    arrived = wires.cross_pieces("inside", mixed)
    ids = sorted({f.id for f in arrived})
    assert len(ids) == 2, ids
    wholes = [joined([f for f in arrived if f.id == id]) for id in ids]
    assert {bytes(whole[UDP].payload) for whole in wholes} == set(body.values())
