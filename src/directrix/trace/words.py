"""The filter of a trace, in words.

    tcp | udp | sctp                 the protocol
    host ADDRESS                     source or destination
    net ADDRESS/PREFIX               likewise
    port PORT                        likewise
    service VIP:PORT | mark MARK     the virtual service
    server RIP[:PORT]                the real server
    verdict NAME[,NAME…]             what became of the packet
    new                              only packets that start a connection

A packet is shown if all of it fits. `and` may stand between; an IPv6 address stands in brackets where a port follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from directrix.lvs import Address, Family, Protocol, ServiceKey, parse_address
from directrix.lvs.mark import HIGHEST_MARK, HIGHEST_PORT, Network
from directrix.table.trace import MOST_NETWORKS, Filter
from directrix.table.xdp.verdicts import VERDICTS

VERDICT_NAMES = tuple(verdict.name for verdict in VERDICTS)
PROTOCOLS = {protocol.name.lower(): protocol for protocol in Protocol}

_ENDPOINT = re.compile(r"\[([^\]]*)\](?::(.*))?|([^:]*)(?::([^:]*))?")


class BadFilter(Exception):
    """Words that make no filter.

    Attributes:
        reason: what is wrong and what to do.
        column: where the faulty word begins in the words joined by blanks, from 1 on; behind their end if one
            is missing.
    """

    def __init__(self, reason: str, column: int) -> None:
        self.reason = reason
        self.column = column
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    column: int


def read_filter(words: Sequence[str]) -> Filter:
    """The filter that words describe; without words, everything that is the director's business.

    Raises:
        BadFilter: they describe none.
    """
    left = iter(_placed(words))
    end = len(" ".join(words)) + 2
    found = Filter()
    given: set[str] = set()
    for word in left:
        if word.text == "and":
            continue
        name = "protocol" if word.text in PROTOCOLS else word.text
        if name in given and name not in ("host", "net"):
            raise BadFilter(f"{word.text!r}: the filter has a {name} already, and a packet has one", word.column)
        given.add(name)
        if name == "protocol":
            found = replace(found, protocol=int(PROTOCOLS[word.text]))
        elif name == "new":
            found = replace(found, only_new=True)
        elif name in _WITH_ARGUMENT:
            read, what = _WITH_ARGUMENT[name]
            argument = next(left, None)
            if argument is None:
                raise BadFilter(f"{name} needs {what} behind it", end)
            found = read(found, argument)
        else:
            known = ", ".join((*PROTOCOLS, *_WITH_ARGUMENT, "new"))
            raise BadFilter(f"{word.text!r} is no word of a filter; those are {known}", word.column)
    if len(found.networks) > MOST_NETWORKS:
        raise BadFilter(f"a filter holds {MOST_NETWORKS} of host and net, not {len(found.networks)}", 1)
    if found.service is not None and found.service.address is not None and found.protocol:
        key = found.service
        found = replace(found, service=replace(key, protocol=Protocol(found.protocol)))
    return found


def _placed(words: Sequence[str]) -> Iterator[_Word]:
    """The words, also those within one argument of the shell, and where they stand."""
    for match in re.finditer(r"\S+", " ".join(words)):
        yield _Word(match[0], match.start() + 1)


def _host(found: Filter, word: _Word) -> Filter:
    return replace(found, networks=(*found.networks, ip_network(_address(word, word.text))))


def _net(found: Filter, word: _Word) -> Filter:
    host, slash, length = word.text.partition("/")
    address = _address(word, host)
    if not slash or not _is_number(length, address.max_prefixlen):
        raise BadFilter(
            f"{word.text!r} is no network: write {address}/PREFIX, 0 to {address.max_prefixlen}", word.column
        )
    network: Network = ip_network((address, int(length)), strict=False)
    if network.network_address != address:
        raise BadFilter(f"{word.text!r} has bits behind the prefix; the network is {network}", word.column)
    return replace(found, networks=(*found.networks, network))


def _port_of(found: Filter, word: _Word) -> Filter:
    return replace(found, port=_port(word, word.text, lowest=1))


def _service(found: Filter, word: _Word) -> Filter:
    address, port = _endpoint(word)
    if port is None:
        raise BadFilter(f"{word.text!r}: a service is VIP:PORT; a port of 0 is the service of all ports", word.column)
    family = Family.INET if address.version == 4 else Family.INET6
    return _with_service(found, word, ServiceKey(family, None, address, port))


def _mark(found: Filter, word: _Word) -> Filter:
    if not _is_number(word.text, HIGHEST_MARK) or not int(word.text):
        raise BadFilter(f"{word.text!r} is no firewall mark: those are 1 to {HIGHEST_MARK}", word.column)
    six = any(network.version == 6 for network in found.networks)
    return _with_service(found, word, ServiceKey.mark(int(word.text), Family.INET6 if six else Family.INET))


def _with_service(found: Filter, word: _Word, key: ServiceKey) -> Filter:
    if found.service is not None:
        raise BadFilter(f"{word.text!r}: the filter has a service already, and a packet has one", word.column)
    return replace(found, service=key)


def _server(found: Filter, word: _Word) -> Filter:
    address, port = _endpoint(word)
    return replace(found, server=(address, port or 0))


def _verdict(found: Filter, word: _Word) -> Filter:
    column = word.column
    for name in word.text.split(","):
        if name not in VERDICT_NAMES:
            raise BadFilter(f"there is no verdict {name!r}; those are {', '.join(VERDICT_NAMES)}", column)
        column += len(name) + 1
    return replace(found, verdicts=frozenset(word.text.split(",")))


_WITH_ARGUMENT: dict[str, tuple[Callable[[Filter, _Word], Filter], str]] = {
    "host": (_host, "an address"),
    "net": (_net, "ADDRESS/PREFIX"),
    "port": (_port_of, "a port"),
    "service": (_service, "VIP:PORT"),
    "mark": (_mark, "a firewall mark"),
    "server": (_server, "RIP or RIP:PORT"),
    "verdict": (_verdict, "the name of a verdict"),
}

WORDS = (*PROTOCOLS, *_WITH_ARGUMENT, "new", "and")
"""All words of a filter but the arguments."""


def _address(word: _Word, text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        raise BadFilter(f"{text!r} is no IPv4 or IPv6 address", word.column) from None


def _endpoint(word: _Word) -> tuple[Address, int | None]:
    """ADDRESS or ADDRESS:PORT; IPv6 in brackets where a port follows, and bare where none does."""
    match = _ENDPOINT.fullmatch(word.text)
    if match is None:
        return _address(word, word.text), None
    bracketed, port_behind, bare, port = match.groups()
    text = port_behind if bracketed is not None else port
    address = _address(word, bare if bracketed is None else bracketed)
    return address, None if text is None else _port(word, text, lowest=0)


def _port(word: _Word, text: str, lowest: int) -> int:
    if not _is_number(text, HIGHEST_PORT) or int(text) < lowest:
        raise BadFilter(f"{text!r} is no port: those are {lowest} to {HIGHEST_PORT}", word.column)
    return int(text)


def _is_number(text: str, highest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(highest)) and int(text) <= highest
