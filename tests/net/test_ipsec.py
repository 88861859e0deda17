# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What an IPsec policy selects never leaves past it."""
from control import answered, status
from gateway import EXTERNAL, INSIDE, INSIDE2, REMOTE, REMOTE2, SERVER, TO_POOL, config
from lab import wait_for
from services import Nginx
from uplinks import Download
from wire import Capture, exchange

TEMPLATE = ["tmpl", "src", EXTERNAL, "dst", SERVER, "proto", "esp", "mode", "tunnel"]
KEY = "0x" + "5a" * 20


def can_encrypt(namespace):
    """Is there ESP in this kernel? Without it what a policy selects goes nowhere, which will do to see that it does not leave."""
    return namespace.run("ip", "xfrm", "state", "add", "src", EXTERNAL, "dst", SERVER, "proto", "esp", "spi", "0x100", "mode", "tunnel",
                         "aead", "rfc4106(gcm(aes))", KEY, "128", check=False).returncode == 0


EXEMPT = {"name": "vpn", "from": {"interface": "lan0"}, "to": {"interface": "wan0", "destination": [REMOTE + "/32"]}, "action": "accept"}


def stays_with_the_policy(net, rules, source):
    """
    A policy comes under running flows: from when natvi has seen it nothing that it selects, as translated, leaves in the
    clear; the rest goes on.
    """
    natvi = net.running(config(net.hook, rules=rules, pool={"addresses": ["192.0.2.1"]}))
    esp = can_encrypt(net.gateway)
    secret, other = net.outside.udp(REMOTE, 5000), net.outside.udp(REMOTE2, 5000)
    client, plain = net.inside.udp(INSIDE), net.inside.udp(INSIDE2)
    for _ in range(3):
        exchange(client, secret, (REMOTE, 5000))
        exchange(plain, other, (REMOTE2, 5000))
    nginx = Nginx(net.outside)
    download = Download(nginx, net.inside, REMOTE2)
    net.gateway.run("ip", "xfrm", "policy", "add", "src", source, "dst", REMOTE + "/32", "dir", "out", *TEMPLATE)
    wait_for(lambda: status(natvi)["policy"], 15, "natvi to see the policy")
    capture = Capture(net.outside, filter="not tcp")
    slow = natvi.counter("slow-policy")
    for n in range(20):
        client.sendto(b"secret %d" % n, (REMOTE, 5000))
    assert exchange(plain, other, (REMOTE2, 5000))[0] == "192.0.2.1"
    download.goes_on()
    download.finish()
    left = [destination for destination, in capture.stop().fields("ip", "ip.dst")]
    assert REMOTE2 in left      # the capture sees what leaves
    assert REMOTE not in left, "in the clear"
    assert not esp or left.count(SERVER) >= 20
    assert natvi.counter("slow-policy") >= slow + 20
    net.gateway.run("ip", "xfrm", "policy", "flush")
    wait_for(lambda: not status(natvi)["policy"], 15, "natvi to see it go")
    wait_for(lambda: answered(client, secret, (REMOTE, 5000)), 15, "datagrams in the clear again")
    fast = natvi.counter("forward")

    def is_fast():
        client.sendto(b"not secret", (REMOTE, 5000))
        return natvi.counter("forward") >= fast + 5
    wait_for(is_fast, 15, "the fast road")


def test_policy_of_the_translated_address(net):
    stays_with_the_policy(net, [TO_POOL], "192.0.2.1/32")


def test_policy_of_any_source(tc):
    stays_with_the_policy(tc, [TO_POOL], "0.0.0.0/0")


def test_policy_of_what_is_not_translated(tc):
    """As a VPN between two sites has it: a rule in front leaves its prefix alone."""
    stays_with_the_policy(tc, [EXEMPT, TO_POOL], INSIDE + "/32")
