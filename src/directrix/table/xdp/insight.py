"""What our table knows that matters to one packet, read and not changed.

Services, loads and positions of schedulers are read as they lie in the maps; the packet's connection
and its client's template are looked up as the data plane does it, by the same hash.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from socket import htons
from typing import Any

from directrix.lvs import Address, Connection, MarkRule, RealServer, ServiceKey, Timeouts
from directrix.lvs.budget import BudgetState
from directrix.lvs.flood import FloodState
from directrix.lvs.sysctls import SysctlValue
from directrix.scheduling import Position
from directrix.table.memory.connections import Key
from directrix.table.memory.likeness import Group, Known, Member
from directrix.table.xdp import connections, layout, libbpf
from directrix.table.xdp.budgets import Budgets
from directrix.table.xdp.clock import Ticks, current_tick
from directrix.table.xdp.counting import Counting
from directrix.table.xdp.floods import Floods
from directrix.table.xdp.keys import address_bytes, index_place, key_from, mark_place
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.pins import Place
from directrix.table.xdp.reading import Reader, real_server
from directrix.table.xdp.sets import Sets
from directrix.table.xdp.table import XdpTable

_MASK64 = 0xFFFFFFFFFFFFFFFF
_CONNECTION_KIND, _TEMPLATE_KIND, _REPLY_KIND = range(3)
_HOP = layout.HOP
_S = layout.SERVER.places
_C = layout.CONNECTION.places


class Insight:
    """Looks into the table at `place`."""

    def __init__(self, place: Place) -> None:
        self._maps = Maps(place)
        self._table = XdpTable(place)
        self._reader = Reader(self._maps, Sets(self._maps), Counting(self._maps))
        self._floods = Floods(self._maps)
        self._budgets = Budgets(self._maps)
        self._ticks = Ticks(self._maps.parameter("hertz"))
        self.now = current_tick(self._maps.front.bytes, self._ticks)

    def close(self) -> None:
        """Give mappings back."""
        self._table.close()
        self._maps.close()

    def groups(self, packet_target: Address) -> list[Group]:
        """All services, with the position of each scheduler as far as it matters to this destination."""
        return [self._group(number, packet_target) for number in self._reader.service_numbers()]

    def marks(self) -> list[MarkRule]:
        """The mark rules in force."""
        return self._table.marks()

    def sysctls(self) -> dict[str, SysctlValue]:
        """The sysctls in force."""
        return self._table.sysctls()

    def timeouts(self) -> Timeouts:
        """The timeouts in force."""
        return self._table.timeouts()

    # Services and real servers.

    def _group(self, number: int, target: Address) -> Group:
        service, unit, server_numbers = self._reader.service_and_set(number)
        members = tuple(map(self._member, server_numbers))
        position: Position[Member] = Position()
        if unit:
            header = memoryview(self._maps.sets.bytes)[unit * layout.SET_UNIT_SIZE :][: layout.SERVER_SET.size]
            cursor, epoch = (layout.SERVER_SET.get(header, 0, name) for name in ("cursor", "epoch"))
            place = cursor & 0xFFFFFFFF
            if service.scheduler in ("rr", "wrr"):
                last = members[place] if place != layout.CURSOR_AT_HEAD else None
                position = Position(last, cursor >> 32)
            elif service.scheduler == "lblc":
                position = self._locality(epoch, target)
            elif service.scheduler == "lblcr":
                position = self._replicas(epoch, target)
        return Group(service, members, position)

    def _member(self, number: int) -> Member:
        raw = layout.SERVER.whole.unpack_from(self._maps.servers.bytes, number * layout.SERVER.size)
        return Member(
            key_from(raw[_S["key"]]),
            real_server(raw),
            raw[_S["active"]],
            raw[_S["inactive"]],
            raw[_S["persistent"]],
            bool(raw[_S["overload"]]),
            raw[_S["last_weight"]],
            bool(_HOP.get(self._maps.hops.bytes, number * _HOP.size, "flags") & layout.SERVER_AVAILABLE),
        )

    def _remembered(self, name: str, epoch: int, target: Address, size: int) -> bytes | None:
        fd = self._maps.descriptor(name)
        try:
            return libbpf.map_lookup(fd, layout.LOCALITY_KEY.whole.pack(epoch, address_bytes(target)), size)
        except FileNotFoundError:
            return None

    def _is_old(self, used: int, expiration: str) -> bool:
        return self._age(used) > layout.FRONT.get(self._maps.front.bytes, 0, expiration)

    def _age(self, tick: int) -> int:
        """Ticks since then; what was just now may seem to be yet to come, since our time is reckoned."""
        age = (self.now - tick) & 0xFFFFFFFF
        return age if age < 1 << 31 else 0

    def _replica(self, packed: bytes) -> Member | None:
        """The real server that is meant, unless its number means another one by now."""
        number, incarnation = struct.unpack("=II", packed)
        if layout.SERVER.get(self._maps.servers.bytes, number * layout.SERVER.size, "incarnation") != incarnation:
            return None
        return self._member(number)

    def _locality(self, epoch: int, target: Address) -> Position[Member]:
        found = self._remembered("localities", epoch, target, layout.LOCALITY.size)
        if found is None:
            return Position()
        replica, used, _ = layout.LOCALITY.whole.unpack(found)
        member = self._replica(replica)
        return Position() if member is None or self._is_old(used, "lblc_expiration") else Position(members=(member,))

    def _replicas(self, epoch: int, target: Address) -> Position[Member]:
        found = self._remembered("replica_sets", epoch, target, layout.REPLICAS.size)
        if found is None:
            return Position()
        count, used, changed, _, packed = layout.REPLICAS.whole.unpack(found)
        if self._is_old(used, "lblcr_expiration"):
            return Position()
        members = [self._replica(packed[at * 8 : at * 8 + 8]) for at in reversed(range(count))]
        age = self._ticks.to_seconds(self._age(changed))
        return Position(members=tuple(member for member in members if member is not None), last_change=-age)

    # Connections.

    def find(self, key: Key, *, template: bool = False) -> Known | None:
        """The live connection with this key, or the template that counts for it."""
        kind = _TEMPLATE_KIND if template else _CONNECTION_KIND
        return next((found for raw in self._slots(key, kind) if (found := self._known(raw)) is not None), None)

    def find_reply(self, key: Key) -> Known | None:
        """The live masqueraded connection with these replies; `virtual` is its real server. reply_find() in reply.h."""
        for raw in self._slots(key, _REPLY_KIND):
            at = (raw[_C["control"]] - 1) * layout.CONNECTION.size
            connection = layout.CONNECTION.whole.unpack_from(self._maps.buckets.bytes, at)
            same = connection[_C["incarnation"]] == raw[_C["server_port"]]
            if same and connection[_C["status"]] & layout.CONNECTION_MASQUERADED:
                return self._known(connection)
        return None

    def _slots(self, key: Key, kind: int) -> Iterator[tuple[Any, ...]]:
        """What lies in the slots with this key."""
        wanted, addresses = _slot_id(key, kind), _slot_addresses(key.client, key.virtual)
        for bucket in self._places(wanted, addresses):
            for slot in range(layout.BUCKET_SLOTS):
                at = bucket * layout.BUCKET_SIZE + slot * layout.CONNECTION.size
                raw = layout.CONNECTION.whole.unpack_from(self._maps.buckets.bytes, at)
                if bytes(self._maps.buckets.bytes[at : at + 8]) == wanted and raw[_C["address"]] == addresses:
                    yield raw

    def _known(self, raw: tuple[int, ...]) -> Known | None:
        if raw[_C["status"]] & layout.CONNECTION_DEAD:
            return None
        connection: Connection | None = connections.entry(self._maps, self._ticks, self.now, raw)
        if connection is None:
            return None
        control, template = raw[_C["control"]], None
        if control and not raw[_C["kind"]]:
            at = (control - 1) * layout.CONNECTION.size
            template = self._known(layout.CONNECTION.whole.unpack_from(self._maps.buckets.bytes, at))
        timeout = round(self._ticks.to_seconds(control)) if raw[_C["kind"]] else 0
        children = raw[_C["children"]] if raw[_C["kind"]] else 0  # a connection has its handshake's time there
        return Known(connection, self._member(raw[_C["server"]]), template, children, timeout)

    def _flow_hash(self, wanted: bytes, addresses: bytes) -> int:
        """flow_hash() in connection.h."""
        first, second = struct.unpack("=QQ", self._maps.parameter_bytes("seed"))
        number = int.from_bytes(wanted, "little")
        h = (_address_word(number >> 40 & 0xFF, addresses) ^ first) * 0xD6E8FEB86659FD93 & _MASK64
        h ^= h >> 32
        return int((h ^ number ^ second) * 0x9FB21C651E98DF25 & _MASK64)

    def _places(self, wanted: bytes, addresses: bytes) -> tuple[int, int]:
        """The two buckets of a key: place_of() in connection.h."""
        h, buckets = self._flow_hash(wanted, addresses), self._maps.parameter("buckets")
        return (h >> 32) * buckets >> 32, ((h ^ h >> 32) & 0xFFFFFFFF) * buckets >> 32

    def has_room(self, key: Key, *, template: bool = False) -> bool:
        """Whether a new connection or template with this key finds room."""
        front = self._maps.front.bytes
        if layout.FRONT.get(front, 0, "connections") >= self._maps.parameter("max_connections"):
            return False
        addresses = _slot_addresses(key.client, key.virtual)
        size = layout.BUCKET_SIZE
        shared = self._maps.buckets.bytes
        starts = (
            bucket * size + slot * layout.CONNECTION.size
            for bucket in self._places(_slot_id(key, _TEMPLATE_KIND if template else _CONNECTION_KIND), addresses)
            for slot in range(layout.BUCKET_SLOTS)
        )
        return any(not any(shared[at : at + 8]) for at in starts)

    # Floods and budgets.

    def flood(self) -> FloodState:
        """Whether the table is under flood."""
        return self._floods.state()

    def knows_first_packet(self, key: Key) -> bool:
        """Whether this connection's SYN was sent on without an entry a moment ago."""
        return self._floods.knows(self._flow_hash(_slot_id(key), _slot_addresses(key.client, key.virtual)))

    def picked_in_flood(self, service: ServiceKey, key: Key) -> Member | None:
        """The real server that a flood's hash gives a connection of this service to, if its client has no template."""
        number = self._service_number(service)
        if number is None:
            return None
        virtual, unit, _ = self._reader.service_and_set(number)
        if virtual.persistence:
            hash_ = self._floods.client_hash(number, key.client)
        else:
            hash_ = self._flow_hash(_slot_id(key), _slot_addresses(key.client, key.virtual))
        server = self._floods.pick(unit, hash_)
        return None if server is None else self._member(server)

    def budget(self, service: ServiceKey) -> BudgetState | None:
        """The budget of a service, if it has one."""
        number = self._service_number(service)
        return None if number is None else self._budgets.state(number)

    def source_left(self, service: ServiceKey, client: Address) -> int | None:
        """How many connections the client's source may open at once now; None if its service doesn't count."""
        number = self._service_number(service)
        return None if number is None else self._budgets.source_left(number, client)

    def _service_number(self, service: ServiceKey) -> int | None:
        return next((n for n in self._reader.service_numbers() if self._reader.virtual_service(n).key == service), None)

    # What only the data plane knows.

    def index_says(self, protocol: int, target: Address, port: int) -> str:
        """What the index tells of a destination: `service`, `ghost`, `any port`, or `nothing`."""
        front = self._maps.front.bytes
        start = layout.FRONT.offsets["index"] + 2 * index_place(protocol, target, port)
        number = struct.unpack_from("=H", front, start)[0]
        if number:
            return "ghost" if number == layout.INDEX_GHOST else "service"
        mark = front[layout.FRONT.offsets["address_mark"] + mark_place(target)]
        any_port = layout.FRONT.get(front, 0, "beyond") & layout.BEYOND_ANY_PORT
        return "any port" if any_port and mark & layout.ADDRESS_ANY_PORT else "nothing"

    def fresh_hop(self, service: ServiceKey, server: RealServer) -> tuple[int, str] | None:
        """Interface and MAC that the data plane has of a real server's next hop, if it will use them unasked."""
        numbers = (
            number
            for place in self._reader.service_numbers()
            for number in self._reader.service_and_set(place)[2]
            if self._member(number).key == (service, server.key)
        )
        number = next(numbers, None)
        if number is None:
            return None
        raw = dict(zip(_HOP.offsets, _HOP.whole.unpack_from(self._maps.hops.bytes, number * _HOP.size), strict=True))
        if raw["state"] not in layout.HOPS_RESOLVED:
            return None
        late = self._maps.parameter("hop_ticks")
        if min(self._age(raw[name]) for name in ("checked", "asked")) >= late:
            return None
        return raw["ifindex"], raw["mac"].to_bytes(8, "little")[:6].hex(":")


def _slot_id(key: Key, kind: int = _CONNECTION_KIND) -> bytes:
    family = 4 if key.virtual.version == 4 else 6
    return struct.pack("=HHBBH", htons(key.client_port), htons(key.virtual_port), key.protocol, family, kind)


def _slot_addresses(client: Address, virtual: Address) -> bytes:
    return (client.packed + virtual.packed).ljust(32, b"\0")


def _address_word(family: int, addresses: bytes) -> int:
    """address_word() in connection.h."""
    half = struct.unpack("=4Q", addresses)
    if family == 4:
        return int(half[0])
    word = half[0]
    for following in half[1:]:
        word = (word * layout.INDEX_PRIME & _MASK64) ^ following
    return int(word)
