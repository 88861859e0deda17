# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The daemon's tap for what has to wait: where it is, when it goes, and what is without it."""
import json
import os
import pathlib
import random
import re
import struct

import pytest
from scapy.all import IP, TCP, Raw

from gateway import EXTERNAL, INSIDE, SERVER, config
from lab import wait_for
from wire import Tap, exchange

TAP = re.compile(r"^nvtap\d+$")

needs_tun = pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="this kernel has no tap devices (CONFIG_TUN)")
pytestmark = needs_tun


def taps(namespace):
    """Links of the namespace that are a park's."""
    links = json.loads(namespace.run("ip", "-j", "-d", "link", "show").stdout)
    return [link for link in links if TAP.match(link.get("ifname", ""))]


def park(natvi):
    return json.loads(natvi.cli("status", "--json").stdout)["daemon"]["park"]


def control(natvi, field="park_ifindex"):
    """A field of the pinned control map, as it is in memory: the datapath's own view."""
    entry = json.loads(natvi.namespace.run("bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/natvi/%s/control" % natvi.instance).stdout)
    return entry[0]["formatted"]["value"][field]


def test_tap_is_there_and_quiet(net):
    """Up, no address, no ARP, no IPv6, large, bounded; its alias says what it is, and nothing comes out of it by itself."""
    net.gateway.sysctl("net.ipv6.conf.default.disable_ipv6", 0)
    natvi = net.running()
    (tap,) = taps(net.gateway)
    assert {"UP", "NOARP"} <= set(tap["flags"])
    assert tap["mtu"] >= 65000 and tap["txqlen"] == 1000
    assert natvi.instance in tap["ifalias"]
    assert tap["linkinfo"]["info_kind"] == "tun" and tap["linkinfo"]["info_data"]["type"] == "tap"
    assert not tap["linkinfo"]["info_data"].get("persist")
    assert net.gateway.get_sysctl("net.ipv6.conf.%s.disable_ipv6" % tap["ifname"]) == "1"
    addresses = json.loads(net.gateway.run("ip", "-j", "addr", "show", tap["ifname"]).stdout)
    assert not addresses[0]["addr_info"]
    assert control(natvi) == tap["ifindex"]
    assert "natvi_tc_parked" in net.gateway.run("tc", "filter", "show", "dev", tap["ifname"], "ingress").stdout
    assert park(natvi)["interface"] == tap["ifname"]
    assert park(natvi)["bytes"] == 0
    statistics = pathlib.Path("/proc/net/dev")
    with net.gateway.enter():
        line = next(l for l in statistics.read_text().splitlines() if tap["ifname"] in l)
    assert not any(int(n) for n in line.split(":")[1].split()), line


def test_no_tap_is_left(net):
    """stop, down and kill -9 leave none; the next start makes a new one and says so to the datapath."""
    natvi = net.running()
    natvi.stop()
    assert not taps(net.gateway)
    assert control(natvi) == 0
    natvi.start(config(net.hook))
    (tap,) = taps(net.gateway)
    natvi.kill()
    assert not taps(net.gateway)
    assert control(natvi) == tap["ifindex"]     # nobody was there to write
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    natvi.start(config(net.hook))
    (tap,) = taps(net.gateway)
    assert control(natvi) == tap["ifindex"]
    natvi.reload(config(net.hook, timeouts={"udp": 60}))
    assert taps(net.gateway)[0]["ifindex"] == tap["ifindex"]
    natvi.down()
    assert not taps(net.gateway)


def test_instances_have_their_own(net):
    """Two instances in one namespace."""
    first = net.running(config(net.hook, interfaces=("lan0",), rules=[]))
    second = net.natvi("b")
    second.start(config(net.hook, interfaces=("wan0",), rules=[]))
    assert park(first)["interface"] != park(second)["interface"]
    assert {t["ifname"] for t in taps(net.gateway)} == {park(first)["interface"], park(second)["interface"]}
    first.down()
    assert [t["ifname"] for t in taps(net.gateway)] == [park(second)["interface"]]


@pytest.mark.parametrize("harm", ["link del {0}", "link set {0} down", "link set {0} netns {1}"], ids=["deleted", "down", "moved"])
def test_tap_is_made_anew(net, harm):
    """Somebody removes, stops or moves it: nothing is sent there any more, and soon there is another one."""
    natvi = net.running()
    before = taps(net.gateway)[0]
    net.gateway.ip(harm.format(before["ifname"], net.outside.name))
    natvi.process.wait_output(r"somebody has .* the tap device")
    wait_for(lambda: control(natvi) not in (0, before["ifindex"]), 15, "another tap")
    (tap,) = taps(net.gateway)
    assert tap["ifindex"] == control(natvi) and "UP" in tap["flags"]
    assert not taps(net.outside)
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_tap_program_is_put_back(net):
    """Somebody takes the program off the tap."""
    natvi = net.running()
    tap = taps(net.gateway)[0]
    net.gateway.run("tc", "qdisc", "del", "dev", tap["ifname"], "clsact")
    wait_for(lambda: control(natvi) not in (0, tap["ifindex"]), 15, "another tap")
    assert "natvi_tc_parked" in net.gateway.run("tc", "filter", "show", "dev", taps(net.gateway)[0]["ifname"], "ingress").stdout


def without_tun(net):
    """natvi where /dev/net/tun is something else: in a mount namespace of its own."""
    natvi = net.natvi()
    natvi.start(config(net.hook), wrapper=["unshare", "--mount", "--propagation", "private", "sh", "-c",
                                           'mount --bind /dev/null /dev/net/tun && exec "$0" "$@"'])
    return natvi


def test_without_tun_everything_else_works(net):
    """No /dev/net/tun: a warning that says what it costs; status and doctor know; packets are forwarded."""
    natvi = without_tun(net)
    assert re.search(r"tap device.*before their predecessor.*SYNs", natvi.process.err)
    assert not taps(net.gateway)
    assert control(natvi) == 0
    assert exchange(net.inside.udp(INSIDE, 4000), net.outside.udp(SERVER, 5000), (SERVER, 5000)) == (EXTERNAL, 4000)
    assert park(natvi)["interface"] is None
    assert re.search(r"^park +none", natvi.cli("status").stdout, re.M)
    findings = natvi.cli("doctor", check=False).stdout
    assert "tap device" in findings, findings


def test_doctor_has_nothing_against_it(net):
    """The tap is no interface of the user's."""
    natvi = net.running()
    assert "nvtap" not in natvi.cli("doctor", check=False).stdout
    assert "tap device" not in natvi.cli("doctor", check=False).stdout


def test_frames_of_others(net):
    """Whatever some program writes to the tap: the daemon lives, holds what makes sense within its time, and nothing comes out."""
    natvi = net.running()
    tap = Tap(net.gateway, taps(net.gateway)[0]["ifname"])
    seen = net.tap("outside")
    chance = random.Random(3)
    port = json.loads(net.gateway.run("ip", "-j", "link", "show", "lan0").stdout)[0]["ifindex"]
    early = IP(src=INSIDE, dst=SERVER, proto=17, id=5, flags="MF", frag=185) / Raw(b"x" * 800)
    syn = IP(src=INSIDE, dst=SERVER) / TCP(sport=1, dport=2, flags="S")
    for kind, packet in ((1, early), (2, syn), (3, early), (0, syn), (1, syn), (2, early)):
        frame = struct.pack(">BBI", 2, kind, port) + bytes(6) + b"\x08\0" + bytes(packet)
        for length in range(14, len(frame)):
            tap.sock.send(frame[:length])
        for _ in range(200):
            at = chance.randrange(len(frame))
            tap.sock.send(frame[:at] + bytes([chance.randrange(256)]) + frame[at + 1:])
        tap.sock.send(struct.pack(">BBI", 2, kind, 0x7fffffff) + frame[6:])

    def met(kind, packet, name):
        """The queue of the tap is short: what is looked for is sent until it is there."""
        frame = struct.pack(">BBI", 2, kind, port) + bytes(6) + b"\x08\0" + bytes(packet)
        tap.sock.send(frame)
        tap.sock.send(frame[:-1])
        counts = park(natvi)[name]
        return counts["parked"] and counts["refused"]
    wait_for(lambda: met(1, early, "fragments") and met(2, syn, "syns"), 15, "good frames to be taken and others to be refused")
    wait_for(lambda: park(natvi)["fragments"]["held"] == 0, 15, "the fragments to be given up")
    seen.none(lambda p: p.haslayer(IP), "a packet")
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_status_shows_the_park(net):
    natvi = net.running()
    text = natvi.cli("status").stdout
    assert re.search(r"^park +nvtap\d+, 0 bytes$", text, re.M), text
    for what in ("fragments", "SYNs"):
        assert re.search(r"^%s +0 held, 0 parked, 0 released, 0 expired, 0 refused, 0 repeated$" % what, text, re.M), text
    assert set(park(natvi)["fragments"]) == {"held", "parked", "released", "expired", "refused", "repeated"}


def test_ids_begin_somewhere(net):
    """The counters of IP identifications begin by chance, and go on over a restart."""
    def ids(natvi):
        dump = natvi.namespace.run("bpftool", "-j", "map", "dump", "pinned", "/sys/fs/bpf/natvi/%s/ids" % natvi.instance).stdout
        return json.loads(dump)[0]["formatted"]["value"]["next"]
    natvi = net.running()
    first = ids(natvi)
    assert len(first) == 1024 and len(set(first)) > 1000
    natvi.stop()
    natvi.start(config(net.hook))
    assert ids(natvi) == first
    natvi.down()
    natvi.start(config(net.hook))
    assert sum(a == b for a, b in zip(first, ids(natvi))) < 10


def test_unit_permits_the_tap(net):
    """What packaging/natvi.service permits is enough: the device, and the capabilities."""
    unit = (pathlib.Path(__file__).parents[2] / "packaging" / "natvi.service").read_text()
    assert re.search(r"^DeviceAllow=/dev/net/tun rw$", unit, re.M)
    names = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).lower().replace("cap_", "+").split()
    natvi = net.natvi()
    natvi.start(config(net.hook), wrapper=["setpriv", "--no-new-privs", "--bounding-set=-all," + ",".join(names), "--inh-caps=-all"])
    before = taps(net.gateway)[0]
    # Also when it has given away what it does not need any more.
    net.gateway.ip("link del %s" % before["ifname"])
    wait_for(lambda: control(natvi) not in (0, before["ifindex"]), 15, "another tap")
