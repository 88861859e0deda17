# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Real programs through a masquerading gateway, and what is seen of them outside."""
import hashlib
import os
import select
import signal

import pytest

from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDE_NET, INSIDES, REMOTE, SERVER, Topology, config
from lab import PATIENCE_S, wait_for
from services import Nginx, Sshd, answer_dns, fetch, iperf3
from wire import Capture, exchange

MIB = 1 << 20


def test_ping(net):
    net.running()
    capture = Capture(net.outside, filter="icmp")
    net.inside.ping(SERVER, count=5)
    rows = capture.stop().fields("icmp.type == 8", "ip.src")
    assert rows == [[EXTERNAL]] * 6


def test_ping_of_every_size(net):
    """Up to the MTU, odd and even, with the pattern compared by ping itself."""
    net.running()
    for size in (0, 1, 17, 64, 555, 1472):
        said = net.inside.ping(SERVER, "-M", "do", "-s", size, "-p", "c3a5", count=2, interval=0.02)
        assert "wrong data" not in said, said


def test_download_and_source_address(net):
    natvi = net.running()
    server = Nginx(net.outside)
    wanted = server.file("big", 20 * MIB)
    assert fetch(net.inside, "http://%s/big" % SERVER) == wanted
    assert server.log().splitlines() == ["%s GET /big HTTP/1.1" % EXTERNAL]
    assert natvi.counter("forward") > 100
    hits = natvi.show("stats")["xdp_hits"]
    assert hits > 1000 if net.hook == "xdp" else hits == 0


def test_upload(net):
    net.running()
    server = Nginx(net.outside)
    data = os.urandom(20 * MIB)
    path = net.lab.dir / "up"
    path.write_bytes(data)
    net.inside.run("curl", "-sSf", "--max-time", 60, "-T", path, "http://%s/up" % SERVER, timeout=65)
    assert server.uploaded("up") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("hook,offload", [("tc", "on"), ("tc", "off"), ("xdp", "off")])
def test_checksums_on_arrival(lab, hook, offload):
    """Of all that leaves the gateway, both ways: TCP bulk, UDP, ICMP; from senders with and without offloads."""
    net = Topology(lab, hook)
    if offload == "off":
        net.send_plain()
    else:
        net.real_checksums()
    net.running()
    server = Nginx(net.outside)
    wanted = server.file("file", MIB)
    captures = [Capture(net.outside), Capture(net.inside)]
    assert fetch(net.inside, "http://%s/file" % SERVER) == wanted
    small = server.file("small", 100)
    for _ in range(10):
        assert fetch(net.inside, "http://%s/small" % SERVER) == small
    source, remote = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)
    for length in (1, 2, 3, 511, 1472):
        exchange(source, remote, (SERVER, 5000), os.urandom(length))
    net.inside.ping(SERVER, count=3, interval=0.02)
    # Receivers with NAPI join TCP segments; those frames have no wire's checksum any more.
    longest = 1514 if net.hook == "xdp" else None
    for capture in captures:
        verified = capture.stop().checksums(ignore_longer=longest)
        assert verified["tcp"] >= 20 and verified["udp"] >= 5 and verified["icmp"] >= 3, verified


def test_udp_both_ways_by_socat(net):
    """A file each way over UDP, datagram by datagram."""
    net.running()
    outside = net.outside.spawn("socat", "-u", "-b", 1000, "UDP4-RECVFROM:6000,bind=%s" % SERVER, "OPEN:%s/got,creat" % net.lab.dir)
    wait_for(lambda: net.outside.run("ss", "-Hlun", "sport = :6000").stdout, 15, "socat")
    (net.lab.dir / "text").write_bytes(b"x" * 999)
    net.inside.run("socat", "-u", "-b", 1000, "OPEN:%s/text" % net.lab.dir, "UDP4:%s:6000" % SERVER)
    outside.wait()
    assert (net.lab.dir / "got").read_bytes() == b"x" * 999
    echo = net.outside.spawn("socat", "UDP4-LISTEN:6001,bind=%s,fork" % SERVER, "EXEC:cat")
    wait_for(lambda: net.outside.run("ss", "-Hlun", "sport = :6001").stdout, 15, "socat")

    def echoed():
        return net.inside.run("socat", "-t", 1, "-", "UDP4:%s:6001" % SERVER, input="there and back\n").stdout
    assert wait_for(echoed, 20, "an echo") == "there and back\n"
    echo.stop()


def test_dig(net):
    net.running()
    server = net.outside.udp(SERVER, 53)
    client = net.inside.spawn("dig", "+short", "+time=20", "+tries=1", "@%s" % SERVER, "natvi.example", "A")
    assert answer_dns(server, "192.0.2.99")[0] == EXTERNAL
    client.wait()
    assert client.out.strip() == "192.0.2.99"


@pytest.mark.parametrize("options", [(), ("-R",), ("-P", 8)], ids=["up", "down", "8-streams"])
def test_iperf3_tcp(net, options):
    net.running()
    end = iperf3(net.outside, net.inside, SERVER, *options)
    assert end["sum_received"]["bytes"] > MIB


@pytest.mark.parametrize("options", [(), ("-R",)], ids=["up", "down"])
def test_iperf3_udp(net, options):
    natvi = net.running()
    end = iperf3(net.outside, net.inside, SERVER, "-u", "-b", "10M", "-l", 1200, *options)
    total = end["sum"]
    assert total["packets"] > 500
    # What a busy machine's sockets lose is not natvi's: it has to have dropped nothing.
    assert total["lost_percent"] < 50, total
    assert not natvi.show("drops")


def test_ssh_through_the_box(net):
    net.running()
    session = Sshd(net.outside).client(net.inside, SERVER)
    assert session.say("hello there") == EXTERNAL


def test_200_connections_at_once(net):
    natvi = net.running()
    listener = net.outside.tcp_listen(SERVER, 7000, 256)
    clients, servers, sources = [], {}, set()
    for i in range(200):
        client = net.inside.tcp(INSIDES[i % 4])
        client.connect((SERVER, 7000))
        client.sendall(b"%05d" % i)
        clients.append(client)
    for _ in clients:
        server, source = listener.accept()
        server.settimeout(PATIENCE_S)
        assert source[0] == EXTERNAL
        sources.add(source)
        servers[int(server.recv(5))] = server
    assert len(servers) == 200 and len(sources) == 200
    for i, server in servers.items():
        server.sendall(b"back %05d" % i)
    for i, client in enumerate(clients):
        assert client.recv(100) == b"back %05d" % i
    assert len(natvi.sessions("proto", "tcp")) == 200
    for sock in [*clients, *servers.values()]:
        sock.close()


def test_sessions_show_both_tuples(net):
    """What `show sessions` says is what the wire shows."""
    natvi = net.running()
    inside, outside = net.inside.udp(INSIDE, 4321), net.outside.udp(SERVER, 5000)
    source = exchange(inside, outside, (SERVER, 5000))
    table = natvi.cli("show", "sessions").stdout
    for word in (INSIDE, "4321", SERVER, "5000", source[0], str(source[1])):
        assert word in table, table
    assert len(natvi.sessions("proto", "udp")) == 1


def test_all_on_one_address(net):
    """Two hosts inside with the same source port towards the same server: both work, with different ports outside."""
    net.running()
    remote = net.outside.udp(SERVER, 5000)
    sources = {exchange(net.inside.udp(host, 3333), remote, (SERVER, 5000)) for host in INSIDES}
    assert {s[0] for s in sources} == {EXTERNAL}
    assert len(sources) == 4


def test_one_line_form(lab):
    """natvi run lan0 wan0 --masquerade wan0"""
    net = Topology(lab, "tc")
    natvi = net.natvi()
    natvi.start(None, "lan0", "wan0", "--masquerade", "wan0")
    server = Nginx(net.outside)
    wanted = server.file("file", MIB)
    assert fetch(net.inside, "http://%s/file" % SERVER) == wanted
    assert server.log().startswith(EXTERNAL)
    # Unasked for from outside: the inside is not to be reached.
    service = net.inside.udp(INSIDE, 9000)
    net.outside.udp(SERVER).sendto(b"knock", (INSIDE, 9000))
    assert not select.select([service], [], [], 0.5)[0]
    net.inside.udp(INSIDE2).sendto(b"knock", (INSIDE, 9000))
    assert select.select([service], [], [], 20)[0]


@pytest.mark.parametrize("outbound", [True, False], ids=["from-inside", "from-outside"])
def test_nothing_untranslated_leaves(net, outbound):
    """Inside addresses are never seen outside: before, in start-up, with fragments, after stop, in and after down.

    The other way, what comes from outside for an inside address never gets in.
    """
    if outbound:
        watch, pattern, sender, target = net.outside, "ip and net %s" % INSIDE_NET, net.inside, SERVER
    else:
        watch, pattern, sender, target = net.inside, "ip and net 203.0.113.0/24 and not src host %s" % EXTERNAL, net.outside, INSIDE
    capture = Capture(watch, filter=pattern)
    witness = Capture(net.outside, filter="icmp and src host %s" % EXTERNAL)
    # Small ones, and ones in three fragments.
    floods = [sender.spawn("ping", "-q", "-i", 0.005, target), sender.spawn("ping", "-q", "-i", 0.01, "-s", 4000, target)]
    natvi = net.natvi()
    natvi.start(config(net.hook))
    if outbound:
        wait_for(lambda: natvi.counter("forward") > 100, 15, "traffic to be forwarded")
    natvi.stop()
    net.inside.run("ping", "-c", 20, "-i", 0.02, REMOTE)
    natvi.start(config(net.hook))
    natvi.kill()
    natvi.start(config(net.hook))
    net.inside.run("ping", "-c", 20, "-i", 0.02, REMOTE)
    natvi.down()
    net.inside.run("ping", "-c", 3, "-i", 0.1, "-W", 0.2, SERVER, check=False)
    for flood in floods:
        assert flood.alive(), "the flood has to last"
        flood.stop(signal.SIGINT)
    assert len(witness.stop().fields("icmp")) >= 40
    seen = capture.stop().fields("ip", "frame.time_relative", "ip.src", "ip.dst", "ip.proto", "ip.flags.mf", "ip.frag_offset")
    assert not seen, "%d such packets, the first: %s" % (len(seen), seen[0])


def test_survives_the_daemon(net):
    """kill -9 and a restart during a download lose no byte; show works in between."""
    natvi = net.running()
    server = Nginx(net.outside)
    wanted = server.file("big", 20 * MIB)
    target = net.lab.dir / "slow"
    client = net.inside.spawn("curl", "-sSf", "--limit-rate", "8M", "--max-time", 60, "-o", target, "http://%s/big" % SERVER)
    wait_for(lambda: target.exists() and target.stat().st_size > MIB, 15, "the download to begin")
    natvi.kill()
    assert len(natvi.sessions("proto", "tcp")) == 1
    wait_for(lambda: target.stat().st_size > 8 * MIB, 15, "the download to go on")
    natvi.start(config(net.hook))
    assert len(natvi.sessions("proto", "tcp")) == 1
    client.wait(60)
    assert hashlib.sha256(target.read_bytes()).hexdigest() == wanted


def test_reload_keeps_sessions(net):
    natvi = net.running()
    session = Sshd(net.outside).client(net.inside, SERVER)
    session.say("before")
    natvi.reload(config(net.hook, timeouts={"udp": 100}))
    session.say("after")
    done = natvi.cli("reload", _broken(net), check=False)
    assert done.returncode != 0
    session.say("after a refused one")


def _broken(net):
    path = net.lab.dir / "broken.yaml"
    path.write_text("interfaces:\n  - name: lan0\nrulez: []\n")
    return path


def test_address_change_is_followed(net):
    """A masquerading port gets another address: its sessions go, new ones use the new address."""
    natvi = net.running()
    outside = net.outside.udp(SERVER, 5000)
    inside = net.inside.udp(INSIDE, 4000)
    assert exchange(inside, outside, (SERVER, 5000))[0] == EXTERNAL
    net.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add 203.0.113.77/24 dev wan0", "route add default via %s" % SERVER)
    wait_for(lambda: not natvi.sessions("proto", "udp"), 15, "the sessions of the old address to go")
    assert exchange(inside, outside, (SERVER, 5000))[0] == "203.0.113.77"


def test_two_instances_do_not_collide(net):
    """A second instance on the same ports is refused, the first goes on."""
    natvi = net.running()
    second = net.natvi("b")
    process = second.start(config(net.hook), ready=False)
    assert process.wait(60, check=False) != 0
    assert "wan0" in process.err or "lan0" in process.err, process.err
    inside, outside = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)
    assert exchange(inside, outside, (SERVER, 5000))[0] == EXTERNAL
    assert natvi.cli("status").returncode == 0


def test_port_is_preserved_under_masquerade(net):
    net.running()
    assert exchange(net.inside.udp(INSIDE, 5353), net.outside.udp(SERVER, 53), (SERVER, 53)) == (EXTERNAL, 5353)
