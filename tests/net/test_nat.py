# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What NAT does to addresses and ports, seen from both sides. What the RFCs ask for is in tests/conformance."""
import ipaddress
import select

import pytest
from scapy.all import ESP, GRE, ICMP, IP, UDP, Ether

from gateway import (EXTERNAL, GATEWAY, INSIDE, INSIDE2, MASQUERADE, POOL, REFUSE, REMOTE, REMOTE2, SERVER, SERVER2, TO_POOL,
                     config)
from lab import wait_for
from wire import exchange, reset

POOL_NET = ipaddress.ip_network(POOL)


def pooled(net, **pool):
    """natvi with the pool "public", in these settings."""
    pool.setdefault("mapping", "endpoint-independent")
    return net.running(config(net.hook, rules=[TO_POOL, REFUSE], pool=pool))


def silent(sock, timeout=0.4):
    """Nothing comes in on the socket."""
    return not select.select([sock], [], [], timeout)[0]


def in_pool(address):
    return ipaddress.ip_address(address) in POOL_NET


def frame(net, side, packet):
    """The packet in a frame from the host of that side to the gateway."""
    namespace, port = (net.inside, "lan0") if side == "inside" else (net.outside, "wan0")
    return Ether(src=net.mac(namespace, "eth0"), dst=net.mac(net.gateway, port)) / packet


# Mapping and ports

def test_address_and_port_dependent_mapping(net):
    """One inside socket, another mapping for each remote: distinguishable where the port cannot be preserved."""
    pooled(net, mapping="address-and-port-dependent", filtering="address-and-port-dependent", addresses=["192.0.2.1"])
    taker, inside = net.inside.udp(INSIDE2, 4003), net.inside.udp(INSIDE, 4003)
    first = net.outside.udp(SERVER, 5000)
    second = net.outside.udp(SERVER2, 5000)
    assert exchange(taker, first, (SERVER, 5000)) == ("192.0.2.1", 4003)
    assert exchange(inside, first, (SERVER, 5000))[1] != 4003
    # Towards the other remote the port is free: it may be shared in this mode, and only in this one.
    assert exchange(inside, second, (SERVER2, 5000)) == ("192.0.2.1", 4003)


def test_answer_to_an_unseen_remote(net):
    """With endpoint-independent filtering an unseen remote is answered by the same external port."""
    pooled(net, filtering="endpoint-independent")
    inside = net.inside.udp(INSIDE, 4005)
    external = exchange(inside, net.outside.udp(SERVER, 5000), (SERVER, 5000))
    stranger = net.outside.udp(SERVER2, 6000)
    stranger.sendto(b"hello", external)
    assert inside.recvfrom(100) == (b"hello", (SERVER2, 6000))
    inside.sendto(b"hello yourself", (SERVER2, 6000))
    assert stranger.recvfrom(100) == (b"hello yourself", external)


def test_port_is_preserved(net):
    pooled(net)
    remote = net.outside.udp(SERVER, 5000)
    for port in (1024, 4006, 5060, 33333, 65535):
        assert exchange(net.inside.udp(INSIDE, port), remote, (SERVER, 5000))[1] == port


def test_ping_identifiers(net):
    """Two hosts ping with the same identifier; each gets its own answers."""
    pooled(net, addresses=["192.0.2.1"])
    taps = net.tap("inside"), net.tap("outside")
    seen = set()
    for n, host in enumerate((INSIDE, INSIDE2)):
        taps[0].send(frame(net, "inside", IP(src=host, dst=SERVER) / ICMP(type=8, id=77, seq=n) / b"who am i"))
        request = taps[1].expect(lambda p: ICMP in p and p[ICMP].type == 8 and p[ICMP].seq == n, "the request")
        seen.add(request[ICMP].id)
        assert request[IP].src == "192.0.2.1"
        answer = taps[0].expect(lambda p: ICMP in p and p[ICMP].type == 0 and p[ICMP].seq == n, "the answer")
        assert (answer[IP].dst, answer[ICMP].id) == (host, 77)
    assert len(seen) == 2


# Protocols without ports

@pytest.mark.parametrize("proto,header", [(50, ESP(spi=0x1234, seq=1, data=b"x" * 32)), (47, GRE(proto=0x0800) / (b"y" * 32))],
                         ids=["esp", "gre"])
def test_two_clients_without_ports(net, proto, header):
    """By address and remote: two clients with different remotes coexist; a second one to the same remote is refused."""
    natvi = pooled(net, addresses=["192.0.2.1"])
    inside, outside = net.tap("inside"), net.tap("outside")

    def carries(src, dst):
        return lambda p: IP in p and p[IP].proto == proto and (p[IP].src, p[IP].dst) == (src, dst)
    for host, remote in ((INSIDE, SERVER), (INSIDE2, SERVER2)):
        inside.send(frame(net, "inside", IP(src=host, dst=remote, proto=proto) / header))
        arrived = outside.expect(carries("192.0.2.1", remote), "the packet to %s" % remote)
        assert bytes(arrived[IP].payload)[:len(header)] == bytes(header)
    for host, remote in ((INSIDE, SERVER), (INSIDE2, SERVER2)):
        outside.send(frame(net, "outside", IP(src=remote, dst="192.0.2.1", proto=proto) / header))
        inside.expect(carries(remote, host), "the answer from %s" % remote)
    before = natvi.counter("remote-taken")
    inside.send(frame(net, "inside", IP(src=INSIDE2, dst=SERVER, proto=proto) / header))
    outside.none(carries("192.0.2.1", SERVER), "a packet that nobody could answer")
    assert natvi.counter("remote-taken") == before + 1


# Forwards

FORWARDS = [{"proto": "tcp", "external": EXTERNAL + ":8080", "internal": INSIDE + ":80"},
            {"proto": "udp", "external": EXTERNAL + ":5353", "internal": INSIDE2 + ":53"}]


def test_forward_from_outside(net):
    net.running(config(net.hook, forwards=FORWARDS))
    listener = net.inside.tcp_listen(INSIDE, 80)
    client = net.outside.tcp(SERVER)
    client.connect((EXTERNAL, 8080))
    server, source = listener.accept()
    assert source == client.getsockname()
    server.sendall(b"welcome")
    assert client.recv(100) == b"welcome"
    service, caller = net.inside.udp(INSIDE2, 53), net.outside.udp(REMOTE, 7777)
    caller.sendto(b"?", (EXTERNAL, 5353))
    assert service.recvfrom(10) == (b"?", (REMOTE, 7777))
    service.sendto(b"!", (REMOTE, 7777))
    assert caller.recvfrom(10) == (b"!", (EXTERNAL, 5353))


def test_forward_port_is_never_given(net):
    """A host inside that uses a forward's port as its source port gets another one outside."""
    net.running(config(net.hook, forwards=FORWARDS))
    remote = net.outside.udp(SERVER, 5000)
    assert exchange(net.inside.udp(INSIDE, 5353), remote, (SERVER, 5000))[1] != 5353
    # The host that the forward leads to keeps it: one mapping, both ways.
    assert exchange(net.inside.udp(INSIDE2, 53), remote, (SERVER, 5000)) == (EXTERNAL, 5353)


# Exhaustion

def test_exhaustion(net):
    """A full port range: ICMP 3/13 for the new flow, live ones go on, and a port that is free again is given again."""
    natvi = net.running(config(net.hook, rules=[TO_POOL, REFUSE], timeouts={"udp": 300, "port-rest": 1},
                               pool={"addresses": ["192.0.2.1"], "ports": "2000-2007", "mapping": "endpoint-independent"}))
    remote = net.outside.udp(SERVER, 5000)
    sockets = [net.inside.udp(INSIDE) for _ in range(8)]
    externals = [exchange(sock, remote, (SERVER, 5000)) for sock in sockets]
    assert sorted(e[1] for e in externals) == list(range(2000, 2008))
    tap, before = net.tap("inside"), natvi.counter("no-port")
    late = net.inside.udp(INSIDE2, 4040)
    late.sendto(b"too late", (SERVER, 5000))
    error = tap.expect(lambda p: ICMP in p and p[ICMP].type == 3, "the ICMP error")
    assert (error[ICMP].code, error[IP].dst) == (13, INSIDE2)
    assert error[IP].src in (GATEWAY, EXTERNAL)
    inner = IP(bytes(error[ICMP].payload))
    assert (inner.src, inner.dst, inner[UDP].sport, inner[UDP].dport) == (INSIDE2, SERVER, 4040, 5000)
    assert natvi.counter("no-port") == before + 1
    for sock, external in zip(sockets, externals):
        assert exchange(sock, remote, (SERVER, 5000)) == external
    natvi.cli("flush", "sessions", "src", INSIDE)

    def admitted():
        late.sendto(b"again", (SERVER, 5000))
        return not silent(remote, 0.1)
    wait_for(admitted, 20, "a freed port to be given again")


def test_full_session_table(net):
    """limits.sessions reached: a new flow is refused and counted, live ones go on."""
    natvi = net.running(config(net.hook, limits={"sessions": 16}))
    remote = net.outside.udp(SERVER, 5000)

    def refusals():
        return natvi.counter("table-full") + natvi.counter("mappings-full")
    live, refused = [], 0
    for number in range(100):
        sock, name = net.inside.udp(INSIDE), b"%d" % number
        sock.sendto(name, (SERVER, 5000))
        wait_for(lambda: not silent(remote, 0.02) or refusals() > refused, 15, "the packet to arrive or to be counted")
        if silent(remote, 0):
            refused += 1
        else:
            assert remote.recv(10) == name
            live.append(sock)
        if refused == 5:
            break
    assert refused == 5 and len(live) >= 16

    def answered(sock):
        sock.settimeout(2)
        try:
            return exchange(sock, remote, (SERVER, 5000))
        except TimeoutError:
            return None
    remote.settimeout(2)
    for sock in live:           # a busy machine may lose a datagram; a session that has gone loses all
        wait_for(lambda: answered(sock), 15, "a live session's datagram to be answered")


# Packets

def test_zero_udp_checksum_stays_zero(net):
    pooled(net)
    inside, outside = net.tap("inside"), net.tap("outside")
    inside.send(frame(net, "inside", IP(src=INSIDE, dst=SERVER) / UDP(sport=4050, dport=5000, chksum=0) / b"unsummed"))
    out = outside.expect(lambda p: UDP in p and p[UDP].dport == 5000, "the datagram")
    assert out[UDP].chksum == 0 and in_pool(out[IP].src)
    back = IP(src=SERVER, dst=out[IP].src) / UDP(sport=5000, dport=out[UDP].sport, chksum=0) / b"unsummed too"
    outside.send(frame(net, "outside", back))
    answer = inside.expect(lambda p: UDP in p and p[UDP].sport == 5000, "the answer")
    assert answer[UDP].chksum == 0 and (answer[IP].dst, answer[UDP].dport) == (INSIDE, 4050)


def test_inbound_icmp_error_reaches_the_host(net):
    """Port unreachable from outside comes to the inside socket, with the inside addresses in its quotation."""
    pooled(net)
    inside, tap = net.inside.udp(INSIDE, 4051), net.tap("inside")
    inside.connect((SERVER, 5999))
    inside.send(b"nobody home")
    error = tap.expect(lambda p: ICMP in p and p[ICMP].type == 3, "the ICMP error")
    assert (error[IP].src, error[IP].dst, error[ICMP].code) == (SERVER, INSIDE, 3)
    inner = IP(bytes(error[ICMP].payload))
    assert (inner.src, inner[UDP].sport, inner.dst, inner[UDP].dport) == (INSIDE, 4051, SERVER, 5999)
    with pytest.raises(ConnectionRefusedError):
        inside.send(b"again")
        inside.recv(10)


def test_spoofed_source_is_dropped(net):
    """From outside with the source of a pool or of the box: a counted drop."""
    natvi = pooled(net)
    service, outside = net.inside.udp(INSIDE, 9000), net.tap("outside")
    for source in ("192.0.2.5", EXTERNAL, GATEWAY):
        outside.send(frame(net, "outside", IP(src=source, dst=INSIDE) / UDP(sport=1, dport=9000) / b"trust me"))
    wait_for(lambda: natvi.counter("spoofed") == 3, 15, "three packets to be counted as spoofed")
    assert silent(service)


# Rules

def test_rules(net):
    """First match wins: accept goes untranslated, drop is silent, reject is answered; the rest is translated."""
    def rule(name, port, action):
        return {"name": name, "from": {"interface": "lan0"}, "to": {"interface": "wan0", "ports": [port]}, "proto": "udp", "action": action}
    natvi = net.running(config(net.hook, rules=[rule("plain", 5001, "accept"), rule("never", 5002, "drop"),
                                                rule("no", 5003, "reject"), MASQUERADE, REFUSE]))
    inside, tap = net.inside.udp(INSIDE, 4060), net.tap("inside")
    remotes = {port: net.outside.udp(SERVER, port) for port in range(5000, 5004)}
    assert exchange(inside, remotes[5000], (SERVER, 5000)) == (EXTERNAL, 4060)
    assert exchange(inside, remotes[5001], (SERVER, 5001)) == (INSIDE, 4060)
    tap.drain()
    for port in (5002, 5003):
        inside.sendto(b"may I?", (SERVER, port))
    error = tap.expect(lambda p: ICMP in p and p[ICMP].type == 3, "the ICMP error")
    inner = IP(bytes(error[ICMP].payload))
    assert (error[ICMP].code, inner[UDP].dport) == (13, 5003)
    tap.none(lambda p: ICMP in p, "an error for what is to be dropped silently", 0.3)
    assert silent(remotes[5002], 0.1) and silent(remotes[5003], 0.1)
    assert natvi.counter("rule-drop") == 1 and natvi.counter("rule-reject") == 1
    assert exchange(inside, remotes[5000], (SERVER, 5000)) == (EXTERNAL, 4060)


def test_bypass_for_some_sources(net):
    """RFC 6888 req. 6: a rule exempts by prefix, and only that prefix."""
    bypass = {"name": "bypass", "from": {"interface": "lan0", "source": [INSIDE2 + "/32"]}, "to": {"interface": "wan0"}, "action": "accept"}
    net.running(config(net.hook, rules=[bypass, MASQUERADE, REFUSE]))
    remote = net.outside.udp(SERVER, 5000)
    assert exchange(net.inside.udp(INSIDE, 4061), remote, (SERVER, 5000))[0] == EXTERNAL
    assert exchange(net.inside.udp(INSIDE2, 4061), remote, (SERVER, 5000)) == (INSIDE2, 4061)


# TCP

def test_rst_reaches_the_other_side(net):
    pooled(net)
    listener = net.outside.tcp_listen(SERVER, 5000)
    client = net.inside.tcp(INSIDE)
    client.connect((SERVER, 5000))
    server, _ = listener.accept()
    server.settimeout(20)
    reset(client)
    with pytest.raises(ConnectionResetError):
        server.recv(1)


def test_unmapped_pool_port(net):
    """From outside to a pool port that nothing maps: nothing gets in, one counted drop."""
    natvi = pooled(net)
    service = net.inside.udp(INSIDE, 9000)
    outside = net.outside.udp(REMOTE2)
    outside.sendto(b"knock", ("192.0.2.3", 9000))
    wait_for(lambda: natvi.counter("no-mapping") == 1, 15, "the packet to be counted")
    assert silent(service, 0.2)


def test_pool_on_the_link(net):
    """Addresses of a pool that lie in the outside link's own network: natvi answers ARP for them."""
    natvi = pooled(net, addresses=["203.0.113.32-203.0.113.35"])
    inside, outside = net.inside.udp(INSIDE, 4080), net.outside.udp(SERVER, 5000)
    external = exchange(inside, outside, (SERVER, 5000))
    assert external[0] in ("203.0.113.32", "203.0.113.33", "203.0.113.34", "203.0.113.35")
    assert natvi.counter("arp-sent") >= 1
    assert net.outside.run("ip", "neigh", "show", external[0]).stdout.split()[4] == net.mac(net.gateway, "wan0")


def test_rule_kernel(net):
    """What a rule leaves to the kernel is the kernel's, its NAT included; the rest is natvi's."""
    net.gateway.run("nft", "-f", "-", input="""table ip user {
        chain post { type nat hook postrouting priority 100; oifname "wan0" udp dport 5001 snat to %s:61234; }
    }""" % EXTERNAL)
    kernel = dict(MASQUERADE, name="kernel", proto="udp", to={"interface": "wan0", "ports": [5001]}, action="kernel")
    back = {"name": "kernel-back", "proto": "udp", "from": {"interface": "wan0", "ports": [5001]}, "action": "kernel"}
    natvi = net.running(config(net.hook, rules=[kernel, back, MASQUERADE, REFUSE]))
    inside = net.inside.udp(INSIDE, 4081)
    assert exchange(inside, net.outside.udp(SERVER, 5001), (SERVER, 5001)) == (EXTERNAL, 61234)
    assert exchange(inside, net.outside.udp(SERVER, 5000), (SERVER, 5000)) == (EXTERNAL, 4081)
    assert natvi.counter("rule-kernel") >= 1
    assert len(natvi.sessions("proto", "udp")) == 1
