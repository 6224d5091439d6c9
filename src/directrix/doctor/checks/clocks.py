"""Whether real servers' clocks agree with this one, where they tell the time (ICMP timestamp)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case, Place
from directrix.doctor.finding import Check, Finding, Remedy, Role, ok, skip, warn
from directrix.lvs import Address
from directrix.system import frames
from directrix.system.frames import Route

_DAY = 86_400_000
_TOGETHER = 128
_TOLERATED = 2_000
"""Milliseconds: a host that keeps time by NTP is far closer, and a slow answer is not that late."""


def look(case: Case) -> Iterator[Finding]:
    """Each real server that has an IPv4 address; ICMPv6 has no timestamps."""
    asked: dict[str, list[Place]] = {}
    for address in case.servers():
        if address.version == 4:
            try:
                place = case.place_of(address)
            except CannotLook as reason:
                yield skip(str(address), str(reason))
            else:
                asked.setdefault(place.interface, []).append(place)
    if not asked:
        yield skip("clocks", "there is no real server that could be asked")
    for interface, places in asked.items():
        for part in case.pace.in_parts(places, _TOGETHER, "real servers"):
            yield from _compare(case, interface, part)


def _compare(case: Case, interface: str, places: list[Place]) -> Iterator[Finding]:
    """All on a wire at once, since one that does not tell is waited for."""
    wire, identifier = case.wire(interface), random.randrange(1 << 16)
    before = time.time()
    questions = [
        frames.timestamp(
            Route(case.own_mac(interface), place.mac, place.source, place.host), identifier, _since_midnight(before)
        )
        for place in places
    ]
    heard = wire.ask(
        questions,
        lambda heard: (heard.kind, heard.identifier) == ("timestamp-reply", identifier),
        seconds=0.4,
        enough=len(places),
    )
    now = _since_midnight((before + time.time()) / 2)
    told = {answer.source: answer.time for answer in heard}
    for place in places:
        there = told.get(place.host)
        if there is None:
            yield skip(str(place.host), "it does not tell the time")
        else:
            yield _judged(place.host, difference(there, now))


def _judged(address: Address, off: int) -> Finding:
    if abs(off) <= _TOLERATED:
        return ok(str(address), "its clock agrees with this one")
    return warn(
        str(address),
        f"its clock is {abs(off) / 1000:.1f} s {'ahead of' if off > 0 else 'behind'} this one: logs don't fit "
        "together, and what ends at a time (sessions, certificates) depends on which server a client gets",
        [Remedy("timedatectl set-ntp true", str(address))],
    )


def difference(there: int, here: int) -> int:
    """How far one time of day is ahead of another, in milliseconds, the shorter way round midnight."""
    return (there - here + _DAY // 2) % _DAY - _DAY // 2


def _since_midnight(now: float) -> int:
    return int(now * 1000) % _DAY


CHECK = Check(
    "clocks",
    "real servers' clocks agree with the director's",
    "Servers that stand for one another must agree on the time.",
    frozenset({Role.DIRECTOR}),
    look,
    slow=True,
)
