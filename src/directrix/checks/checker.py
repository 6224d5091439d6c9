"""What a checker is: something that can be asked once, again and again; or something that tells by itself."""

from __future__ import annotations

import asyncio
import errno
from abc import ABC, abstractmethod
from collections.abc import Callable

from directrix.checks.course import Course, PlainCourse
from directrix.checks.outcome import Outcome, failure, not_made
from directrix.checks.sockets import CheckFailed, CheckNotMade

Tell = Callable[[Outcome], None]

OUR_SHORTAGE = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN}
"""Errors that say that this host has too little of something, and nothing of a server."""


class Checker(ABC):
    """A checker that is asked: `attempt` is one check.

    `course` says how outcomes in a row are judged. `from_start`: the time to the next attempt is counted from the
    start of this one, not from its end. `deadline` bounds an attempt in seconds, whatever it waits for.
    """

    course: Course = PlainCourse()
    from_start = False
    deadline = 60.0

    @abstractmethod
    async def attempt(self, item: int) -> Outcome:
        """Check once; `item` is the URL whose turn it is, 0 for checkers without.

        Raises:
            CheckFailed: instead of an Outcome that says no.
            CheckNotMade: instead of one that says nothing.
            OSError: EMFILE and its like as CheckNotMade, others as CheckFailed.
        """

    def close(self) -> None:  # noqa: B027
        """Give back what is held between attempts."""

    async def check(self, item: int = 0) -> Outcome:
        """One attempt, bounded, with everything that can go wrong as an Outcome."""
        try:
            async with asyncio.timeout(self.deadline):
                return await self.attempt(item)
        except CheckFailed as error:
            return failure(str(error))
        except CheckNotMade as error:
            return not_made(str(error))
        except TimeoutError:
            return failure(f"not finished within {self.deadline:g} s")
        except OSError as error:
            words = error.strerror or str(error)
            return not_made(words) if error.errno in OUR_SHORTAGE else failure(words)


class Watcher(ABC):
    """A checker that is not asked: it tells outcomes as they come, and each one counts at once."""

    @abstractmethod
    async def watch(self, tell: Tell) -> None:
        """Tell the outcome as it is now, then every change, until cancelled.

        Raises:
            OSError: watching is not possible.
        """


AnyChecker = Checker | Watcher
