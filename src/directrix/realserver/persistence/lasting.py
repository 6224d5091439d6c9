"""What is to last, and what the ways of keeping it have in common."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import BootFact, Fact
from directrix.system.facts.files import TextFile
from directrix.system.facts.ingress import Clsact, IngressProgram
from directrix.system.facts.rules import NftTable, XtablesRule
from directrix.system.facts.setting import Setting
from directrix.system.facts.tunnel_devices import FouPort, TunnelDevice, TunnelMode
from directrix.system.whereabouts import Vip

_BY_COMMANDS = OwnAddress | NftTable | XtablesRule | TunnelDevice | TunnelMode | FouPort | Clsact | IngressProgram


@dataclass(frozen=True, slots=True)
class Lasting:
    """What is to last.

    Attributes:
        vip: the VIP it is about.
        method: by which this host is a real server for it.
        wanted: the facts.
        root: where the host's files begin.
    """

    vip: Vip
    method: str
    wanted: Sequence[Fact]
    root: Path = Path("/")

    @property
    def name(self) -> str:
        """The name of its files: some directories take no dots and colons."""
        return f"directrix-realserver-{re.sub(r'[.:]', '-', str(self.vip))}"

    @property
    def heading(self) -> str:
        """The first line of its files."""
        return f"# directrix: this host is a real server for {self.vip}, by the method {self.method}"

    @property
    def addresses(self) -> list[OwnAddress]:
        """The VIP, if it is to be carried by lo."""
        return [fact for fact in self.wanted if isinstance(fact, OwnAddress) and fact.interface == "lo"]

    @property
    def rules(self) -> list[BootFact]:
        """The firewall rules, and what takes packets out of tunnels, with addresses on its devices."""
        carried = self.addresses
        return [fact for fact in self.wanted if isinstance(fact, _BY_COMMANDS) and fact not in carried]

    @property
    def interfaces(self) -> list[str]:
        """The interfaces that must be there before."""
        return [fact.interface for fact in self.wanted if isinstance(fact, Clsact)]

    def path(self, *parts: str) -> Path:
        """A path of the host."""
        return self.root.joinpath(*parts)

    def has_any(self, *paths: str) -> bool:
        """Whether the host has one of some files, given without the first slash."""
        return any(self.path(path).exists() for path in paths)


def sysctl_file(lasting: Lasting) -> list[Fact]:
    """The file of sysctl.d for its kernel parameters, if it has some."""
    settings = [fact for fact in lasting.wanted if isinstance(fact, Setting)]
    if not settings:
        return []
    lines = [lasting.heading, *(f"{setting.name} = {setting.value}" for setting in settings)]
    # What /etc/sysctl.conf says comes in as 99-sysctl.conf; ours must have the last word.
    path = lasting.path("etc/sysctl.d", f"99-z-{lasting.name}.conf")
    return [TextFile(str(path), "\n".join([*lines, ""]))]


def full(words: Sequence[str]) -> list[str]:
    """A command with its program's whole path, which those need who run it with no PATH."""
    return [shutil.which(words[0]) or words[0], *words[1:]]
