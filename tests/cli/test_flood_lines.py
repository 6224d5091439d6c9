"""A flood as `directrix status` tells of it."""

from __future__ import annotations

from ipaddress import ip_address

from directrix.cli.flood import as_object, lines
from directrix.lvs import Protocol, ServiceKey
from directrix.lvs.flood import NO_FLOOD, Flood, FloodCounts, FloodState

WEB = ServiceKey.of(Protocol.TCP, ip_address("10.0.0.1"), 80)
DNS = ServiceKey.of(Protocol.UDP, ip_address("10.0.0.1"), 53)
COUNTS = {WEB: FloodCounts(123_456, 980, 53, 45_000, 12), DNS: FloodCounts()}


def test_of_a_table_that_saw_none_nothing_is_said() -> None:
    assert lines(NO_FLOOD) == []
    assert lines(Flood(0)) == []


def test_one_that_goes_on_is_told_with_what_it_does_to_each_service_it_is_about() -> None:
    assert lines(Flood(2, FloodState.ON, 1, 12.3, None, COUNTS)) == [
        "Flood",
        "  UNDER FLOOD for 12 s: a SYN gets no entry, its client's next packet does",
        "  TCP 10.0.0.1:80: 45,000 SYNs and 12 clients a second; 123,456 SYNs without an entry; 980 clients let in; "
        "53 half-open connections ended",
    ]
    assert "always" in lines(Flood(3, FloodState.ON, 1, 12.3, None, COUNTS))[1]


def test_one_that_is_over_is_told_as_such() -> None:
    assert lines(Flood(1, FloodState.OFF, 2, 12.3, 60.0, COUNTS))[1:] == [
        "  the last of 2 ended 60 s ago and lasted 12 s",
        "  TCP 10.0.0.1:80: 123,456 SYNs without an entry; 980 clients let in; 53 half-open connections ended",
    ]
    assert "last clients" in lines(Flood(1, FloodState.ENDING, 2, 12.3, 1.0))[1]


def test_programs_get_all_services() -> None:
    told = as_object(Flood(2, FloodState.ON, 1, 12.3, None, COUNTS))
    assert (told["state"], told["floods"], told["over"]) == ("on", 1, None)
    assert told["services"] == [
        {
            "family": "inet", "protocol": "tcp", "address": "10.0.0.1", "port": 80,
            "unentered": 123_456, "admitted": 980, "ended": 53, "unentered_rate": 45_000, "admitted_rate": 12,
            "flooded": True,
        },
        {
            "family": "inet", "protocol": "udp", "address": "10.0.0.1", "port": 53,
            "unentered": 0, "admitted": 0, "ended": 0, "unentered_rate": 0, "admitted_rate": 0,
            "flooded": False,
        },
    ]  # fmt: skip
