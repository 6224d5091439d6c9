"""One timer a name."""

from __future__ import annotations

import asyncio

from directrix.director.waking import Waking


def test_a_name_wakes_at_the_time_that_was_told_last_and_not_at_all_when_that_is_taken_back() -> None:
    async def story() -> None:
        loop, woken = asyncio.get_running_loop(), []
        waking = Waking(woken.append)
        now = loop.time()
        waking.at("put off", now)
        waking.at("put off", now + 3600.0)
        waking.at("taken back", now)
        waking.at("taken back", None)
        waking.at("due", now + 3600.0)
        waking.at("due", now + 0.01)
        async with asyncio.timeout(30):
            while not woken:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        assert woken == ["due"]
        waking.at("after the end", loop.time())
        waking.close()
        await asyncio.sleep(0.01)
        assert woken == ["due"]

    asyncio.run(story())
