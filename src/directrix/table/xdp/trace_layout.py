"""What a trace and the data plane tell each other, in bytes: `bpf/trace.h`, stated once more.

A test holds every size and offset here against the BTF of the compiled object.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from socket import htons, ntohs

from directrix.lvs import Address
from directrix.lvs.mark import Network
from directrix.lvs.tcp import TcpFlags
from directrix.table.trace import MOST_NETWORKS, MOST_SNAP, Filter, Traced
from directrix.table.xdp import layout
from directrix.table.xdp.clock import Ticks
from directrix.table.xdp.connections import state_name
from directrix.table.xdp.keys import address_bytes, address_from, key_bytes, key_from
from directrix.table.xdp.layout import Record
from directrix.table.xdp.layout import _record as record
from directrix.table.xdp.verdicts import VERDICTS

NETWORK = record("trace_network", "address:16s mask:16s family:I pad:I", align=4)

FILTER = record(
    "trace_filter",
    f"network:{MOST_NETWORKS * NETWORK.size}s service:20s server:16s server_port:H server_family:B "
    "by_service:B by_mark:B protocol:B port:H verdicts:I only_new:I snap:I interval:Q burst:Q",
)

STATE = record("trace_state", "until:I pad:I full:Q skipped:Q lost:Q")

EVENT = record(
    "trace_event",
    "time:Q skipped:Q lost:Q id:Q address:32s server_address:16s service:20s ifindex:I length:I frame:I captured:I "
    "out:I expires:I server_port:H before:H after:H verdict:B hook:B tcp_flags:B has_server:B has_service:B is_new:B "
    "by_template:B pad:7s",
    aligned={"pad": 1},
)

HOOKS = ("xdp", "tc", "tc behind xdp", "tc ip")
_RAW = 3
_NO_CONNECTION = 0xFFFF
_SECOND = 1_000_000_000


def filter_bytes(wanted: Filter, rate: int, snap: int) -> bytes:
    """struct trace_filter.

    Args:
        wanted: which packets.
        rate: most of them a second; as many may come at once as in a tenth of that.
        snap: bytes of each to show.
    """
    shared = memoryview(bytearray(FILTER.size))
    for place, network in enumerate(wanted.networks):
        start = FILTER.offsets["network"] + place * NETWORK.size
        shared[start : start + NETWORK.size] = _network(network)
    if wanted.service is not None:
        FILTER.pack_into(
            shared, 0, service=key_bytes(wanted.service), by_service=1, by_mark=int(wanted.service.fwmark > 0)
        )
    if wanted.server is not None:
        address, port = wanted.server
        FILTER.pack_into(
            shared, 0, server=address_bytes(address), server_port=htons(port), server_family=address.version
        )
    interval = _SECOND // rate
    FILTER.pack_into(
        shared,
        0,
        protocol=wanted.protocol,
        port=htons(wanted.port),
        verdicts=sum(1 << number for number, verdict in enumerate(VERDICTS) if wanted.wants(verdict.name)),
        only_new=int(wanted.only_new),
        snap=min(snap, MOST_SNAP),
        interval=interval,
        burst=max(_SECOND // 10, interval),
    )
    return bytes(shared)


def _network(network: Network) -> bytes:
    """Address, mask, family."""
    address, mask = (part.packed.ljust(16, b"\0") for part in (network.network_address, network.netmask))
    return NETWORK.whole.pack(address, mask, network.version, 0)


def event_from(data: bytes, ticks: Ticks, since: int, names: Callable[[int], str]) -> Traced:
    """An event as it came out of the ring.

    Args:
        data: struct trace_event and the bytes of the frame behind it.
        ticks: the table's.
        since: ns since 1970 when the monotonic clock was 0.
        names: gives the name of a device by its ifindex.
    """
    raw = EVENT.whole.unpack_from(data)
    told = dict(zip(EVENT.offsets, raw, strict=True))
    client_port, port, protocol, family, _ = _ID.whole.unpack(told["id"].to_bytes(8, "little"))
    source, target = _addresses(family, told["address"])
    key = key_from(told["service"]) if told["has_service"] else None
    after = told["after"]
    return Traced(
        time=since + told["time"],
        verdict=VERDICTS[told["verdict"]].name,
        hook=HOOKS[told["hook"]],
        interface=names(told["ifindex"]),
        protocol=protocol,
        source=source,
        source_port=ntohs(client_port),
        target=target,
        target_port=ntohs(port),
        tcp_flags=TcpFlags(told["tcp_flags"] & _FLAGS),
        length=told["length"],
        service=key,
        server=_server(told["has_server"], told["server_address"], told["server_port"]),
        before=_state(protocol, told["before"]),
        after=_state(protocol, after),
        expires=max(ticks.until(told["expires"], 0), 0.0) if after != _NO_CONNECTION else 0.0,
        new=bool(told["is_new"]),
        by_template=bool(told["by_template"]),
        out=names(told["out"]) if told["out"] else "",
        frame=data[EVENT.size : EVENT.size + told["captured"]],
        frame_length=told["frame"],
        raw=told["hook"] == _RAW,
    )


_ID: Record = record("id", "client_port:H port:H protocol:B family:B kind:H")
_FLAGS = TcpFlags.FIN | TcpFlags.SYN | TcpFlags.RST | TcpFlags.ACK


def _state(protocol: int, status: int) -> str:
    """The name of the state in a connection's status; empty if there is no connection."""
    return "" if status == _NO_CONNECTION else state_name(protocol, status & layout.STATE_MASK)


def _server(family: int, packed: bytes, port: int) -> tuple[Address, int] | None:
    return (address_from(packed, family), ntohs(port)) if family else None


def _addresses(family: int, packed: bytes) -> tuple[Address | None, Address | None]:
    if family == 4:
        return ip_address(packed[:4]), ip_address(packed[4:8])
    if family == 6:
        return ip_address(packed[:16]), ip_address(packed[16:])
    return None, None
