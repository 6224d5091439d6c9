"""Health checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from directrix.keepalived.building.vrrp import Followed
from directrix.keepalived.faults import suggestion
from directrix.keepalived.inheritance import of_check, of_host, of_url
from directrix.keepalived.parts import defaults, make
from directrix.keepalived.reading import Reading
from directrix.keepalived.schema import check_words
from directrix.keepalived.values import (
    AgentCheck,
    AnyCheck,
    DnsCheck,
    DrCheck,
    FileCheck,
    GlobalDefinitions,
    HttpCheck,
    MiscCheck,
    PingCheck,
    SmtpCheck,
    SmtpHost,
    TcpCheck,
    UdpCheck,
    Url,
)
from directrix.lvs import ForwardingMethod

_CLASSES: Mapping[str, type] = {
    "TCP_CHECK": TcpCheck,
    "HTTP_GET": HttpCheck,
    "SSL_GET": HttpCheck,
    "SMTP_CHECK": SmtpCheck,
    "DNS_CHECK": DnsCheck,
    "UDP_CHECK": UdpCheck,
    "PING_CHECK": PingCheck,
    "MISC_CHECK": MiscCheck,
    "DR_CHECK": DrCheck,
    "AGENT_CHECK": AgentCheck,
}
assert {*_CLASSES, "FILE_CHECK", "BFD_CHECK"} == {keyword.name for keyword in check_words.CHECKS}

_PORTLESS = (PingCheck, MiscCheck)


def build_check(
    reading: Reading,
    settings: GlobalDefinitions,
    server: Mapping[str, Any],
    vip: Mapping[str, Any],
    followed: Followed,
) -> AnyCheck | None:
    """A check of a real server, whose fields are `server`; `vip` are address and port of its virtual server."""
    keyword = reading.word.text if reading.word is not None else ""
    if keyword == "FILE_CHECK":
        return _file_check(reading, followed)
    cls = _CLASSES[keyword]
    given = reading.values()
    if "retry_as_of_old" in given:
        reading.warn("nb_get_retry is deprecated; write retry", "retry_as_of_old")
        given.setdefault("retry", given["retry_as_of_old"])
        del given["retry_as_of_old"]
    found = of_check(cls, settings, server, given, vip) | given
    if not _complete(reading, cls, found, str(server["virtualhost"])):
        return None
    if cls is HttpCheck:
        found["tls"] = keyword == "SSL_GET"
        if found["enable_sni"] and not found["tls"]:
            reading.warn("enable_sni means something only in SSL_GET", "enable_sni")
            found["enable_sni"] = False
    if cls is UdpCheck and found["min_reply_length"] > found["max_reply_length"]:
        reading.error("min_reply_length is above max_reply_length: the check would always fail", "min_reply_length")
    if cls is DrCheck and server["method"] is not ForwardingMethod.DIRECT:
        reading.warn("DR_CHECK is for servers reached by lvs_method DR: only these have the VIP")
    if cls not in _PORTLESS and not found["connect_port"] and not reading.said("connect_port"):
        reading.warn("there is no port to connect to, so that this check can never succeed; add connect_port")
    check: AnyCheck = make(cls, found)
    return check


def _complete(reading: Reading, cls: type, found: dict[str, Any], virtualhost: str) -> bool:
    """Whether everything a check needs is there; fills in its blocks."""
    if cls in (HttpCheck, DrCheck):
        blocks = reading.readings("urls" if cls is HttpCheck else "url")
        urls = tuple(url for each in blocks if (url := _url(each, virtualhost)) is not None)
        if cls is HttpCheck:
            found["urls"] = urls
            if not reading.readings("urls"):
                reading.error("this check needs a url { path … }")
            return bool(urls)
        if len(urls) > 1:
            reading.error("DR_CHECK has one url", "url")
        found["url"] = urls[0] if urls else None
        if found["connect_ip"] is None:
            reading.error(
                "DR_CHECK needs to know the VIP: write connect_ip, for a firewall mark or group has no single one"
            )
            return False
    if cls is SmtpCheck:
        found["hosts"] = tuple(make(SmtpHost, of_host(found) | host.values()) for host in reading.readings("hosts"))
    if cls is AgentCheck and not reading.needs("connect_port", "AGENT_CHECK needs the agent's connect_port"):
        return False
    return cls is not MiscCheck or reading.needs("misc_path.words", "MISC_CHECK needs a misc_path")


def _url(reading: Reading, virtualhost: str) -> Url | None:
    if not reading.needs("path", "a url needs a path"):
        return None
    found = of_url(virtualhost) | reading.values()
    found["regex_options"] = tuple(found["regex_options"])
    low, high = found["regex_min_offset"], found["regex_max_offset"]
    if high is not None and low > high:
        reading.warn("regex_max_offset is before regex_min_offset: nothing can be found", "regex_max_offset")
    if found["regex"] is None:
        for name in ("regex_no_match", "regex_options", "regex_min_offset", "regex_max_offset"):
            if name in reading.given:
                reading.warn(f"{name} means something only with regex", name)
                found[name] = defaults(Url)[name]
    return make(Url, found)


def _file_check(reading: Reading, followed: Followed) -> FileCheck | None:
    if not reading.needs("track_file", "FILE_CHECK needs a track_file"):
        return None
    name = reading.given["track_file"]
    if name not in followed.files:
        reading.error(f"there is no track_file {name!r}{suggestion(name, followed.files)}", "track_file")
        return None
    file = followed.files[name]
    given = reading.values()
    if file is not None and "weight" not in given:
        given |= {"weight": file.weight, "reverse": file.reverse}
    return make(FileCheck, defaults(FileCheck) | given)
