"""What happens, as values: for the event log, for scripts and pipes, for mail, for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth remembering.

    Attributes:
        at: when, in seconds since 1970.
        kind: `server`, `quorum`, `vrrp`, `operator`, `director`.
        what: what is the case from now on: `up`, `down`, `MASTER`, `reloaded` …
        who: whom it is about: names of virtual server, real server, VRRP instance.
        more: everything else there is to say.
    """

    at: float
    kind: str
    what: str
    who: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)

    def as_object(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"at": round(self.at, 6), "kind": self.kind, "what": self.what, **self.who, **self.more}
