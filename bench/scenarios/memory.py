# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Memory of all of natvi's maps over the sessions that they have room for.

The tables are preallocated: what they take is known as soon as natvi is ready.
"""

from lib.contenders import SESSIONS, NatviTc


def run(bench):
    with bench.contenders((NatviTc,), "mem") as alive:
        for c in alive:
            total = c.natvi.memory_bytes()
            bench.record("natvi_maps_bytes", total)
            bench.record("bytes_per_session", total / SESSIONS)
