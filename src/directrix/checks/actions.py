"""What a pool wants done: changes of the table, and people and scripts to be told. All are values."""

from __future__ import annotations

from dataclasses import dataclass

from directrix.lvs.addresses import Address

ServerKey = tuple[Address, int]
"""What names a real server inside its virtual service: address and port."""


@dataclass(frozen=True, slots=True)
class Add:
    """Put this real server into the table. `sorry`: it is the sorry server, with the sorry server's forwarding
    method.
    """

    server: ServerKey
    weight: int
    sorry: bool = False


@dataclass(frozen=True, slots=True)
class Remove:
    """Take this real server out of the table."""

    server: ServerKey
    sorry: bool = False


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Give a real server in the table this weight. `sorry`: it stands there as the sorry server from now on."""

    server: ServerKey
    weight: int
    sorry: bool = False


@dataclass(frozen=True, slots=True)
class TellServer:
    """A real server came up or went down: `notify_up`, `notify_down`, the FIFO's `RS`, an e-mail.

    `stopping`: the daemon is ending (omega).
    """

    server: ServerKey
    up: bool
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class TellQuorum:
    """Quorum was gained or lost: `quorum_up`, `quorum_down`, the FIFO's `VS`, an e-mail.

    `weight` is the sum of the weights of all real servers alive, `threshold` what it was held against. `starting`: it
    is the first word after the start. `stopping`: the daemon is ending (omega).
    """

    up: bool
    weight: int
    threshold: int
    starting: bool = False
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class TellGrowth:
    """A real server's weight begins to grow, over so many seconds to this weight, or has grown to it (None)."""

    server: ServerKey
    weight: int
    over: float | None = None


Action = Add | Remove | SetWeight | TellServer | TellQuorum | TellGrowth
