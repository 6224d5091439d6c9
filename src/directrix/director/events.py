"""The event log: what happened, the last of it at hand, all of it as JSON lines in a file if there is one."""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from directrix.director.happenings import Happening

_log = logging.getLogger("directrix.director")

LENGTH = 1000
"""So many happenings are at hand."""


class EventLog:
    """Remembers happenings. A line that can't be written (a full disk) is lost, said once, and no reason to stop."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file.

        Raises:
            OSError: it can't be opened.
        """
        self._ring: deque[Happening] = deque(maxlen=LENGTH)
        self._path = path
        self._descriptor: int | None = None
        self._broken = False
        self._torn = False
        """The last line stands there in part."""
        self.reopen()

    def reopen(self) -> None:
        """Open the file anew, for one that was moved away (logrotate).

        Raises:
            OSError: it can't be opened; the one before stays open.
        """
        if self._path is not None:
            before = self._descriptor
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
            if before is not None:
                os.close(before)

    def add(self, happening: Happening) -> None:
        """Remember."""
        self._ring.append(happening)
        if self._descriptor is None:
            return
        try:
            # One write a line, so that lines of two writers never mix.
            line = ("\n" if self._torn else "") + json.dumps(happening.as_object(), default=str) + "\n"
            self._torn = os.write(self._descriptor, line.encode()) < len(line)
            self._broken = False
        except OSError as error:
            if not self._broken:
                _log.error("%s: events can't be written: %s", self._path, error.strerror)
            self._broken = True

    def __iter__(self) -> Iterator[Happening]:
        """Oldest first."""
        return iter(tuple(self._ring))

    def close(self) -> None:
        """Write no more."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
