"""The filter of a trace: what words mean, and what is wrong with others, by column."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from directrix.lvs import Family, Protocol, ServiceKey
from directrix.table.trace import Filter
from directrix.trace.words import BadFilter, read_filter

FILTERS = [
    ("", Filter()),
    ("tcp", Filter(protocol=6)),
    ("sctp and new", Filter(protocol=132, only_new=True)),
    ("host 192.0.2.1", Filter(networks=(ip_network("192.0.2.1/32"),))),
    (
        "host 192.0.2.1 and host 10.0.0.1",
        Filter(networks=(ip_network("192.0.2.1/32"), ip_network("10.0.0.1/32"))),
    ),
    ("net fd00::/64 port 443", Filter(networks=(ip_network("fd00::/64"),), port=443)),
    ("service 10.0.0.1:80", Filter(service=ServiceKey(Family.INET, None, ip_address("10.0.0.1"), 80))),
    (
        "service [fd00::1]:0 udp",
        Filter(protocol=17, service=ServiceKey.of(Protocol.UDP, ip_address("fd00::1"), 0)),
    ),
    ("mark 7", Filter(service=ServiceKey.mark(7))),
    (
        "net fd00::/8 mark 7",
        Filter(networks=(ip_network("fd00::/8"),), service=ServiceKey.mark(7, Family.INET6)),
    ),
    ("server 10.0.0.11", Filter(server=(ip_address("10.0.0.11"), 0))),
    ("server 10.0.0.11:80", Filter(server=(ip_address("10.0.0.11"), 80))),
    ("server fd00::11", Filter(server=(ip_address("fd00::11"), 0))),
    ("server [fd00::11]:80", Filter(server=(ip_address("fd00::11"), 80))),
    ("verdict no_server,table_full", Filter(verdicts=frozenset({"no_server", "table_full"}))),
]


@pytest.mark.parametrize(("text", "wanted"), FILTERS)
def test_words_make_a_filter_in_one_argument_or_in_many(text: str, wanted: Filter) -> None:
    assert read_filter([text]) == read_filter(text.split()) == wanted


FAULTS = [
    ("hosts 10.0.0.1", 1, "no word of a filter"),
    ("tcp host", 10, "needs an address"),
    ("tcp udp", 5, "has a protocol already"),
    ("port 80 port 81", 9, "has a port already"),
    ("host 10.0.0", 6, "no IPv4 or IPv6 address"),
    ("net 10.0.0.1/24", 5, "the network is 10.0.0.0/24"),
    ("net 10.0.0.0", 5, "write 10.0.0.0/PREFIX"),
    ("net 10.0.0.0/33", 5, "0 to 32"),
    ("tcp port 65536", 10, "no port"),
    ("port 0", 6, "no port"),
    ("service 10.0.0.1", 9, "VIP:PORT"),
    ("service 10.0.0.1:80 mark 5", 26, "has a service already"),
    ("mark 0", 6, "no firewall mark"),
    ("server 10.0.0.1:http", 8, "no port"),
    ("verdict no_server,lost", 19, "no verdict 'lost'"),
    ("host 1.1.1.1 host 1.1.1.2 host 1.1.1.3 net 1.0.0.0/8 net 2.0.0.0/8", 1, "holds 4"),
]


@pytest.mark.parametrize(("text", "column", "reason"), FAULTS)
def test_what_makes_no_filter_is_told_with_its_column(text: str, column: int, reason: str) -> None:
    with pytest.raises(BadFilter) as bad:
        read_filter(text.split())
    assert bad.value.column == column
    assert reason in bad.value.reason


def test_host_traffic_is_shown_only_where_addresses_ports_or_verdicts_say_which() -> None:
    assert not read_filter(["tcp"]).wants("not_ours")
    assert read_filter(["tcp"]).wants("no_service")
    assert read_filter(["port", "22"]).wants("not_ours")
    assert read_filter(["host", "10.0.0.1"]).wants("other_host")
    assert not read_filter(["host", "10.0.0.1"]).wants("handed_up")
    assert read_filter(["verdict", "handed_up"]).wants("handed_up")
