"""Short histories of one connection, packet by packet from both sides. Knows neither IPVS nor the data plane."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from guest import HERE

sys.path.insert(0, str(HERE / "traffic"))
sys.path.insert(0, str(HERE / "tunnels"))
from sctp_frames import crc32c
from tunnel_cases import CLIENTS, SERVERS, TCP, UDP, VIPS, checksum, pseudo

from directrix.lvs import Address

__all__ = ["CLIENTS", "METHODS", "ROUTERS", "SERVERS", "SERVICES", "VIPS", "Case", "Step", "cases", "checksum"]

SCTP, ICMP, ICMP6 = 132, 1, 58
ROUTERS: dict[int, Address] = {4: ip_address("198.51.100.1"), 6: ip_address("2001:db8:9::1")}
"""On the clients' side."""

METHODS = {"direct": "-g", "masquerade": "-m"}
"""And ipvsadm's words for them."""

SERVICES = {TCP: ("-t", 80, 8080), UDP: ("-u", 53, 5353), SCTP: ("--sctp-service", 3868, 13868)}
"""ipvsadm's word, the port at the VIP, and that of a masqueraded real server. In direct routing both are the first."""

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK, DATA = 1, 2, 10, 11, 0


@dataclass(frozen=True, slots=True)
class Step:
    """A packet, and the side it comes from: `client` or `server`."""

    side: str
    packet: bytes
    """From its IP header on."""


@dataclass(frozen=True, slots=True)
class Case:
    """A history of one connection.

    Attributes:
        method: one of METHODS.
        version: 4 or 6.
        what: what is special.
        steps: the packets.
    """

    method: str
    version: int
    what: str
    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """Names it in the transcript."""
        return f"{self.method} IPv{self.version} {self.what}"


@dataclass(frozen=True, slots=True)
class _Flow:
    """The two ends of a connection, and what one sends to the other."""

    method: str
    version: int
    protocol: int
    client_port: int

    @property
    def port(self) -> int:
        return SERVICES[self.protocol][1]

    @property
    def server_port(self) -> int:
        return SERVICES[self.protocol][2 if self.method == "masquerade" else 1]

    def ask(self, payload: bytes, **ip: int | bytes) -> Step:
        """The client's packet with this payload, whose ports and checksum are filled in."""
        ends = CLIENTS[self.version], VIPS[self.version]
        return Step(
            "client", _ip(*ends, self.protocol, self._filled(payload, *ends, self.client_port, self.port), **ip)
        )

    def reply(self, payload: bytes, **ip: int | bytes) -> Step:
        """The real server's."""
        ends = SERVERS[self.version], CLIENTS[self.version]
        filled = self._filled(payload, *ends, self.server_port, self.client_port)
        return Step("server", _ip(*ends, self.protocol, filled, **ip))

    def about_reply(self, kind: tuple[int, int, int], size: int = 1000, quoted: bytes = b"") -> Step:
        """A router's error on the clients' side about what they were sent from the VIP, of which it quotes so much."""
        ends = VIPS[self.version], CLIENTS[self.version]
        inside = _ip(*ends, self.protocol, self._filled(quoted or self.plain, *ends, self.port, self.client_port))
        return Step("client", _error(ROUTERS[self.version], VIPS[self.version], kind, inside[:size]))

    def about_request(self, kind: tuple[int, int, int], size: int = 1000) -> Step:
        """The real server's error about what it was sent."""
        ends = CLIENTS[self.version], SERVERS[self.version]
        inside = _ip(*ends, self.protocol, self._filled(self.plain, *ends, self.client_port, self.server_port))
        return Step("server", _error(SERVERS[self.version], CLIENTS[self.version], kind, inside[:size]))

    @property
    def begun(self) -> list[Step]:
        """How it starts."""
        first, second = {
            TCP: (segment(SYN), segment(SYN | ACK)),
            UDP: (self.plain, self.plain),
            SCTP: (chunks(INIT), chunks(INIT_ACK)),
        }[self.protocol]
        return [self.ask(first), self.reply(second)]

    @property
    def plain(self) -> bytes:
        """What may be sent in the middle of it."""
        return {TCP: segment(ACK, b"some words"), UDP: datagram(b"some words"), SCTP: chunks(DATA)}[self.protocol]

    def _filled(self, payload: bytes, source: Address, target: Address, port: int, other: int) -> bytes:
        payload = struct.pack(">HH", port, other) + payload[4:]
        if self.protocol == SCTP:
            return payload[:8] + struct.pack("<I", crc32c(payload[:8] + bytes(4) + payload[12:])) + payload[12:]
        at = {TCP: 16, UDP: 6}[self.protocol]
        if payload[at : at + 2] == NONE:
            return payload[:at] + bytes(2) + payload[at + 2 :]
        covered = pseudo(source.packed, target.packed, self.protocol, len(payload)) + payload[:at] + bytes(2)
        spoilt = 0x1234 if payload[at : at + 2] == SPOILT else 0
        total = checksum(covered + payload[at + 2 :]) ^ spoilt or 0xFFFF
        return payload[:at] + struct.pack(">H", total) + payload[at + 2 :]


NONE, SPOILT = b"\0\1", b"\0\2"
"""In the place of a checksum: there shall be none, or a wrong one."""


def segment(flags: int, data: bytes = b"", check: bytes = b"\0\0") -> bytes:
    """Of TCP."""
    return struct.pack(">HHIIBBH", 0, 0, 1, 1, 0x50, flags, 1000) + check + b"\0\0" + data


def datagram(data: bytes, check: bytes = b"\0\0") -> bytes:
    """Of UDP."""
    return struct.pack(">HHH", 0, 0, 8 + len(data)) + check + data


def chunks(*kinds: int) -> bytes:
    """Of SCTP."""
    return struct.pack(">HHII", 0, 0, 1, 0) + b"".join(struct.pack(">BBH", kind, 3, 20) + bytes(16) for kind in kinds)


def _ip(
    source: Address,
    target: Address,
    protocol: int,
    payload: bytes,
    *,
    ttl: int = 64,
    tos: int = 0,
    fragment: int = 0x4000,
    options: bytes = b"",
) -> bytes:
    """A packet; `options` of IPv6 are a whole extension header for destinations, `fragment` is IPv4's word."""
    if source.version == 6:
        following, payload = (60, bytes([protocol]) + options[1:] + payload) if options else (protocol, payload)
        head = struct.pack(">IHBB", 6 << 28 | tos << 20, len(payload), following, ttl)
        return head + source.packed + target.packed + payload
    length, words = 20 + len(options), 0x45 + len(options) // 4
    head = struct.pack(">BBHHHBBH", words, tos, length + len(payload), 7, fragment, ttl, protocol, 0)
    head += source.packed + target.packed + options
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + payload


def _error(source: Address, target: Address, kind: tuple[int, int, int], quote: bytes) -> bytes:
    """An ICMP error of a type, a code and a value."""
    message = struct.pack(">BBHI", kind[0], kind[1], 0, kind[2]) + quote
    covered = message
    if source.version == 6:
        covered = pseudo(source.packed, target.packed, ICMP6, len(message)) + message
    message = message[:2] + struct.pack(">H", checksum(covered)) + message[4:]
    return _ip(source, target, ICMP if source.version == 4 else ICMP6, message)


def _pieces(step: Step, size: int, identification: int) -> Iterator[Step]:
    """The packet of a step in fragments that carry so many bytes each."""
    whole = step.packet
    head, carried = (whole[:20], whole[20:]) if whole[0] >> 4 == 4 else (whole[:40], whole[40:])
    for at in range(0, len(carried), size):
        part, more = carried[at : at + size], at + size < len(carried)
        if len(head) == 20:
            start = head[:2] + struct.pack(">HHH", 20 + len(part), identification, at // 8 | more << 13) + head[8:10]
            bare = start + bytes(2) + head[12:]
            yield Step(step.side, bare[:10] + struct.pack(">H", checksum(bare)) + bare[12:] + part)
        else:
            middle = struct.pack(">BBHI", head[6], 0, at | more, identification)
            start = head[:4] + struct.pack(">HB", 8 + len(part), 44) + head[7:]
            yield Step(step.side, start + middle + part)


def _talk(flow: _Flow) -> Iterator[tuple[str, list[Step]]]:
    """What a client and a real server say to each other."""
    ask, reply = flow.ask, flow.reply
    if flow.protocol == SCTP:
        talk = [ask(chunks(INIT)), reply(chunks(INIT_ACK)), ask(chunks(COOKIE_ECHO, DATA)), reply(chunks(COOKIE_ACK))]
        yield "association", [*talk, ask(chunks(DATA)), reply(chunks(DATA))]
    elif flow.protocol == TCP:
        yield (
            "connection",
            [
                ask(segment(SYN)),
                reply(segment(SYN | ACK)),
                ask(segment(ACK)),
                ask(segment(PSH | ACK, b"a question")),
                reply(segment(PSH | ACK, bytes(range(256)) * 5)),
                ask(segment(FIN | ACK)),
                reply(segment(FIN | ACK, b"x")),
                ask(segment(ACK)),
            ],
        )
    else:
        yield "datagrams", [ask(datagram(b"a question")), reply(datagram(bytes(range(255)))), ask(datagram(b""))]


def _oddities(flow: _Flow) -> Iterator[tuple[str, list[Step]]]:
    """Headers and checksums that are not as most are."""
    ask, reply, plain, begun = flow.ask, flow.reply, flow.plain, flow.begun
    for ttl in (2, 1):
        yield f"TTL {ttl}", [*begun, ask(plain, ttl=ttl), reply(plain, ttl=ttl)]
    yield "TOS", [*begun, ask(plain, tos=0xB9), reply(plain, tos=0x2A)]
    if flow.version == 4:
        yield "without DF", [*begun, ask(plain, fragment=0), reply(plain, fragment=0)]
        nothing = b"\1\1\1\0"
    else:
        nothing = bytes([0, 0, 1, 4, 0, 0, 0, 0])
    yield "options", [*begun, ask(plain, options=nothing), reply(plain, options=nothing)]
    if flow.protocol == TCP:
        wrong = segment(ACK, b"some words", SPOILT)
        yield "a wrong checksum", [*begun, ask(wrong), reply(wrong)]
        yield "odd flags", [*begun, ask(segment(0)), reply(segment(0)), ask(segment(0xFF, b"!"))]
        yield "reset by the server", [*begun, reply(segment(RST | ACK)), ask(segment(RST))]
    elif flow.protocol == UDP:
        wrong = datagram(b"some words", SPOILT)
        yield "a wrong checksum", [*begun, ask(wrong), reply(wrong)]
        if flow.version == 4:
            without = datagram(b"some words", NONE)
            yield "no checksum", [*begun, ask(without), reply(without)]


def _errors(flow: _Flow) -> Iterator[tuple[str, list[Step]]]:
    """ICMP errors from both sides."""
    begun = flow.begun
    kinds = (
        {"too big": (3, 4, 1300), "port unreachable": (3, 3, 0), "time exceeded": (11, 0, 0)}
        if flow.version == 4
        else {"too big": (2, 0, 1300), "port unreachable": (1, 4, 0), "time exceeded": (3, 0, 0)}
    )
    shortest = 28 if flow.version == 4 else 48
    for what, kind in kinds.items():
        yield f"{what} from a router", [*begun, flow.about_reply(kind)]
        if flow.version == 4:  # of ICMPv6 IPVS leaves those that no network card has checked
            yield f"{what} from the server", [*begun, flow.about_request(kind)]
    yield "a short error from a router", [*begun, flow.about_reply(kinds["too big"], shortest)]
    if flow.version == 4:
        yield "a short error from the server", [*begun, flow.about_request(kinds["port unreachable"], shortest)]


def _fragments(flow: _Flow) -> Iterator[tuple[str, list[Step]]]:
    """A large datagram each way."""
    plain = datagram(bytes(range(256)) * 4)
    asked = _pieces(flow.ask(plain), 400, 0x1000 + flow.client_port)
    yield "fragments", [*asked, *_pieces(flow.reply(plain), 400, 0x2000 + flow.client_port)]


def cases() -> Iterator[Case]:
    """All there are. Every one has a client's port of its own, for IPVS's connections outlive its services.

    In direct routing what real servers send doesn't come to the director.
    """
    port = 1024
    for method in METHODS:
        for version in (4, 6):
            for protocol, kinds in _KINDS.items():
                for kind in kinds:
                    for number, (what, _) in enumerate(kind(_Flow(method, version, protocol, port))):
                        port += 1
                        _, steps = list(kind(_Flow(method, version, protocol, port)))[number]
                        told = tuple(step for step in steps if method == "masquerade" or step.side == "client")
                        if method == "masquerade" or not what.endswith("server"):
                            yield Case(method, version, f"{_NAMES[protocol]}, {what}", told)


_KINDS = {TCP: (_talk, _oddities, _errors), UDP: (_talk, _oddities, _errors, _fragments), SCTP: (_talk, _errors)}
_NAMES = {TCP: "TCP", UDP: "UDP", SCTP: "SCTP"}
