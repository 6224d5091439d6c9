"""This host's devices as the data plane lives by them, told quickly: a list to see by whether anything has changed."""

from __future__ import annotations

from directrix.system.interfaces import Line
from directrix.table.xdp import handover

Device = list[int | str]
"""A device as the table's record has it: ifindex, name, MAC, MTU, and the ifindexes of its master and of what lies
below it.
"""


def devices() -> list[Device]:
    """All of this network namespace but our own, by ifindex."""
    with Line() as line:
        return [
            [link.index, link.name, link.mac.hex(), link.mtu, link.master, link.parent]
            for link in sorted(line.links(), key=lambda link: link.index)
            if link.name not in handover.NAMES
        ]
