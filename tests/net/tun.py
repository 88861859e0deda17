# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""A tun or tap device that the test itself is the program of."""
import fcntl
import os
import select
import struct
import time

from scapy.all import IP, Ether, IPv6

from lab import PATIENCE_S

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_TAP, IFF_NO_PI = 1, 2, 0x1000


class Tun:
    """Packets that the kernel sends into the device, and those that come out of it; it is gone when it is closed."""

    def __init__(self, namespace, name="tun0", mtu=1500, ethernet=False):
        self.ethernet = ethernet
        with namespace.enter():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), (IFF_TAP if ethernet else IFF_TUN) | IFF_NO_PI))
        namespace.lab.defer(self.close)
        namespace.ip("link set %s mtu %d up" % (name, mtu))

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def send(self, packet):
        os.write(self.fd, bytes(packet))

    def receive(self, wanted, timeout=3):
        """The first packet that wanted(packet) is true for, or None when the time is over."""
        end = time.monotonic() + timeout
        while select.select([self.fd], [], [], max(0, end - time.monotonic()))[0]:
            data = os.read(self.fd, 70000)
            packet = Ether(data) if self.ethernet else IP(data) if data[0] >> 4 == 4 else IPv6(data)
            if wanted(packet):
                return packet
        return None

    def expect(self, wanted, what, timeout=PATIENCE_S):
        packet = self.receive(wanted, timeout)
        assert packet is not None, "%s did not come out of the device within %g s" % (what, timeout)
        return packet

    def drain(self):
        while select.select([self.fd], [], [], 0)[0]:
            os.read(self.fd, 70000)
