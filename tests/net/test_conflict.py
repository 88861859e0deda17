# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The same addresses inside and outside: refused when somebody asks for it, said when they come while natvi runs."""
import json
import re

import pytest

from gateway import EXTERNAL, INSIDE, INSIDE2, MASQUERADE, NATVI, PINS, REFUSE, SERVER, TO_POOL, Topology, config
from lab import wait_for
from wire import exchange

WIDE = "198.18.0.77/16"     # has the inside's 198.18.0.0/24
SAID = r"rule out leads from lan0 \(subnet 198\.18\.0\.0/24\) to wan0 \(subnet 198\.18\.0\.0/16\), and the two overlap"


@pytest.fixture
def net(lab):
    return Topology(lab, "tc")


def works(net):
    return exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))[0] == EXTERNAL


def refused(net, configuration, says):
    """`natvi run` ends with this, and leaves nothing."""
    natvi = net.natvi()
    process = natvi.start(configuration, ready=False)
    assert process.wait(60, check=False) == 1
    assert re.search(says, process.err), process.err
    assert not (PINS / natvi.instance).exists()
    assert net.gateway.get_sysctl("net.ipv4.ip_forward") == "0"
    assert not re.search("nvt|natvi", net.gateway.run("nft", "list", "ruleset").stdout)


def test_overlapping_subnets_are_refused_at_start(net):
    net.gateway.ip("addr add %s dev wan0" % WIDE)
    refused(net, config("tc"), r"\.yaml:\d+: " + SAID)


def test_overlapping_subnets_are_refused_without_a_file(net):
    net.gateway.ip("addr add %s dev wan0" % WIDE)
    natvi = net.natvi()
    process = natvi.start(None, "lan0", "wan0", "--masquerade", "wan0", ready=False)
    assert process.wait(60, check=False) == 1
    assert re.search(r"^natvi: rule masquerade leads from lan0 .* and the two overlap", process.err, re.M), process.err


def test_a_pool_that_is_the_inside_is_refused(net):
    refused(net, config("tc", rules=[TO_POOL, REFUSE], pool={"addresses": ["198.18.0.0/24"]}),
            r"\.yaml:\d+: rule out translates to pool `public`, whose 198\.18\.0\.0/24 has all of 198\.18\.0\.0/24, the subnet of lan0")


def test_an_address_that_shares_and_does_not_is_refused(net):
    refused(net, config("tc", pool={"addresses": [EXTERNAL], "protocols": "shared"}),
            r"\.yaml:\d+: pool `public` has %s too, the address of wan0" % re.escape(EXTERNAL))


def test_a_pool_in_either_subnet_is_taken(net):
    """Addresses of the outer subnet are a pool's usual place; of the inner one some may be set apart."""
    natvi = net.running(config("tc", rules=[TO_POOL, REFUSE], pool={"addresses": ["203.0.113.16/29"]}))
    inside, outside = net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000)
    assert exchange(inside, outside, (SERVER, 5000))[0].startswith("203.0.113.")
    natvi.reload(config("tc", rules=[TO_POOL, REFUSE], pool={"addresses": ["198.18.0.64/29"]}))
    net.outside.ip("route replace 198.18.0.64/29 via %s" % EXTERNAL)
    assert exchange(net.inside.udp(INSIDE2), outside, (SERVER, 5000))[0].startswith("198.18.0.")


def test_an_address_that_comes_later_is_said(net):
    """It stops nothing that runs, nor a daemon that takes over; but nobody gets to put it in force."""
    natvi = net.running()
    process = natvi.process
    net.gateway.ip("addr add %s dev wan0" % WIDE)
    process.wait_output(SAID)
    net.gateway.ip("addr add 203.0.113.200/32 dev wan0")        # looked at again, said once
    assert works(net)
    assert re.search(SAID, natvi.cli("status").stdout)
    done = natvi.cli("reload", natvi._config_file(config("tc", timeouts={"udp": 60})), check=False)
    assert done.returncode == 1 and re.search(SAID, done.stderr)
    assert json.loads(natvi.cli("status", "--json").stdout)["daemon"]["conflict"]
    assert works(net)
    assert len(re.findall(SAID, process.err)) == 1
    natvi.kill()
    natvi.start(config("tc"))
    assert re.search(SAID, natvi.process.err) and works(net)
    net.gateway.ip("addr del %s dev wan0" % WIDE)
    natvi.process.wait_output("inside and outside addresses differ again")
    natvi.reload(config("tc", timeouts={"udp": 60}))
    assert "overlap" not in natvi.cli("status").stdout


def test_an_address_that_comes_later_stops_no_way_back(net):
    """What was in force before an unconfirmed reload comes back all the same."""
    natvi = net.running()
    natvi.cli("reload", "--confirm", 2, natvi._config_file(config("tc", rules=[dict(MASQUERADE, name="other"), REFUSE])))
    net.gateway.ip("addr add %s dev wan0" % WIDE)
    wait_for(lambda: natvi.show("rules")[0]["name"] == "out", 15, "the configuration before")
    assert works(net)


def test_check_refuses_a_source_in_a_pool(net):
    """What the file alone shows needs no interface, and is refused by every command that reads one."""
    natvi = net.running()
    rule = {"name": "out", "from": {"interface": "lan0", "source": ["192.0.2.0/24"]}, "to": {"interface": "wan0"}, "action": "masquerade"}
    path = natvi._config_file(config("tc", rules=[rule, REFUSE], pool={}))
    says = r"\.yaml:\d+: source 192\.0\.2\.0/24 overlaps 192\.0\.2\.0/28 of pool `public` \(line \d+\); inside and outside addresses must differ"
    for words in (["check", path], ["reload", path]):
        done = natvi.cli(*words, check=False) if words[0] == "reload" else net.gateway.run(NATVI, *words, check=False)
        assert done.returncode == 1 and re.search(says, done.stderr), done
    process = net.natvi("-2").start(path.read_text(), ready=False)
    assert process.wait(60, check=False) == 1 and re.search(says, process.err)
    assert works(net)

