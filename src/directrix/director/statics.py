"""`static_ipaddress`, `static_routes`, `static_rules`: there as long as the director runs, whoever is VRRP master.

What is there already stays as it is, and stays when the director goes: it is somebody else's. What the director put in
place is written down before, so that one that was killed and comes back knows what is its own.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from directrix.director.route_words import address_words, route_words, rule_words
from directrix.keepalived.values import Configuration
from directrix.lvs import Family
from directrix.lvs.addresses import family_of
from directrix.system.commands import CommandFailed, run

_log = logging.getLogger("directrix.director")


@dataclass(frozen=True, slots=True)
class Static:
    """An address, a route or a rule.

    Attributes:
        kind: `address`, `route` or `rule`.
        family: of which it is.
        words: behind `ip KIND add`; those that take it away are the same, but for an address's options.
        removal: behind `ip KIND del`.
    """

    kind: str
    family: Family
    words: tuple[str, ...]
    removal: tuple[str, ...]

    def command(self, verb: str) -> list[str]:
        """The command that adds (`add`) or deletes (`del`) it."""
        words = self.words if verb == "add" else self.removal
        return ["ip", "-6" if self.family is Family.INET6 else "-4", self.kind, verb, *words]

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(self.words)}"


def statics_of(configuration: Configuration) -> tuple[Static, ...]:
    """All that is static in a configuration, addresses first, for routes lead over them."""
    return tuple(_statics(configuration))


def _statics(configuration: Configuration) -> Iterator[Static]:
    for address in configuration.static_addresses:
        interface = address.interface or configuration.globals.default_interface
        words = address_words(address, interface)
        yield Static("address", family_of(address.address), words, words[: words.index(interface) + 1])
    for route in configuration.static_routes:
        words = route_words(route)
        yield Static("route", route.family, words, words)
    for rule in configuration.static_rules:
        words = rule_words(rule)
        yield Static("rule", rule.family, words, words)


class Statics:
    """What of it is in place."""

    def __init__(self, path: Path) -> None:
        """Recall what an earlier director left in place.

        Args:
            path: where it is written down; the file need not be there.
        """
        self._path = path
        self._ours = _read(path)

    def have(self, wanted: Sequence[Static]) -> None:
        """Put in place what is wanted, and take away what is ours and is not. What can't be done is told in the log."""
        for static in reversed([static for static in self._ours if static not in wanted]):
            self._remove(static)
        before = list(self._ours)
        self._write([*before, *(static for static in wanted if static not in before)])
        self._ours = [static for static in wanted if self._add(static, known=static in before)]
        self._write(self._ours)

    def _add(self, static: Static, *, known: bool) -> bool:
        """Whether it is there, and ours."""
        try:
            run(static.command("add"))
        except CommandFailed as failure:
            if _is_there(failure):
                if not known:
                    _log.info("%s is there already, and stays when the director goes", static)
                return known
            _log.error("%s: %s", static, failure)
            return False
        return True

    def _remove(self, static: Static) -> None:
        try:
            run(static.command("del"))
        except CommandFailed as failure:
            _log.info("%s is gone already: %s", static, failure)

    def _write(self, ours: Sequence[Static]) -> None:
        if not ours:
            with suppress(OSError):
                self._path.unlink()
            return
        fresh = self._path.with_suffix(".new")
        try:
            fresh.write_text(json.dumps([[one.kind, one.family.value, one.words, one.removal] for one in ours]))
            os.replace(fresh, self._path)
        except OSError as error:
            _log.warning("what is static can't be remembered: %s", error)


def _is_there(failure: CommandFailed) -> bool:
    """iproute2 has its own words for an address, the kernel's for the rest."""
    return "File exists" in failure.output or "already assigned" in failure.output


def _read(path: Path) -> list[Static]:
    try:
        return [
            Static(kind, Family(family), tuple(words), tuple(removal))
            for kind, family, words, removal in json.loads(path.read_text())
        ]
    except (OSError, ValueError, TypeError):
        return []
