#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run the tests of the conformance table with Debian's pytest and close with one summary line.

run.py            all of them, then write docs/conformance.md and BUILD/conformance.json
run.py --check    likewise, but fail if docs/conformance.md says anything else; the page goes to BUILD/conformance.md
run.py ARGUMENTS  pytest's; rfc4787_req3 stands for the test of that line. Nothing is written.

The tests of a full run are waiting most of the time, so each hook's run in a process of its own (run.py --hook HOOK FILE). NATVI names the binary (build/natvi by default), BUILD the directory for what is made.
"""
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "conformance.md"
sys.path[:0] = [str(HERE), str(HERE.parent / "net")]

from count import SECOND_TRY, Count, closing  # noqa: E402
from lines import HOOKS  # noqa: E402
from table import Table  # noqa: E402


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


def run(arguments, table):
    """pytest in this process; its exit status and what it counted."""
    counts = Count()
    status = pytest.main(["-ra", "-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), "-c", str(HERE / "pytest.ini"), *arguments],
                         plugins=[table, counts])
    return int(status), [counts.passed, counts.failed, counts.skipped, counts.again]


def run_hook(hook, file):
    """All tests of one hook; the results go to a file."""
    table = Table(hook)
    status, counts = run([str(HERE), *SECOND_TRY], table)
    pathlib.Path(file).write_text(json.dumps({"status": status, "counts": counts, "table": table.state()}))
    return status


def run_all(table):
    """All tests of all hooks, beside each other, what they say one after the other; as run()."""
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        files = {hook: pathlib.Path(directory, hook) for hook in HOOKS}
        running = [subprocess.Popen(["setpriv", "--pdeathsig", "INT", sys.executable, __file__, "--hook", hook, str(file)],
                                    stdout=open("%s.out" % file, "w"), stderr=subprocess.STDOUT) for hook, file in files.items()]
        worst, total = 0, [0, 0, 0, []]
        for process, (hook, file) in zip(running, files.items()):
            process.wait()
            print("%s:\n%s" % (hook, pathlib.Path("%s.out" % file).read_text()), flush=True)
            if not file.exists():   # it has not come to its end; none of its lines passes
                worst, total[1] = pytest.ExitCode.INTERNAL_ERROR, total[1] + 1
                continue
            result = json.loads(file.read_text())
            table.merge(result["table"])
            worst, total = max(worst, result["status"]), [a + b for a, b in zip(total, result["counts"])]
    return int(worst), total


def main():
    os.chdir(ROOT)
    if sys.argv[1:2] == ["--hook"]:
        return run_hook(*sys.argv[2:4])
    check = sys.argv[1:] == ["--check"]
    arguments = [] if check else [place for a in sys.argv[1:] for place in places(a)]
    table, same = Table(), True
    if arguments:
        if not any(".py" in a for a in arguments):
            arguments.append(str(HERE))
        status, counts = run(arguments, table)
    else:
        status, counts = run_all(table)
        same = write(table, check)
        if not table.machine:
            results = list(table.results().values())
            print("conformance: %d of %d lines pass" % (results.count("pass"), len(results)))
            # A line that is marked not yet fails no run; whatever else does is a line's "fail".
            status = ("fail" in results) if status == pytest.ExitCode.TESTS_FAILED else status
    line, unsteady = closing("conformance", counts[0], counts[1] + (not same), *counts[2:])
    print(line, flush=True)
    return int(status) or int(unsteady or not same)


if __name__ == "__main__":
    sys.exit(main())
