"""Health checks: the words all of them have, and those of each."""

from __future__ import annotations

from directrix.keepalived.commands import CommandKind, User
from directrix.keepalived.kinds import AddressKind, Choice, Number, Presence, Seconds, Switch, Text
from directrix.keepalived.schema.server_kinds import (
    Digest,
    HexString,
    Port,
    Regex,
    RegexOptions,
    Reply,
    StatusCodes,
)
from directrix.keepalived.schema.vrrp_kinds import Weight
from directrix.keepalived.schema.vrrp_words import FILE_WEIGHT
from directrix.keepalived.values import (
    AgentCheck,
    DnsCheck,
    DrCheck,
    FileCheck,
    HttpCheck,
    HttpProtocol,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    UdpCheck,
)
from directrix.keepalived.words import Block, Keyword, Section, unused

_RETRIES = 0xFFFFFFFF

CONNECTION = (
    Keyword("connect_ip", AddressKind(), "address to connect to; the real server's by default"),
    Keyword("connect_port", Port(), "port to connect to; the real server's by default"),
    Keyword("bindto", AddressKind(), "source address"),
    Keyword("bind_port", Port(), "source port"),
    Keyword("bind_if", Text("an interface", 15), "interface the source address is on"),
    Keyword("fwmark", Number(0, 0xFFFFFFFF), "firewall mark of what is sent"),
    Keyword("connect_timeout", Seconds(0.000001), "to wait for an answer"),
)
"""Of checks over the network, and of `host` in SMTP_CHECK."""

PACING = (
    Keyword("alpha", Switch(), "out of service until first checked"),
    Keyword("retry", Number(0, _RETRIES), "failures that are forgiven"),
    Keyword("delay_before_retry", Seconds(), "from a failure to the next attempt"),
    Keyword("warmup", Seconds(), "the first check comes a random time up to this after the start"),
    Keyword("delay_loop", Seconds(0.000001), "from one check to the next"),
    Keyword("log_all_failures", Switch(), "log also failures that are forgiven"),
    Keyword("nb_get_retry", Number(0, _RETRIES), "deprecated; write retry", "retry_as_of_old", shorthand=True),
)
"""Of all checks but FILE_CHECK and BFD_CHECK."""

URL = Block(
    "url",
    (
        Keyword("path", Text("a path"), "what to ask for"),
        Keyword("digest", Digest(), "MD5 of the page, as genhash works it out"),
        Keyword("status_code", StatusCodes(), "what the server must answer; 200-299 by default", "status_codes"),
        Keyword("virtualhost", Text("a host"), "Host header; that of the real or virtual server by default"),
        Keyword("regex", Regex(), "what the page must have"),
        Keyword("regex_no_match", Presence(), "the page must not have it"),
        Keyword("regex_options", RegexOptions(), "options of PCRE2"),
        unused("regex_stack", "the stack grows as it is needed", "<BYTES> <BYTES>"),
        Keyword("regex_min_offset", Number(0, 2**31 - 1), "bytes of the page before which no match begins"),
        Keyword("regex_max_offset", Number(0, 2**31 - 1), "bytes of the page behind which no match begins"),
    ),
)
"""Fields are those of `Url`."""

_PROTOCOL = Keyword("http_protocol", Choice({version.value: version for version in HttpProtocol}), "version to speak")

HTTP = Block(
    "HTTP_GET and SSL_GET",
    (
        *CONNECTION,
        *PACING,
        Keyword("url", Section(URL), "a page to ask for; there may be several", "urls"),
        _PROTOCOL,
        Keyword("fast_recovery", Switch(), "after a failure, check all URLs without a pause"),
        Keyword("enable_sni", Switch(), "send the virtual host's name in the TLS handshake; of SSL_GET"),
    ),
)

SMTP = Block(
    "SMTP_CHECK",
    (
        *CONNECTION,
        *PACING,
        Keyword("helo_name", Text(), "name to give"),
        Keyword("host", Section(Block("host", CONNECTION)), "a place to check; there may be several", "hosts"),
    ),
)

RECORD_TYPES = ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY")

DNS = Block(
    "DNS_CHECK",
    (
        *CONNECTION,
        *PACING,
        Keyword("type", Choice({name: name for name in RECORD_TYPES}, "type of record"), "of record to ask for"),
        Keyword("name", Text(), "to ask about"),
    ),
)

UDP = Block(
    "UDP_CHECK",
    (
        *CONNECTION,
        *PACING,
        Keyword("payload", HexString(), "bytes to send; something random by default"),
        Keyword("require_reply", Reply(), "there must be a reply, beginning so", "require_reply"),
        Keyword("min_reply_length", Number(0, 65535), "bytes a required reply must have"),
        Keyword("max_reply_length", Number(0, 65535), "bytes a required reply may have"),
    ),
)

MISC = Block(
    "MISC_CHECK",
    (
        *PACING,
        Keyword("misc_path", CommandKind(), "command to run", "misc_path.words"),
        Keyword("misc_timeout", Number(0, 4294), "seconds it may take; `delay_loop` by default"),
        Keyword("misc_dynamic", Presence(), "an exit status from 2 to 255 sets the weight to two less"),
        Keyword("user", User(("misc_path.user", "misc_path.group")), "whom it runs as"),
    ),
)

FILE = Block(
    "FILE_CHECK",
    (
        Keyword("track_file", Text(), "name of a track_file"),
        Keyword("dynamic", Presence(), "the number is added to the weight"),
        Keyword("weight", Weight(*FILE_WEIGHT), "what the number is multiplied by"),
    ),
)

DR = Block(
    "DR_CHECK",
    (*CONNECTION, *PACING, Keyword("url", Section(URL), "a page to ask for on the connection"), _PROTOCOL),
)

AGENT = Block("AGENT_CHECK", (*CONNECTION, *PACING, Keyword("send", Text("a text"), "what to send first")))

BFD = Block("BFD_CHECK", (unused("name", "BFD is not spoken here", "<NAME>"),))


def _check(name: str, block: Block, makes: type, meaning: str, ours: bool = False) -> Keyword:
    section = Section(block, makes=lambda value: isinstance(value, makes))
    return Keyword(name, section, meaning, "checks", ours=ours)


CHECKS = (
    _check("TCP_CHECK", Block("TCP_CHECK", (*CONNECTION, *PACING)), TcpCheck, "a connection can be made"),
    Keyword(
        "HTTP_GET",
        Section(HTTP, makes=lambda value: isinstance(value, HttpCheck) and not value.tls),
        "pages are as they should be, by HTTP",
        "checks",
    ),
    Keyword(
        "SSL_GET",
        Section(HTTP, makes=lambda value: isinstance(value, HttpCheck) and value.tls),
        "pages are as they should be, by HTTPS",
        "checks",
    ),
    _check("SMTP_CHECK", SMTP, SmtpCheck, "a mail server greets"),
    _check("DNS_CHECK", DNS, DnsCheck, "a name server answers"),
    _check("UDP_CHECK", UDP, UdpCheck, "a datagram is answered, or at least not refused"),
    _check("PING_CHECK", Block("PING_CHECK", (*CONNECTION, *PACING)), PingCheck, "a ping is answered"),
    _check("MISC_CHECK", MISC, MiscCheck, "a command succeeds"),
    _check("FILE_CHECK", FILE, FileCheck, "a file holds a number"),
    _check("DR_CHECK", DR, DrCheck, "the VIP answers on this real server, reached as clients reach it", ours=True),
    _check("AGENT_CHECK", AGENT, AgentCheck, "the real server tells its weight by HAProxy's agent protocol", ours=True),
    Keyword("BFD_CHECK", Section(BFD), "a BFD session is up", unused="BFD is not spoken here; use another check"),
)
"""Words of a real server's block."""
