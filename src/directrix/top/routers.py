"""The line that tells which virtual routers this director is master of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RouterRow:
    """A virtual router of this host.

    Attributes:
        state: as VRRP calls it: MASTER, BACKUP, FAULT …
        priority: as adverts carry it.
        other: another master that is heard, empty if none is: who is to be master, or, beside a master, who should not.
    """

    name: str
    state: str
    priority: int
    other: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to look after it."""
        return self.state == "FAULT" or (self.state == "MASTER" and bool(self.other))

    def __str__(self) -> str:
        if self.state == "MASTER":
            beside = f", AND SO IS {self.other}" if self.other else ""
            return f"{self.name} MASTER ({self.priority}){beside}"
        return f"{self.name} {self.state} ({self.priority})" + (f" of {self.other}" if self.state == "BACKUP" else "")


def read(told: Mapping[str, Any]) -> tuple[RouterRow, ...]:
    """From what a director's API tells of VRRP."""
    return tuple(
        RouterRow(one["name"], one["state"], one["priority"], one["master"] or "") for one in told["instances"]
    )


def line(routers: Sequence[RouterRow]) -> str:
    """All of them in one line, those first that somebody has to look after."""
    return "VRRP  " + "  ".join(map(str, sorted(routers, key=lambda router: not router.is_bad)))
