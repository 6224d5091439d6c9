"""Tables of nftables, asked of the kernel itself: for hosts that have iptables in its nftables make, but no nft.

Messages are those of nfnetlink: a header (family, version, subsystem), then the table's name as an attribute.
Changes stand between the messages that begin and end a batch.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

_NETLINK_NETFILTER = 12
_SUBSYSTEM = 10
_GET_TABLE, _DELETE_TABLE = 1, 2
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_REQUEST, _ACKNOWLEDGE = 1, 4
_ERROR = 2
_TABLE_NAME = 1
_FAMILIES = {"ip": socket.AF_INET, "ip6": socket.AF_INET6, "arp": 3}


def table_exists(family: str, name: str) -> bool:
    """Whether there is a table of this family (`ip`, `ip6`, `arp`) and name.

    Raises:
        OSError: the kernel can't be asked: no privilege, or it has no nftables.
    """
    try:
        _ask([_about_table(_GET_TABLE, family, name, _REQUEST | _ACKNOWLEDGE)])
    except FileNotFoundError:
        return False
    return True


def delete_table(family: str, name: str) -> None:
    """Delete a table with all it holds.

    Raises:
        OSError: there is none, or no privilege.
    """
    _ask(
        [
            _message(_BATCH_BEGIN, _REQUEST, 0, _SUBSYSTEM),
            _about_table(_DELETE_TABLE, family, name, _REQUEST | _ACKNOWLEDGE),
            _message(_BATCH_END, _REQUEST, 0, _SUBSYSTEM),
        ]
    )


def _about_table(kind: int, family: str, name: str, flags: int) -> bytes:
    value = name.encode() + b"\0"
    attribute = struct.pack("=HH", 4 + len(value), _TABLE_NAME) + value
    attribute += bytes(-len(attribute) % 4)
    return _message(_SUBSYSTEM << 8 | kind, flags, _FAMILIES[family], 0, attribute)


def _message(kind: int, flags: int, family: int, subsystem: int, payload: bytes = b"") -> bytes:
    body = struct.pack("=BB", family, 0) + struct.pack(">H", subsystem) + payload
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _ask(messages: list[bytes]) -> None:
    """Send, and wait for the acknowledgement; an error of the kernel's is raised."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as channel:
        channel.settimeout(5.0)
        channel.bind((0, 0))
        channel.send(b"".join(messages))
        while True:
            answer = channel.recv(1 << 16)
            at = 0
            while at + 16 <= len(answer):
                length, kind = struct.unpack_from("=IH", answer, at)
                if kind == _ERROR:
                    number = -struct.unpack_from("=i", answer, at + 16)[0]
                    if number:
                        raise OSError(
                            number, os.strerror(number) if number != errno.ENOENT else "there is no such table"
                        )
                    return
                at += max(16, (length + 3) & ~3)
