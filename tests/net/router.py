# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A router whose own nftables rules decide, and natvi beside them, which only accelerates."""
import json
import os
import socket
import time

from gateway import EXTERNAL, GATEWAY, INSIDE, REMOTE, SERVER, Topology
from lab import wait_for

GATEWAY6, INSIDE6 = "2001:db8:1::1", "2001:db8:1::10"
EXTERNAL6, SERVER6, REMOTE6 = "2001:db8:2::1", "2001:db8:2::9", "2001:db8:3::1"

MASQUERADE = """
table ip nat {
  chain post { type nat hook postrouting priority srcnat; oifname "wan0" masquerade; }
}
"""
FIREWALL = """
table inet filter {
  chain forward {
    type filter hook forward priority filter; policy drop;
    ct state invalid counter drop
    ct state established,related counter accept
    iifname "lan0" accept
    %s
  }
}
"""


class Router(Topology):
    """The same hosts; the gateway forwards before natvi comes, by the kernel's rules. IPv6 goes without translation."""

    def __init__(self, lab, hook, rules=MASQUERADE + FIREWALL % ""):
        super().__init__(lab, hook)
        self.gateway.sysctl("net.ipv4.ip_forward", 1)
        for namespace in (self.gateway, self.inside, self.outside):
            for name in ("all", "default") + (("lan0", "wan0") if namespace is self.gateway else ("eth0",)):
                namespace.sysctl("net.ipv6.conf.%s.disable_ipv6" % name, 0)
        for name in ("all", "lan0", "wan0"):
            self.gateway.sysctl("net.ipv6.conf.%s.forwarding" % name, 1)
        self.gateway.ip("addr add %s/64 dev lan0 nodad" % GATEWAY6, "addr add %s/64 dev wan0 nodad" % EXTERNAL6,
                        "route add default via %s" % SERVER6)
        self.inside.ip("addr add %s/64 dev eth0 nodad" % INSIDE6, "route add default via %s" % GATEWAY6)
        self.outside.ip("addr add %s/64 dev eth0 nodad" % SERVER6, "addr add %s/128 dev lo nodad" % REMOTE6,
                        "route add default via %s" % EXTERNAL6)
        self.rules(rules)

    def rules(self, text):
        """The gateway's ruleset, whole."""
        self.gateway.run("nft", "-f", "-", input="flush ruleset\n" + text)

    def config(self, **more):
        return {"interfaces": [{"name": name, "xdp": "native" if self.hook == "xdp" else "off"} for name in ("lan0", "wan0")],
                "accelerate": True, **more}

    def running(self, configuration=None, *arguments):
        return super().running(configuration or self.config(), *arguments)

    def invalid(self):
        """Packets that the firewall has dropped as invalid."""
        text = self.gateway.run("nft", "-j", "list", "ruleset").stdout
        return sum(e["counter"]["packets"] for r in json.loads(text)["nftables"] if "rule" in r
                   for e in r["rule"]["expr"] if "counter" in e and {"drop": None} in r["rule"]["expr"])


def accelerated(natvi):
    return natvi.counter("accelerated")
