# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What has to hold for minutes with the default time-outs, on real clocks.

A gateway with no word of time-outs in its configuration is set up when the run begins. Sessions are made and left alone, each with
a time at which a thread sends one more packet; the tests at the end of the run ask how that went, and wait for it if they must. So
it costs nothing beside the other tests, and works alone, too. The thread only uses sockets that are open already.

A check comes a second before the time that it is about is over. One that a busy machine has made too late says nothing; for that
all is done twice, some seconds apart.
"""
import collections
import contextlib
import threading
import time

from scapy.all import ICMP

from gateway import INSIDES, REFUSE, SERVER, TO_POOL, Topology
from wire import exchange
from wires import FAR, RAW, Segments, Wires, nat, raw_echo, raw_udp, silent, source_rule

UDP_S, UDP_DEFAULT_S, ICMP_S, TCP_S, REST_S = 119, 299, 59, 239, 119
UDP_PORTS = (1024, 5000, 65535)     # destinations outside the well-known range
REST = [("single", "192.0.2.100", INSIDES[1], INSIDES[2]), ("second", "192.0.2.101", INSIDES[0], INSIDES[3])]   # pools of one port
TURNS, APART_S = 2, 7
SPARE_S = 1     # of each of the times above


class Defaults:
    def __init__(self, lab, hook):
        self.net = Topology(lab, hook)
        self.natvi = nat(self.net, rules=[*[source_rule(name, *hosts) for name, _, *hosts in REST], TO_POOL, REFUSE],
                         pools=[{"name": name, "addresses": [address], "ports": "7000"} for name, address, *_ in REST])
        self.wires = Wires(self.net)
        self._resting = [(self.net.outside.udp(SERVER, 5100 + turn), *[self.net.inside.udp(host, 7001) for host in hosts])
                         for turn, (_, _, *hosts) in enumerate(REST)]
        self._due, self._stopped = [], threading.Event()
        self._answers = collections.defaultdict(lambda: [threading.Event(), None, False])    # whether, what was wrong, too late
        self._begin(0)
        self._due.append((time.monotonic() + APART_S, lambda: self._begin(1)))
        self.established_s = self._established()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _later(self, name, turn, seconds, begin):
        """begin() something, and run the check that it returns that many seconds from then."""
        began, answer = time.monotonic(), self._answers[name, turn]

        def look():
            try:
                check()
            except BaseException as problem:  # the test that asks raises it
                answer[1] = problem
            answer[2] = time.monotonic() > began + seconds + SPARE_S
            answer[0].set()
        check = begin()
        self._due.append((began + seconds, look))

    def _begin(self, turn):
        more = 100 * turn
        for number, port in enumerate(UDP_PORTS):
            self._later("udp-%d" % port, turn, UDP_S, lambda: self._udp(4000 + number + more, port))
        self._later("udp-default", turn, UDP_DEFAULT_S, lambda: self._udp(4010 + more, 5000))
        self._later("icmp", turn, ICMP_S, lambda: self._echo(77 + turn))
        self._later("tcp-opening", turn, TCP_S, lambda: self._opening(4020 + more))
        self._later("tcp-closing", turn, TCP_S, lambda: self._closing(4021 + more))
        self._later("tcp-reset", turn, TCP_S, lambda: self._reset(4022 + more))
        self._later("port-rest", turn, REST_S, lambda: self._rest(turn))

    def _udp(self, sport, dport):
        out = self.wires.out(raw_udp(RAW, sport, FAR, dport))

        def answer():
            arrived = self.wires.into(raw_udp(FAR, dport, out.src, out.sport))
            assert (arrived.dst, arrived.dport) == (RAW, sport)
        return answer

    def _echo(self, id):
        out = self.wires.out(raw_echo(RAW, FAR, id))

        def reply():
            arrived = self.wires.into(raw_echo(FAR, out.src, out[ICMP].id, type=0))
            assert (arrived.dst, arrived[ICMP].id) == (RAW, id)
        return reply

    def _established(self):
        """How long a connection may be idle, by natvi's own word."""
        Segments(self.wires, sport=4023).open()
        return self.natvi.sessions("sport", "4023")[0]["expires_s"]

    def _opening(self, sport):
        """A SYN; its answer takes its time."""
        connection = Segments(self.wires, sport=sport)
        connection.out("S")
        return lambda: connection.into("SA")

    def _closing(self, sport):
        """FINs both ways; the last one is repeated much later."""
        connection = Segments(self.wires, sport=sport).open().close()
        connection.next["outside"] -= 1
        return lambda: connection.into("FA")

    def _reset(self, sport):
        """A RST out of place; the connection goes on later."""
        connection = Segments(self.wires, sport=sport).open()
        connection.into("R", advance=False)
        return lambda: connection.into("PA", b"still here")

    def _rest(self, turn):
        """The only port of a pool becomes free; another host wants it."""
        (_, address, host, _), (outside, first, second) = REST[turn], self._resting[turn]
        server, mapped = (SERVER, 5100 + turn), (address, 7000)
        assert exchange(first, outside, server) == mapped
        self.natvi.cli("flush", "sessions", "src", host)

        def still_resting():
            second.sendto(b"mine now?", server)
            assert silent(outside), "a port that has been free for %d s was given to another host" % REST_S
            assert exchange(first, outside, server) == mapped, "and this is whom it is kept for"
        return still_resting

    def _run(self):
        while self._due:
            entry = min(self._due, key=lambda entry: entry[0])
            self._due.remove(entry)
            if self._stopped.wait(max(0, entry[0] - time.monotonic())):
                return
            with contextlib.suppress(AssertionError, OSError):      # a look keeps what was wrong; a second turn may be none
                entry[1]()

    def ask(self, name):
        """How it went; waits until its time has come."""
        for turn in range(TURNS):
            answer = self._answers[name, turn]
            assert answer[0].wait(UDP_DEFAULT_S + 60), "%s: nobody looked" % name
            _, problem, late = answer
            if not problem:
                return
            if not late or turn == TURNS - 1:
                raise AssertionError("%s: %s" % (name, problem)) from problem

    def stop(self):
        self._stopped.set()
        self._thread.join(10)
