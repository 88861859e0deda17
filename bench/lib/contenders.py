# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The gateways that are compared: how each one is set up in its topology.

A contender lives from __enter__ to __exit__, with a topology of its own, so
that all of them can be alive side by side and be measured in turn.
"""

import contextlib

from lib.natvi import Natvi
from lib.shell import Failed, inside, run
from lib.topology import POOL_FIRST, POOL_LAST, Topology

SESSIONS = 1 << 20      # what every table is made for
WARM_UP_TRIES = 3


class Contender:
    name = label = None
    translates = False      # changes addresses
    routes = True           # writes the next hop's MAC address

    def __init__(self, bench, scenario, packets=True):
        self.bench = bench
        self.topo = Topology(f"{scenario}-{self.name}".replace("_", "-"), packets)

    def __enter__(self):
        self.topo.__enter__()
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        self.topo.__exit__(None, None, None)

    def start(self):
        pass

    def stop(self):
        pass

    @contextlib.contextmanager
    def steady(self):
        """Around a measurement of established flows: natvi counts what takes its slow road."""
        yield

    def load_flows(self, flows):
        """Before a new number of flows; most gateways learn from traffic."""

    def warm_up(self, flows):
        """Lets the gateway meet every flow, and sees that it does its work."""
        self.load_flows(flows)
        for _ in range(WARM_UP_TRIES):
            got = self.bench.tool.sequence(self.topo, 0, flows, verify=True)
            self.check(got)
            if got["received"] >= 0.99 * flows:
                return
        raise Failed(f"only {got['received']} of {flows} flows arrived")

    def check(self, got):
        faults = ["bad_ip_sum", "bad_udp_sum"]
        if self.routes:
            faults.append("wrong_mac")
        if self.translates:
            faults.append("untranslated")
        for fault in faults:
            if got[fault]:
                raise Failed(f"{got[fault]} packets: {fault.replace('_', ' ')}")


class RawXdp(Contender):
    name, label = "raw_xdp", "raw XDP redirect"
    routes = False

    def start(self):
        self.bench.tool.peer(self.topo, "raw_xdp")


class LookupXdp(Contender):
    name, label = "lookup_xdp", "XDP, one look-up + rewrite"
    translates = True

    def load_flows(self, flows):
        self.bench.tool.peer(self.topo, "lookup", flows)


class RawTc(Contender):
    name, label = "raw_tc", "raw tc redirect"
    routes = False

    def start(self):
        self.bench.tool.peer(self.topo, "raw_tc")


class KernelForward(Contender):
    name, label = "kernel_forward", "kernel forwarding, no NAT"


class KernelNat(Contender):
    """nftables source NAT to the same addresses as natvi's pool.

    One masqueraded address has too few ports for a million flows; for an
    established flow there is no difference between the two.
    """
    name, label = "kernel_nat", "kernel NAT (nftables)"
    translates = True

    RULES = (f"add table ip bench; add chain ip bench post "
             f"{{ type nat hook postrouting priority srcnat; }}; "
             f"add rule ip bench post oifname wan0 snat to {POOL_FIRST}-{POOL_LAST}")

    def start(self):
        run(*inside(self.topo.gateway, "nft", self.RULES))
        # As long as natvi's default, or flows would time out between rounds.
        run(*inside(self.topo.gateway, "sysctl", "-qw",
                    "net.netfilter.nf_conntrack_udp_timeout=300",
                    "net.netfilter.nf_conntrack_udp_timeout_stream=300"))


class NatviTc(Contender):
    name, label = "natvi_tc", "natvi, tc"
    translates = True
    xdp = "off"
    decoys = 0

    def start(self):
        self.natvi = Natvi(self.bench, self.topo, self.xdp, SESSIONS, self.decoys)
        self.natvi.start()

    @contextlib.contextmanager
    def steady(self):
        before = self.natvi.stats()
        yield
        after = self.natvi.stats()
        self.bench.packets += sum(after.values()) - sum(before.values())
        self.bench.slow += sum(after[v] - before[v] for v in after if v.startswith("slow-"))

    def stop(self):
        if hasattr(self, "natvi"):
            self.natvi.stop()


class NatviRules(NatviTc):
    name, label = "natvi_rules", "natvi, tc, 1,000 rules"
    decoys = 1000


class NatviXdp(NatviTc):
    name, label = "natvi_xdp", "natvi, XDP"
    xdp = "native"


ALL = (RawXdp, LookupXdp, NatviXdp, NatviTc, RawTc, KernelNat, KernelForward)
