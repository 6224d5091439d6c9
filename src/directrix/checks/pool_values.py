"""A pool's values: what it is told of a virtual service's real servers, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from directrix.checks.actions import ServerKey
from directrix.checks.growth import Growth
from directrix.checks.outcome import Standing

HEAVIEST = 2147483647
"""The largest weight IPVS knows."""


def check_weight(weight: int | None) -> None:
    """Refuse a weight that IPVS doesn't know; None is no weight.

    Raises:
        ValueError: it is out of range.
    """
    if weight is not None and not 0 <= weight <= HEAVIEST:
        raise ValueError(f"weight {weight} is not between 0 and {HEAVIEST}")


@dataclass(frozen=True, slots=True)
class CheckerSettings:
    """What the pool must know of a checker.

    `alpha`: it counts as down until it has run. `quiesces`: its failure quiesces the server instead of taking it out.
    """

    name: str
    alpha: bool = False
    quiesces: bool = False


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """A real server as configured. `inhibit`: inhibit_on_failure. `slow_start`: seconds; 0 for none."""

    key: ServerKey
    weight: int = 1
    inhibit: bool = False
    checkers: tuple[CheckerSettings, ...] = ()
    slow_start: float = 0.0


@dataclass(frozen=True, slots=True)
class SorryServer:
    """The sorry server. `inhibit`: sorry_server_inhibit, it always stands in the table, with weight 0 while not
    needed.
    """

    key: ServerKey
    weight: int = 1
    inhibit: bool = False


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A virtual service as configured, as far as checks are concerned.

    `quorum` and `hysteresis` are weights. As keepalived does, a quorum above the weight of all servers together
    should be lowered to it, and a hysteresis to below the quorum, before they come here.
    """

    servers: tuple[ServerSettings, ...]
    quorum: int = 1
    hysteresis: int = 0
    sorry: SorryServer | None = None
    omega: bool = False


@dataclass(frozen=True, slots=True)
class CheckerView:
    """What one checker last meant. `adds`: to the weight. `since`: when it last changed between up and down."""

    up: bool
    has_run: bool
    adds: int
    standing: Standing
    since: float


@dataclass(frozen=True, slots=True)
class ServerView:
    """How a real server stands.

    Attributes:
        alive: no checker of its is down.
        in_table: it stands in the table.
        weight: what weight it has, or would have if it stood there.
        checked_weight: what configuration and checks make of it, whatever the operator says.
        held: the operator's weight; None if checks decide.
        quiesced: it is kept in the table with weight 0.
        since: when `alive` last changed.
        full_weight: what weight it has when it has grown.
        growth: its weight grows to that; None if it has it.
    """

    alive: bool
    in_table: bool
    weight: int
    checked_weight: int
    held: int | None
    quiesced: bool
    since: float
    checkers: Mapping[str, CheckerView]
    full_weight: int
    growth: Growth | None
