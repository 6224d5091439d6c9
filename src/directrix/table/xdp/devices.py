"""This host's devices as the data plane lives by them, and a list, made quickly, that tells whether any has changed."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from directrix.lvs.errors import TableUnavailable
from directrix.system.commands import CommandFailed
from directrix.system.interfaces import Line
from directrix.system.links import Link, links
from directrix.table.xdp import handover

_LOOKS = 5
"""How often devices are looked at again because they change meanwhile."""

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


def interface_names() -> list[tuple[int, str]]:
    """Index and name of every device but our own, quickly."""
    return sorted(pair for pair in socket.if_nameindex() if pair[1] not in handover.NAMES)


def links_and_list() -> tuple[list[Link], list[Device]]:
    """The devices of this namespace, and the list that tells them from those of another moment: both of the same one.

    Were they of two moments, what is told of a device that changes and changes back would be of neither list. Where
    devices change faster than they can be looked at the list is the older of the two: the next look finds a difference.

    Raises:
        TableUnavailable: they can't be listed.
    """
    for _ in range(_LOOKS):
        listed, found = devices(), current_links()
        if devices() == listed:
            break
    return found, listed


def current_links() -> list[Link]:
    """The devices of this namespace.

    Raises:
        TableUnavailable: they can't be listed.
    """
    try:
        return links()
    except CommandFailed as error:
        raise TableUnavailable(f"the network interfaces can't be listed: {error}", "install iproute2") from None
