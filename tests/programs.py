#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run test programs that are built already: cmocka programs (unit) or libFuzzer targets (fuzz).

Prints a line a program, the whole output of those that fail, and a closing summary; exits 1 when
anything failed, or when there was nothing to run at all. A fuzz target's corpus is
tests/fuzz/corpus_NAME, which is only read: what a run finds goes to the work directory.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
UNIT_TIMEOUT_S = 180
FUZZ_GRACE_S = 60
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


def fixed_layout():
    """ASan of these compilers can meet a random address layout it does not bear; ask for a fixed one."""
    probe = ["setarch", os.uname().machine, "-R"]
    if shutil.which("setarch") and subprocess.run(probe + ["true"], capture_output=True).returncode == 0:
        return probe
    return []


def run(command, timeout_s, prefix):
    """(exit status or None when out of time, output, seconds)"""
    started = time.monotonic()
    environment = dict(os.environ, **SANITIZERS)
    try:
        done = subprocess.run(prefix + command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s,
                              cwd=ROOT, env=environment, text=True, errors="replace")
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = None, (late.stdout or b"").decode(errors="replace")
    return status, output, time.monotonic() - started


def count(output, word):
    return sum(int(n) for n in re.findall(r"^\[ *%s *\] (\d+) test" % word, output, re.M))


def unit(program, args, prefix):
    """(passed, failed, skipped) of one cmocka program"""
    status, output, seconds = run([program], UNIT_TIMEOUT_S, prefix)
    passed, failed, skipped = (count(output, word) for word in ("PASSED", "FAILED", "SKIPPED"))
    started = sum(int(n) for n in re.findall(r"Running (\d+) test", output))
    if (status != 0 or passed + failed + skipped < started) and failed == 0:
        failed = 1  # it died: a sanitizer's report, a signal, out of time
    if passed + failed + skipped == 0:
        failed, output = 1, output + "no test ran\n"
    report(program, failed, "%d of %d tests" % (passed, max(started, passed + failed + skipped)), seconds, status, output, args)
    return passed, failed, skipped


def fuzz(program, args, prefix):
    """(passed, failed, skipped) of one libFuzzer target: it passes when it finds nothing"""
    name = os.path.basename(program)[len("fuzz_"):]
    work = pathlib.Path(args.work).resolve() / name
    shutil.rmtree(work, ignore_errors=True)
    (work / "found").mkdir(parents=True)
    corpus = ROOT / "tests" / "fuzz" / ("corpus_" + name)
    command = [os.path.abspath(program), "-max_total_time=%d" % args.seconds, "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", "-artifact_prefix=%s/" % work, str(work / "found")]
    if corpus.is_dir():
        command.append(str(corpus))
    status, output, seconds = run(command, args.seconds + FUZZ_GRACE_S, prefix)
    units = re.search(r"stat::number_of_executed_units: +(\d+)", output)
    runs = int(units.group(1)) if units else 0
    failed = 0 if status == 0 and runs > 0 else 1
    if failed:
        output += "reproduce: %s INPUT, with the input under %s\n" % (program, work)
    report(program, failed, "%d inputs" % runs, seconds, status, output, args)
    return 1 - failed, failed, 0


def report(program, failed, what, seconds, status, output, args):
    word = "FAIL" if failed else "ok"
    print("%-5s %-32s %s, %.1f s" % (word, os.path.basename(program), what, seconds), flush=True)
    if failed and status is None:
        print("      out of time")
    if failed or args.verbose:
        lines = output.splitlines()
        print("\n".join("      " + line for line in lines[-200:]), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["unit", "fuzz"])
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--work", default="build/fuzz/work")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_intermixed_args()
    prefix = fixed_layout()
    one = unit if args.kind == "unit" else fuzz
    totals = [sum(column) for column in zip(*[one(os.path.abspath(p), args, prefix) for p in args.programs])] or [0, 0, 0]
    if not args.programs:
        print("check-%s: there is nothing to run" % args.kind)
        return 1
    print("check-%s: %d passed, %d failed, %d skipped" % (args.kind, *totals), flush=True)
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
