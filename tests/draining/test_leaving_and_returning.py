"""Drains and admissions over a memory table, with a clock that jumps."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from directrix.draining.course import Progress, Stage
from directrix.draining.leaving import Leaver
from directrix.draining.remembering import Weights, still_meant
from directrix.draining.returning import OtherWeight, admit, target_weight
from directrix.lvs import (
    Address,
    Protocol,
    RealServer,
    ServiceKey,
    TableError,
    VirtualService,
    parse_address,
)
from directrix.lvs.errors import UnknownToIpvs
from directrix.lvs.tcp import TcpFlags
from directrix.table.memory import MemoryTable, Packet

VIP, CLIENT = parse_address("10.0.0.1"), parse_address("192.0.2.9")
HTTP = ServiceKey.of(Protocol.TCP, VIP, 80)
MARK = ServiceKey.mark(5)
RIP, OTHER = parse_address("10.0.0.11"), parse_address("10.0.0.12")


class IpvsLike(MemoryTable):
    """A table that can do what the kernel's IPVS can, and no more."""

    def count_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        raise UnknownToIpvs("this")

    def forget_clients(self, key: ServiceKey, address: Address, port: int) -> None:
        raise UnknownToIpvs("this")


class World:
    """A table, a clock, and what happens at which time."""

    def __init__(self, path: Path, key: ServiceKey = HTTP, persistence: int = 0, table: MemoryTable | None = None):
        self.table = table or MemoryTable()
        self.key = key
        self.table.add_service(VirtualService(key, "rr", persistence=persistence))
        self.table.add_server(key, RealServer(RIP, key.port, weight=10))
        self.weights = Weights(path / "weights.json")
        self.leaver = Leaver(self.table, self.weights, key, RIP, key.port)
        self.now = 0.0
        self.happening: dict[float, Callable[[], object]] = {}
        self.told: list[Progress] = []

    def weigh(self, weight: int) -> None:
        self.table.edit_server(self.key, replace(self.server, weight=weight))

    @property
    def server(self) -> RealServer:
        return next(s.server for s in self.table.service(self.key).servers if s.server.address == RIP)

    def send(self, port: int, flags: TcpFlags = TcpFlags.SYN, protocol: Protocol = Protocol.TCP) -> Address | str:
        packet = Packet(protocol, CLIENT, port, VIP, 80, flags, 40, self.key.fwmark)
        verdict = self.table.packet(packet, self.now)
        return verdict.server.address if verdict.server else str(verdict.name)

    def sleep(self, seconds: float) -> None:
        end = self.now + max(seconds, 1e-6)
        for at in sorted(self.happening):
            if at <= end:
                self.now = max(at, self.now)
                self.happening.pop(at)()
        self.now = end
        self.table.expire(end)

    def watch(self, deadline: float | None = None) -> Progress:
        return self.leaver.watch(deadline, self.told.append, lambda: self.now, self.sleep)

    def admit(self, target: int, over: float) -> list[tuple[int, float]]:
        steps: list[tuple[int, float]] = []
        admit(
            self.table,
            self.weights,
            self.key,
            RIP,
            self.key.port,
            target=target,
            over=over,
            tell=lambda weight, elapsed: steps.append((weight, elapsed)),
            clock=lambda: self.now,
            sleep=self.sleep,
        )
        return steps


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_drain_lasts_until_the_last_connection_has_ended(world: World) -> None:
    world.send(1)
    world.send(2)
    world.leaver.quiesce()
    last = world.watch()
    assert (last.stage, last.seen.left) == (Stage.DRAINED, 0)
    assert 60 <= last.elapsed <= 61
    assert world.told[0].seen.by_protocol == {"tcp": 2}
    assert world.server.weight == 0


def test_a_server_without_connections_is_drained_at_once(world: World) -> None:
    world.leaver.quiesce()
    assert world.watch().elapsed == 0


def test_the_deadline_is_kept_to_the_moment(world: World) -> None:
    world.send(1)
    world.leaver.quiesce()
    last = world.watch(2.5)
    assert (last.stage, last.elapsed) == (Stage.TIME_UP, 2.5)
    assert world.leaver.connections.end() == 1
    assert world.watch().stage is Stage.DRAINED


def test_only_the_weight_changes_and_undo_brings_it_back(world: World) -> None:
    before = replace(world.server, upper_threshold=9, lower_threshold=3)
    world.table.edit_server(HTTP, before)
    world.leaver.quiesce()
    assert world.server == replace(before, weight=0)
    assert world.leaver.undo() == 10
    assert world.server == before
    assert world.weights.all() == []


def test_draining_twice_remembers_the_first_weight(world: World) -> None:
    for _ in range(2):
        world.leaver.quiesce()
    assert world.leaver.undo() == 10


def test_undo_leaves_a_weight_alone_that_somebody_else_has_given_since(world: World) -> None:
    world.leaver.quiesce()
    assert [entry.weight for entry in still_meant(world.weights.all(), world.table.services())] == [10]
    world.table.edit_server(HTTP, replace(world.server, weight=9))
    assert still_meant(world.weights.all(), world.table.services()) == []
    with pytest.raises(TableError, match="is not drained"):
        world.leaver.undo()
    assert world.server.weight == 9
    assert world.weights.all() == []


def test_what_is_remembered_of_a_server_that_has_gone_is_not_told(world: World) -> None:
    world.leaver.quiesce()
    world.table.delete_service(HTTP)
    assert still_meant(world.weights.all(), world.table.services()) == []


def test_undo_without_a_drain_is_refused(world: World) -> None:
    with pytest.raises(TableError, match="is not drained") as caught:
        world.leaver.undo()
    assert caught.value.errno == errno.ENOENT
    assert world.server.weight == 10


def test_a_server_that_is_not_there_is_refused_and_nothing_remembered(world: World) -> None:
    with pytest.raises(TableError):
        Leaver(world.table, world.weights, HTTP, OTHER, 80).quiesce()
    assert world.weights.all() == []


def test_a_refused_edit_leaves_nothing_remembered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(key: ServiceKey, server: RealServer) -> None:
        raise TableError(errno.EIO)

    monkeypatch.setattr(world.table, "edit_server", refuse)
    with pytest.raises(TableError):
        world.leaver.quiesce()
    assert world.weights.all() == []


@pytest.mark.parametrize(("weight", "stage"), [(3, Stage.REWEIGHTED), (None, Stage.REMOVED)])
def test_a_drain_ends_when_somebody_else_decides(world: World, weight: int | None, stage: Stage) -> None:
    world.send(1)
    world.leaver.quiesce()
    world.happening[5.5] = lambda: world.table.delete_server(HTTP, RIP, 80) if weight is None else world.weigh(weight)
    assert world.watch().stage is stage
    assert world.now == 6


def test_a_client_that_persistence_kept_there_goes_elsewhere(tmp_path: Path) -> None:
    world = World(tmp_path, persistence=300)
    assert world.send(1) == RIP
    world.send(1, TcpFlags.ACK)
    world.table.add_server(HTTP, RealServer(OTHER, 80))
    world.leaver.quiesce()
    assert world.send(2) == RIP
    assert world.leaver.connections.release_clients()
    assert world.send(3) == OTHER
    assert world.send(1, TcpFlags.ACK) == RIP


def test_over_ipvs_persistence_and_ending_are_told_of(tmp_path: Path) -> None:
    world = World(tmp_path, persistence=300, table=IpvsLike())
    world.send(1)
    with pytest.raises(UnknownToIpvs):
        world.leaver.connections.check_ending()
    world.leaver.quiesce()
    assert not world.leaver.connections.release_clients()
    world.table.set_sysctls({"expire_quiescent_template": 1})
    assert world.leaver.connections.release_clients()
    assert world.watch().stage is Stage.DRAINED


def test_protocols_of_a_mark_service_are_told_apart_and_udp_can_go_at_once(tmp_path: Path) -> None:
    world = World(tmp_path, MARK)
    world.send(1)
    for port in (1, 2):
        world.send(port, TcpFlags.NONE, Protocol.UDP)
    world.leaver.quiesce()
    world.watch(0)
    assert world.told[-1].seen.by_protocol == {"tcp": 1, "udp": 2}
    assert world.leaver.connections.end(Protocol.UDP) == 2
    world.watch(0)
    assert world.told[-1].seen.by_protocol == {"tcp": 1}


def test_a_weight_grows_to_what_it_was(world: World) -> None:
    world.leaver.quiesce()
    target = target_weight(world.table, world.weights, HTTP, RIP, 80)
    steps = world.admit(target, 30)
    assert steps[0] == (1, 0)
    assert steps[-1] == (10, 30)
    assert [weight for weight, _ in steps] == sorted(weight for weight, _ in steps)
    assert world.server.weight == 10
    assert world.weights.all() == []


def test_without_a_time_it_is_admitted_at_once(world: World) -> None:
    world.leaver.quiesce()
    assert world.admit(10, 0) == [(10, 0)]


def test_a_weight_above_the_target_is_set_at_once(world: World) -> None:
    assert world.admit(4, 30) == [(4, 0)]
    assert world.server.weight == 4


def test_a_weight_that_nobody_knows_has_to_be_said(world: World) -> None:
    world.weigh(0)
    with pytest.raises(TableError, match="--weight"):
        target_weight(world.table, world.weights, HTTP, RIP, 80)


def test_a_weight_set_by_somebody_else_meanwhile_stays(world: World) -> None:
    world.weigh(0)
    world.happening[10.5] = lambda: world.weigh(77)
    with pytest.raises(OtherWeight):
        world.admit(100, 30)
    assert world.server.weight == 77


def test_a_server_drained_on_its_way_up_has_its_whole_weight_back_at_undo(world: World) -> None:
    world.leaver.quiesce()
    world.happening[15.5] = world.leaver.quiesce
    with pytest.raises(OtherWeight):
        world.admit(10, 30)
    assert world.server.weight == 0
    assert world.leaver.undo() == 10


def test_who_names_a_server_at_another_port_is_told_with_which_it_is_there(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(TableError, match=r"no real server 10\.0\.0\.11:81; at that address it has 10\.0\.0\.11:80$"):
        replace(world.leaver, port=81).quiesce()
    with pytest.raises(TableError, match=r"no real server 10\.0\.0\.12:80$"):
        replace(world.leaver, address=OTHER).quiesce()
