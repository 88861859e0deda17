# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who is who in the cases, and the configurations that several use. The network is frames.NET."""

A, B, C = "198.18.0.2", "198.18.0.3", "198.18.0.4"      # inside, on lan0
D = "198.19.0.2"                                        # inside, on lan1
S, S2, S3, S4 = "192.0.2.9", "192.0.2.10", "192.0.2.11", "192.0.2.12"   # outside
X = "203.0.113.1"                                       # wan0's own address
P = "203.0.113.16"                                      # a pool's first address
NOBODY = "192.0.2.65"                                   # outside, answers no ARP
NOWHERE = "192.0.2.97"                                  # unreachable
NARROW = "192.0.2.129"                                  # behind an MTU of 1400
ELSEWHERE = "198.51.100.9"                              # behind off0, which natvi does not serve

IFS = "interfaces: [lan0, lan1, wan0]\n"
LAN = "from: {interface: [lan0, lan1]}, to: {interface: wan0}"

MASQ = IFS + "rules: [{%s, action: masquerade}]\n" % LAN


def masquerade(settings="", **keys):
    """Masquerading with settings of its own; keys: other top-level keys."""
    text = MASQ + ("masquerade: {%s}\n" % settings if settings else "")
    return text + "".join("%s: %s\n" % (key.replace("_", "-"), value) for key, value in keys.items())


def pool(addresses=P, settings="", to="to: {interface: wan0}, ", **keys):
    """A pool for all that comes in by lan0 and lan1; nobody's interface has its addresses."""
    text = IFS + "pools: [{name: public, addresses: [%s]%s}]\n" % (addresses, ", " + settings if settings else "")
    text += "rules: [{from: {interface: [lan0, lan1]}, %saction: {snat: public}}]\n" % to
    return text + "".join("%s: %s\n" % (key.replace("_", "-"), value) for key, value in keys.items())


def rules(*lines, **keys):
    text = IFS + "rules:\n" + "".join("  - {%s}\n" % line for line in lines)
    return text + "".join("%s: %s\n" % (key.replace("_", "-"), value) for key, value in keys.items())


AD = "filtering: address-dependent"
APD = "filtering: address-and-port-dependent"
APD_MAPPING = "mapping: address-and-port-dependent"


def at(address, port):
    return "%s:%s" % (address, port)
