# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""TCP's maximum segment size, held to what fits (natvi.yaml: interfaces, mss), seen by real programs.

The hosts here do no path MTU discovery: what is not cut down by the option would be lost.
"""
import pytest
from scapy.all import IP, TCP

from gateway import INSIDE, SERVER, config
from services import Nginx, fetch
from test_nat import frame
from wire import Capture, Tap

NARROW = 1280
TCP_MAXSEG_HEADERS = 40
ETHERNET = 14


def with_mss(net, **mss):
    """natvi with these settings of `mss`, by interface"""
    configuration = config(net.hook)
    for interface in configuration["interfaces"]:
        if interface["name"] in mss:
            interface["mss"] = mss[interface["name"]]
    return net.running(configuration)


def asked_for(packet):
    """The MSS option of a SYN, or None"""
    return dict(o for o in packet[TCP].options if len(o) == 2).get("MSS")


def handshake(net):
    """One real connection: the MSS options that arrive outside (of the SYN) and inside (of the SYN-ACK)"""
    out, back = Tap(net.outside), Tap(net.inside)
    net.outside.tcp_listen(SERVER, 5080)
    client = net.inside.tcp(INSIDE)
    client.connect((SERVER, 5080))
    syn = out.expect(lambda p: TCP in p and p[TCP].flags == "S" and p[IP].dst == SERVER, "the SYN")
    syn_ack = back.expect(lambda p: TCP in p and p[TCP].flags == "SA" and p[IP].dst == INSIDE, "the SYN-ACK")
    return asked_for(syn), asked_for(syn_ack)


def test_left_alone_by_default(net):
    with_mss(net)
    assert handshake(net) == (1460, 1460)


@pytest.mark.parametrize("where", ["lan0", "wan0"])
def test_a_number_holds_in_both_directions(net, where):
    with_mss(net, **{where: 1300})
    assert handshake(net) == (1300, 1300)


def test_the_smaller_of_two_interfaces(net):
    with_mss(net, lan0=1400, wan0=1200)
    assert handshake(net) == (1200, 1200)


def test_never_made_larger(net):
    net.inside.run("ip", "route", "replace", "default", "via", "198.18.0.1", "advmss", "900")
    with_mss(net, wan0=1300)
    assert handshake(net) == (900, 1300)


def test_auto_follows_the_narrower_link(net):
    """The gateway's link to the outside is narrow, and neither host knows of it."""
    net.gateway.ip("link set wan0 mtu %d" % NARROW)
    with_mss(net, wan0="auto")
    assert handshake(net) == (NARROW - TCP_MAXSEG_HEADERS, NARROW - TCP_MAXSEG_HEADERS)


def test_transfers_where_path_mtu_discovery_is_broken(net):
    """Downloads and uploads over a narrow link by hosts that never set DF and never learn: nothing is cut into fragments."""
    net.gateway.ip("link set wan0 mtu %d" % NARROW)
    for host in (net.inside, net.outside):
        host.sysctl("net.ipv4.ip_no_pmtu_disc", 1)
    web = Nginx(net.outside)
    digest = web.file("large", 3 << 20)
    with_mss(net, wan0="auto")
    if net.hook == "tc":
        net.real_checksums()
    capture = Capture(net.outside, filter="tcp port 80")
    assert fetch(net.inside, "http://%s/large" % SERVER) == digest
    net.inside.run("curl", "-sSf", "--max-time", 90, "-T", web.dir / "www" / "large", "http://%s/up" % SERVER)
    assert web.uploaded("up") == digest
    capture.stop()
    assert not capture.fields("ip.flags.mf == 1 || ip.frag_offset > 0"), "packets were cut into fragments"
    # Under XDP the receivers join segments (GRO): what is longer than the narrow link takes was none of its frames.
    assert capture.checksums(ignore_longer=NARROW + ETHERNET if net.hook == "xdp" else None)["tcp"] > 50


def test_a_connection_without_the_option_is_left_without(net):
    with_mss(net, wan0=1300)
    out, host = Tap(net.outside), Tap(net.inside)
    host.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER) / TCP(sport=4090, dport=5090, flags="S", options=[("NOP", None), ("WScale", 7)])))
    syn = out.expect(lambda p: TCP in p and p[TCP].dport == 5090, "the SYN")
    assert asked_for(syn) is None and dict(o for o in syn[TCP].options if len(o) == 2).get("WScale") == 7


def test_checksum_is_right_wherever_the_option_is(net):
    """Also at an odd offset, astride two words of the checksum."""
    with_mss(net, wan0=1300)
    capture = Capture(net.outside, filter="tcp")
    host, out = Tap(net.inside), Tap(net.outside)
    for n, options in enumerate(([("MSS", 1460)], [("NOP", None), ("MSS", 1460)], [("Timestamp", (1, 0)), ("NOP", None), ("MSS", 1460)])):
        host.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER) / TCP(sport=4100 + n, dport=5100 + n, flags="S", options=options)))
        syn = out.expect(lambda p, n=n: TCP in p and p[TCP].dport == 5100 + n, "SYN %d" % n)
        assert asked_for(syn) == 1300
    capture.stop()
    assert capture.checksums()["tcp"] >= 3
