# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The lines of the conformance table: what must be there, whether or not a test of that name is."""

HOOKS = ("tc", "xdp")
LEVELS = {"M": "must", "S": "should", "R": "recommended", "may": "left open by the RFC: the test shows what natvi does"}

RFCS = {
    "rfc4787": ("RFC 4787: UDP", "1 2 3 3a 4 5 5a 5b 5c 6 6a 7 8 9 9a 10 11 12 12a 12b 13 13a 14 14a"),
    "rfc5382": ("RFC 5382: TCP", "1 2 2a 3 4 4a 5 6 7 8 9 10"),
    "rfc5508": ("RFC 5508: ICMP", "1 1a 2 3 3a 3b 3c 3d 4 5 6 7 8 10"),
    "rfc6888": ("RFC 6888: carrier-grade NAT", "1 2 3 6 7 8 11 12 13 15"),
    "rfc7857": ("RFC 7857: updates", "2.1 2.2 2.3 4 5 6 7.1 9 10"),
}


def line(rfc, number):
    """The name of a line, as in build/conformance.json; its test is called test_ and that."""
    return "%s_req%s" % (rfc, number.replace(".", "_"))


def lines():
    return [line(rfc, number) for rfc, (_, numbers) in RFCS.items() for number in numbers.split()]
