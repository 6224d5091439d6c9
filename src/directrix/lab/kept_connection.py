"""A client that asks again and again over one connection."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from directrix.lab.stage import Stage
from directrix.lab.state import HostState
from directrix.system import namespaces
from directrix.system.commands import CommandFailed

_PATIENCE = 5.0
"""Seconds we wait for answers of which five a second should come."""


class KeptConnection:
    """What a client was told so far over its connection.

    curl writes for each answer its text and, on the next line, how many connections it opened for it.
    """

    def __init__(self, said: Path) -> None:
        self._said = said

    def count(self) -> int:
        """How many answers came so far."""
        return len(self._pairs())

    def answers(self, count: int) -> list[str]:
        """Who gave the answers so far, once there are so many, or after some seconds without.

        Raises:
            CommandFailed: there is not one.
        """
        deadline = time.monotonic() + _PATIENCE
        while self.count() < count and time.monotonic() < deadline:
            time.sleep(0.05)
        if not self.count():
            raise CommandFailed("curl", 0, "no answer came over the kept connection")
        return [name for name, _ in self._pairs()]

    def opened(self) -> int:
        """How many connections were opened for all answers."""
        return sum(int(opened) for _, opened in self._pairs())

    def _pairs(self) -> list[tuple[str, str]]:
        whole, _, _ = self._said.read_text().rpartition("\n")
        lines = whole.splitlines()
        return list(zip(lines[::2], lines[1::2], strict=False))


@contextmanager
def kept_connection(stage: Stage, client: HostState, url: str) -> Iterator[KeptConnection]:
    """Keep asking a URL from a host, five times a second, for the length of a `with` block."""
    command = ["curl", "-sN", "--rate", "5/s", "-w", r"%{num_connects}\n", f"{url}?[1-1000]"]
    stage.show_command(client.name, command)
    with tempfile.TemporaryDirectory() as directory:
        said = Path(directory) / "answers"
        with said.open("w") as out, namespaces.inside(client.namespace):
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out)
        try:
            yield KeptConnection(said)
        finally:
            process.terminate()
            process.wait()
