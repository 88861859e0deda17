# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What has to hold for minutes with the default time-outs, on real clocks.

A gateway with no word of time-outs in its configuration is set up when the run begins. Sessions are made and left alone, each with
a time at which a thread sends one more packet; the tests at the end of the run ask how that went, and wait for it if they must. So
it costs nothing beside the other tests, and works alone, too. The thread only uses sockets that are open already.
"""
import threading
import time

from scapy.all import ICMP

from gateway import INSIDE2, INSIDE3, REFUSE, SERVER, TO_POOL, Topology
from wire import exchange
from wires import FAR, RAW, Segments, Wires, nat, raw_echo, raw_udp, silent, source_rule

UDP_S, UDP_DEFAULT_S, ICMP_S, TCP_S, REST_S = 119, 299, 59, 239, 119
UDP_PORTS = (1024, 5000, 65535)     # destinations outside the well-known range
REST_POOL = {"name": "single", "addresses": ["192.0.2.100"], "ports": "7000"}


class Defaults:
    def __init__(self, lab, hook):
        self.net = Topology(lab, hook)
        self.natvi = nat(self.net, rules=[source_rule("single", INSIDE2, INSIDE3), TO_POOL, REFUSE], pools=[REST_POOL])
        self.wires = Wires(self.net)
        self._due, self._answers, self._stopped = [], {}, threading.Event()
        self._begin()
        self.established_s = self._established()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _later(self, name, seconds, check):
        """Run check() that many seconds from now."""
        self._answers[name] = [threading.Event(), None]
        self._due.append((time.monotonic() + seconds, name, check))

    def _begin(self):
        for number, port in enumerate(UDP_PORTS):
            self._udp("udp-%d" % port, UDP_S, 4000 + number, port)
        self._udp("udp-default", UDP_DEFAULT_S, 4010, 5000)
        self._echo()
        self._opening()
        self._closing()
        self._reset()
        self._rest()

    def _udp(self, name, seconds, sport, dport):
        out = self.wires.out(raw_udp(RAW, sport, FAR, dport))

        def answer():
            arrived = self.wires.into(raw_udp(FAR, dport, out.src, out.sport))
            assert (arrived.dst, arrived.dport) == (RAW, sport)
        self._later(name, seconds, answer)

    def _echo(self):
        out = self.wires.out(raw_echo(RAW, FAR, 77))

        def reply():
            arrived = self.wires.into(raw_echo(FAR, out.src, out[ICMP].id, type=0))
            assert (arrived.dst, arrived[ICMP].id) == (RAW, 77)
        self._later("icmp", ICMP_S, reply)

    def _established(self):
        """How long a connection may be idle, by natvi's own word."""
        Segments(self.wires, sport=4023).open()
        return self.natvi.sessions("sport", "4023")[0]["expires_s"]

    def _opening(self):
        """A SYN; its answer takes its time."""
        connection = Segments(self.wires, sport=4020)
        connection.out("S")
        self._later("tcp-opening", TCP_S, lambda: connection.into("SA"))

    def _closing(self):
        """FINs both ways; the last one is repeated much later."""
        connection = Segments(self.wires, sport=4021).open().close()
        connection.next["outside"] -= 1
        self._later("tcp-closing", TCP_S, lambda: connection.into("FA"))

    def _reset(self):
        """A RST out of place; the connection goes on later."""
        connection = Segments(self.wires, sport=4022).open()
        connection.into("R", advance=False)
        self._later("tcp-reset", TCP_S, lambda: connection.into("PA", b"still here"))

    def _rest(self):
        """The only port of a pool becomes free; another host wants it."""
        outside = self.net.outside.udp(SERVER, 5100)
        first, second = self.net.inside.udp(INSIDE2, 7001), self.net.inside.udp(INSIDE3, 7002)
        assert exchange(first, outside, (SERVER, 5100)) == ("192.0.2.100", 7000)
        self.natvi.cli("flush", "sessions", "src", INSIDE2)

        def still_resting():
            second.sendto(b"mine now?", (SERVER, 5100))
            assert silent(outside), "a port that has been free for %d s was given to another host" % REST_S
            assert exchange(first, outside, (SERVER, 5100)) == ("192.0.2.100", 7000), "and this is whom it is kept for"
        self._later("port-rest", REST_S, still_resting)

    def _run(self):
        for due, name, check in sorted(self._due, key=lambda entry: entry[0]):
            if self._stopped.wait(max(0, due - time.monotonic())):
                return
            done, _ = answer = self._answers[name]
            try:
                check()
            except BaseException as problem:  # the test that asks raises it
                answer[1] = problem
            done.set()

    def ask(self, name):
        """How it went; waits until its time has come."""
        done, _ = self._answers[name]
        assert done.wait(UDP_DEFAULT_S + 30), "%s: nobody looked" % name
        if self._answers[name][1]:
            raise AssertionError("%s: %s" % (name, self._answers[name][1])) from self._answers[name][1]

    def stop(self):
        self._stopped.set()
        self._thread.join(10)
