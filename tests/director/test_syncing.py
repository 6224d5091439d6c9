"""lvs_sync_daemon: which daemons of the table run, by the state of a VRRP instance."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from directrix.director.syncing import SyncDaemons
from directrix.keepalived.values import SyncDaemonSettings
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.table.memory import MemoryTable
from directrix.vrrp.states import State

MASTER, BACKUP = DaemonRole.MASTER, DaemonRole.BACKUP
WITH_INSTANCE = SyncDaemonSettings(interface="eth1", instance="VI", max_length=1000)


class Synchronising(MemoryTable):
    """A table with daemons, whose listing says what was left to it, as IPVS's does."""

    def __init__(self) -> None:
        super().__init__()
        self.running: dict[DaemonRole, SyncDaemon] = {}
        self.done: list[str] = []

    def daemons(self) -> list[SyncDaemon]:
        return [
            replace(one, port=one.port or 8848, group=one.group or IPv4Address("224.0.0.81"), ttl=one.ttl or 1)
            for one in self.running.values()
        ]

    def start_daemon(self, daemon: SyncDaemon) -> None:
        assert daemon.role not in self.running
        self.running[daemon.role] = daemon
        self.done.append(f"start {daemon.role.name} {daemon.sync_id}")

    def stop_daemon(self, role: DaemonRole) -> None:
        del self.running[role]
        self.done.append(f"stop {role.name}")


def test_the_master_of_the_instance_sends_and_everybody_else_takes_in() -> None:
    table = Synchronising()
    daemons = SyncDaemons(table)
    daemons.configure(WITH_INSTANCE, {"VI": 51})
    daemons.follow("other", State.MASTER)
    daemons.follow("VI", State.MASTER)
    daemons.follow("VI", State.FAULT)
    daemons.follow("VI", State.BACKUP)
    daemons.stop()
    assert table.done == [
        "start BACKUP 51",
        "stop BACKUP",
        "start MASTER 51",
        "stop MASTER",
        "start BACKUP 51",
        "stop BACKUP",
    ]


def test_without_an_instance_both_run() -> None:
    table = Synchronising()
    SyncDaemons(table).configure(SyncDaemonSettings(interface="eth1", sync_id=3), {})
    assert table.done == ["start MASTER 3", "start BACKUP 3"]


def test_a_reload_changes_only_what_differs() -> None:
    table = Synchronising()
    daemons = SyncDaemons(table)
    daemons.configure(WITH_INSTANCE, {"VI": 51})
    daemons.follow("VI", State.MASTER)
    table.done.clear()
    daemons.configure(WITH_INSTANCE, {"VI": 51})
    assert table.done == []
    daemons.configure(replace(WITH_INSTANCE, interface="eth2"), {"VI": 51})
    assert table.done == ["stop MASTER", "start MASTER 51"]
    daemons.configure(None, {"VI": 51})
    assert table.running == {}


def test_after_a_crash_what_runs_is_gone_on_with() -> None:
    table = Synchronising()
    SyncDaemons(table).configure(WITH_INSTANCE, {"VI": 51})
    table.done.clear()
    SyncDaemons(table).configure(WITH_INSTANCE, {"VI": 51})
    assert table.done == []


def test_without_the_word_daemons_of_others_are_left_alone() -> None:
    table = Synchronising()
    table.start_daemon(SyncDaemon(BACKUP, "eth9"))
    daemons = SyncDaemons(table)
    daemons.configure(None, {})
    daemons.follow("VI", State.MASTER)
    daemons.stop()
    assert set(table.running) == {BACKUP}


def test_a_table_that_does_not_synchronise_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    daemons = SyncDaemons(MemoryTable())
    daemons.configure(WITH_INSTANCE, {"VI": 51})
    daemons.follow("VI", State.MASTER)
    assert caplog.text.count("lvs_sync_daemon has no effect") == 1
