# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""What speaks protocols that the kernel's conntrack has helpers for, and whether it has them."""
import hashlib
import os
import re

import pytest

from lab import wait_for
from services import listening, sha256

VSFTPD_CONF = """
background=NO
listen=YES
listen_ipv6=NO
anonymous_enable=YES
no_anon_password=YES
anon_root=%(root)s
anon_max_rate=%(rate)d
secure_chroot_dir=%(empty)s
seccomp_sandbox=NO
connect_from_port_20=YES
xferlog_enable=YES
vsftpd_log_file=%(log)s
xferlog_std_format=NO
pasv_min_port=40000
pasv_max_port=40999
"""


def need(namespace, helper, proto):
    """Skip where the kernel has no such helper."""
    done = namespace.run("nft", "-f", "-", check=False,
                         input='table ip need {\n ct helper h {\n type "%s" protocol %s;\n }\n}\n' % (helper, proto))
    if done.returncode and "No such file" in done.stderr:
        pytest.skip("this kernel has no conntrack helper %s for %s" % (helper, proto))
    assert done.returncode == 0, done.stderr
    namespace.run("nft", "delete", "table", "ip", "need")


class Vsftpd:
    """An FTP server, for everybody to read from, at so many bytes a second."""

    def __init__(self, namespace, rate=8000000):
        self.namespace = namespace
        self.dir = namespace.lab.dir / "vsftpd"
        namespace.lab.dir.chmod(0o711)
        for name in ("root", "empty"):
            (self.dir / name).mkdir(parents=True)
        conf = self.dir / "vsftpd.conf"
        conf.write_text(VSFTPD_CONF % {"root": self.dir / "root", "empty": self.dir / "empty", "log": self.dir / "log",
                                       "rate": rate})
        self.process = namespace.spawn("vsftpd", conf)
        listening(namespace, 21)

    def file(self, name, size):
        """A file of random bytes to be fetched; its SHA-256."""
        data = os.urandom(size)
        (self.dir / "root" / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def clients(self):
        """Addresses that files were fetched from, as the server saw them."""
        return re.findall(r'OK DOWNLOAD: Client "(?:::ffff:)?([0-9.]+)"', (self.dir / "log").read_text())


def lftp(namespace, address, name, passive, source=None, tries=1, timeout=30):
    """Begin to fetch a file by FTP; what is to be waited for, and where the file goes."""
    target = namespace.lab.dir / ("lftp-%s-%s" % (name, os.urandom(4).hex()))
    script = ("set ftp:passive-mode %s; set ftp:use-feat no; set net:max-retries %d; set net:timeout %d; set net:persist-retries 0; "
              "set net:reconnect-interval-base 1; set cmd:fail-exit yes; " % ("on" if passive else "off", tries, timeout))
    if source:
        script += "set net:socket-bind-ipv4 %s; " % source
    process = namespace.spawn("env", "HOME=%s" % namespace.lab.dir, "lftp", "-c",
                              script + "open ftp://%s; get /%s -o %s" % (address, name, target))
    return process, target


def fetched(process, target, timeout=120):
    """The SHA-256 of what has come by FTP in the end."""
    process.wait(timeout)
    return sha256(target)


class Tftpd:
    """A TFTP server of a directory."""

    def __init__(self, namespace, address):
        self.dir = namespace.lab.dir / "tftp"
        self.dir.mkdir()
        namespace.lab.dir.chmod(0o711)
        self.process = namespace.spawn("in.tftpd", "-L", "-u", "nobody", "--address", "%s:69" % address, "-s", self.dir)
        wait_for(lambda: namespace.run("ss", "-Hlun", "sport = :69").stdout.strip(), 15, "port 69 to be listened on")

    def file(self, name, size):
        data = os.urandom(size)
        (self.dir / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()


def tftp(namespace, address, name):
    """Begin to fetch a file by TFTP; what is to be waited for, and where the file goes."""
    target = namespace.lab.dir / ("tftp-%s" % name)
    return namespace.spawn("tftp", address, "-m", "binary", "-c", "get", name, target), target


def sipp(namespace, *words):
    """A SIP user agent for one call."""
    return namespace.spawn("env", "TERM=xterm", "sipp", *words, "-m", "1", "-nostdin", "-nd")


def offering(namespace, port):
    """sipp's own scenario of a caller, but the offer names a media port that is not sipp's."""
    path = namespace.lab.dir / "caller.xml"
    path.write_text(namespace.run("sipp", "-sd", "uac", check=False).stdout.replace("[media_port]", str(port)))
    return path
