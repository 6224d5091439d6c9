"""The engine: runs checkers, each by its own course and in its own time, and hands on what they find.

Every checker is a task that sleeps, checks, and judges the outcome. No checker waits for another; the one thing they
share is the number of checks that may be under way at a time, which bounds file descriptors. A checker never has more
than one check under way, and every check has a deadline, so a server that hangs costs one place for a while.

What a check found is handed on before anything else happens: `report` is called at once, in the event loop, with
nothing in between. It must not block, and what it raises is logged, never borne by the checks.
"""

from __future__ import annotations

import asyncio
import logging
import random
import resource
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace

from directrix.checks.checker import AnyChecker, Checker, Watcher
from directrix.checks.course import Progress
from directrix.checks.history import History, Result
from directrix.checks.outcome import Outcome, not_made
from directrix.checks.settings import Timing

log = logging.getLogger(__name__)

Name = Hashable
"""What the caller calls a checker; unique in an engine."""

SPARE_DESCRIPTORS = 256
"""File descriptors left to the rest of the process."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is handed on after each attempt.

    Attributes:
        name: the caller's name for the checker.
        result: what was found, and what the checker believes now.
        verdict: the checker is up, or down, by this result; None if it decided nothing yet, or was not made.
        changed: the verdict is another one than before, or the first.
        first: there was none before.
    """

    name: Name
    result: Result
    verdict: bool | None
    changed: bool
    first: bool = False


@dataclass(slots=True)
class _Running:
    name: Name
    checker: AnyChecker
    timing: Timing
    progress: Progress
    history: History
    wake: asyncio.Event
    suspended: bool = False
    task: asyncio.Task[None] | None = None
    checking: bool = False


class Engine:
    """Runs checkers. Made, filled and ended inside one event loop.

    Args:
        report: called with each result, at once.
        limit: so many checks may be under way at a time; None for what the limit on file descriptors allows.
        warm_up: a number from 0 to 1 for each checker that starts, its share of `warmup`.
    """

    def __init__(
        self,
        report: Callable[[Report], None],
        *,
        limit: int | None = None,
        warm_up: Callable[[], float] = random.random,
    ) -> None:
        self._report = report
        self._warm_up = warm_up
        self._places = asyncio.Semaphore(limit or _descriptors())
        self._running: dict[Name, _Running] = {}
        self.waited = 0
        """So many checks had to wait for a place."""

    def add(self, name: Name, checker: AnyChecker, timing: Timing, progress: Progress | None = None) -> None:
        """Start a checker. With `progress` it goes on where another one stopped, without warm-up and alpha.

        Raises:
            ValueError: there is one of this name.
        """
        if name in self._running:
            raise ValueError(f"there is a checker called {name!r} already")
        if progress is not None:
            started = progress
        elif isinstance(checker, Checker):
            started = checker.course.begin(timing)
        else:
            started = Progress(up=True)
        running = _Running(name, checker, timing, started, History(), asyncio.Event())
        self._running[name] = running
        warm = 0.0 if progress is not None else (timing.delay_loop if timing.warmup is None else timing.warmup)
        work = self._ask(running, checker, warm) if isinstance(checker, Checker) else self._listen(running, checker)
        running.task = asyncio.create_task(work)

    async def remove(self, name: Name) -> None:
        """Stop a checker and give back what it holds; its results are forgotten. Nothing is reported any more.

        Raises:
            KeyError: there is none of this name.
        """
        running = self._running.pop(name)
        await _end([running])

    async def close(self) -> None:
        """Stop all checkers."""
        stopped = list(self._running.values())
        self._running.clear()
        await _end(stopped)

    def suspend(self, names: Iterable[Name]) -> None:
        """Let checkers rest (ha_suspend): the check under way still counts, no other one begins."""
        for name in names:
            self._running[name].suspended = True

    def resume(self, names: Iterable[Name]) -> None:
        """Let checkers go on, at once."""
        for name in names:
            running = self._running[name]
            running.suspended = False
            running.wake.set()

    def check_now(self, name: Name) -> None:
        """Don't wait for the next check's time."""
        self._running[name].wake.set()

    @property
    def names(self) -> tuple[Name, ...]:
        """All checkers."""
        return tuple(self._running)

    @property
    def under_way(self) -> int:
        """How many checks are under way."""
        return sum(running.checking for running in self._running.values())

    def progress(self, name: Name) -> Progress:
        """Where a checker stands."""
        return self._running[name].progress

    def history(self, name: Name) -> History:
        """A checker's last results."""
        return self._running[name].history

    async def _ask(self, running: _Running, checker: Checker, warm: float) -> None:
        loop = asyncio.get_running_loop()
        if warm:
            await self._rest(running, loop.time() + warm * self._warm_up())
        while True:
            while running.suspended:
                await self._rest(running, None)
            begun = loop.time()
            outcome = await self._attempt(running, checker)
            ended = loop.time()
            if not outcome.made:
                self._tell(running, outcome, ended - begun, running.progress, None)
                await self._rest(running, ended + running.timing.delay_loop)
                continue
            step = checker.course.step(running.timing, running.progress, outcome.ok, outcome.certain)
            self._tell(running, outcome, ended - begun, step.progress, step.verdict)
            await self._rest(running, (begun if checker.from_start else ended) + step.delay)

    async def _attempt(self, running: _Running, checker: Checker) -> Outcome:
        if self._places.locked():
            self.waited += 1
        async with self._places:
            running.checking = True
            try:
                return await checker.check(running.progress.item)
            except Exception as error:  # a fault of ours in one checker must not end all checks
                log.exception("checker %s", running.name)
                return not_made(f"the checker itself failed: {error!r}")
            finally:
                running.checking = False

    async def _listen(self, running: _Running, checker: Watcher) -> None:
        def tell(outcome: Outcome) -> None:
            progress = replace(running.progress, up=outcome.ok, has_run=True)
            self._tell(running, outcome, 0.0, progress, outcome.ok)

        while True:
            try:
                await checker.watch(tell)
            except Exception as error:
                if not isinstance(error, OSError):
                    log.exception("checker %s", running.name)
                self._tell(running, not_made(f"watching failed: {error}"), 0.0, running.progress, None)
            await asyncio.sleep(running.timing.delay_before_retry or 1.0)

    def _tell(self, running: _Running, outcome: Outcome, took: float, progress: Progress, verdict: bool | None) -> None:
        before, running.progress = running.progress, progress
        result = Result(time.time(), took, outcome, progress.up)
        running.history.add(result)
        first = verdict is not None and not before.has_run
        changed = first or (verdict is not None and verdict != before.up)
        try:
            self._report(Report(running.name, result, verdict, changed, first))
        except Exception:
            log.exception("what checker %s found could not be handed on", running.name)

    async def _rest(self, running: _Running, until: float | None) -> None:
        """Sleep until a time of the loop, or until woken."""
        loop = asyncio.get_running_loop()
        running.wake.clear()
        timer = None if until is None else loop.call_at(until, running.wake.set)
        try:
            await running.wake.wait()
        finally:
            if timer is not None:
                timer.cancel()


async def _end(stopped: list[_Running]) -> None:
    tasks = [running.task for running in stopped if running.task is not None]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for running in stopped:
        if isinstance(running.checker, Checker):
            running.checker.close()


def _descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(soft - SPARE_DESCRIPTORS, soft // 2, 1)
