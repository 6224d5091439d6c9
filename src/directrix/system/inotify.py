"""Being told by the kernel when files of a directory change (inotify(7))."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

IN_CLOSE_WRITE = 0x0008
IN_MOVED_FROM = 0x0040
IN_MOVED_TO = 0x0080
IN_DELETE = 0x0200
IN_DELETE_SELF = 0x0400
IN_MOVE_SELF = 0x0800
IN_IGNORED = 0x8000
IN_Q_OVERFLOW = 0x4000
CHANGES = IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF

_EVENT = struct.Struct("iIII")


class DirectoryWatch:
    """Watches one directory. Its descriptor is readable when something happened; non-blocking; `close` it.

    A file that is written in place, moved into its place, moved away or deleted is an event with the file's name.

    Raises:
        OSError: there is no such directory, or the user may have no more watches.
    """

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._descriptor < 0:
            raise _error("inotify")
        if libc.inotify_add_watch(self._descriptor, os.fsencode(directory), CHANGES) < 0:
            error = _error(str(directory))
            os.close(self._descriptor)
            raise error

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return int(self._descriptor)

    def read(self) -> Iterator[tuple[str, int]]:
        """All events so far: name and mask. An empty name is the directory itself, or events that were lost."""
        while True:
            try:
                data = os.read(self._descriptor, 65536)
            except BlockingIOError:
                return
            offset = 0
            while offset < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size
                yield os.fsdecode(data[offset : offset + length].rstrip(b"\0")), mask
                offset += length

    def close(self) -> None:
        """End the watch."""
        os.close(self._descriptor)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
