"""A real server leaves: weight 0, its clients forgotten, its connections watched until none is left or time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from directrix.draining.connections import ConnectionsOf
from directrix.draining.course import Course, Progress, Stage
from directrix.draining.looking import look, state_of
from directrix.draining.remembering import Weights
from directrix.lvs import Address, ServiceKey, TableError
from directrix.table.interface import Table

LOOK_SECONDS = 1.0
"""From one look at the connections to the next."""


@dataclass(frozen=True, slots=True)
class Leaver:
    """A real server in its table, and where its weight is remembered."""

    table: Table
    weights: Weights
    key: ServiceKey
    address: Address
    port: int

    def quiesce(self) -> None:
        """Set its weight to 0, and remember what it was; one that has none already stays as it is.

        Raises:
            NoSuchService, NoSuchServer: it is not there.
            TableError: the table refuses; nothing is changed.
            OSError: its weight can't be remembered; nothing is changed.
        """
        server = state_of(self.table, self.key, self.address, self.port).server
        if not server.weight:
            return
        before = self.weights.find(self.key, self.address, self.port)
        # on its way up it has but a part of its weight
        weight = max(before.weight, server.weight) if before and before.admitting else server.weight
        self.weights.remember(self.key, self.address, self.port, weight)
        try:
            self.table.edit_server(self.key, replace(server, weight=0))
        except BaseException:
            self.weights.forget(self.key, self.address, self.port)
            raise

    @property
    def connections(self) -> ConnectionsOf:
        """Its connections, and its clients."""
        return ConnectionsOf(self.table, self.key, self.address, self.port)

    def watch(
        self,
        deadline: float | None,
        tell: Callable[[Progress], None],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> Progress:
        """Look again and again until the drain is over; answers the last look.

        Args:
            deadline: how many seconds it may take; None: as many as it wants.
            tell: is given each look.
            clock: the time in seconds.
            sleep: waits for so many seconds.

        Raises:
            TableError: the table can't be read any more.
        """
        course = Course(clock(), deadline)
        while True:
            seen = look(self.table, self.key, self.address, self.port)
            if seen.templates and seen.weight == 0:
                self.connections.release_stragglers()
            progress = course.look(seen, clock())
            tell(progress)
            if progress.stage is not Stage.GOING:
                return progress
            left = LOOK_SECONDS if deadline is None else deadline - progress.elapsed
            sleep(min(LOOK_SECONDS, max(left, 0.0)))

    def undo(self) -> int:
        """Give it the weight it had; answers that.

        Raises:
            NotDrained: nothing is remembered of it, or somebody has given it another weight since.
            TableError: it is not there, or the table refuses.
        """
        known = self.weights.find(self.key, self.address, self.port)
        server = state_of(self.table, self.key, self.address, self.port).server
        if known is None or (server.weight and not known.admitting):
            self.weights.forget(self.key, self.address, self.port)
            raise NotDrained(server.weight)
        self.table.edit_server(self.key, replace(server, weight=known.weight))
        self.weights.forget(self.key, self.address, self.port)
        return known.weight


class NotDrained(TableError):
    """ENOENT: nobody knows which weight a real server had before."""

    def __init__(self, weight: int) -> None:
        import errno

        super().__init__(
            errno.ENOENT,
            f"the real server is not drained by `directrix drain`, and has weight {weight}; "
            "give it one with `directrix admit --weight`",
        )
