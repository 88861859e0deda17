# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Third-party programs as servers and clients: nginx, sshd, iperf3, an ssh session that is talked to."""
import hashlib
import json
import os
import pathlib
import select
import socket
import struct
import subprocess
import time

from lab import PATIENCE_S, run, wait_for

NGINX_CONF = """
worker_processes 1; daemon off; user root; pid %(dir)s/nginx.pid; error_log stderr;
events { worker_connections 1024; }
http {
    log_format source '$remote_addr $request'; access_log %(dir)s/access.log source;
    client_body_temp_path %(dir)s/body; proxy_temp_path %(dir)s/proxy; fastcgi_temp_path %(dir)s/fastcgi;
    uwsgi_temp_path %(dir)s/uwsgi; scgi_temp_path %(dir)s/scgi;
    server {
        listen %(port)d; listen [::]:%(port)d; root %(dir)s/www; dav_methods PUT; client_max_body_size 100m;
        location = /slow { limit_rate 1m; }
    }
}
"""


def listening(namespace, port, timeout=PATIENCE_S):
    """Wait until a TCP port is listened on."""
    wait_for(lambda: namespace.run("ss", "-Hltn", "sport = :%d" % port).stdout.strip(), timeout, "port %d to be listened on" % port)


class Nginx:
    def __init__(self, namespace, port=80):
        self.dir = namespace.lab.dir / ("nginx-%s-%d" % (namespace.name, port))
        (self.dir / "www").mkdir(parents=True)
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF % {"dir": self.dir, "port": port})
        self.process = namespace.spawn("nginx", "-p", self.dir, "-c", conf)
        listening(namespace, port)

    def file(self, name, size):
        """A file of random bytes to be fetched; its SHA-256."""
        data = os.urandom(size)
        (self.dir / "www" / name).write_bytes(data)
        return hashlib.sha256(data).hexdigest()

    def uploaded(self, name):
        return sha256(self.dir / "www" / name)

    def log(self):
        return (self.dir / "access.log").read_text()


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def fetch(namespace, url, *options, timeout=150):
    """curl a file; the SHA-256 of what came."""
    target = namespace.lab.dir / ("fetched-%d" % time.monotonic_ns())
    namespace.run("curl", "-sSf", "--max-time", timeout, "-o", target, *options, url, timeout=timeout + 5)
    result = sha256(target)
    target.unlink()
    return result


def iperf3(server_ns, client_ns, address, *options, seconds=2, amount=None):
    """One iperf3 run, of some seconds, or until so many bytes are sent; its own report of the end."""
    server = server_ns.spawn("iperf3", "-s", "-1", "-p", 5201, "--forceflush")
    server.wait_output("Server listening")
    done = client_ns.run("iperf3", "-c", address, "-p", 5201, *(["-n", amount] if amount else ["-t", seconds]), "-J", *options,
                         timeout=seconds + 90)
    server.wait(30, check=False)
    report = json.loads(done.stdout)
    assert "error" not in report, report["error"]
    return report["end"]


class Sshd:
    """An ssh server with a key of its own, and the client's key to get in."""

    def __init__(self, namespace, port=22):
        self.dir = namespace.lab.dir / ("sshd-%s" % namespace.name)
        self.dir.mkdir()
        self.port = port
        for key in ("host", "user"):
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.dir / key])
        conf = self.dir / "sshd_config"
        conf.write_text("Port %d\nHostKey %s/host\nAuthorizedKeysFile %s/user.pub\nStrictModes no\nPermitRootLogin yes\n"
                        "UsePAM no\nPidFile none\nUseDNS no\n" % (port, self.dir, self.dir))
        # It needs /run/sshd. A /run of its own: another test, or another run of the tests, would take that away.
        self.process = namespace.spawn("unshare", "-m", "sh", "-c", 'mount -t tmpfs run /run && mkdir -m 755 /run/sshd && exec "$@"', "sh",
                                       "/usr/sbin/sshd", "-D", "-e", "-f", conf)
        listening(namespace, port)

    def client(self, namespace, address):
        return SshSession(namespace, self, address)


class SshSession:
    """An interactive ssh session: each line said comes back with the peer that the server sees."""

    def __init__(self, namespace, sshd, address):
        words = namespace.words(["ssh", "-p", sshd.port, "-i", sshd.dir / "user", "-o", "StrictHostKeyChecking=no", "-F", "none",
                                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=30",
                                 "-o", "BatchMode=yes", "root@%s" % address,
                                 "sh -c 'while read -r line; do echo \"$line ${SSH_CONNECTION%% *}\"; done'"])
        self.popen = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        namespace.lab.defer(self.close)

    def say(self, line, timeout=30):
        """Say a line, get it back; the address that the server sees the client at."""
        self.popen.stdin.write(line.encode() + b"\n")
        answer = self._read_line(timeout).split()
        assert answer[:-1] == line.split(), answer
        return answer[-1]

    def _read_line(self, timeout):
        line = b""
        end = time.monotonic() + timeout
        while not line.endswith(b"\n"):
            ready = select.select([self.popen.stdout], [], [], max(0, end - time.monotonic()))[0]
            assert ready, "the ssh session does not answer"
            piece = os.read(self.popen.stdout.fileno(), 1)
            assert piece, "the ssh session ended: %s" % self.popen.stderr.read().decode(errors="replace")
            line += piece
        return line.decode()

    def close(self):
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait(PATIENCE_S)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            stream.close()


def answer_dns(sock, address):
    """Answer one DNS query for an A record that comes in on a UDP socket; the source of the query."""
    query, source = sock.recvfrom(4096)
    end = query.index(b"\0", 12) + 5
    header = query[:2] + struct.pack(">HHHHH", 0x8580, 1, 1, 0, 0)
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(address)
    sock.sendto(header + query[12:end] + answer, source)
    return source
