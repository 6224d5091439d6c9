"""netplan: the VIP in a file of its own, which netplan joins with the others; rules in a unit of systemd."""

from __future__ import annotations

from directrix.realserver.persistence.lasting import Lasting
from directrix.realserver.persistence.systemd import unit
from directrix.system.facts.fact import Fact
from directrix.system.facts.files import TextFile
from directrix.system.host_error import HostError


def facts(lasting: Lasting) -> list[Fact]:
    """The file, for nobody but root to read, as netplan wants it; and the unit for rules."""
    if not lasting.has_any("usr/sbin/netplan", "sbin/netplan"):
        raise HostError("this host has no netplan")
    wanted: list[Fact] = []
    for address in lasting.addresses:
        own = f"{lasting.vip}/{lasting.vip.max_prefixlen}"
        # An IPv6 VIP is deprecated from the start: no connection of the host's own leaves with it.
        entry = (
            [f'        - "{own}":', "            lifetime: 0"] if lasting.vip.version == 6 else [f'        - "{own}"']
        )
        lines = [
            lasting.heading,
            "network:",
            "  version: 2",
            "  ethernets:",
            f"    {address.interface}:",
            "      match:",
            f"        name: {address.interface}",
            "      addresses:",
            *entry,
            "",
        ]
        wanted.append(TextFile(str(lasting.path("etc/netplan", f"60-{lasting.name}.yaml")), "\n".join(lines), 0o600))
    return [*wanted, *unit(lasting, lasting.rules)]
