"""What this host can't do, said for people."""

from __future__ import annotations


class HostError(Exception):
    """Something asked of this host can't be. `hint` says what to do about it."""

    def __init__(self, reason: str, hint: str = "") -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(f"{reason}; {hint}" if hint else reason)
