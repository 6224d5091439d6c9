"""Changing a keepalived.conf by commands that can be typed: one line of it, then a reload."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from directrix.doctor.daemon import Daemon
from directrix.doctor.finding import Remedy
from directrix.keepalived import Place, Statement, statements


class Configured:
    """The file of a director, and where in it an instance says what.

    A line that came out of a parameter may come out of it elsewhere, too, and is left to people: no remedy then.
    """

    def __init__(self, daemon: Daemon) -> None:
        """Read it.

        Raises:
            OSError: it can't be read.
        """
        self._daemon = daemon
        self._statements = statements(daemon.configuration, daemon.config_id)

    def set(self, instance: str, keyword: str, value: str) -> list[Remedy]:
        """Have an instance say something else by a keyword, whether or not it says anything by it now."""
        found = self._instance(instance)
        if found is None:
            return []
        said = next((each for each in found.block if each.keyword == keyword), None)
        if said is None:
            return self._behind(found, f"    {keyword} {value}")
        return self._replace(said.place, keyword, value)

    def set_inside(self, instance: str, block: str, keyword: str, value: str) -> list[Remedy]:
        """The same for a keyword in a block of the instance, which must be there."""
        outer = self._block(instance, block)
        said = next((each for each in outer.block if each.keyword == keyword), None) if outer else None
        return [] if said is None else self._replace(said.place, keyword, value)

    def add(self, instance: str, block: str, lines: list[str]) -> list[Remedy]:
        """Add lines to a block of an instance, unless they are there already; a new block, if there is none."""
        outer = self._block(instance, block)
        if outer is not None:
            if {each.rest(0) for each in outer.block} >= set(lines):
                return []
            return self._behind(outer, *(f"        {line}" for line in lines))
        found = self._instance(instance)
        if found is None:
            return []
        return self._behind(found, f"    {block} {{", *(f"        {line}" for line in lines), "    }")

    def remove(self, instance: str, block: str, word: str) -> list[Remedy]:
        """Take the line out of a block of an instance that begins with a word; with or without a prefix length."""
        outer = self._block(instance, block)
        for each in outer.block if outer else ():
            if each.keyword.partition("/")[0] == word and each.words[0].line.text.strip() == each.rest(0):
                return self._edit(each.place, "d")
        return []

    def _instance(self, name: str) -> Statement | None:
        for each in self._statements:
            if each.keyword == "vrrp_instance" and [word.text for word in each.arguments] == [name]:
                return each
        return None

    def _block(self, instance: str, keyword: str) -> Statement | None:
        found = self._instance(instance)
        return next((each for each in found.block if each.keyword == keyword), None) if found else None

    def _behind(self, outer: Statement, *lines: str) -> list[Remedy]:
        if outer.opened is None:
            return []
        # The backslash keeps the blanks that the first line begins with.
        return self._edit(outer.opened.place, "a\\" + r"\n".join(line.replace("\\", r"\\") for line in lines))

    def _replace(self, place: Place, keyword: str, value: str) -> list[Remedy]:
        if not re.search(rf"\b{keyword}\s+\S", _line(place)):
            return []
        plain = value.replace("\\", r"\\").replace("&", r"\&").replace("/", r"\/")
        return self._edit(place, rf"s/\b{keyword}\s+\S+/{keyword} {plain}/")

    def _edit(self, place: Place, script: str) -> list[Remedy]:
        if place.via is not None:
            return []
        edit = f"sed -i -E {shlex.quote(f'{place.line}{script}')} {shlex.quote(place.file)}"
        return [Remedy(edit), Remedy(f"kill -HUP {self._daemon.pid}")]


def _line(place: Place) -> str:
    """The line of a place as it stands in the file, with parameters as they were written."""
    try:
        return Path(place.file).read_text(errors="replace").split("\n")[place.line - 1]
    except (OSError, IndexError):
        return ""


def word(text: bytes) -> str:
    """A password as it stands in a configuration: without the zeros that fill it up; empty if it can't stand there."""
    plain = text.rstrip(b"\0").decode("ascii", "replace")
    return plain if re.fullmatch(r"[^\s\"'{}#!$\\@~\ufffd]+", plain) else ""
