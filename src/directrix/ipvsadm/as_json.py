"""Listings as JSON, for programs. Every listing has all there is, whatever columns were asked for.

Names are stable: fields may be added, none is renamed. Numbers are numbers, times are seconds,
byte rates are bytes a second, and what does not apply is null or left out of its object. It is
all on one line, as `ip -json` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from directrix.ipvsadm.listing import IPVS_VERSION
from directrix.ipvsadm.sorting import sorted_servers, sorted_services
from directrix.lvs import Connection, Counters, Protocol, Rates, ServerState, ServiceState, Timeouts
from directrix.lvs.daemon import SyncDaemon
from directrix.lvs.objects import server_object, service_object


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":")) + "\n"


def table_as_json(states: Sequence[ServiceState], size: int, sort: bool) -> str:
    """A whole table or some services of it."""
    services = sorted_services(states) if sort else states
    return _text({"version": IPVS_VERSION, "size": size, "services": [_service(state, sort) for state in services]})


def timeouts_as_json(timeouts: Timeouts) -> str:
    """The timeouts."""
    return _text({"timeouts": {"tcp": timeouts.tcp, "tcp_fin": timeouts.tcp_fin, "udp": timeouts.udp}})


def connections_as_json(entries: Iterable[Connection]) -> str:
    """Connection entries in the order given."""
    return _text({"connections": [_connection(entry) for entry in entries]})


def daemons_as_json(daemons: Iterable[SyncDaemon]) -> str:
    """The synchronisation daemons."""
    return _text({"daemons": [_daemon(daemon) for daemon in daemons]})


def _daemon(daemon: SyncDaemon) -> dict[str, Any]:
    return {
        "role": daemon.role.name.lower(),
        "interface": daemon.interface,
        "sync_id": daemon.sync_id,
        "max_length": daemon.max_length,
        "group": None if daemon.group is None else str(daemon.group),
        "port": daemon.port,
        "ttl": daemon.ttl,
    }


def _service(state: ServiceState, sort: bool) -> dict[str, Any]:
    servers = sorted_servers(state.servers) if sort else state.servers
    return {
        **service_object(state.service),
        "counters": _numbers(state.counters),
        "rates": _numbers(state.rates),
        "servers": [_server(server) for server in servers],
    }


def _server(state: ServerState) -> dict[str, Any]:
    return {
        **server_object(state.server),
        "active": state.active,
        "inactive": state.inactive,
        "persistent": state.persistent,
        "counters": _numbers(state.counters),
        "rates": _numbers(state.rates),
    }


def _numbers(numbers: Counters | Rates) -> dict[str, int]:
    return {
        "connections": numbers.connections,
        "in_packets": numbers.in_packets,
        "out_packets": numbers.out_packets,
        "in_bytes": numbers.in_bytes,
        "out_bytes": numbers.out_bytes,
    }


def _connection(entry: Connection) -> dict[str, Any]:
    known = {int(protocol): protocol.name.lower() for protocol in Protocol}
    return {
        "protocol": known.get(entry.protocol, "ip" if entry.protocol == 0 else entry.protocol),
        "client": str(entry.client),
        "client_port": entry.client_port,
        "virtual": str(entry.virtual),
        "virtual_port": entry.virtual_port,
        "server": str(entry.server),
        "server_port": entry.server_port,
        "state": entry.state,
        "expires": entry.expires,
        "flags": [flag.name.lower() for flag in entry.flags if flag.name],
        "engine": entry.engine or None,
        "engine_data": entry.engine_data or None,
    }
