# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Outside addresses that no interface owns: ARP announcements and answers, and who has to have a route to them."""
import fcntl
import json
import re
import struct
import time

import pytest
from scapy.all import ARP

from control import answered
from gateway import EXTERNAL, INSIDE, NATVI, REFUSE, REMOTE, SERVER, TO_POOL, config
from lab import stretched, veth, wait_for
from wire import Tap, exchange

LINKED = "203.0.113.32-203.0.113.35"            # in the outside link's subnet
LINKED_ALL = ["203.0.113.%d" % n for n in range(32, 36)]
WRONG = "02:00:00:00:00:99"
SIOCGSTAMP = 0x8906
BROADCAST = "ff:ff:ff:ff:ff:ff"


def pooled(net, *addresses, **more):
    return config("tc", [TO_POOL, REFUSE], pool={"addresses": list(addresses)}, **more)


def announcement(packet):
    """Whose address a packet announces, in request form (RFC 5227); None: it is something else."""
    if ARP not in packet or packet[ARP].psrc != packet[ARP].pdst:
        return None
    assert packet[ARP].op == 1 and packet.dst == BROADCAST and packet.src == packet[ARP].hwsrc, packet.show(dump=True)
    assert packet[ARP].hwdst == "00:00:00:00:00:00"
    return packet[ARP].psrc


def announced(tap, count, timeout=20, mac=None):
    """Addresses of the next count announcements, sorted. mac: who has them."""
    result = []
    for _ in range(count):
        packet = tap.expect(announcement, "announcement %d of %d (so far %s)" % (len(result) + 1, count, result), timeout)
        assert mac is None or packet.src == mac
        result.append(announcement(packet))
    return sorted(result)


def arrived(tap):
    """When the packet that was received last came, in seconds; None: there was none."""
    try:
        return float("%d.%06d" % struct.unpack("qq", fcntl.ioctl(tap.sock, SIOCGSTAMP, bytes(16))))
    except FileNotFoundError:
        return None


def neighbour(namespace, address):
    """MAC address by which a host knows another."""
    found = json.loads(namespace.run("ip", "-j", "neigh", "show", address).stdout)
    return found[0].get("lladdr") if found else None


# Announcements

def test_at_start(tc):
    """Each address in the link's subnet twice, a second apart; none of other links and other subnets, none that is owned."""
    outside, inside = tc.tap(), tc.tap("inside")
    tc.gateway.ip("addr add 203.0.113.34/24 dev wan0")
    outside.drain()
    arrived(outside)        # from now on the kernel notes when
    tc.running(pooled(tc, LINKED, "192.0.2.0/28"))
    mac, expected = tc.mac(tc.gateway, "wan0"), ["203.0.113.32", "203.0.113.33", "203.0.113.35"]
    assert announced(outside, 3, mac=mac) == expected
    first = arrived(outside)
    assert announced(outside, 3, mac=mac) == expected
    assert 0.9 < arrived(outside) - first < stretched(3)
    outside.none(announcement, "a third round", 1.2)
    inside.none(announcement, "an announcement on the inside link", 0)


def test_stale_neighbour(net):
    """A host that knew another box by the address, and the switch between, get to know without asking."""
    switch = net.lab.namespace("switch")
    switch.ip("link add br0 type bridge", "link set br0 up")
    for namespace, device in ((net.gateway, "wan0"), (net.outside, "eth0")):
        namespace.ip("link del %s" % device) if namespace is net.gateway else None
        veth(namespace, device, switch, device)
        switch.ip("link set %s master br0" % device)
    net.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL, "route add default via %s" % SERVER)
    net.outside.ip("addr add %s/24 dev eth0" % SERVER)
    if net.hook == "xdp":
        net.suit_xdp()
    tap = net.tap()
    net.outside.ip("neigh add 203.0.113.33 lladdr %s dev eth0 nud stale" % WRONG)
    natvi = net.running(config(net.hook, [TO_POOL, REFUSE], pool={"addresses": [LINKED]}))
    mac = net.mac(net.gateway, "wan0")
    wait_for(lambda: neighbour(net.outside, "203.0.113.33") == mac, 15, "the neighbour entry to be right")
    assert natvi.counter("arp-sent") == 0
    fdb = json.loads(switch.run("bridge", "-j", "fdb", "show", "br", "br0", "dynamic").stdout)
    assert [e["ifname"] for e in fdb if e["mac"] == mac] == ["wan0"]
    assert announced(tap, 4) == LINKED_ALL


def test_reload(tc):
    """New addresses are announced, those that were there are not; addresses that went are silent."""
    tap = tc.tap()
    natvi = tc.running(pooled(tc, LINKED))
    announced(tap, 8)
    natvi.reload(pooled(tc, "203.0.113.34-203.0.113.37"))
    assert announced(tap, 4) == sorted(2 * ["203.0.113.36", "203.0.113.37"])
    tap.none(announcement, "another one", 1.2)


def test_link_returns(tc):
    """All again when the port comes up, when its carrier returns, and when its MAC address changes; nothing while it is down."""
    tap = tc.tap()
    tc.gateway.ip("link set wan0 down")
    tc.running(pooled(tc, LINKED))
    tap.none(announcement, "an announcement out of an interface that is down", 0.3)
    tc.gateway.ip("link set wan0 up", "route add default via %s" % SERVER)
    announced(tap, 8)
    tc.outside.ip("link set eth0 down")
    with pytest.raises(OSError):
        tap.sock.recv(1)
    tc.outside.ip("link set eth0 up")
    assert announced(tap, 8) == sorted(2 * LINKED_ALL)
    tc.gateway.ip("link set wan0 address 02:00:00:00:00:42")
    assert announced(tap, 8, mac="02:00:00:00:00:42") == sorted(2 * LINKED_ALL)


def test_many(tc):
    """A large pool is announced at a limited rate, wholly, and the daemon answers meanwhile."""
    tc.gateway.ip("addr add 198.19.0.1/16 dev wan0")
    tap = tc.tap()
    arrived(tap)        # from now on the kernel notes when
    natvi = tc.running(pooled(tc, "198.19.8.0/22"))
    times, seen = [], set()
    while len(seen) < 1024:
        packet = tap.expect(announcement, "another announcement after %d" % len(seen))
        times.append(arrived(tap))
        seen.add(announcement(packet))
    assert len(times) == 1024
    assert 0.8 < times[-1] - times[0] < stretched(3)
    before = time.monotonic()
    natvi.cli("status")
    assert time.monotonic() - before < stretched(1)
    natvi.reload(pooled(tc, LINKED))
    rest = announced(tap, 8)
    while rest[-8:] != sorted(2 * LINKED_ALL):
        rest = sorted(rest + announced(tap, 1))


def test_two_ports_one_subnet(tc):
    """Two ports on one subnet do not quarrel: the first one of the configuration speaks."""
    veth(tc.gateway, "wan1", tc.outside, "eth1")
    tc.gateway.ip("addr add 203.0.113.2/24 dev wan1")
    first, second = tc.tap(), Tap(tc.outside, "eth1")
    tc.running(pooled(tc, LINKED, interfaces=("lan0", "wan0", "wan1")))
    announced(first, 8)
    second.none(announcement, "an announcement by the second port", 0.3)


# Answers

def test_arp_with_the_daemon_dead(tc):
    """Addresses of pools and forwards are answered for, by the datapath alone."""
    forward = {"proto": "tcp", "external": "203.0.113.40:443", "internal": INSIDE + ":8443"}
    natvi = tc.running(pooled(tc, LINKED, forwards=[forward]))
    natvi.kill()
    mac = tc.mac(tc.gateway, "wan0")
    for address in ("203.0.113.33", "203.0.113.40"):
        tc.outside.run("ip", "neigh", "flush", "dev", "eth0")
        tc.outside.run("ping", "-c", 1, "-W", 1, address, check=False)
        assert neighbour(tc.outside, address) == mac
    assert natvi.counter("arp-sent") == 2
    service, client = tc.inside.tcp_listen(INSIDE, 8443), tc.outside.tcp(SERVER)
    client.connect(("203.0.113.40", 443))
    service.accept()[0].close()


def test_arp_of_netmap(tc):
    """A netmap's addresses are answered for and announced like a pool's, and its hosts are reached by them."""
    netmap = {"name": "map", "from": {"interface": "lan0", "source": "198.18.0.8/29"}, "to": {"interface": "wan0"},
              "action": {"netmap": "203.0.113.64/29"}}
    tap = tc.tap()
    natvi = tc.running(config("tc", [netmap, REFUSE]))
    assert announced(tap, 16)[::2] == ["203.0.113.%d" % n for n in range(64, 72)]
    tc.outside.run("ip", "neigh", "flush", "dev", "eth0")
    inside, outside = tc.inside.udp(INSIDE, 5000), tc.outside.udp(SERVER, 6000)
    assert answered(outside, inside, ("203.0.113.66", 5000), 10)
    assert natvi.counter("arp-sent") == 1


def test_next_hop_in_the_pools_subnet(tc):
    """The usual provider's link: next hop, own address and pool are neighbours; hosts behind the next hop are reached."""
    tc.running(pooled(tc, LINKED))
    inside, outside = tc.inside.udp(INSIDE, 4000), tc.outside.udp(REMOTE, 53)
    assert exchange(inside, outside, (REMOTE, 53))[0] in LINKED_ALL


# Advice

def test_advice(tc):
    """check, the log and doctor say which addresses routers need a route to; not for those in a connected subnet."""
    natvi = tc.running(pooled(tc, "192.0.2.0/28", "203.0.113.32"))
    said = r'pool "public": in no connected subnet .* a route to 192\.0\.2\.0/28 via this box.* protocol 208'
    natvi.process.wait_output(said)
    findings = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [f["subject"] for f in findings if f["id"] == "outside"] == ['pool "public"']
    path = tc.lab.dir / ("%s.yaml" % natvi.instance)
    assert re.search(said, tc.gateway.run(NATVI, "check", path).stdout)
    assert "whether routers need routes" in tc.inside.run(NATVI, "check", path).stdout, "lan0 and wan0 are not there"
    natvi.reload(pooled(tc, "203.0.113.9", "203.0.113.32"))
    tc.gateway.ip("neigh replace %s lladdr 02:00:00:00:00:09 dev wan0 nud reachable" % SERVER)
    findings = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [f["subject"] for f in findings if f["id"] == "owner"] == [SERVER], "the next hop's address is in the pool"
    natvi.reload(pooled(tc, "203.0.113.32"))
    assert "note" not in tc.gateway.run(NATVI, "check", path).stdout
    assert json.loads(tc.gateway.run(NATVI, "check", "--json", path).stdout)["notes"] == []
