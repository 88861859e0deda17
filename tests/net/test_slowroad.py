# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What is rare: cold neighbours, IP options, TTL, packets too big, changes of the way."""
import os
import socket

import pytest
from scapy.all import ICMP, IP, IPOption_NOP, UDP, Ether

from gateway import EXTERNAL, GATEWAY, INSIDE, REFUSE, SERVER, SERVER2, TO_POOL, config
from lab import veth, wait_for
from services import Nginx, fetch
from wire import Capture, exchange

FAR = "198.51.100.50"
IP_MTU_DISCOVER, IP_PMTUDISC_DONT, IP_PMTUDISC_DO = 10, 0, 2


def frame(net, side, packet):
    namespace, port = (net.inside, "lan0") if side == "inside" else (net.outside, "wan0")
    return Ether(src=net.mac(namespace, "eth0"), dst=net.mac(net.gateway, port)) / packet


def set_mtu(net, side, mtu):
    """Of the link on that side of the gateway."""
    namespace, port = (net.inside, "lan0") if side == "inside" else (net.outside, "wan0")
    namespace.ip("link set eth0 mtu %d" % mtu)
    net.gateway.ip("link set %s mtu %d" % (port, mtu))


def mapping(net, inside_port=4200):
    """An inside socket, an outside socket, and the external address of the one towards the other."""
    inside, outside = net.inside.udp(INSIDE, inside_port), net.outside.udp(SERVER, 5000)
    return inside, outside, exchange(inside, outside, (SERVER, 5000))


def icmp_error(tap, kind, code):
    return tap.expect(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (kind, code), "the ICMP error %d/%d" % (kind, code))


def quoted(error):
    return IP(bytes(error[ICMP].payload))


def test_cold_neighbours(net):
    """The first packet to a neighbour that nobody knows arrives, and so does its answer."""
    natvi = net.running()
    for target in (SERVER, SERVER2):
        net.gateway.run("ip", "neigh", "flush", "all")
        inside, outside = net.inside.udp(INSIDE), net.outside.udp(target, 5000)
        assert exchange(inside, outside, (target, 5000))[0] == EXTERNAL
    assert natvi.counter("slow-neighbour") >= 1


def test_firewall_that_drops(tc):
    """What the kernel forwards for natvi a user's firewall can tell, and `doctor` says how."""
    tc.gateway.run("nft", "-f", "-", input="table inet user {\n chain forward {\n  type filter hook forward priority 0; policy drop;\n }\n}\n")
    natvi = tc.running(config("tc"))
    assert "`ct state untracked accept`" in natvi.cli("doctor", check=False).stdout
    tc.gateway.run("nft", "add", "rule", "inet", "user", "forward", "ct", "state", "untracked", "accept")
    remote = tc.outside.udp(SERVER, 5000)
    assert exchange(tc.inside.udp(INSIDE, 4200), remote, (SERVER, 5000)) == (EXTERNAL, 4200)
    assert natvi.counter("slow-neighbour") >= 1


def test_ip_options(net):
    """Translated, and the options are still there on the other side; both ways."""
    natvi = net.running()
    inside, outside = net.tap("inside"), net.tap("outside")
    mapping(net)
    options = [IPOption_NOP()] * 4
    inside.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER, options=options) / UDP(sport=4201, dport=5000) / b"optional"))
    out = outside.expect(lambda p: UDP in p and b"optional" in bytes(p), "the packet with options")
    assert (out[IP].src, out[IP].ihl) == (EXTERNAL, 6)
    back = IP(src=SERVER, dst=EXTERNAL, options=options) / UDP(sport=5000, dport=out[UDP].sport) / b"answered"
    outside.send(frame(net, "outside", back))
    answer = inside.expect(lambda p: UDP in p and b"answered" in bytes(p), "the answer with options")
    assert (answer[IP].dst, answer[UDP].dport, answer[IP].ihl) == (INSIDE, 4201, 6)
    assert natvi.counter("slow-options") >= 2


def test_ttl_exceeded_from_inside(net):
    net.running()
    tap = net.tap("inside")
    tap.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER, ttl=1) / UDP(sport=4202, dport=33434) / b"hop"))
    error = icmp_error(tap, 11, 0)
    assert (error[IP].src, error[IP].dst) == (GATEWAY, INSIDE)
    inner = quoted(error)
    assert (inner.src, inner.dst, inner[UDP].sport, inner[UDP].dport) == (INSIDE, SERVER, 4202, 33434)


def test_ttl_exceeded_on_a_known_flow(net):
    net.running()
    mapping(net, 4203)
    tap = net.tap("inside")
    tap.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER, ttl=1) / UDP(sport=4203, dport=5000) / b"hop"))
    error = icmp_error(tap, 11, 0)
    assert error[IP].src == GATEWAY and quoted(error).src == INSIDE


def test_ttl_exceeded_from_outside(net):
    """The error shows the outside what it sent, not the inside addresses."""
    net.running()
    _, _, external = mapping(net)
    tap = net.tap("outside")
    tap.send(frame(net, "outside", IP(src=SERVER, dst=external[0], ttl=1) / UDP(sport=5000, dport=external[1]) / b"hop"))
    error = icmp_error(tap, 11, 0)
    assert (error[IP].src, error[IP].dst) == (EXTERNAL, SERVER)
    inner = quoted(error)
    assert (inner.dst, inner[UDP].dport) == external


def test_traceroute(net):
    net.running()
    done = net.inside.run("traceroute", "-n", "-w", 10, "-q", 1, "-m", 3, SERVER)
    hops = [line.split()[1] for line in done.stdout.splitlines()[1:]]
    assert hops == [GATEWAY, SERVER], done.stdout


def test_ttl_is_decremented_once(net):
    net.running()
    tap = net.tap("outside")
    net.tap("inside").send(frame(net, "inside", IP(src=INSIDE, dst=SERVER, ttl=33) / UDP(sport=4204, dport=5000) / b"count"))
    assert tap.expect(lambda p: UDP in p and b"count" in bytes(p), "the packet")[IP].ttl == 32
    _, _, external = mapping(net)
    tap = net.tap("inside")
    back = IP(src=SERVER, dst=external[0], ttl=33) / UDP(sport=5000, dport=external[1]) / b"count"
    net.tap("outside").send(frame(net, "outside", back))
    assert tap.expect(lambda p: UDP in p and b"count" in bytes(p), "the answer")[IP].ttl == 32


@pytest.mark.parametrize("known", [True, False], ids=["known-flow", "new-flow"])
def test_too_big_from_inside(net, known):
    """DF set: ICMP 3/4 with the next link's MTU, from the gateway, about the packet as it was sent."""
    net.running()
    set_mtu(net, "outside", 1400)
    if known:
        mapping(net, 4205)
    tap = net.tap("inside")
    packet = IP(src=INSIDE, dst=SERVER, flags="DF") / UDP(sport=4205, dport=5000) / (b"B" * 1472)

    def answered():
        tap.send(frame(net, "inside", packet))
        return tap.receive(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 4), 0.5)
    # The new MTU is followed with the link, a moment later.
    error = wait_for(answered, 15, "ICMP 3/4")
    assert error[ICMP].nexthopmtu == 1400
    assert (error[IP].src, error[IP].dst) == (GATEWAY, INSIDE)
    assert (quoted(error).src, quoted(error)[UDP].sport) == (INSIDE, 4205)


def test_too_big_from_outside(net):
    net.running()
    set_mtu(net, "inside", 1300)
    _, _, external = mapping(net)
    tap = net.tap("outside")
    packet = IP(src=SERVER, dst=external[0], flags="DF") / UDP(sport=5000, dport=external[1]) / (b"B" * 1472)

    def answered():
        tap.send(frame(net, "outside", packet))
        return tap.receive(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 4), 0.5)
    error = wait_for(answered, 15, "ICMP 3/4")
    assert error[ICMP].nexthopmtu == 1300
    assert (error[IP].src, error[IP].dst) == (EXTERNAL, SERVER)
    assert (quoted(error).dst, quoted(error)[UDP].dport) == external


@pytest.mark.parametrize("direction", ["out", "in"])
def test_rfc4787_req13a_fragmented_without_df(net, direction):
    """DF not set and too big: it arrives, in fragments, translated."""
    net.running()
    inside, outside, external = mapping(net)
    set_mtu(net, "outside" if direction == "out" else "inside", 1280)
    sender, receiver, to = (inside, outside, (SERVER, 5000)) if direction == "out" else (outside, inside, external)
    capture = Capture(net.outside if direction == "out" else net.inside, filter="ip[6:2] & 0x3fff != 0")
    sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
    if direction == "in":
        net.outside.ip("link set eth0 mtu 1500")
    data = os.urandom(1472)

    def arrived():
        sender.sendto(data, to)
        receiver.settimeout(0.5)
        try:
            return receiver.recv(2000) == data
        except TimeoutError:
            return False
    wait_for(arrived, 15, "the datagram")
    rows = capture.stop().fields("ip", "ip.src", "ip.dst")
    assert len(rows) >= 2
    assert all(row == ([EXTERNAL, SERVER] if direction == "out" else [SERVER, INSIDE]) for row in rows)


@pytest.mark.parametrize("place", ["next-link", "beyond"])
def test_path_mtu_discovery_of_a_real_transfer(net, place):
    """inside - gateway - outside - middle - far, with a narrow link in between: an upload by TCP gets through.

    next-link: the gateway itself has to say so; beyond: another router does, and its error is translated.
    """
    middle, far = net.lab.namespace("mid"), net.lab.namespace("far")
    veth(net.outside, "eth1", middle, "eth0")
    veth(middle, "eth1", far, "eth0")
    net.outside.ip("addr add 192.0.2.129/30 dev eth1", "route add 198.51.100.48/29 via 192.0.2.130")
    middle.ip("addr add 192.0.2.130/30 dev eth0", "addr add 198.51.100.49/29 dev eth1", "route add default via 192.0.2.129")
    far.ip("addr add %s/29 dev eth0" % FAR, "route add default via 198.51.100.49")
    for router in (net.outside, middle):
        router.sysctl("net.ipv4.ip_forward", 1)
    if net.hook == "xdp":
        for name in ("eth1", "eth0"):
            net.outside.run("ethtool", "-K", name, "tx", "off", "tso", "off", "gro", "on")
    if place == "next-link":
        set_mtu(net, "outside", 1280)
    else:
        net.outside.ip("link set eth1 mtu 1280")
        middle.ip("link set eth0 mtu 1280")
    net.running()
    server = Nginx(far)
    data = os.urandom(2 << 20)
    path = net.lab.dir / "up"
    path.write_bytes(data)
    net.inside.run("curl", "-sSf", "--max-time", 90, "-T", path, "http://%s/up" % FAR)
    assert (server.dir / "www" / "up").read_bytes() == data
    wanted = server.file("down", 2 << 20)
    assert fetch(net.inside, "http://%s/down" % FAR) == wanted
    route = net.inside.run("ip", "route", "get", FAR).stdout
    assert "mtu 1280" in route, "nothing was discovered: %s" % route


def test_next_hop_gets_another_mac(net):
    """The next hop's MAC address changes under a running flow: the flow follows."""
    net.running()
    inside, outside, external = mapping(net)
    net.outside.ip("link set eth0 address 02:00:00:00:77:77")
    net.gateway.ip("neigh replace %s lladdr 02:00:00:00:77:77 dev wan0" % SERVER)

    def arrived():
        inside.sendto(b"there", (SERVER, 5000))
        outside.settimeout(0.3)
        try:
            return outside.recvfrom(10) == (b"there", external)
        except TimeoutError:
            return False
    wait_for(arrived, 15, "a packet under the new MAC address")


def test_route_changes_under_a_flow(net):
    """The route to a remote moves to another interface: the flow follows, and comes back."""
    other = net.lab.namespace("other")
    veth(net.gateway, "wan1", other, "eth0")
    net.gateway.ip("addr add 198.51.100.129/25 dev wan1")
    other.ip("addr add 198.51.100.130/25 dev eth0", "addr add 192.0.2.200/32 dev lo", "route add 192.0.2.0/28 via 198.51.100.129")
    net.outside.ip("addr add 192.0.2.200/32 dev lo")
    if net.hook == "xdp":
        other.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gro", "on")
    rule = dict(TO_POOL, to={})
    net.running(config(net.hook, interfaces=("lan0", "wan0", "wan1"), rules=[dict(rule), REFUSE], pool={}))
    inside = net.inside.udp(INSIDE, 4206)
    first, second = net.outside.udp("192.0.2.200", 5000), other.udp("192.0.2.200", 5000)
    external = exchange(inside, first, ("192.0.2.200", 5000))
    for via, sock in (("198.51.100.130", second), (SERVER, first)):
        net.gateway.ip("route replace 192.0.2.200/32 via %s" % via)

        def arrived():
            inside.sendto(b"here", ("192.0.2.200", 5000))
            sock.settimeout(0.3)
            try:
                return sock.recvfrom(10) == (b"here", external)
            except TimeoutError:
                return False
        wait_for(arrived, 15, "a packet by %s" % via)


def test_interface_that_appears_later(net):
    """An interface of the configuration that is not there yet is served when it appears."""
    natvi = net.running(config(net.hook, interfaces=("lan0", "wan0", "lan9"),
                               rules=[{"name": "out", "to": {"interface": "wan0"}, "action": "masquerade"}]))
    late = net.lab.namespace("late")
    veth(net.gateway, "lan9", late, "eth0")
    net.gateway.ip("addr add 198.18.9.1/24 dev lan9")
    late.ip("addr add 198.18.9.2/24 dev eth0", "route add default via 198.18.9.1")
    if net.hook == "xdp":
        late.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gro", "on")
    wait_for(lambda: "lan9" in natvi.cli("show", "interfaces").stdout, 15, "lan9 to be shown")

    def works():
        return late.run("ping", "-c", 1, "-W", 1, SERVER, check=False).returncode == 0
    wait_for(works, 15, "ping by the late interface")
