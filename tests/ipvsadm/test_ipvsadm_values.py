"""Numbers and endpoints are read with the C library's leniency."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directrix.ipvsadm.names import Names
from directrix.ipvsadm.values import endpoint, ipv4, leading_number, number
from directrix.lvs import Address, Protocol


class NoNames(Names):
    """A resolver that knows one host and one port."""

    def find_host(self, address: Address) -> str | None:
        return None

    def find_address(self, host: str) -> bytes | None:
        return b"\x0a\x00\x00\x07" if host == "seven" else None

    def find_port(self, service: str, protocol: Protocol) -> int | None:
        return 80 if (service, protocol) == ("http", Protocol.TCP) else None


NAMES = NoNames()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("17", 17),
        ("+17", 17),
        (" \t17", 17),
        ("017", 17),
        ("-0", 0),
        ("0" * 5000 + "9", 9),
        ("-1", None),
        ("101", None),
        ("9" * 5000, None),
        ("", None),
        ("+", None),
        ("17 ", None),
        ("0x11", None),
        ("1.5", None),
        ("٣", None),
        ("²", None),
    ],
)
def test_a_number_is_decimal_and_within_bounds(text: str, value: int | None) -> None:
    assert number(text, 0, 100) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("64", 64), ("64x", 64), (" 64", 64), ("-3", -3), ("x", 0), ("", 0), ("4294967297", 1), ("9" * 5000, -1)],
)
def test_a_prefix_length_is_what_the_text_begins_with(text: str, value: int) -> None:
    assert leading_number(text) == value


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("10.0.0.1:80", "10.0.0.1", 80),
        ("10.0.0.1", "10.0.0.1", None),
        ("10.1:80", "10.0.0.1", 80),
        ("012.0.0.1:80", "10.0.0.1", 80),
        ("0x0a000001", "10.0.0.1", None),
        ("seven:http", "10.0.0.7", 80),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
        ("2001:db8::1", "2001:db8::1", None),
        ("2001:db8::1:80", "2001:db8::1:80", None),
        ("[10.0.0.1]:80", "10.0.0.1", None),
        ("10.0.0.1:+8", "10.0.0.1", 8),
    ],
)
def test_an_endpoint_is_an_address_and_perhaps_a_port(text: str, address: str, port: int | None) -> None:
    expected = IPv6Address(address) if ":" in address else IPv4Address(address)
    assert endpoint(text, Protocol.TCP, NAMES) == (expected, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        ":80",
        "10.0.0.1:",
        "10.0.0.1:65536",
        "10.0.0.1:x",
        "[2001:db8::1]",
        "[2001:db8::1]80",
        "[]:80",
        "nine:80",
        "10.0.0.256:80",
        "[fe80::1%lo]:80",
        "10.0.0.1\0:80",
    ],
)
def test_what_is_no_endpoint_is_none(text: str) -> None:
    assert endpoint(text, Protocol.TCP, NAMES) is None


def test_a_port_name_needs_its_protocol() -> None:
    assert endpoint("10.0.0.1:http", Protocol.UDP, NAMES) is None
    assert endpoint("10.0.0.1:http", None, NAMES) is None


def test_a_mask_may_be_a_host() -> None:
    assert ipv4("24", NAMES) == IPv4Address("0.0.0.24")
    assert ipv4("seven", NAMES) == IPv4Address("10.0.0.7")
    assert ipv4("/24", NAMES) is None


@given(st.text(max_size=30))
def test_no_text_breaks_an_endpoint(text: str) -> None:
    found = endpoint(text, Protocol.TCP, NAMES)
    assert found is None or found.port is None or 0 <= found.port <= 65535


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_endpoint_reads_back(address: Address, port: int) -> None:
    text = f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    assert endpoint(text, Protocol.TCP, NAMES) == (address, port)


def test_the_system_knows_its_own_names() -> None:
    names = Names()
    assert names.address("127.0.0.1") == socket.inet_aton("127.0.0.1")
    assert names.address("") is None
    assert names.address("no host.invalid") is None
    assert names.port("no such service", Protocol.TCP) is None
    assert names.service(0, Protocol.SCTP) is None


def test_a_name_is_asked_for_once() -> None:
    class Counting(NoNames):
        asked = 0

        def find_address(self, host: str) -> bytes | None:
            self.asked += 1
            return None

    names = Counting()
    assert [names.address("nine"), names.address("nine")] == [None, None]
    assert names.asked == 1
