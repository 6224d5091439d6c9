"""Frames on both sides of a masqueraded connection, every checksum right, to be held against each other."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import Any

from data_plane import VIP, VIP6, DataPlane, real, service
from frames import ACK, CLIENT, CLIENT6, SYN, TCP, UDP, checksum, ethernet, ipv4, ipv6, tcp, udp

from directrix.lvs import Address, ForwardingMethod, Protocol, RealServer, ServiceKey

SERVER_PORT = 8080
CLIENT_PORT = 1024
IP_AT = 14
_CHECK = {TCP: 16, UDP: 6}
_TTL = {4: 8, 6: 7}


def masqueraded(number: int, port: int = SERVER_PORT, version: int = 4, **values: Any) -> RealServer:
    """Real server `number`, by masquerading."""
    return RealServer(real(number, version), port, ForwardingMethod.MASQUERADE, **values)


def serve(plane: DataPlane, key: ServiceKey, *numbers: int, port: int = SERVER_PORT, **values: Any) -> None:
    """A service of masqueraded real servers, their next hops known; the one named last is at the head."""
    plane.table.add_service(service(key, **values))
    for number in numbers or (1,):
        plane.table.add_server(key, masqueraded(number, port, 4 if key.family.name == "INET" else 6))
    plane.freeze_hops()


@dataclass(frozen=True)
class Segment:
    """A packet of TCP or UDP as a host sends it."""

    protocol: int
    source: Address
    source_port: int
    target: Address
    target_port: int
    flags: int = ACK
    data: bytes = b"something"
    options: bytes = b""
    ttl: int = 64
    without_checksum: bool = False
    df: bool = False

    @property
    def version(self) -> int:
        return self.source.version

    def packet(self) -> bytes:
        """From the IP header on."""
        ports = self.source_port, self.target_port
        payload = tcp(*ports, self.flags, self.data) if self.protocol == TCP else udp(*ports, self.data)
        if not self.without_checksum:
            at = _CHECK[self.protocol]
            pseudo = self.source.packed + self.target.packed + struct.pack(">II", len(payload), self.protocol)
            payload = payload[:at] + struct.pack(">H", checksum(pseudo + payload) or 0xFFFF) + payload[at + 2 :]
        if self.version == 4:
            ends = (self.source, self.target)
            fragment = 0x4000 if self.df else 0
            return ipv4(payload, self.protocol, *ends, options=self.options, ttl=self.ttl, fragment=fragment)
        found = ipv6(self.options + payload, 60 if self.options else self.protocol, self.source, self.target)
        return found[:7] + bytes([self.ttl]) + found[8:]

    def frame(self, **values: Any) -> bytes:
        """An Ethernet frame to the director."""
        return ethernet(self.packet(), self.version, **values)


def key_of(protocol: int, version: int) -> ServiceKey:
    """The service on port 80."""
    return ServiceKey.of(Protocol(protocol), VIP if version == 4 else VIP6, 80)


def request(protocol: int = TCP, version: int = 4, **values: Any) -> Segment:
    """A client's packet to the service."""
    client, virtual = (CLIENT, VIP) if version == 4 else (CLIENT6, VIP6)
    return replace(Segment(protocol, client, CLIENT_PORT, virtual, 80), **values)


def reply(protocol: int = TCP, version: int = 4, number: int = 1, **values: Any) -> Segment:
    """What the real server sends back."""
    client = CLIENT if version == 4 else CLIENT6
    return replace(Segment(protocol, real(number, version), SERVER_PORT, client, CLIENT_PORT), **values)


def packet_of(frame: bytes) -> bytes:
    """From the IP header on."""
    return frame[IP_AT:]


def connect(plane: DataPlane, protocol: int = TCP, version: int = 4) -> None:
    """A connection with its first packet sent on."""
    serve(plane, key_of(protocol, version))
    assert plane.deliver("tc", request(protocol, version, flags=SYN).frame())[0] == "forwarded"


def passes(plane: DataPlane, hook: str, frame: bytes) -> bool:
    """Whether a frame is left to the host as it came."""
    name, after = plane.deliver(hook, frame)
    return name in ("not_ours", "no_service", "no_connection", "other_host", "malformed") and after == frame
