"""All checkers, by the words of keepalived.conf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from directrix.checks.agent_check import AgentCheck, AgentChecker
from directrix.checks.checker import AnyChecker
from directrix.checks.dns_check import DnsCheck, DnsChecker
from directrix.checks.dr_check import DrCheck, DrChecker
from directrix.checks.dr_wire import Wires
from directrix.checks.file_check import FileCheck, FileChecker
from directrix.checks.http_get import HttpChecker, HttpGet
from directrix.checks.misc_check import MiscCheck, MiscChecker
from directrix.checks.ping_check import PingCheck, PingChecker
from directrix.checks.smtp_check import SmtpCheck, SmtpChecker
from directrix.checks.tcp_check import TcpCheck, TcpChecker
from directrix.checks.udp_check import UdpCheck, UdpChecker

Settings = (
    TcpCheck | HttpGet | SmtpCheck | DnsCheck | UdpCheck | PingCheck | FileCheck | MiscCheck | DrCheck | AgentCheck
)


class NoSuchChecker(ValueError):
    """There is no checker of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no checker {name!r}; there are {', '.join(KINDS)}")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of checker.

    Attributes:
        name: its keyword.
        description: what it does in a line.
        settings: the values it takes.
        retry, delay_before_retry: its defaults, keepalived's. None: `delay_loop`.
        ours: keepalived doesn't have it.
    """

    name: str
    description: str
    settings: type[Settings]
    retry: int = 1
    delay_before_retry: float | None = 1.0
    ours: bool = False


_KINDS = (
    Kind("TCP_CHECK", "takes a TCP connection", TcpCheck),
    Kind("HTTP_GET", "serves its pages over HTTP as it should", HttpGet, delay_before_retry=3.0),
    Kind("SSL_GET", "serves its pages over HTTPS as it should", HttpGet, delay_before_retry=3.0),
    Kind("SMTP_CHECK", "greets and takes HELO", SmtpCheck),
    Kind("DNS_CHECK", "answers a question over UDP", DnsCheck, retry=3, delay_before_retry=None),
    Kind("UDP_CHECK", "has a UDP port open, or replies as it should", UdpCheck),
    Kind("PING_CHECK", "answers an ICMP echo", PingCheck),
    Kind("FILE_CHECK", "a file's number says so, or weighs it", FileCheck),
    Kind("MISC_CHECK", "a program says so, or weighs it", MiscCheck, retry=0),
    Kind("DR_CHECK", "serves the VIP as direct routing needs it", DrCheck, ours=True),
    Kind("AGENT_CHECK", "says by itself how it is, and its weight", AgentCheck, ours=True),
)

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})
"""Every kind of checker by its keyword."""

_MAKERS: Mapping[type[Settings], Callable[[Any, Wires], AnyChecker]] = {
    TcpCheck: lambda settings, _: TcpChecker(settings),
    HttpGet: lambda settings, _: HttpChecker(settings),
    SmtpCheck: lambda settings, _: SmtpChecker(settings),
    DnsCheck: lambda settings, _: DnsChecker(settings),
    UdpCheck: lambda settings, _: UdpChecker(settings),
    PingCheck: lambda settings, _: PingChecker(settings),
    FileCheck: lambda settings, _: FileChecker(settings),
    MiscCheck: lambda settings, _: MiscChecker(settings),
    DrCheck: DrChecker,
    AgentCheck: lambda settings, _: AgentChecker(settings),
}


def kind(name: str) -> Kind:
    """What is known of a kind of checker.

    Raises:
        NoSuchChecker: there is none of that name.
    """
    try:
        return KINDS[name]
    except KeyError:
        raise NoSuchChecker(name) from None


def checker(settings: Settings, wires: Wires) -> AnyChecker:
    """The checker for some settings. `wires` are shared by all DR_CHECKs.

    Raises:
        RegexError: a regular expression is wrong.
        OSError: a certificate, or a library that the checker needs, can't be read.
    """
    return _MAKERS[type(settings)](settings, wires)
