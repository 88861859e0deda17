# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What lets frames cross between two ports: natvi's wires, the kernel's bridge, a bare redirect."""

from lib.contenders import SESSIONS, Contender, NatviTc, RawTc, RawXdp
from lib.natvi import Natvi, wiring
from lib.shell import Failed, inside, run
from lib.topology import OUTSIDE_HOST, WIRE_HOST, WireTopology

TUNNEL_SESSIONS = 10000
TUNNEL_FIRST = 1 << 20      # flows that no crossing frame is part of


def _ping(ns, address):
    run(*inside(ns, "ping", "-c", "1", "-W", "1", address))


class Crossing(Contender):
    """Both hosts are heard of before any frame counts: a bridge would flood what it has not learned."""
    topology = WireTopology

    def warm_up(self, flows):
        for ns, address in ((self.topo.inside, OUTSIDE_HOST), (self.topo.outside, WIRE_HOST)):
            _ping(ns, address)
        super().warm_up(flows)


class Bridge(Crossing):
    name, label = "bridge", "kernel bridge"

    def start(self):
        gw = self.topo.gateway
        run("ip", "-n", gw, "link", "add", "br0", "type", "bridge")
        for dev in ("lan0", "wan0"):
            run("ip", "-n", gw, "link", "set", dev, "master", "br0")
        run("ip", "-n", gw, "link", "set", "br0", "up")


class WireTc(Crossing, NatviTc):
    name, label = "wire_tc", "natvi wire, tc"
    translates = False
    steady = Contender.steady   # there is no slow road

    def start(self):
        self.natvi = Natvi(self.bench, self.topo, wiring(self.xdp, SESSIONS))
        self.natvi.start()

    def crossed(self):
        return self.natvi.stats()["wire-crossed"]

    def warm_up(self, flows):
        """natvi has them cross, and not a bridge that is there for when it does not."""
        before = self.crossed()
        super().warm_up(flows)
        if self.crossed() - before < 0.99 * flows:
            raise Failed(f"only {self.crossed() - before} of {flows} frames were natvi's")


class WireXdp(WireTc):
    name, label = "wire_xdp", "natvi wire, XDP"
    xdp = "native"

    def crossed(self):
        return self.natvi.xdp_hits()


class WireSessions(WireXdp):
    """Connections that began in the tunnel are there: whatever crosses may be an answer, and is looked up."""
    name, label = "wire_sessions", "natvi wire, XDP, tunnel sessions"

    def begin(self):
        """The first packets of all; each is natvi's to send on to the station that has the address."""
        got = self.bench.tool.sequence(self.topo, TUNNEL_FIRST, TUNNEL_SESSIONS, verify=True,
                                       place=self.topo.gateway + ":vt1")
        self.check(got)
        if got["received"] < 0.99 * TUNNEL_SESSIONS:
            raise Failed(f"only {got['received']} of {TUNNEL_SESSIONS} packets came out of the tunnel")

    def warm_up(self, flows):
        super().warm_up(flows)
        before = self.natvi.stats()["wire-returned"]
        self.begin()
        if self.natvi.stats()["wire-returned"] - before < 0.99 * TUNNEL_SESSIONS:
            raise Failed("what came out of the tunnel was not natvi's")


class WireRawXdp(RawXdp):
    """Measured in the same rounds."""
    name, label = "wire_raw_xdp", "raw XDP redirect, port to port"
    topology, routes = WireTopology, True


class WireRawTc(RawTc):
    name, label = "wire_raw_tc", "raw tc redirect, port to port"
    topology, routes = WireTopology, True


WIRES = (WireRawXdp, WireXdp, WireSessions, WireTc, WireRawTc, Bridge)
