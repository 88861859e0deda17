# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The daemon with wires: start, restart, death, reload and end; targets that come and go; what it sets, and puts back.

    host a: 198.51.100.1/24 eth0 -- eth1 [box, 192.0.2.10] eth2 -- eth0 198.51.100.2/24 :host b
"""
import pytest
from scapy.all import Ether, Raw

from gateway import NATVI, PINS, Natvi
from lab import veth, wait_for
from wire import Tap

A, B = "198.51.100.1", "198.51.100.2"
HOST = "192.0.2.10"


def wires(hook="tc", host=True, captures=(), **more):
    """A configuration of one wire, w0."""
    wire = {"name": "w0", "ports": ["eth1", "eth2"], "xdp": "native" if hook == "xdp" else "off", **more}
    if host:
        wire["host"] = {"address": HOST + "/24"}
    if captures:
        wire["capture"] = list(captures)
    return {"wires": [wire]}


class Cable:
    """Two hosts and a box between them, whose ports are in no bridge."""

    def __init__(self, lab, hook="tc"):
        self.lab, self.hook = lab, hook
        self.taps, self.sent = None, 0
        self.a, self.box, self.b = (lab.namespace(role) for role in ("a", "box", "b"))
        veth(self.box, "eth1", self.a, "eth0")
        veth(self.box, "eth2", self.b, "eth0")
        self.a.ip("addr add %s/24 dev eth0" % A)
        self.b.ip("addr add %s/24 dev eth0" % B)
        for namespace in (self.a, self.b):
            namespace.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "on")

    def natvi(self, instance=""):
        return Natvi(self, self.box, instance)

    def running(self, configuration=None):
        natvi = self.natvi()
        natvi.start(configuration or wires(self.hook))
        return natvi

    def crosses(self, timeout=0.5):
        """Does a frame from a reach b, as it is? Its type is one for experiments."""
        if not self.taps:
            self.taps = Tap(self.a), Tap(self.b)
        self.sent += 1
        frame = Ether(src=self.taps[0].mac, dst=self.taps[1].mac, type=0x88b5) / Raw(b"crosses %d" % self.sent + bytes(50))
        self.taps[0].send(frame)
        return self.taps[1].receive(lambda p: bytes(p) == bytes(frame), timeout) is not None


@pytest.fixture
def cable(lab, hook):
    return Cable(lab, hook)


def test_start_and_down(cable):
    """Frames cross as soon as natvi runs, and not before nor after."""
    assert not cable.crosses()
    natvi = cable.running()
    assert cable.crosses()
    natvi.down()
    assert not cable.crosses()
