"""What can't be done is refused in clear words, and leaves nothing half done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hosts import DIRECTRIX, VIP, Cluster, Host
from traffic import ask, serve

pytestmark = pytest.mark.root
PINS, TABLES = Path("/run/directrix/bpf"), Path("/run/directrix/tables")


@pytest.fixture
def director(cluster: Cluster) -> Host:
    """A director with one wire and a bridge, and nothing of ours."""
    host = cluster.host("director")
    cluster.wire(host, "eth0", cluster.host("other"), "eth0")
    host.ip("link add br7 type bridge; link set br7 up; addr add 10.0.0.1/24 dev eth0; addr add 10.0.0.100/32 dev eth0")
    return host


def cookie(host: Host) -> str:
    from socket import AF_INET, SOCK_DGRAM, socket

    with host.entered():
        probe = socket(AF_INET, SOCK_DGRAM)
    with probe:
        return str(int.from_bytes(probe.getsockopt(1, 71, 8), "little"))


def nothing_is_there(host: Host) -> bool:
    """No program, no qdisc, no pin, no record, no setting."""
    links = host.run("ip", "-d", "link").stdout
    assert "xdp" not in links
    assert "clsact" not in host.run("tc", "qdisc").stdout
    assert "directrix" not in host.run("bpftool", "net").stdout
    assert not (PINS / cookie(host)).exists()
    left = TABLES / cookie(host)
    assert not left.exists() or os.listdir(left) in ([], ["lock"])
    assert host.get("ipv4/conf/lo/forwarding") == "0"
    assert host.get("ipv4/neigh/eth0/retrans_time_ms") == "1000"
    return host.directrix("status", check=False).returncode == 3


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-i", "eth9"], 1, r"no interface 'eth9'.*eth0"),
        (["-i", "lo"], 1, r"lo .*can't carry"),
        (["-i", "br7", "--hook", "xdp"], 1, r"br7 refuses the xdp hook"),
        (["-i", "eth0", "-i", "eth9"], 1, r"no interface 'eth9'"),
        (["-i", "eth0", "-i", "br7", "--hook", "xdp"], 1, r"br7 refuses the xdp hook"),
        (["--connections", "0"], 1, r"1 to 100,000,000 connections, not 0"),
        (["--connections", "-5"], 1, r"not -5"),
        (["--connections", "100000001"], 1, r"not 100,000,001"),
        (["--connections", "many"], 2, r"invalid int value: 'many'"),
        (["--connections", "100000000000000000000"], 1, r"connections, not 100,000"),
        (["--hook", "egress"], 2, r"invalid choice"),
        (["eth0"], 2, r"unrecognized arguments: eth0"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_left(
    director: Host, words: list[str], code: int, said: str
) -> None:
    done = director.directrix("up", *words, check=False)
    assert re.search(said, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert nothing_is_there(director)


def test_a_table_larger_than_memory_is_refused_and_nothing_is_left(director: Host) -> None:
    """100 million connections take some 11 GB: where there is less, it is said."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    if memory > 10 << 30:
        pytest.skip("this machine has memory for the largest table")
    done = director.directrix("up", "-c", "100000000", check=False)
    assert done.returncode == 2
    assert "memory" in done.stderr
    assert nothing_is_there(director)


def test_a_refused_up_leaves_a_running_table_as_it_was(one: Cluster) -> None:
    serve(one)
    director = one["director"]
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.0.11:80 -g")
    director.ip("link add br7 type bridge; link set br7 up")
    assert ask(one["client"]) == "rs1"
    interfaces = director.status()["interfaces"]
    for words, said in (
        (["-c", "20000"], "10,000 connections"),
        (["-i", "eth9"], "eth9"),
        (["-i", "eth0", "-i", "br7", "--hook", "xdp"], "br7 refuses"),
        (["-i", "br7", "--hook", "xdp"], "br7 refuses"),
    ):
        done = director.directrix("up", *words, check=False)
        assert done.returncode == 1
        assert said in done.stderr
        status = director.status()
        assert status["interfaces"] == interfaces
        assert status["connections"]["size"] == 10000
        assert status["connections"]["used"] >= 1
        assert ask(one["client"]) == "rs1"
    assert director.directrix("up", "-c", "10000").returncode == 0


def test_a_refused_up_leaves_to_the_next_command_what_has_changed_at_the_host(one: Cluster) -> None:
    director = one["director"]
    director.up()
    director.restore(f"-A -t {VIP}:80 -s rr; -a -t {VIP}:80 -r 10.0.0.11:80 -g")
    director.ip("link add br7 type bridge; link set br7 up; link set dev eth0 mtu 1400")
    assert director.directrix("up", "-i", "br7", "--hook", "xdp", check=False).returncode == 1
    assert "changed" in director.directrix("doctor", "--only", "hooks", "--json", check=False).stdout
    director.ipvsadm("--set 900 120 300")
    assert "changed" not in director.directrix("doctor", "--only", "hooks", "--json", check=False).stdout


def test_down_twice_and_status_without_a_table(director: Host) -> None:
    director.up()
    assert director.directrix("down").stderr == "the table is gone\n"
    assert nothing_is_there(director)
    again = director.directrix("down")
    assert (again.returncode, again.stderr) == (0, "there is no table in this network namespace\n")
    status = director.directrix("status", check=False)
    assert status.returncode == 3
    assert "no table" in status.stderr
    told = director.directrix("status", "--json", check=False)
    assert (told.returncode, told.stdout) == (3, '{\n  "up": false\n}\n')


def test_up_puts_back_what_it_changed(director: Host) -> None:
    def settings() -> dict[str, str]:
        with director.entered():
            found = [*Path("/proc/sys/net/ipv4").rglob("*"), *Path("/proc/sys/net/ipv6").rglob("*")]
            values = {}
            for path in found:
                try:
                    values[str(path)] = path.read_text() if path.is_file() else ""
                except OSError:
                    continue
            return values

    before = settings()
    director.up()
    director.directrix("down")
    after = settings()
    assert {key: (before[key], after.get(key)) for key in before if before[key] != after.get(key)} == {}


@pytest.mark.parametrize(
    "words", [["up"], ["down"], ["status"], ["ipvsadm", "-Ln"], ["ipvsadm", "-A", "-t", "1.2.3.4:5"]]
)
def test_without_root_it_says_so(director: Host, words: list[str], tmp_path: Path) -> None:
    """As `nobody`, who needs a copy of the sources it can read."""
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *DIRECTRIX, *words]
    if not readable_by_others(Path(sys.executable)):
        pytest.skip("nobody can't reach the interpreter here")
    done = subprocess.run(
        ["nsenter", f"--net={director.path}", *command], capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    assert "must be root" in done.stderr
    assert done.returncode == 2 if words[0] != "ipvsadm" else done.returncode in (1, 2, 255)


def readable_by_others(path: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and bool(path.stat().st_mode & 0o001)


def test_without_the_privilege_for_bpf_it_says_so_and_leaves_nothing(director: Host) -> None:
    """Root by number, but without the capabilities."""
    drop = "-all"
    done = director.run("setpriv", f"--bounding-set={drop}", f"--inh-caps={drop}", *DIRECTRIX, "up", check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("directrix: ")
    assert nothing_is_there(director)


def test_another_xdp_program_at_the_interface_is_left_there(director: Host, tmp_path: Path) -> None:
    source = '__attribute__((section("xdp"), used)) int pass(void *c) { return 2; }\n'
    source += 'char _license[] __attribute__((section("license"), used)) = "GPL";\n'
    (tmp_path / "pass.c").write_text(source)
    subprocess.run(
        ["clang", "-O2", "-g", "-target", "bpf", "-c", tmp_path / "pass.c", "-o", tmp_path / "pass.o"], check=True
    )
    director.run("ip", "link", "set", "dev", "eth0", "xdpdrv", "obj", str(tmp_path / "pass.o"), "sec", "xdp")
    for hook in ("xdp", "xdp-generic"):
        done = director.directrix("up", "-i", "eth0", "--hook", hook, check=False)
        assert done.returncode == 1
        assert "another XDP program" in done.stderr
        assert not (PINS / cookie(director)).exists()
    director.up("-i", "eth0")
    director.directrix("down", "-q")
    assert "name pass" in director.run("ip", "-d", "link", "show", "dev", "eth0").stdout


def test_another_tc_filter_at_the_interface_is_left_there(director: Host) -> None:
    director.run("tc", "qdisc", "add", "dev", "eth0", "clsact")
    director.run("tc", "-batch", "-", input="filter add dev eth0 egress pref 9 protocol ip u32 match u32 0 0\n")
    before = director.run("tc", "filter", "show", "dev", "eth0", "egress").stdout
    director.up("-i", "eth0")
    director.directrix("down", "-q")
    assert "clsact" in director.run("tc", "qdisc").stdout
    assert director.run("tc", "filter", "show", "dev", "eth0", "egress").stdout == before
