"""What the commands that set hosts up have in common: how they show what they do, and what goes wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from directrix.system.facts.fact import FactStatus
    from directrix.system.facts.keeping import Done

_SHORT = 43
"""Characters of a state that is shown beside its fact: an address with its prefix."""

_NOT_FOUND = 127
_PACKAGES = {
    "ip": "iproute2",
    "nft": "nftables",
    "arptables": "arptables",
    "iptables": "iptables",
    "ip6tables": "iptables",
}
"""The packages that have the programs we run."""

_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def guarded(name: str, run: Callable[[], int]) -> int:
    """Run; what this host can't do is one line and exit status 1. A signal ends it in good order."""
    from directrix.system.commands import CommandFailed
    from directrix.system.host_error import HostError
    from directrix.system.signals import Terminated, ending_in_order

    try:
        with ending_in_order():
            return run()
    except (HostError, CommandFailed) as error:
        advice = ""
        if isinstance(error, CommandFailed) and error.status == _NOT_FOUND:
            program = error.command.split()[0]
            advice = f"; install the package {_PACKAGES[program]}" if program in _PACKAGES else ""
        print(f"directrix {name}: {error}{advice}", file=sys.stderr)
        return 1
    except Terminated as signal:
        return signal.status


def require_root(what: str) -> None:
    """Take care that we are root.

    Raises:
        HostError: we are not.
    """
    from directrix.system.host_error import HostError

    if os.geteuid() != 0:
        raise HostError(f"`{what}` changes addresses and kernel parameters, and that needs root", "try again with sudo")


def show_done(done: Done, *, rehearsed: bool) -> None:
    """The commands of a rehearsal on stdout; what was left alone on stderr."""
    if rehearsed:
        print("".join(f"{command}\n" for command in done.commands), end="")
    for text in done.left:
        print(f"left alone, because somebody else changed it meanwhile: {text}", file=sys.stderr)


def fact_as_json(fact: FactStatus) -> dict[str, object]:
    """A fact held against the host, as plain data."""
    return {"fact": fact.text, "holds": fact.holds, "now": fact.now, "mend": list(fact.mend)}


def fact_lines(facts: Sequence[FactStatus]) -> Iterator[str]:
    """Facts held against the host, for people; in colour on a terminal."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for fact in facts:
        word, colour = ("ok", _GREEN) if fact.holds else ("missing", _RED)
        shown = f"{colour}{word:<8}{_PLAIN}" if coloured else f"{word:<8}"
        is_short = fact.now is not None and len(fact.now) <= _SHORT and fact.now.isprintable()
        yield f"  {shown} {fact.text}" + (f" (is {fact.now})" if is_short and not fact.holds else "")
        for command in fact.mend:
            yield from (f"           {line}" for line in command.splitlines())
