# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Connections that nobody asked for: RFC 5382 req. 4, and the setting tcp.unsolicited."""
import itertools
import select
import socket
import time

import pytest
from scapy.all import ICMP, IP, TCP, Ether

from gateway import EXTERNAL, INSIDE, MASQUERADE, REFUSE, SERVER, SERVER2, TO_POOL, Topology, config
from lab import stretched, wait_for
from test_fragments import Tun
from test_park import needs_tun, park
from wire import exchange

pytestmark = needs_tun

HOLD_S = 6.0
LATE_S = 1.5            # an answer may take so much longer
POOL_ADDRESS = "192.0.2.3"
SEQ = 0x12345678


def syn(net, source, target):
    """A SYN in a frame from the outside to the gateway."""
    return (Ether(src=net.mac(net.outside, "eth0"), dst=net.mac(net.gateway, "wan0")) /
            IP(src=source[0], dst=target[0], id=0x4242, ttl=61) /
            TCP(sport=source[1], dport=target[1], flags="S", seq=SEQ, options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]))


def answers(packet):
    """What a caller may take for an answer."""
    return packet.haslayer(IP) and (packet.haslayer(ICMP) or packet.haslayer(TCP))


def checksums_are_right(packet):
    """As the packet has them, and as they come out anew."""
    again = IP(bytes(packet[IP]))
    del again.chksum, again[ICMP].chksum
    again = IP(bytes(again))
    return again.chksum == packet[IP].chksum and again[ICMP].chksum == packet[ICMP].chksum


def started(net, where, **settings):
    """natvi, and the address of its that nothing is mapped to: a pool's, or the box's own."""
    if where == "pool":
        return net.running(config(net.hook, rules=[TO_POOL, REFUSE], pool={}, **settings)), POOL_ADDRESS
    return net.running(config(net.hook, **settings)), EXTERNAL


@pytest.mark.parametrize("where", ["pool", "own"])
def test_rfc5382_req4_unsolicited_syn(net, where):
    """No word for 6 s, also not to a repetition; then one ICMP port unreachable that quotes the SYN."""
    natvi, address = started(net, where)
    tap = net.tap("outside")
    frame = syn(net, (SERVER, 4000), (address, 5555))
    began = time.monotonic()
    tap.send(frame)
    wait_for(lambda: park(natvi)["syns"]["held"] == 1, 15, "the SYN to be held")
    tap.send(frame)
    answer = tap.expect(answers, "an answer", HOLD_S + stretched(LATE_S))
    took = time.monotonic() - began
    assert took >= HOLD_S, "answered after %.2f s: %s" % (took, answer.summary())
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 3), answer.summary()
    assert (answer[IP].src, answer[IP].dst) == (EXTERNAL, SERVER)
    assert checksums_are_right(answer)
    quote = bytes(answer[ICMP].payload)
    assert quote == bytes(frame[IP])[:len(quote)] and len(quote) >= 28
    assert answer.src == net.mac(net.gateway, "wan0") and answer.dst == net.mac(net.outside, "eth0")
    tap.none(answers, "a second answer", 1.5)
    assert park(natvi)["syns"] == {"held": 0, "parked": 1, "released": 1, "expired": 0, "refused": 0, "repeated": 1}
    assert park(natvi)["bytes"] == 0
    assert natvi.counter("syn-held") >= 2


def test_callers_from_both_sides(net):
    """What a program sees: connect() fails after 6 s, from outside, and from inside where no mapping leads."""
    net.running()
    callers = [net.outside.tcp(SERVER, 4000, timeout=0), net.inside.tcp(INSIDE, 4001, timeout=0)]
    began = time.monotonic()
    for caller in callers:
        caller.connect_ex((EXTERNAL, 5555))
    poll = select.poll()
    for caller in callers:
        poll.register(caller, select.POLLOUT)
    failed = {}
    while len(failed) < len(callers) and time.monotonic() - began < HOLD_S + stretched(LATE_S + 2):
        for fd, _ in poll.poll(200):
            failed[fd] = time.monotonic() - began
            poll.unregister(fd)
    assert len(failed) == len(callers), "who was told: %s" % failed
    assert min(failed.values()) >= HOLD_S
    assert all(c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for c in callers)


def test_link_without_ethernet(lab):
    """The same on a tun, where an answer has no Ethernet header."""
    net = Topology(lab, "tc")
    tun = Tun(net)
    natvi = net.running(config("tc", interfaces=("lan0", "tun0"), rules=[dict(MASQUERADE, to={"interface": "tun0"})]))
    packet = IP(src=tun.PEER, dst=tun.ADDRESS) / TCP(sport=4000, dport=5555, flags="S", seq=SEQ)
    began = time.monotonic()
    tun.send([packet])
    wait_for(lambda: park(natvi)["syns"]["held"] == 1, 15, "the SYN to be held")
    (answer,) = tun.receive(lambda p: p is None or p.haslayer(ICMP) or p.haslayer(TCP), "an answer", HOLD_S + stretched(LATE_S))
    assert time.monotonic() - began >= HOLD_S
    assert (answer[ICMP].type, answer[ICMP].code, answer.src, answer.dst) == (3, 3, tun.ADDRESS, tun.PEER)
    assert checksums_are_right(answer)
    assert bytes(answer[ICMP].payload) == bytes(packet)


def test_service_of_the_box_is_reached_at_once(net):
    """A socket that listens on the shared address, at a port that NAT might have given."""
    listener = net.gateway.tcp_listen(EXTERNAL, 5556)
    natvi = net.running()
    late = net.gateway.tcp_listen("0.0.0.0", 5557)
    for service, port in ((listener, 5556), (late, 5557)):
        visitor = net.outside.tcp(SERVER, timeout=stretched(1))
        visitor.connect((EXTERNAL, port))
        assert service.accept()[1] == visitor.getsockname()
    assert park(natvi)["syns"]["parked"] == 0


@pytest.mark.parametrize("where", ["pool", "own"])
def test_rfc5382_req2_simultaneous_open(net, where):
    """Both sides connect, the outside one first: its SYN is held, the inside one goes out, they meet. No error comes later."""
    pool = {"filtering": "address-and-port-dependent"}
    rules = {"rules": [TO_POOL, REFUSE], "pool": pool} if where == "pool" else {"masquerade": pool}
    natvi = net.running(config(net.hook, **rules))
    # The outside address and port, as a rendezvous server would have told.
    address, port = exchange(net.inside.udp(INSIDE, 4100), net.outside.udp(SERVER2, 5000), (SERVER2, 5000))
    assert port == 4100
    tap = net.tap("outside")
    outside, inside = net.outside.tcp(SERVER, 5001), net.inside.tcp(INSIDE, 4100)
    for sock in (outside, inside):
        sock.setblocking(False)
    began = time.monotonic()
    outside.connect_ex((address, 4100))
    wait_for(lambda: park(natvi)["syns"]["held"] == 1, 15, "the SYN to be held")
    assert inside.connect_ex((SERVER, 5001))
    for sock in (inside, outside):
        assert select.select([], [sock], [], 20)[1], "no connection"
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert time.monotonic() - began < stretched(HOLD_S)
    for one, other in ((inside, outside), (outside, inside)):
        one.setblocking(True)
        one.sendall(b"met")
        assert select.select([other], [], [], 20)[0] and other.recv(10) == b"met"
    assert outside.getpeername() == (address, 4100)
    tap.none(lambda p: p.haslayer(ICMP), "an error about it", HOLD_S + LATE_S - (time.monotonic() - began))
    assert park(natvi)["syns"]["released"] == 1
    inside.sendall(b"still")
    assert outside.recv(10) == b"still"


@pytest.mark.parametrize("where", ["pool", "own"])
def test_outbound_syn_makes_it_a_silent_drop(net, where):
    """The same, frame by frame: one of the two is enough, whatever comes of the connection."""
    natvi, address = started(net, where)
    address, port = exchange(net.inside.udp(INSIDE, 4100), net.outside.udp(SERVER2, 5000), (SERVER2, 5000))
    tap = net.tap("outside")
    tap.send(syn(net, (SERVER, 5001), (address, 4100)))
    tap.send(syn(net, (SERVER, 5002), (address, 4100)))
    wait_for(lambda: park(natvi)["syns"]["held"] == 2, 15, "the SYNs to be held")
    net.outside.run("nft", "-f", "-", input="table ip t { chain i { type filter hook input priority 0; tcp dport 5001 drop; }; }")
    inside = net.inside.tcp(INSIDE, 4100)
    inside.setblocking(False)
    inside.connect_ex((SERVER, 5001))
    tap.expect(lambda p: p.haslayer(TCP) and (p[IP].src, p[TCP].sport) == (address, 4100), "the inside SYN")
    about = []

    def is_other(p):
        """The one that the inside has not met is answered, and with it the other one would have been."""
        if p.haslayer(ICMP):
            about.append(IP(bytes(p[ICMP].payload))[TCP].sport)
        return about[-1:] == [5002]
    tap.expect(is_other, "an error about the other one", HOLD_S + stretched(LATE_S))
    tap.receive(lambda p: is_other(p) and None, LATE_S)
    assert about == [5002], "errors about: %s" % about


@pytest.mark.parametrize("where", ["pool", "own"])
def test_silent(net, where):
    """unsolicited: silent never says anything, and holds nothing."""
    natvi, address = started(net, where, tcp={"unsolicited": "silent"})
    tap = net.tap("outside")
    tap.send(syn(net, (SERVER, 4000), (address, 5555)))
    tap.none(answers, "an answer", HOLD_S + LATE_S)
    assert park(natvi)["syns"]["parked"] == 0
    assert natvi.counter("no-mapping") >= 1


def test_kernel(net):
    """unsolicited: kernel leaves it to the box, which says at once that nobody listens."""
    natvi = net.running(config(net.hook, tcp={"unsolicited": "kernel"}))
    tap = net.tap("outside")
    tap.send(syn(net, (SERVER, 4000), (EXTERNAL, 5555)))
    answer = tap.expect(answers, "an answer", stretched(1))
    assert answer.haslayer(TCP) and "R" in str(answer[TCP].flags) and answer[IP].src == EXTERNAL
    assert park(natvi)["syns"]["parked"] == 0


def test_reload_of_the_setting(net):
    """It takes effect with a reload, and what is held already is answered all the same."""
    natvi = net.running()
    tap = net.tap("outside")
    tap.send(syn(net, (SERVER, 4000), (EXTERNAL, 5555)))
    wait_for(lambda: park(natvi)["syns"]["held"] == 1, 15, "the SYN to be held")
    natvi.reload(config(net.hook, tcp={"unsolicited": "silent"}))
    tap.send(syn(net, (SERVER, 4001), (EXTERNAL, 5555)))
    answer = tap.expect(answers, "an answer", HOLD_S + stretched(LATE_S))
    assert IP(bytes(answer[ICMP].payload))[TCP].sport == 4000
    tap.none(answers, "an answer to the other", 1)
    assert park(natvi)["syns"]["parked"] == 1


def test_without_a_daemon(net):
    """Nobody to hold it: no answer, and nothing else is harmed."""
    natvi = net.running()
    natvi.stop()
    tap = net.tap("outside")
    tap.send(syn(net, (SERVER, 4000), (EXTERNAL, 5555)))
    tap.none(answers, "an answer", 1)
    assert natvi.counter("syn-held") == 1
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))


@pytest.mark.parametrize("many", [False, True], ids=["one-source", "many-sources"])
def test_syn_flood_is_bounded(net, many):
    """10,000 SYNs: memory stays in bounds, traffic passes, another caller is served, and all is forgotten afterwards."""
    natvi = net.running()
    tap = net.tap("outside")
    source = itertools.cycle(["198.51.100.%d" % (1 + i % 200) for i in range(200)] if many else [SERVER2])
    head = syn(net, (SERVER, 1), (EXTERNAL, 1)).copy()
    head.remove_payload()
    frames = [bytes(head / IP(src=next(source), dst=EXTERNAL) / TCP(sport=1024 + i, dport=5000 + i % 50, flags="S"))
              for i in range(10000)]
    for i, frame in enumerate(frames):
        tap.sock.send(frame)
        if i % 200 == 199:
            time.sleep(0.02)
    began = time.monotonic()
    other = syn(net, (SERVER, 4000), (EXTERNAL, 5555))
    wait_for(lambda: tap.send(other) or park(natvi)["syns"]["repeated"] > 0, 15, "it to be met; the queue of the tap may be full")
    report = park(natvi)
    assert report["bytes"] <= 4 << 20
    assert 0 < report["syns"]["held"] <= (10000 if many else 64 + 1)
    assert report["syns"]["refused"] > 100
    net.inside.ping(SERVER, count=10)
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    if not many:
        tap.expect(lambda p: p.haslayer(ICMP) and p[ICMP].type == 3 and IP(bytes(p[ICMP].payload)).src == SERVER, "the other caller's answer",
                   HOLD_S + stretched(LATE_S))
        assert time.monotonic() - began >= HOLD_S
    wait_for(lambda: park(natvi)["bytes"] == 0, HOLD_S + stretched(2 * LATE_S), "the park to be empty")
