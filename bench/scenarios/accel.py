# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A router whose own nftables rules decide, with natvi to accelerate it and without: packets a second, and a TCP stream.

Flows are those of conntrack: assured before they count, which takes an answer and two seconds.
"""

import time

from lib.contenders import ACCEL, ASSURED_S, AccelTc, KernelFirewall
from lib.shell import Failed
from scenarios import pps, tcp

FLOWS = 1000


def _begin(bench, alive):
    """The first packets of all; then the time goes by for all at once."""
    for c in [c for c in alive if isinstance(c, KernelFirewall)]:
        try:
            c.begin(FLOWS)
        except Failed as why:
            bench.give_up(c.name, why)
            alive.remove(c)
    time.sleep(ASSURED_S)


def run(bench):
    with bench.contenders(ACCEL, "acc") as alive:
        _begin(bench, alive)
        bench.warm_up(alive, FLOWS)
        pps.in_turn(bench, alive, FLOWS, "accelerated pps")
    tcp.compare(bench, (AccelTc, KernelFirewall), "acct", (1,), "accelerated TCP")
