"""What a method is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from directrix.realserver.encapsulation import DEFAULT, Encapsulation
from directrix.system.facts.rules import choose_program
from directrix.system.facts.tunnel_devices import FouPort, TunnelDevice, has_module, has_tunnel
from directrix.system.whereabouts import Vip, Whereabouts


def kernel_has(wanted: Sequence[TunnelDevice | FouPort]) -> bool:
    """Whether the kernel has all of some tunnel devices and ports."""
    return all(
        has_tunnel(each.name, each.module) if isinstance(each, TunnelDevice) else has_module(each.module)
        for each in wanted
    )


@dataclass(frozen=True, slots=True)
class Task:
    """One VIP to be a real server for.

    Attributes:
        vip: the virtual address.
        interfaces: those at which packets for it arrive.
        host: where this host stands.
        choose: takes programs, each with the package that has it, and what for; gives the first that is there,
            or raises HostError.
        tunnels: the kinds in which packets for the VIP may come; for the method `tunnel`.
        clamp: the largest TCP segment clients shall be told to send, 0 for what fits; None to leave that alone.
        kernel_has: whether the kernel has all of some tunnel devices and ports.
    """

    vip: Vip
    interfaces: tuple[str, ...]
    host: Whereabouts
    choose: Callable[[dict[str, str], str], str] = choose_program
    tunnels: tuple[Encapsulation, ...] = (DEFAULT,)
    clamp: int | None = None
    kernel_has: Callable[[Sequence[TunnelDevice | FouPort]], bool] = kernel_has
