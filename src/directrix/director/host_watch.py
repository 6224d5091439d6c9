"""Has the table follow what becomes of this host's devices and addresses, as soon as the kernel tells of a change.

The data plane follows neighbours by itself, but not what changes here: a device's MAC or MTU, ports of a bond, a device
that goes and comes back, an address by which this host is its own real server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from directrix.lvs import TableError
from directrix.system.interfaces import Events

_log = logging.getLogger("directrix.director")

_TOGETHER = 0.05
"""Seconds between two looks: a device that comes is told of five times."""
_AGAIN = 2.0
"""Seconds until what did not succeed is tried again."""


class HostWatch:
    """Calls for following after each change, and once at the beginning."""

    def __init__(self, follow: Callable[[], Awaitable[bool]]) -> None:
        """Begin.

        Args:
            follow: has the table follow, and answers whether anything had to be done. It raises TableError or OSError
                if that can't be.

        Raises:
            OSError: the kernel's news can't be heard.
        """
        self._follow = follow
        self._events = Events()
        self._changed = asyncio.Event()
        self._changed.set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._events, self._hear)
        self._task = asyncio.create_task(self._go_on())

    async def close(self) -> None:
        """Hear no more."""
        self._loop.remove_reader(self._events)
        self._events.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _hear(self) -> None:
        with suppress(OSError):  # news were lost: something has changed, whatever it was
            for _ in self._events.read():
                pass
        self._changed.set()

    async def _go_on(self) -> None:
        said = ""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                if await self._follow():
                    _log.info("the table follows what changed at this host's devices or addresses")
            except Exception as error:  # a fault of ours must not be the end of following either
                if said != (said := str(error)):
                    ours = None if isinstance(error, TableError | OSError) else error
                    _log.error("the table does not follow this host's devices: %s", error, exc_info=ours)
                self._loop.call_later(_AGAIN, self._changed.set)
            else:
                said = ""
            await asyncio.sleep(_TOGETHER)
