"""Kinds of values that only global definitions have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.faults import suggestion
from directrix.keepalived.kinds import Kind, Switch, Text, read_address, read_integer
from directrix.keepalived.lines import quoted
from directrix.keepalived.values import FlushOnStop, LvsTimeouts, SyncDaemonSettings


@dataclass(frozen=True)
class MailServer(Kind):
    """A mail server and its port."""

    fields: tuple[str, ...] = ("mail.server", "mail.port")

    @property
    def syntax(self) -> str:
        return "<HOST> [<PORT>]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        server = arguments.next("a host").text
        port = arguments.maybe()
        number = read_integer(arguments, port, 1, 65535, "a port is") if port else 25
        return {"mail.server": server, "mail.port": number}

    def write(self, value: Mapping[str, Any]) -> str:
        return f"{quoted(value['mail.server'])} {value['mail.port']}"


class SyncDaemonKind(Kind):
    """What `lvs_sync_daemon` takes."""

    @property
    def syntax(self) -> str:
        return (
            "<INTERFACE> [[inst] <NAME>] [id <0-255>] [maxlen <1-65507>] [port <PORT>] [ttl <1-255>] [group <IPADDR>]"
        )

    def read(self, arguments: Arguments) -> SyncDaemonSettings:
        limits = {"id": (0, 255), "maxlen": (1, 65507), "port": (1, 65535), "ttl": (1, 255)}
        fields = {"id": "sync_id", "maxlen": "max_length", "port": "port", "ttl": "ttl"}
        given: dict[str, Any] = {"interface": Text("an interface", 15).read(arguments)}
        while (word := arguments.maybe()) is not None:
            if word.text in limits:
                number = arguments.next("a number")
                given[fields[word.text]] = read_integer(arguments, number, *limits[word.text], f"{word.text} takes")
            elif word.text == "inst":
                given["instance"] = arguments.next("a VRRP instance").text
            elif word.text == "group":
                group = arguments.next("an address")
                given["group"] = read_address(arguments, group)
                if not given["group"].is_multicast:
                    raise arguments.wrong(group, f"{group.text} is no multicast group")
            elif "instance" not in given and arguments.at == 3:
                given["instance"] = word.text
            else:
                near = suggestion(word.text, (*limits, "inst", "group"))
                raise arguments.wrong(word, f"{word.text!r} is no option of lvs_sync_daemon{near}")
        return SyncDaemonSettings(**given)

    def write(self, value: SyncDaemonSettings) -> str:
        words = [quoted(value.interface)]
        for name, text in (
            ("inst", value.instance),
            ("id", "" if value.sync_id is None else str(value.sync_id)),
            ("maxlen", str(value.max_length or "")),
            ("port", str(value.port or "")),
            ("ttl", str(value.ttl or "")),
            ("group", str(value.group or "")),
        ):
            words += [name, quoted(text)] if text else []
        return " ".join(words)


class LvsTimeoutsKind(Kind):
    """What `lvs_timeouts` takes."""

    @property
    def syntax(self) -> str:
        return "[tcp <SECONDS>] [tcpfin <SECONDS>] [udp <SECONDS>]"

    def read(self, arguments: Arguments) -> LvsTimeouts:
        fields = {"tcp": "tcp", "tcpfin": "tcp_fin", "udp": "udp"}
        given: dict[str, int] = {}
        while not given or arguments.left:
            word = arguments.next("tcp, tcpfin or udp with seconds")
            if word.text not in fields:
                raise arguments.wrong(word, f"{word.text!r} is none of tcp, tcpfin, udp")
            seconds = arguments.next("seconds")
            given[fields[word.text]] = read_integer(arguments, seconds, 0, 2678400, f"{word.text} takes")
        return LvsTimeouts(**given)

    def write(self, value: LvsTimeouts) -> str:
        pairs = (("tcp", value.tcp), ("tcpfin", value.tcp_fin), ("udp", value.udp))
        return " ".join(f"{name} {seconds}" for name, seconds in pairs if seconds)


class FlushOnStopKind(Kind):
    """`VS`, or nothing for everything."""

    @property
    def syntax(self) -> str:
        return "[VS]"

    def read(self, arguments: Arguments) -> FlushOnStop:
        word = arguments.maybe()
        if word is None:
            return FlushOnStop.ALL
        if word.text != "VS":
            raise arguments.wrong(word, f"lvs_flush_on_stop takes VS or nothing, not {word.text!r}")
        return FlushOnStop.SERVICES

    def write(self, value: FlushOnStop) -> str:
        return "VS" if value is FlushOnStop.SERVICES else ""


@dataclass(frozen=True)
class DynamicInterfaces(Kind):
    """`dynamic_interfaces`, and whether they may change."""

    fields: tuple[str, ...] = ("dynamic_interfaces", "allow_if_changes")

    @property
    def syntax(self) -> str:
        return "[allow_if_changes]"

    def read(self, arguments: Arguments) -> dict[str, bool]:
        word = arguments.maybe()
        if word is not None and word.text != "allow_if_changes":
            raise arguments.wrong(word, f"dynamic_interfaces takes allow_if_changes or nothing, not {word.text!r}")
        return {"dynamic_interfaces": True, "allow_if_changes": word is not None}

    def write(self, value: Mapping[str, Any]) -> str:
        return "allow_if_changes" if value["allow_if_changes"] else ""


@dataclass(frozen=True)
class FifoKind(Kind):
    """The path of a named pipe, and who owns it."""

    fields: tuple[str, ...]

    @property
    def syntax(self) -> str:
        return "<PATH> [<USER> [<GROUP>]]"

    def read(self, arguments: Arguments) -> dict[str, str]:
        path = Text("the path of a named pipe").read(arguments)
        user, group = arguments.maybe(), arguments.maybe()
        texts = (path, user.text if user else "", group.text if group else "")
        return dict(zip(self.fields, texts, strict=True))

    def write(self, value: Mapping[str, Any]) -> str:
        words = [value[field] for field in self.fields]
        while len(words) > 1 and not words[-1]:
            words.pop()
        return " ".join(map(quoted, words))


_BITS = {
    f"I{mode}{who}": 0o4 >> at << shift
    for at, mode in enumerate("RWX")
    for who, shift in (("USR", 6), ("GRP", 3), ("OTH", 0))
}


class Umask(Kind):
    """A umask: a number, octal behind 0 and hexadecimal behind 0x, or names of bits."""

    @property
    def syntax(self) -> str:
        return "<NUMBER>|<BIT>[|<BIT>…]"

    def read(self, arguments: Arguments) -> int:
        first = arguments.next("a umask")
        text = "".join([first.text, *(word.text for word in arguments.left)])
        arguments.at = len(arguments.statement.words)
        try:
            if text[:1].isdigit():
                number = int(text, 16 if text[:2].lower() == "0x" else 8 if text.startswith("0") else 10)
            else:
                number = 0
                for name in text.split("|"):
                    number |= _BITS[name.removeprefix("S_")]
        except (KeyError, ValueError):
            raise arguments.wrong(first, f"{text!r} is no umask, as 022 or IWGRP|IWOTH") from None
        if not 0 <= number <= 0o777:
            raise arguments.wrong(first, f"a umask is at most 0777, not {text}")
        return number

    def write(self, value: int) -> str:
        return f"0{value:o}"


class MinimalGarp(Kind):
    """`vrrp_min_garp`: one gratuitous ARP, and no second set."""

    fields = ("garp.master_delay", "garp.master_repeat")

    @property
    def syntax(self) -> str:
        return "[<BOOL>]"

    def read(self, arguments: Arguments) -> dict[str, int]:
        return dict(zip(self.fields, (0, 1), strict=True)) if Switch().read(arguments) else {}

    def write(self, value: Any) -> str:
        return ""
