"""Listings with numbers in them: what the recorded transcripts, all zeros, can't show."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from directrix.ipvsadm.connections import list_connections
from directrix.ipvsadm.listing import Layout, Mode, list_services, list_table
from directrix.ipvsadm.writing import EndpointWriter, exact_number, large_number, signed
from directrix.lvs import (
    Connection,
    Counters,
    ForwardingMethod,
    Protocol,
    Rates,
    RealServer,
    ServerState,
    ServiceKey,
    ServiceState,
    VirtualService,
)

NUMBERS = EndpointWriter(None)
VIP, RIP = IPv4Address("10.0.0.1"), IPv4Address("10.0.0.11")
STATE = ServiceState(
    VirtualService(ServiceKey.of(Protocol.TCP, VIP, 80), "wrr"),
    (
        ServerState(
            RealServer(RIP, 80, ForwardingMethod.LOCAL, 3, 100, 50),
            active=12,
            inactive=3456,
            persistent=7,
            counters=Counters(1, 22, 333, 4444, 123_456_789_012),
            rates=Rates(123_456_789, 2, 3, 123_456_789, 5),
        ),
    ),
    Counters(100_000_000, 99_999_999, 0, 1_000_000_000_000_000, 7),
    Rates(123_456_789, 2, 3, 4, 5),
)


def lines(mode: Mode, exact: bool = False) -> list[str]:
    return list_services((STATE,), Layout(mode, NUMBERS, exact=exact)).splitlines()[2:]


def test_plain_and_tunnel_listings_count_connections() -> None:
    name = "  -> 10.0.0.11:80                "
    assert lines(Mode.PLAIN)[1] == f"{name} Local   3      12         3456      "
    assert lines(Mode.TUNNELS)[1] == f"{name} Local   n/a           3      12         3456      "


def test_thresholds_and_persistent_connections_have_columns_of_their_own() -> None:
    assert lines(Mode.THRESHOLDS)[1] == "  -> 10.0.0.11:80                 100        50         12         3456      "
    assert lines(Mode.PERSISTENT)[1] == "  -> 10.0.0.11:80                 3         7           12         3456      "


def test_statistics_are_shortened() -> None:
    assert lines(Mode.STATS) == [
        "TCP  10.0.0.1:80                   100000K 99999999        0    1000T        7",
        "  -> 10.0.0.11:80                        1       22      333     4444     123G",
    ]


def test_rates_of_a_real_server_are_shortened_only_in_bytes() -> None:
    assert lines(Mode.RATE) == [
        "TCP  10.0.0.1:80                   123456K        2        3        4        5",
        "  -> 10.0.0.11:80                 123456789        2        3  123456K        5",
    ]


def test_exact_numbers_are_never_shortened() -> None:
    assert lines(Mode.STATS, exact=True) == [
        "TCP  10.0.0.1:80                  100000000 99999999        0 1000000000000000        7",
        "  -> 10.0.0.11:80                        1       22      333     4444 123456789012",
    ]


def test_a_table_says_its_size() -> None:
    assert list_table((), 1 << 20, Layout(Mode.PLAIN, NUMBERS)).startswith(
        "IP Virtual Server version 1.2.1 (size=1048576)\nProt LocalAddress:Port Scheduler Flags\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "        0"),
        (99_999_999, " 99999999"),
        (100_000_000, "  100000K"),
        (999_999_999, "  999999K"),
        (1_000_000_000, "    1000M"),
        (99_999_999_999, "   99999M"),
        (100_000_000_000, "     100G"),
        (99_999_999_999_999, "   99999G"),
        (100_000_000_000_000, "     100T"),
        (2**64 - 1, "18446744T"),
    ],
)
def test_a_large_number_takes_nine_columns(value: int, text: str) -> None:
    assert large_number(value) == text


def test_an_exact_number_takes_what_it_needs() -> None:
    assert [exact_number(value) for value in (1, 12_345_678, 123_456_789)] == ["        1", " 12345678", " 123456789"]


def test_marks_are_printed_with_a_sign() -> None:
    assert [signed(value) for value in (1, 2**31 - 1, 2**31, 2**32 - 1)] == [1, 2**31 - 1, -(2**31), -1]


def test_a_protocol_without_a_name_is_a_number() -> None:
    entry = Connection(50, RIP, 1, VIP, 2, RIP, 3, "NONE", 61)
    assert list(list_connections([entry], NUMBERS, engines=False))[1] == (
        "50  01:01  NONE        10.0.0.11:1        10.0.0.1:2         10.0.0.11:3\n"
    )
