"""TCP_CHECK: does it take a connection?"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.checks.checker import Checker
from directrix.checks.course import PlainCourse
from directrix.checks.outcome import Outcome
from directrix.checks.settings import Target
from directrix.checks.sockets import connected_tcp

_CONNECTED = Outcome(True, "connected")


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """TCP_CHECK has no settings of its own."""

    target: Target


class TcpChecker(Checker):
    """Connects, and closes again."""

    course = PlainCourse(pursue=True)

    def __init__(self, settings: TcpCheck) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline

    async def attempt(self, item: int) -> Outcome:
        """One connection."""
        made = await connected_tcp(self.settings.target)
        made.close()
        return _CONNECTED
