"""Choosing the make of the table a command works on."""

from __future__ import annotations

from directrix.table.interface import Table


def open_table(*, create: bool) -> Table:
    """The table of this network namespace.

    Args:
        create: make it if there is none. Otherwise one that is not there answers as an empty one.

    Raises:
        TableUnavailable: this machine can't carry a table; says what to do.
    """
    from directrix.table.xdp import director, loader

    loader.check_host()
    table = director.open_here(create=create)
    if table is not None:
        return table
    from directrix.table.memory import MemoryTable

    return MemoryTable()
