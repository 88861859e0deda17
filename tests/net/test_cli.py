# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Every command as an administrator or a script uses it: text, JSON with the documented keys, exit codes."""
import json
import pathlib
import re
import select
import socket
import struct

import pytest

from gateway import EXTERNAL, INSIDE, INSIDE2, MASQUERADE, NATVI, PINS, REFUSE, REMOTE, SERVER, Topology, config
from lab import in_time, run, wait_for
from wire import exchange

TOP = pathlib.Path(__file__).resolve().parents[2]
SUBJECTS = ("sessions", "mappings", "pools", "rules", "interfaces", "stats", "drops")
DIRECTION = {"src", "sport", "dst", "dport", "packets", "bytes"}
FORWARD = {"proto": "udp", "external": "%s:7000" % EXTERNAL, "internal": "%s:7001" % INSIDE2}


def plain(*words, check=False):
    """natvi outside of all namespaces: nothing that touches one."""
    return run([NATVI, *words], check=check)


@pytest.fixture
def net(lab):
    return Topology(lab, "tc")


@pytest.fixture
def busy(net):
    """A gateway with a UDP and a TCP session, a forward, and a dropped packet."""
    natvi = net.running(config("tc", forwards=[FORWARD]))
    remote = net.outside.udp(SERVER, 5000)
    natvi.remote, natvi.client = remote, net.inside.udp(INSIDE, 4321)
    exchange(natvi.client, remote, (SERVER, 5000))
    listener = net.outside.tcp_listen(SERVER, 8080)
    natvi.tcp = net.inside.tcp(INSIDE, 4322)
    natvi.tcp.connect((SERVER, 8080))
    natvi.accepted = listener.accept()[0]
    net.lab.defer(natvi.accepted.close)
    net.outside.udp(SERVER, 5001).sendto(b"unasked", (EXTERNAL, 999))
    net.outside.run("ip", "route", "replace", "198.18.0.0/15", "via", EXTERNAL)
    net.outside.udp(SERVER, 5002).sendto(b"refused", (INSIDE, 999))
    wait_for(lambda: natvi.show("drops"), 15, "the drop to be counted")
    return natvi


def data(natvi, *words):
    done = natvi.cli(*words, "--json")
    assert not done.stderr
    return json.loads(done.stdout)


# Without anything running

def test_help_lists_all_commands_of_the_manual():
    listed = re.findall(r"^  (\w+) +\S", plain("help", check=True).stdout, re.M)
    page = (TOP / "man" / "natvi.8").read_text()
    assert len(listed) >= 16
    for command in listed:
        assert re.search(r"^\.It Cm %s\b" % command, page, re.M), "natvi.8 does not explain %s" % command
        done = plain("help", command, check=True)
        assert done.stdout.startswith("usage: natvi %s" % command)


def test_completion_knows_all_commands():
    listed = re.findall(r"^  (\w+) +\S", plain("help", check=True).stdout, re.M)
    script = 'source "$1"; COMP_WORDS=(natvi ""); COMP_CWORD=1; _natvi; echo "${COMPREPLY[@]}"'
    done = run(["bash", "-c", script, "bash", TOP / "packaging" / "natvi.bash-completion"])
    assert sorted(done.stdout.split()) == sorted(listed)


@pytest.mark.parametrize("words, completed", [
    (["show", ""], {"sessions", "mappings", "pools", "rules", "interfaces", "zones", "stats", "drops"}),
    (["show", "sessions", "proto", "t"], {"tcp"}),
    (["show", "sessions", "state", "syn"], {"syn-sent", "syn-received"}),
    (["flush", "sessions", "d"], {"dst", "dport"}),
    (["flush", "s"], {"sessions"}),
    (["run", "--masquerade", "l"], {"lo"}),
])
def test_completion(words, completed):
    script = 'source "$1"; shift; COMP_WORDS=(natvi "$@"); COMP_CWORD=$#; _natvi; echo "${COMPREPLY[@]}"'
    done = run(["bash", "-c", script, "bash", TOP / "packaging" / "natvi.bash-completion", *words])
    assert completed <= set(done.stdout.split())
    assert all(w.startswith(words[-1]) for w in done.stdout.split())


def test_version():
    assert re.match(r"natvi \d+\.\d+", plain("version", check=True).stdout)
    assert plain("--version").stdout == plain("version").stdout
    assert set(json.loads(plain("version", "--json", check=True).stdout)) == {"version", "abi", "abi_hash"}


def test_verdicts_are_explained():
    rows = plain("help", "verdicts", check=True).stdout.splitlines()
    assert len(rows) > 30 and all(len(row.split(None, 2)) == 3 for row in rows)


@pytest.mark.parametrize("words, says", [
    ([], "usage:"),
    (["shwo"], "natvi show"),
    (["sessions"], "natvi help"),
    (["show"], "sessions"),
    (["show", "sesions"], "natvi show sessions"),
    (["show", "sessions", "source", "192.0.2.1"], "src"),
    (["show", "sessions", "src"], "value"),
    (["show", "sessions", "src", "192.0.2.256"], "198.18.0.10"),
    (["show", "sessions", "port", "70000"], "65535"),
    (["show", "sessions", "--limit", "none"], "number"),
    (["show", "sessions", "--quick"], "--quick"),
    (["show", "mappings", "dst", "192.0.2.1"], "mapping"),
    (["show", "rules", "proto", "tcp"], "no filter"),
    (["show", "sessions", "--instance", "a/b"], "letters"),
    (["flush"], "flush sessions"),
    (["flush", "rules"], "flush sessions"),
    (["flush", "sessions", "proto", "tpc"], "udp"),
    (["stop", "now"], "now"),
    (["reload", "a", "b"], "one file"),
    (["reload", "--confirm", "soon"], "number"),
    (["help", "nothing"], "nothing"),
])
def test_wrong_use(words, says):
    """Exit status 2, nothing on standard output, and what would be right."""
    done = plain(*words)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert says in done.stderr


@pytest.mark.parametrize("words", [["show", s] for s in SUBJECTS] + [["status"], ["monitor"], ["stop"], ["confirm"], ["down"],
                                   ["reload"], ["flush", "sessions"], ["flush", "mappings"]], ids=" ".join)
def test_nothing_there(machine, words):
    done = plain(*words, "--instance", "nvt-not-there")
    assert done.returncode == 3, done
    assert done.stdout == "" and len(done.stderr.splitlines()) == 1


def test_output_that_cannot_be_written(machine):
    with open("/dev/full", "w") as full:
        done = run(["sh", "-c", '"$0" help verdicts > /dev/full; echo $?', NATVI])
        assert full.writable() and done.stdout.strip() == "1"
    assert "cannot write" in done.stderr


def test_check(tmp_path):
    good, bad = TOP / "examples" / "home-gateway.yaml", tmp_path / "bad.yaml"
    assert ": ok: " in plain("check", good, check=True).stdout
    report = json.loads(plain("check", "--json", good, check=True).stdout)
    assert report["ok"] is True and {"file", "summary", "config"} <= set(report)
    bad.write_text("interfaces:\n  - name: lan0\nrulez: []\npulls: []\n")
    done = plain("check", bad)
    assert done.returncode == 1 and "bad.yaml:3:" in done.stderr + done.stdout and "bad.yaml:4:" in done.stderr + done.stdout
    done = plain("check", bad, "--json")
    assert done.returncode == 1
    assert [e["line"] for e in json.loads(done.stdout)["errors"]] == [3, 4]
    assert plain("check").returncode == 2


def test_check_wires(tmp_path):
    path = tmp_path / "wires.yaml"
    path.write_text("wires:\n  - name: w0\n    ports: [eth1, eth2]\n    host: {address: 192.0.2.10/24}\n"
                    "    capture: [{match: {proto: [tcp, udp]}, to: tun0}, {to: nvi0}]\n")
    done = plain("check", path, check=True)
    assert done.stdout.startswith("%s: ok: 1 wire, 2 captures (3 entries), the box is 192.0.2.10/24 on w0; tables will take" % path)
    assert len(done.stdout.splitlines()) == 1
    report = json.loads(plain("check", "--json", path, check=True).stdout)
    assert {k: report["summary"][k] for k in ("interfaces", "wires", "captures", "capture_entries")} == \
        {"interfaces": 0, "wires": 1, "captures": 2, "capture_entries": 3}
    assert report["notes"] == [] and report["config"]["wires"][0]["capture"][1]["to"] == "nvi0"


def test_replay(tmp_path):
    """Needs no privilege: it runs without any capability."""
    words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--no-new-privs", NATVI, "replay", TOP / "examples" / "demo.pcap", "/dev/null", "-c", TOP / "examples" / "home-gateway.yaml"]
    done = run([*words, "--json"], check=False)
    assert done.returncode == 0, done
    report = json.loads(done.stdout)
    assert {"packets", "sent", "icmp_errors", "sessions", "verdicts"} <= set(report)
    assert report["packets"] >= sum(report["verdicts"].values()) - report["icmp_errors"] > 0
    assert plain("replay").returncode == 2
    wires = tmp_path / "wires.yaml"
    wires.write_text("wires: [{name: w0, ports: [eth1, eth2]}]\n")
    done = plain("replay", TOP / "examples" / "demo.pcap", "/dev/null", "-c", wires)
    assert done.returncode == 1 and done.stderr == "natvi: %s: has wires, and replay is for NAT; give it a file with `interfaces`\n" % wires


# With a gateway

def test_status(busy):
    text = busy.cli("status").stdout
    for word in ("running, pid %d" % busy.process.pid, "lan0", "wan0", "sessions    2 of"):
        assert word in text, text
    status = data(busy, "status")
    assert {"instance", "running", "pid", "started", "source", "abi", "abi_hash", "heartbeat_age_s", "sessions", "max_sessions",
            "mappings", "max_mappings", "drops", "interfaces"} <= set(status)
    assert status["running"] is True and status["pid"] == busy.process.pid
    assert status["instance"] == busy.instance and status["source"].endswith(".yaml")
    assert status["heartbeat_age_s"] <= 15 and status["sessions"] == 2 and status["drops"] >= 1
    assert {i["name"]: (i["present"], i["up"], i["xdp"], i["tc_ingress"]) for i in status["interfaces"]} == {
        "lan0": (True, True, "off", True), "wan0": (True, True, "off", True), "nvi0": (True, True, "off", False)}
    assert all({"tc_egress"} <= set(i) for i in status["interfaces"])
    assert len(re.findall(r"^[lw]an0 +up +off +in", text, re.M)) == 2


def test_sessions(busy):
    sessions = busy.sessions()
    assert len(sessions) == 2
    for s in sessions:
        assert {"proto", "state", "orig", "reply", "rule", "rule_id", "zone", "idle_s", "expires_s", "age_s", "interface", "hook",
                "complete"} <= set(s)
        assert set(s["orig"]) == DIRECTION and set(s["reply"]) == DIRECTION
        assert s["rule"] == "out" and s["rule_id"] == 1 and s["complete"] is True
        assert s["interface"] == "wan0" and s["hook"] in ("tc", "slow")
    udp, tcp = (next(s for s in sessions if s["proto"] == proto) for proto in ("udp", "tcp"))
    assert (udp["orig"]["src"], udp["orig"]["sport"], udp["orig"]["dst"], udp["orig"]["dport"]) == (INSIDE, 4321, SERVER, 5000)
    assert (udp["reply"]["src"], udp["reply"]["sport"], udp["reply"]["dst"]) == (SERVER, 5000, EXTERNAL)
    assert udp["state"] == "replied" and udp["orig"]["packets"] == 1 and udp["reply"]["packets"] == 1
    assert udp["orig"]["bytes"] == 28 + len(b"natvi")
    assert 290 <= udp["expires_s"] <= 300 and udp["idle_s"] <= 10
    assert tcp["state"] == "established" and 7440 + 230 <= tcp["expires_s"] <= 7440 + 240


def test_sessions_as_text(busy):
    lines = busy.cli("show", "sessions").stdout.splitlines()
    assert lines[0].split()[:5] == ["PROTO", "STATE", "ORIGINAL", "REPLY", "RULE"]
    assert len(lines) == 3
    assert any(re.search(r"udp +replied +198\.18\.0\.10:4321 -> 203\.0\.113\.9:5000 +203\.0\.113\.9:5000 -> 203\.0\.113\.1:\d+ +out ",
                         line) for line in lines)
    at = [line.index("198.18.0.10") for line in lines[1:]]
    assert at == [lines[0].index("ORIGINAL")] * 2
    assert not any(line.endswith(" ") or "\x1b" in line for line in lines)


@pytest.mark.parametrize("words, found", [
    (["proto", "udp"], 1), (["proto", "tcp"], 1), (["proto", "icmp"], 0), (["src", INSIDE], 2), (["src", "198.18.0.0/15"], 2),
    (["src", INSIDE2], 0), (["src", SERVER], 0), (["dst", SERVER], 2), (["host", EXTERNAL], 2), (["host", REMOTE], 0),
    (["sport", "4321"], 1), (["dport", "8080"], 1), (["port", "5000"], 1), (["port", "1"], 0), (["rule", "out"], 2),
    (["rule", "1"], 2), (["rule", "refuse"], 0), (["state", "established"], 1), (["state", "replied"], 1),
    (["interface", "wan0"], 2), (["interface", "lan0"], 2), (["interface", "lo"], 0),
    (["proto", "udp", "src", INSIDE, "dport", "5000", "state", "replied"], 1), (["proto", "udp", "dport", "8080"], 0),
    (["--limit", "1"], 1), (["--limit", "5"], 2)], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_filters(busy, words, found):
    assert len(busy.sessions(*words)) == found


def test_filter_that_names_nothing(busy):
    done = busy.cli("show", "sessions", "rule", "nobody", check=False)
    assert done.returncode == 1 and "nobody" in done.stderr
    done = busy.cli("show", "sessions", "interface", "eth99", check=False)
    assert done.returncode == 1 and "eth99" in done.stderr


def test_states_of_tcp(net):
    """Syn-sent, closing and reset, as `state` finds them."""
    natvi = net.running()
    silent = net.inside.tcp(INSIDE, 4000)
    silent.setblocking(False)
    assert silent.connect_ex((REMOTE, 81)) != 0
    net.outside.run("nft", "-f", "-", input="table ip t { chain i { type filter hook input priority 0; tcp dport 81 drop; }; }")
    again = net.inside.tcp(INSIDE, 4001)
    again.setblocking(False)
    again.connect_ex((REMOTE, 81))
    wait_for(lambda: [s["orig"]["sport"] for s in natvi.sessions("state", "syn-sent")] == [4001], 15, "the SYN that nobody answers")
    listener = net.outside.tcp_listen(SERVER, 8080)
    half, broken = net.inside.tcp(INSIDE, 4002), net.inside.tcp(INSIDE, 4003)
    for sock in (half, broken):
        sock.connect((SERVER, 8080))
    accepted = [listener.accept()[0], listener.accept()[0]]
    half.shutdown(socket.SHUT_WR)
    broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    broken.close()
    wait_for(lambda: [s["orig"]["sport"] for s in natvi.sessions("state", "closing")] == [4002], 15, "the half-closed one")
    wait_for(lambda: 4003 in [s["orig"]["sport"] for s in natvi.sessions("state", "reset")], 15, "the broken one")
    for sock in accepted:
        sock.close()
    wait_for(lambda: 4002 in [s["orig"]["sport"] for s in natvi.sessions("state", "closed")], 15, "the one closed both ways")


def test_mappings(busy):
    mappings = busy.show("mappings")
    assert all({"proto", "state", "inside", "outside", "pool", "sessions", "zone", "since_s"} <= set(m) for m in mappings)
    by_port = {m["inside"]["port"]: m for m in mappings}
    assert set(by_port) == {4321, 4322, 7001}
    assert by_port[4321]["state"] == "active" and by_port[4321]["sessions"] == 1 and by_port[4321]["proto"] == "udp"
    assert by_port[4321]["outside"]["addr"] == EXTERNAL
    assert by_port[7001]["state"] == "static" and by_port[7001]["outside"] == {"addr": EXTERNAL, "port": 7000}
    assert by_port[7001]["inside"] == {"addr": INSIDE2, "port": 7001}
    assert [m["inside"]["port"] for m in busy.show("mappings", "state", "static")] == [7001]
    assert [m["inside"]["port"] for m in busy.show("mappings", "src", INSIDE2)] == [7001]
    assert [m["inside"]["port"] for m in busy.show("mappings", "port", "7000")] == [7001]
    text = busy.cli("show", "mappings").stdout
    assert re.search(r"udp +static +198\.18\.0\.11:7001 +203\.0\.113\.1:7000", text), text


def test_mappings_of_both_protocols(net):
    """One mapping for TCP and UDP is one line, found as either, counted for both and flushed as one."""
    natvi = net.running(config("tc", rules=[dict(MASQUERADE, action={"snat": "public"})], pool={"ports": "2000-2999", "protocols": "shared"}))
    listener = net.outside.tcp_listen(SERVER, 8080)
    net.inside.tcp(INSIDE, 4321).connect((SERVER, 8080))
    face = listener.accept()[1]
    assert exchange(net.inside.udp(INSIDE, 4321), net.outside.udp(SERVER, 5000), (SERVER, 5000)) == face
    for words in ([], ["proto", "tcp"], ["proto", "udp"], ["port", "4321"]):
        assert [(m["proto"], m["sessions"], m["inside"]["port"]) for m in natvi.show("mappings", *words)] == [("tcp+udp", 2, 4321)]
    assert natvi.show("mappings", "proto", "icmp") == []
    assert re.search(r"^tcp\+udp +active +198\.18\.0\.10:4321 +%s:%d " % (re.escape(face[0]), face[1]),
                     natvi.cli("show", "mappings").stdout, re.M)
    used = next(a for a in natvi.show("pools")[0]["addresses"] if a["addr"] == face[0])
    assert used["tcp"] == used["udp"] == {"mappings": 1, "free": 999}
    assert data(natvi, "flush", "mappings") == {"flushed": 0, "busy": 1}
    natvi.cli("flush", "sessions")
    assert data(natvi, "flush", "mappings", "proto", "udp") == {"flushed": 1, "busy": 0}
    assert natvi.show("mappings") == []
    used = next(a for a in natvi.show("pools")[0]["addresses"] if a["addr"] == face[0])
    assert used["tcp"] == used["udp"] == {"mappings": 0, "free": 1000}


def test_hosts_are_no_mappings(net):
    """That a host keeps to one address of its pool is no mapping, and goes with the last one."""
    natvi = net.running(config("tc", rules=[dict(MASQUERADE, action={"snat": "public"})], pool={}))
    remote = net.outside.udp(SERVER, 5000)
    assert exchange(net.inside.udp(INSIDE, 4321), remote, (SERVER, 5000))[0] == exchange(net.inside.udp(INSIDE, 4322), remote, (SERVER, 5000))[0]
    assert sorted(m["inside"]["port"] for m in natvi.show("mappings")) == [4321, 4322]
    assert data(natvi, "status")["mappings"] == 2
    assert sum(a["udp"]["mappings"] for a in natvi.show("pools")[0]["addresses"]) == 2
    natvi.cli("flush", "sessions")
    assert data(natvi, "flush", "mappings") == {"flushed": 2, "busy": 0}
    assert data(natvi, "status")["mappings"] == 0


def test_pools(net):
    natvi = net.running(config("tc", rules=[dict(MASQUERADE, action={"snat": "public"})], pool={"ports": "2000-2999"}))
    exchange(net.inside.udp(INSIDE, 4321), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    pools = natvi.show("pools")
    public = next(p for p in pools if p["name"] == "public")
    assert public["mapping"] == "endpoint-independent" and public["filtering"] == "endpoint-independent"
    assert (public["pooling"], public["port_selection"], public["protocols"]) == ("paired", "preserve", "separate")
    assert public["filtering_tcp"] == "endpoint-independent"
    assert len(public["addresses"]) == 16
    assert all(set(a) == {"addr", "tcp", "udp", "icmp"} for a in public["addresses"])
    used = [a for a in public["addresses"] if a["udp"]["mappings"]]
    assert len(used) == 1
    assert used[0]["udp"] == {"mappings": 1, "free": 999}
    assert used[0]["tcp"] == {"mappings": 0, "free": 1000}
    assert "public" in natvi.cli("show", "pools").stdout


def test_pools_say_how_they_map(net):
    """As JSON, and as text in words that the configuration has."""
    natvi = net.running(config("tc", rules=[dict(MASQUERADE, action={"snat": "public"})], pool={
        "pooling": "arbitrary", "port-selection": "random", "protocols": "shared", "filtering": {"tcp": "address-dependent"}}))
    public = natvi.show("pools")[0]
    assert (public["pooling"], public["port_selection"], public["protocols"]) == ("arbitrary", "random", "shared")
    assert (public["filtering"], public["filtering_tcp"]) == ("endpoint-independent", "address-dependent")
    assert re.search(r"^public .* tcp:address-dependent,udp:endpoint-independent +arbitrary +random +shared ",
                     natvi.cli("show", "pools").stdout, re.M)


def test_mss_is_shown(net):
    configuration = config("tc")
    configuration["interfaces"][0]["mss"] = 1300
    configuration["interfaces"][1]["mss"] = "auto"
    natvi = net.running(configuration)
    assert {i["name"]: i["mss"] for i in natvi.show("interfaces")} == {"lan0": 1300, "wan0": "auto", "nvi0": "off"}
    assert re.search(r"^wan0 .* 1500 +auto ", natvi.cli("show", "interfaces").stdout, re.M)


def test_rules(busy):
    rules = busy.show("rules")
    assert [(r["id"], r["name"], r["in"], r["out"], r["action"]) for r in rules] == [
        (1, "out", "lan0", "wan0", "snat"), (2, "refuse", "wan0", REFUSE.get("to", {}).get("interface", "any"), "drop")]
    assert rules[0]["pool"] == "masquerade" and rules[0]["sessions"] == 2 and rules[1]["sessions"] == 0
    assert {"source", "destination", "proto", "source_ports", "destination_ports"} <= set(rules[0])
    assert rules[0]["source"] == rules[0]["destination"] == rules[0]["proto"] == rules[0]["source_ports"] == "any"
    assert "refuse" in busy.cli("show", "rules").stdout


def test_rule_of_an_interface_that_is_not_there(net):
    rules = [dict(MASQUERADE, name="later", **{"from": {"interface": "lan9", "source": ["198.18.0.0/24"]}, "to": {"interface": "wan0", "port": ["80-90"]},
                                 "proto": ["tcp"]}), MASQUERADE]
    natvi = net.running(config("tc", rules=rules, interfaces=("lan0", "lan9", "wan0")))
    shown = natvi.show("rules")[0]
    assert (shown["in"], shown["source"], shown["proto"], shown["destination_ports"]) == ("(absent)", "198.18.0.0/24", "tcp", "80-90")


def test_interfaces(busy):
    interfaces = {i["name"]: i for i in busy.show("interfaces")}
    assert set(interfaces) == {"lan0", "wan0", "nvi0"}
    wan = interfaces["wan0"]
    assert {"ifindex", "vlan", "zone", "state", "addr", "mtu", "mss", "mac", "xdp", "tc_ingress", "tc_egress", "masquerade_pool"} <= set(wan)
    assert wan["addr"] == EXTERNAL and wan["mtu"] == 1500 and wan["state"] == "up" and wan["masquerade_pool"] != "-"
    assert re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", wan["mac"])
    assert re.search(r"^wan0 .*203\.0\.113\.1 ", busy.cli("show", "interfaces").stdout, re.M)


def test_interfaces_from_elsewhere(busy):
    """Asked from another namespace: names and addresses are there, hooks cannot be seen."""
    shown = json.loads(plain("show", "interfaces", "--instance", busy.instance, "--json", check=True).stdout)["interfaces"]
    assert {i["name"]: i["state"] for i in shown} == {"lan0": "elsewhere", "wan0": "elsewhere", "nvi0": "elsewhere"}


def test_xdp_is_told_apart(lab):
    net = Topology(lab, "xdp")
    natvi = net.running()
    exchange(net.inside.udp(INSIDE), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    assert {i["name"]: i["xdp"] for i in natvi.show("interfaces")} == {"lan0": "native", "wan0": "native", "nvi0": "off"}
    assert sorted(i["xdp"] for i in data(natvi, "status")["interfaces"]) == ["native", "native", "off"]
    for _ in range(3):
        exchange(net.inside.udp(INSIDE, 4000), net.outside.udp(SERVER, 5001), (SERVER, 5001))
    assert {s["hook"] for s in natvi.sessions("sport", "4000")} == {"xdp"}


def test_stats_and_drops(busy):
    stats = data(busy, "show", "stats")
    assert {"verdicts", "xdp_hits", "events_lost", "icmp_suppressed", "sessions", "mappings"} <= set(stats)
    assert all(set(v) == {"name", "class", "packets", "bytes", "text"} for v in stats["verdicts"])
    assert {v["class"] for v in stats["verdicts"]} == {"send", "kernel", "drop"}
    assert len(stats["verdicts"]) == len(plain("help", "verdicts").stdout.splitlines())
    packets = {v["name"]: v["packets"] for v in stats["verdicts"]}
    assert packets["forward"] + packets["new-forward"] + packets["slow-neighbour"] >= 5
    drops = {d["name"]: d for d in busy.show("drops")}
    assert drops["rule-drop"]["packets"] == 1 and drops["rule-drop"]["bytes"] == 28 + len(b"refused")
    assert all(d["packets"] for d in drops.values())
    assert re.search(r"rule-drop +1 +35 +a rule drops it", busy.cli("show", "drops").stdout)
    assert re.search(r"^no-route +drop +0 ", busy.cli("show", "stats").stdout, re.M)


def test_show_with_the_daemon_killed(busy):
    before = busy.sessions()
    busy.kill()
    after = busy.sessions()
    assert sorted(s["orig"]["sport"] for s in after) == sorted(s["orig"]["sport"] for s in before)
    for subject in SUBJECTS:
        assert busy.cli("show", subject).stdout
        assert data(busy, "show", subject)
    assert exchange(busy.client, busy.remote, (SERVER, 5000))[0] == EXTERNAL
    assert busy.sessions("proto", "udp")[0]["orig"]["packets"] == 2
    done = busy.cli("status", check=False)
    assert done.returncode == 3 and "not running" in done.stdout and re.search(r"^wan0 +up +off +in", done.stdout, re.M)
    done = busy.cli("status", "--json", check=False)
    assert done.returncode == 3
    status = json.loads(done.stdout)
    assert status["running"] is False and status["sessions"] == 2 and status["pid"] is None
    for words in (["flush", "sessions"], ["reload"], ["confirm"], ["stop"]):
        done = busy.cli(*words, check=False)
        assert done.returncode == 3 and "not running" in done.stderr, done
    assert busy.cli("down").returncode == 0
    assert busy.cli("show", "sessions", check=False).returncode == 3
    assert busy.cli("down", check=False).returncode == 3


def test_show_of_a_frozen_daemon(busy):
    """The tables do not wait for the daemon; status does not wait for ever."""
    busy.freeze()
    assert len(busy.sessions()) == 2
    done = busy.cli("status", check=False)
    assert done.returncode == 3 and "no answer" in done.stdout


def test_flush_sessions(busy):
    assert data(busy, "flush", "sessions", "proto", "icmp")["flushed"] == 0
    assert data(busy, "flush", "sessions", "proto", "udp", "rule", "out")["flushed"] == 1
    assert [s["proto"] for s in busy.sessions()] == ["tcp"]
    assert busy.cli("flush", "sessions").stdout == "1 session flushed\n"
    assert busy.sessions() == []
    assert busy.cli("flush", "sessions").stdout == "0 sessions flushed\n"
    done = busy.cli("flush", "sessions", "rule", "nobody", check=False)
    assert done.returncode == 1 and "nobody" in done.stderr


def test_flush_mappings(busy):
    held = data(busy, "flush", "mappings", "port", "4321")
    assert held["flushed"] == 0 and held["busy"] == 1
    busy.cli("flush", "sessions", "proto", "udp")
    busy.cli("flush", "mappings", "proto", "udp")
    assert [m["state"] for m in busy.show("mappings", "proto", "udp")] == ["static"]


def test_reload_of_a_file(busy):
    """By name, by -c and by standard input; a bad one changes nothing and is explained by its lines."""
    path = busy.lab.dir / "other.yaml"
    path.write_text(json.dumps(config("tc", rules=[dict(MASQUERADE, name="other"), REFUSE])))
    assert "other.yaml" in busy.cli("reload", path).stdout
    assert busy.show("rules")[0]["name"] == "other"
    assert len(busy.sessions()) == 2
    path.write_text(json.dumps(config("tc", rules=[dict(MASQUERADE, name="third"), REFUSE])))
    busy.cli("reload", "-c", path)
    assert busy.show("rules")[0]["name"] == "third"
    busy.cli("reload", "-", input=json.dumps(config("tc", rules=[dict(MASQUERADE, name="fourth"), REFUSE])))
    assert busy.show("rules")[0]["name"] == "fourth"
    path.write_text("interfaces:\n  - name: lan0\nrulez: []\n")
    done = busy.cli("reload", path, check=False)
    assert done.returncode == 1 and "other.yaml:3:" in done.stderr
    assert busy.show("rules")[0]["name"] == "fourth"
    done = busy.cli("reload", busy.lab.dir / "missing.yaml", check=False)
    assert done.returncode == 1 and "missing.yaml" in done.stderr


def test_reload_of_its_own_file(busy):
    busy._config_file(config("tc", rules=[dict(MASQUERADE, name="edited"), REFUSE]))
    busy.cli("reload")
    assert busy.show("rules")[0]["name"] == "edited"


def test_confirm(busy):
    path = busy.lab.dir / "other.yaml"
    path.write_text(json.dumps(config("tc", rules=[dict(MASQUERADE, name="other"), REFUSE])))

    def unconfirmed():
        assert "natvi confirm" in busy.cli("reload", path, "--confirm", 1).stdout
        assert busy.show("rules")[0]["name"] == "other"
    in_time(unconfirmed, 1)
    wait_for(lambda: busy.show("rules")[0]["name"] == "out", 15, "the old configuration to come back")
    busy.cli("reload", path, "--confirm", 30)
    busy.cli("confirm")
    assert busy.show("rules")[0]["name"] == "other"
    done = busy.cli("confirm", check=False)
    assert done.returncode == 1 and done.stderr


def test_doctor(busy):
    report = data(busy, "doctor")
    assert {"instance", "serious", "findings"} <= set(report)
    assert all({"severity", "id", "subject", "what", "right"} <= set(f) for f in report["findings"])
    busy.namespace.sysctl("net.ipv4.ip_forward", 0)
    done = busy.cli("doctor", "--json", check=False)
    assert done.returncode == 1 and json.loads(done.stdout)["serious"] is True
    assert "ip_forward" in busy.cli("doctor", check=False).stdout


def test_loglevel(busy):
    assert data(busy, "loglevel") == {"level": "info"}
    assert busy.cli("loglevel", "debug").stdout == "debug\n"
    assert data(busy, "loglevel") == {"level": "debug"}
    done = busy.cli("loglevel", "loud", check=False)
    assert done.returncode == 1 and "warn" in done.stderr


def test_stop_keeps_the_datapath(busy):
    busy.stop()
    assert exchange(busy.client, busy.remote, (SERVER, 5000))[0] == EXTERNAL
    assert len(busy.sessions()) == 2
    assert busy.cli("stop", check=False).returncode == 3


def test_monitor(net):
    natvi = net.running()
    text = net.gateway.spawn(NATVI, "monitor", "--instance", natvi.instance)
    wait_for(lambda: _event_until(natvi) > 0, 15, "the monitor to ask for events")
    exchange(net.inside.udp(INSIDE, 4321), net.outside.udp(SERVER, 5000), (SERVER, 5000))
    text.wait_output(r"new +udp +198\.18\.0\.10:4321 -> 203\.0\.113\.9:5000 \| reply 203\.0\.113\.9:5000 -> 203\.0\.113\.1:\d+ \| rule out")
    natvi.cli("flush", "sessions")
    text.wait_output(r"end +udp .* packets 1/1 bytes 33/33")
    second = natvi.cli("monitor", check=False)
    assert second.returncode == 1 and "reader" in second.stderr
    assert text.stop() == 0
    lines = net.gateway.spawn(NATVI, "monitor", "--json", "--instance", natvi.instance)
    wait_for(lambda: _reader_is(natvi), 15, "the second monitor to read")
    exchange(net.inside.udp(INSIDE, 4322), net.outside.udp(SERVER, 5001), (SERVER, 5001))
    lines.wait_output(r"4322.*\n")
    event = json.loads(lines.out.splitlines()[0])
    assert {"event", "time", "proto", "orig", "reply", "rule", "rule_id"} <= set(event)
    assert event["event"] == "new" and event["orig"]["sport"] == 4322 and event["rule"] == "out"
    assert lines.stop() == 0


def _event_until(natvi):
    """control.events_until_s, seconds of the monotonic clock; 0 when nobody ever read."""
    done = run(["bpftool", "-j", "map", "dump", "pinned", PINS / natvi.instance / "control"])
    value = json.loads(done.stdout)[0]
    raw = bytes(int(b, 16) for b in value["value"]) if isinstance(value["value"], list) else None
    if raw is None:
        return value["value"]["events_until_s"]
    return struct.unpack_from("<I", raw, 56)[0]


def _reader_is(natvi):
    """Events are being asked for now."""
    uptime = float(pathlib.Path("/proc/uptime").read_text().split()[0])
    return _event_until(natvi) > uptime


def test_other_version_is_refused(busy):
    """A changed hash in the control map: every reader names the way out, and down works."""
    control = PINS / busy.instance / "control"
    busy.stop()
    done = run(["bpftool", "-j", "map", "lookup", "pinned", control, "key", "0", "0", "0", "0"])
    value = json.loads(done.stdout)["value"]
    value[32] = "0x%02x" % (int(value[32], 16) ^ 0xff)
    run(["bpftool", "map", "update", "pinned", control, "key", "0", "0", "0", "0", "value", *[str(int(b, 16)) for b in value]])
    for words in (["show", "sessions"], ["status"], ["monitor"]):
        done = busy.cli(*words, check=False)
        assert done.returncode == 1 and "natvi down --instance %s" % busy.instance in done.stderr
    assert busy.cli("down").returncode == 0
    assert not (PINS / busy.instance).exists()


def test_many_sessions(net):
    """A thousand sessions are all there, as text and as JSON, and the reader is not confused by new ones."""
    natvi = net.running()
    remote, sock = net.outside.udp(SERVER, 5000), net.inside.udp(INSIDE, 4000)
    for host in range(1, 5):
        for port in range(20000, 20250):
            sock.sendto(b"x", ("198.51.100.1" if host % 2 else SERVER, port + 250 * host))
        select.select([remote], [], [], 0.01)
    wait_for(lambda: len(natvi.sessions("sport", "4000")) == 1000, 15, "a thousand sessions")
    assert len(natvi.cli("show", "sessions", "sport", "4000").stdout.splitlines()) == 1001
    assert data(natvi, "flush", "sessions", "dst", "198.51.100.1")["flushed"] == 500
    assert len(natvi.sessions("sport", "4000")) == 500
