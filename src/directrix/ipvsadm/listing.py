"""Listings of services and real servers, to ipvsadm's bytes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from directrix.ipvsadm.sorting import sorted_servers, sorted_services
from directrix.ipvsadm.tunnels import CHECKSUM_MARKS
from directrix.ipvsadm.writing import EndpointWriter, exact_number, large_number, signed
from directrix.lvs import (
    Counters,
    Family,
    ForwardingMethod,
    Rates,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    TunnelType,
    VirtualService,
)
from directrix.lvs.flags import flag_names
from directrix.lvs.service import ALL_ONES_V4

IPVS_VERSION = "1.2.1"
NAME_WIDTH = 28
"""IPv4 names are cut to this; longer IPv6 names push the columns aside."""

_LOCAL = "Prot LocalAddress:Port"
_REMOTE = "  -> RemoteAddress:Port"


class Mode(enum.Enum):
    """What a listing shows, in order of precedence, with its two title lines."""

    STATS = (
        "stats",
        f"{_LOCAL:<33} {'Conns':>8} {'InPkts':>8} {'OutPkts':>8} {'InBytes':>8} {'OutBytes':>8}\n{_REMOTE}\n",
    )
    RATE = ("rate", f"{_LOCAL:<33} {'CPS':>8} {'InPPS':>8} {'OutPPS':>8} {'InBPS':>8} {'OutBPS':>8}\n{_REMOTE}\n")
    THRESHOLDS = (
        "thresholds",
        f"{_LOCAL:<33} {'Uthreshold':<10} {'Lthreshold':<10} {'ActiveConn':<10} {'InActConn':<10}\n{_REMOTE}\n",
    )
    PERSISTENT = (
        "persistent-conn",
        f"{_LOCAL:<33} {'Weight':<9} {'PersistConn':<11} {'ActiveConn':<10} {'InActConn':<10}\n{_REMOTE}\n",
    )
    TUNNELS = (
        "tun-info",
        f"{_LOCAL} Scheduler Flags\n{_REMOTE}           Forward TunnelInfo    Weight ActiveConn InActConn\n",
    )
    PLAIN = ("", f"{_LOCAL} Scheduler Flags\n{_REMOTE}           Forward Weight ActiveConn InActConn\n")

    def __init__(self, option: str, titles: str) -> None:
        self.option = option
        self.titles = titles


@dataclass(frozen=True, slots=True)
class Layout:
    """How a listing is to look."""

    mode: Mode
    endpoints: EndpointWriter
    sort: bool = True
    exact: bool = False


def list_table(states: Sequence[ServiceState], size: int, layout: Layout) -> str:
    """A listing of a whole table of this size."""
    services = sorted_services(states) if layout.sort else states
    head = f"IP Virtual Server version {IPVS_VERSION} (size={size})\n"
    return head + list_services(services, layout)


def list_services(states: Sequence[ServiceState], layout: Layout) -> str:
    """Titles and services in the order given, without the version line."""
    write_number = exact_number if layout.exact else large_number
    service_line = _SERVICE_LINES.get(layout.mode, _described)
    server_line = _SERVER_LINES[layout.mode]
    endpoints = layout.endpoints
    lines = [layout.mode.titles]
    for state in states:
        key = state.service.key
        lines.append(service_line(_service_name(key, endpoints), state, write_number))
        protocol = key.protocol
        for server_state in sorted_servers(state.servers) if layout.sort else state.servers:
            server = server_state.server
            name = endpoints.write(server.address, server.port, protocol)
            if len(name) > NAME_WIDTH and server.address.version == 4:
                name = name[:NAME_WIDTH]
            lines.append(server_line(name, server_state, write_number))
    return "".join(lines)


def _service_name(key: ServiceKey, endpoints: EndpointWriter) -> str:
    if key.protocol is None or key.address is None:
        return f"FWM  {signed(key.fwmark)}" + (" IPv6" if key.family is Family.INET6 else "")
    name = endpoints.write(key.address, key.port, key.protocol)
    return f"{key.protocol.name:<4} {name[:NAME_WIDTH] if key.family is Family.INET else name}"


WriteNumber = Callable[[int], str]


def _described(name: str, state: ServiceState, write: WriteNumber) -> str:
    service = state.service
    flags = flag_names(service)
    return (
        f"{name} {service.scheduler}"
        + (f" ({','.join(flags)})" if flags else "")
        + (f" persistent {service.persistence}" + _mask(service) + _engine(service) if service.persistence else "")
        + (" ops\n" if service.one_packet else "\n")
    )


def _engine(service: VirtualService) -> str:
    return f" pe {service.engine}" if service.engine else ""


def _mask(service: VirtualService) -> str:
    mask = written_netmask(service)
    return f" mask {mask}" if mask else ""


def written_netmask(service: VirtualService) -> str:
    """The persistence netmask, empty when it tells every client apart."""
    if service.key.family is Family.INET6:
        return "" if service.netmask == 128 else str(service.netmask)
    if service.netmask == ALL_ONES_V4:
        return ""
    return ".".join(str(byte) for byte in service.netmask.to_bytes(4, "big"))


def _columns(numbers: Counters | Rates, write: WriteNumber) -> str:
    return (
        write(numbers.connections)
        + write(numbers.in_packets)
        + write(numbers.out_packets)
        + write(numbers.in_bytes)
        + write(numbers.out_bytes)
    )


def _service_stats(name: str, state: ServiceState, write: WriteNumber) -> str:
    return f"{name:<33}{_columns(state.counters, write)}\n"


def _service_rate(name: str, state: ServiceState, write: WriteNumber) -> str:
    return f"{name:<33}{_columns(state.rates, write)}\n"


_SERVICE_LINES = {Mode.STATS: _service_stats, Mode.RATE: _service_rate}


def _server_stats(name: str, state: ServerState, write: WriteNumber) -> str:
    return f"  -> {name:<28}{_columns(state.counters, write)}\n"


def _server_rate(name: str, state: ServerState, write: WriteNumber) -> str:
    rates = state.rates
    return (
        f"  -> {name:<28} {rates.connections:8d} {rates.in_packets:8d} {rates.out_packets:8d}"
        f"{write(rates.in_bytes)}{write(rates.out_bytes)}\n"
    )


def _server_thresholds(name: str, state: ServerState, write: WriteNumber) -> str:
    server = state.server
    return (
        f"  -> {name:<28} {server.upper_threshold:<10d} {server.lower_threshold:<10d} "
        f"{state.active:<10d} {state.inactive:<10d}\n"
    )


def _server_persistent(name: str, state: ServerState, write: WriteNumber) -> str:
    return (
        f"  -> {name:<28} {state.server.weight:<9d} {state.persistent:<11d} {state.active:<10d} {state.inactive:<10d}\n"
    )


def _server_plain(name: str, state: ServerState, write: WriteNumber) -> str:
    server = state.server
    return (
        f"  -> {name:<28} {_LABELS[server.method]:<7} {server.weight:<6d} {state.active:<10d} {state.inactive:<10d}\n"
    )


def _server_tunnels(name: str, state: ServerState, write: WriteNumber) -> str:
    server = state.server
    return (
        f"  -> {name:<28} {_LABELS[server.method]:<7} {_tunnel_info(server):<13} {server.weight:<6d} "
        f"{state.active:<10d} {state.inactive:<10d}\n"
    )


_LABELS = {method: method.label for method in ForwardingMethod}

_SERVER_LINES = {
    Mode.STATS: _server_stats,
    Mode.RATE: _server_rate,
    Mode.THRESHOLDS: _server_thresholds,
    Mode.PERSISTENT: _server_persistent,
    Mode.TUNNELS: _server_tunnels,
    Mode.PLAIN: _server_plain,
}


def _tunnel_info(server: RealServer) -> str:
    if server.method is not ForwardingMethod.TUNNEL:
        return "n/a"
    tunnel = server.tunnel
    if tunnel.type is TunnelType.GUE:
        return f"gue:{tunnel.port}:{CHECKSUM_MARKS[tunnel.checksum]}"
    if tunnel.type is TunnelType.GRE:
        return f"gre:{CHECKSUM_MARKS[tunnel.checksum]}"
    return "ipip"
