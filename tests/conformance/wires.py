# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi as the tests of the table set it up, and packets of hosts that no kernel stands behind.

RAW, RAW2 (inside) and FAR, FAR2 (outside) are spoken for frame by frame, so nothing answers but the test. What crosses the gateway
is found again by what translation does not change, and its checksums are looked at each time.
"""
import contextlib
import ctypes
import ipaddress
import os
import select
import socket
import struct

from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw, checksum, fragment

from gateway import EXTERNAL, POOL, REFUSE, SERVER, TO_POOL, config
from lab import PATIENCE_S, persist, run, wait_for
from wire import Capture

RAW, RAW2, RAW3 = "198.18.0.50", "198.18.0.51", "198.18.0.52"
FAR, FAR2, FAR3 = "198.51.100.200", "198.51.100.201", "198.51.100.202"
ROUTER, ROUTER2 = "198.51.100.77", "203.0.113.77"   # sources of ICMP errors that have nothing to do with a session
ONE = "192.0.2.1"
ONE_POOL = {"addresses": [ONE]}
POOLS = "192.0.2.0/24"  # all pools are in it, and the outside knows the way
SNAP_HEADER = 24    # of a capture file, before its packets
ETHERNET_FRAME = 1514
SO_ATTACH_FILTER = 26
POOL_NET = ipaddress.ip_network(POOL)


def nat(net, pool=None, rules=(TO_POOL, REFUSE), pools=(), **more):
    """natvi with the pool "public"; pool: its settings; pools: more of them. With hook xdp its programs are on the ports, natively."""
    net.outside.ip("route replace %s via %s" % (POOLS, EXTERNAL))
    natvi = net.running(settings(net, pool, rules, pools, **more))
    on = [i["xdp"] for i in natvi.show("interfaces") if i["name"] in ("lan0", "wan0")]
    assert on == (["native", "native"] if net.hook == "xdp" else ["off", "off"]), on
    return natvi


def settings(net, pool=None, rules=(TO_POOL, REFUSE), pools=(), **more):
    """The configuration that nat() starts with."""
    made = config(net.hook, rules=rules, pool=pool or {}, **more)
    made["pools"] += pools
    return made


def source_rule(name, *sources, pool=None):
    """A rule that sends what comes from these inside hosts to a pool of the same name."""
    return {"name": name, "from": {"interface": "lan0", "source": ["%s/32" % s for s in sources]}, "to": {"interface": "wan0"},
            "action": {"snat": pool or name}}


def set_mtu(net, natvi, **ports):
    """The gateway's ports get other MTUs, and natvi knows."""
    net.gateway.ip(*["link set %s mtu %d" % port for port in ports.items()])
    wait_for(lambda: {i["name"]: i["mtu"] for i in natvi.show("interfaces")}.items() >= ports.items(), 15, "natvi to know MTUs %s" % ports)


def in_pool(address):
    return ipaddress.ip_address(address) in POOL_NET


def silent(sock, timeout=0.4):
    """Nothing comes in on the socket."""
    return not select.select([sock], [], [], timeout)[0]


def connected(net, port=5000, host=None, server=SERVER, source=0, listener=None):
    """A TCP connection of two kernels through the gateway: client, server, the source that the server sees."""
    listener = listener or net.outside.tcp_listen(server, port)
    client = net.inside.tcp(host or "198.18.0.10", source)
    client.connect((server, port))
    served, seen = listener.accept()
    served.settimeout(PATIENCE_S)
    return client, served, seen


def talk(one, other, text=b"a word"):
    """Data goes both ways over a TCP connection."""
    for here, there in ((one, other), (other, one)):
        here.sendall(text)
        got = b""
        while len(got) < len(text):
            piece = there.recv(len(text) - len(got))
            assert piece, "the connection ended"
            got += piece
        assert got == text


def sound(packet):
    """The packet's own checksums, IP and above, are right."""
    if not isinstance(packet, IP):
        packet = packet[IP]
    raw = bytes(packet)[:packet.len]
    again = IP(raw)
    for layer in (IP, TCP, UDP, ICMP):
        if layer not in again:
            continue
        was = again[layer].chksum
        if layer is UDP and was == 0:
            continue
        if layer is not IP and (again.frag or again.flags.MF):
            continue
        fresh = IP(raw)
        del fresh[layer].chksum
        made = IP(bytes(fresh))[layer].chksum
        assert made == was, "%s checksum is %04x, and %04x would be right: %s" % (layer.__name__, was, made, packet.summary())
        if layer is ICMP:
            break   # what an error quotes is not whole
    return packet


def quoted(error):
    """The packet that an ICMP error quotes, as far as it goes; the checksum of its IP header is right."""
    inner = IP(bytes(error[ICMP])[8:])
    header = bytes(inner)[:inner.ihl * 4]
    total = sum(int.from_bytes(header[i:i + 2], "big") for i in range(0, len(header), 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    assert total == 0xffff, "the quoted IP header's checksum is wrong: %s" % header.hex()
    return inner


def ports_of(inner):
    """Source and destination port of a quoted packet of which perhaps only 8 bytes of TCP or UDP are there."""
    data = bytes(inner)[inner.ihl * 4:]
    return int.from_bytes(data[0:2], "big"), int.from_bytes(data[2:4], "big")


def word():
    """Eight bytes that no other packet has."""
    return os.urandom(4).hex().encode()


def error_about(packet, type, code, source, unused=0, length=None):
    """An ICMP error by source to the sender of a packet that arrived somewhere, quoting its first length bytes (default: all)."""
    packet = packet[IP]
    head = struct.pack("!BBHI", type, code, 0, unused) + bytes(packet)[:length]
    return IP(src=source, dst=packet.src) / ICMP(summed(head))


def summed(message):
    """An ICMP message with its checksum."""
    message = message[:2] + b"\0\0" + message[4:]
    return message[:2] + struct.pack("!H", checksum(message)) + message[4:]


def icmp_of_all_kinds(packet, source):
    """ICMP messages about a packet that arrived: unreachable with each code, source quench, redirect, time exceeded, parameter problem."""
    kinds = [(3, code) for code in range(16)] + [(4, 0), (5, 0), (5, 1), (11, 0), (11, 1), (12, 0)]
    for type, code in kinds:
        yield error_about(packet, type, code, source, unused=1400 if (type, code) == (3, 4) else 0)


class Wires:
    """Frames in and out at both sides."""

    def __init__(self, net):
        self.net = net
        self.tap = {"inside": net.tap("inside"), "outside": net.tap("outside")}
        self.header = {}
        for side, port, hosts in (("inside", "lan0", (RAW, RAW2, RAW3)), ("outside", "wan0", (SERVER,))):
            namespace = getattr(net, side)
            namespace.sysctl("net.ipv4.ip_forward", 0)
            mac = self.tap[side].mac
            mac = mac.hex(":") if isinstance(mac, bytes) else mac
            self.header[side] = Ether(src=mac, dst=net.mac(net.gateway, port))
            self.neighbours(*hosts, side=side, port=port)

    def neighbours(self, *hosts, side="inside", port="lan0"):
        """The gateway knows these hosts to be at that side's MAC."""
        self.net.gateway.ip(*["neigh replace %s lladdr %s dev %s nud permanent" % (host, self.header[side].src, port) for host in hosts])

    def send(self, side, packet):
        """An IP packet in a frame of that side's host to the gateway."""
        self.tap[side].send(self.header[side] / packet)

    def cross(self, side, packet, wanted=None, timeout=5):
        """Send from a side; the IP packet that arrives at the other one."""
        packet = IP(bytes(packet))
        other = "outside" if side == "inside" else "inside"

        def arrived():
            self.send(side, packet)
            return self.tap[other].expect(wanted or same(packet), "from %s: %s" % (side, packet.summary()), timeout)
        return sound(persist(arrived)[IP])

    def out(self, packet, wanted=None):
        return self.cross("inside", packet, wanted)

    def into(self, packet, wanted=None):
        return self.cross("outside", packet, wanted)

    def cross_pieces(self, side, fragments, timeout=PATIENCE_S):
        """Send fragments of a datagram from a side, in this order; those that arrive at the other one, in theirs."""
        other, one = self.tap["outside" if side == "inside" else "inside"], fragments[0]

        def of_them(p):
            return IP in p and p[IP].proto == one.proto and (p[IP].frag or p[IP].flags.MF) and (
                p[IP].dst == one.dst if side == "inside" else p[IP].src == one.src)
        for piece in fragments:
            self.send(side, piece)
        arrived = []
        while sum(len(f.payload) for f in arrived) < sum(len(f.payload) for f in fragments):
            frame = other.receive(of_them, timeout)
            assert frame, "of %d fragments from %s these came: %s" % (len(fragments), side, [(f.frag, f.len) for f in arrived])
            arrived.append(IP(bytes(frame[IP])[:frame[IP].len]))
        return arrived

    def lost(self, side, packet, timeout=0.3):
        """Send from a side; nothing of it arrives at the other one."""
        packet = IP(bytes(packet))
        self.send(side, packet)
        self.tap["outside" if side == "inside" else "inside"].none(same(packet), packet.summary(), timeout)

    def expect(self, side, wanted, what, timeout=PATIENCE_S):
        return sound(self.tap[side].expect(wanted, what, timeout)[IP])

    def error(self, side, type=3, timeout=PATIENCE_S):
        """The next ICMP error of a type that arrives at a side."""
        return self.expect(side, lambda p: ICMP in p and p[ICMP].type == type, "an ICMP error of type %d" % type, timeout)

    def none(self, side, wanted, what, timeout=0.3):
        self.tap[side].none(wanted, what, timeout)

    def drain(self):
        for tap in self.tap.values():
            tap.drain()

    def ignore(self, expression):
        """The taps see nothing of what a capture filter selects any more: a load is not for them."""
        lines = run(["tcpdump", "-y", "EN10MB", "-ddd", "not (%s)" % expression]).stdout.split("\n")[1:]
        code = b"".join(struct.pack("HBBI", *map(int, line.split())) for line in lines if line)
        memory = ctypes.create_string_buffer(code)
        for tap in self.tap.values():
            tap.sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", len(code) // 8, ctypes.addressof(memory)))
        self.drain()


def same(packet):
    """Whether a frame that arrives is this packet, translated: what NAT leaves alone is equal."""
    def tcp(p):
        return TCP in p and ICMP not in p and (p[TCP].seq, p[TCP].ack, int(p[TCP].flags)) == (
            packet[TCP].seq, packet[TCP].ack, int(packet[TCP].flags)) and load(p[TCP]) == load(packet[TCP])

    def udp(p):
        return UDP in p and ICMP not in p and load(p[UDP]) == load(packet[UDP])

    def icmp(p):
        if ICMP not in p or (p[ICMP].type, p[ICMP].code) != (packet[ICMP].type, packet[ICMP].code):
            return False
        return p[ICMP].type not in (0, 8) or (p[ICMP].seq, load(p[ICMP])) == (packet[ICMP].seq, load(packet[ICMP]))

    def other(p):
        return IP in p and p[IP].proto == packet.proto and load(p[IP]) == load(packet)
    return icmp if ICMP in packet else tcp if TCP in packet else udp if UDP in packet else other


def load(layer):
    """What a layer carries, without an Ethernet frame's padding."""
    if isinstance(layer, UDP):
        return bytes(layer.payload)[:max(0, layer.len - 8)] if layer.len else bytes(layer.payload)
    data = bytes(layer.payload)
    under = layer.underlayer
    if isinstance(under, IP) and under.len and isinstance(layer, (TCP, ICMP)):
        head = layer.dataofs * 4 if isinstance(layer, TCP) else 8
        return data[:max(0, under.len - under.ihl * 4 - head)]
    return data


@contextlib.contextmanager
def arrivals(net, *protocols):
    """Capture what arrives at both hosts; at the end tshark finds all its checksums right, and some of each of these protocols.

    On tc the hosts go on leaving checksums to be made, and it is the gateway that must make them; see real_checksums().
    """
    if net.hook == "tc":
        net.real_checksums()
    captures = [Capture(net.inside), Capture(net.outside)]
    yield captures
    paths = [capture.stop().path for capture in captures]
    with open(paths[0], "ab") as joined:
        joined.write(paths[1].read_bytes()[SNAP_HEADER:])
    seen = captures[0].checksums(ignore_longer=ETHERNET_FRAME if net.hook == "xdp" else None)
    assert all(seen[p] for p in ("ip", *protocols)), "of some protocol nothing was seen: %s" % seen


def raw_udp(source, sport, destination, dport, data=None, **ip):
    return IP(src=source, dst=destination, **ip) / UDP(sport=sport, dport=dport) / Raw(data if data is not None else word())


def raw_echo(source, destination, id, seq=1, type=8, data=None, **ip):
    return IP(src=source, dst=destination, **ip) / ICMP(type=type, id=id, seq=seq) / Raw(data if data is not None else word())


def pieces(packet, size, id=None):
    """A packet's fragments, in order, with size bytes each."""
    packet = IP(bytes(packet))
    if id is not None:
        packet.id = id
    packet.flags = 0
    return fragment(IP(bytes(strip_sum(packet))), size)


def strip_sum(packet):
    del packet.chksum
    return packet


def joined(fragments):
    """The packet that fragments of one datagram make; each byte came once."""
    fragments = sorted(fragments, key=lambda f: f.frag)
    assert len({(f.src, f.dst, f.id) for f in fragments}) == 1, [f.summary() for f in fragments]
    assert not fragments[-1].flags.MF and all(f.flags.MF for f in fragments[:-1])
    data = b""
    for f in fragments:
        assert f.frag * 8 == len(data), "a hole or an overlap: %s" % [(f.frag, f.len) for f in fragments]
        data += bytes(sound(f))[f.ihl * 4:f.len]
    packet = IP(src=fragments[0].src, dst=fragments[0].dst, proto=fragments[0].proto, id=fragments[0].id) / data
    return sound(IP(bytes(packet)))


class Segments:
    """One TCP connection of RAW and FAR, packet by packet: each must arrive with the right addresses.

    The client is who sends the first packet of out() or into(); sequence numbers are the test's own.
    """

    def __init__(self, wires, sport=4000, dport=5000, inside=RAW, outside=FAR):
        self.wires, self.inside, self.outside = wires, (inside, sport), (outside, dport)
        self.external = None
        self.next = {"inside": 1000, "outside": 900000}
        self.serial = 0

    def _segment(self, side, flags, data, options=()):
        here, there = (self.inside, self.outside) if side == "inside" else (self.outside, self.external)
        other = "outside" if side == "inside" else "inside"
        tcp = TCP(sport=here[1], dport=there[1], flags=flags, seq=self.next[side], options=list(options),
                  ack=self.next[other] if "A" in flags else 0)
        packet = IP(src=here[0], dst=there[0]) / tcp
        return packet / Raw(data) if data else packet

    def _advance(self, side, flags, data):
        self.next[side] += len(data) + ("S" in flags) + ("F" in flags)

    def out(self, flags, data=b"", advance=True, options=()):
        """A segment from inside; FAR gets it from the external address."""
        arrived = self.wires.out(self._segment("inside", flags, data, options))
        seen = arrived.src, arrived[TCP].sport
        assert (arrived.dst, arrived[TCP].dport) == self.outside
        assert self.external in (None, seen), "now from %s, before from %s" % (seen, self.external)
        self.external = seen
        if advance:
            self._advance("inside", flags, data)
        return arrived

    def into(self, flags, data=b"", advance=True, options=()):
        """A segment from outside to the external address; the inside host gets it."""
        arrived = self.wires.into(self._segment("outside", flags, data, options))
        assert (arrived.dst, arrived[TCP].dport) == self.inside
        assert (arrived.src, arrived[TCP].sport) == self.outside
        if advance:
            self._advance("outside", flags, data)
        return arrived

    def say(self, side, flags, data=b""):
        """A segment of which nothing is expected."""
        self.wires.send(side, self._segment(side, flags, data))

    def lost(self, side, flags, data=b"", timeout=0.3):
        self.wires.lost(side, self._segment(side, flags, data), timeout)

    def open(self):
        self.out("S")
        self.into("SA")
        self.out("A")
        return self

    def close(self):
        self.out("FA")
        self.into("A")
        self.into("FA")
        self.out("A")
        return self
