"""A real server leaves: weight 0, its clients forgotten, its connections watched until none is left or time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from directrix.draining.course import Course, Progress, Stage
from directrix.draining.looking import look, state_of
from directrix.draining.remembering import Weights
from directrix.lvs import Address, Protocol, ServiceKey, TableError
from directrix.lvs.errors import NoSuchServer, NoSuchService, UnknownToIpvs
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

    def release_clients(self) -> bool:
        """Have new connections of clients that persistence keeps at it go elsewhere; False: they go on coming here.

        The kernel's IPVS does it for all servers of weight 0 or for none, by the sysctl expire_quiescent_template.
        """
        try:
            self.table.forget_clients(self.key, self.address, self.port)
        except UnknownToIpvs:
            return bool(self.table.sysctls()["expire_quiescent_template"])
        return True

    def check_ending(self) -> None:
        """Refuse to end connections where that can't be done, before anything is changed.

        Raises:
            UnknownToIpvs: this make of the table can't.
            NoSuchService, NoSuchServer: it is not there.
        """
        # a make that can't tell the connections of one server can't end them
        self.table.count_connections(self.key, self.address, self.port)

    def end(self, protocol: Protocol | None = None) -> int:
        """End its connections, of a protocol or all; answers how many.

        Raises:
            TableError: as Table.end_connections.
        """
        return self.table.end_connections(self.key, self.address, self.port, protocol)

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
                # a packet that was being scheduled while the weight changed may have left one more
                self._release_stragglers()
            progress = course.look(seen, clock())
            tell(progress)
            if progress.stage is not Stage.GOING:
                return progress
            left = LOOK_SECONDS if deadline is None else deadline - progress.elapsed
            sleep(min(LOOK_SECONDS, max(left, 0.0)))

    def _release_stragglers(self) -> None:
        try:
            self.table.forget_clients(self.key, self.address, self.port)
        except (UnknownToIpvs, NoSuchService, NoSuchServer):
            return

    def undo(self) -> int:
        """Give it the weight it had; answers that.

        Raises:
            NotDrained: nothing is remembered of it.
            TableError: it is not there, or the table refuses.
        """
        known = self.weights.find(self.key, self.address, self.port)
        server = state_of(self.table, self.key, self.address, self.port).server
        if known is None:
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
            f"the real server was not drained by `directrix drain`, and has weight {weight}; "
            "give it one with `directrix admit --weight`",
        )
