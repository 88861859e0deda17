# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Wires: frames with link-layer addresses of their own, IPv6, the box that stands in a wire, and what it does.

The wire w0 is eth1 and eth2. A client C sits behind eth1 and a router R behind eth2; on the box's network there are hosts on both
sides. Captured traffic goes to tun0, which has no Ethernet, to tap0, which has, or to nvi0: the box's own stack."""
import dataclasses
import json

from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, ICMPv6ND_NA, ICMPv6ND_NS, IPv6,
                                 IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from frames import ICMP_QUOTE, PAYLOAD, Other, Packet, Step, case, icmp_error, interface

C_MAC, C2_MAC, R_MAC, R2_MAC, H_MAC, H2_MAC = ("02:00:00:00:0a:%02x" % n for n in range(1, 7))
OTHER_MAC = "02:00:00:00:0a:77"
BROADCAST = "ff:ff:ff:ff:ff:ff"

C, C2 = "198.51.100.2", "198.51.100.3"          # clients behind eth1, beyond the box's network
V, V2 = "203.0.113.5", "203.0.113.6"            # behind the router, by eth2
HOST, GATEWAY = "192.0.2.10", "192.0.2.1"       # the box's own address; the router's
H, H2 = "192.0.2.20", "192.0.2.21"              # hosts on the box's network: behind eth1, behind eth2
C6, V6 = "2001:db8:1::2", "2001:db8:2::5"
TUN_PORT = 4500

WIRED = {
    "interfaces": [
        interface("eth1", 1, ""), interface("eth2", 2, ""), interface("tun0", 3, "", no_l2=True), interface("tap0", 4, ""),
        interface("nvi0", 5, HOST + "/24"),
    ],
    "routes": [], "sockets": [], "local_ports": [32768, 60999], "nvi": "nvi0",
}
NVI_MAC = "02:00:00:00:00:05"


# Configurations

def capture(to="tun0", **match):
    """match: as in the configuration, with _ for -"""
    return {"match": {key.replace("_", "-"): value for key, value in match.items()}, "to": to} if match else {"to": to}


def wire(*captures, limits=None, **keys):
    """keys: of the wire, with _ for -"""
    one = {"name": "w0", "ports": ["eth1", "eth2"], **{key.replace("_", "-"): value for key, value in keys.items()}}
    if captures:
        one["capture"] = list(captures)
    return json.dumps({"wires": [one], **({"limits": limits} if limits else {})})


BOX = {"address": HOST + "/24"}
CLIENTS = capture(source="198.51.100.0/24", destination="203.0.113.0/24")


# Frames

@dataclasses.dataclass(frozen=True)
class Whole:
    """A frame as it is on the wire, whatever port it is seen at."""
    src: str
    dst: str
    packet: object          # Packet or Other
    tags: tuple = ()
    pad: int = 0            # the frame is filled up to this many bytes
    cut_at: int = None

    def but(self, **changes):
        own = {f.name for f in dataclasses.fields(self)}
        mine = {name: value for name, value in changes.items() if name in own}
        rest = {name: value for name, value in changes.items() if name not in own}
        return dataclasses.replace(self, **dict({"packet": self.packet.but(**rest) if rest else self.packet}, **mine))

    @property
    def ip(self):
        return getattr(self.packet, "ip", ())

    def frame(self, bound, *_):
        if isinstance(self.packet, Packet):
            data = self.packet.but(tags=self.tags).frame(bound, self.src, self.dst)
        else:
            tags = b"".join(proto.to_bytes(2, "big") + tci.to_bytes(2, "big") for proto, tci in self.tags)
            data = bytes(Ether(src=self.src, dst=self.dst))[:12] + tags + self.packet.after_macs
        return data.ljust(self.pad, b"\0")[:self.cut_at]


def tag(vid, priority=0, proto=0x8100):
    return proto, priority << 13 | vid


def service(vid, priority=0):
    return tag(vid, priority, 0x88a8)


def eth(src, dst, packet, *tags, **more):
    return Whole(src, dst, packet, tags, **more)


def out(packet, *tags, **more):
    """From the client to its router."""
    return Whole(C_MAC, R_MAC, packet, tags, **more)


def back(packet, *tags, **more):
    return Whole(R_MAC, C_MAC, packet, tags, **more)


def bare(packet):
    """In a tun: no Ethernet at all; what stands here for it is cut off."""
    return Whole("00:00:00:00:00:00", "00:00:00:00:00:00", packet)


def ethertype(proto, data=PAYLOAD):
    return Other(proto.to_bytes(2, "big") + data)


LLDP = ethertype(0x88cc, bytes.fromhex("0207040200000a01" "0403056531" "06020078" "0000"))
STP = Other(bytes.fromhex("0026424203000000000000000200000000000000000000000002000000000080010000140002000f00"))


def arp_frame(op, sender_mac, sender, target_mac, target, *tags, to=None, src=None):
    layer = ARP(op=op, hwsrc=sender_mac, psrc=sender, hwdst=target_mac, pdst=target)
    return Whole(src or sender_mac, to or (BROADCAST if op == 1 else target_mac), Other(b"\x08\x06" + bytes(layer)), tags)


NO_MAC = "00:00:00:00:00:00"


def who_has(sender_mac, sender, target, *tags):
    return arp_frame(1, sender_mac, sender, NO_MAC, target, *tags)


def is_at(sender_mac, sender, target_mac, target, *tags):
    return arp_frame(2, sender_mac, sender, target_mac, target, *tags)


def gratuitous(mac, address, *tags):
    return arp_frame(1, mac, address, NO_MAC, address, *tags)


@dataclasses.dataclass(frozen=True)
class Six:
    """An IPv6 packet; layers: (class, fields) from IPv6 on."""
    layers: tuple
    payload: bytes = PAYLOAD

    @property
    def after_macs(self):
        packet = None
        for kind, fields in self.layers:
            one = kind(**dict(fields))
            packet = one if packet is None else packet / one
        return b"\x86\xdd" + bytes(packet / Raw(self.payload))


def six(src, dst, *layers, payload=PAYLOAD, **ip):
    return Six(((IPv6, tuple(dict({"src": src, "dst": dst, "hlim": 64}, **ip).items())),) + layers, payload)


def udp6(src, sport, dst, dport, **more):
    return six(src, dst, (UDP, (("sport", sport), ("dport", dport))), **more)


def udp6_behind(headers, src, sport, dst, dport, **more):
    """The same behind extension headers: h, r, d: hop-by-hop, routing, destination; f: the first fragment's."""
    kinds = {"h": (IPv6ExtHdrHopByHop, ()), "r": (IPv6ExtHdrRouting, ()), "d": (IPv6ExtHdrDestOpt, ()), "f": (IPv6ExtHdrFragment, (("id", 7), ("m", 1)))}
    return six(src, dst, *[kinds[h] for h in headers], (UDP, (("sport", sport), ("dport", dport), ("len", 64))), **more)


def later6(headers, src, dst, **more):
    """A later fragment of that."""
    kinds = {"h": (IPv6ExtHdrHopByHop, ()), "d": (IPv6ExtHdrDestOpt, ())}
    return six(src, dst, *[kinds[h] for h in headers], (IPv6ExtHdrFragment, (("id", 7), ("offset", 4), ("nh", 17))), **more)


def tcp6(src, sport, dst, dport, flags="S", **more):
    options = more.pop("options", ())
    return six(src, dst, (TCP, (("sport", sport), ("dport", dport), ("flags", flags), ("seq", 1000), ("options", list(options)))), **more)


def echo6(src, dst, ident, **more):
    return six(src, dst, (ICMPv6EchoRequest, (("id", ident), ("seq", 7))), **more)


def echo6_reply(src, dst, ident, **more):
    return six(src, dst, (ICMPv6EchoReply, (("id", ident), ("seq", 7))), **more)


def too_big(packet, mtu):
    """natvi's own: about a packet, in the name of who it was for"""
    if isinstance(packet, Six):
        ip = dict(packet.layers[0][1])
        return six(ip["dst"], ip["src"], (ICMPv6PacketTooBig, (("mtu", mtu),)), payload=packet.after_macs[2:][:ICMP_QUOTE])
    src, dst = packet.src.split(":")[0], packet.dst.split(":")[0]
    return icmp_error(dst, src, 3, 4, packet, mtu=mtu, keep=ICMP_QUOTE, tos=0xc0, flags="DF", id=0)


def solicit(mac, src, target, **more):
    return six(src, "ff02::1:ff00:5", (ICMPv6ND_NS, (("tgt", target),)), (ICMPv6NDOptSrcLLAddr, (("lladdr", mac),)), payload=b"", hlim=255,
               **more)


def advertise(mac, src, dst, **more):
    return six(src, dst, (ICMPv6ND_NA, (("tgt", src), ("R", 0), ("S", 1), ("O", 1))), (ICMPv6NDOptDstLLAddr, (("lladdr", mac),)),
               payload=b"", hlim=255, **more)


# Steps

def crosses(port, frame, at=None, gso=0, copies=()):
    """To the other port as it came in."""
    return Step("packet", port, frame, "send", ("wire-crossed",), "eth2" if port == "eth1" else "eth1", frame, at=at, gso=gso,
                any_checksum=True, copies=tuple(copies))


def captured(port, frame, to="tun0", expect=None, **more):
    """To the target: without tags, otherwise as it came in. tun0 gets the packet alone. more: of the step"""
    return Step("packet", port, frame, "send", ("wire-captured",), to, expect or frame.but(tags=()), **more)


def returned(target, packet, port, frame, gso=0, given=0):
    """Out of the target, into the wire. packet: a frame where the target has Ethernet."""
    return Step("packet", target, packet if isinstance(packet, Whole) else bare(packet), "send", ("wire-returned",), port, frame, gso=gso,
                given=given)


def lost(port, frame, verdict, **more):
    return Step("packet", port, frame if isinstance(frame, Whole) else bare(frame), "drop", (verdict,), **more)


def told(port, frame, verdict, out_port, answer):
    """Dropped, and its sender is told."""
    return Step("packet", port, frame if isinstance(frame, Whole) else bare(frame), "send", (verdict, "icmp-sent"), out_port, answer)


def delivered(port, frame, copies=(), expect=None):
    """To the box itself: into nvi0, without tags."""
    return Step("packet", port, frame, "send", ("wire-own",), "nvi0", expect or frame.but(tags=()), enters=True, copies=tuple(copies))


def own(frame, port, expect, given=0, copies=(), origin=None):
    """What the box sends itself (origin: what the kernel forwards): as it leaves nvi0, and as it leaves the port."""
    return Step("packet", "nvi0", frame, "send", ("wire-own",), port, expect, given=given, copies=tuple(copies), origin=origin)


def copy(port, frame, enters=False):
    return (port, enters, frame)


def fragments(step, port, frame, *cuts, **more):
    """A step for each fragment of a frame's packet, in order."""
    edges = [0, *cuts, None]
    return [step(port, frame.but(packet=frame.packet.part(a, b)), **more) for a, b in zip(edges, edges[1:])]


def narrow(name, mtu, **more):
    """The box with a smaller MTU of one interface."""
    return dict(WIRED, interfaces=[dict(i, mtu=mtu) if i["name"] == name else i for i in WIRED["interfaces"]], **more)


def wire_case(name, what, config, *steps, **more):
    return case(name, what, config, *steps, **dict({"net": WIRED}, **more))
