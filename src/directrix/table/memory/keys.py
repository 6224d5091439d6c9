"""What packets, services and templates are found by."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from directrix.lvs import Address, Family, ServiceKey
from directrix.table.memory.connections import Key
from directrix.table.memory.packet import Packet, Reply

FTP = 21


def connection_key(packet: Packet) -> Key:
    """The key of the connection that a client's packet belongs to."""
    return Key(packet.protocol, packet.client, packet.client_port, packet.virtual, packet.virtual_port)


def reply_key(packet: Reply) -> Key:
    """What a masqueraded connection is found by when its real server answers: that in the place of the service."""
    return Key(packet.protocol, packet.client, packet.client_port, packet.server, packet.server_port)


def service_key(packet: Packet, port: int) -> ServiceKey:
    """The key of a service on this port of the packet's destination."""
    return ServiceKey(packet.family, packet.protocol, packet.virtual, port)


def template_key(service: ServiceKey, netmask: int, packet: Packet) -> Key:
    """Which template serves a packet. One for all ports where the service takes more than one."""
    client = _network(packet.client, netmask)
    if service.fwmark and packet.virtual_port:
        return Key(0, client, 0, _mark_as_address(service.fwmark, packet.family), 0)
    port = service.port if service.port == packet.virtual_port != FTP else 0
    return Key(packet.protocol, client, 0, packet.virtual, port)


def _network(client: Address, netmask: int) -> Address:
    """The clients that count as one with this one: IPv4 by a mask, IPv6 by a prefix length."""
    if client.version == 4:
        return IPv4Address(int(client) & netmask)
    return IPv6Address(int(client) >> (128 - netmask) << (128 - netmask))


def _mark_as_address(fwmark: int, family: Family) -> Address:
    """A firewall mark where IPVS writes it in a template: in the first four bytes of the address."""
    return IPv4Address(fwmark) if family is Family.INET else IPv6Address(fwmark << 96)
