"""Requests to the kernel about devices, addresses, routes and neighbours: rtnetlink(7).

The kernel has answered before `send` is back, so a line is synchronous and takes microseconds. A program with thousands
of things to ask can ask each time; `ip` would be a process for each question.
"""

from __future__ import annotations

import os
import socket
from typing import Self

from directrix.system.address import Address
from directrix.system.netlink import Flag, Kind, Message, message, messages

LARGEST = 1 << 18
"""Bytes that a message may have."""


class Requests:
    """A line to the kernel, in the network namespace of the thread that opens it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the line."""
        self._socket.close()

    def ask(self, kind: int, flags: Flag, payload: bytes) -> list[Message]:
        """Send a request and give the answers to it, without those that only say that all went well.

        Raises:
            OSError: the kernel refuses it.
        """
        self._sequence += 1
        self._socket.send(message(kind, flags, self._sequence, payload))
        answers: list[Message] = []
        while True:
            for answer in messages(self._socket.recv(LARGEST)):
                if answer.sequence != self._sequence:
                    continue
                if answer.type not in (Kind.ERROR, Kind.DONE):
                    answers.append(answer)
                elif answer.error:
                    raise OSError(answer.error, os.strerror(answer.error))
                else:
                    return answers
            if answers and not flags & (Flag.DUMP | Flag.ACK):
                return answers


def ask(kind: int, flags: Flag, payload: bytes) -> list[Message]:
    """One request over a line of its own; see `Requests.ask`."""
    with Requests() as line:
        return line.ask(kind, flags, payload)


def family_of(address: Address) -> int:
    """The family that an address has to the kernel."""
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
