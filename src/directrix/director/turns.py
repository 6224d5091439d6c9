"""Work that takes long on the loop, done in turns: checks, VRRP and the watchdog have theirs in between.

The work is a generator that yields wherever it may be interrupted. What must not be seen half done is for the work to
keep together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 200
"""Real servers, or changes, that are worked at in one turn: some milliseconds."""


def pausing(things: Iterable[T], size: Callable[[T], int] = lambda thing: 1) -> Generator[None, None, list[T]]:
    """Make a list of things, with a pause whenever so many have come as are worked at in one turn.

    Args:
        things: made as they are asked for.
        size: for how many a thing counts.
    """
    found, since = [], 0
    for thing in things:
        found.append(thing)
        since += size(thing)
        if since >= AT_ONCE:
            since = 0
            yield
    return found


async def in_turns(work: Generator[None, None, R]) -> R:
    """Do it, with a turn of everybody else's at each of its yields."""
    try:
        while True:
            try:
                next(work)
            except StopIteration as done:
                result: R = done.value
                return result
            await asyncio.sleep(0)
    finally:
        work.close()


def at_once(work: Generator[None, None, R]) -> R:
    """Do it without a break."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            result: R = done.value
            return result
