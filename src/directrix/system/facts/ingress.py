"""BPF programs of ours in tc's ingress of an interface.

A program is an object that the kernel gets by tc(8). It stands at a preference and a handle that nobody else uses,
under a name that tells which program it is. The object travels inside the command, so that it can be typed, and
run at boot, where there are no files of ours.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import shlex
from dataclasses import dataclass
from typing import Any, ClassVar

from directrix.system.commands import CommandFailed, run
from directrix.system.facts.fact import Command, calling, shell


def _listed(*words: str) -> list[dict[str, Any]]:
    """What tc lists, as it has it in JSON; nothing where there is no such interface."""
    try:
        told = run(["tc", "-json", *words])
    except CommandFailed as failure:
        if "Cannot find device" in failure.output:
            return []
        raise
    return [entry for entry in json.loads(told or "[]") if entry]


@dataclass(frozen=True, slots=True)
class Clsact:
    """An interface has a place for programs: the qdisc `clsact`, or the older `ingress`."""

    interface: str

    kind: ClassVar[str] = "clsact"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"clsact {self.interface}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"qdisc clsact on {self.interface}"

    def now(self) -> str | None:
        """The qdisc's kind; None if there is neither."""
        kinds = [entry.get("kind") for entry in _listed("qdisc", "show", "dev", self.interface)]
        return next((kind for kind in ("clsact", "ingress") if kind in kinds), None)

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now is not None

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == "clsact"

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell("tc", "qdisc", "add", "dev", self.interface, "clsact")]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`; what others have put there meanwhile stays, and the qdisc with it."""
        if before is not None:
            return []
        return [calling(shlex.join(["tc", "qdisc", "del", "dev", self.interface, "clsact"]), self._delete_if_empty)]

    def _delete_if_empty(self) -> None:
        if not any(_listed("filter", "show", "dev", self.interface, hook) for hook in ("ingress", "egress")):
            run(["tc", "qdisc", "del", "dev", self.interface, "clsact"])

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        return ["tc", "qdisc", "replace", "dev", self.interface, "clsact"]

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return ["tc", "qdisc", "del", "dev", self.interface, "clsact"]


@dataclass(frozen=True, slots=True)
class IngressProgram:
    """A program that sees what comes in by an interface.

    Attributes:
        interface: the name of the interface, which has `Clsact`.
        purpose: what it does, in a few words.
        name: of a file, without its ending; the program's digest comes behind it.
        preference, handle: where it stands.
        packed: the object, as `pack` makes it.
    """

    interface: str
    purpose: str
    name: str
    preference: int
    handle: int
    packed: str

    kind: ClassVar[str] = "ingress"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"ingress {self.interface} {self.preference} {self.handle}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.purpose}, by a BPF program at {self.interface}"

    @property
    def _file(self) -> str:
        return f"{self.name}-{hashlib.sha256(self.packed.encode()).hexdigest()[:8]}.o"

    def now(self) -> str | None:
        """The name of the program that stands there; None if none does."""
        for entry in _listed("filter", "show", "dev", self.interface, "ingress"):
            options = entry.get("options", {})
            if entry.get("pref") == self.preference and int(str(options.get("handle", 0)), 0) == self.handle:
                return str(options.get("bpf_name", ""))
        return None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == f"{self._file}:[tc]"

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`; nobody else stands there."""
        return now is not None

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.boot_words())]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        load = shlex.join(["tc", "filter", "replace", *self._place(), "direct-action", "object-file"])
        script = (
            f'd=$(mktemp -d) && echo {self.packed} | base64 -d | gunzip >"$d/{self._file}" && '
            f'{load} "$d/{self._file}" section tc; s=$?; rm -r "$d"; exit $s'
        )
        return ["sh", "-c", script]

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return ["tc", "filter", "del", *self._place()]

    def _place(self) -> list[str]:
        where = ["dev", self.interface, "ingress", "pref", str(self.preference), "handle", hex(self.handle)]
        return [*where, "bpf"]


def pack(program: bytes) -> str:
    """An object as a word of a command."""
    return base64.b64encode(gzip.compress(program, 9, mtime=0)).decode()
