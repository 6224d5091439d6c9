"""From the states of what is tracked to a priority, or to FAULT; and how scripts and processes come by their state.

The rules are keepalived's. A thing with a weight changes the priority: a positive weight is added while it is well, a
negative one taken off while it is not; `reverse` turns the sign. A thing without weight puts the instance into FAULT
while it is not well (reversed: while it is). A file's number times its weight is added; at -254 or less it is FAULT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from directrix.vrrp.tracked import Process, Script, Tracked

_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,18}")
_LIMIT = 253
"""The most that one thing changes a priority by."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How a tracked thing counts for one instance: its definition's weight, or what the instance says instead."""

    weight: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """What all that an instance tracks comes to.

    Attributes:
        adjustment: of the priority.
        faults: what isn't well and has no weight, in words.
        undecided: what has not been seen yet and may be a fault.
    """

    adjustment: int = 0
    faults: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    def __add__(self, other: Assessment) -> Assessment:
        return Assessment(
            self.adjustment + other.adjustment, self.faults + other.faults, self.undecided + other.undecided
        )


def assess_condition(name: str, well: bool | None, weight: Weight) -> Assessment:
    """An interface, a script or a process; None while nothing is known of it."""
    if well is None:
        return Assessment() if weight.weight else Assessment(undecided=(name,))
    if not weight.weight:
        return Assessment() if well != weight.reverse else Assessment(faults=(name,))
    counts = well if weight.weight > 0 else not well
    return Assessment((-weight.weight if weight.reverse else weight.weight) if counts else 0)


def assess_number(name: str, number: int, weight: Weight) -> Assessment:
    """A file."""
    if not weight.weight:
        return assess_condition(name, number == 0, weight)
    adjustment = number * (-weight.weight if weight.reverse else weight.weight)
    if adjustment < -_LIMIT:
        return Assessment(faults=(name,))
    return Assessment(min(adjustment, _LIMIT))


def total(assessments: Iterable[Assessment]) -> Assessment:
    """All of them together."""
    return sum(assessments, Assessment())


@dataclass(frozen=True, slots=True)
class ScriptHealth:
    """A script's state: `rise` successes in a row make it well, `fall` failures not well.

    The very first result counts at once, whatever `rise` and `fall` are, so that nobody waits longer than one run.

    Attributes:
        well: None before the first result.
        against: results in a row that speak against `well`.
    """

    well: bool | None = None
    against: int = 0

    @classmethod
    def of(cls, script: Script) -> ScriptHealth:
        """The state a script starts with."""
        return cls(well=False if script.initially_failed else None)

    def after(self, succeeded: bool, script: Script) -> ScriptHealth:
        """The state after one more result."""
        if self.well is None:
            return ScriptHealth(succeeded)
        if succeeded == self.well:
            return replace(self, against=0)
        against = self.against + 1
        needed = script.rise if succeeded else script.fall
        return ScriptHealth(succeeded) if against >= needed else replace(self, against=against)


def has_quorum(process: Process, running: int) -> bool:
    """Whether as many of a program run as shall."""
    if process.quorum_max is None:
        return running >= process.quorum
    return min(process.quorum, process.quorum_max) <= running <= process.quorum_max


def number_in(text: str) -> int:
    """The number a tracked file begins with; 0 if it begins with none."""
    found = _NUMBER.match(text)
    return int(found[0]) if found is not None else 0


def weight_of(tracked: Tracked, defined: Weight) -> Weight:
    """How a thing counts: what is said where it is tracked comes before what its definition says."""
    weight = defined.weight if tracked.weight is None else tracked.weight
    return Weight(weight, defined.reverse if tracked.reverse is None else tracked.reverse)
