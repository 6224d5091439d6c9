"""Long answers: the same JSON, in pieces, and others have their turn in between."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from directrix.director.streaming import in_turns, pieces

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def lazy(value: Any) -> Any:
    """The same with iterators for lists, but for those in plain lists."""
    if isinstance(value, list):
        return iter([lazy(each) for each in value])
    return {name: lazy(each) for name, each in value.items()} if isinstance(value, dict) else value


@given(VALUES)
def test_iterators_become_lists_wherever_they_stand(value: Any) -> None:
    assert json.loads("".join(pieces(lazy(value)))) == value
    assert json.loads("".join(pieces(value))) == value


def test_others_have_their_turn_every_few_milliseconds() -> None:
    def slow() -> Iterator[str]:
        for number in range(200):
            end = time.perf_counter() + 0.001
            while time.perf_counter() < end:
                pass
            yield f"{number}\n"

    async def story() -> tuple[int, bytes]:
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(others())
        said = b"".join([part async for part in in_turns(slow())])
        task.cancel()
        return turns, said

    turns, said = asyncio.run(story())
    assert said.splitlines()[-1] == b"199"
    assert turns > 20


def test_text_that_is_no_text_is_sent_all_the_same() -> None:
    async def story() -> bytes:
        return b"".join([part async for part in in_turns(["a\udcff", "b" * 100_000])])

    assert asyncio.run(story()) == b"a?" + b"b" * 100_000
