"""Ending processes, surely and without hitting another one that got the same id."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress


def end(pids: list[int], still_meant: Callable[[int], bool], patience: float = 2.0) -> None:
    """End processes: SIGTERM, then SIGKILL for those alive after `patience` seconds; waits for all.

    Ids can be given out again while we look, so each process is held by a pidfd first and only
    then asked about: it is signalled only if `still_meant` says so.
    """
    held = {}
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        if still_meant(pid):
            held[pid] = descriptor
        else:
            os.close(descriptor)
    try:
        waiting = set(held.values())
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            for descriptor in waiting:
                _signal(descriptor, number)
                # One that is stopped hears SIGTERM only when it goes on.
                _signal(descriptor, signal.SIGCONT)
            waiting = _alive_after(waiting, seconds)
    finally:
        for descriptor in held.values():
            os.close(descriptor)


def _signal(descriptor: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, number)


def _alive_after(descriptors: set[int], seconds: float) -> set[int]:
    """Those whose process has not ended within so many seconds. A pidfd is readable at its end."""
    alive = set(descriptors)
    deadline = time.monotonic() + seconds
    poll = select.poll()
    for descriptor in alive:
        poll.register(descriptor, select.POLLIN)
    while alive and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left * 1000):
            poll.unregister(descriptor)
            alive.discard(descriptor)
    return alive
