# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi comes, goes, dies and hangs under connections that it accelerates: they go on, and the firewall finds nothing invalid."""
import signal
import time

import pytest

from gateway import INSIDE, SERVER
from lab import wait_for
from router import Talk, accelerated, router, speedy, tc_router  # noqa: F401
from services import Nginx
from uplinks import Download, counted

HEARTBEAT_S = 5


def stands_still(natvi):
    """Nothing has been accelerated for longer than the second that a packet of the kernel's counts for."""
    seen = []

    def still():
        now, count = time.monotonic(), accelerated(natvi)
        seen.append((now, count))
        return any(c == count and now - t > 1.5 for t, c in seen)
    wait_for(still, HEARTBEAT_S + 15, "the kernel to forward all again")


def moves(natvi, timeout=20):
    before = accelerated(natvi)
    wait_for(lambda: accelerated(natvi) > before + 10, timeout, "acceleration after %d" % before)


def arrives(router):  # noqa: F811
    """The transfer goes on, whoever sends it on."""
    before = counted(router.outside, "eth0", "bytes")
    wait_for(lambda: counted(router.outside, "eth0", "bytes") > before + (5 << 20), 20, "the transfer to go on")


@pytest.mark.parametrize("hook, how", [("tc", "freeze"), ("xdp", "kill")])
def test_transfer_outlives_the_daemon(router, how):  # noqa: F811
    """Stopped, killed or hung it no longer says that it lives: a transfer is the kernel's again, and a new daemon's later."""
    nginx, natvi = Nginx(router.outside), router.running()
    download = Download(nginx, router.inside, SERVER)
    moves(natvi)
    getattr(natvi, how)()
    stands_still(natvi)
    download.goes_on()
    if how == "freeze":
        natvi.process.send_signal(signal.SIGCONT)
    else:
        natvi.start(router.config())
    moves(natvi)
    natvi.down()
    assert download.process.alive()
    download.finish()
    assert router.invalid() == 0


@pytest.mark.parametrize("hook", ["xdp"])
def test_transfer_outlives_stop_and_start(router):  # noqa: F811
    """Also a fast one, whose window is much larger than what the kernel sees of it."""
    server = router.outside.spawn("iperf3", "-s", "-1", "-p", 5201, "--forceflush")
    server.wait_output("Server listening")
    natvi = router.running()
    client = router.inside.spawn("iperf3", "-c", SERVER, "-p", 5201, "-t", 100, "-b", "300M")
    moves(natvi)
    natvi.stop()
    arrives(router)
    natvi.start(router.config())
    moves(natvi)
    natvi.down()
    arrives(router)
    natvi.start(router.config())
    moves(natvi)
    arrives(router)
    assert client.alive()
    assert router.invalid() == 0


@pytest.mark.parametrize("hook", ["tc"])
def test_reload_turns_it_on_and_off(router):  # noqa: F811
    nginx, natvi = Nginx(router.outside), router.running()
    download = Download(nginx, router.inside, SERVER)
    off = dict(router.config(), accelerate=False, rules=[{"name": "none", "from": {"interface": "wan0"},
                                                         "to": {"destination": "192.0.2.1"}, "action": "drop"}])
    for _ in range(2):
        moves(natvi)
        natvi.reload(off)
        before = accelerated(natvi)
        download.goes_on()
        assert accelerated(natvi) == before
        natvi.reload(router.config())
    moves(natvi)
    download.finish()
    assert router.invalid() == 0


def test_named_on_the_command_line(tc_router):  # noqa: F811
    natvi = tc_router.natvi()
    natvi.start(None, "lan0", "wan0", "--accelerate")
    talks = [Talk(kind, tc_router.inside, INSIDE, tc_router.outside, (SERVER, 5000)) for kind in ("udp", "tcp")]
    speedy(natvi, *talks)
    shown = natvi.sessions()
    assert sorted(s["proto"] for s in shown) == ["tcp", "udp"]
    for way in (session[name] for session in shown for name in ("orig", "reply")):
        assert way["packets"] > 10 and way["bytes"] > 10 * 28, shown


def test_ten_thousand_connections(router):  # noqa: F811
    """Short ones, each its own: no request fails."""
    nginx, natvi, done = Nginx(router.outside), router.running(), 0
    nginx.file("small", 30000)
    while done < 10000:
        text = router.inside.run("wrk", "-t", 1, "-c", 24, "-d", "3s", "--timeout", "30s", "-H", "Connection: close",
                                 "http://%s/small" % SERVER).stdout
        assert "Socket errors" not in text and "Non-2xx" not in text, text
        done += int(text.split(" requests in ")[0].split()[-1])
    assert router.invalid() == 0
    assert accelerated(natvi) > 0


@pytest.mark.parametrize("hook", ["tc"])
def test_full_table(router):  # noqa: F811
    """What finds no room is the kernel's, and goes on; what has found some is still accelerated."""
    natvi = router.running(dict(router.config(), limits={"sessions": 16, "mappings": 16}))
    talks = [Talk("tcp", router.inside, INSIDE, router.outside, (SERVER, 5000 + n)) for n in range(24)]
    for talk in talks:
        talk.turn(2)
    time.sleep(1.1)     # for a next second, in which the kernel shows what it does with each
    for _ in range(2):
        before = accelerated(natvi)
        for talk in talks:
            talk.turn(10)
    assert 16 * 10 < accelerated(natvi) - before < 24 * 20      # acknowledgements of their own count, too
    assert len(natvi.sessions()) == 16
    assert router.invalid() == 0
