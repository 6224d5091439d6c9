"""Health checks. Everything a check takes over from its real server or virtual server is worked out."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.keepalived.values.scripts import Script
from directrix.lvs import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What every check has.

    Attributes:
        alpha: the real server is out until this check has first succeeded.
        delay_loop: seconds from one check to the next.
        warmup: the first check comes a random time from 0 to this many seconds after the start.
        retry: failures in a row, after the first, that a server in service is forgiven.
        delay_before_retry: seconds from a failure to the next attempt.
        log_all_failures: log also what is forgiven.
    """

    alpha: bool = False
    delay_loop: float = 60.0
    warmup: float = 60.0
    retry: int = 1
    delay_before_retry: float = 1.0
    log_all_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectingCheck(Check):
    """What every check over the network has.

    Attributes:
        connect_ip, connect_port: whereto; the real server's own unless told otherwise.
        bindto: source address; None for the system's choice.
        bind_port: source port; 0 for the system's choice.
        bind_if: interface the source address is on; empty for any.
        fwmark: firewall mark of what is sent; 0 for none.
        connect_timeout: seconds to wait for an answer.
    """

    connect_ip: Address
    connect_port: int
    bindto: Address | None = None
    bind_port: int = 0
    bind_if: str = ""
    fwmark: int = 0
    connect_timeout: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpCheck(ConnectingCheck):
    """TCP_CHECK: a connection can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingCheck(ConnectingCheck):
    """PING_CHECK: an ICMP echo is answered."""


class HttpProtocol(enum.StrEnum):
    """Protocol version of HTTP checks; 1.0C is 1.0 with `Connection: close`."""

    V1_0 = "1.0"
    V1_0_CLOSE = "1.0C"
    V1_1 = "1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """One `url` of an HTTP check. Everything that is set must hold.

    Attributes:
        path: what to ask for.
        virtualhost: Host header; empty for the address.
        status_codes: ranges, both ends included, the status must be in.
        digest: MD5 of the body, 16 bytes; None for any.
        regex: must be found in the body, by PCRE; None for no search.
        regex_no_match: must not be found.
        regex_options: names of PCRE2 options in small letters, as pcre2api(3) has them behind `PCRE2_`.
        regex_min_offset, regex_max_offset: bytes of the body between which a match may begin; None for no end.
    """

    path: str
    virtualhost: str = ""
    status_codes: tuple[tuple[int, int], ...] = ((200, 299),)
    digest: bytes | None = None
    regex: str | None = None
    regex_no_match: bool = False
    regex_options: tuple[str, ...] = ()
    regex_min_offset: int = 0
    regex_max_offset: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCheck(ConnectingCheck):
    """HTTP_GET and SSL_GET: pages are as they should be, one URL after the other.

    Attributes:
        tls: SSL_GET.
        enable_sni: send the virtual host's name in the TLS handshake.
        urls: at least one.
        http_protocol: version to speak.
        fast_recovery: after a failure, check all URLs without a pause between them.
    """

    tls: bool = False
    enable_sni: bool = False
    urls: tuple[Url, ...]
    http_protocol: HttpProtocol = HttpProtocol.V1_0
    fast_recovery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpHost:
    """One `host` of an SMTP_CHECK: as in `ConnectingCheck`."""

    connect_ip: Address
    connect_port: int
    bindto: Address | None = None
    bind_port: int = 0
    bind_if: str = ""
    fwmark: int = 0
    connect_timeout: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpCheck(ConnectingCheck):
    """SMTP_CHECK: a mail server greets and takes HELO.

    Attributes:
        helo_name: name to give; empty for the host's name.
        hosts: other places to check instead of `connect_ip`, all of which must be well; empty for none.
    """

    helo_name: str = ""
    hosts: tuple[SmtpHost, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsCheck(ConnectingCheck):
    """DNS_CHECK: a name server answers over UDP.

    Attributes:
        type: of the record asked for, as `SOA`.
        name: to ask about.
    """

    type: str = "SOA"
    name: str = "."


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes to compare: those of `data` under `mask`, whose zero half-bytes are ignored."""

    data: bytes
    mask: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpCheck(ConnectingCheck):
    """UDP_CHECK: a datagram is answered, or at least not refused.

    Attributes:
        payload: what to send; None for something random.
        require_reply: no answer is a failure.
        reply: what an answer must begin with, as far as both go; None for anything.
        min_reply_length, max_reply_length: bytes a required answer must have.
    """

    payload: bytes | None = None
    require_reply: bool = False
    reply: Pattern | None = None
    min_reply_length: int = 0
    max_reply_length: int = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class MiscCheck(Check):
    """MISC_CHECK: a program exits with 0.

    Attributes:
        misc_path: the program.
        misc_timeout: seconds it may take; 0 for `delay_loop`.
        misc_dynamic: an exit status from 2 to 255 is a success, and sets the weight to two less.
    """

    misc_path: Script
    misc_timeout: int = 0
    misc_dynamic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCheck:
    """FILE_CHECK: a file holds a number.

    Attributes:
        track_file: name of the `track_file`.
        weight: what the number is multiplied by; 0 makes anything but 0 a failure.
        reverse: the sense is turned round.
        dynamic: the product is added to the real server's weight.
    """

    track_file: str
    weight: int = 1
    reverse: bool = False
    dynamic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DrCheck(ConnectingCheck):
    """DR_CHECK, directrix's own: a TCP connection to the VIP, sent to this real server as clients' packets are.

    It finds out what no check of the real server's own address can: that the VIP is missing there.

    Attributes:
        connect_ip, connect_port: the VIP and its port: the virtual server's own unless told otherwise.
        bind_if: interface the packets leave by; empty for the one towards the real server.
        url: then asked for by HTTP on this connection; None for the connection alone.
        http_protocol: version to speak.
    """

    url: Url | None = None
    http_protocol: HttpProtocol = HttpProtocol.V1_0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCheck(ConnectingCheck):
    """AGENT_CHECK, directrix's own: the real server tells its weight and state, in HAProxy's agent protocol.

    Attributes:
        connect_port: where the agent listens.
        send: text sent first, to which nothing is added; empty for none.
    """

    send: str = ""


AnyCheck = (
    TcpCheck | PingCheck | HttpCheck | SmtpCheck | DnsCheck | UdpCheck | MiscCheck | FileCheck | DrCheck | AgentCheck
)
"""A check of any kind."""
