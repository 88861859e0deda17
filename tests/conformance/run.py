#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run the tests of the conformance table with Debian's pytest and close with one summary line.

run.py            all of them, then write docs/conformance.md and BUILD/conformance.json
run.py --check    likewise, but fail if docs/conformance.md says anything else; the page goes to BUILD/conformance.md
run.py ARGUMENTS  pytest's; rfc4787_req3 stands for the test of that line. Nothing is written.

NATVI names the binary (build/natvi by default), BUILD the directory for what is made.
"""
import difflib
import os
import pathlib
import re
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "conformance.md"
sys.path[:0] = [str(HERE), str(HERE.parent / "net")]

from table import Table  # noqa: E402


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


def places(argument):
    """The node ids that an argument such as rfc4787_req3 or test_rfc4787_udp.py stands for."""
    if re.fullmatch(r"rfc\d+_req\w+", argument):
        files = [f for f in sorted(HERE.glob("test_*.py")) if re.search(r"^def test_%s\(" % argument, f.read_text(), re.M)]
        if not files:
            sys.exit("conformance: no test is called test_%s" % argument)
        return ["%s::test_%s" % (file, argument) for file in files]
    if argument.startswith("test_") and (HERE / argument.split("::")[0]).exists():
        return [str(HERE / argument)]
    return [argument]


def differences(page):
    """Lines in which a page differs from the one that is committed."""
    old = PAGE.read_text() if PAGE.exists() else ""
    return list(difflib.unified_diff(old.splitlines(), page.splitlines(), "docs/conformance.md", "this run", n=0, lineterm=""))


def write(table, check):
    """What a full run leaves behind; whether it is what is committed."""
    build = pathlib.Path(os.environ.get("BUILD") or "build")
    build.mkdir(parents=True, exist_ok=True)
    (build / "conformance.json").write_text(table.json())
    if table.machine:
        print("conformance: SKIP: %s" % table.machine)
        return True
    difference = differences(table.markdown())
    PAGE.parent.mkdir(exist_ok=True)
    (build / "conformance.md" if check else PAGE).write_text(table.markdown())
    if difference:
        print("\n".join(difference))
        print("conformance: docs/conformance.md %s" % ("says something else; see above, and run make conformance" if check
                                                     else "has changed; see above"))
    return not (check and difference)


def main():
    check = sys.argv[1:] == ["--check"]
    arguments = [] if check else [place for a in sys.argv[1:] for place in places(a)]
    full = not arguments
    if not any(".py" in a for a in arguments):
        arguments.append(str(HERE))
    counts, table = Count(), Table()
    os.chdir(ROOT)
    status = pytest.main(["-ra", "-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), "-c", str(HERE / "pytest.ini"),
                          *arguments], plugins=[table, counts])
    same = write(table, check) if full else True
    if full and not table.machine:
        results = list(table.results().values())
        print("conformance: %d of %d lines pass" % (results.count("pass"), len(results)))
        # A line that is marked not yet fails no run; whatever else does is a line's "fail".
        status = ("fail" in results) if status == pytest.ExitCode.TESTS_FAILED else status
    print("check-conformance: %d passed, %d failed, %d skipped" % (counts.passed, counts.failed + (not same), counts.skipped), flush=True)
    return int(status) or int(not same)


if __name__ == "__main__":
    sys.exit(main())
