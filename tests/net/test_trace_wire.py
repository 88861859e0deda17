# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""`natvi trace` on a wire: what it says of a frame is what then becomes of it, and saying it changes nothing."""
import json

import pytest
from scapy.all import ARP, ICMP, IP, UDP, Dot1AD, Dot1Q, Ether, IPv6, Raw, wrpcap

from lab import wait_for
from sites import A, B, Cable, mac, reachable
from tun import Tun
from wire import Tap

C, V = "198.51.100.2", "203.0.113.5"        # whom nobody has
C6, V6 = "2001:db8:7::2", "2001:db8:8::5"
CLIENT, ROUTER, OTHER = "02:00:00:00:0a:01", "02:00:00:00:0a:02", "02:00:00:00:0a:03"
CAPTURE = {"name": "clients", "match": {"source": ["198.51.100.0/24"], "destination": ["203.0.113.0/24"]}, "to": "tun0"}
CAPTURE6 = {"match": {"source": ["2001:db8:7::/48"]}, "to": "tun0"}
SAME = "smac %s dmac %s" % (CLIENT, ROUTER)


@pytest.fixture
def wire(lab):
    return Wire(lab)


class Wire(Cable):
    """Taps at both ends of the cable, a tun that the test holds, and natvi running."""

    def __init__(self, lab, **more):
        super().__init__(lab, "tc")
        self.tun = Tun(self.box)
        self.running(**dict({"capture": [CAPTURE, CAPTURE6]}, **more))
        self.near, self.far = Tap(self.host), Tap(self.router, "lan")

    def trace(self, sentence, *more):
        return json.loads(self.natvi.cli("trace", *more, sentence, "--json").stdout)

    def text(self, sentence):
        return self.natvi.cli("trace", sentence).stdout

    def send(self, frame):
        self.near.send(frame)

    def capture(self, *tags, sport=1000, smac=CLIENT, dmac=ROUTER):
        """A packet of C's that goes into the tunnel."""
        frame = Ether(src=smac, dst=dmac)
        for tag in tags:
            frame = frame / tag
        self.send(frame / IP(src=C, dst=V) / UDP(sport=sport, dport=53) / Raw(b"ask"))
        self.tun.expect(lambda p: IP in p and UDP in p and p[UDP].sport == sport, "the captured packet")


def udp(sport=1000, way_in="eth1", more=""):
    return "iif %s %s udp %s:%d > %s:53" % (way_in, more, C, sport, V)


def answer(sport=1000, way_in="tun0"):
    return "iif %s udp %s:53 > %s:%d" % (way_in, V, C, sport)


def test_captured(wire):
    """It says which capture, and that there will be a session; then there is, and it says so."""
    said = wire.trace(udp(more=SAME + " vlan 100"))
    assert said["verdict"]["name"] == "wire-captured" and said["result"]["interface"] == "tun0"
    assert said["wire"]["name"] == "w0" and said["wire"]["role"] == "port" and said["wire"]["by"] == "capture"
    assert said["wire"]["capture"] == {"id": 1, "name": "clients", "to": "tun0"}
    assert said["flow"]["result"] != "hit" and said["wire"]["link"] is None
    assert wire.natvi.show("sessions") == [] and the_neighbours(wire) == []
    wire.capture(Dot1Q(vlan=100))
    said = wire.trace(udp(more=SAME + " vlan 100"))
    assert said["wire"]["link"] == {"dmac": CLIENT, "smac": ROUTER, "port": "eth1", "vlans": [100]}
    assert said["wire"]["station"]["mac"] == CLIENT and said["wire"]["neighbour"]["port"] == "eth1"
    text = wire.text(udp(more=SAME + " vlan 100"))
    for wanted in ('capture      1 "clients": to tun0', "frame        %s > %s" % (CLIENT, ROUTER), "wire         w0, eth1 is a port",
                   "out of the target it goes to %s, from %s, by eth1, VLAN 100" % (CLIENT, ROUTER), "decided by   capture",
                   "verdict      wire-captured", "by tun0"):
        assert wanted in text, (wanted, text)


def the_neighbours(wire):
    return [n for n in wire.natvi.show("wires")[0]["neighbours"] if n["mac"] in (CLIENT, ROUTER, OTHER)]


def test_crossed(wire):
    said = wire.trace("iif eth2 smac %s dmac %s udp 203.0.113.5:53 > 198.51.100.2:7" % (ROUTER, CLIENT))
    assert said["verdict"]["name"] == "wire-crossed" and said["result"]["interface"] == "eth1"
    assert said["wire"]["capture"] is None and said["wire"]["by"] is None
    assert (said["result"]["packet"]["smac"], said["result"]["packet"]["dmac"]) == (ROUTER, CLIENT)
    text = wire.text("iif eth2 smac %s dmac %s udp 203.0.113.5:53 > 198.51.100.2:7 vlan 5 inner-vlan 6" % (ROUTER, CLIENT))
    assert "capture      none names it" in text and "VLAN 5.6" in text and "by eth1" in text


def test_returned(wire):
    """Out of the tunnel: by its session, and the frame is the one that was said."""
    wire.capture(Dot1AD(vlan=7), Dot1Q(vlan=100, prio=3))
    said = wire.trace(answer())
    assert said["verdict"]["name"] == "wire-returned" and said["wire"]["by"] == "flow" and said["wire"]["role"] == "target"
    packet = said["result"]["packet"]
    assert (said["result"]["interface"], packet["smac"], packet["dmac"], packet["vlan"], packet["inner_vlan"]) == ("eth1", ROUTER, CLIENT, 7, 100)
    wire.near.drain()
    wire.tun.send(IP(src=V, dst=C) / UDP(sport=53, dport=1000) / Raw(b"answer"))
    frame = wire.near.expect(lambda p: p.src == ROUTER and p.dst == CLIENT and UDP in p, "the answer")
    assert Dot1Q in frame and frame[Dot1Q].vlan == 100
    assert "VLAN 7.100" in wire.text(answer())


def test_returned_by_station(wire):
    """Without a session it is the address that says where."""
    wire.capture()
    said = wire.trace(answer(sport=7777))
    assert said["wire"]["by"] == "station" and said["flow"]["result"] != "hit"
    assert said["wire"]["station"]["addr"] == C and said["result"]["packet"]["dmac"] == CLIENT
    assert "station      %s is behind %s at eth1, no VLAN" % (C, CLIENT) in wire.text(answer(sport=7777))


def test_error(wire):
    """An ICMP error about what came out of the tunnel goes back there by the connection that it quotes."""
    call = "udp %s:7 > %s:9" % (V, A.host)
    error = "iif eth1 icmp port-unreachable %s > %s about %s" % (A.host, V, call)
    reachable(wire.host, A.gateway)
    assert wire.trace(error)["verdict"]["name"] == "wire-crossed"
    wait_for(lambda: wire.tun.send(IP(src=V, dst=A.host) / UDP(sport=7, dport=9) / Raw(b"call")) or wire.natvi.show("sessions"), 10, "the call")
    said = wire.trace(error)
    assert said["wire"]["by"] == "quoted flow" and said["verdict"]["name"] == "wire-captured" and said["result"]["interface"] == "tun0"


def test_unknown(wire):
    said = wire.trace("iif tun0 udp %s:53 > 198.51.100.99:1" % V)
    assert said["verdict"]["name"] == "wire-unknown" and said["result"]["action"] == "drop" and said["wire"]["station"] is None
    text = wire.text("iif tun0 udp %s:53 > 198.51.100.99:1" % V)
    assert "nobody is known to have 198.51.100.99" in text and "gateway      none has been seen" in text


def test_ipv6(wire):
    said = wire.trace("iif eth1 %s udp [%s]:1000 > [%s]:53" % (SAME, C6, V6))
    assert said["verdict"]["name"] == "wire-captured" and said["packet"]["src"] == C6 and said["wire"]["capture"]["id"] == 2
    wire.send(Ether(src=CLIENT, dst=ROUTER) / IPv6(src=C6, dst=V6) / UDP(sport=1000, dport=53))
    wire.tun.expect(lambda p: IPv6 in p and p[IPv6].src == C6, "the captured packet")
    said = wire.trace("iif tun0 udp [%s]:53 > [%s]:1000" % (V6, C6))
    assert said["wire"]["by"] == "flow" and said["result"]["packet"]["dmac"] == CLIENT
    assert "icmpv6 echo id 1 %s > %s" % (C6, V6) in wire.text("iif eth1 icmpv6 %s > %s" % (C6, V6))


def test_gone(wire):
    """A target that has gone: what the setting says."""
    wire.tun.close()
    wait_for(lambda: wire.natvi.show("rules")[0]["target"] is None, 15, "natvi to see that tun0 has gone")
    said = wire.trace(udp())
    assert said["verdict"]["name"] == "wire-no-target" and said["wire"]["capture"] == {"id": 1, "name": "clients", "to": None}
    assert "to a device that is gone" in wire.text(udp())
    wire.reload(capture=[CAPTURE], fail="open")
    said = wire.trace(udp())
    assert said["verdict"]["name"] == "wire-crossed" and said["result"]["interface"] == "eth2"


def test_gone_unwatched(wire):
    """With the daemon dead the datapath looks by itself, and so does the trace."""
    assert wire.trace(udp())["verdict"]["name"] == "wire-captured"
    wire.natvi.kill()
    wire.tun.close()
    wait_for(lambda: wire.trace(udp())["verdict"]["name"] == "wire-no-target", 15, "the daemon to be taken for dead")


def test_too_big(wire):
    wire.box.ip("link set tun0 mtu 1400")
    wait_for(lambda: wire.trace(udp(more="len 1450 df"))["verdict"]["name"] == "too-big", 15, "natvi to see the MTU")
    said = wire.trace(udp(more=SAME + " len 1450 df vlan 9"))
    error = said["icmp_error"]
    assert (error["src"], error["dst"], error["icmp_type"], error["icmp_code"], error["interface"]) == (V, C, 3, 4, "eth1")
    assert (error["smac"], error["dmac"], error["vlan"]) == (ROUTER, CLIENT, 9)


def test_moved(wire):
    """A neighbour that has moved is said to have, and what goes to it follows."""
    wire.reload(**{"capture": [CAPTURE], "mac-changes": "arp"})
    wire.capture()
    wire.send(Ether(src=OTHER, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=OTHER, psrc=C, pdst=C))
    wait_for(lambda: wire.trace(answer())["result"]["packet"]["dmac"] == OTHER, 15, "the move to be known")
    assert wire.trace(answer(sport=9))["result"]["packet"]["dmac"] == OTHER
    said = wire.trace("iif eth1 smac %s dmac %s udp 198.51.100.2:1 > 192.0.2.7:2" % (CLIENT, ROUTER))
    assert said["wire"]["neighbour"]["moved"] == {"mac": OTHER, "port": "eth1"}


def test_assumed(wire):
    """Link-layer addresses that are not said are those that are known, and it says so."""
    said = wire.trace(udp())
    assert said["wire"]["smac_assumed"] and said["wire"]["dmac_assumed"]
    wire.capture()
    said = wire.trace(udp())
    assert (said["packet"]["smac"], said["packet"]["dmac"]) == (CLIENT, ROUTER)
    assert "%s (assumed) > %s (assumed)" % (CLIENT, ROUTER) in wire.text(udp())
    reachable(wire.host, A.gateway)
    said = wire.trace("iif eth1 icmp %s > %s" % (A.host, A.box))     # it asks by ARP, and that is the box's own
    assert said["packet"]["dmac"] == mac(wire.box, "nvi0") and said["verdict"]["name"] == "wire-own" and said["result"]["interface"] == "nvi0"


def test_box(wire):
    """The box's own: the kernel's route, and where it really goes."""
    reachable(wire.host, A.gateway)
    said = wire.trace("iif lo udp %s:1 > %s:2" % (A.box, A.host))
    assert said["kernel_route"]["interface"] == "nvi0" and said["wire"]["role"] == "box"
    assert said["verdict"]["name"] == "wire-own" and said["wire"]["by"] == "station" and said["result"]["interface"] == "eth1"
    assert said["result"]["packet"]["dmac"] == mac(wire.host, "eth0") and said["wire"]["arp"] == "asked"
    said = wire.trace("iif lo udp %s:1 > 192.0.2.200:2" % A.box)
    assert said["wire"]["by"] == "both ports" and said["wire"]["copies"] == ["eth1"]
    reachable(wire.host, B.host)        # beyond the box's network: the router is its gateway
    wait_for(lambda: wire.natvi.show("wires")[0]["host"]["gateway"], 15, "the gateway to be known")
    said = wire.trace("iif lo udp %s:1 > 198.18.7.7:2" % A.box)
    router = mac(wire.router, "lan")
    assert said["wire"]["by"] == "gateway" and said["wire"]["arp"] == router and said["result"]["packet"]["dmac"] == router
    assert "the kernel asks, and natvi answers: " + router in wire.text("iif lo udp %s:1 > 198.18.7.7:2" % A.box)


def test_mark(wire):
    """An answer in another's name, with the mark: to where the requests came from."""
    wire.capture(Dot1Q(vlan=4))
    said = wire.trace("iif lo mark 0x32 udp %s:53 > %s:1000" % (V, C))
    assert said["wire"]["by"] == "mark" and said["result"]["interface"] == "eth1"
    assert (said["result"]["packet"]["smac"], said["result"]["packet"]["dmac"], said["result"]["packet"]["vlan"]) == (ROUTER, CLIENT, 4)


def test_pcap(wire, tmp_path):
    """Frames of a capture, of any kind."""
    wrpcap(str(tmp_path / "odd.pcap"), [
        Ether(src=CLIENT, dst="01:80:c2:00:00:0e", type=0x88cc) / Raw(b"lldp"),
        Ether(src=CLIENT, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=CLIENT, psrc=C, pdst=A.box),
        Ether(src=CLIENT, dst=ROUTER) / Dot1Q(vlan=3) / IP(src=C, dst=V) / ICMP()])
    said = [wire.trace("iif eth1", "--pcap", tmp_path / "odd.pcap", "--frame", str(n)) for n in (1, 2, 3)]
    assert [s["verdict"]["name"] for s in said] == ["wire-crossed", "wire-own", "wire-captured"]
    assert [s["result"]["interface"] for s in said] == ["eth2", "nvi0", "tun0"]


def test_refused(wire):
    """What makes no sense is said to make none."""
    for sentence, words in (("iif tun0 vlan 5 udp %s:1 > %s:2" % (V, C), "no Ethernet"), ("iif lo udp [%s]:1 > [%s]:2" % (C6, V6), "IPv6"),
                            ("iif eth1 smac 02:00 udp %s:1 > %s:2" % (C, V), "right would be MAC")):
        refused = wire.natvi.cli("trace", sentence, check=False)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr
