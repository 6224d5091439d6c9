"""All of it together: servers live and die, an engine checks them, a pool decides, and a table follows at once."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

from served import run, serving, silent

from directrix.checks.actions import Action, Add, Remove, ServerKey, SetWeight
from directrix.checks.agent_check import AgentCheck, AgentChecker
from directrix.checks.engine import Engine, Report
from directrix.checks.outcome import Outcome
from directrix.checks.pool import Pool
from directrix.checks.pool_values import CheckerSettings, PoolSettings, ServerSettings, SorryServer
from directrix.checks.settings import Target, Timing
from directrix.checks.tcp_check import TcpCheck, TcpChecker
from directrix.lvs.server import RealServer
from directrix.lvs.service import Protocol, ServiceKey, VirtualService
from directrix.table.memory import MemoryTable

VIP = ServiceKey.of(Protocol.TCP, IPv4Address("10.0.0.100"), 80)
NAMES = ("a", "b")
KEYS: dict[str, ServerKey] = {name: (IPv4Address(f"10.0.0.{number}"), 80) for number, name in enumerate(NAMES, 1)}
SORRY: ServerKey = (IPv4Address("10.0.0.99"), 80)
TIMING = Timing(delay_loop=0.05, delay_before_retry=0.01, retry=1, warmup=0.0, alpha=True)


class Director:
    """The least that a daemon does: what the engine reports goes to the pool, what the pool wants to the table."""

    def __init__(self) -> None:
        self.table = MemoryTable()
        self.table.add_service(VirtualService(VIP, "rr"))
        checkers = (CheckerSettings("tcp", alpha=True), CheckerSettings("agent"))
        servers = tuple(ServerSettings(key, 10, checkers=checkers) for key in KEYS.values())
        self.pool = Pool(PoolSettings(servers, quorum=5, sorry=SorryServer(SORRY)))
        self.engine = Engine(self.hear)
        self.latest = 0.0
        self.do(self.pool.start(0.0))

    def hear(self, report: Report) -> None:
        assert isinstance(report.name, tuple)
        server, checker = report.name
        if report.verdict is not None:
            found = report.result.outcome
            now = asyncio.get_running_loop().time()
            self.do(
                self.pool.report(
                    KEYS[server], checker, report.verdict, now, weight=found.weight, standing=found.standing
                )
            )

    def do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Add((address, port), weight):
                    self.table.add_server(VIP, RealServer(address, port, weight=weight))
                case Remove(key):
                    self.table.delete_server(VIP, *key)
                case SetWeight((address, port), weight):
                    self.table.edit_server(VIP, RealServer(address, port, weight=weight))

    @property
    def standing(self) -> dict[str, int]:
        names = {key: name for name, key in KEYS.items()} | {SORRY: "sorry"}
        return {names[entry.server.key]: entry.server.weight for entry in self.table.service(VIP).servers}

    async def until(self, **wanted: int) -> None:
        while self.standing != wanted:
            await asyncio.sleep(0.002)


def test_servers_that_die_heal_and_weigh_themselves_are_followed() -> None:
    said = {"a": b"100%\n", "b": b"100%\n"}

    def agent(name: str) -> object:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said[name])
            await writer.drain()

        return handle

    async def story() -> None:
        director = Director()
        assert director.standing == {"sorry": 1}
        async with serving(agent("a")) as agent_a, serving(agent("b")) as agent_b, serving(silent) as service_b:  # type: ignore[arg-type]
            for name, where in (("a", agent_a), ("b", agent_b)):
                director.engine.add((name, "agent"), AgentChecker(AgentCheck(where, server_weight=10)), TIMING)
            async with serving(silent) as service_a:
                for name, target in (("a", service_a), ("b", service_b)):
                    director.engine.add((name, "tcp"), TcpChecker(TcpCheck(target)), TIMING)
                await director.until(a=10, b=10)
                said["b"] = b"drain\n"
                await director.until(a=10, b=0)
                said["a"] = b"150% # plenty of room\n"
                await director.until(a=15, b=0)
            # Drained, b's connections go on beside the sorry server.
            await director.until(b=0, sorry=1)
            said["b"] = b"ready 60%\n"
            await director.until(b=6)
            last: Target = service_a
            again = await asyncio.start_server(silent, str(last.address), last.port, reuse_address=True)
            await director.until(a=15, b=6)
            again.close()
        await director.engine.close()

    run(story())


def test_what_a_check_finds_is_in_the_table_before_anything_else_happens() -> None:
    """So the way from knowing to the table is as short as the table's own: no turn of the loop lies between."""
    turned: list[str] = []

    class Watched(TcpChecker):
        async def attempt(self, item: int) -> Outcome:
            outcome = await super().attempt(item)
            turned.clear()
            asyncio.get_running_loop().call_soon(turned.append, "another turn")
            return outcome

    class Watching(Director):
        def hear(self, report: Report) -> None:
            super().hear(report)
            assert turned == []
            assert ("a" in self.standing) == report.result.outcome.ok

    async def story() -> None:
        director = Watching()
        async with serving(silent) as target:
            director.engine.add(("a", "tcp"), Watched(TcpCheck(target)), TIMING)
            await director.until(a=10)
        await director.until(sorry=1)
        assert director.engine.history(("a", "tcp")).attempts >= 2
        await director.engine.close()

    run(story())
