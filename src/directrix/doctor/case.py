"""What is known before a check looks: which host this is, and which virtual services it is about."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from directrix.doctor.daemon import Ask, Vrrp, nobody, read_vrrp
from directrix.doctor.finding import Role
from directrix.doctor.host import Carried, Host
from directrix.doctor.pace import Pace
from directrix.doctor.served import Server, Service, services_of
from directrix.lvs import Address, ForwardingMethod
from directrix.lvs.errors import TableError, TableUnavailable
from directrix.system import frames
from directrix.system.heard import Heard
from directrix.system.netfilter.packet import Packet
from directrix.system.wire import Wire

if TYPE_CHECKING:
    from directrix.doctor.probing import Knock
    from directrix.table.xdp.director import Status

LOOPBACK = "lo"

Served = Mapping[Address, Sequence[tuple[Service, Server]]]
"""What each real server serves, by its address."""

_AT_ONCE = 256
"""So many addresses are asked for together: a wire and its hosts take as many frames in a row."""
_PATIENCE = 0.3
"""Seconds to wait for answers of neighbours, who take a millisecond if they are not busy."""


class CannotLook(Exception):
    """A check can't be done here; says why."""


class Unanswered(CannotLook):
    """A director runs here and does not answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host is on the wire: its address, our interface, our address there, its MAC."""

    host: Address
    interface: str
    source: Address
    mac: bytes


@dataclass(slots=True)
class Case:
    """One host to be examined.

    Attributes:
        interface: where to look on the wire, empty for wherever the routes lead.
        client: an address of a client, if one was named.
        status: how directrix's own table stands; None if there is none.
        make: whose table it is: `xdp` or `ipvs`, empty where none can be.
        trouble: why no table can be looked at, empty if one can.
        knocks: what was found so far, by host, address and port tried.
        spares: addresses nobody has, by interface.
        claims: who answers for VIPs, by interface and VIP, as far as they were asked for together.
        macs: who has which MAC, by interface and IP version.
        pace: the time that each check has; those that look at many things go through them by it.
        ask: asks the director that runs here.
        killed: the process of a director that ran here and has not stopped in order; None if none did.
    """

    host: Host
    role: Role
    vips: tuple[Address, ...]
    services: tuple[Service, ...] = ()
    interface: str = ""
    client: Address | None = None
    status: Status | None = None
    make: str = ""
    trouble: str = ""
    knocks: dict[tuple[Address, Address, int], Knock] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)
    _wires: dict[str, Wire] = field(default_factory=dict)
    _places: dict[Address, Place | CannotLook] = field(default_factory=dict)
    _answers: dict[Address, list[bytes]] = field(default_factory=dict)
    spares: dict[str, IPv4Address | None] = field(default_factory=dict)
    claims: dict[tuple[str, Address], list[bytes]] = field(default_factory=dict)
    macs: dict[tuple[str, int], dict[bytes, Address]] = field(default_factory=dict)
    pace: Pace = field(default_factory=Pace)
    ask: Ask = nobody
    killed: int | None = None
    _vrrp: Vrrp | None = None
    _servers: dict[ForwardingMethod | None, Served] = field(default_factory=dict)
    _vips: tuple[tuple[Address, ...], frozenset[Address]] = ((), frozenset())
    _own: dict[tuple[str, int], list[Carried]] = field(default_factory=dict)

    @property
    def vrrp(self) -> Vrrp:
        """VRRP as it was when a check asked for it first; nothing where no director runs, or answers."""
        if self._vrrp is None:
            try:
                self._vrrp = read_vrrp(self.ask)
            except Unanswered:
                self._vrrp = Vrrp()
        return self._vrrp

    def close(self) -> None:
        """Give back what was opened."""
        self._open.close()

    def wire(self, interface: str) -> Wire:
        """The wire at an interface.

        Raises:
            CannotLook: it can't be asked on.
        """
        if interface not in self._wires:
            link = self.host.links.get(interface)
            if link is None:
                raise CannotLook(f"there is no interface {interface!r}")
            if link.type != "ether":
                raise CannotLook(f"{interface} has no Ethernet frames ({link.type})")
            if not link.up:
                raise CannotLook(f"{interface} is down")
            try:
                self._wires[interface] = self._open.enter_context(Wire(interface))
            except OSError as error:
                raise CannotLook(f"no packet socket at {interface}: {error.strerror}") from None
        return self._wires[interface]

    def own_mac(self, interface: str) -> bytes:
        """Our MAC at an interface."""
        return self.host.links[interface].mac

    def is_vip(self, address: Address) -> bool:
        """Whether an address is one of the VIPs."""
        if self._vips[0] is not self.vips:
            self._vips = (self.vips, frozenset(self.vips))
        return address in self._vips[1]

    def asking_address(self, interface: str, other: Address) -> Address | None:
        """An address of ours to ask from at an interface, never a VIP; None if there is none."""
        place = (interface, other.version)
        if place not in self._own:
            self._own[place] = [
                carried
                for carried in self.host.carried
                if (carried.interface, carried.address.version) == place
                and not self.is_vip(carried.address)
                and (carried.prefix < carried.address.max_prefixlen or carried.scope == "global")
            ]
        fitting = list(self._own[place])
        fitting.sort(key=lambda carried: (not carried.reaches(other), carried.scope != "global"))
        return fitting[0].address if fitting else None

    def packet(self, service: Service, interface: str, *, answer: bool = False) -> Packet:
        """A packet for a service as the rules of this host see it, that of the client named if there is one."""
        vip = service.vip
        return Packet(
            service.protocol.name.lower(),
            vip,
            service.port,
            interface,
            answer,
            other=self.client if self.client is not None and self.client.version == vip.version else None,
            local_on=frozenset(carried.interface for carried in self.host.has(vip)),
            own=self.asking_address(interface, vip),
        )

    def place_of(self, address: Address) -> Place:
        """Where another host of the segment is, asked for on the wire and not looked up.

        Raises:
            CannotLook: it is not on this segment, nobody answers, or we have no address to ask from.
        """
        if address not in self._places:
            # Who is asked for is mostly one of many: the others are asked for with it.
            servers = self.servers()
            self.ask_for(servers if address in servers else [address])
        found = self._places[address]
        if isinstance(found, CannotLook):
            raise found
        return found

    def is_reached(self, address: Address) -> bool:
        """Whether another host seems to be reached: on a segment of ours it must answer."""
        way = self.host.way_to(address)
        if way is None:
            return False
        try:
            return way.local or way.gateway is not None or bool(self.place_of(address).mac)
        except CannotLook:
            return False

    def has_another(self, service: Service, server: Server) -> bool:
        """Whether another real server of a service gets connections and is reached."""
        return any(
            other.weight > 0 and other.address != server.address and self.is_reached(other.address)
            for other in service.servers
        )

    def way_of(self, address: Address) -> tuple[str, Address]:
        """The interface on whose wire another host is, and our address there to ask from.

        Raises:
            CannotLook: it is not on this segment, or we have no address to ask from.
        """
        way = self.host.way_to(address)
        if way is None:
            raise CannotLook(f"there is no route to {address}")
        if way.local:
            raise CannotLook(f"{address} is an address of this host")
        if way.gateway is not None:
            raise CannotLook(f"{address} is behind the router {way.gateway}")
        source = self.asking_address(way.interface, address)
        if source is None:
            raise CannotLook(f"{way.interface} has no address but VIPs to ask from")
        return way.interface, source

    def ask_for(self, addresses: Iterable[Address]) -> dict[Address, list[bytes]]:
        """Who answers for each of many addresses of other hosts, all asked for at once: every MAC that does.

        Those that can't be asked for are left out.
        """
        wanted = list(addresses)
        groups: dict[tuple[str, Address], list[Address]] = {}
        for address in wanted:
            if address in self._answers or address in self._places:
                continue
            try:
                groups.setdefault(self.way_of(address), []).append(address)
            except CannotLook as reason:
                self._places[address] = reason
        for (interface, source), targets in groups.items():
            try:
                found = who_answer(self, interface, source, targets)
            except CannotLook as reason:
                self._places |= dict.fromkeys(targets, reason)
                continue
            self._answers |= found
            for target, macs in found.items():
                silent = CannotLook(f"nobody on {interface} answers for {target}")
                self._places[target] = Place(target, interface, source, macs[0]) if macs else silent
        return {address: self._answers[address] for address in wanted if address in self._answers}

    def servers(self, method: ForwardingMethod | None = None) -> Served:
        """Every real server by its address (RIP), with what it serves; of one forwarding method if it is given."""
        if method not in self._servers:
            found: dict[Address, list[tuple[Service, Server]]] = {}
            for service in self.services:
                for server in service.servers:
                    if method in (None, server.method):
                        found.setdefault(server.address, []).append((service, server))
            self._servers[method] = found
        return self._servers[method]

    def uses(self, method: ForwardingMethod) -> list[tuple[Service, Server]]:
        """Every real server of a forwarding method with every service: first each with one, then with another."""
        turns = itertools.zip_longest(*self.servers(method).values())
        return [use for turn in turns for use in turn if use is not None]


def who_answers(case: Case, interface: str, source: Address, target: Address) -> list[bytes]:
    """Who says first to have an address: its MAC, nothing if nobody does.

    Raises:
        CannotLook: it can't be asked on this interface.
    """
    return _ask(case, interface, source, [target], tries=3, enough=1)[target]


def who_answer(case: Case, interface: str, source: Address, targets: Sequence[Address]) -> dict[Address, list[bytes]]:
    """All who say to have each of some addresses, within the time.

    Raises:
        CannotLook: it can't be asked on this interface.
    """
    found: dict[Address, list[bytes]] = {}
    for start in range(0, len(targets), _AT_ONCE):
        part = targets[start : start + _AT_ONCE]
        found |= _ask(case, interface, source, part, tries=1, enough=0)
        silent = [target for target in part if not found[target]]
        found |= _ask(case, interface, source, silent, tries=1, enough=0) if silent else {}
    return found


def _ask(
    case: Case, interface: str, source: Address, targets: Sequence[Address], tries: int, enough: int
) -> dict[Address, list[bytes]]:
    wire, own = case.wire(interface), case.own_mac(interface)
    wanted = set(targets)
    try:
        answers = wire.ask(
            [frames.who_has(own, source, target) for target in targets],
            lambda heard: _told_of(heard) in wanted and heard.link != own,
            seconds=_PATIENCE,
            tries=tries,
            enough=enough,
        )
    except OSError as error:
        raise CannotLook(f"{interface} takes no frames: {error.strerror}") from None
    found: dict[Address, list[bytes]] = {target: [] for target in targets}
    for heard in answers:
        target = _told_of(heard)
        if target is not None and heard.link not in found[target]:
            found[target].append(heard.link)
    return found


def _told_of(heard: Heard) -> Address | None:
    """The address an answer is about: in an ARP reply the sender's, in an advertisement its target."""
    return {"arp-reply": heard.source, "advertisement": heard.destination}.get(heard.kind)


def on_no_wire(host: Host) -> tuple[Address, ...]:
    """The addresses that stand on `lo`, beside its own, or on a dummy: how a real server carries its VIPs."""
    places = {LOOPBACK, *(link.name for link in host.links.values() if link.kind == "dummy")}
    return tuple(
        carried.address
        for carried in host.carried
        if carried.interface in places and not carried.address.is_loopback and not carried.address.is_link_local
    )


def _started() -> list[Address]:
    """The VIPs that `directrix realserver start` made this host a real server for."""
    from directrix.realserver.preparing import book, started_vips

    return started_vips(book().read())


def make_case(
    *,
    role: Role | None = None,
    vips: Sequence[Address] = (),
    services: Sequence[Service] = (),
    interface: str = "",
    client: Address | None = None,
    ask: Ask = nobody,
    killed: int | None = None,
) -> Case:
    """Find out which host this is and what it is about; what is given overrides what is found.

    A host whose table has services is a director; one with a VIP on `lo`, or where `directrix
    realserver start` was called, a real server; any other a bystander.

    Raises:
        CommandFailed: the host can't be asked.
    """
    host = Host()
    case = Case(host, role or Role.BYSTANDER, tuple(vips), tuple(services), interface, client, ask=ask, killed=killed)
    if role in (None, Role.DIRECTOR):
        served = _ask_table(case)
        if served:
            case.role = Role.DIRECTOR
            case.services = _chosen(served, case) or case.services
    carried = tuple(dict.fromkeys([*on_no_wire(host), *_started()]))
    if role is None and case.role is Role.BYSTANDER and carried:
        case.role = Role.REALSERVER
    if not case.vips:
        found = carried if case.role is Role.REALSERVER else ()
        case.vips = tuple(dict.fromkeys([service.vip for service in case.services] or found))
    return case


def _ask_table(case: Case) -> tuple[Service, ...]:
    """The services of this host's table; what kind of table it is, or why there is none, goes into the case."""
    from directrix.table.opening import XDP, make_in_force, open_table

    try:
        case.make = make_in_force()
        with closing(open_table(create=False)) as table:
            served = services_of(table.services(), table.marks() if case.make == XDP else ())
        if case.make == XDP:
            from directrix.table.xdp import director

            case.status = director.status(servers=False)
    except (TableUnavailable, TableError) as error:
        case.trouble = str(error)
        return ()
    return served


def _chosen(served: tuple[Service, ...], case: Case) -> tuple[Service, ...]:
    """Of a table's services those that the examination is about."""
    wanted = {(service.protocol, service.vip, service.port) for service in case.services}
    return tuple(
        service
        for service in served
        if (not case.vips or case.is_vip(service.vip))
        and (not wanted or (service.protocol, service.vip, service.port) in wanted)
    )
