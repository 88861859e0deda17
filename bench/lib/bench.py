# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""One run of the benchmark: its options, its samples, what went wrong."""

import contextlib
import os
import statistics
import sys

from lib.natvi import Missing
from lib.shell import Failed
from lib.tool import Tool


class Bench:
    def __init__(self, build, rounds, quick, only, everyone):
        self.build = build
        self.rounds = rounds
        self.quick = quick
        self.only = only
        self.contender_names = {c.name for c in everyone}
        self.tool = Tool(os.path.join(build, "bench", "natvi-bench"))
        self.samples = {}
        self.slow = self.packets = 0    # of natvi in steady state
        self.skipped = {}
        self.failed = {}

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def record(self, key, value):
        self.samples.setdefault(key, []).append(value)

    def results(self):
        figures = {k: statistics.median(v) for k, v in self.samples.items()}
        if self.packets:
            figures["slow_share"] = self.slow / self.packets
        return figures

    def wants(self, name, names):
        """--only names scenarios, contenders, or both."""
        chosen = self.only & names
        return not chosen or name in chosen

    def give_up(self, what, why):
        book = self.skipped if isinstance(why, Missing) else self.failed
        if what in book:
            return
        book[what] = str(why)
        self.say(f"  {what}: {'skipped' if book is self.skipped else 'failed'}: {why}")

    @contextlib.contextmanager
    def contenders(self, classes, scenario, packets=True):
        """Those of the classes that start, alive until the block ends."""
        with contextlib.ExitStack() as stack:
            alive = []
            for cls in classes:
                if not self.wants(cls.name, self.contender_names):
                    continue
                try:
                    alive.append(stack.enter_context(cls(self, scenario, packets)))
                except Failed as why:
                    self.give_up(cls.name, why)
            yield alive

    def warm_up(self, alive, flows):
        """Drops from the list those that do not do their work."""
        for c in list(alive):
            try:
                c.warm_up(flows)
            except Failed as why:
                self.give_up(c.name, why)
                alive.remove(c)

    def in_turn(self, alive, rounds, measure, title):
        """measure(contender) for each, round by round.

        The first of a round changes, so that nobody always follows the same
        neighbour. A contender that fails is left out from then on.
        """
        alive = list(alive)
        for r in range(rounds):
            self.say(f"{title}: round {r + 1} of {rounds}")
            start = r % len(alive) if alive else 0
            for c in alive[start:] + alive[:start]:
                try:
                    measure(c)
                except Failed as why:
                    self.give_up(c.name, why)
                    alive.remove(c)
