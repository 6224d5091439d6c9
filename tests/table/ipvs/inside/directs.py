"""`directrix run` over the kernel's own IPVS: checks, the operator's orders, sync daemons, a crash, an end."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import guest
import pytest

ENVIRONMENT = {**guest.ENVIRONMENT, "DIRECTRIX_TABLE": "ipvs"}
"""Nothing can be written but below /run, as with a disk that is full."""
DIRECTRIX = [sys.executable, "-m", "directrix"]
VIP, ONE, TWO = "10.0.0.1", "10.0.0.11", "10.0.0.12"

pytestmark = pytest.mark.usefixtures("namespace")

CONFIGURATION = """
global_defs {
    lvs_sync_daemon v0 id 7
    script_user root
}
static_ipaddress {
    10.0.0.77/32 dev lo
}
virtual_server 10.0.0.1 80 {
    delay_loop 0.2
    delay_before_retry 0.1
    warmup 0
    lvs_sched wrr
    lvs_method NAT
    protocol TCP
    passive_health { }
    real_server 10.0.0.11 8080 { weight 3
        TCP_CHECK { connect_timeout 2 } }
    real_server 10.0.0.12 8080 { weight 3
        TCP_CHECK { connect_timeout 2 } }
}
"""


def until(condition: Callable[[], object], log: Path) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, (standing(), log.read_text())
        time.sleep(0.1)


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def standing() -> dict[str, int]:
    """Real servers with their weights, as ipvsadm itself has them."""
    found = [line.split() for line in run("ipvsadm", "-S", "-n").splitlines()]
    return {words[words.index("-r") + 1]: int(words[words.index("-w") + 1]) for words in found if words[0] == "-a"}


@pytest.fixture
def director(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a director; its log is `log` in the test's directory."""
    commands = [f"address add {address}/32 dev lo" for address in (VIP, ONE, TWO)]
    for command in (*commands, "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up"):
        subprocess.run(["ip", *command.split()], check=True, env=ENVIRONMENT)
    (tmp_path / "conf").write_text(CONFIGURATION)
    started = []

    def start() -> subprocess.Popen[str]:
        words = [*DIRECTRIX, "run", "-f", str(tmp_path / "conf")]
        with (tmp_path / "log").open("a") as log:
            started.append(subprocess.Popen(words, stderr=log, text=True, env=ENVIRONMENT))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_it_keeps_the_kernel_s_table(director: Callable[[], subprocess.Popen[str]], tmp_path: Path) -> None:
    both, log = {f"{ONE}:8080": 3, f"{TWO}:8080": 3}, tmp_path / "log"
    with closing(socket.create_server((ONE, 8080))), closing(socket.create_server((TWO, 8080))) as two:
        process = director()
        until(lambda: standing() == both, log)
        assert "10.0.0.77/32" in run("ip", "address", "show", "dev", "lo")
        until(lambda: "ready: " in log.read_text(), log)
        assert "watch handshakes" in log.read_text()
        daemons = run("ipvsadm", "-L", "--daemon")
        assert "master sync daemon (mcast=v0, syncid=7" in daemons
        assert "backup sync daemon (mcast=v0, syncid=7" in daemons

        # The operator's orders, and over a crash.
        server = ("-t", f"{VIP}:80", "-r", f"{ONE}:8080")
        run(*DIRECTRIX, "drain", *server)
        assert standing() == {f"{ONE}:8080": 0, f"{TWO}:8080": 3}
        process.kill()
        process.wait()
        process = director()
        until(lambda: log.read_text().count("ready: ") == 2, log)
        assert standing() == {f"{ONE}:8080": 0, f"{TWO}:8080": 3}
        [order] = json.loads(run(*DIRECTRIX, "show", "orders", "--json"))
        assert (order["server"], order["order"]["kind"]) == (f"{ONE}:8080", "drain")
        run(*DIRECTRIX, "drain", *server, "--undo")
        assert standing() == both

        # A check that fails.
        two.close()
        until(lambda: standing() == {f"{ONE}:8080": 3}, log)
        assert "TCP_CHECK" in run(*DIRECTRIX, "status")

        process.terminate()
        assert process.wait(60) == 0
    assert run("ipvsadm", "-S", "-n") == ""
    assert run("ipvsadm", "-L", "--daemon") == ""
    assert "10.0.0.77" not in run("ip", "address", "show", "dev", "lo")
