# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Routes to outside addresses by nvi0: made, kept, adopted and withdrawn, and exported by a routing daemon."""
import json

from gateway import EXTERNAL, INSIDE, REFUSE, REMOTE, SERVER, TO_POOL, config
from lab import veth, wait_for, wait_within
from wire import exchange


def pooled(net, *addresses, **more):
    return config("tc", [TO_POOL, REFUSE], pool={"addresses": list(addresses)}, **more)


def routes(namespace, table="main"):
    """Prefixes with natvi's protocol."""
    shown = json.loads(namespace.run("ip", "-j", "route", "show", "table", table, "proto", "208").stdout)
    assert all(r["dev"] == "nvi0" and r["scope"] == "link" for r in shown), shown
    return sorted(r["dst"] for r in shown)


def test_routes(tc):
    """As few prefixes as can be, without what an interface owns; forwards too; they follow a reload and stay at stop."""
    forward = {"proto": "tcp", "external": "192.0.2.100:443", "internal": INSIDE + ":8443"}
    tc.gateway.ip("addr add 192.0.2.17/32 dev lo")
    natvi = tc.running(pooled(tc, "192.0.2.0/28", "192.0.2.16-192.0.2.19", "203.0.113.32-203.0.113.34", forwards=[forward]))
    expected = ["192.0.2.0/28", "192.0.2.100", "192.0.2.16", "192.0.2.18/31", "203.0.113.32/31", "203.0.113.34"]
    assert routes(tc.gateway) == expected
    natvi.reload(pooled(tc, "192.0.2.0-192.0.2.19"))
    assert routes(tc.gateway) == ["192.0.2.0/28", "192.0.2.16", "192.0.2.18/31"]
    tc.gateway.ip("addr del 192.0.2.17/32 dev lo")
    wait_within(lambda: routes(tc.gateway) == ["192.0.2.0/28", "192.0.2.16/30"], 3, "the address that has gone to be among them")
    natvi.stop()
    assert routes(tc.gateway) == ["192.0.2.0/28", "192.0.2.16/30"]
    natvi.start(pooled(tc, "192.0.2.0/28"))
    assert routes(tc.gateway) == ["192.0.2.0/28"]
    natvi.down()
    assert routes(tc.gateway) == []


def test_routes_are_kept(tc):
    """They stay when the daemon is killed, the next one adopts them, and who deletes one gets it back."""
    natvi = tc.running(pooled(tc, "192.0.2.0/28", "203.0.113.32"))
    monitor = tc.gateway.spawn("ip", "monitor", "route")
    natvi.kill()
    assert routes(tc.gateway) == ["192.0.2.0/28", "203.0.113.32"]
    natvi.start(pooled(tc, "192.0.2.0/28"))
    wait_for(lambda: routes(tc.gateway) == ["192.0.2.0/28"], 15, "the stale one to be gone")
    assert "192.0.2.0/28" not in monitor.out
    tc.gateway.ip("route del 192.0.2.0/28 dev nvi0")
    wait_within(lambda: routes(tc.gateway) == ["192.0.2.0/28"], 3, "the route to be back")
    tc.gateway.ip("link set nvi0 down", "link set nvi0 up")
    wait_within(lambda: routes(tc.gateway) == ["192.0.2.0/28"], 3, "the route to be back after the device was down")


def test_nvi0_is_removed(tc):
    """Who removes nvi0 gets it and the routes back."""
    natvi = tc.running(pooled(tc, "192.0.2.0/28"))
    tc.gateway.ip("link del nvi0")
    wait_for(lambda: tc.gateway.run("ip", "link", "show", "nvi0", check=False).returncode == 0 and routes(tc.gateway) == ["192.0.2.0/28"],
             15, "the route to be back")
    natvi.down()
    assert routes(tc.gateway) == []


def test_foreign_route(tc):
    """A route of somebody else's to the same prefix is left alone and said; when it goes, natvi's is made."""
    tc.gateway.ip("route add blackhole 192.0.2.0/28")
    natvi = tc.running(pooled(tc, "192.0.2.0/28"))
    natvi.process.wait_output(r"192\.0\.2\.0/28: a route of somebody else's")
    assert routes(tc.gateway) == []
    assert "blackhole 192.0.2.0/28" in tc.gateway.run("ip", "route").stdout
    findings = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [f["subject"] for f in findings if f["id"] == "route"] == ["192.0.2.0/28"]
    tc.gateway.ip("route del blackhole 192.0.2.0/28")
    wait_within(lambda: routes(tc.gateway) == ["192.0.2.0/28"], 3, "natvi's own")
    assert "route" not in [f["id"] for f in json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]]
    tc.gateway.ip("route replace 192.0.2.0/28 via %s" % SERVER)
    wait_for(lambda: natvi.process.err.count("192.0.2.0/28: a route of somebody else's") == 2, 15, "it to be said again")
    natvi.down()
    assert "192.0.2.0/28 via %s" % SERVER in tc.gateway.run("ip", "route").stdout


def test_unmapped(tc):
    """What the box, or an interface that natvi does not serve, sends to an unmapped pool address ends at nvi0."""
    natvi = tc.running(pooled(tc, "192.0.2.0/28"))
    veth(tc.gateway, "dmz0", tc.inside, "eth1")
    tc.gateway.ip("addr add 198.18.1.1/24 dev dmz0")
    tc.inside.ip("addr add 198.18.1.10/24 dev eth1", "route add 192.0.2.0/28 via 198.18.1.1")
    tap = tc.tap()
    tc.inside.udp("198.18.1.10").sendto(b"?", ("192.0.2.5", 5000))
    wait_for(lambda: natvi.counter("nvi-loop") == 1, 15, "the forwarded packet to be dropped")
    tc.gateway.udp().sendto(b"?", ("192.0.2.5", 5000))
    wait_for(lambda: natvi.counter("no-mapping") == 1, 15, "the box's own packet to be dropped")
    tap.none(lambda p: p.haslayer("IP"), "a packet that should have ended", 0.2)


def test_mapped(tc):
    """The box reaches an inside host by the host's mapping in the pool."""
    tc.running(pooled(tc, "192.0.2.0/28"))
    inside, outside, box = tc.inside.udp(INSIDE, 4000), tc.outside.udp(SERVER, 53), tc.gateway.udp()
    external = exchange(inside, outside, (SERVER, 53))
    box.sendto(b"from the box", external)
    data, source = inside.recvfrom(100)
    assert data == b"from the box"
    inside.sendto(b"back", source)
    assert box.recvfrom(100)[0] == b"back"




# A routing daemon

BIRD = """
log stderr all; router id %(address)s;
protocol device { scan time 1; }
protocol kernel { %(kernel)s }
protocol bgp neighbour {
    local %(address)s as %(own)d; neighbor %(other)s as %(their)d;
    connect delay time 1; connect retry time 1; error wait time 1, 1;
    ipv4 { %(ipv4)s };
}
"""
# What natvi.8 tells the operator to write.
EXPORTER = {"kernel": "learn; scan time 1; ipv4 { import where krt_source = 208; export none; };",
            "ipv4": "import none; export where source = RTS_INHERIT && krt_source = 208;"}
IMPORTER = {"kernel": "scan time 1; ipv4 { import none; export all; };", "ipv4": "import all; export none;"}


class Bird:
    """BIRD in a namespace, with all its files in the test's directory."""

    def __init__(self, namespace, address, other, own, their, role):
        base = namespace.lab.dir / ("bird-%d" % own)
        base.with_suffix(".conf").write_text(BIRD % dict(role, address=address, other=other, own=own, their=their))
        self.process = namespace.spawn("bird", "-f", "-c", base.with_suffix(".conf"), "-s", base.with_suffix(".ctl"),
                                       "-P", base.with_suffix(".pid"))


def learned(namespace):
    """Prefixes that BIRD has put into the kernel's table."""
    shown = json.loads(namespace.run("ip", "-j", "route", "show", "proto", "bird").stdout)
    assert all(r["gateway"] == EXTERNAL for r in shown), shown
    return sorted(r["dst"] for r in shown)


def test_bird(tc):
    """The router learns the pool from BIRD on the gateway, reaches hosts by it, and forgets it when the pool has gone."""
    tc.outside.ip("route del 192.0.2.0/28")
    Bird(tc.gateway, EXTERNAL, SERVER, 65001, 65002, EXPORTER)
    Bird(tc.outside, SERVER, EXTERNAL, 65002, 65001, IMPORTER)
    natvi = tc.running(pooled(tc, "192.0.2.0/28"))
    wait_for(lambda: learned(tc.outside) == ["192.0.2.0/28"], 20, "the router to learn the pool")
    inside, outside = tc.inside.udp(INSIDE, 4000), tc.outside.udp(REMOTE, 53)
    assert exchange(inside, outside, (REMOTE, 53))[0].startswith("192.0.2.")
    assert routes(tc.gateway) == ["192.0.2.0/28"], "BIRD leaves natvi's route alone"

    natvi.reload(pooled(tc, "192.0.2.64", orphans="kill"))
    wait_for(lambda: learned(tc.outside) == ["192.0.2.64"], 15, "the one prefix to be withdrawn and the other to be learned")
    natvi.kill()
    assert learned(tc.outside) == ["192.0.2.64"]
    natvi.cli("down")
    wait_for(lambda: learned(tc.outside) == [], 15, "the rest to be withdrawn")
