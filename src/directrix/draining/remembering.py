"""What a real server's weight was before it was drained, and which one's is growing: kept until it has it again.

A file for each network namespace and make of the table, /run/directrix/weights/MAKE-COOKIE.json, where the data plane's
pins are anchored. Namespace cookies are never given out twice. It says what somebody meant; what is so, the table
says: an entry whose server has gone, or has a weight nobody here gave it, means nothing any more.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from directrix.lvs import Address, ServiceKey, ServiceState
from directrix.lvs.addresses import endpoint
from directrix.table.xdp import pins


@dataclass(frozen=True, slots=True)
class Remembered:
    """A real server on its way out or in.

    Attributes:
        service, server: as listings write them, such as `TCP 192.0.2.80:80` and `192.0.2.11:80`.
        weight: what it had, and shall have again.
        admitting: it is coming back; else it is drained.
    """

    service: str
    server: str
    weight: int
    admitting: bool = False


def still_meant(entries: Iterable[Remembered], services: Iterable[ServiceState]) -> list[Remembered]:
    """Those whose real server is there, and if drained still without weight."""
    weights = {
        (str(state.service.key), endpoint(one.server.address, one.server.port)): one.server.weight
        for state in services
        for one in state.servers
    }
    found = ((entry, weights.get((entry.service, entry.server))) for entry in entries)
    return [entry for entry, weight in found if weight is not None and (entry.admitting or not weight)]


class Weights:
    """The remembered weights of one table."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self) -> list[Remembered]:
        """All of them, the oldest first. None, if the file can't be read."""
        try:
            return [Remembered(**entry) for entry in json.loads(self._path.read_text())]
        except (OSError, ValueError, TypeError):
            return []

    def find(self, key: ServiceKey, address: Address, port: int) -> Remembered | None:
        """What is remembered of this real server."""
        name = (str(key), endpoint(address, port))
        return next((entry for entry in self.all() if (entry.service, entry.server) == name), None)

    def remember(self, key: ServiceKey, address: Address, port: int, weight: int, *, admitting: bool = False) -> None:
        """Remember a weight, in place of what was.

        Raises:
            OSError: it can't be written.
        """
        entry = Remembered(str(key), endpoint(address, port), weight, admitting)
        with self._changing() as entries:
            entries[:] = [one for one in entries if (one.service, one.server) != (entry.service, entry.server)]
            entries.append(entry)

    def forget(self, key: ServiceKey, address: Address, port: int) -> None:
        """Remember nothing of this real server any more.

        Raises:
            OSError: it can't be written.
        """
        if self.find(key, address, port) is None:
            return
        name = (str(key), endpoint(address, port))
        with self._changing() as entries:
            entries[:] = [one for one in entries if (one.service, one.server) != name]

    def forget_services(self, services: Container[str]) -> None:
        """Remember nothing of the real servers of these services, named as listings do: somebody weighs them anew.

        Raises:
            OSError: it can't be written.
        """
        if any(entry.service in services for entry in self.all()):
            with self._changing() as entries:
                entries[:] = [one for one in entries if one.service not in services]

    @contextmanager
    def _changing(self) -> Iterator[list[Remembered]]:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with open(self._path.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = self.all()
            yield entries
            if not entries:
                with suppress(FileNotFoundError):
                    self._path.unlink()
                return
            draft = self._path.with_suffix(".new")
            draft.write_text(json.dumps([_object(entry) for entry in entries], indent=1) + "\n")
            draft.rename(self._path)


def _object(entry: Remembered) -> dict[str, Any]:
    return {
        "service": entry.service,
        "server": entry.server,
        "weight": entry.weight,
        "admitting": entry.admitting,
    }


def weights_here(make: str) -> Weights:
    """Those of the table of this make in the caller's network namespace.

    Raises:
        TableUnavailable: the kernel is too old.
    """
    return Weights(pins.anchor() / "run/directrix/weights" / f"{make}-{pins.namespace_cookie()}.json")
