# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""RFC 4787, requirements 1 to 8 and 11: how a NAT maps and filters UDP."""
import time

import pytest
from scapy.all import UDP

from defaults import UDP_PORTS
from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDE3, INSIDES, INSIDE_NET, NATVI, REFUSE, SERVER, SERVER2, TO_POOL, config
from lab import in_time, wait_for
from stun import Stun
from wire import exchange
from wires import (FAR, FAR2, ONE, ONE_POOL, RAW, RAW2, RAW3, Wires, arrivals, in_pool, nat, raw_echo, raw_udp, silent, source_rule)

REMOTES = [(SERVER, 5000), (SERVER, 5001), (SERVER2, 5000), (SERVER2, 5001)]
FILTERING = {"endpoint-independent": {"same", "port", "address"}, "address-dependent": {"same", "port"},
             "address-and-port-dependent": {"same"}}
SHORT_S = 2     # a time-out of n seconds is over after n + 1: the clock is coarse
OVER_S = SHORT_S + 2
REFRESH_S = 4
MAPPINGS = 128


def sources(net, host, port, remotes=REMOTES):
    """The external addresses and ports by which an inside socket shows itself to remotes."""
    sock = net.inside.udp(host, port)
    return {exchange(sock, net.outside.udp(*remote), remote) for remote in remotes}


@pytest.mark.level("M")
def test_rfc4787_req1(net):
    """An inside address and port that talks to several outside addresses and ports shows all of them one external address and port."""
    natvi = nat(net)
    with arrivals(net, "udp"):
        for host, port in ((INSIDE, 4001), (INSIDE2, 4001), (INSIDE2, 4002)):
            seen = sources(net, host, port)
            assert len(seen) == 1 and in_pool(next(iter(seen))[0]), seen
    sock, remote = net.inside.udp(INSIDE, 4003), net.outside.udp(*REMOTES[0])
    assert len({exchange(sock, remote, REMOTES[0]) for _ in range(10)}) == 1
    hits = natvi.show("stats")["xdp_hits"]
    assert (hits > 0) == (net.hook == "xdp"), hits
    assert Stun(net).mapping(4100) == "endpoint-independent"


@pytest.mark.level("R")
def test_rfc4787_req2(net):
    """All sessions of one inside host use one external address; a host whose address is full is refused, not given another one."""
    natvi = nat(net, rules=[source_rule("narrow", INSIDE2, INSIDE3), source_rule("loose", INSIDES[3]), TO_POOL, REFUSE],
                pools=[{"name": "narrow", "addresses": ["192.0.2.20", "192.0.2.40"], "ports": "2000-2003"},
                       {"name": "loose", "addresses": ["192.0.2.50", "192.0.2.60"], "ports": "2000-2003", "pooling": "arbitrary"}])
    remote = net.outside.udp(SERVER, 5000)

    def external(host):
        return exchange(net.inside.udp(host), remote, (SERVER, 5000))
    assert len({external(INSIDE)[0] for _ in range(20)}) == 1
    wires = Wires(net)
    for host in (RAW, RAW2, RAW3):
        assert len({wires.out(raw_udp(host, port, FAR, 5000)).src for port in range(4000, 4010)}) == 1
    # Four ports an address: the first host takes all of one address, the second is given the other one.
    first = [external(INSIDE2) for _ in range(4)]
    assert len({address for address, _ in first}) == 1 and len(set(first)) == 4, first
    refused = natvi.counter("no-port")
    fifth = net.inside.udp(INSIDE2)
    fifth.sendto(b"one more", (SERVER, 5000))
    assert silent(remote) and natvi.counter("no-port") == refused + 1
    second = [external(INSIDE3) for _ in range(4)]
    assert {address for address, _ in first + second} == {"192.0.2.20", "192.0.2.40"}, second
    # Where the administrator wants it so, a host takes what there is.
    assert {external(INSIDES[3])[0] for _ in range(8)} == {"192.0.2.50", "192.0.2.60"}


@pytest.mark.level("M")
def test_rfc4787_req3(net):
    """Two inside sockets never share an external address and port, whatever they talk to; when none is left, the next is refused."""
    natvi = nat(net, pool={"addresses": [ONE], "ports": "4000-4063"})
    remotes = [(net.outside.udp(*remote), remote) for remote in REMOTES]
    seen = {}
    for port in range(4000, 4016):  # four hosts that use the same ports, each towards another remote
        for host, (outside, remote) in zip(INSIDES, remotes):
            seen[exchange(net.inside.udp(host, port), outside, remote)] = (host, port)
    assert len(seen) == 64, "some of 64 sockets share an external port"
    assert set(seen) == {(ONE, port) for port in range(4000, 4064)}
    refused = natvi.counter("no-port")
    last = net.inside.udp(INSIDE, 5555)
    for outside, remote in remotes:
        last.sendto(b"me too", remote)
        assert silent(outside, 0.1)
    assert natvi.counter("no-port") == refused + len(REMOTES)


@pytest.mark.level("R")
def test_rfc4787_req3a(net):
    """A source port below 1024 is translated to one below 1024, another one to one from 1024 on, also where the same one is taken."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    taken = set()  # another port's second or third host may have been given this one by lot
    for port in (1, 123, 500, 1022, 1023, 1024, 1025, 4500, 40000, 65535):
        given = [wires.out(raw_udp(host, port, FAR, 5000)).sport for host in (RAW, RAW2, RAW3)]
        assert (given[0] == port) == (port not in taken), "%d became %s" % (port, given)
        assert len(set(given)) == 3 and not taken & set(given), given
        taken |= set(given)
        assert {p < 1024 for p in given} == {port < 1024}, "%d became %s" % (port, given)


@pytest.mark.level("R")
def test_rfc4787_req4(net):
    """An even source port becomes an even one, an odd one an odd one, also where the same one is taken."""
    nat(net, pool=ONE_POOL)
    wires = Wires(net)
    for port in [1000, 1001] + list(range(4010, 4022)):
        given = [wires.out(raw_udp(host, port, FAR, 5000)).sport for host in (RAW, RAW2, RAW3)]
        assert len(set(given)) == 3 and {p % 2 for p in given} == {port % 2}, "%d became %s" % (port, given)


@pytest.mark.level("M")
@pytest.mark.timeout(200)
def test_rfc4787_req5(defaults):
    """With the default configuration a mapping still admits its remote after 119 s without a packet."""
    defaults.ask("udp-5000")


@pytest.mark.level("M")
@pytest.mark.timeout(200)
def test_rfc4787_req5a(defaults):
    """If some mappings live shorter, then only those towards ports below 1024: the first and the last other port live 119 s, too."""
    for port in UDP_PORTS:
        defaults.ask("udp-%d" % port)


@pytest.mark.level("M")
def test_rfc4787_req5b(net):
    """The time is configurable: what was idle for longer is gone, what was idle for less is there, and another time is another time."""
    natvi = nat(net, timeouts={"udp": SHORT_S})
    remote = net.outside.udp(SERVER, 5000)
    idle, used = net.inside.udp(INSIDE, 4001), net.inside.udp(INSIDE, 4002)
    used.settimeout(3)

    def admitted():
        externals = [exchange(sock, remote, (SERVER, 5000)) for sock in (idle, used)]
        time.sleep(SHORT_S / 2)
        remote.sendto(b"in time", externals[1])
        assert used.recvfrom(10)[0] == b"in time"
        return externals
    externals = in_time(admitted, SHORT_S)
    time.sleep(OVER_S - SHORT_S / 2)
    remote.sendto(b"too late", externals[0])
    assert silent(idle), "a mapping outlives its time-out"
    config_now = config(net.hook, rules=[TO_POOL, REFUSE], pool={}, timeouts={"udp": 1234})
    natvi.reload(config_now)
    exchange(net.inside.udp(INSIDE, 4003), remote, (SERVER, 5000))
    assert natvi.sessions("sport", "4003")[0]["expires_s"] in range(1230, 1235)


@pytest.mark.level("R")
@pytest.mark.timeout(400)
def test_rfc4787_req5c(defaults):
    """The default is five minutes or more: a mapping still admits its remote after 299 s without a packet."""
    defaults.ask("udp-default")


def kept_alive(net, refresh):
    """Two mappings; refresh(wires, packet out) is for one of them. When the time that they were made with is over, that one lives.

    It lives by its refreshment alone, which comes in time: what comes later would make it anew.
    """
    wires = Wires(net)

    def lives():
        """Until the other one's time is over, and its own would have been."""
        out = {port: wires.out(raw_udp(RAW, port, FAR, 5000)) for port in (4001, 4002)}
        time.sleep(REFRESH_S - 1)
        refresh(wires, out[4001])
        time.sleep(2.5)
        into = wires.cross("outside", raw_udp(FAR, 5000, out[4001].src, out[4001].sport), timeout=1)
        assert (into.dst, into.dport) == (RAW, 4001)
        return out[4002]
    other = in_time(lives, REFRESH_S + 2.5)
    wires.lost("outside", raw_udp(FAR, 5000, other.src, other.sport))


@pytest.mark.level("M")
def test_rfc4787_req6(net):
    """A packet from inside to outside begins the mapping's time anew."""
    nat(net, timeouts={"udp": REFRESH_S})
    kept_alive(net, lambda wires, out: wires.out(raw_udp(RAW, 4001, FAR, 5000)))


@pytest.mark.level("may")
def test_rfc4787_req6a(net):
    """A packet from outside to inside may do so, too; with natvi it does."""
    nat(net, timeouts={"udp": REFRESH_S})
    kept_alive(net, lambda wires, out: wires.into(raw_udp(FAR, 5000, out.src, out.sport)))


def refused(done, *words):
    """A command that ended in an error which names these things."""
    text = done.stdout + done.stderr
    assert done.returncode != 0, "accepted: %s" % text
    assert all(word in text for word in words), text


@pytest.mark.level("M")
def test_rfc4787_req7(net):
    """The same addresses inside and outside lead no packet astray: natvi refuses such a configuration, and says what collides."""
    net.outside.ip("route replace 192.0.2.0/24 via %s" % EXTERNAL)
    pool = config(net.hook, rules=[source_rule("public", INSIDE), REFUSE], pool={"addresses": ["198.18.0.32/28"]})
    pool["rules"][0]["from"]["source"] = [INSIDE_NET]
    natvi = net.natvi()
    path = natvi._config_file(pool)
    refused(net.gateway.run(NATVI, "check", path, check=False), "%s:" % path, "198.18.0.32", INSIDE_NET)
    # The outside's network is a part of the inside's: nobody could say which of the two an address means.
    net.gateway.ip("addr add 198.18.0.129/25 dev wan0")
    process = natvi.start(config(net.hook), ready=False)
    assert process.wait(60, check=False) != 0, "it runs: %s%s" % (process.out, process.err)
    said = process.out + process.err
    assert all(word in said for word in ("lan0", "wan0", "198.18.0.")), said
    # What is wrong is the overlap, and nothing else.
    net.gateway.ip("addr del 198.18.0.129/25 dev wan0")
    again = net.natvi("-b")
    again.start(config(net.hook))
    exchange(net.inside.udp(INSIDE, 4001), net.outside.udp(SERVER, 5000), (SERVER, 5000))


@pytest.mark.level("R")
def test_rfc4787_req8(net):
    """Who may send to a mapping is configurable: everyone, or the addresses that the host has sent to, or only those addresses and ports."""
    hosts = dict(zip(FILTERING, INSIDES))
    nat(net, rules=[source_rule(name, host) for name, host in hosts.items()] + [REFUSE],
        pools=[{"name": name, "addresses": ["192.0.2.%d" % (20 + n)], "filtering": name} for n, name in enumerate(FILTERING)])
    stun = Stun(net)
    judged = {name: stun.ask("-f", port=4100, host=host) for name, host in hosts.items()}
    senders = {"same": net.outside.udp(SERVER, 5000), "port": net.outside.udp(SERVER, 5999), "address": net.outside.udp(SERVER2, 5000)}
    for name, host in hosts.items():
        inside = net.inside.udp(host, 4004)
        external = exchange(inside, senders["same"], (SERVER, 5000))
        admitted = set()
        for what, sender in senders.items():
            sender.sendto(what.encode(), external)
            if not silent(inside):
                assert inside.recvfrom(100) == (what.encode(), sender.getsockname())
                admitted.add(what)
        assert admitted == FILTERING[name], "%s admits %s" % (name, admitted)
        exchange(inside, senders["same"], (SERVER, 5000))
    # To send somewhere is to admit answers from there.
    dependent = net.inside.udp(hosts["address-dependent"], 4005)
    external = exchange(dependent, senders["same"], (SERVER, 5000))
    assert exchange(dependent, senders["address"], (SERVER2, 5000)) == external
    for name in FILTERING:
        assert judged[name].verdict("Filtering") == name.replace("address-and-port", "address-and-port"), judged[name].said()


def behaviour(net, wires, host, port):
    """How a host's socket is treated: what the RFC calls mapping, filtering, hairpinning, parity, range, pairing."""
    out = [wires.out(raw_udp(host, port, remote, dport)) for remote in (FAR, FAR2) for dport in (5000, 5001)]
    externals = {(packet.src, packet.sport) for packet in out}
    address, given = next(iter(externals))
    stranger = wires.into(raw_udp("198.51.100.250", 1234, address, given))
    wires.out(raw_echo(host, FAR, port))
    second = wires.out(raw_udp(host, port + 2, FAR, 5000))
    wires.send("inside", raw_udp(host, port, second.src, second.sport, b"hairpin%d" % port))
    back = wires.expect("inside", lambda p: UDP in p and b"hairpin%d" % port in bytes(p[UDP].payload), "the hairpinned packet")
    return {"mappings": len(externals), "stranger": (stranger.dst == host, stranger.dport == port), "paired": second.src == address,
            "parity": given % 2 == port % 2, "range": given >= 1024,
            "hairpin": (back.dst == host, back.dport == port + 2, (back.src, back.sport) == (address, given))}


@pytest.mark.level("M")
def test_rfc4787_req11(net):
    """How a NAT behaves does not depend on what goes on: on an idle gateway, under load, where ports collide, with tables nearly full."""
    natvi = nat(net, pool=ONE_POOL, limits={"sessions": 512, "mappings": MAPPINGS})
    wires = Wires(net)
    before = behaviour(net, wires, RAW, 4000)
    assert before == {"mappings": 1, "stranger": (True, True), "paired": True, "parity": True, "range": True, "hairpin": (True, True, True)}
    # The same ports are another host's now.
    assert behaviour(net, wires, RAW2, 4000) == before
    # A stream of datagrams that does not end before the test does.
    wires.ignore("port 5201")
    net.outside.spawn("iperf3", "-s", "-1", "-p", 5201, "--forceflush").wait_output("Server listening")
    load = net.inside.spawn("iperf3", "-u", "-b", "100M", "-l", 200, "-t", 200, "-c", SERVER, "-p", 5201, "--forceflush")
    load.wait_output(r"sec .*bits/sec")
    # New mappings, until there is room for one host's few.
    used = natvi.show("stats")["mappings"]

    def nearly_full():
        for number in range(used, MAPPINGS - 4):
            wires.send("inside", raw_udp(INSIDES[3], 10000 + number, FAR, 5000))
        return natvi.show("stats")["mappings"] == MAPPINGS - 4
    wait_for(nearly_full, 15, "the table to be nearly full")
    wires.drain()
    assert behaviour(net, wires, RAW3, 4000) == before
    assert natvi.show("stats")["mappings"] > MAPPINGS - 4 and load.alive(), load.out
