# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi's NAT with `action: {kernel: ...}`: a protocol goes to the kernel and its helper, all else stays natvi's."""
import json
import re
import time

import pytest

from gateway import EXTERNAL, INSIDE, INSIDE2, INSIDE3, INSIDES, MASQUERADE, PINS, REFUSE, SERVER, config
from helpers import Tftpd, Vsftpd, fetched, lftp, need, tftp
from lab import busy, run, wait_for
from wire import exchange

OWN = "203.0.113.20"
LO, HI = 61000, 61999
FTP = {"name": "ftp", "from": {"interface": "lan0"}, "to": {"interface": "wan0", "port": 21}, "proto": "tcp",
       "action": {"kernel": {"masquerade": True, "helper": "ftp", "ports": "%d-%d" % (LO, HI)}}}
FTP_OWN = dict(FTP, action={"kernel": {"snat": OWN, "helper": "ftp"}})
TFTP = {"name": "tftp", "from": {"interface": "lan0"}, "to": {"interface": "wan0", "port": 69}, "proto": "udp",
        "action": {"kernel": {"masquerade": True, "helper": "tftp", "ports": "%d-%d" % (LO, HI)}}}
BYTES = 3000000


@pytest.fixture
def ftp(net):
    """A gateway whose kernel has the helper, and an FTP server outside."""
    need(net.gateway, "ftp", "tcp")
    net.server = Vsftpd(net.outside)
    net.digest = net.server.file("big", BYTES)
    return net


def with_rule(net, *rules, **more):
    return config(net.hook, (*rules, MASQUERADE, REFUSE), **more)


def table(natvi):
    """natvi's own nftables table."""
    return natvi.namespace.run("nft", "list", "table", "inet", "natvi_%s" % natvi.instance).stdout


def controls(net):
    """Ports that the kernel has given to control connections: (inside address, outside address, outside port)."""
    text = net.gateway.run("conntrack", "-L", "-p", "tcp", "--orig-port-dst", "21").stdout
    return re.findall(r"src=(\S+) .*? src=\S+ dst=(\S+) sport=21 dport=(\d+)", text)


def others_are_natvis(net, natvi, source=INSIDE):
    """What the same host sends elsewhere has natvi's session and no conntrack entry."""
    inside, outside = net.inside.udp(source, 5353), net.outside.udp(SERVER, 5300)
    assert exchange(inside, outside, (SERVER, 5300)) == (EXTERNAL, 5353)
    assert any(s["orig"]["dport"] == 5300 for s in natvi.sessions())
    assert "dport=5300" not in net.gateway.run("conntrack", "-L").stdout
    inside.close()
    outside.close()


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_ftp(ftp, passive):
    """The control connection is the kernel's, by a port of the rule's; the data come, and other traffic is natvi's."""
    natvi = ftp.running(with_rule(ftp, FTP))
    transfer = lftp(ftp.inside, SERVER, "big", passive)
    inside, outside, port = wait_for(lambda: controls(ftp), 15, "the control connection")[0]
    assert (inside, outside) == (INSIDE, EXTERNAL) and LO <= int(port) <= HI
    others_are_natvis(ftp, natvi)
    assert fetched(*transfer) == ftp.digest
    assert ftp.server.clients() == [EXTERNAL]
    assert not [s for s in natvi.sessions() if s["orig"]["dport"] == 21]


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_own_address(ftp, passive):
    """With an address of its own data connections are the kernel's either way: the server takes none from another address.

    A client here is as near as none outside a laboratory, and may be faster than the daemon learns of the port: it tries again.
    """
    ftp.gateway.ip("addr add %s/24 dev wan0" % OWN)
    natvi = ftp.running(with_rule(ftp, FTP_OWN))
    transfer = lftp(ftp.inside, SERVER, "big", passive, tries=5 if passive else 1)
    wait_for(lambda: controls(ftp), 15, "the control connection")
    others_are_natvis(ftp, natvi)
    assert fetched(*transfer) == ftp.digest
    assert ftp.server.clients() == [OWN]


def test_two_hosts(ftp):
    """Two hosts, active and passive, at the same time."""
    natvi = ftp.running(with_rule(ftp, FTP))
    transfers = [lftp(ftp.inside, SERVER, "big", passive, source)
                 for source, passive in ((INSIDE, False), (INSIDE2, False), (INSIDE2, True))]
    wait_for(lambda: len(controls(ftp)) == 3, 15, "three control connections")
    assert {c[0] for c in controls(ftp)} == {INSIDE, INSIDE2}
    others_are_natvis(ftp, natvi, INSIDE2)
    assert [fetched(*t) for t in transfers] == 3 * [ftp.digest]
    assert ftp.server.clients() == 3 * [EXTERNAL]


def test_tftp(net):
    """The answers come from another port to the one that the kernel has given to the request."""
    need(net.gateway, "tftp", "udp")
    natvi = net.running(with_rule(net, TFTP))
    server = Tftpd(net.outside, SERVER)
    digest = server.file("big", BYTES)
    transfer = tftp(net.inside, SERVER, "big")
    others_are_natvis(net, natvi)
    assert fetched(*transfer) == digest


def test_strict_box(ftp):
    """Rules for what comes in for the box itself are not about the kernel's connections."""
    strict = {"name": "strict", "local": "in", "from": {"interface": "wan0"}, "action": "drop"}
    ftp.running(with_rule(ftp, FTP, strict))
    for passive in (True, False):
        assert fetched(*lftp(ftp.inside, SERVER, "big", passive)) == ftp.digest


def test_data_is_accelerated(ftp):
    """With `accelerate` the hook sends on what the kernel has taken over from its helper."""
    digest = ftp.server.file("long", 16000000)
    natvi = ftp.running(with_rule(ftp, FTP, accelerate=True))
    transfer = lftp(ftp.inside, SERVER, "long", passive=False)
    wait_for(lambda: natvi.counter("accelerated") > 200, 20, "data to be accelerated")
    assert fetched(*transfer) == digest


class Control:
    """An FTP control connection, spoken by hand."""

    def __init__(self, net, source=INSIDE):
        self.socket = net.inside.tcp(source)
        self.socket.connect((SERVER, 21))
        self.lines = self.socket.makefile("r")
        self.answer("220")
        self.say("USER ftp", "230")

    def answer(self, code):
        line = self.lines.readline()
        assert line.startswith(code), line

    def say(self, text, code):
        self.socket.sendall(text.encode() + b"\r\n")
        self.answer(code)

    def close(self):
        self.lines.close()
        self.socket.close()


def test_announced_port_is_withheld(ftp):
    """The port that a client waits on is nobody else's as long as the kernel expects the server there, and free again after that."""
    natvi = ftp.running(with_rule(ftp, FTP))
    listener = ftp.outside.tcp_listen(SERVER, 5001)

    def port_of(source):
        client = ftp.inside.tcp(source, 7777)
        client.connect((SERVER, 5001))
        peer = listener.accept()
        peer[0].close()
        client.close()
        return peer[1][1]

    def expected():
        return json.loads(run(["bpftool", "-j", "map", "dump", "pinned", PINS / natvi.instance / "expected"]).stdout)
    control = Control(ftp)
    control.say("PORT %s,%d,%d" % (INSIDE.replace(".", ","), 7777 >> 8, 7777 & 255), "200")
    wait_for(expected, 15, "the daemon to have heard of it")
    assert port_of(INSIDE2) != 7777
    data = ftp.inside.tcp_listen(INSIDE, 7777)
    control.say("RETR big", "150")
    data, server = data.accept()
    assert server == (SERVER, 20) and data.recv(1000)
    time.sleep(4)  # longer than an announcement is remembered that nothing came of
    assert port_of(INSIDE2) != 7777
    data.close()
    control.close()
    ftp.gateway.run("conntrack", "-D", "-p", "tcp")

    def is_free(host):
        time.sleep(6)
        return port_of(host) == 7777
    assert is_free(INSIDE3) or busy() > 1 and is_free(INSIDES[3])


def test_ports_are_withheld(ftp):
    """natvi gives away no port of the kernel's range."""
    ftp.running(with_rule(ftp, FTP))
    listener = ftp.outside.tcp_listen(SERVER, 5001)
    for source in (LO, HI):
        client = ftp.inside.tcp(INSIDE, source)
        client.connect((SERVER, 5001))
        assert not LO <= listener.accept()[1][1] <= HI


def test_reload_and_down(tc):
    """The objects come and go with the rule, and with natvi; the user's table is not touched."""
    need(tc.gateway, "ftp", "tcp")
    tc.gateway.run("nft", "-f", "-", input="table ip mine {\n chain c {\n type filter hook forward priority 0; policy accept;\n }\n}\n")
    mine = tc.gateway.run("nft", "list", "table", "ip", "mine").stdout
    natvi = tc.running(config("tc"))
    assert "helper" not in table(natvi) and "kernel_" not in table(natvi)
    natvi.reload(with_rule(tc, FTP))
    text = table(natvi)
    for words in ("type \"ftp\" protocol tcp", "masquerade to :61000-61999", "ct helper set \"ftp-tcp\"", "tcp dport 21", "oifname \"wan0\""):
        assert words in text
    natvi.reload(with_rule(tc, dict(FTP, action="kernel"), dict(TFTP, to={"interface": "wan0", "port": [69, "70-71"]}, mark="0x10/0xff")))
    text = table(natvi)
    assert "ftp-tcp" not in text and "ct helper set \"tftp-udp\"" in text and "69-71" in text and "meta mark" in text
    natvi.reload(config("tc"))
    assert "helper" not in table(natvi) and "kernel_" not in table(natvi)
    natvi.reload(with_rule(tc, FTP))
    natvi.down()
    assert tc.gateway.run("nft", "list", "tables").stdout.split("\n") == ["table ip mine", ""]
    assert tc.gateway.run("nft", "list", "table", "ip", "mine").stdout == mine


def test_restored(tc):
    """Whoever flushes all of nftables takes nothing of this away for long."""
    natvi = tc.running(with_rule(tc, FTP))
    before = table(natvi)
    tc.gateway.run("nft", "flush", "ruleset")
    wait_for(lambda: natvi.namespace.run("nft", "list", "tables").stdout, 15, "natvi's table")
    assert table(natvi) == before


def test_shared_address_is_refused(tc):
    """An address that natvi masquerades by cannot be the kernel's alone."""
    natvi = tc.running(config("tc"))
    done = natvi.cli("reload", natvi._config_file(with_rule(tc, dict(FTP_OWN, action={"kernel": {"snat": EXTERNAL, "helper": "ftp"}}))),
                     check=False)
    assert done.returncode != 0
    assert "rule ftp gives %s to the kernel, the address of wan0, which rules masquerade by" % EXTERNAL in done.stderr
    assert re.search(r"\.yaml:\d+: rule ftp", done.stderr)
