"""Checks, pools and the table together: what is in the table, what stays as it is, and what outlives the director."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from director_making import KEY, NAME, PLAIN, SORRY, A, B, service, setup

from directrix.checks.actions import TellQuorum, TellServer
from directrix.director.balancer import Balancer, NoSuchServer
from directrix.director.memory import Belief, Memory, Remembered
from directrix.director.orders import Kind, Order
from directrix.director.refusal import Refused
from directrix.director.setup import Setup
from directrix.director.telling import line
from directrix.director.told import Told
from directrix.lvs import Address, RealServer, ServiceKey, VirtualService
from directrix.table.memory import MemoryTable

OTHER = ServiceKey.mark(9)


class Recording(MemoryTable):
    """A table that remembers what was done to it, and can be full."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []

    def add_service(self, service: VirtualService) -> None:
        self.done.append(f"add {service.key}")
        super().add_service(service)

    def delete_service(self, key: ServiceKey) -> None:
        self.done.append(f"delete {key}")
        super().delete_service(key)

    def edit_service(self, service: VirtualService) -> None:
        self.done.append(f"edit {service.key}")
        super().edit_service(service)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        self.done.append(f"add {server.address} {server.weight}")
        super().add_server(key, server)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        self.done.append(f"edit {server.address} {server.weight}")
        super().edit_server(key, server)

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        self.done.append(f"delete {address}")
        super().delete_server(key, address, port)


def standing(table: MemoryTable, key: ServiceKey = KEY) -> dict[Address, int]:
    return {entry.server.address: entry.server.weight for entry in table.service(key).servers}


def file_checked(tmp_path: Path, *, weight: int = 1, more: str = "") -> str:
    """Two servers; the first is out while a file says anything but 0."""
    return f"track_file down {{ file {tmp_path / 'down'}\n }}\n" + service(
        f"10.0.0.1 80 {{ weight {weight}\n FILE_CHECK {{ track_file down\n weight 0\n }} }}",
        f"10.0.0.2 80 {{ weight {weight}\n }}",
        more=more,
    )


def weight(number: int) -> Order:
    return Order(Kind.WEIGHT, 0.0, number)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


def run(story: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(story())  # type: ignore[arg-type]


def balancer(table: MemoryTable, told: list[Told] | None = None, memory: Memory | None = None, **how: bool) -> Balancer:
    return Balancer(table, (told if told is not None else []).append, memory, **how)


def test_what_was_there_and_is_wanted_is_not_touched_at_the_start() -> None:
    async def story() -> None:
        table = Recording()
        table.add_service(VirtualService(KEY, "rr"))
        table.add_server(KEY, RealServer(A, 80, weight=1))
        table.add_server(KEY, RealServer(SORRY, 80))
        table.add_service(VirtualService(OTHER))
        table.done.clear()
        made = balancer(table)
        made.start(setup(PLAIN))
        assert table.done == ["add 10.0.0.2 2", "delete 10.0.0.9", f"delete {OTHER}"]
        await made.stop()
        assert table.services() == []

    run(story)


def test_services_of_others_stay_from_the_start_to_the_end_if_asked() -> None:
    async def story() -> None:
        table = MemoryTable()
        table.add_service(VirtualService(OTHER))
        made = balancer(table, keep_others=True)
        made.start(setup(PLAIN + service("10.0.0.1 80 { weight 1\n }", head="192.0.2.2 80")))
        await made.reload(setup(PLAIN))
        assert {state.service.key for state in table.services()} == {KEY, OTHER}
        await made.stop()
        assert {state.service.key for state in table.services()} == {OTHER}

    run(story)


def test_a_reload_changes_only_what_differs() -> None:
    async def story() -> None:
        table = Recording()
        made = balancer(table)
        made.start(setup(PLAIN))
        table.done.clear()
        await made.reload(setup(PLAIN))
        assert table.done == []
        await made.reload(setup(PLAIN.replace("weight 2", "weight 5").replace("lvs_sched rr", "lvs_sched wrr")))
        assert table.done == [f"edit {KEY}", "edit 10.0.0.2 5"]
        await made.stop()

    run(story)


def test_a_check_that_stays_goes_on_over_a_reload_and_one_that_changes_keeps_its_belief(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("1")

    async def story() -> None:
        table = MemoryTable()
        made = balancer(table)
        made.start(setup(file_checked(tmp_path)))
        name = (NAME, (A, 80), "FILE_CHECK")
        await until(lambda: made.checks.history(name).attempts)
        assert set(standing(table)) == {B}
        await made.reload(setup(file_checked(tmp_path, weight=3)))
        assert standing(table) == {B: 3}
        assert made.checks.history(name).attempts == 1
        (tmp_path / "down").write_text("0")
        await until(lambda: standing(table) == {A: 3, B: 3})
        await made.stop()

    run(story)


def test_a_file_s_change_is_in_the_table_within_50_ms_of_being_known(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")

    async def story() -> None:
        table = Recording()
        took: list[float] = []
        made = Balancer(
            table,
            lambda told: None,
            checked=lambda checked: took.append(time.time() - checked.report.result.at),
        )
        made.start(setup(file_checked(tmp_path)))
        for number in range(1, 6):
            (tmp_path / "down").write_text(str(number % 2))
            await until(lambda number=number: (A in standing(table)) == (number % 2 == 0))  # type: ignore[misc]
        assert len(took) >= 5
        assert min(took) >= 0
        assert sorted(took)[len(took) // 2] < 0.05
        await made.stop()

    run(story)


def test_what_was_found_before_a_crash_is_heeded_after_it(tmp_path: Path) -> None:
    checked = service(
        "10.0.0.1 80 { TCP_CHECK { connect_timeout 1\n warmup 60\n } }", "10.0.0.2 80 { weight 1\n }", more="warmup 60"
    )

    async def story() -> None:
        memory = Memory(tmp_path / "memory.json")
        memory.keep(
            Remembered(
                frozenset({KEY, OTHER}),
                {(NAME, "10.0.0.1:80", "TCP_CHECK"): Belief(False)},
                {(NAME, "10.0.0.2:80"): weight(7), (NAME, "10.0.0.77:80"): weight(1)},
            )
        )
        table = MemoryTable()
        table.add_service(VirtualService(OTHER))
        made = balancer(table, memory=memory, keep_others=True)
        made.start(setup(checked))
        assert standing(table) == {B: 7}
        assert made.orders == {(NAME, (B, 80)): weight(7)}
        assert [state.service.key for state in table.services()] == [KEY]
        await made.stop()
        assert memory.recall() == Remembered()

    run(story)


def test_what_happens_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("1")

    async def story() -> None:
        memory = Memory(tmp_path / "memory.json")
        made = balancer(MemoryTable(), memory=memory)
        made.start(setup(file_checked(tmp_path)))
        drain = Order(Kind.DRAIN, 12.5, seconds=600.0, expire=True)
        made.order((NAME, (B, 80)), drain)
        await until(lambda: memory.recall().orders and memory.recall().beliefs)
        found = memory.recall()
        assert found.orders == {(NAME, "10.0.0.2:80"): drain}
        assert found.beliefs[NAME, "10.0.0.1:80", "FILE_CHECK"].up is False
        assert found.services == {KEY}
        await made.stop()

    run(story)


def test_a_memory_that_makes_no_sense_is_not_heeded(tmp_path: Path) -> None:
    for text in ("", "[]", '{"version": 2}', '{"version": 9}', '{"version": 2, "services": [[1]]}'):
        (tmp_path / "memory.json").write_text(text)
        assert Memory(tmp_path / "memory.json").recall() == Remembered()


def test_a_table_that_somebody_else_changed_is_put_right(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")

    async def story() -> None:
        table = MemoryTable()
        made = balancer(table)
        made.start(setup(file_checked(tmp_path)))
        table.flush()
        (tmp_path / "down").write_text("1")
        await until(lambda: any(state.service.key == KEY for state in table.services()))
        assert standing(table) == {B: 1}
        await made.stop()

    run(story)


def test_what_the_table_refuses_is_tried_again(tmp_path: Path) -> None:
    from directrix.lvs.errors import TableError

    (tmp_path / "down").write_text("0")

    class Full(MemoryTable):
        full = False

        def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
            if self.full:
                raise TableError(errno.ENOMEM)
            super().delete_server(key, address, port)

    async def story() -> None:
        table = Full()
        made = balancer(table)
        made.start(setup(file_checked(tmp_path)))
        table.full = True
        (tmp_path / "down").write_text("1")
        await until(lambda: made.in_force.astray)
        assert standing(table) == {A: 1, B: 1}
        table.full = False
        await until(lambda: not made.in_force.astray)
        assert standing(table) == {B: 1}
        await made.stop()

    run(story)


def test_a_reload_that_the_table_refuses_halfway_is_made_whole_later(tmp_path: Path) -> None:
    from directrix.lvs.errors import TableError

    (tmp_path / "down").write_text("0")

    class Full(MemoryTable):
        full = False

        def add_server(self, key: ServiceKey, server: RealServer) -> None:
            if self.full:
                raise TableError(errno.ENOMEM)
            super().add_server(key, server)

    async def story() -> None:
        table = Full()
        made = balancer(table)
        made.start(setup(file_checked(tmp_path)))
        table.full = True
        third = "10.0.0.2 80 { weight 1\n }\nreal_server 10.0.0.3 80 { weight 1\n }"
        with pytest.raises(TableError):
            await made.reload(setup(file_checked(tmp_path).replace("10.0.0.2 80 { weight 1\n }", third)))
        assert standing(table) == {A: 1, B: 1}
        # What a check finds meanwhile takes nothing else away.
        (tmp_path / "down").write_text("1")
        await until(lambda: A not in standing(table))
        assert standing(table) == {B: 1}
        table.full = False
        await until(lambda: not made.in_force.astray)
        assert standing(table) == {B: 1, B + 1: 1}
        await made.stop()

    run(story)


def test_the_operator_s_weight_counts_until_it_is_given_back(tmp_path: Path) -> None:
    async def story() -> None:
        table = MemoryTable()
        made = balancer(table)
        made.start(setup(PLAIN))
        made.order((NAME, (A, 80)), weight(0))
        assert standing(table) == {A: 0, B: 2}
        await made.reload(setup(PLAIN.replace("weight 1", "weight 6")))
        assert standing(table) == {A: 0, B: 2}
        made.order((NAME, (A, 80)), None)
        assert standing(table) == {A: 6, B: 2}
        for name in ((NAME, (SORRY, 80)), ("TCP 192.0.2.7:80", (A, 80))):
            with pytest.raises(NoSuchServer):
                made.order(name, weight(1))
        with pytest.raises(ValueError, match="weight"):
            made.order((NAME, (A, 80)), weight(-1))
        assert not made.orders
        await made.stop()

    run(story)


def test_a_checker_that_can_t_be_made_refuses_start_and_reload_and_nothing_changes() -> None:
    broken = service('10.0.0.1 80 { SSL_GET { url { path /\n regex "(" \n } } }')

    async def story() -> None:
        table = Recording()
        with pytest.raises(Refused, match="SSL_GET"):
            balancer(table).start(setup(broken))
        assert table.done == []
        made = balancer(table)
        made.start(setup(PLAIN))
        table.done.clear()
        with pytest.raises(Refused):
            await made.reload(setup(broken))
        assert table.done == []
        assert made.setup.virtuals[NAME].settings.scheduler == "rr"
        await made.stop()

    run(story)


def test_the_sorry_server_comes_before_the_last_real_server_goes_and_goes_after_the_first_one_is_back(
    tmp_path: Path,
) -> None:
    (tmp_path / "down").write_text("0")
    checked = f"track_file down {{ file {tmp_path / 'down'}\n }}\n" + service(
        "10.0.0.1 80 { FILE_CHECK { track_file down\n weight 0\n } }", more="sorry_server 10.0.0.9 80"
    )

    async def story() -> None:
        table = Recording()
        made = balancer(table)
        made.start(setup(checked))
        table.done.clear()
        (tmp_path / "down").write_text("1")
        await until(lambda: set(standing(table)) == {SORRY})
        (tmp_path / "down").write_text("0")
        await until(lambda: set(standing(table)) == {A})
        assert table.done == ["add 10.0.0.9 1", "delete 10.0.0.1", "add 10.0.0.1 1", "delete 10.0.0.9"]
        await made.stop()

    run(story)


def test_the_sorry_server_may_be_one_of_the_real_servers(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")
    text = file_checked(tmp_path, weight=4, more="quorum 8\nsorry_server 10.0.0.2 80")

    async def story() -> None:
        table = MemoryTable()
        made = balancer(table)
        made.start(setup(text))
        assert standing(table) == {A: 4, B: 4}
        (tmp_path / "down").write_text("1")
        await until(lambda: standing(table) == {B: 1})
        (tmp_path / "down").write_text("0")
        await until(lambda: standing(table) == {A: 4, B: 4})
        await made.stop()

    run(story)


def test_a_disk_that_is_full_costs_the_memory_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = Memory(tmp_path / "away" / "memory.json")
    for _ in range(3):
        memory.keep(Remembered(frozenset({KEY})))
    assert caplog.text.count("can't be remembered") == 1
    (tmp_path / "away").mkdir()
    memory.keep(Remembered(frozenset({KEY})))
    assert memory.recall().services == {KEY}


def test_others_are_told_after_the_table_has_followed_in_keepalived_s_words(tmp_path: Path) -> None:
    (tmp_path / "down").write_text("0")

    async def story() -> None:
        table = MemoryTable()
        lines: list[tuple[str, set[Address]]] = []

        def hear(told: Told) -> None:
            lines.append((line(told.virtual, told.action), set(standing(table))))
            assert isinstance(told.action, TellServer | TellQuorum)

        made = Balancer(table, hear)
        made.start(setup(file_checked(tmp_path, more="quorum 2")))
        (tmp_path / "down").write_text("1")
        await until(lambda: len(lines) == 3)
        vip = "[192.0.2.1]:tcp:80"
        assert lines == [
            (f"VS {vip} UP\n", {A, B}),
            (f"RS [10.0.0.1]:tcp:80 {vip} DOWN\n", {B}),
            (f"VS {vip} DOWN\n", {B}),
        ]
        await made.stop()

    run(story)


def test_checks_with_ha_suspend_rest_while_the_address_is_away() -> None:
    text = service(
        "10.255.255.254 80 { MISC_CHECK { misc_path /bin/true\n delay_loop 0.02\n warmup 0\n } }", more="ha_suspend"
    )

    async def story() -> None:
        made = balancer(MemoryTable())
        wanted: Setup = setup("global_defs { script_user root\n}\n" + text)
        made.start(wanted)
        ((name, _),) = [(name, None) for name in made.checks.engine.names]
        made.suspend(lambda virtual: True)
        await until(lambda: made.checks.engine.under_way == 0)
        await asyncio.sleep(0.1)
        before = made.checks.history(name).attempts
        await asyncio.sleep(0.2)
        assert made.checks.history(name).attempts == before
        made.suspend(lambda virtual: False)
        await until(lambda: made.checks.history(name).attempts > before)
        await made.stop()

    run(story)


def test_checks_that_a_reload_has_just_ended_neither_rest_nor_go_on() -> None:
    def checked(*hosts: str) -> str:
        check = "MISC_CHECK { misc_path /bin/true\n delay_loop 3600\n }"
        servers = (f"10.255.255.{host} 80 {{ {check if host in hosts else ''} }}" for host in ("1", "2", "3"))
        return "global_defs { script_user root\n}\n" + service(*servers, more="ha_suspend")

    async def story() -> None:
        made = balancer(MemoryTable())
        made.start(setup(checked("1", "2", "3")))
        remove = made.checks.engine.remove

        async def remove_and_look(name: object) -> None:
            await remove(name)
            made.suspend(lambda virtual: True)

        made.checks.engine.remove = remove_and_look  # type: ignore[method-assign]
        await made.reload(setup(checked("3")))
        [name] = made.checks.engine.names
        assert made.checks._resting == {name: True}
        made.suspend(lambda virtual: False)
        assert made.checks._resting == {name: False}
        await made.stop()

    run(story)
