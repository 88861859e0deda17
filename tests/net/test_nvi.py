# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""nvi0: what is routed there is translated, crosses it, and is routed again."""
import json
import os

import pytest
from scapy.all import ICMP, IP, UDP, Ether

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, POOL, REMOTE, REMOTE2, SERVER, config
from lab import veth, wait_for
from services import Nginx, fetch
from wire import Capture, exchange

FAR_NET = "198.51.100.0/24"
SNAT = {"name": "out", "from": {"interface": "lan0"}, "action": {"snat": "public"}}
TO_NVI = ("route add %s dev nvi0" % FAR_NET,)


def routed(hook, rule=SNAT, **more):
    configuration = config(hook, rules=[rule], pool={}, **more)
    for interface in configuration["interfaces"]:
        interface["nat"] = "routed"
    return configuration


def start(net, *routes, rule=SNAT, **more):
    natvi = net.running(routed(net.hook, rule, **more))
    net.gateway.ip(*routes or TO_NVI)
    follows(net)
    return natvi


def follows(net, device="nvi0"):
    """Wait until natvi has seen to it that what is translated does not come back."""
    wait_for(lambda: "iif %sp lookup 18" % device in net.gateway.run("ip", "rule").stdout, 15, "a way out of %s" % device)


def crossed(net):
    """Packets that nvi0 has sent."""
    stats = json.loads(net.gateway.run("ip", "-j", "-s", "link", "show", "nvi0").stdout)[0]["stats64"]
    return stats["tx"]["packets"]


def in_pool(address):
    return address.startswith("192.0.2.")


def talks(net, text=b"natvi", remote=REMOTE, inside_port=4000):
    """The address that the remote sees, when inside has talked to it."""
    inside, outside = net.inside.udp(INSIDE, inside_port), net.outside.udp(remote, 5000)
    source = exchange(inside, outside, (remote, 5000), text)
    inside.close()
    outside.close()
    return source[0]


def test_only_what_is_routed_there(net):
    """A prefix and a pool routed to nvi0: only that is translated; all crosses, both ways; the rest is the kernel's."""
    natvi = start(net)
    capture = Capture(net.gateway, "nvi0", direction="inout")
    for i in range(3):
        assert in_pool(talks(net, b"%d" % i))
    before = crossed(net)
    assert before >= 6
    assert talks(net, remote=SERVER) == INSIDE, "not routed to nvi0, and yet translated"
    assert crossed(net) == before
    rows = capture.stop().fields("udp", "ip.src", "ip.dst", "ip.ttl")
    assert [r[1] for r in rows] == [REMOTE, INSIDE] * 3
    assert all(in_pool(r[0]) for r in rows[::2]) and all(r[0] == REMOTE for r in rows[1::2])
    assert all(r[2] == "64" for r in rows), "the hop is counted at the far end"
    assert natvi.counter("nvi") + natvi.counter("nvi-kernel") == 6
    assert natvi.counter("nvi") >= 4, "known neighbours: no need for the kernel"
    assert natvi.counter("no-rule") == 0


def test_transfer(net):
    """TCP both ways through nvi0, whatever the devices leave to each other of checksums and segments."""
    natvi = start(net)
    server = Nginx(net.outside)
    wanted = server.file("down", 4 << 20)
    assert fetch(net.inside, "http://%s/down" % REMOTE) == wanted
    data = os.urandom(2 << 20)
    path = net.lab.dir / "up"
    path.write_bytes(data)
    net.inside.run("curl", "-sSf", "--max-time", 90, "-T", path, "http://%s/up" % REMOTE)
    assert (server.dir / "www" / "up").read_bytes() == data
    assert all(in_pool(line.split()[0]) for line in server.log().splitlines())
    assert natvi.counter("nvi") > 100 * natvi.counter("nvi-kernel")


USER_RULES = """
table inet user {
  chain forward { type filter hook forward priority 0; policy accept; ct state invalid counter drop; }
  chain postrouting { type nat hook postrouting priority 100; policy accept; oifname "wan0" counter masquerade; }
}
"""


def nft(namespace, rules):
    path = namespace.lab.dir / "rules.nft"
    path.write_text(rules)
    namespace.run("nft", "-f", path)


BY_SOURCE = ("rule add from 198.18.0.0/24 lookup 100", "route add default dev nvi0 table 100")


@pytest.mark.parametrize("by", ["prefix", "source"])
def test_rules_of_others(tc, by):
    """A user's `ct state invalid drop` and masquerade see no half connection, and translate none twice; what is not natvi's they do.

    The first packets have neighbours to be found, which is the kernel's: routed from the far end, or from their own port.
    """
    nft(tc.gateway, USER_RULES)
    natvi = start(tc, *(BY_SOURCE if by == "source" else TO_NVI))
    tc.gateway.run("ip", "neigh", "flush", "all")
    server = Nginx(tc.outside)
    wanted = server.file("down", 1 << 20)
    assert fetch(tc.inside, "http://%s/down" % REMOTE) == wanted
    assert in_pool(server.log().split()[0])
    assert natvi.counter("nvi-kernel") >= 1
    if by == "prefix":
        assert fetch(tc.inside, "http://%s/down" % SERVER) == wanted
        assert server.log().splitlines()[-1].split()[0] == EXTERNAL, "what is not routed to nvi0 is the user's to masquerade"
    rules = tc.gateway.run("nft", "list", "table", "inet", "user").stdout
    assert "ct state invalid counter packets 0" in rules, rules


def second_uplink(net):
    """wan1, to another outside that has the same remote and a way back to the pool."""
    other = net.lab.namespace("other")
    veth(net.gateway, "wan1", other, "eth0")
    net.gateway.ip("addr add 203.0.113.129/25 dev wan1")
    other.ip("addr add 203.0.113.130/25 dev eth0", "addr add %s/32 dev lo" % REMOTE, "route add %s via 203.0.113.129" % POOL)
    if net.hook == "xdp":
        other.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "on")
    return other


def test_original_interface_is_known(net):
    """The far end routes by the interface that the packet came in by, and by its translated source."""
    other = second_uplink(net)
    start(net, *TO_NVI, "rule add iif lan0 from %s lookup 300" % POOL, "route add default via 203.0.113.130 table 300",
          interfaces=("lan0", "wan0", "wan1"))
    inside, there = net.inside.udp(INSIDE, 4001), other.udp(REMOTE, 5000)
    for i in range(3):     # the first one has its neighbour to be found: the kernel's road keeps to it too
        assert in_pool(exchange(inside, there, (REMOTE, 5000), b"%d" % i)[0])


def test_by_source(net):
    """Everything of one inside network goes to nvi0, by a routing rule for its source."""
    natvi = start(net, *BY_SOURCE, rule=dict(SNAT, to={"interface": "wan0"}))
    for remote in (REMOTE, REMOTE2, SERVER):
        assert in_pool(talks(net, remote=remote)), remote
    assert natvi.counter("nvi-loop") == 0
    error = net.inside.run("ping", "-c", 1, "-W", 10, GATEWAY, check=False)
    assert error.returncode == 0, "the gateway itself answers as ever"


def test_alternatives(net):
    """nvi0's own table has the routes that are in the way of its own, of the same table; and follows them."""
    start(net)
    show = ("ip", "route", "show", "table", 188)

    def is_there(text):
        wait_for(lambda: text in net.gateway.run(*show, check=False).stdout, 15, lambda: text)
    is_there("%s via %s dev wan0" % (FAR_NET, SERVER))
    net.gateway.ip("route add %s via 203.0.113.10 metric 50" % FAR_NET)
    is_there("%s via 203.0.113.10 dev wan0" % FAR_NET)
    net.gateway.ip("route del %s via 203.0.113.10" % FAR_NET, "route del default")
    wait_for(lambda: not net.gateway.run(*show, check=False).stdout, 15, "the way out to go")
    inside = net.inside.udp(INSIDE, 4002)
    tap = net.tap("inside")
    inside.sendto(b"nowhere", (REMOTE, 5000))
    error = tap.expect(lambda p: ICMP in p and p[ICMP].type == 3, "the error")
    assert error[IP].dst == INSIDE
    net.gateway.ip("route add default via %s" % SERVER)
    is_there("%s via %s dev wan0" % (FAR_NET, SERVER))
    assert in_pool(talks(net))
    net.gateway.ip("route del %s dev nvi0" % FAR_NET)
    wait_for(lambda: "nvi0p" not in net.gateway.run("ip", "rule").stdout, 15, "the rules to go")
    assert talks(net) == INSIDE


def test_one_hop(net):
    start(net)
    done = net.inside.run("traceroute", "-n", "-w", 10, "-q", 1, "-m", 4, REMOTE)
    hops = [line.split()[1] for line in done.stdout.splitlines()[1:]]
    assert hops == [GATEWAY, REMOTE], done.stdout


def quoted(error):
    return IP(bytes(error[ICMP].payload))


def test_errors_of_the_stack_come_home(net):
    """The kernel's own ICMP errors about a translated packet go to the pool's address, and from nvi0 on to who sent it."""
    start(net)
    net.gateway.ip("route add 198.51.100.2/32 dev nvi0", "route add 198.51.100.2/32 via 203.0.113.77 metric 10",
                   "route add 198.51.100.3/32 dev nvi0", "route add 198.51.100.3/32 via %s metric 10 mtu 1300" % SERVER)
    wait_for(lambda: "198.51.100.3" in net.gateway.run("ip", "route", "show", "table", 188).stdout, 15, "the ways out")
    tap = net.tap("inside")
    inside = net.inside.udp(INSIDE, 4003)
    inside.sendto(b"dead", (REMOTE2, 5000))
    error = tap.expect(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 1), "host unreachable")
    assert error[IP].dst == INSIDE
    assert (quoted(error).src, quoted(error).dst, quoted(error)[UDP].sport) == (INSIDE, REMOTE2, 4003)
    packet = IP(src=INSIDE, dst="198.51.100.3", flags="DF") / UDP(sport=4004, dport=5000) / (b"B" * 1400)

    def answered():    # while the next hop is not known the kernel is the one who knows the route's MTU
        net.gateway.run("ip", "neigh", "flush", "dev", "wan0")
        tap.send(Ether(src=net.mac(net.inside, "eth0"), dst=net.mac(net.gateway, "lan0")) / packet)
        return tap.receive(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 4), 0.5)
    error = wait_for(answered, 15, "ICMP 3/4")
    assert error[ICMP].nexthopmtu == 1300 and error[IP].dst == INSIDE
    assert (quoted(error).src, quoted(error)[UDP].sport) == (INSIDE, 4004)


def test_marks_of_others(net):
    """A firewall's mark decides what is routed to nvi0: natvi cannot see that at the port, and translates at nvi0."""
    nft(net.gateway, """table ip marks {
                          chain c { type filter hook prerouting priority mangle; udp dport 5000 meta mark set 7; }
                        }""")
    natvi = start(net, "rule add fwmark 7 lookup 100", "route add default dev nvi0 table 100")
    for i in range(3):
        assert in_pool(talks(net, b"%d" % i))
    inside, outside = net.inside.udp(INSIDE, 4005), net.outside.udp(REMOTE, 5001)
    assert exchange(inside, outside, (REMOTE, 5001))[0] == INSIDE
    tap = net.tap("outside")
    packet = IP(src=INSIDE, dst=REMOTE2, ttl=33) / UDP(sport=4008, dport=5000) / b"count"
    net.tap("inside").send(Ether(src=net.mac(net.inside, "eth0"), dst=net.mac(net.gateway, "lan0")) / packet)
    arrived = tap.expect(lambda p: UDP in p and b"count" in bytes(p), "the packet")
    assert in_pool(arrived[IP].src) and arrived[IP].ttl == 32, "one hop, though the kernel forwards it twice"
    assert natvi.counter("nvi-loop") == 0


def test_own_address(net):
    """Masquerading, and a forward, on the gateway's own address: answers and requests are natvi's without a route."""
    start(net, rule=dict(SNAT, to={"interface": "wan0"}, action="masquerade"),
          forwards=[{"proto": "udp", "external": "%s:7000" % EXTERNAL, "internal": "%s:7001" % INSIDE2}])
    before = crossed(net)
    assert talks(net) == EXTERNAL
    assert crossed(net) == before + 2
    outside, inside = net.outside.udp(SERVER, 5005), net.inside.udp(INSIDE2, 7001)
    outside.sendto(b"in", (EXTERNAL, 7000))
    assert inside.recvfrom(10)[0] == b"in"
    assert net.outside.run("ping", "-c", 1, "-W", 10, EXTERNAL, check=False).returncode == 0


def test_the_box_itself(net):
    """What the gateway sends to a translated address ends inside; to a prefix behind nvi0 it goes as rules with `local: out` say."""
    inside, outside = net.inside.udp(INSIDE, 4009), net.outside.udp(REMOTE, 5000)
    natvi = start(net)
    external = exchange(inside, outside, (REMOTE, 5000))
    box = net.gateway.udp()
    box.sendto(b"from the box", external)
    data, source = inside.recvfrom(100)
    assert data == b"from the box"
    inside.sendto(b"to the box", source)
    assert box.recvfrom(100) == (b"to the box", external)
    box.sendto(b"nobody's", (external[0], 1))
    wait_for(lambda: natvi.counter("no-mapping") == 1, 15, "it to end at nvi0")
    box.sendto(b"plain", (REMOTE, 5000))
    assert not in_pool(outside.recvfrom(100)[1][0])
    rules = [SNAT, {"name": "box", "local": "out", "to": {"destination": FAR_NET}, "action": {"snat": "public"}}]
    natvi.reload(dict(routed(net.hook), rules=rules))
    assert in_pool(exchange(net.gateway.udp("0.0.0.0", 4010), outside, (REMOTE, 5000))[0])


def test_what_it_says(tc):
    natvi = start(tc)
    before = crossed(tc)
    talks(tc)
    shown = {i["name"]: i for i in natvi.show("interfaces")}
    assert shown["nvi0"]["nat"] == "nvi" and shown["nvi0"]["crossed"]["packets"] == before + 2 == crossed(tc)
    assert "%d packets" % (before + 2) in natvi.cli("show", "interfaces").stdout
    assert "nvi0" in natvi.cli("status").stdout
    assert "nvi-loop" not in natvi.cli("doctor", check=False).stdout
    tc.gateway.ip("route del default")
    assert "nvi-loop" in natvi.cli("doctor", check=False).stdout
    own = routed("tc", interfaces=("lan0", "wan0", "nvi0"))
    done = natvi.cli("reload", natvi._config_file(own), check=False)
    assert done.returncode and "nvi0 is natvi's own" in done.stdout + done.stderr
    assert natvi.show("interfaces")


def index(net, name="nvi0"):
    return json.loads(net.gateway.run("ip", "-j", "link", "show", name).stdout)[0]["ifindex"]


def test_deleted_by_hand(tc):
    """Made again, with the routes that led there; the sessions go on."""
    natvi = start(tc)
    inside, outside = tc.inside.udp(INSIDE, 4006), tc.outside.udp(REMOTE, 5000)
    external = exchange(inside, outside, (REMOTE, 5000))
    was = index(tc)
    tc.gateway.ip("link del nvi0")

    def again():
        done = tc.gateway.run("ip", "route", "show", "dev", "nvi0", check=False)
        return FAR_NET in done.stdout and POOL in done.stdout
    wait_for(again, 15, "nvi0 with its routes")
    assert index(tc) != was
    assert exchange(inside, outside, (REMOTE, 5000)) == external
    tc.gateway.ip("link set nvi0 down")
    wait_for(again, 15, "nvi0 with its routes")
    assert exchange(inside, outside, (REMOTE, 5000)) == external
    assert "nvi0" in natvi.process.err and "there again" in natvi.process.err


def test_daemon_dies_and_comes_back(tc):
    natvi = start(tc)
    inside, outside = tc.inside.udp(INSIDE, 4007), tc.outside.udp(REMOTE, 5000)
    external = exchange(inside, outside, (REMOTE, 5000))
    was = index(tc)
    natvi.kill()
    assert exchange(inside, outside, (REMOTE, 5000)) == external
    natvi.start(routed("tc"))
    assert index(tc) == was
    assert exchange(inside, outside, (REMOTE, 5000)) == external
    assert "nvi0: made" not in natvi.process.err


def test_down_removes_everything(tc):
    natvi = start(tc)
    tc.gateway.ip("route add 192.0.2.128/25 via %s table 188" % SERVER)
    assert in_pool(talks(tc))
    natvi.down()
    assert "nvi" not in tc.gateway.run("ip", "link").stdout
    assert "nvi" not in tc.gateway.run("ip", "rule").stdout and "188" not in tc.gateway.run("ip", "rule").stdout
    left = tc.gateway.run("ip", "route", "show", "table", "all", "proto", 208).stdout
    assert not left, left
    assert "192.0.2.128/25" in tc.gateway.run("ip", "route", "show", "table", 188).stdout, "what is another's stays"


def test_name_is_taken(tc):
    """Somebody has a device called nvi0: natvi's is nvi1, and it says so."""
    tc.gateway.ip("link add nvi0 type bridge")
    natvi = tc.running(routed("tc"))
    assert "nvi1" in natvi.cli("status").stdout
    tc.gateway.ip("route add %s dev nvi1" % FAR_NET)
    follows(tc, "nvi1")
    assert in_pool(talks(tc))
    natvi.down()
    assert "nvi0" in tc.gateway.run("ip", "link").stdout and "nvi1" not in tc.gateway.run("ip", "link").stdout
