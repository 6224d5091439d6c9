"""Whether the interfaces that have addresses are up, with somebody at the other end of the wire."""

from __future__ import annotations

from collections.abc import Iterator

from directrix.doctor.case import LOOPBACK, Case
from directrix.doctor.finding import EVERYWHERE, Check, Finding, Remedy, fail, ok, skip, warn


def look(case: Case) -> Iterator[Finding]:
    """Each interface with an address that others could reach."""
    addressed = {each.interface for each in case.host.carried if each.scope == "global"} - {LOOPBACK}
    links = [link for name, link in case.host.links.items() if name in addressed]
    working = [link for link in links if link.up and link.carrier]
    # One of several may be meant to be off.
    wrong = warn if working else fail
    for link in links:
        if link in working:
            yield ok(link.name, "up")
        elif link.up:
            yield wrong(link.name, "it has an address, but no carrier: no cable, or the other end is down")
        else:
            up = Remedy(f"ip link set dev {link.name} up", safe=True)
            yield wrong(link.name, "it has an address, but is down: nothing comes in or leaves", [up])
    if not links:
        yield skip("interfaces", "none has an address")


CHECK = Check(
    "link",
    "interfaces with addresses are up and have a carrier",
    "What is sent to a host whose interface is down goes nowhere.",
    EVERYWHERE,
    look,
)
