"""Datagrams that come in fragments: the first one's fate is that of all.

Only the first fragment has ports. What became of it is remembered for some seconds after the last
fragment, and the others share it. One that comes before the first waits for it. IPVS has a datagram put
together before it looks, and counts it as one packet; so a later fragment counts by its bytes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from directrix.table.memory.destination import Destination
from directrix.table.memory.packet import Fragment, Packet, Verdict, VerdictName

SECONDS = 4
"""How long a datagram is remembered after its last fragment. In IPVS's 30 s its identification may come again."""

_Key = tuple[object, ...]


@dataclass(slots=True)
class _Datagram:
    seen: float
    fate: Verdict | None = None
    destination: Destination | None = None
    covered: int = 0
    waiting: list[int] = field(default_factory=list)


class Fragments:
    """What is known of datagrams in fragments. Times are seconds of the table's clock."""

    def __init__(self) -> None:
        self._datagrams: dict[_Key, _Datagram] = {}

    def first(self, packet: Packet, fate: Verdict, destination: Destination | None, now: float) -> list[int]:
        """Remember what became of a first fragment; what those carry that have waited for it."""
        known = self._datagram(packet, now)
        waiting = known.waiting if known is not None and known.fate is None else []
        self._datagrams[_key(packet)] = _Datagram(now, fate, destination, _part(packet).size)
        return waiting

    def later(self, packet: Packet, now: float) -> tuple[Verdict, Destination | None]:
        """What becomes of another fragment, and the real server that it counts for."""
        known = self._datagram(packet, now)
        if known is None:
            known = self._datagrams[_key(packet)] = _Datagram(now)
        if known.fate is None:
            known.waiting.append(packet.length)
            return Verdict(VerdictName.FRAGMENT), None
        if _part(packet).offset < known.covered:
            return Verdict(VerdictName.BAD_FRAGMENT), None
        known.seen = now
        if known.destination is None:
            return known.fate, None
        if not known.destination.available:
            return Verdict(VerdictName.SERVER_GONE), None
        local = known.fate.name is VerdictName.LOCAL
        name = VerdictName.LOCAL if local else VerdictName.LATER_FRAGMENT
        return Verdict(name, known.fate.server), known.destination

    def _datagram(self, packet: Packet, now: float) -> _Datagram | None:
        known = self._datagrams.get(_key(packet))
        return known if known is not None and now - known.seen <= SECONDS else None


def _part(packet: Packet) -> Fragment:
    assert packet.fragment is not None
    return packet.fragment


def _key(packet: Packet) -> _Key:
    protocol = packet.protocol if packet.virtual.version == 4 else None
    return packet.client, packet.virtual, protocol, _part(packet).identification
