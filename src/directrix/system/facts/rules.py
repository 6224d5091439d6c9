"""Firewall rules: a table of nftables of our own, or a single rule of iptables and its kin."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import ClassVar

from directrix.system import nftables
from directrix.system.commands import CommandFailed, run
from directrix.system.facts.fact import Command, calling, shell
from directrix.system.host_error import HostError

_MISSING = re.compile(r"No such file or directory")


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain of a table, with its hook and its rules in nft's words."""

    name: str
    hook: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NftTable:
    """A table of nftables that is nobody else's.

    Attributes:
        family: `arp`, `ip` or `ip6`.
        name: its name, which nobody else uses.
        chains: all it holds.
    """

    family: str
    name: str
    chains: tuple[Chain, ...]

    kind: ClassVar[str] = "nft"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"nft {self.family} {self.name}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        rules = "; ".join(rule for chain in self.chains for rule in chain.rules)
        return f"nft table {self.family} {self.name}: {rules}"

    def now(self) -> str | None:
        """The rules that are there, a line each; None without the table."""
        try:
            listing = run(["nft", "--stateless", "list", "table", self.family, self.name])
        except CommandFailed as failure:
            if _MISSING.search(failure.output):
                return None
            raise
        return "\n".join(rules_listed(listing))

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == "\n".join(rule for chain in self.chains for rule in chain.rules)

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`; nobody else has a table of this name."""
        return now is not None

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`. One transaction, whatever is there already."""
        return [shell(*self._words(replace=now is not None))]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        return self._words(replace=True)

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return ["nft", "delete", "table", self.family, self.name]

    def _words(self, *, replace: bool) -> list[str]:
        table = f"{self.family} {self.name}"
        # `delete` fails where there is no table, `add` does not where there is one.
        lines = [f"add table {table}", *([f"delete table {table}", f"add table {table}"] if replace else [])]
        for chain in self.chains:
            lines.append(f"add chain {table} {chain.name} {{ {chain.hook}; }}")
            lines += [f"add rule {table} {chain.name} {rule}" for rule in chain.rules]
        return ["nft", "; ".join(lines)]


def rules_listed(listing: str) -> list[str]:
    """The rules in what `nft list table` prints."""
    lines = (line.strip() for line in listing.splitlines())
    return [line for line in lines if line and not re.search(r"[{}]|^type |^#", line)]


@dataclass(frozen=True, slots=True)
class XtablesRule:
    """A rule of iptables, ip6tables or arptables, put before all others of its chain.

    Attributes:
        program: which of them.
        table, chain: where it stands.
        words: what it matches and does.
    """

    program: str
    table: str
    chain: str
    words: tuple[str, ...]

    kind: ClassVar[str] = "xtables"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return " ".join((self.program, self.table, self.chain, *self.words))

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.program}, {self.table} {self.chain}: {' '.join(self.words)}"

    def now(self) -> str | None:
        """`there`, or None."""
        wanted = sorted(self.words)
        return (
            "there" if any(sorted(words) == wanted for words in _listed(self.program, self.table, self.chain)) else None
        )

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now is not None

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.boot_words())]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`; if it is there already, it is so twice."""
        return [self.program, "-t", self.table, "-I", self.chain, *self.words]

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return [self.program, "-t", self.table, "-D", self.chain, *self.words]


_POLICY = re.compile(r"-P \S+ ACCEPT|Chain \S+ \(policy ACCEPT\b.*")


def _listed(program: str, table: str, *chain: str) -> list[list[str]]:
    """The rules of a table or of one chain, in words. A table without any has nothing but chains that accept.

    arptables is asked by `-L`: its `-S` and arptables-save go and look for the names of some addresses.
    """
    how = ["-n", "-L"] if program == "arptables" else ["-S"]
    lines = run([program, "-t", table, *how, *chain]).splitlines()
    rules = [line for line in lines if line.strip() and not _POLICY.fullmatch(line.strip())]
    return [line.removeprefix(f"-A {''.join(chain)} ").split() for line in rules]


@dataclass(frozen=True, slots=True)
class XtablesTable:
    """The table that a rule of iptables, ip6tables or arptables brings along where it stands in nftables.

    The first rule makes it, and those programs can't delete it. So there is nothing to be made and always all is
    well, but when it was not there before and is empty again, it goes.
    """

    program: str
    table: str

    kind: ClassVar[str] = "xtables-table"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"{self.program} {self.table}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.program}, table {self.table}"

    @property
    def _family(self) -> str:
        return {"iptables": "ip", "ip6tables": "ip6", "arptables": "arp"}[self.program]

    def now(self) -> str | None:
        """`there`, `kept` if it is of the make that doesn't stand in nftables, or None."""
        if "nf_tables" not in run([self.program, "-V"]):
            return "kept"
        return "there" if nftables.table_exists(self._family, self.table) else None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return True

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == "there"

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return []

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        if before is not None:
            return []
        return [calling(f"nft delete table {self._family} {self.table}", self._delete_if_empty)]

    def _delete_if_empty(self) -> None:
        if not _listed(self.program, self.table):
            nftables.delete_table(self._family, self.table)


def choose_program(programs: dict[str, str], purpose: str) -> str:
    """The first of some programs that is there; each is given with the package that has it.

    Raises:
        HostError: none is there.
    """
    for program in programs:
        if shutil.which(program):
            return program
    packages = list(dict.fromkeys(programs.values()))
    raise HostError(
        f"{purpose} needs {' or '.join(programs)}, and this host has none",
        f"install the package {' or '.join(packages)}",
    )
