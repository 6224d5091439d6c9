"""The words that name a service, or a real server of it, as `directrix drain` and its like take them.

They are ipvsadm's own; or, for short, both in their places: `10.0.0.100:80 10.0.0.11`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from directrix.lvs import Address, ServiceKey

_SERVICES = {
    "tcp": "--tcp-service",
    "udp": "--udp-service",
    "sctp": "--sctp-service",
    "fwmark": "--fwmark-service",
}
"""The options that name a service, by what stands before it in its place: `udp:10.0.0.100:53`."""


class BadServer(Exception):
    """The words name no service or no real server; says why."""


class _Keep(argparse.Action):
    """Keeps an option with its text, in the order given, for ipvsadm's parser."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        words = namespace.words = getattr(namespace, "words", [])
        words += [self.option_strings[-1], *([] if self.nargs == 0 else [str(values)])]


def describe_service(parser: argparse.ArgumentParser) -> None:
    """Declare the words that name a service."""
    keep: dict[str, Any] = {"action": _Keep, "default": argparse.SUPPRESS}
    parser.add_argument("-t", "--tcp-service", metavar="VIP:PORT", help="of this TCP service", **keep)
    parser.add_argument("-u", "--udp-service", metavar="VIP:PORT", help="of this UDP service", **keep)
    parser.add_argument("--sctp-service", metavar="VIP:PORT", help="of this SCTP service", **keep)
    parser.add_argument("-f", "--fwmark-service", metavar="MARK", help="of the service of this firewall mark", **keep)
    parser.add_argument("-6", "--ipv6", nargs=0, help="after -f: of its IPv6 service", **keep)


def describe_server(parser: argparse.ArgumentParser) -> None:
    """Declare the words that name a real server."""
    keep: dict[str, Any] = {"action": _Keep, "default": argparse.SUPPRESS}
    parser.add_argument(
        "place",
        nargs="*",
        metavar="SERVICE SERVER",
        help="both for short, VIP:PORT RIP[:PORT]; a service of UDP as udp:VIP:PORT, likewise sctp: and fwmark:MARK",
    )
    describe_service(parser)
    parser.add_argument(
        "-r", "--real-server", metavar="RIP[:PORT]", help="the real server; without a port, of the service's", **keep
    )


def read_service(words: Sequence[str]) -> ServiceKey:
    """The service that words name.

    Raises:
        BadServer: they name none.
    """
    from directrix.ipvsadm.errors import Refusal
    from directrix.ipvsadm.names import Names
    from directrix.ipvsadm.parser import parse

    if not words:
        raise BadServer("which service? Say -t, -u, --sctp-service or -f")
    try:
        return parse(["--delete-service", *words], Names()).key()
    except Refusal as refusal:
        raise BadServer(refusal.message.rstrip()) from None


def read_server(args: argparse.Namespace) -> tuple[ServiceKey, Address, int]:
    """Service, address and port.

    Raises:
        BadServer: the words name none.
    """
    from directrix.ipvsadm.errors import Refusal
    from directrix.ipvsadm.names import Names
    from directrix.ipvsadm.parser import parse

    if len(args.place) > 2:
        raise BadServer(f"a service and a real server are two words; {args.place[2]!r} is a third")
    service, server = args.place[:1], args.place[1:]
    # In ipvsadm's order: -6 comes after -f, and a real server has its service's port.
    words = [*_service_options(*service), *getattr(args, "words", []), *(["--real-server", *server] if server else [])]
    if not any(word in _SERVICES.values() for word in words):
        raise BadServer("which service? Say -t, -u, --sctp-service or -f, or for short SERVICE SERVER")
    if "--real-server" not in words:
        raise BadServer("which real server? Say -r, or for short SERVICE SERVER")
    try:
        request = parse(["--delete-server", *words], Names())
    except Refusal as refusal:
        raise BadServer(refusal.message.rstrip()) from None
    assert request.server_address is not None
    return request.key(), request.server_address, request.server_port


def _service_options(word: str = "") -> list[str]:
    """A service named by its place, in ipvsadm's words."""
    kind, _, name = word.partition(":")
    if kind in _SERVICES:
        return [_SERVICES[kind], name]
    return [_SERVICES["tcp"], word] if word else []


def server_in_words(key: ServiceKey, address: Address, port: int) -> str:
    """The options that name it, to be typed again."""
    from directrix.lvs.addresses import endpoint
    from directrix.lvs.budget_words import service_words

    return f"{service_words(key)} -r {endpoint(address, port)}"


def duration(text: str) -> float:
    """A length of time, for argparse."""
    from directrix.lvs.durations import read_duration

    try:
        return read_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
