# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A running daemon: what it answers on its socket, killing and starting it, whether packets pass."""
import json
import pathlib
import select
import socket

from gateway import config

RUN = pathlib.Path("/run/natvi")


def ask(natvi, **request):
    """One request to the control socket, past the command line."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        sock.connect(str(RUN / (natvi.instance + ".sock")))
        sock.sendall(json.dumps(request).encode() + b"\n")
        return json.loads(sock.makefile().readline())


def status(natvi):
    return ask(natvi, cmd="status")


def answered(client, server, remote, timeout=0.3):
    """Does a datagram get there? Whatever waited before is thrown away. timeout: more of it where it must get there."""
    while select.select([server], [], [], 0)[0]:
        server.recv(100)
    client.sendto(b"?", remote)
    return bool(select.select([server], [], [], timeout)[0])


def restart(natvi, configuration=None):
    natvi.kill()
    natvi.start(configuration or config("tc"))
