# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Wires: the box's own address, its own packets, and marks."""
from frames import Step, advance, state, tcp, udp
from wires import (BOX, BROADCAST, C, C2_MAC, C6, CLIENTS, C_MAC, GATEWAY, H, H2, H2_MAC, HOST, H_MAC, LLDP, NO_MAC, NVI_MAC, OTHER_MAC,
                   R2_MAC, R_MAC, V, V2, V6, arp_frame, back, capture, captured, copy, crosses, delivered, eth, ethertype, gratuitous, is_at,
                   out, own, tag, udp6, who_has, wire, wire_case)

TAGGED = dict(BOX, vlan=100)
SSH, SSH_BACK = tcp(H + ":5000", HOST + ":22"), tcp(HOST + ":22", H + ":5000", "SA")
BOXED = wire(host=BOX)
ASK, ANSWER = udp(C + ":4000", V + ":53"), udp(V + ":53", C + ":4000")
ASK6, ANSWER6 = udp6(C6, 4000, V6, 53), udp6(V6, 53, C6, 4000)


def kernel(packet, dst=OTHER_MAC):
    """As the kernel puts it on nvi0; the MAC address that it has for the next hop may be anybody's."""
    return eth(NVI_MAC, dst, packet)


def asks(target):
    return who_has(NVI_MAC, HOST, target)


def answered(target, mac):
    """natvi's answer to the kernel's question."""
    return Step("packet", "nvi0", asks(target), "send", ("arp-sent",), "nvi0",
                arp_frame(2, mac, target, NVI_MAC, HOST), enters=True)


def floods(frame, left, **more):
    """Out of both ports."""
    return own(frame, "eth2", left, copies=[copy("eth1", left)], **more)


PROXY = wire(capture("nvi0", source="198.51.100.0/24", proto="udp"), host=BOX)
MARKS = wire(capture(source="198.51.100.0/24", proto="udp"), host=BOX, marks={"reply": 0x10, "original": 0x20})
LEARNED = crosses("eth2", back(udp(V2 + ":1", H + ":2")))       # from beyond the box's network: the gateway is R_MAC

CASES = [
    # For the box
    wire_case("box-arp", "a question for the box's address is the box's alone", BOXED,
              delivered("eth1", who_has(H_MAC, H, HOST)), delivered("eth2", who_has(H2_MAC, H2, HOST)),
              delivered("eth1", is_at(H_MAC, H, NVI_MAC, HOST)),
              crosses("eth1", who_has(H_MAC, H, H2)), crosses("eth1", who_has(H_MAC, H, HOST, tag(100)))),
    wire_case("box-deliver", "what is for its MAC address", BOXED,
              delivered("eth1", eth(H_MAC, NVI_MAC, SSH)), delivered("eth2", eth(R_MAC, NVI_MAC, udp(V + ":1", HOST + ":2"))),
              delivered("eth1", eth(H_MAC, NVI_MAC, udp6(C6, 1, V6, 2))), delivered("eth1", eth(H_MAC, NVI_MAC, ethertype(0x1234))),
              crosses("eth1", eth(H_MAC, NVI_MAC, SSH, tag(7))), crosses("eth1", eth(H_MAC, R_MAC, SSH))),
    wire_case("box-vlan", "in its VLAN, which the kernel does not see", wire(host=TAGGED),
              delivered("eth1", who_has(H_MAC, H, HOST, tag(100))), delivered("eth1", eth(H_MAC, NVI_MAC, SSH, tag(100, 5))),
              crosses("eth1", who_has(H_MAC, H, HOST)), crosses("eth1", eth(H_MAC, NVI_MAC, SSH)), crosses("eth1", who_has(H_MAC, H, HOST, tag(101))),
              crosses("eth1", who_has(H_MAC, H, HOST, tag(100), tag(5)))),
    wire_case("box-before-captures", "captures do not speak of it", wire(capture(), host=BOX),
              delivered("eth1", eth(H_MAC, NVI_MAC, SSH)), captured("eth1", eth(H_MAC, R_MAC, udp(H + ":1", V + ":2")))),
    wire_case("box-none", "no address, nothing for the box", wire(),
              crosses("eth1", who_has(H_MAC, H, HOST)), crosses("eth1", eth(H_MAC, NVI_MAC, SSH))),

    # From the box
    wire_case("box-sends", "to where the destination was last seen", BOXED,
              delivered("eth1", who_has(H_MAC, H, HOST)), own(kernel(SSH_BACK, H_MAC), "eth1", kernel(SSH_BACK, H_MAC)),
              crosses("eth2", gratuitous(H2_MAC, H2)), own(kernel(tcp(HOST + ":22", H2 + ":1")), "eth2", kernel(tcp(HOST + ":22", H2 + ":1"), H2_MAC)),
              advance(3), crosses("eth1", gratuitous(C2_MAC, H2)),
              own(kernel(tcp(HOST + ":22", H2 + ":1"), H2_MAC), "eth1", kernel(tcp(HOST + ":22", H2 + ":1"), C2_MAC))),
    wire_case("box-sends-vlan", "in its VLAN", wire(host=TAGGED),
              delivered("eth1", who_has(H_MAC, H, HOST, tag(100))),
              own(kernel(SSH_BACK, H_MAC), "eth1", eth(NVI_MAC, H_MAC, SSH_BACK, tag(100))),
              floods(asks(H2), who_has(NVI_MAC, HOST, H2, tag(100)))),
    wire_case("box-floods", "questions by ARP, broadcast, multicast, and to whom nobody has seen: out of both ports", BOXED,
              floods(asks(H), asks(H)), floods(kernel(udp(HOST + ":68", "255.255.255.255:67"), BROADCAST), kernel(udp(HOST + ":68", "255.255.255.255:67"), BROADCAST)),
              floods(kernel(udp(HOST + ":5353", "224.0.0.251:5353"), "01:00:5e:00:00:fb"), kernel(udp(HOST + ":5353", "224.0.0.251:5353"), "01:00:5e:00:00:fb")),
              floods(kernel(SSH_BACK, H_MAC), kernel(SSH_BACK, H_MAC)),
              floods(kernel(LLDP, "01:80:c2:00:00:0e"), kernel(LLDP, "01:80:c2:00:00:0e"))),
    wire_case("box-one-port", "by the one that is left", wire(host=BOX, ports=["gone0", "eth2"]),
              own(asks(H), "eth2", asks(H))),
    wire_case("box-gateway", "beyond its network: by the gateway that was learned, whatever the kernel has", BOXED,
              LEARNED, own(kernel(udp(HOST + ":1", V + ":2")), "eth2", kernel(udp(HOST + ":1", V + ":2"), R_MAC)),
              answered(V, R_MAC), answered("203.0.113.77", R_MAC), floods(asks(H), asks(H))),
    wire_case("box-gateway-vlan", "which is one in its VLAN", wire(host=TAGGED),
              crosses("eth1", eth(R2_MAC, C_MAC, udp(V2 + ":1", H + ":2"))), crosses("eth1", eth(R2_MAC, C_MAC, udp(V2 + ":1", H + ":2"), tag(7))),
              floods(asks(V), who_has(NVI_MAC, HOST, V, tag(100))),
              crosses("eth2", back(udp(V2 + ":1", H + ":2"), tag(100))),
              own(kernel(udp(HOST + ":1", V + ":2")), "eth2", eth(NVI_MAC, R_MAC, udp(HOST + ":1", V + ":2"), tag(100))), answered(V, R_MAC)),
    wire_case("box-gateway-delivered", "also from what is for the box itself", BOXED,
              delivered("eth2", eth(R_MAC, NVI_MAC, udp(V + ":1", HOST + ":2"))),
              own(kernel(udp(HOST + ":1", V2 + ":2")), "eth2", kernel(udp(HOST + ":1", V2 + ":2"), R_MAC))),
    wire_case("box-gateway-moves", "and follows its MAC address", BOXED,
              crosses("eth2", gratuitous(R_MAC, GATEWAY)), LEARNED, advance(3), crosses("eth2", gratuitous(R2_MAC, GATEWAY)),
              own(kernel(udp(HOST + ":1", V + ":2"), R_MAC), "eth2", kernel(udp(HOST + ":1", V + ":2"), R2_MAC)), answered(V, R2_MAC)),
    wire_case("box-gateway-given", "a gateway that was configured is the kernel's to find", wire(host=dict(BOX, gateway=GATEWAY)),
              crosses("eth2", gratuitous(R_MAC, GATEWAY)), own(kernel(udp(HOST + ":1", V + ":2"), R_MAC), "eth2", kernel(udp(HOST + ":1", V + ":2"), R_MAC))),
    wire_case("box-answers", "a host beyond: by where its packets come from", BOXED,
              LEARNED, delivered("eth1", eth(R2_MAC, NVI_MAC, udp(V + ":1", HOST + ":2"))),
              own(kernel(udp(HOST + ":2", V + ":1"), R_MAC), "eth1", kernel(udp(HOST + ":2", V + ":1"), R2_MAC))),
    wire_case("box-spoofed", "a packet with another's address does not divert who has said by ARP that it is its own", BOXED,
              crosses("eth1", gratuitous(H_MAC, H)), advance(1), crosses("eth1", eth(H_MAC, R_MAC, udp(H + ":1", V + ":2"))),
              crosses("eth2", eth(C2_MAC, H2_MAC, udp(H + ":1", H2 + ":2"))),
              own(kernel(SSH_BACK, H_MAC), "eth1", kernel(SSH_BACK, H_MAC))),
    wire_case("box-spoofed-first", "at once, too", BOXED,
              crosses("eth1", gratuitous(H_MAC, H)), crosses("eth2", eth(C2_MAC, H2_MAC, udp(H + ":1", H2 + ":2"))),
              own(kernel(SSH_BACK, H_MAC), "eth1", kernel(SSH_BACK, H_MAC))),
    wire_case("box-forwards", "what the kernel forwards to a host of its network", wire(CLIENTS, host=BOX),
              crosses("eth1", gratuitous(H_MAC, H)),
              own(kernel(udp(V + ":1", H + ":2")), "eth1", kernel(udp(V + ":1", H + ":2"), H_MAC), origin="tun0")),
    wire_case("return-kernel", "out of the tunnel for a host of the box's network that nobody has seen: the kernel asks", wire(CLIENTS, host=BOX),
              Step("packet", "tun0", eth(NO_MAC, NO_MAC, udp(V + ":1", H + ":2")), "kernel", ("slow-neighbour",), mark=0x32)),

    # The box's own stack as a target
    wire_case("capture-box", "a capture for nvi0: into the box's own stack", PROXY,
              captured("eth1", out(ASK, tag(9)), "nvi0", expect=eth(C_MAC, NVI_MAC, ASK), enters=True), state(sessions=1)),

    # Marks
    wire_case("mark-reply", "answers with the mark go to where the requests came from", wire(capture(source="198.51.100.0/24", proto="udp"), host=BOX),
              captured("eth1", out(ASK, tag(9))),
              own(kernel(ANSWER), "eth1", back(ANSWER, tag(9)), given=0x32)),
    wire_case("mark-original", "requests with the mark go to where they were to go", wire(capture(source="198.51.100.0/24", proto="udp"), host=BOX),
              captured("eth1", out(ASK, tag(9))),
              own(kernel(ASK), "eth2", out(ASK, tag(9)), given=0x32)),
    wire_case("mark-two", "each has its own", MARKS,
              captured("eth1", out(ASK)),
              own(kernel(ANSWER), "eth1", back(ANSWER), given=0x10), own(kernel(ASK), "eth2", out(ASK), given=0x20)),
    wire_case("mark-none", "without it, and with another one, the box's own way", wire(
              capture(source="198.51.100.0/24"), host=BOX),
              LEARNED, captured("eth1", out(ASK)),
              own(kernel(udp(HOST + ":1", V + ":2")), "eth2", kernel(udp(HOST + ":1", V + ":2"), R_MAC), given=0x32),
              own(kernel(ASK), "eth2", eth(NVI_MAC, R_MAC, ASK), given=0x33)),
    wire_case("mark-v6", "IPv6, too", wire(capture(source="2001:db8:1::/48"), host=BOX),
              captured("eth1", out(ASK6)),
              own(kernel(ANSWER6), "eth1", back(ANSWER6), given=0x32)),
]
