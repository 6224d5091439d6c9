"""What a scheduling algorithm is: it picks a real server for a new connection.

A scheduler belongs to one service for as long as the service uses it. It looks at the service's
own list of real servers, newest first, and keeps between picks only what its algorithm remembers.
The service tells it of every change to the list after the change was made.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from directrix.lvs import Address, SchedulerFlags

FALLBACK = SchedulerFlags.FLAG_1
"""What the first flag means to `sh` and `mh`: look on when the real server found can't be had."""

PORT = SchedulerFlags.FLAG_2
"""What the second flag means to `sh` and `mh`: the client's port counts too."""


class Candidate(Protocol):
    """A real server as a scheduler sees it.

    `weight` is 0 or more, 0 quiesces; `last_weight` is the last one that was not 0, and 0 only if
    there was none since it was added to the service, or added again. `active` and `inactive` count
    its connections. `overloaded` says that it reached its upper threshold.
    """

    @property
    def address(self) -> Address: ...
    @property
    def port(self) -> int: ...
    @property
    def weight(self) -> int: ...
    @property
    def last_weight(self) -> int: ...
    @property
    def active(self) -> int: ...
    @property
    def inactive(self) -> int: ...
    @property
    def overloaded(self) -> bool: ...


C = TypeVar("C", bound=Candidate)
"""What the service that uses a scheduler keeps of a real server."""

M = TypeVar("M")
"""What somebody else keeps of one."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a connection to be made brings with it, as far as any scheduler looks at it.

    Attributes:
        source, source_port: the client (CIP).
        destination: where it connects to: the VIP, or anything behind a firewall mark.
        now: the time, in seconds of a clock that does not go back.
    """

    source: Address
    source_port: int
    destination: Address
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Position(Generic[M]):
    """Where a scheduler stands: what its algorithm remembers between picks, as far as it matters to one connection.

    Attributes:
        last: the real server picked last (`rr`, `wrr`); None where the walk begins at the head.
        level: what `wrr` asks of a weight in this lap.
        members: who has the connection's destination (`lblc`, `lblcr`), newest first; empty if nobody.
        last_change: when members last came or went, in seconds as `Flow.now`.
    """

    last: M | None = None
    level: int = 0
    members: tuple[M, ...] = ()
    last_change: float = 0.0


class Scheduler(abc.ABC, Generic[C]):
    """A scheduling algorithm at work for one service.

    Args:
        candidates: the service's list of real servers, newest first; the service keeps it up to date.
    """

    name: ClassVar[str]
    """What IPVS calls the algorithm."""

    flags: SchedulerFlags = SchedulerFlags.NONE
    """The service's scheduler flags; the service keeps them up to date too."""

    def __init__(self, candidates: Sequence[C]) -> None:
        self._candidates = candidates

    @abc.abstractmethod
    def pick(self, flow: Flow) -> C | None:
        """The real server for a new connection, or None if there is none to be had."""

    def position(self, flow: Flow) -> Position[C]:
        """Where the algorithm stands, as far as it matters to this connection."""
        return Position()

    def resume(self, position: Position[C], flow: Flow) -> None:
        """Go on where another one stands, as far as it matters to this connection."""

    def added(self) -> None:
        """A real server was put at the head of the list."""

    def edited(self) -> None:
        """A real server of the list changed its weight or its thresholds."""

    def removed(self, candidate: C, index: int) -> None:
        """This real server was taken out of the list, where it stood at `index`."""


def usable(candidate: Candidate) -> bool:
    """Whether a scheduler may choose this real server at all."""
    return candidate.weight > 0 and not candidate.overloaded


def overhead(candidate: Candidate) -> int:
    """The load of a real server as IPVS weighs it: an active connection counts as 256 inactive ones."""
    return candidate.active * 256 + candidate.inactive
