# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Links, routes, next hops and addresses that change under running transfers: sessions move within a second where their
address allows it, or end for a reason that is counted."""
import select

import pytest
from scapy.all import ARP, Ether

from control import answered
from gateway import EXTERNAL, INSIDE, INSIDE2, MASQUERADE, NATVI, REFUSE, REMOTE, SERVER, TO_POOL, config
from lab import wait_for, wait_within
from services import Nginx
from uplinks import EXTERNAL1, SERVER1, Download, Events, add_uplink, counted, ended, pass_by, pool_config
from wire import Tap, exchange

OTHER_MAC = "02:00:00:00:00:77"


# The way changes, the address stays

def link_down(net):
    net.gateway.ip("link set wan0 down")


def carrier_down(net):
    net.outside.ip("link set eth0 down")


def route_replaced(net):
    net.outside.ip("route replace 192.0.2.0/28 via %s metric 1" % EXTERNAL1)
    net.gateway.ip("route replace default via %s dev wan1 metric 10" % SERVER1)


def route_deleted(net):
    net.outside.ip("route replace 192.0.2.0/28 via %s metric 1" % EXTERNAL1)
    net.gateway.ip("route del default via %s dev wan0 metric 10" % SERVER)


@pytest.mark.parametrize("change, group", [(link_down, "link"), (carrier_down, "link"), (route_replaced, "route"),
                                           (route_deleted, "route")])
def test_the_other_uplink_takes_over(net, change, group):
    """A download and datagrams of a pool that both uplinks take."""
    add_uplink(net)
    natvi = net.running(pool_config(net.hook))
    nginx = Nginx(net.outside)
    server, client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE2)
    exchange(client, server, (REMOTE, 5000))
    download = Download(nginx, net.inside, REMOTE)
    before = {s["proto"]: s["orig"]["sport"] for s in natvi.sessions()}
    other = counted(net.gateway, "wan1", "bytes")
    pass_by(client, server, (REMOTE, 5000), Events(net.gateway, group), lambda: change(net))
    download.goes_on()
    wait_for(lambda: counted(net.gateway, "wan1", "bytes") - other > 1 << 20, 20, "the download to come by the other uplink")
    download.finish()
    assert {s["proto"]: s["orig"]["sport"] for s in natvi.sessions()} == before
    assert not ended(natvi)


def test_nexthop_object_replaced(tc):
    """`ip nexthop replace`, where routes are not told of apart."""
    add_uplink(tc)
    tc.gateway.sysctl("net.ipv4.nexthop_compat_mode", 0)
    tc.gateway.ip("nexthop add id 7 via %s dev wan0" % SERVER, "route add 198.51.100.0/24 nhid 7")
    tc.running(pool_config("tc"))
    server, client = tc.outside.udp(REMOTE, 5000), tc.inside.udp(INSIDE)
    exchange(client, server, (REMOTE, 5000))
    before = counted(tc.gateway, "wan1", "packets")
    tc.gateway.ip("nexthop replace id 7 via %s dev wan1" % SERVER1)

    def moved():
        answered(client, server, (REMOTE, 5000))
        return counted(tc.gateway, "wan1", "packets") > before
    wait_within(moved, 1, "packets by the new next hop")


def test_gratuitous_arp(net):
    """The next hop says that it has another MAC address."""
    net.running()
    server, client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE)
    for _ in range(2):
        exchange(client, server, (REMOTE, 5000))

    def move():
        net.outside.ip("link set eth0 address %s" % OTHER_MAC)
        Tap(net.outside).send(Ether(src=OTHER_MAC, dst="ff:ff:ff:ff:ff:ff") /
                              ARP(op=1, hwsrc=OTHER_MAC, psrc=SERVER, pdst=SERVER))
    pass_by(client, server, (REMOTE, 5000), Events(net.gateway, "neigh"), move)


def probe_fast(net, *interfaces):
    """Have the kernel notice soon that a neighbour is dead."""
    for interface in interfaces:
        for name, value in (("base_reachable_time_ms", 500), ("delay_first_probe_time", 1), ("retrans_time_ms", 100),
                            ("ucast_solicit", 1), ("mcast_solicit", 1), ("interval_probe_time_ms", 300)):
            net.gateway.sysctl("net.ipv4.neigh.%s.%s" % (interface, name), value)


def die(net, interface="eth0"):
    """Everything that comes in is lost, and the link stays up."""
    net.outside.sysctl("net.ipv4.conf.%s.arp_ignore" % interface, 8)
    mac = net.mac(net.outside, interface)
    net.outside.ip("link set %s address %s" % (interface, OTHER_MAC))
    return mac


def managed(net):
    return SERVER in [line.split()[0] for line in net.gateway.run("ip", "neigh").stdout.splitlines() if " managed" in line]


def test_next_hop_silently_dead(net):
    """Another next hop of the route takes over when the neighbour has failed."""
    add_uplink(net)
    probe_fast(net, "wan0")
    net.gateway.sysctl("net.ipv4.fib_multipath_use_neigh", 1)
    net.gateway.ip("route add 198.51.100.0/24 nexthop via %s dev wan0 weight 20 nexthop via %s dev wan1" % (SERVER, SERVER1))
    net.running(pool_config(net.hook))
    server, client = net.outside.udp(REMOTE, 5000), None
    for _ in range(20):
        client, before = net.inside.udp(INSIDE), counted(net.gateway, "wan0", "packets")
        for _ in range(3):
            exchange(client, server, (REMOTE, 5000))
        if counted(net.gateway, "wan0", "packets") >= before + 3:
            break
    wait_for(lambda: managed(net), 15, "the next hop to be kept alive")
    net.outside.ip("route replace 192.0.2.0/28 via %s metric 1" % EXTERNAL1)

    def failed():
        die(net)
        wait_for(lambda: " FAILED" in net.gateway.run("ip", "neigh", "show", SERVER).stdout, 20, "the neighbour to fail")
    pass_by(client, server, (REMOTE, 5000), Events(net.gateway, "neigh"), failed, within=2)


def test_only_next_hop_dead_and_back(net):
    """No other way: packets take the slow road, which is counted, and the fast one again when it is back."""
    probe_fast(net, "wan0")
    natvi = net.running()
    server, client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE)
    for _ in range(3):
        exchange(client, server, (REMOTE, 5000))
    wait_for(lambda: managed(net), 15, "the next hop to be kept alive")
    mac = die(net)
    wait_for(lambda: " FAILED" in net.gateway.run("ip", "neigh", "show", SERVER).stdout, 20, "the neighbour to fail")
    slow = natvi.counter("slow-neighbour")

    def is_slow():
        client.sendto(b"lost", (REMOTE, 5000))
        return natvi.counter("slow-neighbour") > slow
    wait_for(is_slow, 15, "the slow road")
    net.outside.ip("link set eth0 address %s" % mac)
    net.outside.sysctl("net.ipv4.conf.eth0.arp_ignore", 0)
    wait_for(lambda: answered(client, server, (REMOTE, 5000)), 15, "packets to arrive again")
    while select.select([server], [], [], 0.1)[0]:      # the kernel had kept some of them
        server.recv(100)

    def is_fast():
        fast, slow = natvi.counter("forward"), natvi.counter("slow-neighbour")
        for _ in range(3):
            exchange(client, server, (REMOTE, 5000))
        return natvi.counter("forward") >= fast + 6 and natvi.counter("slow-neighbour") == slow
    wait_for(is_fast, 15, "the fast road")      # the neighbour that answers late once has failed again
    assert len(natvi.sessions()) == 1 and not ended(natvi)


# The address changes

NEW = "203.0.113.77"
ROUTE = "route replace default via %s" % SERVER
RENUMBER = {
    "new-last": ["addr del %s/24 dev wan0" % EXTERNAL, "addr add %s/24 dev wan0" % NEW, ROUTE],
    "new-first": ["addr add %s/25 dev wan0" % NEW, "addr del %s/24 dev wan0" % EXTERNAL, ROUTE],
    "flush": ["addr flush dev wan0", "addr add %s/24 dev wan0" % NEW, ROUTE],
}


@pytest.mark.parametrize("how", RENUMBER)
def test_uplink_renumbered(net, how):
    """A masqueraded transfer ends with a reason that is counted and told; one of a pool goes on; what is new has the new address."""
    other = dict(TO_POOL, name="pool", **{"from": {"interface": "lan0", "source": [INSIDE2]}})
    natvi = net.running(config(net.hook, rules=[other, MASQUERADE, REFUSE], pool={"addresses": ["192.0.2.1"]}))
    monitor = net.gateway.spawn("stdbuf", "-oL", NATVI, "monitor", "--instance", natvi.instance)
    nginx = Nginx(net.outside)
    server = net.outside.udp(REMOTE, 5000)
    client, pooled = net.inside.udp(INSIDE), net.inside.udp(INSIDE2)
    assert exchange(client, server, (REMOTE, 5000))[0] == EXTERNAL
    kept = exchange(pooled, server, (REMOTE, 5000))
    Download(nginx, net.inside, REMOTE)
    listener, transfer = net.outside.tcp_listen(REMOTE, 5001), net.inside.tcp(INSIDE)
    transfer.connect((REMOTE, 5001))
    accepted, peer = listener.accept()
    assert peer[0] == EXTERNAL
    assert {s["reply"]["dst"] for s in natvi.sessions()} == {EXTERNAL, "192.0.2.1"}
    net.outside.ip("route replace 192.0.2.0/28 via %s" % NEW)
    net.gateway.ip(*RENUMBER[how])
    wait_within(lambda: ended(natvi).get("address-gone") == 3, 1, lambda: "three sessions to end: %s" % ended(natvi))
    assert exchange(client, server, (REMOTE, 5000))[0] == NEW
    assert exchange(net.inside.udp(INSIDE), server, (REMOTE, 5000))[0] == NEW
    assert exchange(pooled, server, (REMOTE, 5000)) == kept
    monitor.wait_output(r" end .*address-gone")
    transfer.sendall(b"nobody was told")
    with pytest.raises(ConnectionResetError):       # the remote knows no such connection with the new address
        transfer.recv(1)
    accepted.close()


def test_address_taken_away_and_given_back(net):
    """In one go, as a script does: nothing ends."""
    natvi = net.running()
    nginx = Nginx(net.outside)
    server, client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE)
    external = exchange(client, server, (REMOTE, 5000))
    download = Download(nginx, net.inside, REMOTE)
    net.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add %s/24 dev wan0" % EXTERNAL, ROUTE)
    download.goes_on()
    download.finish()
    assert exchange(client, server, (REMOTE, 5000)) == external
    assert not ended(natvi)


def test_masquerading_uplink_lost(net):
    """Its address is no good by the other one: sessions end, and what comes next has the other's."""
    add_uplink(net)
    rule = {"name": "out", "from": {"interface": "lan0"}, "to": {"interface": ["wan0", "wan1"]}, "action": "masquerade"}
    natvi = net.running(config(net.hook, rules=[rule], interfaces=("lan0", "wan0", "wan1")))
    server, client = net.outside.udp(REMOTE, 5000), net.inside.udp(INSIDE)
    assert exchange(client, server, (REMOTE, 5000))[0] == EXTERNAL
    net.outside.ip("link set eth0 down")

    def by_the_other():
        client.sendto(b"?", (REMOTE, 5000))
        return [s["reply"]["dst"] for s in natvi.sessions()] == [EXTERNAL1]
    wait_for(by_the_other, 15, "the session to begin anew")
    assert ended(natvi) == {"interface-gone": 1}
    wait_for(lambda: answered(client, server, (REMOTE, 5000)), 15, "datagrams by the other uplink")


def test_interface_deleted(tc):
    natvi = tc.running()
    server, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    exchange(client, server, (SERVER, 5000))
    tc.gateway.ip("link del wan0")
    wait_for(lambda: ended(natvi) == {"interface-gone": 1}, 15, lambda: "it to be counted: %s" % ended(natvi))


def test_flush_is_a_reason(tc):
    natvi = tc.running()
    server, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    exchange(client, server, (SERVER, 5000))
    natvi.cli("flush", "sessions")
    assert ended(natvi) == {"flushed": 1}
    assert "flushed" in natvi.cli("show", "stats").stdout
