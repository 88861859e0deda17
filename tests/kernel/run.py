#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi on other kernels: Debian's cloud kernels in QEMU, by software emulation, with no network device.

On each kernel that `make deps-kernels` has unpacked under BUILD/kernel: tests/cases on tc and XDP, run.py here and
case-runner there (far_runner.py); then a gateway with real programs (smoke.sh). What a machine says on its console is kept in
BUILD/kernel/VERSION.console. All has to be done within a quarter of an hour; a machine that hangs has failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import initramfs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
KERNELS = ("6.1", "6.12")
HOSTS = ("native", "tc", "xdp")
DEFAULT_HOSTS = ("tc", "xdp")       # native asks nothing of the kernel, and takes a third of the time
LIMIT_S = 900
CONSOLE_LINES = 40
QEMU = "qemu-system-x86_64"
NEEDED = {QEMU: "qemu-system-x86", initramfs.BUSYBOX: "busybox-static", "cpio": "cpio", "ip": "iproute2", "tc": "iproute2",
          "ethtool": "ethtool", "nft": "nftables"}


class Trouble(Exception):
    """What kept a kernel from being tested."""


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def line(self, text):
        """Count and show a line that begins with ok, FAIL or SKIP."""
        word = text.split(" ", 1)[0]
        self.passed += word == "ok"
        self.failed += word == "FAIL"
        self.skipped += word == "SKIP"
        print(text, flush=True)


class Deadline:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        """Seconds; none left is Trouble."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise Trouble("not done within the time (%d s for all kernels)" % LIMIT_S)
        return left


class Machine:
    """A kernel that runs in QEMU; it ends with the context."""

    def __init__(self, name, deadline):
        self.name, self.deadline = name, deadline
        self.unpacked = BUILD / "kernel" / name
        self.console = BUILD / "kernel" / (name + ".console")
        self.sockets = pathlib.Path(tempfile.mkdtemp(prefix="natvi-kernel-"))     # a socket's path is short
        self.process = self.control = None

    def __enter__(self):
        try:
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.control:
            self.control.close()
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()
        shutil.rmtree(self.sockets, ignore_errors=True)

    def arguments(self, archive):
        kernel = next((self.unpacked / "boot").glob("vmlinuz-*"))
        words = [QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nic", "none", "-nodefaults",
                 "-no-user-config", "-display", "none", "-no-reboot", "-kernel", str(kernel), "-initrd", str(archive),
                 "-append", "console=ttyS0 panic=-1", "-serial", "file:%s" % self.console, "-device", "virtio-serial-pci"]
        for port in ("control",) + HOSTS:
            words += ["-chardev", "socket,id=%s,path=%s/%s,server=on,wait=off" % (port, self.sockets, port),
                      "-device", "virtserialport,chardev=%s,name=%s" % (port, port)]
        return words

    def boot(self):
        archive = self.unpacked.with_suffix(self.unpacked.suffix + ".cpio")
        initramfs.make(self.unpacked, BUILD, self.unpacked.with_name(self.name + ".root"), archive)
        self.console.write_bytes(b"")
        self.process = subprocess.Popen(self.arguments(archive), stdin=subprocess.DEVNULL)
        self.connect()
        word, _, self.release = self.hear().partition(" ")
        if word != "up":
            raise Trouble("it does not say that it is up")

    def connect(self):
        self.control = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.control.connect(str(self.sockets / "control"))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None:
                    raise Trouble("QEMU ended with status %d" % self.process.returncode) from None
                self.deadline.left()
                time.sleep(0.05)
        self.lines = self.control.makefile("r")

    def hear(self):
        """The next line of its control port"""
        self.control.settimeout(self.deadline.left())
        try:
            line = self.lines.readline()
        except OSError:
            line = ""
        if not line.endswith("\n"):
            self.deadline.left()
            raise Trouble("the machine ended")
        return line.rstrip("\n")

    def say(self, word):
        self.control.sendall(word.encode() + b"\n")

    def smoke(self):
        """Lines of smoke.sh"""
        self.say("smoke")
        while True:
            line = self.hear()
            if line == "done":
                return
            yield line

    def off(self):
        """A kernel that cannot even end has failed, too."""
        self.say("off")
        try:
            status = self.process.wait(min(30, self.deadline.left()))
        except subprocess.TimeoutExpired:
            raise Trouble("it does not power off") from None
        if status:
            raise Trouble("QEMU ended with status %d" % status)
        if re.search(rb"\] (BUG|WARNING|Oops|general protection|INFO: task)\b", self.console.read_bytes()):
            raise Trouble("the kernel complains (see its console)")


def run_command(words, env, seconds):
    """Output, or None: not done within the time. A process group, so that what it has started ends with it"""
    process = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None


def run_cases(machine, host, names):
    """What tests/cases/run.py says of one host there"""
    place = machine.unpacked.with_name(machine.name + ".cases")
    env = dict(os.environ, BUILD=str(place), NATVI_FAR_SOCKETS=str(machine.sockets), PYTHONDONTWRITEBYTECODE="1")
    words = [sys.executable, str(ROOT / "tests/cases/run.py"), "--host", host, *names]
    output = run_command(words, env, machine.deadline.left())
    if output is None:
        raise Trouble("cases on %s: not done within the time" % host)
    return output


def count_cases(machine, host, output, totals):
    """Show what failed, what could not run and why, and how many."""
    sums = re.search(r"^check-cases: (\d+) passed, (\d+) failed, (\d+) skipped", output, re.M)
    if not sums:
        raise Trouble("cases on %s: %s" % (host, output.strip()[-2000:] or "no result"))
    passed, failed, skipped = (int(n) for n in sums.groups())
    totals.passed, totals.failed, totals.skipped = totals.passed + passed, totals.failed + failed, totals.skipped + skipped
    shown = [line for line in output.splitlines() if not line.startswith("check-cases:")]
    shown.append("%s %s cases on %s: %s" % ("FAIL" if failed else "ok", machine.name, host, sums.group()[13:]))
    print("\n".join(shown), flush=True)


def run_all_cases(machine, hosts, names, totals):
    """The hosts at the same time: one emulated processor is slow, and there are two."""
    runner = machine.unpacked.with_name(machine.name + ".cases") / "tests" / "case-runner"
    runner.parent.mkdir(parents=True, exist_ok=True)
    runner.unlink(missing_ok=True)
    runner.symlink_to(HERE / "far_runner.py")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        outputs = [(host, pool.submit(run_cases, machine, host, names)) for host in hosts]
        for host, output in outputs:
            count_cases(machine, host, output.result(), totals)


def run_kernel(name, args, deadline, totals):
    before = totals.failed
    machine = Machine(name, deadline)
    try:
        with machine:
            print("check-kernels: %s" % machine.release, flush=True)
            if not args.gateway:
                run_all_cases(machine, args.host or DEFAULT_HOSTS, args.names, totals)
            for line in () if args.names else machine.smoke():
                totals.line(line.replace(" ", " %s " % name, 1))
            machine.off()
    except Trouble as trouble:
        totals.line("FAIL %s %s" % (name, trouble))
    if totals.failed > before:      # also why a gateway's check failed
        lines = machine.console.read_text(errors="replace").splitlines() if machine.console.exists() else []
        print("--- the end of %s" % machine.console)
        print("\n".join(lines[-CONSOLE_LINES:]))
        print("---", flush=True)


def missing(kernels):
    """What is not there, in a word each"""
    have = shutil.which
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    programs = sorted({package for program, package in NEEDED.items() if not have(program, path=path)})
    return programs + ["kernel " + k for k in kernels if not list((BUILD / "kernel" / k / "boot").glob("vmlinuz-*"))]


def main():
    parser = argparse.ArgumentParser(description="Run the cases and a gateway on other kernels.")
    parser.add_argument("names", nargs="*", help="cases (default: all, and the gateway)")
    parser.add_argument("--kernel", choices=KERNELS, action="append", help="only this one (may be repeated)")
    parser.add_argument("--host", choices=HOSTS, action="append", help="cases on this host (may be repeated; default: tc, xdp)")
    parser.add_argument("--gateway", action="store_true", help="no cases, only the gateway")
    args = parser.parse_args()
    kernels = args.kernel or KERNELS
    absent = missing(kernels)
    if absent:
        sys.exit("check-kernels: not there: %s; run 'make deps-kernels' (as root)" % ", ".join(absent))
    started, totals, deadline = time.monotonic(), Totals(), Deadline(LIMIT_S)
    for name in kernels:
        run_kernel(name, args, deadline, totals)
    print("check-kernels: %d passed, %d failed, %d skipped" % (totals.passed, totals.failed, totals.skipped), flush=True)
    print("(%.0f s; consoles: %s)" % (time.monotonic() - started, BUILD / "kernel"), file=sys.stderr)
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
