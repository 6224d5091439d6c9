"""`lvs_sync_daemon`: the synchronisation daemons of the table, by the state of a VRRP instance.

As in keepalived, the master of the instance sends its connections and everybody else takes them in; without an instance
the director does both. It is the table that synchronises: the kernel's IPVS can, and what can't says so once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from directrix.keepalived.values import SyncDaemonSettings
from directrix.lvs import TableError
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.lvs.errors import NotSupportedYet
from directrix.table.interface import Table
from directrix.vrrp.states import State

_log = logging.getLogger("directrix.director")


class SyncDaemons:
    """The synchronisation daemons a director runs."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._settings: SyncDaemonSettings | None = None
        self._sync_id = 0
        self._is_master = False
        self._told = False

    def configure(self, settings: SyncDaemonSettings | None, vrids: Mapping[str, int]) -> None:
        """Go on by these settings.

        Args:
            settings: None for no synchronisation.
            vrids: of the VRRP instances, by name.
        """
        before, self._settings = self._settings, settings
        if settings is None:
            if before is not None:
                self._have({})
            return
        self._sync_id = vrids.get(settings.instance, 0) if settings.sync_id is None else settings.sync_id
        if before is not None and before.instance != settings.instance:
            self._is_master = False
        self._settle()

    def follow(self, instance: str, state: State) -> None:
        """An instance has come into a state."""
        if self._settings is not None and self._settings.instance == instance:
            self._is_master = state is State.MASTER
            self._settle()

    def stop(self) -> None:
        """Run none any more."""
        if self._settings is not None:
            self._have({})

    def _settle(self) -> None:
        settings = self._settings
        assert settings is not None
        both = tuple(DaemonRole)
        roles = both if not settings.instance else both[:1] if self._is_master else both[1:]
        self._have(
            {
                role: SyncDaemon(
                    role,
                    settings.interface,
                    self._sync_id,
                    settings.max_length,
                    settings.group,
                    settings.port,
                    settings.ttl,
                )
                for role in roles
            }
        )

    def _have(self, wanted: Mapping[DaemonRole, SyncDaemon]) -> None:
        """Stop first, then start: what is there from before is the director's, whoever started it."""
        try:
            running = {daemon.role: daemon for daemon in self._table.daemons()}
            for role, daemon in running.items():
                if role not in wanted or not _is_as(daemon, wanted[role]):
                    self._table.stop_daemon(role)
                    _log.info("synchronisation: no %s any more", role.name.lower())
            for role, daemon in wanted.items():
                if role not in running or not _is_as(running[role], daemon):
                    self._table.start_daemon(daemon)
                    _log.info("synchronisation: %s on %s", role.name.lower(), daemon.interface)
        except NotSupportedYet as error:
            if not self._told:
                _log.warning("lvs_sync_daemon has no effect: %s; the kernel's IPVS can (directrix --table ipvs)", error)
            self._told = True
        except TableError as error:
            _log.error("lvs_sync_daemon: %s", error)


def _is_as(running: SyncDaemon, wanted: SyncDaemon) -> bool:
    """Whether a daemon runs as wanted; what was left to IPVS may be anything."""
    fixed = (running.interface, running.sync_id) == (wanted.interface, wanted.sync_id)
    left = (
        (running.max_length, wanted.max_length),
        (running.group, wanted.group),
        (running.port, wanted.port),
        (running.ttl, wanted.ttl),
    )
    return fixed and all(not asked or asked == there for there, asked in left)
