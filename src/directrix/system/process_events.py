"""Being told by the kernel of every process that starts, becomes another program, is renamed or ends.

The process connector (linux/cn_proc.h) speaks to privileged listeners in the first network and PID namespaces only;
elsewhere, as in a container, there is nothing to hear, and who wants to know looks into /proc.
"""

from __future__ import annotations

import enum
import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_NETLINK_CONNECTOR = 11
_INDEX, _VALUE = 1, 1
_LISTEN = 1
_HEADER = struct.Struct("=IHHII")
_CONNECTOR = struct.Struct("=IIIIHH")
_EVENT = struct.Struct("=IIQ")
_BUFFER = 1 << 21
_FIRST_PID_NAMESPACE = 0xEFFFFFFC
"""Its inode, the same in every kernel (PROC_PID_INIT_INO)."""


class What(enum.IntEnum):
    """What happened to a process."""

    LISTENING = 0x0000_0000
    FORKED = 0x0000_0001
    EXECUTED = 0x0000_0002
    RENAMED = 0x0000_0200
    ENDED = 0x8000_0000


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """One event; `pid` is the process, of FORKED the new one."""

    what: What
    pid: int


class ProcessEvents:
    """The kernel's news, for an event loop: `fileno` becomes readable, then `read`."""

    def __init__(self) -> None:
        """Listen.

        Raises:
            OSError: the kernel has no process connector, or not for us (namespaces, CAP_NET_ADMIN).
        """
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, _NETLINK_CONNECTOR)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._socket.bind((0, _INDEX))
            body = _CONNECTOR.pack(_INDEX, _VALUE, 0, 0, 4, 0) + struct.pack("=I", _LISTEN)
            self._socket.send(_HEADER.pack(_HEADER.size + len(body), 3, 0, 0, os.getpid()) + body)
            # From another PID namespace the kernel takes the request, and ignores it.
            if os.stat("/proc/self/ns/pid").st_ino != _FIRST_PID_NAMESPACE:
                raise PermissionError(errno.EPERM, "the kernel tells of processes in its first PID namespace only")
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """What becomes readable."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hear no more."""
        self._socket.close()

    def read(self) -> Iterator[ProcessEvent]:
        """What has happened since the last call. Threads are left out.

        Raises:
            OSError: ENOBUFS if news were lost; look for yourself.
        """
        start = _HEADER.size + _CONNECTOR.size
        while True:
            try:
                data = self._socket.recv(4096)
            except BlockingIOError:
                return
            if len(data) < start + _EVENT.size + 8:
                continue
            number = _EVENT.unpack_from(data, start)[0]
            if number not in _TOLD:
                continue
            place = start + _EVENT.size + (8 if number == What.FORKED else 0)
            pid, group = struct.unpack_from("=II", data, place)
            if pid == group:
                yield ProcessEvent(What(number), pid)


_TOLD = frozenset(What) - {What.LISTENING}
