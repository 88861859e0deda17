# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 6888: what carriers need."""
import re
import struct
import time

import pytest
from scapy.all import ESP, ICMP, IP, TCP

from chance import unpredictable, unrelated
from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, NATVI, REFUSE, SERVER, SERVER2, TO_POOL
from lab import persist, wait_for
from services import Nginx, fetch
from stun import Stun
from wire import exchange
from wires import (FAR, FAR2, ONE, ONE_POOL, RAW, RAW2, RAW3, Segments, Wires, arrivals, connected, in_pool, nat, ports_of, quoted,
                   raw_echo, raw_udp, settings, silent, source_rule, summed, talk)

REST_S = 3
EVERY_S = 60    # natvi speaks of exhaustion once in this time


@pytest.mark.level("M")
def test_rfc6888_req1(net, whole):
    """Each protocol that is carried meets its own RFC: every M of the tables of UDP, TCP and ICMP; other protocols pass by address."""
    natvi = nat(net, pool=ONE_POOL)
    wires = Wires(net)
    with arrivals(net, "udp", "tcp", "icmp"):
        exchange(net.inside.udp(INSIDE, 4001), net.outside.udp(SERVER, 5000), (SERVER, 5000))
        client, served, source = connected(net, source=4001)
        talk(client, served)
        assert source == (ONE, 4001)
        net.inside.ping(SERVER, "-I", INSIDE)
    secret = IP(src=RAW, dst=FAR) / ESP(spi=77, seq=1, data=b"x" * 40)
    assert wires.out(secret).src == ONE
    assert wires.into(IP(src=FAR, dst=ONE) / ESP(spi=78, seq=1, data=b"y" * 40)).dst == RAW
    assert {s["proto"] for s in natvi.sessions()} == {"udp", "tcp", "icmp", "esp"}
    if whole:   # the other lines of this run have their results
        must = [name for name, test in whole.tests.items() if test["level"] == "M" and name[:7] in ("rfc4787", "rfc5382", "rfc5508")]
        failed = [name for name in must if not whole.passed_on(name, net.hook)]
        assert len(must) > 30 and not failed, "not met: %s" % ", ".join(failed)


@pytest.mark.level("M")
def test_rfc6888_req2(net):
    """Without a word in the configuration, TCP, UDP and ICMP of one inside host have one external address, whichever comes first."""
    nat(net)
    wires = Wires(net)
    hosts = ["198.18.0.%d" % n for n in range(100, 124)]
    wires.neighbours(*hosts)
    first = {"udp": lambda host, n: wires.out(raw_udp(host, 4000 + n, FAR, 5000)).src,
             "tcp": lambda host, n: wires.out(IP(src=host, dst=FAR) / TCP(sport=4000 + n, dport=80, flags="S", seq=n)).src,
             "icmp": lambda host, n: wires.out(raw_echo(host, FAR2, 4000 + n)).src}
    used = set()
    for number, host in enumerate(hosts):
        order = list(first)[number % 3:] + list(first)[:number % 3]
        addresses = {first[name](host, n) for name in order for n in range(2)}
        assert len(addresses) == 1, "%s, %s: %s" % (host, order, addresses)
        used |= addresses
    assert len(used) >= 6, "24 hosts share %d of 16 addresses" % len(used)


@pytest.mark.level("M")
def test_rfc6888_req3(net):
    """A pool may be of addresses that do not follow each other, and large; hosts are spread over all of it."""
    parts = ["192.0.2.17", "192.0.2.33-192.0.2.35", "192.0.2.64/30", "192.0.2.200"]
    addresses = {"192.0.2.%d" % n for n in (17, 33, 34, 35, 64, 65, 66, 67, 200)}
    natvi = nat(net, pool={"addresses": parts})
    wires = Wires(net)
    hosts = ["198.18.0.%d" % n for n in range(100, 220)]
    wires.neighbours(*hosts)
    assert {wires.out(raw_udp(host, 4000, FAR, 5000)).src for host in hosts} == addresses
    natvi.down()
    # 4,096 addresses at work, and 65,536 in a configuration.
    large = {"addresses": ["198.19.0.0/20"], "ports": "1024-65535"}
    natvi.start(settings(net, large))
    net.outside.ip("route add 198.19.0.0/16 via %s" % EXTERNAL)
    seen = [wires.out(raw_udp(host, 4001, FAR, 5000)) for host in hosts]
    assert all(out.src.startswith("198.19.") for out in seen) and len({out.src for out in seen}) > 100
    assert wires.into(raw_udp(FAR, 5000, seen[0].src, seen[0].sport)).dst == hosts[0]
    large["addresses"] = ["198.19.0.0/16"]
    net.gateway.run(NATVI, "check", natvi._config_file(settings(net, large)))


@pytest.mark.level("M")
def test_rfc6888_req6(net):
    """What goes to certain outside addresses and ports is not translated, if the administrator wants it so; everything else is."""
    by_address = {"name": "bypass-address", "from": {"interface": "lan0"}, "to": {"destination": [SERVER2 + "/32"]}, "action": "accept"}
    by_port = {"name": "bypass-port", "from": {"interface": "lan0"}, "proto": ["udp", "tcp"],
               "to": {"destination": [SERVER + "/32"], "ports": [5001, "6000-6010"]}, "action": "accept"}
    nat(net, rules=[by_address, by_port, TO_POOL, REFUSE])
    for server, port, bypassed in ((SERVER, 5000, False), (SERVER, 5001, True), (SERVER, 5999, False), (SERVER, 6000, True),
                                   (SERVER, 6010, True), (SERVER, 6011, False), (SERVER2, 5000, True)):
        source = exchange(net.inside.udp(INSIDE), net.outside.udp(server, port), (server, port))
        client, served, seen = connected(net, port, INSIDE2, server)
        talk(client, served)
        for address, host in ((source[0], INSIDE), (seen[0], INSIDE2)):
            assert address == host if bypassed else in_pool(address), (server, port, address)


@pytest.mark.level("R")
def test_rfc6888_req7(net):
    """Without a word in the configuration, everyone may send to a mapping: UDP and TCP."""
    nat(net)
    wires = Wires(net)
    out = wires.out(raw_udp(RAW, 4001, FAR, 5000))
    connection = Segments(wires, sport=4001).open()
    for source in (FAR, FAR2, "198.51.100.250"):
        assert wires.into(raw_udp(source, 1234, out.src, out.sport)).dst == RAW
        address, port = connection.external
        assert wires.into(IP(src=source, dst=address) / TCP(sport=1234, dport=port, flags="S", seq=5)).dst == RAW
    assert Stun(net).filtering(4100) == "endpoint-independent"


@pytest.mark.level("S")
@pytest.mark.timeout(200)
def test_rfc6888_req8(net, defaults):
    """A port that became free is not given to another host for 119 s with the default configuration; the time is configurable, and ends."""
    natvi = nat(net, pool={"addresses": [ONE], "ports": "7000"}, timeouts={"port-rest": REST_S})
    outside = net.outside.udp(SERVER, 5000)
    first, second = net.inside.udp(INSIDE, 7001), net.inside.udp(INSIDE2, 7002)
    assert exchange(first, outside, (SERVER, 5000)) == (ONE, 7000)
    freed = time.monotonic()
    natvi.cli("flush", "sessions", "src", INSIDE)

    def given():
        second.sendto(b"mine?", (SERVER, 5000))
        return not silent(outside, 0.2)
    early = given()
    while time.monotonic() < freed + REST_S - 0.5:      # what was said until now was said in time
        assert not early, "after %.1f s" % (time.monotonic() - freed)
        early = given()
    wait_for(given, 20, "the port to be given again")
    defaults.ask("port-rest")


def fill(wires, host, dport, count):
    """So many mappings by one host; the external ports."""
    return [wires.out(raw_udp(host, 20000 + n, FAR, dport)).sport for n in range(count)]


@pytest.mark.level("M")
def test_rfc6888_req11(net):
    """Without a port or room a new session is dropped, its sender and the administrator are told, and what lives goes on untouched."""
    natvi = nat(net, pool={"addresses": [ONE], "ports": "3000-3031"}, rules=[source_rule("wide", RAW2, RAW3), TO_POOL, REFUSE],
                pools=[{"name": "wide", "addresses": ["192.0.2.20"]}], limits={"sessions": 64, "mappings": 4096}, **{"on-exhaustion": "host-unreachable"})
    wires = Wires(net)
    ports = fill(wires, RAW, 5000, 32)
    assert sorted(ports) == list(range(3000, 3032))

    def refused(host, counter, times):
        before = natvi.counter(counter)
        for n in range(times):
            packet = raw_udp(host, 30000 + n, FAR, 5000)
            wires.lost("inside", packet, 0.05)
            error = wires.error("inside")
            assert (error[ICMP].code, error.dst, error.src) == (1, host, GATEWAY)
            assert ports_of(quoted(error)) == (30000 + n, 5000)
        assert natvi.counter(counter) == before + times

    def all_live():
        for n, port in enumerate(ports):
            back = wires.into(raw_udp(FAR, 5000, ONE, port))
            assert (back.dst, back.dport) == (RAW, 20000 + n), "a live mapping was taken away"
            assert wires.out(raw_udp(RAW, 20000 + n, FAR, 5000)).sport == port
    refused(RAW, "no-port", 5)
    all_live()
    said = natvi.process.wait_output(r"^natvi: no room for new sessions: \d+ packets by no-port.*$").group(0)
    # Now the table of sessions.
    sent = 0
    while natvi.counter("table-full") == 0:
        assert sent < 1000, "the table does not fill"
        wires.send("inside", raw_udp(RAW2, 20000 + sent, FAR, 5001))
        sent += 1
    wires.drain()
    refused(RAW3, "table-full", 5)
    all_live()
    # The log has a line at once, and then no more for a while.
    time.sleep(1.5)
    lines = [line for line in (natvi.process.out + natvi.process.err).splitlines() if "no room" in line]
    assert lines == [said], lines


@pytest.mark.level("S")
def test_rfc6888_req12(net):
    """With the default configuration nothing that natvi says or keeps in a file has the addresses that inside hosts talk to."""
    natvi = nat(net, pool={"addresses": [ONE], "ports": "3000-3063"})
    wires = Wires(net)
    far = ["198.51.100.%d" % n for n in range(200, 240)]
    Nginx(net.outside).file("page", 1000)
    fetch(net.inside, "http://%s/page" % SERVER2, "--interface", INSIDE)
    for n, address in enumerate(far):
        wires.send("inside", raw_udp(RAW, 5000 + n, address, 4242))
        wires.send("inside", IP(src=RAW2, dst=address) / TCP(sport=5000 + n, dport=4242, flags="S", seq=n))
        wires.send("inside", raw_echo(RAW3, address, n))
        wires.send("outside", raw_udp(address, 4242, ONE, 3000 + n))
        wires.send("outside", IP(src=address, dst=ONE) / TCP(sport=4242, dport=3070 + n, flags="S"))
    for n in range(70):     # more than there are ports, so that there is something to say
        wires.send("inside", raw_udp(RAW, 6000 + n, far[0], 4242))
    natvi.process.wait_output("no room for new sessions")
    assert len(natvi.sessions()) > 100, "there were destinations to tell of"
    natvi.cli("flush", "sessions", "src", RAW)
    natvi.stop()
    said = natvi.process.out + natvi.process.err
    assert "natvi: ready" in said
    for address in [*far, SERVER2]:
        assert not re.search(re.escape(address) + r"(?!\d)", said), "%s is in the log:\n%s" % (address, said)
    assert "4242" not in said


@pytest.mark.level("S")
def test_rfc6888_req13(net):
    """A pool is used to its last port: UDP's, TCP's, and all identifiers of ICMP."""
    ports = ["3000-3040", "5000-5022"]
    every = sorted([*range(3000, 3041), *range(5000, 5023)])
    hosts = ["198.18.0.%d" % n for n in range(100, 116)]
    natvi = nat(net, pool={"addresses": ["192.0.2.20", "192.0.2.40"], "ports": ports}, limits={"sessions": 100000},
                rules=[source_rule("many", *hosts), TO_POOL, REFUSE],
                pools=[{"name": "many", "addresses": ["192.0.2.64/28"], "ports": "3000-3001"}])
    wires = Wires(net)
    wires.neighbours(*hosts)
    send = {"udp": lambda host, n: raw_udp(host, 20000 + n, FAR, 5000),
            "tcp": lambda host, n: IP(src=host, dst=FAR) / TCP(sport=20000 + n, dport=80, flags="S", seq=n)}

    def next_is_refused(packet):
        before = natvi.counter("no-port")
        wires.lost("inside", packet, 0.1)
        assert natvi.counter("no-port") == before + 1
    addresses = {}
    for name, make in send.items():
        for host in (RAW, RAW2):
            given = [wires.out(make(host, n)) for n in range(len(every))]
            assert sorted(out.sport for out in given) == every, name
            addresses.setdefault(host, set()).update(out.src for out in given)
            next_is_refused(make(host, len(every)))
    assert sorted(addresses.values(), key=min) == [{"192.0.2.20"}, {"192.0.2.40"}]
    # So many hosts as there are addresses, each with as many ports as one has: the last one finds the last address.
    given = {(out.src, out.sport) for host in hosts for out in (wires.out(raw_udp(host, port, FAR, 5000)) for port in (4000, 4001))}
    assert given == {("192.0.2.%d" % n, port) for n in range(64, 80) for port in (3000, 3001)}
    wires.ignore("icmp")
    template = bytes(wires.header["inside"] / raw_echo(RAW, FAR, 0, data=b""))
    address = addresses[RAW].pop()

    def used_up():
        for id in range(65536):
            wires.tap["inside"].sock.send(template[:34] + summed(struct.pack("!BBHHH", 8, 0, 0, id, 1)))
        left = {a["addr"]: a["icmp"]["free"] for a in natvi.show("pools")[0]["addresses"]}
        assert left == {a: 0 if a == address else 65536 for a in ("192.0.2.20", "192.0.2.40")}, left
    persist(used_up)


@pytest.mark.level("S")
def test_rfc6888_req15(net):
    """Who sees the ports of some mappings cannot guess those of others: with port-selection random always, else where the own port is taken."""
    chosen = dict(rules=[source_rule("chance", RAW, RAW2), TO_POOL, REFUSE], pool=ONE_POOL,
                  pools=[{"name": "chance", "addresses": ["192.0.2.20"], "port-selection": "random"}])
    natvi = nat(net, **chosen)
    wires = Wires(net)

    def ports(host):
        return [wires.out(raw_udp(host, port, FAR, 5000)).sport for port in range(20000, 20800, 2)]
    always = ports(RAW)
    unpredictable(always)
    unpredictable(ports(RAW2))
    taken = ports(RAW3)     # keeps its own
    assert taken == list(range(20000, 20800, 2))
    wires.neighbours("198.18.0.53")
    unpredictable(ports("198.18.0.53"))
    # Not the same again after the next start.
    natvi.down()
    natvi.start(settings(net, **chosen))
    unrelated(always, ports(RAW))
