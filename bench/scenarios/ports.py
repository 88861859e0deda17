# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A new flow's cost by how full its pool is: the search for a port has to stay flat.

Test runs of one packet each, every one a new flow; freed ports rest for the default 120 s, so
none comes back in between. Full is the cost of a refusal.
"""

from lib import portbits
from lib.contenders import NatviTc
from lib.topology import POOL_SIZE
from scenarios.testrun import attached

RUNS = 1000             # fewer than the ports that 0.1 % of the pool leave
FILLED = {"empty": 0, "50": 0.5, "90": 0.9, "99_9": 0.999, "full": 1}


class Level:
    def __init__(self, bench, name, share):
        self.bench, self.name, self.share = bench, name, share

    def __call__(self, c):
        portbits.fill(c.natvi.pins, POOL_SIZE, self.share)
        first = c.next_new
        c.next_new += RUNS
        got = self.bench.tool.testrun(c.topo, attached(c.topo.gateway, "lan0"), 1,
                                      "--first", str(first), "--runs", str(RUNS))
        self.bench.record(f"newflow_ports_{self.name}_ns", max(0, got["ns"] - got["empty_ns"]))


def run(bench):
    with bench.contenders((NatviTc,), "ports") as alive:
        for c in alive:
            c.next_new = 1
        for _ in range(bench.rounds):
            for name, share in FILLED.items():
                bench.in_turn(alive, 1, Level(bench, name, share), f"ports, {name}")
