"""Frames as DR_CHECK sends and reads them: TCP segments, and whether a host claims an address. Pure.

What is sent has a TTL of 1, so that no host but its neighbour ever sees it.
"""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.addresses import Address
from directrix.system import frames
from directrix.system.frames import Flag, Route
from directrix.system.heard import parse

ETH_P_IP, ETH_P_ARP, ETH_P_IPV6 = frames.IPV4, frames.ARP, frames.IPV6
_MSS = 1220
"""A segment size that fits any link IPv6 may use."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One TCP segment, without what this checker has no use for."""

    source_port: int
    port: int
    sequence: int
    acknowledged: int
    flags: Flag
    payload: bytes = b""

    @property
    def length(self) -> int:
        """How many sequence numbers it takes."""
        return len(self.payload) + bool(self.flags & Flag.SYN) + bool(self.flags & Flag.FIN)


@dataclass(frozen=True, slots=True)
class FromTcp:
    """A TCP segment that came in."""

    mac: bytes
    source: Address
    destination: Address
    segment: Segment


@dataclass(frozen=True, slots=True)
class Claim:
    """A host said that it has an address: an ARP reply or a neighbour advertisement."""

    mac: bytes
    address: Address


def tcp(route: Route, segment: Segment) -> bytes:
    """A frame with a TCP segment."""
    return frames.tcp(
        route,
        segment.source_port,
        segment.port,
        segment.flags,
        sequence=segment.sequence,
        acknowledged=segment.acknowledged,
        mss=_MSS,
        payload=segment.payload,
        hop_limit=1,
    )


def read(frame: bytes) -> FromTcp | Claim | None:
    """What a frame says; None if it is nothing of these, or broken."""
    heard = parse(frame)
    if heard is None:
        return None
    if heard.kind == "tcp":
        segment = Segment(heard.source_port, heard.port, heard.sequence, heard.acknowledged, heard.flags, heard.payload)
        return FromTcp(heard.mac, heard.source, heard.destination, segment)
    if heard.kind == "arp-reply":
        return Claim(heard.link, heard.source)
    return Claim(heard.mac, heard.destination) if heard.kind == "advertisement" else None
