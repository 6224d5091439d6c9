"""What the sysctls do in the memory table."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from memory_cluster import CLIENT, DNS, HTTP, Cluster

from directrix.lvs import ConnectionFlags, Protocol, ServiceKey, VirtualService
from directrix.lvs.sysctls import SysctlValue


def cluster(*weights: int, persistence: int = 0, **values: SysctlValue) -> Cluster:
    """A service by rr over servers of these weights, with these sysctls."""
    made = Cluster(VirtualService(HTTP, "rr", persistence=persistence), *weights)
    made.table.set_sysctls(values)
    return made


def test_a_syn_on_a_connection_whose_server_was_removed_starts_a_new_one() -> None:
    one = cluster(1, 1)
    assert one.send(1) == 2
    one.remove(2)
    assert one.send(1, "A") == "server_gone"
    assert one.send(1, "SR") == "server_gone"
    assert one.send(1, "S") == 1
    one.add(2)
    assert one.counts(2) == (0, 0)


def test_without_another_server_it_is_refused() -> None:
    one = cluster(1)
    one.send(1)
    one.remove(1)
    assert one.send(1) == "no_server"
    assert one.connection(1) is None


def test_expire_nodest_conn_ends_connections_and_templates_with_the_removal() -> None:
    one = cluster(1, 1, persistence=100, expire_nodest_conn=1)
    one.send(1, "S", "A")
    one.remove(2)
    assert list(one.table.connections()) == []
    assert one.send(1, "A") == "no_connection"


def test_with_a_service_that_has_no_server_nothing_ends() -> None:
    one = cluster(1, 1)
    one.send(1)
    one.remove(2)
    one.table.set_sysctls({"expire_nodest_conn": 1})
    other = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.2"), 80)
    one.table.add_service(VirtualService(other))
    one.table.delete_service(other)
    assert len(list(one.table.connections())) == 1


def test_set_after_the_removal_it_directs_the_next_packet_anew() -> None:
    one = cluster(1, 1)
    one.send(1)
    one.remove(2)
    one.table.set_sysctls({"expire_nodest_conn": 1})
    assert one.send(1, "A") == "no_connection"
    assert one.connection(1) is None


def test_expire_nodest_conn_takes_a_syn_away_from_weight_zero() -> None:
    one = cluster(1, 1, expire_nodest_conn=1)
    one.send(1)
    one.edit(2, 0)
    assert one.send(1, "A") == 2
    assert one.send(1, "S") == 1


@pytest.mark.parametrize(("value", "server"), [(0, 2), (1, 1)])
def test_expire_quiescent_template(value: int, server: int) -> None:
    one = cluster(1, 1, persistence=100, expire_quiescent_template=value)
    one.send(1)
    one.edit(2, 0)
    assert one.send(2) == server


@pytest.mark.parametrize(("mode", "again"), [(0, "222"), (1, "112"), (2, "111"), (3, "111")])
def test_conn_reuse_mode_says_what_is_over(mode: int, again: str) -> None:
    """TIME_WAIT, CLOSE, FIN_WAIT: server 1 means scheduled anew."""
    seen = ""
    for ending in (("F",), ("A", "R"), ("A", "F")):
        one = cluster(1, 1, conn_reuse_mode=mode)
        one.send(1, "S", *ending)
        seen += str(one.send(1, "S"))
    assert seen == again


@pytest.mark.parametrize(("flags", "state"), [("A", "ESTABLISHED"), ("F", "CLOSE"), ("", "CLOSE")])
def test_sloppy_tcp(flags: str, state: str) -> None:
    one = cluster(1, sloppy_tcp=1)
    assert one.send(1, flags) == 1
    connection = one.connection(1)
    assert connection is not None
    assert connection.state == state
    assert bool(connection.flags & ConnectionFlags.INACTIVE) is (state == "CLOSE")
    assert one.send(2, "R") == "no_connection"


@pytest.mark.parametrize(("mode", "state"), [(0, "SYN_RECV"), (1, "SYN_RECV"), (2, "SYNACK"), (3, "SYNACK")])
def test_secure_tcp(mode: int, state: str) -> None:
    one = cluster(1, secure_tcp=mode)
    one.send(1)
    connection = one.connection(1)
    assert connection is not None
    assert connection.state == state


def test_drop_packet_lets_twenty_of_thirty_through_at_rate_three() -> None:
    one = cluster(1, drop_packet=3, am_droprate=3)
    fates = [one.send(port) for port in range(1001, 1031)]
    assert fates == ["drop_packet", 1, 1] * 10


def test_drop_entry_ends_what_is_half_open_and_keeps_what_is_used() -> None:
    one = cluster(1, drop_entry=3)
    for port in range(1, 101):
        if port != 20:
            one.send(port, "S")
    for port in range(1001, 1011):
        one.send(port, "S", "A")
    one.wait(20)
    states = [connection.state for connection in one.table.connections()]
    assert states.count("ESTABLISHED") == 10
    assert 0 < states.count("SYN_RECV") < 99
    assert one.counts(1) == (len(states), 0)
    one.wait(120)
    assert 0 < len(list(one.table.connections())) < 10


def test_drop_entry_spares_idle_connections_of_more_than_eight_packets() -> None:
    one = cluster(1, drop_entry=3)
    for port in range(1001, 1101):
        one.send(port, "S", *["A"] * 8)
    one.wait(800)
    assert one.counts(1) == (100, 0)


@pytest.mark.parametrize(("scheduler", "other"), [("lblc", "lblcr"), ("lblcr", "lblc")])
def test_locality_is_forgotten_after_its_own_schedulers_expiration(scheduler: str, other: str) -> None:
    one = Cluster(VirtualService(DNS, scheduler), 1, 1)
    one.table.set_sysctls({f"{other}_expiration": 100})
    assert one.send(1) == 2
    one.add(3)
    one.wait(3700)  # it is looked at every half hour
    assert one.send(1) == 2
    one.table.set_sysctls({f"{scheduler}_expiration": 100})
    one.wait(1900)
    assert one.send(1) == 3


def test_run_estimation_zero_freezes_the_rates() -> None:
    one = cluster(1, run_estimation=0)
    for port in range(1001, 1101):
        one.send(port)
    one.table.estimate(10)
    assert one.state(1).rates.connections == 0


def test_a_service_of_udp_is_directed_anew_in_the_middle() -> None:
    one = Cluster(VirtualService(DNS, "rr"), 1, 1)
    assert one.verdict(1, "").server == one.server(2)
    one.remove(2)
    assert one.verdict(1, "", client=CLIENT).name == "server_gone"
    one.table.set_sysctls({"expire_nodest_conn": 1})
    assert one.verdict(1, "").server == one.server(1)
