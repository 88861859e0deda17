# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Who is who in the cases, and the configurations that several use. The network is frames.NET."""
from frames import NET, interface, net, route

A, B, C = "198.18.0.2", "198.18.0.3", "198.18.0.4"      # inside, on lan0
D = "198.19.0.2"                                        # inside, on lan1
S, S2, S3, S4 = "192.0.2.9", "192.0.2.10", "192.0.2.11", "192.0.2.12"   # outside
X = "203.0.113.1"                                       # wan0's own address
P = "203.0.113.16"                                      # a pool's first address
NOBODY = "192.0.2.65"                                   # outside, answers no ARP
NOWHERE = "192.0.2.97"                                  # unreachable
NARROW = "192.0.2.129"                                  # behind an MTU of 1400
ELSEWHERE = "198.51.100.9"                              # behind off0, which natvi does not serve
Y = "198.51.100.1"                                      # wan1's own address, in UPLINKS

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


# Other boxes: `net=` of a case

def uplinks(*more):
    """A second uplink wan1 in place of off0, in natvi's service or not. more: routes of tables (frames.route)"""
    return net(interfaces=NET["interfaces"][:3] + [interface("wan1", 4, Y + "/24")],
               routes=list(more) + [r for r in NET["routes"] if r["interface"] != "off0"] +
               [route("198.51.100.0/24", "wan1", UPLINK)])


UPLINK = "02:00:00:00:01:08"                            # the router behind wan1
UPLINK_IFS = "interfaces: [lan0, lan1, wan0, wan1]\n"

# Two zones with the same addresses, one uplink. What comes in by a zone's port, or is looked up for the zone, goes by its own table.
ZONED = {
    "interfaces": [interface("red0", 1, "198.18.0.1/24"), interface("blue0", 2, "198.18.0.1/24"), interface("wan0", 3, X + "/24")],
    "routes": [r for zone, mac in (("red0", "02:00:00:00:01:01"), ("blue0", "02:00:00:00:01:02")) for r in (
        route("198.18.0.0/24", zone, mac, iif=zone), route("203.0.113.0/24", "wan0", "02:00:00:00:01:03", iif=zone),
        route("0.0.0.0/0", "wan0", "02:00:00:00:01:04", iif=zone))] + [
            route("203.0.113.0/24", "wan0", "02:00:00:00:01:03"), route("0.0.0.0/0", "wan0", "02:00:00:00:01:04")],
    "sockets": [],
    "local_ports": [32768, 60999],
}
ZONES = "zones: [{name: red, table: 100}, {name: blue, table: 200}]\n" \
    "interfaces: [{name: red0, zone: red}, {name: blue0, zone: blue}, wan0]\n"
