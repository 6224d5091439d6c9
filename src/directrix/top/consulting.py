"""Asking somebody who may not answer, beside a view that has to stay live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, TypeVar

from directrix.lvs.errors import TableError

T = TypeVar("T")


class Consulted(Generic[T]):
    """The last answer to a question that is put again and again, in a thread, for as long as it may take."""

    def __init__(self, ask: Callable[[], T], before: T) -> None:
        """`before` stands for an answer until there is one; where `ask` raises TableError, the answer before stays."""
        self._ask = ask
        self._answer = before
        self._answered = threading.Event()
        self._asked_at: float | None = None

    def latest(self, patience: float) -> T:
        """The answer to a question put now, if it comes within so many seconds, else the one before.

        While a question is not answered no other one is put.
        """
        if self._asked_at is None:
            self._answered.clear()
            self._asked_at = time.monotonic()
            threading.Thread(target=self._put, daemon=True).start()
        self._answered.wait(patience)
        return self._answer

    @property
    def silent(self) -> float:
        """Seconds since the question was put that is not answered yet; 0 if there is none."""
        asked = self._asked_at
        return 0.0 if asked is None else time.monotonic() - asked

    def _put(self) -> None:
        try:
            with suppress(TableError):
                self._answer = self._ask()
        finally:
            self._asked_at = None
            self._answered.set()


def within(seconds: float, work: Callable[[], None]) -> bool:
    """Do something that may take long, in a thread; False if it is still under way after so many seconds.

    Raises:
        TableError: what the work raised meanwhile.
    """
    refused: list[TableError] = []

    def do() -> None:
        try:
            work()
        except TableError as error:
            refused.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    if refused:
        raise refused[0]
    return not thread.is_alive()
