# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""New flows a second: every packet has a 5-tuple that was never there before.

All rounds together stay within the tables, so that no gateway has to forget a
flow to admit another one.
"""

from lib.contenders import SESSIONS, KernelNat, NatviTc, NatviXdp
from lib.shell import Failed

MOST = 300000           # a round


class Round:
    """Hands out flows that the contender has not seen."""

    def __init__(self, bench, count):
        self.bench, self.count, self.next = bench, count, {}

    def __call__(self, c):
        first = self.next.get(c.name, 0)
        self.next[c.name] = first + self.count
        got = self.bench.tool.sequence(c.topo, first, self.count, verify=False)
        if got["received"] < 0.5 * self.count:
            raise Failed(f"only {got['received']} of {self.count} new flows arrived")
        self.bench.record(f"{c.name}_newflows_per_s", got["pps"])


def run(bench):
    count = min(MOST, SESSIONS * 9 // 10 // bench.rounds)
    classes = (NatviTc, KernelNat) if bench.quick else (NatviTc, NatviXdp, KernelNat)
    with bench.contenders(classes, "new") as alive:
        bench.in_turn(alive, bench.rounds, Round(bench, count), "new flows")
