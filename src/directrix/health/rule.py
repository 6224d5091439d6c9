"""Judging real servers by their clients' handshakes. Pure: the figures, the time and what is remembered are arguments.

How it works
------------
A real server is compared with its peers, the other servers of the service, never with a number: a flood of clients
that never answer, or a network that loses packets, lowers everybody's share alike. And it is compared with care: of its
recent share the highest value that its sample allows is taken (Wilson's score interval at three standard deviations),
of its peers' the lowest, and of those the middle one. Only if even so it is below `out_below` times its peers' is it
*poor*. So twenty connections are enough where a server answers nobody, and hundreds are needed where half of a flood is
lost.

A poor server is taken out: its weight becomes 0, which lets established connections go on, and is remembered. At most
`most_out` of the service's servers are out at a time, and never the last one; who is poor beyond that is *spared*.

Without connections there is no evidence, so a server that is out comes back by time, with its old weight, on *trial*.
If it is poor again it is out for twice as long, up to `hold_most`. The trial ends well once its share is at least
`back_above` times its peers', which is more than it takes to stay in: a server at the edge doesn't flap.

A weight other than 0 at a server that is out is somebody's decision, and the end of ours. A server quiesced by an
operator is left alone.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_high

from directrix.lvs import Address, RealServer, ServiceKey
from directrix.lvs.errors import InvalidRequest
from directrix.lvs.handshakes import Handshakes

ServerKey = tuple[Address, int]

_DEVIATIONS = 3.0
"""How sure a judgement is: one in seven hundred samples lies further off on its side."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The bounds of a judgement.

    Attributes:
        out_below: part of its peers' share below which a server is poor.
        back_above: part of it from which on a server's trial is over.
        sample: recent connections a server needs to be judged, or to be a measure for others.
        most_out: part of a service's servers that may be out at a time, rounded down.
        hold: seconds a server is out the first time; each time again twice as long.
        hold_most: seconds it is out at most.

    Raises:
        InvalidRequest: a bound makes no sense.
    """

    out_below: float = 0.5
    back_above: float = 0.8
    sample: int = 20
    most_out: float = 0.5
    hold: float = 60.0
    hold_most: float = 3600.0

    def __post_init__(self) -> None:
        if not 0 < self.out_below < self.back_above <= 1:
            raise InvalidRequest(
                f"out-below ({self.out_below:g}) has to be above 0 and below back-above ({self.back_above:g}), "
                "and that not above 1"
            )
        if self.sample < 1:
            raise InvalidRequest(f"a judgement needs a sample of 1 connection or more, not {self.sample}")
        if not 0 <= self.most_out < 1:
            raise InvalidRequest(f"the part that may be out is 0 or more and less than 1, not {self.most_out:g}")
        if not 0 < self.hold <= self.hold_most < math.inf:
            raise InvalidRequest(f"a server is out for more than 0 seconds and at most {self.hold_most:g}")


class Standing(enum.StrEnum):
    """How a real server stands."""

    GOOD = "good"
    FEW = "too few"
    """Too few connections, at it or at its peers, to tell."""
    POOR = "poor"
    """Its share is far below its peers': to be taken out."""
    SPARED = "spared"
    """Poor, but as many as may be are out already."""
    OUT = "out"
    """Taken out, not to come back yet."""
    BACK = "back"
    """Taken out for long enough: to come back, on trial."""
    TRIAL = "on trial"
    """Came back, and its share is not good enough yet, or not known, to say that it is well."""
    QUIESCED = "quiesced"
    """An operator gave it weight 0."""


class By(enum.StrEnum):
    """Who took a server out."""

    RULE = "rule"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Absence:
    """What is remembered of a real server that was taken out, until it has come back for good.

    Attributes:
        weight: what it had, and gets back.
        since: when it was taken out, or came back on trial; in seconds of the caller's clock.
        times: how often it was taken out in a row.
        trial: it is back, on trial.
        by: an operator's absence is the operator's to end.
    """

    weight: int
    since: float
    times: int = 1
    trial: bool = False
    by: By = By.RULE

    def ends(self, rule: Rule) -> float:
        """When it may come back."""
        return self.since + min(rule.hold * 2.0 ** min(self.times - 1, 60), rule.hold_most)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to become of a real server.

    Attributes:
        peers: the share it was measured by, None if it wasn't.
        weight: the weight it is to have, None if it keeps its own.
        absence: what is to be remembered of it from now on, None for nothing.
    """

    server: RealServer
    handshakes: Handshakes
    standing: Standing
    peers: float | None = None
    weight: int | None = None
    absence: Absence | None = None


def share_between(share: float, sample: float) -> tuple[float, float]:
    """The least and the highest true share that a share seen in a sample allows: Wilson's score interval."""
    z2 = _DEVIATIONS**2
    middle = (share + z2 / (2 * sample)) / (1 + z2 / sample)
    half = _DEVIATIONS / (1 + z2 / sample) * math.sqrt(share * (1 - share) / sample + z2 / (4 * sample**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def judge(
    servers: Sequence[tuple[RealServer, Handshakes]],
    absences: Mapping[ServerKey, Absence],
    now: float,
    rule: Rule,
) -> list[Judgement]:
    """Judge the real servers of one service, in the order given."""
    found = [_stand(server, handshakes, absences.get(server.key), now, rule) for server, handshakes in servers]
    judged = [_compare(one, found, rule) if one.server.weight else one for one in found]
    return list(_bounded(judged, now, rule))


def _stand(server: RealServer, handshakes: Handshakes, absence: Absence | None, now: float, rule: Rule) -> Judgement:
    """How a server stands by itself, before it is compared."""
    if server.weight:
        on_trial = absence if absence and absence.trial else None
        return Judgement(server, handshakes, Standing.TRIAL if on_trial else Standing.FEW, absence=on_trial)
    if absence is None or absence.trial:
        return Judgement(server, handshakes, Standing.QUIESCED)
    if absence.by is By.OPERATOR:
        return Judgement(server, handshakes, Standing.QUIESCED, absence=absence)
    if now < absence.ends(rule):
        return Judgement(server, handshakes, Standing.OUT, absence=absence)
    returned = replace(absence, trial=True, since=now)
    return Judgement(server, handshakes, Standing.BACK, weight=absence.weight, absence=returned)


def _interval(one: Judgement, rule: Rule) -> tuple[float, float] | None:
    """Between what its true share is; None if too little is known."""
    share, sample = one.handshakes.recent_share, one.handshakes.sample
    return None if share is None or sample < rule.sample else share_between(share, sample)


def _compare(one: Judgement, all_of_them: Iterable[Judgement], rule: Rule) -> Judgement:
    """A server that is in service, beside the others that are."""
    others = [_interval(other, rule) for other in all_of_them if other.server.weight and other is not one]
    measures = [interval[0] for interval in others if interval is not None]
    own = _interval(one, rule)
    if own is None or not measures:
        return one
    peers = median_high(measures)
    if own[1] < rule.out_below * peers:
        return replace(one, standing=Standing.POOR, peers=peers)
    if one.absence is not None and (one.handshakes.recent_share or 0.0) < rule.back_above * peers:
        return replace(one, peers=peers)
    return replace(one, standing=Standing.GOOD, peers=peers, absence=None)


def _bounded(judged: Sequence[Judgement], now: float, rule: Rule) -> Iterable[Judgement]:
    """Take the worst of the poor out, as many as may be."""
    in_service = sum(1 for one in judged if one.server.weight)
    out = sum(1 for one in judged if one.standing is Standing.OUT)
    returning = sum(1 for one in judged if one.standing is Standing.BACK)
    room = min(int((in_service + out + returning) * rule.most_out) - out, in_service - 1)
    poor = [one for one in judged if one.standing is Standing.POOR]
    poor.sort(key=lambda one: (one.handshakes.recent_share or 0.0, -one.handshakes.sample))
    taken = {one.server.key for one in poor[: max(room, 0)]}
    for one in judged:
        if one.standing is not Standing.POOR:
            yield one
        elif one.server.key in taken:
            times = one.absence.times + 1 if one.absence else 1
            yield replace(one, weight=0, absence=Absence(one.server.weight, now, times))
        else:
            yield replace(one, standing=Standing.SPARED)


Absences = Mapping[ServiceKey, Mapping[ServerKey, Absence]]
"""What is remembered, by service and real server."""
