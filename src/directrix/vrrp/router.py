"""One virtual router: the table of `states` brought to life. It knows neither sockets nor the clock.

Whatever happens is told to it with `now`, in seconds of any clock that doesn't jump; what it wants done comes back as
effects, in order. It keeps its timers as deadlines: `deadline` says when `expire` is to be called next.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator

from directrix.lvs.addresses import Address
from directrix.vrrp.configuration import OWNER, Instance
from directrix.vrrp.effects import (
    Announce,
    Effect,
    Note,
    PriorityChanged,
    ReleaseAddresses,
    SendAdvertisement,
    StateChanged,
    TakeAddresses,
    WeakerHeard,
)
from directrix.vrrp.packet import Advertisement
from directrix.vrrp.states import TRANSITIONS, Action, Event, State
from directrix.vrrp.timing import Timing

_NAMES = {State.BACKUP: "BACKUP", State.MASTER: "MASTER", State.FAULT: "FAULT"}
_LONGEST_LEAVE = 3.0
"""Seconds after which a master that leaves drops its addresses, even if a backup might need longer to take over."""


class Timer(enum.Enum):
    """What may be due. The event of the first three is in the table, the others announce addresses again."""

    ADVERTISE = Event.ADVERTISE_EXPIRED
    MASTER_DOWN = Event.MASTER_DOWN_EXPIRED
    RELEASE = Event.RELEASE_EXPIRED
    AFTER_MASTER = "garp_master_delay"
    REFRESH = "garp_master_refresh"
    AFTER_WEAKER = "garp_lower_prio_delay"


class VirtualRouter:
    """The state of one virtual router.

    Attributes:
        instance: what it is told to do.
        state: where it stands in the table.
        priority: effective, which adverts carry.
        wants_master: it is backup, and nothing it heard speaks against its mastership.
        master, master_priority: who was heard as master last; None and 0 if it is master itself, and nobody else was
            heard as master for as long as would make one.
        deadlines: when its timers end.
        deleted: a reload has taken it away.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.state = State.INITIALIZE
        self.priority = instance.priority
        self.wants_master = False
        self.master: Address | None = None
        self.master_priority = 0
        self.deadlines: dict[Timer, float] = {}
        self.deleted = False
        self._base = instance.priority
        self._master_interval = instance.interval
        self._preempt_at: float | None = None
        self._heard_at = 0.0

    @property
    def deadline(self) -> float | None:
        """When `expire` is to be called."""
        return min(self.deadlines.values(), default=None)

    @property
    def owner(self) -> bool:
        """Whether the virtual addresses are its own, so that nothing changes its priority."""
        return self._base == OWNER

    @property
    def timing(self) -> Timing:
        """The intervals as they are now."""
        interval = self._master_interval if self.instance.version == 3 else self.instance.interval
        return Timing(self.instance.version, self.priority, interval / 100, self.instance.down_adverts)

    def configure(self, instance: Instance, now: float) -> list[Effect]:
        """Go on with another configuration of the same virtual router. Its state stays, its timers are set anew."""
        before, self.instance = self.instance, instance
        self._base = instance.priority
        if self.state is State.BACKUP:
            if before.version != instance.version or before.interval != instance.interval:
                self._master_interval = instance.interval
            if Timer.MASTER_DOWN in self.deadlines:
                self.deadlines[Timer.MASTER_DOWN] = now + self.timing.master_down
            return []
        if self.state is not State.MASTER:
            return []
        effects: list[Effect] = [TakeAddresses(instance)]
        if set(instance.addresses + instance.excluded) - set(before.addresses + before.excluded):
            effects += self._announce(now)
        self.deadlines[Timer.ADVERTISE] = now
        return effects

    def set_priority(self, adjustment: int, now: float) -> list[Effect]:
        """What is tracked adds so much to the priority; the owner's never changes."""
        priority = OWNER if self.owner else min(max(self._base + adjustment, 1), OWNER - 1)
        if priority == self.priority:
            return []
        skew, before = self.timing.skew, self.priority
        self.priority = priority
        if Timer.MASTER_DOWN in self.deadlines:
            self.deadlines[Timer.MASTER_DOWN] += self.timing.skew - skew
        effects: list[Effect] = [Note(f"({self.instance.name}) effective priority {priority}, it was {before}")]
        if self.state in _NAMES and self.instance.notify.priority_changes:
            effects.append(PriorityChanged(self.instance, self.state, priority))
        return effects

    def hear(self, advertisement: Advertisement, source: Address, own: Address | None, now: float) -> list[Effect]:
        """An advert was admitted. `own` is the address we send from, which decides between equal priorities."""
        if self.state not in (State.BACKUP, State.MASTER, State.LEAVING):
            return []
        effects: list[Effect] = []
        event = self._meaning(advertisement, source, own, now, effects)
        if event is None:
            return effects
        if advertisement.priority:
            self.master, self.master_priority = source, advertisement.priority
            self._heard_at = now
        elif self.state is State.MASTER and source == self.master:
            self.master, self.master_priority = None, 0
        if event is Event.STRONGER:
            self.wants_master = False
            if self.state is State.MASTER and self.instance.higher_prio_send_advert:
                effects.append(SendAdvertisement(self.instance, self.priority))
        return effects + self.handle(event, now, advertisement)

    def due(self, now: float) -> Iterator[Timer]:
        """The timers that have ended, the earliest first, each taken off as it is given out."""
        while (deadline := self.deadline) is not None and deadline <= now:
            timer = min(self.deadlines, key=self.deadlines.__getitem__)
            del self.deadlines[timer]
            yield timer

    def expire(self, timer: Timer, now: float) -> list[Effect]:
        """A timer has ended."""
        gratuitous = self.instance.gratuitous
        match timer:
            case Timer.AFTER_MASTER:
                return [Announce(self.instance, gratuitous.master_repeat)]
            case Timer.AFTER_WEAKER:
                return [Announce(self.instance, gratuitous.after_weaker[0])]
            case Timer.REFRESH:
                if gratuitous.refresh:
                    self.deadlines[Timer.REFRESH] = now + gratuitous.refresh
                return [Announce(self.instance, gratuitous.refresh_repeat)]
        if timer is Timer.ADVERTISE and now - self._heard_at > self.timing.master_down:
            self.master, self.master_priority = None, 0
        return self.handle(Event(timer.value), now)

    def handle(self, event: Event, now: float, advertisement: Advertisement | None = None) -> list[Effect]:
        """An event of the table."""
        transition = TRANSITIONS[self.state].get(event)
        if transition is None:
            return []
        before, self.state = self.state, transition.state
        effects: list[Effect] = []
        if self.state is not before:
            self.wants_master = False
            self._preempt_at = None
            if self.state is State.MASTER:
                self.master, self.master_priority = None, 0
        for action in transition.actions:
            effects += self._act(action, now, advertisement)
        if self.state is not before and self.state is not State.LEAVING:
            effects.append(StateChanged(self.instance, self.state, self.priority, self.deleted))
        return effects

    def _meaning(
        self, advertisement: Advertisement, source: Address, own: Address | None, now: float, effects: list[Effect]
    ) -> Event | None:
        """Which event an advert is. None for one that says nothing."""
        theirs, name = advertisement.priority, self.instance.name
        if theirs == 0:
            return Event.RESIGNED
        if self.state is State.BACKUP:
            return Event.STRONGER if self._stays_backup(theirs, now) else Event.WEAKER
        if self.state is State.LEAVING:
            return Event.STRONGER
        if theirs == self.priority:
            if self.owner:
                effects.append(
                    Note(
                        f"({name}) {source} is owner (priority 255) as we are: one of the two is configured wrongly;"
                        f" going on with {OWNER - 1}",
                        logging.WARNING,
                    )
                )
                self.priority = self._base = OWNER - 1
                return Event.STRONGER
            if own is None or source == own:
                return None
            return Event.STRONGER if int(source) > int(own) else Event.WEAKER
        if theirs > self.priority:
            effects.append(Note(f"({name}) {source} is master with priority {theirs}, ours is {self.priority}"))
            return Event.STRONGER
        return Event.WEAKER

    def _stays_backup(self, theirs: int, now: float) -> bool:
        """Whether a master of this priority is left in place: RFC 5798 section 6.4.2, and `preempt_delay`."""
        if theirs >= self.priority:
            self._preempt_at = None
            return True
        if self.instance.nopreempt and not self.owner:
            return True
        if not self.instance.preempt_delay:
            return False
        if self._preempt_at is None:
            self._preempt_at = now + self.instance.preempt_delay
        return now < self._preempt_at

    def _act(self, action: Action, now: float, advertisement: Advertisement | None) -> list[Effect]:
        instance, deadlines = self.instance, self.deadlines
        match action:
            case Action.SEND_ADVERTISEMENT:
                return [SendAdvertisement(instance, self.priority)]
            case Action.SEND_RESIGNATION:
                return [SendAdvertisement(instance, 0)]
            case Action.TAKE_ADDRESSES:
                return [TakeAddresses(instance)]
            case Action.RELEASE_ADDRESSES:
                return [ReleaseAddresses(instance)]
            case Action.ANNOUNCE:
                return self._announce(now)
            case Action.ANSWER_WEAKER:
                return self._answer_weaker(now, advertisement)
            case Action.LEARN_INTERVAL:
                if advertisement is not None and advertisement.interval:
                    self._master_interval = advertisement.interval
            case Action.RESET_INTERVAL:
                self._master_interval = instance.interval
            case Action.ARM_ADVERTISE:
                deadlines[Timer.ADVERTISE] = now + instance.interval / 100
            case Action.ARM_MASTER_DOWN:
                deadlines[Timer.MASTER_DOWN] = now + self.timing.master_down
            case Action.ARM_SKEW:
                deadlines[Timer.MASTER_DOWN] = now + self.timing.skew
            case Action.ARM_RELEASE:
                # A backup takes over within Skew_Time, which is at most the interval (one second in version 2).
                skew = instance.interval / 100 if instance.version == 3 else 1.0
                deadlines[Timer.RELEASE] = now + min(skew * 1.25, _LONGEST_LEAVE)
            case Action.DISARM:
                deadlines.clear()
        return []

    def _announce(self, now: float) -> list[Effect]:
        gratuitous = self.instance.gratuitous
        if gratuitous.master_delay:
            self.deadlines[Timer.AFTER_MASTER] = now + gratuitous.master_delay
        if gratuitous.refresh:
            self.deadlines[Timer.REFRESH] = now + gratuitous.refresh
        return [Announce(self.instance, gratuitous.master_repeat)] if gratuitous.master_repeat else []

    def _answer_weaker(self, now: float, advertisement: Advertisement | None) -> list[Effect]:
        instance = self.instance
        effects: list[Effect] = []
        if advertisement is not None:
            theirs = advertisement.priority
            effects.append(Note(f"({instance.name}) {self.master} is master with priority {theirs}, below ours"))
        if not instance.lower_prio_no_advert:
            effects.append(SendAdvertisement(instance, self.priority))
            self.deadlines[Timer.ADVERTISE] = now + instance.interval / 100
        repeat, delay = instance.gratuitous.after_weaker
        if repeat:
            effects.append(Announce(instance, repeat))
            if delay:
                self.deadlines[Timer.AFTER_WEAKER] = now + delay
        effects.append(WeakerHeard(instance, self.priority))
        return effects
