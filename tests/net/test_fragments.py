# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fragments: RFC 4787 req. 14, RFC 1858, RFC 3128, RFC 6864, with real sockets at the ends of the way.

Every test here watches the outside wire for an address of the inside, which must never be seen there.
"""
import ctypes
import errno
import fcntl
import itertools
import os
import random
import select
import signal
import socket
import struct
import threading
import time

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, INSIDE3, MASQUERADE, SERVER, Topology, config
from lab import PATIENCE_S, persist, wait_for
from services import iperf3
from test_park import needs_tun, park
from wire import Tap

pytestmark = needs_tun

PIECE = 1480
SO_ATTACH_FILTER = 26
TUNSETIFF = 0x400454ca
IFF_TUN_NO_PI = 0x1001
PROTO = {ICMP: 1, TCP: 6, UDP: 17}
ORDERS = ["in-order", "reversed", "shuffled"]
PARK_S = 0.2
idents = itertools.count(random.randrange(20000))


# What is sent

def payload(size):
    return random.Random(size).randbytes(size)


def udp(source, destination, data):
    """The UDP datagram as bytes, checksum made."""
    packet = IP(src=source[0], dst=destination[0]) / UDP(sport=source[1], dport=destination[1]) / Raw(data)
    return bytes(packet)[20:]


def piece(src, dst, proto, ident, at, data, more):
    """One fragment. at: bytes."""
    return IP(src=src, dst=dst, proto=PROTO[proto], id=ident, flags="MF" if more else 0, frag=at // 8) / Raw(data)


def cut(src, dst, proto, l4, ident=None, size=PIECE):
    """Fragments of a datagram in their order."""
    ident = next(idents) if ident is None else ident
    return [piece(src, dst, proto, ident, at, l4[at:at + size], at + size < len(l4)) for at in range(0, len(l4), size)]


def ordered(pieces, order):
    if order == "reversed":
        return pieces[::-1]
    if order == "shuffled":
        return random.Random(5).sample(pieces, len(pieces))
    return pieces


class Leak:
    """Packets with an inside source on the outside wire, in the order of a filter in the kernel: none is missed."""

    FILTER = [(0x28, 0, 0, 12), (0x15, 0, 4, 0x0800), (0x20, 0, 0, 26), (0x54, 0, 0, 0xfffe0000),
              (0x15, 0, 1, 0xc6120000), (0x06, 0, 0, 65535), (0x06, 0, 0, 0)]

    def __init__(self, net):
        self.net = net
        program = b"".join(struct.pack("HBBI", *line) for line in self.FILTER)
        self.buffer = memoryview(bytearray(program))
        self.tap = Tap(net.outside)
        address = id_of_buffer(self.buffer)
        self.tap.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(self.FILTER), address))
        self.tap.drain()

    def check(self):
        """None has come; one that is sent on purpose is seen."""
        probe = Tap(self.net.gateway, "wan0")
        probe.send(Ether(src=self.net.mac(self.net.gateway, "wan0"), dst=self.net.mac(self.net.outside, "eth0")) /
                   IP(src=INSIDE3, dst=SERVER, proto=253) / Raw(b"probe"))
        packet = self.tap.expect(lambda p: True, "the probe of the leak detector")
        assert packet[IP].proto == 253, "an inside address was seen outside: %s" % packet.summary()


def id_of_buffer(view):
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


class Wire:
    """Raw frames from a host to the gateway."""

    def __init__(self, net, side):
        namespace, port = (net.inside, "lan0") if side == "inside" else (net.outside, "wan0")
        self.tap = Tap(namespace)
        self.head = Ether(src=net.mac(namespace, "eth0"), dst=net.mac(net.gateway, port))

    def send(self, packets, order="in-order"):
        """All in one go: building a packet takes longer than anything may wait in the park."""
        self.sent = ordered(list(packets), order)
        for frame in [bytes(self.head / packet) for packet in self.sent]:
            self.tap.sock.send(frame)

    def again(self):
        """The same with other identifications."""
        was = {id(p): p.id for p in self.sent}
        new = {ident: next(idents) for ident in set(was.values())}
        for p in self.sent:
            p.id = new[was[id(p)]]
        self.send(self.sent)

    def until(self, arrived):
        """arrived() with what was sent."""
        return persist(arrived, self.again)

    def arrives(self, sock, data, source):
        """What was sent arrives, whole."""
        sock.settimeout(3)
        self.until(lambda: arrives(sock, data, source))
        sock.settimeout(PATIENCE_S)


@pytest.fixture
def box(net):
    """natvi that forwards, an inside and an outside wire; no leak until the end, and nothing stays in the park."""
    net.leak = Leak(net)
    net.box = net.running()
    net.lan, net.wan = Wire(net, "inside"), Wire(net, "outside")
    yield net
    if net.box.process.alive():
        wait_for(lambda: park(net.box)["bytes"] == 0, 15, "the park to be empty")
    net.leak.check()


def pair(box, port=4000, remote=5000, host=INSIDE):
    """A mapped inside socket and its outside peer; the outside address of the inside one."""
    inside, outside = box.inside.udp(host, port), box.outside.udp(SERVER, remote)
    for sock in (inside, outside):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    inside.sendto(b"hello", (SERVER, remote))
    assert outside.recv(100) == b"hello"
    return inside, outside, (EXTERNAL, port)


def arrives(sock, data, source):
    got, sender = sock.recvfrom(65535)
    assert got == data, "%d bytes arrived, %d were sent" % (len(got), len(data))
    assert sender == source


def silent(sock, timeout=0.5):
    return not select.select([sock], [], [], timeout)[0]


# Whole datagrams arrive

def test_ping_60000(box):
    """The kernel's own fragments, and those of the answer."""
    box.inside.ping(SERVER, "-s", 60000, count=5, interval=0.2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1600, 8000, 60000])
def test_udp_outbound(box, order, size):
    inside, outside, external = pair(box)
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(size))), order)
    box.lan.arrives(outside, payload(size), external)
    if order == "reversed":
        counts = park(box.box)["fragments"]
        assert counts["released"] == counts["parked"] - counts["expired"] > 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1600, 8000, 60000])
def test_udp_inbound(box, order, size):
    inside, outside, external = pair(box)
    box.wan.send(cut(SERVER, EXTERNAL, UDP, udp((SERVER, 5000), external, payload(size))), order)
    box.wan.arrives(inside, payload(size), (SERVER, 5000))


@pytest.mark.parametrize("order", ORDERS)
def test_first_packet_of_a_session(box, order):
    """Nothing is known of the flow, and the neighbour is not resolved: the fragments themselves make it so."""
    outside = box.outside.udp(SERVER, 5000)
    box.gateway.run("ip", "neigh", "flush", "all")
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4444), (SERVER, 5000), payload(8000))), order)
    box.lan.arrives(outside, payload(8000), (EXTERNAL, 4444))


def test_sizes_around_a_fragment(box):
    """One byte more or less than fragments hold, the smallest last fragment, small fragments."""
    inside, outside, external = pair(box)
    for size in (PIECE - 8, PIECE - 7, PIECE, 2 * PIECE - 8, 2 * PIECE - 7, 3 * PIECE):
        box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(size))), "reversed")
        box.lan.arrives(outside, payload(size), external)
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(1000)), size=8), "shuffled")
    box.lan.arrives(outside, payload(1000), external)


def test_many_datagrams_interleaved(box):
    """Fragments of fifty datagrams, all in disorder, both ways."""
    for namespace in (box.inside, box.outside):
        namespace.sysctl("net.ipv4.ipfrag_max_dist", 0)     # the receivers' own patience with disorder
    inside, outside, external = pair(box)
    there = [p for i in range(50) for p in cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3000 + i)))]
    back = [p for i in range(50) for p in cut(SERVER, EXTERNAL, UDP, udp((SERVER, 5000), external, payload(4000 + i)))]
    for wire, packets, sock, sizes in ((box.lan, there, outside, range(3000, 3050)), (box.wan, back, inside, range(4000, 4050))):
        came = set()

        def all_came(sock=sock, sizes=sizes):
            while came != set(sizes):
                came.add(len(sock.recv(65535)))
        sock.settimeout(3)
        wire.send(packets, "shuffled")
        wire.until(all_came)


@pytest.mark.parametrize("order", ORDERS)
def test_tcp_segment(box, order):
    """A segment of a real connection, cut in fragments on its way."""
    listener = box.outside.tcp_listen(SERVER, 5001)
    watch = box.tap("inside")
    client = box.inside.tcp(INSIDE, 4001)
    client.connect((SERVER, 5001))
    server = listener.accept()[0]
    server.settimeout(PATIENCE_S)
    answer = watch.expect(lambda p: p.haslayer(TCP) and p[TCP].sport == 5001 and p[TCP].flags == "SA", "the SYN's answer")
    segment = bytes(IP(src=INSIDE, dst=SERVER) / TCP(sport=4001, dport=5001, flags="PA", seq=answer[TCP].ack,
                                                     ack=answer[TCP].seq + 1, window=1000) / Raw(payload(1300)))[20:]
    box.lan.send(cut(INSIDE, SERVER, TCP, segment, size=400), order)
    server.settimeout(3)
    got = b""
    while len(got) < 1300:
        got += box.lan.until(lambda: server.recv(65535))
    assert got == payload(1300)


@pytest.mark.parametrize("order", ORDERS)
def test_icmp(box, order):
    """An echo request in pieces; the answer of the real host comes back whole."""
    watch = box.tap("inside")
    request = bytes(ICMP(type=8, id=777, seq=3) / Raw(payload(8000)))
    box.lan.send(cut(INSIDE, SERVER, ICMP, request), order)
    got = {}

    def complete(p):
        if p.haslayer(IP) and p[IP].src == SERVER and p[IP].dst == INSIDE:
            got[p[IP].frag * 8] = bytes(p[IP].payload)[:p[IP].len - 20]
        return sum(len(data) for data in got.values()) == len(request)
    box.lan.until(lambda: got.clear() or watch.expect(complete, "the whole answer", 3))
    answer = b"".join(got[at] for at in sorted(got))
    assert answer[0] == 0 and answer[4:] == request[4:]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("side", ["inside", "outside"])
def test_for_the_box_itself(box, order, side):
    """Fragments that nobody translates still reach a socket of the gateway."""
    address, source, wire = (GATEWAY, INSIDE, box.lan) if side == "inside" else (EXTERNAL, SERVER, box.wan)
    service = box.gateway.udp("0.0.0.0", 4500)
    wire.send(cut(source, address, UDP, udp((source, 6000), (address, 4500), payload(8000))), order)
    wire.arrives(service, payload(8000), (source, 6000))


@pytest.mark.parametrize("order", ORDERS)
def test_hairpin(box, order):
    """From one inside host to another by the outside address."""
    inside, outside, external = pair(box)
    box.lan.send(cut(INSIDE2, EXTERNAL, UDP, udp((INSIDE2, 4100), external, payload(8000))), order)
    box.lan.arrives(inside, payload(8000), (EXTERNAL, 4100))


@pytest.mark.parametrize("order", ORDERS)
def test_beside_connection_tracking(box, order):
    """A firewall of the user's that tracks connections joins fragments itself; what is natvi's passes all the same, also on the slow road."""
    box.gateway.run("nft", "-f", "-", input="""table inet user {
        chain forward { type filter hook forward priority 0; ct state invalid drop; }
        chain input { type filter hook input priority 0; ct state invalid drop; }
    }""")
    inside, outside, external = pair(box)
    service = box.gateway.udp("0.0.0.0", 4500)
    box.gateway.run("ip", "neigh", "flush", "all")
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))), order)
    box.lan.arrives(outside, payload(8000), external)
    box.lan.send(cut(INSIDE, GATEWAY, UDP, udp((INSIDE, 4000), (GATEWAY, 4500), payload(8001))), order)
    box.lan.arrives(service, payload(8001), (INSIDE, 4000))


@pytest.mark.parametrize("order", ORDERS)
def test_smaller_link(box, order):
    """The way out takes less than the fragments have: they are cut once more."""
    box.gateway.ip("link set wan0 mtu 1000")
    inside, outside, external = pair(box)
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))), order)
    box.lan.arrives(outside, payload(8000), external)
    assert box.box.counter("slow-too-big") > 0


class Tun:
    """A link without Ethernet headers in the gateway, and its far end: this process."""

    ADDRESS, PEER = "192.0.2.129", "192.0.2.130"

    def __init__(self, net):
        with net.gateway.enter():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN_NO_PI))
        net.lab.defer(os.close, self.fd)
        net.gateway.ip("addr add %s/30 dev tun0" % self.ADDRESS, "link set tun0 up")

    def send(self, packets):
        for packet in [bytes(p) for p in packets]:
            os.write(self.fd, packet)

    def receive(self, wanted, what, timeout=PATIENCE_S):
        """Packets that wanted() is true for, until it says that they are enough."""
        end, got = time.monotonic() + timeout, []
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0.1)[0]:
                packet = IP(os.read(self.fd, 65535))
                if wanted(packet):
                    got.append(packet)
            if got and wanted(None):
                break
        assert got, "%s did not come out of the tun" % what
        return got


@pytest.mark.parametrize("order", ORDERS)
def test_link_without_ethernet(lab, order):
    """Fragments to and from a tun: what waits gets an Ethernet header for as long as it waits."""
    net = Topology(lab, "tc")
    tun = Tun(net)
    natvi = net.running(config("tc", interfaces=("lan0", "tun0"), rules=[dict(MASQUERADE, to={"interface": "tun0"})]))
    inside = net.inside.udp(INSIDE, 4000)
    inside.sendto(b"hello", (tun.PEER, 5000))
    tun.receive(lambda p: p is None or p.haslayer(UDP), "the first datagram")
    l4 = udp((INSIDE, 4000), (tun.PEER, 5000), payload(5000))
    wire = Wire(net, "inside")
    wire.send(cut(INSIDE, tun.PEER, UDP, l4), order)
    seen = {}

    def complete(p):
        if p is not None and p.proto == 17:
            seen[p.frag * 8] = p
            return True
        return sum(len(bytes(q.payload)) for q in seen.values()) == len(l4)
    wire.until(lambda: seen.clear() or tun.receive(complete, "the datagram", 3))
    assert b"".join(bytes(seen[at].payload) for at in sorted(seen))[8:] == l4[8:]
    assert {(p.src, p.id) for p in seen.values()} == {(tun.ADDRESS, seen[0].id)}
    back = udp((tun.PEER, 5000), (tun.ADDRESS, 4000), payload(6000))
    inside.settimeout(3)

    def returned():
        tun.send(ordered(cut(tun.PEER, tun.ADDRESS, UDP, back), order))
        arrives(inside, payload(6000), (tun.PEER, 5000))
    persist(returned)
    assert order == "in-order" or park(natvi)["fragments"]["released"] > 3


@pytest.mark.parametrize("order", ORDERS)
def test_to_a_forward(net, order):
    """A forwarded port is reached by fragments that begin a session."""
    natvi = net.running(config(net.hook, forwards=[{"proto": "udp", "external": "%s:7000" % EXTERNAL, "internal": "%s:7001" % INSIDE}]))
    service = net.inside.udp(INSIDE, 7001)
    wire = Wire(net, "outside")
    wire.send(cut(SERVER, EXTERNAL, UDP, udp((SERVER, 5000), (EXTERNAL, 7000), payload(8000))), order)
    wire.arrives(service, payload(8000), (SERVER, 5000))
    assert natvi.counter("fragment") == 0


# What contradicts

def dropped(box, verdict, action):
    """action() ends packets in that verdict."""
    before = box.box.counter(verdict)
    action()
    wait_for(lambda: box.box.counter(verdict) > before, 15, "drops for %s" % verdict)


def still_works(box, inside, outside, external):
    """A datagram in pieces passes."""
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(5000))), "reversed")
    box.lan.arrives(outside, payload(5000), external)


EVIL = b"\xee"


def is_evil(packet):
    return packet.haslayer(IP) and EVIL * 64 in bytes(packet)


@pytest.mark.parametrize("when", ["late", "early"])
@pytest.mark.parametrize("at, size", [(PIECE - 80, PIECE), (PIECE, PIECE - 80), (PIECE + 80, 800)], ids=["across", "same-start", "within"])
def test_overlap_never_leaves(box, at, size, when):
    """Fragments that bring again what has been, or will be: no receiver has to judge which is right (RFC 1858, RFC 3128)."""
    inside, outside, external = pair(box)
    seen = box.tap("outside")
    good = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3 * PIECE)))
    evil = piece(INSIDE, SERVER, UDP, good[0].id, at, EVIL * size, True)
    box.lan.send([*good[:2], evil, *good[2:]] if when == "late" else [evil, *good[::-1]])
    seen.none(is_evil, "what overlaps", 2 * PARK_S)
    while not silent(outside, 0.1):
        assert outside.recv(65535) == payload(3 * PIECE), "a datagram of two minds arrived"
    still_works(box, inside, outside, external)


def test_overlap_with_a_late_daemon(box):
    """The false one waits when the daemon stands still; it finds that its turn has come, and the true one unread."""
    inside, outside, external = pair(box)
    seen = box.tap("outside")
    good = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3 * PIECE)))
    box.lan.send([piece(INSIDE, SERVER, UDP, good[0].id, PIECE, EVIL * (PIECE - 80), True)])
    wait_for(lambda: park(box.box)["fragments"]["parked"] == 1, 15, "it to wait")
    box.box.process.send_signal(signal.SIGSTOP)
    box.lan.send(good[::-1])
    time.sleep(0.05)
    box.box.process.send_signal(signal.SIGCONT)
    seen.none(is_evil, "what overlaps", 2 * PARK_S)
    still_works(box, inside, outside, external)


def test_overlap_in_order_ends_the_datagram(box):
    """The false one comes first, in order: it passes, but its datagram never gets complete."""
    inside, outside, external = pair(box)
    seen = box.tap("outside")
    good = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3 * PIECE)))
    evil = piece(INSIDE, SERVER, UDP, good[0].id, PIECE, EVIL * (PIECE - 80), True)
    box.lan.send([good[0], evil, *good[1:]])
    seen.expect(is_evil, "what came in order")
    seen.none(lambda p: p.haslayer(IP) and p[IP].frag * 8 > PIECE, "anything behind it", 2 * PARK_S)
    assert silent(outside, 0.1)
    still_works(box, inside, outside, external)


def test_overlap_is_counted(box):
    inside, outside, external = pair(box)
    good = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3 * PIECE)))
    evil = piece(INSIDE, SERVER, UDP, good[0].id, PIECE - 80, EVIL * PIECE, True)
    dropped(box, "fragment-overlap", lambda: box.lan.send([good[0], evil, *good[1:]]))
    assert silent(outside)
    still_works(box, inside, outside, external)


@pytest.mark.parametrize("order", ORDERS)
def test_repetitions_do_no_harm(box, order):
    """Each fragment twice: the datagram arrives, once."""
    inside, outside, external = pair(box)
    pieces = ordered(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))), order)
    box.lan.send([p for p in pieces for _ in range(2)])
    box.lan.arrives(outside, payload(8000), external)
    assert silent(outside)


def test_tiny_first_fragment(box):
    """A TCP header in two pieces hides its flags (RFC 1858): dropped, and so are the others."""
    outside = box.outside.tcp_listen(SERVER, 5001)
    box.inside.tcp(INSIDE, 4001).connect((SERVER, 5001))
    seen = box.tap("outside")
    segment = bytes(IP(src=INSIDE, dst=SERVER) / TCP(sport=4001, dport=5001, flags="R"))[20:]
    dropped(box, "fragment-bad", lambda: box.lan.send(cut(INSIDE, SERVER, TCP, segment, size=8)))
    seen.none(lambda p: p.haslayer(IP) and (p[IP].flags.MF or p[IP].frag), "a fragment")
    assert outside.accept()


def test_beyond_the_longest_datagram(box):
    """The ping of death stops here."""
    inside, outside, external = pair(box)
    seen = box.tap("outside")
    l4 = udp((INSIDE, 4000), (SERVER, 5000), payload(PIECE - 8))
    ident = next(idents)
    first = piece(INSIDE, SERVER, UDP, ident, 0, l4, True)
    beyond = piece(INSIDE, SERVER, UDP, ident, 65528, EVIL * 800, False)
    dropped(box, "fragment-bad", lambda: box.lan.send([first, beyond]))
    seen.none(lambda p: p.haslayer(IP) and p[IP].frag * 8 > 60000, "the end of it")
    still_works(box, inside, outside, external)


def test_unaligned(box):
    inside, outside, external = pair(box)
    l4 = udp((INSIDE, 4000), (SERVER, 5000), payload(1000))
    dropped(box, "fragment-bad", lambda: box.lan.send([piece(INSIDE, SERVER, UDP, next(idents), 0, l4[:100], True)]))


# Identifications

def test_rfc6864_ids_do_not_collide(box):
    """Two inside hosts with one identification and one destination: outside they differ; within a datagram all are one."""
    persist(lambda: two_hosts_with_one_identification(box))


def two_hosts_with_one_identification(box):
    seen = box.tap("outside")
    remote = box.outside.udp(SERVER, 5000)
    remote.settimeout(3)
    ident = next(idents)
    for order in ("in-order", "reversed"):
        both = [cut(host, SERVER, UDP, udp((host, 4000), (SERVER, 5000), payload(8000)), ident) for host in (INSIDE, INSIDE2)]
        box.lan.send([p for two in zip(*[ordered(b, order) for b in both]) for p in two])
        sources = [remote.recvfrom(65535) for _ in range(2)]
        assert {len(data) for data, _ in sources} == {8000} and len({s for _, s in sources}) == 2
    frames = []
    seen.receive(lambda p: frames.append(p) if p.haslayer(IP) and p[IP].dst == SERVER else None, 0.5)
    pieces = [p[IP] for p in frames if p[IP].flags.MF or p[IP].frag]
    assert {p.ttl for p in pieces} == {63}, "waiting is no hop"
    datagrams = {}
    for p in pieces:
        datagrams.setdefault(p.id, []).append(p.frag * 8)
    assert len(datagrams) == 4, "identifications outside: %s" % sorted(datagrams)
    assert all(sorted(ats) == list(range(0, 8008, PIECE)) for ats in datagrams.values()), datagrams
    remote.close()


# Floods

class Flood:
    """Fragments without a first one, from a raw socket, while the block runs. n of them at least."""

    def __init__(self, box, sources, n=20000, batch=100):
        self.box, self.n, self.sent = box, n, 0
        self.batches = []
        for i in range(100):
            packets = [piece(src, SERVER, UDP, (i * batch + k) & 0xffff, 1480, EVIL * 104, True)
                       for k, src in zip(range(batch), itertools.cycle(sources))]
            self.batches.append([bytes(box.lan.head / p) for p in packets])
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for frames in itertools.cycle(self.batches):
            for frame in frames:
                try:
                    self.box.lan.tap.sock.send(frame)
                except OSError as full:     # the link is: that is what a flood comes to
                    if full.errno != errno.ENOBUFS:
                        raise
                    continue
                self.sent += 1
            if self.stop.is_set() and self.sent >= self.n:
                return
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join(60)


ONE = [INSIDE]
MANY = ["198.18.%d.%d" % (i // 250, i % 250 + 1) for i in range(250, 2250)]


@pytest.mark.parametrize("sources", [ONE, MANY], ids=["one-source", "many-sources"])
def test_flood_harms_nothing_else(box, sources):
    """20,000 early fragments and more: pings, a TCP transfer and the fragments of another host pass beside them."""
    with Flood(box, sources) as flooding:
        box.inside.ping(SERVER, "-I", INSIDE2, count=20)
        box.inside.ping(SERVER, "-s", 20000, "-I", INSIDE2, count=10)
        transfer = iperf3(box.outside, box.inside, SERVER, "-B", INSIDE3, seconds=2)
        report = park(box.box)
    assert flooding.sent >= 20000
    assert transfer["sum_received"]["bytes"] > 1 << 20
    assert report["fragments"]["parked"] > 100
    assert report["bytes"] <= 4 << 20
    if len(sources) == 1:
        assert report["bytes"] <= 256 << 10


def test_flood_of_one_leaves_room_for_others(box):
    """While one source floods the park, another one's reversed fragments go through it."""
    inside, outside, external = pair(box, host=INSIDE2)
    with Flood(box, ONE):
        wait_for(lambda: park(box.box)["fragments"]["refused"] + box.box.counter("fragment-limit") > 0, 15, "the flood to meet its bound")
        for _ in range(10):
            wire = Wire(box, "inside")
            wire.send(cut(INSIDE2, SERVER, UDP, udp((INSIDE2, 4000), (SERVER, 5000), payload(8000))), "reversed")
            wire.arrives(outside, payload(8000), external)


def test_flood_of_unfinished_datagrams(box):
    """First fragments that nothing follows: the source's share is used up, others go on."""
    pair(box, host=INSIDE2)
    l4 = udp((INSIDE, 4001), (SERVER, 5000), payload(2000))
    frames = [bytes(box.lan.head / piece(INSIDE, SERVER, UDP, i, 0, l4[:200], True)) for i in range(2000)]
    dropped(box, "fragment-limit", lambda: [box.lan.tap.sock.send(f) for f in frames])
    box.inside.ping(SERVER, "-s", 20000, "-I", INSIDE3, count=5)


# What never comes

@pytest.mark.parametrize("missing", ["first", "middle", "last"])
def test_a_lost_fragment_leaves_nothing_behind(box, missing):
    inside, outside, external = pair(box)
    pieces = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000)))
    del pieces[{"first": 0, "middle": 3, "last": -1}[missing]]
    box.lan.send(pieces, "reversed")
    wait_for(lambda: park(box.box)["fragments"]["parked"] > 0, 15, "something to be parked")
    wait_for(lambda: park(box.box)["bytes"] == 0, 15, "the park to be empty")
    assert silent(outside)
    if missing != "last":
        assert park(box.box)["fragments"]["expired"] > 0
    still_works(box, inside, outside, external)


def test_nothing_waits_for_long(box):
    """What was parked is given up after 0.2 s: a first fragment that comes later finds nobody."""
    inside, outside, external = pair(box)
    pieces = cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3000)))
    box.lan.send(pieces[1:])
    wait_for(lambda: park(box.box)["fragments"]["expired"] == len(pieces) - 1, 15, "the park to give up")
    box.lan.send(pieces[:1])
    assert silent(outside)


# Without a daemon

def test_without_a_daemon(box):
    """The daemon killed: fragments in order pass both ways, early ones are dropped and never leave untranslated."""
    inside, outside, external = pair(box)
    box.box.kill()

    def there(order, size):
        box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(size))), order)
    there("in-order", 8000)
    arrives(outside, payload(8000), external)
    box.wan.send(cut(SERVER, EXTERNAL, UDP, udp((SERVER, 5000), external, payload(8000))))
    box.wan.arrives(inside, payload(8000), (SERVER, 5000))
    there("reversed", 8000)
    assert silent(outside)
    # After a while the datapath knows that nobody is there.
    before = box.box.counter("fragment")

    def noticed():
        there("reversed", 3000)
        return box.box.counter("fragment") > before
    wait_for(noticed, 15, "the datapath to notice")
    assert silent(outside)
    there("in-order", 60000)
    arrives(outside, payload(60000), external)
    # The next daemon takes over, with what waits for it.
    box.box.start(config(box.hook))
    there("reversed", 8001)
    box.lan.arrives(outside, payload(8001), external)


def test_with_a_stopped_daemon(box):
    """`natvi stop`: the same, at once."""
    inside, outside, external = pair(box)
    box.box.stop()
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))))
    box.lan.arrives(outside, payload(8000), external)
    dropped(box, "fragment", lambda: box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))), "reversed"))
    assert silent(outside)


def test_with_a_frozen_daemon(box):
    """The daemon stands still: what is early is lost, within bounds; it goes on where it was."""
    inside, outside, external = pair(box)
    box.box.freeze()
    for _ in range(20):
        box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(60000))), "reversed")
    box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(8000))))
    box.lan.arrives(outside, payload(8000), external)
    before = box.box.counter("fragment")

    def noticed():
        box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(3000))), "reversed")
        return box.box.counter("fragment") > before
    wait_for(noticed, 15, "the datapath to notice")
    box.box.process.send_signal(signal.SIGCONT)

    def works():
        box.lan.send(cut(INSIDE, SERVER, UDP, udp((INSIDE, 4000), (SERVER, 5000), payload(5000))), "reversed")
        return not silent(outside, 0.2)
    wait_for(works, 15, "reversed fragments to pass again")
    assert outside.recv(65535) == payload(5000)
