"""What the protocol wants done, as values; the speaker does it. Each names the instance it is about."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from directrix.vrrp.configuration import Group, Instance
from directrix.vrrp.states import State


@dataclass(frozen=True, slots=True)
class SendAdvertisement:
    """Send an advert; priority 0 resigns."""

    instance: Instance
    priority: int


@dataclass(frozen=True, slots=True)
class TakeAddresses:
    """Put addresses, routes and rules in place; those already there stay, those no longer wanted go."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class ReleaseAddresses:
    """Take all of them away."""

    instance: Instance


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell neighbours where the addresses are: so many rounds over all addresses."""

    instance: Instance
    rounds: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    """An instance is now in this state. INITIALIZE says that it has stopped; `deleted`, that it is gone for good."""

    instance: Instance
    state: State
    priority: int
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """All members of a group are now in this state, or one of them is in FAULT."""

    group: Group
    state: State


@dataclass(frozen=True, slots=True)
class WeakerHeard:
    """A master heard a weaker one."""

    instance: Instance
    priority: int


@dataclass(frozen=True, slots=True)
class PriorityChanged:
    """An instance's effective priority is now this one."""

    instance: Instance
    state: State
    priority: int


@dataclass(frozen=True, slots=True)
class Note:
    """Something for the log."""

    text: str
    level: int = logging.INFO


Effect = (
    SendAdvertisement
    | TakeAddresses
    | ReleaseAddresses
    | Announce
    | StateChanged
    | GroupChanged
    | WeakerHeard
    | PriorityChanged
    | Note
)
