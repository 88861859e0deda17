# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Nanoseconds a packet of the attached program, by test runs of one packet."""

import json

from lib.contenders import LookupXdp, NatviTc, NatviXdp, RawTc, RawXdp
from lib.shell import Failed, inside, run as command

FLOWS = 1000


def attached(ns, dev):
    """The program that sees a packet first: XDP's, or else tc ingress's."""
    link = json.loads(command("ip", "-n", ns, "-j", "link", "show", dev))[0]
    if "xdp" in link:
        return link["xdp"]["prog"]["id"]
    for f in json.loads(command(*inside(ns, "tc", "-j", "filter", "show",
                                        "dev", dev, "ingress"))):
        prog = f.get("options", {}).get("prog", {})
        if "id" in prog:
            return prog["id"]
    raise Failed(f"no program on {dev}")


def measure(bench, c):
    got = bench.tool.testrun(c.topo, attached(c.topo.gateway, "lan0"), FLOWS)
    bench.record(f"{c.name}_testrun_ns", max(0, got["ns"] - got["empty_ns"]))


def run(bench):
    classes = (NatviXdp, NatviTc, LookupXdp, RawXdp, RawTc)
    with bench.contenders(classes, "run") as alive:
        bench.warm_up(alive, FLOWS)
        bench.in_turn(alive, bench.rounds, lambda c: measure(bench, c), "test run")
