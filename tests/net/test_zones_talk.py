# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Zones as routing tables: two networks with the same addresses, which talk to each other and to one uplink.

    red   198.18.0.10, .11 -- red0  [gateway] wan0 203.0.113.1 -- 203.0.113.9 outside
    blue  198.18.0.10, .11 -- blue0

red's hosts are seen as 203.0.113.34 and .35 by all others, blue's as .50 and .51. The gateway has the address 198.18.0.1 on
both ports, and a table for each.
"""
import pytest

from gateway import EXTERNAL, SERVER, Topology
from lab import veth, wait_within
from services import Nginx, fetch
from wire import exchange

HOST, HOST2 = "198.18.0.2", "198.18.0.3"
RED_SEEN, RED2_SEEN, BLUE_SEEN, BLUE2_SEEN = "203.0.113.34", "203.0.113.35", "203.0.113.50", "203.0.113.51"
ZONES = [{"name": "red", "table": 100}, {"name": "blue", "table": 200}]
NETMAPS = [{"from": {"zone": "red", "source": "198.18.0.0/28"}, "action": {"netmap": "203.0.113.32/28"}},
           {"from": {"zone": "blue", "source": "198.18.0.0/28"}, "action": {"netmap": "203.0.113.48/28"}}]


class Zones:
    def __init__(self, lab, hook):
        self.lab, self.hook = lab, hook
        self.gateway, self.red, self.blue, self.outside = (lab.namespace(role) for role in ("gw", "red", "blue", "out"))
        self.inside = self.red
        self.gateway.sysctl("net.ipv4.ip_forward", 0)
        for number, (port, host) in {100: ("red0", self.red), 200: ("blue0", self.blue)}.items():
            veth(self.gateway, port, host, "eth0")
            host.ip("addr add %s/24 dev eth0" % HOST, "addr add %s/24 dev eth0" % HOST2, "route add default via 198.18.0.1")
            self.gateway.ip("addr add 198.18.0.1/24 dev %s noprefixroute" % port,
                            "route add 198.18.0.0/24 dev %s table %d" % (port, number))
        veth(self.gateway, "wan0", self.outside, "eth0")
        self.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL, "route add default via %s" % SERVER,
                        *["route add default via %s table %d" % (SERVER, n) for n in (100, 200)])
        self.outside.ip("addr add %s/24 dev eth0" % SERVER)
        if hook == "xdp":
            for host in (self.red, self.blue, self.outside):
                host.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "on")

    natvi = Topology.natvi

    def run(self, rules, **more):
        natvi = self.natvi()
        xdp = "native" if self.hook == "xdp" else "off"
        natvi.start({"zones": ZONES, "interfaces": [{"name": "red0", "zone": "red", "xdp": xdp}, {"name": "blue0", "zone": "blue", "xdp": xdp},
                                                     {"name": "wan0", "xdp": xdp}], "rules": rules, **more})
        return natvi


@pytest.fixture
def zones(lab, hook):
    return Zones(lab, hook)


def test_one_uplink_for_both(zones):
    """The same host address and port in both zones: two sessions, each answer goes to its own."""
    natvi = zones.run([{"from": {"zone": ["red", "blue"]}, "to": {"interface": "wan0"}, "action": "masquerade"}])
    outside = zones.outside.udp(SERVER, 5000)
    red, blue = zones.red.udp(HOST, 4100), zones.blue.udp(HOST, 4100)
    ports = set()
    for text in (b"first", b"second"):
        for sock, mine in ((red, b"red"), (blue, b"blue")):
            source = exchange(sock, outside, (SERVER, 5000), mine + text)
            assert source[0] == EXTERNAL
            ports.add(source[1])
    assert len(ports) == 2
    assert len(natvi.sessions()) == 2


def test_zones_talk_to_each_other(zones):
    """Either side begins, by translated addresses, with transfers; and both are reached from outside."""
    natvi = zones.run(NETMAPS)
    webs = {name: Nginx(getattr(zones, name)) for name in ("red", "blue")}
    digests = {name: web.file("page", 2 << 20) for name, web in webs.items()}
    assert fetch(zones.red, "http://%s/page" % BLUE_SEEN) == digests["blue"]
    assert fetch(zones.blue, "http://%s/page" % RED_SEEN, "--interface", HOST2) == digests["red"]
    assert webs["blue"].log().split()[0] in (RED_SEEN, RED2_SEEN)
    assert webs["red"].log().split()[0] == BLUE2_SEEN
    for seen, name in ((RED_SEEN, "red"), (BLUE_SEEN, "blue")):
        assert fetch(zones.outside, "http://%s/page" % seen) == digests[name]
    assert fetch(zones.red, "http://%s/page" % RED2_SEEN) == digests["red"]
    zones.red.ping(BLUE2_SEEN)
    slow = {v["name"]: v["packets"] for v in natvi.show("stats")["verdicts"] if v["name"].startswith("slow-")}
    assert natvi.counter("forward") > 50 * max(1, sum(slow.values())), slow


def test_cold_neighbours_in_another_zone(zones):
    """The kernel resolves a neighbour of the zone that a packet goes to, not of the one that it came from."""
    natvi = zones.run(NETMAPS)
    red, blue = zones.red.udp(HOST, 4100), zones.blue.udp(HOST, 5000)
    assert exchange(red, blue, (BLUE_SEEN, 5000)) == (RED_SEEN, 4100)
    zones.gateway.run("ip", "neigh", "flush", "dev", "blue0")
    assert exchange(red, blue, (BLUE_SEEN, 5000)) == (RED_SEEN, 4100)
    assert natvi.counter("slow-neighbour") >= 1


def test_too_big_for_another_zone(zones):
    """Cut by the kernel on its way into the other zone; with DF its sender is told."""
    zones.gateway.ip("link set blue0 mtu 1280")
    zones.blue.ip("link set eth0 mtu 1280")
    zones.run(NETMAPS)
    red, blue = zones.red.udp(HOST, 4100), zones.blue.udp(HOST, 5000)
    red.setsockopt(0, 10, 0)    # IP_MTU_DISCOVER: never set DF
    blue.setsockopt(0, 10, 0)
    assert exchange(red, blue, (BLUE_SEEN, 5000), b"x" * 1400) == (RED_SEEN, 4100)
    done = zones.red.run("ping", "-c", 1, "-W", 10, "-M", "do", "-s", 1400, BLUE_SEEN, check=False)
    assert "mtu = 1280" in done.stdout + done.stderr


def test_rules_of_the_kernel_follow(zones):
    """natvi has the kernel route by the zone's table, also when somebody takes its rules away; `down` removes them."""
    before = zones.gateway.run("ip", "rule").stdout
    natvi = zones.run(NETMAPS)

    def has_rules():
        rules = zones.gateway.run("ip", "rule").stdout
        return "iif red0 lookup 100" in rules and "iif blue0 lookup 200" in rules
    assert has_rules()
    zones.gateway.run("ip", "rule", "del", "iif", "red0", "lookup", "100")
    wait_within(has_rules, 3, "the rule to be there again")
    natvi.down()
    assert zones.gateway.run("ip", "rule").stdout == before


def test_translated_space_of_a_zone(zones):
    """Two pools with the same address, each seen by one zone."""
    natvi = zones.run([{"from": {"zone": "red"}, "to": {"zone": "blue"}, "action": {"snat": "for-blue"}},
                       {"from": {"zone": "blue"}, "to": {"destination": "203.0.113.200"},
                        "action": {"snat": "for-red", "dnat": HOST, "zone": "red"}}],
                      pools=[{"name": "for-blue", "addresses": ["192.0.2.1"], "zone": "blue"},
                             {"name": "for-red", "addresses": ["192.0.2.1"], "zone": "red"}])
    red, blue = zones.red.udp(HOST, 5000), zones.blue.udp(HOST, 4100)
    assert exchange(blue, red, ("203.0.113.200", 5000)) == ("192.0.2.1", 4100)
    assert len(natvi.sessions()) == 1
