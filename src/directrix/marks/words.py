"""The words a mark rule is given in, on the command line and in saved files alike.

    -t | -u | --sctp-service ADDRESS[/PREFIX][:PORT[-PORT]]  --mark MARK
    --proto tcp|udp|sctp|all --destination ADDRESS[/PREFIX] [--dport PORT[-PORT]]  --mark MARK

An IPv6 address stands in brackets where a port may follow. Without a port, or with port 0, every
port is meant, as in ipvsadm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Protocol as Shape

from directrix.lvs import Address, MarkMatch, MarkRule, Protocol, parse_address
from directrix.lvs.mark import HIGHEST_MARK, HIGHEST_PORT, Network

SERVICES = {"--tcp-service": Protocol.TCP, "--udp-service": Protocol.UDP, "--sctp-service": Protocol.SCTP}
"""Options that say protocol, destination and ports at once."""

PROTO, DESTINATION, DPORT, MARK = "--proto", "--destination", "--dport", "--mark"
SHORT = {"-t": "--tcp-service", "-u": "--udp-service"}
OPTIONS = (*SERVICES, PROTO, DESTINATION, DPORT, MARK)

PROTOCOLS: dict[str, Protocol | None] = {**{protocol.name.lower(): protocol for protocol in Protocol}, "all": None}
"""What --proto takes."""

_TEXT = re.compile(r"\S+")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]+")
_IN_BRACKETS = re.compile(r"\[([^\]/]*)(?:(/[^\]]*)\]|\](/[^:]*)?)(?::(.*))?")


class Names(Shape):
    """Where names of hosts and ports come from."""

    def address(self, host: str) -> bytes | None:
        """The IPv4 address of a host name, or None."""

    def port(self, service: str, protocol: Protocol) -> int | None:
        """The port a service name stands for, or None."""

    def host(self, address: Address) -> str | None:
        """The name of an address, or None."""

    def service(self, port: int, protocol: Protocol) -> str | None:
        """The name of a port, or None."""


@dataclass(frozen=True, slots=True)
class Word:
    """An option in its long form, and what was given with it. `column` is where that begins in its line, from 1 on."""

    option: str
    text: str
    column: int = 0


class BadWords(Exception):
    """Words that make no rule: what is wrong, and the column of the word that is; 0 if it is none of them."""

    def __init__(self, reason: str, column: int = 0) -> None:
        self.reason = reason
        self.column = column
        super().__init__(reason)


def cut(line: str) -> list[Word]:
    """The words of a line, blanks between them.

    Raises:
        BadWords: there are others than those of a mark rule, or one lacks its value.
    """
    words: list[Word] = []
    found = iter(_TEXT.finditer(line))
    for one in found:
        text, column = one[0], one.start() + 1
        option, equals, value = text.partition("=")
        option = SHORT.get(option, option) if not equals else option
        if option not in OPTIONS:
            raise BadWords(f"{text!r} is no word of a mark rule; those are {', '.join((*SHORT, *OPTIONS))}", column)
        if equals:
            column += len(option) + 1
        else:
            following = next(found, None)
            if following is None:
                raise BadWords(f"{text} needs a value", column)
            value, column = following[0], following.start() + 1
        words.append(Word(option, value, column))
    return words


def read_rule(words: Sequence[Word], names: Names) -> MarkRule:
    """The rule that words describe.

    Raises:
        BadWords: they describe none.
    """
    match = read_match(words, names)
    mark = read_mark(words)
    if mark is None:
        raise BadWords(f"which mark? Say {MARK} with 1 to {HIGHEST_MARK}")
    return MarkRule(match, mark)


def read_mark(words: Sequence[Word]) -> int | None:
    """The mark among the words, None if there is none.

    Raises:
        BadWords: it is no mark.
    """
    word = _by_option(words).get(MARK)
    if word is None:
        return None
    if not _NUMBER.fullmatch(word.text):
        raise BadWords(f"{MARK} {word.text}: a mark is a number from 1 to {HIGHEST_MARK}", word.column)
    mark = int(word.text, 16 if word.text[:2] in ("0x", "0X") else 10)
    if not 1 <= mark <= HIGHEST_MARK:
        what = "0 means no mark; " if not mark else ""
        raise BadWords(f"{MARK} {word.text}: {what}a mark is 1 to {HIGHEST_MARK}", word.column)
    return mark


def read_match(words: Sequence[Word], names: Names) -> MarkMatch:
    """Which packets the words describe.

    Raises:
        BadWords: none.
    """
    given = _by_option(words)
    services = [given[option] for option in SERVICES if option in given]
    apart = [given[option] for option in (PROTO, DESTINATION, DPORT) if option in given]
    if not services and not apart:
        raise BadWords(f"which packets? Say {_or(SERVICES)}, or {PROTO} and {DESTINATION}")
    if len(services) > 1:
        raise BadWords(f"{services[0].option} and {services[1].option} can't go together", services[1].column)
    if services and apart:
        raise BadWords(f"{apart[0].option} can't go with {services[0].option}, which says it all", apart[0].column)
    if services:
        return _of_service(services[0], SERVICES[services[0].option], names)
    return _of_parts(given, names)


def _by_option(words: Sequence[Word]) -> dict[str, Word]:
    found: dict[str, Word] = {}
    for word in words:
        if word.option in found:
            raise BadWords(f"{word.option} is given twice", word.column)
        found[word.option] = word
    return found


def _or(options: Sequence[str] | dict[str, Protocol]) -> str:
    *others, last = options
    return f"{', '.join(others)} or {last}"


def _of_service(word: Word, protocol: Protocol, names: Names) -> MarkMatch:
    bracketed = _IN_BRACKETS.fullmatch(word.text)
    if bracketed:
        address, inner, outer, ports = bracketed.groups(default="")
        where, colon = address + (inner or outer), bracketed[4] is not None
    elif word.text.count(":") > 1:
        raise BadWords(f"{word.option} {word.text}: an IPv6 address stands in brackets: [ADDRESS]:PORT", word.column)
    else:
        where, found, ports = word.text.partition(":")
        colon = bool(found)
    network = _network(word, where, names)
    first, last = _ports(word, ports, protocol, names) if colon else (0, HIGHEST_PORT)
    return MarkMatch(network, protocol, first, last)


def _of_parts(given: dict[str, Word], names: Names) -> MarkMatch:
    for option, other in ((PROTO, DESTINATION), (DESTINATION, PROTO), (DPORT, DESTINATION)):
        if option in given and other not in given:
            raise BadWords(f"{option} needs {other} beside it", given[option].column)
    word = given[PROTO]
    if word.text not in PROTOCOLS:
        raise BadWords(f"{PROTO} {word.text}: it is {_or(list(PROTOCOLS))}", word.column)
    protocol = PROTOCOLS[word.text]
    where = given[DESTINATION]
    text = where.text[1:-1] if where.text[:1] == "[" and where.text[-1:] == "]" else where.text
    first, last = 0, HIGHEST_PORT
    if DPORT in given:
        # a name stands for the same port whatever the protocol, where it stands for one at all
        first, last = _ports(given[DPORT], given[DPORT].text, protocol or Protocol.TCP, names)
    return MarkMatch(_network(where, text, names), protocol, first, last)


def _network(word: Word, text: str, names: Names) -> Network:
    """ADDRESS or ADDRESS/PREFIX."""
    host, slash, length = text.partition("/")
    address = _address(word, host, names)
    if not slash:
        return ip_network(address)
    bits = address.max_prefixlen
    if not length.isascii() or not length.isdigit() or int(length) > bits:
        raise BadWords(
            f"{word.option} {word.text}: a prefix of IPv{address.version} is /0 to /{bits}, not /{length}", word.column
        )
    network = ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise BadWords(
            f"{word.option} {word.text}: {address} has bits behind the prefix; the network is {network}", word.column
        )
    return network


def _address(word: Word, text: str, names: Names) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        found = names.address(text) if ":" not in text and not text[:1].isdigit() else None
    if found is None:
        raise BadWords(f"{word.option} {word.text}: {text!r} is no address and no known host", word.column)
    return parse_address(".".join(map(str, found)))


def _ports(word: Word, text: str, protocol: Protocol, names: Names) -> tuple[int, int]:
    """PORT or PORT-PORT; a name may have a hyphen in it. 0 alone is every port."""
    whole = _port(text, protocol, names)
    if whole is not None:
        return (whole, whole) if whole else (0, HIGHEST_PORT)
    low, hyphen, high = text.partition("-")
    first, last = _port(low, protocol, names), _port(high, protocol, names)
    if not hyphen or first is None or last is None:
        raise BadWords(
            f"{word.option} {word.text}: {text!r} is no port; a port is 0 to {HIGHEST_PORT}, two with a hyphen a range",
            word.column,
        )
    if first > last:
        raise BadWords(f"{word.option} {word.text}: the ports are reversed; write {high}-{low}", word.column)
    return first, last


def _port(text: str, protocol: Protocol, names: Names) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text) if int(text) <= HIGHEST_PORT else None
    return names.port(text, protocol) if text and not text[0].isdigit() else None
