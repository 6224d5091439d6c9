"""systemd-networkd: the VIP in a drop-in of the file that sets lo up; rules in a unit of systemd.

networkd takes one file for an interface, the first that fits, and merges its drop-ins. If none
is there for lo, one of ours is, for all VIPs together.
"""

from __future__ import annotations

import re
from pathlib import Path

from directrix.realserver.persistence.lasting import Lasting
from directrix.realserver.persistence.systemd import unit
from directrix.system.facts.address import OwnAddress
from directrix.system.facts.fact import Fact
from directrix.system.facts.files import TextFile
from directrix.system.host_error import HostError

_DIRECTORIES = ("etc/systemd/network", "run/systemd/network", "usr/lib/systemd/network", "lib/systemd/network")
_OURS = "60-directrix-lo.network"


def facts(lasting: Lasting) -> list[Fact]:
    """The drop-in, the file it belongs to if there is none, and the unit for rules."""
    if not lasting.has_any("lib/systemd/systemd-networkd", "usr/lib/systemd/systemd-networkd"):
        raise HostError("this host has no systemd-networkd")
    wanted: list[Fact] = []
    for address in lasting.addresses:
        directory = lasting.path(_DIRECTORIES[0])
        there = file_of_loopback(lasting)
        if there in ("", _OURS):
            matching = f"# directrix: the VIPs of this real server\n[Match]\nName={address.interface}\n"
            wanted.append(TextFile(str(directory / _OURS), matching))
        wanted.append(
            TextFile(str(directory / f"{there or _OURS}.d" / f"{lasting.name}.conf"), _drop_in(lasting, address))
        )
    return [*wanted, *unit(lasting, lasting.rules)]


def _drop_in(lasting: Lasting, address: OwnAddress) -> str:
    how = "PreferredLifetime=0\nDuplicateAddressDetection=none" if lasting.vip.version == 6 else "Scope=host"
    return f"{lasting.heading}\n[Address]\nAddress={lasting.vip}/{lasting.vip.max_prefixlen}\n{how}\n"


def file_of_loopback(lasting: Lasting) -> str:
    """The name of the .network file that networkd takes for lo; empty if there is none."""
    files: dict[str, Path] = {}
    for directory in _DIRECTORIES:
        for path in lasting.path(directory).glob("*.network"):
            files.setdefault(path.name, path)
    fitting = (name for name, path in sorted(files.items()) if re.search(r"^\s*Name=\s*lo\s*$", path.read_text(), re.M))
    return next(fitting, "")
