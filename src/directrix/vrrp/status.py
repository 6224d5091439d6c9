"""What is known of each virtual router, as values for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass, field

from directrix.lvs.addresses import Address, Family
from directrix.vrrp.bad_packet import Cause
from directrix.vrrp.states import State


@dataclass(frozen=True, slots=True)
class Rejected:
    """The last packet that was not heard: when (seconds since 1970), from whom, and why."""

    at: float
    source: str
    cause: Cause
    explanation: str


@dataclass(frozen=True, slots=True)
class Stranger:
    """Adverts for a virtual router that we don't have, on an interface where we have others: how many, the last one's
    sender, and when (seconds since 1970).
    """

    interface: str
    family: Family
    vrid: int
    count: int
    source: str
    at: float


@dataclass(frozen=True, slots=True)
class TrackedStatus:
    """Something tracked, as it is.

    Attributes:
        kind: `script`, `process` or `file`.
        well: whether it counts as well; None while that is not known, and for files, whose number counts.
        says: what was found last, in words.
        since: when `well`, or a file's number, last changed, seconds since 1970; 0 for never.
        running: of a script: it is being run just now.
    """

    kind: str
    name: str
    well: bool | None
    says: str = ""
    since: float = 0.0
    running: bool = False


@dataclass(slots=True)
class Statistics:
    """What was counted since the instance began. The names are those that metrics have.

    Attributes:
        rejected: packets not heard, by cause.
        send_errors: adverts that could not be sent.
        last_rejected: the last of them.
    """

    advertisements_received: int = 0
    advertisements_sent: int = 0
    become_master: int = 0
    release_master: int = 0
    priority_zero_received: int = 0
    priority_zero_sent: int = 0
    send_errors: int = 0
    rejected: dict[Cause, int] = field(default_factory=lambda: dict.fromkeys(Cause, 0))
    last_rejected: Rejected | None = None


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One virtual router.

    Attributes:
        state: of the table; LEAVING is still shown, by it a stop can be followed.
        since: when it came into this state, seconds since 1970.
        base_priority, priority: as configured, and as adverts carry it.
        source: where adverts come from; None while there is no address.
        master, master_priority: heard last; None and 0 if nobody was. In MASTER: another who is heard, too, so that
            there are two.
        master_heard: when the last advert was heard, seconds since 1970; 0 for never.
        faults: why it is in FAULT; what its first start waits for is in `waiting`.
        addresses: all that go with the mastership, excluded ones too, with prefix length.
        interval: of adverts, seconds.
        garp_delay: seconds after becoming master until neighbours are told again; 0 for never.
        statistics: a copy.
    """

    name: str
    group: str
    interface: str
    family: Family
    vrid: int
    version: int
    state: State
    since: float
    base_priority: int
    priority: int
    interval: float
    source: Address | None
    master: Address | None
    master_priority: int
    master_heard: float
    faults: tuple[str, ...]
    waiting: tuple[str, ...]
    addresses: tuple[str, ...]
    garp_delay: float
    statistics: Statistics
