"""Whether real servers' clocks agree with this one, where they tell the time (ICMP timestamp)."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from directrix.doctor.case import CannotLook, Case
from directrix.doctor.finding import Check, Finding, Remedy, Role, ok, skip, warn
from directrix.lvs import Address
from directrix.system import frames
from directrix.system.frames import Route

_DAY = 86_400_000
_TOLERATED = 2_000
"""Milliseconds: a host that keeps time by NTP is far closer, and a slow answer is not that late."""


def look(case: Case) -> Iterator[Finding]:
    """Each real server that has an IPv4 address."""
    asked = False
    for address in case.servers():
        if address.version == 6:
            continue  # ICMPv6 has no timestamps.
        asked = True
        try:
            yield _compare(case, address)
        except CannotLook as reason:
            yield skip(str(address), str(reason))
    if not asked:
        yield skip("clocks", "there is no real server that could be asked")


def _compare(case: Case, address: Address) -> Finding:
    place = case.place_of(address)
    wire, identifier = case.wire(place.interface), random.randrange(1 << 16)
    route = Route(case.own_mac(place.interface), place.mac, place.source, address)
    before = time.time()
    heard = wire.ask(
        [frames.timestamp(route, identifier, _since_midnight(before))],
        lambda heard: (heard.kind, heard.source, heard.identifier) == ("timestamp-reply", address, identifier),
        seconds=0.4,
    )
    if not heard or heard[0].time is None:
        return skip(str(address), "it does not tell the time")
    off = difference(heard[0].time, _since_midnight((before + time.time()) / 2))
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
