# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Wire mode frame by frame: what crosses, what is taken out and by which MAC addresses it comes back, and what follows whom."""
import os
import select
import socket
import struct
import time

import pytest
from scapy.all import ARP, ICMP, IP, UDP, Dot1Q, Ether, ICMPv6PacketTooBig, IPv6, Raw, fragment

from gateway import NATVI
from lab import veth, wait_for
from services import Nginx, fetch
from sites import A, B, BROADCAST, Cable, announce, forwards, mac, ping, plug, reachable
from tun import Tun
from wire import Tap, Wiretap

MARK = 0x32
NOWHERE = "02:00:00:00:00:99"       # a switch sends it everywhere, and nobody takes it
ON_THE_NET = "192.0.2.50"
TO_B = {"match": {"destination": [B.net]}, "to": "tun0"}
FROM_B = {"match": {"port": "eth2", "source": [B.net]}, "to": "tun0"}


def padded(head, size=64):
    return head + bytes(i * 7 & 255 for i in range(max(0, size - len(head))))


def link(to, source="02:00:00:00:00:01"):
    return bytes.fromhex((to + source).replace(":", ""))


FRAMES = {
    "stp": padded(link("01:80:c2:00:00:00") + b"\0\x26\x42\x42\x03"),
    "pause": padded(link("01:80:c2:00:00:01") + b"\x88\x08\0\x01\xff\xff"),
    "eapol": padded(link("01:80:c2:00:00:03") + b"\x88\x8e\x02\x01"),
    "lldp": padded(link("01:80:c2:00:00:0e") + b"\x88\xcc\x02\x07"),
    "multicast": padded(link("01:00:5e:00:00:fb") + b"\x08\0\x45\0"),
    "arp": bytes(Ether(dst=BROADCAST, src="02:00:00:00:00:01") / ARP(psrc="192.0.2.7", pdst="192.0.2.8", hwsrc="02:00:00:00:00:01")),
    "unknown": padded(link("02:00:00:00:00:02") + b"\x9a\xbc", 1514),
    "bad-ip": padded(link("02:00:00:00:00:02") + b"\x08\0\x43\xff\xff\xff"),
    "options": bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / IP(src="192.0.2.7", dst="203.0.113.9", options=b"\x94\x04\0\0") / UDP()),
    "expiring": bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / IP(src="192.0.2.7", dst="203.0.113.9", ttl=1) / UDP()),
    "to-tag": padded(link("02:00:00:00:00:02") + b"\x81\0\x60\x64\x9a\xbc", 1518),
    "ip-in-tag": bytes(Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / Dot1Q(vlan=7, prio=5) /
                       IP(src="192.0.2.7", dst="203.0.113.9") / UDP() / Raw(b"natvi" * 9)),
    "qinq": padded(link("02:00:00:00:00:02") + b"\x88\xa8\0\x64\x81\0\0\xc8\x9a\xbc", 1522),
    "three-tags": padded(link("02:00:00:00:00:02") + b"\x88\xa8\0\x64\x81\0\0\xc8\x81\0\0\xc9\x9a\xbc", 200),
    "jumbo": padded(link("02:00:00:00:00:02") + b"\x9a\xbc", 9014),
    "jumbo-tag": padded(link("02:00:00:00:00:02") + b"\x81\0\0\x64\x9a\xbc", 9018),
}


@pytest.fixture
def cable(lab, hook):
    return Cable(lab, hook)


def both(hook):
    """On XDP a veth takes no frame that is larger than a page."""
    return {n: f if hook == "tc" else f[:3014] for n, f in FRAMES.items()}


@pytest.mark.parametrize("members", [False, True], ids=["ports", "bridge"])
def test_frames_cross_unchanged(lab, hook, members):
    """Byte for byte, both ways, also what a bridge would keep for itself, and if the ports are members of one."""
    cable = Cable(lab, hook, mtu=9000 if hook == "tc" else 3000)
    if hook == "xdp":
        cable.host.run("ethtool", "-K", "eth0", "txvlan", "off")
        cable.router.run("ethtool", "-K", "lan", "txvlan", "off")
    if members:
        cable.box.ip("link add br7 type bridge", "link set br7 up", "link set eth1 master br7", "link set eth2 master br7")
    natvi = cable.running(capture=[TO_B], to="tun0")
    ends = Wiretap(cable.host), Wiretap(cable.router, "lan")
    before = natvi.counter("wire-crossed")
    for near, far in (ends, ends[::-1]):
        for name, frame in both(hook).items():
            near.send(frame)
            try:
                far.crosses(frame)
            except AssertionError as problem:
                raise AssertionError("%s: %s" % (name, problem)) from None
    assert natvi.counter("wire-crossed") >= before + 2 * len(both(hook))
    if members:
        assert "master br7" in cable.box.run("ip", "link", "show", "eth1").stdout


def test_frames_cross_once(cable):
    """Neither doubled nor sent back; and the box itself takes no part."""
    cable.running(capture=[TO_B])
    ends = Wiretap(cable.host), Wiretap(cable.router, "lan")
    frame = FRAMES["unknown"]
    for near, far in (ends, ends[::-1]):
        for _ in range(5):
            near.send(frame)
        near.send(FRAMES["lldp"])
        end, seen = time.monotonic() + 20, 0
        while time.monotonic() < end:
            now = far.frame()
            seen += now == frame
            if now == FRAMES["lldp"]:
                break
        assert seen == 5
        while select.select([near.sock], [], [], 0)[0]:
            assert near.frame() not in (frame, FRAMES["lldp"])


# Out of the wire and back

def captured(cable, tun, sport=4000, dport=5000, text=b"natvi", source=A.host, to=B.host):
    """A host's datagram comes out of the tunnel as it was sent."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with cable.host.enter():
        sock = socket.socket(family, socket.SOCK_DGRAM)
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((source, sport))
        packet = out_of(tun, lambda: sock.sendto(text, (to, dport)), source, dport)
    assert bytes(packet[UDP].payload) == text
    return packet


def out_of(tun, say, source, dport):
    """say() it until it comes out of the tunnel, which may have to be noticed first."""
    kind = IPv6 if ":" in source else IP

    def said():
        say()
        return tun.receive(lambda p: kind in p and UDP in p and p[kind].src == source and p[UDP].dport == dport, 0.2)
    return wait_for(said, 15, "a datagram to come out of the tunnel")


def answer(packet, text=b"back"):
    kind = IPv6 if IPv6 in packet else IP
    return kind(src=packet[kind].dst, dst=packet[kind].src) / UDP(sport=packet[UDP].dport, dport=packet[UDP].sport) / Raw(text)


def arrives(tap, source, to, what="the answer", timeout=20):
    kind = IPv6 if ":" in source else IP
    return tap.expect(lambda p: kind in p and (p[kind].src, p[kind].dst) == (source, to) and UDP in p, what, timeout)


@pytest.mark.parametrize("vlan,members", [(0, False), (0, True), (100, False)], ids=["untagged", "bridge", "100"])
def test_way_back_by_mac(lab, hook, vlan, members):
    """What comes out of the tunnel goes where the connection came from, from whom that was sent to, with its tag; IPv6, too."""
    cable = Cable(lab, hook, vlan)
    if members:
        cable.box.ip("link add br7 type bridge", "link set br7 up", "link set eth1 master br7", "link set eth2 master br7")
    natvi = cable.running()
    tun, tap = Tun(cable.box), Wiretap(cable.host)
    host, router = cable.macs()
    for source, to in ((A.host, B.host), (A.host6, B.host6)):
        reachable(cable.host, A.gateway6 if ":" in source else A.gateway)
        packet = captured(cable, tun, source=source, to=to)
        assert (packet.hlim if IPv6 in packet else packet.ttl) == 64
        tap.drain()
        tun.send(answer(packet))
        frame = wait_for(lambda: frame_of(tap, to, source), 15, "the answer")
        assert frame[:12] == link(host, router)
        assert frame[12:16] == (struct.pack(">HH", 0x8100, vlan) if vlan else frame[12:16])
    assert natvi.counter("wire-captured") >= 2 and natvi.counter("wire-returned") >= 2


def frame_of(tap, source, to):
    """The next frame, if it is this one's."""
    if not select.select([tap.sock], [], [], 0.1)[0]:
        return None
    frame = tap.frame()
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    return frame if socket.inet_pton(family, source) + socket.inet_pton(family, to) in frame else None


def test_tags_come_back(lab):
    """Service tag and customer tag, priorities and all; a rule for one VLAN leaves the others alone."""
    cable = Cable(lab, "tc")
    cable.running(capture=[dict(TO_B, match={"vlan": 300, "destination": [B.net]})])
    tun, near, far = Tun(cable.box), Wiretap(cable.host), Wiretap(cable.router, "lan")
    inner = bytes(IP(src="192.0.2.7", dst=B.host) / UDP(sport=1000, dport=2000) / Raw(b"natvi"))
    for tags in (b"\x88\xa8\xe1\x2c\x81\0\x20\xc8", b"\x81\0\xa1\x2c"):     # VLAN 300, priority 7 and 5
        packet = out_of(tun, lambda: near.send(link("02:00:00:00:00:02") + tags + b"\x08\0" + inner), "192.0.2.7", 2000)
        assert bytes(packet) == inner
        back = answer(packet, os.urandom(8))
        tun.send(back)
        frame = wait_for(lambda: frame_of(near, B.host, "192.0.2.7"), 15, "the answer")
        assert frame == link("02:00:00:00:00:01", "02:00:00:00:00:02") + tags + b"\x08\0" + bytes(back)
    other = link("02:00:00:00:00:02") + b"\x81\0\0\x07\x08\0" + inner
    near.send(other)
    far.crosses(other)


def test_connections_out_of_the_tunnel(cable):
    """The far end begins: to a host that nobody has heard of yet, to one beyond the router; the answers find back into the tunnel."""
    natvi = cable.running(capture=[])
    cable.reload(capture=[{"match": {"source": ["198.18.99.0/24"]}, "to": "tun0"}])
    tun, near, far = Tun(cable.box), Tap(cable.host), Tap(cable.router, "lan")
    reachable(cable.host, B.host)       # beyond the router
    cable.router.ip("route add 203.0.113.0/24 via %s" % A.host)
    cable.host.ip("addr add %s/24 dev eth0" % ON_THE_NET)
    for n, (tap, server, address) in enumerate(((near, cable.host, A.host), (near, cable.host, ON_THE_NET), (far, cable.router, B.host))):
        sock = server.udp(address, 6000)
        call = IP(src="203.0.113.77", dst=address) / UDP(sport=7000 + n, dport=6000) / Raw(b"call")

        def called():
            tun.send(call)
            return select.select([sock], [], [], 0.3)[0]
        wait_for(called, 15, "the call to arrive at %s" % address)
        data, source = sock.recvfrom(100)
        assert (data, source) == (b"call", ("203.0.113.77", 7000 + n))
        sock.sendto(b"hello", source)
        back = tun.expect(lambda p: IP in p and UDP in p and p[IP].src == address, "the answer of %s" % address)
        assert bytes(back[UDP].payload) == b"hello"
    assert natvi.counter("wire-returned") >= 2


def test_first_match_and_its_port(cable):
    """By port of the wire, and the first one that matches decides."""
    cable.running(capture=[{"match": {"port": "eth1", "destination": [B.net], "proto": "udp", "destination-ports": "5000-5001"}, "to": "tun1"},
                           {"match": {"port": "eth1", "destination": [B.net], "proto": "udp"}, "to": "tun0"}, FROM_B])
    tuns = {n: Tun(cable.box, n) for n in ("tun0", "tun1")}
    captured(cable, tuns["tun1"], dport=5001)
    captured(cable, tuns["tun0"], dport=5002)
    back = from_behind(cable, tuns["tun0"])
    tap = Tap(cable.router, "lan")
    tuns["tun0"].send(back)
    back = arrives(tap, A.host, B.host)
    assert (back.dst, back.src) == cable.macs()[::-1]
    ping(cable.host, A.gateway)


def test_ethernet_target(cable):
    """A target that is an Ethernet device gets the frame, and gives it back."""
    cable.running(capture=[dict(TO_B, to="tap0")])
    tap0, tap = Tun(cable.box, "tap0", ethernet=True), Tap(cable.host)
    host, router = cable.macs()
    packet = captured(cable, tap0)
    assert packet[IP].dst == B.host
    tap0.send(Ether(dst=packet.src, src=packet.dst) / answer(packet))
    back = arrives(tap, B.host, A.host)
    assert (back.dst, back.src) == (host, router)


def test_box_is_the_target(cable):
    """`to: nvi0`: the box's own stack takes it, here a server that answers in B's name."""
    cable.running(capture=[{"match": {"destination": [B.net], "proto": "tcp", "destination-ports": 80}, "to": "nvi0"}])
    cable.box.ip("addr add %s/32 dev lo" % B.host)
    nginx = Nginx(cable.box)
    wanted = nginx.file("page", 1 << 20)
    assert fetch(cable.host, "http://%s/page" % B.host) == wanted
    assert nginx.log().startswith(A.host)
    ping(cable.host, B.host)            # the router's, still


# Who may have it that it is given to

def test_marks(cable):
    """
    The reply mark: a program on the box answers in B's name, and it goes to who asked, from whom was asked. The original mark: it asks in
    A's name, and that goes to whom A has sent it to. Without a mark, the box's own ways.
    """
    natvi = cable.running(marks={"reply": 0x32, "original": 0x33})
    tun, near, far = Tun(cable.box), Tap(cable.host), Tap(cable.router, "lan")
    host, router = cable.macs()
    reachable(cable.host, A.gateway)
    cable.box.ip("route add %s dev tun0" % B.net, "route add %s/32 dev tun0" % A.host)     # as VPN programs do
    captured(cable, tun, 4000, 5000)
    raw = cable.box.socket(socket.SOCK_RAW, socket.IPPROTO_RAW)

    def say(mark, source, to, sport, dport):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
        raw.sendto(bytes(IP(src=source, dst=to) / UDP(sport=sport, dport=dport) / Raw(b"marked")), (to, 0))
    say(0x32, B.host, A.host, 5000, 4000)
    packet = arrives(near, B.host, A.host)
    assert (packet.dst, packet.src) == (host, router)
    say(0x33, A.host, B.host, 4000, 5000)
    packet = arrives(far, A.host, B.host, "what is said in A's name")
    assert (packet.dst, packet.src) == (router, host)
    assert natvi.counter("wire-own") >= 2


def test_transparent_proxy(cable):
    """A program on the box that takes part in B's place: IP_TRANSPARENT, the reply mark, which nftables sets, and no route for it."""
    cable.running(capture=[{"match": {"destination": [B.net], "proto": "udp", "destination-ports": 5000}, "to": "nvi0"}])
    tap = Tap(cable.host)
    host, router = cable.macs()
    management = cable.lab.namespace("management")
    veth(cable.box, "mgmt0", management, "eth0")        # where the box's routes lead
    cable.box.ip("addr add 203.0.113.2/24 dev mgmt0", "route add default via 203.0.113.1 dev mgmt0", "route add %s/32 via 203.0.113.1" % A.host,
                 "rule add to %s lookup 77 pref 77" % B.net, "route add local %s dev lo table 77" % B.net)
    cable.box.run("nft", "add table ip proxy; add chain ip proxy out { type route hook output priority mangle; }")
    cable.box.run("nft", "add rule ip proxy out udp sport 5000 meta mark set %d" % MARK)
    sock = cable.box.socket(socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IP, 19, 1)       # IP_TRANSPARENT
    sock.bind((B.host, 5000))
    client = cable.host.udp(A.host, 4000)
    client.sendto(b"question", (B.host, 5000))
    data, source = sock.recvfrom(100)
    assert (data, source) == (b"question", (A.host, 4000))
    sock.sendto(b"answer", source)
    assert client.recvfrom(100) == (b"answer", (B.host, 5000))
    packet = arrives(tap, B.host, A.host)
    assert (packet.dst, packet.src) == (host, router)


# Neighbours that move

def from_behind(cable, tun, router=None):
    """A connection from behind the router, captured; what would be its answer."""
    sock = (router or cable.router).udp(B.host, 4400)
    return answer(out_of(tun, lambda: sock.sendto(b"from B", (A.host, 5000)), B.host, 5000))


def goes_to(cable, tun, back):
    """The destination MAC address with which it is put into the wire. An interface of the router's side is promiscuous: a tap of the switch."""
    tap = Tap(cable.switch, "box")
    tun.send(back)
    frame = arrives(tap, back[IP].src, back[IP].dst)
    tap.sock.close()
    return frame.dst


def claim(cable, address, as_mac, to=NOWHERE):
    """An ARP packet that says that somebody has this address, from a station at the switch that nobody knows."""
    spoofer = Tap(cable.spoofer)
    spoofer.send(Ether(dst=to, src=as_mac) / ARP(op="is-at", hwsrc=as_mac, psrc=address, hwdst=BROADCAST, pdst=address))
    spoofer.sock.close()


@pytest.fixture
def switched(lab, hook):
    cable = Cable(lab, hook, switch=True)
    cable.spoofer = lab.namespace("spoofer")
    plug(cable.switch, "spoofer", cable.spoofer, "eth0")
    return cable


def test_spoofer_diverts_nobody(switched):
    """Somebody says by ARP to be the router, which is alive: nothing goes to him, now or later."""
    evil = "02:00:00:00:ee:01"
    natvi = switched.running(capture=[FROM_B])
    tun = Tun(switched.box)
    back = from_behind(switched, tun)
    router = mac(switched.router, "lan")
    switched.router.spawn("ping", "-n", "-q", "-i", 0.2, A.host)       # it is alive
    assert goes_to(switched, tun, back) == router
    voice = Tap(switched.router, "lan")
    said = Ether(src=router, dst=mac(switched.host, "eth0")) / IP(src=A.gateway, dst=A.host) / UDP()
    end = time.monotonic() + 4          # for longer than a neighbour may be silent
    while time.monotonic() < end:
        voice.send(said)                # also if its ping has no time to
        claim(switched, A.gateway, evil)
        assert goes_to(switched, tun, back) == router
    own = Tap(switched.switch, "box")
    switched.box.spawn("ping", "-n", "-c", 1, B.host)
    assert own.expect(lambda p: IP in p and p[IP].src == A.box and p[IP].dst == B.host, "the box's ping").dst == router
    assert natvi.process.alive()


def test_arp_may_be_believed(switched):
    """With `mac-changes: arp` who says so at all is believed at once."""
    switched.running(capture=[FROM_B], **{"mac-changes": "arp"})
    tun = Tun(switched.box)
    back = from_behind(switched, tun)
    switched.router.spawn("ping", "-n", "-q", "-i", 0.2, A.host)
    assert goes_to(switched, tun, back) == mac(switched.router, "lan")

    def believed():
        """Until the router's next packet."""
        claim(switched, A.gateway, "02:00:00:00:ee:01")
        return goes_to(switched, tun, back) == "02:00:00:00:ee:01"
    wait_for(believed, 10, "the claim to be believed")


def test_dead_router_is_replaced(switched):
    """A router that says nothing any more gives way to who has its address now, for all its connections; packets tell at once."""
    natvi = switched.running(capture=[FROM_B])
    monitor = switched.box.spawn(NATVI, "monitor", "--instance", natvi.instance, "--json")
    tun = Tun(switched.box)
    reachable(switched.host, A.gateway)     # ARP has shown who it is
    back = from_behind(switched, tun)
    old = mac(switched.router, "lan")
    spare = switched.another_router()
    spare.ip("addr add %s/32 dev lo" % B.host)
    assert goes_to(switched, tun, back) == old
    switched.router.ip("link set lan down")
    spare.ip("link set lan up")
    forwards(switched.switch, "arouter2")
    new = mac(spare, "lan")
    announce(spare, "lan", A.gateway)
    wait_for(lambda: goes_to(switched, tun, back) == new, 15, "the new router to be believed")
    monitor.wait_output(r'"event": ?"moved".*%s.*%s' % (old, new))


def test_packets_move_a_flow_at_once(cable):
    """The next packet of a connection from another MAC address is enough, alive as the old one may be."""
    cable.running()
    tun, tap = Tun(cable.box), Tap(cable.host)
    router = mac(cable.router, "lan")
    packet = captured(cable, tun)
    for new in ("02:00:00:00:aa:01", "02:00:00:00:aa:02"):
        tap.send(Ether(dst=router, src=new) / packet)
        tun.expect(lambda p: IP in p and p[IP].src == A.host and UDP in p, "the packet from another MAC address")
        tap.drain()
        tun.send(answer(packet))
        assert arrives(tap, B.host, A.host).dst == new


# A target that is not there

@pytest.mark.parametrize("fail", ["open", "closed"])
def test_target_comes_and_goes(cable, fail):
    natvi = cable.running(fail=fail)
    server, client = cable.router.udp(B.host, 5000), cable.host.udp(A.host, 4000)
    reachable(cable.host, A.gateway)

    def crosses():
        client.sendto(b"?", (B.host, 5000))
        return bool(select.select([server], [], [], 0.2)[0]) and server.recv(10)
    for _ in range(2):
        before = natvi.counter("wire-no-target")
        if fail == "open":
            wait_for(crosses, 15, "it to be a cable")
        else:
            wait_for(lambda: not crosses() and natvi.counter("wire-no-target") > before, 15, "it to be dropped")
        tun = Tun(cable.box)
        wait_for(lambda: client.sendto(b"?", (B.host, 5000)) and tun.receive(lambda p: IP in p and p[IP].src == A.host, 0.2), 15,
                 "the tunnel to be used")
        while select.select([server], [], [], 0)[0]:
            server.recv(10)
        assert not crosses()
        cable.box.ip("link set tun0 down")
        if fail == "open":
            wait_for(crosses, 15, "it to be a cable while tun0 is down")
        tun.close()
    if fail == "closed":
        assert not crosses()


# What comes back by another ifindex

def test_port_returns(cable):
    """A port that was taken away and came back: the answers of connections that came in by it leave by it again, and not by the other one."""
    natvi = cable.running(capture=[FROM_B])
    tun = Tun(cable.box)
    address = mac(cable.router, "lan")
    back = from_behind(cable, tun)
    near = Tap(cable.host)
    cable.box.ip("link del eth2")
    natvi.process.wait_output("eth2: has gone")
    before = natvi.counter("wire-no-port")
    wait_for(lambda: tun.send(back) or natvi.counter("wire-no-port") > before, 10, "the answer to have nowhere to go")
    cable.port("eth2", cable.router, "lan")
    cable.router.ip("link set lan address " + address)
    natvi.process.wait_output("eth2: is there")
    far = Tap(cable.router, "lan")
    wait_for(lambda: tun.send(back) or far.receive(lambda p: IP in p and UDP in p and p[IP].dst == B.host, 0.3), 10, "the answer at the router")
    near.none(lambda p: IP in p and UDP in p and p[IP].dst == B.host, "the answer at the wrong end")


def test_tunnel_returns(lab):
    """The VPN program is started anew, its device too: what is answered to a connection that began behind it finds it without waiting for it."""
    cable = Cable(lab, "tc")
    cable.running(capture=[{"match": {"source": ["198.18.99.0/24"]}, "to": "tun0"}])
    sock = cable.host.udp(A.host, 6000)
    tun = Tun(cable.box)
    reachable(cable.host, A.gateway)
    call = IP(src="203.0.113.77", dst=A.host) / UDP(sport=7000, dport=6000) / Raw(b"call")

    def answered():
        sock.sendto(b"more", ("203.0.113.77", 7000))
        return tun.receive(lambda p: IP in p and UDP in p and p[IP].src == A.host, 0.3)
    wait_for(lambda: tun.send(call) or answered(), 10, "an answer to the call")
    for _ in range(2):
        tun.close()
        tun = Tun(cable.box)
        wait_for(answered, 10, "an answer in the new tunnel")


# Sizes

def test_too_big_for_the_tunnel(cable):
    """Who may not have it cut is told so in the remote's name, by whom the wire shows as the sender; IPv6 as well."""
    natvi = cable.running()
    tun, tap = Tun(cable.box, mtu=1300), Tap(cable.host)
    host, router = cable.macs()
    reachable(cable.host, A.gateway), reachable(cable.host, A.gateway6)
    captured(cable, tun, text=b"x" * 1272)
    captured(cable, tun, text=b"x" * 1252, source=A.host6, to=B.host6)
    big = IP(src=A.host, dst=B.host, flags="DF") / UDP(sport=4000, dport=5000) / Raw(b"x" * 1273)
    tap.send(Ether(dst=router, src=host) / big)
    error = tap.expect(lambda p: ICMP in p and p[ICMP].type == 3, "fragmentation needed")
    assert (error[ICMP].code, error[ICMP].nexthopmtu, error[IP].src, error[IP].dst) == (4, 1300, B.host, A.host)
    assert (error.dst, error.src) == (host, router)
    assert bytes(error[ICMP].payload)[:28] == bytes(big)[:28]
    big = IPv6(src=A.host6, dst=B.host6) / UDP(sport=4000, dport=5000) / Raw(b"x" * 1253)
    tap.send(Ether(dst=router, src=host) / big)
    error = tap.expect(lambda p: ICMPv6PacketTooBig in p, "packet too big")
    assert (error[ICMPv6PacketTooBig].mtu, error[IPv6].src, error[IPv6].dst) == (1300, B.host6, A.host6)
    assert (error.dst, error.src) == (host, router)
    assert natvi.counter("too-big") >= 2


def test_cut_for_the_tunnel(cable):
    """What may be cut is cut."""
    cable.running()
    tun, tap = Tun(cable.box, mtu=1300), Tap(cable.host)
    host, router = cable.macs()
    captured(cable, tun)
    tap.send(Ether(dst=router, src=host) / IP(src=A.host, dst=B.host, id=77) / UDP(sport=4000, dport=5000) / Raw(b"x" * 1400))
    pieces = {}
    while sum(len(p[IP].payload) for p in pieces.values()) < 1408:
        piece = tun.expect(lambda p: IP in p and p[IP].id == 77 and p[IP].src == A.host, "a piece; there are %d" % len(pieces))
        assert piece[IP].len <= 1300
        pieces[piece[IP].frag] = piece
    assert len(pieces) == 2


def test_fragments_follow_their_first_one(cable):
    """A rule for ports takes the fragments behind the first one as well; without it none of them, and none twice."""
    cable.running(capture=[{"match": {"destination": [B.net], "proto": "udp", "destination-ports": 5000}, "to": "tun0"}])
    tun, near, far = Tun(cable.box), Tap(cable.host), Tap(cable.router, "lan")
    host, router = cable.macs()
    captured(cable, tun)
    for number, port in ((1, 5000), (2, 5001)):
        whole = IP(src=A.host, dst=B.host, id=number) / UDP(sport=4000, dport=port) / Raw(b"y" * 3500)
        pieces = fragment(whole, 1400)
        for piece in pieces:
            near.send(Ether(dst=router, src=host) / piece)
        for piece in pieces:
            place = (tun if port == 5000 else far)
            place.expect(lambda p: IP in p and (p[IP].id, p[IP].frag) == (number, piece.frag), "fragment %d of %d" % (piece.frag, number))
    tun.drain()
    # And back, larger than the wire's MTU: the far end has cut it.
    for piece in fragment(IP(src=B.host, dst=A.host, id=3) / UDP(sport=5000, dport=4000) / Raw(b"z" * 3500), 1400):
        tun.send(piece)
        near.expect(lambda p: IP in p and (p[IP].id, p[IP].frag) == (3, piece.frag), "fragment %d on the way back" % piece.frag)


def test_service_of_the_box_in_a_vlan(lab, hook):
    """The box's address is in the wire's VLAN: who is there reaches it, and it reaches them."""
    cable = Cable(lab, hook, 100)
    cable.running(capture=[])
    nginx = Nginx(cable.box, 8080)
    wanted = nginx.file("page", 1 << 20)
    for namespace in (cable.host, cable.router):
        ping(namespace, A.box)
        assert fetch(namespace, "http://%s:8080/page" % A.box) == wanted
    reachable(cable.host, B.host)       # what comes back from there shows the router
    for address in (A.host, A.gateway, B.host):
        ping(cable.box, address)


def test_box_beside_another_default_route(cable):
    """What bears the box's address on the wire leaves by it, also where a management network has the default route."""
    cable.running(capture=[])
    management = cable.lab.namespace("management")
    veth(cable.box, "mgmt0", management, "eth0")
    cable.box.ip("addr add 203.0.113.2/24 dev mgmt0")
    cable.box.ip("route add default via 203.0.113.1 dev mgmt0")
    nginx = Nginx(cable.box, 8080)
    wanted = nginx.file("page", 1 << 20)
    reachable(cable.host, B.host)
    cable.router.run("curl", "-sSf", "--max-time", 60, "--interface", B.host, "-o", "/dev/null", "http://%s:8080/page" % A.box)
    assert fetch(cable.host, "http://%s:8080/page" % A.box) == wanted
    assert cable.box.run("ping", "-n", "-c", 1, "-W", 1, B.host, check=False).returncode     # of no address, it is the management's


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_target_goes_unwatched(lab, fail):
    """The device vanishes while no daemon is there to see it: an open wire is a cable all the same, a closed one lets nothing out."""
    cable = Cable(lab, "tc")
    natvi = cable.running(fail=fail)
    tun, tap = Tun(cable.box), Tap(cable.router, "lan")
    captured(cable, tun)
    natvi.kill()
    tun.close()
    sock = cable.host.socket(socket.SOCK_DGRAM)

    def crosses():
        sock.sendto(b"natvi", (B.host, 5001))
        return tap.receive(lambda p: IP in p and p[IP].src == A.host and UDP in p, 0.2) is not None
    if fail == "open":
        wait_for(crosses, 15, "what is captured to cross")      # once the daemon's heartbeat is old
    else:
        dropped = natvi.counter("wire-no-target")
        wait_for(lambda: not crosses() and natvi.counter("wire-no-target") > dropped, 15, "it to be dropped for that reason")
        assert not crosses()
    natvi.start(cable.config(fail=fail))


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_programs_taken_off(lab, fail):
    """Somebody takes natvi's filters off while no daemon is there: an open wire is the kernel's bridge, a closed one is cut."""
    cable = Cable(lab, "tc")
    natvi = cable.running(fail=fail)
    reachable(cable.host, A.gateway)
    natvi.kill()
    ping(cable.host, A.gateway)
    for port in ("eth1", "eth2"):
        cable.box.run("tc", "qdisc", "del", "dev", port, "clsact")
    if fail == "open":
        reachable(cable.host, A.gateway)
        reachable(cable.host, B.host6)
    else:
        assert cable.host.run("ping", "-n", "-c", 2, "-i", 0.2, "-W", 1, A.gateway, check=False).returncode == 1
    natvi.start(cable.config(fail=fail))
    reachable(cable.host, A.gateway)
