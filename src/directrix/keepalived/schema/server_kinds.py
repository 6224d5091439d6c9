"""Kinds of values that only virtual servers, real servers and their checks have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from directrix.keepalived.arguments import Arguments, Bad
from directrix.keepalived.commands import read_shell_word
from directrix.keepalived.faults import suggestion
from directrix.keepalived.kinds import Kind, Repeat, read_address, read_integer
from directrix.keepalived.lines import Word, quoted, shell_quoted
from directrix.keepalived.routing import read_network
from directrix.keepalived.values import AddressRange, GroupMark, Pattern
from directrix.lvs import Address, Family, ForwardingMethod, Tunnel, TunnelFlags, TunnelType

_METHODS = {"DR": ForwardingMethod.DIRECT, "NAT": ForwardingMethod.MASQUERADE, "TUN": ForwardingMethod.TUNNEL}
_TUNNELS = {kind.name.lower(): kind for kind in TunnelType}
_CHECKSUMS = {
    flag.name.lower(): flag for flag in (TunnelFlags.NOCSUM, TunnelFlags.CSUM, TunnelFlags.REMCSUM) if flag.name
}
FAMILIES = {"inet": Family.INET, "inet6": Family.INET6}

HIGHEST_PORT = 65535
HIGHEST_MARK = 0xFFFFFFFF


@dataclass(frozen=True)
class Forwarding(Kind):
    """A forwarding method; `TUN` with its kind of tunnel."""

    fields: tuple[str, ...] = ("method", "tunnel")

    @property
    def syntax(self) -> str:
        return "DR | NAT | TUN [type ipip | type gre [nocsum|csum] | type gue port <PORT> [nocsum|csum|remcsum]]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        word = arguments.next("DR, NAT or TUN")
        if word.text not in _METHODS:
            near = suggestion(word.text, _METHODS) or "; there are DR, NAT and TUN"
            raise arguments.wrong(word, f"{word.text!r} is no forwarding method{near}")
        method = _METHODS[word.text]
        tunnel = self._tunnel(arguments, word) if method is ForwardingMethod.TUNNEL else Tunnel()
        return dict(zip(self.fields, (method, tunnel), strict=True))

    def _tunnel(self, arguments: Arguments, method: Word) -> Tunnel:
        kind, port, flags = TunnelType.IPIP, 0, TunnelFlags.NOCSUM
        checksum: Word | None = None
        while (word := arguments.maybe()) is not None:
            if word.text == "type":
                named = arguments.next("ipip, gue or gre")
                if named.text not in _TUNNELS:
                    raise arguments.wrong(named, f"{named.text!r} is no kind of tunnel; there are ipip, gue and gre")
                kind = _TUNNELS[named.text]
            elif word.text == "port":
                port = read_integer(arguments, arguments.next("a port"), 1, HIGHEST_PORT, "a port is")
            elif word.text in _CHECKSUMS:
                flags, checksum = _CHECKSUMS[word.text], word
            else:
                near = suggestion(word.text, ("type", "port", *_CHECKSUMS))
                raise arguments.wrong(word, f"{word.text!r} is no option of TUN{near}")
        if (kind is TunnelType.GUE) is not (port > 0):
            raise Bad(method.place, "a gue tunnel needs a port, and no other kind has one")
        if checksum is not None and kind is TunnelType.IPIP:
            raise Bad(checksum.place, "an ipip tunnel has no checksum")
        if checksum is not None and kind is TunnelType.GRE and flags is TunnelFlags.REMCSUM:
            raise Bad(checksum.place, "a gre tunnel has no remcsum")
        return Tunnel(kind, port, flags)

    def write(self, value: Mapping[str, Any]) -> str:
        method, tunnel = (value[field] for field in self.fields)
        words = [next(name for name, meant in _METHODS.items() if meant is method)]
        if tunnel.type is not TunnelType.IPIP:
            words += ["type", tunnel.type.name.lower()]
        if tunnel.port:
            words += ["port", str(tunnel.port)]
        if tunnel.flags:
            words.append(tunnel.flags.name.lower())
        return " ".join(words)


def read_port(arguments: Arguments) -> int:
    """A port, or 0 if no word is left; 0 may be written, too."""
    word = arguments.maybe()
    return read_integer(arguments, word, 0, HIGHEST_PORT, "a port is") if word else 0


@dataclass(frozen=True)
class Port(Kind):
    """A port."""

    @property
    def syntax(self) -> str:
        return "<PORT>"

    def read(self, arguments: Arguments) -> int:
        return read_integer(arguments, arguments.next("a port"), 1, HIGHEST_PORT)

    def write(self, value: int) -> str:
        return str(value)


class Share(Kind):
    """A part of something."""

    @property
    def syntax(self) -> str:
        return "<0-1>"

    def read(self, arguments: Arguments) -> float:
        word = arguments.next("a part")
        part = float(word.text) if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?|\.[0-9]{1,9}", word.text) else -1.0
        if not 0.0 <= part <= 1.0:
            raise arguments.wrong(word, f"{arguments.keyword} takes a part, from 0 to 1, not {word.text!r}")
        return part

    def write(self, value: float) -> str:
        return f"{value:.9f}".rstrip("0").rstrip(".")


@dataclass(frozen=True)
class Endpoint(Kind):
    """An address, and a port if one is given."""

    fields: tuple[str, ...] = ("address", "port")

    @property
    def syntax(self) -> str:
        return "<IPADDR> [<PORT>]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        address = read_address(arguments, arguments.next("an address"))
        return dict(zip(self.fields, (address, read_port(arguments)), strict=True))

    def write(self, value: Mapping[str, Any]) -> str:
        address, port = (value[field] for field in self.fields)
        return f"{address} {port}" if port else str(address)


@dataclass(frozen=True)
class ServiceHeader(Kind):
    """What a virtual server is for."""

    fields: tuple[str, ...] = ("address", "port", "fwmark", "group")

    @property
    def syntax(self) -> str:
        return "<IPADDR> [<PORT>] | fwmark <MARK> | group <NAME>"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        word = arguments.next("an address, fwmark or group")
        if word.text == "fwmark":
            return {"fwmark": read_integer(arguments, arguments.next("a mark"), 1, HIGHEST_MARK, "a firewall mark is")}
        if word.text == "group":
            return {"group": arguments.next("the name of a group").text}
        return {"address": read_address(arguments, word), "port": read_port(arguments)}

    def write(self, value: Mapping[str, Any]) -> str:
        if value["group"]:
            return f"group {quoted(value['group'])}"
        if value["fwmark"]:
            return f"fwmark {value['fwmark']}"
        return Endpoint().write(value)


class GroupLine(Kind):
    """A line of a group: an address, a range, a network, or a firewall mark."""

    @property
    def syntax(self) -> str:
        return "<IPADDR>[-<IPADDR or its end>|/<PREFIX>] [<PORT>] | fwmark <MARK> [inet|inet6]"

    def read(self, arguments: Arguments) -> AddressRange | GroupMark:
        word = arguments.next("an address, a range or fwmark")
        if word.text == "fwmark":
            mark = read_integer(arguments, arguments.next("a mark"), 1, HIGHEST_MARK, "a firewall mark is")
            family = arguments.maybe()
            if family is not None and family.text not in FAMILIES:
                raise arguments.wrong(family, f"behind a firewall mark stands inet or inet6, not {family.text!r}")
            return GroupMark(mark, FAMILIES[family.text] if family else None)
        first, last = _range(arguments, word)
        return AddressRange(first, last, read_port(arguments))

    def write(self, value: AddressRange | GroupMark) -> str:
        if isinstance(value, GroupMark):
            family = "" if value.family is None else f" {value.family.name.lower()}"
            return f"fwmark {value.fwmark}{family}"
        addresses = str(value.first) if value.first == value.last else f"{value.first}-{value.last}"
        return f"{addresses} {value.port}" if value.port else addresses


def _range(arguments: Arguments, word: Word) -> tuple[Address, Address]:
    """The first and the last address of `A`, `A-B`, `A-N` where N replaces A's last part, or `A/N`."""
    if "/" in word.text:
        network = read_network(arguments, word)
        return network.network_address, network.broadcast_address
    start, dash, end = word.text.partition("-")
    first = read_address(arguments, Word(start, word.line, word.offset))
    if not dash:
        return first, first
    separator = ":" if first.version == 6 else "."
    if separator not in end:
        end = str(first.exploded).rpartition(separator)[0] + separator + end
    last = read_address(arguments, Word(end, word.line, word.offset + len(start) + 1))
    if last.version != first.version or int(last) <= int(first):
        raise arguments.wrong(word, f"{word.text} is no range: it must end behind its beginning")
    return first, last


class Granularity(Kind):
    """Which clients count as one: a netmask for IPv4, a prefix length for IPv6."""

    @property
    def syntax(self) -> str:
        return "<NETMASK>|<PREFIX>"

    def read(self, arguments: Arguments) -> int:
        word = arguments.next("a netmask or a prefix length")
        if word.text.isdigit():
            return read_integer(arguments, word, 1, 128)
        address = read_address(arguments, word)
        if address.version == 6 or not int(address):
            raise arguments.wrong(word, f"{word.text!r} is neither a netmask nor a prefix length")
        return int(address)

    def write(self, value: int) -> str:
        return str(value) if value <= 128 else str(IPv4Address(value))


class StatusCodes(Kind):
    """HTTP status codes and ranges of them."""

    _RANGE = re.compile(r"([1-9][0-9]{2})(?:-([1-9][0-9]{2}))?")

    @property
    def syntax(self) -> str:
        return "<CODE>[-<CODE>]…"

    def read(self, arguments: Arguments) -> tuple[tuple[int, int], ...]:
        codes: list[tuple[int, int]] = []
        while not codes or arguments.left:
            word = arguments.next("a status code")
            match = self._RANGE.fullmatch(word.text)
            low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
            if not match or low > high:
                raise arguments.wrong(word, f"{word.text!r} is no HTTP status code, as 200, nor a range, as 200-299")
            codes.append((low, high))
        return tuple(codes)

    def write(self, value: tuple[tuple[int, int], ...]) -> str:
        return " ".join(str(low) if low == high else f"{low}-{high}" for low, high in value)


class Digest(Kind):
    """An MD5 sum."""

    @property
    def syntax(self) -> str:
        return "<MD5>"

    def read(self, arguments: Arguments) -> bytes:
        word = arguments.next("an MD5 sum")
        if not re.fullmatch(r"[0-9A-Fa-f]{32}", word.text):
            raise arguments.wrong(word, f"a digest has 32 hexadecimal digits, not {word.text!r}")
        return bytes.fromhex(word.text)

    def write(self, value: bytes) -> str:
        return value.hex()


class Regex(Kind):
    """A regular expression, read like a shell's word."""

    @property
    def syntax(self) -> str:
        return "<REGEX>"

    def read(self, arguments: Arguments) -> str:
        first = arguments.next("a regular expression")
        arguments.at -= 1
        text, others = read_shell_word(arguments, "a regular expression")
        if others:
            arguments.faults.warn(first.place, f"blanks in a regular expression need quotes; {others[0]!r} is ignored")
        return text

    def write(self, value: str) -> str:
        return shell_quoted(value)


REGEX_OPTIONS = (
    *("allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall", "dupnames", "extended"),
    *("firstline", "match_unset_backref", "multiline", "never_ucp", "never_utf", "no_auto_capture"),
    *("no_auto_possess", "no_dotstar_anchor", "no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c"),
    *("alt_circumflex", "alt_verbnames", "use_offset_limit"),
)


class RegexOptions(Kind):
    """Names of PCRE2 options."""

    repeat = Repeat.COMBINE

    @property
    def syntax(self) -> str:
        return "<OPTION>…"

    def read(self, arguments: Arguments) -> Any:
        options: list[str] = []
        while not options or arguments.left:
            word = arguments.next("an option")
            if word.text not in REGEX_OPTIONS:
                raise arguments.wrong(
                    word, f"{word.text!r} is no option of PCRE2{suggestion(word.text, REGEX_OPTIONS)}"
                )
            options.append(word.text)
        return _Options(options)

    def write(self, value: tuple[str, ...]) -> str:
        return " ".join(value)


class _Options(tuple[str, ...]):
    """Options that can be joined; each stays once."""

    def __or__(self, other: tuple[str, ...]) -> _Options:
        return _Options(dict.fromkeys((*self, *other)))


def _half_bytes(arguments: Arguments, what: str, wild: bool) -> list[str]:
    """Hexadecimal digits by bytes: pairs, and single ones at the end of a word."""
    word = arguments.next(what)
    words = [word, *arguments.left]
    arguments.at = len(arguments.statement.words)
    parts: list[str] = []
    for each in words:
        for part in each.text.split():
            if not re.fullmatch(r"[0-9A-Fa-fXx]+" if wild else r"[0-9A-Fa-f]+", part):
                raise arguments.wrong(each, f"{part!r} is not hexadecimal")
            parts += [part[at : at + 2].rjust(2, "0") for at in range(0, len(part), 2)]
    return parts


class HexString(Kind):
    """Bytes in hexadecimal."""

    @property
    def syntax(self) -> str:
        return "<HEX>…"

    def read(self, arguments: Arguments) -> bytes:
        return bytes.fromhex("".join(_half_bytes(arguments, "bytes in hexadecimal", wild=False)))

    def write(self, value: bytes) -> str:
        return value.hex()


@dataclass(frozen=True)
class Reply(Kind):
    """That a reply is needed, and the bytes it begins with; X is any half-byte."""

    fields: tuple[str, ...] = ("require_reply", "reply")

    @property
    def syntax(self) -> str:
        return "[<HEX with X>…]"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        if not arguments.left:
            return {"require_reply": True, "reply": None}
        digits = "".join(_half_bytes(arguments, "bytes in hexadecimal", wild=True)).upper()
        data = bytes.fromhex(digits.replace("X", "0"))
        mask = bytes.fromhex("".join("0" if digit == "X" else "F" for digit in digits))
        return {"require_reply": True, "reply": Pattern(data, mask)}

    def write(self, value: Mapping[str, Any]) -> str:
        reply = value["reply"]
        if reply is None:
            return ""
        pairs = zip(reply.data.hex(), reply.mask.hex(), strict=True)
        return "".join("X" if mask == "0" else digit for digit, mask in pairs)
