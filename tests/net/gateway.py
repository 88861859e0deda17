# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The laboratory of nearly all network tests: an inside, a gateway that runs natvi, an outside.

    inside 198.18.0.10-.13/24 -- lan0 [gateway 198.18.0.1, 203.0.113.1] wan0 -- 203.0.113.9, .10/24 outside
                                                                                198.51.100.1, .2 (behind 203.0.113.9)

The outside has routes to the pool 192.0.2.0/28 and, as a hostile neighbour would, to the inside, both by
the gateway. All addresses are documentation's.
"""
import copy
import json
import os
import pathlib
import shutil
import signal

import yaml

from lab import PATIENCE_S, PREFIX, veth, wait_for
from wire import Tap

NATVI = os.environ.get("NATVI") or str(pathlib.Path(__file__).resolve().parents[2] / "build" / "natvi")
PINS = pathlib.Path("/sys/fs/bpf/natvi")
RUN = pathlib.Path("/run/natvi")

INSIDE = "198.18.0.10"
INSIDE2 = "198.18.0.11"
INSIDE3 = "198.18.0.12"
INSIDES = ("198.18.0.10", "198.18.0.11", "198.18.0.12", "198.18.0.13")
INSIDE_NET = "198.18.0.0/15"
GATEWAY = "198.18.0.1"
EXTERNAL = "203.0.113.1"
SERVER = "203.0.113.9"
SERVER2 = "203.0.113.10"
REMOTE = "198.51.100.1"
REMOTE2 = "198.51.100.2"
POOL = "192.0.2.0/28"

MASQUERADE = {"name": "out", "from": {"interface": "lan0"}, "to": {"interface": "wan0"}, "action": "masquerade"}
REFUSE = {"name": "refuse", "from": {"interface": "wan0"}, "action": "drop"}
TO_POOL = dict(MASQUERADE, action={"snat": "public"})


def config(hook, rules=(MASQUERADE, REFUSE), pool=None, interfaces=("lan0", "wan0"), **more):
    """A configuration as natvi.yaml has it. pool: settings of the pool "public"; it gets POOL if it names no addresses."""
    result = {"interfaces": [{"name": name, "xdp": "native" if hook == "xdp" else "off"} for name in interfaces],
              "rules": copy.deepcopy(list(rules))}
    if pool is not None:
        result["pools"] = [{"name": "public", "addresses": [POOL], **pool}]
    result.update(copy.deepcopy(more))
    return result


class Topology:
    """inside, gateway and outside, wired and addressed; forwarding is off until natvi turns it on."""

    def __init__(self, lab, hook):
        self.lab, self.hook = lab, hook
        self.inside, self.gateway, self.outside = (lab.namespace(role) for role in ("in", "gw", "out"))
        self.gateway.sysctl("net.ipv4.ip_forward", 0)
        self.gateway.sysctl("net.ipv4.conf.all.forwarding", 0)
        veth(self.gateway, "lan0", self.inside, "eth0")
        veth(self.gateway, "wan0", self.outside, "eth0")
        self.inside.ip(*["addr add %s/24 dev eth0" % a for a in INSIDES], "route add default via %s" % GATEWAY)
        self.gateway.ip("addr add %s/24 dev lan0" % GATEWAY, "addr add %s/24 dev wan0" % EXTERNAL,
                        "route add default via %s" % SERVER)
        self.outside.ip("addr add %s/24 dev eth0" % SERVER, "addr add %s/24 dev eth0" % SERVER2,
                        "addr add %s/32 dev lo" % REMOTE, "addr add %s/32 dev lo" % REMOTE2,
                        "route add %s via %s" % (POOL, EXTERNAL), "route add %s via %s" % (INSIDE_NET, EXTERNAL))
        if hook == "xdp":
            self.suit_xdp()

    def suit_xdp(self):
        """XDP cannot see that a checksum is still to be made, and a veth takes redirected frames with NAPI (GRO) only."""
        self.send_plain()
        for namespace in (self.inside, self.outside):
            namespace.run("ethtool", "-K", "eth0", "gro", "on")

    def send_plain(self):
        """Have the hosts send frames as they are on a wire: checksums made, none larger than the MTU."""
        for namespace in (self.inside, self.outside):
            namespace.run("ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off")

    def real_checksums(self):
        """Have frames arrive with real checksums, for a capture to verify, though the hosts do not make them.

        They go on sending packets whose checksum is still to be made, TCP ones far larger than the MTU; it is the gateway's
        own ports that must make the checksum at last, after translation.
        """
        for port in ("lan0", "wan0"):
            self.gateway.run("ethtool", "-K", port, "tx", "off", "tso", "off", "gso", "off")

    def natvi(self, instance=""):
        return Natvi(self, self.gateway, instance)

    def running(self, configuration=None, *arguments):
        """natvi started in the gateway and forwarding."""
        natvi = self.natvi()
        natvi.start(configuration if configuration is not None or arguments else config(self.hook), *arguments)
        return natvi

    def tap(self, which="outside"):
        return Tap(getattr(self, which))

    def mac(self, namespace, interface):
        return json.loads(namespace.run("ip", "-j", "link", "show", interface).stdout)[0]["address"]


class Natvi:
    """One instance of natvi in a namespace, spoken to as an administrator would."""

    def __init__(self, topology, namespace, suffix=""):
        self.lab, self.namespace = topology.lab, namespace
        self.instance = namespace.name.rsplit("-", 1)[0] + suffix
        assert self.instance.startswith(PREFIX)
        self.process = None
        self.started = 0
        self.lab.defer(self._clean)

    def _clean(self):
        if self.started:
            if self.process:
                self.process.stop()
            done = self.cli("down", check=False)
            left = PINS / self.instance
            (RUN / (self.instance + ".lock")).unlink(missing_ok=True)
            if left.exists():
                shutil.rmtree(left, ignore_errors=True)
                raise AssertionError("natvi down left %s: %s%s" % (left, done.stdout, done.stderr))

    def _config_file(self, configuration):
        path = self.lab.dir / ("%s.yaml" % self.instance)
        path.write_text(configuration if isinstance(configuration, str) else yaml.safe_dump(configuration, sort_keys=False))
        return path

    def start(self, configuration=None, *arguments, ready=True, wrapper=()):
        """`natvi run` in the background, until it says that it forwards. wrapper: a command that runs it."""
        words = [*wrapper, NATVI, "run", "--instance", self.instance]
        if configuration is not None:
            words += ["-c", self._config_file(configuration)]
        self.started += 1
        self.process = self.namespace.spawn(*words, *arguments)
        if ready:
            self.process.wait_output(r"^natvi: ready", 30)
        return self.process

    def cli(self, *words, **options):
        first, *rest = words
        return self.namespace.run(NATVI, first, "--instance", self.instance, *rest, **options)

    def show(self, subject, *filters):
        """`natvi show SUBJECT FILTERS --json`; the list under the subject's name."""
        data = json.loads(self.cli("show", subject, *filters, "--json").stdout)
        return data[subject] if isinstance(data, dict) and subject in data else data

    def sessions(self, *filters):
        return self.show("sessions", *filters)

    def counter(self, verdict):
        """Packets that ended in this verdict so far."""
        return counters(self.show("stats")).get(verdict, 0)

    def reload(self, configuration):
        return self.cli("reload", self._config_file(configuration))

    def stop(self):
        """`natvi stop`: the daemon goes, the datapath stays."""
        self.cli("stop")
        self.process.wait(30)

    def down(self):
        """`natvi down`: everything goes."""
        self.cli("down")
        self.process.wait(30, check=False)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.popen.wait(PATIENCE_S)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)
        stat = pathlib.Path("/proc/%d/stat" % self.process.pid)
        wait_for(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", 15, "the daemon to stand still")


def counters(stats):
    """verdict -> packets, whatever else `show stats --json` holds."""
    return {v["name"]: v["packets"] for v in stats["verdicts"]}
