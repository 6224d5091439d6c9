"""Long answers in pieces, so that the event loop has its turn in between.

A view of ten thousand real servers takes half a second to make. Views are therefore values in which iterators may stand
for lists: `pieces` writes them as JSON bit by bit, and `in_turns` goes through anything, letting others have their turn
every few milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

_TURN = 0.003
"""Seconds after which others have their turn."""
_ENOUGH = 1 << 15
"""Characters that are sent together."""


def pieces(value: Any) -> Iterator[str]:
    """A value as JSON, bit by bit. An iterator in it becomes a list."""
    if isinstance(value, Iterator):
        yield "["
        for number, item in enumerate(value):
            if number:
                yield ","
            yield from pieces(item)
        yield "]"
    elif isinstance(value, dict) and any(isinstance(each, Iterator | dict) for each in value.values()):
        yield "{"
        for number, (name, each) in enumerate(value.items()):
            yield f"{',' if number else ''}{json.dumps(name)}:"
            yield from pieces(each)
        yield "}"
    else:
        yield json.dumps(value, separators=(",", ":"))


async def in_turns(parts: Iterable[str]) -> AsyncIterator[bytes]:
    """Text as bytes that are worth sending; others have their turn in between."""
    gathered: list[str] = []
    length, began = 0, time.perf_counter()
    for part in parts:
        gathered.append(part)
        length += len(part)
        if length >= _ENOUGH:
            yield "".join(gathered).encode("utf-8", "replace")
            gathered, length = [], 0
        if time.perf_counter() - began > _TURN:
            await asyncio.sleep(0)
            began = time.perf_counter()
    yield "".join(gathered).encode("utf-8", "replace")
