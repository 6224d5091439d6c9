"""What can be tracked: interfaces, scripts, files, processes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.vrrp.values import Command


@dataclass(frozen=True, slots=True)
class Tracked:
    """Something whose state decides on mastership.

    Attributes:
        name: of the interface, script, process or file.
        weight: what it adds to the priority when it is well (positive), or takes off when it is not (negative). With 0
            the instance is in FAULT while it is not well. None for the weight its definition has.
        reverse: well and not well change places. None for what its definition says.
    """

    name: str
    weight: int | None = None
    reverse: bool | None = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """All that an instance or a group tracks."""

    interfaces: tuple[Tracked, ...] = ()
    scripts: tuple[Tracked, ...] = ()
    processes: tuple[Tracked, ...] = ()
    files: tuple[Tracked, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """A program whose exit status is tracked (`vrrp_script`).

    Attributes:
        interval: seconds from one start to the next.
        timeout: seconds it may take; None for `interval`.
        rise, fall: how many results in a row change its state.
        initially_failed: counts as failed until it succeeded (`init_fail`), else it is waited for.
    """

    name: str
    command: Command
    interval: float = 1.0
    timeout: float | None = None
    weight: int = 0
    reverse: bool = False
    rise: int = 1
    fall: int = 1
    initially_failed: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file whose first number is tracked (`track_file`); one that is not there counts as 0.

    Its number times the weight is added to the priority; -254 or less is FAULT. With weight 0, any number but 0 is.
    `initial` is written into it at the start if it is not there (`init_file`), or anyway if `overwrite`.
    """

    name: str
    path: str
    weight: int = 1
    reverse: bool = False
    initial: int | None = None
    overwrite: bool = False


class ParameterMatch(enum.Enum):
    """How the parameters of a tracked process are compared."""

    EXACT = "exact"
    INITIAL = "initial"
    """Those that are named come first; the last may be the beginning of one."""
    PARTIAL = "partial"
    """Those that are named come first; more may follow."""


@dataclass(frozen=True, slots=True)
class Process:
    """A program of which so many must run (`vrrp_track_process`).

    Attributes:
        program: its name, or its path as it was started if it has a slash.
        parameters: compare these too, by `match`; None for any.
        full_command: compare the command line as it was given instead of the kernel's name of the process.
        quorum, quorum_max: how many must run at least and at most; None for any number.
        start_delay, end_delay: seconds that a gained or lost quorum must last (`fork_delay`, `terminate_delay`).
    """

    name: str
    program: str
    parameters: tuple[str, ...] | None = None
    match: ParameterMatch = ParameterMatch.EXACT
    full_command: bool = False
    weight: int = 1
    reverse: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    start_delay: float = 0.0
    end_delay: float = 0.0


@dataclass(frozen=True, slots=True)
class LinkDelay:
    """Seconds that an interface must stay down, or up, until it counts (`interface_up_down_delays`)."""

    interface: str
    down: float
    up: float
