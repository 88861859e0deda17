# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Behaviour discovery by STUN (RFC 5780): coturn's server with two addresses outside, its client inside."""
import re

from gateway import INSIDE, SERVER, SERVER2
from lab import wait_for

PORTS = (3478, 3479)
PATIENCE_S = 90     # the client waits 3 s for each answer that filtering keeps away


class Stun:
    def __init__(self, net):
        self.net = net
        directory = net.lab.dir
        self.server = net.outside.spawn("turnserver", "-n", "-L", SERVER, "-L", SERVER2, "-p", PORTS[0], "-m", 1, "--stun-only",
                                        "--no-cli", "--no-tls", "--no-dtls", "--log-file", "stdout",
                                        "--pidfile", directory / "turnserver.pid", "--userdb", directory / "turnserver.db")
        wait_for(lambda: all(self._sockets(port) >= 2 for port in PORTS), 15, "turnserver to listen on two addresses and two ports")

    def _sockets(self, port):
        return self.net.outside.run("ss", "-Huln", "sport = :%d" % port).stdout.count("\n")

    def ask(self, *options, port, host=INSIDE):
        """Begin a discovery from an inside host and port."""
        return Discovery(self.net.inside.spawn("turnutils_natdiscovery", *options, "-L", host, "-l", port, SERVER))

    def mapping(self, port, *options, host=INSIDE):
        return self.ask("-m", *options, port=port, host=host).verdict("Mapping")

    def filtering(self, port, *options, host=INSIDE):
        return self.ask("-f", *options, port=port, host=host).verdict("Filtering")


class Discovery:
    """A client at work."""

    def __init__(self, process):
        self.process = process

    def said(self):
        self.process.wait(PATIENCE_S, check=False)
        return self.process.out

    def verdict(self, kind):
        """What sort of mapping or filtering it found: "endpoint-independent", for example; None if it found none."""
        match = re.search(r"NAT with ([A-Za-z ]+) %s!" % kind, self.said())
        return match and match.group(1).lower().replace(" ", "-")

    def reflexive(self):
        """The external addresses and ports that the server told of, in order."""
        return [(address, int(port)) for address, port in
                re.findall(r"reflexive addr: ([0-9.]+):(\d+)", self.said())]

    def hairpinned(self):
        return "Received a request (maybe a successful hairpinning)" in self.said()
