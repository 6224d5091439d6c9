"""Hearing VRRP's adverts on the wire, before the host's own rules and its director do.

A packet socket hears all that arrives at an interface, and all that leaves by it. A small filter in the kernel hands on
VRRP and authentication headers alone, so that it costs nothing on a busy director.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import IPv6Address

from directrix.doctor.case import CannotLook
from directrix.lvs import Address
from directrix.lvs.addresses import Family
from directrix.system.wire import PACKET_AUXDATA, SOL_PACKET, is_tagged
from directrix.vrrp.bad_packet import BadPacket
from directrix.vrrp.datagram import AH, Datagram, parse_inet
from directrix.vrrp.packet import VRRP, Advertisement, decode

_ETH_P_ALL, _ETHERNET = 3, 14
_INET, _INET6 = 0x0800, 0x86DD
_IPV6_HEADER = struct.Struct("!IHBB16s16s")
_SO_ATTACH_FILTER = 26
_OUTGOING = 4
_LARGEST = 2048
_ADD_MEMBERSHIP, _MULTICAST = 1, 0
_GROUPS = (bytes.fromhex("01005e000012"), bytes.fromhex("333300000012"))
"""The MACs that 224.0.0.18 and ff02::12 are sent to: a network card may hand on none but those that somebody joined."""

# Classic BPF: load the type; of IPv4 the protocol, of IPv6 the next header; take VRRP, and AH before VRRP in IPv4.
_LOAD_HALF, _LOAD_BYTE, _EQUAL, _RETURN = 0x28, 0x30, 0x15, 0x06
_FILTER = (
    (_LOAD_HALF, 0, 0, 12),
    (_EQUAL, 0, 3, _INET),
    (_LOAD_BYTE, 0, 0, 23),
    (_EQUAL, 4, 0, VRRP),
    (_EQUAL, 3, 4, AH),
    (_EQUAL, 0, 3, _INET6),
    (_LOAD_BYTE, 0, 0, 20),
    (_EQUAL, 0, 1, VRRP),
    (_RETURN, 0, 0, _LARGEST),
    (_RETURN, 0, 0, 0),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """An advert on the wire.

    Attributes:
        at: when it was heard, monotonic clock.
        interface: at which.
        mac, source, destination, ttl: of its frame and IP header.
        signed: it has an authentication header.
        advert: what it says.
    """

    at: float
    interface: str
    mac: bytes
    source: Address
    destination: Address
    ttl: int
    signed: bool
    advert: Advertisement

    @property
    def family(self) -> int:
        """4 or 6."""
        return self.source.version


def listen(interfaces: Iterable[str], seconds: float) -> list[Heard]:
    """Every advert that arrives at some interfaces within a time; what can't be read as one is left out.

    Raises:
        CannotLook: there is no such interface, or no privilege.
    """
    found: list[Heard] = []
    with ExitStack() as open_ones:
        sockets: dict[int, tuple[socket.socket, str]] = {}
        for interface in interfaces:
            try:
                opened = open_ones.enter_context(_socket(interface))
            except OSError as error:
                raise CannotLook(f"no packet socket at {interface}: {error.strerror}") from None
            sockets[opened.fileno()] = opened, interface
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for descriptor in select.select(list(sockets), [], [], left)[0]:
                opened, interface = sockets[descriptor]
                try:
                    frame, extra, _, place = opened.recvmsg(_LARGEST, 128)
                except OSError:
                    continue  # the interface went down
                if place[2] == _OUTGOING or is_tagged(extra):
                    continue
                heard = parse(frame, interface, time.monotonic())
                if heard is not None:
                    found.append(heard)
    return found


def parse(frame: bytes, interface: str, at: float) -> Heard | None:
    """The advert in an Ethernet frame; None if there is none."""
    packet = frame[_ETHERNET:]
    try:
        if int.from_bytes(frame[12:14], "big") == _INET:
            datagram = parse_inet(packet[: int.from_bytes(packet[2:4], "big")])
        else:
            datagram = _parse_inet6(packet)
        advert = decode(datagram.message, Family.INET if datagram.source.version == 4 else Family.INET6)
    except BadPacket:
        return None
    signed = datagram.signature is not None
    return Heard(at, interface, frame[6:12], datagram.source, datagram.destination, datagram.ttl, signed, advert)


def _parse_inet6(packet: bytes) -> Datagram:
    _, length, _, hops, source, destination = _IPV6_HEADER.unpack_from(packet.ljust(_IPV6_HEADER.size, b"\0"))
    message = packet[_IPV6_HEADER.size : _IPV6_HEADER.size + length]
    return Datagram(IPv6Address(source), IPv6Address(destination), hops, message)


def _socket(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        program = b"".join(struct.pack("=HBBI", *line) for line in _FILTER)
        buffer = ctypes.create_string_buffer(program, len(program))
        head = struct.pack("@HP", len(_FILTER), ctypes.addressof(buffer))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
        opened.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        for group in _GROUPS:
            request = struct.pack("=iHH8s", socket.if_nametoindex(interface), _MULTICAST, len(group), group)
            opened.setsockopt(SOL_PACKET, _ADD_MEMBERSHIP, request)
        opened.bind((interface, _ETH_P_ALL))
    except BaseException:
        opened.close()
        raise
    return opened
