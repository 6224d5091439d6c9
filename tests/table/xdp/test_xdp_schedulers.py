"""The sequences of real servers that IPVS was observed to give, through packets on the data plane.

Servers are added 1, 2, 3, …; the list they are walked in is newest first.
"""

from __future__ import annotations

import pytest
from data_plane import DNS, HTTP, HTTP6, DataPlane, number_of, service
from frames import ACK, FIN, TCP, UDP, packet

from directrix.lvs import RealServer, ServiceKey

pytestmark = pytest.mark.root


class Clients:
    """New connections, one client port after another."""

    def __init__(self, plane: DataPlane, key: ServiceKey, hook: str = "xdp") -> None:
        self._plane = plane
        self._key = key
        self._hook = hook
        self._port = 2000

    def connect(self, count: int = 1, *, close: bool = False) -> str:
        """The servers they get, as digits; `-` for none. `close`: each ends before the next begins."""
        got = []
        assert self._key.address is not None
        protocol = int(self._key.protocol or 0)
        for _ in range(count):
            self._port += 1
            before = self._counts()
            self._send(packet(protocol, self._key.address, self._key.port, self._port))
            after = self._counts()
            got.append(next((str(n) for n in after if after[n] != before.get(n, 0)), "-"))
            if close:
                self._send(packet(TCP, self._key.address, self._key.port, self._port, FIN | ACK))
        return "".join(got)

    def _send(self, frame: bytes) -> None:
        getattr(self._plane, self._hook)(frame)

    def _counts(self) -> dict[int, int]:
        state = self._plane.table.service(self._key)
        return {number_of(s.server.address): s.counters.connections for s in state.servers}


SEQUENCES = [
    ("rr", (1, 1, 1), "3213213"),
    ("rr", (1, 0, 1), "31313"),
    ("rr", (5, 1, 9), "321321"),
    ("rr", (0, 0), "--"),
    ("rr", (1,), "111"),
    ("wrr", (1, 2, 3), "3213323213323"),
    ("wrr", (3, 2, 1), "3211213211213"),
    ("wrr", (4, 3, 2), "321121321" * 2),
    ("wrr", (2, 4, 6), "3213323213323"),
    ("wrr", (1, 0, 3), "31333133"),
    ("wrr", (5, 1, 1), "3211111" * 2),
    ("wrr", (0, 0, 0), "---"),
    ("wrr", (10, 20), "212" * 5),
    ("wrr", (7,), "1111"),
    ("lc", (1, 1, 1), "3213213"),
    ("lc", (1, 5, 9), "321321"),
    ("lc", (1, 0, 1), "3131"),
    ("lc", (0,), "-"),
    ("wlc", (1, 2, 3), "3213233213233"),
    ("wlc", (0, 2, 3), "323233"),
    ("wlc", (1, 1), "2121"),
    ("wlc", (0, 0), "--"),
]


@pytest.mark.parametrize("key", [HTTP, HTTP6, DNS], ids=str)
@pytest.mark.parametrize("hook", ["xdp", "tc"])
@pytest.mark.parametrize(("scheduler", "weights", "sequence"), SEQUENCES)
def test_clients_that_stay_get_ipvss_sequence(
    plane: DataPlane, scheduler: str, weights: tuple[int, ...], sequence: str, hook: str, key: ServiceKey
) -> None:
    plane.serve(key, *weights, scheduler=scheduler)
    assert Clients(plane, key, hook).connect(len(sequence)) == sequence


@pytest.mark.parametrize(
    ("scheduler", "weights", "sequence"),
    [("wlc", (1, 2, 3), "321323" * 2 + "3"), ("lc", (1, 1, 1), "3213213"), ("rr", (1, 1, 1), "321321")],
)
def test_clients_that_leave_at_once_get_the_same(
    plane: DataPlane, scheduler: str, weights: tuple[int, ...], sequence: str
) -> None:
    plane.serve(HTTP, *weights, scheduler=scheduler)
    assert Clients(plane, HTTP).connect(len(sequence), close=True) == sequence


def test_lc_prefers_the_fewest_inactive_connections_where_active_ones_tie(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, 1, scheduler="lc")
    clients = Clients(plane, HTTP)
    assert clients.connect(7, close=True) == "3213213"
    assert clients.connect(7) == "2132132"


def test_rr_steps_back_when_its_server_leaves_and_takes_a_new_one_at_the_head(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, 1)
    clients = Clients(plane, HTTP)
    assert clients.connect(7) == "3213213"
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 2).address, 80)
    assert clients.connect(5) == "13131"
    plane.add(HTTP, 2)
    assert clients.connect(6) == "231231"


@pytest.mark.parametrize(
    ("before", "gone", "after"), [("3", 3, "2121"), ("32", 2, "1313"), ("321", 1, "3232"), ("", 3, "2121")]
)
def test_rr_after_the_server_it_stands_on_is_removed(plane: DataPlane, before: str, gone: int, after: str) -> None:
    plane.serve(HTTP, 1, 1, 1)
    clients = Clients(plane, HTTP)
    assert clients.connect(len(before)) == before
    plane.table.delete_server(HTTP, plane.real_server(HTTP, gone).address, 80)
    assert clients.connect(len(after)) == after


def test_wrr_starts_its_lap_over_when_a_weight_changes(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, 1, scheduler="wrr")
    clients = Clients(plane, HTTP)
    assert clients.connect() == "3"
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 3))
    assert clients.connect(11) == "32111" * 2 + "3"


def test_wrr_goes_on_with_what_is_left_after_a_removal(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 2, 3, scheduler="wrr")
    clients = Clients(plane, HTTP)
    assert clients.connect(3) == "321"
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 3).address, 80)
    got = clients.connect(9)
    assert (got.count("2"), got.count("1")) == (6, 3)


@pytest.mark.parametrize(("scheduler", "rest"), [("rr", "212121"), ("wrr", "212121"), ("lc", "212121")])
def test_an_overloaded_server_is_left_out(plane: DataPlane, scheduler: str, rest: str) -> None:
    plane.serve(HTTP, 1, 1, scheduler=scheduler)
    plane.add(HTTP, 3, 1, upper=1)
    clients = Clients(plane, HTTP)
    assert clients.connect() == "3"
    assert clients.connect(6) == rest


def test_wrr_goes_on_level_by_level_without_an_overloaded_server(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 2, scheduler="wrr")
    plane.add(HTTP, 3, 90, upper=2)
    clients = Clients(plane, HTTP)
    got = clients.connect(30)
    assert got.count("3") == 2
    assert got.count("2") in (18, 19)
    assert set(got) == {"1", "2", "3"}


def test_all_overloaded_is_nobody(plane: DataPlane) -> None:
    plane.serve(HTTP, scheduler="wrr")
    for number in (1, 2):
        plane.add(HTTP, number, number, upper=1)
    assert Clients(plane, HTTP).connect(4) == "21--"


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc"])
def test_weight_zero_is_left_out_until_it_has_weight_again(plane: DataPlane, scheduler: str) -> None:
    plane.serve(HTTP, 1, 1, scheduler=scheduler)
    clients = Clients(plane, HTTP)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 0))
    assert clients.connect(3) == "111"
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 0))
    assert clients.connect(2) == "--"
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 2, 1))
    assert clients.connect(2) == "22"


def test_weights_as_large_as_they_get_do_not_overflow(plane: DataPlane) -> None:
    plane.serve(HTTP, 0x7FFFFFFF, 0x7FFFFFFE, scheduler="wlc")
    assert Clients(plane, HTTP).connect(6) == "211212"


def test_wrr_with_weights_as_large_as_they_get(plane: DataPlane) -> None:
    plane.serve(HTTP, 0x7FFFFFFF, 1, scheduler="wrr")
    assert Clients(plane, HTTP).connect(5) == "21111"


def test_another_scheduler_starts_afresh_and_the_same_one_goes_on(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, 1, 1)
    clients = Clients(plane, HTTP)
    assert clients.connect(1) == "3"
    plane.table.edit_service(service(HTTP, "rr", persistence=0, netmask=0xFFFFFF00))
    assert clients.connect(1) == "2"
    plane.table.edit_service(service(HTTP, "wrr"))
    assert clients.connect(2) == "32"
    plane.table.edit_service(service(HTTP, "rr"))
    assert clients.connect(3) == "321"


def test_a_service_without_scheduler_has_nobody(plane: DataPlane) -> None:
    plane.serve(HTTP, 1, scheduler="none")
    assert Clients(plane, HTTP).connect(2) == "--"


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc"])
@pytest.mark.parametrize("count", [15, 16, 17, 100, 1000])
def test_sets_of_any_size_are_walked_to_their_end(plane: DataPlane, scheduler: str, count: int) -> None:
    """Around the number of entries in a unit, and many: with equal weights every server gets one of a lap."""
    from ipaddress import ip_address

    plane.table.add_service(service(DNS, scheduler, one_packet=scheduler in ("rr", "wrr")))
    plane.table.begin()
    for number in range(count):
        plane.table.add_server(DNS, RealServer(ip_address("10.9.0.0") + number, 53, weight=2))
    plane.table.commit()
    lap = min(count, 400)
    for _ in range(2):
        for port in range(lap):
            plane.tc(packet(UDP, DNS.address, 53, 1024 + port + 1000 * _))  # type: ignore[arg-type]
    states = plane.table.service(DNS).servers
    got = [state.counters.connections for state in states]
    if lap == count:
        assert got == [2] * count
    else:
        assert got == [1] * (2 * lap) + [0] * (count - 2 * lap)
    assert [int(s.server.address) & 0xFFFF for s in states] == list(range(count))[::-1]
