# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""IPv6 is the kernel's: forwarding of it is the same with natvi as without."""
import pytest

from gateway import SERVER, INSIDE, config
from services import Nginx, fetch
from wire import Capture, exchange

INSIDE6, LAN6, WAN6, SERVER6 = "2001:db8:1::10", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:2::9"


@pytest.fixture
def net6(net):
    """The laboratory with IPv6 addresses beside the others, forwarded by the kernel."""
    for namespace in (net.inside, net.gateway, net.outside):
        for port in ("all", "default"):
            namespace.sysctl("net.ipv6.conf.%s.disable_ipv6" % port, 0)
    for namespace, ports in ((net.inside, ["eth0"]), (net.gateway, ["lan0", "wan0"]), (net.outside, ["eth0"])):
        for port in ports:
            namespace.sysctl("net.ipv6.conf.%s.disable_ipv6" % port, 0)
            namespace.sysctl("net.ipv6.conf.%s.accept_dad" % port, 0)
    net.gateway.sysctl("net.ipv6.conf.all.forwarding", 1)
    net.inside.ip("addr add %s/64 dev eth0 nodad" % INSIDE6, "route add default via %s" % LAN6)
    net.gateway.ip("addr add %s/64 dev lan0 nodad" % LAN6, "addr add %s/64 dev wan0 nodad" % WAN6)
    net.outside.ip("addr add %s/64 dev eth0 nodad" % SERVER6, "route add 2001:db8:1::/64 via %s" % WAN6)
    return net


def ping6(net, size=56):
    net.inside.ping(SERVER6, "-6", "-s", size, count=3)


def test_ipv6_is_untouched(net6):
    """Small, large, fragmented, both ways; the source address stays; so before, with and after natvi."""
    ping6(net6)
    natvi = net6.running(config(net6.hook))
    capture = Capture(net6.outside, filter="icmp6 and ip6[40] == 128")
    for size in (56, 1452, 4000):
        ping6(net6, size)
    net6.outside.ping(INSIDE6, "-6", count=3)
    assert {row[0] for row in capture.stop().fields("icmpv6.type == 128", "ipv6.src")} == {INSIDE6}
    natvi.stop()
    ping6(net6)
    natvi.start(config(net6.hook))
    natvi.down()
    ping6(net6)


def test_ipv6_and_ipv4_downloads(net6):
    natvi = net6.running(config(net6.hook))
    server = Nginx(net6.outside)
    conf = server.dir / "nginx.conf"
    conf.write_text(conf.read_text().replace("listen 80;", "listen 80; listen [::]:81;"))
    net6.outside.run("nginx", "-p", server.dir, "-c", conf, "-s", "reload")
    wanted = server.file("file", 5 << 20)
    assert fetch(net6.inside, "http://[%s]:81/file" % SERVER6, "--retry", 20, "--retry-connrefused", "--retry-delay", 1) == wanted
    assert fetch(net6.inside, "http://%s/file" % SERVER) == wanted
    assert INSIDE6 in server.log()
    exchange(net6.inside.udp(INSIDE), net6.outside.udp(SERVER, 5000), (SERVER, 5000))
    assert natvi.counter("not-ipv4") > 10
