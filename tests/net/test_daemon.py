# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The daemon: death and restart, other instances, refusals, its socket, the doctor."""
import contextlib
import json
import os
import select
import socket
import subprocess
import threading
import time

import pytest

from control import RUN, answered, ask, restart, status
from gateway import EXTERNAL, INSIDE, INSIDE2, NATVI, PINS, REFUSE, SERVER, Topology, config
from lab import PATIENCE_S, stretched, veth, wait_for
from services import Nginx
from uplinks import Download
from wire import exchange


# Death and restart

def test_killed_and_restarted_during_a_download(net):
    """SIGKILL at the daemon, then a new one, twice, while a file is fetched: every byte arrives, by the same session."""
    natvi = net.running()
    server = Nginx(net.outside)
    download = Download(server, net.inside, SERVER)
    for _ in range(2):
        restart(natvi, config(net.hook))
        download.goes_on()
    assert len(natvi.sessions("proto", "tcp")) == 1
    download.finish()


def test_mappings_live_through_restart(net):
    """The outside port of a host is the same under the next daemon, and nobody else gets it."""
    natvi = net.running()
    remote = net.outside.udp(SERVER, 5000)
    first = net.inside.udp(INSIDE, 6000)
    external = exchange(first, remote, (SERVER, 5000))
    restart(natvi, config(net.hook))
    assert exchange(first, remote, (SERVER, 5000)) == external
    other = exchange(net.inside.udp(INSIDE2, 6000), remote, (SERVER, 5000))
    assert other[0] == EXTERNAL and other[1] != external[1]
    natvi.cli("flush", "sessions")
    natvi.cli("flush", "mappings")
    assert exchange(net.inside.udp(INSIDE2, 6001), remote, (SERVER, 5000))[0] == EXTERNAL


def test_sessions_expire_by_the_sweep(tc):
    natvi = tc.running(config("tc", timeouts={"icmp": 60, "udp": 300}))
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))
    assert status(natvi)["sessions"] == 1
    natvi.cli("flush", "sessions")
    wait_for(lambda: status(natvi)["sweep"]["live"] == 0 and status(natvi)["sweep"]["freed"] == 0, 15, "slots to be given back")
    assert status(natvi)["sessions"] == 0


def test_unconfirmed_reload_dies_with_the_daemon(tc):
    """Killed while a confirmation is open: the next start has the old configuration, whatever the file says by then."""
    natvi = tc.running()
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    assert answered(client, remote, (SERVER, 5000), 10)
    blocked = config("tc", rules=[{"name": "no", "from": {"interface": "lan0"}, "to": {"interface": "wan0"}, "action": "drop"}])
    path = tc.lab.dir / ("%s.yaml" % natvi.instance)
    path.write_text(json.dumps(blocked))
    natvi.cli("reload", "--confirm", 60, path)
    natvi.cli("flush", "sessions")
    assert not answered(client, remote, (SERVER, 5000))
    natvi.kill()
    natvi.start(blocked)
    assert "never confirmed" in natvi.process.err
    assert answered(client, remote, (SERVER, 5000), 10)
    natvi.reload(blocked)
    natvi.cli("flush", "sessions")
    assert not answered(client, remote, (SERVER, 5000))
    restart(natvi, blocked)
    assert "never confirmed" not in natvi.process.err


def test_second_daemon_is_refused(tc):
    natvi = tc.running()
    done = natvi.cli("run", "lan0", "wan0", "--masquerade", "wan0", check=False)
    assert done.returncode == 1 and "runs already (pid %d)" % natvi.process.pid in done.stderr
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


class Flood:
    """New and old flows from inside, one packet a millisecond, and what arrives outside with an inside source."""

    def __init__(self, net):
        self.tap = net.tap("outside")
        self.running, self.leaked, self.sent, self.arrived = True, [], 0, 0
        self.socks = [net.inside.udp(INSIDE, 20000 + n) for n in range(64)]
        self.threads = [threading.Thread(target=f) for f in (self.send, self.watch)]
        for thread in self.threads:
            thread.start()
        net.lab.defer(self.stop)

    def send(self):
        while self.running:
            with contextlib.suppress(OSError):
                self.socks[self.sent % 64].sendto(b"x", (SERVER, 5000 + self.sent % 1000))
            self.sent += 1
            time.sleep(0.001)

    def watch(self):
        while self.running:
            if not select.select([self.tap.sock], [], [], 0.05)[0]:
                continue
            frame = self.tap.sock.recv(2000)
            if frame[12:14] != b"\x08\x00" or frame[23] != 17:
                continue
            source = socket.inet_ntoa(frame[26:30])
            self.arrived += 1
            if source.startswith("198.18."):
                self.leaked.append(source)

    def stop(self):
        self.running = False
        for thread in self.threads:
            thread.join()

    def wait(self, packets):
        """Until so many more have arrived."""
        until = self.arrived + packets
        wait_for(lambda: self.arrived >= until, 15, "packets to arrive outside")


def test_nothing_leaves_untranslated(net):
    """Start, reload, interfaces that go down and away, stop, death, restart, down: never a packet with an inside source outside."""
    flood = Flood(net)
    natvi = net.running()
    flood.wait(300)
    for n in range(3):
        natvi.reload(config(net.hook, timeouts={"udp": 300 + n}))
        natvi.cli("flush", "sessions")
    flood.wait(100)
    net.gateway.ip("link set lan0 down", "link set lan0 up")
    flood.wait(100)
    net.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add 203.0.113.77/24 dev wan0")
    flood.wait(100)
    natvi.stop()
    flood.wait(100)
    natvi.start(config(net.hook))
    restart(natvi, config(net.hook))
    flood.wait(100)
    natvi.kill()
    net.gateway.ip("link del lan0")
    veth(net.gateway, "lan0", net.inside, "eth0")
    net.gateway.ip("addr add 198.18.0.1/24 dev lan0")
    net.inside.ip(*["addr add %s/24 dev eth0" % INSIDE, "route add default via 198.18.0.1"])
    time.sleep(0.5)     # nobody is there to attach to the new interface
    before = flood.arrived
    natvi.start(config("tc"))
    flood.wait(100)
    natvi.down()
    time.sleep(0.3)
    flood.stop()
    assert not flood.leaked, "%d of %d packets" % (len(flood.leaked), flood.arrived)
    assert before >= 800


# Connections that were there before

def test_connections_of_the_kernels_own_nat_live_on(net):
    """A TCP connection that the kernel masquerades goes on through the kernel when natvi starts; new ones are natvi's."""
    net.gateway.sysctl("net.ipv4.ip_forward", 1)
    net.gateway.run("nft", "table ip mine { chain post { type nat hook postrouting priority 100; oifname wan0 masquerade; }; }")
    listener = net.outside.tcp_listen(SERVER, 5000)
    client = net.inside.tcp(INSIDE)
    client.connect((SERVER, 5000))
    server, peer = listener.accept()
    server.settimeout(PATIENCE_S)
    assert peer[0] == EXTERNAL

    def talk(word):
        client.sendall(word)
        assert server.recv(100) == word
        server.sendall(word[::-1])
        assert client.recv(100) == word[::-1]
    talk(b"before")
    natvi = net.running()
    talk(b"after")
    assert natvi.counter("kernel-flow") > 0
    natvi.stop()
    talk(b"stopped")
    exchange(net.inside.udp(INSIDE2), net.outside.udp(SERVER, 5001), (SERVER, 5001))


# Other instances, other namespaces, other versions

def test_two_instances(tc):
    """Each with interfaces of its own in one namespace: an interface is in one of them only, sysctls stay while one needs them."""
    tc.gateway.ip("link add dmz0 type veth peer name dmz1", "link set dmz0 up", "link set dmz1 up")
    first, second = tc.natvi(), tc.natvi("b")
    closed = {"name": "closed", "from": {"interface": "dmz0"}, "action": "drop"}
    first.start(config("tc"))
    refused = second.start(config("tc", rules=[REFUSE], interfaces=["wan0"]), ready=False)
    assert refused.wait(60, check=False) == 1
    assert 'served by instance "%s"' % first.instance in refused.err
    assert not (PINS / second.instance).exists()
    second.start(config("tc", rules=[closed], interfaces=["dmz0"]))
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))
    path = tc.lab.dir / "both.yaml"
    path.write_text(json.dumps(config("tc", rules=[closed], interfaces=["dmz0", "lan0"])))
    done = second.cli("reload", path, check=False)
    assert done.returncode == 1 and first.instance in done.stderr
    first.down()
    assert tc.gateway.get_sysctl("net.ipv4.ip_forward") == "1"
    assert tc.gateway.get_sysctl("net.ipv4.conf.lan0.accept_local") == "0"
    second.down()
    assert tc.gateway.get_sysctl("net.ipv4.ip_forward") == "0"


def test_restart_does_not_forget_the_sysctls(tc):
    natvi = tc.running()
    restart(natvi)
    restart(natvi)
    natvi.down()
    assert tc.gateway.get_sysctl("net.ipv4.ip_forward") == "0"
    assert tc.gateway.get_sysctl("net.ipv4.conf.wan0.accept_local") == "0"


def test_sysctl_that_somebody_changed_is_left(tc):
    natvi = tc.running()
    tc.gateway.sysctl("net.ipv4.conf.wan0.rp_filter", 0)
    tc.gateway.sysctl("net.ipv4.conf.lan0.send_redirects", 1)
    done = natvi.cli("down")
    natvi.process.wait(60, check=False)
    assert tc.gateway.get_sysctl("net.ipv4.conf.lan0.send_redirects") == "1"
    assert done.returncode == 0


def test_instance_of_another_namespace(lab, tc):
    """Refused while that namespace lives; down works from elsewhere; anew when the namespace is gone."""
    natvi = tc.running()
    elsewhere = lab.namespace("other")
    elsewhere.ip("link add lan0 type veth peer name wan0", "link set lan0 up", "link set wan0 up")
    words = (NATVI, "run", "--instance", natvi.instance, "lan0", "wan0", "--masquerade", "wan0")
    natvi.stop()
    done = elsewhere.run(*words, check=False)
    assert done.returncode == 1 and "another network namespace" in done.stderr
    elsewhere.run(NATVI, "down", "--instance", natvi.instance)
    assert tc.gateway.run("tc", "filter", "show", "dev", "wan0", "ingress").stdout == ""
    assert tc.gateway.get_sysctl("net.ipv4.ip_forward") == "0"

    process = elsewhere.spawn(*words)
    process.wait_output("^natvi: ready", 20)
    process.send_signal(9)
    process.popen.wait(5)
    elsewhere._delete()
    wait_for(lambda: not elsewhere.path.exists(), 15, "the namespace to go")
    natvi.start(config("tc"))
    assert "is gone: starting anew" in natvi.process.err
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_tables_of_another_version_are_refused(tc):
    natvi = tc.running()
    natvi.stop()
    words = ["bpftool", "-j", "map", "lookup", "pinned", PINS / natvi.instance / "control", "key", "0", "0", "0", "0"]
    value = [int(b, 16) for b in json.loads(tc.gateway.run(*words).stdout)["value"]]
    value[32] ^= 0xff
    tc.gateway.run("bpftool", "map", "update", "pinned", PINS / natvi.instance / "control", "key", 0, 0, 0, 0, "value", *value)
    process = natvi.start(config("tc"), ready=False)
    assert process.wait(60, check=False) == 1
    assert "another version" in process.err and "natvi down --instance %s" % natvi.instance in process.err
    natvi.cli("down")
    natvi.start(config("tc"))
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_start_that_was_cut_off_is_cleared(tc):
    """Pins without the control map are what a start left that did not come far."""
    natvi = tc.running()
    natvi.down()
    (PINS / natvi.instance).mkdir()
    tc.gateway.run("bpftool", "map", "create", PINS / natvi.instance / "flows", "type", "array", "key", 4, "value", 8,
                   "entries", 1, "name", "flows")
    natvi.start(config("tc"))
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_start_cut_off_between_ports(tc):
    """Programs that a start pinned but could not settle are still known as natvi's own, and replaced."""
    natvi = tc.running()
    remote, client = tc.outside.udp(SERVER, 5000), tc.inside.udp(INSIDE)
    external = exchange(client, remote, (SERVER, 5000))
    for _ in range(2):
        natvi.kill()
        for pin in list((PINS / natvi.instance).glob("prog_*")):
            pin.rename(pin.with_name(pin.name + "_new"))
        natvi.start(config("tc"))
        filters = json.loads(tc.gateway.run("tc", "-j", "filter", "show", "dev", "wan0", "ingress").stdout)
        assert len([f for f in filters if "options" in f]) == 1
        assert not [p for p in (PINS / natvi.instance).glob("prog_*_*") if p.name.endswith(("_new", "_old"))]
        assert exchange(client, remote, (SERVER, 5000)) == external


@pytest.mark.parametrize("capability", ["bpf", "net_admin", "perfmon"])
def test_each_missing_capability_is_named(tc, capability):
    natvi = tc.natvi()
    words = tc.gateway.words(["setpriv", "--bounding-set=-%s" % capability, "--inh-caps=-all", NATVI, "run", "--instance",
                              natvi.instance, "lan0", "wan0", "--masquerade", "wan0"])
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "CAP_%s is missing" % capability.upper() in done.stderr
    for other in {"BPF", "NET_ADMIN", "PERFMON"} - {capability.upper()}:
        assert "CAP_%s" % other not in done.stderr
    assert not (PINS / natvi.instance).exists() and not (RUN / (natvi.instance + ".lock")).exists()


def test_three_capabilities_are_enough(tc):
    """Where a BPF file system is mounted, natvi starts with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON alone."""
    natvi = tc.natvi()
    only = "-all,+bpf,+net_admin,+perfmon"
    natvi.started += 1
    natvi.process = tc.gateway.spawn("setpriv", "--bounding-set=" + only, "--inh-caps=-all", NATVI, "run", "--instance",
                                     natvi.instance, "lan0", "wan0", "--masquerade", "wan0")
    natvi.process.wait_output("^natvi: ready", 20)
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))
    tc.gateway.ip("addr del %s/24 dev wan0" % EXTERNAL, "addr add 203.0.113.77/24 dev wan0")
    wait_for(lambda: not natvi.sessions(), 15, "the session on the old address to end")


def test_start_that_fails_leaves_nothing(tc):
    """The second interface cannot be had: the first one is as it was, and so is all else."""
    tc.gateway.run("tc", "qdisc", "add", "dev", "wan0", "ingress")
    natvi = tc.natvi()
    process = natvi.start(config("tc"), ready=False)
    assert process.wait(60, check=False) == 1
    assert "clsact" in process.err and "wan0" in process.err
    assert "clsact" not in tc.gateway.run("tc", "qdisc", "show", "dev", "lan0").stdout
    assert tc.gateway.get_sysctl("net.ipv4.ip_forward") == "0"
    assert tc.gateway.run("nft", "list", "ruleset").stdout == ""
    assert not (PINS / natvi.instance).exists()
    assert not list(RUN.glob(natvi.instance + ".*"))


# The control socket

def test_clients_that_misbehave(tc):
    """Silent, mad, endless, or deaf: the daemon answers the others, and forwards."""
    natvi = tc.running()
    path = str(RUN / (natvi.instance + ".sock"))

    def connect():
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        sock.connect(path)
        tc.lab.defer(sock.close)
        return sock

    silent = [connect() for _ in range(20)]
    silent[0].sendall(b'{"cmd": "pi')
    mad = connect()
    mad.sendall(b'\x00\xff{"cmd"\n[1]\n{"cmd": 7}\n{"cmd": "nonsense"}\n{"cmd": "ping"}\n')
    answers = mad.makefile()
    replies = [json.loads(answers.readline()) for _ in range(5)]
    assert [r["ok"] for r in replies] == [False, False, False, False, True]
    endless = connect()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        for _ in range(200):
            endless.sendall(b"x" * 65536)
    deaf = connect()
    deaf.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            deaf.send(b'{"cmd": "status"}\n' * 100)
    silent[0].sendall(b'ng"}\n')
    assert json.loads(silent[0].makefile().readline())["ok"]
    began = time.monotonic()
    assert ask(natvi, cmd="ping")["ok"]
    assert time.monotonic() - began < stretched(2)
    exchange(tc.inside.udp(INSIDE), tc.outside.udp(SERVER, 5000), (SERVER, 5000))


def test_status_says_what_is_the_case(net):
    natvi = net.running()
    said = status(natvi)
    assert said["instance"] == natvi.instance and said["pid"] == natvi.process.pid
    assert [i["name"] for i in said["interfaces"]] == ["lan0", "wan0"]
    assert all(i["attached"] and i["xdp"] == ("native" if net.hook == "xdp" else "off") for i in said["interfaces"])
    assert said["nftables"] and not said["unconfirmed"]
    wait_for(lambda: status(natvi)["heartbeat_age_s"] <= 2, 15, "a sign of life")
    wait_for(lambda: status(natvi)["sweep"]["slices"] > 0, 15, "a whole sweep")


# The doctor

def test_doctor_names_a_dead_daemon_and_switched_off_forwarding(tc):
    natvi = tc.running()
    assert natvi.cli("doctor", check=False).returncode == 0
    tc.gateway.sysctl("net.ipv4.ip_forward", 0)
    natvi.kill()
    done = natvi.cli("doctor", "--json", check=False)
    found = {f["id"]: f for f in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert found["daemon"]["severity"] == "error" and found["forwarding"]["severity"] == "error"


def test_doctor_sees_rp_filter_and_foreign_programs(tc):
    natvi = tc.running()
    tc.gateway.sysctl("net.ipv4.conf.wan0.rp_filter", 1)
    tc.gateway.sysctl("net.ipv4.conf.all.rp_filter", 1)
    tc.gateway.run("tc", "filter", "add", "dev", "wan0", "ingress", "pref", 7, "protocol", "ip", "u32", "match", "u32", 0, 0,
                   "flowid", "1:1")
    found = {(f["id"], f["subject"]) for f in json.loads(natvi.cli("doctor", "--json", check=False).stdout)["findings"]}
    assert ("rp_filter", "rp_filter") in found or ("rp_filter", "wan0") in found
    assert ("tc", "wan0") in found


def test_doctor_sees_checksum_offload_under_xdp(lab):
    net = Topology(lab, "xdp")
    natvi = net.running()
    done = json.loads(natvi.cli("doctor", "--json", check=False).stdout)
    assert any(f["id"] == "veth" for f in done["findings"])
    net.gateway.ip("link add dmz0 type veth peer name dmz1", "link set dmz0 up", "link set dmz1 up")
    path = lab.dir / "dmz.yaml"
    path.write_text(json.dumps(config("xdp", rules=[], interfaces=["dmz0"])))
    done = natvi.cli("doctor", "-c", path, "--json", check=False)
    assert done.returncode == 1
    assert any(f["id"] == "checksum" and f["subject"] == "dmz0" for f in json.loads(done.stdout)["findings"])


# Time

def test_start_is_quick(tc):
    natvi = tc.natvi()
    began = time.monotonic()
    natvi.start(config("tc"))
    assert time.monotonic() - began < stretched(5)
    assert os.path.exists(RUN / (natvi.instance + ".json"))
