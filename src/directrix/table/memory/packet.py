"""Packets, of clients and of masqueraded real servers, and what became of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from directrix.lvs import Address, Family, Protocol, RealServer, sctp
from directrix.lvs.addresses import family_of
from directrix.lvs.sctp import SctpChunk, SctpEvent
from directrix.lvs.tcp import TcpFlags


@dataclass(frozen=True, slots=True)
class Fragment:
    """Which part of a datagram a packet is.

    Attributes:
        identification: what the fragments of one datagram have in common.
        offset: of what it carries, in bytes; 0 for the first, the only one with ports.
        size: bytes it carries.
    """

    identification: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet from a client, as far as a director reads it.

    Attributes:
        protocol: transport protocol.
        client, client_port: where it comes from (CIP).
        virtual, virtual_port: where it goes to; a virtual service perhaps.
        tcp_flags: flags of a TCP header.
        sctp_chunks: types of an SCTP packet's first chunk and, if there is one, the chunk behind it.
        length: bytes from the IP header on, without IPv6's fragment header; of a later fragment what it carries.
        fragment: which part of a datagram it is, if it is one; ports and flags of a later part mean nothing.
        fwmark: firewall mark it comes with; 0 for none, then the table's mark rules may give it one.
    """

    protocol: Protocol
    client: Address
    client_port: int
    virtual: Address
    virtual_port: int
    tcp_flags: TcpFlags = TcpFlags.NONE
    length: int = 40
    fwmark: int = 0
    sctp_chunks: tuple[int, ...] = (SctpChunk.DATA,)
    fragment: Fragment | None = None

    @property
    def family(self) -> Family:
        """Its address family."""
        return family_of(self.virtual)

    @property
    def source(self) -> Address:
        """The address it comes from."""
        return self.client

    @property
    def target(self) -> Address:
        """The address it goes to."""
        return self.virtual

    @property
    def sctp_event(self) -> SctpEvent:
        """What an SCTP packet says to the state machine."""
        return sctp.event(*self.sctp_chunks[:2])


@dataclass(frozen=True, slots=True)
class Reply:
    """A packet from a real server, as far as a director that masquerades reads it.

    Attributes:
        protocol: transport protocol.
        server, server_port: where it comes from; a real server's (RIP), perhaps.
        client, client_port: where it goes to.
        tcp_flags, sctp_chunks, length, fragment: as in Packet.
    """

    protocol: Protocol
    server: Address
    server_port: int
    client: Address
    client_port: int
    tcp_flags: TcpFlags = TcpFlags.NONE
    length: int = 40
    sctp_chunks: tuple[int, ...] = (SctpChunk.DATA,)
    fragment: Fragment | None = None

    @property
    def source(self) -> Address:
        """The address it comes from."""
        return self.server

    @property
    def target(self) -> Address:
        """The address it goes to."""
        return self.client

    @property
    def sctp_event(self) -> SctpEvent:
        """What an SCTP packet says to the state machine."""
        return sctp.event(*self.sctp_chunks[:2])


class VerdictName(enum.StrEnum):
    """Every way a packet can end, named as the data plane names it."""

    NOT_OURS = enum.auto()
    """Passed: no virtual service has this destination address."""
    NO_SERVICE = enum.auto()
    """Passed: the address is virtual, but not this port of this protocol."""
    NO_CONNECTION = enum.auto()
    """Passed: it has no connection and is not one to start one (TCP without SYN, SCTP without INIT, FTP data)."""
    FRAGMENT = enum.auto()
    """Passed: a fragment that came before the first of its datagram. It waits for that, and goes with it."""
    UNKNOWN_QUOTE = enum.auto()
    """Passed: an ICMP error about no connection there is."""
    LOCAL = enum.auto()
    """Passed: its real server is this host, by the method local."""
    FORWARDED = enum.auto()
    """Sent to its real server."""
    REPLIED = enum.auto()
    """A masqueraded real server's reply, sent to its client."""
    LATER_FRAGMENT = enum.auto()
    """Sent to the real server that has the first fragment."""
    BAD_FRAGMENT = enum.auto()
    """Dropped: a fragment that lies over the first of its datagram."""
    NO_SERVER = enum.auto()
    """Dropped and answered with port unreachable: no real server is available."""
    SERVER_GONE = enum.auto()
    """Dropped: the real server of its connection was removed."""
    DROP_PACKET = enum.auto()
    """Dropped: it would have made a connection, and the sysctl drop_packet defends the table."""
    OVER_BUDGET = enum.auto()
    """Dropped: it would have made a connection more than its service, or its source, has a budget for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a packet.

    Attributes:
        name: its end.
        server: the real server that got it, or sent it.
        rewritten: of what is masqueraded, the address and port that it has now: a request's destination, a
            reply's source.
    """

    name: VerdictName
    server: RealServer | None = None
    rewritten: tuple[Address, int] | None = None
