"""Holders that each stand for one VIP: `realserver 10.0.0.100`, `director fd00::100`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from directrix.system.facts.fact import FactStatus
from directrix.system.facts.ledger import Ledger
from directrix.system.host_error import HostError
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


def check_started_so(known: Ledger, holders: Iterable[str], **wished: Iterable[str]) -> None:
    """Take care that what is to be stopped was started as the words that come with it say.

    Args:
        known: the ledger.
        holders: of the VIPs; one that isn't there, or a note of one that says nothing, contradicts nobody.
        wished: the words named, by the name of their option; those of a note `option` or `options`.

    Raises:
        HostError: one was started otherwise.
    """
    for holder in holders:
        notes = known.holders.get(holder, {})
        for option, words in wished.items():
            noted = notes.get(option, notes.get(f"{option}s", "")).split()
            for word in words:
                if noted and word not in noted:
                    raise HostError(
                        f"{holder} was started with --{option} {' '.join(noted)}, not {word}",
                        f"leave --{option} out, or name with --vip what shall be stopped; nothing was changed",
                    )
