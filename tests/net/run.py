#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run the network tests with Debian's pytest and close with one summary line.

Without arguments all of them, several at a time: each has a laboratory of its own and waits more than it works.
Arguments are pytest's; a name such as test_nat.py::test_x is looked for here. Each test file may be run by
itself with pytest, too; NATVI names the binary (build/natvi by default).
"""
import os
import pathlib
import sys

import pytest

from count import SECOND_TRY, Count, closing

HERE = pathlib.Path(__file__).resolve().parent
AT_A_TIME = 2 * (os.cpu_count() or 1)


def place(argument):
    if argument.startswith("test_") and (HERE / argument.split("::")[0]).exists():
        return str(HERE / argument)
    return argument


def main():
    arguments = [place(a) for a in sys.argv[1:]] or ["-n", str(AT_A_TIME), *SECOND_TRY]
    if not any(a.split("::")[0].endswith(".py") for a in arguments):
        arguments.append(str(HERE))
    counts = Count()
    os.chdir(HERE.parent.parent)
    status = pytest.main(["-ra", "-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), "-c", str(HERE / "pytest.ini"),
                          *arguments], plugins=[counts])
    line, unsteady = closing("net", counts.passed, counts.failed, counts.skipped, counts.again)
    print(line, flush=True)
    return int(status) or int(unsteady)


if __name__ == "__main__":
    sys.exit(main())
