# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 5382: TCP."""
import errno
import itertools
import re
import select
import socket
import time

import pytest
from scapy.all import ICMP, IP, TCP

from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDES, MASQUERADE, REFUSE, SERVER, SERVER2, TO_POOL
from lab import wait_for
from services import iperf3
from wires import (FAR, FAR2, FAR3, ONE, ONE_POOL, RAW, RAW2, ROUTER, Segments, Wires, arrivals, connected, error_about, icmp_of_all_kinds,
                   in_pool, nat, ports_of, quoted, raw_udp, settings, source_rule, talk, word)

REMOTES = [(SERVER, 5000), (SERVER, 5001), (SERVER2, 5000), (SERVER2, 5001)]
SERVICE = {"proto": "tcp", "external": "192.0.2.3:8080", "internal": RAW + ":80"}
HOLD_S = 6
SYN = 2
# > from inside, < from outside; + with data; ! once more.
CLOSE = ">FA <A <FA >A"
OPEN = ">S <SA >A"
SEQUENCES = {
    "opened and closed by the client": OPEN + " >PA+ <A <PA+ >A " + CLOSE,
    "closed by the server": OPEN + " >PA+ <A <FA >A >FA <A",
    "everything sent twice": ">S >S! <SA <SA! >A >A! >PA+ >PA+! <A <A! <PA+ <PA+! >A >FA >FA! <A <FA <FA! >A >A!",
    "half-closed by the client": OPEN + " >FA <A <PA+ >A <PA+ >A <FA >A",
    "half-closed by the server": OPEN + " <FA >A >PA+ <A >PA+ <A >FA <A",
    "both close at once": OPEN + " >FA <FA >A <A",
    "FIN with data": OPEN + " >FPA+ <FPA+ >A <A",
    "data in the SYN": ">S+ <SA >A <PA+ >A " + CLOSE,
    "data in the SYN and its answer": ">S+ <SA+ >A " + CLOSE,
    "refused": ">S <RA",
    "reset by the client": OPEN + " >PA+ >RA",
    "reset by the server": OPEN + " >PA+ <RA",
    "reset without ACK": OPEN + " <A >R",
    "reset while it opens": ">S <SA >R",
    "urgent data": OPEN + " >UPA+ <A <UPA+ >A " + CLOSE,
    "explicit congestion notification": ">SEC <SAE >A >PAE+ <AE >PAC+ <A " + CLOSE,
    "simultaneous open": ">S <S! >SA! <SA >A <A " + CLOSE,
    "the same ports again": OPEN + " " + CLOSE + " " + OPEN + " >PA+ <A " + CLOSE,
    "the same ports again after a reset": OPEN + " >R " + OPEN + " >PA+ <A " + CLOSE,
}


def play(connection, sequence):
    """Each segment arrives, in this order."""
    for number, token in enumerate(sequence.split()):
        flags = token[1:].rstrip("+!")
        data = word() if "+" in token else b""
        step = connection.out if token[0] == ">" else connection.into
        before = dict(connection.next)
        try:
            step(flags, data)
        except AssertionError as problem:
            raise AssertionError("%s, at %d (%s): %s" % (sequence, number, token, problem)) from problem
        if token.endswith("!"):
            connection.next = before


def mirrored(sequence):
    return sequence.translate(str.maketrans("<>", "><"))


@pytest.mark.level("M")
def test_rfc5382_req1(net):
    """An inside address and port shows one external address and port, to whichever outside addresses and ports it connects."""
    nat(net)
    with arrivals(net, "tcp"):
        for host, port in ((INSIDE, 4001), (INSIDE2, 4001)):
            seen = set()
            for remote in REMOTES:
                client = net.inside.socket(socket.SOCK_STREAM)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                client.bind((host, port))
                listener = net.outside.tcp_listen(*remote)
                client.connect(remote)
                served, source = listener.accept()
                talk(client, served)
                seen.add(source)
                listener.close()
            assert len(seen) == 1 and in_pool(next(iter(seen))[0]), seen


@pytest.mark.level("M")
def test_rfc5382_req2(net):
    """Every sequence of segments that TCP allows passes, whether the first one comes from inside or from outside."""
    nat(net, pool=ONE_POOL, forwards=[SERVICE, {"proto": "tcp", "external": "192.0.2.3:5201", "internal": INSIDE + ":5201"}])
    wires = Wires(net)
    for number, (name, sequence) in enumerate(SEQUENCES.items()):
        play(Segments(wires, sport=4000 + number), sequence)
        # By a forward, and by a mapping that another connection has made.
        for external, sport in ((("192.0.2.3", 8080), 80), ((ONE, 4999), 4999)):
            if sport == 4999:
                Segments(wires, sport=4999, outside=FAR3).open()
            service = Segments(wires, sport=sport, dport=6000 + number)
            service.external = external
            play(service, mirrored(sequence))
    # Kernels; data both ways.
    assert iperf3(net.outside, net.inside, SERVER, "--bidir", seconds=1)["sum_received"]["bytes"] > 100000
    assert iperf3(net.inside, net.outside, "192.0.2.3", "--bidir", seconds=1)["sum_received"]["bytes"] > 100000


def reusable(namespace, address, port):
    sock = namespace.socket(socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((address, port))
    return sock


@pytest.mark.level("M")
def test_rfc5382_req2a(net):
    """Both ends connect to each other at once, and have one connection."""
    nat(net, pool=ONE_POOL)
    first, inside = reusable(net.inside, INSIDE, 4070), reusable(net.inside, INSIDE, 4070)
    net.outside.tcp_listen(SERVER2, 5000)
    first.connect((SERVER2, 5000))  # makes the mapping
    # The inside host is deaf to the first SYN, as if it were still under way.
    net.inside.run("nft", "-f", "-", input="table ip deaf { chain in { type filter hook input priority 0; tcp flags & (syn|ack) == syn counter drop; }; }")
    outside = net.outside.tcp(SERVER, 4071)
    outside.setblocking(False)
    outside.connect_ex((ONE, 4070))
    wait_for(lambda: "packets 1" in net.inside.run("nft", "list", "ruleset").stdout, 15, "the SYN from outside to come through the mapping")
    meet(inside, (SERVER, 4071), outside)


def meet(inside, remote, outside):
    """The inside socket connects, too; then both are connected to each other."""
    inside.setblocking(False)
    inside.connect_ex(remote)
    ready = set()
    wait_for(lambda: ready.update(select.select([], [inside, outside], [], 0.1)[1]) or len(ready) == 2, 20, "both to be connected")
    for sock in (inside, outside):
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        sock.settimeout(20)
    talk(inside, outside)


@pytest.mark.level("R")
def test_rfc5382_req3(net):
    """Who may connect to a mapping is configurable, for TCP and UDP apart."""
    words = {"independent": "endpoint-independent", "address": "address-dependent", "port": "address-and-port-dependent"}
    hosts = dict(zip(itertools.product(words, words), ["198.18.0.%d" % n for n in range(60, 69)]))
    names = {pair: "%s-%s" % pair for pair in hosts}
    wires = Wires(net)
    wires.neighbours(*hosts.values())
    nat(net, rules=[source_rule(names[pair], host) for pair, host in hosts.items()] + [REFUSE], tcp={"unsolicited": "silent"},
        pools=[{"name": names[pair], "addresses": ["192.0.2.%d" % (20 + n)], "filtering": dict(zip(("tcp", "udp"), map(words.get, pair)))}
               for n, pair in enumerate(hosts)])
    for pair, host in hosts.items():
        connection = Segments(wires, sport=4000, inside=host).open()
        address, _ = connection.external
        wires.out(raw_udp(host, 4000, FAR, 5000))
        # From the same address and another port, and from another address.
        strangers = {(FAR, 5999): ("independent", "address"), (FAR2, 5000): ("independent",)}
        for (source, port), admitted_by in strangers.items():
            syn = IP(src=source, dst=address) / TCP(sport=port, dport=4000, flags="S", seq=77)
            for packet, word_ in ((syn, pair[0]), (raw_udp(source, port, address, 4000), pair[1])):
                if word_ in admitted_by:
                    assert wires.into(packet).dst == host, (pair, packet.summary())
                else:
                    wires.lost("outside", packet, 0.15)
        connection.into("PA", b"as before")


class Answers:
    """What comes back to SYNs from outside, and when."""

    def __init__(self, wires):
        self.wires, self.begun, self.seen = wires, time.monotonic(), {}

    def syn(self, source, sport, destination, dport):
        self.wires.send("outside", IP(src=source, dst=destination) / TCP(sport=sport, dport=dport, flags="S", seq=dport))

    def listen(self, until):
        """What arrives outside until a time after the begin, by the port that the SYN was for: [(time, packet)]."""
        while True:
            left = self.begun + until - time.monotonic()
            frame = left > 0 and self.wires.tap["outside"].receive(lambda p: IP in p and (TCP in p or ICMP in p), left)
            if not frame:
                return
            packet = frame[IP]
            port = ports_of(quoted(packet))[1] if ICMP in packet else packet[TCP].sport
            self.seen.setdefault(port, []).append((time.monotonic() - self.begun, packet))


@pytest.mark.level("M")
def test_rfc5382_req4(net):
    """A SYN that nobody asked for has no answer for 6 s; if the inside host connects to its sender in that time it never has one, else ICMP 3/3."""
    masquerade = dict(MASQUERADE, name="masquerade", **{"from": {"interface": "lan0", "source": [INSIDE2 + "/32"]}})
    natvi = nat(net, pool=dict(ONE_POOL, filtering="address-and-port-dependent"), rules=[masquerade, TO_POOL, REFUSE])
    wires = Wires(net)
    mapped = Segments(wires, sport=6004, outside=FAR2).open()
    net.gateway.tcp_listen(EXTERNAL, 6005)
    held = natvi.counter("syn-held")
    answers = Answers(wires)
    wanted = {6001: ONE, 6002: ONE, 6003: EXTERNAL, 6004: ONE, 6005: EXTERNAL}
    for port, address in wanted.items():
        answers.syn(FAR, 7000, address, port)
    # Two kernels that connect to each other while the SYN waits: on the pool's address, and on the box's own.
    pairs = []
    for number, (host, address) in enumerate(((INSIDE, ONE), (INSIDE2, EXTERNAL))):
        outside = net.outside.tcp(SERVER, 4071 + number)
        outside.setblocking(False)
        outside.connect_ex((address, 4081 + number))
        pairs.append((net.inside.tcp(host, 4081 + number), (SERVER, 4071 + number), outside))
    wait_for(lambda: natvi.counter("syn-held") >= held + 6, 15, "six SYNs to be held")
    answers.listen(2)
    for inside, remote, outside in pairs:
        meet(inside, remote, outside)
    out = Segments(wires, sport=6002, dport=7000)
    out.out("S")
    answers.listen(HOLD_S + 2.5)
    early = {port: [(at, p.summary()) for at, p in seen if at < HOLD_S] for port, seen in answers.seen.items() if port in wanted}
    assert early.pop(6005, None), "a socket of the box listens there, and did not answer"
    assert [p for _, p in early.pop(6002, [])] == [] or all(p[TCP].flags == "S" for _, p in answers.seen[6002] if TCP in p)
    assert not any(early.values()), early
    for port in (6001, 6003, 6004):
        (at, error), = answers.seen.get(port) or [(None, None)]
        assert error is not None and (error[ICMP].type, error[ICMP].code, error.dst) == (3, 3, FAR), "%d: %s" % (port, error)
        inner = quoted(error)
        assert (inner.src, inner.dst, ports_of(inner)) == (FAR, wanted[port], (7000, port)) and at < HOLD_S + 2
    assert [p for _, p in answers.seen.get(6002, []) if ICMP in p] == [], "the host has connected, and its peer is told that there is nobody"
    mapped.into("PA", b"still there")


@pytest.mark.level("M")
def test_rfc5382_req4a(net):
    """Where the administrator wants it so, or a rule drops it, such a SYN never has an answer."""
    natvi = nat(net, pool=ONE_POOL, tcp={"unsolicited": "silent"})
    wires = Wires(net)
    dropped = natvi.counter("no-mapping"), natvi.counter("rule-drop")
    answers = Answers(wires)
    answers.syn(FAR, 7000, ONE, 6001)
    answers.syn(FAR, 7000, RAW, 6002)
    wait_for(lambda: (natvi.counter("no-mapping"), natvi.counter("rule-drop")) == (dropped[0] + 1, dropped[1] + 1), 15, "both to be counted")
    answers.listen(HOLD_S + 1.5)
    assert answers.seen == {}, answers.seen
    # An answer would have been seen.
    mapping = Segments(wires, sport=6003).open()
    mapping.out("PA", b"audible")


@pytest.mark.level("M")
@pytest.mark.timeout(330)
def test_rfc5382_req5(net, defaults):
    """An established connection may be idle for 2 h 4 min, one that opens or closes for 4 min; all of it is configurable."""
    nat(net, pool=ONE_POOL, timeouts={"tcp-established": 7, "tcp-opening": 2, "tcp-closing": 3})
    wires = Wires(net)
    lines = {name: Segments(wires, sport=4000 + n) for n, name in enumerate(("half-open", "open", "idle", "half-closed", "closed"))}
    lines["half-open"].out("S")
    for name in ("open", "idle", "half-closed", "closed"):
        lines[name].open()
    lines["half-closed"].out("FA")
    lines["closed"].close()
    time.sleep(1)
    lines["half-open"].out("S", advance=False)
    time.sleep(4.5)     # more than both short ones, less than the long one
    lines["open"].into("PA", b"idle, but there")
    lines["half-closed"].into("PA", b"the other half")
    lines["half-open"].lost("outside", "SA")
    lines["closed"].lost("outside", "FA")
    time.sleep(4)
    lines["open"].into("PA", b"used, and so there")
    time.sleep(2.5)     # more than the long one and a closing connection's (RFC 7857, figure 1)
    lines["idle"].lost("outside", "PA", b"too late")
    # The defaults.
    assert defaults.established_s >= 7440 - 5
    defaults.ask("tcp-opening")
    defaults.ask("tcp-closing")


PORT_COMMAND = b"PORT 198,18,0,10,31,64\r\n"


@pytest.mark.level("R")
def test_rfc5382_req6(net):
    """No payload of TCP is changed and no port opened for what it says, unless the administrator leaves FTP to a helper."""
    natvi = nat(net)
    data = net.inside.tcp_listen(INSIDE, 8000)  # 31 * 256 + 64

    def ftp():
        """What a server of FTP gets of a PORT command, and its connection for data."""
        listener = net.outside.tcp_listen(SERVER, 21)
        client, served, seen = connected(net, 21, listener=listener)
        client.sendall(b"USER anonymous\r\n")   # the kernel's helper does not look at a first line
        assert served.recv(100) == b"USER anonymous\r\n"
        client.sendall(PORT_COMMAND)
        said = served.recv(100)
        listener.close()
        numbers = list(map(int, re.fullmatch(rb"PORT ([\d,]+)\r\n", said).group(1).split(b",")))
        place = ".".join(map(str, numbers[:4])), numbers[4] * 256 + numbers[5]
        active = net.outside.tcp(SERVER, 20, timeout=3)
        status = active.connect_ex(place if place[0] != INSIDE else (seen[0], place[1]))
        active.close()
        return said, seen, status
    said, seen, status = ftp()
    assert said == PORT_COMMAND and in_pool(seen[0]) and status != 0
    # The same protocol, left to the kernel and its helper.
    net.gateway.run("nft", "-f", "-", input="""table ip alg {
        ct helper ftp { type "ftp" protocol tcp; }
        chain help { type filter hook prerouting priority 0; tcp dport 21 ct helper set "ftp"; }
        chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
    }""")
    rule = dict(MASQUERADE, name="kernel", proto="tcp", to={"interface": "wan0", "ports": [21]}, action="kernel")
    back = dict(MASQUERADE, name="data", proto="tcp", to={"interface": "wan0", "ports": [20]}, action="kernel")
    natvi.reload(settings(net, rules=[rule, back, TO_POOL]))
    said, seen, status = ftp()
    assert seen[0] == EXTERNAL and said.startswith(b"PORT 203,0,113,1,") and status == 0, (said, seen, status)
    data.settimeout(20)
    assert data.accept()[1] == (SERVER, 20)


@pytest.mark.level("M")
def test_rfc5382_req7(net):
    """Two inside sockets never share an external address and port, whatever they connect to; when none is left, the next is refused."""
    natvi = nat(net, pool={"addresses": [ONE], "ports": "4000-4015"})
    wires = Wires(net)
    listeners = [(remote, net.outside.tcp_listen(*remote)) for remote in REMOTES]
    seen = {}
    for port in range(4000, 4004):
        for host, (remote, listener) in zip(INSIDES, listeners):
            client, _, source = connected(net, remote[1], host, remote[0], port, listener)
            assert seen.setdefault(source, (host, port)) == (host, port), "%s has two owners" % (source,)
    assert set(seen) == {(ONE, port) for port in range(4000, 4016)}
    refused = natvi.counter("no-port")
    wires.lost("inside", IP(src=RAW, dst=FAR) / TCP(sport=4444, dport=80, flags="S", seq=1))
    assert natvi.counter("no-port") == refused + 1


@pytest.mark.level("M")
def test_rfc5382_req8(net):
    """Inside hosts reach each other by external addresses and ports, of mappings and of forwards; the source is an external one, too."""
    nat(net, forwards=[{"proto": "tcp", "external": "192.0.2.3:8080", "internal": INSIDE + ":80"}])
    web = net.inside.tcp_listen(INSIDE, 80)
    outside = net.outside.tcp_listen(SERVER, 5000)
    with arrivals(net, "tcp"):
        for host, port in ((INSIDE2, 4001), (INSIDE, 4002)):    # also from the server's own host; both may have one address
            client = net.inside.tcp(host, port)
            client.connect(("192.0.2.3", 8080))
            served, source = web.accept()
            assert in_pool(source[0]) and source[1] == port, source
            talk(client, served)
        # A mapping that a connection to elsewhere has made; the host listens on the same port.
        first, peer = reusable(net.inside, INSIDE, 4070), reusable(net.inside, INSIDE, 4070)
        first.connect((SERVER, 5000))
        external = outside.accept()[1]
        peer.listen()
        own = reusable(net.inside, INSIDE2, 4071)
        own.connect((SERVER, 5000))
        expected = outside.accept()[1]
        again = reusable(net.inside, INSIDE2, 4071)
        again.connect(external)
        served, source = peer.accept()
        assert source == expected
        talk(again, served)


@pytest.mark.level("S")
def test_rfc5382_req9(net):
    """Destination unreachable about a TCP packet is translated, whatever its code and however little of the packet it quotes."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    taker = Segments(wires, sport=4001, inside=RAW2).open()     # so that the port of the next one must change
    connection = Segments(wires, sport=4001)
    with arrivals(net, "tcp", "icmp"):
        out = connection.out("S")
        assert taker.external[1] != out[TCP].sport
        for code, length in itertools.product(range(16), (28, None)):
            error = wires.into(error_about(out, 3, code, ROUTER, unused=1400 if code == 4 else 0, length=length),
                               lambda p: ICMP in p and p[ICMP].type == 3)
            inner = quoted(error)
            assert (error.dst, error[ICMP].code) == (RAW, code)
            assert (inner.src, inner.dst, ports_of(inner)) == (RAW, FAR, (4001, 5000))
            assert error[ICMP].nexthopmtu == (1400 if code == 4 else 0)
        # What kernels make of it: a host that a router outside has no way to.
        net.outside.ip("route add unreachable 198.51.100.66/32")
        net.outside.sysctl("net.ipv4.ip_forward", 1)
        client = net.inside.tcp(INSIDE, 4002)
        assert client.connect_ex(("198.51.100.66", 80)) == errno.EHOSTUNREACH


@pytest.mark.level("M")
def test_rfc5382_req10(net):
    """No ICMP message, from whichever side, ends a mapping or a connection."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    client, served, _ = connected(net, source=4001)
    talk(client, served)
    connection = Segments(wires, sport=4002).open()
    out, back = connection.out("PA", b"outward"), connection.into("PA", b"inward")
    served.sendall(b"quote me")
    packets = {"outside": [out, IP(src=ONE, dst=SERVER) / TCP(sport=4001, dport=5000, flags="A", seq=1)],
               "inside": [back, IP(src=SERVER, dst=INSIDE) / TCP(sport=5000, dport=4001, flags="A", seq=1)]}
    for side, about in packets.items():
        for packet in about:
            for error in icmp_of_all_kinds(packet, ROUTER if side == "outside" else packet.dst):
                wires.send(side, error)
    wires.into(error_about(out, 3, 1, FAR), lambda p: ICMP in p and p[IP].src == FAR)
    assert client.recv(100) == b"quote me"
    talk(client, served)
    connection.into("PA", b"inward again")
    connection.out("PA", b"outward again")
    assert sorted(m["outside"]["port"] for m in natvi.show("mappings")) == [4001, 4002]
