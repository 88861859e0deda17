# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Commands, alone or inside a network namespace."""

import subprocess


class Failed(Exception):
    """A command or a measurement that did not work; the text says why."""


def run(*argv, timeout=60, check=True):
    """Runs a command and returns its standard output."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=timeout)
    except FileNotFoundError:
        raise Failed(f"{argv[0]}: no such command") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(argv)}: not done in {timeout} s") from None
    if check and done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"{' '.join(argv)}: {said[-1] if said else done.returncode}")
    return done.stdout


def inside(ns, *argv):
    """The command line that runs argv in a namespace.

    nsenter and not `ip netns exec`: the latter mounts a new /sys, and the
    pinned maps under /sys/fs/bpf would be out of sight.
    """
    return ("nsenter", f"--net=/run/netns/{ns}", *argv)
