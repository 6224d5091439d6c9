"""What IPVS tells as text only: its connections and totals, under /proc/net.

Addresses and ports are hexadecimal (IPv4 as one number), states by name, times in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs import Address, Connection, ConnectionFlags, Counters, Protocol, Rates
from directrix.lvs.tcp import ACTIVE

_PROTOCOLS = {"IP": 0, "ICMP": 1, "TCP": 6, "UDP": 17, "ICMPv6": 58, "SCTP": 132}
_OTHER_PROTOCOL = "IP_"

_TEMPLATE_STATES = ("NONE", "ASSURED")
_ACTIVE_STATES = {
    int(Protocol.TCP): frozenset(state.name for state in ACTIVE),
    int(Protocol.SCTP): frozenset({"ESTABLISHED"}),
}


def read_connections(lines: Iterable[bytes]) -> Iterator[Connection]:
    """The entries in the lines of `ip_vs_conn`, titles first.

    The file does not tell of an entry's flags; those are set that follow from port and state.

    Raises:
        ValueError: a line is no entry.
    """
    following = iter(lines)
    next(following, None)
    for line in following:
        yield _connection(line)


def read_totals(text: str) -> tuple[Counters, Rates]:
    """Counters and rates of the whole table, from `ip_vs_stats`.

    Raises:
        ValueError: it is no such text.
    """
    rows = [line.split() for line in text.splitlines()]
    if len(rows) < 6:
        raise ValueError(f"{len(rows)} lines where totals and rates need six")
    totals, rates = ([int(word, 16) for word in rows[number]] for number in (2, 5))
    return Counters(*totals), Rates(*rates)


def _connection(line: bytes) -> Connection:
    # Data of an engine is the client's own; what is no text in it must not stop a listing.
    fields = [field.decode(errors="backslashreplace") for field in line.split()]
    try:
        name, client, client_port, virtual, virtual_port, server, server_port, state, expires, *engine = fields
        protocol, port = _protocol(name), int(client_port, 16)
        return Connection(
            protocol,
            _address(client),
            port,
            _address(virtual),
            int(virtual_port, 16),
            _address(server),
            int(server_port, 16),
            state,
            int(expires),
            _flags(protocol, port, state),
            *engine[:2],
        )
    except (LookupError, ValueError):
        raise ValueError(f"no entry of IPVS: {line!r}") from None


def _protocol(name: str) -> int:
    if name.startswith(_OTHER_PROTOCOL):
        return int(name.removeprefix(_OTHER_PROTOCOL))
    return _PROTOCOLS[name]


def _address(text: str) -> Address:
    return IPv6Address(text) if ":" in text else IPv4Address(int(text, 16))


def _flags(protocol: int, client_port: int, state: str) -> ConnectionFlags:
    if client_port == 0 and state in _TEMPLATE_STATES:
        return ConnectionFlags.TEMPLATE
    flags = ConnectionFlags.NONE if client_port else ConnectionFlags.NO_CLIENT_PORT
    if state not in _ACTIVE_STATES.get(protocol, frozenset()):
        flags |= ConnectionFlags.INACTIVE
    return flags
