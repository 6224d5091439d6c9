"""What holds in the memory table whatever is done to it, in whatever order."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from memory_cluster import HTTP, Cluster, real

from directrix.lvs import ConnectionFlags, VirtualService
from directrix.lvs.tcp import TcpState
from directrix.scheduling import ALGORITHMS

NUMBERS = st.integers(1, 4)
PORTS = st.integers(1024, 1031)


class AnyHistory(RuleBasedStateMachine):
    """Control commands, packets and time, one service, up to four real servers."""

    @initialize(
        scheduler=st.sampled_from(sorted(ALGORITHMS)),
        persistence=st.sampled_from([0, 0, 5, 200]),
    )
    def make(self, scheduler: str, persistence: int) -> None:
        self.service = VirtualService(HTTP, scheduler, persistence=persistence)
        self.cluster = Cluster(self.service, 1)

    def members(self) -> dict[int, int]:
        """The weight of each real server by its number."""
        state = self.cluster.table.service(HTTP)
        return {int(s.server.address) - int(real(0)): s.server.weight for s in state.servers}

    @rule(number=NUMBERS, weight=st.integers(0, 3), upper=st.integers(0, 4))
    def define(self, number: int, weight: int, upper: int) -> None:
        if number in self.members():
            self.cluster.edit(number, weight, upper)
        else:
            self.cluster.add(number, weight, upper)

    @rule(number=NUMBERS)
    def remove(self, number: int) -> None:
        if number in self.members():
            self.cluster.remove(number)

    @rule()
    def make_anew(self) -> None:
        self.cluster.table.flush()
        self.cluster.table.add_service(self.service)

    @rule(seconds=st.sampled_from([0.5, 3, 11, 61, 119, 500, 1000]))
    def wait(self, seconds: float) -> None:
        self.cluster.wait(seconds)

    @rule(port=PORTS, flags=st.sampled_from(["S", "S", "A", "F", "R"]))
    def send(self, port: int, flags: str) -> None:
        before = self.cluster.connection(port)
        templates = any(c.virtual_port == 80 for c in self.templates())
        result = self.cluster.send(port, flags)
        after = self.cluster.connection(port)
        over = before is not None and before.state in ("CLOSE", "TIME_WAIT") and flags == "S"
        if isinstance(result, str):
            assert result in ("no_server", "no_connection", "server_gone")
            return
        assert after is not None
        assert after.server == real(result)
        assert result in self.members()
        if before is not None and not over:
            assert after.server == before.server
        elif not templates:
            assert self.members()[result] > 0

    def templates(self) -> list:
        return [c for c in self.cluster.table.connections() if c.flags & ConnectionFlags.TEMPLATE]

    @invariant()
    def counts_are_those_of_the_live_connections(self) -> None:
        listed = list(self.cluster.table.connections())
        by_kind: Counter[tuple[object, str]] = Counter()
        for connection in listed:
            if connection.flags & ConnectionFlags.TEMPLATE:
                kind = "persistent"
            else:
                kind = "active" if TcpState[connection.state].active else "inactive"
                assert (kind == "inactive") == bool(connection.flags & ConnectionFlags.INACTIVE)
            by_kind[connection.server, kind] += 1
        for state in self.cluster.table.service(HTTP).servers:
            for kind in ("active", "inactive", "persistent"):
                assert getattr(state, kind) == by_kind[state.server.address, kind]

    @invariant()
    def nothing_outlives_its_time(self) -> None:
        assert all(0 <= connection.expires <= 900 for connection in self.cluster.table.connections())

    @invariant()
    def a_client_port_has_one_connection(self) -> None:
        ports = Counter(c.client_port for c in self.cluster.table.connections() if c.client_port)
        assert all(count == 1 for count in ports.values())

    def teardown(self) -> None:
        self.cluster.wait(2000)
        assert list(self.cluster.table.connections()) == []
        for state in self.cluster.table.service(HTTP).servers:
            assert (state.active, state.inactive, state.persistent) == (0, 0, 0)


AnyHistory.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, derandomize=True)
TestAnyHistory = AnyHistory.TestCase
