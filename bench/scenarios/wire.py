# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""64-byte frames that cross between two ports, past one capture rule that does not match, and a TCP stream.

In the rounds of wire_sessions there are connections that began in the tunnel.
"""

from lib.wires import WIRES, Bridge, WireRawTc, WireRawXdp, WireSessions, WireTc, WireXdp
from scenarios import pps, tcp, testrun

FLOWS, QUICK_FLOWS = (1, 1000), (1000,)
RUN = (WireXdp, WireSessions, WireTc, WireRawXdp, WireRawTc)


def run(bench):
    with bench.contenders(WIRES, "wire") as alive:
        for flows in QUICK_FLOWS if bench.quick else FLOWS:
            bench.warm_up(alive, flows)
            pps.in_turn(bench, alive, flows, "wire pps")
        if not bench.quick:
            programs = [c for c in alive if isinstance(c, RUN)]
            bench.in_turn(programs, bench.rounds, lambda c: testrun.measure(bench, c), "wire test run")
    tcp.compare(bench, (WireTc, Bridge), "wiret", (1,), "wire TCP")
