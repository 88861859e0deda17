# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What the benchmark needs of the machine, and gives back."""

import contextlib
import os
import time

from lib.shell import Failed, run

CONNTRACK = "/proc/sys/net/netfilter/"
COMMANDS = ("ip", "ping", "tc", "nft", "ethtool", "nsenter", "bpftool", "sysctl", "conntrack")


def require():
    if os.geteuid():
        raise Failed("the benchmark makes namespaces and loads BPF: run it as root")
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    os.environ["PATH"] = path
    missing = [c for c in COMMANDS if not any(
        os.access(os.path.join(d, c), os.X_OK) for d in path.split(":") if d)]
    if missing:
        raise Failed("missing: " + ", ".join(missing))
    if not _is_bpffs():
        run("mount", "-t", "bpf", "bpf", "/sys/fs/bpf")


def _is_bpffs():
    with open("/proc/mounts") as mounts:
        return any(m.split()[1:3] == ["/sys/fs/bpf", "bpf"] for m in mounts)


def _read(path):
    with open(path) as f:
        return f.read().strip()


def _write(path, value):
    with open(path, "w") as f:
        f.write(str(value))


@contextlib.contextmanager
def conntrack_room(entries):
    """Lets the kernel's NAT hold as many flows as natvi does.

    The limits are those of the initial namespace for all others; they are put
    back at the end.
    """
    names = ("nf_conntrack_buckets", "nf_conntrack_max")
    if not all(os.path.exists(CONNTRACK + n) for n in names):
        raise Failed("the kernel has no connection tracking to compare with")
    before = {n: _read(CONNTRACK + n) for n in names}
    try:
        for n in names:
            _write(CONNTRACK + n, entries)
        yield
    finally:
        for n in names:
            _write(CONNTRACK + n, before[n])


def _cpu_times():
    with open("/proc/stat") as f:
        t = [int(x) for x in f.readline().split()[1:9]]
    return sum(t), t[3] + t[4]


def busy(seconds=0.3):
    """The share of all CPUs in use, 0 to 1."""
    total, idle = _cpu_times()
    time.sleep(seconds)
    total2, idle2 = _cpu_times()
    return 1 - (idle2 - idle) / max(1, total2 - total)


def settle(limit_s):
    """Waits until the kernel has torn down what the last scenario left.

    A namespace with a million connections is freed long after it is deleted.
    """
    end = time.monotonic() + limit_s
    while busy() > 0.15:
        if time.monotonic() >= end:
            return False
    return True
