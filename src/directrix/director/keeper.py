"""Has what changes remembered soon: many changes together, never two at a time, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from directrix.director.memory import Memory, Remembered

_SOON = 0.05
"""Seconds within which changes are remembered together."""


class Keeper:
    """Writes a memory as it changes."""

    def __init__(self, memory: Memory, what: Callable[[], Remembered]) -> None:
        """Nothing is written yet.

        Args:
            memory: where.
            what: gives all that is to be remembered, as it is then.
        """
        self.memory = memory
        self._what = what
        self._changed = False
        self._task: asyncio.Task[None] | None = None

    def soon(self) -> None:
        """Something has changed."""
        self._changed = True
        if self._task is None:
            self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Write no more. What is being written is waited for."""
        self._changed = False
        if self._task is not None:
            await self._task

    async def _keep(self) -> None:
        try:
            while self._changed:
                await asyncio.sleep(_SOON)
                if self._changed:
                    self._changed = False
                    await asyncio.to_thread(self.memory.keep, self._what())
        finally:
            self._task = None
