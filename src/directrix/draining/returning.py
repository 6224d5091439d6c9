"""A real server comes, or comes back: its weight grows from what it has to what it shall have, over a set time."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace

from directrix.draining.looking import state_of
from directrix.draining.remembering import Weights
from directrix.lvs import Address, ServiceKey, TableError
from directrix.lvs.slow_start import SlowStart
from directrix.table.interface import Table


class OtherWeight(TableError):
    """EBUSY: somebody else has set the weight meanwhile; that one stays."""

    def __init__(self, weight: int) -> None:
        super().__init__(errno.EBUSY, f"somebody else has set the weight to {weight} meanwhile; it stays so")


def target_weight(table: Table, weights: Weights, key: ServiceKey, address: Address, port: int) -> int:
    """What a real server shall have if nobody says otherwise: what it had before it was drained, else what it has.

    Raises:
        NoSuchService, NoSuchServer: it is not there.
        TableError: EINVAL, it has none and nobody knows which it had.
    """
    server = state_of(table, key, address, port).server
    known = weights.find(key, address, port)
    weight = known.weight if known else server.weight
    if not weight:
        raise TableError(errno.EINVAL, "nobody knows which weight the real server had; say --weight")
    return weight


def admit(
    table: Table,
    weights: Weights,
    key: ServiceKey,
    address: Address,
    port: int,
    *,
    target: int,
    over: float,
    tell: Callable[[int, float], None],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Let a weight grow, from where it is to `target`, over so many seconds; one that is higher is set at once.

    `tell` is given each weight that is set, and the seconds that have passed. If this is interrupted, the weight stays
    where it is and the target is remembered.

    Raises:
        NoSuchService, NoSuchServer: it is not there, or not any more.
        OtherWeight: somebody else has set it meanwhile.
        TableError: the table refuses.
        OSError: the weight can't be remembered; nothing is changed.
    """
    expected = state_of(table, key, address, port).server.weight
    slow = SlowStart(target, over, expected) if expected < target else SlowStart(target, 0.0)
    weights.remember(key, address, port, target, admitting=True)
    began = clock()
    while True:
        elapsed = clock() - began
        server = state_of(table, key, address, port).server
        if server.weight != expected:
            raise OtherWeight(server.weight)
        expected = slow.weight(elapsed)
        if expected != server.weight:
            table.edit_server(key, replace(server, weight=expected))
        tell(expected, elapsed)
        due = slow.next_step(elapsed)
        if due is None:
            break
        sleep(max(due - elapsed, 0.0))
    weights.forget(key, address, port)
