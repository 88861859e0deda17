# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The fixtures of tests/net, and what lasts as long as the run (defaults.py)."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [p for p in (str(HERE), str(HERE.parent / "net")) if p not in sys.path]

from defaults import Defaults  # noqa: E402
from fixtures import hook, lab, machine, net, pytest_runtest_makereport  # noqa: E402, F401
from lab import Lab  # noqa: E402
from lines import lines  # noqa: E402

LAST = ("defaults", "whole")    # fixtures of tests that come last: time has passed, the other lines have their results


def pytest_collection_modifyitems(items):
    def place(item):
        return max([LAST.index(name) + 1 for name in LAST if name in item.fixturenames], default=0)
    items.sort(key=place)


@pytest.fixture(scope="session")
def all_defaults(request, machine):  # noqa: F811
    """A laboratory with the default configuration on each hook that is tested, from the start of the run to its end."""
    made, labs = {}, []
    try:
        for name in sorted({item.callspec.params["hook"] for item in request.session.items}):
            labs.append(Lab())
            made[name] = Defaults(labs[-1], name)
        yield made
    finally:
        for one in made.values():
            one.stop()
        for one in labs:
            one.close()


@pytest.fixture(scope="session", autouse=True)
def early(request):
    """What a test asks for at the end of the run is begun at its start."""
    if any("defaults" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("all_defaults")


@pytest.fixture
def defaults(all_defaults, hook):  # noqa: F811
    return all_defaults[hook]


@pytest.fixture
def whole(request):
    """The results of the other lines so far, by the plugin; None if only a part of them was to run."""
    table = next((p for p in request.config.pluginmanager.get_plugins() if type(p).__name__ == "Table"), None)
    names = {item.function.__name__ for item in request.session.items}
    return table if table and names == {"test_" + name for name in lines()} else None
