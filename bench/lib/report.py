# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Ratios, targets, the table for a person and the file for a program."""

import json
import os

from lib.contenders import ACCEL, ALL
from lib.wires import WIRES
from scenarios import wire
from scenarios.pps import FLOWS, flows_name

# key: (numerator, denominator)
RATIOS = {
    "xdp_vs_lookup_1k": ("natvi_xdp_1k_pps", "lookup_xdp_1k_pps"),
    "xdp_vs_raw_1k": ("natvi_xdp_1k_pps", "raw_xdp_1k_pps"),
    "xdp_vs_kernel_1k": ("natvi_xdp_1k_pps", "kernel_nat_1k_pps"),
    "xdp_vs_kernel_1m": ("natvi_xdp_1m_pps", "kernel_nat_1m_pps"),
    "tc_vs_kernel_1k": ("natvi_tc_1k_pps", "kernel_nat_1k_pps"),
    "newflow_99_9_full_vs_empty": ("newflow_ports_99_9_ns", "newflow_ports_empty_ns"),
    "newflow_vs_kernel": ("natvi_tc_newflows_per_s", "kernel_nat_newflows_per_s"),
    "tcp_stream_vs_kernel": ("natvi_tc_tcp_1_gbit_s", "kernel_nat_tcp_1_gbit_s"),
    "tcp_16_streams_vs_kernel": ("natvi_tc_tcp_16_gbit_s",
                                 "kernel_nat_tcp_16_gbit_s"),
    "hit_1000_rules_ratio": ("natvi_rules_hit_ns", "natvi_tc_hit_ns"),
    "accel_xdp_vs_kernel_1k": ("accel_xdp_1k_pps", "kernel_firewall_1k_pps"),
    "accel_tc_vs_kernel_1k": ("accel_tc_1k_pps", "kernel_firewall_1k_pps"),
    "accel_tcp_stream_vs_kernel": ("accel_tc_tcp_1_gbit_s", "kernel_firewall_tcp_1_gbit_s"),
    "accel_xdp_vs_lookup_1k": ("accel_xdp_1k_pps", "accel_lookup_1k_pps"),
    "wire_vs_bridge": ("wire_xdp_1k_pps", "bridge_1k_pps"),
    "wire_vs_raw": ("wire_xdp_1k_pps", "wire_raw_xdp_1k_pps"),
    "wire_vs_bridge_1": ("wire_xdp_1_pps", "bridge_1_pps"),
    "wire_vs_raw_1": ("wire_xdp_1_pps", "wire_raw_xdp_1_pps"),
    "wire_sessions_vs_raw": ("wire_sessions_1k_pps", "wire_raw_xdp_1k_pps"),
    "wire_tc_vs_bridge": ("wire_tc_1k_pps", "bridge_1k_pps"),
    "wire_tc_vs_raw_tc": ("wire_tc_1k_pps", "wire_raw_tc_1k_pps"),
    "wire_tcp_stream_vs_bridge": ("wire_tc_tcp_1_gbit_s", "bridge_tcp_1_gbit_s"),
    "lookup_vs_raw_1k": ("lookup_xdp_1k_pps", "raw_xdp_1k_pps"),
}

# key: (at least +1 or at most -1, bound)
TARGETS = {
    "xdp_vs_lookup_1k": (+1, 0.85),
    "xdp_vs_raw_1k": (+1, 0.65),
    "xdp_vs_kernel_1k": (+1, 2.5),
    "xdp_vs_kernel_1m": (+1, 1.7),
    "tc_vs_kernel_1k": (+1, 1.4),
    "newflow_99_9_full_vs_empty": (-1, 1.3),
    "newflow_vs_kernel": (+1, 1.7),
    "tcp_stream_vs_kernel": (+1, 1.0),
    "accel_xdp_vs_kernel_1k": (+1, 2.5),
    "accel_tc_vs_kernel_1k": (+1, 1.4),
    "accel_tcp_stream_vs_kernel": (+1, 1.0),
    "accel_xdp_vs_lookup_1k": (+1, 0.85),
    "wire_vs_bridge": (+1, 2.3),
    "wire_vs_raw": (+1, 0.8),
    "newflow_1000_rules_us": (-1, 10),
    "hit_1000_rules_ratio": (-1, 1.1),
    "slow_share": (-1, 0.001),
    "bytes_per_session": (-1, 720),
}


def add_ratios(figures):
    for key, (over, under) in RATIOS.items():
        if figures.get(over) and figures.get(under):
            figures[key] = figures[over] / figures[under]


def write_json(figures, path):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    rounded = {k: float(f"{v:.4g}") if v < 1000 else round(v)
               for k, v in sorted(figures.items())}
    with open(path + ".tmp", "w") as f:
        json.dump(rounded, f, indent=1)
        f.write("\n")
    os.replace(path + ".tmp", path)


def _row(cells):
    return f"  {cells[0]:<36}" + "".join(f"{c:>16}" for c in cells[1:])


def _cell(value, base):
    if value is None:
        return "-"
    return f"{value:.2f}" + (f" ({value / base:.2f}x)" if base else "")


def _pps_table(figures, title, contenders, base, flows):
    """base: name of the contender that the others are compared with."""
    lines = [title, _row(["flows"] + [flows_name(n) for n in flows])]
    for c in contenders:
        cells = [c.label]
        for n in flows:
            mpps = [figures.get(f"{name}_{flows_name(n)}_pps") for name in (c.name, base)]
            mpps = [v / 1e6 if v else None for v in mpps]
            cells.append(_cell(*mpps))
        if any(cell != "-" for cell in cells[1:]):
            lines.append(_row(cells))
    return lines + [""] if len(lines) > 2 else []


def _pps_tables(figures):
    return (_pps_table(figures, "64-byte UDP, Mpps received on one core (and against kernel NAT)",
                       ALL + ACCEL, "kernel_nat", FLOWS) +
            _pps_table(figures, "64-byte frames across a wire, Mpps on one core (and against the bridge)",
                       WIRES, "bridge", wire.FLOWS))


def _other_table(figures):
    columns = (("newflows_per_s", 1e6, "new flows, M/s"),
               ("tcp_1_gbit_s", 1, "1 TCP, Gbit/s"),
               ("tcp_16_gbit_s", 1, "16 TCP, Gbit/s"),
               ("testrun_ns", 1, "ns a packet"))
    lines = [_row([""] + [title for _, _, title in columns])]
    for c in ALL + ACCEL + WIRES:
        cells = [c.label]
        for key, unit, _ in columns:
            value = figures.get(f"{c.name}_{key}")
            cells.append("-" if value is None else f"{value / unit:.2f}")
        if any(cell != "-" for cell in cells[1:]):
            lines.append(_row(cells))
    return lines + [""] if len(lines) > 1 else []


def _ports_table(figures):
    levels = ("empty", "50", "90", "99_9", "full")
    cells = [figures.get(f"newflow_ports_{level}_ns") for level in levels]
    if not any(cells):
        return []
    heads = ["ports taken (freed ones rest 120 s)", "0 %", "50 %", "90 %", "99.9 %", "100 %: refused"]
    return [f"  {heads[0]:<36}" + "".join(f"{h:>16}" for h in heads[1:]),
            f"  {'new flow, ns':<36}" + "".join(f"{'-' if c is None else round(c):>16}" for c in cells), ""]


def _targets(figures):
    lines = [_row(["target", "bound", "measured", "reached"])]
    for key, (sign, bound) in TARGETS.items():
        value = figures.get(key)
        said = ["-", "not measured"]
        if value is not None:
            said = [f"{value:.2f}" if value >= 0.01 or not value else f"{value:.1e}", "yes" if sign * (value - bound) >= 0 else "NO"]
        lines.append(_row([key, ("<= " if sign < 0 else ">= ") + f"{bound:g}"] + said))
    return lines


def table(figures, bench):
    lines = _pps_tables(figures) + _other_table(figures) + _ports_table(figures) + _targets(figures)
    for title, book in (("skipped", bench.skipped), ("failed", bench.failed)):
        lines += [f"{title}: {what}: {why}" for what, why in book.items()]
    return "\n".join(lines)
