# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A box in the cable between a host and its router, in wire mode; and two such sites with a network between them.

    host eth0 -- eth1 [box] eth2 -- lan router core -- ...

Hosts and routers are configured as they would be without the box, whose two ports have no address. The wire may have
frames with a VLAN tag: hosts and routers put it on and take it off themselves. It may end in a switch instead of in the router, with
room for other routers beside it.
"""
import collections
import json

from scapy.all import ARP, Ether, ICMPv6ND_NA, ICMPv6NDOptDstLLAddr, IPv6

from gateway import Natvi
from lab import run, veth, wait_for
from wire import Tap

Side = collections.namedtuple("Side", "name host box gateway net host6 gateway6 net6 core core6")
A = Side("a", "192.0.2.100", "192.0.2.10", "192.0.2.1", "192.0.2.0/24",
         "2001:db8:1::100", "2001:db8:1::1", "2001:db8:1::/64", "203.0.113.1", "2001:db8:3::1")
B = Side("b", "198.51.100.100", "198.51.100.10", "198.51.100.1", "198.51.100.0/24",
         "2001:db8:2::100", "2001:db8:2::1", "2001:db8:2::/64", "203.0.113.2", "2001:db8:3::2")
BROADCAST = "ff:ff:ff:ff:ff:ff"
PLAIN = ["tx", "off", "tso", "off", "gso", "off", "gro", "on"]

TAG = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

SEC("push") int push_tag(struct __sk_buff *skb)
{
	if (!skb->vlan_present && skb->protocol != bpf_htons(ETH_P_8021Q) && skb->protocol != bpf_htons(ETH_P_8021AD))
		bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), VID);
	return TC_ACT_UNSPEC;
}

SEC("pop") int pop_tag(struct __sk_buff *skb)
{
	if (!skb->vlan_present || (skb->vlan_tci & 0xfff) != VID)
		return TC_ACT_SHOT;
	bpf_skb_vlan_pop(skb);
	return TC_ACT_UNSPEC;
}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


def tagged(namespace, interface, vid):
    """All that a host sends and takes by this interface has this VLAN's tag, as if the address were on a VLAN interface."""
    built = namespace.lab.dir / ("tag-%d.o" % vid)
    if not built.exists():
        source = built.with_suffix(".c")
        source.write_text(TAG)
        multiarch = run(["gcc", "-print-multiarch"]).stdout.strip()
        run(["clang-16", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-DVID=%d" % vid, "-I/usr/include/" + multiarch,
             "-c", source, "-o", built])
    namespace.run("tc", "qdisc", "add", "dev", interface, "clsact")
    for hook, section in (("egress", "push"), ("ingress", "pop")):
        namespace.run("tc", "filter", "add", "dev", interface, hook, "bpf", "direct-action", "object-file", built, "section", section)


def mac(namespace, interface):
    return json.loads(namespace.run("ip", "-j", "link", "show", interface).stdout)[0]["address"]


class Site:
    """Host, box, router, and the wire between them."""

    def __init__(self, lab, hook, side, vlan=0, switch=False, mtu=1500):
        self.lab, self.hook, self.side, self.vlan, self.mtu = lab, hook, side, vlan, mtu
        self.host, self.box = self._namespace("host", True), self._namespace("box", side is A)  # a box with IPv6, one without
        self.router, self.switch = self._namespace("router", True), None
        self.box.sysctl("net.ipv4.ip_forward", 0)
        self.port("eth1", self.host, "eth0")
        if switch:
            self.switch = bridge(lab, side.name + "switch")
            self.port("eth2", self.switch, "box")
            self.switch.ip("link set box master br0")
        self.give(self.host, "eth0", side.host, side.host6, "default via " + side.gateway, "default via " + side.gateway6)
        self.tag(self.host, "eth0")
        self.connect(self.router)
        self.natvi = Natvi(self, self.box)

    def _namespace(self, role, ipv6):
        namespace = self.lab.namespace(self.side.name + role)
        namespace.sysctl("net.ipv6.conf.all.disable_ipv6", int(not ipv6))
        namespace.sysctl("net.ipv6.conf.default.disable_ipv6", int(not ipv6))
        namespace.sysctl("net.ipv6.conf.default.dad_transmits", 0)
        if role.startswith("router"):
            namespace.sysctl("net.ipv4.ip_forward", 1)
            namespace.sysctl("net.ipv6.conf.all.forwarding", 1)
        return namespace

    def port(self, name, far, far_name):
        """A port of the box and what is behind it, which sends frames as on a cable where XDP takes them."""
        veth(self.box, name, far, far_name)
        self.box.ip("link set %s mtu %d" % (name, self.mtu))
        far.ip("link set %s mtu %d" % (far_name, self.mtu))
        if self.hook == "xdp":
            far.run("ethtool", "-K", far_name, *PLAIN, *(["txvlan", "off"] if self.vlan else []))

    def tag(self, namespace, interface):
        if self.vlan:
            tagged(namespace, interface, self.vlan)

    def give(self, namespace, interface, address, address6, *routes):
        namespace.ip("addr add %s/24 dev %s" % (address, interface), "addr add %s/64 dev %s nodad" % (address6, interface),
                     *["route add " + r for r in routes])

    def connect(self, router):
        """The router's side towards the host: its cable, its tag, its address."""
        if self.switch:
            plug(self.switch, router.name.rsplit("-", 1)[1], router, "lan")
        else:
            self.port("eth2", router, "lan")
        self.tag(router, "lan")
        self.give(router, "lan", self.side.gateway, self.side.gateway6)

    def another_router(self):
        """A second router at the switch, configured as the first one and off."""
        router = self._namespace("router2", True)
        self.connect(router)
        router.ip("link set lan down")
        return router

    def config(self, capture=True, to="tun0", **more):
        """natvi.yaml. capture: what the host sends to the other site goes to the device; or a list of entries."""
        other = B if self.side is A else A
        if capture is True:
            capture = [{"match": {"source": [self.side.net], "destination": [other.net]}, "to": to},
                       {"match": {"source": [self.side.net6], "destination": [other.net6]}, "to": to}]
        host = {"address": self.side.box + "/24"}
        if self.vlan:
            host["vlan"] = self.vlan
        wire = {"name": "w0", "ports": ["eth1", "eth2"], "xdp": "native" if self.hook == "xdp" else "off", "host": host}
        if capture:
            wire["capture"] = list(capture)
        wire.update(more)
        return {"wires": [wire]}

    def running(self, **more):
        self.natvi.start(self.config(**more))
        return self.natvi

    def reload(self, **more):
        self.natvi.reload(self.config(**more))


def bridge(lab, role):
    switch = lab.namespace(role)
    switch.ip("link add br0 type bridge", "link set br0 up")
    return switch


def plug(switch, port, namespace, interface):
    veth(switch, port, namespace, interface)
    switch.ip("link set %s master br0" % port)


def forwards(switch, port):
    """Wait until a switch takes frames at a port that came up."""
    wait_for(lambda: "state forwarding" in switch.run("bridge", "link", "show", "dev", port).stdout, 15, "port %s to forward" % port)


def announce(namespace, interface, address, address6=None):
    """Gratuitous ARP, and the unsolicited advertisement of IPv6."""
    tap = Tap(namespace, interface)
    own = ":".join("%02x" % b for b in tap.mac)
    tap.send(Ether(src=own, dst=BROADCAST) / ARP(op="is-at", hwsrc=own, psrc=address, hwdst=BROADCAST, pdst=address))
    if address6:
        tap.send(Ether(src=own, dst="33:33:00:00:00:01") / IPv6(src=address6, dst="ff02::1", hlim=255) /
                 ICMPv6ND_NA(tgt=address6, R=1, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=own))


class Line:
    """Two sites and the network between their routers.

        A -- box 1 -- router A -- 203.0.113.0/24, 2001:db8:3::/64 -- router B -- box 2 -- B
    """

    def __init__(self, lab, hook, vlan=0, switch=False):
        self.lab, self.hook, self.vlan = lab, hook, vlan
        self.left, self.right = Site(lab, hook, A, vlan, switch), Site(lab, hook, B, vlan)
        self.a, self.b = self.left.host, self.right.host
        self.box1, self.box2 = self.left.box, self.right.box
        self.ra, self.rb = self.left.router, self.right.router
        self.core = bridge(lab, "core") if switch else None
        if switch:
            plug(self.core, "ra", self.ra, "core")
            plug(self.core, "rb", self.rb, "core")
        else:
            veth(self.ra, "core", self.rb, "core")
        self.route(self.left, self.ra)
        self.route(self.right, self.rb)

    def route(self, site, router):
        """The router's side towards the other site."""
        own, other = (A, B) if site is self.left else (B, A)
        site.give(router, "core", own.core, own.core6, "%s via %s" % (other.net, other.core), "%s via %s" % (other.net6, other.core6))

    def running(self, **more):
        self.left.running(**more)
        self.right.running(**more)
        return self

    def acquainted(self):
        """Each host has talked to something beyond its router."""
        for namespace, addresses in ((self.a, (B.core, B.core6)), (self.b, (A.core, A.core6))):
            for address in addresses:
                reachable(namespace, address)
        return self

    def fail_over(self):
        """Router A dies, and another one with other MAC addresses is there in its place."""
        self.ra.ip("link set lan down", "link set core down")
        self.ra2.ip("link set lan up", "link set core up")
        site, self.ra = self.left, self.ra2
        self.ra2.ip("addr replace %s/64 dev lan nodad" % A.gateway6, "addr replace %s/64 dev core nodad" % A.core6,
                    "route add %s via %s" % (B.net, B.core), "route add %s via %s" % (B.net6, B.core6))
        assert mac(self.ra2, "lan") != mac(site.router, "lan")
        for switch, port, interface, address, address6 in ((site.switch, "arouter2", "lan", A.gateway, A.gateway6),
                                                           (self.core, "ra2", "core", A.core, A.core6)):
            forwards(switch, port)
            announce(self.ra2, interface, address, address6)

    def spare(self):
        """A router that fail_over() brings up."""
        self.ra2 = self.left.another_router()
        plug(self.core, "ra2", self.ra2, "core")
        self.left.give(self.ra2, "core", A.core, A.core6)
        self.ra2.ip("link set core down")
        return self


def ping(namespace, address, *options, count=1):
    """All of them are answered; what ping says."""
    return namespace.ping(address, *options, count=count, interval=0.2)


def reachable(namespace, address, timeout=20):
    """Wait until a ping is answered."""
    wait_for(lambda: namespace.run("ping", "-n", "-c", 1, "-W", 1, address, check=False).returncode == 0, timeout,
             "%s to answer" % address)


class Cable(Site):
    """Site A alone; what is B there is the router's own, and what captures go to the test reads and writes itself."""

    def __init__(self, lab, hook, vlan=0, switch=False, mtu=1500):
        super().__init__(lab, hook, A, vlan, switch, mtu)
        self.router.ip("addr add %s/32 dev lo" % B.host, "addr add %s/128 dev lo nodad" % B.host6)

    def macs(self):
        return mac(self.host, "eth0"), mac(self.router, "lan")
