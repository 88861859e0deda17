# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Connections of the kernel's conntrack, sent on by natvi; the kernel's rules stay in force."""
import json

import pytest

from router import Router, accelerated
from gateway import SERVER
from router import SERVER6
from services import iperf3


@pytest.fixture
def router(lab, hook):
    return Router(lab, hook)


def test_doctor_lets_the_firewall_be(router):
    """Where natvi translates nothing the kernel's rules and settings are as they are meant."""
    natvi = router.running()
    found = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert not [f for f in found if f["id"] in ("nftables", "iptables", "be_liberal", "sysctl")], found


@pytest.mark.parametrize("options, address", [((), SERVER), (("-R",), SERVER), (("-6",), SERVER6), (("-6", "-R"), SERVER6)])
def test_bulk(router, options, address):
    """A transfer either way, with NAT in IPv4 and without in IPv6: nearly all of it leaves at the hook, nothing is invalid."""
    natvi = router.running()
    end = iperf3(router.outside, router.inside, address, *options)
    segments = end["sum_received"]["bytes"] // 65536 * 3 // 4       # a packet a second is the kernel's
    assert accelerated(natvi) > max(200, segments)      # how fast it is depends on what else the machine does
    assert natvi.counter("accel-kernel") < 20 + accelerated(natvi) / 20
    assert router.invalid() == 0
