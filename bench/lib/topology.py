# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Inside - gateway - outside: three namespaces, two veth pairs.

    in0 198.18.0.2/15 -- lan0 198.18.0.1 | wan0 192.0.2.1 -- out0 192.0.2.2/24

A topology lives from __enter__ to __exit__ and leaves nothing behind; the
namespaces take their devices, routes, rules and programs with them. The names
carry the process id, so that two benchmarks do not collide, and so that what a
killed one left is found by the next.
"""

import os
import re

from lib.shell import Failed, inside, run

PREFIX = "natvi-bench-"
INSIDE_NET, INSIDE_GW, INSIDE_HOST = "198.18.0.0/15", "198.18.0.1", "198.18.0.2"
OUTSIDE_GW, OUTSIDE_HOST = "192.0.2.1", "192.0.2.2"
WIRE_HOST, WIRE_BOX = "192.0.2.3", "192.0.2.10"
POOL_FIRST, POOL_LAST, POOL_SIZE = "203.0.113.32", "203.0.113.63", 32
POOL_NET = "203.0.113.32/27"

MAC = {
    "in0": "02:00:00:12:00:02", "lan0": "02:00:00:12:00:01",
    "wan0": "02:00:00:cb:00:01", "out0": "02:00:00:cb:00:02",
    "vt0": "02:00:00:33:00:01", "vt1": "02:00:00:33:00:02",
}

SYSCTLS = (
    "net.ipv6.conf.all.disable_ipv6=1",
    "net.ipv6.conf.default.disable_ipv6=1",
    "net.ipv4.conf.all.rp_filter=0",
    "net.ipv4.conf.default.rp_filter=0",
)


class Topology:
    next_mac = MAC["lan0"]      # whom the inside sends frames to

    def __init__(self, name, packets=True):
        """packets: for generated frames; otherwise for the hosts' own TCP."""
        self.name = f"{PREFIX}{os.getpid()}-{name}"
        self.packets = packets
        self.inside = self.name + "-in"
        self.gateway = self.name + "-gw"
        self.outside = self.name + "-out"
        self.made = []

    def __enter__(self):
        try:
            self._build()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        while self.made:
            run("ip", "netns", "del", self.made.pop(), check=False)

    def _build(self):
        for ns in (self.inside, self.gateway, self.outside):
            run("ip", "netns", "add", ns)
            self.made.append(ns)
            run(*inside(ns, "sysctl", "-qw", *SYSCTLS))
            run("ip", "-n", ns, "link", "set", "lo", "up")
        self._cable(self.inside, "in0", self.gateway, "lan0")
        self._cable(self.outside, "out0", self.gateway, "wan0")
        self._address()

    def _cable(self, ns1, dev1, ns2, dev2):
        run("ip", "link", "add", dev1, "netns", ns1, "address", MAC[dev1],
            "type", "veth", "peer", "name", dev2, "netns", ns2,
            "address", MAC[dev2])
        for ns, dev in ((ns1, dev1), (ns2, dev2)):
            run("ip", "-n", ns, "link", "set", dev, "up")
            if self.packets:
                # GRO turns NAPI on, without which a veth takes no XDP frames;
                # XDP does not finish a checksum that the sender left open.
                run(*inside(ns, "ethtool", "-K", dev, "gro", "on", "tx", "off"))

    def _address(self):
        run(*inside(self.gateway, "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        for ns, dev, addr in ((self.inside, "in0", INSIDE_HOST + "/15"),
                              (self.gateway, "lan0", INSIDE_GW + "/15"),
                              (self.gateway, "wan0", OUTSIDE_GW + "/24"),
                              (self.outside, "out0", OUTSIDE_HOST + "/24")):
            run("ip", "-n", ns, "addr", "add", addr, "dev", dev)
        run("ip", "-n", self.inside, "route", "add", "default", "via", INSIDE_GW)
        for net in (POOL_NET, INSIDE_NET):
            run("ip", "-n", self.outside, "route", "add", net, "via", OUTSIDE_GW)
        for ns, dev, addr, peer in (
                (self.inside, "in0", INSIDE_GW, "lan0"),
                (self.gateway, "lan0", INSIDE_HOST, "in0"),
                (self.gateway, "wan0", OUTSIDE_HOST, "out0"),
                (self.outside, "out0", OUTSIDE_GW, "wan0")):
            run("ip", "-n", ns, "neigh", "replace", addr, "lladdr", MAC[peer],
                "dev", dev, "nud", "reachable")


class WireTopology(Topology):
    """Two hosts on one network, and between them a box that has two ports and no address.

        in0 192.0.2.3/24 -- lan0 | wan0 -- out0 192.0.2.2/24        vt0 -- vt1

    What a wire captures goes to vt0; what is sent out of vt1 comes back from there.
    """
    next_mac = MAC["out0"]

    def _address(self):
        self._cable(self.gateway, "vt1", self.gateway, "vt0")
        for ns, dev, addr in ((self.inside, "in0", WIRE_HOST), (self.outside, "out0", OUTSIDE_HOST)):
            run("ip", "-n", ns, "addr", "add", addr + "/24", "dev", dev)


def remove_stale():
    """Removes the namespaces of benchmarks that are no longer alive."""
    try:
        names = os.listdir("/run/netns")
    except FileNotFoundError:
        return
    for ns in names:
        pid = re.match(re.escape(PREFIX) + r"(\d+)-", ns)
        if pid and not os.path.exists(f"/proc/{pid[1]}"):
            try:
                run("ip", "netns", "del", ns)
            except Failed:
                pass
