# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the box itself sends: its own ports beside NAT's, rules for it, and the way that it takes afterwards."""
import json
import os
import re
import select
import socket
import threading

import pytest

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, MASQUERADE, NATVI, REFUSE, REMOTE, SERVER, SERVER2, Topology, config
from lab import run, veth, wait_for
from services import Nginx, Sshd, answer_dns, fetch, iperf3, sha256
from wire import Capture, Tap, exchange

UPLINK2 = "192.0.2.129"
NEXT2 = "192.0.2.130"
POOL2 = "192.0.2.140"
OUT = {"name": "own", "local": "out", "to": {"interface": "wan0"}, "action": {"snat": "second"}}


class TwoUplinks(Topology):
    """A second way to the outside, by wan1; what has an address of its pool as the source is routed there."""

    def __init__(self, lab, hook):
        super().__init__(lab, hook)
        veth(self.gateway, "wan1", self.outside, "eth1")
        self.gateway.ip("addr add %s/25 dev wan1" % UPLINK2, "route add default via %s table 100" % NEXT2,
                        "rule add from %s lookup 100 pref 100" % POOL2)
        self.outside.ip("addr add %s/25 dev eth1" % NEXT2)
        if hook == "xdp":
            self.outside.run("ethtool", "-K", "eth1", "tx", "off", "tso", "off", "gso", "off", "gro", "on")

    def config(self, rules=(OUT, MASQUERADE, REFUSE), **more):
        more = {"pools": [{"name": "second", "addresses": [POOL2]}], **more}
        return config(self.hook, rules, interfaces=("lan0", "wan0", "wan1"), **more)

    def cold(self):
        """No next hop is known."""
        self.gateway.ip("neigh flush all")


@pytest.fixture
def two(lab, hook):
    return TwoUplinks(lab, hook)


@pytest.fixture
def two_tc(lab):
    return TwoUplinks(lab, "tc")


def sent(namespace, interface):
    """Packets that an interface has sent."""
    return json.loads(namespace.run("ip", "-j", "-s", "link", "show", interface).stdout)[0]["stats64"]["tx"]["packets"]


def connect(namespace, address, port, to):
    sock = namespace.tcp(address, port)
    sock.connect(to)
    return sock


def talk(a, b, text=b"natvi"):
    a.sendall(text)
    assert b.recv(100) == text
    b.sendall(text[::-1])
    assert a.recv(100) == text[::-1]


def upload(two, server, size):
    """The gateway sends a file to the outside, which has it as it was."""
    source = two.lab.dir / "upload"
    source.write_bytes(os.urandom(size))
    two.gateway.run("curl", "-sSf", "--max-time", 90, "-T", source, "http://%s/up" % REMOTE)
    assert server.uploaded("up") == sha256(source)


# Ports of its own

def test_port_that_nat_holds(net):
    """The box takes a source port that NAT has given away: both conversations go on, the remote sees two ports."""
    natvi = net.running()
    remote, far = net.outside.udp(SERVER, 5000), net.outside.udp(SERVER2, 5001)
    inside = net.inside.udp(INSIDE, 4000)
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)
    own = net.gateway.udp(EXTERNAL, 4000)
    face = exchange(own, remote, (SERVER, 5000))
    assert face[0] == EXTERNAL and face[1] != 4000
    assert exchange(own, far, (SERVER2, 5001)) == face      # it keeps that, whoever it talks to
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)
    assert exchange(inside, far, (SERVER2, 5001)) == (EXTERNAL, 4000)
    assert exchange(own, remote, (SERVER, 5000)) == face
    assert natvi.counter("box-nat") >= 3

    listener = net.outside.tcp_listen(SERVER, 5000)
    first = connect(net.inside, INSIDE, 4001, (SERVER, 5000))
    first_far, source = listener.accept()
    assert source == (EXTERNAL, 4001)
    second = connect(net.gateway, EXTERNAL, 4001, (SERVER, 5000))
    second_far, source = listener.accept()
    assert source[0] == EXTERNAL and source[1] != 4001
    for _ in range(2):
        talk(first, first_far)
        talk(second, second_far)


@pytest.mark.parametrize("mode", ["endpoint-independent", "address-and-port-dependent"])
def test_port_that_the_box_uses(tc, mode):
    """NAT keeps off the port of a connected socket of the box, which no look-up for sockets would find."""
    natvi = tc.running(config("tc", masquerade={"mapping": mode}))
    remote = tc.outside.udp(SERVER, 5000)
    own = tc.gateway.udp(EXTERNAL, 4000)
    own.connect((SERVER, 5000))
    own.send(b"mine")
    assert remote.recvfrom(10) == (b"mine", (EXTERNAL, 4000))
    for address in (INSIDE, INSIDE2):
        face = exchange(tc.inside.udp(address, 4000), remote, (SERVER, 5000))
        assert face[0] == EXTERNAL and face[1] != 4000
    remote.sendto(b"yours", (EXTERNAL, 4000))
    assert own.recv(10) == b"yours"
    mapping = [m for m in natvi.show("mappings") if m["inside"]["addr"] == EXTERNAL]
    assert [(m["inside"], m["state"]) for m in mapping] == [({"addr": EXTERNAL, "port": 4000}, "active")]
    assert natvi.counter("box-nat") == 0


def test_port_that_is_nats_towards_one_remote(tc):
    """Address- and port-dependent: an outside port serves several remotes. The box shares it, but not towards the same one."""
    tc.running(config("tc", masquerade={"mapping": "address-and-port-dependent"}))
    remote, far = tc.outside.udp(SERVER, 5000), tc.outside.udp(SERVER2, 5000)
    inside = tc.inside.udp(INSIDE, 4000)
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)
    own = tc.gateway.udp(EXTERNAL, 4000)
    assert exchange(own, far, (SERVER2, 5000)) == (EXTERNAL, 4000)
    face = exchange(own, remote, (SERVER, 5000))
    assert face[0] == EXTERNAL and face[1] != 4000
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)


def test_ports_that_nat_never_gives(tc):
    """Clients of the box whose port is in ip_local_port_range cost no session."""
    natvi = tc.running()
    remote = tc.outside.udp(SERVER, 5000)
    assert exchange(tc.gateway.udp(EXTERNAL, 40000), remote, (SERVER, 5000)) == (EXTERNAL, 40000)
    assert natvi.counter("box-out") >= 1 and not natvi.sessions()


def test_answers_are_no_beginnings_for_local_in(net):
    """A box that lets nothing in from outside still gets the answers to what it asks, by ports that NAT has and has not."""
    shut = config(net.hook, rules=[{"name": "shut", "local": "in", "from": {"interface": "wan0"}, "action": "drop"}, MASQUERADE, REFUSE])
    listener = net.outside.tcp_listen(SERVER, 5000)
    service = net.gateway.tcp_listen(EXTERNAL, 45000)
    natvi = net.running()
    before = connect(net.outside, SERVER, 0, (EXTERNAL, 45000))
    before_own = service.accept()[0]
    natvi.reload(shut)
    before_own.sendall(b"the box goes on")
    assert before.recv(100) == b"the box goes on"
    talk(before, before_own)
    remote = net.outside.udp(SERVER, 5000)
    for port in (4000, 40000):
        assert exchange(net.gateway.udp(EXTERNAL, port), remote, (SERVER, 5000)) == (EXTERNAL, port)
        own = connect(net.gateway, EXTERNAL, port, (SERVER, 5000))
        talk(own, listener.accept()[0])
    net.gateway.ping(SERVER)
    dropped = natvi.counter("rule-drop")
    assert net.outside.run("ping", "-c", 1, "-W", 1, EXTERNAL, check=False).returncode
    late = net.outside.tcp(SERVER, 0)
    late.settimeout(1)
    with pytest.raises(TimeoutError):
        late.connect((EXTERNAL, 45000))
    assert natvi.counter("rule-drop") >= dropped + 2


def test_ping_with_an_identifier_in_use(tc):
    """The box and an inside host ping one server with the same identifier, the box second; all answers arrive."""
    tc.running()
    for namespace, source in ((tc.inside, INSIDE), (tc.gateway, EXTERNAL)) * 2:
        namespace.ping(SERVER, "-e", 77, "-I", source, count=2)


def test_connections_from_before(net):
    """Connections of the box in both directions that are older than natvi go on, and NAT keeps off their ports."""
    listener = net.outside.tcp_listen(SERVER, 5000)
    own = connect(net.gateway, EXTERNAL, 4000, (SERVER, 5000))
    far = listener.accept()[0]
    service = net.gateway.tcp_listen(EXTERNAL, 4001)
    visitor = connect(net.outside, SERVER, 0, (EXTERNAL, 4001))
    served = service.accept()[0]
    service.close()
    natvi = net.running()
    talk(own, far)
    talk(visitor, served)
    for port in (4000, 4001):
        client = connect(net.inside, INSIDE, port, (SERVER, 5000))
        assert listener.accept()[1][1] != port
        client.close()
    natvi.stop()
    talk(own, far)
    talk(served, visitor)


def test_users_firewall_stays_quiet(net):
    """`ct state invalid drop` and `established accept` in the input chain of the user, with and without translation."""
    ruleset = """table ip user { chain input { type filter hook input priority 0; policy drop;
        iif lo accept; ct state invalid counter drop; ct state established,related accept; }; }"""
    net.gateway.run("nft", "-f", "-", input=ruleset)
    net.running()
    remote, inside = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE, 4000)
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)
    exchange(net.gateway.udp(EXTERNAL, 4000), remote, (SERVER, 5000))
    server = Nginx(net.outside)
    wanted = server.file("file", 1 << 20)
    assert fetch(net.gateway, "http://%s/file" % SERVER) == wanted
    assert fetch(net.gateway, "http://%s/file" % SERVER, "--local-port", "4000-4100") == wanted
    assert "counter packets 0 " in net.gateway.run("nft", "list", "ruleset").stdout


# Rules for it, and the way afterwards

def test_second_uplink(two):
    """curl on the gateway leaves by the second uplink, because of its translated source; no next hop is known before."""
    natvi = two.running(two.config())
    server = Nginx(two.outside)
    wanted = server.file("file", 4 << 20)
    for _ in range(2):
        two.cold()
        before = [sent(two.gateway, port) for port in ("wan0", "wan1")]
        assert fetch(two.gateway, "http://%s/file" % REMOTE) == wanted
        after = [sent(two.gateway, port) for port in ("wan0", "wan1")]
        assert after[0] - before[0] < 5 and after[1] - before[1] > 20, (before, after)
    assert {line.split()[0] for line in server.log().splitlines()} == {POOL2}
    assert natvi.counter("box-nat") > 20
    session = natvi.sessions()[0]
    assert session["rule"] == "own" and session["interface"] == "wan1"


def test_udp_and_ping_by_the_second_uplink(two_tc):
    """Also what is cut into fragments; TTL and MAC are as they should be."""
    two = two_tc
    two.running(two.config())
    tap = Tap(two.outside, "eth1")
    remote = two.outside.udp(REMOTE, 53)
    two.cold()
    client = two.gateway.udp(EXTERNAL, 4000)
    client.sendto(b"?" * 20, (REMOTE, 53))
    packet = tap.expect(lambda p: "UDP" in p, "the datagram")
    assert (packet["IP"].src, packet["IP"].ttl, packet.dst) == (POOL2, 64, two.mac(two.outside, "eth1"))
    assert remote.recvfrom(100)[1] == (POOL2, 4000)
    remote.sendto(b"!", (POOL2, 4000))
    assert client.recvfrom(10) == (b"!", (REMOTE, 53))
    assert exchange(client, remote, (REMOTE, 53), text=b"long" * 2000) == (POOL2, 4000)
    two.gateway.ping(REMOTE, count=2)
    two.gateway.ping(REMOTE, "-s", 4000, count=2)


def test_answers_are_no_beginnings(two):
    """What the box's own services answer is not translated by a rule for what it sends: TCP, UDP, a ping, ssh."""
    two.running(two.config())
    server = Nginx(two.gateway)
    wanted = server.file("own", 1 << 20)
    assert fetch(two.outside, "http://%s/own" % EXTERNAL) == wanted
    asker, service = two.outside.udp(REMOTE, 5000), two.gateway.udp("0.0.0.0", 53)
    two.outside.ip("route add %s/32 dev eth0 src %s" % (EXTERNAL, REMOTE))
    for _ in range(2):
        assert exchange(asker, service, (EXTERNAL, 53)) == (REMOTE, 5000)
    two.outside.ping(EXTERNAL, "-I", REMOTE, count=2)


def test_next_hop_by_the_translated_source(tc):
    """The same port, another next hop."""
    tc.gateway.ip("route add default via %s table 100" % SERVER2, "rule add from %s lookup 100 pref 100" % "192.0.2.1")
    tc.outside.run("ip", "link", "add", "eth9", "link", "eth0", "type", "macvlan")
    tc.outside.ip("addr del %s/24 dev eth0" % SERVER2, "addr add %s/24 dev eth9" % SERVER2, "link set eth9 up")
    tc.outside.sysctl("net.ipv4.conf.all.arp_ignore", 1)
    tc.running(config("tc", [dict(OUT, action={"snat": "public"}), MASQUERADE], pool={"addresses": ["192.0.2.1"]}))
    tap, mac = Tap(tc.outside, "eth9"), tc.mac(tc.outside, "eth9")
    tc.gateway.ip("neigh flush all")
    client, remote = tc.gateway.udp(EXTERNAL, 4000), tc.outside.udp(REMOTE, 53)
    for text in (b"cold", b"warm"):
        client.sendto(text, (REMOTE, 53))
        packet = tap.expect(lambda p: "UDP" in p and p["UDP"].dport == 53, text)
        assert (packet.dst, packet["IP"].src) == (mac, "192.0.2.1")
        assert remote.recvfrom(10) == (text, ("192.0.2.1", 4000))


@pytest.mark.parametrize("action, error", [("drop", TimeoutError), ("reject", OSError)])
def test_refused_to_the_box(tc, action, error):
    """`local: out` with drop and reject: the box is refused, at once where it is told; who is inside is not."""
    rule = {"name": "not-i", "local": "out", "to": {"destination": [SERVER]}, "action": action}
    natvi = tc.running(config("tc", [rule, MASQUERADE, REFUSE]))
    server = Nginx(tc.outside)
    wanted = server.file("file", 1000)
    sock = tc.gateway.tcp(EXTERNAL, 0, timeout=1 if action == "drop" else 20)
    with pytest.raises(error) as raised:
        sock.connect((SERVER, 80))
    assert isinstance(raised.value, TimeoutError) == (action == "drop")
    assert natvi.counter("rule-" + action) >= 1
    assert fetch(tc.inside, "http://%s/file" % SERVER) == wanted
    assert fetch(tc.gateway, "http://%s/file" % SERVER2) == wanted


def test_destination_for_the_box(tc):
    """dnat of what the box sends: to a server inside, and to another port outside."""
    to_lan = {"name": "lan", "local": "out", "to": {"destination": ["198.51.100.77"], "port": 80}, "proto": "tcp",
              "action": {"dnat": "%s:8080" % INSIDE}}
    to_port = {"name": "port", "local": "out", "to": {"destination": [SERVER], "port": 53}, "proto": "udp", "action": {"dnat": "%s:5353" % REMOTE}}
    tc.running(config("tc", [to_lan, to_port, MASQUERADE, REFUSE]))
    server = Nginx(tc.inside, 8080)
    wanted = server.file("file", 1 << 20)
    assert fetch(tc.gateway, "http://198.51.100.77/file") == wanted
    own, resolver = tc.gateway.udp(EXTERNAL, 4000), tc.outside.udp(REMOTE, 5353)
    assert exchange(own, resolver, (SERVER, 53)) == (EXTERNAL, 4000)


def test_too_big_for_the_second_uplink(two_tc):
    """A smaller MTU there: the box's TCP learns of it, and what may be cut is cut."""
    two = two_tc
    two.gateway.ip("link set wan1 mtu 1300")
    natvi = two.running(two.config())
    server = Nginx(two.outside)
    upload(two, server, 1 << 20)
    assert natvi.counter("too-big") >= 1
    remote, own = two.outside.udp(REMOTE, 53), two.gateway.udp(EXTERNAL, 4000)
    own.setsockopt(socket.IPPROTO_IP, 10, 0)    # IP_MTU_DISCOVER: IP_PMTUDISC_DONT
    own.sendto(b"cut" * 460, (REMOTE, 53))
    assert remote.recvfrom(2000) == (b"cut" * 460, (POOL2, 4000))


def test_bulk(two_tc):
    """TCP in bulk both ways, translated: large packets, right checksums on the wire."""
    two = two_tc
    two.running(two.config())
    capture = Capture(two.outside, "eth1", "tcp")
    for options in ((), ("-R",)):
        end = iperf3(two.outside, two.gateway, REMOTE, *options, seconds=1)
        assert end["sum_received"]["bytes"] > 1 << 20
    assert capture.stop().fields("ip.src == %s && frame.len > 4000" % POOL2)
    for port in ("wan0", "wan1"):
        two.gateway.run("ethtool", "-K", port, "tx", "off", "tso", "off", "gso", "off")
    two.outside.run("ethtool", "-K", "eth1", "gro", "off")
    capture = Capture(two.outside, "eth1", "tcp and src %s" % POOL2)
    upload(two, Nginx(two.outside), 100000)
    assert capture.stop().checksums()["tcp"] > 5


# To the box, translated

FORWARD = {"proto": "tcp", "external": "%s:8080" % EXTERNAL, "internal": "%s:80" % GATEWAY}
FORWARD_UDP = {"proto": "udp", "external": "%s:5300" % EXTERNAL, "internal": "%s:53" % GATEWAY}


def test_forward_to_the_box(net):
    """A forward to the box's own inside address, from outside and from inside; also the box's "port unreachable"."""
    net.running(config(net.hook, forwards=[FORWARD, FORWARD_UDP]))
    server = Nginx(net.gateway)
    wanted = server.file("own", 1 << 20)
    for namespace in (net.outside, net.inside):
        assert fetch(namespace, "http://%s:8080/own" % EXTERNAL) == wanted
    caller = net.outside.udp(SERVER, 5000)
    caller.connect((EXTERNAL, 5300))
    caller.send(b"nobody")
    with pytest.raises(ConnectionRefusedError):
        caller.recv(10)
    service = net.gateway.udp(GATEWAY, 53)
    assert exchange(caller, service, (EXTERNAL, 5300)) == (SERVER, 5000)


def test_dnat_to_the_box(net):
    """A rule with dnat to a service of the box on another address and port."""
    rule = {"name": "in", "from": {"interface": "wan0"}, "to": {"destination": [EXTERNAL], "port": 8080}, "proto": "tcp",
            "action": {"dnat": "%s:80" % GATEWAY}}
    net.running(config(net.hook, [rule, MASQUERADE, REFUSE]))
    server = Nginx(net.gateway)
    wanted = server.file("own", 1 << 20)
    assert fetch(net.outside, "http://%s:8080/own" % EXTERNAL) == wanted
    assert fetch(net.outside, "http://%s/own" % EXTERNAL) == wanted


# ssh, name service, and a flood

def test_ssh_during_a_flood(tc):
    """ssh to and from the gateway, by the address that NAT uses up: with the ports gone, the tables full, the daemon dead."""
    natvi = tc.running(config("tc", masquerade={"ports": ["2000-2015"]}, limits={"sessions": 64, "mappings": 64}))
    into, out_of = Sshd(tc.gateway), Sshd(tc.outside)
    sessions = [into.client(tc.outside, EXTERNAL), out_of.client(tc.gateway, SERVER)]
    assert [s.say("before") for s in sessions] == [SERVER, EXTERNAL]
    for port in range(3000, 3100):
        tc.inside.udp(INSIDE, port).sendto(b"flood", (SERVER, port))
    wait_for(lambda: natvi.counter("no-port") > 50, 15, "the ports to be gone")
    for when in ("exhausted", "dead"):
        assert [s.say(when) for s in sessions] == [SERVER, EXTERNAL]
        more = [into.client(tc.outside, EXTERNAL), out_of.client(tc.gateway, SERVER)]
        assert [s.say(when) for s in more] == [SERVER, EXTERNAL]
        for s in more:
            s.close()
        resolver = tc.outside.udp(SERVER2, 53)
        exchange(tc.gateway.udp(), resolver, (SERVER2, 53))
        exchange(tc.gateway.udp(EXTERNAL, 123), tc.outside.udp(SERVER2, 123), (SERVER2, 123))
        tc.gateway.ping(SERVER)
        if when == "exhausted":
            natvi.kill()


# Services

def free_ports(natvi, proto):
    """Ports of the gateway's outside address that NAT could give away."""
    pool = [p for p in natvi.show("pools") if any(a["addr"] == EXTERNAL for a in p["addresses"])][0]
    return pool["addresses"][0][proto]["free"]


def test_services_that_come_and_go(tc):
    """The port of a service is withheld for as long as its socket is there; also of those that were there before."""
    early = tc.gateway.tcp_listen(EXTERNAL, 4000)
    natvi = tc.running()
    before = {proto: free_ports(natvi, proto) for proto in ("tcp", "udp")}
    tcp, udp = tc.gateway.tcp_listen("0.0.0.0", 4001), tc.gateway.udp(EXTERNAL, 4001)
    wait_for(lambda: free_ports(natvi, "tcp") == before["tcp"] - 1 and free_ports(natvi, "udp") == before["udp"] - 1, 15, "both ports to be withheld")
    caller = tc.outside.udp(SERVER, 5000)
    caller.sendto(b"?", (EXTERNAL, 4001))
    assert udp.recvfrom(10) == (b"?", (SERVER, 5000))
    udp.sendto(b"!", (SERVER, 5000))
    assert caller.recv(10) == b"!" and not natvi.sessions()
    natvi.reload(config("tc", timeouts={"udp": 200}))
    assert free_ports(natvi, "tcp") == before["tcp"] - 1
    for sock in (tcp, udp, early):
        sock.close()
    wait_for(lambda: free_ports(natvi, "tcp") == before["tcp"] + 1 and free_ports(natvi, "udp") == before["udp"], 15, "the ports to be given back")


def test_service_whose_port_is_taken(tc):
    """A service that starts when NAT has its port: an event, the log and doctor say so, and what doctor says helps."""
    natvi = tc.running()
    inside, remote = tc.inside.udp(INSIDE, 4000), tc.outside.udp(SERVER, 5000)
    assert exchange(inside, remote, (SERVER, 5000)) == (EXTERNAL, 4000)
    monitor = tc.gateway.spawn(NATVI, "monitor", "--instance", natvi.instance, "--json")
    new, sink = tc.inside.udp(INSIDE2), tc.outside.udp(SERVER2, 5000)

    def watched():
        new.sendto(b"?", sink.getsockname())
        return monitor.out
    assert '"listener"' not in natvi.cli("doctor", "--json", check=False).stdout
    wait_for(watched, 15, "the monitor to see sessions")
    service = tc.gateway.udp("0.0.0.0", 4000)
    monitor.wait_output(r'"event": ?"port-held".*%s.*4000.*%s' % (re.escape(INSIDE), re.escape(EXTERNAL)))
    natvi.process.wait_output(r"service listens on udp %s port 4000.*%s" % (re.escape(EXTERNAL), re.escape(INSIDE)))
    findings = [f for f in json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"] if f["id"] == "listener"]
    assert [f["subject"] for f in findings] == ["udp %s:4000" % EXTERNAL]
    for command in findings[0]["right"].split(" (")[0].split("; "):
        tc.gateway.run(NATVI, *command.split()[1:])
    caller = tc.outside.udp(SERVER2, 5001)
    caller.sendto(b"service?", (EXTERNAL, 4000))
    assert service.recvfrom(20) == (b"service?", (SERVER2, 5001))
    face = exchange(inside, remote, (SERVER, 5000))
    assert face[0] == EXTERNAL and face[1] != 4000
    assert natvi.process.err.count("service listens on") == 1


def test_show_marks_the_boxs_own(tc):
    """Sessions and mappings of the box, its own port and another one, beside those of an inside host."""
    natvi = tc.running()
    remote = tc.outside.udp(SERVER, 5000)
    exchange(tc.inside.udp(INSIDE, 4000), remote, (SERVER, 5000))
    for port in (4000, 4001):
        exchange(tc.gateway.udp(EXTERNAL, port), remote, (SERVER, 5000))
    assert sorted((s["orig"]["src"], s["box"], s["hook"]) for s in natvi.sessions()) == [
        (INSIDE, False, "tc"), (EXTERNAL, True, "box"), (EXTERNAL, True, "box")]
    assert {(m["inside"]["addr"], m["inside"]["port"], m["box"]) for m in natvi.show("mappings")} == {
        (INSIDE, 4000, False), (EXTERNAL, 4000, True), (EXTERNAL, 4001, True)}
    assert natvi.cli("show", "mappings").stdout.count(" (box)") == 2
