"""Boots the conformance machine: a stock Linux with the real IPVS, in User Mode Linux.

Needs Debian's `user-mode-linux`, `kmod`, `iproute2` and `ipvsadm`. It boots in three seconds; then
a command takes it some tens of milliseconds.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from scenario import HERE, SCENARIOS

LINUX = "linux.uml"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TIME_LIMIT = 600.0


def available() -> bool:
    """Whether this host has what the machine needs."""
    return all(shutil.which(program, path=PATH) for program in (LINUX, "ipvsadm", "modprobe"))


def boot(init: Path, **environment: object) -> tuple[dict[str, str], str]:
    """Run a machine whose first process is `init`, until it halts.

    Gives what it has written into the directory named by CONFORMANCE_OUTPUT (file name to text),
    and its console.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-") as output:
        done = subprocess.run(
            [
                LINUX,
                "rootfstype=hostfs",
                "rootflags=/",
                "ro",
                "mem=512M",
                f"init={init}",
                "quiet",
                "con=null",
                "con0=fd:0,fd:1",
                f"CONFORMANCE_OUTPUT={output}",
                *(f"{name}={value}" for name, value in environment.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT,
            check=False,
        )
        written = {path.name: path.read_text() for path in sorted(Path(output).iterdir())}
    return written, done.stdout.decode(errors="replace")


def record(scenarios: Path = SCENARIOS, init: Path = HERE / "guest.py", **environment: object) -> dict[str, str]:
    """Run every scenario of a directory against the real IPVS: file name to transcript.

    `init` is the machine's first process, which runs them.

    Raises:
        RuntimeError: the machine did not boot, or a scenario could not be run; the text says why.
    """
    written, console = boot(init, CONFORMANCE_SCENARIOS=scenarios, **environment)
    expected = {path.name for path in scenarios.glob("*.txt")}
    if set(written) != expected:
        errors = "".join(text for name, text in written.items() if name.endswith(".error"))
        raise RuntimeError(f"{errors}{console}")
    return written
