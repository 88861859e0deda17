# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Wire mode as it is meant: between two hosts a VPN in two boxes that neither the hosts nor the routers know of."""
import ipaddress
import os
import re
import socket
import time

import pytest
from scapy.all import IP

from lab import Lab, wait_for
from services import Nginx, Sshd, answer_dns, fetch, iperf3
from sites import A, B, Line, announce, mac, ping, reachable
from uplinks import Download
from vpn import Fastd, OpenVpn, Tunnel
from wire import Capture, Tap

BIG = 100 << 20
PATTERN = "6e61747669"
# What may be seen between the routers: ARP, IPv6 of their own (neighbour and listener discovery), and the tunnel.
FOREIGN = ("not arp and not (udp and host %s and host %s) and not (ip6 and (src net 2001:db8:3::/64 or src net fe80::/10 or src host ::))"
           % (A.box, B.box))
IPERF = [], ["-R"], ["-u", "-b", "5M"], ["-u", "-b", "5M", "-R"]
WIRES = [("tc", 0), ("xdp", 0), ("tc", 100)]     # tagged on XDP, too: with the failover and in test_wire_more


def tunnelled(lab, hook, vlan=0, switch=False, kind=OpenVpn, vpn=None, **config):
    """Two sites, natvi in both boxes, a VPN between them that carries what A and B say to each other."""
    line = Line(lab, hook, vlan, switch).running(**config).acquainted()
    line.tunnel = Tunnel(line, kind, **(vpn or {})).start()
    for namespace, address in ((line.a, B.host), (line.b, A.host), (line.a, B.host6)):
        reachable(namespace, address)
    return line


@pytest.fixture(scope="module", params=WIRES, ids=lambda p: "%s-%s" % (p[0], p[1] or "untagged"))
def line(request, machine):
    """For what leaves all as it was."""
    lab = Lab()
    try:
        yield tunnelled(lab, *request.param)
    finally:
        lab.close()


class Between:
    """What is not the tunnel's, between the routers, while the body runs: nothing. But the tunnel's there is, unless silent."""

    def __init__(self, line, silent=False):
        self.line, self.silent = line, silent

    def __enter__(self):
        self.capture = Capture(self.line.rb, "core", FOREIGN, "inout")
        self.before = packets(self.line)

    def __exit__(self, kind, *_):
        rows = self.capture.stop().fields("frame", "frame.number", "frame.protocols", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst")
        if kind is None:
            assert not rows, "in the clear: %s" % rows[:10]
            assert self.silent or packets(self.line) > self.before


def packets(line):
    """That router B has had from router A."""
    with line.rb.enter():
        for row in open("/proc/net/dev"):
            if row.strip().startswith("core:"):
                return int(row.split()[2])


def in_the_clear(line, source, timeout=30):
    """Wait until a packet of this source is seen between the routers."""
    tap = Tap(line.rb if source == A.host else line.ra, "core")
    tap.expect(lambda p: IP in p and p[IP].src == source, "a packet of %s in the clear" % source, timeout)
    tap.sock.close()


def url(address, name="big"):
    return "http://%s/%s" % ("[%s]" % address if ":" in address else address, name)


def udp(namespace, address, port=0):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = namespace.socket(socket.SOCK_DGRAM, family=family)
    sock.bind((address, port))
    return sock


def both_ways(line, size=BIG):
    """Ping, files with a checksum, both ways and both families; nothing of it is seen between the boxes."""
    with Between(line):
        for namespace, addresses in ((line.a, (B.host, B.host6)), (line.b, (A.host, A.host6))):
            for address in addresses:
                ping(namespace, address, count=3)
        servers = [(line.a, B.host, B.host6, Nginx(line.b, 8080)), (line.b, A.host, A.host6, Nginx(line.a, 8080))]
        for client, address, address6, server in servers:
            wanted = server.file("big", size)
            assert fetch(client, "http://%s:8080/big" % address) == wanted
            small = server.file("small", 1 << 20)
            assert fetch(client, "http://[%s]:8080/small" % address6) == small
            server.process.stop()


def test_both_ways(line):
    both_ways(line, BIG if not line.vlan else BIG // 10)


def test_only_the_tunnel_is_seen(line):
    """All frames between the routers, byte for byte: no address of a host, no payload; between the boxes OpenVPN's UDP alone."""
    server = Nginx(line.b, 8081)
    (server.dir / "www" / "text").write_text(bytes.fromhex(PATTERN).decode() * 20000)
    capture = Capture(line.rb, "core", "", "inout")
    for namespace, address in ((line.a, B.host), (line.b, A.host), (line.a, B.host6), (line.b, A.host6)):
        ping(namespace, address, "-p", PATTERN, count=2)
    fetch(line.a, "http://%s:8081/text" % B.host)
    server.process.stop()
    frames = capture.stop().path.read_bytes()
    assert len(frames) > 100000 and socket.inet_aton(A.box) + socket.inet_aton(B.box) in frames
    for address in (A.host, B.host, A.host6, B.host6):
        assert ipaddress.ip_address(address).packed not in frames, address
    assert bytes.fromhex(PATTERN) * 4 not in frames
    assert not capture.fields("!arp && !icmpv6 && !(ip.addr == %s && ip.addr == %s && ip.proto == 17)" % (A.box, B.box))
    assert {p for p, in capture.fields("udp && ip.src == %s" % A.box, "udp.dstport")} == {"1194"}


def test_iperf3(line):
    with Between(line):
        for options in IPERF[1:3] if line.vlan else IPERF:
            end = iperf3(line.b, line.a, B.host, *options, seconds=1)
            if "-u" in options:
                assert end["sum"]["packets"] > 100 and end["sum"]["lost_percent"] < 80     # a busy machine has the VPN program wait
            else:
                assert end["sum_received"]["bytes"] > 100000


def test_who_it_is_and_how_far(line):
    """Each sees the other's own address. The cable counts no hop, nor does the tunnel: the routers see nothing of it that could."""
    for (near, source), (far, to) in (((line.a, A.host), (line.b, B.host)), ((line.b, B.host6), (line.a, A.host6))):
        server, client = udp(far, to, 5000), udp(near, source, 4000)
        client.sendto(b"who", (to, 5000))
        data, seen = server.recvfrom(100)
        assert (data, seen[:2]) == (b"who", (source, 4000))
        server.sendto(b"you", seen)
        assert client.recvfrom(100)[1][:2] == (to, 5000)
    assert "ttl=64" in ping(line.a, B.host) and "ttl=64" in ping(line.b, A.host6)
    assert "ttl=63" in ping(line.a, B.core)     # as without a box
    hops = line.a.run("traceroute", "-n", "-q", 1, "-w", 10, B.host).stdout.splitlines()[1:]
    assert [h.split()[1] for h in hops] == [B.host]
    hops = line.a.run("traceroute", "-n", "-q", 1, "-w", 10, B.gateway).stdout.splitlines()[1:]
    assert hops[-1].split()[1] == B.gateway


def test_fragments_arrive(line):
    """Datagrams larger than the MTU, there and back."""
    with Between(line):
        for (near, source), (far, to) in (((line.a, A.host), (line.b, B.host)), ((line.b, B.host6), (line.a, A.host6))):
            server, client = udp(far, to, 5001), udp(near, source, 4001)
            for size in (4000, 1473, 20000):
                text = os.urandom(size)
                client.sendto(text, (to, 5001))
                data, seen = server.recvfrom(65535)
                assert data == text
                server.sendto(text[::-1], seen)
                assert client.recv(65535) == text[::-1]


def test_neighbours_cross(line):
    """ARP and neighbour discovery go through: nobody knows anybody, and the hosts find their routers and the routers them."""
    for namespace, device in ((line.a, "eth0"), (line.ra, "lan")):
        namespace.ip("neigh flush dev %s" % device)
        namespace.run("ip", "-6", "neigh", "flush", "dev", device)
    for address in (A.gateway, A.gateway6):
        ping(line.a, address)
    line.ra.run("ip", "-6", "neigh", "flush", "dev", "lan")
    for address in (A.host, A.host6):
        ping(line.ra, address)
    text = line.a.run("ip", "neigh", "show", "dev", "eth0").stdout + line.a.run("ip", "-6", "neigh", "show", "dev", "eth0").stdout
    for address in (A.gateway, A.gateway6):
        assert re.search("^%s lladdr %s " % (address, mac(line.ra, "lan")), text, re.M), text


# The box itself

def test_service_of_the_box(line):
    """ssh and HTTP at the box's address: from its own host, its router, beyond it, and the other host."""
    sshd, nginx = Sshd(line.box1), Nginx(line.box1, 8082)
    wanted = nginx.file("page", 1 << 20)
    for namespace, seen in ((line.a, A.host), (line.ra, A.gateway), (line.rb, B.core), (line.b, B.host)):
        ping(namespace, A.box)
        session = sshd.client(namespace, A.box)
        assert session.say("who am I") == seen
        session.close()
        assert fetch(namespace, "http://%s:8082/page" % A.box) == wanted
    nginx.process.stop()
    sshd.process.stop()


def test_box_as_a_client(line):
    """The box asks out, by the router that it has learned, and reaches its neighbours by ARP."""
    nginx, dns = Nginx(line.rb, 8083), line.rb.udp(B.core, 53)
    wanted = nginx.file("page", 1 << 20)
    assert fetch(line.box1, "http://%s:8083/page" % B.core) == wanted
    dig = line.box1.spawn("dig", "+short", "+tries=1", "+time=15", "@" + B.core, "natvi.example")
    assert answer_dns(dns, "192.0.2.77")[0] == A.box
    dig.wait()
    assert "192.0.2.77" in dig.out
    for address in (A.host, A.gateway, A.core, B.core, B.box):
        ping(line.box1, address)
    assert "src %s" % A.box in line.box1.run("ip", "route", "get", B.core).stdout
    nginx.process.stop()
    dns.close()


# What changes under a running transfer

def test_capture_rules_taken_away(lab, hook):
    """Without capture rules all is as with them, but for the encryption; and back."""
    line = tunnelled(lab, hook)
    download = Download(Nginx(line.b), line.a, B.host)
    for site in (line.left, line.right):
        site.reload(capture=False)
    download.goes_on()
    in_the_clear(line, B.host)
    in_the_clear(line, A.host)
    assert "ttl=62" in ping(line.a, B.host)
    for site in (line.left, line.right):
        site.reload()
    download.goes_on()
    wait_for(lambda: "ttl=64" in ping(line.a, B.host), 30, "the tunnel to be used again")
    with Between(line):
        download.goes_on()
    download.finish()


@pytest.mark.parametrize("hook,vlan", [("tc", 0), ("xdp", 0), ("xdp", 100)])
def test_router_fails_over(lab, hook, vlan):
    """Another router, with another MAC address, takes the place of one that is dead."""
    line = tunnelled(lab, hook, vlan, switch=True).spare()
    download = Download(Nginx(line.b), line.a, B.host)
    line.fail_over()
    download.goes_on(60)
    download.finish()
    reachable(line.box1, B.core)
    reachable(line.a, B.host6)
    reachable(line.b, A.host)


def test_client_gets_another_mac(lab, hook):
    line = tunnelled(lab, hook)
    download = Download(Nginx(line.b), line.a, B.host)
    line.a.run("ip", "link", "set", "eth0", "address", "02:00:00:00:aa:01")
    announce(line.a, "eth0", A.host, A.host6)
    download.goes_on()
    download.finish()
    ping(line.b, A.host)
    reachable(line.a, B.host6)


@pytest.mark.parametrize("hook,away", [("tc", 10), ("xdp", 2)])
def test_box_restarts(lab, hook, away):
    """natvi stopped and started, killed, away for a while, and the VPN program begun anew, all in one transfer."""
    line = tunnelled(lab, hook)
    natvi, config = line.left.natvi, line.left.config()
    download = Download(Nginx(line.b), line.a, B.host)
    natvi.stop()
    download.goes_on()
    natvi.start(config)
    download.goes_on()
    natvi.kill()
    for _ in range(away):
        download.goes_on()
        time.sleep(1)
    with Between(line):
        download.goes_on()
        ping(line.b, A.host)        # a new one, too
    natvi.start(config)
    download.goes_on()
    line.tunnel.left.stop()
    line.tunnel.left.start().up()
    download.goes_on(60)
    with Between(line):
        ping(line.a, B.host)
    download.finish()


def test_target_gone_closed(lab):
    """Without the VPN program nothing that is for it leaves; all else does."""
    line = tunnelled(lab, "tc")
    download = Download(Nginx(line.b), line.a, B.host)
    for end in (line.tunnel.left, line.tunnel.right):
        end.stop()
    natvi = line.left.natvi
    with Between(line, silent=True):
        before = natvi.counter("wire-no-target")
        wait_for(lambda: unanswered(line.a, B.host) and natvi.counter("wire-no-target") > before, 15, "packets to be dropped")
        assert unanswered(line.b, A.host)
    ping(line.box1, B.box)
    ping(line.a, B.core)
    line.tunnel.start()
    with Between(line):
        download.goes_on(60)
        download.finish()


def test_target_gone_open(lab, hook):
    """Without the VPN program it is a cable; the transfer goes on in the clear, and is hidden again afterwards."""
    line = tunnelled(lab, hook, fail="open")
    download = Download(Nginx(line.b), line.a, B.host)
    for end in (line.tunnel.left, line.tunnel.right):
        end.stop()
    download.goes_on()
    in_the_clear(line, B.host)
    assert "ttl=62" in ping(line.a, B.host)
    line.tunnel.start()
    wait_for(lambda: "ttl=64" in ping(line.a, B.host), 30, "the tunnel to be used again")
    with Between(line):
        download.goes_on()
    download.finish()


def unanswered(namespace, address):
    return namespace.run("ping", "-n", "-c", 1, "-W", 1, address, check=False).returncode != 0


@pytest.mark.parametrize("hook,fail", [("tc", "open"), ("xdp", "open"), ("tc", "closed")])
def test_natvi_down(lab, hook, fail):
    """With natvi gone for good an open wire is a cable, for the hosts' connection too; a closed one is cut."""
    line = tunnelled(lab, hook, fail=fail)
    download = Download(Nginx(line.b), line.a, B.host)
    for site in (line.left, line.right):
        site.natvi.down()
    if fail == "open":
        download.goes_on(60)
        in_the_clear(line, B.host)
        reachable(line.a, B.host6)
    else:
        assert unanswered(line.a, A.gateway)
    for site in (line.left, line.right):
        site.running(fail=fail)
    line.acquainted()
    reachable(line.box1, B.box, 60)
    reachable(line.a, B.host, 60)
    with Between(line):
        download.goes_on(60)
        ping(line.a, B.host)
    download.finish()


def test_cold_start(lab):
    """Nobody has ever talked past the box, and the first that A wants is what is captured: the VPN comes up all the same."""
    line = Line(lab, "tc").running()
    tunnel = Tunnel(line)
    for end in (tunnel.right, tunnel.left):
        end.start()
    for host, to in ((line.a, B.host), (line.b, A.host)):
        host.spawn("ping", "-n", "-i", 0.5, to)
    for end in (tunnel.right, tunnel.left):
        end.up()
    reachable(line.a, B.host)


# MTUs

def test_small_tunnel(lab, hook):
    """A tunnel device with a smaller MTU: TCP is told at once, others when they send what does not fit, by whom they sent it to."""
    line = tunnelled(lab, hook, vpn={"mtu": 1300, "mssfix": "mssfix 0"})
    big = line.a.run("ping", "-n", "-c", 1, "-W", 10, "-M", "do", "-s", 1400, B.host, check=False)
    assert re.search(r"From %s .*mtu = 1300" % re.escape(B.host), big.stdout), big.stdout
    ping(line.a, B.host, "-M", "do", "-s", 1272)
    big = line.a.run("ping", "-n", "-c", 2, "-i", 0.3, "-W", 10, "-s", 1400, B.host6, check=False)
    assert re.search(r"From %s.*mtu[= ]+1300" % re.escape(B.host6), big.stdout), big.stdout
    ping(line.a, B.host6, "-s", 1400)       # in fragments now
    ping(line.b, A.host, "-M", "dont", "-s", 1400)
    for near, far, source, to in ((line.a, line.b, A.host, B.host), (line.b, line.a, B.host6, A.host6)):
        near.ip("route flush cache")
        assert segment(near, far, source, to) <= 1300 - (60 if ":" in to else 40)
    server = Nginx(line.b)
    wanted = server.file("big", 4 << 20)
    assert fetch(line.a, url(B.host)) == wanted and fetch(line.a, url(B.host6)) == wanted


def segment(near, far, source, to):
    """The MSS that the far end of a new connection may send, and that it is told by the near one, is the same: the larger of the two."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    listener, client = far.socket(socket.SOCK_STREAM, family=family), near.socket(socket.SOCK_STREAM, family=family)
    listener.bind((to, 5090))
    listener.listen()
    client.bind((source, 0))
    client.connect((to, 5090))
    server = listener.accept()[0]
    far.lab.defer(server.close)
    return max(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) for s in (client, server))


# Another program

def test_fastd(lab, hook):
    """Another VPN program, another protocol, a smaller MTU."""
    line = tunnelled(lab, hook, kind=Fastd)
    both_ways(line, 10 << 20)
    assert iperf3(line.b, line.a, B.host, seconds=1)["sum_received"]["bytes"] > 100000
