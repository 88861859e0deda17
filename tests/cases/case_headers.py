# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Headers of every kind, whole, cut short and contradicting themselves; checksums."""
from scapy.layers.inet import IPOption_NOP, IPOption_Router_Alert

from frames import (ETH_HEAD, Other, address, case, drops, echo, echo_reply, icmp, other, passes, sends, state, tcp, timestamp,
                    udp)
from world import A, B, MASQ, P, S, S2, X, pool

UDP_OUT, UDP_IN = udp(A + ":4000", S + ":53"), udp(S + ":53", A + ":4000")
MACS = ((bytes.fromhex("020000000099"), "other-host"), (bytes.fromhex("01005e000005"), "multicast"), (b"\xff" * 6, "multicast"))
UDP_OUT_X, UDP_IN_X = udp(X + ":4000", S + ":53"), udp(S + ":53", X + ":4000")
TCP_OUT, TCP_OUT_X = tcp(A + ":4000", S + ":80"), tcp(X + ":4000", S + ":80")
ECHO_OUT, ECHO_OUT_X = echo(A, S, 300), echo(X, S, 300)
PAD = b"\0" * 18

MANY_OPTIONS = TCP_OUT.but(options=[IPOption_NOP()] * 40, l4_options=[("MSS", 1460)] * 10)


def cut_everywhere(packet, first, last):
    return [drops("lan0", packet.cut(n), "truncated") for n in range(first, last)]


def frame_len(packet):
    return len(packet.frame({}, "02:00:00:00:00:0a", "02:00:00:00:00:0b"))


def fitted(packet, ip_len):
    """The packet with no more than ip_len bytes, and a total length that says so."""
    return packet.but(len=ip_len).cut(ETH_HEAD + ip_len)


def sums_to_zero(packet, translated):
    """A payload with which the checksum of the translated packet comes out as 0, which UDP sends as 0xffff."""
    segment = bytes(translated.but(payload=b"\0\0").layers({}))
    return bytes(segment[26:28])


ZERO_SUM = sums_to_zero(UDP_OUT, UDP_OUT_X)

CASES = [
    case("udp", "UDP out and back: addresses, TTL, checksums, link layer", MASQ,
         sends("lan0", UDP_OUT, "wan0", UDP_OUT_X, "new-forward"),
         sends("wan0", UDP_IN_X, "lan0", UDP_IN, at="tc"),     # looks its way up
         sends("wan0", UDP_IN_X, "lan0", UDP_IN, at="xdp"),
         sends("lan0", UDP_OUT, "wan0", UDP_OUT_X, at="xdp"),
         state(sessions=1, mappings=1, xdp_hits=2)),

    case("tcp", "TCP: a handshake and data", MASQ,
         sends("lan0", TCP_OUT, "wan0", TCP_OUT_X, "new-forward"),
         sends("wan0", tcp(S + ":80", X + ":4000", "SA"), "lan0", tcp(S + ":80", A + ":4000", "SA"), at="tc"),
         sends("lan0", tcp(A + ":4000", S + ":80", "A"), "wan0", tcp(X + ":4000", S + ":80", "A"), at="tc"),
         sends("lan0", tcp(A + ":4000", S + ":80", "PA"), "wan0", tcp(X + ":4000", S + ":80", "PA"), at="xdp"),
         sends("wan0", tcp(S + ":80", X + ":4000", "A"), "lan0", tcp(S + ":80", A + ":4000", "A"), at="xdp")),

    case("tcp-options", "a TCP header with options stays as it is", MASQ,
         [sends("lan0", p.but(l4_options=o), "wan0", q.but(l4_options=o), "new-forward") for p, q, o in [
             (TCP_OUT, TCP_OUT_X, [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]),
         ]]),

    case("icmp-echo", "an echo and its answer, by identifier", MASQ,
         sends("lan0", ECHO_OUT, "wan0", ECHO_OUT_X, "new-forward"),
         sends("wan0", echo_reply(S, X, 300), "lan0", echo_reply(S, A, 300), at="tc"),
         sends("wan0", echo_reply(S, X, 300), "lan0", echo_reply(S, A, 300), at="xdp")),

    case("icmp-timestamp", "timestamp messages have an identifier, too", MASQ,
         sends("lan0", timestamp(A, S, 301), "wan0", timestamp(X, S, 301), "new-forward"),
         sends("wan0", timestamp(S, X, 301, reply=True), "lan0", timestamp(S, A, 301, reply=True))),

    case("icmp-other", "ICMP that is neither a query nor an error starts nothing", MASQ,
         [drops("lan0", icmp(A, S, kind), "no-state") for kind in (5, 9, 10, 17, 18, 40)],
         state(sessions=0, mappings=0)),

    case("esp", "ESP goes by address and remote", MASQ,
         sends("lan0", other(A, S, 50), "wan0", other(X, S, 50), "new-forward"),
         sends("wan0", other(S, X, 50), "lan0", other(S, A, 50), at="tc"),
         sends("wan0", other(S, X, 50), "lan0", other(S, A, 50), at="xdp"),
         state(sessions=1, mappings=0)),

    case("gre", "GRE likewise", MASQ,
         sends("lan0", other(A, S, 47), "wan0", other(X, S, 47), "new-forward"),
         sends("wan0", other(S, X, 47), "lan0", other(S, A, 47))),

    case("sctp", "SCTP likewise: its checksum does not cover addresses", MASQ,
         sends("lan0", other(A, S, 132), "wan0", other(X, S, 132), "new-forward"),
         sends("wan0", other(S, X, 132), "lan0", other(S, A, 132))),

    case("empty-payload", "protocols without ports need no byte behind the IP header", MASQ,
         sends("lan0", other(A, S, 50, payload=b""), "wan0", other(X, S, 50, payload=b""), "new-forward")),

    case("not-ipv4", "IPv6, ARP, LLC and unknown types are the kernel's", MASQ,
         passes("lan0", Other(b"\x86\xdd\x60" + b"\0" * 59), "not-ipv4"),
         passes("lan0", Other(b"\x08\x06\0\1\x08\0\6\4\0\1" + b"\0" * 20, broadcast=True), "not-ipv4"),
         passes("lan0", Other(b"\0\x26\x42\x42\x03" + b"\0" * 35), "not-ipv4"),
         passes("lan0", Other(b"\x88\xcc\x02\x07\x04" + b"\0" * 20), "not-ipv4")),

    case("vlan", "a VLAN tag is another port, which natvi does not serve", MASQ,
         passes("lan0", UDP_OUT.but(tags=((0x8100, 100),)), "not-enabled"),
         passes("lan0", UDP_OUT.but(tags=((0x88a8, 100), (0x8100, 200))), "not-enabled"),
         passes("lan0", UDP_OUT.but(tags=((0x88a8, 100), (0x8100, 200), (0x8100, 300))), "not-enabled"),
         passes("lan0", Other(b"\x81\0\0\x64\x86\xdd\x60" + b"\0" * 39), "not-enabled"),
         state(sessions=0)),

    case("vlan-priority", "a tag with no VLAN in it, only a priority: translated, the tag kept", MASQ,
         [sends("lan0", UDP_OUT.but(tags=tags), "wan0", UDP_OUT_X.but(tags=tags), verdict) for tags, verdict in [
             (((0x8100, 0xa000),), "new-forward"), (((0x8100, 0xa000), (0x8100, 0xa000)), "forward")]],
         passes("lan0", UDP_OUT.but(tags=((0x8100, 0xa000),) * 3), "not-ipv4"),
         drops("lan0", UDP_OUT.but(tags=((0x8100, 0xa000),), ttl=1), "ttl-exceeded")),

    case("vlan-cut", "cut within a tag", MASQ,
         [drops("lan0", UDP_OUT.but(tags=((0x8100, 100), (0x8100, 200))).cut(n), "truncated") for n in range(15, 22)]),

    case("options", "IP options: translated, the rest is the kernel's, TTL untouched", MASQ,
         [passes("lan0", p.but(options=[IPOption_Router_Alert()]), "slow-options", q.but(options=[IPOption_Router_Alert()]))
          for p, q in [(UDP_OUT, UDP_OUT_X), (TCP_OUT, TCP_OUT_X), (ECHO_OUT, ECHO_OUT_X)]],
         passes("wan0", UDP_IN_X.but(options=[IPOption_NOP()] * 40), "slow-options", UDP_IN.but(options=[IPOption_NOP()] * 40)),
         sends("lan0", UDP_OUT, "wan0", UDP_OUT_X)),

    case("truncated-ethernet", "cut within Ethernet", MASQ,
         cut_everywhere(UDP_OUT, 1, 15), hosts=("native",), only="a test run takes no frame this short"),
    case("truncated-ip", "cut within the IP header", MASQ,
         cut_everywhere(UDP_OUT, 15, 34), hosts=("native", "xdp"), only="a test run at tc wants a whole IP header"),
    case("truncated-udp", "a UDP packet cut at every byte", MASQ,
         cut_everywhere(UDP_OUT, 34, frame_len(UDP_OUT)), state(sessions=0, mappings=0)),
    case("truncated-tcp", "a TCP packet cut at every byte", MASQ,
         cut_everywhere(TCP_OUT, 34, frame_len(TCP_OUT)), state(sessions=0, mappings=0)),
    case("truncated-icmp", "an ICMP packet cut at every byte", MASQ,
         cut_everywhere(ECHO_OUT, 34, frame_len(ECHO_OUT)), state(sessions=0, mappings=0)),
    case("truncated-options", "a packet with IP and TCP options cut at every byte", MASQ,
         cut_everywhere(MANY_OPTIONS, 34, frame_len(MANY_OPTIONS)), state(sessions=0, mappings=0)),

    case("short-l4", "a total length that leaves less than the L4 header", MASQ,
         [drops("lan0", fitted(TCP_OUT, n), "truncated") for n in range(20, 40)],
         [drops("lan0", fitted(UDP_OUT, n), "truncated") for n in range(20, 28)],
         [drops("lan0", fitted(ECHO_OUT, n), "truncated") for n in range(20, 28)]),

    case("bad-ip-header", "header fields that contradict each other", MASQ,
         [drops("lan0", UDP_OUT.but(**{"version": v}), "bad-header") for v in (0, 3, 5, 6, 15)],
         [drops("lan0", UDP_OUT.but(ihl=n), "bad-header") for n in (0, 1, 4)],
         [drops("lan0", UDP_OUT.but(len=n), "bad-header") for n in (0, 1, 19)],
         drops("lan0", UDP_OUT.but(ihl=15), "bad-header"),
         [drops("lan0", UDP_OUT.but(len=n), "truncated") for n in (50, 1500, 65535)],
         state(sessions=0, mappings=0)),

    case("bad-l4-header", "TCP data offsets and UDP lengths that cannot be", MASQ,
         [drops("lan0", TCP_OUT.but(l4_dataofs=n), "bad-header") for n in (0, 4, 11, 15)],
         [drops("lan0", UDP_OUT.but(l4_len=n), "bad-header") for n in (0, 7, 30, 65535)],
         state(sessions=0, mappings=0)),

    case("udp-len-short", "a UDP length below the IP payload's is UDP's own business", MASQ,
         sends("lan0", UDP_OUT.but(l4_len=12), "wan0", UDP_OUT_X.but(l4_len=12), "new-forward", any_checksum=True)),

    case("padding", "bytes behind the IP packet stay", MASQ,
         sends("lan0", UDP_OUT.but(trailer=PAD), "wan0", UDP_OUT_X.but(trailer=PAD), "new-forward"),
         sends("wan0", UDP_IN_X.but(trailer=b"\xaa" * 7), "lan0", UDP_IN.but(trailer=b"\xaa" * 7)),
         sends("lan0", TCP_OUT.but(trailer=PAD), "wan0", TCP_OUT_X.but(trailer=PAD), "new-forward"),
         sends("lan0", other(A, S, 50, trailer=PAD), "wan0", other(X, S, 50, trailer=PAD), "new-forward")),

    case("udp-no-checksum", "a UDP checksum of zero stays zero", MASQ,
         sends("lan0", UDP_OUT.but(l4_chksum=0), "wan0", UDP_OUT_X.but(l4_chksum=0), "new-forward"),
         sends("lan0", UDP_OUT.but(l4_chksum=0), "wan0", UDP_OUT_X.but(l4_chksum=0), at="xdp"),
         [sends("wan0", UDP_IN_X.but(l4_chksum=0), "lan0", UDP_IN.but(l4_chksum=0), at=at) for at in ("tc", "xdp")]),

    case("udp-checksum-ffff", "a UDP checksum that becomes zero is sent as 0xffff", MASQ,
         [sends("lan0", UDP_OUT.but(payload=ZERO_SUM), "wan0", UDP_OUT_X.but(payload=ZERO_SUM, l4_chksum=0xffff), verdict)
          for verdict in ("new-forward", "forward")]),

    case("checksum-of-zeros", "an ICMP message of zeros, whose checksum is 0xffff, keeps it", MASQ,
         sends("lan0", echo(A, S, 0), "wan0", echo(X, S, 0), "new-forward"),
         [sends("wan0", echo_reply(S, X, 0, l4_seq=0, payload=b"\0" * 8), "lan0", echo_reply(S, A, 0, l4_seq=0, payload=b"\0" * 8),
                at=at) for at in ("tc", "xdp")]),

    case("wrong-checksums", "checksums are changed by difference: a wrong one stays wrong by as much", MASQ,
         sends("lan0", UDP_OUT.but(l4_chksum=0x1234), "wan0",
               UDP_OUT_X.but(l4_chksum=(lambda old, new: (0x1234 - old + new) % 0xffff)(
                   int.from_bytes(bytes(UDP_OUT.layers({}))[26:28], "big"),
                   int.from_bytes(bytes(UDP_OUT_X.layers({}))[26:28], "big"))), "new-forward", any_checksum=True)),

    case("other-port", "an interface that natvi does not serve", MASQ,
         passes("off0", udp("198.51.100.9:4000", S + ":53"), "not-enabled"),
         state(sessions=0)),

    case("multicast", "multicast, broadcast, loopback and no address at all are the kernel's", MASQ,
         [passes("lan0", udp(A + ":4000", dst + ":53"), "multicast")
          for dst in ("224.0.0.5", "239.255.255.250", "255.255.255.255", "127.0.0.1", "0.0.0.0", "240.0.0.1")],
         [passes("lan0", udp(src + ":68", "255.255.255.255:67"), "multicast") for src in ("0.0.0.0", "127.0.0.1", "224.0.0.1")],
         passes("lan0", udp("0.0.0.0:68", S + ":67"), "multicast"),
         passes("wan0", other("224.1.2.3", X, 50), "multicast")),

    case("other-mac", "frames for other hosts, or for all, are not forwarded, whether there is a session or not", MASQ,
         [passes("lan0", UDP_OUT.patch(0, mac), verdict) for mac, verdict in MACS],
         state(sessions=0), sends("lan0", UDP_OUT, "wan0", UDP_OUT_X, "new-forward"),
         [passes("lan0", UDP_OUT.patch(0, mac), verdict) for mac, verdict in MACS],
         sends("lan0", UDP_OUT, "wan0", UDP_OUT_X)),

    case("sizes", "payloads of every length from none to odd ones", pool(),
         [sends("lan0", udp(A + ":4000", S + ":53", payload=b"x" * n), "wan0", udp(P + ":4000", S + ":53", payload=b"x" * n),
                "new-forward" if n == 0 else "forward") for n in range(0, 68)],
         [sends("lan0", tcp(B + ":4000", S2 + ":53", "A", payload=b"x" * n), "wan0",
                tcp(P + ":4000", S2 + ":53", "A", payload=b"x" * n), "new-forward" if n == 0 else "forward")
          for n in range(0, 5)]),

    case("checksum-carries", "checksums right for many addresses and ports", pool("203.0.113.16, 203.0.113.255"),
         [sends("lan0", tcp("198.18.%d.%d:%d" % (n % 256, 255 - n % 200, 1024 + n * 97), "192.0.%d.%d:%d" % (n % 2, n % 60, 65535 - n * 31)),
                "wan0", tcp("$a%d:%d" % (n, 1024 + n * 97), "192.0.%d.%d:%d" % (n % 2, n % 60, 65535 - n * 31)), "new-forward",
                **{"a%d" % n: address("203.0.113.16", "203.0.113.255")}) for n in range(1, 80)]),
]

