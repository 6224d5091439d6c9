"""dh: by the destination address, whoever asks, as observed on Linux 6.1."""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scheduled_service import client, service

from directrix.scheduling.dh import BUCKETS, bucket_of, table
from directrix.scheduling.hashing import fold


@pytest.mark.parametrize(("destination", "number"), [("10.0.0.120", 1), ("10.0.0.121", 2), ("10.0.0.125", 3)])
def test_a_destination_has_its_real_server(destination: str, number: int) -> None:
    s = service("dh", 1, 1, 1)
    for last in range(10, 20):
        assert s.pick(client(last), 40000 + last, ip_address(destination)) == number


@given(st.integers(1, 300))
def test_the_list_fills_the_table_round_and_round(count: int) -> None:
    places = table(count)
    assert len(places) == BUCKETS
    assert places[: min(count, BUCKETS)] == list(range(min(count, BUCKETS)))
    shares = Counter(places).values()
    assert max(shares) - min(shares) <= 1


def test_without_real_servers_there_is_no_table() -> None:
    assert table(0) == []


def test_weights_do_not_matter() -> None:
    addresses = [IPv4Address("10.0.0.100") + last for last in range(60)]
    light, heavy = service("dh", 1, 1, 1), service("dh", 100, 1, 7)
    assert [light.pick(destination=a) for a in addresses] == [heavy.pick(destination=a) for a in addresses]


@pytest.mark.parametrize("quiesce", [True, False], ids=["quiesced", "overloaded"])
def test_a_server_that_can_not_be_had_keeps_its_destinations_and_refuses_them(quiesce: bool) -> None:
    s = service("dh", 1, 1, 1)
    addresses = [IPv4Address("10.0.0.100") + last for last in range(60)]
    before = [s.pick(destination=a) for a in addresses]
    if quiesce:
        s.edit(2, 0)
    else:
        s[2].overloaded = True
    assert [s.pick(destination=a) for a in addresses] == [None if number == 2 else number for number in before]


def test_an_ipv6_destination_is_folded() -> None:
    s = service("dh", 1, 1, 1)
    destination = ip_address("2001:db8::1")
    assert s.pick(destination=destination) == [3, 2, 1][bucket_of(fold(destination)) % 3]
    assert s.pick(destination=destination) == s.pick(destination=IPv4Address(fold(destination)))
