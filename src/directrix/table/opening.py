"""Choosing the make of the table a command works on.

A listing starts quickest if it meets only what it needs, so what makes a table is imported late.
"""

from __future__ import annotations

from directrix.table.interface import Table


def open_table(*, create: bool) -> Table:
    """The table of this network namespace.

    Args:
        create: make it if there is none, and attach it to devices that came since. Otherwise one
            that is not there answers as an empty one.

    Raises:
        TableUnavailable: this machine can't carry a table; says what to do.
    """
    from directrix.table.xdp import pins
    from directrix.table.xdp.host import check_host

    check_host()
    place = pins.here()
    if create:
        from directrix.table.xdp import director

        if place.loaded():
            director.attach_to_new_devices(place)
        else:
            director.bring_up()
    elif not place.loaded():
        from directrix.table.memory import MemoryTable

        return MemoryTable()
    from directrix.table.xdp.table import XdpTable

    return XdpTable(place)
