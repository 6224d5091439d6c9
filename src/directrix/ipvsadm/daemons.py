"""The listing of synchronisation daemons (`-L --daemon`)."""

from __future__ import annotations

from directrix.lvs.daemon import SyncDaemon


def line(daemon: SyncDaemon) -> str:
    """A daemon's line, with what IPVS chose where it was left the choice."""
    return (
        f"{daemon.role.name.lower()} sync daemon (mcast={daemon.interface}, syncid={daemon.sync_id}, "
        f"maxlen={daemon.max_length}, group={daemon.group}, port={daemon.port}, ttl={daemon.ttl})\n"
    )
