# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""VPN programs between the boxes of two sites, point to point: all that goes into tun0 here comes out of tun0 there."""
import json

from lab import run, wait_for
from sites import A, B

OPENVPN = """
dev tun0
dev-type tun
proto udp4
port 1194
remote %(peer)s
ifconfig %(tun)s
tls-%(role)s
%(dh)s
ca %(dir)s/ca.crt
cert %(dir)s/%(role)s.crt
key %(dir)s/%(role)s.key
cipher AES-128-GCM
data-ciphers AES-128-GCM
tun-mtu %(mtu)d
%(mssfix)s
ping 1
ping-restart 4
connect-retry 1 1
persist-tun
disable-dco
allow-recursive-routing
verb 3
"""
FASTD = """
log level verbose;
mode tun;
interface "tun0";
bind any:10000;
method "salsa2012+umac";
mtu %(mtu)d;
secret "%(secret)s";
on up "ip link set tun0 up";
peer "other" { key "%(key)s"; %(remote)s }
"""


def certificates(lab):
    """A certification authority, a server and a client, in files; their directory."""
    where = lab.dir / "pki"
    if where.exists():
        return where
    where.mkdir()
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    run([*request, "-keyout", where / "ca.key", "-out", where / "ca.crt", "-subj", "/CN=natvi test"])
    for role in ("server", "client"):
        run([*request, "-CA", where / "ca.crt", "-CAkey", where / "ca.key", "-keyout", where / (role + ".key"),
             "-out", where / (role + ".crt"), "-subj", "/CN=" + role, "-addext", "extendedKeyUsage=%sAuth" % role,
             "-addext", "keyUsage=digitalSignature", "-addext", "basicConstraints=CA:FALSE"])
    return where


class End:
    """One end of a tunnel: a program in a box."""

    port = None

    def __init__(self, site, mtu):
        self.namespace, self.lab = site.box, site.lab
        self.own, self.peer = (A.box, B.box) if site.side is A else (B.box, A.box)
        self.mtu, self.process = mtu, None

    def start(self):
        self.process = self.namespace.spawn(*self.words)
        return self

    def up(self, timeout=60):
        self.process.wait_output(self.done, timeout)
        wait_for(lambda: "UP" in self.link().get("flags", []), 15, "tun0 to be up")
        return self

    def link(self):
        """What the kernel says of tun0; nothing if it is not there."""
        done = self.namespace.run("ip", "-j", "link", "show", "tun0", check=False)
        return json.loads(done.stdout)[0] if done.returncode == 0 else {}

    def stop(self):
        self.process.stop()
        wait_for(lambda: not self.link(), 15, "tun0 to go")


class OpenVpn(End):
    port, done = 1194, "Initialization Sequence Completed"

    def __init__(self, site, mtu=1500, mssfix=""):
        super().__init__(site, mtu)
        role = "client" if site.side is A else "server"
        conf = self.lab.dir / ("openvpn-%s.conf" % role)
        conf.write_text(OPENVPN % {"peer": self.peer, "role": role, "dir": certificates(self.lab), "mtu": mtu,
                                   "mssfix": mssfix, "dh": "dh none" if role == "server" else "remote-cert-tls server",
                                   "tun": "198.18.0.1 198.18.0.2" if role == "client" else "198.18.0.2 198.18.0.1"})
        self.words = ["openvpn", "--config", conf]


class Fastd(End):
    port, done = 10000, "connection with .* established"
    keys = {}

    def __init__(self, site, mtu=1400):
        super().__init__(site, mtu)
        own, peer = (self.keys.setdefault(a, fastd_key()) for a in (self.own, self.peer))
        conf = self.lab.dir / ("fastd-%s.conf" % site.side.name)
        remote = "remote %s:10000;" % self.peer if site.side is A else ""     # if both begin, each has a session of its own
        conf.write_text(FASTD % {"remote": remote, "secret": own[0], "key": peer[1], "mtu": mtu})
        self.words = ["fastd", "-c", conf]


def fastd_key():
    lines = dict(line.split(": ") for line in run(["fastd", "--generate-key"]).stdout.splitlines() if ": " in line)
    return lines["Secret"].strip(), lines["Public"].strip()


class Tunnel:
    """Both ends."""

    def __init__(self, line, kind=OpenVpn, **options):
        self.left, self.right = kind(line.left, **options), kind(line.right, **options)

    def start(self):
        for end in (self.right, self.left):
            end.start()
        for end in (self.right, self.left):
            end.up()
        return self
