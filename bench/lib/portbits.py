# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""natvi's port bitmaps, filled as mappings would (abi/config.h, struct portbits)."""

import ctypes
import mmap
import os
import random
import struct

from lib.shell import Failed

BPF_OBJ_GET = 7
SYS_BPF = 321           # x86-64
WORDS, SUMMARY, LOW_WORDS, PROTOS, UDP = 1024, 16, 16, 3, 1
BYTES = 8 * (SUMMARY + WORDS)
ALL = (1 << 64) - 1


def _open(path):
    name = ctypes.create_string_buffer(path.encode())
    attr = struct.pack("QII", ctypes.addressof(name), 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(SYS_BPF, BPF_OBJ_GET, attr, len(attr))
    if fd < 0:
        raise Failed(f"{path}: {os.strerror(ctypes.get_errno())}")
    return fd


def _fill(words, share, chance):
    """Bits set until that share of each word's is; ports below 1024 stay as they are."""
    full = round(share * 64 * (WORDS - LOW_WORDS))
    taken = set(chance.sample(range(64 * LOW_WORDS, 64 * WORDS), full))
    for w in range(LOW_WORDS, WORDS):
        words[w] = 0
    for port in taken:
        words[port >> 6] |= 1 << (port & 63)


def fill(pins, slots, share):
    """Take that share of all UDP ports of the first slots' addresses, at random."""
    fd = _open(os.path.join(pins, "portbits"))
    chance = random.Random(1)
    try:
        with mmap.mmap(fd, slots * PROTOS * BYTES) as memory:
            for slot in range(slots):
                at = (slot * PROTOS + UDP) * BYTES
                words = list(struct.unpack_from(f"{WORDS}Q", memory, at + 8 * SUMMARY))
                _fill(words, share, chance)
                summary = [sum((words[64 * s + i] == ALL) << i for i in range(64))
                           for s in range(SUMMARY)]
                struct.pack_into(f"{SUMMARY}Q{WORDS}Q", memory, at, *summary, *words)
    finally:
        os.close(fd)
