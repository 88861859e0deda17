# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""firewalld in a namespace, with a system bus and a configuration of its own; nothing of the machine's is touched."""

import pytest

from lab import wait_for

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>custom</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy user="root"><allow own="*"/><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/></policy>
</busconfig>
"""


class Firewalld:
    """files: path in its configuration -> text."""

    def __init__(self, namespace, files):
        self.namespace = namespace
        self.dir = namespace.lab.dir / "firewalld"
        for path, text in {"firewalld.conf": "FirewallBackend=nftables\n", **files}.items():
            (self.dir / path).parent.mkdir(parents=True, exist_ok=True)
            (self.dir / path).write_text(text)
        (self.dir / "bus.conf").write_text(BUS % (self.dir / "bus"))
        self.words = ["env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=%s" % (self.dir / "bus")]
        namespace.spawn("dbus-daemon", "--nofork", "--config-file=%s" % (self.dir / "bus.conf"))
        wait_for((self.dir / "bus").exists, 15, "a system bus")
        self.process = namespace.spawn(*self.words, "firewalld", "--nofork", "--nopid", "--system-config", self.dir,
                                       "--log-target", "console", "--log-file", self.dir / "log")
        wait_for(lambda: not self.process.alive() or self.cmd("--state", check=False).returncode == 0, 90, "firewalld to run")
        if not self.process.alive():
            pytest.skip("firewalld does not run here: %s" % (self.process.out + self.process.err).strip()[-300:])

    def cmd(self, *words, **options):
        return self.namespace.run(*self.words, "firewall-cmd", *words, **options)
