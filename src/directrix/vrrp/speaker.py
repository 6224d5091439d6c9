"""Sending and hearing adverts: from virtual routers to sockets and back.

One `Port` belongs to each virtual router; listeners are shared by all of an interface, and a datagram finds its port by
the virtual router id in it. Interfaces may come and go: `refresh` follows them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv6Address

from directrix.lvs.addresses import Address, Family
from directrix.vrrp.admission import Admission
from directrix.vrrp.bad_packet import BadPacket, Cause
from directrix.vrrp.channels import Listener, Sender
from directrix.vrrp.configuration import Instance
from directrix.vrrp.datagram import AH, Datagram, build_inet, build_inet6
from directrix.vrrp.interfaces import Interfaces
from directrix.vrrp.packet import VRRP, Advertisement, encode, vrid_of
from directrix.vrrp.router import VirtualRouter
from directrix.vrrp.states import State
from directrix.vrrp.status import Rejected, Statistics, Stranger
from directrix.vrrp.values import AuthenticationType

_log = logging.getLogger("directrix.vrrp")

_PATIENCE = 60.0
"""Seconds between two complaints of a kind."""

Place = tuple[str, Family, int]
"""Where a listener listens: interface, family, IP protocol."""
Route = tuple[str, Family, int]
"""Which adverts are whose: interface, family, virtual router id."""
Hear = Callable[[VirtualRouter, Advertisement, Address, Address | None], None]


class Port:
    """What one virtual router sends and hears by.

    Attributes:
        router: whose it is.
        admission: what is heard.
        statistics: what was counted.
        source: the address it sends from, None while there is none.
    """

    def __init__(self, router: VirtualRouter) -> None:
        self.router = router
        self.admission = Admission(router.instance)
        self.statistics = Statistics()
        self.source: Address | None = None
        self._identification = 0
        self._was_master = False
        self._complained: dict[str, float] = {}

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it listens. For version 2 over IPv4 with and without AH, so that others who differ are heard of."""
        instance = self.router.instance
        may_be_signed = instance.version == 2 and instance.family is Family.INET
        return tuple(
            (instance.transmits_from, instance.family, each) for each in ((VRRP, AH) if may_be_signed else (VRRP,))
        )

    @property
    def route(self) -> Route:
        """Which adverts are for it."""
        instance = self.router.instance
        return instance.transmits_from, instance.family, instance.vrid

    def datagrams(self, priority: int) -> list[tuple[bytes, Address]]:
        """An advert as datagrams, each with its destination."""
        instance, source = self.router.instance, self.source
        if source is None:
            return []
        authentication = instance.authentication
        by_password = authentication is not None and authentication.type is AuthenticationType.PASS
        advertisement = Advertisement(
            version=instance.version,
            vrid=instance.vrid,
            priority=priority,
            interval=instance.interval,
            addresses=instance.advertised,
            auth_type=instance.authentication_type,
            auth_data=authentication.data if authentication is not None and by_password else b"",
        )
        self._identification = self._identification % 0xFFFF + 1
        key = authentication.data if authentication is not None and not by_password else None
        sequence = self.admission.sequence.next() if key is not None else 0
        ttl = instance.unicast_ttl if instance.peers else 255
        found: list[tuple[bytes, Address]] = []
        for destination in [peer.address for peer in instance.peers] or [instance.multicast_group]:
            summed = instance.multicast_group if self.admission.old_checksum and instance.peers else destination
            message = encode(advertisement, source, summed)
            if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
                number = self._identification
                data = build_inet(
                    message, source, destination, identification=number, ttl=ttl, key=key, sequence=sequence
                )
                found.append((data, destination))
            elif isinstance(source, IPv6Address) and isinstance(destination, IPv6Address):
                found.append((build_inet6(message, source, destination, ttl=ttl), destination))
        return found

    def enter(self, state: State) -> None:
        """Count a change of state."""
        self.statistics.become_master += state is State.MASTER
        self.statistics.release_master += self._was_master and state is not State.MASTER
        self._was_master = state is State.MASTER

    def complain(self, kind: str, text: str) -> None:
        """Log what went wrong; of each kind once a minute at most, whatever comes over the wire."""
        now = time.monotonic()
        if now - self._complained.get(kind, -_PATIENCE) >= _PATIENCE:
            self._complained[kind] = now
            _log.warning("(%s) %s", self.router.instance.name, text)


class Speaker:
    """The sockets of all virtual routers.

    Attributes:
        ports: by what tells virtual routers of this machine apart.
        strangers: who else was heard, by interface, family and virtual router id.
    """

    def __init__(self, interfaces: Interfaces, hear: Hear) -> None:
        """Open what sends.

        Raises:
            OSError: no privilege (CAP_NET_RAW).
        """
        self.ports: dict[tuple[str, Family, int], Port] = {}
        self.strangers: dict[tuple[str, Family, int], Stranger] = {}
        self._interfaces = interfaces
        self._hear = hear
        self._sender = Sender()
        self._listeners: dict[Place, tuple[int, Listener]] = {}
        self._routes: dict[Route, Port] = {}

    def close(self) -> None:
        """Give all sockets back."""
        for place in list(self._listeners):
            self._close(place)
        self._sender.close()

    def configure(self, routers: Iterable[VirtualRouter]) -> None:
        """Speak for these virtual routers, with the configurations they have now."""
        before, self.ports = self.ports, {}
        for router in routers:
            port = before.get(router.instance.key)
            if port is None or port.router is not router:
                port = Port(router)
            elif port.admission.instance != router.instance:
                sequence, port.admission = port.admission.sequence, Admission(router.instance)
                port.admission.sequence = sequence
            self.ports[router.instance.key] = port
        self.refresh()

    def refresh(self) -> None:
        """Follow the interfaces: sources of adverts, and where to listen."""
        instances = [port.router.instance for port in self.ports.values()]
        virtual = {each.address for instance in instances for each in (*instance.addresses, *instance.excluded)}
        for port in self.ports.values():
            port.source = self._interfaces.source(port.router.instance, virtual)
        self._routes = {port.route: port for port in self.ports.values()}
        wanted = {place for port in self.ports.values() for place in port.places}
        for place in list(self._listeners):
            index = self._interfaces.index(place[0])
            if place not in wanted or index is None or index != self._listeners[place][0]:
                self._close(place)
        for port in self.ports.values():
            for place in port.places:
                self._listen(port, place)

    def without_source(self) -> set[str]:
        """Names of the instances that have no address to send from."""
        return {port.router.instance.name for port in self.ports.values() if port.source is None}

    def send(self, instance: Instance, priority: int) -> None:
        """Send an advert."""
        port = self.ports.get(instance.key)
        index = self._interfaces.index(instance.transmits_from)
        if port is None or index is None:
            return
        for datagram, destination in port.datagrams(priority):
            try:
                self._sender.send(datagram, destination, index)
            except OSError as error:
                port.statistics.send_errors += 1
                port.complain("send", f"an advert to {destination} can't be sent: {error.strerror or error}")
        port.statistics.advertisements_sent += 1
        port.statistics.priority_zero_sent += priority == 0

    def read(self) -> None:
        """Hear all that has arrived."""
        for place in list(self._listeners):
            self._read(place)

    def _listen(self, port: Port, place: Place) -> None:
        instance = port.router.instance
        index = self._interfaces.index(place[0])
        if index is None:
            return
        try:
            if place not in self._listeners:
                listener = Listener(index, *place)
                self._listeners[place] = index, listener
                asyncio.get_running_loop().add_reader(listener, self._read, place)
            if not instance.peers:
                self._listeners[place][1].join(instance.multicast_group)
        except OSError as error:
            port.complain("listen", f"can't listen on {place[0]}: {error.strerror or error}")

    def _close(self, place: Place) -> None:
        _, listener = self._listeners.pop(place)
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def _read(self, place: Place) -> None:
        held = self._listeners.get(place)
        if held is None:
            return
        for datagram in held[1].read():
            if isinstance(datagram, BadPacket) or (vrid := vrid_of(datagram.message)) is None:
                continue
            port = self._routes.get((place[0], place[1], vrid))
            if port is not None:
                self._take(port, datagram)
            else:
                self._meet(place, vrid, datagram)

    def _meet(self, place: Place, vrid: int, datagram: Datagram) -> None:
        """Somebody else's virtual router: 256 at most on an interface, so nothing is forgotten."""
        interface, family, _ = place
        before = self.strangers.get((interface, family, vrid))
        count = 1 if before is None else before.count + 1
        stranger = Stranger(interface, family, vrid, count, str(datagram.source), time.time())
        self.strangers[interface, family, vrid] = stranger

    def _take(self, port: Port, datagram: Datagram) -> None:
        router, statistics = port.router, port.statistics
        if router.state not in (State.BACKUP, State.MASTER, State.LEAVING):
            return
        own = () if port.source is None else (port.source,)
        try:
            advertisement = port.admission.admit(datagram, own)
        except BadPacket as bad:
            statistics.rejected[bad.cause] += 1
            statistics.last_rejected = Rejected(time.time(), str(datagram.source), bad.cause, str(bad))
            if bad.cause is not Cause.OWN:
                port.complain(bad.cause.value, f"an advert from {datagram.source} is not heard: {bad}")
            return
        statistics.advertisements_received += 1
        statistics.priority_zero_received += advertisement.priority == 0
        self._hear(router, advertisement, datagram.source, port.source)
