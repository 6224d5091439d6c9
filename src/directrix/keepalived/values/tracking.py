"""What VRRP instances, sync groups and real servers follow: scripts, processes, files, interfaces."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.keepalived.values.scripts import Script


@dataclass(frozen=True, slots=True, kw_only=True)
class VrrpScript:
    """`vrrp_script`: a program whose exit status instances follow; run only while one does.

    Attributes:
        name: what `track_script` calls it.
        script: run as its own `user`, if one is given.
        interval: seconds from one run to the next.
        timeout: seconds after which a run counts as failed; 0 for `interval`.
        weight: what `track_script` takes without one; 0 means that failing is a fault.
        reverse: the sense is turned round.
        rise, fall: successes, or failures, in a row that change its state.
        init_fail: it counts as failed until it has succeeded.
    """

    name: str
    script: Script
    interval: int = 1
    timeout: int = 0
    weight: int = 0
    reverse: bool = False
    rise: int = 1
    fall: int = 1
    init_fail: bool = False


class ParameterMatch(enum.StrEnum):
    """How the arguments of a process are compared with those looked for."""

    EXACT = "exact"
    PARTIAL = "partial"
    INITIAL = "initial"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackProcess:
    """`vrrp_track_process`: processes that must run, found by name or command line.

    Attributes:
        name: what `track_process` calls it.
        process: name of the program.
        arguments: what it must have been started with; None if that doesn't matter.
        param_match: how arguments are compared: `exact`, `partial` (more may follow), `initial`
            (and the last may be longer).
        full_command: compare with the command line, not with the process's name.
        weight, reverse: what `track_process` takes without them.
        quorum: how many must run.
        quorum_max: how many may run; None for any number.
        fork_delay, terminate_delay: seconds until a change of the number counts, up and down.
    """

    name: str
    process: str
    arguments: tuple[str, ...] | None = None
    param_match: ParameterMatch = ParameterMatch.EXACT
    full_command: bool = False
    weight: int = 1
    reverse: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    fork_delay: float = 0.0
    terminate_delay: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackFile:
    """`track_file`: a file that holds a number, which times `weight` is added to priorities and weights.

    Attributes:
        name: what `track_file` and FILE_CHECK call it.
        file: its path.
        weight, reverse: what followers take without them. Weight 0: anything but 0 in the file is a fault.
        init_value: written to the file at start if it is not there; None to leave it alone.
        overwrite: write `init_value` even if the file is there.
    """

    name: str
    file: str
    weight: int = 1
    reverse: bool = False
    init_value: int | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Track:
    """One thing an instance or a group follows.

    Attributes:
        name: an interface, or the name of a script, process or file.
        weight: added to the priority while well (if positive) or taken off while not (if
            negative); 0 makes a failure a fault. Already that of the thing itself where the
            reference gives none.
        reverse: the sense is turned round.
    """

    name: str
    weight: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class TrackGroup:
    """`track_group`: the instances that follow static addresses, routes and rules."""

    name: str
    instances: tuple[str, ...]
