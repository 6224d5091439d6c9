"""The programs that `directrix install-names` installs, over the kernel's IPVS, beside the real ones."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import guest
import pytest
from beside_ipvsadm import RULES

ENVIRONMENT = {**guest.ENVIRONMENT, "DIRECTRIX_TABLE": "ipvs"}
DIRECTRIX = [sys.executable, "-m", "directrix"]

pytestmark = pytest.mark.usefixtures("namespace")

Answer = tuple[int, str, str]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that has our names."""
    directory = tmp_path_factory.mktemp("names")
    subprocess.run([*DIRECTRIX, "install-names", directory], check=True, env=ENVIRONMENT)
    return directory


def run(*words: str | Path, stdin: str = "") -> Answer:
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, env=ENVIRONMENT)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["-n"], []])
def test_rules_saved_by_either_are_restored_by_the_other(names: Path, words: list[str]) -> None:
    # One host's name is longer than what is saved of it, so that ipvsadm can't read it again.
    rules = "".join(f"{line}\n" for line in RULES.splitlines() if "10.0.0.14" not in line)
    assert run("ipvsadm", "-R", stdin=rules) == (0, "", "")
    saved = run("ipvsadm-save", *words)
    assert saved == run(names / "ipvsadm-save", *words)
    for restore in (names / "ipvsadm-restore", "ipvsadm-restore"):
        assert run("ipvsadm", "-C") == (0, "", "")
        assert run(restore, stdin=f"# rules\n{saved[1]}") == (0, "", "")
        assert run("ipvsadm-save", *words) == saved == run(names / "ipvsadm-save", *words)


def test_lines_that_are_right_are_restored_whole(names: Path) -> None:
    assert run(names / "ipvsadm", "-R", "--atomic", stdin=RULES) == (0, "", "")
    saved = run("ipvsadm", "-S", "-n")
    assert sorted(saved[1].splitlines()) == sorted(RULES.splitlines())
    assert run(names / "ipvsadm", "-R", "--atomic", stdin="-C\n" + RULES) == (0, "", "")
    assert run("ipvsadm", "-S", "-n") == saved


@pytest.mark.parametrize(
    ("last", "status", "words"),
    [
        ("-A -t 10.0.0.1:80", 255, "line 4, column 1: Service already exists; nothing was changed\n"),
        ("-a -f 5 -r 10.0.0.11 -w -1", 2, "line 4, column 25: illegal weight specified; nothing was changed\n"),
        # What only the kernel knows: a broadcast address of this host's, a scheduler that has not been built.
        (
            "-a -f 5 -r 10.9.0.255",
            255,
            "line 4, column 1: Invalid operation.  Possibly wrong module version, address not unicast, ...; "
            "nothing was changed\n",
        ),
        ("-E -f 5 -s twos", 255, "line 4, column 1: Scheduler or persistence engine not found; nothing was changed\n"),
    ],
)
def test_of_lines_one_of_which_is_wrong_none_is(names: Path, last: str, status: int, words: str) -> None:
    for address in ("10.9.0.1/24", "10.0.0.1/32", "10.0.0.11/32"):
        subprocess.run(["ip", "address", "add", address, "broadcast", "+", "dev", "lo"], check=False, env=ENVIRONMENT)
    run("ipvsadm", "-R", stdin=RULES)
    run("ipvsadm", "--set", "100", "200", "300")
    with socket.create_server(("0.0.0.0", 81)), _served() as client:
        before = [run("ipvsadm", "-L", "-n"), run("ipvsadm", "-L", "-n", "--nosort", "-t", "10.0.0.1:80")]
        assert "ESTABLISHED" in run("ipvsadm", "-L", "-n", "-c")[1]
        text = f"-d -t 10.0.0.1:80 -r 10.0.0.12:8080\n--set 1 2 3\n-D -t 10.0.0.1:81\n{last}\n-C\n"
        assert run(names / "ipvsadm", "-R", "--atomic", stdin=text) == (status, "", words)
        assert [run("ipvsadm", "-L", "-n"), run("ipvsadm", "-L", "-n", "--nosort", "-t", "10.0.0.1:80")] == before
        client.sendall(b"still there")
    assert run("ipvsadm", "-L", "--timeout")[1] == "Timeout (tcp tcpfin udp): 100 200 300\n"


def _served() -> socket.socket:
    """A connection through the service 10.0.0.1:81, made for it, to the real server 10.0.0.11."""
    for words in (["-A", "-t", "10.0.0.1:81", "-s", "rr"], ["-a", "-t", "10.0.0.1:81", "-r", "10.0.0.11"]):
        assert run("ipvsadm", *words) == (0, "", "")
    return socket.create_connection(("10.0.0.1", 81))


def test_status_tells_of_ipvs_and_what_can_not_be_is_said(names: Path) -> None:
    run("ipvsadm", "-R", stdin=RULES)
    told = run(*DIRECTRIX, "status")
    assert told[0] == 0
    assert told[1].startswith("Table\n  the kernel's IPVS: ")
    status = json.loads(run(*DIRECTRIX, "--table=ipvs", "status", "-j")[1])
    assert (status["services"], status["real_servers"]) == (RULES.count("-A "), RULES.count("-a "))
    for command in ("up", "down"):
        assert run(*DIRECTRIX, command) == (
            2,
            "",
            f"directrix {command}: the table chosen is the kernel's IPVS, which attaches nothing\n",
        )
