"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Severity(enum.StrEnum):
    """An error has the configuration refused; a warning only tells."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a word stands. Lines and columns count from 1; columns are characters.

    Attributes:
        via: where the parameter is used that the word came out of, if it came out of one.
        included: where the file is included, if it is.
    """

    file: str
    line: int
    column: int
    via: Place | None = None
    included: Place | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"

    @property
    def trail(self) -> str:
        """How one gets there from the first file; empty if one is there already."""
        parts = []
        if self.via is not None:
            parts.append(f"used at {self.via}{self.via.trail}")
        if self.included is not None:
            parts.append(f"included at {self.included}{self.included.trail}")
        return "".join(f", {part}" for part in parts)


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake, or one thing worth telling."""

    place: Place
    severity: Severity
    reason: str

    def __str__(self) -> str:
        trail = self.place.trail
        return f"{self.place}: {self.severity}: {self.reason}" + (f" ({trail[2:]})" if trail else "")


class FaultyConfiguration(Exception):
    """A configuration is refused; `faults` are all mistakes and warnings, in the order of the text."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(map(str, self.faults)))


class Faults:
    """Takes in what is found wrong."""

    def __init__(self) -> None:
        self._found: dict[Fault, None] = {}

    def error(self, place: Place, reason: str) -> None:
        """A mistake: the configuration will be refused."""
        self._found[Fault(place, Severity.ERROR, reason)] = None

    def warn(self, place: Place, reason: str) -> None:
        """Worth telling."""
        self._found[Fault(place, Severity.WARNING, reason)] = None

    @property
    def all(self) -> tuple[Fault, ...]:
        """Everything found, each once, file by file in the order of the text."""
        files = {fault.place.file: None for fault in self._found}
        order = {file: number for number, file in enumerate(files)}
        places = [(order[fault.place.file], fault.place.line, fault.place.column, fault) for fault in self._found]
        return tuple(fault for *_, fault in sorted(places, key=lambda each: each[:3]))

    @property
    def count(self) -> int:
        """How much was found."""
        return len(self._found)

    @property
    def fatal(self) -> bool:
        """Whether there is a mistake among it."""
        return any(fault.severity is Severity.ERROR for fault in self._found)


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'WORD'?` with the nearest known word; empty if none is near."""
    names = sorted(known)
    folded = {name.lower().replace("-", "_"): name for name in names}
    near = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.65)
    return f"; did you mean {folded[near[0]]!r}?" if near else ""
