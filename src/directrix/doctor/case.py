"""What is known before a check looks: which host this is, and which virtual services it is about."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from directrix.doctor.finding import Role
from directrix.doctor.host import Host
from directrix.lvs import Address, ForwardingMethod, MarkRule, Protocol, ServiceKey, ServiceState
from directrix.lvs.addresses import endpoint
from directrix.lvs.errors import TableError, TableUnavailable
from directrix.system import frames
from directrix.system.wire import Wire

if TYPE_CHECKING:
    from directrix.doctor.probing import Knock
    from directrix.table.xdp.director import Status

LOOPBACK = "lo"

_PATIENCE = 0.3
"""Seconds to wait for answers of neighbours, who take a millisecond if they are not busy."""


class CannotLook(Exception):
    """A check can't be done here; says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A real server of a service, as the director's table has it."""

    address: Address
    port: int
    method: ForwardingMethod
    weight: int

    @property
    def key(self) -> tuple[Address, int]:
        """Address and port."""
        return (self.address, self.port)


@dataclass(frozen=True, slots=True)
class Service:
    """What clients connect to, and the real servers behind it; those are known on a director alone.

    `key` is that of the table's service: another one where a firewall mark leads to it.
    """

    protocol: Protocol
    vip: Address
    port: int
    key: ServiceKey
    servers: tuple[Server, ...] = ()

    @property
    def destination(self) -> str:
        """VIP and port, as everywhere."""
        return endpoint(self.vip, self.port)

    @property
    def option(self) -> str:
        """What names it to ipvsadm."""
        if self.key.fwmark:
            return f"-f {self.key.fwmark}" + (" -6" if self.vip.version == 6 else "")
        return f"-{'u' if self.protocol is Protocol.UDP else 't'} {self.destination}"

    def __str__(self) -> str:
        return f"{self.protocol.name} {self.destination}"


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

    def asking_address(self, interface: str, other: Address) -> Address | None:
        """An address of ours to ask from at an interface, never a VIP; None if there is none."""
        fitting = [
            carried
            for carried in self.host.carried
            if carried.interface == interface
            and carried.address.version == other.version
            and carried.address not in self.vips
            and (carried.prefix < carried.address.max_prefixlen or carried.scope == "global")
        ]
        fitting.sort(key=lambda carried: (not carried.reaches(other), carried.scope != "global"))
        return fitting[0].address if fitting else None

    def place_of(self, address: Address) -> Place:
        """Where another host of the segment is, asked for on the wire and not looked up.

        Raises:
            CannotLook: it is not on this segment, nobody answers, or we have no address to ask from.
        """
        if address not in self._places:
            try:
                self._places[address] = self._find(address)
            except CannotLook as reason:
                self._places[address] = reason
        found = self._places[address]
        if isinstance(found, CannotLook):
            raise found
        return found

    def _find(self, address: Address) -> Place:
        interface, source = self.way_of(address)
        answers = who_answers(self, interface, source, address)
        if not answers:
            raise CannotLook(f"nobody on {interface} answers for {address}")
        return Place(address, interface, source, answers[0])

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
            if address in self._answers:
                continue
            try:
                groups.setdefault(self.way_of(address), []).append(address)
            except CannotLook:
                continue
        for (interface, source), targets in groups.items():
            try:
                found = who_answer(self, interface, source, targets)
            except CannotLook:
                continue
            self._answers |= found
            self._places |= {
                target: Place(target, interface, source, macs[0]) for target, macs in found.items() if macs
            }
        return {address: self._answers[address] for address in wanted if address in self._answers}

    def servers(self, method: ForwardingMethod | None = None) -> dict[Address, list[tuple[Service, Server]]]:
        """Every real server by its address (RIP), with what it serves; of one forwarding method if it is given."""
        found: dict[Address, list[tuple[Service, Server]]] = {}
        for service in self.services:
            for server in service.servers:
                if method in (None, server.method):
                    found.setdefault(server.address, []).append((service, server))
        return found


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
    found = _ask(case, interface, source, targets, tries=1, enough=0)
    silent = [target for target in targets if not found[target]]
    return found | (_ask(case, interface, source, silent, tries=1, enough=0) if silent else {})


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


def _told_of(heard: frames.Heard) -> Address | None:
    """The address an answer is about: in an ARP reply the sender's, in an advertisement its target."""
    return {"arp-reply": heard.source, "advertisement": heard.destination}.get(heard.kind)


def services_of(states: Iterable[ServiceState], marks: Sequence[MarkRule]) -> tuple[Service, ...]:
    """The services that a table's state stands for, in its order.

    A firewall-mark service is one for each destination with one address and one port that a rule
    marks for it; others have no packet that could be tried.
    """
    found = []
    for state in states:
        key = state.service.key
        servers = tuple(
            Server(known.server.address, known.server.port, known.server.method, known.server.weight)
            for known in reversed(state.servers)
        )
        if key.protocol is not None and key.address is not None:
            found.append(Service(key.protocol, key.address, key.port, key, servers))
            continue
        for rule in marks:
            match = rule.match
            if rule.service == key and match.network.num_addresses == 1 and match.first_port == match.last_port:
                protocol = match.protocol or Protocol.TCP
                found.append(Service(protocol, match.network.network_address, match.first_port, key, servers))
    return tuple(found)


def parse_service(text: str) -> Service:
    """A service as a person names it: `VIP:PORT`, `[VIP]:PORT`, with `tcp:` or `udp:` before it.

    Raises:
        ValueError: it is none; says what is wrong.
    """
    before, colon, rest = text.partition(":")
    protocol = Protocol.TCP
    if colon and before.upper() in Protocol.__members__:
        protocol, text = Protocol[before.upper()], rest
    address, colon, port = text.rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    try:
        vip = ipaddress.ip_address(address[1:-1] if bracketed else address)
        number = int(port)
    except ValueError:
        vip, number = ipaddress.IPv4Address(0), 0
    if not 0 < number < 65536 or vip.is_unspecified or bracketed != (vip.version == 6):
        raise ValueError(f"{text!r} is no service; write 10.0.0.100:80 or [fd00::100]:80, for UDP udp:10.0.0.100:53")
    return Service(protocol, vip, number, ServiceKey.of(protocol, vip, number))


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
) -> Case:
    """Find out which host this is and what it is about; what is given overrides what is found.

    A host whose table has services is a director; one with a VIP on `lo`, or where `directrix
    realserver start` was called, a real server; any other a bystander.

    Raises:
        CommandFailed: the host can't be asked.
    """
    host = Host()
    case = Case(host, role or Role.BYSTANDER, tuple(vips), tuple(services), interface, client)
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

            case.status = director.status()
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
        if (not case.vips or service.vip in case.vips)
        and (not wanted or (service.protocol, service.vip, service.port) in wanted)
    )
