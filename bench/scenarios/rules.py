# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What 1,000 rules in front of the one that matches cost: a new flow, and an established packet.

Test runs of one packet each. The rules in front agree with the packet in all but what is looked at last.
"""

from lib.contenders import NatviRules, NatviTc
from scenarios.testrun import attached

FLOWS, RUNS = 1000, 2000


def _ns(bench, c, *more):
    got = bench.tool.testrun(c.topo, attached(c.topo.gateway, "lan0"), FLOWS, *more)
    return max(0, got["ns"] - got["empty_ns"])


def _measure(bench, c):
    bench.record(f"{c.name}_hit_ns", _ns(bench, c))
    bench.record(f"{c.name}_new_ns", _ns(bench, c, "--first", str(c.next_new), "--runs", str(RUNS)))
    c.next_new += RUNS


def run(bench):
    with bench.contenders((NatviTc, NatviRules), "rules") as alive:
        bench.warm_up(alive, FLOWS)
        for c in alive:
            c.next_new = FLOWS
        bench.in_turn(alive, bench.rounds, lambda c: _measure(bench, c), "rules")
    median = bench.results()
    few, many = (median.get(f"{name}_new_ns") for name in ("natvi_tc", "natvi_rules"))
    if few is not None and many is not None:
        bench.record("newflow_1000_rules_us", (many - few) / 1000)
