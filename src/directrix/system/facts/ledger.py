"""The ledger: who holds which facts, and how each was before anybody held it.

It is a file for each network namespace, `/run/directrix/hosts/ID.json`, and goes with the machine's
uptime, as what it tells of does.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from directrix.system import namespaces
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.files import SymbolicLink, TextFile
from directrix.system.facts.forwarding import Forwarding
from directrix.system.facts.ingress import Clsact, IngressProgram
from directrix.system.facts.rules import Chain, NftTable, XtablesRule, XtablesTable
from directrix.system.facts.setting import Setting
from directrix.system.facts.tunnel_devices import FouPort, TunnelDevice, TunnelMode
from directrix.system.host_error import HostError

RUNTIME = Path("/run/directrix/hosts")

_KINDS: dict[str, type[Any]] = {
    kind.kind: kind
    for kind in (
        OwnAddress,
        Setting,
        Forwarding,
        NftTable,
        XtablesTable,
        XtablesRule,
        TextFile,
        SymbolicLink,
        TunnelDevice,
        TunnelMode,
        FouPort,
        Clsact,
        IngressProgram,
    )
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact somebody holds.

    Attributes:
        before: how it was before the first holder came; see `Fact.now`.
        holders: who holds it, the first first.
    """

    fact: Fact
    before: str | None
    holders: tuple[str, ...]


@dataclass(slots=True)
class Ledger:
    """Who holds what.

    Attributes:
        holders: every holder, with what it wants to remember of how it was started.
        entries: the facts by their keys, in the order in which they were made.
    """

    holders: dict[str, dict[str, str]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)

    def held_by(self, holder: str) -> list[Entry]:
        """The entries of a holder."""
        return [entry for entry in self.entries.values() if holder in entry.holders]

    def was(self, setting: str) -> str | None:
        """What a kernel parameter was before anybody held it; None if nobody does, or it was not there."""
        for entry in self.entries.values():
            if isinstance(entry.fact, Setting) and entry.fact.name == setting:
                return entry.before
            if isinstance(entry.fact, Forwarding):
                values: dict[str, str | None] = json.loads(entry.before or "{}")
                if setting in values:
                    return values[setting]
        return None

    def copy(self) -> Ledger:
        """One that can be changed without this one."""
        return Ledger(dict(self.holders), dict(self.entries))

    def hold(self, holder: str, fact: Fact, now: str | None) -> None:
        """Note that somebody holds a fact, which is `now` so.

        Raises:
            HostError: another holder wants the same thing to be otherwise.
        """
        entry = self.entries.get(fact.key)
        if entry is None:
            self.entries[fact.key] = Entry(fact, now, (holder,))
            return
        others = [other for other in entry.holders if other != holder]
        if entry.fact != fact and others:
            raise HostError(f"{others[0]} wants {entry.fact.text}, and {holder} {fact.text}", f"stop {others[0]} first")
        self.entries[fact.key] = Entry(fact, entry.before, (*others, holder))

    def let_go(self, holder: str, keys: Iterable[str]) -> None:
        """Note that somebody no longer holds some facts; those nobody holds go."""
        for key in keys:
            entry = self.entries[key]
            left = tuple(other for other in entry.holders if other != holder)
            if left:
                self.entries[key] = replace(entry, holders=left)
            else:
                del self.entries[key]

    def add(self, other: Ledger) -> None:
        """Take another's holders in; where both know a fact, what this one knows of before is true."""
        self.holders.update(other.holders)
        for key, entry in other.entries.items():
            mine = self.entries.get(key, replace(entry, holders=()))
            self.entries[key] = replace(mine, holders=tuple(dict.fromkeys((*mine.holders, *entry.holders))))


def to_text(ledger: Ledger, namespace: int = 0) -> str:
    """A ledger as JSON, with the inode of the network namespace it is about, if that matters."""
    entries = [
        {"kind": entry.fact.kind, "fact": asdict(entry.fact), "before": entry.before, "holders": entry.holders}  # type: ignore[call-overload]
        for entry in ledger.entries.values()
    ]
    return json.dumps({"namespace": namespace, "holders": ledger.holders, "facts": entries}, indent=1) + "\n"


def from_text(text: str) -> Ledger:
    """The ledger a text tells of.

    Raises:
        ValueError, TypeError, KeyError, AttributeError: it tells of none.
    """
    data = json.loads(text)
    ledger = Ledger(dict(data["holders"]))
    for told in data["facts"]:
        fact = _fact(_KINDS[told["kind"]], told["fact"])
        ledger.entries[fact.key] = Entry(fact, told["before"], tuple(told["holders"]))
    return ledger


def _fact(kind: type[Any], told: Mapping[str, Any]) -> Fact:
    values = {part.name: told[part.name] for part in fields(kind) if part.name in told}
    for name, value in values.items():
        if name == "chains":
            values[name] = tuple(Chain(chain["name"], chain["hook"], tuple(chain["rules"])) for chain in value)
        elif isinstance(value, list):
            values[name] = tuple(value)
    made: Fact = kind(**values)
    return made


@dataclass(frozen=True, slots=True)
class Book:
    """Where a ledger is kept.

    Attributes:
        path: the file.
        kept: a directory of ledgers, one a holder, that survive a boot; what they tell is taken in where
            the file is not there, because the machine has been booted since. None for none.
        namespace: the inode of the network namespace it is about; 0 if that doesn't matter.
    """

    path: Path
    kept: Path | None = None
    namespace: int = 0

    def read(self) -> Ledger:
        """The ledger, empty if there is none.

        Raises:
            HostError: its file is damaged.
        """
        try:
            return self._parse(self.path)
        except FileNotFoundError:
            ledger = Ledger()
        if self.kept is not None:
            for path in sorted(self.kept.glob("*.json")):
                kept = self._parse(path)
                told = kept_file(self.kept, path.stem, kept)
                kept.entries[told.key] = Entry(told, told.absent_with_directories(2), (list(kept.holders)[-1],))
                ledger.add(kept)
        return ledger

    def _parse(self, path: Path) -> Ledger:
        try:
            return from_text(path.read_text())
        except (ValueError, TypeError, KeyError, AttributeError):
            raise HostError(
                f"{path} is damaged, so it isn't known what was there before", "delete it, and undo by hand"
            ) from None

    def write(self, ledger: Ledger, otherwise: str = "") -> None:
        """Keep the ledger, whole or not at all; an empty one is kept by having no file, if none was kept over boots.

        Raises:
            HostError: it can't be kept; `otherwise` says what that means.
        """
        try:
            self._write(ledger)
        except OSError as error:
            raise self._unwritable(error, otherwise) from None

    def _unwritable(self, error: OSError, hint: str = "") -> HostError:
        what = "where it is noted what was there before"
        return HostError(f"{self.path.parent} can't be written, {what}: {error.strerror}", hint)

    def _write(self, ledger: Ledger) -> None:
        if not ledger.holders and not ledger.entries and not self._kept_files():
            self.path.unlink(missing_ok=True)
            return
        if not self.path.exists():
            self._tidy()
        draft = self.path.with_suffix(".new")
        draft.write_text(to_text(ledger, self.namespace))
        draft.rename(self.path)

    def _tidy(self) -> None:
        """Remove the ledgers of network namespaces that are gone: nobody can stop anything there."""
        others = {}
        for path in self.path.parent.glob("*.json"):
            with suppress(ValueError, AttributeError):
                others[path] = json.loads(path.read_text()).get("namespace", 0)
        if any(others.values()):
            living = namespaces.live_inodes()
            for path, inode in others.items():
                if inode and inode not in living:
                    path.unlink(missing_ok=True)

    def _kept_files(self) -> bool:
        return self.kept is not None and any(self.kept.glob("*.json"))

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the right to change this host's facts, others wait; gives the descriptor that holds it.

        Raises:
            HostError: there can be no ledger: no privilege, or /run can't be written.
        """
        try:
            descriptor = self._lock()
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self) -> int:
        while True:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            try:
                descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # somebody forgot the last ledger at this very moment
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), os.stat(self.path.parent)):
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def kept_file(directory: Path, name: str, kept: Ledger) -> TextFile:
    """The file that tells, after a boot, of a holder that lasts: `kept` has it as its last holder."""
    return TextFile(str(directory / f"{name}.json"), to_text(kept), 0o600)


def here(kept: Path | None = None) -> Book:
    """The book of the caller's network namespace; `kept` counts only in the one the machine itself lives in."""
    identity = namespaces.current()
    try:
        number = str(namespaces.cookie())
    except OSError:  # a kernel older than 5.14 has no cookies
        number = f"inode-{identity.inode}"
    return Book(
        RUNTIME / f"{number}.json", kept if namespaces.is_inside(1, identity) else None, namespace=identity.inode
    )


def forget() -> None:
    """Throw away what is noted of the caller's network namespace, because it is about to go."""
    records = here()
    if not records.path.exists():
        return
    with records.locked():
        records.path.unlink(missing_ok=True)
        for directory in (RUNTIME, RUNTIME.parent):
            with suppress(OSError):
                directory.rmdir()
