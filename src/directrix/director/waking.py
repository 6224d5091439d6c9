"""What is to be done at a time of its own for each of several names: one timer a name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Waking:
    """Calls back when a name's time has come."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        """Nothing is due yet; `wake` is given the name."""
        self._wake = wake
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def at(self, name: str, due: float | None) -> None:
        """Wake this name then, by the loop's clock, and at no other time; None: not at all."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
        if due is not None:
            self._timers[name] = asyncio.get_running_loop().call_at(due, self._due, name)

    def close(self) -> None:
        """Wake nobody any more."""
        for name in tuple(self._timers):
            self.at(name, None)

    def _due(self, name: str) -> None:
        del self._timers[name]
        self._wake(name)
