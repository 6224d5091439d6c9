"""ifupdown: lines for lo in a file of /etc/network/interfaces.d; they hold rules as well."""

from __future__ import annotations

import re
import shlex

from directrix.realserver.persistence.lasting import Lasting, full
from directrix.system.facts.fact import Fact
from directrix.system.facts.files import TextFile
from directrix.system.host_error import HostError

_INTERFACES = "etc/network/interfaces"


def facts(lasting: Lasting) -> list[Fact]:
    """The file. Several stanzas may tell of one interface, and are joined."""
    if not lasting.has_any("usr/sbin/ifup", "sbin/ifup"):
        raise HostError("this host has no ifupdown")
    interfaces = lasting.path(_INTERFACES)
    sourced = r"^\s*source(-directory)?\s+\S*interfaces\.d"
    if not interfaces.exists() or not re.search(sourced, interfaces.read_text(), re.MULTILINE):
        raise HostError(
            f"{interfaces} doesn't take in /etc/network/interfaces.d",
            "add the line `source /etc/network/interfaces.d/*` to it",
        )
    wanted = [*lasting.rules, *lasting.addresses]
    if not wanted:
        return []
    family = "inet" if lasting.vip.version == 4 else "inet6"
    lines = [
        lasting.heading,
        "auto lo",
        f"iface lo {family} manual",
        *(f"    up {shlex.join(full(fact.boot_words()))}" for fact in wanted),
        *(f"    down {shlex.join(full(fact.end_words()))} || true" for fact in reversed(wanted)),
        "",
    ]
    return [TextFile(str(lasting.path("etc/network/interfaces.d", lasting.name)), "\n".join(lines))]
