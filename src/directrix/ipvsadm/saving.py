"""Saving a table: the command lines that make it anew (`-S`). Thresholds are not saved."""

from __future__ import annotations

from collections.abc import Sequence

from directrix.ipvsadm.listing import written_netmask
from directrix.ipvsadm.sorting import sorted_servers, sorted_services
from directrix.ipvsadm.tunnels import CHECKSUM_OPTIONS
from directrix.ipvsadm.writing import EndpointWriter, signed
from directrix.lvs import (
    Family,
    ForwardingMethod,
    Protocol,
    RealServer,
    ServiceKey,
    ServiceState,
    TunnelType,
    VirtualService,
)
from directrix.lvs.flags import flag_names

_PROTOCOLS = {Protocol.TCP: "-t", Protocol.UDP: "-u", Protocol.SCTP: "--sctp-service"}
_METHODS = {
    ForwardingMethod.MASQUERADE: "-m",
    ForwardingMethod.LOCAL: "-g",
    ForwardingMethod.TUNNEL: "-i",
    ForwardingMethod.DIRECT: "-g",
}


def save(states: Sequence[ServiceState], endpoints: EndpointWriter) -> str:
    """The lines for all services and their real servers, sorted as listings are."""
    lines = []
    for state in sorted_services(states):
        key = state.service.key
        name = _service_name(key, endpoints)
        lines.append(f"-A {name}{_service_options(state.service)}\n")
        for server_state in sorted_servers(state.servers):
            server = server_state.server
            endpoint = endpoints.write(server.address, server.port, key.protocol)
            lines.append(f"-a {name} -r {endpoint} {_METHODS[server.method]} -w {server.weight}{_tunnel(server)}\n")
    return "".join(lines)


def _service_name(key: ServiceKey, endpoints: EndpointWriter) -> str:
    if key.protocol is None or key.address is None:
        return f"-f {signed(key.fwmark)}" + (" -6" if key.family is Family.INET6 else "")
    return f"{_PROTOCOLS[key.protocol]} {endpoints.write(key.address, key.port, key.protocol)}"


def _service_options(service: VirtualService) -> str:
    text = f" -s {service.scheduler}"
    if service.persistence:
        mask = written_netmask(service)
        text += f" -p {service.persistence}" + (f" -M {mask}" if mask else "")
    if service.engine:
        text += f" --pe {service.engine}"
    if service.one_packet:
        text += " -o"
    flags = flag_names(service)
    return text + (f" -b {','.join(flags)}" if flags else "")


def _tunnel(server: RealServer) -> str:
    if server.method is not ForwardingMethod.TUNNEL:
        return ""
    tunnel = server.tunnel
    text = f" --tun-type {tunnel.type.name.lower()}"
    if tunnel.type is TunnelType.GUE:
        text += f" --tun-port {tunnel.port}"
    return text if tunnel.type is TunnelType.IPIP else f"{text} {CHECKSUM_OPTIONS[tunnel.checksum]}"
