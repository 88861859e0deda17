# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What a run of pytest came to, for the closing line."""


class Count:
    """Counts results, whatever the output options are."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed += 1
        elif report.skipped:
            self.skipped += 1
        elif report.when == "call":
            self.passed += 1
