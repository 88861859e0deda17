# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Protocols that the kernel's helpers follow: their control connections stay the kernel's, their data is sent on at the hook."""
import json
import signal
import time

import pytest

from gateway import EXTERNAL, INSIDE, SERVER
from helpers import Tftpd, Vsftpd, fetched, lftp, need, offering, sipp, tftp
from lab import wait_for
from router import FIREWALL, MASQUERADE, Router, accelerated

HELPER = """
table ip helpers {
  ct helper h {
    type "%(name)s" protocol %(proto)s;
  }
  chain pre { type filter hook prerouting priority filter; %(proto)s dport %(port)d ct helper set "h"; }
}
"""
BYTES = 24000000


def router(lab, hook, name, proto, port):
    net = Router(lab, hook, MASQUERADE + FIREWALL % "" + HELPER % {"name": name, "proto": proto, "port": port})
    need(net.gateway, name, proto)
    return net


def ports(natvi):
    """Ports of all sessions that natvi has."""
    return {port for s in natvi.sessions() for port in (s["orig"]["sport"], s["orig"]["dport"])}


@pytest.mark.parametrize("passive", [True, False], ids=["passive", "active"])
def test_ftp(lab, hook, passive):
    """The firewall lets in only what the helper has announced, and most of the data passes it by."""
    net = router(lab, hook, "ftp", "tcp", 21)
    natvi = net.running()
    server = Vsftpd(net.outside)
    digest = server.file("big", BYTES)
    transfer = lftp(net.inside, SERVER, "big", passive)
    wait_for(lambda: accelerated(natvi) > 100, 20, "data to be accelerated")
    transfer[0].send_signal(signal.SIGSTOP)     # all the time to look in
    seen = ports(natvi)
    assert 21 not in seen and (20 in seen) == (not passive)
    masters = [s["master"] for s in natvi.sessions("accelerated") if "master" in s]
    assert [(m["src"], m["dst"], m["dport"]) for m in masters] == [(INSIDE, SERVER, 21)]
    left = json.loads(natvi.cli("show", "sessions", "--not-accelerated", "--json").stdout)["not_accelerated"]
    assert [(e["orig"]["dport"], e["reason"]) for e in left if e["orig"]["dport"] == 21] == [(21, "helper")]
    transfer[0].send_signal(signal.SIGCONT)
    assert fetched(*transfer) == digest
    assert server.clients() == [EXTERNAL]
    assert net.invalid() == 0


def test_ftp_without_helper(lab, hook):
    """The same firewall stops active FTP when nothing announces it: so it is the helper that the tests above are about."""
    net = Router(lab, hook, MASQUERADE + FIREWALL % "")
    net.running()
    server = Vsftpd(net.outside)
    server.file("big", 1000)
    process, target = lftp(net.inside, SERVER, "big", passive=False, timeout=8)
    assert process.wait(60, check=False) != 0
    assert server.clients() == []


def test_tftp(lab, hook):
    """The server answers from another port, which only the helper foresees."""
    net = router(lab, hook, "tftp", "udp", 69)
    natvi = net.running()
    server = Tftpd(net.outside, SERVER)
    digest = server.file("big", 65000 * 512)  # most that TFTP has
    process, target = transfer = tftp(net.inside, SERVER, "big")
    wait_for(lambda: target.exists() and target.stat().st_size > 10000, 20, "the transfer to begin")
    process.send_signal(signal.SIGSTOP)
    time.sleep(2.2)     # conntrack takes UDP for steady after two seconds, in which a fast machine has all of it
    process.send_signal(signal.SIGCONT)
    wait_for(lambda: accelerated(natvi) > 200, 20, "data to be accelerated")
    assert 69 not in ports(natvi)
    assert fetched(*transfer) == digest
    assert net.invalid() == 0


def test_sip(lab, hook):
    """A call: the helper puts the outside address into the offer; the media that follow are sent on, the signalling is not."""
    net = router(lab, hook, "sip", "udp", 5060)
    natvi = net.running()
    callee = sipp(net.outside, "-sn", "uas", "-i", SERVER, "-p", "5060", "-mi", SERVER, "-mp", "6000", "-rtp_echo")
    wait_for(lambda: net.outside.run("ss", "-Hlun", "sport = :6000").stdout.strip(), 15, "the callee's media port")
    caller = sipp(net.inside, SERVER, "-sf", offering(net.inside, 7000), "-i", INSIDE, "-p", "5060", "-mi", INSIDE, "-d", "10000")
    media = net.inside.udp(INSIDE, 7000)
    wait_for(lambda: "sport=7000" in net.gateway.run("conntrack", "-L", "expect").stdout or caller.popen.poll() is not None, 15,
             "media to be expected")

    def talk():
        """Conversation in bursts: conntrack takes UDP for steady after two seconds, and the callee answers as long as the call lasts."""
        for _ in range(20):
            media.sendto(b"v" * 160, (SERVER, 6000))
            assert media.recv(200) == b"v" * 160
        return accelerated(natvi) > 50
    wait_for(talk, 20, "media to be accelerated")
    seen = ports(natvi)
    assert 5060 not in seen and 6000 in seen
    assert caller.wait(60) == 0
    assert callee.wait(60, check=False) == 0
    assert net.invalid() == 0
