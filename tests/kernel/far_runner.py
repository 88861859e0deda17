#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""case-runner native|tc|xdp in another machine: hands the lines of both sides on.

Stands where tests/cases/run.py looks for case-runner. NATVI_FAR_SOCKETS is the directory of QEMU's sockets, one a
host, each of which is a virtio port of the machine (tests/kernel/init has the other end).
"""
import os
import socket
import sys
import threading


def lines_of(stream):
    """Whole lines, until the machine is gone"""
    while True:
        line = stream.readline()
        if not line.endswith(b"\n"):
            return
        yield line


def begin(far, lines):
    """Have a runner started. What was meant for somebody before is thrown away."""
    nonce = b"%d" % os.getpid()
    far.sendall(b"start %s\n" % nonce)
    return any(line == b"started %s\n" % nonce for line in lines)


def requests(far):
    """Ours go there. At their end so does this process: each has had its answer."""
    for line in lines_of(sys.stdin.buffer):
        far.sendall(line)
    os._exit(0)


def answers(lines):
    """Theirs come here; the exit status of the far runner, 1 when the machine is gone"""
    for line in lines:
        if line.startswith(b"exit "):
            return int(line.split()[1])
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
    return 1


def main():
    far = socket.socket(socket.AF_UNIX)
    far.connect(os.path.join(os.environ["NATVI_FAR_SOCKETS"], sys.argv[1]))
    lines = lines_of(far.makefile("rb"))
    if not begin(far, lines):
        return 1
    threading.Thread(target=requests, args=(far,), daemon=True).start()
    status = answers(lines)
    sys.stdout.flush()
    os._exit(status)    # a daemon thread still reads


if __name__ == "__main__":
    sys.exit(main())
