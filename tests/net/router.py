# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A router whose own nftables rules decide, and natvi beside them, which only accelerates."""
import json
import re
import socket

import pytest

from gateway import EXTERNAL, GATEWAY, SERVER, Topology
from lab import PATIENCE_S, wait_for, wait_within

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


    def tracked(self, *words):
        """conntrack's entries that these options of conntrack(8) select, each as (state, seconds left, line); UDP has no state."""
        text = self.gateway.run("conntrack", "-L", *words, check=False).stdout
        found = [re.match(r"\w+ +\d+ (\d+) ([A-Z_]+)?", line) for line in text.splitlines()]
        return [(m.group(2), int(m.group(1)), m.string) for m in found if m]


@pytest.fixture
def router(lab, hook):
    return Router(lab, hook)


@pytest.fixture
def tc_router(lab):
    return Router(lab, "tc")


def accelerated(natvi):
    return natvi.counter("accelerated")


class Talk:
    """A conversation, question by answer: from an address of one host to `to`, served at an address of another host."""

    def __init__(self, kind, client, source, server, served, to=None, port=0):
        """kind: "udp" or "tcp"; served, to: (address, port); to is served if not given; port: the client's."""
        self.kind, self.name = kind, "%s from %s to %s" % (kind, source, to or served)
        number = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        self.client, self.server = client.socket(number, family=family), server.socket(number, family=family)
        for sock, address in ((self.client, (source, port)), (self.server, served)):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(address)
        self.seen = None        # whom the server sees
        if kind == "tcp":
            self.server.listen()
            self.client.connect(to or served)
            self.listener, (self.server, self.seen) = self.server, self.server.accept()
            server.lab.defer(self.server.close)
            self.server.settimeout(PATIENCE_S)
            for sock in (self.client, self.server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.client.connect(to or served)

    def turn(self, times=1, text=b"natvi"):
        for _ in range(times):
            self.client.send(text)
            self.serve(text)
        return self

    def serve(self, text):
        if self.kind == "tcp":
            assert _receive(self.server, len(text)) == text, self.name
            self.server.send(text[::-1])
        else:
            data, self.seen = self.server.recvfrom(65535)
            assert data == text, self.name
            self.server.sendto(text[::-1], self.seen)
        assert _receive(self.client, len(text)) == text[::-1], self.name

    def hushed(self, timeout=2):
        """What the client says does not arrive any more; a datagram that waits in the socket does not count. UDP."""
        self.server.settimeout(0.4)
        try:
            wait_within(self._unheard, timeout, "%s to be dropped" % self.name)
        finally:
            self.server.settimeout(PATIENCE_S)

    def _unheard(self):
        self.client.send(b"?")
        try:
            self.server.recv(65535)
        except socket.timeout:
            return True
        return False


def _receive(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, "the connection ended"
        data += piece
    return data


def speedy(natvi, *talks, timeout=PATIENCE_S):
    """Go on with the talks until all that each says is accelerated, but for the kernel's share."""
    for talk in talks:
        wait_for(lambda: _share(natvi, talks, talk) >= 12, timeout, "%s to be accelerated" % talk.name)


def _share(natvi, talks, talk):
    for other in talks:
        other.turn()
    before = accelerated(natvi)
    talk.turn(10)
    return accelerated(natvi) - before
