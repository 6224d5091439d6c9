"""A virtual service's real servers: what all checks together mean for the table. Pure: values in, actions out.

The rules are keepalived's:

- A real server is **alive** while none of its checkers is down. Alive, it stands in the table with its weight; else
  it is taken out, or with `inhibit_on_failure` stands there with weight 0, so that its connections go on.
- Its **weight** is the configured one and what its checkers add (MISC_CHECK, FILE_CHECK, AGENT_CHECK), never below 0.
  It is kept while the server is down, and counts when it comes back.
- The service has **quorum** or not. The weights of all servers alive are added up: quorum is gained when the sum
  reaches `quorum + hysteresis`, lost when it falls below `quorum - hysteresis` or to 0.
- Without quorum the **sorry server** stands in the table alone (those with `inhibit_on_failure` beside it, with
  weight 0). Without a sorry server the real servers that are alive stay.

Ours alone:

- An operator's weight is kept apart from what checks decide: while it is set, it is the server's weight.
- A server is **quiesced** while the operator holds its weight at 0, an agent of its own says `drain`, or nothing but a
  checker that `quiesces` finds fault with it. It stays in the table with weight 0, whatever else happens to it: its
  connections go on, though its checks fail or the sorry server is in use.
- Quorum is a matter of checks: a server counts with the weight that they give it, whatever the operator does with it.
  Taking a server out for an hour is no failure, and brings no sorry server. Only if that leaves nobody to take new
  connections, quorum is lost.
- With `slow_start` the weight of a server that comes, or comes back, **grows**: when a failing check, an order or
  weight 0 has kept it from new connections, or a reload has added it. What it grows to may change on the way. For the
  quorum it counts with its full weight. Servers that are there at the start have served before, and an operator who
  says a weight means it at once: these don't grow.

Changes come in the order in which they must be done: with quorum lost the real servers leave before the sorry server
comes, with quorum gained it leaves before they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight, TellGrowth, TellQuorum, TellServer
from directrix.checks.growth import Growth
from directrix.checks.outcome import Outcome, Standing
from directrix.checks.pool_members import Checker, Member, new_member
from directrix.checks.pool_values import CheckerView, PoolSettings, ServerSettings, ServerView, check_weight
from directrix.checks.steps import Steps

MOST_STEPS = 20
"""So many weights that grow are set at a time: thousands may grow at once, and each takes its time at the table."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """What stands in the table for a server."""

    weight: int
    sorry: bool = False


class Pool:
    """The state of one virtual service. `start` comes first, then results as they are known, then `stop`.

    Every method gives the actions that follow, in order. Times are whatever clock the caller uses, in seconds.
    """

    def __init__(self, settings: PoolSettings) -> None:
        self.settings = settings
        self.quorum_up = False
        self.quorum_since = 0.0
        """When quorum was last gained or lost."""
        self.sorry_in = False
        """The sorry server is in use."""
        self._servers: dict[ServerKey, Member] = {}
        self._table: dict[ServerKey, _Entry] = {}
        self._growing = Steps()
        self._weight = self._serving = 0
        """The weights of all alive, and how many of them take new connections: kept up to date, since a pool may be
        large, and a check's result is to be in the table soon."""

    def start(self, now: float, known: Iterable[tuple[ServerKey, str, Outcome]] = ()) -> list[Action]:
        """Fill an empty table. Servers with a checker in alpha mode wait for it.

        `known` is what is known of checkers already: what a FILE_CHECK's file says now, or what was found before the
        daemon was started again. A server that is known to be down doesn't enter the table first, only to be taken out.

        Raises:
            KeyError: a server, or its checker, is not configured.
        """
        self.quorum_since = now
        for settings in self.settings.servers:
            self._servers[settings.key] = new_member(settings, now)
        for key, name, outcome in known:
            checker = self._servers[key].checkers[name]
            checker.up, checker.has_run = outcome.ok, True
            checker.hear(outcome.weight, outcome.standing)
        for server in self._servers.values():
            server.alive = server.fit
            self._warm(server, now)
        self._count_all()
        return self._settle() + self._weigh_quorum(now, starting=True)

    def report(
        self,
        key: ServerKey,
        checker: str,
        up: bool,
        now: float,
        *,
        weight: int | None = None,
        standing: Standing | None = None,
    ) -> list[Action]:
        """A checker has a verdict; `weight` and `standing` as in an `Outcome`.

        Raises:
            KeyError: the server, or its checker, is not configured.
        """
        server = self._servers[key]
        known = server.checkers[checker]
        before, first, known.has_run = server.footing, not known.has_run, True
        known.hear(weight, standing)
        actions: list[Action] = []
        if up != known.up:
            known.up, known.since = up, now
        elif first and not up and not server.alive:
            # In alpha mode the server was never up; that it really is down is news all the same.
            actions.append(TellServer(key, False))
        return actions + self._changed(server, before, now)

    def hold(self, key: ServerKey, weight: int | None, now: float) -> list[Action]:
        """The operator sets a server's weight (0 quiesces it), or with None lets the checks decide again.

        Raises:
            KeyError: there is no such server.
            ValueError: the weight is out of range.
        """
        check_weight(weight)
        server = self._servers[key]
        before, server.held = server.footing, weight
        if weight is not None:
            server.growth, server.cold = None, server.cold and not weight
        return self._changed(server, before, now)

    def resume(self, growing: Mapping[ServerKey, Growth], now: float) -> list[Action]:
        """Go on with slow starts that went on before the daemon was started again; those of nobody are left out."""
        actions: list[Action] = []
        for key in growing.keys() & self._servers.keys():
            server = self._servers[key]
            before, server.growth = server.footing, growing[key].at_pace(server.settings.slow_start, now)
            actions += self._changed(server, before, now)
        return actions

    def grow(self, now: float) -> list[Action]:
        """Time has passed: weights that grow have grown. Many at a time take their turns: `next_step` is now then."""
        actions: list[Action] = []
        for key in self._growing.take(now, MOST_STEPS):
            server = self._servers[key]
            actions += self._changed(server, server.footing, now)
        return actions

    def next_step(self) -> float | None:
        """When to call `grow` next; None while no weight grows."""
        return self._growing.first()

    def growing(self) -> dict[ServerKey, Growth]:
        """The slow starts that go on."""
        growing = {key: self._servers[key].growth for key in self._growing.servers}
        return {key: growth for key, growth in growing.items() if growth is not None}

    def stop(self, now: float) -> list[Action]:
        """Empty the table. With omega, all that were up are told of as down."""
        actions: list[Action] = []
        for key, entry in sorted(self._table.items(), key=lambda item: not item[1].sorry):
            actions.append(Remove(key, entry.sorry))
            if key in self._servers and not entry.sorry:
                actions += self._leave(self._servers[key], now, tell=self.settings.omega, stopping=True)
        self._table = {}
        self._growing = Steps()
        self.quorum_up, self.quorum_since, self.sorry_in = False, now, False
        if self.settings.omega:
            threshold = self.settings.quorum - self.settings.hysteresis
            actions.append(TellQuorum(False, 0, threshold, stopping=True))
        return actions

    def reload(self, settings: PoolSettings, now: float) -> list[Action]:
        """Go on by other settings. Servers and checkers of the same name keep their state.

        A server that is new enters as at the start; one that is no longer configured leaves, and is told of as down. A
        new checker in alpha mode doesn't take down a server that is alive: its first result decides.
        """
        old, self.settings = self._servers, settings
        self._servers = {one.key: old.get(one.key) or new_member(one, now, cold=True) for one in settings.servers}
        if settings.sorry is None:
            self.sorry_in = False
        told: list[Action] = []
        for key, server in old.items():
            if key not in self._servers:
                told += self._leave(server, now, tell=key in self._table and not self._table[key].sorry)
        for configured in settings.servers:
            if configured.key in old:
                told += self._resettle(self._servers[configured.key], configured, now)
        for gone in self._growing.servers - self._servers.keys():
            self._growing.drop(gone)
        for server in self._servers.values():
            told += self._warm(server, now)
        self._count_all()
        return self._settle() + told + self._weigh_quorum(now)

    @property
    def live_weight(self) -> int:
        """The weights that checks give to all servers alive, added up; 0 if none of them takes new connections."""
        return self._weight if self._serving else 0

    def server(self, key: ServerKey) -> ServerView:
        """How a real server stands.

        Raises:
            KeyError: there is no such server.
        """
        server = self._servers[key]
        checkers = {name: one.view for name, one in server.checkers.items()}
        in_table = key in self._table and not self._table[key].sorry
        return ServerView(
            server.alive,
            in_table,
            server.weight,
            server.checked_weight,
            server.held,
            server.quiesced,
            server.since,
            checkers,
            server.full_weight,
            server.growth,
        )

    def checker(self, key: ServerKey, name: str) -> CheckerView:
        """What one checker of a real server last meant.

        Raises:
            KeyError: there is no such server, or no such checker.
        """
        return self._servers[key].checkers[name].view

    def table(self) -> dict[ServerKey, int]:
        """What stands in the table, with weights, the sorry server included."""
        return {key: entry.weight for key, entry in self._table.items()}

    def _changed(self, server: Member, before: tuple[int, int, bool], now: float) -> list[Action]:
        """After a checker or the operator changed something."""
        told: list[Action] = [self._turn(server, now)] if server.fit != server.alive else []
        told += self._warm(server, now)
        if not told and server.footing == before:
            return []
        self._count(server)
        return [*self._settle_one(server), *told, *self._weigh_quorum(now)]

    def _warm(self, server: Member, now: float) -> list[Action]:
        """A server's slow start, after something about it has changed, or time has passed."""
        before, grown, key = server.growth, server.warm(now), server.settings.key
        if server.growth is None:
            self._growing.drop(key)
            return [TellGrowth(key, server.weight)] if grown else []
        self._growing.put(key, server.growth.next_step(now, server.full_weight))
        return [] if before is not None else [TellGrowth(key, server.full_weight, server.growth.over)]

    def _count(self, server: Member) -> None:
        before, server.counted = server.counted, (0, 0)
        if server.alive:
            server.counted = server.checked_weight, int(server.weight > 0)
        self._weight += server.counted[0] - before[0]
        self._serving += server.counted[1] - before[1]

    def _count_all(self) -> None:
        self._weight = self._serving = 0
        for server in self._servers.values():
            server.counted = (0, 0)
            self._count(server)

    def _turn(self, server: Member, now: float) -> TellServer:
        server.alive, server.since = not server.alive, now
        return TellServer(server.settings.key, server.alive)

    def _weigh_quorum(self, now: float, *, starting: bool = False) -> list[Action]:
        settings, weight = self.settings, self.live_weight
        threshold = settings.quorum + (-settings.hysteresis if self.quorum_up else settings.hysteresis)
        gained = not self.quorum_up and weight >= threshold
        lost = self.quorum_up and (weight == 0 or weight < threshold)
        wanting = not self.quorum_up and settings.sorry is not None and not self.sorry_in
        if not (gained or lost or wanting):
            return []
        self.quorum_up, self.quorum_since = gained, now
        self.sorry_in = not gained and settings.sorry is not None
        return [*self._settle(), TellQuorum(gained, weight, threshold, starting)]

    def _resettle(self, server: Member, settings: ServerSettings, now: float) -> list[Action]:
        """A server goes on by other settings."""
        server.settings = settings
        if server.growth is not None:
            server.growth = server.growth.at_pace(settings.slow_start, now)
        old, server.checkers = server.checkers, {}
        for checker in settings.checkers:
            known = old.get(checker.name) or Checker(checker, server.alive or not checker.alpha, now)
            known.settings = checker
            server.checkers[checker.name] = known
        return [self._turn(server, now)] if server.fit != server.alive else []

    def _leave(self, server: Member, now: float, *, tell: bool, stopping: bool = False) -> list[Action]:
        """A server goes for good."""
        was, server.alive, server.since = server.alive, False, now
        return [TellServer(server.settings.key, False, stopping)] if was and tell else []

    def _wanted(self) -> dict[ServerKey, _Entry]:
        """What must stand in the table."""
        wanted = {}
        for key, server in self._servers.items():
            entry = self._wanted_of(server)
            if entry is not None:
                wanted[key] = entry
        sorry = self.settings.sorry
        if sorry is not None and sorry.key not in self._servers and (self.sorry_in or sorry.inhibit):
            wanted[sorry.key] = _Entry(sorry.weight if self.sorry_in else 0, sorry=True)
        return wanted

    def _wanted_of(self, server: Member) -> _Entry | None:
        """What must stand there for one real server."""
        sorry = self.settings.sorry
        if sorry is not None and self.sorry_in and sorry.key == server.settings.key:
            return _Entry(sorry.weight, sorry=True)
        if server.alive and not self.sorry_in:
            return _Entry(server.weight)
        return _Entry(0) if server.settings.inhibit or server.quiesced else None

    def _settle_one(self, server: Member) -> list[Action]:
        """The same as `_settle`, where only this server has changed."""
        key = server.settings.key
        old, new = self._table.get(key), self._wanted_of(server)
        if old == new:
            return []
        if new is None:
            del self._table[key]
            return [Remove(key, old is not None and old.sorry)]
        self._table[key] = new
        return [Add(key, new.weight, new.sorry) if old is None else SetWeight(key, new.weight, new.sorry)]

    def _settle(self) -> list[Action]:
        """What leads from the table as it is to what it must be: out first, then in."""
        old, new = self._table, self._wanted()
        self._table = new
        leaving: list[Action] = []
        coming: list[Action] = []
        for key, entry in old.items():
            if key not in new:
                leaving.append(Remove(key, entry.sorry))
            elif new[key] != entry:
                into = coming if new[key].weight else leaving
                into.append(SetWeight(key, new[key].weight, new[key].sorry))
        coming += [Add(key, entry.weight, entry.sorry) for key, entry in new.items() if key not in old]
        return leaving + coming
