# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Running out of ports and of room, as the daemon's log tells it."""
import re
import time

import pytest

from gateway import INSIDE, REMOTE, SERVER, TO_POOL, Topology, config
from lab import wait_for
from wire import exchange


@pytest.fixture
def net(lab):
    return Topology(lab, "tc")


SAID = r"no room for new sessions: (\d+) packets by %s \("


def test_running_out_of_ports_is_said(net):
    """In the log within seconds, once, and what is live goes on."""
    natvi = net.running(config("tc", rules=[TO_POOL], pool={"addresses": ["192.0.2.1"], "ports": ["2000-2001"]}))
    remote, lucky = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE, 4000)
    face = exchange(lucky, remote, (SERVER, 5000))
    exchange(net.inside.udp(INSIDE, 4001), remote, (SERVER, 5000))
    assert "no room" not in natvi.process.err
    for port in range(4002, 4012):
        net.inside.udp(INSIDE, port).sendto(b"no port", (SERVER, 5000))
    natvi.process.wait_output(SAID % "no-port")
    for port in range(4012, 4022):
        net.inside.udp(INSIDE, port).sendto(b"no port", (SERVER, 5000))
    wait_for(lambda: natvi.counter("no-port") == 20, 15, "all of them to be counted")
    time.sleep(2.5)     # the counters are looked at each second
    assert len(re.findall(SAID % "no-port", natvi.process.err)) == 1
    assert exchange(lucky, remote, (SERVER, 5000)) == face


def test_full_tables_are_said(net):
    natvi = net.running(config("tc", limits={"sessions": 16, "mappings": 16}))
    remote, sock = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE, 4000)
    exchange(sock, remote, (SERVER, 5000))
    for port in range(4001, 4041):
        net.inside.udp(INSIDE, port).sendto(b"no room", (REMOTE, 5000))
    natvi.process.wait_output(r"no room for new sessions: \d+ packets by (table-full|mappings-full) \(.*limits\.(sessions|mappings)", 5)
    exchange(sock, remote, (SERVER, 5000))
    natvi.kill()
    natvi.start(config("tc", limits={"sessions": 16, "mappings": 16}))
    time.sleep(2.5)
    assert "no room" not in natvi.process.err       # said by the daemon before
