"""The whole configuration."""

from __future__ import annotations

from directrix.keepalived.building.servers import build_server_groups, build_virtual_servers
from directrix.keepalived.building.settings import build_globals
from directrix.keepalived.building.vrrp import (
    build_followed,
    build_garp_groups,
    build_groups,
    build_instances,
    build_track_groups,
)
from directrix.keepalived.faults import suggestion
from directrix.keepalived.reading import Reading
from directrix.keepalived.values import Configuration, TlsSettings, TrackFile, TrackProcess, VrrpScript


def build(top: Reading) -> Configuration:
    """What a whole text says. It counts only if there is no mistake among the faults afterwards."""
    settings = build_globals(top)
    followed = build_followed(top)
    groups = build_server_groups(top)
    tls = top.given.get("tls")
    instances = build_instances(top, settings, followed)
    _check_sync_daemon(top)
    plain = top.values()
    return Configuration(
        globals=settings,
        interface_delays=plain.get("interface_delays", ()),
        track_groups=build_track_groups(top),
        static_addresses=plain.get("static_addresses", ()),
        static_routes=plain.get("static_routes", ()),
        static_rules=plain.get("static_rules", ()),
        garp_groups=build_garp_groups(top),
        scripts=tuple(script for script in followed.scripts.values() if isinstance(script, VrrpScript)),
        track_processes=tuple(each for each in followed.processes.values() if isinstance(each, TrackProcess)),
        track_files=tuple(file for file in followed.files.values() if isinstance(file, TrackFile)),
        sync_groups=build_groups(top, settings, followed),
        instances=instances,
        tls=TlsSettings(**tls.values()) if isinstance(tls, Reading) else TlsSettings(),
        server_groups=groups,
        virtual_servers=build_virtual_servers(top, settings, groups, followed),
    )


def _check_sync_daemon(top: Reading) -> None:
    block = top.given.get("globals")
    if not isinstance(block, Reading) or "sync_daemon" not in block.given:
        return
    daemon = block.given["sync_daemon"]
    instances = [reading.given["name"] for reading in top.readings("instances")]
    if daemon.instance and daemon.instance not in instances:
        near = suggestion(daemon.instance, instances)
        block.error(f"there is no vrrp_instance {daemon.instance!r}{near}", "sync_daemon")
