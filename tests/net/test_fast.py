# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Addresses of the box's own, and pools in a connected subnet, take the fast road: at least 999 of 1,000 packets of a running
transfer, both ways, are hits of the flow table."""
import pytest

from gateway import EXTERNAL, MASQUERADE, REFUSE, REMOTE, SERVER, TO_POOL, config
from services import iperf3

# name: rules, pool, the address that the server sees
OWN = {
    "masquerade": ([MASQUERADE, REFUSE], None, EXTERNAL),
    "connected": ([TO_POOL], {"addresses": ["203.0.113.32"]}, "203.0.113.32"),
    "own-address-pool": ([TO_POOL], {"addresses": [EXTERNAL], "ports": "1024-9999"}, EXTERNAL),
}
FORWARDED = 5000        # at the least: less would prove nothing


def moved(before, after):
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def counters(natvi):
    stats = natvi.show("stats")
    return {v["name"]: v["packets"] for v in stats["verdicts"]} | {"xdp_hits": stats["xdp_hits"]}


@pytest.mark.parametrize("how", OWN)
def test_a_transfer_is_hits(net, how):
    rules, pool, address = OWN[how]
    net.send_plain()
    natvi = net.running(config(net.hook, rules=rules, pool=pool))
    server = net.outside.udp(REMOTE, 5000)
    client = net.inside.udp("198.18.0.10")
    client.sendto(b"resolve the neighbours", (REMOTE, 5000))
    assert server.recvfrom(100)[1][0] == address
    for direction in ([], ["-R"]):
        before = counters(natvi)
        end = iperf3(net.outside, net.inside, REMOTE, *direction, amount="60M")
        assert end["sum_received"]["bytes"] > 1 << 20
        now = moved(before, counters(natvi))
        hits, xdp = now["forward"], now.pop("xdp_hits", 0)
        assert hits >= FORWARDED
        assert hits >= 0.999 * sum(now.values()), now
        assert not any(v.startswith("slow-") for v in now), now
        if net.hook == "xdp":
            assert xdp >= 0.99 * hits, (xdp, now)
        else:
            assert xdp == 0
    assert {s["reply"]["dst"] for s in natvi.sessions()} == {address}
    assert SERVER in net.gateway.run("ip", "route", "get", REMOTE).stdout
