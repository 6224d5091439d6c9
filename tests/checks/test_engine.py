"""The engine: every checker in its own time, nobody waits for another, and all of it ends when told."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from collections.abc import Callable

import pytest
from served import run

from directrix.checks.checker import Checker, Tell, Watcher
from directrix.checks.course import Progress
from directrix.checks.engine import Engine, Report
from directrix.checks.history import History, Result
from directrix.checks.outcome import Outcome, failure, not_made, success
from directrix.checks.settings import Timing

QUICK = Timing(delay_loop=0.01, delay_before_retry=0.01, retry=1, warmup=0.0)


class Scripted(Checker):
    """Finds what it is told to, then goes on succeeding."""

    def __init__(self, found: str = "", takes: float = 0.0) -> None:
        self.found, self.takes = list(found), takes
        self.closed = False
        self.under_way = 0
        self.times: list[float] = []

    async def attempt(self, item: int) -> Outcome:
        self.times.append(asyncio.get_running_loop().time())
        self.under_way += 1
        try:
            await asyncio.sleep(self.takes)
            ok = not self.found or self.found.pop(0) == "+"
            return success() if ok else failure("as told")
        finally:
            self.under_way -= 1

    def close(self) -> None:
        self.closed = True


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


def test_results_are_judged_and_handed_on_in_order() -> None:
    async def story() -> list[tuple[bool | None, bool, bool]]:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Scripted("+-+--+"), QUICK)
        await until(lambda: len(reports) >= 7)
        await engine.close()
        return [(report.verdict, report.changed, report.result.up) for report in reports[:7]]

    assert run(story()) == [
        (True, True, True),
        (None, False, True),
        (True, False, True),
        (None, False, True),
        (False, True, False),
        (True, True, True),
        (True, False, True),
    ]


def test_a_check_that_hangs_delays_no_other() -> None:
    async def story() -> int:
        reports: list[Report] = []
        engine = Engine(reports.append)
        for number in range(100):
            engine.add(("hangs", number), Scripted(takes=3600), QUICK)
        quick = Scripted()
        engine.add("quick", quick, QUICK)
        await until(lambda: len(reports) >= 5)
        assert engine.under_way >= 100
        await engine.close()
        return len({report.name for report in reports})

    assert run(story()) == 1


def test_a_check_takes_one_place_and_waits_for_one() -> None:
    async def story() -> None:
        reports: list[Report] = []
        engine = Engine(reports.append, limit=3)
        checkers = [Scripted(takes=0.01) for _ in range(12)]
        for number, checker in enumerate(checkers):
            engine.add(number, checker, QUICK)
        most = 0
        while {report.name for report in reports} != set(range(12)):
            most = max(most, sum(checker.under_way for checker in checkers))
            await asyncio.sleep(0.001)
        assert most == 3
        assert engine.waited >= 9
        await engine.close()

    run(story())


def test_the_first_check_comes_within_warm_up_and_its_default_is_delay_loop() -> None:
    async def story() -> list[float]:
        engine = Engine(lambda report: None, warm_up=lambda: 0.5)
        begun = asyncio.get_running_loop().time()
        checkers = [Scripted() for _ in range(3)]
        for checker, warmup in zip(checkers, (0.0, 0.2, None), strict=True):
            engine.add(checker, checker, Timing(delay_loop=0.6, warmup=warmup))
        await until(lambda: all(checker.times for checker in checkers))
        await engine.close()
        return [checker.times[0] - begun for checker in checkers]

    at_once, soon, late = run(story())
    assert at_once < soon < late
    assert soon >= 0.099
    assert late >= 0.299


def test_the_wait_is_counted_from_the_end_or_from_the_start() -> None:
    class FromStart(Scripted):
        from_start = True

    async def story() -> list[float]:
        engine = Engine(lambda report: None)
        checkers = [Scripted(takes=0.4), FromStart(takes=0.4)]
        for checker in checkers:
            engine.add(checker, checker, Timing(delay_loop=0.4, warmup=0.0))
        await until(lambda: all(len(checker.times) > 1 for checker in checkers))
        await engine.close()
        return [checker.times[1] - checker.times[0] for checker in checkers]

    from_end, from_start = run(story())
    assert from_end >= 0.799
    assert from_start >= 0.399
    assert from_start < from_end


def test_a_checker_that_is_removed_is_cancelled_and_never_heard_of_again() -> None:
    async def story() -> None:
        reports: list[Report] = []
        engine = Engine(reports.append)
        slow, steady = Scripted(takes=3600), Scripted()
        engine.add("slow", slow, QUICK)
        engine.add("steady", steady, QUICK)
        await until(lambda: slow.under_way)
        await engine.remove("slow")
        assert slow.under_way == 0
        assert slow.closed
        assert engine.names == ("steady",)
        await engine.close()
        told = len(reports)
        await asyncio.sleep(0.05)
        assert len(reports) == told
        assert steady.closed
        with pytest.raises(KeyError):
            await engine.remove("steady")

    run(story())


def test_no_descriptor_is_left_behind() -> None:
    async def story() -> None:
        for _ in range(3):
            engine = Engine(lambda report: None)
            engine.add("a", Scripted(), QUICK)
            await asyncio.sleep(0.02)
            await engine.close()

    run(story())
    before = len(os.listdir("/proc/self/fd"))
    run(story())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_checker_goes_on_where_another_one_stopped() -> None:
    async def story() -> Report:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Scripted("-"), QUICK, Progress(up=True, has_run=True, retries=1))
        await until(lambda: reports)
        await engine.close()
        return reports[0]

    report = run(story())
    assert (report.verdict, report.changed) == (False, True)


def test_suspended_checkers_rest_and_go_on_at_once() -> None:
    async def story() -> None:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Scripted(), QUICK)
        await until(lambda: reports)
        engine.suspend(["a"])
        await asyncio.sleep(0.03)
        rested = len(reports)
        await asyncio.sleep(0.1)
        assert len(reports) == rested
        engine.resume(["a"])
        await until(lambda: len(reports) > rested)
        await engine.close()

    run(story())


def test_a_check_that_could_not_be_made_says_nothing_of_the_server() -> None:
    class Short(Scripted):
        async def attempt(self, item: int) -> Outcome:
            if not self.times:
                self.times.append(0.0)
                return success()
            raise OSError(errno.EMFILE, "Too many open files")

    async def story() -> None:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Short(), QUICK)
        await until(lambda: len(reports) >= 6)
        await engine.close()
        assert [report.verdict for report in reports[:6]] == [True, None, None, None, None, None]
        assert all(report.result.up for report in reports)
        assert engine.waited == 0

    run(story())


def test_a_check_can_be_asked_for_now() -> None:
    async def story() -> int:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Scripted(), Timing(delay_loop=3600, warmup=3600))
        await asyncio.sleep(0.01)
        engine.check_now("a")
        await until(lambda: reports)
        await engine.close()
        return len(reports)

    assert run(story()) == 1


def test_a_name_is_given_once() -> None:
    async def story() -> None:
        engine = Engine(lambda report: None)
        engine.add("a", Scripted(), QUICK)
        with pytest.raises(ValueError, match="'a' already"):
            engine.add("a", Scripted(), QUICK)
        await engine.close()

    run(story())


def test_faults_of_our_own_are_logged_and_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Checker):
        async def attempt(self, item: int) -> Outcome:
            raise RuntimeError("a fault")

    async def story() -> list[Report]:
        reports: list[Report] = []

        def report(told: Report) -> None:
            reports.append(told)
            raise RuntimeError("nobody listens")

        engine = Engine(report)
        engine.add("a", Faulty(), QUICK)
        await until(lambda: len(reports) >= 3)
        await engine.close()
        return reports

    with caplog.at_level(logging.ERROR):
        reports = run(story())
    assert reports[0].result.outcome == not_made("the checker itself failed: RuntimeError('a fault')")
    assert reports[0].verdict is None
    assert "could not be handed on" in caplog.text


def test_a_watcher_tells_by_itself_and_is_watched_again_when_it_fails() -> None:
    class Watching(Watcher):
        def __init__(self) -> None:
            self.times = 0

        async def watch(self, tell: Tell) -> None:
            self.times += 1
            tell(success(f"look {self.times}"))
            if self.times == 1:
                raise OSError(28, "No space left on device")
            await asyncio.sleep(3600)

    async def story() -> list[tuple[bool | None, bool, str]]:
        reports: list[Report] = []
        engine = Engine(reports.append)
        engine.add("a", Watching(), QUICK)
        await until(lambda: len(reports) >= 3)
        await engine.close()
        return [(report.verdict, report.changed, report.result.outcome.detail) for report in reports]

    assert run(story()) == [
        (True, True, "look 1"),
        (None, False, "watching failed: [Errno 28] No space left on device"),
        (True, False, "look 2"),
    ]


def test_the_history_is_a_ring_with_times() -> None:
    history = History(3)
    assert history.last is None
    for number in range(5):
        history.add(Result(float(number), 0.1, success() if number % 2 else failure("no"), True))
    assert [result.at for result in history] == [2.0, 3.0, 4.0]
    assert (len(history), history.attempts, history.failures) == (3, 5, 3)
    assert history.last is not None
    assert history.last.at == 4.0


def test_the_engine_remembers_what_each_checker_found() -> None:
    async def story() -> None:
        engine = Engine(lambda report: None)
        before = time.time()
        engine.add("a", Scripted("+-", takes=0.01), QUICK)
        await until(lambda: engine.history("a").attempts >= 2)
        first, second = list(engine.history("a"))[:2]
        assert before < first.at < second.at <= time.time()
        assert first.took >= 0.009
        assert (first.outcome.ok, second.outcome.detail) == (True, "as told")
        assert engine.progress("a").has_run
        await engine.close()

    run(story())
