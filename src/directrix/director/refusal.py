"""Why a configuration can't be carried out: everything that is wrong, not only the first."""

from __future__ import annotations

from collections.abc import Iterable


class Refused(Exception):
    """A configuration that is well written, and yet can't be carried out here. `reasons` are all there are."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("\n".join(self.reasons))
