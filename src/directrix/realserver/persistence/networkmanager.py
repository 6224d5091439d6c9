"""NetworkManager: a dispatcher script, which runs whenever an interface comes up.

Older versions of NetworkManager leave lo alone, and newer ones have one profile active on it, so a
profile for each VIP can't be. A script works with all of them, and holds rules as well.
"""

from __future__ import annotations

import shlex

from directrix.realserver.persistence.lasting import Lasting, full
from directrix.system.facts.fact import Fact
from directrix.system.facts.files import TextFile
from directrix.system.facts.rules import XtablesRule
from directrix.system.host_error import HostError


def facts(lasting: Lasting) -> list[Fact]:
    """The script. NetworkManager runs it only if it is root's and nobody else may write it."""
    if not lasting.has_any("usr/sbin/NetworkManager", "usr/bin/NetworkManager", "etc/NetworkManager"):
        raise HostError("this host has no NetworkManager")
    wanted = [*lasting.rules, *lasting.addresses]
    if not wanted:
        return []
    lines = ["#!/bin/sh", lasting.heading, '[ "$2" = up ] || exit 0']
    for fact in wanted:
        if isinstance(fact, XtablesRule):  # it runs again and again: one rule is enough
            lines.append(f"{shlex.join(full(fact.end_words()))} 2>/dev/null")
        lines.append(shlex.join(full(fact.boot_words())))
    path = lasting.path("etc/NetworkManager/dispatcher.d", f"50-{lasting.name}")
    return [TextFile(str(path), "\n".join([*lines, ""]), 0o755)]
