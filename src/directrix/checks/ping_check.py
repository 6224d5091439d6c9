"""PING_CHECK: does it answer an ICMP echo?

The kernel has sockets for just this (`IPPROTO_ICMP` datagrams: it numbers the echoes and hands us only their
answers), if `net.ipv4.ping_group_range` allows our group. keepalived widens that range; here a raw socket is taken if
it is closed.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
from dataclasses import dataclass, replace

from directrix.checks.checker import Checker
from directrix.checks.outcome import Outcome, failure, success
from directrix.checks.settings import Target
from directrix.checks.sockets import CheckNotMade, endpoint_of, make
from directrix.system.checksum import checksum

_HEADER = struct.Struct("!BBHHH")
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_ICMP6_FILTER = 1
CONTENT = b"directrix: are you there?"

_numbers = itertools.count(os.getpid())


@dataclass(frozen=True, slots=True)
class PingCheck:
    """PING_CHECK has no settings of its own; the target's port means nothing."""

    target: Target


class PingChecker(Checker):
    """Sends one echo, and waits for `connect_timeout` for its answer."""

    def __init__(self, settings: PingCheck) -> None:
        self.settings = settings
        self.deadline = settings.target.deadline

    async def attempt(self, item: int) -> Outcome:
        """One echo."""
        target, loop = self.settings.target, asyncio.get_running_loop()
        number = next(_numbers)
        made, raw = _socket(target)
        try:
            made.connect(endpoint_of(replace(target, port=0)))
            async with asyncio.timeout(target.connect_timeout):
                await loop.sock_sendall(made, echo_request(target.address.version, number))
                while not is_reply(await loop.sock_recv(made, 2048), target.address.version, number, raw):
                    pass
        except TimeoutError:
            return failure(f"no answer within {target.connect_timeout:g} s")
        except OSError as error:
            return failure(f"no answer: {error.strerror}")
        finally:
            made.close()
        return success("answers")


def echo_request(version: int, number: int) -> bytes:
    """An ICMP echo; its number is split over identifier and sequence number (RFC 792, RFC 4443)."""
    identifier, sequence = number >> 16 & 0xFFFF, number & 0xFFFF
    blank = _HEADER.pack(_REQUEST[version], 0, 0, identifier, sequence) + CONTENT
    # ICMPv6's checksum needs the addresses: the kernel fills it in.
    sum_ = checksum(blank) if version == 4 else 0
    return _HEADER.pack(_REQUEST[version], 0, sum_, identifier, sequence) + CONTENT


def is_reply(packet: bytes, version: int, number: int, raw: bool) -> bool:
    """Whether a packet answers the echo of this number. A raw IPv4 socket shows the IP header, too."""
    if raw and version == 4:
        packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
    if len(packet) < _HEADER.size:
        return False
    kind, _, _, identifier, sequence = _HEADER.unpack_from(packet)
    # On its own sockets the kernel gives echoes an identifier of its choice.
    same = sequence == number & 0xFFFF and (not raw or identifier == number >> 16 & 0xFFFF)
    return bool(kind == _REPLY[version] and same and packet[_HEADER.size :] == CONTENT)


def _socket(target: Target) -> tuple[socket.socket, bool]:
    protocol = socket.IPPROTO_ICMP if target.address.version == 4 else socket.IPPROTO_ICMPV6
    try:
        return make(target, socket.SOCK_DGRAM, protocol), False
    except CheckNotMade:
        made = make(target, socket.SOCK_RAW, protocol)
        if target.address.version == 6:
            # A bit that is set keeps a type out: only answers come in.
            words = [0xFFFFFFFF] * 8
            words[_REPLY[6] >> 5] &= ~(1 << (_REPLY[6] & 31))
            made.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
        return made, True
