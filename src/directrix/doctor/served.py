"""What a cluster serves: virtual services and the real servers behind them, as checks see them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from directrix.lvs import (
    Address,
    ForwardingMethod,
    MarkRule,
    Protocol,
    ServiceKey,
    ServiceState,
    Tunnel,
    VirtualService,
)
from directrix.lvs.addresses import endpoint
from directrix.lvs.budget_words import service_words

_PLAIN = Tunnel()


@dataclass(frozen=True, slots=True)
class Server:
    """A real server of a service, as the director's table has it."""

    address: Address
    port: int
    method: ForwardingMethod
    weight: int
    tunnel: Tunnel = _PLAIN
    upper_threshold: int = 0
    lower_threshold: int = 0

    @property
    def key(self) -> tuple[Address, int]:
        """Address and port."""
        return (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Service:
    """What clients connect to, and the real servers behind it; those are known on a director alone.

    `key` is that of the table's service: another one where a firewall mark leads to it. `definition` is the service as
    the table has it; None where it is not known.
    """

    protocol: Protocol
    vip: Address
    port: int
    key: ServiceKey
    servers: tuple[Server, ...] = ()
    definition: VirtualService | None = None

    @property
    def destination(self) -> str:
        """VIP and port, as everywhere."""
        return endpoint(self.vip, self.port)

    @property
    def option(self) -> str:
        """What names it to ipvsadm."""
        return service_words(self.key)

    def __str__(self) -> str:
        return f"{self.protocol.name} {self.destination}"


def services_of(states: Iterable[ServiceState], marks: Sequence[MarkRule]) -> tuple[Service, ...]:
    """The services that a table's state stands for, in its order.

    A firewall-mark service is one for each destination with one address and one port that a rule
    marks for it; others have no packet that could be tried.
    """
    found = []
    for state in states:
        key = state.service.key
        servers = tuple(
            Server(
                known.address,
                known.port,
                known.method,
                known.weight,
                known.tunnel,
                known.upper_threshold,
                known.lower_threshold,
            )
            for known in (each.server for each in reversed(state.servers))
        )
        if key.protocol is not None and key.address is not None:
            found.append(Service(key.protocol, key.address, key.port, key, servers, state.service))
            continue
        for rule in marks:
            match = rule.match
            if rule.service == key and match.network.num_addresses == 1 and match.first_port == match.last_port:
                protocol = match.protocol or Protocol.TCP
                destination = match.network.network_address, match.first_port
                found.append(Service(protocol, *destination, key, servers, state.service))
    return tuple(found)


def parse_service(text: str) -> Service:
    """A service as a person names it: `VIP:PORT`, `[VIP]:PORT`, with `tcp:` or `udp:` before it.

    Raises:
        ValueError: it is none; says what is wrong.
    """
    before, colon, rest = text.partition(":")
    protocol = Protocol.TCP
    if colon and before.upper() in Protocol.__members__:
        protocol, text = Protocol[before.upper()], rest
    address, colon, port = text.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    try:
        vip = ipaddress.ip_address(address[1:-1] if bracketed else address)
        number = int(port)
    except ValueError:
        vip, number = ipaddress.IPv4Address(0), 0
    if not 0 < number < 65536 or vip.is_unspecified or bracketed != (vip.version == 6):
        raise ValueError(f"{text!r} is no service; write 10.0.0.100:80 or [fd00::100]:80, for UDP udp:10.0.0.100:53")
    return Service(protocol, vip, number, ServiceKey.of(protocol, vip, number))
