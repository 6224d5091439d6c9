"""What a scheduling algorithm is: it picks a real server for a new connection.

A scheduler belongs to one service for as long as the service uses it. It looks at the service's
own list of real servers, newest first, and keeps between picks only what its algorithm remembers.
The service tells it of every change to the list after the change was made.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import ClassVar, Generic, Protocol, TypeVar


class Candidate(Protocol):
    """A real server as a scheduler sees it.

    `weight` is 0 or more, 0 quiesces. `active` and `inactive` count its connections.
    `overloaded` says that it reached its upper threshold.
    """

    @property
    def weight(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def inactive(self) -> int: ...
    @property
    def overloaded(self) -> bool: ...


C = TypeVar("C", bound=Candidate)
"""What the service that uses a scheduler keeps of a real server."""


class Scheduler(abc.ABC, Generic[C]):
    """A scheduling algorithm at work for one service.

    Args:
        candidates: the service's list of real servers, newest first; the service keeps it up to date.
    """

    name: ClassVar[str]
    """What IPVS calls the algorithm."""

    def __init__(self, candidates: Sequence[C]) -> None:
        self._candidates = candidates

    @abc.abstractmethod
    def pick(self) -> C | None:
        """The real server for a new connection, or None if there is none to be had."""

    def added(self) -> None:
        """A real server was put at the head of the list."""

    def edited(self) -> None:
        """A real server of the list changed its weight or its thresholds."""

    def removed(self, candidate: C, index: int) -> None:
        """This real server was taken out of the list, where it stood at `index`."""


def usable(candidate: Candidate) -> bool:
    """Whether a scheduler may choose this real server at all: every algorithm but dh asks this."""
    return candidate.weight > 0 and not candidate.overloaded


def overhead(candidate: Candidate) -> int:
    """The load of a real server as IPVS weighs it: an active connection counts as 256 inactive ones."""
    return candidate.active * 256 + candidate.inactive
