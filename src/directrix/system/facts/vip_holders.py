"""Holders that each stand for one VIP: `realserver 10.0.0.100`, `director fd00::100`."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from directrix.system.facts.fact import FactStatus
from directrix.system.facts.ledger import Ledger
from directrix.system.whereabouts import Vip


@dataclass(frozen=True, slots=True)
class HeldVip:
    """A VIP held against this host.

    Attributes:
        vip: the virtual address.
        method: by which it is served.
        started: whether `start` was called for it, and not `stop`.
        facts: all that must be so.
    """

    vip: Vip
    method: str
    started: bool
    facts: tuple[FactStatus, ...]

    @property
    def missing(self) -> tuple[FactStatus, ...]:
        """What must be so and isn't."""
        return tuple(fact for fact in self.facts if not fact.holds)


def held_vips(known: Ledger, *kinds: str) -> list[Vip]:
    """The VIPs that a ledger has holders of some kinds for (`realserver `), in their order."""
    words = [name.removeprefix(kind) for kind in kinds for name in known.holders if name.startswith(kind)]
    return [ip_address(word) for word in dict.fromkeys(words)]
