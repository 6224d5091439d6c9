"""What a method is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from directrix.system.facts.rules import choose_program
from directrix.system.whereabouts import Vip, Whereabouts


@dataclass(frozen=True, slots=True)
class Task:
    """One VIP to be a real server for.

    Attributes:
        vip: the virtual address.
        interfaces: those at which packets for it arrive.
        host: where this host stands.
        choose: takes programs, each with the package that has it, and what for; gives the first that is there,
            or raises HostError.
    """

    vip: Vip
    interfaces: tuple[str, ...]
    host: Whereabouts
    choose: Callable[[dict[str, str], str], str] = choose_program
