# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Network namespaces, processes in them, and sockets in them.

A Namespace and a Process live from their construction to Lab.close(), which undoes everything in
reverse order, whatever has happened in between. Nothing here sleeps for luck: every wait polls for
what it waits for and fails, saying what was missing, when its time is over.
"""
import contextlib
import ctypes
import itertools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

NETNS_DIR = pathlib.Path("/run/netns")
PREFIX = "nvt"
CLONE_NEWNET = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
POLL_S = 0.02
PATIENCE_S = 20     # for what must come and comes at once, unless the machine has something else to do
GENERATIONS = 5

_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count(1)


class Late(AssertionError):
    """What a test waited for did not come in time."""


def wait_for(condition, timeout, what):
    """Poll condition() until it returns something true, and return that."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Late("waited %g s in vain for %s" % (timeout, what() if callable(what) else what))
        time.sleep(POLL_S)


def busy():
    """How many programs there are to a core, now or in the last minute."""
    load, running = re.match(r"(\S+) \S+ \S+ (\d+)/", pathlib.Path("/proc/loadavg").read_text()).groups()
    return max(float(load), int(running)) / (os.cpu_count() or 1)


def stretched(seconds):
    """A demand of time as it is on an idle machine; where programs wait for each other all of them take longer, or stand still."""
    return seconds if busy() <= 1 else seconds * 2 * busy() + 3


def wait_within(condition, seconds, what):
    """wait_for what has to be so within seconds, as the demand is."""
    return wait_for(condition, stretched(seconds), what)


def in_time(attempt, seconds, times=6):
    """
    What attempt() says, which has to be through in so many seconds, lest the time that it is about be over: one that fails after
    that says nothing, and another one is made.
    """
    for left in reversed(range(times)):
        began = time.monotonic()
        try:
            return attempt()
        except (AssertionError, OSError):
            if time.monotonic() - began < seconds or not left:
                raise


def persist(attempt, again=None):
    """
    What attempt() says. Where programs wait for each other there is another one after again(): queues run over there, and what
    may wait for a while only is given up, by right.
    """
    for left in reversed(range(6)):
        try:
            return attempt()
        except (AssertionError, TimeoutError):
            if busy() <= 1 or not left:
                raise
            if again:
                again()


def run(words, check=True, timeout=100, **options):
    """Run a command to its end; stdout and stderr are text in the result."""
    words = [str(w) for w in words]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                          timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError("%s: exit status %d\n%s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr))
    return done


class Process:
    """A background process. Its standard output and error go to files and can be waited for."""

    def __init__(self, lab, words, stdin=None):
        self.words = [str(w) for w in words]
        name = next(os.path.basename(w) for w in self.words if not w.startswith("-") and w != "nsenter")
        base = lab.dir / ("process-%d-%s" % (next(_serial), name))
        self.out_path, self.err_path = base.with_name(base.name + ".out"), base.with_name(base.name + ".err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            # The kernel ends it when the test process is killed outright.
            self.popen = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *self.words], stdout=out, stderr=err,
                                          stdin=stdin or subprocess.DEVNULL)
        lab.pids.add(self.pid)

    @property
    def pid(self):
        return self.popen.pid

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    @property
    def err(self):
        return self.err_path.read_text(errors="replace")

    def alive(self):
        return self.popen.poll() is None

    def wait_output(self, pattern, timeout=PATIENCE_S):
        """Wait until pattern is found in its output or error; the match."""
        def look():
            match = re.search(pattern, self.out + self.err, re.M)
            if not match and not self.alive():
                match = re.search(pattern, self.out + self.err, re.M)
                assert match, "%s ended (%s) without %r:\n%s%s" % (" ".join(self.words), self.popen.returncode, pattern,
                                                                   self.out, self.err)
            return match
        return wait_for(look, timeout, lambda: "%r from %s, which said:\n%s%s" % (pattern, self.words[0], self.out, self.err))

    def wait(self, timeout=60, check=True):
        """Wait for its end; the exit status, which must be 0 if check."""
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Late("%s has not ended after %g s:\n%s%s" % (" ".join(self.words), timeout, self.out, self.err)) from None
        assert status == 0 or not check, "%s: exit status %d\n%s%s" % (" ".join(self.words), status, self.out, self.err)
        return status

    def send_signal(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=15):
        """Ask it to end, and make it end."""
        self.send_signal(signal.SIGCONT)
        self.send_signal(number)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(PATIENCE_S)
        return self.popen.returncode


class Namespace:
    """One network namespace with its own processes and sockets."""

    def __init__(self, lab, role):
        self.lab = lab
        self.name = "%s%d-%d-%s" % (PREFIX, os.getpid(), next(_serial), role)
        self.path = NETNS_DIR / self.name
        run(["ip", "netns", "add", self.name])
        lab.defer(self._delete)
        # Families are the tests' choice: no IPv6 chatter in captures unless a test wants it.
        self.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        self.sysctl("net.ipv6.conf.default.disable_ipv6", 1)
        self.sysctl("net.ipv4.conf.all.rp_filter", 0)
        self.sysctl("net.ipv4.conf.default.rp_filter", 0)
        self.ip("link set lo up")

    def _delete(self):
        run(["ip", "netns", "del", self.name], check=False)

    def words(self, words):
        return ["nsenter", "--net=%s" % self.path, *[str(w) for w in words]]

    def run(self, *words, **options):
        return run(self.words(words), **options)

    def spawn(self, *words, **options):
        process = Process(self.lab, self.words(words), **options)
        self.lab.defer(process.stop)
        return process

    def ping(self, address, *options, count=1, interval=0.05):
        """So many are answered; what ping says. For the last one's answer it may wait 2 RTT only, so that is one too many."""
        number = count + (count > 1)
        done = self.run("ping", "-n", "-c", number, "-i", interval, "-W", 10, *options, address, check=False)
        received = re.search(r", (\d+) received", done.stdout)
        assert received and int(received[1]) >= count, "ping %s: %s%s" % (address, done.stdout, done.stderr)
        return done.stdout

    def ip(self, *commands):
        """Commands of ip(8), one a string, in one go."""
        run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(commands) + "\n")

    def sysctl(self, key, value):
        with self.enter():
            pathlib.Path("/proc/sys", *key.split(".")).write_text(str(value))

    def get_sysctl(self, key):
        with self.enter():
            return pathlib.Path("/proc/sys", *key.split(".")).read_text().strip()

    @contextlib.contextmanager
    def enter(self):
        """What is opened inside belongs to this namespace. Not for threads."""
        with open("/proc/self/ns/net") as home, open(self.path) as there:
            _setns(there.fileno())
            try:
                yield self
            finally:
                _setns(home.fileno())

    def socket(self, kind, proto=0, family=socket.AF_INET):
        with self.enter():
            sock = socket.socket(family, kind, proto)
        self.lab.defer(sock.close)
        sock.settimeout(PATIENCE_S)
        return sock

    def udp(self, address="0.0.0.0", port=0):
        sock = self.socket(socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        return sock

    def tcp_listen(self, address="0.0.0.0", port=0, backlog=256):
        sock = self.socket(socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(backlog)
        return sock

    def tcp(self, address="0.0.0.0", port=0, timeout=PATIENCE_S):
        """A TCP socket, bound but not connected."""
        sock = self.socket(socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(timeout)
        sock.bind((address, port))
        return sock


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Lab:
    """Everything that a test makes, and its removal in reverse order. Several may be open at a time."""

    opened = []

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX + "-"))
        self.pids = set()
        Lab.opened.append(self)
        self._undo = []
        self.defer(shutil.rmtree, self.dir, ignore_errors=True)

    def defer(self, function, *arguments, **options):
        self._undo.append((function, arguments, options))

    def namespace(self, role):
        return Namespace(self, role)

    def close(self):
        problems = []
        while self._undo:
            function, arguments, options = self._undo.pop()
            try:
                function(*arguments, **options)
            except Exception as problem:  # the rest must be undone all the same
                problems.append(repr(problem))
        Lab.opened.remove(self)
        reap(spare=set().union(*(lab.pids for lab in Lab.opened)))
        assert not problems, "not undone: %s" % "; ".join(problems)


def children():
    """Processes that this one started, or inherited from one that it started, and that still run."""
    return [int(pid) for pid in pathlib.Path("/proc/self/task/%d/children" % os.getpid()).read_text().split()]


def adopt():
    """Make orphans of the processes that are started here children of this one, so that none is lost sight of."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(spare=()):
    """End what processes that have ended already left behind, such as the forked children of a server; not the pids in spare."""
    for _ in range(GENERATIONS):    # the children of one that ends here come to light then
        for pid in set(children()) - set(spare):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def veth(near, near_name, far, far_name):
    """A pair of Ethernet devices, one end in each namespace, both up."""
    run(["ip", "link", "add", near_name, "netns", near.name, "type", "veth", "peer", "name", far_name, "netns", far.name])
    near.ip("link set %s up" % near_name)
    far.ip("link set %s up" % far_name)


def leftovers(pid):
    """Namespaces of tests that the process pid ran."""
    if not NETNS_DIR.is_dir():
        return []
    return sorted(n.name for n in NETNS_DIR.iterdir() if n.name.startswith("%s%d-" % (PREFIX, pid)))


def remove_orphans():
    """Namespaces, pins and run-time files of test runs that were killed outright."""
    def orphans(directory):
        for path in directory.iterdir() if directory.is_dir() else []:
            match = re.match(PREFIX + r"(\d+)-", path.name)
            if match and not pathlib.Path("/proc", match.group(1)).exists():
                yield path
    for path in orphans(NETNS_DIR):
        run(["ip", "netns", "del", path.name], check=False)
    for path in orphans(pathlib.Path("/sys/fs/bpf/natvi")):
        shutil.rmtree(path, ignore_errors=True)
    for path in orphans(pathlib.Path("/run/natvi")):
        path.unlink(missing_ok=True)
