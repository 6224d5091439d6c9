"""`track_group` of what is static: it is put back when somebody takes it away, and where that can't be, the instances
of the group are in fault until it can (keepalived.conf(5), "Static track groups").

It is looked after once a second, by the command that puts it in place: routes and rules of others may be so many that
hearing of each of their changes would cost more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from directrix.director.statics import Static, Statics, statics_of
from directrix.keepalived.values import Configuration

_log = logging.getLogger("directrix.director")

_AROUND = 1.0
"""Seconds between two looks."""

Missing = Mapping[str, Sequence[str]]
"""By the names of instances, what they follow and what is missing, in words."""


class StaticTracking:
    """Looks after what instances follow of what is static."""

    def __init__(
        self,
        statics: Statics,
        configuration: Callable[[], Configuration],
        changing: asyncio.Lock,
        tell: Callable[[Missing], None],
    ) -> None:
        """Nothing happens yet.

        Args:
            statics: what is in place.
            configuration: gives the one that is in force.
            changing: is held while another one comes into force.
            tell: is called with what is missing, after each look.
        """
        self._statics = statics
        self._configuration = configuration
        self._changing = changing
        self._tell = tell
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look for the first time, and go on."""
        await self._look()
        self._task = asyncio.create_task(self._go_on())

    async def close(self) -> None:
        """Look no more. What is being put back is waited for."""
        self._ending.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _go_on(self) -> None:
        said = ""
        while not self._ending.is_set():
            try:
                await self._look()
            except Exception as error:  # a fault of ours in one look must not be the end of looking
                if said != (said := repr(error)):
                    _log.exception("static track groups can't be looked after")
            with suppress(TimeoutError):
                async with asyncio.timeout(_AROUND):
                    await self._ending.wait()

    async def _look(self) -> None:
        async with self._changing:
            configuration = self._configuration()
            tracked = [static for static in statics_of(configuration) if static.track_group]
            missing = await asyncio.to_thread(self._statics.restore, tracked) if tracked else ()
            self._tell(missing_of(configuration, missing))


def missing_of(configuration: Configuration, missing: Sequence[Static]) -> Missing:
    """What that comes to for instances."""
    found: dict[str, list[str]] = {}
    for group in configuration.track_groups:
        for static in missing:
            if static.track_group == group.name:
                for instance in group.instances:
                    found.setdefault(instance, []).append(f"static {static} is missing")
    return found
