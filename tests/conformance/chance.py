# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Whether ports look as if they came by chance (RFC 6056): bounds that chance keeps to but for once in ten million runs, and that counting
up, a fixed stride, a fixed table or a choice of few bits does not."""
import collections
import statistics

SIGMAS = 5.3    # 1 in 10^7


def spread(values, buckets, what):
    """Chi-square: each of the buckets 0..n-1 is hit about as often as the others."""
    counts = collections.Counter(values)
    expected = len(values) / buckets
    assert expected >= 5, "too few values to judge"
    square = sum((counts[b] - expected) ** 2 / expected for b in range(buckets))
    freedom = buckets - 1
    bound = freedom * (1 - 2 / (9 * freedom) + SIGMAS * (2 / (9 * freedom)) ** 0.5) ** 3  # Wilson and Hilferty
    assert square < bound, "%s: chi-square %.0f of %d buckets, and %.0f is much: %s" % (what, square, buckets, bound, sorted(counts.items()))


def unpredictable(ports, first=1024, last=65535):
    """Ports in the order in which they were given, all of one parity: spread over the range and its words, and no help for the next one."""
    assert len(set(ports)) == len(ports) >= 300
    width = (last + 1 - first) / 16
    spread([int((p - first) / width) for p in ports], 16, "the range")
    spread([(p >> 1) & 31 for p in ports], 32, "the low bits")
    steps = collections.Counter((b - a) % 65536 for a, b in zip(ports, ports[1:]))
    step, times = steps.most_common(1)[0]
    assert times <= 4, "the next port is %d further %d times of %d" % (step, times, len(ports))
    mean, variance = statistics.mean(ports), statistics.pvariance(ports)
    lag = sum((a - mean) * (b - mean) for a, b in zip(ports, ports[1:])) / (len(ports) - 1) / variance
    assert abs(lag) < SIGMAS / len(ports) ** 0.5, "a port tells of the next one: correlation %.2f" % lag


def unrelated(ports, others):
    """Two series for the same sources do not share more than chance gives."""
    same = sum(a == b for a, b in zip(ports, others))
    assert same <= 3, "%d of %d sources get the same port again" % (same, len(ports))
