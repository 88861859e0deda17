# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The configurations in examples/, in networks as their comments describe them: what each one promises is so."""
import pathlib
import re

from gateway import Natvi
from lab import run, veth, wait_for
from services import listening
from wire import Capture, Tap

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
WHO = """
import http.server, threading
class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = ("%%s %%s" %% (%r, self.client_address[0])).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def log_message(self, *args): pass
for port in %r:
    threading.Thread(target=http.server.ThreadingHTTPServer(("0.0.0.0", port), Who).serve_forever).start()
"""
SET_MARK = """
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
__attribute__((section("tc"), used))
int mark(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) <= end && (ip->daddr & 0x00ffffff) == 0x000200c0)
		skb->mark = 0x10;
	return TC_ACT_UNSPEC;
}
"""


class Example:
    """A gateway for one of the examples, and the hosts that are wired to it."""

    def __init__(self, lab, name):
        self.lab, self.text = lab, (EXAMPLES / name).read_text()
        self.gateway = lab.namespace("gw")
        self.gateway.sysctl("net.ipv4.ip_forward", 0)
        self.gateway.sysctl("net.ipv4.conf.all.forwarding", 0)
        self.natvi = Natvi(self, self.gateway)

    def wire(self, port, own, role, *addresses, routes=()):
        """A host with these addresses at a port of the gateway, which has its own there; the routes are the host's."""
        host = self.lab.namespace(role)
        veth(self.gateway, port, host, "eth0")
        self.gateway.ip("addr add %s dev %s" % (own, port))
        host.ip(*["addr add %s dev %s" % (a, "lo" if a.endswith("/32") else "eth0") for a in addresses], *["route add " + r for r in routes])
        return host

    def switch(self, port, own, router, **hosts):
        """Several hosts at one port of the gateway: {role: addresses}. Their namespaces."""
        between = self.lab.namespace("switch")
        between.ip("link add br0 type bridge", "link set br0 up")
        veth(self.gateway, port, between, "gw")
        self.gateway.ip("addr add %s dev %s" % (own, port))
        between.ip("link set gw master br0")
        for role, addresses in hosts.items():
            hosts[role] = self.lab.namespace(role)
            veth(between, role, hosts[role], "eth0")
            between.ip("link set %s master br0" % role)
            hosts[role].ip(*["addr add %s dev eth0" % a for a in addresses], "route add default via %s" % router)
        return hosts

    def follow_comments(self, *patterns):
        """Run the `ip` commands of the example's comments that match any of the patterns."""
        commands = [c.strip() for line in re.findall(r"^#   (ip .*)$", self.text, re.M) for c in line.split("#")[0].split(";")]
        chosen = [c for c in commands if any(re.search(p, c) for p in patterns)]
        assert chosen, "no such command in the comments: %s" % commands
        self.gateway.ip(*[c.split(" ", 1)[1] for c in chosen])

    def start(self):
        self.natvi.start(self.text)
        return self


def serve(namespace, name, *ports):
    """A web server that tells its name, and the address that it was asked from."""
    namespace.spawn("/usr/bin/python3", "-c", WHO % (name, ports or (80,)))
    for port in ports or (80,):
        listening(namespace, port)


def ask(namespace, url, *options):
    """[name, address] as the web server says, or None when it cannot be reached."""
    done = namespace.run("curl", "-sSf", "--max-time", 30, *options, "http://%s/" % url, check=False)
    return done.stdout.split() if done.returncode == 0 else None


def refused(namespace, url):
    """Nobody answers. That somebody could is proved elsewhere."""
    return ask(namespace, url, "--max-time", 1) is None


def between(address, first, last):
    net, host = address.rsplit(".", 1)
    return first.rsplit(".", 1)[0] == net and int(first.rsplit(".", 1)[1]) <= int(host) <= int(last.rsplit(".", 1)[1])


def test_home_gateway(lab):
    """Out by the provider's address, whatever it is; nothing in but for the server inside, which the inside reaches by it, too."""
    box = Example(lab, "home-gateway.yaml")
    home = box.wire("lan0", "198.18.0.1/24", "home", "198.18.0.10/24", "198.18.0.11/24", routes=["default via 198.18.0.1"])
    outside = box.wire("wan0", "203.0.113.1/24", "outside", "203.0.113.9/24", routes=["198.18.0.0/24 via 203.0.113.1"])
    serve(outside, "outside")
    serve(home, "home", 443, 8080)
    box.start()
    assert ask(home, "203.0.113.9") == ["outside", "203.0.113.1"]
    home.ping("203.0.113.9")
    assert ask(outside, "203.0.113.1:8443") == ["home", "203.0.113.9"]
    assert ask(home, "203.0.113.1:8443", "--interface", "198.18.0.11") == ["home", "203.0.113.1"]
    assert refused(outside, "198.18.0.10:8080") and refused(outside, "203.0.113.1:8080")
    box.gateway.ip("addr flush dev wan0", "addr add 203.0.113.77/24 dev wan0")
    wait_for(lambda: ask(home, "203.0.113.9", "--max-time", 3) == ["outside", "203.0.113.77"], 15, "the new address to be used")
    wait_for(lambda: ask(outside, "203.0.113.77:8443", "--max-time", 3) == ["home", "203.0.113.9"], 15, "the forward to be there, too")


def mark_program(box):
    """tc-flower(8) and tc-skbedit(8) of the comment, as a program: kernels without them run this test, too."""
    source, target = box.lab.dir / "mark.c", box.lab.dir / "mark.o"
    source.write_text(SET_MARK)
    run(["clang-16", "-target", "bpf", "-O2", "-g", "-I/usr/include/%s" % run(["gcc", "-print-multiarch"]).stdout.strip(),
         "-c", source, "-o", target])
    box.gateway.run("tc", "filter", "add", "dev", "lan0", "ingress", "pref", 10, "bpf", "da", "obj", target, "sec", "tc")


def test_two_uplinks(lab):
    """Which provider a packet leaves by is said by the rule that translates it: by host, DSCP, mark, and of the box itself."""
    box = Example(lab, "two-uplinks.yaml")
    inside = box.wire("lan0", "198.18.0.1/24", "lan", "198.18.0.100/24", "198.18.0.10/24", routes=["default via 198.18.0.1"])
    a = box.wire("wan0", "203.0.113.2/24", "a", "203.0.113.1/24", "192.0.2.1/32", "198.19.0.1/32")
    b = box.wire("wan1", "198.51.100.2/24", "b", "198.51.100.1/24", "192.0.2.1/32", "198.19.0.1/32")
    box.follow_comments("^ip ")
    serve(a, "A")
    serve(b, "B")
    box.start()

    def by(*options, namespace=inside, to="198.19.0.1"):
        name, address = ask(namespace, to, *options)
        pool = {"A": ("203.0.113.16", "203.0.113.31"), "B": ("198.51.100.16", "198.51.100.31")}[name]
        assert between(address, *pool), "%s was asked from %s" % (name, address)
        return name

    office = ("--interface", "198.18.0.100")
    assert by(*office) == "A"
    assert by("--interface", "198.18.0.10") == "B"
    assert by(*office) == "A"
    voice = inside.udp("198.18.0.100", 5060)
    voice.setsockopt(0, 1, 46 << 2)     # IP_TOS: EF
    tap = Tap(b)
    voice.sendto(b"hello", ("198.19.0.1", 5060))
    packet = tap.expect(lambda p: p.haslayer("UDP") and p["UDP"].dport == 5060, "the telephone's packet by B")
    assert between(packet["IP"].src, "198.51.100.16", "198.51.100.31")
    assert by(*office, to="192.0.2.1") == "A"
    mark_program(box)
    assert by(*office, to="192.0.2.1") == "B"
    assert by(namespace=box.gateway, to="192.0.2.1") == "B"
    assert ask(box.gateway, "198.19.0.1") == ["A", "203.0.113.2"], "all else of the box keeps its address"


def test_overlapping_vrfs(lab):
    """Two customers with one numbering reach the uplink and each other; the uplink reaches what is meant for it."""
    box = Example(lab, "overlapping-vrfs.yaml")
    # As its comment says: tables where there are no VRF devices.
    for zone, table in (("red", 101), ("blue", 102)):
        assert "vrf: vrf-%s" % zone in box.text
        box.text = box.text.replace("vrf: vrf-%s" % zone, "table: %d" % table)
    hosts = {}
    for zone, table in (("red", 101), ("blue", 102)):
        hosts[zone] = box.wire(zone + "0", "198.18.0.1/24", zone, "198.18.0.10/24", routes=["default via 198.18.0.1"])
        box.gateway.ip("addr flush dev %s0" % zone, "addr add 198.18.0.1/24 dev %s0 noprefixroute" % zone,
                       "route add 198.18.0.0/24 dev %s0 table %d" % (zone, table))
        serve(hosts[zone], zone)
    uplink = box.wire("uplink0", "203.0.113.2/24", "uplink", "203.0.113.1/24", "198.19.0.1/32")
    serve(uplink, "uplink")
    box.follow_comments("^ip route")
    box.start()
    seen = [ask(hosts[zone], "198.19.0.1") for zone in ("red", "blue")]
    assert all(s[0] == "uplink" and between(s[1], "203.0.113.16", "203.0.113.31") for s in seen), seen
    assert ask(hosts["red"], "192.0.2.10") == ["blue", "198.51.100.10"]
    assert ask(hosts["blue"], "198.51.100.10") == ["red", "192.0.2.10"]
    assert ask(uplink, "203.0.113.2") == ["blue", "203.0.113.1"]


def test_dmz_hairpin(lab):
    """Servers answer at their public addresses to everyone, also to each other; office and servers are apart as the rules say."""
    box = Example(lab, "dmz-hairpin.yaml")
    office = box.wire("lan0", "198.18.0.1/24", "office", "198.18.0.10/24", routes=["default via 198.18.0.1"])
    at = {role: "198.18.1.%d" % n for role, n in (("web", 80), ("telephony", 50), ("mail", 25), ("games", 90))}
    dmz = box.switch("dmz0", "198.18.1.1/24", "198.18.1.1", **{role: [a + "/24"] for role, a in at.items()})
    outside = box.wire("wan0", "203.0.113.2/28", "outside", "203.0.113.1/28", "192.0.2.1/32", routes=["198.18.0.0/15 via 203.0.113.2"])
    box.gateway.ip("route add default via 203.0.113.1")
    for role, port in (("web", 80), ("telephony", 5061), ("mail", 25)):
        serve(dmz[role], role, port)
    serve(outside, "outside")
    serve(office, "office", 8000)
    serve(box.gateway, "box", 22)
    box.start()
    public = {"web": "203.0.113.2", "mail": "203.0.113.10:25", "telephony": "203.0.113.11:5061"}
    for role, url in public.items():
        assert ask(outside, url) == [role, "203.0.113.1"]
    assert refused(outside, "203.0.113.10:5061")
    # Hairpin, from the office and among the servers
    for namespace in (office, dmz["games"]):
        for role, url in public.items():
            assert (ask(namespace, url) or ["nobody"])[0] == role, "%s from %s" % (url, namespace.name)
    # Who leaves by which address
    assert ask(dmz["telephony"], "192.0.2.1") == ["outside", "203.0.113.11"]
    assert ask(dmz["mail"], "192.0.2.1") == ["outside", "203.0.113.10"]
    assert between(ask(office, "192.0.2.1")[1], "203.0.113.4", "203.0.113.6")
    # Office and servers
    assert ask(office, at["web"]) == ["web", "198.18.0.10"]
    assert refused(dmz["web"], "198.18.0.10:8000")
    player, server = outside.udp("192.0.2.1", 4000), dmz["games"].udp(at["games"], 28003)
    player.sendto(b"play", ("203.0.113.2", 27003))
    assert server.recvfrom(100) == (b"play", ("192.0.2.1", 4000))
    # The box itself
    assert refused(outside, "203.0.113.2:22")
    assert ask(office, "198.18.0.1:22") == ["box", "198.18.0.10"]


def test_routed_nvi0(lab):
    """Only what is routed to nvi0 is translated, and is seen there translated; everything else is as without natvi."""
    box = Example(lab, "routed-nvi0.yaml")
    inside = box.wire("lan0", "198.18.0.1/16", "lan", "198.18.0.10/16", routes=["default via 198.18.0.1"])
    outside = box.wire("wan0", "198.51.100.2/24", "outside", "198.51.100.1/24", "192.0.2.1/32", "192.0.2.40/32", "203.0.113.129/32",
                       routes=["203.0.113.16/28 via 198.51.100.2", "198.18.0.0/16 via 198.51.100.2"])
    serve(outside, "outside", 80, 873)
    box.follow_comments("default")
    box.start()
    box.follow_comments("nvi0")
    capture = Capture(box.gateway, "nvi0", "tcp port 80", direction="inout")
    name, address = ask(inside, "192.0.2.1")
    assert name == "outside" and between(address, "203.0.113.16", "203.0.113.31")
    assert capture.stop().fields("ip.src == %s" % address), "nvi0 shows it translated"
    assert ask(inside, "192.0.2.40:873") == ["outside", "198.18.0.10"]
    assert ask(inside, "203.0.113.129") == ["outside", "198.18.0.10"]
