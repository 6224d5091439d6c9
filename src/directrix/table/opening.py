"""Choosing the make of the table a command works on.

A listing starts quickest if it meets only what it needs, so what makes a table is imported late.
"""

from __future__ import annotations

import os

from directrix.lvs.errors import TableUnavailable
from directrix.table.interface import Table

VARIABLE = "DIRECTRIX_TABLE"
"""The environment variable that chooses; `directrix --table` sets it for one run."""

AUTO, XDP, IPVS = "auto", "xdp", "ipvs"
MAKES = (AUTO, XDP, IPVS)


def chosen_make() -> str:
    """One of MAKES: what the environment chooses, `auto` if it is silent.

    Raises:
        TableUnavailable: it chooses what there is not.
    """
    make = os.environ.get(VARIABLE) or AUTO
    if make not in MAKES:
        raise TableUnavailable(f"there is no table {make!r}", f"{VARIABLE} is one of {', '.join(MAKES)}")
    return make


def make_in_force() -> str:
    """XDP or IPVS: the make of the table that commands work on here.

    Raises:
        TableUnavailable: this machine can carry neither; says what to do.
    """
    make = chosen_make()
    if make != AUTO:
        return make
    from directrix.table.xdp.host import check_host

    try:
        check_host()
    except TableUnavailable as ours:
        try:
            _open_ipvs().close()
        except TableUnavailable:
            raise ours from None
        return IPVS
    return XDP


def open_table(*, create: bool) -> Table:
    """The table of this network namespace.

    `auto` is directrix's own table wherever this machine can carry it, else the kernel's IPVS.

    Args:
        create: make it if there is none, and have it follow what became of the devices since. Otherwise one
            that is not there answers as an empty one. The kernel's IPVS needs no making.

    Raises:
        TableUnavailable: this machine can't carry a table; says what to do.
    """
    return _open_ipvs() if make_in_force() == IPVS else _open_xdp(create)


def _open_ipvs() -> Table:
    from directrix.table.ipvs import open_ipvs

    return open_ipvs()


def _open_xdp(create: bool) -> Table:
    from directrix.table.xdp import pins
    from directrix.table.xdp.host import check_host

    check_host()
    place = pins.here()
    if create:
        from directrix.table.xdp import director, following

        if place.loaded():
            following.follow_devices(place)
        else:
            director.bring_up()
    elif not place.loaded():
        from directrix.table.memory import MemoryTable

        return MemoryTable()
    from directrix.table.xdp.table import XdpTable

    return XdpTable(place)
