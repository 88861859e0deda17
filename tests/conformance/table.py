# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""pytest plugin: one result for each line of the table, as JSON and as docs/conformance.md.

A line passes if its test ran to its end on each hook and nothing failed before, in or after it. What did not run, for whatever
reason, failed. A test marked not_yet(why) whose line fails is shown as "not yet: why"; one that passes all the same is a failure,
so that the mark goes when its reason has gone.
"""
import json

import pytest

from lines import HOOKS, LEVELS, RFCS, line, lines

PREFIX = "test_"
HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only -->
# Conformance

What the RFCs ask of a NAT, and what natvi does. `make conformance` runs one test for each line, in network namespaces, on tc and
on forced native XDP, and writes this page and `build/conformance.json`; a line passes if it does so on both. `make check` fails
if a run's results differ from this page. How to run one: `make test-one T=rfc4787_req1`.

Levels: %s.
""" % "; ".join("%s: %s" % pair for pair in LEVELS.items())
FOOT = """
Numbers 4, 5, 9 and 14 of RFC 6888 (limits for each subscriber, PCP, volume of logs) are not in the table: natvi does not have
what they are about yet.
"""


class Table:
    def __init__(self, only=None):
        self.only = only    # the hook of this run; None: all of them
        self.items = {}     # line -> {node id: [hook, it passed]}
        self.tests = {}     # line -> the test function's {level, demand, file, not yet}
        self.machine = None  # why nothing can run here

    def pytest_configure(self, config):
        config.addinivalue_line("markers", "level(letter): how strongly the RFC asks: %s" % ", ".join(LEVELS))
        config.addinivalue_line("markers", "not_yet(why): the line is known not to pass")

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if self.only in (None, item.callspec.params["hook"])]
        for item in items:
            name = item.function.__name__[len(PREFIX):]
            if name not in lines():
                raise pytest.UsageError("%s: the table has no line %s" % (item.nodeid, name))
            self._describe(name, item)
            self.items.setdefault(name, {})[item.nodeid] = [item.callspec.params["hook"], False]

    def _describe(self, name, item):
        level, demand = item.get_closest_marker("level"), " ".join((item.function.__doc__ or "").split())
        if not level or level.args[0] not in LEVELS or not demand:
            raise pytest.UsageError("%s: it needs a level and, as docstring, the demand" % item.nodeid)
        file = item.path.name
        if self.tests.setdefault(name, {"file": file})["file"] != file:
            raise pytest.UsageError("%s stands in two files" % name)
        not_yet = item.get_closest_marker("not_yet")
        self.tests[name].update(level=level.args[0], demand=demand, not_yet=not_yet.args[0] if not_yet else None)

    def pytest_runtest_logreport(self, report):
        entry = next((items[report.nodeid] for items in self.items.values() if report.nodeid in items), None)
        if report.when == "call":
            entry[1] = report.passed
        elif report.failed:
            entry[1] = False
        if report.skipped and report.when == "setup":
            self.machine = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)

    def passed(self, name):
        """Every test of the line passed, and there is one for each hook."""
        items = self.items.get(name, {}).values()
        return set(hook for hook, _ in items) == set(HOOKS) and all(passed for _, passed in items)

    def passed_on(self, name, hook):
        """The same for one hook."""
        results = [passed for on, passed in self.items.get(name, {}).values() if on == hook]
        return bool(results) and all(results)

    def result(self, name):
        why = self.tests.get(name, {}).get("not_yet")
        if why:
            return "fail" if self.passed(name) else "not yet: %s" % why
        return "pass" if self.passed(name) else "fail"

    def results(self):
        return {name: self.result(name) for name in lines()}

    def state(self):
        """What another Table takes in by merge(), fit for JSON."""
        return {"items": self.items, "tests": self.tests, "machine": self.machine}

    def merge(self, state):
        for name, items in state["items"].items():
            self.items.setdefault(name, {}).update(items)
        self.tests.update(state["tests"])
        self.machine = self.machine or state["machine"]

    def json(self):
        return json.dumps(self.results(), indent=1) + "\n"

    def markdown(self):
        text = [HEAD]
        for rfc, (title, numbers) in RFCS.items():
            text.append("\n## %s\n\n| number | level | demand | result | test |\n|---|---|---|---|---|\n" % title)
            text.extend(self._row(line(rfc, number), number) for number in numbers.split())
        return "".join(text) + FOOT

    def _row(self, name, number):
        test = self.tests.get(name)
        if not test:
            return "| %s | | | %s | there is none |\n" % (number, self.result(name))
        return "| %s | %s | %s | %s | [%s](../tests/conformance/%s) |\n" % (
            number, test["level"], test["demand"].replace("|", "\\|"), self.result(name), name, test["file"])
