# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Rules without an inside and an outside: destinations, prefixes and both ends, in any direction, with real programs."""
import socket

import pytest

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, MASQUERADE, POOL, REFUSE, SERVER, SERVER2, config
from services import Nginx, fetch
from wire import Capture, exchange

NOBODY = "198.51.100.77"        # an address that no host has; the gateway routes it to the outside
TRANSLATED = "203.0.113.64/29"  # of a netmap, in the uplink's subnet: the gateway answers ARP for it
A_SEEN, B_SEEN = "203.0.113.66", "203.0.113.67"
LAN_BROADCAST = "198.18.0.255"
A_LAN, B_LAN = "198.18.0.10", "198.18.0.11"     # numbers 2 and 3 of 198.18.0.8/29


def served(host):
    """A web server, its file's digest."""
    web = Nginx(host)
    return web, web.file("page", 300000)


def test_destination_by_rule(net):
    """What comes in for a port of the gateway's own address goes to an inside server; its clients are seen as they are."""
    web, digest = served(net.inside)
    natvi = net.running(config(net.hook, rules=[
        {"to": {"destination": EXTERNAL, "port": 8080}, "proto": "tcp", "action": {"dnat": INSIDE + ":80"}}, MASQUERADE, REFUSE]))
    assert fetch(net.outside, "http://%s:8080/page" % EXTERNAL) == digest
    assert web.log().splitlines()[0].startswith(SERVER)
    assert natvi.counter("forward") > 10


def test_hairpin_by_rule(net):
    """The same from inside, by the outside address: the server sees the gateway's outside address."""
    web, digest = served(net.inside)
    net.running(config(net.hook, rules=[
        {"to": {"destination": EXTERNAL, "port": 8080}, "proto": "tcp", "action": {"dnat": INSIDE + ":80"}}, MASQUERADE, REFUSE]))
    assert fetch(net.inside, "http://%s:8080/page" % EXTERNAL, "--interface", INSIDE2) == digest
    assert web.log().splitlines()[0].startswith(EXTERNAL)


def test_twice(net):
    """Both ends at once: a host reaches a server by an address that it knows, and is seen by one that the server knows."""
    web, digest = served(net.outside)
    net.running(config(net.hook, rules=[
        {"from": {"interface": "lan0"}, "to": {"destination": NOBODY}, "action": {"snat": "public", "dnat": SERVER}}], pool={}))
    capture = Capture(net.outside, filter="tcp port 80")
    assert fetch(net.inside, "http://%s/page" % NOBODY) == digest
    assert web.log().split()[0].startswith("192.0.2.")
    capture.stop()
    assert {row[0] for row in capture.fields("tcp", "ip.dst")} == {SERVER}


@pytest.mark.parametrize("begins", ["inside", "outside"])
def test_netmap_either_side_begins(net, begins):
    """A prefix for a prefix: hosts keep their number and their ports, whoever begins."""
    server, client = (net.outside, net.inside) if begins == "inside" else (net.inside, net.outside)
    web, digest = served(server)
    net.running(config(net.hook, rules=[
        {"from": {"interface": "lan0", "source": "198.18.0.8/29"}, "to": {"interface": "wan0"}, "action": {"netmap": TRANSLATED}}]))
    target = SERVER if begins == "inside" else A_SEEN
    assert fetch(client, "http://%s/page" % target) == digest
    assert web.log().split()[0] == (A_SEEN if begins == "inside" else SERVER)
    inside, outside = net.inside.udp(B_LAN, 4100), net.outside.udp(SERVER, 5000)
    assert exchange(inside, outside, (SERVER, 5000)) == (B_SEEN, 4100)
    net.outside.ping(B_SEEN)


def test_netmap_hairpin(net):
    """Two hosts of a netmap see each other by their translated addresses."""
    net.running(config(net.hook, rules=[
        {"from": {"interface": "lan0", "source": "198.18.0.8/29"}, "to": {"interface": "wan0"}, "action": {"netmap": TRANSLATED}}]))
    one, two = net.inside.udp(A_LAN, 4100), net.inside.udp(B_LAN, 4200)
    assert exchange(one, two, (B_SEEN, 4200)) == (A_SEEN, 4100)


def test_one_interface_to_itself(net):
    """A rule for traffic that leaves by the interface that it came by: two networks on one wire."""
    net.gateway.ip("addr add 198.19.0.1/24 dev lan0")
    net.inside.ip("addr add 198.19.0.10/24 dev eth0", "route add 198.18.0.200 via 198.19.0.1 src 198.19.0.10")
    net.running(config(net.hook, rules=[
        {"from": {"interface": "lan0"}, "to": {"destination": "198.18.0.200"}, "action": {"snat": "public", "dnat": INSIDE2}}], pool={}))
    net.inside.ip("route add %s via %s" % (POOL, GATEWAY))
    asks, answers = net.inside.udp("198.19.0.10", 4100), net.inside.udp(INSIDE2, 5000)
    source = exchange(asks, answers, ("198.18.0.200", 5000))
    assert source[0].startswith("192.0.2.") and source[1] == 4100


def test_by_mark_dscp_and_range(net):
    """What a rule may ask for beside addresses and ports; the first that names a packet decides."""
    natvi = net.running(config(net.hook, rules=[
        {"name": "voice", "from": {"interface": "lan0", "source": "198.18.0.10-198.18.0.11"}, "to": {"interface": "wan0"}, "dscp": "ef",
         "action": {"snat": "public"}}, MASQUERADE], pool={}))
    outside = net.outside.udp(SERVER, 5000)
    for address, tos, translated in ((INSIDE, 46 << 2, True), (INSIDE2, 46 << 2, True), (INSIDE, 0, False), ("198.18.0.12", 46 << 2, False)):
        inside = net.inside.udp(address)
        inside.setsockopt(0, 1, tos)    # IPPROTO_IP, IP_TOS
        assert exchange(inside, outside, (SERVER, 5000))[0].startswith("192.0.2." if translated else EXTERNAL)
    assert {s["rule"] for s in natvi.sessions()} == {"voice", "out"}


def test_local_in(net):
    """Rules for the box's own services stand in the same list."""
    net.running(config(net.hook, rules=[
        {"local": "in", "from": {"interface": "wan0"}, "to": {"port": 80}, "proto": "tcp", "action": "drop"}, MASQUERADE]))
    web, digest = served(net.gateway)
    assert fetch(net.inside, "http://%s/page" % GATEWAY) == digest
    refused = net.outside.run("curl", "-sS", "--max-time", 2, "http://%s/page" % EXTERNAL, check=False)
    assert refused.returncode == 28, refused.stderr     # no answer


def test_static_both_ways_beside_masquerading(net):
    """One host has an address of its own, the others share the gateway's."""
    web, digest = served(net.inside)
    net.running(config(net.hook, rules=[{"from": {"source": INSIDE}, "action": {"static": "203.0.113.80"}}, MASQUERADE, REFUSE]))
    assert fetch(net.outside, "http://203.0.113.80/page") == digest
    outside = net.outside.udp(SERVER2, 5000)
    assert exchange(net.inside.udp(INSIDE, 4100), outside, (SERVER2, 5000)) == ("203.0.113.80", 4100)
    assert exchange(net.inside.udp(INSIDE2, 4100), outside, (SERVER2, 5000))[0] == EXTERNAL
    assert fetch(net.inside, "http://203.0.113.80/page", "--interface", INSIDE2) == digest
    assert web.log().splitlines()[-1].startswith(EXTERNAL)


def test_broadcasts_and_local_routes(tc):
    """What ends in the box without being for an address of an interface gets there, translated by nothing, and the box's own broadcasts leave."""
    tc.gateway.ip("route add local 198.51.100.200/32 dev lo")
    box = [tc.gateway.udp(address, 7000) for address in ("198.51.100.200", LAN_BROADCAST)]
    inside = tc.inside.udp(INSIDE, 7000)
    natvi = tc.running(config(tc.hook, pool={}, rules=[
        {"from": {"interface": "lan0"}, "action": {"snat": "public"}}, {"local": "out", "action": {"snat": "public"}}]))
    for sock in (inside, *box):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for sock in box:
        inside.sendto(b"here", (sock.getsockname()[0], 7000))
        assert sock.recvfrom(10) == (b"here", (INSIDE, 7000))
    own, neighbour = tc.gateway.udp(GATEWAY, 7001), tc.inside.udp(LAN_BROADCAST, 7000)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    own.sendto(b"all", (LAN_BROADCAST, 7000))
    assert neighbour.recvfrom(10) == (b"all", (GATEWAY, 7001))
    assert natvi.counter("no-route") == 0
    assert "verdict      local" in natvi.cli("trace", "iif lan0 udp %s:7000 > %s:7000" % (INSIDE, LAN_BROADCAST)).stdout
