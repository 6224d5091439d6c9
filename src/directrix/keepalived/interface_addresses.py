"""Lines of `virtual_ipaddress`, `virtual_ipaddress_excluded` and `static_ipaddress`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.faults import suggestion
from directrix.keepalived.kinds import INTERFACE, Kind, read_address, read_integer
from directrix.keepalived.lines import Word, quoted
from directrix.keepalived.values import InterfaceAddress

SCOPES = ("global", "site", "link", "host", "nowhere")

FLAGS: Mapping[str, str] = {
    "home": "home",
    "-nodad": "no_dad",
    "mngtmpaddr": "manage_temporary",
    "noprefixroute": "no_prefix_route",
    "autojoin": "auto_join",
    "use_vmac": "use_vmac",
}
"""Flags of an address: iproute2's words and our fields."""

OPTIONS = (*FLAGS, "brd", "broadcast", "dev", "scope", "label", "peer", "preferred_lft")


@dataclass(frozen=True)
class InterfaceAddressLine(Kind):
    """An address with its options; `static` ones follow track groups, others an instance."""

    static: bool = False

    @property
    def syntax(self) -> str:
        track = "[track_group <NAME>]" if self.static else "[use_vmac] [no_track]"
        return (
            "<IPADDR>[/<PREFIX>] [dev <INTERFACE>] [scope <SCOPE>] [label <LABEL>] [brd <IPADDR>|+|-] [peer <IPADDR>]"
            f" [home] [-nodad] [mngtmpaddr] [noprefixroute] [autojoin] [preferred_lft <SECONDS>|forever] {track}"
        )

    def read(self, arguments: Arguments) -> InterfaceAddress:
        word = arguments.next("an address")
        text, slash, length = word.text.partition("/")
        address = read_address(arguments, Word(text, word.line, word.offset))
        bits = address.max_prefixlen
        written = Word(length, word.line, word.offset + len(text) + 1)
        prefix = read_integer(arguments, written, 0, bits, "behind / stands") if slash else bits
        options: dict[str, Any] = {"preferred_lifetime": 0 if bits == prefix == 128 else None}
        while (option := arguments.maybe()) is not None:
            self._option(arguments, option, options)
        return InterfaceAddress(address=address, prefix=prefix, **options)

    def _option(self, arguments: Arguments, option: Word, options: dict[str, Any]) -> None:
        name = option.text
        if name in FLAGS and not (name == "use_vmac" and self.static):
            options[FLAGS[name]] = True
        elif name == "dev":
            options["interface"] = INTERFACE.read(arguments)
        elif name in ("brd", "broadcast"):
            word = arguments.next("an address, + or -")
            options["broadcast"] = word.text if word.text in "+-" else str(read_address(arguments, word))
        elif name == "scope":
            options["scope"] = read_scope(arguments, arguments.next("a scope"))
        elif name == "label":
            options["label"] = INTERFACE.read(arguments)
        elif name == "peer":
            options["peer"] = read_address(arguments, arguments.next("an address"))
        elif name == "preferred_lft":
            word = arguments.next("seconds")
            forever = word.text == "forever"
            options["preferred_lifetime"] = None if forever else read_integer(arguments, word, 0, 0xFFFFFFFE)
        elif name == "no_track" and not self.static:
            options["track"] = False
        elif name == "track_group" and self.static:
            options["track_group"] = arguments.next("the name of a track group").text
        else:
            known = (*OPTIONS, "track_group" if self.static else "no_track")
            raise arguments.wrong(option, f"{name!r} is no option of an address{suggestion(name, known)}")

    def write(self, value: Any) -> str:
        words = [f"{value.address}/{value.prefix}"]
        for name, text in (
            ("dev", value.interface),
            ("brd", value.broadcast),
            ("scope", value.scope),
            ("label", value.label),
            ("peer", "" if value.peer is None else str(value.peer)),
            ("track_group", value.track_group),
        ):
            words += [name, quoted(text)] if text else []
        words += [name for name, field in FLAGS.items() if getattr(value, field)]
        deprecated = value.address.max_prefixlen == value.prefix == 128
        if value.preferred_lifetime != (0 if deprecated else None):
            lifetime = "forever" if value.preferred_lifetime is None else str(value.preferred_lifetime)
            words += ["preferred_lft", lifetime]
        return " ".join(words if value.track else [*words, "no_track"])


def read_scope(arguments: Arguments, word: Word) -> str:
    """A scope by name, or by number as the file rt_scopes may name others."""
    if word.text in SCOPES or (word.text.isascii() and word.text.isdigit() and int(word.text[:4]) <= 255):
        return word.text
    reason = f"{word.text!r} is no scope{suggestion(word.text, SCOPES) or ', nor a number from 0 to 255'}"
    raise arguments.wrong(word, reason)
