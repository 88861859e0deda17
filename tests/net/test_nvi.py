# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nvi0: what is routed there is translated, crosses it, and is routed again."""
import json
import os

import pytest
from scapy.all import ICMP, IP, UDP, Ether

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, POOL, REMOTE, REMOTE2, SERVER, config
from lab import veth, wait_for
from services import Nginx, fetch
from wire import Capture, exchange

FAR_NET = "198.51.100.0/24"
SNAT = {"name": "out", "from": {"interface": "lan0"}, "action": {"snat": "public"}}
TO_NVI = ("route add %s dev nvi0" % FAR_NET,)


def routed(hook, rule=SNAT, **more):
    configuration = config(hook, rules=[rule], pool={}, **more)
    for interface in configuration["interfaces"]:
        interface["nat"] = "routed"
    return configuration


def start(net, *routes, rule=SNAT, **more):
    natvi = net.running(routed(net.hook, rule, **more))
    net.gateway.ip(*routes or TO_NVI)
    return natvi


def crossed(net):
    """Packets that nvi0 has sent."""
    stats = json.loads(net.gateway.run("ip", "-j", "-s", "link", "show", "nvi0").stdout)[0]["stats64"]
    return stats["tx"]["packets"]


def in_pool(address):
    return address.startswith("192.0.2.")


def talks(net, text=b"natvi", remote=REMOTE, inside_port=4000):
    """The address that the remote sees, when inside has talked to it."""
    inside, outside = net.inside.udp(INSIDE, inside_port), net.outside.udp(remote, 5000)
    source = exchange(inside, outside, (remote, 5000), text)
    inside.close()
    outside.close()
    return source[0]


def test_only_what_is_routed_there(net):
    """A prefix and a pool routed to nvi0: only that is translated; all crosses, both ways; the rest is the kernel's."""
    natvi = start(net)
    capture = Capture(net.gateway, "nvi0", direction="inout")
    for i in range(3):
        assert in_pool(talks(net, b"%d" % i))
    before = crossed(net)
    assert before >= 6
    assert talks(net, remote=SERVER) == INSIDE, "not routed to nvi0, and yet translated"
    assert crossed(net) == before
    rows = capture.stop().fields("udp", "ip.src", "ip.dst", "ip.ttl")
    assert [r[1] for r in rows] == [REMOTE, INSIDE] * 3
    assert all(in_pool(r[0]) for r in rows[::2]) and all(r[0] == REMOTE for r in rows[1::2])
    assert all(r[2] == "64" for r in rows), "the hop is counted at the far end"
    assert natvi.counter("nvi") + natvi.counter("nvi-kernel") == 6
    assert natvi.counter("nvi") >= 4, "known neighbours: no need for the kernel"
    assert natvi.counter("no-rule") == 0
