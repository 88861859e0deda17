# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What all network tests use is in fixtures.py; tests/conformance uses it, too."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from fixtures import hook, lab, machine, net, pytest_runtest_makereport, tc  # noqa: E402, F401
