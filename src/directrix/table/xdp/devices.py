"""This host's devices as the data plane lives by them, told quickly: a list to see by whether anything has changed."""

from __future__ import annotations

from collections.abc import Iterable

from directrix.system.interfaces import Line
from directrix.table.xdp import handover

Device = list[int | str]
"""A device as the table's record has it: ifindex, name, MAC, MTU, and the ifindexes of its master and of what lies
below it.
"""


def among(listed: Iterable[Device], known: Iterable[Device]) -> list[Device]:
    """Those of a list that another one has too, as they stand in the first: by number and name."""
    names = {tuple(each[:2]) for each in known}
    return [each for each in listed if tuple(each[:2]) in names]


def devices() -> list[Device]:
    """All of this network namespace but our own, by ifindex."""
    with Line() as line:
        return [
            [link.index, link.name, link.mac.hex(), link.mtu, link.master, link.parent]
            for link in sorted(line.links(), key=lambda link: link.index)
            if link.name not in handover.NAMES
        ]
