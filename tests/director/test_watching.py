"""What looks after devices and static routes in the background: a fault in one look is not the end of it."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from directrix.director import host_watch, static_tracking
from directrix.director.host_watch import HostWatch
from directrix.director.static_tracking import Missing, StaticTracking
from directrix.director.statics import Statics
from directrix.keepalived import loads


class Faulty:
    """Fails from the second time to the fourth."""

    def __init__(self) -> None:
        self.times = 0
        self.well = asyncio.Event()

    def look(self) -> None:
        self.times += 1
        if 2 <= self.times <= 4:
            raise RuntimeError("a fault of ours")
        if self.times > 4:
            self.well.set()


def test_static_track_groups_are_looked_after_whatever_one_look_has_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(static_tracking, "_AROUND", 0.001)

    async def story() -> None:
        faulty, configuration = Faulty(), loads("").configuration

        def tell(missing: Missing) -> None:
            faulty.look()

        tracking = StaticTracking(Statics(tmp_path / "statics"), lambda: configuration, asyncio.Lock(), tell)
        await tracking.start()
        async with asyncio.timeout(30):
            await faulty.well.wait()
            await tracking.close()

    with caplog.at_level(logging.ERROR, "directrix.director"):
        asyncio.run(story())
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_the_host_is_followed_whatever_one_look_has_met(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_watch, "_AGAIN", 0.001)
    monkeypatch.setattr(host_watch, "_TOGETHER", 0.001)

    async def story() -> None:
        faulty = Faulty()
        faulty.times = 1

        async def follow() -> bool:
            faulty.look()
            return False

        watch = HostWatch(follow)
        async with asyncio.timeout(30):
            await faulty.well.wait()
            await watch.close()

    with caplog.at_level(logging.ERROR, "directrix.director"):
        asyncio.run(story())
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_what_is_in_the_way_of_following_is_told_once_and_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(host_watch, "_AGAIN", 0.001)
    monkeypatch.setattr(host_watch, "_TOGETHER", 0.001)

    async def story() -> None:
        asked = asyncio.Semaphore(0)

        async def follow() -> bool:
            asked.release()
            raise OSError(5, "the process that reads the table has ended")

        watch = HostWatch(follow)
        async with asyncio.timeout(30):
            for _ in range(3):
                await asked.acquire()
            await watch.close()

    with caplog.at_level(logging.ERROR, "directrix.director"):
        asyncio.run(story())
    assert [record.exc_info for record in caplog.records] == [None]
