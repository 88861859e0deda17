# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What traceroute, mtr and tracepath say of the way, and a laboratory with routers on both sides.

    DEEP 198.18.1.10 -- inside (router) -- gateway -- outside (router) -- BEYOND 198.51.100.130
"""
import json
import re

from gateway import EXTERNAL, GATEWAY, INSIDE, SERVER
from lab import veth

DEEP, DEEP_ROUTER = "198.18.1.10", "198.18.1.1"
BEYOND, BEYOND_ROUTER = "198.51.100.130", "198.51.100.129"
WAY_OUT = [DEEP_ROUTER, GATEWAY, SERVER, BEYOND]    # as DEEP must see it


def extend(net):
    """One more network behind each side's host, which becomes a router. The hosts in them: deep, beyond."""
    deep, beyond = net.lab.namespace("deep"), net.lab.namespace("beyond")
    for near, name, far, router, host, network in ((net.inside, "eth1", deep, DEEP_ROUTER, DEEP, "198.18.1.0/24"),
                                                   (net.outside, "eth1", beyond, BEYOND_ROUTER, BEYOND, "198.51.100.128/25")):
        veth(near, name, far, "eth0")
        near.ip("addr add %s/%s dev %s" % (router, network.split("/")[1], name))
        far.ip("addr add %s/%s dev eth0" % (host, network.split("/")[1]), "route add default via %s" % router)
        near.sysctl("net.ipv4.ip_forward", 1)
        for conf in ("all", "eth0", name):
            near.sysctl("net.ipv4.conf.%s.send_redirects" % conf, 0)
        # A router answers as fast as it is asked.
        for namespace in (near, far, net.gateway):
            namespace.sysctl("net.ipv4.icmp_ratelimit", 0)
    net.gateway.ip("route add 198.18.1.0/24 via %s" % INSIDE)
    net.outside.ip("route replace 192.0.2.0/24 via %s" % EXTERNAL)
    return deep, beyond


def traceroute(namespace, destination, *options):
    """The address of each hop; None where none answered."""
    done = namespace.run("traceroute", "-n", "-q", 1, "-w", 5, "-m", 8, *options, destination)
    return [None if words[1] == "*" else words[1] for words in map(str.split, done.stdout.splitlines()[1:])]


def mtr(namespace, destination, *options):
    done = namespace.run("mtr", "-n", "--json", "-c", 1, "-G", 1, "-m", 8, *options, destination)
    return [hub["host"] for hub in json.loads(done.stdout)["report"]["hubs"]]


def tracepath(namespace, destination):
    """The hops, without the sender itself, and the path MTU."""
    done = namespace.run("tracepath", "-n", "-m", 8, destination)
    hops = {}
    for number, address in re.findall(r"^ *(\d+): +([0-9.]+) ", done.stdout, re.M):
        hops[int(number)] = address
    match = re.search(r"Resume: pmtu (\d+)", done.stdout)
    assert match, done.stdout
    return [hops[number] for number in sorted(hops)], int(match.group(1))
