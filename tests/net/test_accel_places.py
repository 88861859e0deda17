# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Acceleration where somebody else's rules are at work: a container host, a router with firewalld, a shaped uplink."""
import json
import time

import pytest

from firewalld import Firewalld
from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, REMOTE, SERVER, Topology
from lab import veth, wait_for, wait_within
from router import Router, accelerated
from services import Nginx, iperf3
from uplinks import Download

PORT = 5201         # of iperf3, published by the host
CONTAINERS = "198.18.0.0/24"

DOCKER = """
table ip nat {
  chain PREROUTING { type nat hook prerouting priority dstnat; fib daddr type local jump DOCKER; }
  chain OUTPUT { type nat hook output priority -100; ip daddr != 127.0.0.0/8 fib daddr type local jump DOCKER; }
  chain POSTROUTING {
    type nat hook postrouting priority srcnat;
    ip saddr %(net)s oifname != "br0" masquerade
    %(hairpin)s
  }
  chain DOCKER { tcp dport %(port)d dnat to %(to)s; }
}
table ip filter {
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    ct state invalid counter drop
    oifname "br0" ct state established,related accept
    iifname != "br0" oifname "br0" ip daddr %(to)s tcp dport %(port)d accept
    iifname "br0" oifname != "br0" accept
    iifname "br0" oifname "br0" accept
  }
}
"""
HAIRPIN = "ip saddr %s ip daddr %s ct status dnat masquerade" % (CONTAINERS, CONTAINERS)


class ContainerHost(Router):
    """A gateway whose containers hang on a bridge; the first of them publishes a port.

        inside 198.18.0.10, second 198.18.0.11 -- c0, c1: br0 [gateway 198.18.0.1, 203.0.113.1] wan0 -- 203.0.113.9 outside
    """

    def __init__(self, lab, hairpin=""):
        self.lab, self.hook = lab, "tc"
        self.gateway, self.inside, self.second, self.outside = (lab.namespace(role) for role in ("gw", "c0", "c1", "out"))
        self.gateway.sysctl("net.ipv4.ip_forward", 1)
        self.gateway.ip("link add br0 type bridge", "addr add %s/24 dev br0" % GATEWAY, "link set br0 up")
        for number, (namespace, address) in enumerate(((self.inside, INSIDE), (self.second, INSIDE2))):
            veth(self.gateway, "c%d" % number, namespace, "eth0")
            self.gateway.ip("link set c%d master br0" % number)
            namespace.ip("addr add %s/24 dev eth0" % address, "route add default via %s" % GATEWAY)
        veth(self.gateway, "wan0", self.outside, "eth0")
        self.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL, "route add default via %s" % SERVER)
        self.outside.ip("addr add %s/24 dev eth0" % SERVER, "addr add %s/32 dev lo" % REMOTE)
        self.rules(DOCKER % {"net": CONTAINERS, "port": PORT, "to": INSIDE, "hairpin": hairpin})

    def running(self):
        return Topology.running(self, None, "br0", "wan0", "--accelerate")


def received(namespace):
    stats = json.loads(namespace.run("ip", "-j", "-s", "link", "show", "eth0").stdout)[0]["stats64"]["rx"]
    return stats["bytes"], stats["packets"]


def transfer(host, natvi, server, client, address, *options):
    """A transfer of which nearly all is sent on by natvi, in packets far larger than the MTU."""
    receiver = client if "-R" in options else server
    before, (bytes_, packets) = accelerated(natvi), received(receiver)
    end = iperf3(server, client, address, *options)
    after, now = received(receiver), accelerated(natvi) - before
    size = (after[0] - bytes_) / (after[1] - packets)
    assert end["sum_received"]["bytes"] > 5 << 20
    assert size > 10000, "packets of %d bytes arrive" % size
    assert now > 0.9 * (after[1] - packets), (now, after[1] - packets)
    assert natvi.counter("accel-kernel") < 20 + now / 20
    assert host.invalid() == 0


@pytest.mark.parametrize("options", [(), ("-R",)])
def test_container_to_outside(lab, options):
    host = ContainerHost(lab)
    natvi = host.running()
    transfer(host, natvi, host.outside, host.inside, REMOTE, *options)


@pytest.mark.parametrize("options", [(), ("-R",)])
def test_published_port(lab, options):
    host = ContainerHost(lab)
    natvi = host.running()
    transfer(host, natvi, host.inside, host.outside, EXTERNAL, *options)


@pytest.mark.parametrize("options", [(), ("-R",)])
@pytest.mark.parametrize("bridged", [False, True])
def test_hairpin(lab, options, bridged):
    """The published port from another container, by br0 and back. With br_netfilter the bridge itself does it, past br0."""
    host = ContainerHost(lab, HAIRPIN)
    host.gateway.sysctl("net.bridge.bridge-nf-call-iptables", int(bridged))
    iperf3(host.inside, host.second, EXTERNAL, *options, seconds=1)
    natvi = host.running()
    if not bridged:
        transfer(host, natvi, host.inside, host.second, EXTERNAL, *options)
        return
    assert iperf3(host.inside, host.second, EXTERNAL, *options, seconds=1)["sum_received"]["bytes"] > 5 << 20
    assert accelerated(natvi) == 0
    assert host.invalid() == 0


def test_containers_among_themselves(lab):
    """What stays on the bridge is none of natvi's business."""
    host = ContainerHost(lab)
    natvi = host.running()
    end = iperf3(host.inside, host.second, INSIDE, seconds=1)
    assert end["sum_received"]["bytes"] > 5 << 20
    assert accelerated(natvi) == 0


# firewalld

ZONES = {
    "zones/internal.xml": '<zone><interface name="lan0"/></zone>',
    "zones/external.xml": '<zone><masquerade/><interface name="wan0"/></zone>',
    "policies/outward.xml": '<policy target="ACCEPT"><ingress-zone name="internal"/><egress-zone name="external"/></policy>',
}
REJECT = 'rule family="ipv4" destination address="%s" reject' % REMOTE


class FirewalldRouter(Router):
    """The rules are firewalld's."""

    def __init__(self, lab, hook):
        super().__init__(lab, hook, rules="")
        self.firewalld = Firewalld(self.gateway, ZONES)
        self.nginx = Nginx(self.outside)
        self.nginx.file("small", 1000)

    def refused(self):
        """Is a new connection to REMOTE answered by an error at once?"""
        return self.inside.run("curl", "-sS", "--max-time", 20, "-o", "/dev/null", "http://%s/small" % REMOTE,
                               check=False).returncode == 7

    def download(self, natvi):
        """One under way, and accelerated."""
        before, transfer = accelerated(natvi), Download(self.nginx, self.inside, REMOTE)
        wait_for(lambda: accelerated(natvi) > before + 20, 15, "the transfer to be accelerated")
        return transfer


@pytest.fixture
def firewalled(lab, hook):
    return FirewalldRouter(lab, hook)


def test_firewalld(firewalled):
    """Zones and masquerading are firewalld's; a reload leaves transfers alone, and they accelerated."""
    natvi = firewalled.running()
    transfer = firewalled.download(natvi)
    firewalled.firewalld.cmd("--reload")
    transfer.goes_on()
    before = accelerated(natvi)
    wait_for(lambda: accelerated(natvi) > before + 20, 15, "the transfer to be accelerated again")
    transfer.finish()
    transfer.process.stop()
    wait_for(firewalled.nginx.log, 15, "it to be logged")
    assert {line.split()[0] for line in firewalled.nginx.log().splitlines()} == {EXTERNAL}
    end = iperf3(firewalled.outside, firewalled.inside, SERVER)
    assert accelerated(natvi) > end["sum_received"]["bytes"] // 65536 * 3 // 4


def test_firewalld_rejects(firewalled):
    """A rich rule is for what begins, as without natvi, and for all once conntrack has forgotten; a reload takes it away."""
    natvi = firewalled.running()
    transfer = firewalled.download(natvi)
    assert not firewalled.refused()
    firewalled.firewalld.cmd("--policy=outward", "--add-rich-rule", REJECT)
    wait_within(firewalled.refused, 2, "a new connection to be refused")
    transfer.goes_on()
    firewalled.gateway.run("conntrack", "-D", "-p", "tcp", "--dport", "80")
    wait_within(lambda: transfer.stands(0.5), 2, "the transfer to be stopped")
    firewalled.firewalld.cmd("--reload")
    wait_within(lambda: not firewalled.refused(), 2, "a new connection")


def test_firewalld_panics(firewalled):
    """In panic nothing passes, and afterwards all goes on."""
    natvi = firewalled.running()
    transfer = firewalled.download(natvi)
    firewalled.firewalld.cmd("--panic-on")
    wait_within(lambda: transfer.stands(0.5), 2, "the transfer to be stopped")
    firewalled.firewalld.cmd("--panic-off")
    transfer.goes_on()
    before = accelerated(natvi)
    wait_for(lambda: accelerated(natvi) > before + 20, 15, "the transfer to be accelerated again")
    transfer.finish()


# Shapers

RATE_MBIT = 20
SHAPERS = {"tbf": "tbf rate %dmbit burst 64kb latency 50ms" % RATE_MBIT, "htb": "htb default 1"}


def shape(net, kind):
    net.gateway.run("tc", "qdisc", "replace", "dev", "wan0", "root", "handle", "1:", *SHAPERS[kind].split())
    if kind == "htb":
        net.gateway.run("tc", "class", "replace", "dev", "wan0", "parent", "1:", "classid", "1:1", "htb", "rate",
                        "%dmbit" % RATE_MBIT)


def rate_mbit(net, seconds=0.3):
    """What arrives outside; rather less than more of it where the machine stands still."""
    start, bytes_ = time.monotonic(), received(net.outside)[0]
    time.sleep(seconds)
    return (received(net.outside)[0] - bytes_) * 8e-6 / (time.monotonic() - start)


def is_shaped(net):
    """Never more than there may be, and at length not much less."""
    def full():
        rate = rate_mbit(net, 1)
        assert rate < 1.15 * RATE_MBIT
        return rate > 0.5 * RATE_MBIT
    wait_for(full, 20, "as much as the shaper lets pass")


def sending(net):
    """A transfer to the outside, for longer than a test takes."""
    net.outside.spawn("iperf3", "-s", "-1", "--forceflush").wait_output("Server listening")
    net.inside.spawn("iperf3", "-c", SERVER, "-t", 200)


def xdp_mode(net, interface):
    return json.loads(net.gateway.run("ip", "-j", "link", "show", interface).stdout)[0].get("xdp", {}).get("mode", 0)


@pytest.mark.parametrize("kind", SHAPERS)
@pytest.mark.parametrize("xdp", ["auto", "native"])
def test_shaper_shapes(lab, kind, xdp):
    """What is accelerated waits in the output's qdisc, also where XDP would pass it by."""
    net = Router(lab, "xdp" if xdp == "native" else "tc")
    shape(net, kind)
    natvi = net.running({"interfaces": [{"name": name, "xdp": xdp} for name in ("lan0", "wan0")], "accelerate": True})
    assert (xdp_mode(net, "wan0") == 0) == (xdp == "auto")
    sending(net)
    wait_for(lambda: accelerated(natvi) > 100, 20, "a transfer")
    is_shaped(net)
    assert net.invalid() == 0


@pytest.mark.parametrize("whose, kind", [("kernel", "tbf"), ("natvi", "htb")])
def test_shaper_that_comes_later(lab, hook, kind, whose):
    """In the midst of a transfer, be its connection the kernel's or natvi's; and without it all is as before."""
    net, sent_on = (Router(lab, hook), "accelerated") if whose == "kernel" else (Topology(lab, hook), "forward")
    natvi = net.running()
    sending(net)
    wait_for(lambda: natvi.counter(sent_on) > 1000, 15, "a transfer")
    wait_for(lambda: rate_mbit(net) > 5 * RATE_MBIT, 15, "it to be fast")
    shape(net, kind)
    wait_within(lambda: rate_mbit(net) < 1.15 * RATE_MBIT, 2, "the transfer to be shaped")
    before = natvi.counter(sent_on)
    is_shaped(net)
    assert natvi.counter(sent_on) > before + 20
    net.gateway.run("tc", "qdisc", "del", "dev", "wan0", "root")
    wait_for(lambda: rate_mbit(net) > 5 * RATE_MBIT, 15, "the transfer to be as fast as before")
