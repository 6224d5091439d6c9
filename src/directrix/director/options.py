"""How a director is run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from directrix.director import dumps


@dataclass(frozen=True, slots=True)
class Options:
    """How a director is run.

    Attributes:
        path: the configuration.
        config_id: what `@ID` in it is compared with; None for the host's name.
        make: of the table: xdp or ipvs.
        keep_others: leave services alone that are in no configuration of ours.
        event_log: a file for happenings, as JSON lines; None for none.
        data, stats: files for SIGUSR1 and SIGUSR2.
    """

    path: str
    config_id: str | None = None
    make: str = ""
    keep_others: bool = False
    event_log: Path | None = None
    data: Path = dumps.DATA
    stats: Path = dumps.STATS
