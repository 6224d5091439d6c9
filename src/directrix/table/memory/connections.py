"""The connection table: entries, templates, and the order in which they expire.

An entry's deadline moves with every packet. The heap of deadlines holds for each entry one item
that is not later than its deadline: when an item's time comes and the deadline has moved on, the
item is put back; when a deadline moves forward, an earlier item is added and the old one is stale.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from directrix.lvs import Address, Connection, ConnectionFlags, ForwardingMethod
from directrix.lvs.direction import Direction
from directrix.lvs.handshakes import half_open
from directrix.lvs.sctp import SctpState
from directrix.lvs.tcp import TcpState
from directrix.lvs.udp import UdpState
from directrix.table.memory.destination import Destination

POSTPONED = 60
"""Seconds a template goes on at a time when its own have run out but connections depend on it."""

INVALID_PORT = 65535
"""Both ports of a template that names a real server which is gone."""


class TemplateState(IntEnum):
    """State of a template: ASSURED once a connection made from it was established."""

    NONE = 0
    ASSURED = 1


class Key(NamedTuple):
    """What identifies an entry: for a template, port 0, the client's network and perhaps protocol 0."""

    protocol: int
    client: Address
    client_port: int
    virtual: Address
    virtual_port: int


@dataclass(slots=True, eq=False)
class Entry:
    """A connection or a template.

    `timeout` is what the next refresh gives it, in seconds; `expires` the time it ends; `begun` when
    its handshake began, infinity if it isn't timed. `template` made this connection; `children`
    counts the connections a template made; `packets` those a connection has had.
    """

    key: Key
    destination: Destination
    server_port: int
    method: ForwardingMethod
    state: TcpState | UdpState | SctpState | TemplateState
    flags: ConnectionFlags
    timeout: int
    template: Entry | None = None
    children: int = 0
    packets: int = 0
    expires: float = math.inf
    due: float = math.inf
    begun: float = 0.0

    @property
    def is_template(self) -> bool:
        return bool(self.flags & ConnectionFlags.TEMPLATE)

    @property
    def is_masqueraded(self) -> bool:
        """Whether it is a connection that the director sees both directions of."""
        return self.method is ForwardingMethod.MASQUERADE and not self.is_template

    @property
    def reply_key(self) -> Key:
        """What identifies its replies: the real server in the place of the virtual service."""
        key = self.key
        return key._replace(virtual=self.destination.server.address, virtual_port=self.server_port)

    @property
    def direction(self) -> Direction:
        """What a packet of its client is to the state machine."""
        return Direction.INPUT_ONLY if self.flags & ConnectionFlags.NO_OUTPUT else Direction.INPUT

    @property
    def state_name(self) -> str:
        """The state as listings print it."""
        return self.state.label if isinstance(self.state, SctpState) else self.state.name

    def enter(self, state: TcpState | SctpState, now: float) -> None:
        """Go over to a state, and be counted as it is: active or inactive, half-open or not."""
        if isinstance(self.state, (TcpState, SctpState)):
            self.begun = self.destination.handshakes.moved(self.state, state, self.begun, now)
        self.state = state
        if state.active and self.flags & ConnectionFlags.INACTIVE:
            self.flags &= ~ConnectionFlags.INACTIVE
            self.destination.inactive -= 1
            self.destination.active += 1
        elif not state.active and not self.flags & ConnectionFlags.INACTIVE:
            self.flags |= ConnectionFlags.INACTIVE
            self.destination.active -= 1
            self.destination.inactive += 1
        if (state is TcpState.ESTABLISHED or state is SctpState.ESTABLISHED) and self.template is not None:
            self.template.state = TemplateState.ASSURED

    def bind(self) -> None:
        """Be counted at the real server and at the template."""
        if self.is_template:
            self.destination.persistent += 1
        else:
            self.destination.inactive += 1
        self.destination.reached()
        if self.template is not None:
            self.template.children += 1

    def unbind(self) -> None:
        """Undo `bind`."""
        if self.is_template:
            self.destination.persistent -= 1
        elif self.flags & ConnectionFlags.INACTIVE:
            self.destination.inactive -= 1
        else:
            self.destination.active -= 1
        self.destination.relieved()
        if isinstance(self.state, (TcpState, SctpState)) and half_open(self.state):
            self.destination.handshakes.failed += 1
        if self.template is not None:
            self.template.children -= 1

    def listing(self, now: float) -> Connection:
        """What a listing shows."""
        return Connection(
            self.key.protocol,
            self.key.client,
            self.key.client_port,
            self.key.virtual,
            self.key.virtual_port,
            self.destination.server.address,
            self.server_port,
            self.state_name,
            max(0, math.floor(self.expires - now)),
            self.flags,
        )


class Connections:
    """All entries of a table. Times are seconds of the table's clock."""

    def __init__(self) -> None:
        self._entries: dict[Entry, None] = {}
        self._connections: dict[Key, Entry] = {}
        self._templates: dict[Key, Entry] = {}
        self._replies: dict[Key, Entry] = {}
        self._heap: list[tuple[float, int, Entry]] = []
        self._serial = itertools.count()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._entries))

    def __contains__(self, entry: object) -> bool:
        return entry in self._entries

    def connection(self, key: Key) -> Entry | None:
        """The connection with this key."""
        return self._connections.get(key)

    def template(self, key: Key) -> Entry | None:
        """The valid template with this key."""
        return self._templates.get(key)

    def reply(self, key: Key) -> Entry | None:
        """The connection whose replies have this key. Of several the one made last has them."""
        return self._replies.get(key)

    def _index(self, entry: Entry) -> dict[Key, Entry]:
        return self._templates if entry.is_template else self._connections

    def add(self, entry: Entry) -> None:
        """Take an entry in. It shadows one with the same key. Refresh it, or it never expires."""
        entry.bind()
        self._entries[entry] = None
        self._index(entry)[entry.key] = entry
        if entry.is_masqueraded:
            self._replies[entry.reply_key] = entry

    def remove(self, entry: Entry) -> None:
        """End an entry."""
        entry.unbind()
        del self._entries[entry]
        self._unindex(entry)

    def drop(self, entry: Entry, *, always: bool = False) -> None:
        """End an entry by force: its template goes too if no other needs it, unless it is assured (or `always`)."""
        template = entry.template
        self.remove(entry)
        if template is not None and not template.children and (always or template.state is not TemplateState.ASSURED):
            self.remove(template)

    def _unindex(self, entry: Entry) -> None:
        index = self._index(entry)
        if index.get(entry.key) is entry:
            del index[entry.key]
        if entry.is_masqueraded and self._replies.get(entry.reply_key) is entry:
            del self._replies[entry.reply_key]

    def invalidate(self, template: Entry) -> None:
        """Make a template unusable. It stays listed, with impossible ports, until it expires."""
        self._unindex(template)
        template.key = template.key._replace(virtual_port=INVALID_PORT)
        template.server_port = INVALID_PORT

    def refresh(self, entry: Entry, now: float) -> None:
        """Start an entry's timeout anew."""
        entry.expires = now + entry.timeout
        if entry.expires < entry.due:
            self._schedule(entry)

    def follow(self, entry: Entry) -> None:
        """See to it that an entry with a deadline of its own ends then."""
        self._schedule(entry)

    def _schedule(self, entry: Entry) -> None:
        entry.due = entry.expires
        heapq.heappush(self._heap, (entry.due, next(self._serial), entry))

    def expire(self, now: float) -> None:
        """End, in their order, the entries whose time has come; put off templates that have children."""
        while self._heap and self._heap[0][0] <= now:
            due, _, entry = heapq.heappop(self._heap)
            if entry not in self._entries or due != entry.due:
                continue
            if entry.expires > due:
                self._schedule(entry)
            elif entry.children:
                entry.timeout = POSTPONED
                entry.expires = due + POSTPONED
                self._schedule(entry)
            else:
                self.remove(entry)
