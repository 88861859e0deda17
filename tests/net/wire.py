# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Packets as they are on a wire: sent and received frame by frame, or captured and read by tshark."""
import os
import pathlib
import select
import signal
import socket
import struct
import time

from scapy.all import Ether

from lab import PATIENCE_S, run, wait_for

ETH_P_ALL = 3
PACKET_IGNORE_OUTGOING = 23
SOL_PACKET = 263
PACKET_AUXDATA = 8
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40
VERIFY = [w for p in ("ip", "tcp", "udp") for w in ("-o", "%s.check_checksum:TRUE" % p)]
CHECKSUMMED = ("ip", "tcp", "udp", "icmp")
GOOD, BAD = "1", "0"
SNAP = 1600  # all of a frame on a wire; a capture's ring holds the more of them, the smaller this is


class Tap:
    """A raw socket on one interface of a namespace: exact frames out, and what arrives."""

    def __init__(self, namespace, interface="eth0"):
        with namespace.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.sock.bind((interface, ETH_P_ALL))
            self.mac = self.sock.getsockname()[4]
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        namespace.lab.defer(self.sock.close)

    def send(self, packet):
        self.sock.send(bytes(packet))

    def receive(self, wanted, timeout=3):
        """The first arriving packet that wanted(packet) is true for, or None when the time is over."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.sock], [], [], left)[0]:
                return None
            packet = Ether(self.sock.recv(65535))
            if wanted(packet):
                return packet

    def expect(self, wanted, what, timeout=PATIENCE_S):
        packet = self.receive(wanted, timeout)
        assert packet is not None, "%s did not arrive within %g s" % (what, timeout)
        return packet

    def none(self, wanted, what, timeout=0.5):
        """Nothing of the kind arrives. Prove beforehand or afterwards that something could."""
        packet = self.receive(wanted, timeout)
        assert packet is None, "%s arrived: %s" % (what, packet.summary())

    def drain(self):
        while select.select([self.sock], [], [], 0)[0]:
            self.sock.recv(65535)


class Capture:
    """tcpdump on an interface from start to stop, then questions to tshark."""

    def __init__(self, namespace, interface="eth0", filter="", direction="in"):
        self.path = namespace.lab.dir / ("%s-%s-%d.pcap" % (namespace.name, interface, time.monotonic_ns()))
        self.process = namespace.spawn("tcpdump", "-i", interface, "-Q", direction, "-Z", "root", "-U", "-B", "32768", "-s", SNAP,
                                       "-n", "--immediate-mode", "-w", self.path, filter)
        self.process.wait_output("listening on")

    def stop(self):
        """End it when it has written what has arrived: it waits for more, and goes on waiting."""
        size, state = [-1], pathlib.Path("/proc/%d/stat" % self.process.pid)

        def settled():
            before, size[0] = size[0], os.path.getsize(self.path)
            time.sleep(0.05)
            return before == size[0] and state.read_text().rsplit(")", 1)[1].split()[0] == "S"
        wait_for(settled, 15, "tcpdump to have written everything")
        self.process.stop(signal.SIGINT)
        return self

    def fields(self, filter, *fields):
        """Rows of field values of the frames that a display filter selects."""
        words = ["tshark", "-n", "-r", self.path, *VERIFY, "-Y", filter, "-T", "fields", "-E", "separator=;", "-E", "occurrence=f"]
        for field in fields or ["frame.number"]:
            words += ["-e", field]
        return [line.split(";") for line in run(words, timeout=60).stdout.splitlines()]

    def checksums(self, ignore_longer=None):
        """Every IP, TCP, UDP and ICMP checksum is right. How many of each protocol were looked at.

        ignore_longer: leave out frames that the receiver has joined (GRO), whose checksum is not a wire's.
        """
        rows = self.fields("ip || ipv6", "frame.number", "frame.len", *["%s.checksum.status" % p for p in CHECKSUMMED])
        bad, good = [], dict.fromkeys(CHECKSUMMED, 0)
        for number, length, *states in rows:
            if ignore_longer and int(length) > ignore_longer:
                continue
            for protocol, state in zip(CHECKSUMMED, states):
                good[protocol] += state == GOOD
                if state == BAD:
                    bad.append("frame %s: %s" % (number, protocol))
        assert not bad, "wrong checksums on arrival: %s" % ", ".join(bad[:10])
        return good


def reset(sock):
    """Close a TCP socket with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def exchange(inside, outside, to, text=b"natvi"):
    """One datagram from inside to the outside socket at `to`, and one back. The source that outside saw."""
    inside.sendto(text, to)
    data, source = outside.recvfrom(65535)
    assert data == text
    outside.sendto(text[::-1], source)
    data, back = inside.recvfrom(65535)
    assert data == text[::-1]
    assert back == to, "the answer seems to come from %s:%d, not from %s:%d" % (*back, *to)
    return source


class Wiretap(Tap):
    """A tap that gives frames as bytes, with the outer VLAN tag where it was: the kernel takes it out of those that arrive."""

    def __init__(self, namespace, interface="eth0"):
        super().__init__(namespace, interface)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)

    def frame(self):
        data, auxiliary, _, _ = self.sock.recvmsg(65535, 100)
        status, _, _, _, _, tci, tpid = struct.unpack("=IIIHHHH", auxiliary[0][2])
        if not status & TP_STATUS_VLAN_VALID:
            return data
        return data[:12] + struct.pack(">HH", tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100, tci) + data[12:]

    def crosses(self, frame, timeout=PATIENCE_S):
        """Wait until this very frame arrives."""
        end = time.monotonic() + timeout
        while select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
            if self.frame() == frame:
                return
        raise AssertionError("this frame of %d bytes did not arrive: %s" % (len(frame), frame[:40].hex()))
