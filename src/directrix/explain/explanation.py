"""An explanation: what is found step by step, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from directrix.explain.choice import Standing
from directrix.explain.surroundings import Way
from directrix.lvs import RealServer, ServiceKey
from directrix.table.xdp.verdicts import VERDICTS

MEANINGS = {verdict.name: verdict for verdict in VERDICTS}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is looked at, and what is found."""

    topic: str
    says: str


@dataclass(slots=True)
class Explanation:
    """What would be done with a packet.

    Attributes:
        steps: what is looked at, in order.
        candidates: the real servers a scheduler chooses from, if it comes to that.
        verdict: the packet's end, by the data plane's names; `unsupported` where it can't be told.
        meaning: the same in words.
        service: the service it is for.
        server: the real server that gets it. None if nobody does, or if it can't be known beforehand.
        possible: those it may be where it can't be known.
        state: of its connection afterwards, empty if there is none. `expires`: seconds it then has.
        new: it starts a connection.
        rewritten: of what is masqueraded the destination afterwards, of a reply the source; empty if it stays as it is.
        way: where frames for the real server go, or for the client of a reply.
    """

    steps: list[Step] = field(default_factory=list)
    candidates: list[Standing] = field(default_factory=list)
    verdict: str = ""
    meaning: str = ""
    service: ServiceKey | None = None
    server: RealServer | None = None
    possible: list[str] = field(default_factory=list)
    state: str = ""
    expires: float = 0.0
    new: bool = False
    rewritten: str = ""
    way: Way | None = None

    def tell(self, topic: str, says: str) -> None:
        """Add a step."""
        self.steps.append(Step(topic, says))

    def end(self, verdict: str, meaning: str = "") -> None:
        """Say how it ends."""
        self.verdict = verdict
        self.meaning = meaning or MEANINGS[verdict].meaning
        fate = MEANINGS[verdict].fate if verdict in MEANINGS else verdict
        self.tell("verdict", f"{verdict}: {self.meaning}" if fate == verdict else f"{verdict} ({fate}): {self.meaning}")
