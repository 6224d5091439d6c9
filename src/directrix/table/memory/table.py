"""The packet half of the memory table: what a packet meets.

1. Has it a connection? Then that connection's real server gets it, unless the connection is over
   and the packet starts a new one.
2. Else, is there a service for it, and may it start a connection?
3. Has its client a template? Then the connection goes to the template's real server.
4. Else the service's scheduler picks one.

The rules are IPVS's, and its sysctls', with one exception: a SYN on a connection whose real server
was removed starts a new one at once, where IPVS drops it silently unless `expire_nodest_conn` is set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from directrix.lvs import (
    Address,
    Connection,
    ConnectionFlags,
    ForwardingMethod,
    Protocol,
    ServiceKey,
    sctp,
    tcp,
    udp,
)
from directrix.lvs.direction import Direction
from directrix.lvs.errors import NotSupportedYet
from directrix.lvs.sctp import SctpChunk, SctpState
from directrix.lvs.tcp import TcpFlags, TcpState
from directrix.lvs.udp import UdpState
from directrix.scheduling import Flow
from directrix.table.memory.connections import Connections, Entry, Key, TemplateState
from directrix.table.memory.control import Control
from directrix.table.memory.defence import Defence
from directrix.table.memory.destination import Destination
from directrix.table.memory.fragments import Fragments
from directrix.table.memory.keys import FTP, connection_key, reply_key, service_key, template_key
from directrix.table.memory.packet import Packet, Reply, Verdict, VerdictName
from directrix.table.memory.service import Service
from directrix.table.memory.statistics import PERIOD, Statistics

FTP_DATA = 20
FIRST_UNPRIVILEGED_PORT = 1024
_FIRST_STATES: dict[Protocol, TcpState | UdpState | SctpState] = {
    Protocol.TCP: TcpState.NONE,
    Protocol.UDP: UdpState.UDP,
    Protocol.SCTP: SctpState.NONE,
}


class MemoryTable(Control):
    """A virtual server table in memory, for tests and simulation.

    It has no clock: `packet`, `expire` and `estimate` are told the time in seconds from 0 on,
    which must not go back; whatever else happens, happens at the last time told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._connections = Connections()
        self._fragments = Fragments()
        self._defence = Defence(self._sysctls.__getitem__)
        self._next_tick = PERIOD
        self._next_thinning = 1.0

    def connections(self) -> Iterator[Connection]:
        return (entry.listing(self._now) for entry in self._connections)

    def packet(self, packet: Packet, now: float) -> Verdict:
        """Direct a packet of a client.

        Raises:
            NotSupportedYet: it needs a forwarding method or persistence engine that is only stored.
        """
        self.expire(now)
        if not self._services:
            # IPVS sleeps while there is no service at all; connections of the past don't wake it.
            return Verdict(VerdictName.NOT_OURS)
        if packet.fragment is None:
            return self._direct(packet)[0]
        if packet.fragment.offset:
            verdict, destination, _ = self._fragments.later(packet, now)
            waited = [packet.length]
        else:
            verdict, destination = self._direct(packet)
            waited = self._fragments.first(packet, verdict, destination, now)
        if destination is not None:
            for statistics in self._counted_by(destination):
                statistics.count_bytes(sum(waited))
        return verdict

    def reply(self, packet: Reply, now: float) -> Verdict:
        """Direct a packet of a real server, which is sent to its client if it is of a masqueraded connection.

        A real server that was removed gets its replies through, too (IPVS).
        """
        self.expire(now)
        if not self._services:
            return Verdict(VerdictName.NOT_OURS)
        if packet.fragment is not None and packet.fragment.offset:
            verdict, destination, entry = self._fragments.later(packet, now)
            if verdict.name is VerdictName.LATER_FRAGMENT and entry not in self._connections:
                return Verdict(VerdictName.NO_CONNECTION)
            waited = [packet.length]
        else:
            entry = self._connections.reply(reply_key(packet))
            verdict, destination = Verdict(VerdictName.NOT_OURS), None
            if entry is not None:
                verdict, destination = self._replied(entry, packet.length), entry.destination
                self._move(entry, packet, Direction.OUTPUT)
            waited = []
            if packet.fragment is not None:
                waited = self._fragments.first(packet, verdict, destination, now, entry)
        if destination is not None and destination.available:
            for statistics in self._counted_by(destination):
                statistics.count_reply_bytes(sum(waited))
        return verdict

    def _replied(self, entry: Entry, length: int) -> Verdict:
        """Count a packet that goes back to its client."""
        if entry.destination.available:
            for statistics in self._counted_by(entry.destination):
                statistics.count_reply(length)
        return Verdict(VerdictName.REPLIED, entry.destination.server, (entry.key.virtual, entry.key.virtual_port))

    def reply_error(self, about: Reply, length: int, now: float) -> Verdict:
        """Direct an ICMP error of this length about what was sent to a real server, given as if that had sent it.

        It goes to the client, as if the virtual service had sent it; the connection is not refreshed (IPVS).
        """
        self.expire(now)
        entry = self._connections.reply(reply_key(about)) if self._services else None
        return Verdict(VerdictName.UNKNOWN_QUOTE) if entry is None else self._replied(entry, length)

    def error(self, about: Packet, length: int, now: float) -> Verdict:
        """Direct an ICMP error of this length about what a real server sent, given as if its client had sent it.

        The connection is not refreshed, and a real server that was removed gets it, too (IPVS).
        """
        self.expire(now)
        if not self._services:
            return Verdict(VerdictName.NOT_OURS)
        entry = self._connections.connection(connection_key(about))
        if entry is None:
            return Verdict(VerdictName.UNKNOWN_QUOTE)
        if entry.destination.available:
            for statistics in self._counted_by(entry.destination):
                statistics.count_packet(length)
        return Verdict(VerdictName.FORWARDED, entry.destination.server, _rewritten(entry))

    def _counted_by(self, destination: Destination) -> tuple[Statistics, ...]:
        return destination.statistics, destination.service_statistics, self._totals

    def _direct(self, packet: Packet) -> tuple[Verdict, Destination | None]:
        """What becomes of a packet with ports, and the real server that it counts for."""
        key = connection_key(packet)
        entry = self._connections.connection(key)
        if entry is None or self.starts_over(entry, packet):
            opened = self._open(key, packet)
            # IPVS lets the old entry go only after the choice: it still counts as load there.
            if entry is not None:
                self._connections.remove(entry)
            if isinstance(opened, VerdictName):
                return Verdict(opened), None
            entry = opened
        if not entry.destination.available:
            return Verdict(VerdictName.SERVER_GONE), None
        self._receive(entry, packet)
        if entry.flags & ConnectionFlags.ONE_PACKET:
            self._connections.remove(entry)
        name = VerdictName.LOCAL if entry.method is ForwardingMethod.LOCAL else VerdictName.FORWARDED
        return Verdict(name, entry.destination.server, _rewritten(entry)), entry.destination

    def connection_of(self, packet: Packet) -> Entry | None:
        """The connection that a packet belongs to."""
        return self._connections.connection(connection_key(packet))

    def connection_of_reply(self, packet: Reply) -> Entry | None:
        """The masqueraded connection that a real server's packet belongs to."""
        return self._connections.reply(reply_key(packet))

    def template_key_of(self, packet: Packet) -> Key | None:
        """The key of the template of a packet's client; None if the packet is for no persistent service."""
        service = self.service_of(packet)
        if service is None or not service.definition.persistence:
            return None
        return template_key(service.definition.key, service.definition.netmask, packet)

    def template_of(self, packet: Packet) -> Entry | None:
        """The valid template of a packet's client."""
        key = self.template_key_of(packet)
        return self._connections.template(key) if key is not None else None

    def delete_server(self, key: ServiceKey, address: Address, port: int) -> None:
        super().delete_server(key, address, port)
        self._clear_removed()

    def delete_service(self, key: ServiceKey) -> None:
        had_servers = bool(self._find(key).destinations)
        super().delete_service(key)
        if had_servers:
            self._clear_removed()

    def _clear_removed(self) -> None:
        """With `expire_nodest_conn`, connections of removed real servers end at once, and their templates."""
        if not self._sysctls["expire_nodest_conn"]:
            return
        for entry in self._connections:
            if entry in self._connections and not entry.destination.available and not entry.children:
                self._connections.drop(entry, always=True)

    def _bound_to(self, key: ServiceKey, address: Address, port: int) -> list[Entry]:
        destination = self._find(key).find(address, port)
        return [entry for entry in self._connections if entry.destination is destination]

    def count_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        return sum(_is_connection(entry, protocol) for entry in self._bound_to(key, address, port))

    def end_connections(self, key: ServiceKey, address: Address, port: int, protocol: Protocol | None = None) -> int:
        ending = [entry for entry in self._bound_to(key, address, port) if _is_connection(entry, protocol)]
        for entry in ending:
            self._connections.drop(entry, always=True)
        return len(ending)

    def forget_clients(self, key: ServiceKey, address: Address, port: int) -> None:
        for entry in self._bound_to(key, address, port):
            if entry.is_template:
                self._connections.invalidate(entry)
                if not entry.children:
                    self._connections.remove(entry)

    def expire(self, now: float) -> None:
        """End what has run out until `now`: connections, templates, removed real servers; drop_entry's share."""
        while self._next_thinning <= now:
            if self._defence.drops_entries:
                self._expire(self._next_thinning)
                self._thin()
                self._next_thinning += 1
            else:
                self._next_thinning = math.floor(now) + 1
        self._expire(now)

    def _thin(self) -> None:
        for entry in self._connections:
            if entry in self._connections and self._defence.drops_entry(entry, self._now):
                self._connections.drop(entry)

    def _expire(self, now: float) -> None:
        while self._trash.next_sweep <= now:
            self._connections.expire(self._trash.next_sweep)
            self._trash.sweep()
        self._connections.expire(now)
        self._now = now

    def estimate(self, now: float) -> None:
        """Bring the rates up to date: one tick for every two seconds since the start."""
        self.expire(now)
        while self._next_tick <= now:
            self._next_tick += PERIOD
            if self._sysctls["run_estimation"]:
                self.tick()

    def tick(self) -> None:
        """The estimator's turn: take all counts down, and what they grew by into the rates."""
        self._totals.tick()
        for service in self._services.values():
            service.statistics.tick()
            for destination in service.destinations:
                destination.statistics.tick()
                destination.handshakes.tick()

    def _receive(self, entry: Entry, packet: Packet) -> None:
        """Count a packet and let it change its connection."""
        for statistics in self._counted_by(entry.destination):
            statistics.count_packet(packet.length)
        entry.packets += 1
        self._move(entry, packet, entry.direction)

    def _move(self, entry: Entry, packet: Packet | Reply, direction: Direction) -> None:
        """What a packet does to its connection's state and time."""
        if isinstance(entry.state, TcpState):
            secure = self._sysctls["secure_tcp"] in (2, 3)
            state = tcp.next_state(entry.state, packet.tcp_flags, direction, secure=secure)
            entry.enter(state, self._now)
            entry.timeout = tcp.timeout(state, self._timeouts)
        elif isinstance(entry.state, SctpState):
            association = sctp.next_state(entry.state, packet.sctp_event, direction)
            entry.enter(association, self._now)
            entry.timeout = sctp.timeout(association)
        else:
            entry.timeout = udp.timeout(self._timeouts)
        self._connections.refresh(entry, self._now)

    def _open(self, key: Key, packet: Packet) -> Entry | VerdictName:
        """A new connection, or why there is none."""
        service = self.service_of(packet)
        if service is None:
            virtual = any(known.address == packet.virtual for known in self._services)
            return VerdictName.NO_SERVICE if virtual else VerdictName.NOT_OURS
        if not self.opens(packet):
            return VerdictName.NO_CONNECTION
        budget = self._budgets.get(service.definition.key)
        if budget is not None and budget.refuses(packet.client, self._now):
            return VerdictName.OVER_BUDGET
        if self._defence.drops_packet():
            return VerdictName.DROP_PACKET
        if packet.client_port == FTP_DATA:
            return VerdictName.NO_CONNECTION
        if service.definition.engine:
            raise NotSupportedYet(f"the persistence engine {service.definition.engine}")
        template: Entry | None = None
        if service.definition.persistence:
            template = self._template(service, packet)
            destination = template.destination if template else None
        elif service.definition.key.fwmark or service.definition.key.port == packet.virtual_port:
            destination = self._pick(service, packet)
        else:
            destination = None  # IPVS: a service for all ports, or for FTP's data, has to be persistent
        if destination is not None:
            return self._connect(key, service, packet, destination, template)
        is_ftp_data = service.definition.key.port == FTP and packet.virtual_port != FTP
        return VerdictName.NO_CONNECTION if is_ftp_data else VerdictName.NO_SERVER

    def opens(self, packet: Packet) -> bool:
        """Whether a packet may start a connection, if it has none."""
        if packet.protocol is Protocol.TCP:
            return tcp.opens(packet.tcp_flags, sloppy=bool(self._sysctls["sloppy_tcp"]))
        if packet.protocol is Protocol.SCTP:
            return sctp.opens(packet.sctp_chunks[0], sloppy=bool(self._sysctls["sloppy_sctp"]))
        return True

    def service_of(self, packet: Packet) -> Service | None:
        """The service that a packet is for: by mark, by its port, as FTP data, as one for all ports."""
        keys = [service_key(packet, packet.virtual_port)]
        mark = packet.fwmark or self._marks.mark_of(packet.protocol, packet.virtual, packet.virtual_port)
        if mark:
            keys.insert(0, ServiceKey.mark(mark, packet.family))
        is_tcp = packet.protocol is Protocol.TCP
        if is_tcp and (packet.virtual_port == FTP_DATA or packet.virtual_port >= FIRST_UNPRIVILEGED_PORT):
            keys.append(service_key(packet, FTP))
        keys.append(service_key(packet, 0))
        return next((self._services[key] for key in keys if key in self._services), None)

    def _connect(
        self, key: Key, service: Service, packet: Packet, destination: Destination, template: Entry | None
    ) -> Entry:
        """A connection to this real server."""
        server = destination.server
        flags = ConnectionFlags.INACTIVE
        if server.method is not ForwardingMethod.MASQUERADE:
            flags |= ConnectionFlags.NO_OUTPUT
        if service.definition.one_packet and packet.protocol is Protocol.UDP:
            flags |= ConnectionFlags.ONE_PACKET
        mapped = template is None or packet.virtual_port == service.definition.key.port
        entry = Entry(
            key,
            destination,
            server.port if mapped and server.port else packet.virtual_port,
            server.method,
            _FIRST_STATES[packet.protocol],
            flags,
            timeout=0,
            template=template,
        )
        self._connections.add(entry)
        if template is not None:
            self._connections.refresh(template, self._now)
        for statistics in (destination.statistics, service.statistics, self._totals):
            statistics.count_connection()
        return entry

    def _template(self, service: Service, packet: Packet) -> Entry | None:
        """The template of a client, found or made; None if no real server is available."""
        key = template_key(service.definition.key, service.definition.netmask, packet)
        template = self._connections.template(key)
        if template is not None:
            quiescent = template.destination.weight == 0 and self._sysctls["expire_quiescent_template"]
            if template.destination.available and not quiescent:
                _check_method(template.destination)
                return template
            self._connections.invalidate(template)
        destination = self._pick(service, packet)
        if destination is None:
            return None
        template = Entry(
            key,
            destination,
            destination.server.port if key.virtual_port else 0,
            destination.server.method,
            TemplateState.NONE,
            ConnectionFlags.TEMPLATE | ConnectionFlags.NO_OUTPUT | ConnectionFlags.INACTIVE,
            service.definition.persistence,
        )
        self._connections.add(template)
        return template

    def starts_over(self, entry: Entry, packet: Packet) -> bool:
        """Whether a packet's connection ends and the packet is directed anew."""
        asks = bool(packet.tcp_flags & TcpFlags.SYN) or (
            packet.protocol is Protocol.SCTP and packet.sctp_chunks[0] == SctpChunk.INIT
        )
        expire = bool(self._sysctls["expire_nodest_conn"])
        if not entry.destination.available:
            return expire or (asks and not packet.tcp_flags & TcpFlags.RST)
        return asks and ((expire and entry.destination.weight == 0) or self._is_over(entry))

    def _is_over(self, entry: Entry) -> bool:
        """Whether nothing more is to come, as `conn_reuse_mode` has it. Under persistence it never is."""
        mode = self._sysctls["conn_reuse_mode"]
        assert isinstance(mode, int)
        if not mode or entry.template is not None:
            return False
        if entry.state is TcpState.FIN_WAIT:
            # Where both sides are seen it says that only the real server has ended.
            return bool(mode & 2) and not entry.is_masqueraded
        return any(entry.state is over for over in (TcpState.TIME_WAIT, TcpState.CLOSE, SctpState.CLOSED))

    def _pick(self, service: Service, packet: Packet) -> Destination | None:
        expiration = self._sysctls.get(f"{service.definition.scheduler}_expiration")
        if isinstance(expiration, int):
            service.expire_localities(expiration)
        destination = service.pick(Flow(packet.client, packet.client_port, packet.virtual, self._now))
        if destination is not None:
            _check_method(destination)
        return destination


def _is_connection(entry: Entry, protocol: Protocol | None) -> bool:
    return not entry.is_template and protocol in (None, entry.key.protocol)


def _check_method(destination: Destination) -> None:
    method = destination.server.method
    if method is ForwardingMethod.BYPASS:
        raise NotSupportedYet(f"forwarding by the method {method.label}")


def _rewritten(entry: Entry) -> tuple[Address, int] | None:
    """What a request has for its destination afterwards, if that is masqueraded."""
    return (entry.destination.server.address, entry.server_port) if entry.is_masqueraded else None
