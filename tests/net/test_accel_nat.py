# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What an accelerated packet looks like when it arrives, whatever NAT the kernel's rules make: addresses, ports, checksums, TTL."""
from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDE3, SERVER
from router import (EXTERNAL6, FIREWALL, INSIDE6, SERVER6, Talk, accelerated, router, speedy,  # noqa: F401
                    tc_router)
from services import Nginx, fetch
from wire import Capture

MAPPED6, TARGET6 = "2001:db8:1::11", "2001:db8:1::12"
NAT = """
table ip nat {
  chain pre { type nat hook prerouting priority dstnat; iifname "wan0" meta l4proto { tcp, udp } th dport 8080 dnat to %s:80; }
  chain post { type nat hook postrouting priority srcnat; oifname "wan0" ip saddr != %s masquerade; }
}
table ip6 nat {
  chain pre { type nat hook prerouting priority dstnat; iifname "wan0" meta l4proto { tcp, udp } th dport 8080 dnat to [%s]:80; }
  chain post { type nat hook postrouting priority srcnat; oifname "wan0" ip6 saddr %s snat to %s; }
}
""" % (INSIDE3, INSIDE2, TARGET6, MAPPED6, EXTERNAL6) + FIREWALL % "ct status dnat accept"


def test_every_nat(router):  # noqa: F811
    """Both protocols and families; masquerade, DNAT, NAT66, none: accelerated, right addresses and checksums, one hop less."""
    router.rules(NAT)
    router.inside.ip(*["addr add %s/64 dev eth0 nodad" % a for a in (MAPPED6, TARGET6)])
    if router.hook == "tc":
        router.real_checksums()
    natvi = router.running()
    talks = []
    for number, kind in enumerate(("udp", "tcp")):
        outward = ((INSIDE, SERVER, EXTERNAL), (INSIDE2, SERVER, INSIDE2), (INSIDE6, SERVER6, INSIDE6), (MAPPED6, SERVER6, EXTERNAL6))
        for port, (source, server, seen) in enumerate(outward, 5000):
            talks.append((Talk(kind, router.inside, source, router.outside, (server, port)), seen))
        for source, server, to in ((SERVER, INSIDE3, EXTERNAL), (SERVER6, TARGET6, EXTERNAL6)):
            talks.append((Talk(kind, router.outside, source, router.inside, (server, 80), (to, 8080)), source))
    speedy(natvi, *[talk for talk, _ in talks])
    captures = [Capture(namespace, filter="tcp or udp") for namespace in (router.inside, router.outside)]
    for talk, seen in talks:
        before = accelerated(natvi)
        talk.turn(20, b"as it was sent")
        assert accelerated(natvi) >= before + 30, talk.name
        assert talk.seen[0] == seen, talk.name
    for capture in captures:
        good = capture.stop().checksums()
        assert min(good["tcp"], good["udp"]) >= 6 * 20, good
        hops = {ttl or limit for ttl, limit in capture.fields("tcp || udp", "ip.ttl", "ipv6.hlim")}
        assert hops == {"63"}, hops
    assert router.invalid() == 0


def test_bulk_of_what_was_translated(router):  # noqa: F811
    """Megabytes both ways through masquerade and NAT66, as large as the hosts send them: right to the byte."""
    router.rules(NAT)
    router.inside.ip("addr add %s/64 dev eth0 nodad" % MAPPED6)
    natvi, nginx = router.running(), Nginx(router.outside)
    for source, server in ((INSIDE, SERVER), (MAPPED6, "[%s]" % SERVER6)):
        before = accelerated(natvi)
        size = 20 << 20
        wanted = nginx.file("large", size)
        assert fetch(router.inside, "http://%s/large" % server, "--interface", source) == wanted
        assert accelerated(natvi) > before + size // 65536 * 3 // 4     # a packet a second is the kernel's
    assert router.invalid() == 0
