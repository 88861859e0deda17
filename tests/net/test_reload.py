# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Reload, and forwards that come, move and go by it."""
import json

from control import answered, restart, status
from gateway import EXTERNAL, INSIDE, INSIDE2, SERVER, TO_POOL, config
from wire import exchange


# Reload

def test_reload_keeps_sessions(net):
    natvi = net.running()
    remote, client = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))
    before = natvi.sessions()
    natvi.reload(config(net.hook, timeouts={"udp": 500}))
    assert exchange(client, remote, (SERVER, 5000)) == external
    after = natvi.sessions()
    assert len(before) == len(after) == 1
    assert all(after[0]["orig"][k] == before[0]["orig"][k] for k in ("src", "sport", "dst", "dport"))
    assert after[0]["orig"]["packets"] == 2


def test_bad_reload_changes_nothing(tc):
    """More than the tables have room for is refused with the way out; what was in force goes on."""
    natvi = tc.running(config("tc", rules=[TO_POOL], pool={}))
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))
    path = tc.lab.dir / "large.yaml"
    path.write_text(json.dumps(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.0/24"]})))
    done = natvi.cli("reload", path, check=False)
    assert done.returncode == 1 and "natvi down" in done.stderr
    assert exchange(client, remote, (SERVER, 5000)) == external
    assert exchange(tc.inside.udp(INSIDE2), remote, (SERVER, 5000))[0].startswith("192.0.2.")


def test_pool_is_replaced(tc):
    """There is room for other addresses beside those that sessions still have, and for more."""
    natvi = tc.running(config("tc", rules=[TO_POOL], pool={}))
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))
    natvi.reload(config("tc", rules=[TO_POOL], pool={"addresses": ["203.0.113.64/26"]}))
    assert exchange(client, remote, (SERVER, 5000)) == external
    assert exchange(tc.inside.udp(INSIDE2), remote, (SERVER, 5000))[0].startswith("203.0.113.")


def test_addresses_that_leave_a_pool_end_their_sessions(tc):
    """Where orphans are to be killed; tests/net/test_orphans.py has the others."""
    natvi = tc.running(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.1-192.0.2.2"]}))
    remote = tc.outside.udp(SERVER, 5000)
    clients, externals = [], []
    for host in ("198.18.0.%d" % n for n in range(10, 14)):
        clients.append(tc.inside.udp(host))
        externals.append(exchange(clients[-1], remote, (SERVER, 5000)))
    used = sorted({e[0] for e in externals})
    if len(used) == 1:
        used = ["192.0.2.1", "192.0.2.2"]
    gone = externals[0][0]
    kept = "192.0.2.1" if gone == "192.0.2.2" else "192.0.2.2"
    natvi.reload(config("tc", rules=[TO_POOL], pool={"addresses": [kept]}, orphans="kill"))
    assert {s["reply"]["dst"] for s in natvi.sessions()} <= {kept}
    assert all(m["outside"]["addr"] == kept for m in natvi.show("mappings"))
    for client, external in zip(clients, externals):
        now = exchange(client, remote, (SERVER, 5000))
        assert now[0] == kept
        if external[0] == kept:
            assert now == external


def test_ports_that_become_reserved(tc):
    """A mapping keeps the port that a reload withholds; when it goes, nobody gets that port again."""
    natvi = tc.running(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.1"]}))
    remote = tc.outside.udp(SERVER, 5000)
    client = tc.inside.udp(INSIDE, 2000)
    assert exchange(client, remote, (SERVER, 5000)) == ("192.0.2.1", 2000)
    narrow = config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.1"], "ports": "4000-65535"})
    natvi.reload(narrow)
    assert exchange(client, remote, (SERVER, 5000)) == ("192.0.2.1", 2000)
    natvi.cli("flush", "sessions")
    natvi.cli("flush", "mappings")

    assert exchange(tc.inside.udp(INSIDE2, 2000), remote, (SERVER, 5000))[1] >= 4000
    natvi.cli("flush", "sessions")
    natvi.cli("flush", "mappings")
    natvi.reload(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.1"]}))
    assert exchange(tc.inside.udp(INSIDE2, 2000), remote, (SERVER, 5000)) == ("192.0.2.1", 2000)


def test_interface_taken_out_by_reload(tc):
    natvi = tc.running()
    assert tc.gateway.get_sysctl("net.ipv4.conf.lan0.accept_local") == "1"
    natvi.reload(config("tc", rules=[], interfaces=["wan0"]))
    assert tc.gateway.run("tc", "qdisc", "show", "dev", "lan0").stdout.find("clsact") < 0
    assert tc.gateway.get_sysctl("net.ipv4.conf.lan0.accept_local") == "0"
    natvi.reload(config("tc"))
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_limits_stay_until_down(tc):
    natvi = tc.running(config("tc", limits={"sessions": 1024}))
    natvi.kill()
    natvi.start(config("tc", limits={"sessions": 4096}))
    assert "limits.sessions" in natvi.process.err and "natvi down" in natvi.process.err
    assert status(natvi)["max_sessions"] == 1024
    natvi.down()
    natvi.start(config("tc", limits={"sessions": 4096}))
    assert status(natvi)["max_sessions"] == 4096


# Forwards

def forward(external, internal, proto="udp"):
    return {"proto": proto, "external": external, "internal": internal}


def asked(outside, inside, remote):
    """A datagram from outside reaches an inside socket, and the answer comes back from where it went."""
    outside.sendto(b"hello", remote)
    data, peer = inside.recvfrom(100)
    inside.sendto(b"answer", peer)
    return outside.recvfrom(100) == (b"answer", remote)


def test_forwards_come_move_and_go(net):
    natvi = net.running()
    server, other = net.inside.udp(INSIDE, 7000), net.inside.udp(INSIDE2, 7000)
    client = net.outside.udp(SERVER, 4000)
    assert not answered(client, server, (EXTERNAL, 700))
    natvi.reload(config(net.hook, orphans="kill", forwards=[forward(EXTERNAL + ":700", INSIDE + ":7000")]))
    assert asked(client, server, (EXTERNAL, 700))
    restart(natvi, config(net.hook, orphans="kill", forwards=[forward(EXTERNAL + ":700", INSIDE + ":7000")]))
    assert asked(client, server, (EXTERNAL, 700))
    natvi.reload(config(net.hook, orphans="kill", forwards=[forward(EXTERNAL + ":700", INSIDE2 + ":7000")]))
    assert asked(client, other, (EXTERNAL, 700))
    natvi.reload(config(net.hook, orphans="kill", forwards=[forward(EXTERNAL + ":700", INSIDE2 + ":7000"), forward(EXTERNAL + ":701", INSIDE2 + ":7000")]))
    second = net.outside.udp(SERVER, 4001)
    assert asked(second, other, (EXTERNAL, 701))
    natvi.reload(config(net.hook, orphans="kill", forwards=[forward(EXTERNAL + ":701", INSIDE2 + ":7000")]))
    assert not answered(client, other, (EXTERNAL, 700))
    assert asked(second, other, (EXTERNAL, 701))
    natvi.cli("flush", "sessions")
    assert asked(second, other, (EXTERNAL, 701))
    natvi.reload(config(net.hook, orphans="kill"))
    assert not answered(second, other, (EXTERNAL, 701))
    assert natvi.show("mappings") == []


def test_forward_takes_a_port_from_a_mapping(tc):
    """A port that a host has by chance goes to the forward that an administrator writes; it is said."""
    natvi = tc.running()
    remote, lucky = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE, 700)
    assert exchange(lucky, remote, (SERVER, 5000)) == (EXTERNAL, 700)
    server = tc.inside.udp(INSIDE2, 7000)
    natvi.reload(config("tc", forwards=[forward(EXTERNAL + ":700", INSIDE2 + ":7000")]))
    assert "made way for a forward" in natvi.process.err
    assert asked(tc.outside.udp(SERVER, 4000), server, (EXTERNAL, 700))
    moved = exchange(lucky, remote, (SERVER, 5000))
    assert moved[0] == EXTERNAL and moved[1] != 700


def test_forward_takes_a_port_that_tcp_and_udp_share(tc):
    """A mapping for both protocols has the port of both: it goes, and no other gets what the forward has of one."""
    shared = {"ports": [700, 800], "protocols": "shared"}
    natvi = tc.running(config("tc", masquerade=shared))
    remote, lucky = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE, 700)
    assert exchange(lucky, remote, (SERVER, 5000)) == (EXTERNAL, 700)
    server = tc.inside.udp(INSIDE2, 7000)
    natvi.reload(config("tc", masquerade=shared, forwards=[forward(EXTERNAL + ":700", INSIDE2 + ":7000")]))
    assert "made way for a forward" in natvi.process.err
    assert asked(tc.outside.udp(SERVER, 4000), server, (EXTERNAL, 700))
    assert natvi.show("pools")[0]["addresses"][0]["tcp"]["free"] == 1
    assert exchange(lucky, remote, (SERVER, 5000)) == (EXTERNAL, 800)
    listener = tc.outside.tcp_listen(SERVER, 5001)
    tc.inside.tcp(INSIDE, 700).connect((SERVER, 5001))
    assert listener.accept()[1] == (EXTERNAL, 800)


def test_forward_of_an_address_of_its_own(net):
    """An outside address that is in no pool and on no interface, towards two hosts."""
    natvi = net.running(config(net.hook, forwards=[forward("192.0.2.14:700", INSIDE + ":7000"),
                                                   forward("192.0.2.14:701", INSIDE2 + ":7000")]))
    for port, host in ((700, INSIDE), (701, INSIDE2)):
        assert asked(net.outside.udp(SERVER, 4000 + port), net.inside.udp(host, 7000), ("192.0.2.14", port))
    assert not answered(net.outside.udp(SERVER, 4002), net.inside.udp(INSIDE, 7001), ("192.0.2.14", 702))
    assert {m["outside"]["port"] for m in natvi.show("mappings")} == {700, 701}


def test_forwarded_port_is_the_servers_own_face(tc):
    """What the server sends by itself leaves from the forwarded port."""
    tc.running(config("tc", forwards=[forward(EXTERNAL + ":700", INSIDE + ":7000")]))
    remote = tc.outside.udp(SERVER, 5000)
    assert exchange(tc.inside.udp(INSIDE, 7000), remote, (SERVER, 5000)) == (EXTERNAL, 700)
