# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Packets a second of established flows, taken at random."""

from lib.contenders import ALL

FLOWS = (1, 1000, 50000, 1000000)
QUICK_FLOWS = (1000, 1000000)
BACKGROUND = ("raw_tc", "kernel_forward")
SLICE_MS, QUICK_SLICE_MS = 700, 400     # the first 100 ms are not counted


def flows_name(flows):
    for size, letter in ((1000000, "m"), (1000, "k")):
        if flows >= size:
            return f"{flows // size}{letter}"
    return str(flows)


def _slice(bench, c, name, flows, slice_ms):
    with c.steady():
        bench.record(f"{c.name}_{name}_pps", bench.tool.random(c.topo, flows, slice_ms))


def in_turn(bench, alive, flows, title):
    """Those flows at random, by each in its turn."""
    slice_ms = QUICK_SLICE_MS if bench.quick else SLICE_MS
    name = flows_name(flows)
    bench.in_turn(alive, bench.rounds, lambda c: _slice(bench, c, name, flows, slice_ms), f"{title}, {name} flows")


def run(bench):
    # in a hurry: only those that a target is about
    classes = [c for c in ALL if c.name not in BACKGROUND] if bench.quick else ALL
    with bench.contenders(classes, "pps") as alive:
        for flows in QUICK_FLOWS if bench.quick else FLOWS:
            bench.warm_up(alive, flows)
            in_turn(bench, alive, flows, "pps")
