"""Gratuitous ARP: the same words globally and in an instance, with another prefix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from directrix.keepalived.arguments import Arguments
from directrix.keepalived.kinds import Kind, Number, read_integer
from directrix.keepalived.words import Keyword

LONGEST = 4294
"""Seconds that keepalived takes for delays given in whole ones."""


@dataclass(frozen=True)
class ExtraInterfaces(Kind):
    """`[all] SECONDS`."""

    fields: tuple[str, ...] = ("garp.extra_interval", "garp.extra_all")

    @property
    def syntax(self) -> str:
        return "[all] <0-86400>"

    def read(self, arguments: Arguments) -> dict[str, Any]:
        word = arguments.next("seconds")
        on_all = word.text == "all"
        number = arguments.next("seconds") if on_all else word
        seconds = read_integer(arguments, number, 0, 86400)
        return {"garp.extra_interval": seconds, "garp.extra_all": on_all}

    def write(self, value: Mapping[str, Any]) -> str:
        return ("all " if value["garp.extra_all"] else "") + str(value["garp.extra_interval"])


def garp_words(prefix: str) -> tuple[Keyword, ...]:
    """The words with their prefix."""
    delay, repeat = Number(0, LONGEST), Number(1, 0xFFFFFFFF)
    rows = (
        ("master_delay", delay, "seconds from becoming master to the second set of gratuitous ARPs; 0 for none"),
        ("master_repeat", repeat, "how many gratuitous ARPs a set has"),
        ("lower_prio_delay", delay, "the same delay after an advert of lower priority"),
        ("lower_prio_repeat", Number(0, 0xFFFFFFFF), "the same number after an advert of lower priority"),
        ("master_refresh", delay, "seconds between gratuitous ARPs while master; 0 for none"),
        ("master_refresh_repeat", repeat, "how many those are"),
    )
    words = [Keyword(f"{prefix}garp_{name}", kind, meaning, f"garp.{name}") for name, kind, meaning in rows]
    extra = "seconds between gratuitous ARPs on other interfaces that have VIPs; 0 for none"
    return (*words, Keyword(f"{prefix}garp_extra_if", ExtraInterfaces(), extra, "garp.extra_interval"))
