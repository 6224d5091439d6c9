"""A second way to the table, for what takes long: a thread of its own with a table of its own.

Reading ten thousand real servers takes a tenth of a second, looking through a million connections too. Checks, VRRP and
the watchdog go on meanwhile. Whoever asks waits for its turn: one thing is done at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from directrix.table.interface import Table

T = TypeVar("T")


class AtTable:
    """Does work at a table, beside the event loop."""

    def __init__(self, opener: Callable[[], Table]) -> None:
        """Nothing is opened yet.

        Args:
            opener: opens the table, in the thread that will use it.
        """
        self._opener = opener
        self._table: Table | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="table")

    async def do(self, work: Callable[[Table], T]) -> T:
        """Do it, and give what it gives.

        Raises:
            TableError: the table refuses, or can't be opened.
            OSError: it can't be opened.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[Table], T]) -> T:
        if self._table is None:
            self._table = self._opener()
        return work(self._table)

    async def close(self) -> None:
        """Give the table back, after what is being done."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None
