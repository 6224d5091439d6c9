"""The checks of a configuration as they run: by which name, from which belief, and when they rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from directrix.checks.checker import AnyChecker
from directrix.checks.course import Progress
from directrix.checks.dr_wire import Wires
from directrix.checks.engine import Engine, Report
from directrix.checks.history import History
from directrix.checks.registry import checker
from directrix.checks.settings import Timing
from directrix.director.checkers import Checking
from directrix.director.memory import Belief
from directrix.director.passive import PassiveHealth, PassiveWatcher
from directrix.director.refusal import Refused
from directrix.director.setup import Setup
from directrix.director.told import CheckName
from directrix.director.virtual import Virtual
from directrix.health.rule import Rule
from directrix.lvs import endpoint

_log = logging.getLogger("directrix.director")

Made = Mapping[CheckName, tuple[AnyChecker, Timing]]
"""Checkers that have not begun."""


class RunningChecks:
    """Runs checks, passive health among them."""

    def __init__(self, hear: Callable[[CheckName, Report], None], passive: PassiveHealth) -> None:
        """Nothing runs yet.

        Args:
            hear: is called with each result, at once.
            passive: judges the real servers that have `passive_health`.
        """
        self.passive = passive
        self.engine = Engine(self._hear)
        self._report = hear
        self._wires = Wires()
        self._resting: dict[CheckName, bool] = {}
        self._judging: asyncio.Task[None] | None = None

    def made(self, wanted: Mapping[CheckName, Checking]) -> Made:
        """Their checkers.

        Raises:
            Refused: one can't be made; says so of each that can't.
        """
        made: dict[CheckName, tuple[AnyChecker, Timing]] = {}
        reasons = []
        for name, check in wanted.items():
            try:
                made[name] = self._checker(name, check), check.timing
            except (OSError, ValueError) as error:
                reasons.append(f"{in_words(name)}: {error}")
        if reasons:
            raise Refused(reasons)
        return made

    def begin(self, made: Made, known: Callable[[CheckName], Belief | None]) -> None:
        """Run them. `known`: what is believed of a check already; it goes on from there."""
        for name, (one, timing) in made.items():
            belief = known(name)
            self.engine.add(name, one, timing, None if belief is None else Progress(up=belief.up, has_run=True))
        if self._judging is None:
            self._judging = asyncio.create_task(self.passive.run())

    async def end(self, names: Iterable[CheckName]) -> dict[CheckName, Belief]:
        """Run these no more. Answers what those of them believed that have run."""
        found: dict[CheckName, Belief] = {}
        for name in names:
            known = self.engine.progress(name)
            if known.has_run:
                found[name] = Belief(known.up)
            await self.engine.remove(name)
            self._resting.pop(name, None)
        return found

    async def close(self) -> None:
        """Run none of them any more."""
        if self._judging is not None:
            self._judging.cancel()
        await self.engine.close()
        self._wires.close()

    def history(self, name: CheckName) -> History:
        """A check's last results.

        Raises:
            KeyError: it doesn't run.
        """
        return self.engine.history(name)

    def suspend(self, setup: Setup, away: Callable[[Virtual], bool]) -> None:
        """Let the checks rest of virtual servers with `ha_suspend` whose VIP is `away`, and no others.

        While a configuration is changed some of its checks have ended or have not begun; those are left alone.
        """
        running = frozenset(self.engine.names)
        for name, _ in setup.each_check():
            virtual = setup.virtuals[name[0]]
            if not virtual.settings.ha_suspend or name not in running:
                continue
            rests = self._resting.get(name, False)
            if away(virtual) != rests:
                (self.engine.resume if rests else self.engine.suspend)([name])
                self._resting[name] = not rests

    def _checker(self, name: CheckName, check: Checking) -> AnyChecker:
        if isinstance(check.settings, Rule):
            return PassiveWatcher(self.passive, name[:2], check.settings)
        return checker(check.settings, self._wires)

    def _hear(self, report: Report) -> None:
        name = report.name
        assert isinstance(name, tuple)
        virtual, server, check = name
        self._report((virtual, server, check), report)


def in_words(name: CheckName) -> str:
    """How people name a check."""
    return f"{name[2]} of {endpoint(*name[1])} for {name[0]}"


def log_result(name: CheckName, report: Report, *, all_failures: bool) -> None:
    """Log what is new in a result, or every failure."""
    outcome, who = report.result.outcome, in_words(name)
    if not outcome.made:
        _log.warning("%s could not be made: %s", who, outcome.detail)
    elif report.changed:
        level = logging.INFO if outcome.ok else logging.WARNING
        _log.log(level, "%s: %s: %s", who, "success" if outcome.ok else "failure", outcome.detail)
    elif not outcome.ok and report.result.up and all_failures:
        _log.info("%s: failure: %s", who, outcome.detail)
