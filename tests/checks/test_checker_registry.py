"""The registry: every checker by its keyword, keepalived's defaults, one instance from its values."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from directrix.checks.agent_check import AgentCheck
from directrix.checks.checker import Checker, Watcher
from directrix.checks.dns_check import DnsCheck
from directrix.checks.dr_check import DrCheck
from directrix.checks.dr_wire import Wires
from directrix.checks.file_check import FileCheck
from directrix.checks.http_get import HttpGet, Tls, Url, UrlRegex
from directrix.checks.misc_check import MiscCheck
from directrix.checks.pcre import RegexError
from directrix.checks.ping_check import PingCheck
from directrix.checks.registry import KINDS, NoSuchChecker, Settings, checker, kind
from directrix.checks.settings import Target, Timing
from directrix.checks.smtp_check import SmtpCheck
from directrix.checks.tcp_check import TcpCheck
from directrix.checks.udp_check import UdpCheck

TARGET = Target(IPv4Address("10.0.0.11"), 80)
SETTINGS: dict[str, Settings] = {
    "TCP_CHECK": TcpCheck(TARGET),
    "HTTP_GET": HttpGet(TARGET, (Url("/"),)),
    "SSL_GET": HttpGet(TARGET, (Url("/"),), tls=Tls()),
    "SMTP_CHECK": SmtpCheck(TARGET),
    "DNS_CHECK": DnsCheck(TARGET),
    "UDP_CHECK": UdpCheck(TARGET),
    "PING_CHECK": PingCheck(TARGET),
    "FILE_CHECK": FileCheck(Path("/run/weight")),
    "MISC_CHECK": MiscCheck(("/bin/true",)),
    "DR_CHECK": DrCheck(TARGET, IPv4Address("10.0.0.100")),
    "AGENT_CHECK": AgentCheck(TARGET),
}


def test_every_kind_is_made_from_its_values() -> None:
    assert KINDS.keys() == SETTINGS.keys()
    wires = Wires()
    for name, settings in SETTINGS.items():
        assert kind(name).settings is type(settings)
        made = checker(settings, wires)
        assert isinstance(made, Watcher if name == "FILE_CHECK" else Checker)


@pytest.mark.parametrize(
    ("name", "retry", "delay_before_retry"),
    [
        ("TCP_CHECK", 1, 1.0),
        ("HTTP_GET", 1, 3.0),
        ("SSL_GET", 1, 3.0),
        ("DNS_CHECK", 3, None),
        ("MISC_CHECK", 0, 1.0),
    ],
)
def test_defaults_are_keepalived_s(name: str, retry: int, delay_before_retry: float | None) -> None:
    assert (kind(name).retry, kind(name).delay_before_retry) == (retry, delay_before_retry)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(NoSuchChecker, match="no checker 'BFD_CHECK'; there are TCP_CHECK, HTTP_GET"):
        kind("BFD_CHECK")


def test_a_wrong_regular_expression_is_refused_when_the_checker_is_made() -> None:
    with pytest.raises(RegexError, match="at offset 1"):
        checker(HttpGet(TARGET, (Url("/", regex=UrlRegex("(")),)), Wires())


def test_times_that_can_not_be_are_refused() -> None:
    with pytest.raises(ValueError, match="delay_loop 0"):
        Timing(delay_loop=0)
    with pytest.raises(ValueError, match="negative"):
        Timing(retry=-1)
    assert TARGET.deadline == 30.0
    assert Target(IPv4Address("10.0.0.11"), 80, patience=2.0).deadline == 2.0
    assert str(TARGET) == "10.0.0.11:80"
