# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A box that forwarded before natvi and forwards after it: connections come to natvi and go back to the kernel."""
import pytest

from gateway import EXTERNAL, INSIDE, SERVER, config
from wire import Capture

KERNEL_NAT = "add table ip usernat; add chain ip usernat post { type nat hook postrouting priority srcnat; }; " \
    "add rule ip usernat post oifname wan0 masquerade"
INSIDE_SOURCES = "src net 198.18.0.0/15"


def connect(net, port=7000):
    """A TCP connection from inside to the server: both ends, and who the server sees."""
    listener = net.outside.tcp_listen(SERVER, port)
    client = net.inside.tcp(INSIDE)
    client.connect((SERVER, port))
    server, peer = listener.accept()
    return client, server, peer


def talks(client, server):
    for one, other, word in ((client, server, b"out"), (server, client, b"in")):
        one.sendall(word)
        assert other.recv(10) == word


@pytest.fixture
def router(net):
    """A gateway that forwards on its own account."""
    net.gateway.sysctl("net.ipv4.ip_forward", "1")
    return net


def test_down_hands_sessions_to_the_kernel(router):
    """A connection through the box outlives `down`; what natvi translated never leaves untranslated."""
    natvi = router.running()
    client, server, peer = connect(router)
    assert peer[0] == EXTERNAL
    wire = Capture(router.outside, filter=INSIDE_SOURCES)
    natvi.down()
    talks(client, server)
    router.inside.udp(INSIDE, 4000).sendto(b"new", (SERVER, 9))
    talks(client, server)
    wire.stop()
    assert not wire.fields("ip", "ip.src")
    assert "natvi" in router.gateway.run("nft", "list", "tables").stdout


def test_kernel_connections_go_on_through_start_and_down(router):
    """A connection that the kernel masquerades goes on while natvi starts, and after it has gone."""
    router.gateway.run("nft", KERNEL_NAT)
    client, server, peer = connect(router)
    assert peer[0] == EXTERNAL
    wire = Capture(router.outside, filter=INSIDE_SOURCES)
    natvi = router.running()
    talks(client, server)
    assert [s["state"] for s in natvi.sessions("host", INSIDE)] == ["kernel"]
    natvi.down()
    talks(client, server)
    talks(*connect(router, 7001)[:2])  # the user's own masquerading serves new ones again
    wire.stop()
    assert not wire.fields("ip", "ip.src")


def test_next_start_takes_the_table_away(router):
    """With nothing left to adopt, the table that `down` left is gone after the next start."""
    natvi = router.running()
    natvi.down()
    assert "_down" in router.gateway.run("nft", "list", "tables").stdout
    natvi.start(config(router.hook))
    assert "_down" not in router.gateway.run("nft", "list", "tables").stdout
