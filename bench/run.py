#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi beside its peers: packets, flows, streams and memory.

Every scenario makes its own namespaces and removes them, also when it fails or
is interrupted. The contenders of a scenario are alive side by side and measured
in turn; what is reported is the median of the rounds.
"""

import argparse
import os
import signal
import sys

sys.dont_write_bytecode = True

from lib import contenders, host, report, topology      # noqa: E402
from lib.bench import Bench                             # noqa: E402
from lib.shell import Failed                            # noqa: E402
from lib.wires import WIRES                             # noqa: E402
from scenarios import accel, memory, newflow, ports, pps, rules, tcp, testrun, wire    # noqa: E402

SCENARIOS = {"pps": pps, "newflow": newflow, "tcp": tcp, "accel": accel, "wire": wire,
             "testrun": testrun, "ports": ports, "rules": rules, "memory": memory}
EVERYONE = contenders.ALL + contenders.ACCEL + WIRES
ROUNDS, QUICK_ROUNDS = 7, 3


def parse(argv):
    names = set(SCENARIOS) | {c.name for c in EVERYONE}
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--quick", action="store_true",
                   help="fewer flow counts and shorter slices")
    p.add_argument("--only", metavar="NAME,...", default="",
                   help="of: " + ", ".join(sorted(names)))
    p.add_argument("--rounds", type=int, metavar="N")
    p.add_argument("--build", metavar="DIR", default="build")
    p.add_argument("--out", metavar="FILE", help="default: DIR/bench.json")
    args = p.parse_args(argv)
    args.only = {n for n in args.only.split(",") if n}
    if args.only - names:
        p.error("--only: unknown: " + ", ".join(sorted(args.only - names)))
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    if not 1 <= args.rounds <= 100:
        p.error("--rounds: 1 to 100")
    args.out = args.out or os.path.join(args.build, "bench.json")
    return args


def run_scenarios(bench):
    for name, scenario in SCENARIOS.items():
        if bench.quick and name == "testrun" and not bench.only:    # no target is about it
            continue
        if not bench.wants(name, set(SCENARIOS)):
            continue
        if not host.settle(3 if bench.quick else 10):
            bench.say("  the machine is busy with something else: "
                      "figures will be low and uneven")
        try:
            scenario.run(bench)
        except Failed as why:
            bench.give_up(name, why)


def on_signal(number, _):
    # A second one would cut the cleaning up short.
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    sys.exit(128 + number)


def main(argv):
    args = parse(argv)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, on_signal)
    bench = Bench(args.build, args.rounds, args.quick, args.only, EVERYONE)
    try:
        host.require()
        topology.remove_stale()
        with host.conntrack_room(2 * contenders.SESSIONS):
            run_scenarios(bench)
    except Failed as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    figures = bench.results()
    report.add_ratios(figures)
    report.write_json(figures, args.out)
    print(report.table(figures, bench))
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
