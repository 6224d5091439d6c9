"""Netlink's framing: messages and attributes as bytes, without a socket.

A message is a header (length, type, flags, sequence number, port) and a payload. A payload of
generic netlink begins with a header of its own (command, version), and attributes follow: length,
type, value, padded to four bytes. An attribute may hold attributes again. All numbers are in the
byte order of the machine but where a family says otherwise (netlink(7),
Documentation/userspace-api/netlink).
"""

from __future__ import annotations

import enum
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

Attributes = dict[int, bytes]
"""Values by attribute type. Where a type comes twice the last one counts, as in the kernel."""

_MESSAGE = struct.Struct("=IHHII")
_GENERIC = struct.Struct("=BBH")
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000
_TYPE = 0x3FFF
"""An attribute's type without the bits that tell of nesting and of byte order."""

CONTROLLER = 0x10
"""The message type of the family that knows the other families' types."""
GET_FAMILY = 3
FAMILY_ID = 1
FAMILY_NAME = 2


class Flag(enum.IntFlag):
    """Flags of a request."""

    REQUEST = 0x1
    ACK = 0x4
    DUMP = 0x300
    REPLACE = 0x100
    EXCLUSIVE = 0x200
    CREATE = 0x400


class Kind(enum.IntEnum):
    """Message types that are netlink's own."""

    ERROR = 2
    DONE = 3


class Malformed(ValueError):
    """Bytes that are no netlink message, or not what the family is known to send."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    type: int
    sequence: int
    payload: bytes

    @property
    def error(self) -> int:
        """The error number in an ERROR or DONE message; 0 says that all went well."""
        return -int.from_bytes(self.payload[:4], sys.byteorder, signed=True)

    @property
    def attributes(self) -> Attributes:
        """The attributes of a message of generic netlink."""
        return attributes(self.payload[_GENERIC.size :])


def message(kind: int, flags: Flag, sequence: int, payload: bytes) -> bytes:
    """A request of any family: `payload` begins with the header its message type asks for."""
    return _MESSAGE.pack(_MESSAGE.size + len(payload), kind, Flag.REQUEST | flags, sequence, 0) + payload


def request(family: int, command: int, flags: Flag, sequence: int, content: bytes = b"", version: int = 1) -> bytes:
    """A request to a family of generic netlink; `content` is its attributes."""
    return message(family, flags, sequence, _GENERIC.pack(command, version, 0) + content)


def messages(data: bytes) -> Iterator[Message]:
    """The messages of one datagram.

    Raises:
        Malformed: it is cut off or no netlink.
    """
    place = 0
    while place < len(data):
        if len(data) - place < _MESSAGE.size:
            raise Malformed("a netlink message is cut off in its header")
        length, kind, _, sequence, _ = _MESSAGE.unpack_from(data, place)
        if not _MESSAGE.size <= length <= len(data) - place:
            raise Malformed(f"a netlink message of {length} bytes where there are {len(data) - place}")
        yield Message(kind, sequence, data[place + _MESSAGE.size : place + length])
        place += _aligned(length)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(_aligned(length) - length)


def nest(kind: int, content: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, content)


def number(kind: int, value: int, size: int) -> bytes:
    """A number of `size` bytes in the machine's byte order; a negative one as its complement.

    Raises:
        OverflowError: it does not fit.
    """
    return attribute(kind, value.to_bytes(size, sys.byteorder, signed=value < 0))


def network_number(kind: int, value: int, size: int) -> bytes:
    """A number of `size` bytes, the highest first.

    Raises:
        OverflowError: it does not fit.
    """
    return attribute(kind, value.to_bytes(size, "big"))


def text(kind: int, value: str) -> bytes:
    """A string that ends in a zero byte."""
    return attribute(kind, value.encode(errors="surrogateescape") + b"\0")


def attributes(data: bytes) -> Attributes:
    """Values by type, of attributes that stand one after another.

    Raises:
        Malformed: they are cut off.
    """
    found: Attributes = {}
    place = 0
    end = len(data)
    while place < end:
        if end - place < _ATTRIBUTE.size:
            raise Malformed("a netlink attribute is cut off in its header")
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if not _ATTRIBUTE.size <= length <= end - place:
            raise Malformed(f"a netlink attribute of {length} bytes where there are {end - place}")
        found[kind & _TYPE] = data[place + _ATTRIBUTE.size : place + length]
        place += _aligned(length)
    return found


def read_number(value: bytes) -> int:
    """A number of any size in the machine's byte order."""
    return int.from_bytes(value, sys.byteorder)


def read_text(value: bytes) -> str:
    """A string, up to its first zero byte."""
    return value.partition(b"\0")[0].decode(errors="surrogateescape")


def _aligned(length: int) -> int:
    return (length + 3) & ~3
