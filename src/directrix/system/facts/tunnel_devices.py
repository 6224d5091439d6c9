"""What takes packets out of tunnels in the kernel: its tunnel devices that take packets from anybody, and ports of FOU.

Each kind of tunnel has such a device in every network namespace once its module is there: `tunl0`, `sit0` and so on. It
is down until somebody sets it up. A module that was loaded stays: others may have come to use it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from directrix.system import sysctl
from directrix.system.commands import CommandFailed, run
from directrix.system.facts.fact import Command, shell

_MODULES = Path("/sys/module")
_ALONE = "net.core.fb_tunnels_only_for_init_net"


def has_module(module: str) -> bool:
    """Whether the kernel has a module, loaded, built in or to be loaded."""
    if (_MODULES / module).exists():
        return True
    try:
        run(["modprobe", "--dry-run", "--quiet", module])
    except CommandFailed:
        return False
    return True


def has_tunnel(device: str, module: str) -> bool:
    """Whether there is a kind of tunnel's own device here, or will be when its module is loaded."""
    if device_here(device):
        return True
    return sysctl.read(_ALONE) in (None, "0") and has_module(module)


def device_here(device: str) -> bool:
    """Whether this network namespace has a device."""
    try:
        run(["ip", "link", "show", "dev", device])
    except CommandFailed:
        return False
    return True


@dataclass(frozen=True, slots=True)
class TunnelDevice:
    """A kind of tunnel's own device is up.

    Attributes:
        name: of the device.
        module: that brings it.
    """

    name: str
    module: str

    kind: ClassVar[str] = "tunnel"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"tunnel {self.name}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.name} is up"

    def now(self) -> str | None:
        """`up`; None if it is down or not there."""
        try:
            told = json.loads(run(["ip", "-json", "link", "show", "dev", self.name]) or "[]")
        except CommandFailed:
            return None
        return "up" if any("UP" in entry.get("flags", ()) for entry in told) else None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == "up"

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        load = [] if device_here(self.name) else [shell("modprobe", self.module)]
        return [*load, shell("ip", "link", "set", "dev", self.name, "up")]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        return ["sh", "-c", f"modprobe {self.module}; ip link set dev {self.name} up"]

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return ["ip", "link", "set", "dev", self.name, "down"]


@dataclass(frozen=True, slots=True)
class TunnelMode:
    """What a tunnel device over IPv6 takes out; by itself `ip6tnl0` takes nothing but IPv6.

    Attributes:
        name: of the device, which is there.
        mode: iproute2's word: `any`, `ip6ip6`, `ipip6`.
    """

    name: str
    mode: str

    kind: ClassVar[str] = "tunnel-mode"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"tunnel-mode {self.name}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"{self.name} has the mode {self.mode}"

    def now(self) -> str | None:
        """The mode; None without the device."""
        try:
            told = json.loads(run(["ip", "-json", "-details", "link", "show", "dev", self.name]) or "[]")
        except CommandFailed:
            return None
        modes = [entry.get("linkinfo", {}).get("info_data", {}).get("proto") for entry in told]
        return next((str(mode) for mode in modes if mode), None)

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == self.mode

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.boot_words())]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self._words(before or _MODE))]

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        return self._words(self.mode)

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return self._words(_MODE)

    def _words(self, mode: str) -> list[str]:
        return ["ip", "-6", "tunnel", "change", self.name, "mode", mode]


_MODE = "ip6ip6"
"""With which the device comes."""


@dataclass(frozen=True, slots=True)
class FouPort:
    """A UDP port takes packets of GUE.

    Attributes:
        port: of UDP.
        version: of IP.
    """

    port: int
    version: int

    kind: ClassVar[str] = "fou"

    @property
    def key(self) -> str:
        """See `Fact`."""
        return f"fou {self.version} {self.port}"

    @property
    def text(self) -> str:
        """See `Fact`."""
        return f"GUE at UDP port {self.port} over IPv{self.version}"

    @property
    def module(self) -> str:
        """The module that has it."""
        return "fou" if self.version == 4 else "fou6"

    def now(self) -> str | None:
        """`gue`, or what else is at the port; None if nothing is."""
        try:
            listed = run(["ip", f"-{self.version}", "fou", "show"])
        except CommandFailed:  # the module is not loaded
            return None
        for line in listed.splitlines():
            if re.match(rf"port {self.port}\b", line.strip()) and ("-6" in line.split()) == (self.version == 6):
                return "gue" if "gue" in line.split() else line.strip()
        return None

    def holds(self, now: str | None) -> bool:
        """See `Fact`."""
        return now == "gue"

    def is_ours(self, now: str | None) -> bool:
        """See `Fact`."""
        return self.holds(now)

    def make(self, now: str | None) -> list[Command]:
        """See `Fact`."""
        load = [] if (_MODULES / self.module).exists() else [shell("modprobe", self.module)]
        return [*load, shell(*self._words("add"), "gue")]

    def undo(self, before: str | None) -> list[Command]:
        """See `Fact`."""
        return [shell(*self.end_words())] if before is None else []

    def boot_words(self) -> list[str]:
        """See `BootFact`."""
        add, end = " ".join([*self._words("add"), "gue"]), " ".join(self.end_words())
        return ["sh", "-c", f"modprobe {self.module}; {end} 2>/dev/null; {add}"]

    def end_words(self) -> list[str]:
        """See `BootFact`."""
        return self._words("del")

    def _words(self, verb: str) -> list[str]:
        return ["ip", f"-{self.version}", "fou", verb, "port", str(self.port)]
