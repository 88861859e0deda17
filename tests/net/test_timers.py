# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Idle times, scaled down to seconds. The clock is coarse: what has a time of n is gone after n + 1 s.

The waits here are the point of the tests: nothing can be polled for while nothing may be sent.
"""
import select
import socket
import time

from scapy.all import ICMP, IP, TCP, Ether

from gateway import INSIDE, REFUSE, SERVER, TO_POOL, config
from lab import PATIENCE_S, in_time, wait_for
from wire import exchange, reset

TIMES = {"udp": 2, "tcp-established": 8, "tcp-transitory": 2, "icmp": 2, "other": 2, "port-rest": 2}
SWEEP_S = 20


def timed(net, filtering="address-and-port-dependent", **times):
    return net.running(config(net.hook, rules=[TO_POOL, REFUSE], timeouts={**TIMES, **{k.replace("_", "-"): v for k, v in times.items()}},
                              pool={"mapping": "endpoint-independent", "filtering": filtering}))


def arrives(sock, timeout=0.5):
    return bool(select.select([sock], [], [], timeout)[0])


def states(natvi):
    return [m["state"] for m in natvi.show("mappings")]


def connect(net, port=5000):
    listener = net.outside.tcp_listen(SERVER, port)
    client = net.inside.tcp(INSIDE)
    client.connect((SERVER, port))
    server, _ = listener.accept()
    server.settimeout(PATIENCE_S)
    return client, server


def test_flow_past_its_time_is_a_miss_without_the_daemon(net):
    natvi = timed(net)
    natvi.freeze()
    inside, outside = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)
    inside.settimeout(3)

    def admitted():
        external = exchange(inside, outside, (SERVER, 5000))
        time.sleep(0.5)
        outside.sendto(b"in time", external)
        assert inside.recvfrom(10)[0] == b"in time"
        return external
    external = in_time(admitted, TIMES["udp"])
    time.sleep(TIMES["udp"] + 2)
    before = natvi.counter("filtered")
    outside.sendto(b"too late", external)
    assert not arrives(inside)
    assert natvi.counter("filtered") == before + 1


def test_sweep_ends_sessions_and_frees_ports(net):
    """Session, then mapping: first resting, then gone, and its port with it."""
    natvi = timed(net)
    inside, outside = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)

    def made():
        exchange(inside, outside, (SERVER, 5000))
        assert len(natvi.sessions()) == 1 and len(natvi.show("mappings")) == 1
    in_time(made, TIMES["udp"])
    wait_for(lambda: not natvi.sessions(), SWEEP_S, "the session to end")
    # What is past its time is not shown; the mapping is let go by the sweep.
    wait_for(lambda: states(natvi) in (["resting"], []), SWEEP_S, "the mapping to rest")
    wait_for(lambda: not natvi.show("mappings"), SWEEP_S, "the mapping to go")


def test_a_resting_port_is_its_own_hosts(net):
    """While its mapping rests, the same inside socket gets the same port again."""
    natvi = timed(net, port_rest=60)
    inside, outside = net.inside.udp(INSIDE, 4100), net.outside.udp(SERVER, 5000)
    external = exchange(inside, outside, (SERVER, 5000))
    wait_for(lambda: not natvi.sessions(), SWEEP_S, "the session to end")
    wait_for(lambda: states(natvi) == ["resting"], SWEEP_S, "the mapping to rest")
    assert exchange(net.inside.udp("198.18.0.11", 4100), outside, (SERVER, 5000)) != external
    assert exchange(inside, outside, (SERVER, 5000)) == external


def test_outbound_packets_refresh(net):
    timed(net)
    inside, outside = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)
    inside.settimeout(3)

    def refreshed():
        external = exchange(inside, outside, (SERVER, 5000))
        for _ in range(5):
            time.sleep(1)
            inside.sendto(b"alive", (SERVER, 5000))
            assert outside.recvfrom(10) == (b"alive", external)
        outside.sendto(b"still", external)
        assert inside.recvfrom(10)[0] == b"still"
    in_time(refreshed, 5 + TIMES["udp"] - 1)


def test_tcp_established_outlives_transitory(net):
    natvi = timed(net)
    client, server = connect(net)

    def outlives():
        client.sendall(b"one")
        assert server.recv(10) == b"one"
        time.sleep(TIMES["tcp-transitory"] + 2)
        server.sendall(b"two")
        assert client.recv(10) == b"two"
        assert len(natvi.sessions("proto", "tcp")) == 1
    in_time(outlives, TIMES["tcp-established"])


def test_tcp_established_ends_too(net):
    natvi = timed(net, tcp_established=3)
    connect(net)
    assert natvi.sessions("proto", "tcp")
    wait_for(lambda: not natvi.sessions("proto", "tcp"), 3 + SWEEP_S, "the idle connection's session to end")


def test_tcp_half_open_is_transitory(net):
    """A SYN that nobody answers holds its session for the transitory time only."""
    natvi = timed(net, tcp_established=600)
    tap = net.tap("inside")
    syn = IP(src=INSIDE, dst="198.51.100.200") / TCP(sport=4101, dport=80, flags="S")
    net.gateway.ip("neigh replace 203.0.113.9 lladdr %s dev wan0" % net.mac(net.outside, "eth0"))
    frame = Ether(src=net.mac(net.inside, "eth0"), dst=net.mac(net.gateway, "lan0")) / syn
    wait_for(lambda: tap.send(frame) or natvi.sessions("proto", "tcp"), 15, "the session")
    wait_for(lambda: not natvi.sessions("proto", "tcp"), TIMES["tcp-transitory"] + SWEEP_S, "it to end")


def test_tcp_opening_and_closing_have_their_own_times(net):
    natvi = timed(net, tcp_established=600, tcp_opening=100, tcp_closing=50)
    listener = net.outside.tcp_listen(SERVER, 5001, backlog=0)
    net.outside.run("nft", "-f", "-", input="table ip t { chain i { type filter hook input priority 0; tcp dport 81 drop; }; }")
    silent = net.inside.tcp(INSIDE, 4104)
    silent.setblocking(False)
    silent.connect_ex((SERVER, 81))

    def left(*words):
        found = natvi.sessions(*words)
        return found[0]["expires_s"] if found else None
    wait_for(lambda: left("state", "syn-sent"), 15, "the connection that nobody answers")
    assert 80 <= left("state", "syn-sent") <= 100
    client = net.inside.tcp(INSIDE, 4105)
    client.connect((SERVER, 5001))
    server = listener.accept()[0]
    wait_for(lambda: left("state", "established"), 15, "the connection")
    assert 630 <= left("state", "established") <= 650       # transitory after its own time
    client.close()
    server.close()
    wait_for(lambda: left("state", "closed"), 15, "it to be closed")
    assert 30 <= left("state", "closed") <= 50


def test_tcp_fin_ends_soon(net):
    """After FIN both ways the session is transitory, but the last acknowledgements still pass."""
    natvi = timed(net, tcp_established=600)
    client, server = connect(net)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    server.sendall(b"last words")
    assert client.recv(20) == b"last words"
    server.close()
    assert client.recv(10) == b""
    client.close()
    wait_for(lambda: not natvi.sessions("proto", "tcp"), TIMES["tcp-transitory"] + SWEEP_S, "the closed connection's session to end")


def test_tcp_half_closed_is_not_closed(net):
    """FIN in one direction only: the other goes on for longer than the transitory time."""
    timed(net, tcp_established=600)
    client, server = connect(net)
    client.shutdown(socket.SHUT_WR)
    assert server.recv(10) == b""
    time.sleep(TIMES["tcp-transitory"] + 2)
    server.sendall(b"still talking")
    assert client.recv(20) == b"still talking"


def test_tcp_rst_ends_soon(net):
    natvi = timed(net, tcp_established=600)
    client, server = connect(net)
    reset(server)
    wait_for(lambda: not natvi.sessions("proto", "tcp"), TIMES["tcp-transitory"] + SWEEP_S, "the reset connection's session to end")
    client.close()


def test_icmp_query(net):
    natvi = timed(net)
    inside, outside = net.tap("inside"), net.tap("outside")
    header = Ether(src=net.mac(net.inside, "eth0"), dst=net.mac(net.gateway, "lan0"))

    def asked():
        inside.send(header / IP(src=INSIDE, dst=SERVER) / ICMP(type=8, id=5, seq=1))
        outside.expect(lambda p: ICMP in p and p[ICMP].type == 8, "the request")
        inside.expect(lambda p: ICMP in p and p[ICMP].type == 0 and p[ICMP].id == 5, "the answer")
        assert natvi.sessions("proto", "icmp")
    in_time(asked, TIMES["icmp"])
    wait_for(lambda: not natvi.sessions("proto", "icmp"), TIMES["icmp"] + SWEEP_S, "the query's session to end")


def test_flush(net):
    """flush ends what its filter names, at once, and nothing else."""
    natvi = timed(net, udp=300)
    outside = net.outside.udp(SERVER, 5000)
    keep, gone = net.inside.udp(INSIDE, 4102), net.inside.udp("198.18.0.11", 4103)
    exchange(keep, outside, (SERVER, 5000))
    external = exchange(gone, outside, (SERVER, 5000))
    natvi.cli("flush", "sessions", "src", "198.18.0.11")
    assert len(natvi.sessions()) == 1
    outside.sendto(b"gone", external)
    assert not arrives(gone)
    exchange(keep, outside, (SERVER, 5000))
