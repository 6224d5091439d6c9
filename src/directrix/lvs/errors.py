"""Errors a table answers with."""

from __future__ import annotations

import errno as _errno
import os


class TableError(Exception):
    """A table refused a request; nothing was changed.

    Attributes:
        errno: the error number the kernel's IPVS gives in the same case; ipvsadm's words follow
            from it and from the command.
        reason: a sentence for people: what is wrong and what to do.
    """

    def __init__(self, errno: int, reason: str = "") -> None:
        self.errno = errno
        self.reason = reason or os.strerror(errno)
        super().__init__(self.reason)


class ServiceExists(TableError):
    """EEXIST: a service with this key is there already."""

    def __init__(self, what: object) -> None:
        super().__init__(_errno.EEXIST, f"the virtual service {what} exists already")


class NoSuchService(TableError):
    """ESRCH: there is no service with this key."""

    def __init__(self, what: object) -> None:
        super().__init__(_errno.ESRCH, f"there is no virtual service {what}")


class ServerExists(TableError):
    """EEXIST: the service has this real server already."""

    def __init__(self, what: object) -> None:
        super().__init__(_errno.EEXIST, f"the service has the real server {what} already")


class NoSuchServer(TableError):
    """ENOENT: the service has no such real server."""

    def __init__(self, what: object) -> None:
        super().__init__(_errno.ENOENT, f"the service has no real server {what}")


class MarkExists(TableError):
    """EEXIST: these packets have a mark already."""

    def __init__(self, what: object, mark: int) -> None:
        super().__init__(
            _errno.EEXIST, f"there is a rule for {what} already, which gives the mark {mark}; remove that one first"
        )


class NoSuchMark(TableError):
    """ENOENT: there is no mark rule for these packets, or one that gives them another `mark`."""

    def __init__(self, what: object, mark: int | None = None) -> None:
        other = "there is no mark rule for" if mark is None else f"the mark {mark} and no other is given to"
        super().__init__(_errno.ENOENT, f"{other} {what}")


class MarkedElsewhere(TableError):
    """EOPNOTSUPP: in front of this table netfilter gives marks; `command` is what has it do what was asked."""

    def __init__(self, command: str) -> None:
        super().__init__(_errno.EOPNOTSUPP, f"netfilter gives marks for the kernel's IPVS; run: {command}")


class NoSuchScheduler(TableError):
    """ENOENT: the scheduler or persistence engine is not known."""

    def __init__(self, name: str) -> None:
        super().__init__(_errno.ENOENT, f"there is no scheduler or persistence engine {name!r}")


class InvalidRequest(TableError):
    """EINVAL (or another number given): the request makes no sense to a table."""

    def __init__(self, reason: str, errno: int = _errno.EINVAL) -> None:
        super().__init__(errno, reason)


class NotSupportedYet(TableError):
    """EOPNOTSUPP: IPVS can do this, this table can't yet. Always refused, never ignored."""

    def __init__(self, what: str) -> None:
        super().__init__(_errno.EOPNOTSUPP, f"{what} is not supported by this table yet")


class UnknownToIpvs(TableError):
    """EOPNOTSUPP: the kernel's IPVS has no means for this; directrix's own table has."""

    def __init__(self, what: str) -> None:
        super().__init__(_errno.EOPNOTSUPP, f"{what} is beyond the kernel's IPVS; directrix's own table can do it")


class TableUnavailable(Exception):
    """The table can't be reached at all: no privilege, no BPF, kernel too old, nothing loaded.

    `hint` says what to do about it.
    """

    def __init__(self, reason: str, hint: str = "") -> None:
        self.reason = reason
        self.hint = hint
        super().__init__(f"{reason}; {hint}" if hint else reason)
