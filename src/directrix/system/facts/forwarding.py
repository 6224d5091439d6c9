"""That this host forwards packets for others, as a router does.

`ip_forward` and its counterpart of IPv6 are no single values: writing one changes that of every
interface, and more. So its state is all of these values, and undoing puts each of them back.

Where our data plane is, lo forwards in any case: it asks the kernel for routes as if from lo. So of lo counts how it
was before the data plane came, which its record tells, and it is left alone as long as that is there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from directrix.system import namespaces, sysctl
from directrix.system.facts.fact import Command
from directrix.system.facts.setting import of_interface, setting_command

_TABLES = Path("/run/directrix/tables")
_RECORD = "record.json"
_SWITCH = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
_FAMILY = {4: "ipv4", 6: "ipv6"}


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Forwarding of IP version 4 or 6 between all interfaces."""

    version: int

    kind: ClassVar[str] = "forwarding"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"forwarding {self.version}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{_SWITCH[self.version]} = 1"

    def now(self) -> str | None:
        """All values that the switch changes, as JSON; None if the kernel lacks this version of IP."""
        if sysctl.read(_SWITCH[self.version]) is None:
            return None
        values = {name: sysctl.read(name) for name in [_SWITCH[self.version], *self._changed()]}
        lo = of_interface(_FAMILY[self.version], "lo", "forwarding")
        if lo in values:
            values[lo] = _of_data_plane().get(lo.replace(".", "/"), [values[lo]])[0]
        return json.dumps(values)

    def _changed(self) -> list[str]:
        family = _FAMILY[self.version]
        names = sorted(path.name for path in Path(f"/proc/sys/net/{family}/conf").iterdir())
        forwarding = [of_interface(family, name, "forwarding") for name in names if name != "all"]
        return forwarding if self.version == 6 else [*forwarding, "net.ipv4.conf.all.accept_redirects"]

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now is not None and json.loads(now)[_SWITCH[self.version]] == "1"

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [setting_command(_SWITCH[self.version], "1")]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`; interfaces that have come since forward no more."""
        values: dict[str, str] = json.loads(before or "{}")
        if values.get(_SWITCH[self.version]) == "1":
            return []
        lo = of_interface(_FAMILY[self.version], "lo", "forwarding")
        if lo in values and _of_data_plane():
            values[lo] = "1"
        others = {name: value for name, value in values.items() if name != _SWITCH[self.version] and value != "0"}
        return [
            setting_command(_SWITCH[self.version], "0"),
            *(setting_command(name, value) for name, value in others.items()),
        ]


def _of_data_plane() -> dict[str, list[str | None]]:
    """The settings that our data plane has changed here: how each was, and how it is now."""
    try:
        record = json.loads((_TABLES / str(namespaces.cookie()) / _RECORD).read_text())
        settings: dict[str, list[str | None]] = record["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return settings
