"""Passive health: real servers judged by their clients' handshakes, beside their checks (`health.rule`).

Every two seconds, as often as the data plane's estimator makes new figures, the servers of each virtual server with
`passive_health` are compared. One that is to go out is told of as by a check that fails, and one whose time is over as
by one that succeeds; what follows, quiescing first of all, is the pool's. Servers that checks or the operator keep from
new connections are nobody's peers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from directrix.checks.actions import ServerKey
from directrix.checks.checker import Tell, Watcher
from directrix.checks.outcome import Outcome
from directrix.checks.pool_values import ServerView
from directrix.director.checkers import PASSIVE
from directrix.director.table_work import Place
from directrix.director.virtual import ServerName
from directrix.health.rule import Absence, Judgement, Rule, Standing, judge
from directrix.lvs import RealServer, ServiceKey, TableError
from directrix.lvs.handshakes import Handshakes, together

_log = logging.getLogger("directrix.director")

Figures = Mapping[ServiceKey, Mapping[ServerKey, Handshakes]]
"""Handshakes by service and real server."""

INTERVAL = 2.0
"""Seconds from one judgement to the next."""


def clock() -> float:
    """Seconds since the machine was started: what absences are dated by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class PassiveWatcher(Watcher):
    """One real server, as the engine runs it."""

    def __init__(self, passive: PassiveHealth, name: ServerName, rule: Rule) -> None:
        self.name, self.rule = name, rule
        self.tell: Tell = lambda outcome: None
        self._passive = passive

    async def watch(self, tell: Tell) -> None:
        """Let it be judged until cancelled."""
        self.tell = tell
        self._passive.watched[self.name] = self
        try:
            await asyncio.Event().wait()
        finally:
            self._passive.forget(self)


class PassiveHealth:
    """Judges all real servers that are watched."""

    def __init__(
        self,
        read: Callable[[Sequence[ServiceKey]], Awaitable[Figures | None]],
        view: Callable[[ServerName], ServerView],
        places: Callable[[ServerName], Sequence[Place]],
    ) -> None:
        """Nothing is watched yet.

        Args:
            read: gives the handshakes of some services; None where nobody watches them.
            view: how a real server stands.
            places: where it stands in the table.
        """
        self.watched: dict[ServerName, PassiveWatcher] = {}
        self._read, self._view, self._places = read, view, places
        self._absences: dict[ServerName, Absence] = {}
        self._standing: dict[ServerName, Standing] = {}

    async def run(self, interval: float = INTERVAL) -> None:
        """Judge again and again, until cancelled."""
        broken = False
        while True:
            await asyncio.sleep(interval)
            try:
                await self.judge_all()
                broken = False
            except (TableError, OSError) as error:
                if not broken:
                    _log.error("passive health: the table can't be read: %s", error)
                broken = True
            except Exception:  # a fault of ours in one judgement must not be the last one
                _log.exception("passive health")

    async def judge_all(self) -> None:
        """Judge all once.

        Raises:
            TableError, OSError: the table can't be read.
        """
        if not self.watched:
            return
        keys = {key for name in self.watched for key, _ in self._places(name)}
        figures = await self._read(tuple(keys))
        if figures is None:
            return
        for virtual in dict.fromkeys(name[0] for name in self.watched):
            names = [name for name in self.watched if name[0] == virtual]
            self._judge(names, figures, self.watched[names[0]].rule)

    def forgive(self, name: ServerName) -> None:
        """A server that is out comes back now."""
        watcher = self.watched.get(name)
        if watcher is not None and self._absences.pop(name, None) is not None:
            watcher.tell(Outcome(True, "brought back by the operator"))

    def forget(self, watcher: PassiveWatcher) -> None:
        """A server is watched no more."""
        if self.watched.get(watcher.name) is watcher:
            del self.watched[watcher.name]
            self._absences.pop(watcher.name, None)
            self._standing.pop(watcher.name, None)

    def _judge(self, names: Sequence[ServerName], figures: Figures, rule: Rule) -> None:
        now = clock()
        judged = [(self._in_service(name, now), self._figures(name, figures)) for name in names]
        absences = {name[1]: self._absences[name] for name in names if name in self._absences}
        for name, judgement in zip(names, judge(judged, absences, now, rule), strict=True):
            self._follow(name, judgement, now, rule)

    def _in_service(self, name: ServerName, now: float) -> RealServer:
        """A server with the weight it is judged by: 0 unless it gets new connections."""
        view = self._view(name)
        absence = self._absences.get(name)
        if absence is None and not view.checkers[PASSIVE].up:
            # It was out before the director was killed.
            absence = self._absences[name] = Absence(max(view.checked_weight, 1), now)
        out = absence is not None and not absence.trial
        serves = view.alive and view.in_table and not out
        return RealServer(*name[1], weight=view.weight if serves else 0)

    def _figures(self, name: ServerName, figures: Figures) -> Handshakes:
        found = [figures.get(key, {}).get(server) for key, server in self._places(name)]
        return together([each for each in found if each is not None])

    def _follow(self, name: ServerName, judgement: Judgement, now: float, rule: Rule) -> None:
        if judgement.absence is None:
            self._absences.pop(name, None)
        else:
            self._absences[name] = judgement.absence
        standing = judgement.standing
        if standing is Standing.FEW or self._standing.get(name) is standing:
            return
        self._standing[name] = standing
        taken_out = standing is Standing.POOR and judgement.weight == 0
        if taken_out or standing in (Standing.BACK, Standing.SPARED, Standing.GOOD):
            self.watched[name].tell(Outcome(not taken_out, _words(judgement, now, rule)))


def _words(judgement: Judgement, now: float, rule: Rule) -> str:
    said = str(judgement.standing)
    share = judgement.handshakes.recent_share
    if judgement.standing is Standing.BACK:
        return "back on trial"
    if share is not None:
        said += f": {share:.0%} of some {judgement.handshakes.sample:.0f} recent connections completed"
    if judgement.peers is not None:
        said += f", its peers' {judgement.peers:.0%} at least"
    if judgement.weight == 0 and judgement.absence is not None:
        said += f"; out for {judgement.absence.ends(rule) - now:.0f} s"
    return said
