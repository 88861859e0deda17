# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Translate first, route afterwards: the kernel's policy routing sees the translated source, the original input interface, mark and TOS.

    inside 198.18.0.10-.13 -- lan0 [gateway] wan0 203.0.113.1 -- 203.0.113.9 outside, 198.51.100.1
    other  198.19.0.10     -- lan1           wan1 192.0.2.129 -- 192.0.2.254 second,  198.51.100.1

Both uplinks have a server with the address 198.51.100.1: who answers shows which way a packet took.
"""
import socket

import pytest

from gateway import EXTERNAL, INSIDE, INSIDE2, POOL, REMOTE, SERVER, Topology
from lab import run, veth, wait_within
from services import Nginx, fetch

SECOND = "192.0.2.254"
EXTERNAL2 = "192.0.2.129"
POOL2 = "192.0.2.144/28"
OTHER = "198.19.0.10"
FIRST_UPLINK, SECOND_UPLINK = "first uplink", "second uplink"
PORT = 5000
SET_MARK = """
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
__attribute__((section("tc"), used))
int mark(struct __sk_buff *skb)
{
	skb->mark = 7;
	return TC_ACT_UNSPEC;
}
"""
EVERYONE = [{"name": n, "xdp": "off"} for n in ("lan0", "lan1", "wan0", "wan1")]


class TwoUplinks(Topology):
    def __init__(self, lab, hook):
        super().__init__(lab, hook)
        self.second, self.other = lab.namespace("out2"), lab.namespace("in2")
        veth(self.gateway, "wan1", self.second, "eth0")
        veth(self.gateway, "lan1", self.other, "eth0")
        self.gateway.ip("addr add %s/25 dev wan1" % EXTERNAL2, "addr add 198.19.0.1/24 dev lan1",
                        "route add default via %s table 101" % SERVER, "route add default via %s table 102" % SECOND)
        self.other.ip("addr add %s/24 dev eth0" % OTHER, "route add default via 198.19.0.1")
        self.second.ip("addr add %s/25 dev eth0" % SECOND, "addr add %s/32 dev lo" % REMOTE)
        for namespace, name in ((self.outside, FIRST_UPLINK), (self.second, SECOND_UPLINK)):
            self.answer(namespace, name)
            if hook == "xdp":
                namespace.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gro", "on")
        if hook == "xdp":
            self.other.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gro", "on")

    def answer(self, namespace, name):
        """A UDP service on REMOTE that tells its name and who asked."""
        namespace.spawn("/usr/bin/python3", "-c", "import socket\n"
                        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind((%r, %d))\nprint('bound', flush=True)\n"
                        "while True:\n d, a = s.recvfrom(99)\n s.sendto(('%s|%%s|%%d' %% a).encode(), a)\n" % (REMOTE, PORT, name)
                        ).wait_output("bound")

    def run(self, rules, **more):
        interfaces = [dict(i, xdp="native" if self.hook == "xdp" else "off") for i in EVERYONE]
        natvi = self.natvi()
        natvi.start({"interfaces": interfaces, "rules": rules, **more})
        return natvi

    def rule(self, *words):
        self.gateway.run("ip", "rule", "add", *words)


def ask(sock, to=REMOTE):
    """Which server answers, and what address it saw."""
    sock.settimeout(20)
    sock.sendto(b"who", (to, PORT))
    name, address, _ = sock.recv(99).decode().split("|")
    return name, address


def goes(sock, way):
    """Does a datagram go this way? One that is lost while the way changes goes none."""
    sock.settimeout(0.5)
    sock.sendto(b"who", (REMOTE, PORT))
    try:
        return sock.recv(99).decode().startswith(way)
    except TimeoutError:
        return False


@pytest.fixture
def uplinks(lab, hook):
    return TwoUplinks(lab, hook)


FROM_LAN = {"interface": ["lan0", "lan1"]}
POOLS = [{"name": "first", "addresses": [POOL]}, {"name": "second", "addresses": [POOL2]}]


def test_by_translated_source(uplinks):
    """`ip rule from POOL`: two hosts of one network leave by two uplinks, because they are translated to two pools."""
    uplinks.rule("from", POOL, "lookup", "101")
    uplinks.rule("from", POOL2, "lookup", "102")
    natvi = uplinks.run([{"from": {"interface": "lan0", "source": [INSIDE + "/32"]}, "action": {"snat": "first"}},
                         {"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    one, two = uplinks.inside.udp(INSIDE), uplinks.inside.udp(INSIDE2)
    for _ in range(3):  # the first packet makes the session, the others go by it
        name, address = ask(one)
        assert name == FIRST_UPLINK and address.startswith("192.0.2.") and int(address.rsplit(".", 1)[1]) < 16
        name, address = ask(two)
        assert name == SECOND_UPLINK and 144 <= int(address.rsplit(".", 1)[1]) < 160
    assert natvi.counter("forward") >= 6
    if uplinks.hook == "xdp":
        assert natvi.show("stats")["xdp_hits"] >= 4


def test_transfer_by_translated_source(uplinks):
    """The kernel's own table would send it by wan0; all of a long transfer goes by wan1, at the hook."""
    uplinks.rule("from", POOL2, "lookup", "102")
    web = Nginx(uplinks.second)
    digest = web.file("large", 8 << 20)
    natvi = uplinks.run([{"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    assert fetch(uplinks.inside, "http://%s/large" % REMOTE) == digest
    counted = {v["name"]: v["packets"] for v in natvi.show("stats")["verdicts"]}
    assert counted["forward"] > 100
    assert sum(n for name, n in counted.items() if name.startswith("slow-")) <= 2


def test_by_input_interface(uplinks):
    """`ip rule iif`: the original input interface is known to the look-up of the translated packet."""
    uplinks.rule("iif", "lan1", "lookup", "102")
    uplinks.run([{"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    # both leave translated to an address of the second uplink's subnet; only the way differs
    uplinks.outside.ip("route add %s via %s" % (POOL2, EXTERNAL))
    for _ in range(2):
        assert ask(uplinks.other.udp(OTHER))[0] == SECOND_UPLINK
        assert ask(uplinks.inside.udp(INSIDE))[0] == FIRST_UPLINK


def test_masquerade_follows_the_first_look_up(uplinks):
    """The rule and the address to masquerade by go by the way out of look-up 1."""
    uplinks.rule("iif", "lan1", "lookup", "102")
    uplinks.run([{"from": FROM_LAN, "to": {"interface": ["wan0", "wan1"]}, "action": "masquerade"}])
    assert ask(uplinks.inside.udp(INSIDE)) == (FIRST_UPLINK, EXTERNAL)
    assert ask(uplinks.other.udp(OTHER)) == (SECOND_UPLINK, EXTERNAL2)


def test_by_mark(uplinks):
    """A mark that another tc program has set decides the way, for the first packet and for those that follow."""
    source, target = uplinks.lab.dir / "mark.c", uplinks.lab.dir / "mark.o"
    source.write_text(SET_MARK)
    run(["clang-16", "-target", "bpf", "-O2", "-g", "-I/usr/include/%s" % run(["gcc", "-print-multiarch"]).stdout.strip(),
         "-c", source, "-o", target])
    uplinks.rule("fwmark", "7", "lookup", "102")
    natvi = uplinks.run([{"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    uplinks.outside.ip("route add %s via %s" % (POOL2, EXTERNAL))
    sock = uplinks.inside.udp(INSIDE)
    assert ask(sock)[0] == FIRST_UPLINK
    uplinks.gateway.run("tc", "filter", "add", "dev", "lan0", "ingress", "pref", "1", "bpf", "da", "obj", target, "sec", "tc")
    marked = uplinks.inside.udp(INSIDE)
    for _ in range(3):
        assert ask(marked)[0] == SECOND_UPLINK
    assert natvi.counter("new-forward") + natvi.counter("slow-policy") + natvi.counter("slow-neighbour") >= 2


def test_dscp_change_within_a_flow(uplinks):
    """With a routing rule that asks for the TOS, a flow that changes its TOS changes its way, there and back."""
    uplinks.rule("tos", "0x10", "lookup", "102")
    natvi = uplinks.run([{"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    uplinks.outside.ip("route add %s via %s" % (POOL2, EXTERNAL))
    sock = uplinks.inside.udp(INSIDE)
    for tos, way in ((0, FIRST_UPLINK), (0x10, SECOND_UPLINK), (0x10, SECOND_UPLINK), (0, FIRST_UPLINK), (0, FIRST_UPLINK)):
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        assert ask(sock)[0] == way, "TOS %#x" % tos
    assert len(natvi.sessions("proto", "udp")) == 1


def test_rules_that_come_later(uplinks):
    """A routing rule that is added moves flows that are there; taken away, they move back. Within a second."""
    natvi = uplinks.run([{"from": FROM_LAN, "action": {"snat": "second"}}], pools=POOLS)
    uplinks.outside.ip("route add %s via %s" % (POOL2, EXTERNAL))
    sock = uplinks.inside.udp(INSIDE)
    assert ask(sock)[0] == FIRST_UPLINK
    uplinks.rule("from", POOL2, "lookup", "102")
    wait_within(lambda: goes(sock, SECOND_UPLINK), 1, "the flow to move")
    uplinks.gateway.run("ip", "rule", "del", "from", POOL2, "lookup", "102")
    wait_within(lambda: goes(sock, FIRST_UPLINK), 1, "the flow to move back")
    assert len(natvi.sessions("proto", "udp")) == 1
