"""From the checks of a keepalived.conf to settings of checkers: every kind of check's values, translated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from directrix.checks.agent_check import AgentCheck
from directrix.checks.dns_check import DnsCheck, DnsType
from directrix.checks.dr_check import DrCheck
from directrix.checks.file_check import FileCheck
from directrix.checks.http_client import HttpVersion
from directrix.checks.http_get import HttpGet, Tls, Url, UrlRegex
from directrix.checks.misc_check import MiscCheck
from directrix.checks.ping_check import PingCheck
from directrix.checks.registry import Settings
from directrix.checks.settings import Target, Timing
from directrix.checks.smtp_check import HELO_NAME, SmtpCheck
from directrix.checks.tcp_check import TcpCheck
from directrix.checks.udp_check import PAYLOAD, Pattern, UdpCheck
from directrix.director.programs import command
from directrix.health.rule import Rule
from directrix.keepalived import values
from directrix.keepalived.values import Configuration, RealServer, VirtualServer
from directrix.vrrp.notifications import user_of

PASSIVE = "passive_health"
"""The name of what clients' handshakes say of a real server, beside its checks."""


@dataclass(frozen=True, slots=True)
class Checking:
    """A check of a real server.

    Attributes:
        name: unique at its server, and the same over reloads: its keyword, with a number from the second on.
        kind: its keyword.
        settings, timing: what a checker is made of; a Rule for `passive_health`.
    """

    name: str
    kind: str
    settings: Settings | Rule
    timing: Timing


def checks_of(server: RealServer, virtual: VirtualServer, configuration: Configuration) -> Iterator[Checking]:
    """The checks of a real server, in the order written; passive health comes last.

    Raises:
        ValueError: values that contradict each other.
        LookupError: a program's user is unknown.
    """
    seen: Counter[str] = Counter()
    for check in server.checks:
        kind = _kind(check)
        seen[kind] += 1
        name = kind if seen[kind] == 1 else f"{kind} {seen[kind]}"
        yield Checking(name, kind, _settings(check, server, configuration), _timing(check))
    if virtual.passive_health is not None:
        yield Checking(PASSIVE, PASSIVE, Rule(**asdict(virtual.passive_health)), Timing())


def _kind(check: values.AnyCheck) -> str:
    if isinstance(check, values.HttpCheck):
        return "SSL_GET" if check.tls else "HTTP_GET"
    return _KINDS[type(check)]


_KINDS: dict[type, str] = {
    values.TcpCheck: "TCP_CHECK",
    values.PingCheck: "PING_CHECK",
    values.SmtpCheck: "SMTP_CHECK",
    values.DnsCheck: "DNS_CHECK",
    values.UdpCheck: "UDP_CHECK",
    values.MiscCheck: "MISC_CHECK",
    values.FileCheck: "FILE_CHECK",
    values.DrCheck: "DR_CHECK",
    values.AgentCheck: "AGENT_CHECK",
}


def _timing(check: values.AnyCheck) -> Timing:
    if isinstance(check, values.FileCheck):
        return Timing()
    return Timing(
        check.delay_loop, check.retry, check.delay_before_retry, check.warmup, check.alpha, check.log_all_failures
    )


def _settings(check: values.AnyCheck, server: RealServer, configuration: Configuration) -> Settings:
    match check:
        case values.TcpCheck():
            return TcpCheck(_target(check))
        case values.PingCheck():
            return PingCheck(_target(check))
        case values.HttpCheck():
            return _http(check, configuration.tls)
        case values.SmtpCheck():
            targets = [_target(host) for host in check.hosts or (check,)]
            return SmtpCheck(targets[0], check.helo_name or HELO_NAME, tuple(targets[1:]))
        case values.DnsCheck():
            return DnsCheck(_target(check), check.name, DnsType(check.type))
        case values.UdpCheck():
            return _udp(check)
        case values.MiscCheck():
            return _misc(check, server, configuration)
        case values.FileCheck():
            file = next(file for file in configuration.track_files if file.name == check.track_file)
            return FileCheck(Path(file.file), check.weight, check.reverse)
        case values.DrCheck():
            page = None if check.url is None else _url(check.url)
            return DrCheck(_dr_target(check, server), check.connect_ip, page, HttpVersion(check.http_protocol.value))
        case values.AgentCheck():
            return AgentCheck(_target(check), server.weight, check.send.encode("utf-8", "surrogateescape"))


def _target(check: values.ConnectingCheck | values.SmtpHost) -> Target:
    return Target(
        check.connect_ip,
        check.connect_port,
        check.bindto,
        check.bind_port,
        check.bind_if,
        check.fwmark,
        check.connect_timeout,
    )


def _dr_target(check: values.DrCheck, server: RealServer) -> Target:
    return Target(
        server.address,
        check.connect_port,
        check.bindto,
        bind_if=check.bind_if,
        fwmark=check.fwmark,
        connect_timeout=check.connect_timeout,
    )


def _http(check: values.HttpCheck, tls: values.TlsSettings) -> HttpGet:
    shown = Tls(tls.ca, tls.certificate, tls.key, tls.password) if check.tls else None
    return HttpGet(
        _target(check),
        tuple(_url(url) for url in check.urls),
        HttpVersion(check.http_protocol.value),
        shown,
        check.enable_sni,
        check.fast_recovery,
    )


def _url(url: values.Url) -> Url:
    regex = None
    if url.regex is not None:
        offsets = url.regex_min_offset, url.regex_max_offset
        regex = UrlRegex(url.regex, url.regex_options, url.regex_no_match, *offsets)
    digest = "" if url.digest is None else url.digest.hex()
    return Url(url.path, url.virtualhost, url.status_codes, digest, regex)


def _udp(check: values.UdpCheck) -> UdpCheck:
    return UdpCheck(
        _target(check),
        PAYLOAD if check.payload is None else check.payload,
        check.require_reply,
        None if check.reply is None else Pattern(check.reply.data, check.reply.mask),
        check.min_reply_length,
        check.max_reply_length,
    )


def _misc(check: values.MiscCheck, server: RealServer, configuration: Configuration) -> MiscCheck:
    run = command(check.misc_path, configuration.globals)
    return MiscCheck(run.words, check.misc_timeout or check.delay_loop, check.misc_dynamic, server.weight, user_of(run))
