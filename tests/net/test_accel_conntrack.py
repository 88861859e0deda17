# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Conntrack of an accelerated connection stays true, and what an administrator changes is obeyed within about a second."""
import time

import pytest
from scapy.all import IP, UDP, Ether

from gateway import EXTERNAL, INSIDE, INSIDE2, REMOTE, SERVER
from lab import PATIENCE_S, wait_for, wait_within
from router import FIREWALL, Talk, accelerated, router, speedy, tc_router  # noqa: F401
from services import Nginx
from uplinks import SERVER1, Download, add_uplink
from wire import Tap, reset

OBEYED_S = 2
TCP_S, UDP_S = 432000, 120
SELECT = ("-p", "udp", "--orig-port-dst", 5000)


def talking(router, kind="udp", source=INSIDE, port=5000):  # noqa: F811
    return Talk(kind, router.inside, source, router.outside, (SERVER, port))


@pytest.mark.parametrize("hook", ["xdp"])
def test_timeouts_stay_full(router):  # noqa: F811
    """While they run: of a datagram stream, a TCP connection with answers, and a transfer that is never all acknowledged."""
    natvi, number = router.running(), 5201
    udp, tcp = talking(router), talking(router, "tcp")
    speedy(natvi, udp, tcp)
    router.outside.spawn("iperf3", "-s", "-1", "-p", number, "--forceflush").wait_output("Server listening")
    sender = router.inside.spawn("iperf3", "-c", SERVER, "-p", number, "--cport", 4000, "-t", 60, "-b", "400M")
    wait_for(lambda: router.tracked("-p", "tcp", "--orig-port-src", 4000), 15, "the transfer to begin")
    end, looked = time.monotonic() + 4.5, 0
    while time.monotonic() < end or looked <= 5:
        began = time.monotonic()
        udp.turn()
        tcp.turn()
        shown = [router.tracked(*SELECT), *[router.tracked("-p", "tcp", *select)
                                            for select in (("--orig-port-dst", 5000), ("--orig-port-src", 4000))]]
        gone = 3 + time.monotonic() - began     # a machine that stands still in between sends nothing, either
        for ((state, left, line),), full in zip(shown, (UDP_S, TCP_S, TCP_S)):
            assert state in (None, "ESTABLISHED") and left >= full - gone, line
        looked += 1
    assert sender.alive()
    assert router.invalid() == 0


def test_fin_ends_it(router):  # noqa: F811
    natvi = router.running()
    talk = talking(router, "tcp")
    speedy(natvi, talk)
    assert natvi.sessions()
    talk.client.close()
    assert talk.server.recv(1) == b""
    talk.server.close()
    wait_within(lambda: [t[0] for t in router.tracked("-p", "tcp")] == ["TIME_WAIT"], OBEYED_S, "conntrack to see the end")
    wait_within(lambda: not natvi.sessions(), OBEYED_S, "the session to end")
    assert router.invalid() == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
@pytest.mark.parametrize("hook", ["xdp"])
def test_rst_ends_it(router, busy):  # noqa: F811
    """Also where the other side has more under way: conntrack lets go of it within seconds, not days."""
    natvi = router.running()
    talk = talking(router, "tcp")
    speedy(natvi, talk)
    if busy:
        talk.server.setblocking(False)
        talk.client.settimeout(None)
        for _ in range(200):
            try:
                talk.server.send(bytes(60000))
            except BlockingIOError:
                break
    reset(talk.client)
    wait_within(lambda: all(s == "CLOSE" or left <= 10 for s, left, _ in router.tracked("-p", "tcp")), OBEYED_S,
                lambda: "conntrack to see the end: %s" % router.tracked("-p", "tcp"))
    wait_within(lambda: not natvi.sessions(), OBEYED_S, "the session to end")
    assert router.invalid() == 0


@pytest.mark.parametrize("words", [("-D", *SELECT), ("-F",)], ids=["one", "all"])
@pytest.mark.parametrize("hook", ["tc"])
def test_deleted_from_conntrack(router, words):  # noqa: F811
    """It is a new connection then, and of these the firewall takes no more."""
    natvi = router.running()
    talk = talking(router)
    speedy(natvi, talk)
    router.gateway.run("nft", "insert", "rule", "inet", "filter", "forward", "ct", "state", "new", "drop")
    time.sleep(1.2)     # the rule alone changes nothing for it
    talk.turn(5)
    router.gateway.run("conntrack", *words)
    talk.hushed(OBEYED_S)
    assert not router.tracked(*SELECT)


def test_new_drop_rule(router):  # noqa: F811
    natvi = router.running()
    talk, other = talking(router), talking(router, port=5001)
    speedy(natvi, talk, other)
    router.gateway.run("nft", "insert", "rule", "inet", "filter", "forward", "udp", "dport", "5000", "counter", "drop")
    talk.hushed(OBEYED_S)
    other.turn(5)


def test_drop_rule_for_another_way_in(router):  # noqa: F811
    """What comes in by another interface under the same addresses and ports is not the connection's, and the rules decide on it."""
    router.gateway.run("ip", "link", "add", "lan1", "type", "veth", "peer", "name", "far1")
    router.gateway.ip("link set lan1 up", "link set far1 up")
    natvi = router.running({**router.config(), "interfaces": [{"name": n, "xdp": "native" if router.hook == "xdp" and n != "lan1"
                                                              else "off"} for n in ("lan0", "lan1", "wan0")]})
    router.gateway.run("nft", "insert", "rule", "inet", "filter", "forward", "iifname", "lan1", "counter", "drop")
    talk = talking(router)
    speedy(natvi, talk)
    forger = Tap(router.gateway, "far1")
    name = talk.client.getsockname()
    packet = forged(router.mac(router.gateway, "lan1"), name, (SERVER, 5000))
    for _ in range(100):
        talk.turn()
        forger.send(packet)
    talk.turn(20)       # the server would have got a datagram of the forger's in between


def forged(mac, source, to):
    return Ether(dst=mac) / IP(src=source[0], dst=to[0], ttl=64) / UDP(sport=source[1], dport=to[1]) / b"forged"


def second_uplink(router):  # noqa: F811
    add_uplink(router)
    config = router.config()
    config["interfaces"].append(dict(config["interfaces"][0], name="wan1"))
    return config


@pytest.mark.parametrize("hook", ["xdp"])
def test_route_replaced(router):  # noqa: F811
    """It goes the new way, where nothing of it went before."""
    router.rules(FIREWALL % "")
    natvi = router.running(second_uplink(router))
    tap = Tap(router.outside, "eth1")
    talk = Talk("udp", router.inside, INSIDE2, router.outside, (REMOTE, 5000))
    router.outside.ip("route add 198.18.0.0/15 via %s" % EXTERNAL)
    speedy(natvi, talk)
    assert tap.receive(is_udp, 0.1) is None
    router.gateway.ip("route add 198.51.100.0/24 via %s dev wan1" % SERVER1)
    wait_within(lambda: talk.turn() and tap.receive(is_udp, 0.1), OBEYED_S, "the new way to be taken")
    speedy(natvi, talk)
    tap.drain()
    talk.turn(20)
    assert sum(tap.receive(is_udp, 5) is not None for _ in range(20)) == 20


def is_udp(packet):
    return packet.haslayer("UDP")


@pytest.mark.parametrize("hook", ["tc"])
def test_address_replaced(router):  # noqa: F811
    """The masqueraded connection begins anew under the new address, as it does without natvi."""
    natvi = router.running()
    talk = talking(router)
    speedy(natvi, talk)
    assert talk.seen[0] == EXTERNAL
    new = "203.0.113.2"
    router.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add %s/24 dev wan0" % new, "route add default via %s" % SERVER)
    talk.server.settimeout(0.2)

    def renamed():
        talk.client.send(b"?")
        try:
            return talk.server.recvfrom(10)[1][0] == new
        except OSError:
            return False
    wait_within(renamed, OBEYED_S, "the new address to be used")
    talk.server.settimeout(PATIENCE_S)


@pytest.mark.parametrize("hook", ["tc"])
def test_conntrack_flushed_mid_transfer(router):  # noqa: F811
    """A connection that conntrack picks up again goes on, to the byte."""
    router.rules(FIREWALL % "tcp sport 80 accept")      # conntrack may see an answer first
    router.outside.ip("route replace 198.18.0.0/15 via %s" % EXTERNAL)
    nginx, natvi = Nginx(router.outside), router.running()
    download = Download(nginx, router.inside, SERVER)
    wait_for(lambda: accelerated(natvi) > 20, 15, "the transfer to be accelerated")
    router.gateway.run("conntrack", "-F")
    before = accelerated(natvi)
    download.goes_on().finish()
    assert accelerated(natvi) > before
    assert router.invalid() == 0
