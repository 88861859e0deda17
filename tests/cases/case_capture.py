# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Wires: what is captured, and the way back."""
from frames import Other, Step, advance, echo, echo_reply, icmp_error, other, reload, state, sweep, tcp, udp
from wires import (BOX, BROADCAST, C, C2, C2_MAC, C6, CLIENTS, C_MAC, GATEWAY, H, H2, H2_MAC, H_MAC, NVI_MAC, OTHER_MAC, R2_MAC,
                   R_MAC, V, V2, V6, advertise, back, bare, capture, captured, crosses, echo6, echo6_reply, eth, fragments, gratuitous, is_at, later6, lost,
                   narrow, out, returned, service, solicit, tag, tcp6, told, too_big, udp6, udp6_behind, who_has, wire, wire_case)

ASK, ANSWER = udp(C + ":4000", V + ":53"), udp(V + ":53", C + ":4000")
ASK2, ANSWER2 = udp(C2 + ":4000", V + ":53"), udp(V + ":53", C2 + ":4000")
SYN, SYN_ACK = tcp(C + ":5000", V + ":443"), tcp(V + ":443", C + ":5000", "SA")
CALL, CALL6 = udp(V + ":7", H + ":9"), udp6(V6, 7, C6, 9)
MSS = (("MSS", 1460),)


def with_mss(packet, mss):
    return packet.but(l4_options=[("MSS", mss)])


def cut(packet, total):
    """The packet says that it has so many bytes from the IPv6 header on, and has no more."""
    raw = bytearray(packet.after_macs[:2 + total])
    raw[6:8] = (total - 40).to_bytes(2, "big")
    return Other(bytes(raw))


def big(packet, total):
    """Of so many bytes from the IP header on."""
    return packet.but(payload=b"x" * (total - 28))


def whole(frame):
    """What the target gets: no tags."""
    return frame.but(tags=())


CAPTURE_ALL = wire(capture())

CASES = [
    # What is captured
    wire_case("capture", "by prefixes, one way; the answers come out of the tunnel", wire(CLIENTS),
              captured("eth1", out(ASK)), returned("tun0", ANSWER, "eth1", back(ANSWER)),
              captured("eth1", out(SYN)), returned("tun0", SYN_ACK, "eth1", back(SYN_ACK)),
              captured("eth1", out(echo(C, V, 7))), returned("tun0", echo_reply(V, C, 7), "eth1", back(echo_reply(V, C, 7))),
              captured("eth1", out(other(C, V, 47))), returned("tun0", other(V, C, 47), "eth1", back(other(V, C, 47))),
              crosses("eth2", back(ANSWER2)), crosses("eth1", out(udp(C + ":4000", "192.0.2.5:53"))),
              state(sessions=4, mappings=0)),
    wire_case("capture-ttl", "is no hop: a TTL of one goes through, both ways", wire(CLIENTS),
              captured("eth1", out(ASK.but(ttl=1))), returned("tun0", ANSWER.but(ttl=1), "eth1", back(ANSWER.but(ttl=1)))),
    wire_case("capture-port", "by the port that it comes in by", wire(capture(port="eth1")),
              captured("eth1", out(ASK)), crosses("eth2", back(ANSWER2))),
    wire_case("capture-port-gone", "a port that is not there matches nothing", wire(capture(port="gone0"), ports=["gone0", "eth2"]),
              lost("eth2", back(ANSWER), "wire-no-port")),
    wire_case("capture-vlan", "by the outer tag", wire(capture(vlan=100)),
              captured("eth1", out(ASK, tag(100))), captured("eth1", out(ASK, tag(100, 5))), captured("eth1", out(ASK, tag(100), tag(7))),
              captured("eth1", out(ASK, service(100), tag(7))), crosses("eth1", out(ASK2)), crosses("eth1", out(ASK2, tag(101))),
              crosses("eth1", out(ASK2, tag(7), tag(100)))),
    wire_case("capture-untagged", "by having none", wire(capture(vlan="untagged")),
              captured("eth1", out(ASK)), crosses("eth1", out(ASK2, tag(100)))),
    wire_case("capture-source", "by source alone", wire(capture(source=["198.51.100.2/32", "198.51.100.128/25"])),
              captured("eth1", out(ASK)), captured("eth1", out(udp("198.51.100.200:1", V + ":53"))), crosses("eth1", out(ASK2)),
              crosses("eth2", back(udp(V + ":53", C + ":4001")))),
    wire_case("capture-destination", "by destination alone", wire(capture(destination=V + "/32")),
              captured("eth1", out(ASK)), captured("eth2", back(udp(C + ":1", V + ":2"))), crosses("eth1", out(udp(C + ":4000", V2 + ":53")))),
    wire_case("capture-proto", "by protocol", wire(capture(proto=["tcp", "icmp", 47])),
              captured("eth1", out(SYN)), captured("eth1", out(echo(C, V, 7))), captured("eth1", out(other(C, V, 47))),
              crosses("eth1", out(ASK2))),
    wire_case("capture-ports", "by both ports", wire(capture(proto="udp", source_ports="4000-4009", destination_ports=[53, 5353])),
              captured("eth1", out(ASK)), captured("eth1", out(udp(C + ":4009", V + ":5353"))), crosses("eth1", out(udp(C + ":4010", V + ":53"))),
              crosses("eth1", out(udp(C + ":4001", V + ":54"))), crosses("eth1", out(tcp(C + ":4000", V + ":53")))),
    wire_case("capture-dscp", "by DSCP", wire(capture(dscp=["ef", 10])),
              captured("eth1", out(ASK.but(tos=46 << 2))), captured("eth1", out(ASK.but(tos=10 << 2 | 1))), crosses("eth1", out(ASK2))),
    wire_case("capture-all", "without a match: all IP of both families, from both sides", CAPTURE_ALL,
              captured("eth1", out(ASK)), captured("eth2", back(udp(V2 + ":1", C2 + ":2"))), captured("eth1", out(udp6(C6, 4000, V6, 53))),
              crosses("eth1", who_has(C_MAC, C, "198.51.100.1")), crosses("eth1", eth(C_MAC, "01:00:5e:00:00:fb", udp(C + ":5353", "224.0.0.251:5353"))),
              crosses("eth1", eth(C_MAC, BROADCAST, udp(C + ":68", "255.255.255.255:67")))),
    wire_case("capture-first", "the first match wins", wire(
              capture("tap0", source=C + "/32", proto="udp"), capture("tun0", source="198.51.100.0/24")),
              captured("eth1", out(ASK), "tap0"), captured("eth1", out(SYN), "tun0"), captured("eth1", out(ASK2), "tun0")),
    wire_case("capture-tap", "a target with Ethernet gets the frame; what comes out of it has one of its own", wire(capture("tap0", source="198.51.100.0/24")),
              captured("eth1", out(ASK), "tap0"), captured("eth1", out(SYN, tag(100), tag(7)), "tap0"),
              returned("tap0", eth(OTHER_MAC, BROADCAST, ANSWER), "eth1", back(ANSWER)),
              returned("tap0", eth(OTHER_MAC, C_MAC, SYN_ACK, tag(3)), "eth1", back(SYN_ACK, tag(100), tag(7)))),
    wire_case("capture-padded", "a short frame's padding is no part of the packet", wire(CLIENTS),
              captured("eth1", out(udp(C + ":4000", V + ":53", payload=b"x"), pad=60), expect=out(udp(C + ":4000", V + ":53", payload=b"x"))),
              captured("eth1", out(udp(C + ":4000", V + ":53", payload=b"x"), tag(9), pad=64), expect=out(udp(C + ":4000", V + ":53", payload=b"x")))),
    wire_case("capture-error", "ICMP errors, like everything else", wire(CLIENTS),
              captured("eth1", out(icmp_error(C, V, 3, 3, ANSWER))), state(sessions=0)),
    wire_case("capture-options", "IP options, and a checksum that is wrong", wire(CLIENTS),
              captured("eth1", out(ASK.but(options=b"\x94\x04\0\0"))), captured("eth1", out(ASK.but(l4_chksum=0x1234)), any_checksum=True),
              captured("eth1", out(ASK.but(chksum=0x1234)), any_checksum=True)),
    wire_case("capture-gso", "packets that the kernel has not cut yet, both ways", wire(CLIENTS),
              captured("eth1", out(tcp(C + ":5000", V + ":80", "A", payload=b"x" * 3000)), gso=1448), hosts=("tc",), only="only tc has GSO packets"),

    wire_case("capture-reload", "captures come and go, all at once; what crosses and what has a session takes no notice", wire(),
              crosses("eth1", out(ASK)), reload(wire(CLIENTS)), captured("eth1", out(ASK)), returned("tun0", ANSWER, "eth1", back(ANSWER)),
              reload(wire(capture("tap0", source=C + "/32"))), captured("eth1", out(ASK), "tap0"), returned("tap0", eth(OTHER_MAC, BROADCAST, ANSWER), "eth1", back(ANSWER)),
              state(sessions=1), reload(wire()), crosses("eth1", out(ASK)), hosts=("tc", "xdp"), only="the native host takes one configuration"),

    # The target is gone
    wire_case("target-gone-closed", "dropped where it must not pass", wire(capture("gone0", source=C + "/32"), fail="closed"),
              lost("eth1", out(ASK), "wire-no-target"), lost("eth1", out(udp(C + ":1", V + ":2"), tag(5)), "wire-no-target"), crosses("eth1", out(ASK2))),
    wire_case("target-gone-default", "which is the default", wire(capture("gone0", source=C + "/32")), lost("eth1", out(ASK), "wire-no-target")),
    wire_case("target-gone-open", "or it crosses", wire(capture("gone0", source=C + "/32"), fail="open"),
              crosses("eth1", out(ASK)), crosses("eth1", out(SYN, tag(5)))),
    wire_case("port-gone", "nothing goes where there is no port", wire(ports=["eth1", "gone0"]),
              lost("eth1", out(ASK), "wire-no-port"), lost("eth1", who_has(C_MAC, C, "198.51.100.1"), "wire-no-port")),
    wire_case("return-port-gone", "a capture goes on with one port", wire(CLIENTS, ports=["eth1", "gone0"]),
              captured("eth1", out(ASK)), returned("tun0", ANSWER, "eth1", back(ANSWER))),

    # The way back
    wire_case("return-tags", "with the tags that the requests had", wire(CLIENTS),
              captured("eth1", out(ASK, tag(100, 3))), returned("tun0", ANSWER, "eth1", back(ANSWER, tag(100, 3))),
              captured("eth1", out(SYN, service(7), tag(100))), returned("tun0", SYN_ACK, "eth1", back(SYN_ACK, service(7), tag(100))),
              captured("eth1", out(ASK2, tag(1), tag(2, 1))), returned("tun0", ANSWER2, "eth1", back(ANSWER2, tag(1), tag(2, 1))),
              captured("eth1", out(echo(C, V, 7), tag(0, 6))), returned("tun0", echo_reply(V, C, 7), "eth1", back(echo_reply(V, C, 7), tag(0, 6)))),
    wire_case("return-second", "by the second port", wire(capture(source="203.0.113.0/24")),
              captured("eth2", back(ANSWER)), returned("tun0", ASK, "eth2", out(ASK)), state(sessions=1)),
    wire_case("return-follows", "each packet of a connection says where its answers go", wire(CLIENTS),
              captured("eth1", out(ASK)), returned("tun0", ANSWER, "eth1", back(ANSWER)),
              captured("eth1", eth(C2_MAC, R_MAC, ASK)), returned("tun0", ANSWER, "eth1", eth(R_MAC, C2_MAC, ANSWER)),
              captured("eth1", eth(C2_MAC, R2_MAC, ASK)), returned("tun0", ANSWER, "eth1", eth(R2_MAC, C2_MAC, ANSWER)),
              captured("eth1", eth(C2_MAC, R2_MAC, ASK, tag(9))), returned("tun0", ANSWER, "eth1", eth(R2_MAC, C2_MAC, ANSWER, tag(9))),
              captured("eth2", eth(C2_MAC, R2_MAC, ASK)), returned("tun0", ANSWER, "eth2", eth(R2_MAC, C2_MAC, ANSWER)), state(sessions=1)),
    wire_case("return-each", "connections of one host by two routers stay with theirs", wire(CLIENTS),
              captured("eth1", out(ASK)), captured("eth1", eth(C_MAC, R2_MAC, SYN)),
              returned("tun0", ANSWER, "eth1", back(ANSWER)), returned("tun0", SYN_ACK, "eth1", eth(R2_MAC, C_MAC, SYN_ACK))),
    wire_case("return-both", "captured both ways: each side by what it has seen", CAPTURE_ALL,
              captured("eth1", out(ASK)), captured("eth2", back(ANSWER)),
              returned("tun0", ANSWER, "eth1", back(ANSWER)), returned("tun0", ASK, "eth2", out(ASK))),
    wire_case("return-no-session", "without one: by the address, as it was last seen", wire(CLIENTS),
              captured("eth1", out(ASK, tag(100))), returned("tun0", udp(V2 + ":7", C + ":9"), "eth1", back(udp(V2 + ":7", C + ":9"), tag(100))),
              state(sessions=2)),
    wire_case("return-error", "ICMP errors about what was captured, by the address", wire(CLIENTS),
              captured("eth1", out(ASK)), returned("tun0", icmp_error(V, C, 3, 3, ASK), "eth1", back(icmp_error(V, C, 3, 3, ASK)))),
    wire_case("return-unknown", "to whom nobody knows", wire(CLIENTS), lost("tun0", ANSWER, "wire-unknown")),
    wire_case("return-unknown-v6", "of IPv6, where the kernel would send it on", wire(CLIENTS),
              lost("tun0", udp6(V6, 53, C6, 4000), "wire-unknown"), hosts=("native",),
              only="a kernel that does not forward IPv6 gets what may be its own"),
    wire_case("capture-table-full", "a capture goes on without a session, and so do its answers", wire(CLIENTS, limits={"sessions": 16}),
              [captured("eth1", out(udp("198.51.100.%d:4000" % n, V + ":53"))) for n in range(2, 80)],
              [returned("tun0", udp(V + ":53", "198.51.100.%d:4000" % n), "eth1", back(udp(V + ":53", "198.51.100.%d:4000" % n)))
               for n in range(2, 80)]),
    wire_case("capture-expires", "a session ends with its time", wire(CLIENTS),
              captured("eth1", out(ASK)), state(sessions=1), advance(301), sweep(), state(sessions=0),
              captured("eth1", out(ASK)), state(sessions=1)),
    wire_case("capture-alive", "packets of either side keep it", wire(CLIENTS),
              captured("eth1", out(ASK)), advance(200), returned("tun0", ANSWER, "eth1", back(ANSWER)), advance(200), sweep(), state(sessions=1),
              captured("eth1", out(ASK)), advance(299), sweep(), state(sessions=1)),

    # Sessions that begin in the tunnel
    wire_case("begun-in-tunnel", "the answers go back into it, whatever the captures say", wire(capture(vlan=4000), host=BOX),
              crosses("eth1", gratuitous(H_MAC, H)),
              returned("tun0", udp(V + ":7", H + ":9"), "eth1", eth(NVI_MAC, H_MAC, udp(V + ":7", H + ":9"))),
              captured("eth1", eth(H_MAC, R_MAC, udp(H + ":9", V + ":7"))), crosses("eth1", eth(H_MAC, R_MAC, udp(H + ":9", V + ":8"))),
              state(sessions=1)),
    wire_case("begun-in-tunnel-vlan", "to a host in the box's VLAN", wire(capture(vlan=4000), host=dict(BOX, vlan=100)),
              crosses("eth2", gratuitous(H2_MAC, H2, tag(100))),
              returned("tun0", tcp(V + ":7", H2 + ":9"), "eth2", eth(NVI_MAC, H2_MAC, tcp(V + ":7", H2 + ":9"), tag(100))),
              captured("eth2", eth(H2_MAC, R_MAC, tcp(H2 + ":9", V + ":7", "SA"), tag(100)))),
    wire_case("begun-in-tunnel-gateway", "beyond the box's network: by the learned gateway", wire(capture(vlan=4000), host=BOX),
              crosses("eth2", back(udp(V2 + ":1", H + ":2"))),
              returned("tun0", udp(V + ":7", C + ":9"), "eth2", eth(NVI_MAC, R_MAC, udp(V + ":7", C + ":9"))),
              captured("eth2", back(udp(C + ":9", V + ":7")))),

    wire_case("begun-in-tunnel-error", "ICMP errors about it go back there as well, and those about others do not", wire(capture(vlan=4000), host=BOX),
              crosses("eth1", gratuitous(H_MAC, H)),
              returned("tun0", CALL, "eth1", eth(NVI_MAC, H_MAC, CALL)),
              returned("tun0", echo(V, H, 5), "eth1", eth(NVI_MAC, H_MAC, echo(V, H, 5))),
              captured("eth1", eth(H_MAC, R_MAC, icmp_error(H, V, 3, 3, CALL))),
              captured("eth1", eth(H_MAC, R_MAC, icmp_error(C2, V, 11, 0, CALL, keep=28), tag(7))),
              crosses("eth1", eth(H_MAC, R_MAC, icmp_error(H, V, 3, 3, udp(V + ":8", H + ":9")))),
              crosses("eth1", eth(H_MAC, R_MAC, icmp_error(H, V, 3, 3, CALL, keep=20))),
              captured("eth1", eth(H_MAC, R_MAC, icmp_error(H, V, 3, 1, echo(V, H, 5)))), state(sessions=2)),
    wire_case("begun-in-tunnel-error-v6", "of IPv6, too", wire(capture(vlan=4000), host=BOX),
              crosses("eth1", eth(C_MAC, R_MAC, advertise(C_MAC, C6, "2001:db8:1::1"))),
              returned("tun0", CALL6, "eth1", eth(NVI_MAC, C_MAC, CALL6)),
              captured("eth1", out(too_big(CALL6, 1280))), crosses("eth1", out(too_big(udp6(V6, 8, C6, 9), 1280))), state(sessions=1)),

    # MAC addresses that move
    wire_case("moved-silent", "who has been silent gives way to a gratuitous ARP", wire(CLIENTS),
              captured("eth1", out(ASK)), captured("eth1", out(SYN)), advance(3),
              crosses("eth1", gratuitous(C2_MAC, C)),
              returned("tun0", ANSWER, "eth1", eth(R_MAC, C2_MAC, ANSWER)), returned("tun0", SYN_ACK, "eth1", eth(R_MAC, C2_MAC, SYN_ACK))),
    wire_case("moved-answer", "an ARP answer does the same", wire(CLIENTS),
              captured("eth1", out(ASK)), advance(3), crosses("eth1", is_at(C2_MAC, C, R_MAC, "198.51.100.1")),
              returned("tun0", ANSWER, "eth1", eth(R_MAC, C2_MAC, ANSWER))),
    wire_case("moved-port", "to the other side", wire(CLIENTS),
              captured("eth1", out(ASK)), advance(3), crosses("eth2", gratuitous(C2_MAC, C)),
              returned("tun0", ANSWER, "eth2", eth(R_MAC, C2_MAC, ANSWER))),
    wire_case("moved-alive", "verify: who is alive keeps it, until it is silent", wire(CLIENTS),
              captured("eth1", out(ASK)), crosses("eth1", gratuitous(C2_MAC, C)), returned("tun0", ANSWER, "eth1", back(ANSWER)),
              advance(1), captured("eth1", out(ASK2)), advance(1), returned("tun0", ANSWER, "eth1", back(ANSWER)),
              advance(3), returned("tun0", ANSWER, "eth1", eth(R_MAC, C2_MAC, ANSWER)),
              returned("tun0", ANSWER2, "eth1", eth(R_MAC, C2_MAC, ANSWER2))),
    wire_case("moved-alive-arp", "arp: at once", wire(CLIENTS, mac_changes="arp"),
              captured("eth1", out(ASK)), crosses("eth1", gratuitous(C2_MAC, C)), returned("tun0", ANSWER, "eth1", eth(R_MAC, C2_MAC, ANSWER))),
    wire_case("moved-back", "and back with the next packet from there", wire(CLIENTS, mac_changes="arp"),
              captured("eth1", out(ASK)), crosses("eth1", gratuitous(C2_MAC, C)), captured("eth1", out(ASK)), returned("tun0", ANSWER, "eth1", back(ANSWER))),
    wire_case("moved-router", "all connections behind a router follow it", wire(capture(source="203.0.113.0/24"), host=BOX),
              crosses("eth2", gratuitous(R_MAC, GATEWAY)),
              captured("eth2", back(ANSWER)), captured("eth2", back(ANSWER2)), advance(3), crosses("eth2", gratuitous(R2_MAC, GATEWAY)),
              returned("tun0", ASK, "eth2", eth(C_MAC, R2_MAC, ASK)), returned("tun0", ASK2, "eth2", eth(C_MAC, R2_MAC, ASK2))),
    wire_case("moved-not", "ARP about an address that nobody captured moves nothing", wire(CLIENTS),
              captured("eth1", out(ASK)), advance(3), crosses("eth1", gratuitous(C2_MAC, "198.51.100.99")), returned("tun0", ANSWER, "eth1", back(ANSWER))),
    wire_case("discovery", "IPv6 neighbour discovery is a link's own business, whatever is captured", CAPTURE_ALL,
              crosses("eth1", out(solicit(C_MAC, C6, "2001:db8:1::5"))), crosses("eth2", back(advertise(R_MAC, "2001:db8:1::5", C6))),
              crosses("eth1", eth(C_MAC, "33:33:ff:00:00:05", solicit(C_MAC, C6, "2001:db8:1::5")))),
    wire_case("moved-v6", "neighbour discovery does it for IPv6", wire(capture(source="2001:db8:1::/48")),
              captured("eth1", out(udp6(C6, 4000, V6, 53))), advance(3), crosses("eth1", eth(C2_MAC, R_MAC, advertise(C2_MAC, C6, V6))),
              returned("tun0", udp6(V6, 53, C6, 4000), "eth1", eth(R_MAC, C2_MAC, udp6(V6, 53, C6, 4000)))),

    # Fragments
    wire_case("capture-fragments", "all of a captured datagram, though ports were asked for", wire(capture(proto="udp", destination_ports=53)),
              fragments(captured, "eth1", out(ASK), 16, 24), fragments(crosses, "eth1", out(udp(C + ":4000", V + ":54", id=77)), 16),
              fragments(captured, "eth1", out(ASK.but(id=78), tag(100)), 8)),
    wire_case("return-fragments", "and of its answers", wire(CLIENTS),
              captured("eth1", out(ASK, tag(100))),
              [returned("tun0", ANSWER.part(a, b), "eth1", back(ANSWER.part(a, b), tag(100))) for a, b in ((0, 16), (16, 24), (24, None))]),

    wire_case("capture-extensions", "behind IPv6 extension headers, too, unless there are too many", wire(capture(proto="udp", destination_ports=53)),
              [captured("eth1", out(udp6_behind(h, C6, 4000, V6, 53, payload=b"x" * 56))) for h in ("h", "d", "hrd", "hdrddd")],
              [crosses("eth1", out(udp6_behind(h, C6, 4000, V6, 54, payload=b"x" * 56))) for h in ("h", "hrd", "hdrddd")],
              crosses("eth1", out(udp6_behind("hdrdddd", C6, 4000, V6, 53, payload=b"x" * 56))),
              crosses("eth1", eth(C_MAC, R_MAC, cut(udp6_behind("hd", C6, 4000, V6, 53), 50)))),
    wire_case("capture-extensions-fragments", "and the fragment's behind them", wire(capture(proto="udp", destination_ports=53)),
              captured("eth1", out(udp6_behind("hdf", C6, 4000, V6, 53, payload=b"x" * 24))), captured("eth1", out(later6("hd", C6, V6))),
              crosses("eth1", out(udp6_behind("hdf", C6, 4000, V6, 54, payload=b"x" * 24)))),

    # Sizes
    wire_case("capture-mss-auto", "TCP's MSS is held to what the tunnel takes, both ways", wire(CLIENTS),
              captured("eth1", out(with_mss(SYN, 1460)), expect=out(with_mss(SYN, 1360))),
              returned("tun0", with_mss(SYN_ACK, 1460), "eth1", back(with_mss(SYN_ACK, 1360))),
              captured("eth1", out(with_mss(tcp(C + ":5001", V + ":80"), 1300))), captured("eth1", out(tcp(C + ":5002", V + ":80"))),
              net=narrow("tun0", 1400)),
    wire_case("capture-mss-number", "to a number", wire(CLIENTS, mss=1200),
              captured("eth1", out(with_mss(SYN, 1460)), expect=out(with_mss(SYN, 1200))),
              returned("tun0", with_mss(SYN_ACK, 1460), "eth1", back(with_mss(SYN_ACK, 1200)))),
    wire_case("capture-mss-no", "or not at all", wire(CLIENTS, mss="off"),
              captured("eth1", out(with_mss(SYN, 1460))), returned("tun0", with_mss(SYN_ACK, 1460), "eth1", back(with_mss(SYN_ACK, 1460))),
              net=narrow("tun0", 1400)),
    wire_case("capture-mss-crossing", "what crosses keeps its own", wire(CLIENTS, mss=1200),
              crosses("eth1", out(with_mss(tcp(C + ":5000", "192.0.2.5:80"), 1460)))),
    wire_case("capture-mss-v6", "IPv6 has the longer header", wire(capture(source="2001:db8:1::/48")),
              captured("eth1", out(tcp6(C6, 5000, V6, 443, options=MSS)), expect=out(tcp6(C6, 5000, V6, 443, options=[("MSS", 1340)]))),
              net=narrow("tun0", 1400)),
    wire_case("capture-too-big", "more than the tunnel takes: the remote seems to say so", wire(CLIENTS),
              captured("eth1", out(big(ASK, 1400).but(flags="DF"))),
              told("eth1", out(big(ASK, 1401).but(flags="DF")), "too-big", "eth1", back(too_big(big(ASK, 1401).but(flags="DF"), 1400))),
              told("eth1", out(big(ASK, 1500).but(flags="DF"), tag(100, 3)), "too-big", "eth1",
                   back(too_big(big(ASK, 1500).but(flags="DF"), 1400), tag(100, 3))),
              net=narrow("tun0", 1400)),
    wire_case("capture-too-big-cut", "what may be cut is the kernel's to cut, on its way to the target; that is no hop", wire(CLIENTS, host=BOX),
              Step("packet", "eth1", out(big(ASK, 1500), tag(7)), "send", ("slow-too-big",), "nvi0", eth(C_MAC, NVI_MAC, big(ASK, 1500).but(ttl=65)),
                   enters=True), captured("eth1", out(big(ASK, 1400))), net=narrow("tun0", 1400)),
    wire_case("capture-too-big-qinq", "with two tags as well", wire(CLIENTS),
              told("eth1", out(big(ASK, 1500).but(flags="DF"), service(7), tag(100)), "too-big", "eth1",
                   back(too_big(big(ASK, 1500).but(flags="DF"), 1400), service(7), tag(100))), net=narrow("tun0", 1400)),
    wire_case("capture-too-big-v6", "IPv6 always", wire(capture(source="2001:db8:1::/48")),
              told("eth1", out(udp6(C6, 4000, V6, 53, payload=b"x" * 1400)), "too-big", "eth1",
                   back(too_big(udp6(C6, 4000, V6, 53, payload=b"x" * 1400), 1400))), net=narrow("tun0", 1400)),
    wire_case("capture-too-big-back", "out of the tunnel, and the port takes less", wire(CLIENTS),
              captured("eth1", out(ASK)),
              told("tun0", big(ANSWER, 1500).but(flags="DF"), "too-big", "tun0", bare(too_big(big(ANSWER, 1500).but(flags="DF"), 1400))),
              net=narrow("eth1", 1400)),

    # IPv6
    wire_case("capture-v6", "IPv6 by prefix, protocol and port", wire(capture(source="2001:db8:1::/48")),
              captured("eth1", out(udp6(C6, 4000, V6, 53), tag(100))), returned("tun0", udp6(V6, 53, C6, 4000), "eth1", back(udp6(V6, 53, C6, 4000), tag(100))),
              captured("eth1", out(tcp6(C6, 4000, V6, 443))), returned("tun0", tcp6(V6, 443, C6, 4000, "SA"), "eth1", back(tcp6(V6, 443, C6, 4000, "SA"))),
              captured("eth1", out(echo6(C6, V6, 7))), returned("tun0", echo6_reply(V6, C6, 7), "eth1", back(echo6_reply(V6, C6, 7))),
              crosses("eth1", out(udp6("2001:db8:9::1", 1, V6, 53))), crosses("eth1", out(ASK)), state(sessions=3)),
]
