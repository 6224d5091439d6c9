"""Programs are replaced, hooks change, the daemon ends and comes back, while hundreds of connections send numbers.

The figures are in docs/replacing.md.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import native
import numbered
import pytest
from hosts import DIRECTRIX, VIP, VIP6, Cluster, Host, service, until
from web import Directing

pytestmark = pytest.mark.root

ROOT = Path(__file__).resolve().parents[2]
NUMBERED = str(Path(numbered.__file__))
CONNECTIONS, BATCH = 300, 8


def serve(cluster: Cluster, *vips: str) -> None:
    """A server of numbers on every real server."""
    for host in (cluster["rs1"], cluster["rs2"]):
        for vip in vips:
            process = host.start(sys.executable, NUMBERED, "serve", vip, "80", stdout=subprocess.PIPE)
            assert process.stdout
            assert process.stdout.readline() == "ready\n"


@contextmanager
def numbers(client: Host, vip: str = VIP) -> Iterator[dict[str, float]]:
    """Connections send numbers meanwhile; afterwards the dictionary has what they saw."""
    words = (sys.executable, NUMBERED, "load", vip, "80", str(CONNECTIONS), str(BATCH))
    process = client.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    seen: dict[str, float] = {}
    yield seen
    process.stdin.close()
    seen |= json.loads(process.stdout.readline())
    print(f"\n{seen}")


def whole(seen: dict[str, float]) -> bool:
    """Nothing astray: every number was answered, in order, and none had to be sent again."""
    return (
        seen["sent"] > 1000 and seen["answered"] == seen["sent"] and not seen["wrong"] + seen["resets"] + seen["lost"]
    )


@pytest.fixture(scope="module")
def another_version(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with a data plane that is another one, compiled: answers are half as many."""
    tree = tmp_path_factory.mktemp("version")
    shutil.copytree(ROOT / "bpf", tree / "bpf")
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("__pycache__"))
    answers = tree / "bpf" / "icmp.h"
    changed = answers.read_text().replace("ANSWERS_A_TICK 32", "ANSWERS_A_TICK 16")
    assert changed != answers.read_text()
    answers.write_text(changed)
    compile_one = "import build; from pathlib import Path; here = Path.cwd(); "
    compile_one += "build.compile_object(here.parent, here / 'directrix.bpf.c')"
    subprocess.run([sys.executable, "-c", compile_one], cwd=tree / "bpf", check=True, capture_output=True)
    return tree / "src"


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["tc", "xdp", "xdp-generic"])
def test_another_version_takes_over_and_gives_back(
    one: Cluster, hook: str, another_version: Path, tmp_path: Path
) -> None:
    serve(one, VIP)
    director = one["director"]
    if hook != "tc":
        program = native.xdp_pass(tmp_path)
        native.ready_for_xdp(one, program, [(one["switch"], "p-director")] if hook == "xdp" else [])
    director.up("--hook", hook)
    director.restore(service())
    first = director.status()["program"]
    with numbers(one["client"]) as seen:
        director.run("env", f"PYTHONPATH={another_version}", *DIRECTRIX, "up", "-q")
        assert director.status()["program"] != first
        director.up()
        assert director.status()["program"] == first
    assert whole(seen)


@pytest.mark.parametrize("vip", [VIP, pytest.param(VIP6, marks=pytest.mark.slow)])
def test_the_hook_changes_from_tc_to_xdp_and_back(one: Cluster, vip: str, tmp_path: Path) -> None:
    serve(one, vip)
    director = one["director"]
    native.ready_for_xdp(one, native.xdp_pass(tmp_path), [(one["switch"], "p-director")])
    director.up("--hook", "tc")
    director.restore(service())
    with numbers(one["client"], vip) as seen:
        for hook in ("xdp", "xdp-generic", "tc"):
            director.up("--hook", hook, "--interface", "eth0")
            assert [i["hook"] for i in director.status()["interfaces"]] == [hook]
    assert whole(seen)


CONFIGURATION = f"""
virtual_server {VIP} 80 {{
  delay_loop 1
  lvs_sched rr
  lvs_method DR
  protocol TCP
  real_server 10.0.0.11 80 {{ TCP_CHECK {{ connect_timeout 3 }} }}
  real_server 10.0.0.12 80 {{ TCP_CHECK {{ connect_timeout 3 }} }}
}}
"""


def test_the_daemon_is_reloaded_restarted_and_killed(one: Cluster, tmp_path: Path) -> None:
    serve(one, VIP)
    one["director"].up()
    daemon = Directing(one["director"], tmp_path, CONFIGURATION)
    daemon.ready()
    with numbers(one["client"]) as seen:
        daemon.reload(CONFIGURATION.replace("delay_loop 1", "delay_loop 2"))
        until("it has read it", lambda: daemon.said("reloaded: "), 30)
        daemon.process.send_signal(signal.SIGQUIT)  # as systemctl restart does
        assert daemon.process.wait(30) == 0
        daemon.start()
        daemon.ready(2)
        daemon.kill()
        daemon.start()
        daemon.ready(3)
    assert whole(seen)
