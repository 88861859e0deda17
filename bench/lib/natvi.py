# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A natvi instance in a gateway's namespace: started, looked into, removed."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

from lib.shell import Failed, inside, run
from lib.topology import POOL_NET, WIRE_BOX

PINS = "/sys/fs/bpf/natvi"
READY = "natvi: ready"
START_S = 30
STOP_S = 10

CONFIG = """\
interfaces:
  - {{name: lan0, xdp: {xdp}}}
  - {{name: wan0, xdp: {xdp}}}
pools:
  - name: bench
    addresses: [{pool}]
    ports: 1024-65535
limits: {{sessions: {sessions}, mappings: {sessions}}}
rules:
{decoys}\
  - name: bench
    from: {{interface: lan0}}
    to: {{interface: wan0}}
    action: {{snat: bench}}
"""


ACCELERATE = """\
interfaces:
  - {{name: lan0, xdp: {xdp}}}
  - {{name: wan0, xdp: {xdp}}}
accelerate: true
"""

# The rule's destination is nobody's, so that all of its other looks are at what the packets have.
WIRE = """\
wires:
  - name: bench
    ports: [lan0, wan0]
    xdp: {xdp}
    host: {{address: {box}/24}}
    capture:
      - match: {{port: lan0, destination: [198.51.100.0/24], proto: udp}}
        to: vt0
limits: {{sessions: {sessions}}}
"""

# Agrees with every packet of the benchmark in all but its last look: the destination.
DECOY = """\
  - name: decoy-{n}
    from: {{interface: lan0, source: [198.18.0.0/15]}}
    to: {{interface: wan0, destination: [198.19.{high}.{low}], port: 20000-20063}}
    proto: udp
    action: drop
"""


def translating(xdp, sessions, decoys=0):
    """A configuration with one pool. decoys: rules in front of the one that matches."""
    return CONFIG.format(xdp=xdp, pool=POOL_NET, sessions=sessions, decoys="".join(
        DECOY.format(n=n, high=n >> 8, low=n & 255) for n in range(decoys)))


def accelerating(xdp):
    """A configuration that translates nothing itself."""
    return ACCELERATE.format(xdp=xdp)


def wiring(xdp, sessions):
    """A wire with one rule, which captures nothing."""
    return WIRE.format(xdp=xdp, box=WIRE_BOX, sessions=sessions)


class Missing(Failed):
    """There is no natvi to measure: a skip, not a failure."""


def _die_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Natvi:
    def __init__(self, bench, topo, config):
        """config: as natvi.yaml has it."""
        self.binary = os.path.abspath(os.path.join(bench.build, "natvi"))
        self.ns = topo.gateway
        # A name of an instance has at most 31 characters.
        self.instance = topo.name.replace("natvi-", "")
        self.pins = os.path.join(PINS, self.instance)
        self.base = os.path.join(bench.build, "bench", topo.name)
        self.config = config
        self.process = None

    def start(self):
        if not os.access(self.binary, os.X_OK):
            raise Missing(f"{self.binary} is not built")
        with open(self.base + ".yaml", "w") as f:
            f.write(self.config)
        with open(self.base + ".log", "w") as log:
            self.process = subprocess.Popen(
                inside(self.ns, self.binary, "run", "-c", self.base + ".yaml",
                       "--instance", self.instance),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=_die_with_parent)
        self._wait_ready()

    def _log(self):
        with open(self.base + ".log", errors="replace") as f:
            return f.read()

    def _wait_ready(self):
        end = time.monotonic() + START_S
        while READY not in self._log():
            if self.process.poll() is not None:
                said = self._log().strip().splitlines()[-3:]
                raise Failed("natvi ended at start: "
                             + ("; ".join(said) or "it said nothing"))
            if time.monotonic() > end:
                raise Failed(f"natvi was not ready in {START_S} s")
            time.sleep(0.05)

    def stop(self):
        """Ends the daemon, then detaches the datapath; never raises."""
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        try:
            run(*inside(self.ns, self.binary, "down",
                        "--instance", self.instance), check=False)
        except Failed:
            pass
        # Pins outlive the namespace and hold the tables' memory.
        shutil.rmtree(self.pins, ignore_errors=True)
        for suffix in (".yaml", ".log"):
            os.unlink(self.base + suffix)

    def _show(self, *what):
        return json.loads(run(*inside(self.ns, self.binary, "show", *what, "--json",
                                      "--instance", self.instance)))

    def stats(self):
        """How packets ended so far, by the name of the verdict."""
        return {v["name"]: v["packets"] for v in self._show("stats")["verdicts"]}

    def xdp_hits(self):
        return self._show("stats")["xdp_hits"]

    def memory_bytes(self):
        """Memory of all maps that are pinned or that pinned programs use."""
        maps = set()
        for folder, _, names in os.walk(self.pins):
            for name in names:
                maps |= _maps_of(os.path.join(folder, name))
        if not maps:
            raise Failed(f"no maps under {self.pins}")
        return sum(_bpftool("map", "show", "id", str(i))["bytes_memlock"]
                   for i in maps)


def _bpftool(*argv):
    return json.loads(run("bpftool", "-j", *argv))


def _maps_of(path):
    """bpftool says an error for a pin of the other kind, or for a link."""
    try:
        return {_bpftool("map", "show", "pinned", path)["id"]}
    except Failed:
        pass
    try:
        return set(_bpftool("prog", "show", "pinned", path).get("map_ids", []))
    except Failed:
        return set()
