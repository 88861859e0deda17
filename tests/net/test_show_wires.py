# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What an operator sees of wires: show wires, sessions, rules and interfaces, monitor; with the daemon dead, too."""
import re

import pytest
from scapy.all import ICMP, IP

from gateway import NATVI
from lab import stretched, wait_for
from sites import A, B, Cable, announce, mac, reachable
from tun import Tun

SENT = "192.0.2.77"     # an address of nobody's


@pytest.fixture
def cable(lab):
    return Cable(lab, "tc", vlan=100)


def the_wire(natvi):
    wires = natvi.show("wires")
    assert [w["name"] for w in wires] == ["w0"]
    return wires[0]


def neighbour(wire, address):
    """The one with this MAC address."""
    found = [n for n in wire["neighbours"] if n["mac"] == address]
    assert len(found) == 1, wire["neighbours"]
    return found[0]


def capturing(cable):
    """It runs, the host has talked to its router, and one ping went into the tunnel."""
    tun = Tun(cable.box)
    natvi = cable.running()
    reachable(cable.host, A.gateway)
    ping_into(cable, tun)
    return natvi, tun


def ping_into(cable, tun):
    cable.host.spawn("ping", "-n", "-c", "1", "-W", "1", B.host)
    return tun.expect(lambda p: IP in p and ICMP in p and p[IP].dst == B.host, "the ping")


def test_wires(cable):
    natvi, tun = capturing(cable)
    host, router = cable.macs()
    wire = the_wire(natvi)
    assert [p["name"] for p in wire["ports"]] == ["eth1", "eth2"]
    assert all(p["state"] == "up" and p["crossed"]["packets"] > 0 and p["crossed"]["bytes"] > 0 for p in wire["ports"])
    assert (wire["fail"], wire["mac_changes"], wire["mss"], wire["marks"]) == ("closed", "verify", "auto", {"reply": 0x32, "original": 0x32})
    assert wire["host"]["address"] == A.box + "/24" and wire["host"]["vlan"] == 100
    assert wire["host"]["mac"] == mac(cable.box, "nvi0") and wire["host"]["gateway"]["mac"] == router    # whom A sends to beyond
    assert wire["targets"] == [{"name": "tun0", "state": "up"}] and wire["sessions"] == 1
    one = neighbour(wire, host)
    assert (one["port"], one["vlan"], one["claimed"], one["moved"]) == ("eth1", 100, None, None) and one["seen_s"] < stretched(5)
    assert A.host in [a["addr"] for a in one["addresses"]]
    assert neighbour(wire, router)["port"] == "eth2"
    text = natvi.cli("show", "wires").stdout
    for wanted in (r"w0: eth1 and eth2; fail closed", r"box +%s/24, VLAN 100" % re.escape(A.box), r"gateway +%s at eth2" % router,
                   r"captured +1 session, to tun0 \(up\)", r"%s +100 +eth1 .*%s" % (host, re.escape(A.host))):
        assert re.search(wanted, text), (wanted, text)


def test_one_wire(cable):
    natvi, _ = capturing(cable)
    assert "w0: eth1" in natvi.cli("show", "wires", "w0").stdout
    wrong = natvi.cli("show", "wires", "w1", check=False)
    assert wrong.returncode == 3 and 'no wire "w1"' in wrong.stderr
    assert "one name" in natvi.cli("show", "wires", "w0", "w1", check=False).stderr


def test_gateway_and_router(cable):
    """Who brings packets from beyond the box's network is its gateway, and says so."""
    natvi = cable.running(capture=[])
    reachable(cable.host, B.host)
    wait_for(lambda: the_wire(natvi)["host"]["gateway"], 15, "the gateway to be known")
    wire, router = the_wire(natvi), cable.macs()[1]
    assert (wire["host"]["gateway"]["mac"], wire["host"]["gateway"]["port"]) == (router, "eth2")
    assert neighbour(wire, router)["router"]
    assert re.search(r"gateway +%s at eth2, seen" % router, natvi.cli("show", "wires").stdout)


def test_sessions(cable):
    natvi, _ = capturing(cable)
    host, router = cable.macs()
    (session,) = natvi.show("sessions")
    wire = session["wire"]
    assert (wire["name"], wire["port"], wire["target"]) == ("w0", "eth1", "tun0")
    assert (wire["mac"], wire["peer_mac"]) == (host, router) and wire["tag"] == {"vlan": 100, "priority": 0, "service": False}
    assert session["rule"] == "capture-1" and session["hook"] == "wire"
    assert session["orig"]["src"] == A.host and session["reply"]["src"] == B.host
    assert "w0 eth1 %s with %s VLAN 100" % (host, router) in natvi.cli("show", "sessions").stdout
    assert len(natvi.show("sessions", "interface", "tun0")) == 1 and not natvi.show("sessions", "interface", "eth2")


def test_rules(cable):
    natvi, _ = capturing(cable)
    rules = natvi.show("rules")
    assert [r["name"] for r in rules] == ["capture-1", "capture-2"]
    assert (rules[0]["action"], rules[0]["traffic"], rules[0]["wire"], rules[0]["target"]) == ("capture", ["wire"], "w0", "tun0")
    assert (rules[0]["vlan"], rules[0]["family"], rules[1]["family"]) == (None, 4, 6) and rules[0]["sessions"] == 1
    row = next(line for line in natvi.cli("show", "rules").stdout.splitlines() if "capture-1" in line)
    assert row.split() == ["1", "capture-1", "w0", "any", "any", "IPv4", A.net, B.net, "any", "any", "any", "any", "tun0", "1"]


def test_target_gone(cable):
    """A target that is not there is named all the same."""
    natvi = cable.running()
    assert the_wire(natvi)["targets"] == [{"name": "tun0", "state": "gone"}]
    assert natvi.show("rules")[0]["target"] is None
    assert "(gone)" in natvi.cli("show", "rules").stdout


def test_port_gone(cable):
    """So is a port; one that is down is said to be."""
    natvi = cable.running()
    assert "w0: eth1 and eth2; fail" in natvi.cli("show", "wires").stdout
    cable.box.ip("link set eth1 down", "link del eth2")
    wait_for(lambda: [(p["name"], p["state"]) for p in the_wire(natvi)["ports"]] == [("eth1", "down"), ("eth2", "absent")], 10, "both to be said")
    assert "w0: eth1 (down) and eth2 (absent); fail" in natvi.cli("show", "wires").stdout


def test_interfaces(cable):
    natvi, _ = capturing(cable)
    kinds = {i["name"]: (i["nat"], i["zone_name"]) for i in natvi.show("interfaces")}
    assert kinds["eth1"] == ("wire", "w0") and kinds["tun0"] == ("target", "w0") and kinds["nvi0"] == ("nvi", "w0")
    assert "wire" in natvi.cli("show", "interfaces").stdout


def test_dead_daemon(cable):
    natvi, tun = capturing(cable)
    natvi.kill()
    before = the_wire(natvi)["ports"][0]["crossed"]["packets"]
    reachable(cable.host, A.gateway)
    ping_into(cable, tun)
    wire = the_wire(natvi)
    assert wire["ports"][0]["crossed"]["packets"] > before and wire["sessions"] == 2
    assert wire["targets"] == [{"name": "tun0", "state": "up"}]


def test_monitor_moved(cable):
    """A MAC address that moves by ARP is told of, for people and as JSON, and shown."""
    natvi = cable.running(**{"mac-changes": "arp"}, capture=[])
    reachable(cable.host, A.gateway)
    old, new = cable.macs()
    monitor = cable.box.spawn("stdbuf", "-oL", NATVI, "monitor", "--instance", natvi.instance)

    def told():
        announce(cable.router, "lan", A.host)
        return "moved" in monitor.out

    wait_for(told, 15, "the move to be told of")
    monitor.wait_output(r"moved +w0 +%s is %s now, at eth2: it has %s \(by ARP\)" % (old, new, re.escape(A.host)))
    monitor.stop()
    one = neighbour(the_wire(natvi), old)
    assert one["moved"] is None or one["moved"]["mac"] == new


def test_not_handed_over(cable):
    """What crosses a wire is no connection of the box: conntrack gets none when natvi goes, unlike with NAT."""
    cable.box.sysctl("net.ipv4.ip_forward", 1)
    natvi, _ = capturing(cable)
    cable.host.run("bash", "-c", "echo ask > /dev/udp/%s/53" % B.host)
    wait_for(lambda: natvi.sessions("proto", "udp"), 15, "the session")
    natvi.down()
    assert A.host not in cable.box.run("conntrack", "-L").stdout
    assert "_down" not in cable.box.run("nft", "list", "tables").stdout


def test_flush(cable):
    natvi, _ = capturing(cable)
    assert "1" in natvi.cli("flush", "sessions", "interface", "tun0").stdout
    assert natvi.show("sessions") == [] and the_wire(natvi)["sessions"] == 0


def test_verdicts(cable):
    natvi, _ = capturing(cable)
    assert natvi.counter("wire-crossed") > 0 and natvi.counter("wire-captured") == 1
    assert "wire-crossed" in natvi.cli("show", "stats").stdout
