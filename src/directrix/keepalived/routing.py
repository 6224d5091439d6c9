"""What routes and rules have in common: networks, and options with their words, as iproute2 has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.lines import Word
from directrix.lvs import Family

Network = IPv4Network | IPv6Network

EVERYTHING: Mapping[str, Network] = {
    "default": IPv4Network("0.0.0.0/0"),
    "any": IPv4Network("0.0.0.0/0"),
    "all": IPv4Network("0.0.0.0/0"),
    "default6": IPv6Network("::/0"),
}

_CUT_SHORT = re.compile(r"(?:\d{1,3}\.){1,3}(?:/\d+)?")


class CutShort(Exception):
    """An IPv4 network without its last numbers, which keepalived leaves out, and the line with it."""


def read_network(arguments: Arguments, word: Word) -> Network:
    """A network, or an address, or everything.

    Raises:
        Bad: it is none of these.
        CutShort: see there.
    """
    if word.text in EVERYTHING:
        return EVERYTHING[word.text]
    if _CUT_SHORT.fullmatch(word.text):
        raise CutShort
    try:
        if "%" in word.text:
            raise ValueError
        return ip_network(word.text, strict=False)
    except ValueError:
        raise arguments.wrong(word, f"{word.text!r} is no network, as 10.0.0.0/8 or 2001:db8::/32") from None


def family_of_network(network: Network) -> Family:
    """IPv4 or IPv6."""
    return Family.INET if network.version == 4 else Family.INET6


def in_family(network: Network, family: Family) -> Network:
    """The same; everything in IPv4 becomes everything in IPv6, where that is meant."""
    if family is Family.INET6 and network == EVERYTHING["default"]:
        return EVERYTHING["default6"]
    return network
