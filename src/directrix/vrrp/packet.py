"""VRRP advertisements as bytes: version 2 (RFC 3768, authentication as in RFC 2338) and version 3 (RFC 5798).

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-------+-------+---------------+---------------+---------------+
    |version| type 1|     VRID      |   priority    |   addresses   |
    +-------+-------+---------------+---------------+---------------+
    | v2: auth type |  interval (s) |                               |
    | v3: 0 |   interval (0.01 s)   |            checksum           |
    +---------------+---------------+-------------------------------+
    |   addresses, then in version 2 over IPv4 eight bytes of       |
    |   authentication data                                         |

Version 2 sums the message alone; version 3, and IPv6 in any version, a pseudo header before it. Version 2 over IPv6
is nobody's standard; it is what keepalived sends, without authentication data.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs.addresses import Address, Family
from directrix.system.checksum import checksum, pseudo_header
from directrix.vrrp.bad_packet import BadPacket, Cause

VRRP = 112
"""VRRP's protocol number."""

_HEADER = struct.Struct("!BBBBHH")
_CHECKSUM = slice(6, 8)
_ADVERTISEMENT = 1
_AUTHENTICATION = 8


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What a master says.

    Attributes:
        version, vrid, priority: priority 0 says that the sender stops being master.
        interval: between two adverts, in hundredths of a second.
        addresses: the virtual addresses, in the order they were sent.
        auth_type, auth_data: of version 2: 0 none, 1 password, 2 AH; eight bytes, or none at all over IPv6.
    """

    version: int
    vrid: int
    priority: int
    interval: int
    addresses: tuple[Address, ...] = ()
    auth_type: int = 0
    auth_data: bytes = b""


def encode(advertisement: Advertisement, source: Address, destination: Address) -> bytes:
    """An advertisement as bytes. The addresses are those its checksum shall cover."""
    if advertisement.version == 2:
        word = advertisement.auth_type << 8 | advertisement.interval // 100
        tail = advertisement.auth_data.ljust(_AUTHENTICATION, b"\0") if source.version == 4 else b""
    else:
        word = advertisement.interval & 0x0FFF
        tail = b""
    message = bytearray(
        _HEADER.pack(
            advertisement.version << 4 | _ADVERTISEMENT,
            advertisement.vrid,
            advertisement.priority,
            len(advertisement.addresses),
            word,
            0,
        )
    )
    for address in advertisement.addresses:
        message += address.packed
    message += tail
    covered = _covered(bytes(message), advertisement.version, source, destination)
    message[_CHECKSUM] = checksum(covered).to_bytes(2, "big")
    return bytes(message)


def vrid_of(message: bytes) -> int | None:
    """The virtual router a message is about, or None if it is too short to say."""
    return message[1] if len(message) >= _HEADER.size else None


def decode(message: bytes, family: Family) -> Advertisement:
    """An advertisement from bytes, by its own version. The checksum is another matter: `is_intact`.

    Raises:
        BadPacket: LENGTH, VERSION or TYPE.
    """
    if len(message) < _HEADER.size:
        raise BadPacket(Cause.LENGTH, f"{len(message)} bytes, and the header alone has {_HEADER.size}")
    first, vrid, priority, count, word, _ = _HEADER.unpack_from(message)
    version = first >> 4
    if version not in (2, 3):
        raise BadPacket(Cause.VERSION, f"version {version}, and there are 2 and 3")
    if first & 0x0F != _ADVERTISEMENT:
        raise BadPacket(Cause.TYPE, f"packet type {first & 0x0F}, and there is only 1")
    size = family.bits // 8
    authentication = _AUTHENTICATION if version == 2 and family is Family.INET else 0
    expected = _HEADER.size + count * size + authentication
    if len(message) != expected:
        raise BadPacket(Cause.LENGTH, f"{len(message)} bytes, and {count} addresses make {expected}")
    make = IPv4Address if family is Family.INET else IPv6Address
    end = _HEADER.size + count * size
    return Advertisement(
        version=version,
        vrid=vrid,
        priority=priority,
        interval=(word & 0xFF) * 100 if version == 2 else word & 0x0FFF,
        addresses=tuple(make(message[place : place + size]) for place in range(_HEADER.size, end, size)),
        auth_type=word >> 8 if version == 2 else 0,
        auth_data=message[end:],
    )


def is_intact(message: bytes, source: Address, destination: Address) -> bool:
    """Whether a message of at least eight bytes agrees with its checksum."""
    return checksum(_covered(message, message[0] >> 4, source, destination)) == 0


def _covered(message: bytes, version: int, source: Address, destination: Address) -> bytes:
    if version == 2 and source.version == 4:
        return message
    return pseudo_header(source, destination, len(message), VRRP) + message
