"""The members of a pool: a real server with its checkers, and what all of them mean for it."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.checks.growth import Growth
from directrix.checks.outcome import Standing
from directrix.checks.pool_values import HEAVIEST, CheckerSettings, CheckerView, ServerSettings


@dataclass(slots=True)
class Checker:
    """What one checker last said."""

    settings: CheckerSettings
    up: bool
    since: float
    has_run: bool = False
    adds: int = 0
    standing: Standing = Standing.READY

    @property
    def fit(self) -> bool:
        """It says nothing against its server."""
        return self.up and self.standing is not Standing.MAINT

    @property
    def view(self) -> CheckerView:
        """What others may know of it."""
        return CheckerView(self.up, self.has_run, self.adds, self.standing, self.since)

    def hear(self, weight: int | None, standing: Standing | None) -> None:
        """Take in what an outcome says besides up and down; None leaves it as it is."""
        if weight is not None:
            self.adds = weight
        if standing is not None:
            self.standing = standing


@dataclass(slots=True)
class Member:
    """A real server."""

    settings: ServerSettings
    checkers: dict[str, Checker]
    since: float
    alive: bool = False
    held: int | None = None
    cold: bool = False
    """It is new, or was kept from new connections: it begins with a slow start, if it has one."""
    growth: Growth | None = None
    grown: int = 0
    """What it has of its full weight while that grows."""
    counted: tuple[int, int] = (0, 0)
    """What it adds to the pool's weight and to the number of those that serve."""

    @property
    def fit(self) -> bool:
        """None of its checkers says anything against it: alive is what follows from that."""
        return all(checker.fit for checker in self.checkers.values())

    @property
    def weight(self) -> int:
        """The weight it has, or would have if it stood in the table."""
        return self.full_weight if self.growth is None else min(self.grown, self.full_weight)

    @property
    def full_weight(self) -> int:
        """The weight it has when it has grown."""
        if self.held is not None:
            return self.held
        return 0 if self._drains_itself else self.checked_weight

    @property
    def checked_weight(self) -> int:
        """The weight by configuration and checks, never out of IPVS's range."""
        total = self.settings.weight + sum(checker.adds for checker in self.checkers.values())
        return min(max(total, 0), HEAVIEST)

    @property
    def quiesced(self) -> bool:
        """It stays in the table with weight 0, whatever else happens to it."""
        failing = [checker for checker in self.checkers.values() if not checker.fit]
        if self.held == 0 or (failing and all(checker.settings.quiesces for checker in failing)):
            return True
        return self._drains_itself and not failing

    def warm(self, now: float) -> bool:
        """Begin a slow start, go on with it or end it, as things are now; answers whether it has come to its end."""
        serves = self.alive and self.full_weight > 0
        grown = serves and self.growth is not None and now >= self.growth.ends
        if not serves or grown:
            self.growth = None
        elif self.cold and self.settings.slow_start and self.full_weight > 1:
            self.growth = Growth(now, self.settings.slow_start)
        if self.growth is not None:
            self.grown = self.growth.weight(now, self.full_weight)
        self.cold = not serves and (self.cold or not self._waits)
        return grown

    @property
    def _waits(self) -> bool:
        """It is out for no other reason than that it has not been checked yet."""
        return not self.alive and all(checker.fit or not checker.has_run for checker in self.checkers.values())

    @property
    def _drains_itself(self) -> bool:
        return any(checker.standing is Standing.DRAIN for checker in self.checkers.values())

    @property
    def footing(self) -> tuple[int, int, bool]:
        """What the table and the quorum depend on, but for whether it is alive."""
        return self.weight, self.checked_weight, self.quiesced


def new_member(settings: ServerSettings, now: float, *, cold: bool = False) -> Member:
    """A real server of which nothing is known yet.

    Raises:
        ValueError: two checkers of it have one name.
    """
    checkers = {one.name: Checker(one, not one.alpha, now) for one in settings.checkers}
    if len(checkers) != len(settings.checkers):
        raise ValueError(f"two checkers of {settings.key} have one name")
    server = Member(settings, checkers, now, cold=cold)
    server.alive = server.fit
    return server
