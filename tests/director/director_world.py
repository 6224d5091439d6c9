"""For tests of the director: a balancer over a memory table, with orders, clients, and what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from director_making import KEY, PLAIN, VIP, Here, setup

from directrix.checks.actions import TellServer
from directrix.director.balancer import Balancer
from directrix.director.memory import Memory
from directrix.director.ordering import Ordering
from directrix.director.told import Told
from directrix.director.virtual import ServerName
from directrix.lvs import Address, Protocol, parse_address
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import MemoryTable, Packet

CLIENT = parse_address("203.0.113.9")


class World:
    """A balancer over a memory table, its orders, and what was said of them."""

    def __init__(self, table: MemoryTable, configuration: str = PLAIN, memory: Memory | None = None) -> None:
        self.table = table
        self.said: list[tuple[str, ServerName, Mapping[str, object]]] = []
        self.told: list[Told] = []
        self.balancer = Balancer(table, self.told.append, memory, noted=lambda *what: self.said.append(what))
        self.balancer.start(setup(configuration))
        self.orders = self.made()

    def made(self) -> Ordering:
        return Ordering(self.balancer, Here(self.table), lambda *what: self.said.append(what))

    async def reload(self, configuration: str) -> None:
        await self.balancer.reload(setup(configuration))
        self.orders.resume()

    async def stop_hard(self, memory: Memory) -> None:
        """As if it was killed: the table stays, and what is remembered."""
        await self.orders.close()
        known = self.balancer._to_remember()
        self.balancer.in_force.table = MemoryTable()  # what it does as it stops is done to nobody
        await self.balancer.stop()
        memory.keep(known)

    @property
    def turned(self) -> list[tuple[Address, bool]]:
        """Who was told of as up or down, oldest first."""
        told = [one.action for one in self.told]
        return [(action.server[0], action.up) for action in told if isinstance(action, TellServer)]

    @property
    def weights(self) -> dict[Address, int]:
        return {entry.server.address: entry.server.weight for entry in self.table.service(KEY).servers}

    def connect(self, port: int, flags: TcpFlags = TcpFlags.SYN) -> Address | None:
        verdict = self.table.packet(Packet(Protocol.TCP, CLIENT, port, VIP, 80, flags, 40, 0), 0.0)
        return verdict.server.address if verdict.server else None

    def left_at(self, address: Address) -> int:
        return sum(
            one.active + one.inactive for one in self.table.service(KEY).servers if one.server.address == address
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                await asyncio.sleep(0.002)


def play(
    story: Callable[[World], Awaitable[None]],
    table: MemoryTable | None = None,
    configuration: str = PLAIN,
    memory: Memory | None = None,
) -> None:
    async def played() -> None:
        world = World(table or MemoryTable(), configuration, memory)
        try:
            await story(world)
        finally:
            await world.orders.close()
            await world.balancer.stop()

    asyncio.run(played())
