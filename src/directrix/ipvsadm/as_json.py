"""Listings as JSON, for programs. Every listing has all there is, whatever columns were asked for.

Names are stable: fields may be added, none is renamed. Numbers are numbers, times are seconds,
byte rates are bytes a second, and what does not apply is null or left out of its object. It is
all on one line, as `ip -json` prints it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from directrix.ipvsadm.flags import flag_names
from directrix.ipvsadm.listing import IPVS_VERSION
from directrix.ipvsadm.sorting import sorted_servers, sorted_services
from directrix.ipvsadm.tunnels import checksum
from directrix.lvs import (
    Connection,
    Counters,
    Family,
    ForwardingMethod,
    Protocol,
    Rates,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    Timeouts,
    TunnelType,
    VirtualService,
)

_FAMILIES = {Family.INET: "inet", Family.INET6: "inet6"}
_METHODS = {
    ForwardingMethod.MASQUERADE: "masquerade",
    ForwardingMethod.LOCAL: "local",
    ForwardingMethod.TUNNEL: "tunnel",
    ForwardingMethod.DIRECT: "direct",
    ForwardingMethod.BYPASS: "bypass",
}


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


def _service(state: ServiceState, sort: bool) -> dict[str, Any]:
    service = state.service
    servers = sorted_servers(state.servers) if sort else state.servers
    return {
        **_key(service.key),
        "scheduler": service.scheduler,
        "scheduler_flags": flag_names(service),
        "persistence": service.persistence or None,
        "netmask": _netmask(service),
        "one_packet": service.one_packet,
        "engine": service.engine or None,
        "counters": _numbers(state.counters),
        "rates": _numbers(state.rates),
        "servers": [_server(server) for server in servers],
    }


def _key(key: ServiceKey) -> dict[str, Any]:
    family = _FAMILIES[key.family]
    if key.protocol is None:
        return {"family": family, "fwmark": key.fwmark}
    return {"family": family, "protocol": key.protocol.name.lower(), "address": str(key.address), "port": key.port}


def _netmask(service: VirtualService) -> str | int:
    if service.key.family is Family.INET6:
        return service.netmask
    return ".".join(str(byte) for byte in service.netmask.to_bytes(4, "big"))


def _server(state: ServerState) -> dict[str, Any]:
    server = state.server
    return {
        "address": str(server.address),
        "port": server.port,
        "method": _METHODS[server.method],
        **({"tunnel": _tunnel(server)} if server.method is ForwardingMethod.TUNNEL else {}),
        "weight": server.weight,
        "upper_threshold": server.upper_threshold,
        "lower_threshold": server.lower_threshold,
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


def _tunnel(server: RealServer) -> dict[str, Any]:
    tunnel = server.tunnel
    words: dict[str, Any] = {"type": tunnel.type.name.lower()}
    if tunnel.type is TunnelType.GUE:
        words["port"] = tunnel.port
    if tunnel.type is not TunnelType.IPIP:
        words["checksum"] = (checksum(tunnel.flags).name or "").lower()
    return words


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
