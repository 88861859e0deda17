# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Zones as routing tables: two networks with the same addresses, one uplink.

    red  198.18.0.10/24 -- red0  [gateway, 198.18.0.1 on both] wan0 203.0.113.1/24 -- 203.0.113.9 outside
    blue 198.18.0.10/24 -- blue0
"""
import json
import re

import pytest
from gateway import EXTERNAL, GATEWAY, INSIDE, SERVER, Natvi
from lab import veth, wait_for
from wire import exchange

ZONES = {
    "zones": [{"name": "red", "table": 100}, {"name": "blue", "table": 200}],
    "interfaces": [{"name": "red0", "zone": "red"}, {"name": "blue0", "zone": "blue"}, "wan0"],
}
OUT = {"name": "out", "from": {"zone": ["red", "blue"]}, "to": {"zone": "global"}, "action": "masquerade"}
# To red, blue is 198.51.100.0/24; to blue, red is 192.0.2.0/24.
TWICE = {"name": "sites", "from": {"zone": "red", "source": "198.18.0.0/24"}, "to": {"destination": "198.51.100.0/24"},
         "action": {"netmap": "192.0.2.0/24", "dnat": "198.18.0.0/24", "zone": "blue"}}


class Zones:
    def __init__(self, lab):
        self.lab = lab
        self.red, self.blue, self.gateway, self.outside = (lab.namespace(role) for role in ("red", "blue", "gw", "out"))
        for name in ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"):
            self.gateway.sysctl(name, 0)
        for name, host, table in (("red0", self.red, 100), ("blue0", self.blue, 200)):
            veth(self.gateway, name, host, "eth0")
            host.ip("addr add %s/24 dev eth0" % INSIDE, "route add default via %s" % GATEWAY)
            self.gateway.ip("addr add %s/24 dev %s noprefixroute" % (GATEWAY, name),
                            "route add 198.18.0.0/24 dev %s table %d" % (name, table))
        veth(self.gateway, "wan0", self.outside, "eth0")
        self.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL)
        self.outside.ip("addr add %s/24 dev eth0" % SERVER)
        self.natvi = Natvi(self, self.gateway)

    def rules(self):
        """natvi's routing rules: {input interface: table}"""
        said = json.loads(self.gateway.run("ip", "-j", "rule", "show").stdout)
        return {r["iif"]: int(r["table"]) for r in said if r.get("protocol") == "208" and "iif" in r}


@pytest.fixture
def zones(lab):
    return Zones(lab)


def test_one_address_in_two_zones(zones):
    """Both reach the same server from one address and port, at once, and each gets its own answers."""
    zones.natvi.start(dict(ZONES, rules=[OUT]))
    server = zones.outside.udp(SERVER, 5000)
    seen = []
    for host, word in ((zones.red, b"red"), (zones.blue, b"blue")):
        client = host.udp(INSIDE, 4000)
        client.sendto(word, (SERVER, 5000))
        data, outside = server.recvfrom(100)
        assert data == word
        seen.append((client, word, outside))
    assert {outside[0] for _, _, outside in seen} == {EXTERNAL} and len({outside for _, _, outside in seen}) == 2
    for client, word, outside in reversed(seen):
        server.sendto(b"for " + word, outside)
    for client, word, _ in seen:
        assert client.recvfrom(100) == (b"for " + word, (SERVER, 5000))
    assert {(s["zone"], s["zone_name"]) for s in zones.natvi.show("sessions")} == {(1, "red"), (2, "blue")}
    for what in ("sessions", "mappings"):
        shown = zones.natvi.cli("show", what, "zone", "blue").stdout.splitlines()
        assert shown[0].endswith("ZONE") and [line.split()[-1] for line in shown[1:]] == ["blue"]
    done = zones.natvi.cli("show", "sessions", "zone", "green", check=False)
    assert done.returncode and 'there is no zone "green"' in done.stderr
    zones.natvi.cli("flush", "sessions", "src", INSIDE, "zone", "blue")
    assert [s["zone_name"] for s in zones.natvi.show("sessions")] == ["red"]


def test_two_sites_with_one_numbering(zones):
    """Each reaches the other by a prefix of its own, whoever begins; also TCP, and the first packets, whose next hop is not known."""
    zones.natvi.start(dict(ZONES, rules=[TWICE]))
    for one, other, there, back in ((zones.red, zones.blue, "198.51.100.10", "192.0.2.10"),
                                    (zones.blue, zones.red, "192.0.2.10", "198.51.100.10")):
        assert exchange(one.udp(INSIDE, 4000), other.udp(INSIDE, 5000), (there, 5000)) == (back, 4000)
        listener = other.tcp_listen(INSIDE, 80)
        client = one.tcp(INSIDE, 4001)
        client.connect((there, 80))
        served, address = listener.accept()
        assert address == (back, 4001)
        client.sendall(b"through")
        assert served.recv(100) == b"through"
        for sock in (client, served, listener):
            sock.close()


def test_routing_rules(zones):
    """natvi makes one for each interface of a zone that is a table, makes it again, and takes it away."""
    zones.gateway.ip("rule add iif red0 lookup 77 priority 5000")       # somebody else's stays
    zones.natvi.start(dict(ZONES, rules=[OUT]))
    assert zones.rules() == {"red0": 100, "blue0": 200}
    zones.gateway.ip("rule del iif red0 lookup 100")
    wait_for(lambda: zones.rules() == {"red0": 100, "blue0": 200}, 15, "the rule to be made again")
    assert "made again" in zones.natvi.process.err

    zones.natvi.reload({"zones": [{"name": "blue", "table": 201}], "interfaces": ["red0", {"name": "blue0", "zone": "blue"}, "wan0"],
                        "rules": [dict(OUT, **{"from": {"zone": "blue"}})]})
    assert zones.rules() == {"blue0": 201}
    zones.natvi.stop()
    assert zones.rules() == {"blue0": 201}      # the datapath goes on
    zones.natvi.start(dict(ZONES, rules=[OUT]))
    assert zones.rules() == {"red0": 100, "blue0": 200}
    zones.natvi.down()
    assert zones.rules() == {}
    assert "lookup 77" in zones.gateway.run("ip", "rule", "show").stdout


def test_show(zones):
    """`show zones`, `rules` and `interfaces`: who is where, what rules match and what they make of a packet."""
    rules = [TWICE, dict(OUT, dscp=[46, 10], mark="0x10/0xff"),
             {"name": "in", "to": {"port": "8000-8001"}, "proto": "tcp", "from": {"interface": "wan0"},
              "action": {"dnat": "198.18.0.10:80-81", "zone": "blue"}}, {"name": "own", "local": "in", "action": "drop"}]
    configuration = dict(ZONES, rules=rules)
    configuration["interfaces"] = [{"name": "red0", "zone": "red"}, {"name": "blue0", "zone": "blue"}, {"name": "wan0", "nat": "routed"}]
    zones.natvi.start(configuration)
    assert [(z["number"], z["name"], z["table"], z["lookups_by"], z["interfaces"]) for z in zones.natvi.show("zones")] == [
        (0, "global", 254, "wan0", ["wan0"]), (1, "red", 100, "red0", ["red0"]), (2, "blue", 200, "blue0", ["blue0"])]
    assert re.search(r"^ *1 +red +100 +red0 +red0$", zones.natvi.cli("show", "zones").stdout, re.M)
    shown = {i["name"]: (i["zone"], i["zone_name"], i["nat"]) for i in zones.natvi.show("interfaces")}
    assert {name: shown[name] for name in ("red0", "wan0")} == {"red0": (1, "red", "all"), "wan0": (0, "global", "routed")}

    there, back, out, more, into, own = zones.natvi.show("rules")
    assert (there["action"], there["in"], there["new_source"], there["new_destination"]) == (
        "netmap+dnat", "zone red", "192.0.2.0/24", "198.18.0.0/24 in blue")
    assert (back["name"], back["action"], back["in"], back["source"], back["destination"], back["new_source"], back["new_destination"]) == (
        "sites", "netmap+dnat", "zone blue", "198.18.0.0/24", "192.0.2.0/24", "198.51.100.0/24", "198.18.0.0/24 in red")
    assert back["traffic"] == ["through", "to-box", "to-pool"] and there["traffic"] == ["through", "to-box", "to-pool"]
    assert (out["dscp"], out["mark"], out["in_zone"], out["out_zone"], out["pool"]) == ([10, 46], "0x10/0xff", "red", "global", "masquerade")
    assert more["in_zone"] == "blue" and more["new_destination"] == "-"
    assert (into["action"], into["in"], into["destination_ports"], into["new_destination"]) == (
        "dnat", "wan0", "8000-8001", "198.18.0.10:80-81 in blue")
    assert own["traffic"] == ["to-box"] and own["action"] == "drop" and own["new_zone"] is None
    assert re.search(r"^ *3 +in +through,to-box,to-pool +wan0 +any .* dnat +- +198\.18\.0\.10:80-81 in blue +0$",
                     zones.natvi.cli("show", "rules").stdout, re.M)
