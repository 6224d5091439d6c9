"""Network namespaces: named ones as `ip netns` keeps them, and how to be inside one.

`ip netns add NAME` leaves a namespace mounted at /run/netns/NAME. Entering it with `setns(2)`
changes the network of the calling thread and nothing else: mounts stay shared, so a BPF file
system mounted by a process inside is seen by everybody (`ip netns exec` would hide it), and a
child started while inside is in the namespace from its first instruction.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path("/run/netns")
_OURS = "/proc/thread-self/ns/net"
_CLONE_NEWNET = 0x40000000
_SO_NETNS_COOKIE = 71


@dataclass(frozen=True, slots=True)
class NamespaceId:
    """What tells one live network namespace from another: device and inode of its nsfs file.

    The inode is given out again once the namespace is gone.
    """

    device: int
    inode: int


def path(name: str) -> Path:
    """Where a named namespace is mounted."""
    return DIRECTORY / name


def exists(name: str) -> bool:
    """Whether there is a namespace of this name."""
    return path(name).exists()


def identity(name: str) -> NamespaceId | None:
    """The identity of a named namespace; None if there is none."""
    return _identity(str(path(name)))


def current() -> NamespaceId:
    """The identity of the namespace the calling thread is in."""
    stat = os.stat(_OURS)
    return NamespaceId(stat.st_dev, stat.st_ino)


def cookie() -> int:
    """The number of the namespace the calling thread is in, which the kernel never gives out again.

    Raises:
        OSError: the kernel has none (older than 5.14).
    """
    with socket.socket(socket.AF_UNIX) as probe:
        return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, _SO_NETNS_COOKIE, 8), sys.byteorder)


def processes(namespace: NamespaceId) -> list[int]:
    """Ids of all processes living in a namespace, in ascending order; zombies don't count."""
    pids = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return sorted(pid for pid in pids if is_inside(pid, namespace))


def is_inside(pid: int, namespace: NamespaceId) -> bool:
    """Whether a process is alive and lives in a namespace."""
    return _identity(f"/proc/{pid}/ns/net") == namespace


def live_inodes() -> set[int]:
    """Inodes of the network namespaces that some process lives in or that have a name."""
    files = [*Path("/proc").glob("[0-9]*/ns/net"), *DIRECTORY.glob("*"), *Path("/run/docker/netns").glob("*")]
    found = (_identity(str(file)) for file in files)
    return {identity.inode for identity in found if identity is not None}


def enter(name: str) -> None:
    """Move the calling thread into a named namespace, for good.

    Raises:
        OSError: there is no such namespace, or no privilege (CAP_SYS_ADMIN).
    """
    _set(str(path(name)))


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a named namespace for the length of a `with` block: sockets, /proc/sys/net, children.

    Raises:
        OSError: there is no such namespace, or no privilege (CAP_SYS_ADMIN).
    """
    home = os.open(_OURS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(home, _OURS)
    finally:
        os.close(home)


def _identity(file: str) -> NamespaceId | None:
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return NamespaceId(stat.st_dev, stat.st_ino)


def _set(file: str) -> None:
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _setns(descriptor, file)
    finally:
        os.close(descriptor)


def _setns(descriptor: int, file: str) -> None:
    # Python has os.setns from 3.12 on.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), file)
