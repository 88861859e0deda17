# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Packets and steps of cases, as data.

A packet is written once and built when its turn comes: an address or port "$x" stands for what an
earlier packet showed (a port that natvi chose), so it can be used again further on. scapy computes
all lengths and checksums that a packet does not set itself.
"""
import dataclasses

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

PAYLOAD = b"what a packet carries"
ETH_HEAD = 14
ICMP_QUOTE = 128  # most that natvi quotes (abi/limits.h)
ETH_IPV4 = 0x0800


@dataclasses.dataclass(frozen=True)
class Packet:
    """An IPv4 packet in Ethernet. IP and L4 fields as scapy calls them; ends as ADDRESS or ADDRESS:PORT."""
    kind: str
    src: str
    dst: str
    l4: tuple = ()      # (field, value) of the L4 header
    ip: tuple = ()      # (field, value) of the IP header
    payload: bytes = PAYLOAD
    tags: tuple = ()    # VLAN tags: (ethertype, TCI), outermost first
    trailer: bytes = b""    # behind the IP packet
    cut_at: int = None      # bytes of the frame that are left
    patches: tuple = ()     # (offset in the frame, bytes)
    quoted: "Packet" = None  # of an ICMP error
    behind: bytes = b""     # ICMP error: what follows the quote (RFC 4884)
    piece: tuple = ()       # (from, to) of the IP payload: a fragment of the packet; to None: to the end

    def but(self, **changes):
        """A copy with other fields: of this class, else of IP (ttl, tos, id, flags, frag, options, proto, chksum, len,
        version, ihl), or of L4 with l4_ before the name."""
        own = {f.name for f in dataclasses.fields(self)}
        ip, l4, rest = dict(self.ip), dict(self.l4), {}
        for name, value in changes.items():
            if name in own:
                rest[name] = value
            elif name.startswith("l4_"):
                l4[name[3:]] = value
            else:
                ip[name] = value
        return dataclasses.replace(self, **dict({"ip": tuple(ip.items()), "l4": tuple(l4.items())}, **rest))

    def cut(self, n):
        return dataclasses.replace(self, cut_at=n)

    def patch(self, at, data):
        """Bytes of the frame overwritten, at an offset from the start of Ethernet."""
        return dataclasses.replace(self, patches=self.patches + ((at, data),))

    def part(self, start, end=None, **but):
        """A fragment: these bytes of the IP payload. MF is set where more follows; what else of the IP header is given in but."""
        return dataclasses.replace(self.but(**but), piece=(start, end))

    @property
    def ttl(self):
        return dict(self.ip).get("ttl", 64)

    def ends(self, bound):
        """((address, port or None), (address, port or None)) with what is bound put in"""
        return split(self.src, bound), split(self.dst, bound)

    def bytes(self, bound):
        """The IP packet."""
        if not self.piece:
            return bytes(self.layers(bound))
        start, end = self.piece
        fields = dict({"ttl": 64, "id": 0x4e56}, **dict(self.ip))
        fields["id"] = int(value_of(fields["id"], bound))
        unset = {name: value for name, value in self.ip if name not in ("flags", "frag", "len", "chksum")}
        whole = bytes(dataclasses.replace(self, piece=(), ip=tuple(unset.items())).layers(bound))
        head = (whole[0] & 15) * 4
        load = whole[head:][start:end]
        more = end is not None and head + end < len(whole)
        flags = str(fields.pop("flags", "MF" if more else ""))
        (src, _), (dst, _) = self.ends(bound)
        ip = IP(src=src, dst=dst, **dict({"flags": flags, "frag": start // 8, "proto": whole[9]}, **fields))
        return bytes(ip / Raw(load))

    def layers(self, bound):
        (src, sport), (dst, dport) = self.ends(bound)
        fields = dict({"ttl": 64, "id": 0x4e56}, **dict(self.ip))
        fields["id"] = int(value_of(fields["id"], bound))
        ip = IP(src=src, dst=dst, **fields)
        l4 = dict(self.l4)
        if self.kind == "udp":
            return ip / UDP(sport=sport, dport=dport, **l4) / Raw(self.payload)
        if self.kind == "tcp":
            return ip / TCP(sport=sport, dport=dport, **l4) / Raw(self.payload)
        if self.kind == "icmp":
            if "id" in l4:
                l4["id"] = int(value_of(l4["id"], bound))
            keep = l4.pop("keep", None)
            inner = self.quoted.bytes(bound)[:keep] + self.behind if self.quoted else self.payload[:keep]
            return ip / ICMP(**l4) / Raw(inner)
        return ip / Raw(self.payload)

    def frame(self, bound, src_mac, dst_mac):
        """The bytes on the wire."""
        head = bytes(Ether(src=src_mac, dst=dst_mac, type=self.tags[0][0] if self.tags else ETH_IPV4))
        for i, (_, tci) in enumerate(self.tags):
            following = self.tags[i + 1][0] if i + 1 < len(self.tags) else ETH_IPV4
            head += tci.to_bytes(2, "big") + following.to_bytes(2, "big")
        data = bytearray(head + self.bytes(bound) + self.trailer)
        for at, patch in self.patches:
            data[at:at + len(patch)] = patch
        return bytes(data[:self.cut_at])


@dataclasses.dataclass(frozen=True)
class Other:
    """A frame that is not IPv4: what follows the addresses of Ethernet."""
    after_macs: bytes
    broadcast: bool = False

    def frame(self, bound, src_mac, dst_mac):
        return bytes(Ether(src=src_mac, dst="ff:ff:ff:ff:ff:ff" if self.broadcast else dst_mac))[:12] + self.after_macs


def arp(op, sender_mac, sender, target_mac, target, **fields):
    """ARP for IPv4; a request is broadcast."""
    layer = ARP(op=op, hwsrc=sender_mac, psrc=sender, hwdst=target_mac, pdst=target, **fields)
    return Other(b"\x08\x06" + bytes(layer), broadcast=op == 1)


def l2_len(frame):
    """Bytes in front of the IP header."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    return at + 2


def value_of(text, bound):
    text = str(text)
    return bound[text[1:]] if text.startswith("$") else text


def split(end, bound):
    address, _, port = end.partition(":")
    return value_of(address, bound), int(value_of(port, bound)) if port else None


# Packets

def udp(src, dst, **but):
    return Packet("udp", src, dst).but(**but)


def tcp(src, dst, flags="S", **but):
    return Packet("tcp", src, dst, l4=(("flags", flags), ("seq", 1000), ("ack", 2000 if "A" in flags else 0))).but(**but)


def echo(src, dst, ident, **but):
    return Packet("icmp", src, dst, l4=(("type", 8), ("id", ident), ("seq", 7))).but(**but)


def echo_reply(src, dst, ident, **but):
    return Packet("icmp", src, dst, l4=(("type", 0), ("id", ident), ("seq", 7))).but(**but)


def timestamp(src, dst, ident, reply=False, **but):
    l4 = (("type", 14 if reply else 13), ("id", ident), ("seq", 7), ("ts_ori", 1), ("ts_rx", 2), ("ts_tx", 3))
    return Packet("icmp", src, dst, l4=l4, payload=b"").but(**but)


def icmp(src, dst, kind, code=0, **but):
    """Any other ICMP message; what follows its first eight bytes is the payload."""
    return Packet("icmp", src, dst, l4=(("type", kind), ("code", code))).but(**but)


def icmp_error(src, dst, kind, code, about, mtu=0, keep=None, **but):
    """An ICMP error of somebody's about a packet, of which it quotes `keep` bytes (None: all)."""
    l4 = [("type", kind), ("code", code)]
    if mtu:
        l4.append(("nexthopmtu", mtu))
    if keep is not None:
        l4.append(("keep", keep))
    return Packet("icmp", src, dst, l4=tuple(l4), quoted=about).but(**but)


def other(src, dst, proto, **but):
    """A packet of a protocol without ports."""
    return Packet("ip", src, dst, ip=(("proto", proto),)).but(**but)


# What a value that natvi chooses may be

@dataclasses.dataclass(frozen=True)
class Port:
    lo: int
    hi: int
    parity: int = None      # 0 even, 1 odd
    but: tuple = ()         # numbers, or names of what other packets showed

    def wrong(self, value, bound):
        if not self.lo <= value <= self.hi:
            return "%d is not in %d-%d" % (value, self.lo, self.hi)
        if self.parity is not None and value % 2 != self.parity:
            return "%d is not %s" % (value, "odd" if self.parity else "even")
        if value in [bound[b] if isinstance(b, str) else b for b in self.but]:
            return "%d is taken" % value
        return None


@dataclasses.dataclass(frozen=True)
class Address:
    among: tuple

    def wrong(self, value, bound):
        return None if value in self.among else "%s is not one of %s" % (value, ", ".join(self.among))


def port(lo=1024, hi=65535, parity=None, but=()):
    return Port(lo, hi, parity, tuple(but))


def even(lo=1024, hi=65535, but=()):
    return Port(lo, hi, 0, tuple(but))


def odd(lo=1024, hi=65535, but=()):
    return Port(lo, hi, 1, tuple(but))


@dataclasses.dataclass(frozen=True)
class Scattered:
    """Ports by chance: one may happen to be the inside's own, not all of several."""
    rule: Port
    name: str       # with a number in it, from 0
    first: int      # the inside's own port of number 0, and the step to the next
    step: int
    number: int

    def wrong(self, value, bound):
        own = [self.first + self.step * n for n in range(self.number + 1)]
        seen = [bound[self.name % n] for n in range(self.number)] + [value]
        return self.rule.wrong(value,
                               bound) or ("all of %s are the inside's own" % seen if self.number >= 3 and seen == own else None)


def scattered(rule, name, first, step, number):
    return Scattered(rule, name, first, step, number)


def address(*among):
    return Address(among)


# Steps

@dataclasses.dataclass(frozen=True)
class Step:
    kind: str               # packet, parked, heartbeat, reload, advance, sweep, generation, adopt, state
    into: str = None
    packet: object = None
    action: str = None      # send, kernel, drop
    verdicts: tuple = ()
    out: str = None
    expect: object = None   # Packet; None: as it came in
    error: tuple = None     # natvi's own ICMP error: (type, code, mtu)
    mark: int = 0
    at: str = None          # on the XDP host: the hook that must have ended it
    gso: int = 0
    given: int = 0          # mark that the packet comes in with
    where: tuple = ()       # (name, Port or Address) of what natvi chooses here
    number: int = 0
    wanted: tuple = ()      # of state and sweep
    any_checksum: bool = False  # the packet's checksums are wrong already
    park: int = 0           # packet: it goes to the daemon's tap as this kind of thing; parked: it comes from there so
    text: str = ""          # of reload
    enters: bool = False    # out: it comes in there
    copies: tuple = ()      # (interface, enters, frame) beside what becomes of the frame itself
    origin: str = None      # leaves nvi0: the kernel has it from there


def sends(into, packet, out, expect, verdict="forward", at=None, gso=0, given=0, any_checksum=False, **where):
    """natvi sends it on, translated, TTL one less. given: the mark that it comes in with."""
    if isinstance(expect, Packet):
        expect = expect.but(ttl=packet.ttl - 1)
    return Step("packet", into, packet, "send", (verdict,), out, expect, at=at, gso=gso, given=given, where=tuple(where.items()),
                any_checksum=any_checksum)


def passes(into, packet, verdict, expect=None, mark=0, gso=0, given=0, **where):
    """Left to the kernel: as it came in, or translated with its TTL untouched. mark: of natvi's, beside the one given."""
    if isinstance(expect, Packet):
        expect = expect.but(ttl=packet.ttl)
    return Step("packet", into, packet, "kernel", (verdict,), None, expect, mark=mark | given, gso=gso, given=given, where=tuple(where.items()))


def drops(into, packet, verdict, gso=0, given=0):
    return Step("packet", into, packet, "drop", (verdict,), gso=gso, given=given)


def fragments(into, packet, out, expect, *cuts, verdict="new-forward", later="forward", **but):
    """All fragments of a packet in order, cut at these bytes of its IP payload; each is sent on like the first."""
    edges = [0, *cuts, None]
    return [sends(into, packet.part(a, b, **but), out, expect.part(a, b, **but), verdict if a == 0 else later)
            for a, b in zip(edges, edges[1:])]


def left(into, packet, verdict, *cuts, expect=None, mark=0, **but):
    """All fragments in order go to the kernel, as they came in or translated."""
    edges = [0, *cuts, None]
    return [passes(into, packet.part(a, b, **but), verdict, expect.part(a, b, **but) if expect else None, mark=mark)
            for a, b in zip(edges, edges[1:])]


def answers(into, packet, verdict, kind, code, mtu=0, gso=0):
    """Dropped for a reason, and the sender is told."""
    return Step("packet", into, packet, "send", (verdict, "icmp-sent"), into, error=(kind, code, mtu), gso=gso)


PARK_FRAGMENT, PARK_SYN = 1, 2
TAP = "off0"    # the interface that is taken for the daemon's tap in PARKED


def parks(into, packet, kind=PARK_FRAGMENT):
    """To the daemon, as it came in but for the destination MAC."""
    return Step("packet", into, packet, "send", ("fragment-parked" if kind == PARK_FRAGMENT else "syn-held",), TAP, park=kind)


def returns(into, packet):
    """The daemon writes a fragment back: it comes in anew as it was. What becomes of it then is another step's."""
    return Step("parked", into, packet, "send", (), into, park=PARK_FRAGMENT)


def released(into, packet, answered):
    """The daemon writes a SYN back: its sender is told (port unreachable), or nothing happens."""
    verdicts = ("syn-held", "icmp-sent") if answered else ("syn-held",)
    return Step("parked", into, packet, "send" if answered else "drop", verdicts, into, park=PARK_SYN,
                error=(3, 3, 0) if answered else None)


def stray(packet, verdict):
    """Something in the tap that natvi has not put there."""
    return Step("parked", TAP, packet, "drop", (verdict,))


def heartbeat():
    """The daemon gives a sign of life."""
    return Step("heartbeat")


def reload(config):
    return Step("reload", text=config)


def advance(seconds):
    return Step("advance", number=seconds)


def sweep(times=1, **wanted):
    """wanted: of the last one's report: live, ended, freed, mappings_live, mappings_freed"""
    return Step("sweep", number=times, wanted=tuple(wanted.items()))


def new_generation():
    return Step("generation")


def adopt(proto, orig, reply, idle=300):
    """The kernel's conntrack has this connection: both directions as their packets come in."""
    return Step("adopt", number=proto, wanted=(("orig", orig), ("reply", reply), ("idle", idle)))


def state(**wanted):
    """sessions, mappings, icmp_suppressed, xdp_hits: numbers. crossed: [packets, bytes] by each port of the first wire. idle: {"A:p > B:q": seconds} of flows by key."""
    return Step("state", wanted=tuple(wanted.items()))


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    what: str
    config: str
    steps: tuple
    net: dict = None        # None: NET
    hosts: tuple = ("native", "tc", "xdp")
    only: str = ""          # why not on the others


def flatten(steps):
    for step in steps:
        if isinstance(step, Step):
            yield step
        else:
            yield from flatten(step)


def case(name, what, config, *steps, net=None, hosts=("native", "tc", "xdp"), only=""):
    return Case(name, what, config, tuple(flatten(steps)), net, hosts, only)


# The box of nearly all cases

LAN_HOST_MAC = "02:00:00:00:01:01"


def interface(name, number, address_, **more):
    return dict({"name": name, "mac": "02:00:00:00:00:%02x" % number, "address": address_, "mtu": 1500}, **more)


def route(prefix, interface_, mac=None, **more):
    """more: mtu; and which packets it is for: iif (an interface), source (a prefix), tos, mark. Routes for the same packets are a
    table, with a routing rule; tables are asked in the order of their first routes, those for all packets last."""
    return dict({"prefix": prefix, "interface": interface_, "mac": mac}, **more)


NET = {
    "interfaces": [
        interface("lan0", 1, "198.18.0.1/16"),
        interface("lan1", 2, "198.19.0.1/16"),
        interface("wan0", 3, "203.0.113.1/24"),
        interface("off0", 4, "198.51.100.1/24"),    # no configuration names it
    ],
    "routes": [
        route("198.18.0.0/16", "lan0", "02:00:00:00:01:01"),
        route("198.19.0.0/16", "lan1", "02:00:00:00:01:02"),
        route("203.0.113.0/24", "wan0", "02:00:00:00:01:03"),
        route("0.0.0.0/0", "wan0", "02:00:00:00:01:04"),
        route("198.51.100.0/24", "off0", "02:00:00:00:01:05"),
        route("192.0.2.64/27", "wan0"),             # nobody answers ARP there
        route("192.0.2.96/27", ""),                 # unreachable
        route("192.0.2.128/27", "wan0", "02:00:00:00:01:06", mtu=1400),
    ],
    "sockets": [],
    "local_ports": [32768, 60999],
}


def net(**changes):
    return dict(NET, **changes)


PARKED = net(park=TAP)
