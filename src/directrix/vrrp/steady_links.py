"""Interfaces whose changes count only after they lasted (`interface_up_down_delays`), for links that bounce."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from directrix.vrrp.tracked import LinkDelay


class SteadyLinks:
    """What interfaces are believed to be, while the kernel says what they are."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when a delay is over and something else is believed."""
        self._changed = changed
        self._delays: dict[str, LinkDelay] = {}
        self._believed: dict[str, bool] = {}
        self._pending: dict[str, asyncio.TimerHandle] = {}

    def configure(self, delays: Iterable[LinkDelay]) -> None:
        """Have these delays from the next change on."""
        self._delays = {delay.interface: delay for delay in delays}

    def close(self) -> None:
        """Wait for nothing any more."""
        for handle in self._pending.values():
            handle.cancel()
        self._pending.clear()

    def look(self, running: Iterable[tuple[str, bool]]) -> dict[str, bool]:
        """What to believe of each interface, after what the kernel says. One that is gone is down."""
        now = dict(running)
        for name in {*now, *self._believed}:
            self._consider(name, now.get(name, False))
        self._believed = {name: up for name, up in self._believed.items() if name in now or up}
        return dict(self._believed)

    def _consider(self, name: str, up: bool) -> None:
        delay = self._delays.get(name)
        pending = self._pending.pop(name, None)
        seconds = 0.0 if delay is None else delay.up if up else delay.down
        if self._believed.get(name, up) == up or not seconds:
            self._believed[name] = up
            if pending is not None:
                pending.cancel()
        else:
            self._pending[name] = pending or asyncio.get_running_loop().call_later(seconds, self._settle, name, up)

    def _settle(self, name: str, up: bool) -> None:
        del self._pending[name]
        self._believed[name] = up
        self._changed()
