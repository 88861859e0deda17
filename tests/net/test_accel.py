# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Connections of the kernel's conntrack, sent on by natvi; the kernel's rules stay in force."""
import json

import pytest

from gateway import SERVER
from lab import PATIENCE_S, wait_for
from router import INSIDE6, SERVER6, Router, Talk, accelerated, speedy
from services import iperf3


@pytest.fixture
def router(lab, hook):
    return Router(lab, hook)


def test_doctor_lets_the_firewall_be(router):
    """Where natvi translates nothing the kernel's rules and settings are as they are meant."""
    natvi = router.running()
    found = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert not [f for f in found if f["id"] in ("nftables", "iptables", "be_liberal", "sysctl")], found


def test_doctor_misses_what_it_lives_on(lab):
    """Forwarding, connections that are tracked, a port that the kernel forwards by."""
    router = Router(lab, "tc", rules="")
    router.gateway.sysctl("net.ipv4.ip_forward", 0)
    router.gateway.ip("link add br0 type bridge", "link set lan0 master br0")
    natvi = router.running()
    found = {f["id"]: f["subject"] for f in json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]}
    assert {i: found.get(i) for i in ("forwarding", "conntrack", "accelerate-port")} == {
        "forwarding": "ip_forward", "conntrack": "conntrack", "accelerate-port": "lan0"}


def test_trace_of_ipv6(lab):
    """What would be done with a packet of an accelerated connection, and of one that is not known."""
    router = Router(lab, "tc")
    natvi = router.running()
    talk = Talk("udp", router.inside, INSIDE6, router.outside, (SERVER6, 5000))
    speedy(natvi, talk)
    packet = "iif lan0 udp [%s]:%d > [%s]:" % (INSIDE6, talk.client.getsockname()[1], SERVER6)

    def verdict(port):
        return json.loads(natvi.cli("trace", packet + str(port), "--json").stdout)["verdict"]["name"]
    wait_for(lambda: talk.turn(3) and verdict(5000) == "accelerated", PATIENCE_S, "the verdict")
    assert verdict(5001) == "not-ipv4"


@pytest.mark.parametrize("options, address", [((), SERVER), (("-R",), SERVER), (("-6",), SERVER6), (("-6", "-R"), SERVER6)])
def test_bulk(router, options, address):
    """A transfer either way, with NAT in IPv4 and without in IPv6: nearly all of it leaves at the hook, nothing is invalid."""
    natvi = router.running()
    end = iperf3(router.outside, router.inside, address, *options)
    segments = end["sum_received"]["bytes"] // 65536 * 3 // 4       # a packet a second is the kernel's
    assert accelerated(natvi) > max(200, segments)      # how fast it is depends on what else the machine does
    assert natvi.counter("accel-kernel") < 20 + accelerated(natvi) / 20
    assert router.invalid() == 0
