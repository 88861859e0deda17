# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The gateways that are compared: how each one is set up in its topology.

A contender lives from __enter__ to __exit__, with a topology of its own, so
that all of them can be alive side by side and be measured in turn.
"""

import contextlib

from lib.natvi import Natvi, accelerating, translating
from lib.shell import Failed, inside, run
from lib.topology import INSIDE_HOST, POOL_FIRST, POOL_LAST, Topology

SESSIONS = 1 << 20      # what every table is made for
WARM_UP_TRIES = 3
FLOW_HOSTS = "198.18.16.0/20"   # as in gen/flows.h
ASSURED_S = 2.1


class Contender:
    name = label = None
    translates = False      # changes addresses
    routes = True           # what leaves has the next hop's MAC address
    topology = Topology

    def __init__(self, bench, scenario, packets=True):
        self.bench = bench
        self.topo = self.topology(f"{scenario}-{self.name}".replace("_", "-"), packets)

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


class KernelFirewall(KernelNat):
    """The rules of a router that has a firewall: masquerade, and only what is part of a connection or begins inside."""
    name, label = "kernel_firewall", "kernel, masquerade + firewall"

    RULES = ("add table ip bench; "
             "add chain ip bench post { type nat hook postrouting priority srcnat; }; "
             "add rule ip bench post oifname wan0 masquerade; "
             "add chain ip bench forward { type filter hook forward priority filter; policy drop; }; "
             "add rule ip bench forward ct state invalid drop; "
             "add rule ip bench forward ct state established,related accept; "
             "add rule ip bench forward iifname lan0 accept")

    def start(self):
        super().start()
        # Answers go to addresses that nobody has: by a neighbour that is known, or each would be asked for.
        run("ip", "-n", self.topo.gateway, "route", "add", FLOW_HOSTS, "via", INSIDE_HOST)

    def begin(self, flows):
        """Each flow's first packet, answered. One that comes ASSURED_S later makes it assured (nf_conntrack_udp_packet)."""
        got = self.bench.tool.sequence(self.topo, 0, flows, verify=True, answer=True)
        self.check(got)
        if got["received"] < 0.99 * flows:
            raise Failed(f"only {got['received']} of {flows} flows arrived")

    def warm_up(self, flows):
        super().warm_up(flows)
        said = run(*inside(self.topo.gateway, "conntrack", "-L", "-p", "udp"))
        if said.count("[ASSURED]") < 0.99 * flows:
            raise Failed(f"only {said.count('[ASSURED]')} of {flows} flows are assured")


class AccelTc(KernelFirewall):
    """The same rules, and natvi beside them."""
    name, label = "accel_tc", "the firewall, accelerated, tc"
    xdp = "off"

    def start(self):
        super().start()
        self.natvi = Natvi(self.bench, self.topo, accelerating(self.xdp))
        self.natvi.start()

    def stop(self):
        if hasattr(self, "natvi"):
            self.natvi.stop()

    def warm_up(self, flows):
        """All are learned, and sent on in the kernel's place; if a second ends in between, the kernel has them once more."""
        super().warm_up(flows)
        for _ in range(WARM_UP_TRIES):
            before = self.natvi.stats()["accelerated"]
            Contender.warm_up(self, flows)
            sent_on = self.natvi.stats()["accelerated"] - before
            if sent_on >= 0.99 * flows:
                return
        raise Failed(f"only {sent_on} of {flows} flows are accelerated")


class AccelXdp(AccelTc):
    name, label = "accel_xdp", "the firewall, accelerated, XDP"
    xdp = "native"


class NatviTc(Contender):
    name, label = "natvi_tc", "natvi, tc"
    translates = True
    xdp = "off"
    decoys = 0

    def start(self):
        self.natvi = Natvi(self.bench, self.topo, translating(self.xdp, SESSIONS, self.decoys))
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


class AccelLookup(LookupXdp):
    """That limit, measured in the same rounds."""
    name, label = "accel_lookup", "XDP, one look-up + rewrite, anew"


ALL = (RawXdp, LookupXdp, NatviXdp, NatviTc, RawTc, KernelNat, KernelForward)
ACCEL = (AccelLookup, AccelXdp, AccelTc, KernelFirewall)
