# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A second uplink beside the first, and what runs over both while something changes.

    gateway wan0 203.0.113.1 -- eth0 203.0.113.9 outside (pool, servers on 198.51.100.1, .2)
    gateway wan1 192.0.2.65  -- eth1 192.0.2.66  outside

Both ends prefer the first way and go by the second one when that has no carrier.
"""
import json
import select
import signal
import socket
import time

from gateway import EXTERNAL, INSIDE_NET, POOL, SERVER, config
from lab import stretched, veth, wait_for

EXTERNAL1 = "192.0.2.65"
SERVER1 = "192.0.2.66"
GROUPS = {"link": 0x1, "neigh": 0x4, "addr": 0x10, "route": 0x40}     # <linux/rtnetlink.h>, RTMGRP_*


def add_uplink(net):
    veth(net.gateway, "wan1", net.outside, "eth1")
    net.gateway.ip("addr add %s/26 dev wan1" % EXTERNAL1, "route replace default via %s dev wan0 metric 10" % SERVER,
                   "route del default via %s dev wan0 metric 0" % SERVER, "route add default via %s dev wan1 metric 20" % SERVER1)
    net.outside.ip("addr add %s/26 dev eth1" % SERVER1, "route del %s via %s" % (POOL, EXTERNAL),
                   "route add %s via %s metric 10" % (POOL, EXTERNAL), "route add %s via %s metric 20" % (POOL, EXTERNAL1),
                   "route del %s via %s" % (INSIDE_NET, EXTERNAL))
    net.outside.sysctl("net.ipv4.conf.all.ignore_routes_with_linkdown", 1)
    if net.hook == "xdp":
        net.outside.run("ethtool", "-K", "eth1", "tx", "off", "tso", "off", "gso", "off", "gro", "on")
    return net


def pool_config(hook, **more):
    """The pool by both uplinks."""
    rule = {"name": "out", "from": {"interface": "lan0"}, "to": {"interface": ["wan0", "wan1"]}, "action": {"snat": "public"}}
    return config(hook, rules=[rule], pool={"addresses": ["192.0.2.1"]}, interfaces=("lan0", "wan0", "wan1"), **more)


class Download:
    """curl fetches a file at 1 MB a second while the test goes on, for as long as that takes: it has no end before the test."""

    def __init__(self, nginx, namespace, address, size=60 << 20):
        nginx.file("slow", size)
        self.whole = nginx.dir / "www" / "slow"
        namespace.sysctl("net.ipv4.tcp_rmem", "4096 65536 131072")      # what waits in a socket has passed already
        self.path = namespace.lab.dir / ("slow-%d" % time.monotonic_ns())
        self.process = namespace.spawn("curl", "-sSfN", "-o", self.path, "http://%s/slow" % address)
        wait_for(lambda: self.size() > 100000, 20, "the transfer to be under way")

    def size(self):
        return self.path.stat().st_size if self.path.exists() else 0

    def goes_on(self, timeout=20):
        size = self.size()
        wait_for(lambda: self.size() > size + 100000 or not self.process.alive(), timeout, "the transfer to go on")
        assert self.process.alive(), "the transfer ended: %s" % self.process.err
        return self

    def stands(self, seconds):
        """Does nothing come for so long?"""
        size = self.size()
        time.sleep(seconds)
        return self.size() == size

    def finish(self):
        """It has gone on until now, and what has come is what was sent."""
        self.goes_on().process.send_signal(signal.SIGSTOP)
        came = self.path.read_bytes()
        with open(self.whole, "rb") as whole:
            assert whole.read(len(came)) == came


class Events:
    """What the kernel of a namespace says of its links, neighbours, addresses or routes, and when."""

    def __init__(self, namespace, *groups):
        self.sock = namespace.socket(socket.SOCK_RAW, socket.NETLINK_ROUTE, socket.AF_NETLINK)
        self.sock.bind((0, sum(GROUPS[g] for g in groups)))

    def drain(self):
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(65535)


def pass_by(client, server, remote, events, change, within=1.0, patience=60.0):
    """
    change() something, and send datagrams that the server answers all the while: from what the kernel says of it on they
    must pass, both ways, within a second. The time that it took.
    """
    within = stretched(within)
    for sock in (client, server):
        sock.setblocking(False)
    events.drain()
    change()
    end, told, number = time.monotonic() + patience, None, 0
    while time.monotonic() < end:
        if told is None:
            if not select.select([events.sock], [], [], 0.02)[0]:
                continue
            told = time.monotonic()
        number += 1
        text = b"%d" % number
        client.sendto(text, remote)
        if _answered(client, server, text):
            took = time.monotonic() - told
            assert took < within, "took %.3f s" % took
            return took
    raise AssertionError("nothing passes any more" if told else "the kernel said nothing")


def _answered(client, server, text):
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        for sock in select.select([client, server], [], [], max(0, end - time.monotonic()))[0]:
            data, source = sock.recvfrom(100)
            if sock is server:
                server.sendto(data, source)
            elif data == text:
                return True
    return False


def counted(namespace, device, what):
    """Packets or bytes over an interface, both ways."""
    link = json.loads(namespace.run("ip", "-j", "-s", "link", "show", device).stdout)[0]
    return link["stats64"]["rx"][what] + link["stats64"]["tx"][what]


def ended(natvi):
    """Sessions that ended so far, by reason; those of none left out."""
    return {reason: n for reason, n in natvi.show("stats")["ended"].items() if n}
