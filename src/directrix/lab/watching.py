"""Waiting for what happens to a director of a lab, by the event log it writes."""

from __future__ import annotations

import json
import time

from directrix.lab import directing
from directrix.lab.errors import LabError

_LOOK = 0.005
_PATIENCE = 30.0


class Watch:
    """What happens to a director from now on."""

    def __init__(self, lab: str, host: str) -> None:
        self._host = host
        self._file = (directing.directory(lab, host) / directing.EVENTS).open()
        self._file.seek(0, 2)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def until(self, kind: str, what: str, **who: str) -> float:
        """Wait for an event; gives the time of the monotonic clock at which it was told, some milliseconds late.

        Raises:
            LabError: it does not come.
        """
        deadline = time.monotonic() + _PATIENCE
        while (now := time.monotonic()) < deadline:
            line = self._file.readline()
            if not line:
                time.sleep(_LOOK)
                continue
            event = json.loads(line)
            if {"kind": kind, "what": what, **who}.items() <= event.items():
                return now
        told = " ".join([kind, what, *who.values()])
        raise LabError(f"{self._host} did not tell of `{told}` within {_PATIENCE:g} s")
