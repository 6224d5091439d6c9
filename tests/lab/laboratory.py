"""Building labs in tests: under names of their own, through the command as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from directrix.lab import state
from directrix.system import namespaces

COMMAND = [sys.executable, "-m", "directrix", "lab"]

PLAIN = """\
title = "three hosts on a wire, without virtual services"
segments = ["lan"]
vips = ["10.0.0.100", "fd00::100"]
[hosts.client]
role = "client"
interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.50/24", "fd00::50/64"] }
[hosts.director]
role = "director"
interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.1/24", "fd00::1/64"] }
[hosts.rs]
role = "realserver"
interfaces.eth0 = { segment = "lan", addresses = ["10.0.0.11/24", "fd00::11/64"] }
nginx = [80]
"""


def lab(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `directrix lab` with these words."""
    settings = {"capture_output": True, "text": True, "timeout": 180, "stdin": subprocess.DEVNULL, **options}
    if "input" in options:
        del settings["stdin"]
    return subprocess.run([*COMMAND, *words], **settings)  # type: ignore[call-overload, no-any-return]


MARK = f"DIRECTRIX_LAB_TESTED_BY={os.getpid()}"
os.environ.update([MARK.split("=")])
_NGINX = (f"/test-{os.getpid()}".encode(), b"/demo/")
"""What nginx has in its title, which it writes over its environment: the directory of one of our labs."""


def _is_of_ours(process: str) -> bool:
    """Whether a process comes from this test run; others build labs beside it."""
    said = Path("/proc", process)
    return MARK.encode() in (said / "environ").read_bytes().split(b"\0") or any(
        place in (said / "cmdline").read_bytes() for place in _NGINX
    )


def homeless() -> set[int]:
    """Processes of ours in network namespaces that have no name: left over from labs taken down."""
    known = {namespaces.current()}
    names = os.listdir(namespaces.DIRECTORY) if namespaces.DIRECTORY.exists() else []
    known |= {identity for name in names if (identity := namespaces.identity(name))}
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = os.stat(f"/proc/{entry}/ns/net")
                if not _is_of_ours(entry):
                    continue
            except OSError:
                continue
            if namespaces.NamespaceId(stat.st_dev, stat.st_ino) not in known:
                found.add(int(entry))
    return found


def remains(name: str) -> list[str]:
    """What is left of a lab: namespaces and files."""
    names = os.listdir(namespaces.DIRECTORY) if namespaces.DIRECTORY.exists() else []
    left = [each for each in names if each.rsplit("-", 1)[0] == f"dx-{name}"]
    return left + [str(state.directory(name))] * state.directory(name).exists()


def inside(name: str, host: str, *command: str) -> str:
    """Run a command in a host and give back what it said on stdout; it must succeed."""
    done = lab("exec", "--lab", name, host, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(what: str, condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something is the case."""
    deadline, over = time.monotonic() + seconds, False
    while not condition():
        assert not over, f"waited in vain until {what}"
        time.sleep(0.02)
        over = time.monotonic() >= deadline
