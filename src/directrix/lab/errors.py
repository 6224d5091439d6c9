"""What can be wrong with a lab, said for people."""

from __future__ import annotations


class LabError(Exception):
    """Something asked of a lab can't be done. `hint` says what to do about it."""

    def __init__(self, reason: str, hint: str = "") -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(f"{reason}; {hint}" if hint else reason)
