"""Being interrupted in good order."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_AGAIN = 0.01
"""Seconds after which a signal is sent once more that came where nothing can be raised."""


class Terminated(BaseException):
    """A signal asked us to end. Like KeyboardInterrupt it is no Exception, so nothing swallows it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)

    @property
    def status(self) -> int:
        """The exit status a shell gives one ended by this signal."""
        return 128 + self.number


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Within a `with` block SIGINT, SIGTERM and SIGHUP raise Terminated, so that `finally` blocks run.

    A signal that is being ignored (nohup) stays so. For the main thread only.
    """

    def end(number: int, frame: object) -> None:
        raise Terminated(number)

    def not_raised(ignored: sys.UnraisableHookArgs) -> None:
        # Nothing comes out of a finalizer or of a weak reference's callback; after it, it will.
        if isinstance(ignored.exc_value, Terminated):
            threading.Timer(_AGAIN, os.kill, (os.getpid(), ignored.exc_value.number)).start()
        else:
            told(ignored)

    told, sys.unraisablehook = sys.unraisablehook, not_raised
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def noting_the_end() -> Iterator[Callable[[], bool]]:
    """Within a `with` block SIGINT, SIGTERM and SIGHUP interrupt nothing but waiting.

    Gives a function that tells whether one came. A signal that is being ignored (nohup) stays so. For the main
    thread only.
    """
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold those signals back within a `with` block; they come in at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
