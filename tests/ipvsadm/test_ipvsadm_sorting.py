"""Listings are in ipvsadm's order."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from directrix.ipvsadm.sorting import sorted_servers, sorted_services
from directrix.lvs import Address, Family, Protocol, RealServer, ServerState, ServiceKey, ServiceState, VirtualService


def servers(*addresses: str) -> list[ServerState]:
    return [ServerState(RealServer(_address(text), 80)) for text in addresses]


def _address(text: str) -> Address:
    return IPv6Address(text) if ":" in text else IPv4Address(text)


def order(states: list[ServerState]) -> list[str]:
    return [str(state.server.address) for state in sorted_servers(states)]


def test_a_distance_of_half_the_circle_turns_the_order_round() -> None:
    assert order(servers("10.0.0.11", "8.8.8.8", "192.168.1.1", "172.16.1.1")) == [
        "172.16.1.1",
        "192.168.1.1",
        "8.8.8.8",
        "10.0.0.11",
    ]


def test_an_ipv4_address_stands_where_its_number_would_as_the_first_word_of_an_ipv6_address() -> None:
    assert order(servers("2001:db8::1", "10.0.0.1", "::1")) == ["::1", "10.0.0.1", "2001:db8::1"]


@given(st.lists(st.tuples(st.integers(0, 0x7FFFFFFF), st.integers(1, 65535)), unique=True, max_size=30))
def test_within_half_the_circle_it_is_the_order_of_numbers(pairs: list[tuple[int, int]]) -> None:
    states = [ServerState(RealServer(IPv4Address(address), port)) for address, port in pairs]
    assert [(int(s.server.address), s.server.port) for s in sorted_servers(states)] == sorted(pairs)


@given(st.lists(st.ip_addresses(), unique=True, max_size=30))
def test_sorting_loses_nothing_and_adds_nothing(addresses: list[Address]) -> None:
    states = [ServerState(RealServer(address, 80)) for address in addresses]
    assert sorted(map(str, addresses)) == sorted(order(states))


@given(
    st.lists(st.integers(0x90000000, 0xFFFFFFFF), unique=True, max_size=20),
    st.lists(st.integers(0, 0x0FFFFFFF), unique=True, max_size=20),
)
def test_high_numbers_stand_before_low_ones_that_are_near_them_round_the_circle(
    high: list[int], low: list[int]
) -> None:
    states = [ServerState(RealServer(IPv4Address(value), 80)) for value in [*low, *high]]
    assert [int(state.server.address) for state in sorted_servers(states)] == [*sorted(high), *sorted(low)]


def test_services_are_sorted_by_mark_then_family_then_protocol_then_address_then_port() -> None:
    v4, v6 = IPv4Address("10.0.0.1"), IPv6Address("2001:db8::1")
    keys = [
        ServiceKey.of(Protocol.TCP, v4, 79),
        ServiceKey.of(Protocol.TCP, v4, 80),
        ServiceKey.of(Protocol.TCP, IPv4Address("10.0.0.2"), 1),
        ServiceKey.of(Protocol.UDP, v4, 1),
        ServiceKey.of(Protocol.SCTP, v4, 1),
        ServiceKey.of(Protocol.TCP, v6, 1),
        ServiceKey.mark(1),
        ServiceKey.mark(1, Family.INET6),
        ServiceKey.mark(2),
    ]
    states = [ServiceState(VirtualService(key)) for key in reversed(keys)]
    assert [state.service.key for state in sorted_services(states)] == keys
