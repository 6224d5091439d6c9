"""What happens, told to all who want to hear of it: the log, the event log, scripts and pipes, mail."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from directrix.checks.actions import TellServer
from directrix.director.events import EventLog
from directrix.director.happenings import Happening
from directrix.director.mail import Mailer
from directrix.director.setup import Setup
from directrix.director.telling import Teller
from directrix.director.told import Checked, Told
from directrix.director.virtual import ServerName
from directrix.lvs import endpoint
from directrix.vrrp.effects import Effect, GroupChanged, PriorityChanged, StateChanged
from directrix.vrrp.states import State

_log = logging.getLogger("directrix.director")


class Reporter:
    """Tells what happens."""

    def __init__(self, setup: Setup, events: EventLog) -> None:
        """Nobody is told yet.

        Args:
            setup: what the director does, and whom it tells.
            events: where all of it is written down.
        """
        self.events = events
        self.silent = False
        """Real servers that come or go are no news for scripts and mail: the director only begins."""
        self._setup = setup
        self._teller = Teller()
        self._mailer = Mailer()

    def configure(self, setup: Setup) -> None:
        """Go on by this setup."""
        self._setup = setup
        self._teller.configure(setup.configuration.globals)
        self._mailer.configure(setup.configuration.globals)

    async def close(self) -> None:
        """Give what goes on a moment, and end it."""
        await asyncio.gather(self._teller.close(), self._mailer.close())
        self.events.close()

    def happened(self, kind: str, what: str, who: Mapping[str, str] | None = None, **more: object) -> None:
        """Write it down."""
        self.events.add(Happening(time.time(), kind, what, dict(who or {}), dict(more)))

    def told(self, told: Told) -> None:
        """A real server came or went, or a quorum did."""
        virtual, action = told.virtual, told.action
        word, level = ("up", logging.INFO) if action.up else ("down", logging.WARNING)
        if isinstance(action, TellServer):
            server = endpoint(*action.server)
            cause = {"cause": told.cause} if told.cause else {}
            self.happened("server", word, {"service": virtual.name, "server": server}, **cause)
            _log.log(level, "%s: real server %s is %s", virtual.name, server, word)
        else:
            facts = {"weight": action.weight, "threshold": action.threshold}
            self.happened("quorum", word, {"service": virtual.name}, **facts)
            _log.log(level, "%s: quorum is %s, with weight %d", virtual.name, word, action.weight)
        silently = self.silent and isinstance(action, TellServer)
        self._teller.tell(told, silently=silently)
        if not silently:
            self._mailer.server_or_quorum(told)

    def checked(self, checked: Checked) -> None:
        """A check has a result. That one succeeds from the first time on is no news."""
        report = checked.report
        if not report.changed or (report.first and report.verdict):
            return
        virtual, server, check = checked.name
        who = {"service": virtual, "server": endpoint(*server), "check": check}
        self.happened("check", "up" if report.verdict else "down", who, detail=report.result.outcome.detail)
        if not checked.turned and virtual in self._setup.virtuals:
            self._mailer.check(self._setup.virtuals[virtual], checked)

    def ordered(self, what: str, name: ServerName, more: Mapping[str, object]) -> None:
        """The operator has ordered something of a real server, or it has come about."""
        self._of_server("operator", what, name, more)

    def noted(self, what: str, name: ServerName, more: Mapping[str, object]) -> None:
        """A real server's weight grows, or it is on its way out, by the configuration."""
        self._of_server("server", what, name, more)

    def _of_server(self, kind: str, what: str, name: ServerName, more: Mapping[str, object]) -> None:
        virtual, server = name
        words = "".join(f", {word} {value}" for word, value in more.items() if value is not None)
        _log.info("%s: real server %s: %s%s", virtual, endpoint(*server), what.replace("_", " "), words)
        self.happened(kind, what, {"service": virtual, "server": endpoint(*server)}, **more)

    def effect(self, effect: Effect) -> None:
        """VRRP has done something."""
        match effect:
            case StateChanged(instance, state, priority):
                word = "stopped" if state is State.INITIALIZE else state.name
                self.happened("vrrp", word, {"instance": instance.name}, priority=priority)
                if instance.name in self._alerting:
                    self._mailer.instance(instance.name, state)
            case GroupChanged(group, state):
                self.happened("vrrp", state.name, {"group": group.name})
                if f"group {group.name}" in self._alerting:
                    self._mailer.instance(group.name, state, is_group=True)
            case PriorityChanged(instance, _, priority):
                self.happened("vrrp", "priority", {"instance": instance.name}, priority=priority)

    @property
    def _alerting(self) -> set[str]:
        """Instances and groups of which mail is sent."""
        configuration = self._setup.configuration
        found = {instance.name for instance in configuration.instances if instance.notify.smtp_alert}
        return found | {f"group {group.name}" for group in configuration.sync_groups if group.notify.smtp_alert}
