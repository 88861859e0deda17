# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Throughput of iperf3's TCP streams, with the veths' offloads as they come."""

import contextlib
import json
import subprocess
import time

from lib.contenders import KernelNat, NatviTc
from lib.shell import Failed, inside
from lib.shell import run as command
from lib.topology import OUTSIDE_HOST

STREAMS = (1, 16)
SECONDS, QUICK_SECONDS = 3, 1


@contextlib.contextmanager
def _server(ns):
    server = subprocess.Popen(inside(ns, "iperf3", "-s"),
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        server.terminate()
        server.wait()


def _gbit_s(ns, streams, seconds):
    out = command(*inside(ns, "iperf3", "-c", OUTSIDE_HOST, "-J", "-P", str(streams),
                          "-t", str(seconds), "--connect-timeout", "2000"),
                  timeout=seconds + 15, check=False)
    try:
        said = json.loads(out)
        return said["end"]["sum_received"]["bits_per_second"] / 1e9
    except (ValueError, KeyError):
        why = said.get("error", "no result") if out.startswith("{") else "no result"
        raise Failed(f"iperf3: {why}") from None


def _streams(bench, alive, streams, title):
    seconds = QUICK_SECONDS if bench.quick else SECONDS

    def measure(c):
        with c.steady():
            bench.record(f"{c.name}_tcp_{streams}_gbit_s", _gbit_s(c.topo.inside, streams, seconds))
    bench.in_turn(alive, bench.rounds, measure, title)


def compare(bench, classes, scenario, numbers, title):
    """The classes' throughput with each number of streams."""
    with contextlib.ExitStack() as stack:
        alive = stack.enter_context(bench.contenders(classes, scenario, packets=False))
        for c in alive:
            stack.enter_context(_server(c.topo.outside))
        time.sleep(0.5)     # the servers listen
        for streams in numbers:
            _streams(bench, alive, streams, f"{title}, {streams} streams")


def run(bench):
    compare(bench, (NatviTc, KernelNat), "tcp", STREAMS[:1] if bench.quick else STREAMS, "TCP")
