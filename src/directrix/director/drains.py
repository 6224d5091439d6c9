"""Draining: a real server gets no new connections, and it is said when the last one it has is gone, or time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from directrix.checks.actions import ServerKey

_LOOK = 1.0
"""Seconds between two looks at a server's connections."""

Name = tuple[str, ServerKey]
"""Virtual server and real server."""


@dataclass(frozen=True, slots=True)
class Drained:
    """How a drain ended: with so many connections left, after so many seconds."""

    name: Name
    left: int
    took: float


class Drains:
    """The drains that go on."""

    def __init__(self, connections: Callable[[Name], int], ended: Callable[[Drained], None]) -> None:
        """Nothing drains yet.

        Args:
            connections: how many a real server has, active and inactive.
            ended: is called when a drain has ended by itself.
        """
        self._connections, self._ended = connections, ended
        self._tasks: dict[Name, asyncio.Task[None]] = {}

    def begin(self, name: Name, seconds: float | None) -> None:
        """Watch a server that gets no new connections any more, for so many seconds at most."""
        self.end(name)
        task = self._tasks[name] = asyncio.create_task(self._watch(name, seconds))
        task.add_done_callback(lambda done: self._tasks.pop(name) if self._tasks.get(name) is done else None)

    def end(self, name: Name) -> None:
        """Watch no longer."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()

    def is_draining(self, virtual: str, server: ServerKey) -> bool:
        """Whether a drain goes on there."""
        return (virtual, server) in self._tasks

    def close(self) -> None:
        """End all."""
        for name in tuple(self._tasks):
            self.end(name)

    async def _watch(self, name: Name, seconds: float | None) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (left := self._connections(name)) and (seconds is None or loop.time() - begun < seconds):
            await asyncio.sleep(_LOOK)
        self._ended(Drained(name, left, loop.time() - begun))
