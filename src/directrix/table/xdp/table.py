"""The table in eBPF maps, as a Table.

Who changes it holds the lock of its place. What is needed to find things quickly (`numbers.py`) is read
from the maps when somebody else has changed them since, and kept up to date otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

from directrix.lvs import (
    Address,
    Connection,
    Counters,
    ForwardingMethod,
    MarkMatch,
    MarkRule,
    Protocol,
    Rates,
    RealServer,
    ServiceKey,
    ServiceState,
    Timeouts,
    VirtualService,
    tcp,
)
from directrix.lvs.addresses import endpoint
from directrix.lvs.budget import Budget, BudgetState
from directrix.lvs.errors import (
    NoSuchServer,
    NoSuchService,
    NotSupportedYet,
    ServerExists,
    ServiceExists,
)
from directrix.lvs.flood import Flood
from directrix.lvs.sysctls import SysctlValue
from directrix.lvs.sysctls import check as check_sysctls
from directrix.table.interface import HandshakesByServer, Table, check_address, check_server
from directrix.table.marks import MarkRules
from directrix.table.xdp import connections, layout, masquerading, removal, sysctls
from directrix.table.xdp.budgets import Budgets
from directrix.table.xdp.clock import Ticks, timeout_ticks
from directrix.table.xdp.counting import Counting
from directrix.table.xdp.definitions import server_fields, service_fields
from directrix.table.xdp.draft import Draft
from directrix.table.xdp.draining import Draining
from directrix.table.xdp.floods import Floods
from directrix.table.xdp.index import ServiceIndex
from directrix.table.xdp.keys import key_bytes, key_from
from directrix.table.xdp.maps import Maps
from directrix.table.xdp.marks import Marks
from directrix.table.xdp.numbers import Numbers, identity
from directrix.table.xdp.pins import Place
from directrix.table.xdp.reading import Reader
from directrix.table.xdp.records import Records
from directrix.table.xdp.sets import Sets
from directrix.table.xdp.ways import METHODS, Ways

_FRONT, _SERVICE = layout.FRONT, layout.SERVICE


class XdpTable(Records, Table):
    """The table pinned at `place`, which must have been loaded."""

    def __init__(self, place: Place) -> None:
        super().__init__(Maps(place))
        self._place = place
        self._sets = Sets(self._maps)
        self._counting = Counting(self._maps)
        self._draining = Draining(self._maps)
        self._floods = Floods(self._maps)
        self._budgets = Budgets(self._maps)
        self._reader = Reader(self._maps, self._sets, self._counting)
        self._ways = Ways(self._maps)
        self._marks = Marks(self._maps)
        self._index = ServiceIndex(self._maps, self._marks.of)
        self._ticks = Ticks(self._maps.parameter("hertz"))
        self._known = Numbers(self._maps, self._counting)
        self._known_at = -1
        self._many: ExitStack | None = None
        self._drafts: dict[int, Draft] = {}
        self._removed = False

    @property
    def size(self) -> int:
        """What IPVS's listings say of its default table; ours has no such size."""
        return 4096

    # Changing: lock, look what others did, do it, count the change.

    @contextmanager
    def _changing(self) -> Iterator[Numbers]:
        if self._many is not None:
            yield self._known
            return
        with self._place.lock():
            yield self._refreshed()
            self._finish()

    @contextmanager
    def _changing_nothing(self) -> Iterator[None]:
        """What takes more than one look shall not change between them."""
        if self._many is not None:
            yield
            return
        with self._place.lock():
            self._refreshed()
            yield

    def begin(self) -> None:
        """Hold the lock and keep sets back until `commit`."""
        self._many = ExitStack()
        self._many.enter_context(self._place.lock())
        self._refreshed()

    def commit(self) -> None:
        """Publish every set that changed and let go of the lock."""
        if self._many is None:
            return
        with self._many:
            self._finish()
        self._many = None

    def _finish(self) -> None:
        self._publish_drafts()
        self._count_change()
        removed, self._removed = self._removed, False
        if removed and self._index.shows_replies and not masquerading.any_there(self._maps):
            self._settle_index(self._known)
        if removed and sysctls.number(self._maps.front.bytes, "expire_nodest_conn"):
            removal.clear(self._maps)

    def _count_change(self) -> None:
        self._known_at = (self._front("changes") + 1) & 0xFFFFFFFF
        self._set_front("changes", self._known_at)

    def _refreshed(self) -> Numbers:
        if self._known_at != self._front("changes"):
            self._known.read(self._reader)
            self._known_at = self._front("changes")
            self._sets.forget()
            self._marks.forget()
        return self._known

    # Services.

    def services(self) -> list[ServiceState]:
        return self._reader.at_rest(lambda: list(map(self._reader.service, self._reader.service_numbers())))

    def each_service(self) -> Iterator[ServiceState]:
        for number in self._reader.service_numbers():
            if self._service_number(number, "in_use"):
                yield self._reader.at_rest(partial(self._reader.service, number))

    def service(self, key: ServiceKey) -> ServiceState:
        wanted = key_bytes(key)
        found = [number for number in self._reader.service_numbers() if self._service_field(number, "key") == wanted]
        if not found:
            raise NoSuchService(key)
        return self._reader.at_rest(lambda: self._reader.service(found[0]))

    def vet_service(self, service: VirtualService) -> None:
        service_fields(service, self._ticks)

    def add_service(self, service: VirtualService) -> None:
        with self._changing() as index:
            key = key_bytes(service.key)
            if key in index.services:
                raise ServiceExists(service.key)
            values = service_fields(service, self._ticks)
            self._index.check_room(service.key)
            number = index.free_service()
            generation = self._next_generation()
            self._maps.services.bytes[number * _SERVICE.size : (number + 1) * _SERVICE.size] = bytes(_SERVICE.size)
            self._counting.service_starts(number)
            self._floods.service_starts(number)
            self._set_service(number, key=key, generation=generation, epoch=generation, in_use=1, **values)
            index.services[key] = number
            self._index.add(number, service.key)
            if len(index.services) == 1:
                self._settle_index(index)  # for the connections of services that went before

    def _next_generation(self) -> int:
        generation = (self._front("generation") + 1) & 0xFFFFFFFF
        self._set_front("generation", generation)
        return generation

    def edit_service(self, service: VirtualService) -> None:
        from directrix.scheduling import mh

        with self._changing() as index:
            number = index.find(service.key)
            values = service_fields(service, self._ticks)
            draft = self._draft(number)
            if draft.scheduler != service.scheduler:
                if service.scheduler == "mh":
                    mh.check_room(len(draft.numbers))
                draft.start(service.scheduler)
                values["epoch"] = self._next_generation()
            self._drafts[number] = draft
            self._set_service(number, **values)

    def delete_service(self, key: ServiceKey) -> None:
        with self._changing() as index:
            self._delete_service(index, index.find(key))
            self._settle_index(index)

    def flush(self) -> None:
        with self._changing() as index:
            for number in list(index.services.values()):
                self._delete_service(index, number)
            self._settle_index(index)

    def _delete_service(self, index: Numbers, number: int) -> None:
        key = self._service_field(number, "key")
        self._index.remove(number, key_from(key))
        unit = self._service_number(number, "set")
        self._drafts.pop(number, None)
        self._publish(number, 0)
        for server in list(index.servers.get(number, {}).values()):
            self._put_aside(index, number, server)
        self._sets.free(unit)
        self._set_service(number, in_use=0)
        del index.services[key]
        index.servers.pop(number, None)
        if self._budgets.remove(number):
            self._budgets.settle(list(index.services.values()))

    def _settle_index(self, index: Numbers) -> None:
        """After services or mark rules went.

        Without any service IPVS lets everything pass, so nothing haunts then.
        """
        services, left = set(map(key_from, index.services)), index.left()
        self._marks.settle(partial(index.lives, left))
        if not services:
            self._index.settle((), (), ())
            return
        # None is shown while there is no service: the first one brings those back that were removed before.
        masqueraded = index.masqueraded() if self._index.shows_replies or len(services) == 1 else ()
        self._index.settle(services, left - services, masqueraded)

    # Mark rules.

    def marks(self) -> list[MarkRule]:
        with self._changing_nothing():
            return self._marks.rules()

    def add_mark(self, rule: MarkRule) -> None:
        with self._changing() as index:
            rules = MarkRules(self._marks.rules())
            rules.add(rule)
            self._put_marks(index, rules)

    def remove_mark(self, match: MarkMatch, mark: int | None = None) -> None:
        with self._changing() as index:
            rules = MarkRules(self._marks.rules())
            rules.remove(match, mark)
            self._put_marks(index, rules)

    def set_marks(self, rules: Sequence[MarkRule]) -> None:
        with self._changing() as index:
            self._put_marks(index, MarkRules(rules))

    def _put_marks(self, index: Numbers, rules: MarkRules) -> None:
        self._marks.put(rules, partial(index.lives, index.left()))
        self._settle_index(index)

    # Sets.

    def _draft(self, number: int) -> Draft:
        """The service's list of servers, to be changed; published at the end of the change."""
        draft = self._drafts.get(number)
        if draft is None:
            scheduler = layout.SCHEDULERS[self._service_number(number, "scheduler")]
            draft = self._sets.read(self._service_number(number, "set"), scheduler)
        return draft

    def _publish(self, number: int, unit: int) -> None:
        self._maps.services.words[(number * _SERVICE.size + _SERVICE.offsets["set"]) // 4] = unit

    def _publish_drafts(self) -> None:
        drafts, self._drafts = self._drafts, {}
        for number, draft in drafts.items():
            old = self._service_number(number, "set")
            flags, epoch = self._service_number(number, "scheduler_flags"), self._service_number(number, "epoch")
            self._publish(number, self._sets.write(draft, flags, epoch))
            self._sets.free(old)

    # Servers.

    def _check(self, key: ServiceKey, server: RealServer) -> None:
        check_server(key, server)
        if server.method not in METHODS:
            raise NotSupportedYet(f"the forwarding method {server.method.name.lower()}")
        masquerading.check(key, server)

    def vet_server(self, key: ServiceKey, server: RealServer) -> None:
        self._check(key, server)

    def add_server(self, key: ServiceKey, server: RealServer) -> None:
        with self._changing() as index:
            service = index.find(key)
            self._check(key, server)
            known = index.servers.setdefault(service, {})
            identified = identity(server.address, server.port)
            if identified in known:
                raise ServerExists(f"{server.address}:{server.port}")
            check_address(server.address)
            service_key = self._service_field(service, "key")
            number = index.take_back(service_key, identified)
            if number is None:
                number = index.new_server(identified, service_key)
            else:
                same = self._server_number(number, "generation") == self._service_number(service, "generation")
                self._counting.server_returns(number, same_service=same)
                self._reopen(number, server)
            self._set_server(
                number,
                service=service,
                generation=self._service_number(service, "generation"),
                in_use=1,
                **{"last_weight": 0, **server_fields(server)},
            )
            known[identified] = number
            draft = self._draft(service)
            draft.add(number, server.weight)
            self._drafts[service] = draft
            self._open_way(number, server)

    def edit_server(self, key: ServiceKey, server: RealServer) -> None:
        with self._changing() as index:
            service = index.find(key)
            self._check(key, server)
            number = index.servers.get(service, {}).get(identity(server.address, server.port))
            if number is None:
                raise NoSuchServer(f"{server.address}:{server.port}")
            self._reopen(number, server)
            self._set_server(number, **server_fields(server))
            self._open_way(number, server)
            draft = self._draft(service)
            draft.edit(number, server.weight)
            self._drafts[service] = draft

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        with self._changing() as index:
            service = index.find(key)
            number = index.servers.get(service, {}).get(identity(address, port))
            if number is None:
                raise NoSuchServer(f"{address}:{port}")
            draft = self._draft(service)
            draft.remove(number)
            self._drafts[service] = draft
            self._put_aside(index, service, number)

    def _open_way(self, number: int, server: RealServer) -> None:
        if server.method is ForwardingMethod.MASQUERADE:
            self._index.show_replies(server.address)
        self._ways.open(number, server)

    def _reopen(self, number: int, server: RealServer) -> None:
        """A full server takes connections again when its upper threshold goes or rises (IPVS)."""
        if server.upper_threshold == 0 or server.upper_threshold > self._server_number(number, "upper_threshold"):
            self._set_server(number, overload=0)

    def _put_aside(self, index: Numbers, service: int, number: int) -> None:
        self._ways.close(number)
        self._removed = True
        self._counting.server_leaves(number)
        index.put_aside(service, number)

    # Next hops.

    def look_up_hops(self) -> None:
        """Have the data plane look up now where each real server's frames go."""
        self._ways.look_up()

    def hops(self) -> Iterator[tuple[str, str, int, int, int]]:
        """Service, real server, state of its next hop (layout.HOP_STATES), ifindex and MAC, for each real server."""
        for service, numbers in map(self._reader.service_and_numbers, self._reader.service_numbers()):
            name = str(service.key)
            for number, server in numbers:
                yield name, endpoint(server.address, server.port), *self._ways.next_hop(number)

    # This host.

    def lags_behind_host(self) -> bool:
        from directrix.table.xdp import following

        return following.lags(self._place)

    def follow_host(self) -> bool:
        from directrix.table.xdp import following

        followed = following.follow_devices(self._place)
        if not self._ways.misjudged():
            return followed
        with self._changing():
            self._ways.judge_anew()
        return True

    # Counters.

    def zero(self, key: ServiceKey | None = None) -> None:
        with self._changing() as index:
            numbers = [index.find(key)] if key is not None else list(index.services.values())
            for service in numbers:
                self._counting.zero(service, index.servers.get(service, {}).values())
            if key is None:
                self._counting.zero_total()

    def totals(self) -> tuple[Counters, Rates]:
        return self._counting.totals()

    def forwarded(self) -> int:
        """Packets sent to real servers, ever."""
        return self._counting.forwarded()

    def replied(self) -> int:
        """Replies of masqueraded real servers sent to their clients, ever."""
        return self._counting.replied()

    def handshakes(self) -> HandshakesByServer:
        def read() -> HandshakesByServer:
            numbers = self._reader.service_numbers()
            return {self._reader.virtual_service(n).key: self._reader.handshakes(n) for n in numbers}

        return self._reader.at_rest(read)

    # Floods and budgets.

    def flood(self) -> Flood:
        return self._floods.report(self._reader.service_numbers())

    def budgets(self) -> dict[ServiceKey, BudgetState]:
        found = {number: self._budgets.state(number) for number in self._reader.service_numbers()}
        return {key_from(self._service_field(number, "key")): state for number, state in found.items() if state}

    def vet_budget(self, budget: Budget) -> None:
        budget.check()

    def set_budget(self, key: ServiceKey, budget: Budget | None) -> None:
        if budget is not None:
            budget.check()
        with self._changing() as index:
            number = index.find(key)
            if budget is None:
                self._budgets.remove(number)
            else:
                self._budgets.put(number, budget, self._next_generation())
            self._budgets.settle(list(index.services.values()))

    def set_budgets(self, budgets: Mapping[ServiceKey, Budget]) -> None:
        for budget in budgets.values():
            budget.check()
        with self._changing() as index:
            wanted = {index.find(key): budget for key, budget in budgets.items()}
            for number in index.services.values():
                if number in wanted:
                    self._budgets.put(number, wanted[number], self._next_generation())
                else:
                    self._budgets.remove(number)
            self._budgets.settle(list(index.services.values()))

    # Timeouts and connections.

    def timeouts(self) -> Timeouts:
        start = _FRONT.offsets["timeout"]
        ticks = self._maps.front.bytes[start : start + layout.STATES * 4].cast("I")
        seconds = [round(self._ticks.to_seconds(value)) for value in ticks]
        return Timeouts(seconds[tcp.TcpState.ESTABLISHED], seconds[tcp.TcpState.FIN_WAIT], seconds[layout.UDP_STATE])

    def set_timeouts(self, timeouts: Timeouts) -> None:
        with self._changing():
            now = self.timeouts()
            new = Timeouts(timeouts.tcp or now.tcp, timeouts.tcp_fin or now.tcp_fin, timeouts.udp or now.udp)
            start = _FRONT.offsets["timeout"]
            values = timeout_ticks(new, self._ticks)
            self._maps.front.bytes[start : start + len(values)] = values

    def sysctls(self) -> dict[str, SysctlValue]:
        return sysctls.read(self._maps.front.bytes)

    def set_sysctls(self, values: Mapping[str, SysctlValue]) -> None:
        check_sysctls(values)
        with self._changing():
            sysctls.write(self._maps.front.bytes, values, self._ticks)

    def connections(self) -> Iterator[Connection]:
        return connections.listing(self._maps, self._ticks)

    # The connections of one real server.

    def _server_of(self, index: Numbers, key: ServiceKey, address: Address, port: int) -> int:
        number = index.servers.get(index.find(key), {}).get(identity(address, port))
        if number is None:
            raise NoSuchServer(endpoint(address, port))
        return number

    def count_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        with self._changing_nothing():
            return self._draining.count(self._server_of(self._known, key, address, port), protocol)

    def end_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        with self._changing_nothing():
            return self._draining.end(self._server_of(self._known, key, address, port), protocol)

    def forget_clients(self, key: ServiceKey, address: Address, port: int) -> None:
        with self._changing_nothing():
            self._draining.forget(self._server_of(self._known, key, address, port))

    def close(self) -> None:
        """Give mappings and descriptors back."""
        if self._many is not None:
            self._many.close()
            self._many = None
        self._maps.close()
