"""What is wrong with a virtual router: told from what its director says of it, twice, and the adverts heard in between.

Pure: values in, troubles out. The director counts what it heard and refused, and of the last advert it refused it knows
why. The wire has all adverts, those too that never came as far as the director. Together they tell four cases apart:
an advert does not arrive at the director; it arrives and is refused; it is heeded, but its sender does not heed ours;
it is no business of ours, because another cluster uses our id.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from directrix.doctor.adverts import Heard
from directrix.doctor.daemon import Rejected, Router
from directrix.lvs import Address

OWNER = 255
"""The priority of the router whose own addresses the virtual ones are (RFC 5798, section 5.2.4)."""

_LATE = 0.3
"""Seconds an advert may be late on a busy machine."""


class Kind(enum.Enum):
    """What can be wrong."""

    FAULT = enum.auto()
    WAITING = enum.auto()
    UNSENT = enum.auto()
    """Our adverts can't be sent."""
    KEPT_BACK = enum.auto()
    """An advert arrives at the interface, and not at the director."""
    REFUSED = enum.auto()
    """The director does not heed an advert of its own cluster."""
    BROKEN = enum.auto()
    """The director refuses adverts of which the wire tells no more."""
    DEAF = enum.auto()
    """Another master does not heed ours."""
    RIVALS = enum.auto()
    """Two others are master at the same time."""
    FOREIGN = enum.auto()
    """Another cluster uses our virtual router id."""
    OTHER_ID = enum.auto()
    """Somebody advertises our addresses under another id."""
    OWNERS = enum.auto()
    """Somebody else says to own the addresses, too."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong.

    Attributes:
        two_masters: two directors hold the addresses because of it.
        said: in words.
        heard: the last advert it is about, if it is about one.
        cause: why the director refuses that, as its counters call it.
    """

    kind: Kind
    said: str
    two_masters: bool = False
    heard: Heard | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a virtual router.

    Attributes:
        before, after: what its director said before and after its wire was listened to.
        adverts: what was heard meanwhile, of whatever virtual router, in order.
        until: when that ended, on the adverts' clock.
    """

    before: Router
    after: Router
    adverts: Sequence[Heard]
    until: float


def examine(evidence: Evidence) -> list[Trouble]:
    """Everything that is wrong; nothing if all is well."""
    router = evidence.after
    if router.state == "FAULT":
        return [Trouble(Kind.FAULT, f"in FAULT, it takes no part: {'; '.join(router.faults) or 'its group is'}")]
    if router.state == "INITIALIZE":
        waiting = ", ".join(router.waiting)
        return [Trouble(Kind.WAITING, f"it has not begun: it waits for {waiting}" if waiting else "it has not begun")]
    return [*_of_ourselves(evidence), *_of_others(evidence)]


def _of_ourselves(evidence: Evidence) -> Iterator[Trouble]:
    failed = evidence.after.send_errors - evidence.before.send_errors
    if failed > 0:
        yield Trouble(Kind.UNSENT, f"{failed} adverts could not be sent: the other directors take over beside this one")


def _of_others(evidence: Evidence) -> Iterator[Trouble]:
    router = evidence.after
    last = {str(heard.source): heard for heard in _of_this_id(evidence)}
    refused = _refused(evidence)
    for source, heard in last.items():
        yield from _of_one(evidence, heard, refused if refused is not None and refused.source == source else None)
    masters = [heard for heard in last.values() if _goes_on(evidence, heard) and not _is_foreign(router, heard)]
    if not router.holds and len(masters) > 1:
        told_masters = " and ".join(f"{heard.source} (priority {heard.advert.priority})" for heard in masters)
        yield Trouble(Kind.RIVALS, f"{told_masters} are both master", True, masters[-1])
    if refused is not None and refused.source not in last:
        said = f"adverts from {refused.source} are not heeded: {refused.explanation}"
        yield Trouble(Kind.BROKEN, said, cause=refused.cause)
    for heard in {heard.source: heard for heard in under_other_ids(evidence)}.values():
        yield Trouble(
            Kind.OTHER_ID,
            f"{heard.source} advertises {_listed(heard.advert.addresses)} as virtual router {heard.advert.vrid}, and "
            f"this director as {router.vrid}: they don't know each other, and both hold the addresses",
            router.holds,
            heard,
        )


def _of_one(evidence: Evidence, heard: Heard, refused: Rejected | None) -> Iterator[Trouble]:
    """What is wrong with one other router of our id, by its last advert, and why that was refused if it was."""
    router, advert = evidence.after, heard.advert
    who = f"{heard.source} (priority {advert.priority})"
    both = router.holds and _goes_on(evidence, heard)
    beside = ": both are master" if both else ""
    if _kept_back(evidence):
        said = f"adverts of {who} arrive at {router.interface}, and not at the director{beside}"
        yield Trouble(Kind.KEPT_BACK, said, both, heard)
    elif _is_foreign(router, heard):
        yield Trouble(
            Kind.FOREIGN,
            f"{who} uses virtual router id {router.vrid} for other addresses ({_listed(advert.addresses)}): two "
            "clusters share an id, and with virtual MAC addresses they would share a MAC",
            heard=heard,
        )
    elif refused is not None:
        why = refused.explanation + (
            f" (it has {_listed(advert.addresses)})" if refused.cause == "address_list" else ""
        )
        said = f"{who} is not heeded: {why}{beside}"
        yield Trouble(Kind.REFUSED, said, both, heard, refused.cause)
    elif both and evidence.before.holds and _known(router) > _known(evidence.before):
        said = f"{who} is heard, and does not heed this director: it hears nothing of it, or refuses it{beside}"
        yield Trouble(Kind.DEAF, said, True, heard)
    if advert.priority == OWNER and router.base_priority == OWNER:
        said = f"{heard.source} has priority {OWNER}, as this director has: only one can own the addresses"
        yield Trouble(Kind.OWNERS, said, heard=heard)


def _of_this_id(evidence: Evidence) -> Iterator[Heard]:
    """Adverts of others for our virtual router."""
    router = evidence.after
    for heard in evidence.adverts:
        if (heard.interface, heard.family, heard.advert.vrid) != (router.interface, router.family, router.vrid):
            continue
        if heard.source != router.source:
            yield heard


def under_other_ids(evidence: Evidence) -> Iterator[Heard]:
    """Adverts of others for addresses of ours as another virtual router than those of this host."""
    router = evidence.after
    for heard in evidence.adverts:
        same_wire = (heard.interface, heard.family) == (router.interface, router.family)
        ours = set(heard.advert.addresses) & set(router.addresses)
        if same_wire and ours and heard.advert.vrid != router.vrid and heard.source != router.source:
            yield heard


def _goes_on(evidence: Evidence, heard: Heard) -> bool:
    """Whether the sender of this advert, its last one, was master to the end."""
    interval = heard.advert.interval / 100
    return heard.advert.priority > 0 and heard.at > evidence.until - 1.5 * interval - _LATE


def _kept_back(evidence: Evidence) -> bool:
    """Whether adverts for our id were on the wire, and the director knows of none."""
    if len(list(_of_this_id(evidence))) < 2:
        return False
    return _known(evidence.after) == _known(evidence.before)


def _known(router: Router) -> int:
    return router.heard + sum(router.rejected.values())


def _refused(evidence: Evidence) -> Rejected | None:
    """The last advert that the director refused meanwhile."""
    grown = sum(evidence.after.rejected.values()) > sum(evidence.before.rejected.values())
    return evidence.after.last_rejected if grown else None


def _is_foreign(router: Router, heard: Heard) -> bool:
    """Whether an advert of our id has none of our addresses."""
    return bool(heard.advert.addresses) and not set(heard.advert.addresses) & set(router.addresses)


def _listed(addresses: Sequence[Address]) -> str:
    return ", ".join(map(str, addresses))
