# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The box itself: its services, its own traffic, its settings, and what others have attached to it."""
import json
import pathlib
import re
import select
import subprocess

import pytest

from gateway import EXTERNAL, GATEWAY, INSIDE, INSIDE2, MASQUERADE, NATVI, SERVER, Topology, config
from lab import in_time, run, wait_for
from services import Nginx, Sshd, fetch
from wire import exchange

SYSCTLS = [key % port for port in ("all", "lan0", "wan0") for key in (
    "net.ipv4.conf.%s.accept_local", "net.ipv4.conf.%s.rp_filter", "net.ipv4.conf.%s.send_redirects",
    "net.ipv4.conf.%s.forwarding")] + ["net.ipv4.ip_forward", "net.ipv4.ip_local_port_range"]

FOREIGN = """
#include <linux/bpf.h>
__attribute__((section("%s"), used)) int foreign(void *ctx) { return %d; }
char _license[] __attribute__((section("license"), used)) = "GPL";
"""


def compiled(lab, section, result):
    """A BPF object whose only program returns a number."""
    source, target = lab.dir / "foreign.c", lab.dir / ("foreign-%s.o" % section)
    source.write_text(FOREIGN % (section, result))
    multiarch = run(["gcc", "-print-multiarch"]).stdout.strip()
    run(["clang-16", "-target", "bpf", "-O2", "-I/usr/include/%s" % multiarch, "-c", source, "-o", target])
    return target


def test_services_on_the_shared_address(net):
    """What the gateway serves on the address that it masquerades by stays reachable, from outside and from inside."""
    net.running()
    server = Nginx(net.gateway)
    wanted = server.file("own", 1 << 20)
    assert fetch(net.outside, "http://%s/own" % EXTERNAL) == wanted
    for address in (EXTERNAL, GATEWAY):
        assert fetch(net.inside, "http://%s/own" % address) == wanted
    assert server.log().splitlines()[0].startswith(SERVER)


@pytest.mark.parametrize("before", [True, False], ids=["before-natvi", "after-natvi"])
def test_ports_of_services_are_never_given(net, before):
    """An inside host with the source port of a service gets another; the service keeps being reached."""
    if before:
        service = net.gateway.udp("0.0.0.0", 4500)
        listener = net.gateway.tcp_listen("0.0.0.0", 4500)
    net.running()
    if not before:
        service = net.gateway.udp("0.0.0.0", 4500)
        listener = net.gateway.tcp_listen("0.0.0.0", 4500)
    remote, tcp_remote = net.outside.udp(SERVER, 5000), net.outside.tcp_listen(SERVER, 5000)
    external = exchange(net.inside.udp(INSIDE, 4500), remote, (SERVER, 5000))
    assert external[0] == EXTERNAL and external[1] != 4500
    client = net.inside.tcp(INSIDE, 4500)
    client.connect((SERVER, 5000))
    assert tcp_remote.accept()[1][1] != 4500
    caller = net.outside.udp(SERVER, 5002)
    caller.sendto(b"service?", (EXTERNAL, 4500))
    assert service.recvfrom(20) == (b"service?", (SERVER, 5002))
    visitor = net.outside.tcp(SERVER)
    visitor.connect((EXTERNAL, 4500))
    assert listener.accept()[1] == visitor.getsockname()


@pytest.mark.parametrize("word", ["hold", "silent", "kernel"])
def test_unsolicited_connections(net, word):
    """To a port of the shared address that nothing listens on. The kernel says so at once; the other two let the caller wait."""
    natvi = net.running(config(net.hook, tcp={"unsolicited": word}))
    caller = net.outside.tcp(SERVER, 4000, timeout=20 if word == "kernel" else 2)
    if word == "kernel":
        with pytest.raises(ConnectionRefusedError):
            caller.connect((EXTERNAL, 8080))
    else:
        with pytest.raises(TimeoutError):
            caller.connect((EXTERNAL, 8080))
        assert natvi.counter("syn-held" if word == "hold" else "no-mapping") >= 1
    listener = net.gateway.tcp_listen(EXTERNAL, 8081)
    visitor = net.outside.tcp(SERVER)
    visitor.connect((EXTERNAL, 8081))
    assert listener.accept()[1] == visitor.getsockname()


REDIRECT = "table ip t { chain p { type nat hook prerouting priority -100; iif wan0 tcp dport 8080 redirect to :8081; }; }"


@pytest.mark.parametrize("settings, reached", [
    ({}, False), ({"tcp": {"unsolicited": "kernel"}}, True), ({"masquerade": {"ports": ["1-8000", "9000-65535"]}}, True)],
    ids=["hold", "kernel", "withheld"])
def test_redirected_ports_of_the_box(net, settings, reached):
    """A rule of the administrator's behind a port without a socket, as the manual has it."""
    net.gateway.run("nft", "-f", "-", input=REDIRECT)
    net.running(config(net.hook, **settings))
    listener = net.gateway.tcp_listen("0.0.0.0", 8081)
    visitor = net.outside.tcp(SERVER, timeout=20 if reached else 2)
    if not reached:
        with pytest.raises(TimeoutError):
            visitor.connect((EXTERNAL, 8080))
        return
    visitor.connect((EXTERNAL, 8080))
    assert listener.accept()[1] == visitor.getsockname()


def test_local_port_range_is_not_given(net):
    """Ports that the box's own clients may use stay outside the NAT range of the shared address."""
    net.running()
    low, high = map(int, net.gateway.get_sysctl("net.ipv4.ip_local_port_range").split())
    remote = net.outside.udp(SERVER, 5000)
    for port in (low, (low + high) // 2, high):
        external = exchange(net.inside.udp(INSIDE, port), remote, (SERVER, 5000))
        assert external[0] == EXTERNAL and not low <= external[1] <= high


def test_own_traffic_of_the_box(net):
    """The gateway as a client, beside the clients behind it."""
    net.running()
    server = Nginx(net.outside)
    wanted = server.file("file", 1 << 20)
    assert fetch(net.gateway, "http://%s/file" % SERVER) == wanted
    assert fetch(net.inside, "http://%s/file" % SERVER) == wanted
    net.gateway.ping(SERVER, count=2)
    net.gateway.ping(INSIDE, count=2)
    net.outside.ping(EXTERNAL, count=2)
    net.inside.ping(GATEWAY, count=2)


def test_ssh_to_the_box_lives_through_everything(net):
    """An established ssh session to the box, from outside and from inside, across start, reload, stop, restart, down."""
    sshd = Sshd(net.gateway)
    sessions = [sshd.client(net.outside, EXTERNAL), sshd.client(net.inside, GATEWAY)]

    def alive(when):
        assert [s.say(when) for s in sessions][0] == SERVER
    alive("before")
    natvi = net.natvi()
    natvi.start(config(net.hook))
    alive("started")
    natvi.reload(config(net.hook, timeouts={"udp": 60}))
    alive("reloaded")
    natvi.stop()
    alive("stopped")
    natvi.start(config(net.hook))
    alive("restarted")
    natvi.down()
    alive("down")


def test_ssh_through_the_box_lives_through_stop(net):
    """A session through the box goes on while no daemon runs, and under the next one."""
    natvi = net.running()
    session = Sshd(net.outside).client(net.inside, SERVER)
    assert session.say("running") == EXTERNAL
    natvi.stop()
    session.say("stopped")
    natvi.start(config(net.hook))
    session.say("started again")


def test_inside_is_refused_from_outside(net):
    """New flows that nothing maps: an inside address is not reached from outside; after its own packet it is, translated."""
    net.running()
    service = net.inside.udp(INSIDE, 9000)
    listener = net.inside.tcp_listen(INSIDE, 9000)
    net.outside.udp(SERVER, 5000).sendto(b"knock", (INSIDE, 9000))
    visitor = net.outside.tcp(SERVER, timeout=0.5)
    with pytest.raises(OSError):
        visitor.connect((INSIDE, 9000))
    assert not select.select([service, listener], [], [], 0.2)[0]
    exchange(service, net.outside.udp(SERVER, 5001), (SERVER, 5001))


def test_settings_are_put_back(net):
    """down leaves the sysctls as they were, and nothing attached or pinned."""
    net.gateway.sysctl("net.ipv4.conf.lan0.send_redirects", 1)
    net.gateway.sysctl("net.ipv4.conf.wan0.rp_filter", 1)
    before = {key: net.gateway.get_sysctl(key) for key in SYSCTLS}
    qdiscs = net.gateway.run("tc", "qdisc", "show").stdout
    tables = net.gateway.run("nft", "list", "ruleset").stdout
    natvi = net.running()
    assert net.gateway.get_sysctl("net.ipv4.ip_forward") == "1"
    assert net.gateway.get_sysctl("net.ipv4.conf.wan0.accept_local") == "1"
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    natvi.down()
    assert {key: net.gateway.get_sysctl(key) for key in SYSCTLS} == before
    assert net.gateway.run("tc", "filter", "show", "dev", "wan0", "ingress").stdout == ""
    assert net.gateway.run("tc", "qdisc", "show").stdout == qdiscs
    assert net.gateway.run("nft", "list", "ruleset").stdout == tables
    assert "xdp" not in net.gateway.run("ip", "link", "show").stdout
    assert natvi.cli("status", check=False).returncode == 3


def test_show_when_nothing_is_there(net):
    """Exit status 3, and a sentence for a person."""
    natvi = net.natvi()
    for words in (["show", "sessions"], ["status"], ["stop"], ["down"], ["flush", "sessions"]):
        done = natvi.cli(*words, check=False)
        assert done.returncode == 3, words
        assert done.stderr.strip()


def test_foreign_tc_filter_is_kept(net):
    """A tc program of somebody else's, in the same place: still there after start and after down."""
    target = compiled(net.lab, "classifier", -1)
    net.gateway.run("tc", "qdisc", "add", "dev", "wan0", "clsact")
    for way in ("ingress", "egress"):
        net.gateway.run("tc", "filter", "add", "dev", "wan0", way, "pref", 7, "handle", 7, "bpf", "da", "obj", target, "sec", "classifier")

    def foreign():
        return [re.findall(r"pref 7 .*handle 0x7.* id (\d+)", net.gateway.run("tc", "filter", "show", "dev", "wan0", way).stdout)
                for way in ("ingress", "egress")]
    before = foreign()
    assert all(before)
    natvi = net.running()
    assert foreign() == before
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    natvi.down()
    assert foreign() == before
    assert "clsact" in net.gateway.run("tc", "qdisc", "show", "dev", "wan0").stdout


def test_foreign_xdp_program_is_kept(lab):
    """natvi asked for native XDP where another program is: that one stays, and traffic goes by tc, or natvi says why not."""
    net = Topology(lab, "xdp")
    target = compiled(lab, "xdp", 2)
    net.gateway.run("ip", "link", "set", "dev", "wan0", "xdpdrv", "obj", target, "sec", "xdp")

    def program():
        return json.loads(net.gateway.run("ip", "-j", "link", "show", "wan0").stdout)[0]["xdp"]["prog"]["id"]
    before = program()
    natvi = net.natvi()
    process = natvi.start(config("xdp"), ready=False)
    wait_for(lambda: not process.alive() or "natvi: ready" in process.err, 20, "natvi to start or to refuse")
    assert program() == before
    assert "wan0" in process.err, process.err
    if process.alive():
        exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
        natvi.down()
        assert program() == before


def test_firewall_of_the_user_is_not_fooled(net):
    """`ct state invalid drop` and a masquerade of the user's own never touch half a flow of the slow road."""
    ruleset = """table ip user {
        chain forward { type filter hook forward priority 0; ct state invalid drop; }
        chain post { type nat hook postrouting priority 100; oifname "wan0" masquerade; }
    }"""
    net.gateway.run("nft", "-f", "-", input=ruleset)
    net.running()
    inside, outside = net.inside.udp(INSIDE, 4600), net.outside.udp(SERVER, 5000)
    for _ in range(3):
        net.gateway.run("ip", "neigh", "flush", "all")
        assert exchange(inside, outside, (SERVER, 5000)) == (EXTERNAL, 4600)
    client = net.inside.tcp(INSIDE2, 4601)
    listener = net.outside.tcp_listen(SERVER, 5001)
    net.gateway.run("ip", "neigh", "flush", "all")
    client.connect((SERVER, 5001))
    assert listener.accept()[1] == (EXTERNAL, 4601)


def test_doctor(net):
    """doctor names a firewall that fast flows will not see."""
    natvi = net.natvi()
    net.gateway.run("nft", "-f", "-", input="table ip user { chain forward { type filter hook forward priority 0; policy drop; }; }")
    natvi.start(config(net.hook))
    done = natvi.cli("doctor", check=False)
    assert re.search(r"nft|firewall|filter", done.stdout + done.stderr), done.stdout + done.stderr


def test_doctor_on_the_mtu_of_routes(net):
    """One that is not locked the kernel's look-up does not tell natvi of: doctor does."""
    natvi = net.running()
    net.gateway.ip("route add 198.51.100.128/25 via %s mtu 1300" % SERVER, "route add 198.51.100.64/26 via %s mtu lock 1300" % SERVER)
    found = json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]
    assert [f["subject"] for f in found if f["id"] == "route-mtu"] == ["198.51.100.128/25"]


def test_capabilities_after_start(net):
    """The daemon keeps no capability beyond those that it goes on needing."""
    natvi = net.running()
    status = pathlib.Path("/proc/%d/status" % natvi.process.pid).read_text()
    effective = int(re.search(r"^CapEff:\s+([0-9a-f]+)", status, re.M).group(1), 16)
    kept = {12: "CAP_NET_ADMIN", 39: "CAP_BPF", 38: "CAP_PERFMON"}
    others = [n for n in range(41) if effective >> n & 1 and n not in kept]
    assert effective >> 12 & 1
    assert not others, "capabilities still held: %s" % others


def test_capabilities_of_the_unit_suffice(net):
    """What packaging/natvi.service leaves to the daemon is enough to start, to forward and to end."""
    unit = (pathlib.Path(__file__).parents[2] / "packaging" / "natvi.service").read_text()
    assert "NoNewPrivileges=yes" in unit
    names = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.M).group(1).lower().replace("cap_", "+").split()
    natvi = net.natvi()
    natvi.start(config(net.hook), wrapper=["setpriv", "--no-new-privs", "--bounding-set=-all," + ",".join(names), "--inh-caps=-all"])
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    natvi.down()


def test_control_socket_is_root_only(net):
    natvi = net.running()
    path = pathlib.Path("/run/natvi/%s.sock" % natvi.instance)
    assert path.is_socket() and path.stat().st_mode & 0o777 == 0o600


def test_reload_confirm_rolls_back(net):
    """An unconfirmed reload is undone; a confirmed one stays."""
    natvi = net.running()
    remote = net.outside.udp(SERVER, 5000)
    blocked = config(net.hook, rules=[{"name": "no", "from": {"interface": "lan0"}, "to": {"interface": "wan0"}, "action": "drop"}])

    def works(host):
        sock = net.inside.udp(host)
        sock.sendto(b"?", (SERVER, 5000))
        if not select.select([remote], [], [], 0.3)[0]:
            return False
        remote.recv(10)
        return True
    assert works(INSIDE)
    path = net.lab.dir / "blocked.yaml"
    path.write_text(json.dumps(blocked))

    def blocked():
        natvi.cli("reload", "--confirm", 2, path)
        assert not works(INSIDE)
    in_time(blocked, 2)
    wait_for(lambda: works(INSIDE), 15, "the old rules to come back")
    in_time(lambda: natvi.cli("reload", "--confirm", 2, path) and natvi.cli("confirm"), 2)
    with pytest.raises(AssertionError):
        wait_for(lambda: works(INSIDE), 4, "the new rules to go")


def test_missing_capabilities_are_named(net):
    """Without CAP_NET_ADMIN natvi says what it lacks instead of failing somewhere."""
    natvi = net.natvi()
    words = net.gateway.words(["setpriv", "--bounding-set=-net_admin,-bpf,-sys_admin", "--inh-caps=-all",
                               NATVI, "run", "--instance", natvi.instance, "lan0", "wan0", "--masquerade", "wan0"])
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "CAP_NET_ADMIN" in done.stderr or "net_admin" in done.stderr, done.stderr


def test_masquerade_rule_with_missing_pool_is_refused(net):
    """A configuration that cannot be meant starts nothing, and the message has file and line."""
    natvi = net.natvi()
    process = natvi.start(config(net.hook, rules=[dict(MASQUERADE, action={"snat": "nowhere"})]), ready=False)
    assert process.wait(60, check=False) == 1
    assert re.search(r"\.yaml:\d+: .*nowhere", process.err), process.err
