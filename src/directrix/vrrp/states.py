"""The state machine of a virtual router as one table: RFC 5798 section 6.4 (RFC 3768 section 6.4 has the same).

The RFCs have three states. FAULT is keepalived's: something tracked is not well, so this router takes no part.
LEAVING is ours: a master that was told to stop has said so (priority 0) and keeps the addresses until it hears the new
one, so that a planned hand-over loses nothing; the RFC's master would drop them at once.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class State(enum.IntEnum):
    """What a virtual router is. The numbers of the first four are those of keepalived's metrics."""

    INITIALIZE = 0
    BACKUP = 1
    MASTER = 2
    FAULT = 3
    LEAVING = 4


class Event(enum.Enum):
    """What can happen to one."""

    STARTUP = enum.auto()
    """It starts, or all that was not well is well again."""
    OWNER_STARTUP = enum.auto()
    """The same, and it is the owner of the addresses (priority 255)."""
    RESUMED = enum.auto()
    """It starts, and an earlier life was master so short ago that nobody can have taken over yet."""
    SHUTDOWN = enum.auto()
    FAULT = enum.auto()
    """Something tracked is not well."""
    MASTER_DOWN_EXPIRED = enum.auto()
    ADVERTISE_EXPIRED = enum.auto()
    RELEASE_EXPIRED = enum.auto()
    """Nobody was heard to take over after we left."""
    RESIGNED = enum.auto()
    """An advert of priority 0: its sender stops being master."""
    STRONGER = enum.auto()
    """An advert before which we stay backup, or give way."""
    WEAKER = enum.auto()
    """An advert of a master that should give way to us."""
    DEMOTED = enum.auto()
    """Another member of the group has lost its mastership."""


class Action(enum.Enum):
    """What is then done, in the table's order."""

    SEND_ADVERTISEMENT = enum.auto()
    SEND_RESIGNATION = enum.auto()
    """An advert of priority 0."""
    TAKE_ADDRESSES = enum.auto()
    RELEASE_ADDRESSES = enum.auto()
    ANNOUNCE = enum.auto()
    """Tell neighbours where the addresses are."""
    ANSWER_WEAKER = enum.auto()
    """Send an advert, and tell neighbours again, for the weaker master may have told them otherwise."""
    LEARN_INTERVAL = enum.auto()
    """Master_Adver_Interval is that of the advert."""
    RESET_INTERVAL = enum.auto()
    """Master_Adver_Interval is our own."""
    ARM_ADVERTISE = enum.auto()
    ARM_MASTER_DOWN = enum.auto()
    ARM_SKEW = enum.auto()
    """The master is gone: Master_Down_Timer is Skew_Time."""
    ARM_RELEASE = enum.auto()
    DISARM = enum.auto()
    """No timer runs any more."""


@dataclass(frozen=True, slots=True)
class Transition:
    """Where an event leads, and what is done."""

    state: State
    actions: tuple[Action, ...] = ()


_S, _E, _A = State, Event, Action

_BECOME_MASTER = Transition(
    _S.MASTER, (_A.DISARM, _A.SEND_ADVERTISEMENT, _A.TAKE_ADDRESSES, _A.ANNOUNCE, _A.ARM_ADVERTISE)
)
_BECOME_BACKUP = Transition(_S.BACKUP, (_A.RESET_INTERVAL, _A.ARM_MASTER_DOWN))
_RELEASED = Transition(_S.INITIALIZE, (_A.DISARM, _A.RELEASE_ADDRESSES))

TRANSITIONS: Mapping[State, Mapping[Event, Transition]] = {
    # RFC 5798 section 6.4.1
    _S.INITIALIZE: {
        _E.OWNER_STARTUP: _BECOME_MASTER,
        _E.STARTUP: _BECOME_BACKUP,
        _E.RESUMED: _BECOME_MASTER,
        _E.FAULT: Transition(_S.FAULT),
    },
    # RFC 5798 section 6.4.2
    _S.BACKUP: {
        _E.SHUTDOWN: Transition(_S.INITIALIZE, (_A.DISARM,)),
        _E.MASTER_DOWN_EXPIRED: _BECOME_MASTER,
        _E.RESIGNED: Transition(_S.BACKUP, (_A.ARM_SKEW,)),
        _E.STRONGER: Transition(_S.BACKUP, (_A.LEARN_INTERVAL, _A.ARM_MASTER_DOWN)),
        _E.WEAKER: Transition(_S.BACKUP),
        _E.FAULT: Transition(_S.FAULT, (_A.DISARM,)),
    },
    # RFC 5798 section 6.4.3; what answers a weaker master is keepalived's
    _S.MASTER: {
        _E.SHUTDOWN: Transition(_S.LEAVING, (_A.DISARM, _A.SEND_RESIGNATION, _A.ARM_RELEASE)),
        _E.ADVERTISE_EXPIRED: Transition(_S.MASTER, (_A.SEND_ADVERTISEMENT, _A.ARM_ADVERTISE)),
        _E.RESIGNED: Transition(_S.MASTER, (_A.SEND_ADVERTISEMENT, _A.ARM_ADVERTISE)),
        _E.STRONGER: Transition(_S.BACKUP, (_A.DISARM, _A.RELEASE_ADDRESSES, _A.LEARN_INTERVAL, _A.ARM_MASTER_DOWN)),
        _E.WEAKER: Transition(_S.MASTER, (_A.ANSWER_WEAKER,)),
        _E.DEMOTED: Transition(_S.BACKUP, (_A.DISARM, _A.RELEASE_ADDRESSES, _A.RESET_INTERVAL, _A.ARM_MASTER_DOWN)),
        _E.FAULT: Transition(_S.FAULT, (_A.DISARM, _A.SEND_RESIGNATION, _A.RELEASE_ADDRESSES)),
    },
    _S.FAULT: {
        _E.OWNER_STARTUP: _BECOME_MASTER,
        _E.STARTUP: _BECOME_BACKUP,
        _E.SHUTDOWN: Transition(_S.INITIALIZE),
    },
    _S.LEAVING: {
        _E.STRONGER: _RELEASED,
        _E.WEAKER: _RELEASED,
        _E.RELEASE_EXPIRED: _RELEASED,
        _E.FAULT: _RELEASED,
    },
}
"""What is not in it changes nothing."""
