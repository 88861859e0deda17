# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a run of pytest came to, for the closing line.

A test of a whole run that fails gets a second try (SECOND_TRY): real programs on a machine that does several things
at once are late now and then. Such a test is named in the closing line and what it failed of is printed; more than
MOST of them are a failure of their own.
"""
SECOND_TRY = ["--reruns", "1"]
MOST = 3


class Count:
    """Counts results, whatever the output options are."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.again = []     # tests that were tried twice

    def pytest_runtest_logreport(self, report):
        if report.outcome == "rerun":
            self.again.append(report.nodeid.split("/")[-1])
            said = "".join("\n--- %s ---\n%s" % section for section in report.sections)
            print("\n%s: the first try failed:\n%s%s\n" % (report.nodeid, report.longreprtext, said), flush=True)
        elif report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1


def closing(part, passed, failed, skipped, again):
    """The closing line of a part of the tests, and whether too many were tried twice."""
    text = "check-%s: %d passed, %d failed, %d skipped" % (part, passed, failed, skipped)
    if again:
        text += "; tried twice: " + ", ".join(again)
    if len(again) > MOST:
        text += " (more than %d: a failure)" % MOST
    return text, len(again) > MOST
