# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Reload under traffic: what the diff does not name is not touched; `orphans` says what becomes of what it does."""
import re

import pytest
from scapy.all import ARP, Ether

from control import answered, restart
from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDE3, REMOTE, REMOTE2, SERVER, TO_POOL, config
from lab import wait_for
from services import Nginx
from uplinks import Download, ended
from wire import Tap, exchange

TO_OTHER = {"name": "other", "from": {"interface": "lan0", "source": [INSIDE2]}, "to": {"interface": "wan0"}, "action": {"snat": "second"}}
IN_FRONT = {"name": "first", "from": {"interface": "wan0", "source": ["192.0.2.200/32"]}, "action": "drop"}
UNNAMED = {"from": {"interface": "lan0", "source": [INSIDE3]}, "to": {"interface": "wan0"}, "action": {"snat": "public"}}


def pools(hook, rules, first="192.0.2.1", second="192.0.2.2", **more):
    return config(hook, rules=rules, **more) | {"pools": [{"name": "public", "addresses": [first]},
                                                          {"name": "second", "addresses": [second]}]}


def created(natvi):
    """Sessions, whatever they have counted since."""
    return {(s["proto"], s["orig"]["src"], s["orig"]["sport"], s["reply"]["dst"], s["reply"]["dport"]) for s in natvi.sessions()}


# What the diff does not name

def retransmitted(namespace):
    """Segments that the servers of a namespace have sent again so far."""
    found = re.findall(r"retrans:\d+/(\d+)", namespace.run("ss", "-Htin", "sport = :80").stdout)
    return sum(map(int, found))


def test_reload_touches_nothing_else(net):
    """Rules, pools and forwards come and go around a download: it does not notice, and keeps its rule."""
    natvi = net.running(pools(net.hook, [TO_POOL]))
    nginx, server = Nginx(net.outside), net.outside.udp(REMOTE, 5000)
    client = net.inside.udp(INSIDE2)
    external = exchange(client, server, (REMOTE, 5000))
    download = Download(nginx, net.inside, REMOTE)
    before, again = created(natvi), retransmitted(net.outside)
    forward = {"proto": "udp", "external": EXTERNAL + ":700", "internal": INSIDE + ":7000"}
    strict, under_way = dict(orphans="kill"), 0
    for configuration in (pools(net.hook, [IN_FRONT, TO_OTHER, UNNAMED, TO_POOL], forwards=[forward], **strict),
                          pools(net.hook, [IN_FRONT, TO_POOL], second="192.0.2.3", **strict),
                          pools(net.hook, [TO_POOL, IN_FRONT], forwards=[forward], **strict),
                          pools(net.hook, [TO_POOL], timeouts={"udp": 500}, **strict)):
        under_way += download.process.alive()
        natvi.reload(configuration)
        assert created(natvi) == before
        assert {s["rule"] for s in natvi.sessions()} == {TO_POOL["name"]}
        assert retransmitted(net.outside) - again < 20      # a veth loses some by itself where XDP is slow
    assert under_way
    download.finish()
    assert exchange(client, server, (REMOTE, 5000)) == external
    assert not ended(natvi)


def test_rules_keep_their_numbers(tc):
    """Rules in front, gone and back, and a restart: sessions stay with theirs."""
    natvi = tc.running(pools("tc", [UNNAMED, TO_POOL], orphans="kill"))
    server = tc.outside.udp(REMOTE, 5000)
    named, plain = tc.inside.udp(INSIDE), tc.inside.udp(INSIDE3)
    for client in (named, plain):
        exchange(client, server, (REMOTE, 5000))
    before = created(natvi)
    numbers = {s["orig"]["src"]: s["rule_id"] for s in natvi.sessions()}
    assert numbers == {INSIDE: 2, INSIDE3: 1}
    natvi.reload(pools("tc", [IN_FRONT, TO_OTHER, UNNAMED, TO_POOL], orphans="kill"))
    restart(natvi, pools("tc", [TO_OTHER, UNNAMED, TO_POOL], orphans="kill"))
    assert created(natvi) == before and not ended(natvi)
    assert {s["orig"]["src"]: s["rule_id"] for s in natvi.sessions()} == numbers
    rules = natvi.show("rules")
    assert [r["name"] for r in rules] == ["other", "rule-2", "out"]
    assert [r["sessions"] for r in rules] == [0, 1, 1]
    assert [s["orig"]["src"] for s in natvi.sessions("rule", "out")] == [INSIDE]
    restart(natvi, pools("tc", [TO_OTHER, TO_POOL], orphans="kill"))
    assert {s["orig"]["src"] for s in natvi.sessions()} == {INSIDE}
    assert ended(natvi) == {"rule-gone": 1}


# The rule has gone

@pytest.fixture
def gone(net):
    """INSIDE's session by the pool "public", and the rule that made it gone."""
    def start(orphans):
        net.natvi_ = net.running(pools(net.hook, [TO_OTHER, TO_POOL], orphans=orphans))
        net.server, net.client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE)
        net.external = exchange(net.client, net.server, (REMOTE, 5000))
        net.kept = net.inside.udp(INSIDE2)
        net.kept_external = exchange(net.kept, net.server, (REMOTE, 5000))
        net.natvi_.reload(pools(net.hook, [TO_OTHER], orphans=orphans))
        return net.natvi_
    yield start


def from_a_stranger(net, timeout=0.3):
    """Does a datagram of another remote to the outside face of INSIDE's socket arrive?"""
    return answered(net.outside.udp(REMOTE2, 6000), net.client, net.external, timeout)


def test_keep(net, gone):
    natvi = gone("keep")
    assert exchange(net.client, net.server, (REMOTE, 5000)) == net.external
    assert from_a_stranger(net, 10)
    assert "out" in {s["rule"] for s in natvi.sessions()}
    assert not ended(natvi)


def test_drain(net, gone):
    natvi = gone("drain")
    assert exchange(net.client, net.server, (REMOTE, 5000)) == net.external
    assert not from_a_stranger(net)
    assert exchange(net.kept, net.server, (REMOTE, 5000)) == net.kept_external
    assert {m["state"]: m["outside"]["addr"] for m in natvi.show("mappings")} == {"resting": "192.0.2.1", "active": "192.0.2.2"}
    assert len(natvi.sessions()) == 2 and not ended(natvi)
    natvi.cli("flush", "sessions", "src", INSIDE)       # it holds nothing any more: nothing is let go twice
    assert {m["state"]: m["sessions"] for m in natvi.show("mappings")} == {"resting": 0, "active": 1}
    natvi.reload(pools(net.hook, [TO_OTHER, TO_POOL], orphans="drain"))
    assert exchange(net.client, net.server, (REMOTE, 5000)) == net.external     # its own mapping, that had rested
    assert from_a_stranger(net, 10)


def test_kill(net, gone):
    natvi = gone("kill")
    assert ended(natvi) == {"rule-gone": 1}
    assert not from_a_stranger(net)
    assert exchange(net.kept, net.server, (REMOTE, 5000)) == net.kept_external
    assert "rule-gone" in natvi.cli("show", "stats").stdout


def test_another_rule_takes_over(tc):
    """drain: what the same socket begins anew is by the rules in force, while its session goes on with the old address."""
    natvi = tc.running(pools("tc", [TO_POOL], orphans="drain"))
    server, other, client = tc.outside.udp(REMOTE, 5000), tc.outside.udp(REMOTE2, 5000), tc.inside.udp(INSIDE)
    external = exchange(client, server, (REMOTE, 5000))
    assert external[0] == "192.0.2.1"
    natvi.reload(pools("tc", [dict(TO_OTHER, **{"from": {"interface": "lan0"}})], orphans="drain"))
    assert exchange(client, other, (REMOTE2, 5000))[0] == "192.0.2.2"
    assert exchange(client, server, (REMOTE, 5000)) == external


# The pool's address has gone

CONNECTED = "203.0.113.32"


@pytest.mark.parametrize("orphans", ["keep", "drain", "kill"])
def test_address_taken_from_a_pool(net, orphans):
    """In the connected subnet, where natvi answers for it: for as long as it has sessions, and no longer."""
    natvi = net.running(pools(net.hook, [TO_POOL], first=CONNECTED, orphans=orphans, timeouts={"port-rest": 1}))
    server, other, client = net.outside.udp(REMOTE, 5000), net.outside.udp(REMOTE2, 5000), net.inside.udp(INSIDE)
    assert exchange(client, server, (REMOTE, 5000))[0] == CONNECTED
    natvi.reload(pools(net.hook, [TO_POOL], first="192.0.2.1", orphans=orphans, timeouts={"port-rest": 1}))
    if orphans == "kill":
        assert ended(natvi) == {"rule-gone": 1}
        assert exchange(client, server, (REMOTE, 5000))[0] == "192.0.2.1"
        return
    net.outside.ip("neigh flush dev eth0")
    assert exchange(client, server, (REMOTE, 5000))[0] == CONNECTED
    assert exchange(client, other, (REMOTE2, 5000))[0] == (CONNECTED if orphans == "keep" else "192.0.2.1")
    assert exchange(net.inside.udp(INSIDE2), server, (REMOTE, 5000))[0] == "192.0.2.1"
    assert not ended(natvi)
    restart(natvi, pools(net.hook, [TO_POOL], first="192.0.2.1", orphans=orphans, timeouts={"port-rest": 1}))
    net.outside.ip("neigh flush dev eth0")
    assert exchange(client, server, (REMOTE, 5000))[0] == CONNECTED
    assert reachable(net, CONNECTED, 10) and "nvi0" in route(net, CONNECTED)
    natvi.cli("flush", "sessions")
    wait_for(lambda: not route(net, CONNECTED), 15, "natvi to let go of the address")
    assert not reachable(net, CONNECTED)


def route(net, address):
    return net.gateway.run("ip", "route", "show", address + "/32").stdout


def reachable(net, address, timeout=0.5):
    """Does anybody answer for the address?"""
    tap = Tap(net.outside)
    tap.send(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc=SERVER, pdst=address))
    return tap.receive(lambda p: ARP in p and p[ARP].op == 2 and p[ARP].psrc == address, timeout) is not None


def test_one_address_after_another(tc):
    """Three reloads, three addresses: sessions of each go on."""
    natvi, server = tc.natvi(), tc.outside.udp(REMOTE, 5000)
    clients = []
    for n, address in enumerate(("192.0.2.1", "192.0.2.5", "192.0.2.6")):
        (natvi.reload if n else natvi.start)(config("tc", rules=[TO_POOL], pool={"addresses": [address]}))
        clients.append(tc.inside.udp((INSIDE, INSIDE2, INSIDE3)[n]))
        seen = [exchange(client, server, (REMOTE, 5000))[0] for client in clients]
        assert seen == ["192.0.2.1", "192.0.2.5", "192.0.2.6"][:n + 1]
    assert [a["addr"] for pool in natvi.show("pools") for a in pool["addresses"]] == ["192.0.2.6"]


# The forward has gone

@pytest.mark.parametrize("orphans", ["keep", "drain", "kill"])
def test_forward_taken_away(net, orphans):
    """Its sessions go on or end; no new one comes."""
    forward = {"proto": "udp", "external": EXTERNAL + ":700", "internal": INSIDE + ":7000"}
    natvi = net.running(config(net.hook, forwards=[forward], orphans=orphans))
    inside, outside = net.inside.udp(INSIDE, 7000), net.outside.udp(SERVER, 4000)
    assert answered(outside, inside, (EXTERNAL, 700), 10)
    natvi.reload(config(net.hook, orphans=orphans))
    assert answered(outside, inside, (EXTERNAL, 700), 0.3 if orphans == "kill" else 10) == (orphans != "kill")
    assert not answered(net.outside.udp(SERVER, 4001), inside, (EXTERNAL, 700))
    assert ended(natvi) == ({"rule-gone": 1} if orphans == "kill" else {})
    if orphans != "kill":
        inside.sendto(b"answer", (SERVER, 4000))
        assert outside.recvfrom(10) == (b"answer", (EXTERNAL, 700))
    natvi.cli("flush", "sessions")
    assert all(m["state"] != "static" for m in natvi.show("mappings"))
