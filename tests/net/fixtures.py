# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Fixtures: a laboratory for each test, on each hook; nothing runs where the kernel does not permit it."""
import ctypes
import os
import pathlib

import pytest

from gateway import NATVI, PINS, Topology
from lab import CLONE_NEWNET, PREFIX, Lab, adopt, children, leftovers, remove_orphans, run

SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine, 280)
BPF_MAP_CREATE = 0
BPF_MAP_TYPE_ARRAY = 2
BPFFS = pathlib.Path("/sys/fs/bpf")


def why_not():
    """Why these tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "network namespaces and BPF need root"
    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        os._exit(0 if libc.unshare(CLONE_NEWNET) == 0 else 1)
    if os.waitpid(child, 0)[1] != 0:
        return "network namespaces are not permitted here"
    attributes = (ctypes.c_uint32 * 32)(BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    fd = libc.syscall(SYS_BPF, BPF_MAP_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        return "bpf(2) is not permitted here: %s" % os.strerror(ctypes.get_errno())
    os.close(fd)
    if not _bpffs_mounted() and run(["mount", "-t", "bpf", "bpf", BPFFS], check=False).returncode != 0:
        return "%s is not mounted and cannot be" % BPFFS
    return None


def _bpffs_mounted():
    mounts = [line.split() for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return any(m[1] == str(BPFFS) and m[2] == "bpf" for m in mounts)


@pytest.fixture(scope="session", autouse=True)
def machine():
    """A machine that can run them, and that is at the end as it was at the beginning."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    assert os.access(NATVI, os.X_OK), "%s is not there; run make" % NATVI
    adopt()
    remove_orphans()
    yield
    left = leftovers(os.getpid())
    mine = "%s%d-" % (PREFIX, os.getpid())
    left += [str(p) for p in PINS.glob(mine + "*")]
    left += ["process %s" % p for p in children()]
    assert not left, "the tests left behind: %s" % ", ".join(left)


@pytest.fixture
def lab(machine):
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture(params=["tc", "xdp"])
def hook(request):
    return request.param


@pytest.fixture
def net(lab, hook):
    return Topology(lab, hook)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """With a failure, what natvi said."""
    report = (yield).get_result()
    lab = next((f if isinstance(f, Lab) else f.lab for f in getattr(item, "funcargs", {}).values()
                if isinstance(getattr(f, "lab", f), Lab)), None)
    if report.when == "call" and report.failed and lab:
        for path in sorted(lab.dir.glob("process-*.err")):
            text = path.read_text(errors="replace").strip()
            if text:
                report.sections.append((path.name, text[-4000:]))


@pytest.fixture
def tc(lab):
    """A laboratory on tc alone, for what does not depend on the hook."""
    return Topology(lab, "tc")
