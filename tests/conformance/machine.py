"""Boots the conformance machine: a stock Linux with the real IPVS, in User Mode Linux.

Needs Debian's `user-mode-linux`, `kmod`, `iproute2` and `ipvsadm`. It boots in three seconds; then
a command takes it some tens of milliseconds.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from scenario import HERE, SCENARIOS

LINUX = "linux.uml"
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TIME_LIMIT = 900.0

Progress = Callable[[int], None]
"""Told now and then how many files the machine has written."""


def available() -> bool:
    """Whether this host has what the machine needs."""
    return all(shutil.which(program, path=PATH) for program in (LINUX, "ipvsadm", "modprobe"))


def boot(part: Path, progress: Progress = lambda files: None, **environment: object) -> tuple[dict[str, str], str]:
    """Run a machine that calls `main` of the file `part` and then halts.

    Gives what it has written into the directory `main` is told of (file name to text), and its
    console.

    Raises:
        subprocess.TimeoutExpired: it did not halt within TIME_LIMIT; it is ended.
    """
    with tempfile.TemporaryDirectory(prefix="conformance-") as output, tempfile.TemporaryFile() as console:
        machine = subprocess.Popen(
            [
                LINUX,
                "rootfstype=hostfs",
                "rootflags=/",
                "ro",
                "mem=512M",
                f"init={HERE / 'init.py'}",
                "quiet",
                "con=null",
                "con0=fd:0,fd:1",
                f"CONFORMANCE_PART={part}",
                f"CONFORMANCE_OUTPUT={output}",
                *(f"{name}={value}" for name, value in environment.items()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(machine, lambda: progress(len(list(Path(output).iterdir()))))
        finally:
            machine.kill()
            machine.wait()
        written = {path.name: path.read_text() for path in sorted(Path(output).iterdir())}
        console.seek(0)
        return written, console.read().decode(errors="replace")


def _wait(machine: subprocess.Popen[bytes], watch: Callable[[], None]) -> None:
    end = time.monotonic() + TIME_LIMIT
    while True:
        try:
            machine.wait(0.5)
            return
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
            watch()


def record(
    scenarios: Path = SCENARIOS,
    part: Path = HERE / "command_guest.py",
    names: Iterable[str] = (),
    progress: Progress = lambda files: None,
    **environment: object,
) -> dict[str, str]:
    """Play the scenarios of a directory against the real IPVS, all or those named: file name to transcript.

    `part` is the file that plays them inside, and may look at `environment`.

    Raises:
        RuntimeError: the machine did not boot, or a scenario could not be run; the text says why.
    """
    expected = set(names) or {path.name for path in scenarios.glob("*.txt")}
    with tempfile.TemporaryDirectory(prefix="conformance-scenarios-") as chosen:
        for name in expected:
            shutil.copy(scenarios / name, chosen)
        written, console = boot(part, progress, CONFORMANCE_SCENARIOS=chosen, **environment)
    if set(written) != expected:
        errors = "".join(text for name, text in written.items() if name.endswith(".error"))
        raise RuntimeError(f"{errors}{console}")
    return written
