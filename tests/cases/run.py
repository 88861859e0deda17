#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Run the cases: each on the native host, on tc and on XDP, with the same result.

A case (frames.py, case_*.py) is a configuration and steps: a packet in, what becomes of it. Expected
frames are built by scapy and compared byte by byte; what natvi chooses by chance (a port) has to keep
within bounds, and the rest of the frame is compared all the same. Checksums of all that comes out
are verified, and after each case what must hold of the tables is looked at (tests/runner/view.c).

A verdict of abi/verdict.h that no case reaches is a failure, unless UNREACHED says why.
"""
import argparse
import importlib
import ipaddress
import json
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import logging
logging.getLogger("scapy.runtime").setLevel(logging.ERROR)

from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.utils import checksum  # noqa: E402

import frames  # noqa: E402
import wires  # noqa: E402

HOSTS = ("native", "tc", "xdp")

# Verdicts that no case can reach, and why.
UNREACHED = {
    "internal": "a table that must exist is missing: only a broken load does that",
    "box-out": "at tc egress; tests/net has it",
    "accelerated": "what conntrack knows is learned at tc egress; tests/net has it",
    "accel-kernel": "likewise",
    "box-nat": "likewise",
    "nvi": "at nvi0; tests/net has it",
    "nvi-kernel": "likewise",
    "nvi-loop": "likewise",
}


class Failure(Exception):
    """A case did not go as it says."""


class Skip(Exception):
    """A case that this host cannot run here."""


class Runner:
    """One case-runner process."""

    def __init__(self, program, host):
        self.host = host
        self.process = subprocess.Popen([program, host], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        hello = json.loads(self.process.stdout.readline() or '{"error": "it did not start"}')
        self.trouble = hello.get("error")
        self.skip = bool(hello.get("skip"))

    def ask(self, op, **fields):
        try:
            self.process.stdin.write(json.dumps(dict(fields, op=op)) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            self.process.wait()
            raise Failure("the runner died (status %s) at %s" % (self.process.returncode, op)) from None
        if answer.get("skip"):
            raise Skip(answer["error"])
        if "error" in answer:
            raise Failure("%s: %s" % (op, answer["error"]))
        return answer

    def alive(self):
        return self.process.poll() is None

    def close(self):
        self.process.stdin.close()
        self.process.wait()


# Frames

SELECTORS = ("iif", "source", "tos", "mark")


def table_of(net, route):
    """Its place among the routes' tables (frames.route)"""
    of = [route.get(s) for s in SELECTORS]
    return next(i for i, r in enumerate(net["routes"]) if [r.get(s) for s in SELECTORS] == of) if any(of) else len(net["routes"])


def concerns(route, src, dst, tos, mark):
    def within(address, prefix):
        return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)
    return within(dst, route["prefix"]) and within(src, route.get("source", "0.0.0.0/0")) and \
        route.get("tos", tos) == tos and route.get("mark", mark) == mark


def next_hop(net, out, step, ends):
    """(source MAC, destination MAC) of a frame that leaves by `out` between these ends. By which interface a look-up goes is not
    known here (that of a zone may be asked for), so of routes that differ in iif alone those of `out` count."""
    mac = next(i["mac"] for i in net["interfaces"] if i["name"] == out)
    tos = dict(step.packet.ip).get("tos", 0)
    ways = [r for r in net["routes"] if r["interface"] == out and r["mac"] and concerns(r, *ends, tos, step.given)]
    best = min(ways, key=lambda r: (table_of(net, r), -ipaddress.ip_network(r["prefix"]).prefixlen))
    return mac, best["mac"]


def incoming(net, name):
    """(source, destination MAC) of a frame that comes in: from the first neighbour there"""
    mac = next(i.get("mac") for i in net["interfaces"] if i["name"] == name)
    neighbour = next((r["mac"] for r in net["routes"] if r["interface"] == name and r["mac"]), frames.LAN_HOST_MAC)
    return neighbour, mac


def no_l2(net, name):
    return any(i["name"] == name and i.get("no_l2") for i in net["interfaces"])


def own_error(step, frame, net):
    """natvi's ICMP error about a frame, as RFC 792 has it, back to where the frame came from"""
    kind, code, mtu = step.error
    l2 = 0 if no_l2(net, step.into) else frames.ETH_HEAD
    came = frame[l2:]
    length = int.from_bytes(came[2:4], "big")
    quote = came[:min(length, frames.ICMP_QUOTE)]
    own = next(i["address"] for i in net["interfaces"] if i["name"] == step.into).split("/")[0]
    source = ".".join(str(b) for b in came[12:16])
    message = bytes([kind, code, 0, 0, 0, 0]) + mtu.to_bytes(2, "big") + quote
    total = checksum(message).to_bytes(2, "big")
    ip = IP(src=own, dst=source, ttl=64, tos=0xc0, flags="DF", id=0, proto=1, len=20 + len(message))
    head = frame[6:12] + frame[0:6] + frame[12:14] if l2 else b""
    return head + bytes(ip) + message[:2] + total + message[4:]


def chosen(packet, got, where, bound):
    """Take the values that natvi chose out of a frame, and judge them."""
    if not where:
        return
    try:
        ip = Ether(got)[IP]
    except IndexError:
        raise Failure("what came out is not IPv4: %s" % got.hex()) from None
    l4 = ip.payload
    seen = {}
    for text, address, place in ((packet.src, ip.src, "sport"), (packet.dst, ip.dst, "dport")):
        first, _, second = text.partition(":")
        seen[first] = address
        seen[second] = getattr(l4, place, None)
    ident = dict(packet.l4).get("id")
    if ident is not None:
        seen[ident] = getattr(l4, "id", None)
    seen[dict(packet.ip).get("id")] = ip.id
    for name, rule in where:
        value = seen.get("$" + name)
        if value is None:
            raise Failure("$%s is not in the packet that came out: %s" % (name, ip.summary()))
        wrong = rule.wrong(value, bound)
        if wrong:
            raise Failure("$%s: %s (%s)" % (name, wrong, ip.summary()))
        bound[name] = value


def bad_checksum(frame):
    """A sentence about the first checksum of an IPv4 frame that is wrong; None: all are right"""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    if frame[at:at + 2] != b"\x08\x00" or len(frame) < at + 22:
        return None
    packet = frame[at + 2:]
    head, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big")
    if checksum(packet[:head]) != 0:
        return "the IP header's checksum is wrong"
    proto, l4 = packet[9], packet[head:total]
    fragment = int.from_bytes(packet[6:8], "big") & 0x3fff
    if fragment or proto not in (1, 6, 17):
        return None
    if proto == 17 and l4[6:8] == b"\0\0":
        return None
    pseudo = b"" if proto == 1 else packet[12:20] + bytes([0, proto]) + len(l4).to_bytes(2, "big")
    odd = b"\0" if len(l4) % 2 else b""
    return "the checksum of protocol %d is wrong" % proto if checksum(pseudo + l4 + odd) != 0 else None


def differences(expected, got):
    """Lines for a person: which fields of which layer differ."""
    lines = []
    if len(expected) != len(got):
        lines.append("length: %d instead of %d" % (len(got), len(expected)))
    want, have = Ether(expected), Ether(got)
    while want and have and type(want) is type(have):
        for field in want.fields_desc:
            a, b = getattr(want, field.name), getattr(have, field.name)
            if a != b:
                lines.append("%s.%s: %s instead of %s" % (want.name, field.name, b, a))
        want, have = want.payload, have.payload
    lines.append("expected " + expected.hex())
    lines.append("got      " + got.hex())
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    lines.append("         " + "  " * at + "^^ byte %d" % at)
    return "\n".join(lines)


def same_frame(expected, got, what):
    if expected != got:
        raise Failure("%s\n%s" % (what, differences(expected, got)))


# A case

class Run:
    """A case on one host."""

    def __init__(self, case, runner):
        self.case, self.runner = case, runner
        self.net = case.net or frames.NET
        self.bound = {}
        self.verdicts = set()
        self.idents = {}        # (addresses, protocol) as they go out: identifications that were used
        self.datagrams = {}     # (addresses, protocol, identification) as they come in: identification that went out
        self.numbers = {}       # of interfaces

    def expected(self, step, frame, got):
        """The frame that should have come out."""
        if step.error:
            return own_error(step, frame, self.net)
        if step.park and step.kind == "packet":
            return self.parked(step, frame)
        if step.expect is None:
            return frame
        if isinstance(step.expect, wires.Whole):
            whole = step.expect.frame(self.bound)
            return whole[frames.ETH_HEAD:] if no_l2(self.net, step.out) else whole
        if isinstance(step.expect, frames.Other):   # an answer, to who asked
            neighbour, mac = incoming(self.net, step.into)
            return step.expect.frame(self.bound, mac, neighbour)
        chosen(step.expect, got, step.where, self.bound)
        expect = self.renamed(step, frame, got)
        if step.out is None:    # to the kernel: Ethernet as it came
            expected = expect.frame(self.bound, *incoming(self.net, step.into))
            return expected[frames.ETH_HEAD:] if no_l2(self.net, step.into) else expected
        ends = [address for address, _ in expect.ends(self.bound)]
        return expect.frame(self.bound, *next_hop(self.net, step.out, step, ends))

    def renamed(self, step, frame, got):
        """What is expected, with the IP identification that natvi chose. Where hosts share a source, all but what
        cannot be cut gets one (RFC 6864 section 5.3.1) that nothing before had from that source to that destination;
        the fragments of one datagram have one. A case that has to know it names it in id."""
        if str(dict(step.expect.ip).get("id", "")).startswith("$"):
            return step.expect
        l2 = 0 if no_l2(self.net, step.into) else frames.l2_len(frame)
        came, left = frame[l2:], got[l2:]
        ident, proto, where = left[4:6], left[9], int.from_bytes(came[6:8], "big")
        datagram = (came[12:20], proto, came[4:6])
        if where & 0x1fff:      # not the first fragment
            ident = self.datagrams.get(datagram, came[4:6])
        elif came[12:16] != left[12:16] and where & 0x6000 != 0x4000:
            self.fresh(int.from_bytes(ident, "big"), (left[12:20], proto), len(came) // step.gso + 1 if step.gso else 1)
            self.datagrams[datagram] = ident
        else:
            ident = came[4:6]
            self.datagrams.pop(datagram, None)
        return step.expect.but(id=int.from_bytes(ident, "big"))

    def fresh(self, ident, ends, n):
        """n identifications from ident on are used between these ends, and none has been before."""
        used = self.idents.setdefault(ends, set())
        taken = {(ident + i) & 0xffff for i in range(n)}
        if used & taken:
            raise Failure("an IP identification is used a second time: %s" % sorted(used & taken))
        used |= taken

    def packet(self, step):
        frame = step.packet.frame(self.bound, *incoming(self.net, step.into))
        if no_l2(self.net, step.into):
            frame = frame[frames.ETH_HEAD:]
        fields = {"in": step.into, "hex": frame.hex()}
        if step.gso:
            fields["gso"] = step.gso
        if step.given:
            fields["mark"] = step.given
        if step.origin:
            fields["from"] = step.origin
        if step.kind == "parked":
            fields = {"in": frames.TAP, "hex": (self.parked(step, frame) if step.park else frame).hex()}
        got = self.runner.ask(step.kind, **fields)
        self.verdicts.update(got["verdicts"])
        if sorted(got["verdicts"]) != sorted(step.verdicts) or got["action"] != step.action:
            raise Failure("%s (%s) instead of %s (%s)\n%s" % (" + ".join(got["verdicts"]) or "no verdict", got["action"],
                                                             " + ".join(step.verdicts), step.action, frame.hex()))
        if step.at and self.runner.host == "xdp" and got["at"] != step.at:
            raise Failure("ended at %s instead of %s" % (got["at"], step.at))
        self.copies(step, got["copies"])
        if step.action == "drop":
            return
        out = bytes.fromhex(got["hex"])
        same_frame(self.expected(step, frame, out), out, "another frame came out")
        wrong = None if step.any_checksum else bad_checksum(out)
        if wrong and not bad_checksum(frame):
            raise Failure("%s\n%s" % (wrong, out.hex()))
        if step.action == "send" and ("out" in got or "enters" in got):
            where = got.get("out", got.get("enters"))
            if where != (step.out or step.into) or (step.kind != "parked" and ("enters" in got) != step.enters):
                raise Failure("%s %s instead of %s" % ("into" if "enters" in got else "out by", where, step.out or step.into))
        if step.action == "kernel" and got["mark"] != step.mark:
            raise Failure("mark %#x instead of %#x" % (got["mark"], step.mark))

    def copies(self, step, got):
        wanted = [(name, enters, frame.frame(self.bound).hex()) for name, enters, frame in step.copies]
        have = [(c.get("out") or c["enters"], "enters" in c, c["hex"]) for c in got]
        if have != wanted:
            raise Failure("copies %s instead of %s" % (have, wanted))

    def parked(self, step, frame):
        """The frame as it waits with the daemon (abi/fragment.h)."""
        head = bytes([2, step.park]) + self.numbers[step.into].to_bytes(4, "big")
        if no_l2(self.net, step.into):
            return head + b"\0" * 6 + b"\x08\x00" + frame
        return head + frame[6:]

    def tables(self, wanted):
        got = self.runner.ask("state")
        if "broken" in got:
            raise Failure("the tables contradict each other: %s" % got["broken"])
        for name, value in wanted:
            if name == "xdp_hits" and self.runner.host != "xdp":
                continue
            if name == "idle":
                self.idle(value, got["flows"])
            elif got[name] != value:
                raise Failure("%s: %s instead of %s" % (name, got[name], value))

    def idle(self, wanted, flows):
        have = {"%s > %s" % (f["src"], f["dst"]): f["idle_s"] for f in flows}
        for key, seconds in wanted.items():
            key = re.sub(r"\$(\w+)", lambda m: str(self.bound[m.group(1)]), key)
            if have.get(key) != seconds:
                raise Failure("time-out of %s: %s instead of %s (there are: %s)" % (key, have.get(key), seconds, have))

    def step(self, step):
        if step.kind in ("packet", "parked"):
            self.packet(step)
        elif step.kind == "heartbeat":
            self.runner.ask("heartbeat")
        elif step.kind == "reload":
            self.runner.ask("reload", config=step.text)
        elif step.kind == "advance":
            self.runner.ask("advance", seconds=step.number)
        elif step.kind == "generation":
            self.runner.ask("generation")
        elif step.kind == "adopt":
            self.runner.ask("adopt", proto=step.number, **dict(step.wanted))
        elif step.kind == "state":
            self.tables(step.wanted)
        elif step.kind == "sweep":
            for _ in range(step.number):
                got = self.runner.ask("sweep")
            for name, value in step.wanted:
                if got[name] != value:
                    raise Failure("sweep: %s %s instead of %s" % (name, got[name], value))

    def run(self):
        """None, or what went wrong."""
        number = 0
        try:
            self.numbers = self.runner.ask("begin", config=self.case.config, net=self.net)["numbers"]
            for number, step in enumerate(self.case.steps, 1):
                self.step(step)
            self.tables(())
            return None
        except Failure as failure:
            return "step %d of %d: %s" % (number, len(self.case.steps), failure)
        finally:
            if self.runner.alive():
                self.runner.ask("end")


# All

def load_cases():
    cases = []
    for path in sorted(HERE.glob("case_*.py")):
        cases += importlib.import_module(path.stem).CASES
    names = [case.name for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit("two cases are called %s" % ", ".join(sorted(twice)))
    return cases


def verdict_names():
    text = (ROOT / "abi" / "verdict.h").read_text()
    return re.findall(r'^\s+X\(\w+,\s*\w+,\s*"([^"]+)"', text, re.M)


def coverage(seen):
    """What is wrong with the list of verdicts that no case reaches; None: nothing"""
    names = set(verdict_names())
    wrong = ["no case reaches the verdict %s" % v for v in sorted(names - seen - set(UNREACHED))]
    wrong += ["UNREACHED says that no case reaches %s, and one does" % v for v in sorted(seen & set(UNREACHED))]
    wrong += ["UNREACHED names %s, which is no verdict" % v for v in sorted(set(UNREACHED) - names)]
    return "\n".join(wrong) or None


class Totals:
    def __init__(self, verbose):
        self.verbose, self.passed, self.failed, self.skipped = verbose, 0, 0, 0
        self.reasons = {}

    def result(self, name, host, wrong):
        if wrong:
            self.failed += 1
            print("FAIL  %s [%s]\n      %s" % (name, host, wrong.replace("\n", "\n      ")), flush=True)
            return
        self.passed += 1
        if self.verbose:
            print("ok    %s [%s]" % (name, host), flush=True)

    def skip(self, host, reason):
        self.skipped += 1
        self.reasons[(host, reason)] = self.reasons.get((host, reason), 0) + 1


def run_host(program, host, cases, totals):
    """Verdicts that were counted."""
    runner, seen = Runner(program, host), set()
    if runner.trouble:
        for case in cases:
            if runner.skip:
                totals.skip(host, runner.trouble)
            else:
                totals.result(case.name, host, runner.trouble)
        return seen
    for case in cases:
        if host not in case.hosts:
            totals.skip(host, case.only)
            continue
        if not runner.alive():
            runner = Runner(program, host)
        run = Run(case, runner)
        try:
            totals.result(case.name, host, run.run())
        except Skip as skip:
            totals.skip(host, str(skip))
        seen |= run.verdicts
    if runner.alive():
        runner.close()
    return seen


def main():
    parser = argparse.ArgumentParser(description="Run the cases of tests/cases.")
    parser.add_argument("names", nargs="*", help="cases (default: all)")
    parser.add_argument("--host", choices=HOSTS, action="append", help="only on this host (may be repeated)")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("--list", action="store_true", help="names and what they are about")
    args = parser.parse_args()
    cases = load_cases()
    if args.list:
        print("\n".join("%-32s %s" % (case.name, case.what) for case in cases))
        return 0
    unknown = set(args.names) - {case.name for case in cases}
    if unknown:
        sys.exit("no case is called %s" % ", ".join(sorted(unknown)))
    chosen_cases = [case for case in cases if not args.names or case.name in args.names]
    program = str(ROOT / os.environ.get("BUILD", "build") / "tests" / "case-runner")
    started, totals, seen = time.monotonic(), Totals(args.verbose), set()
    for host in args.host or HOSTS:
        seen |= run_host(program, host, chosen_cases, totals)
    if not args.names and "native" in (args.host or HOSTS):
        totals.result("every-verdict", "all", coverage(seen))
    for (host, reason), n in sorted(totals.reasons.items()):
        print("SKIP  %d cases on %s: %s" % (n, host, reason))
    print("check-cases: %d passed, %d failed, %d skipped (%d cases, %.1f s)" % (
        totals.passed, totals.failed, totals.skipped, len(chosen_cases), time.monotonic() - started))
    return 1 if totals.failed or not totals.passed else 0


if __name__ == "__main__":
    sys.exit(main())
