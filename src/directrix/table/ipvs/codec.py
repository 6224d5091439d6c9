"""Between values and the attributes of IPVS's netlink family; bytes in, values out, no socket.

Each `encode_` gives attributes to be put into a request, each `decode_` takes those of an answer.
An address always takes sixteen bytes, the last twelve zero if it is an IPv4 one. A netmask is
four bytes: of IPv4 the mask itself, of IPv6 the prefix length in the machine's byte order.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from directrix.lvs import (
    Address,
    Counters,
    Family,
    ForwardingMethod,
    Protocol,
    Rates,
    RealServer,
    SchedulerFlags,
    ServerState,
    ServiceKey,
    ServiceState,
    Timeouts,
    Tunnel,
    TunnelFlags,
    TunnelType,
    VirtualService,
)
from directrix.lvs.addresses import family_of
from directrix.lvs.daemon import DaemonRole, SyncDaemon
from directrix.system.netlink import (
    Attributes,
    Malformed,
    attribute,
    attributes,
    nest,
    network_number,
    number,
    read_number,
    read_text,
    text,
)
from directrix.table.ipvs.family import Daemon, Dest, Info, Service, ServiceFlag, Stats, Top

E = TypeVar("E", bound=IntEnum)

_FLAGS = struct.Struct("=II")
_SCHEDULER_FLAGS = SchedulerFlags.FLAG_1 | SchedulerFlags.FLAG_2 | SchedulerFlags.FLAG_3
_FORWARDING = 0x7
"""The bits of a forwarding method within a connection's flags."""
_ADDRESS_SIZE = 16
_LONGEST_SCHEDULER, _LONGEST_ENGINE = 15, 16

_TOTALS = (Stats.CONNS, Stats.INPKTS, Stats.OUTPKTS, Stats.INBYTES, Stats.OUTBYTES)
_RATES = (Stats.CPS, Stats.INPPS, Stats.OUTPPS, Stats.INBPS, Stats.OUTBPS)

# -- requests


def encode_key(key: ServiceKey) -> bytes:
    """The service a request is about."""
    return nest(Top.SERVICE, _key(key))


def encode_service(service: VirtualService) -> bytes:
    """A service to be added or edited.

    Raises:
        OverflowError: a number does not fit into its attribute.
    """
    flags = int(service.scheduler_flags)
    if service.persistence:
        flags |= ServiceFlag.PERSISTENT
    if service.one_packet:
        flags |= ServiceFlag.ONEPACKET
    mask = network_number if service.key.family is Family.INET else number
    return nest(
        Top.SERVICE,
        _key(service.key)
        # A name too long for netlink is cut, so that IPVS itself says, at its place among the checks,
        # that there is none.
        + text(Service.SCHED_NAME, service.scheduler[:_LONGEST_SCHEDULER])
        + (text(Service.PE_NAME, service.engine[:_LONGEST_ENGINE]) if service.engine else b"")
        # The flags, and which of them are to be set or cleared.
        + attribute(Service.FLAGS, _FLAGS.pack(flags, 0xFFFFFFFF))
        + number(Service.TIMEOUT, service.persistence, 4)
        + mask(Service.NETMASK, service.netmask, 4),
    )


def encode_server_key(address: Address, port: int) -> bytes:
    """The real server a request is about."""
    return nest(Top.DEST, _server_key(address, port))


def encode_server(server: RealServer) -> bytes:
    """A real server to be added or edited.

    Raises:
        OverflowError: a number does not fit into its attribute.
    """
    tunnel = server.tunnel
    return nest(
        Top.DEST,
        _server_key(server.address, server.port)
        + number(Dest.FWD_METHOD, server.method, 4)
        + number(Dest.WEIGHT, server.weight, 4)
        + number(Dest.TUN_TYPE, tunnel.type, 1)
        + network_number(Dest.TUN_PORT, tunnel.port, 2)
        + number(Dest.TUN_FLAGS, tunnel.flags, 2)
        + number(Dest.U_THRESH, server.upper_threshold, 4)
        + number(Dest.L_THRESH, server.lower_threshold, 4),
    )


def encode_timeouts(timeouts: Timeouts) -> bytes:
    """Timeouts to be set; a 0 keeps the one in force.

    Raises:
        OverflowError: a timeout does not fit into its attribute.
    """
    return (
        number(Top.TIMEOUT_TCP, timeouts.tcp, 4)
        + number(Top.TIMEOUT_TCP_FIN, timeouts.tcp_fin, 4)
        + number(Top.TIMEOUT_UDP, timeouts.udp, 4)
    )


def encode_daemon(daemon: SyncDaemon) -> bytes:
    """A daemon to be started. What it leaves to IPVS is not sent.

    Raises:
        OverflowError: a number does not fit into its attribute.
    """
    content = (
        number(Daemon.STATE, daemon.role, 4)
        + text(Daemon.MCAST_IFN, daemon.interface)
        + number(Daemon.SYNC_ID, daemon.sync_id, 4)
    )
    if daemon.max_length:
        content += number(Daemon.SYNC_MAXLEN, daemon.max_length, 2)
    if daemon.group is not None:
        kind = Daemon.MCAST_GROUP if daemon.group.version == 4 else Daemon.MCAST_GROUP6
        content += attribute(kind, daemon.group.packed)
    if daemon.port:
        content += number(Daemon.MCAST_PORT, daemon.port, 2)
    if daemon.ttl:
        content += number(Daemon.MCAST_TTL, daemon.ttl, 1)
    return nest(Top.DAEMON, content)


def encode_role(role: DaemonRole) -> bytes:
    """The daemon to be stopped."""
    return nest(Top.DAEMON, number(Daemon.STATE, role, 4))


def _key(key: ServiceKey) -> bytes:
    family = number(Service.AF, key.family, 2)
    if key.protocol is None or key.address is None:
        return family + number(Service.FWMARK, key.fwmark, 4)
    return (
        family
        + number(Service.PROTOCOL, key.protocol, 2)
        + attribute(Service.ADDR, key.address.packed.ljust(_ADDRESS_SIZE, b"\0"))
        + network_number(Service.PORT, key.port, 2)
    )


def _server_key(address: Address, port: int) -> bytes:
    return (
        number(Dest.ADDR_FAMILY, family_of(address), 2)
        + attribute(Dest.ADDR, address.packed.ljust(_ADDRESS_SIZE, b"\0"))
        + network_number(Dest.PORT, port, 2)
    )


# -- answers


def decode_service(top: Attributes) -> ServiceState:
    """A service with its counts, without its real servers.

    Raises:
        Malformed: IPVS is not known to answer so.
    """
    found = attributes(_need(top, Top.SERVICE))
    family = _one_of(Family, read_number(_need(found, Service.AF)))
    flags = read_number(_need(found, Service.FLAGS)[:4])
    mask = _need(found, Service.NETMASK)
    service = VirtualService(
        _decode_key(family, found),
        read_text(_need(found, Service.SCHED_NAME)),
        SchedulerFlags(flags & _SCHEDULER_FLAGS),
        read_number(_need(found, Service.TIMEOUT)) if flags & ServiceFlag.PERSISTENT else 0,
        int.from_bytes(mask, "big") if family is Family.INET else read_number(mask),
        bool(flags & ServiceFlag.ONEPACKET),
        read_text(found.get(Service.PE_NAME, b"")),
    )
    counters, rates = _decode_counts(found, Service.STATS64, Service.STATS)
    return ServiceState(service, (), counters, rates)


def decode_server(top: Attributes, family: Family) -> ServerState:
    """A real server with its counts; `family` is its service's, which kernels before 3.18 don't repeat.

    Raises:
        Malformed: IPVS is not known to answer so.
    """
    found = attributes(_need(top, Top.DEST))
    if Dest.ADDR_FAMILY in found:
        family = _one_of(Family, read_number(found[Dest.ADDR_FAMILY]))
    tunnel = Tunnel(
        _one_of(TunnelType, read_number(found.get(Dest.TUN_TYPE, b""))),
        int.from_bytes(found.get(Dest.TUN_PORT, b""), "big"),
        TunnelFlags(read_number(found.get(Dest.TUN_FLAGS, b""))),
    )
    server = RealServer(
        _address(family, _need(found, Dest.ADDR)),
        int.from_bytes(_need(found, Dest.PORT), "big"),
        _one_of(ForwardingMethod, read_number(_need(found, Dest.FWD_METHOD)) & _FORWARDING),
        read_number(_need(found, Dest.WEIGHT)),
        read_number(_need(found, Dest.U_THRESH)),
        read_number(_need(found, Dest.L_THRESH)),
        tunnel,
    )
    counters, rates = _decode_counts(found, Dest.STATS64, Dest.STATS)
    return ServerState(
        server,
        read_number(_need(found, Dest.ACTIVE_CONNS)),
        read_number(_need(found, Dest.INACT_CONNS)),
        read_number(_need(found, Dest.PERSIST_CONNS)),
        counters,
        rates,
    )


def decode_timeouts(top: Attributes) -> Timeouts:
    """The timeouts in force; 0 for a protocol that this kernel's IPVS was built without."""
    return Timeouts(
        *(read_number(top.get(kind, b"")) for kind in (Top.TIMEOUT_TCP, Top.TIMEOUT_TCP_FIN, Top.TIMEOUT_UDP))
    )


def decode_daemon(top: Attributes) -> SyncDaemon:
    """A daemon that is running. What kernels before 4.3 don't tell has its default of `SyncDaemon`.

    Raises:
        Malformed: IPVS is not known to answer so.
    """
    found = attributes(_need(top, Top.DAEMON))
    group: Address | None = None
    if Daemon.MCAST_GROUP in found:
        group = _address(Family.INET, found[Daemon.MCAST_GROUP])
    elif Daemon.MCAST_GROUP6 in found:
        group = _address(Family.INET6, found[Daemon.MCAST_GROUP6])
    return SyncDaemon(
        _one_of(DaemonRole, read_number(_need(found, Daemon.STATE))),
        read_text(_need(found, Daemon.MCAST_IFN)),
        read_number(_need(found, Daemon.SYNC_ID)),
        read_number(found.get(Daemon.SYNC_MAXLEN, b"")),
        group,
        read_number(found.get(Daemon.MCAST_PORT, b"")),
        read_number(found.get(Daemon.MCAST_TTL, b"")),
    )


def decode_info(top: Attributes) -> tuple[tuple[int, int, int], int]:
    """Version of IPVS, and the number of chains in its connection table.

    Raises:
        Malformed: IPVS is not known to answer so.
    """
    version = read_number(_need(top, Info.VERSION))
    return (version >> 16, version >> 8 & 0xFF, version & 0xFF), read_number(_need(top, Info.CONN_TAB_SIZE))


def _decode_key(family: Family, found: Attributes) -> ServiceKey:
    if Service.FWMARK in found:
        return ServiceKey.mark(read_number(found[Service.FWMARK]), family)
    protocol = _one_of(Protocol, read_number(_need(found, Service.PROTOCOL)))
    address = _address(family, _need(found, Service.ADDR))
    return ServiceKey(family, protocol, address, int.from_bytes(_need(found, Service.PORT), "big"))


def _decode_counts(found: Attributes, wide: int, narrow: int) -> tuple[Counters, Rates]:
    """From the 64-bit numbers, or from the 32-bit ones that kernels before 4.1 have alone."""
    stats = attributes(found[wide] if wide in found else _need(found, narrow))
    return (
        Counters(*(read_number(stats.get(kind, b"")) for kind in _TOTALS)),
        Rates(*(read_number(stats.get(kind, b"")) for kind in _RATES)),
    )


def _need(found: Attributes, kind: int) -> bytes:
    try:
        return found[kind]
    except KeyError:
        raise Malformed(f"an answer of IPVS lacks its attribute {kind!r}") from None


def _one_of(kind: type[E], value: int) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise Malformed(f"an answer of IPVS has what is not known here: {error}") from None


def _address(family: Family, value: bytes) -> Address:
    try:
        return IPv4Address(value[:4]) if family is Family.INET else IPv6Address(value)
    except ValueError as error:
        raise Malformed(str(error)) from None
