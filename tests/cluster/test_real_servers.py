"""Hosts made real servers and directors by the commands for it, as a user does, and unmade."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from hosts import DIRECTRIX, VIP, VIP6, Cluster, Host, until
from traffic import Server, ask, ask_udp
from wire import Frame, Watch, watching

pytestmark = pytest.mark.root

BOTH = ("--vip", VIP, VIP6)
SETTINGS = ("ipv4/conf", "ipv6/conf", "ipv4/ip_forward")


def settle(*hosts: Host) -> None:
    """Wait until the kernel has done by itself what it does some time after an interface was set up."""
    for host in hosts:

        def is_settled(host: Host = host) -> bool:
            routes = host.run("ip", "-6", "route", "show", "table", "local", "dev", "eth0").stdout
            return "local fe80::" in routes and "multicast ff00::/8" in routes and " state UP " in state(host)

        until(f"{host.name} has settled", is_settled, 30.0)


def state(host: Host) -> str:
    return host.run("ip", "link", "show", "dev", "eth0").stdout


@pytest.fixture
def bare(cluster: Cluster) -> Cluster:
    """Client, director, rs1 and rs2 on one segment, with addresses of their own and nothing else."""
    switch = cluster.host("switch")
    numbers = {"client": 50, "director": 1, "rs1": 11, "rs2": 12}
    cluster.segment(switch, "br0", {f"p-{name}": (cluster.host(name), "eth0") for name in numbers})
    for name, number in numbers.items():
        cluster[name].ip(f"addr add 10.0.0.{number}/24 dev eth0; addr add fd00::{number}/64 dev eth0 nodad")
    settle(*(cluster[name] for name in numbers))
    return cluster


@pytest.fixture
def rs(cluster: Cluster) -> Iterator[Host]:
    """One host with an interface; nothing is noted of it at the end."""
    host = cluster.host("rs")
    cluster.wire(host, "eth0", cluster.host("other"), "eth0")
    host.ip("addr add 10.0.0.11/24 dev eth0; addr add fd00::11/64 dev eth0 nodad; route add default via 10.0.0.254")
    settle(host)
    yield host
    host.directrix("realserver", "stop")
    host.directrix("director", "stop")


def snapshot(host: Host) -> dict[str, str]:
    """Addresses, kernel parameters, rules and routes."""
    told = {
        words: host.run(*words.split()).stdout
        for words in (
            "ip -details address show",
            "ip route show table all",
            "ip -6 route show table all",
            "ip rule show",
            "nft list ruleset",
            "tc qdisc show dev eth0",
        )
    }
    with host.entered():
        for setting in SETTINGS:
            top = Path("/proc/sys/net", setting)
            for path in [top] if top.is_file() else sorted(top.rglob("*")):
                if path.is_file() and path.name != "stable_secret":
                    told[str(path)] = path.read_text()
    return told


def arp_senders(watch: Watch, mac: str) -> set[str]:
    """The addresses that a host gave as its own in ARP."""
    return {
        socket.inet_ntoa(frame.data[28:32])
        for frame in watch.frames()
        if frame.data[12:14] == b"\x08\x06" and frame.source == mac
    }


def advertised(watch: Watch, mac: str) -> set[str]:
    """The addresses a host gave as its own in IPv6's neighbour advertisements."""

    def is_advertisement(frame: Frame) -> bool:
        return frame.version == 6 and frame.protocol == 58 and frame.data[54] == 136 and frame.source == mac

    return {socket.inet_ntop(socket.AF_INET6, frame.data[62:78]) for frame in watch.frames() if is_advertisement(frame)}


@pytest.mark.parametrize("method", ["sysctl", "arptables", "redirect"])
def test_each_method_serves_tcp_and_udp_keeps_silent_about_the_vip_and_goes_without_a_trace(
    bare: Cluster, method: str
) -> None:
    switch, client, director = bare["switch"], bare["client"], bare["director"]
    servers = [bare["rs1"], bare["rs2"]]
    before = [snapshot(host) for host in (director, *servers)]
    director.directrix("director", "start", *BOTH)
    for host in servers:
        host.directrix("realserver", "start", *BOTH, "--method", method)
        Server(bare, host, addresses=("0.0.0.0", "::") if method == "redirect" else (VIP, VIP6))
    director.up()
    service = "-A -t {0}:80 -s rr; -a -t {0}:80 -r {1}:80; -a -t {0}:80 -r {2}:80"
    rules = [service.format(VIP, "10.0.0.11", "10.0.0.12"), service.format(f"[{VIP6}]", "[fd00::11]", "[fd00::12]")]
    director.restore("; ".join([*rules, *(rule.replace("-t", "-u") for rule in rules)]))

    with watching((switch, "p-rs1"), (switch, "p-rs2")) as wires:
        for host in (client, *servers):
            host.run("ip", "neigh", "flush", "all")  # everybody has to ask
        for vip in (VIP, VIP6):
            assert {ask(client, vip) for _ in range(4)} == {"rs1", "rs2"}
            if method != "redirect":
                assert ask_udp(client, vip) in ("rs1", "rs2")
        for host, wire in zip(servers, wires, strict=True):
            assert arp_senders(wire, host.mac()) == {host.name.replace("rs", "10.0.0.1")}
            assert VIP6 not in advertised(wire, host.mac())

    director.directrix("down", "-q")
    for host in servers:
        assert host.directrix("realserver", "status").returncode == 0
        host.directrix("realserver", "stop")
        assert host.directrix("realserver", "status", check=False).returncode == 3
    director.directrix("director", "stop")
    assert [snapshot(host) for host in (director, *servers)] == before


def test_without_it_the_vip_is_told_of_on_the_wire(bare: Cluster) -> None:
    """That what the test above looks for is to be seen at all."""
    switch, client, rs1 = bare["switch"], bare["client"], bare["rs1"]
    rs1.ip(f"addr add {VIP}/32 dev lo")
    with watching((switch, "p-rs1")) as (wire,):
        Server(bare, rs1, addresses=(VIP,))
        assert ask(client) == "rs1"
        assert VIP in arp_senders(wire, rs1.mac())


def know_elsewhere(client: Host) -> None:
    for vip in (VIP, VIP6):
        client.ip(f"neigh replace {vip} lladdr 02:00:00:00:00:99 dev eth0 nud stale")


def until_known_at(host: Host, client: Host) -> None:
    for vip in (VIP, VIP6):
        until(f"{vip} is known", lambda vip=vip: host.mac() in client.run("ip", "neigh", "show", vip).stdout)


def test_a_directors_vip_is_announced_to_those_who_know_it_elsewhere(bare: Cluster) -> None:
    client, director = bare["client"], bare["director"]
    know_elsewhere(client)
    director.directrix("director", "start", *BOTH)
    bare.closing.append(lambda: director.directrix("director", "stop"))
    until_known_at(director, client)


def test_a_vip_that_another_host_answers_for_is_taken_over_only_if_one_says_so(bare: Cluster) -> None:
    client, director, other = bare["client"], bare["director"], bare["rs1"]
    before = snapshot(director)
    other.directrix("director", "start", *BOTH)
    bare.closing.append(lambda: other.directrix("director", "stop"))
    for vip in (VIP, VIP6):
        refused = director.directrix("director", "start", "--vip", vip, check=False)
        assert refused.returncode == 1
        assert f"{vip} is taken: the host with the MAC {other.mac()} answers for it on eth0" in refused.stderr
    assert snapshot(director) == before
    know_elsewhere(client)
    director.directrix("director", "start", *BOTH, "--take-over")
    bare.closing.append(lambda: director.directrix("director", "stop"))
    until_known_at(director, client)
    other.directrix("director", "announce")  # who has it may say so again
    until_known_at(other, client)
    assert director.directrix("director", "announce", "--vip", "10.0.0.1", "--dry-run").stdout == (
        "arping -U -c 1 -I eth0 10.0.0.1\n"
    )
    refused = director.directrix("director", "announce", "--vip", VIP, "10.0.0.99", check=False)
    assert "no interface that leads to others carries 10.0.0.99 here" in refused.stderr


@pytest.mark.parametrize(
    "order", ["start up stop down", "start up down stop", "up start stop down", "up start down stop"]
)
def test_forwarding_goes_back_whichever_goes_first_of_director_and_data_plane(rs: Host, order: str) -> None:
    words = {"start": ("start", *BOTH, "--method", "masquerade"), "stop": ("stop",)}
    before = snapshot(rs)
    for word in order.split():
        rs.directrix(*(("director", *words[word]) if word in words else (word, "--quiet")))
    assert snapshot(rs) == before


@pytest.mark.slow
def test_several_vips_and_methods_start_and_stop_in_any_order(rs: Host) -> None:
    rs.set("ipv4/conf/eth0/arp_announce", 1)
    before = snapshot(rs)
    starts = {
        VIP: ("realserver", "--method", "sysctl"),
        VIP6: ("realserver",),
        "10.0.0.101": ("realserver", "--method", "arptables"),
        "10.0.0.102": ("realserver", "--method", "redirect"),
        "10.0.0.103": ("realserver", "--method", "sysctl"),
        "10.0.0.104": ("director", "--method", "masquerade"),
        "fd00::104": ("director", "--method", "masquerade"),
    }
    for order in (list(starts), list(starts)[::-1], [*list(starts)[3:], *list(starts)[:3]]):
        for vip, (side, *words) in starts.items():
            rs.directrix(side, "start", "--vip", vip, *words)
        for side in ("realserver", "director"):
            status = json.loads(rs.directrix(side, "status", "--json").stdout)
            assert {entry["vip"] for entry in status} == {vip for vip, words in starts.items() if words[0] == side}
            assert all(entry["healthy"] and entry["started"] for entry in status)
        for vip in order:
            rs.directrix(starts[vip][0], "stop", "--vip", vip)
        assert snapshot(rs) == before


def test_what_is_missing_is_named_with_the_command_that_mends_it(rs: Host) -> None:
    rs.directrix("realserver", "start", "--vip", VIP)
    rs.ip(f"addr del {VIP}/32 dev lo")
    rs.set("ipv4/conf/all/arp_ignore", 0)
    shown = rs.directrix("realserver", "status", check=False)
    assert shown.returncode == 1
    [told] = json.loads(rs.directrix("realserver", "status", "--json", check=False).stdout)
    assert not told["healthy"]
    missing = [fact for fact in told["facts"] if not fact["holds"]]
    assert {fact["fact"] for fact in missing} == {"net.ipv4.conf.all.arp_ignore = 1", f"{VIP}/32 on lo"}
    for fact in missing:
        for command in fact["mend"]:
            assert command in shown.stdout
            rs.run("sh", "-c", command)
    rs.directrix("realserver", "status")


def test_what_somebody_set_up_by_hand_is_as_good_if_it_has_the_effect(rs: Host) -> None:
    rs.set("ipv4/conf/all/arp_ignore", 1)
    rs.set("ipv4/conf/all/arp_announce", 2)
    rs.ip(f"addr add {VIP}/32 dev lo; addr add {VIP6}/128 dev lo")
    assert "missing" not in rs.directrix("realserver", "status", *BOTH).stdout
    rs.set("ipv4/conf/all/arp_announce", 1)
    assert "conf.eth0.arp_announce=2" in rs.directrix("realserver", "status", *BOTH, check=False).stdout


@pytest.mark.parametrize("method", ["sysctl", "arptables", "redirect", "tunnel"])
def test_what_a_rehearsal_prints_can_be_typed_and_does_the_same(rs: Host, method: str) -> None:
    before = snapshot(rs)
    lines = rs.directrix("realserver", "start", *BOTH, "-m", method, "--dry-run").stdout.splitlines()
    assert snapshot(rs) == before
    for line in lines:
        rs.run("sh", "-c", line)
    typed = snapshot(rs)
    assert typed != before
    status = rs.directrix("realserver", "status", *BOTH, "-m", method, check=False)
    assert "missing" not in status.stdout
    # what was there before it was started stays
    rs.directrix("realserver", "start", *BOTH, "-m", method)
    rs.directrix("realserver", "stop")
    assert snapshot(rs) == typed


KILLING = """#!/bin/sh
case "$*" in
    *"{verb}"*) {before}; {program} "$@"; kill -9 $PPID; exit 1 ;;
esac
exec {program} "$@"
"""


@pytest.mark.parametrize("before", [":", "kill -9 $PPID; exit 1"], ids=["after", "before"])
@pytest.mark.parametrize(
    ("program", "verb", "words"),
    [
        ("ip", "address add", ("start", *BOTH)),
        ("ip", "nodad", ("start", *BOTH)),
        ("nft", "add table", ("start", *BOTH, "--method", "redirect")),
        ("sh", "filter replace", ("start", *BOTH, "--method", "tunnel")),
        ("ip", "address del", ("stop",)),
    ],
)
def test_killed_at_any_command_it_can_be_stopped_and_started(
    rs: Host, tmp_path: Path, before: str, program: str, verb: str, words: tuple[str, ...]
) -> None:
    first = snapshot(rs)
    if words[0] == "stop":
        rs.directrix("realserver", "start", *BOTH)
    fake = tmp_path / program
    fake.write_text(KILLING.format(verb=verb, before=before, program=shutil.which(program)))
    fake.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert rs.run(*DIRECTRIX, "realserver", *words, check=False, env=path).returncode == -9
    rs.directrix("realserver", "stop")
    assert snapshot(rs) == first
    if words[0] == "start":
        rs.run(*DIRECTRIX, "realserver", *words, check=False, env=path)
        rs.directrix("realserver", *words)
        rs.directrix("realserver", "status")
        rs.directrix("realserver", "stop")
        assert snapshot(rs) == first


@pytest.mark.parametrize("method", ["arptables", "redirect"])
def test_without_nft_the_older_programs_are_taken_and_leave_as_little(rs: Host, tmp_path: Path, method: str) -> None:
    for program in ("ip", "arptables", "iptables", "ip6tables"):
        (tmp_path / program).symlink_to(shutil.which(program) or "/")
    path = {**os.environ, "PATH": str(tmp_path)}
    before = snapshot(rs)

    def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        with rs.entered():
            done = subprocess.run([*DIRECTRIX, *words], env=path, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    for _ in range(2):
        run("realserver", "start", *BOTH, "-m", method)
    status = run("realserver", "status", "--json")
    assert all(entry["healthy"] for entry in json.loads(status.stdout))
    assert "tables" in status.stdout
    run("realserver", "stop")
    assert snapshot(rs) == before
    for program in ("arptables", "iptables", "ip6tables"):
        (tmp_path / program).unlink()
    (tmp_path / "ip").rename(tmp_path / "hidden")
    assert "install the package iproute2" in run("realserver", "start", *BOTH, check=False).stderr
    (tmp_path / "hidden").rename(tmp_path / "ip")
    refused = run("realserver", "start", *BOTH, "-m", method, check=False)
    assert refused.returncode == 1
    assert "install the package nftables or" in refused.stderr
    assert snapshot(rs) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("realserver start --vip 10.0.0.11", "own address on eth0"),
        ("director start --vip fd00::11", "own address on eth0"),
        (f"realserver start --vip {VIP} --vip 10.0.0.300", "'10.0.0.300' is not an address"),
        (f"realserver start --vip {VIP} --interface eth7", "no interface 'eth7' here; there are: eth0"),
        (f"realserver start --vip {VIP} --vip 10.0.0.11", "own address"),
        (f"director start --vip {VIP} --interface lo", "lo leads to nobody"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_is_changed(rs: Host, words: str, said: str) -> None:
    before = snapshot(rs)
    refused = rs.directrix(*words.split(), check=False)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert snapshot(rs) == before


def test_a_director_needs_an_address_beside_its_vips(rs: Host) -> None:
    rs.ip("addr del 10.0.0.11/24 dev eth0")
    refused = rs.directrix("director", "start", "--vip", VIP, "-i", "eth0", check=False)
    assert "eth0 has no IPv4 address but VIPs" in refused.stderr


def test_a_firewalls_rule_in_the_way_of_a_director_is_named(rs: Host) -> None:
    rs.run("nft", "add table inet wall; add chain inet wall in { type filter hook input priority 0; }")
    rs.run("nft", f"add rule inet wall in ip daddr {VIP} tcp dport 80 drop")
    assert f"`ip daddr {VIP} tcp dport 80 drop`" in rs.directrix("director", "start", "--vip", VIP).stderr
    [told] = json.loads(rs.directrix("director", "status", "--json").stdout)
    assert told["firewall"] == [{"where": "inet wall in", "rule": f"ip daddr {VIP} tcp dport 80 drop"}]


def in_a_machine_of_its_own(rs: Host, *lines: str) -> subprocess.CompletedProcess[str]:
    """Shell lines as a machine's first process, with a /run, /etc and /var/lib that go with it; `$D` is directrix.

    It is a machine that systemd runs, whatever this one is.
    """
    empty = ("/run", "/etc/systemd/system", "/etc/sysctl.d", "/var/lib")
    mounts = (f"mkdir -p {place} && mount -t tmpfs tmpfs {place}" for place in empty)
    script = ["set -e", *mounts, "mkdir -p /run/systemd/system", *lines]
    machine = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c")
    return rs.run(*machine, "\n".join(script), env={**os.environ, "D": " ".join(DIRECTRIX)})


@pytest.mark.parametrize(("method", "there"), [("arptables", 5), ("tunnel", 7)])
def test_it_is_kept_over_boots_until_that_is_undone(rs: Host, method: str, there: int) -> None:
    before = snapshot(rs)
    files = "find /etc/systemd/system /etc/sysctl.d /var/lib -mindepth 1 | sort"
    told = in_a_machine_of_its_own(
        rs,
        f"$D realserver start --vip {VIP} --method {method} --persist",
        "$D realserver status --json | grep persist",
        f"$D realserver stop --vip {VIP}",
        # what systemd does at boot, and when somebody restarts the unit
        "grep ^ExecStart= /etc/systemd/system/*.service | cut -d= -f2- | sed 's/[$][$]/$/g' > /var/lib/lines",
        "sh -e /var/lib/lines; sh -e /var/lib/lines; rm /var/lib/lines",
        "$D realserver status | grep -c ok",
        "sed -n s/^ExecStop=-//p /etc/systemd/system/*.service | sh -e",
        f"echo stopped; {files}; $D realserver stop --persist",
        f"echo undone; {files}",
    ).stdout
    lasting, rest = told.split("stopped\n")
    left, undone = rest.split("undone\n")
    assert '"persist": "systemd"' in lasting
    assert lasting.splitlines()[-1] == str(there), "rules, programs and address, and the files for them"
    assert "/etc/systemd/system/multi-user.target.wants/directrix-realserver-10-0-0-100.service" in left
    assert undone == ""
    assert snapshot(rs) == before


def test_after_a_boot_it_is_known_what_was_there_before(rs: Host) -> None:
    before = snapshot(rs)
    told = in_a_machine_of_its_own(
        rs,
        f"$D realserver start --vip {VIP} --vip 10.0.0.101 --persist",
        "rm -r /run/directrix",  # a boot takes it away, and has the same set up again
        "$D realserver status --json",
        f"$D realserver stop --vip {VIP} --persist",
        "$D realserver status >&2 && $D realserver stop --persist",
        "echo left: $(find /etc/systemd/system /etc/sysctl.d /var/lib /run -type f -o -type l) >&2",
    )
    assert [(entry["persist"], entry["started"], entry["healthy"]) for entry in json.loads(told.stdout)] == [
        ("systemd", True, True)
    ] * 2
    assert told.stderr.splitlines()[-1] == "left:"
    assert snapshot(rs) == before


def test_where_etc_can_not_be_written_nothing_is_changed(rs: Host) -> None:
    before = snapshot(rs)
    told = in_a_machine_of_its_own(
        rs,
        "mount -o remount,ro /etc/systemd/system",
        f"$D realserver start --vip {VIP} --persist 2>&1 || echo status $?",
        "find /etc/sysctl.d /var/lib -mindepth 1",
        "$D realserver status 2>&1 || echo status $?",
    ).stdout.splitlines()
    assert "/etc/systemd/system/directrix-realserver-10-0-0-100.service" in told[0]
    assert "Read-only file system; nothing was changed" in told[0]
    assert told[1:] == ["status 1", "this host was made a real server for no VIP", "status 3"]
    assert snapshot(rs) == before


def test_other_hosts_are_prepared_over_ssh_without_directrix_on_them(bare: Cluster, tmp_path: Path) -> None:
    """The ssh here goes into a namespace instead of over a wire; it runs what it is given by a shell, as sshd does."""
    ssh = tmp_path / "ssh"
    ssh.write_text(f'#!/bin/sh\n[ "$1" = -- ] || exit 9\nexec nsenter --net=/run/netns/{bare.prefix}-$2 sh -c "$3"\n')
    ssh.chmod(0o755)
    (tmp_path / "python3").symlink_to(sys.executable)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": ""}
    hosts = [bare["rs1"], bare["rs2"]]
    before = [snapshot(host) for host in hosts]

    def run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        both = ("--host", "rs1", "--host", "rs2")
        return bare["director"].run(*DIRECTRIX, "realserver", *words, *both, check=check, env=path)

    run("start", *BOTH, "--method", "arptables")
    for host in hosts:
        found = json.loads(host.directrix("realserver", "status", "--json").stdout)
        assert [(entry["vip"], entry["method"]) for entry in found] == [(VIP, "arptables"), (VIP6, "arptables")]
    assert run("status").stdout.count("ok ") == 6
    run("stop")
    assert [snapshot(host) for host in hosts] == before
    run("start", *BOTH, "--tunnel", "gue:6080", "--clamp-mss")
    for host in hosts:
        found = json.loads(host.directrix("realserver", "status", "--json").stdout)
        assert [(entry["method"], entry["tunnels"]) for entry in found] == [("tunnel", ["gue:6080"])] * 2
    run("stop")
    assert [snapshot(host) for host in hosts] == before
    refused = run("start", "--vip", "10.0.0.11", check=False)
    assert refused.returncode == 1
    assert "own address" in refused.stderr
    assert [snapshot(host) for host in hosts] == before, "after a refusal the next host is left alone"


def test_an_ipv6_vip_is_never_the_source_of_what_a_host_begins_itself(rs: Host) -> None:
    rs.directrix("realserver", "start", "--vip", "fd00::10")
    rs.directrix("director", "start", "--vip", "fd00::12")
    with rs.entered(), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.connect(("fd00::13", 9))
        assert ip_address(probe.getsockname()[0]) == ip_address("fd00::11")
