# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Which way accelerated packets go: policy routing, conntrack zones, path MTU, loss and reordering; and what is excluded."""
import errno
import socket
import threading
import time

import pytest

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, REMOTE, SERVER
from lab import PATIENCE_S, run, veth, wait_for
from router import FIREWALL, MASQUERADE, SERVER6, Talk, accelerated, router, speedy, tc_router  # noqa: F401
from services import Nginx, fetch
from uplinks import SERVER1, add_uplink
from wire import Tap

RULES = {
    "from": ("from %s" % INSIDE2, ""),
    "iif": ("iif lan0", ""),
    "fwmark": ("fwmark 7", 'table inet marks { chain pre { type filter hook prerouting priority mangle; '
                           'iifname "lan0" ip saddr %s meta mark set 7; }\n}' % INSIDE2),
}


def with_port(router, name):  # noqa: F811
    config = router.config()
    config["interfaces"].append(dict(config["interfaces"][0], name=name))
    return config


@pytest.mark.parametrize("hook, rule", [("xdp", "from"), ("tc", "iif"), ("xdp", "fwmark")])
def test_policy_routing(router, rule):  # noqa: F811
    """By what it came from, came in by, was marked with: all by the second uplink, and accelerated."""
    words, ruleset = RULES[rule]
    add_uplink(router)
    router.rules(FIREWALL % "" + ruleset)
    router.outside.ip("route replace 198.18.0.0/15 via %s" % EXTERNAL)
    router.gateway.ip("route add default via %s dev wan1 table 100" % SERVER1, "rule add %s table 100" % words)
    natvi = router.running(with_port(router, "wan1"))
    talk = Talk("udp", router.inside, INSIDE2, router.outside, (REMOTE, 5000))
    taps = Tap(router.outside, "eth0"), Tap(router.outside, "eth1")
    speedy(natvi, talk)
    for tap in taps:
        tap.drain()
    before = accelerated(natvi)
    talk.turn(20)
    assert accelerated(natvi) >= before + 30
    assert all(taps[1].receive(lambda p: p.haslayer("UDP"), 5) for _ in range(20))
    taps[0].none(lambda p: p.haslayer("UDP"), "what belongs on the second uplink", 0.1)


def test_conntrack_zones(router):  # noqa: F811
    """Two networks behind the router with the same addresses, told apart by a zone and a mark: each has its own answers."""
    other = router.lab.namespace("in2")
    veth(router.gateway, "lan1", other, "eth0")
    other.ip("addr add %s/24 dev eth0" % INSIDE, "route add default via %s" % GATEWAY)
    if router.hook == "xdp":
        other.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "on")
    router.gateway.ip("addr add %s/32 dev lan1" % GATEWAY, "route add 198.18.0.0/24 dev lan1 table 102", "rule add fwmark 2 table 102")
    router.rules(MASQUERADE + FIREWALL % 'iifname "lan1" accept' + """
        table inet split {
          chain raw { type filter hook prerouting priority raw; iifname "lan1" ct original zone set 2; }
          chain marks { type filter hook prerouting priority mangle; iifname "lan1" ct mark set 2; meta mark set ct mark; }
        }""")
    natvi = router.running(with_port(router, "lan1"))
    one = Talk("udp", router.inside, INSIDE, router.outside, (SERVER, 5000), port=4000)
    two = Talk("udp", other, INSIDE, router.outside, (SERVER, 5000), port=4000)
    two.server.close()
    two.server = one.server
    before, until, number = accelerated(natvi), time.monotonic() + 5, 0
    while time.monotonic() < until:
        number += 1
        one.turn(text=b"one %d" % number)
        seen = one.seen
        two.turn(text=b"two %d" % number)
        assert seen != two.seen
    assert accelerated(natvi) > before + 20
    one.client.close()
    speedy(natvi, two)


def passes(talk, text):
    """An error that is told late is one of a datagram before."""
    for sock in (talk.client, talk.server):
        sock.settimeout(1)
    try:
        return talk.turn(1, text)
    except OSError:
        return False
    finally:
        for sock in (talk.client, talk.server):
            sock.settimeout(PATIENCE_S)


@pytest.mark.parametrize("hook, what", [("xdp", "link"), ("tc", "route")])
def test_path_mtu(router, what):  # noqa: F811
    """Too big for the way out: the sender is told so, in both families, and transfers work."""
    if what == "link":
        router.gateway.ip("link set wan0 mtu 1400")
        router.outside.ip("link set eth0 mtu 1400")
    else:
        router.gateway.ip("route replace default via %s mtu 1400" % SERVER, "route replace %s/32 dev wan0 mtu 1400" % SERVER,
                          "route replace %s/128 dev wan0 mtu 1400" % SERVER6)
    natvi, nginx = router.running(), Nginx(router.outside)
    for source, server in ((INSIDE, SERVER), ("2001:db8:1::10", SERVER6)):
        talk = Talk("udp", router.inside, source, router.outside, (server, 5000))
        level, name = (socket.IPPROTO_IPV6, 23) if ":" in source else (socket.IPPROTO_IP, 10)     # IP(V6)_MTU_DISCOVER
        talk.client.setsockopt(level, name, 2)          # IP_PMTUDISC_DO
        speedy(natvi, talk)
        talk.client.send(bytes(1440))
        talk.server.settimeout(0.5)
        with pytest.raises(socket.timeout):
            talk.server.recv(2000)
        talk.server.settimeout(PATIENCE_S)

        def told():
            try:
                talk.client.send(bytes(1440))
            except OSError as error:
                return error.errno == errno.EMSGSIZE
            return False
        wait_for(told, 15, "the path's MTU to be told by %s" % source)
        wait_for(lambda: passes(talk, bytes(1300)), 15, "what is small enough to pass")
        data = router.lab.dir / "upload"
        data.write_bytes(bytes(range(256)) * 8192)
        host = "[%s]" % server if ":" in server else server
        router.inside.run("curl", "-sSf", "--max-time", 90, "-T", data, "http://%s/up%d" % (host, len(source)))
        assert nginx.uploaded("up%d" % len(source)) == run(["sha256sum", data]).stdout.split()[0]
    assert router.invalid() == 0


@pytest.mark.parametrize("hook", ["tc"])
def test_excluded(router):  # noqa: F811
    """By port, address, mark: these work, and are the kernel's; what is beside them is not."""
    router.rules(MASQUERADE + FIREWALL % "" + 'table inet marks { chain pre { type filter hook prerouting priority mangle; '
                 'udp dport 5003 meta mark set 0x100; udp sport 5003 meta mark set 0x100; tcp dport 5003 ct mark set 0x100; }\n}')
    natvi = router.running(dict(router.config(), accelerate={"exclude": [
        {"to": {"port": 5001}}, {"from": {"interface": "lan0", "source": INSIDE2}}, {"mark": "0x100/0xff00"}]}))
    for kind in ("udp", "tcp"):
        out = [Talk(kind, router.inside, source, router.outside, (SERVER, port))
               for source, port in ((INSIDE, 5001), (INSIDE2, 5002), (INSIDE, 5003))]
        beside = Talk(kind, router.inside, INSIDE, router.outside, (SERVER, 5000))
        for talk in out:
            talk.turn(3)
        speedy(natvi, beside)
        for talk in out:
            talk.turn(3)
        time.sleep(1.1)     # into a second that has begun after all of them were assured
        for talk in out:
            before = accelerated(natvi)
            talk.turn(20)
            assert accelerated(natvi) == before, talk.name


LOSSY = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
unsigned int seen;
SEC("tc")
int lossy(struct __sk_buff *skb)
{
	unsigned int n;

	if (skb->mark == 0x77 || skb->protocol != bpf_htons(ETH_P_IP) || skb->len < 100)
		return TC_ACT_OK;
	n = __sync_fetch_and_add(&seen, 1);
	if (n % 211 == 17)
		return TC_ACT_SHOT;
	return n % 53 == 5 ? bpf_redirect(HOLD, 0) : TC_ACT_OK;
}
char LICENSE[] SEC("license") = "Dual BSD/GPL";
"""


class Lossy:
    """What a host sends by eth0: of 211 larger packets one is lost, and each 53rd arrives some packets late."""

    def __init__(self, namespace, eth="eth0"):
        do = namespace.run
        do("ip", "link", "add", "hold0", "type", "veth", "peer", "name", "hold1")
        namespace.ip("link set hold0 up", "link set hold1 up", "link set hold1 promisc on")
        index = int(do("ip", "-o", "link", "show", "hold0").stdout.split(":")[0])
        source, built = (namespace.lab.dir / ("lossy-%s.%s" % (namespace.name, end)) for end in ("c", "o"))
        source.write_text(LOSSY)
        run(["clang-16", "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-DHOLD=%d" % index, "-I/usr/include/x86_64-linux-gnu",
             "-c", source, "-o", built])
        namespace.ip("link set %s gso_max_segs 1" % eth)       # frame by frame, as on a wire
        do("ethtool", "-K", "hold0", "tx", "off", "tso", "off", "gso", "off")
        do("tc", "qdisc", "add", "dev", eth, "clsact")
        do("tc", "filter", "add", "dev", eth, "egress", "bpf", "direct-action", "object-file", built, "section", "tc")
        self.held, self.out = Tap(namespace, "hold1").sock, Tap(namespace, eth).sock
        self.out.setsockopt(socket.SOL_SOCKET, 36, 0x77)      # SO_MARK: not to be held again
        self.held.settimeout(0.1)
        self.late, self.over = 0, False
        self.thread = threading.Thread(target=self._deliver, daemon=True)
        self.thread.start()
        namespace.lab.defer(self.close)

    def _deliver(self):
        while not self.over:
            try:
                frame = self.held.recv(65535)
            except OSError:
                continue
            time.sleep(0.003)
            self.out.send(frame)
            self.late += 1

    def close(self):
        self.over = True
        self.thread.join(5)


@pytest.mark.parametrize("upload", [False, True], ids=["download", "upload"])
def test_loss_and_reordering(router, upload):  # noqa: F811
    router.send_plain()
    natvi, nginx = router.running(), Nginx(router.outside)
    lossy = Lossy(router.inside if upload else router.outside)
    size = 6 << 20
    if upload:
        data = router.lab.dir / "upload"
        data.write_bytes(bytes(range(256)) * (size // 256))
        router.inside.run("curl", "-sSf", "--max-time", 150, "-T", data, "http://%s/up" % SERVER, timeout=160)
        assert nginx.uploaded("up") == run(["sha256sum", data]).stdout.split()[0]
    else:
        assert nginx.file("large", size) == fetch(router.inside, "http://%s/large" % SERVER)
    assert lossy.late > 20
    assert accelerated(natvi) > size / 65536
    assert router.invalid() == 0


def test_ipsec_policy(tc_router):  # noqa: F811
    """What a policy that comes later selects, translated, does not go past it; what it does not select goes on."""
    natvi = tc_router.running()
    secret = Talk("udp", tc_router.inside, INSIDE, tc_router.outside, (REMOTE, 5000))
    plain = Talk("udp", tc_router.inside, INSIDE2, tc_router.outside, (SERVER, 5000))
    speedy(natvi, secret, plain)
    tc_router.gateway.run("ip", "xfrm", "policy", "add", "src", EXTERNAL + "/32", "dst", REMOTE + "/32", "dir", "out",
                          "tmpl", "src", EXTERNAL, "dst", SERVER, "proto", "esp", "mode", "tunnel")
    secret.hushed()     # there is no state: nothing may leave at all
    before = accelerated(natvi)
    plain.turn(20)
    assert accelerated(natvi) >= before + 30
