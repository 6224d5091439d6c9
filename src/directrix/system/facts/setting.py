"""A kernel parameter with a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from directrix.system import sysctl
from directrix.system.facts.fact import Command, calling


def setting_command(key: str, value: str) -> Command:
    """The command that writes a parameter."""
    return calling(f"sysctl -w {key}={value}", sysctl.require, key, value)


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter under /proc/sys.

    Attributes:
        name: as sysctl(8) takes it; with slashes where a part of it has a dot.
        value: what it is set to.
        also: values that are as good and left as they are.
        covered_by: a parameter that has the same effect where its value is as wanted: of `all` and an interface the
            kernel often takes the greater. Empty if there is none.
    """

    name: str
    value: str
    also: tuple[str, ...] = ()
    covered_by: str = ""

    kind: ClassVar[str] = "setting"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"setting {self.name}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.name} = {self.value}"

    def now(self) -> str | None:
        """The value; None if the kernel lacks the parameter."""
        return sysctl.read(self.name)

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == self.value or now in self.also

    def is_covered(self) -> bool:
        """Whether another parameter sees to the effect now."""
        return bool(self.covered_by) and self.holds(sysctl.read(self.covered_by))

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [setting_command(self.name, self.value)]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`; what the kernel lacked can't be put back and needn't."""
        return [] if before is None else [setting_command(self.name, before)]


def of_interface(family: str, interface: str, name: str) -> str:
    """The name of an interface's parameter: `net.ipv4.conf.eth0.arp_ignore`; `family` is ipv4 or ipv6."""
    separator = "/" if "." in interface else "."
    return separator.join(("net", family, "conf", interface, name))
