"""The process that is at the table: it does what it is asked, survives what fails, and is replaced when it dies."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
from collections.abc import Awaitable, Callable, Iterator

import pytest

from directrix.director.at_table import AtTable
from directrix.director.table_work import check_ending, counts
from directrix.lvs import Protocol, ServiceKey, TableError, parse_address
from directrix.system import namespaces

KEY = ServiceKey.of(Protocol.TCP, parse_address("192.0.2.1"), 80)


def play(story: Callable[[AtTable], Awaitable[None]]) -> None:
    async def played() -> None:
        at_table = AtTable()
        try:
            await asyncio.wait_for(story(at_table), 60)
        finally:
            await at_table.close()

    asyncio.run(played())


@pytest.fixture(autouse=True)
def without_a_table() -> Iterator[None]:
    name = f"test-{os.getpid()}-attable"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        with namespaces.inside(name):
            yield
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.mark.root
def test_it_does_one_thing_after_the_other_and_refusals_are_the_table_s() -> None:
    async def story(at_table: AtTable) -> None:
        assert await asyncio.gather(*(at_table.do(counts) for _ in range(3))) == [{}] * 3
        with pytest.raises(TableError, match="there is no virtual service"):
            await at_table.do(check_ending, [(KEY, (KEY.address, 80))])
        with pytest.raises(OSError, match="a fault of directrix itself"):
            await at_table.do(io.StringIO)
        assert await at_table.do(counts) == {}

    play(story)


@pytest.mark.root
def test_one_that_dies_or_is_given_up_is_replaced() -> None:
    async def story(at_table: AtTable) -> None:
        assert await at_table.do(counts) == {}
        assert at_table._process is not None
        at_table._process.kill()
        with pytest.raises(OSError, match="has ended"):
            await at_table.do(counts)
        assert await at_table.do(counts) == {}
        asked = asyncio.create_task(at_table.do(counts))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert await at_table.do(counts) == {}

    play(story)
