"""Datagrams that come in fragments: the first one's fate is that of all.

Only the first fragment has ports. What became of it is remembered for some seconds after the last
fragment, and the others share it. One that comes before the first waits for it. IPVS has a datagram put
together before it looks, and counts it as one packet; so a later fragment counts by its bytes alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from directrix.lvs import Address, RealServer
from directrix.table.memory.connections import Entry
from directrix.table.memory.destination import Destination
from directrix.table.memory.packet import Fragment, Packet, Reply, Verdict, VerdictName

SECONDS = 4
"""How long a datagram is remembered after its last fragment. In IPVS's 30 s its identification may come again."""

_Key = tuple[object, ...]


@dataclass(slots=True)
class _Datagram:
    seen: float
    fate: Verdict | None = None
    destination: Destination | None = None
    reply_of: Entry | None = None
    covered: int = 0
    waiting: list[int] = field(default_factory=list)


class Fragments:
    """What is known of datagrams in fragments. Times are seconds of the table's clock."""

    def __init__(self) -> None:
        self._datagrams: dict[_Key, _Datagram] = {}

    def first(
        self,
        packet: Packet | Reply,
        fate: Verdict,
        destination: Destination | None,
        now: float,
        reply_of: Entry | None = None,
    ) -> list[int]:
        """Remember what became of a first fragment, perhaps of a reply; what those carry that have waited for it."""
        known = self._datagram(packet, now)
        waiting = known.waiting if known is not None and known.fate is None else []
        self._datagrams[_key(packet)] = _Datagram(now, fate, destination, reply_of, _part(packet).size)
        return waiting

    def later(self, packet: Packet | Reply, now: float) -> tuple[Verdict, Destination | None, Entry | None]:
        """What becomes of another fragment, the real server that it counts for, and the connection it is a reply of."""
        known = self._datagram(packet, now)
        if known is None:
            known = self._datagrams[_key(packet)] = _Datagram(now)
        if known.fate is None:
            known.waiting.append(packet.length)
            return Verdict(VerdictName.FRAGMENT), None, None
        if _part(packet).offset < known.covered:
            return Verdict(VerdictName.BAD_FRAGMENT), None, None
        known.seen = now
        if known.destination is None:
            return known.fate, None, None
        if known.fate.name is VerdictName.REPLIED:
            return Verdict(VerdictName.LATER_FRAGMENT, *_where(known.fate)), known.destination, known.reply_of
        if not known.destination.available:
            return Verdict(VerdictName.SERVER_GONE), None, None
        name = VerdictName.LOCAL if known.fate.name is VerdictName.LOCAL else VerdictName.LATER_FRAGMENT
        return Verdict(name, *_where(known.fate)), known.destination, None

    def _datagram(self, packet: Packet | Reply, now: float) -> _Datagram | None:
        known = self._datagrams.get(_key(packet))
        return known if known is not None and now - known.seen <= SECONDS else None


def _where(fate: Verdict) -> tuple[RealServer | None, tuple[Address, int] | None]:
    return fate.server, fate.rewritten


def _part(packet: Packet | Reply) -> Fragment:
    assert packet.fragment is not None
    return packet.fragment


def _key(packet: Packet | Reply) -> _Key:
    protocol = packet.protocol if packet.target.version == 4 else None
    return packet.source, packet.target, protocol, _part(packet).identification
