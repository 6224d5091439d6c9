"""A virtual service on a memory table, and clients that send to it: what the memory tests speak in."""

from __future__ import annotations

from ipaddress import IPv4Address

from directrix.lvs import (
    Address,
    Connection,
    Protocol,
    RealServer,
    ServerState,
    ServiceKey,
    VirtualService,
    parse_address,
)
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import MemoryTable, Packet, Verdict

VIP = parse_address("10.0.0.1")
CLIENT = parse_address("10.0.0.100")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
DNS = ServiceKey.of(Protocol.UDP, VIP, 53)

_FLAGS = {"S": TcpFlags.SYN, "A": TcpFlags.ACK, "F": TcpFlags.FIN, "R": TcpFlags.RST}


def real(number: int) -> Address:
    """The address of the real server with this number."""
    return IPv4Address("10.0.0.10") + number


class Cluster:
    """A table with a clock, one service to start with, and clients.

    Real servers are numbered from 1 and have the service's port.
    """

    def __init__(self, service: VirtualService, *weights: int) -> None:
        self.table = MemoryTable()
        self.key = service.key
        self.now = 0.0
        self.table.add_service(service)
        for number, weight in enumerate(weights, start=1):
            self.add(number, weight)

    def server(self, number: int, weight: int = 1, upper: int = 0, lower: int = 0) -> RealServer:
        return RealServer(real(number), self.key.port, weight=weight, upper_threshold=upper, lower_threshold=lower)

    def add(self, number: int, weight: int = 1, upper: int = 0, lower: int = 0) -> None:
        self.table.add_server(self.key, self.server(number, weight, upper, lower))

    def edit(self, number: int, weight: int = 1, upper: int = 0, lower: int = 0) -> None:
        self.table.edit_server(self.key, self.server(number, weight, upper, lower))

    def remove(self, number: int) -> None:
        self.table.delete_server(self.key, real(number), self.key.port)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.table.expire(self.now)

    def verdict(
        self,
        client_port: int,
        flags: str = "S",
        *,
        port: int | None = None,
        client: Address = CLIENT,
        virtual: Address = VIP,
        protocol: Protocol | None = None,
        fwmark: int = 0,
        length: int = 40,
    ) -> Verdict:
        """What becomes of a packet to the service, its flags given as letters of S, A, F and R."""
        combined = TcpFlags.NONE
        for letter in flags:
            combined |= _FLAGS[letter]
        packet = Packet(
            protocol or self.key.protocol or Protocol.TCP,
            client,
            client_port,
            virtual,
            self.key.port if port is None else port,
            combined,
            length,
            fwmark,
        )
        return self.table.packet(packet, self.now)

    def send(self, client_port: int, *flags: str, port: int | None = None, client: Address = CLIENT) -> int | str:
        """Send packets, one for each word of flags; the number of the last one's server, or its verdict's name."""
        for word in flags or ("S",):
            verdict = self.verdict(client_port, word, port=port, client=client)
        if verdict.server is None:
            return str(verdict.name)
        return int(verdict.server.address) - int(real(0))

    def connection(self, client_port: int) -> Connection | None:
        """The live connection from this port of a client."""
        found = [c for c in self.table.connections() if c.client_port == client_port]
        return found[0] if found else None

    def state(self, number: int) -> ServerState:
        return next(s for s in self.table.service(self.key).servers if s.server.address == real(number))

    def counts(self, number: int) -> tuple[int, int]:
        """Active and inactive connections of a real server."""
        state = self.state(number)
        return state.active, state.inactive
