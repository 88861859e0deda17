# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Interfaces, addresses, next hops and policies that come and go under a running daemon."""
import json

from control import answered, status
from gateway import EXTERNAL, INSIDE, POOL, REMOTE, SERVER, SERVER2, Topology, config
from lab import veth, wait_for, wait_within
from wire import exchange


# Interfaces and addresses that come and go

def test_interface_that_appears(net):
    """natvi waits for its interface, attaches to it, and again when it comes back with another index or under its name."""
    net.gateway.ip("link del wan0")
    natvi = net.natvi()
    natvi.start(config("tc"))
    assert "waiting for it" in natvi.process.err

    def plug(name="wan0"):
        veth(net.gateway, name, net.outside, "eth0")
        net.outside.ip("addr add %s/24 dev eth0" % SERVER)
        if net.hook == "xdp":
            net.suit_xdp()

    for name in ("wan0", "wan0", "x0"):
        plug(name)
        if name != "wan0":
            net.gateway.ip("link set x0 down", "link set x0 name wan0", "link set wan0 up")
        net.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL)
        remote = net.outside.udp(SERVER, 5000)
        client = net.inside.udp(INSIDE)
        wait_for(lambda: answered(client, remote, (SERVER, 5000)), 15, "traffic by the new interface")
        assert remote.recvfrom(10)[1][0] == EXTERNAL
        net.gateway.ip("link del wan0")
        wait_for(lambda: "wan0: has gone" in natvi.process.err, 15, "natvi to see it go")


def test_programs_that_somebody_took_off(tc):
    """A clsact qdisc deleted under natvi: attached again at once, and sessions go on."""
    natvi = tc.running()
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))
    tc.gateway.run("tc", "qdisc", "del", "dev", "wan0", "clsact")
    wait_within(lambda: "natvi" in tc.gateway.run("tc", "filter", "show", "dev", "wan0", "ingress").stdout, 3, "natvi to be back")
    assert exchange(client, remote, (SERVER, 5000)) == external
    assert "taken natvi's programs off" in natvi.process.err


def test_flushed_ruleset(tc):
    """`nft flush ruleset` takes natvi's own table too: it is made again."""
    natvi = tc.running()
    before = tc.gateway.run("nft", "list", "ruleset").stdout
    assert "natvi_" in before
    tc.gateway.run("nft", "flush", "ruleset")
    wait_within(lambda: tc.gateway.run("nft", "list", "ruleset").stdout == before, 3, "the table to be there again")
    natvi.down()
    assert tc.gateway.run("nft", "list", "ruleset").stdout == ""


def test_xdp_mode_by_reload(lab):
    """off, native, generic and off again, under a session."""
    net = Topology(lab, "xdp")
    natvi = net.running(config("tc"))
    remote, client = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))

    def mode():
        link = json.loads(net.gateway.run("ip", "-j", "link", "show", "wan0").stdout)[0]
        return {0: "off", 1: "native", 2: "generic"}[link.get("xdp", {}).get("mode", 0)]
    for wanted in ("native", "generic", "off", "native"):
        natvi.reload(config("tc") | {"interfaces": [{"name": n, "xdp": wanted} for n in ("lan0", "wan0")]})
        assert mode() == wanted
        assert exchange(client, remote, (SERVER, 5000)) == external
    natvi.down()
    assert mode() == "off"


def test_renamed_interface_is_left(tc):
    def switches(name):
        return [tc.gateway.get_sysctl("net.ipv4.conf.%s.%s" % (name, key)) for key in ("forwarding", "accept_local", "send_redirects")]

    before = switches("wan0")
    natvi = tc.running()
    assert switches("wan0") != before
    tc.gateway.ip("link set wan0 down", "link set wan0 name other0", "link set other0 up")
    wait_for(lambda: "natvi" not in tc.gateway.run("tc", "filter", "show", "dev", "other0", "ingress").stdout, 15,
             "natvi to leave the interface that has another name now")
    wait_for(lambda: switches("other0") == before, 15, "its switches to be put back")
    tc.gateway.ip("link set other0 down", "link set other0 name wan0", "link set wan0 up")
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    wait_for(lambda: answered(client, remote, (SERVER, 5000)), 15, "traffic again")
    natvi.stop()
    tc.gateway.ip("link set wan0 down", "link set wan0 name other0")
    natvi.down()
    assert switches("other0") == before


def test_part_of_a_bridge(tc):
    """The log and `doctor` say why an interface that somebody puts into a bridge translates nothing any more."""
    natvi = tc.running()
    assert "part of" not in natvi.cli("doctor", check=False).stdout
    tc.gateway.ip("link add br0 type bridge", "link set lan0 master br0")
    natvi.process.wait_output("lan0: it is a part of the bridge br0", 15)
    assert "warning: lan0: it is a part of the bridge br0" in natvi.cli("doctor", check=False).stdout


def test_masquerade_follows_the_address(net):
    """Another address on the interface: sessions and mappings on the old one are gone within a second."""
    natvi = net.running()
    remote, client = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE)
    assert exchange(client, remote, (SERVER, 5000))[0] == EXTERNAL
    net.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add 203.0.113.77/24 dev wan0")
    wait_within(lambda: not natvi.sessions() and not natvi.show("mappings"), 1.5, "what used the old address to end")
    net.gateway.ip("route replace default via %s" % SERVER)
    assert exchange(client, remote, (SERVER, 5000))[0] == "203.0.113.77"
    net.gateway.ip("addr del 203.0.113.77/24 dev wan0")
    wait_within(lambda: not natvi.sessions(), 1.5, "the sessions to end")
    net.gateway.ip("addr add %s/24 dev wan0" % EXTERNAL)
    wait_for(lambda: answered(client, remote, (SERVER, 5000)), 15, "traffic with the address that came back")


def test_many_events_at_once(tc):
    """A storm of route changes, more than a socket holds, and the address that changed in it is followed."""
    natvi = tc.running()
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    assert exchange(client, remote, (SERVER, 5000))[0] == EXTERNAL
    natvi.freeze()
    tc.gateway.ip(*["route %s 198.51.%d.%d/32 dev wan0" % (verb, 100, n) for _ in range(30) for n in range(200)
                    for verb in ("add", "del")])
    tc.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add 203.0.113.77/24 dev wan0")
    tc.gateway.ip("route replace default via %s" % SERVER)
    natvi.process.send_signal(18)
    wait_for(lambda: not natvi.sessions(), 15, "the sessions of the old address to end")
    assert exchange(client, remote, (SERVER, 5000))[0] == "203.0.113.77"


def test_next_hop_that_moves(net):
    """The next hop gets another MAC address, then the route another next hop: flows follow."""
    net.running()
    remote = net.outside.udp(REMOTE, 5000)
    client = net.inside.udp(INSIDE)
    exchange(client, remote, (REMOTE, 5000))
    net.outside.ip("link set eth0 down", "link set eth0 address 02:00:00:00:00:77", "link set eth0 up",
                   "route replace %s via %s" % (POOL, EXTERNAL))
    net.gateway.ip("neigh replace %s dev wan0 lladdr 02:00:00:00:00:77" % SERVER)
    wait_for(lambda: answered(client, remote, (REMOTE, 5000)), 15, "packets at the new MAC address")
    net.gateway.ip("route replace default via %s" % SERVER2)
    wait_for(lambda: answered(client, remote, (REMOTE, 5000)), 15, "packets by the new next hop")


def test_next_hops_are_kept_alive(tc):
    """Those of flows that have been resolved: from the second packet each way on."""
    natvi = tc.running()
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)

    def managed():
        return {line.split()[0] for line in tc.gateway.run("ip", "neigh").stdout.splitlines() if " managed" in line}
    for _ in range(3):
        exchange(client, remote, (SERVER, 5000))
    wait_for(lambda: managed() == {INSIDE, SERVER}, 15, "both next hops to be managed")
    natvi.cli("flush", "sessions")
    wait_for(lambda: not managed(), 15, "them to be let go")
    for _ in range(3):
        exchange(client, remote, (SERVER, 5000))
    wait_for(lambda: managed() == {INSIDE, SERVER}, 15, "them again")
    natvi.down()
    assert not managed()


def test_ipsec_policy_sends_flows_to_the_kernel(tc):
    natvi = tc.running()
    assert not status(natvi)["policy"]
    tc.gateway.run("ip", "xfrm", "policy", "add", "src", "198.18.0.0/24", "dst", "198.51.100.9/32", "dir", "out",
                   "tmpl", "src", EXTERNAL, "dst", SERVER, "proto", "esp", "mode", "tunnel")
    wait_for(lambda: status(natvi)["policy"], 15, "natvi to see the policy")
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))
    assert natvi.counter("slow-policy") > 0 or natvi.counter("slow-neighbour") > 0
    tc.gateway.run("ip", "xfrm", "policy", "flush")
    wait_for(lambda: not status(natvi)["policy"], 15, "natvi to see it go")
