# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi-bench, the traffic side, driven on a topology."""

import json

from lib.shell import Failed, run
from lib.topology import MAC, OUTSIDE_HOST, POOL_FIRST, POOL_SIZE

RANDOM_TRIES = 3        # on a busy machine the generator may leave the kernel's own thread no time at all


class Tool:
    def __init__(self, path):
        self.path = path

    def _generate(self, topo, *args, timeout, place=None):
        """place: NAMESPACE:DEVICE of who sends, the inside if none is given."""
        out = run(self.path, "gen", "--from", place or topo.inside + ":in0",
                  "--to", topo.outside + ":out0",
                  "--gateway-mac", topo.next_mac, "--own-mac", MAC["in0"],
                  "--sink-mac", MAC["out0"], "--to-address", OUTSIDE_HOST,
                  *args, timeout=timeout)
        return json.loads(out)

    def random(self, topo, flows, time_ms):
        """Flows at random for a time; the packets a second that arrived."""
        for _ in range(RANDOM_TRIES):
            got = self._generate(topo, "--flows", str(flows),
                                 "--time-ms", str(time_ms), timeout=60)
            if got["received"]:
                return got["pps"]
        raise Failed("no packet arrived")

    def sequence(self, topo, first, flows, verify, time_ms=30000, answer=False, place=None):
        """Each of the flows once, in order; all that natvi-bench counted. answer: the sink sends them back."""
        args = ["--first", str(first), "--flows", str(flows), "--sequence",
                "--time-ms", str(time_ms)]
        if verify:
            args.append("--verify")
        if answer:
            args.append("--answer")
        return self._generate(topo, *args, timeout=90, place=place)

    def peer(self, topo, kind, flows=0):
        run(self.path, "peer", "--kind", kind, "--in", topo.gateway + ":lan0",
            "--out", "wan0", "--out-mac", MAC["wan0"], "--next-mac", MAC["out0"],
            "--flows", str(flows), "--to-address", OUTSIDE_HOST,
            "--pool-first", POOL_FIRST, "--pool-size", str(POOL_SIZE))

    def testrun(self, topo, prog_id, flows, *more):
        """Nanoseconds a packet of a loaded program, and of an empty one."""
        out = run(self.path, "testrun", "--in", topo.gateway + ":lan0",
                  "--id", str(prog_id), "--gateway-mac", topo.next_mac,
                  "--own-mac", MAC["in0"], "--to-address", OUTSIDE_HOST,
                  "--flows", str(flows), *more)
        return json.loads(out)
