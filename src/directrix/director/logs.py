"""How the director's log is written: for a terminal, for the journal, or as JSON lines, always to stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
import time

LEVELS = ("debug", "info", "warning", "error")

_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog's, which the journal reads in front of a line (sd-daemon(3))."""


class _ForTerminals(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{text} {level}{super().format(record)}"


class _ForTheJournal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # Each line is an entry of its own there.
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        return "\n".join(priority + line for line in super().format(record).splitlines() or [""])


class _AsJson(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        said = {"at": round(record.created, 6), "level": record.levelname.lower(), "message": record.getMessage()}
        if record.exc_info:
            said["trace"] = self.formatException(record.exc_info)
        return json.dumps({**said, "from": record.name})


def set_up(level: str = "info", *, as_json: bool = False) -> None:
    """Have everything of this process at or above a level written to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    if as_json:
        handler.setFormatter(_AsJson())
    else:
        handler.setFormatter(_ForTheJournal() if _is_the_journal() else _ForTerminals())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("directrix").setLevel(level.upper())
    # What can't be written (a full disk, a closed pipe) must not end us, nor be told where it can't be written.
    logging.raiseExceptions = False


def _is_the_journal() -> bool:
    told = os.environ.get("JOURNAL_STREAM", "")
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return told == f"{status.st_dev}:{status.st_ino}"
