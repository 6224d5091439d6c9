"""A unit of systemd that runs, once at boot, the commands a start runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from directrix.realserver.persistence.lasting import Lasting, full
from directrix.system.facts.fact import BootFact, Fact
from directrix.system.facts.files import SymbolicLink, TextFile
from directrix.system.host_error import HostError


def facts(lasting: Lasting) -> list[Fact]:
    """The unit, and the link that enables it."""
    return unit(lasting, [*lasting.rules, *lasting.addresses])


def unit(lasting: Lasting, wanted: Sequence[BootFact]) -> list[Fact]:
    """A unit for some facts; no unit for none.

    Raises:
        HostError: the host isn't run by systemd.
    """
    if not lasting.has_any("run/systemd/system", "lib/systemd/systemd", "usr/lib/systemd/systemd"):
        raise HostError("this host has no systemd")
    if not wanted:
        return []
    directory, name = lasting.path("etc/systemd/system"), f"{lasting.name}.service"
    return [
        TextFile(str(directory / name), text(lasting, wanted)),
        SymbolicLink(str(directory / "multi-user.target.wants" / name), f"../{name}"),
    ]


def text(lasting: Lasting, wanted: Sequence[BootFact]) -> str:
    """The unit's file. It comes before the network's services, so that those can listen on the VIP."""
    devices = [f" sys-subsystem-net-devices-{_escaped(name)}.device" for name in lasting.interfaces]
    lines = [
        lasting.heading,
        "[Unit]",
        f"Description=Real server for {lasting.vip}",
        f"Wants=network-pre.target{''.join(devices)}",
        "After=network-pre.target systemd-sysctl.service nftables.service netfilter-persistent.service"
        + "".join(devices),
        "Before=network.target",
        "",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        *(f"ExecStart={_line(fact.boot_words())}" for fact in wanted),
        *(f"ExecStop=-{_line(fact.end_words())}" for fact in reversed(wanted)),
        "",
        "[Install]",
        "WantedBy=multi-user.target",
        "",
    ]
    return "\n".join(lines)


def _escaped(name: str) -> str:
    """A name as systemd has it in the names of units."""
    return "".join(letter if re.match(r"[A-Za-z0-9:_.]", letter) else f"\\x{ord(letter):02x}" for letter in name)


def _line(words: Sequence[str]) -> str:
    # To systemd `%` and `$` mean something inside quotes, too.
    return shlex.join(full(words)).replace("%", "%%").replace("$", "$$")
