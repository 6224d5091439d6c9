"""What the sysctls do to packets and connections in the data plane."""

from __future__ import annotations

import pytest
from data_plane import DNS, HTTP, VIP, DataPlane, number_of
from frames import ACK, FIN, RST, SYN, TCP, UDP, packet
from hooks import HOOKS
from test_states import only_connection

from directrix.lvs import Counters, Rates
from directrix.lvs.sysctls import DEFAULTS, SYSCTLS, BadSysctl, Sysctl, SysctlValue
from directrix.table.xdp import layout, libbpf
from directrix.table.xdp.table import XdpTable

pytestmark = pytest.mark.root


def another(number: int, sysctl: Sysctl) -> SysctlValue:
    """A value that no other sysctl has, as far as it takes many."""
    if isinstance(sysctl.default, tuple):
        return (number, number + 1)
    return next(value for value in (number, 1 << number % 30, 3, 0) if sysctl.fits(value))


def test_every_sysctl_has_its_own_place_in_the_table(plane: DataPlane) -> None:
    wanted = {name: another(number, sysctl) for number, (name, sysctl) in enumerate(SYSCTLS.items(), 1000)}
    plane.table.set_sysctls(wanted)
    other = XdpTable(plane.place)
    assert other.sysctls() == wanted
    other.close()
    plane.table.set_sysctls(DEFAULTS)
    assert plane.table.sysctls() == dict(DEFAULTS)


@pytest.mark.parametrize(
    ("scheduler", "kept_in", "record"),
    [("lblc", "localities", layout.LOCALITY), ("lblcr", "replica_sets", layout.REPLICAS)],
)
@HOOKS
def test_locality_is_forgotten_after_its_own_schedulers_expiration(
    plane: DataPlane, scheduler: str, kept_in: str, record: layout.Record, hook: str
) -> None:
    plane.serve(DNS, 1, 1, scheduler=scheduler)
    epoch = layout.SERVICE.get(plane.maps.services.bytes, 0, "epoch")
    key = layout.LOCALITY_KEY.whole.pack(epoch, VIP.packed + bytes(12))
    ports = iter(range(1001, 1100))

    def chosen(unused: float) -> int:
        """The server of a new connection, as if the address had been unused for so many seconds."""
        value = memoryview(bytearray(libbpf.map_lookup(remembered, key, record.size)))
        record.pack_into(value, 0, used=plane.tick() - plane.ticks.from_seconds(unused) & 0xFFFFFFFF)
        libbpf.map_update(remembered, key, bytes(value))
        return send()

    def send() -> int:
        port = next(ports)
        getattr(plane, hook)(packet(UDP, VIP, 53, port))
        return next(number_of(c.server) for c in plane.table.connections() if c.client_port == port)

    remembered = plane.maps.descriptor(kept_in)
    assert send() == 2
    assert chosen(unused=86_000) == 2
    plane.table.set_sysctls({f"{scheduler}_expiration": 100, f"{other_of(scheduler)}_expiration": 1})
    assert chosen(unused=95) == 2
    assert chosen(unused=105) == 1
    assert chosen(unused=95) == 1


def other_of(scheduler: str) -> str:
    """lblc for lblcr, and the other way round."""
    return "lblc" if scheduler == "lblcr" else "lblcr"


def test_an_expiration_longer_than_ticks_count_is_as_long_as_they_do(plane: DataPlane) -> None:
    most = 21_474_836
    plane.table.set_sysctls({"lblc_expiration": most})
    assert plane.front("lblc_expiration") == min(plane.ticks.from_seconds(most), 0xFFFFFFFF)
    with pytest.raises(BadSysctl):
        plane.table.set_sysctls({"lblc_expiration": most + 1})


@HOOKS
def test_with_expire_nodest_conn_removal_ends_connections_before_it_returns(plane: DataPlane, hook: str) -> None:
    plane.serve(HTTP, 1, 1)
    plane.table.set_sysctls({"expire_nodest_conn": 1})
    for port in range(1001, 1101):
        getattr(plane, hook)(packet(TCP, VIP, 80, port))
    server = plane.real_server(HTTP, 1)
    plane.table.delete_server(HTTP, server.address, 80)
    assert {number_of(c.server) for c in plane.table.connections()} == {2}
    assert len(list(plane.table.connections())) == 50
    plane.add(HTTP, 1)
    assert plane.counts(HTTP, 1) == (0, 0)
    plane.wait_for(lambda: plane.front("connections") == 50, 1.6)


@HOOKS
def test_set_after_removal_it_schedules_the_next_packet_of_a_connection_anew(plane: DataPlane, hook: str) -> None:
    plane.serve(DNS, 1)
    run = getattr(plane, hook)
    run(packet(UDP, VIP, 53))
    plane.add(DNS, 2)
    plane.table.delete_server(DNS, plane.real_server(DNS, 1).address, 53)
    assert plane.verdict_of(run, packet(UDP, VIP, 53))[0] == "server_gone"
    plane.table.set_sysctls({"expire_nodest_conn": 1})
    assert plane.verdict_of(run, packet(UDP, VIP, 53))[0] == "forwarded"
    assert number_of(only_connection(plane).server) == 2


def test_removal_of_a_service_and_flush_do_the_same(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.serve(DNS, 1)
    plane.table.set_sysctls({"expire_nodest_conn": 1})
    plane.tc(packet(TCP, VIP, 80))
    plane.tc(packet(UDP, VIP, 53))
    plane.table.delete_service(HTTP)
    assert [c.protocol for c in plane.table.connections()] == [17]
    plane.table.flush()
    assert list(plane.table.connections()) == []


@pytest.mark.parametrize("assured", [False, True])
def test_a_template_goes_with_the_connections_of_its_removed_server(plane: DataPlane, assured: bool) -> None:
    plane.serve(HTTP, 1, persistence=100)
    plane.table.set_sysctls({"expire_nodest_conn": 1})
    plane.tc(packet(TCP, VIP, 80))
    if assured:
        plane.tc(packet(TCP, VIP, 80, flags=ACK))
    plane.table.delete_server(HTTP, plane.real_server(HTTP, 1).address, 80)
    assert list(plane.table.connections()) == []
    plane.add(HTTP, 1)
    assert plane.state(HTTP, 1).persistent == 0


@HOOKS
@pytest.mark.parametrize(("value", "server"), [(0, 1), (1, 2)])
def test_expire_quiescent_template_lets_clients_of_weight_zero_go(
    plane: DataPlane, value: int, server: int, hook: str
) -> None:
    plane.serve(HTTP, 1, persistence=100)
    plane.table.set_sysctls({"expire_quiescent_template": value})
    run = getattr(plane, hook)
    run(packet(TCP, VIP, 80, 1))
    plane.add(HTTP, 2)
    plane.table.edit_server(HTTP, plane.real_server(HTTP, 1, 0))
    run(packet(TCP, VIP, 80, 2))
    assert {c.client_port: number_of(c.server) for c in plane.table.connections()}[2] == server


@HOOKS
@pytest.mark.parametrize(("flags", "state"), [(ACK, "ESTABLISHED"), (FIN, "CLOSE"), (0, "CLOSE"), (SYN, "SYN_RECV")])
def test_sloppy_tcp_takes_connections_over_in_the_middle(plane: DataPlane, flags: int, state: str, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"sloppy_tcp": 1})
    assert plane.verdict_of(getattr(plane, hook), packet(TCP, VIP, 80, flags=flags))[0] == "forwarded"
    assert only_connection(plane).state == state
    assert plane.counts(HTTP, 1) == ((1, 0) if state != "CLOSE" else (0, 1))


def test_sloppy_tcp_takes_no_rst(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"sloppy_tcp": 1})
    assert plane.verdict_of(plane.tc, packet(TCP, VIP, 80, flags=RST | ACK))[0] == "no_connection"


@HOOKS
@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_secure_tcp_is_on_at_two_and_three(plane: DataPlane, mode: int, hook: str) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"secure_tcp": mode})
    getattr(plane, hook)(packet(TCP, VIP, 80))
    assert only_connection(plane).state == ("SYNACK" if mode >= 2 else "SYN_RECV")
    assert plane.counts(HTTP, 1) == (1, 0)


@HOOKS
def test_drop_packet_drops_the_first_and_then_every_third_that_would_make_a_connection(
    plane: DataPlane, hook: str
) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"drop_packet": 3, "am_droprate": 3})
    run, fates = getattr(plane, hook), ""
    for port in range(1, 10):
        fates += plane.verdict_of(run, packet(TCP, VIP, 80, port))[0][0]
        plane.verdict_of(run, packet(TCP, VIP, 80, port, RST))
    assert fates == "dffdffdff"
    assert plane.verdicts()["drop_packet"] == 3


def test_the_automatic_modes_are_active_while_the_table_is_nearly_full(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"drop_packet": 1, "secure_tcp": 1, "drop_entry": 2})
    plane.wait_for(lambda: plane.table.sysctls()["drop_entry"] == 1, 1.6)
    most = plane.maps.parameter("max_connections")
    for port in range(1001, 1001 + most - most // 16 + 1):
        plane.tc(packet(TCP, VIP, 80, port))
        plane.tc(packet(TCP, VIP, 80, port, ACK))
    plane.wait_for(lambda: [plane.table.sysctls()[name] for name in ("drop_packet", "secure_tcp")] == [2, 2], 1.6)
    plane.set_timeout(1, 1)
    plane.age(900)
    plane.wait_for(lambda: [plane.table.sysctls()[name] for name in ("drop_packet", "secure_tcp")] == [1, 1], 3)


@pytest.mark.parametrize(
    ("flags", "idle", "spared"),
    [
        ((SYN,), 0, False),
        ((SYN, ACK), 30, True),
        ((SYN, ACK), 70, False),
        ((SYN, *[ACK] * 7), 70, False),
        ((SYN, *[ACK] * 8), 70, True),
        ((SYN, ACK, FIN), 70, True),
    ],
)
def test_drop_entry_ends_half_open_connections_and_idle_ones_of_few_packets(
    plane: DataPlane, flags: tuple[int, ...], idle: int, spared: bool
) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"drop_entry": 1})
    ports = range(1001, 1301)
    for port in ports:
        for flag in flags:
            plane.tc(packet(TCP, VIP, 80, port, flag))
    plane.age(idle)
    plane.table.set_sysctls({"drop_entry": 3})
    if spared:
        start = plane.front("now")
        plane.wait_for(lambda: plane.front("now") - start >= plane.ticks.from_seconds(1.5))
        assert len(list(plane.table.connections())) == len(ports)
    else:
        plane.wait_for(lambda: len(list(plane.table.connections())) < len(ports))
        plane.table.set_sysctls({"drop_entry": 0})
        left = len(list(plane.table.connections()))
        assert 0 < left < len(ports)
        assert sum(plane.counts(HTTP, 1)) == left


def test_packets_are_counted_only_while_drop_entry_may_ask_and_only_until_the_ninth(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.tc(packet(TCP, VIP, 80, 1))
    assert plane.field(plane.slot(1), "status") < layout.CONNECTION_PACKET
    plane.table.set_sysctls({"drop_entry": 1})
    plane.tc(packet(TCP, VIP, 80, 2))
    for packets in range(2, 12):
        plane.tc(packet(TCP, VIP, 80, 2, ACK))
        status = plane.field(plane.slot(2), "status")
        assert status // layout.CONNECTION_PACKET == min(packets, 9)
        assert bool(status & layout.STATE_COUNTED) is (packets <= layout.TODROP_MOST)
        assert [c.state for c in plane.table.connections() if c.client_port == 2] == ["ESTABLISHED"]


def test_run_estimation_zero_keeps_counters_and_rates_as_they_are(plane: DataPlane) -> None:
    plane.serve(HTTP, 1)
    plane.table.set_sysctls({"run_estimation": 0})
    for port in range(1001, 1200):
        plane.tc(packet(TCP, VIP, 80, port))
    shown = XdpTable(plane.place)
    start = plane.front("now")
    plane.wait_for(lambda: plane.front("now") - start >= plane.ticks.from_seconds(2.2))
    assert shown.totals() == (Counters(), Rates())
    plane.table.set_sysctls({"run_estimation": 1})
    plane.wait_for(lambda: shown.totals()[1].connections > 0)
    assert shown.totals()[0].connections == 199
    shown.close()
