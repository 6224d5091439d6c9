"""The socket to IPVS: sends requests of its netlink family and gathers what is answered."""

from __future__ import annotations

import errno
import os
import socket

from directrix.system.netlink import (
    CONTROLLER,
    FAMILY_ID,
    FAMILY_NAME,
    GET_FAMILY,
    Attributes,
    Flag,
    Kind,
    Message,
    messages,
    read_number,
    request,
    text,
)
from directrix.table.ipvs.family import NAME, Command

_GENERIC = 16
"""The netlink protocol that generic families share."""
_LARGEST = 1 << 16
"""More than the kernel puts into one datagram."""


class Speaker:
    """A line to the IPVS of the network namespace that the calling thread is in."""

    def __init__(self) -> None:
        """Open the line.

        Raises:
            OSError: ENOENT if this kernel has no IPVS, or if its module is not loaded; EPROTONOSUPPORT
                if it has no generic netlink at all.
        """
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _GENERIC)
        self._sequence = 0
        try:
            self._socket.bind((0, 0))
            (answer,) = self._exchange(CONTROLLER, GET_FAMILY, Flag.ACK, text(FAMILY_NAME, NAME))
            self._family = read_number(answer.attributes[FAMILY_ID])
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the line."""
        self._socket.close()

    def change(self, command: Command, content: bytes = b"") -> None:
        """Have IPVS do something.

        Raises:
            OSError: the error number IPVS refuses it with.
        """
        self._exchange(self._family, command, Flag.ACK, content)

    def ask(self, command: Command, content: bytes = b"") -> Attributes:
        """Ask for one thing.

        Raises:
            OSError: the error number IPVS refuses it with.
        """
        (answer,) = self._exchange(self._family, command, Flag.ACK, content)
        return answer.attributes

    def ask_all(self, command: Command, content: bytes = b"") -> list[Attributes]:
        """Ask for a list.

        Raises:
            OSError: the error number IPVS refuses it with.
        """
        return [answer.attributes for answer in self._exchange(self._family, command, Flag.DUMP, content)]

    def _exchange(self, family: int, command: int, flags: Flag, content: bytes) -> list[Message]:
        """What is answered, up to the message that ends it: a list's end, or else an acknowledgement.

        The kernel answers before `send` is back, so there is nothing to wait for. To a request it
        calls interrupted it never answers.
        """
        self._sequence += 1
        self._socket.send(request(family, command, flags, self._sequence, content))
        answers: list[Message] = []
        while True:
            try:
                data = self._socket.recv(_LARGEST, socket.MSG_DONTWAIT)
            except BlockingIOError:
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR)) from None
            for message in messages(data):
                if message.sequence != self._sequence:
                    continue
                if message.type not in (Kind.ERROR, Kind.DONE):
                    answers.append(message)
                elif message.error:
                    raise OSError(message.error, os.strerror(message.error))
                else:
                    return answers
