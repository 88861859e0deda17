# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`natvi trace`: what it says is what then happens, and saying it changes nothing."""
import hashlib
import json
import select
import socket

import pytest
from scapy.all import ICMP, IP, TCP, UDP, Ether, Raw, wrpcap

from gateway import (EXTERNAL, GATEWAY, INSIDE, INSIDE2, MASQUERADE, PINS, REFUSE, REMOTE, SERVER, SERVER2, TO_POOL, config)
from lab import run, veth, wait_for
from test_box import FORWARD_UDP, NEXT2, OUT, POOL2, TwoUplinks
from test_fragments import Tun
from test_nvi import FAR_NET, SNAT, in_pool, routed, start as start_routed
from test_park import needs_tun
from wire import Tap, exchange

FORWARD = {"proto": "tcp", "external": "%s:443" % EXTERNAL, "internal": "%s:8443" % INSIDE}
TABLES = ("usage", "cpu", "control", "settings", "portbits", "flows", "mappings", "addrs", "fragments", "fragment_sources", "ids")


def trace(natvi, sentence, *more):
    return json.loads(natvi.cli("trace", *more, sentence, "--json").stdout)


def verdict(natvi, sentence):
    return trace(natvi, sentence)["verdict"]["name"]


def meet(net):
    """The gateway has met its neighbours."""
    net.gateway.ping(SERVER)
    net.gateway.ping(SERVER2)
    net.gateway.ping(INSIDE)
    net.gateway.ping(INSIDE2)


def know(net):
    """Everybody knows their neighbours for good: no ARP comes between."""
    for near, port, far, peer, addresses in ((net.gateway, "lan0", net.inside, "eth0", (INSIDE, INSIDE2)),
                                             (net.gateway, "wan0", net.outside, "eth0", (SERVER, SERVER2)),
                                             (net.inside, "eth0", net.gateway, "lan0", (GATEWAY,)),
                                             (net.outside, "eth0", net.gateway, "wan0", (EXTERNAL,))):
        near.ip(*["neigh replace %s lladdr %s dev %s nud permanent" % (a, net.mac(far, peer), port) for a in addresses])


def words(way_in, packet):
    """A scapy packet as a sentence."""
    ip = packet[IP]
    flags = {"S": "syn", "A": "ack", "F": "fin", "R": "rst"}
    if TCP in packet:
        what = "tcp %s:%d > %s:%d %s" % (ip.src, packet[TCP].sport, ip.dst, packet[TCP].dport,
                                         " ".join(flags[f] for f in str(packet[TCP].flags)))
    elif UDP in packet:
        what = "udp %s:%d > %s:%d" % (ip.src, packet[UDP].sport, ip.dst, packet[UDP].dport)
    else:
        what = "icmp %s id %d %s > %s" % ("echo" if packet[ICMP].type == 8 else "echo-reply", packet[ICMP].id, ip.src, ip.dst)
    return "iif %s %s ttl %d" % (way_in, what, ip.ttl)


class Wires:
    """Frames to the gateway's ports, and what then comes out of which."""

    def __init__(self, net, natvi):
        self.net, self.natvi = net, natvi
        self.taps = {"lan0": net.tap("inside"), "wan0": net.tap("outside")}

    def try_out(self, way_in, packet):
        """Trace a packet, then send it: the same verdict, and the packet that was said. The trace."""
        said = trace(self.natvi, words(way_in, packet))
        name = said["verdict"]["name"]
        before = self.natvi.counter(name)
        for tap in self.taps.values():
            tap.drain()
        self.taps[way_in].send(Ether(src=self.taps[way_in].sock.getsockname()[4],
                                     dst=self.net.mac(self.net.gateway, way_in)) / packet)
        wait_for(lambda: self.natvi.counter(name) > before, 15, lambda: "%s to be counted, as was said of %s; there is %s" %
                 (name, packet.summary(), [v for v in self.natvi.show("stats")["verdicts"] if v["packets"]]))
        if said["result"]["action"] == "send":
            self.arrives(said["result"]["interface"], said["result"]["packet"])
        if said["icmp_error"]:
            self.arrives(said["icmp_error"]["interface"], said["icmp_error"])
        return said

    def arrives(self, port, packet):
        def same(frame):
            return IP in frame and frame[IP].src == packet["src"] and frame[IP].dst == packet["dst"]
        frame = self.taps[port].expect(same, packet["text"] + " by " + port)
        assert (frame.src, frame.dst, frame[IP].ttl) == (packet["smac"], packet["dmac"], packet["ttl"])
        if packet["proto"] in ("tcp", "udp"):
            l4 = frame[TCP if packet["proto"] == "tcp" else UDP]
            assert (l4.sport, l4.dport) == (packet["sport"], packet["dport"])
        elif packet["icmp_type"] in (0, 8):
            assert frame[ICMP].id == packet["sport"]
        if packet["about"]:
            assert (frame[ICMP].type, frame[ICMP].code) == (packet["icmp_type"], packet["icmp_code"])
            assert frame[ICMP].payload.src == packet["about"]["src"]


def test_agrees_with_what_happens(net):
    natvi = net.running(config(net.hook, forwards=[FORWARD]))
    meet(net)
    wires = Wires(net, natvi)
    out = IP(src=INSIDE, dst=SERVER, ttl=40) / UDP(sport=5353, dport=53) / b"natvi"
    back = IP(src=SERVER, dst=EXTERNAL, ttl=50) / UDP(sport=53, dport=5353) / b"natvi"

    said = wires.try_out("lan0", out)
    assert said["verdict"]["name"] == "new-forward" and said["flow"]["result"] == "miss"
    assert said["rules"] == [{"id": 1, "name": "out", "action": "snat masquerade"}]
    assert (said["mapping"]["state"], said["mapping"]["outside"], said["mapping"]["outside_port"]) == ("new", EXTERNAL, 5353)
    assert not said["mapping"]["by_chance"]
    assert [(l["number"], l["result"], l["interface"]) for l in said["lookups"]] == [(1, "ok", "wan0")]

    for way_in, packet, direction in (("lan0", out, "original"), ("wan0", back, "reply")):
        said = wires.try_out(way_in, packet)
        assert said["verdict"]["name"] == "forward"
        assert (said["flow"]["result"], said["flow"]["hook"]) == ("hit", net.hook)
        assert said["flow"]["session"]["direction"] == direction and said["flow"]["session"]["rule"] == "out"
        assert said["lookups"] == [] and said["rules"] == []

    wires.try_out("lan0", IP(src=INSIDE, dst=SERVER2, ttl=40) / UDP(sport=5353, dport=53))      # the same mapping
    said = wires.try_out("lan0", IP(src=INSIDE2, dst=SERVER, ttl=40) / TCP(sport=5000, dport=80, flags="S"))
    assert said["mapping"]["outside_port"] == 5000
    wires.try_out("wan0", IP(src=SERVER, dst=EXTERNAL, ttl=40) / TCP(sport=80, dport=5000, flags="SA"))
    wires.try_out("lan0", IP(src=INSIDE, dst=SERVER, ttl=40) / ICMP(type=8, id=77))
    wires.try_out("wan0", IP(src=SERVER, dst=EXTERNAL, ttl=40) / ICMP(type=0, id=77))

    said = wires.try_out("wan0", IP(src=SERVER, dst=EXTERNAL, ttl=40) / TCP(sport=6000, dport=443, flags="S"))
    assert said["destination"]["leads_to"] == {"by": "forward", "addr": INSIDE, "port": 8443}
    assert said["rules"] == [] and said["result"]["interface"] == "lan0"

    said = wires.try_out("lan0", IP(src=INSIDE2, dst=EXTERNAL, ttl=40) / TCP(sport=6001, dport=443, flags="S"))     # hairpin
    assert (said["result"]["packet"]["src"], said["result"]["packet"]["dst"]) == (EXTERNAL, INSIDE)
    assert said["rules"][0]["name"] == "out" and said["result"]["interface"] == "lan0"

    said = wires.try_out("lan0", IP(src=INSIDE, dst=SERVER, ttl=1) / UDP(sport=5400, dport=53))
    assert said["verdict"]["name"] == "ttl-exceeded" and said["icmp_error"]["icmp_type"] == 11
    assert said["result"]["action"] == "drop"
    said = wires.try_out("wan0", IP(src=SERVER, dst=INSIDE, ttl=40) / UDP(sport=1, dport=2))
    assert said["verdict"]["name"] == "rule-drop" and said["rules"][0]["name"] == "refuse"
    said = wires.try_out("lan0", IP(src=INSIDE, dst=SERVER, ttl=40) / TCP(sport=5500, dport=80, flags="R"))
    assert said["verdict"]["name"] == "no-state"
    said = wires.try_out("wan0", IP(src=EXTERNAL, dst=SERVER, ttl=40) / UDP(sport=1, dport=2))
    assert said["verdict"]["name"] == "spoofed"
    said = wires.try_out("lan0", IP(src=INSIDE, dst="203.0.113.200", ttl=40) / UDP(sport=5600, dport=53))
    assert said["verdict"]["name"] == "slow-neighbour" and said["result"]["packet"]["src"] == EXTERNAL
    assert said["lookups"][0]["result"] == "no-neighbour"
    assert said["result"]["mark"]


def test_icmp_error(net):
    """An error about a session is followed; one about nothing ends."""
    natvi = net.running()
    meet(net)
    exchange(net.inside.udp(INSIDE, 5353), net.outside.udp(SERVER, 53), (SERVER, 53))
    error = "iif wan0 icmp port-unreachable %s > %s about udp %s:%%d > %s:53" % (SERVER, EXTERNAL, EXTERNAL, SERVER)
    said = trace(natvi, error % 5353)
    assert said["verdict"]["name"] == "forward" and said["flow"]["result"] == "hit"
    assert said["result"]["packet"]["dst"] == INSIDE
    assert said["result"]["packet"]["about"] == {"proto": "udp", "src": INSIDE, "sport": 5353, "dst": SERVER, "dport": 53}
    said = trace(natvi, error % 5354)
    assert said["verdict"]["name"] == "local" and said["flow"]["result"] == "miss"


def tables(natvi):
    """All that the datapath keeps, as it lies in the maps."""
    return {name: hashlib.sha256(run(["bpftool", "-j", "map", "dump", "pinned", PINS / natvi.instance / name]).stdout.encode()).digest()
            for name in TABLES}


SENTENCES = (
    "iif lan0 udp %s:5353 > %s:53" % (INSIDE, SERVER), "iif lan0 udp %s:5353 > %s:53" % (INSIDE, SERVER2),
    "iif lan0 tcp %s:7000 > %s:80 syn" % (INSIDE, SERVER), "iif lan0 icmp %s > %s" % (INSIDE, SERVER),
    "iif lan0 gre %s > %s" % (INSIDE, SERVER), "iif lan0 udp %s:1 > %s:2 ttl 1" % (INSIDE, SERVER),
    "iif wan0 udp %s:53 > %s:5353" % (SERVER, EXTERNAL), "iif wan0 tcp %s:53 > %s:443 syn" % (SERVER, EXTERNAL),
    "iif wan0 tcp %s:53 > %s:999 syn" % (SERVER, EXTERNAL), "iif lan0 tcp %s:5 > %s:443 syn" % (INSIDE2, EXTERNAL),
    "iif lan0 tcp %s:40000 > %s:80" % (INSIDE, SERVER),
    "iif wan0 icmp port-unreachable %s > %s about udp %s:5353 > %s:53" % (SERVER, EXTERNAL, EXTERNAL, SERVER),
    "iif lo udp %s:5353 > %s:53" % (EXTERNAL, SERVER), "iif lo udp %s:5354 > %s:53" % (EXTERNAL, SERVER2),
    "iif lo tcp %s:7000 > %s:80 syn" % (EXTERNAL, SERVER), "iif lo icmp %s > %s" % (EXTERNAL, SERVER),
)


def test_changes_nothing(net):
    """Neither counters nor ports, sessions or timers; also when the table is full."""
    know(net)
    natvi = net.running(config(net.hook, forwards=[FORWARD], limits={"sessions": 16, "mappings": 64}))
    outside = net.outside.udp(SERVER, 53)
    exchange(net.inside.udp(INSIDE, 5353), outside, (SERVER, 53))
    natvi.freeze()              # its sweep and its sign of life are changes, too
    before = tables(natvi)
    verdicts = {verdict(natvi, s) for s in SENTENCES}
    assert {"forward", "new-forward", "ttl-exceeded", "syn-held", "box-out", "box-nat"} <= verdicts
    assert tables(natvi) == before
    assert select.select([outside], [], [], 0)[0] == []

    for port in range(8000, 8032):
        net.inside.udp(INSIDE2, port).sendto(b"fill", (SERVER, 53))
    wait_for(lambda: natvi.counter("table-full") == 17, 15, "a full table, and all of the rest refused")
    before = tables(natvi)
    said = trace(natvi, "iif lan0 udp %s:9000 > %s:53" % (INSIDE2, SERVER))
    assert said["verdict"]["name"] == "table-full" and said["icmp_error"]["icmp_type"] == 3
    for sentence in SENTENCES:
        trace(natvi, sentence)
    assert tables(natvi) == before


def test_two_uplinks(tc):
    """Look-up 1 names the uplink that rules see; look-up 2, by the translated source, the one that the packet takes."""
    far = tc.lab.namespace("far")
    veth(tc.gateway, "wan1", far, "eth0")
    far.ip("addr add 192.0.2.130/25 dev eth0", "addr add %s/32 dev lo" % "198.51.100.1")
    tc.gateway.ip("addr add 192.0.2.129/25 dev wan1", "route add default via 192.0.2.130 table 100",
                  "rule add from 192.0.2.0/28 lookup 100 priority 100")
    natvi = tc.running(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.3"]}, interfaces=("lan0", "wan0", "wan1")))
    tc.gateway.ping("192.0.2.130")
    tc.gateway.ping(SERVER)

    said = trace(natvi, "iif lan0 udp %s:5353 > 198.51.100.1:53" % INSIDE)
    first, second = said["lookups"]
    assert (first["number"], first["src"], first["interface"], first["gateway"], first["table"]) == (1, INSIDE, "wan0", SERVER, 254)
    assert (second["number"], second["src"], second["interface"], second["gateway"], second["table"]) == \
        (2, "192.0.2.3", "wan1", "192.0.2.130", 100)
    assert first["iif"] == second["iif"] == "lan0"
    assert said["verdict"]["name"] == "new-forward"
    assert (said["result"]["interface"], said["result"]["packet"]["src"], said["result"]["packet"]["sport"]) == ("wan1", "192.0.2.3", 5353)
    text = natvi.cli("trace", "iif lan0 udp %s:5353 > 198.51.100.1:53" % INSIDE).stdout
    assert "look-up 1" in text and "table 100" in text and "look-up 2" in text

    tap = Tap(far)
    tc.inside.udp(INSIDE, 5353).sendto(b"natvi", ("198.51.100.1", 53))
    frame = tap.expect(lambda f: UDP in f and f[UDP].dport == 53, "the datagram by wan1")
    assert (frame[IP].src, frame[UDP].sport, frame.dst) == ("192.0.2.3", 5353, said["result"]["packet"]["dmac"])


def test_routing_rules(tc):
    """Look-ups go by the input interface and the TOS, as the datapath's own."""
    tc.gateway.ip("route add unreachable default table 101", "rule add iif lan0 to 198.51.100.2 lookup 101 priority 101",
                  "rule add tos 0x10 lookup 101 priority 102")
    natvi = tc.running()
    tc.gateway.ping(SERVER)
    ends = "udp %s:5353 > 198.51.100.%%d:53" % INSIDE
    assert verdict(natvi, "iif lan0 " + ends % 1) == "new-forward"
    said = trace(natvi, "iif lan0 " + ends % 2)
    assert [l["result"] for l in said["lookups"]] == ["no-route"]
    said = trace(natvi, "iif lan0 dscp 4 " + ends % 1)
    assert [(l["tos"], l["result"]) for l in said["lookups"]] == [(0x10, "no-route")]


@needs_tun
def test_waits_and_ends(tc):
    """A SYN that nobody asked for waits with the daemon; what nothing maps ends; a socket of the box is seen."""
    natvi = tc.running(config("tc", rules=[TO_POOL, REFUSE], pool={}))
    said = trace(natvi, "iif wan0 tcp %s:4000 > 192.0.2.3:80 syn" % SERVER)
    assert (said["verdict"]["name"], said["result"]["action"], said["result"]["interface"]) == ("syn-held", "wait", None)
    assert "waits with the daemon" in natvi.cli("trace", "iif wan0 tcp %s:4000 > 192.0.2.3:80 syn" % SERVER).stdout
    said = trace(natvi, "iif wan0 udp %s:4000 > 192.0.2.3:80" % SERVER)
    assert said["verdict"]["name"] == "no-mapping" and said["destination"]["pool"] == "public"
    assert said["destination"]["leads_to"] is None
    assert verdict(natvi, "iif wan0 udp %s:4000 > %s:80" % (SERVER, EXTERNAL)) == "local"


@needs_tun
def test_sockets_of_the_box(tc):
    natvi = tc.running()
    sentence = "iif wan0 tcp %s:4000 > %s:8080 syn" % (SERVER, EXTERNAL)
    said = trace(natvi, sentence)
    assert said["verdict"]["name"] == "syn-held" and [s["found"] for s in said["sockets"]] == [False]
    tc.gateway.tcp_listen(EXTERNAL, 8080)
    said = trace(natvi, sentence)
    assert said["verdict"]["name"] == "local" and [s["found"] for s in said["sockets"]] == [True]


def test_what_rules_look_at(tc):
    """A rule that gives another destination, and rules by DSCP and mark."""
    rules = [{"name": "web", "from": {"interface": "lan0"}, "to": {"destination": ["198.51.100.1"], "port": 80}, "proto": "tcp",
              "action": {"dnat": "%s:8080" % SERVER2, "snat": "masquerade"}},
             {"name": "voice", "from": {"interface": "lan0"}, "dscp": ["ef"], "action": "drop"},
             {"name": "marked", "from": {"interface": "lan0"}, "mark": "0x10/0xf0", "action": "reject"},
             MASQUERADE]
    natvi = tc.running(config("tc", rules=rules))
    meet(tc)
    said = trace(natvi, "iif lan0 tcp %s:5000 > 198.51.100.1:80 syn" % INSIDE)
    assert said["rules"][0]["name"] == "web" and SERVER2 in said["rules"][0]["action"]
    assert (said["result"]["packet"]["src"], said["result"]["packet"]["dst"], said["result"]["packet"]["dport"]) == \
        (EXTERNAL, SERVER2, 8080)
    assert said["destination"]["leads_to"] is None
    ends = " udp %s:5000 > %s:53" % (INSIDE, SERVER)
    assert verdict(natvi, "iif lan0 dscp ef" + ends) == "rule-drop"
    said = trace(natvi, "iif lan0 mark 0x1f" + ends)
    assert said["verdict"]["name"] == "rule-reject" and said["icmp_error"]["icmp_code"] == 13
    assert verdict(natvi, "iif lan0 mark 0x2f" + ends) == "new-forward"


def test_capture(tc):
    """A frame of a capture, whatever it holds; the daemon may be dead."""
    natvi = tc.running()
    meet(tc)
    natvi.kill()
    path = tc.lab.dir / "odd.pcap"
    ether = Ether(src="02:00:00:00:00:05", dst=tc.mac(tc.gateway, "lan0"))
    wrpcap(str(path), [ether / IP(src=INSIDE, dst=SERVER) / UDP(sport=5353, dport=53) / Raw(b"natvi"),
                       ether / IP(src=INSIDE, dst=SERVER, ihl=4) / UDP(sport=5353, dport=53),
                       ether / IP(src=INSIDE, dst=SERVER, frag=10) / Raw(b"x" * 16)])
    said = trace(natvi, "iif lan0", "--pcap", path)
    assert said["verdict"]["name"] == "new-forward" and said["result"]["packet"]["src"] == EXTERNAL
    assert trace(natvi, "iif lan0", "--pcap", path, "--frame", 2)["verdict"]["name"] == "bad-header"
    assert trace(natvi, "iif lan0", "--pcap", path, "--frame", 3)["verdict"]["name"] == "fragment-parked"
    for words_, what in ((("iif lan0", "--pcap", path, "--frame", 4), "it holds 3 frames"), (("iif lan0", "--pcap", "/none"), "/none"),
                         (("iif lan0 tcp", "--pcap", path), "with a capture")):
        done = natvi.cli("trace", *words_, check=False)
        assert done.returncode in (1, 2) and what in done.stderr


def test_crossing_nvi0(net):
    """On a port that is nat: routed: what is routed to nvi0 crosses it, the rest is the kernel's; both as it then happens."""
    natvi = start_routed(net)
    meet(net)
    net.outside.udp(REMOTE, 53)
    sentence = "iif lan0 udp %s:5353 > %%s:53 ttl 40" % INSIDE
    said = trace(natvi, sentence % REMOTE)
    assert said["nvi"]["verdict"] == "new-forward" and in_pool(said["nvi"]["packet"]["src"]) and said["nvi"]["packet"]["ttl"] == 40
    assert (said["verdict"]["name"], said["result"]["interface"], said["result"]["packet"]["ttl"]) == ("nvi", "wan0", 39)
    assert said["lookups"][0]["interface"] == "nvi0"
    assert said["lookups"][-1]["interface"] == "wan0" and said["lookups"][-1]["number"] == 2
    assert "nvi0 " in natvi.cli("trace", sentence % REMOTE).stdout
    plain = trace(natvi, sentence % SERVER)
    assert (plain["verdict"]["class"], plain["nvi"], plain["result"]["packet"]["src"]) == ("kernel", None, INSIDE)

    tap, before = net.tap("inside"), natvi.counter("nvi")
    out = net.tap("outside")
    tap.send(Ether(src=net.mac(net.inside, "eth0"), dst=net.mac(net.gateway, "lan0")) / IP(src=INSIDE, dst=REMOTE, ttl=40) /
             UDP(sport=5353, dport=53))
    frame = out.expect(lambda f: IP in f and f[IP].dst == REMOTE, "the datagram that crossed")
    assert (frame[IP].src, frame[UDP].sport, frame[IP].ttl) == (said["result"]["packet"]["src"], 5353, 39)
    assert natvi.counter("nvi") == before + 1


# What the box itself sends

BOX = "iif lo udp %s:%%d > %%s:53" % EXTERNAL


def own(said):
    """A trace of what the box sends, in short: the kernel's way out, natvi's verdict, and what leaves where."""
    packet = said["result"]["packet"]
    return (said["kernel_route"]["interface"], said["verdict"]["name"], said["result"]["action"], said["result"]["interface"],
            (packet["src"], packet["sport"]))


def arrives(tap, said, source=None):
    """The packet that the trace has said, by this wire; source: instead of the one that was chosen by chance."""
    packet = said["result"]["packet"]
    frame = tap.expect(lambda f: UDP in f and f[IP].dst == packet["dst"], packet["text"])
    assert (frame[IP].src, frame[UDP].sport) == (source or (packet["src"], packet["sport"]))
    assert (frame[UDP].dport, frame[IP].ttl) == (packet["dport"], packet["ttl"])
    if "dmac" in packet:
        assert (frame.src, frame.dst) == (packet["smac"], packet["dmac"])


@pytest.fixture
def two(lab, hook):
    return TwoUplinks(lab, hook)


def test_box_by_the_other_uplink(two):
    """The kernel's route names the one uplink, the rule's address leads to the other; so it then happens, neighbour known or not."""
    natvi = two.running(two.config())
    for hop in (SERVER, NEXT2):
        two.gateway.ping(hop)
    tap, client = Tap(two.outside, "eth1"), two.gateway.udp(EXTERNAL, 4000)
    said = trace(natvi, BOX % (4000, REMOTE))
    kernel = said["kernel_route"]
    assert (kernel["src"], kernel["iif"], kernel["result"], kernel["gateway"], kernel["table"]) == (EXTERNAL, "lo", "ok", SERVER, 254)
    assert kernel["neighbour"] == two.mac(two.outside, "eth0")
    assert (said["packet"]["iif"], said["port"]["name"], said["port"]["tc_egress"]) == ("lo", "wan0", True)
    assert [r["name"] for r in said["rules"]] == ["own"] and said["flow"]["result"] == "miss"
    assert (said["mapping"]["state"], said["mapping"]["pool"], said["mapping"]["by_chance"]) == ("new", "second", False)
    assert [(l["number"], l["iif"], l["src"], l["interface"], l["gateway"], l["table"]) for l in said["lookups"]] == \
        [(2, "lo", POOL2, "wan1", NEXT2, 100)]
    assert own(said) == ("wan0", "box-nat", "send", "wan1", (POOL2, 4000))
    assert said["result"]["packet"]["dmac"] == two.mac(two.outside, "eth1")
    text = natvi.cli("trace", BOX % (4000, REMOTE)).stdout
    assert all(t in text for t in ("sent by the box itself", "kernel route", "look-up 2", "from the box itself", ", by wan1"))

    client.sendto(b"first", (REMOTE, 53))
    arrives(tap, said)
    hit = trace(natvi, BOX % (4000, REMOTE))
    assert (hit["flow"]["result"], hit["flow"]["hook"], hit["lookups"], hit["rules"]) == ("hit", "box", [], [])
    assert hit["result"] == said["result"]
    client.sendto(b"second", (REMOTE, 53))
    arrives(tap, hit)

    two.cold()
    said = trace(natvi, BOX % (4001, REMOTE))
    assert said["kernel_route"]["result"] == said["lookups"][0]["result"] == "no-neighbour"
    assert own(said) == ("wan0", "box-nat", "send", "wan1", (POOL2, 4001)) and "dmac" not in said["result"]["packet"]
    two.gateway.udp(EXTERNAL, 4001).sendto(b"cold", (REMOTE, 53))
    arrives(tap, said)


def test_box_port_that_nat_holds(net):
    """The box would get another port of its address, by chance; then it has it."""
    natvi = net.running()
    meet(net)
    remote, tap = net.outside.udp(SERVER, 53), net.tap()
    exchange(net.inside.udp(INSIDE, 4000), remote, (SERVER, 53))
    tap.drain()
    said = trace(natvi, BOX % (4000, SERVER))
    port = said["result"]["packet"]["sport"]
    assert own(said) == ("wan0", "box-nat", "send", "wan0", (EXTERNAL, port)) and port != 4000
    assert said["rules"] == [] and said["mapping"]["by_chance"] and said["mapping"]["outside_port"] == port
    assert "none is for what the box itself sends" in natvi.cli("trace", BOX % (4000, SERVER)).stdout
    net.gateway.udp(EXTERNAL, 4000).sendto(b"own", (SERVER, 53))
    face = remote.recvfrom(10)[1]
    assert face[0] == EXTERNAL and face[1] != 4000
    arrives(tap, said, face)
    said = trace(natvi, BOX % (4000, SERVER))
    assert own(said) == ("wan0", "box-nat", "send", "wan0", face) and said["flow"]["result"] == "hit"
    said = trace(natvi, BOX % (4000, SERVER2))     # the same mapping
    assert own(said) == ("wan0", "box-nat", "send", "wan0", face)
    assert said["mapping"]["state"] == "active" and not said["mapping"]["by_chance"]


def test_box_untranslated(tc):
    """A port that NAT could give becomes the box's own; one that it never gives costs nothing. Both leave as they are."""
    natvi = tc.running()
    meet(tc)
    tap = tc.tap()
    for port, mapping in ((4000, "new"), (40000, None)):
        said = trace(natvi, BOX % (port, SERVER))
        assert own(said) == ("wan0", "box-out", "send", "wan0", (EXTERNAL, port))
        assert (said["mapping"] and said["mapping"]["state"]) == mapping and said["lookups"] == []
        before = natvi.counter("box-out")
        tc.gateway.udp(EXTERNAL, port).sendto(b"own", (SERVER, 53))
        arrives(tap, said)
        assert natvi.counter("box-out") == before + 1
    assert [m["inside"]["port"] for m in natvi.show("mappings", "proto", "udp")] == [4000]
    said = trace(natvi, "iif lo tcp %s:5000 > %s:80 ack" % (EXTERNAL, SERVER))
    assert said["verdict"]["name"] == "box-out" and said["destination"] is None


def test_box_groups(tc):
    """Multicast and broadcast are never natvi's; the kernel's route says where they leave."""
    natvi = tc.running(config("tc", [dict(OUT, proto="udp", action="drop"), REFUSE]))
    meet(tc)
    tap = tc.tap()
    client = tc.gateway.udp(EXTERNAL, 4000)
    client.setsockopt(0, 32, socket.inet_aton(EXTERNAL))     # IPPROTO_IP, IP_MULTICAST_IF
    said = trace(natvi, BOX % (4000, "224.0.0.251") + " ttl 1")
    assert said["kernel_route"]["result"] == "multicast" and own(said) == ("wan0", "box-out", "send", "wan0", (EXTERNAL, 4000))
    assert said["result"]["packet"]["dmac"] == "01:00:5e:00:00:fb"
    client.sendto(b"group", ("224.0.0.251", 53))
    arrives(tap, said)
    said = trace(natvi, BOX % (4000, "255.255.255.255"))
    assert said["kernel_route"]["result"] == "broadcast" and said["verdict"]["name"] == "box-out"
    assert said["result"]["packet"]["dmac"] == "ff:ff:ff:ff:ff:ff"
    assert verdict(natvi, BOX % (4000, SERVER)) == "rule-drop"


def test_box_that_natvi_does_not_see(tc):
    """To the box's own address, by an interface that is not natvi's, and by no way at all: no verdict, but what the kernel does."""
    far = tc.lab.namespace("far")
    veth(tc.gateway, "wan1", far, "eth0")
    far.ip("addr add 192.0.2.130/25 dev eth0")
    tc.gateway.ip("addr add 192.0.2.129/25 dev wan1", "route add unreachable 198.51.100.2", "route add blackhole 198.51.100.3",
                  "route add unreachable default table 101", "rule add fwmark 7 lookup 101 priority 101",
                  "rule add tos 0x10 lookup 101 priority 102", "rule add ipproto udp dport 54 lookup 101 priority 103")
    natvi = tc.running(config("tc", [dict(OUT, to={}, action="drop"), MASQUERADE]))
    for address, action, says in ((GATEWAY, "local", "stays in the box"), ("198.51.100.2", "drop", "no route"),
                                  ("198.51.100.3", "drop", "the kernel refuses it")):
        said = trace(natvi, BOX % (4000, address))
        assert (said["verdict"], said["port"], said["result"]["action"], said["result"]["interface"]) == (None, None, action, None)
        assert said["kernel_route"]["result"] == ("local" if action == "local" else "no-route")
        text = natvi.cli("trace", BOX % (4000, address)).stdout
        assert says in text and "natvi does not see it" in text
    said = trace(natvi, BOX % (4000, "192.0.2.130"))
    assert (said["verdict"], said["port"], said["result"]["action"], said["result"]["interface"]) == (None, None, "send", "wan1")
    assert not said["kernel_route"]["enabled"]
    assert "wan1, which is none of natvi's ports" in natvi.cli("trace", BOX % (4000, "192.0.2.130")).stdout
    tap, client = Tap(far), tc.gateway.udp(EXTERNAL, 4000)
    client.sendto(b"own", ("192.0.2.130", 53))
    arrives(tap, said)

    assert verdict(natvi, BOX % (4000, SERVER)) == "rule-drop"
    for sentence in (BOX % (4000, SERVER) + " mark 7", BOX % (4000, SERVER) + " dscp 4", (BOX % (4000, SERVER)).replace(":53", ":54")):
        assert trace(natvi, sentence)["kernel_route"]["result"] == "no-route", sentence


def test_box_refused(tc):
    """A rule that rejects tells the box itself so."""
    natvi = tc.running(config("tc", [dict(OUT, proto="tcp", action="reject"), MASQUERADE]))
    meet(tc)
    said = trace(natvi, "iif lo tcp %s:4000 > %s:80 syn" % (EXTERNAL, SERVER))
    assert said["verdict"]["name"] == "rule-reject" and said["result"]["action"] == "drop"
    assert (said["icmp_error"]["icmp_code"], said["icmp_error"]["dst"]) == (13, EXTERNAL)
    text = natvi.cli("trace", "iif lo tcp %s:4000 > %s:80 syn" % (EXTERNAL, SERVER)).stdout
    assert "to the box itself, in by wan0" in text
    assert "begins no conversation" in natvi.cli("trace", "iif lo tcp %s:4000 > %s:80 ack" % (EXTERNAL, SERVER)).stdout
    own_sock = tc.gateway.tcp(EXTERNAL, 4000)
    with pytest.raises(OSError) as raised:
        own_sock.connect((SERVER, 80))
    assert not isinstance(raised.value, TimeoutError)


def test_box_icmp(tc):
    """An error about a forward to the box itself bears the address that was asked; pings with one identifier are told apart."""
    natvi = tc.running(config("tc", forwards=[FORWARD_UDP]))
    meet(tc)
    tap = tc.tap()
    tc.outside.udp(SERVER, 5000).sendto(b"nobody", (EXTERNAL, 5300))
    frame = tap.expect(lambda f: ICMP in f and f[ICMP].type == 3, "the error")
    said = trace(natvi, "iif lo icmp port-unreachable %s > %s about udp %s:5000 > %s:53 ttl 64" % (GATEWAY, SERVER, SERVER, GATEWAY))
    packet = said["result"]["packet"]
    assert said["verdict"]["name"] == "box-nat" and said["flow"]["result"] == "hit"
    assert (packet["src"], packet["dst"], packet["smac"], packet["dmac"]) == (frame[IP].src, frame[IP].dst, frame.src, frame.dst)
    assert packet["about"]["dst"] == frame[ICMP].payload.dst == EXTERNAL
    assert packet["about"]["dport"] == frame[ICMP].payload.dport == 5300

    tc.gateway.ping(SERVER, "-e", 77, "-I", EXTERNAL)
    ends = " id 77 %s > %s" % (EXTERNAL, SERVER)
    assert trace(natvi, "iif lo icmp echo" + ends)["flow"]["result"] == "hit"
    said = trace(natvi, "iif lo icmp echo-reply" + ends)
    assert (said["flow"]["result"], said["verdict"]["name"]) == ("other-conversation", "box-out")


def test_box_over_nvi0(net):
    """Where the kernel's own route leads to nvi0: translated by a rule for the box, plain without one, and to what nobody maps."""
    natvi = start_routed(net)
    meet(net)
    remote, tap = net.outside.udp(REMOTE, 53), net.tap()
    said = trace(natvi, BOX % (4000, REMOTE))
    assert (said["kernel_route"]["interface"], said["kernel_route"]["result"], said["port"]["name"]) == ("nvi0", "ok", "nvi0")
    assert (said["nvi"]["verdict"], said["verdict"]["name"], said["result"]["action"]) == ("box-out", "nvi-kernel", "kernel")
    before = [natvi.counter(name) for name in ("box-out", "nvi-kernel")]
    net.gateway.udp(EXTERNAL, 4000).sendto(b"plain", (REMOTE, 53))
    assert remote.recvfrom(10)[1] == (EXTERNAL, 4000)
    assert [natvi.counter(name) for name in ("box-out", "nvi-kernel")] == [n + 1 for n in before]
    said = trace(natvi, BOX % (4000, "192.0.2.3"))
    assert said["kernel_route"]["interface"] == "nvi0" and said["verdict"]["name"] == "no-mapping"
    assert said["destination"]["pool"] == "public"

    rules = [SNAT, {"name": "box", "local": "out", "to": {"destination": FAR_NET}, "action": {"snat": "public"}}]
    natvi.reload(dict(routed(net.hook), rules=rules))
    tap.drain()
    said = trace(natvi, BOX % (4010, REMOTE))
    assert [r["name"] for r in said["rules"]] == ["box"] and said["nvi"]["verdict"] == "new-forward"
    assert (said["lookups"][-1]["number"], said["lookups"][0]["iif"], said["lookups"][-1]["interface"]) == (2, "lo", "wan0")
    packet = said["result"]["packet"]
    assert own(said) == ("nvi0", "nvi", "send", "wan0", (packet["src"], 4010)) and in_pool(packet["src"]) and packet["ttl"] == 64
    net.gateway.udp(EXTERNAL, 4010).sendto(b"own", (REMOTE, 53))
    arrives(tap, said)


def test_box_capture(tc):
    """A frame that the box has sent, out of a capture: its IP packet, routed anew."""
    natvi = tc.running()
    meet(tc)
    path = tc.lab.dir / "own.pcap"
    wrpcap(str(path), [Ether(src="02:00:00:00:00:05", dst="02:00:00:00:00:06") / IP(src=EXTERNAL, dst=SERVER) /
                       UDP(sport=4000, dport=53) / Raw(b"natvi"), Ether(src="02:00:00:00:00:05") / Raw(b"natvi" * 20)])
    said = trace(natvi, "iif lo", "--pcap", path)
    assert own(said) == ("wan0", "box-out", "send", "wan0", (EXTERNAL, 4000))
    assert (said["result"]["packet"]["smac"], said["result"]["packet"]["dmac"]) == \
        (tc.mac(tc.gateway, "wan0"), tc.mac(tc.outside, "eth0"))
    done = natvi.cli("trace", "iif lo", "--pcap", path, "--frame", 2, check=False)
    assert done.returncode and "no IP packet" in done.stderr


@needs_tun
def test_link_without_ethernet(tc):
    """In by a tun: packets begin at the IP header, also those of a capture of Ethernet."""
    tun = Tun(tc)
    natvi = tc.running(config("tc", rules=[dict(MASQUERADE, **{"from": {"interface": "tun0"}})], interfaces=("lan0", "wan0", "tun0")))
    meet(tc)
    packet = IP(src=tun.PEER, dst=SERVER, ttl=40) / UDP(sport=5353, dport=53) / Raw(b"natvi")
    path = tc.lab.dir / "ether.pcap"
    wrpcap(str(path), [Ether(src="02:00:00:00:00:05", dst="02:00:00:00:00:06") / packet])
    for said in (trace(natvi, words("tun0", packet)), trace(natvi, "iif tun0", "--pcap", path)):
        assert (said["verdict"]["name"], said["result"]["packet"]["src"]) == ("slow-link", EXTERNAL)
        assert "smac" not in said["result"]["packet"]
    before = natvi.counter("slow-link")
    tun.send([packet])
    wait_for(lambda: natvi.counter("slow-link") > before, 15, "the packet from the tun")


@pytest.mark.parametrize("sentence, says", [
    ("iif lan0 tcp 198.18.0.10 > 203.0.113.9:80", "source port"),
    ("iif lan0 tcp 198.18.0.10:1 > 203.0.113.9:80 sin", '"sin"'),
    ("iif lan1 udp 198.18.0.10:1 > 203.0.113.9:80", "did you mean lan0"),
    ("udp 198.18.0.10:1 > 203.0.113.9:80", "iif NAME"),
    ("udp 203.0.113.1:1 > 203.0.113.9:80", "iif lo"),
    ("iif lo udp 198.18.0.10:1 > 203.0.113.9:80", "no address 198.18.0.10"),
    ("iif lo udp 0.0.0.0:1 > 203.0.113.9:80", "no address 0.0.0.0"),
    ("iif lo udp 203.0.113.1:1 > 203.0.113.9:80 vlan 7", "without vlan 7"),
    ("iif lo udp 203.0.113.1:1 > 203.0.113.9:80 len 1501", "len 1500 or less"),
    ("", "no packet is described"),
])
def test_bad_sentences(tc, sentence, says):
    natvi = tc.running()
    done = natvi.cli("trace", sentence, check=False)
    assert done.returncode == 2 and says in done.stderr and not done.stdout


def test_where_it_runs(tc):
    natvi = tc.running()
    sentence = "iif lan0 udp %s:1 > %s:2" % (INSIDE, SERVER)
    natvi.namespace, home = tc.inside, natvi.namespace
    try:
        done = natvi.cli("trace", sentence, check=False)
        assert done.returncode == 1 and "another network namespace" in done.stderr
    finally:
        natvi.namespace = home
    veth(tc.gateway, "lan1", tc.inside, "eth1")
    assert verdict(natvi, "iif lan1 udp %s:1 > %s:2" % (INSIDE, SERVER)) == "not-enabled"
    done = tc.gateway.run(natvi.process.words[natvi.process.words.index("run") - 1], "trace", "--instance", natvi.instance + "x", sentence,
                          check=False)
    assert done.returncode == 3
