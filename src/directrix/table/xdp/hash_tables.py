"""The tables that the schedulers dh, sh and mh choose from, as the data plane has them.

They are those of `directrix.scheduling`, made anew with every set: each bucket or slot holds the
place of a real server in the set's list, in 16 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from directrix.lvs import Address
from directrix.scheduling import dh, mh, sh

HASHING = ("dh", "sh", "mh")
"""The schedulers that have a table."""

SIZES = {"dh": dh.BUCKETS, "sh": sh.BUCKETS, "mh": mh.SLOTS}
"""Entries of each one's table."""


def table(
    scheduler: str, weights: Sequence[int], servers: Callable[[], Sequence[tuple[Address, int, int]]]
) -> list[int]:
    """Places in the list for each bucket or slot.

    Args:
        scheduler: one of HASHING.
        weights: of the real servers in list order; at least one.
        servers: gives address, port and last weight of each, likewise; asked only where it matters.
    """
    if scheduler == "dh":
        return dh.table(len(weights))
    if scheduler == "sh":
        return sh.table(weights)
    known = servers()
    # As in IPVS, who comes when there are as many as slots gets none.
    late = max(len(known) - mh.SLOTS, 0)
    return [place + late for place in mh.table(known[late:])] or [0] * mh.SLOTS
