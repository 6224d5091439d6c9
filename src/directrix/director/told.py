"""What others are told by the balancing half: real servers and quorums that come and go, and checks' results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from directrix.checks.actions import ServerKey, TellQuorum, TellServer
from directrix.checks.engine import Report
from directrix.director.virtual import ServerName, Virtual

CheckName = tuple[str, ServerKey, str]
"""What names a checker: its virtual server, its real server, and its name there."""

Noted = Callable[[str, ServerName, Mapping[str, object]], None]
"""Is told what has happened to a real server, with what else there is to say."""


@dataclass(frozen=True, slots=True)
class Told:
    """A pool's word for others: a real server came or went, or the quorum did.

    `cause`: which check said why, in words; empty if none did.
    """

    virtual: Virtual
    action: TellServer | TellQuorum
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A check's result, after the table has followed. `turned`: the real server came or went by it."""

    name: CheckName
    report: Report
    turned: bool
