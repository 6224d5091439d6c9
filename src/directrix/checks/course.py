"""How outcomes in a row become *up* and *down*: keepalived's retries, as tables over values.

A checker begins up, or down in alpha mode. What an outcome leads to, and when the next attempt comes:

| checker is       | outcome | then it is | `retries` | next attempt after   |
| ---------------- | ------- | ---------- | --------- | -------------------- |
| any              | success | up         | 0         | `delay_loop`         |
| up, retries left | failure | up         | one more  | `delay_before_retry` |
| up, none left    | failure | down       | 0         | `delay_loop`         |
| down             | failure | down       | 0         | `delay_loop`         |

Before its first run a checker has no retries left: one failure is enough then. keepalived 2.2.7 has two exceptions, as
measured on it. TCP_CHECK and SMTP_CHECK (`pursue`) go on retrying while they are down, which finds a server that heals
sooner: each failure is followed by `retry` attempts more, `delay_before_retry` apart, before `delay_loop` is waited.
And SMTP_CHECK (`patient`) has all its retries from the beginning.

HTTP_GET and SSL_GET with their URLs have a course of their own. One attempt fetches one URL, the next attempt the next
one, and only when all have succeeded in turn is it a success. After a failure the URL that failed is asked alone; when
it answers again, all are asked from the first one on, and then the checker is up. So recovery takes an attempt more
than there are URLs. `fast_recovery` takes the waiting out of that last round, and out of the first one after the
start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from directrix.checks.settings import Timing


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a checker stands.

    Attributes:
        up: what it believes.
        has_run: it has had a result that counts.
        retries: failures borne since the last success.
        item: which of its URLs is next (0 for checkers without).
        failed_item: the URL whose failure is not mended yet.
    """

    up: bool
    has_run: bool = False
    retries: int = 0
    item: int = 0
    failed_item: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What an outcome led to.

    Attributes:
        progress: where the checker stands now.
        verdict: the outcome decided: the checker is up, or down, from now on or still. None if it decided nothing: a
            failure that is borne, a URL among several.
        delay: seconds until the next attempt.
    """

    progress: Progress
    verdict: bool | None
    delay: float


class Course(Protocol):
    """The rules a checker's outcomes are judged by."""

    def begin(self, timing: Timing) -> Progress:
        """Where a checker stands before its first attempt."""

    def step(self, timing: Timing, progress: Progress, ok: bool, certain: bool = False) -> Step:
        """Where an outcome leads. A `certain` failure counts at once."""


def _begin(timing: Timing) -> Progress:
    return Progress(up=not timing.alpha, retries=timing.retry)


@dataclass(frozen=True, slots=True)
class PlainCourse:
    """The course of every checker but HTTP_GET and SSL_GET.

    `pursue`: retries while down, too. `patient`: retries before the first run, too.
    """

    pursue: bool = False
    patient: bool = False

    def begin(self, timing: Timing) -> Progress:
        """Where a checker stands before its first attempt."""
        begun = _begin(timing)
        return replace(begun, retries=0) if self.patient else begun

    def step(self, timing: Timing, progress: Progress, ok: bool, certain: bool = False) -> Step:
        """Where an outcome leads."""
        left = not ok and not certain and progress.retries < timing.retry
        if left and (progress.up or self.pursue):
            borne = replace(progress, retries=progress.retries + 1)
            undecided = progress.up or not progress.has_run
            return Step(borne, None if undecided else False, timing.delay_before_retry)
        return Step(replace(progress, up=ok, has_run=True, retries=0), ok, timing.delay_loop)


@dataclass(frozen=True, slots=True)
class RoundCourse:
    """The course of HTTP_GET and SSL_GET: `items` URLs in turn."""

    items: int
    fast_recovery: bool = False

    def begin(self, timing: Timing) -> Progress:
        """Where a checker stands before its first attempt."""
        return _begin(timing)

    def step(self, timing: Timing, progress: Progress, ok: bool, certain: bool = False) -> Step:
        """Where an outcome leads."""
        after, verdict = self._succeeded(timing, progress) if ok else self._failed(timing, progress, certain)
        if ok:
            delay = timing.delay_loop
        elif after.failed_item is not None:
            delay = max(timing.delay_loop, timing.delay_before_retry)
        else:
            delay = timing.delay_before_retry
        # keepalived hurries after a failure, too, and asks a URL that fails in the last round without any pause.
        if self.fast_recovery and ok and (not after.has_run or (not after.up and after.failed_item is None)):
            delay = 0.0
        return Step(after, verdict, delay)

    def _succeeded(self, timing: Timing, progress: Progress) -> tuple[Progress, bool | None]:
        if progress.failed_item is not None:
            return replace(progress, failed_item=None, item=0, retries=0), None
        if progress.item + 1 == self.items:
            return replace(progress, up=True, has_run=True, item=0, retries=0), True
        # Until all URLs have answered once, any failure is one too many.
        return replace(progress, item=progress.item + 1, retries=0 if progress.has_run else timing.retry), None

    def _failed(self, timing: Timing, progress: Progress, certain: bool) -> tuple[Progress, bool | None]:
        if not progress.up and progress.has_run:
            return progress, False
        retries = progress.retries + 1
        if retries <= timing.retry and not certain:
            return replace(progress, has_run=True, retries=retries), None
        return replace(progress, up=False, has_run=True, retries=retries, failed_item=progress.item), False
