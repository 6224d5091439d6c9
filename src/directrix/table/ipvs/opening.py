"""Getting at the kernel's IPVS, as ipvsadm does: if it is not there, its module is loaded.

A listing starts quickest if it meets only what it needs, so what loads modules is imported late.
"""

from __future__ import annotations

import errno
import os

from directrix.lvs.errors import TableUnavailable
from directrix.table.ipvs.codec import decode_info
from directrix.table.ipvs.family import Command
from directrix.table.ipvs.speaker import Speaker
from directrix.table.ipvs.table import IpvsTable

_MODPROBE = ("/sbin/modprobe", "ip_vs")
_ABSENT = (errno.ENOENT, errno.EPROTONOSUPPORT)
"""Errors of a speaker that has nobody to speak to."""


def open_ipvs() -> IpvsTable:
    """The table of the kernel's IPVS in this network namespace.

    Raises:
        TableUnavailable: there is none, or we may not use it.
    """
    try:
        return _open()
    except OSError as error:
        if error.errno not in _ABSENT or os.geteuid() != 0:
            raise _unavailable(error) from None
    said = _load()
    try:
        return _open()
    except OSError as error:
        raise _unavailable(error, said) from None


def _open() -> IpvsTable:
    speaker = Speaker()
    try:
        # Whoever may not ask for this may not ask for anything.
        _, size = decode_info(speaker.ask(Command.GET_INFO))
    except BaseException:
        speaker.close()
        raise
    return IpvsTable(speaker, size)


def _load() -> str:
    """Load the module; answers what modprobe said. Whether it helped is seen by trying again."""
    import subprocess

    try:
        done = subprocess.run(_MODPROBE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return done.stderr.strip()


def _unavailable(error: OSError, said: str = "") -> TableUnavailable:
    """The error in ipvsadm's words, with those of modprobe."""
    absent = error.errno in _ABSENT
    if error.errno == errno.EPERM or (absent and os.geteuid() != 0):
        return TableUnavailable("Can't initialize ipvs: Permission denied (you must be root)")
    reason = "Protocol not available" if absent else error.strerror
    return TableUnavailable(
        f"Can't initialize ipvs: {reason}" + (f" ({said})" if said else ""),
        "are you sure that IP Virtual Server is built in the kernel or as module?",
    )
