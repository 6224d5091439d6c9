"""Raw packets from the client's wire, and the sight of where they turn up and what answers them."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import sctp_frames
from topology import NUMBERS, REAL_SERVERS, Host

TCP_FLAGS = {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "none": 0}
PATIENCE = 0.25
"""Seconds after which a packet that was not seen anywhere is said to be nowhere."""

ERRORS = {
    "port-unreachable": {4: (3, 3), 6: (1, 4)},
    "too-big": {4: (3, 4), 6: (2, 0)},
    "time-exceeded": {4: (11, 0), 6: (3, 0)},
    "source-quench": {4: (4, 0), 6: (99, 0)},
    "parameter-problem": {4: (12, 0), 6: (4, 0)},
    "redirect": {4: (5, 1), 6: (137, 0)},
}
"""ICMP errors: type and code by IP version. IPv6 has none for source quench: there it is one nobody knows.

What may be odd about one stands behind a colon: what it quotes is a datagram (udp), holds eight bytes of TCP (short),
only the ports, not even those (cut), has options, is a later fragment, says that it is longer than it is; or the
error's checksum is wrong (spoilt).
"""

SILENT_AT = "rs3"
"""Whose end of the segment packets of addresses without a host come from."""

_ETH_P_ALL = 3
_TCP, _UDP, _ICMP, _ICMPV6, _SCTP = 6, 17, 1, 58, 132
_FRAGMENT, _OPTIONS = 44, 60
_ETHERNET = 14
_MTU = 1400

Ends = tuple[bytes, int, bytes, int]
"""Source address and port, destination address and port."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and a port, written 10.0.0.1:80 or [fd00::1]:80."""

    address: IPv4Address | IPv6Address
    port: int

    @classmethod
    def of(cls, text: str) -> Endpoint:
        address, _, port = text.rpartition(":")
        return cls(ip_address(address.strip("[]")), int(port))

    @classmethod
    def each(cls, text: str) -> Iterator[Endpoint]:
        """Those that 10.0.0.1+3:80+1 means: this address and three after it, each with this port and the one after."""
        addresses, _, ports = text.rpartition(":")
        first, _, more = addresses.strip("[]").partition("+")
        port, _, higher = ports.partition("+")
        for number in range(int(more or 0) + 1):
            for above in range(int(higher or 0) + 1):
                yield cls(ip_address(first) + number, int(port) + above)

    @property
    def pair(self) -> tuple[str, int]:
        return str(self.address), self.port


def frame(what: str, source: Endpoint, target: Endpoint, to: bytes, by: bytes, said: bytes = b"who?") -> bytes:
    """An Ethernet frame from source to target.

    `what` is `udp` for a datagram that says `said`, TCP flags joined by + for a segment, `sctp:` and chunks
    joined by + for a packet of SCTP, or one of ERRORS for what the source's host says about a segment that the
    target has sent to it; with a colon and what is odd about it.
    """
    kind = b"\x08\x00" if source.address.version == 4 else b"\x86\xdd"
    return to + by + kind + _packet(what, source, target, said)


def _packet(what: str, source: Endpoint, target: Endpoint, said: bytes) -> bytes:
    ports = struct.pack("!HH", source.port, target.port)
    version = source.address.version
    if what.startswith("sctp:"):
        return _ip(_SCTP, sctp_frames.packet(ports, what.removeprefix("sctp:")), source, target)
    if what == "udp":
        protocol, payload, place = _UDP, ports + struct.pack("!HH", 8 + len(said), 0) + said, 6
    elif (error := what.partition(":")[0]) in ERRORS:
        protocol, place = (_ICMP if version == 4 else _ICMPV6), 2
        payload = struct.pack("!BBHL", *ERRORS[error][version], 0, _MTU) + _quote(what, target, source)
    else:
        flags = sum(TCP_FLAGS[name] for name in what.split("+"))
        protocol, payload, place = _TCP, ports + struct.pack("!IIBBHHH", 1000, 1, 0x50, flags, 1000, 0, 0), 16
    addresses = source.address.packed + target.address.packed
    pseudo = b"" if protocol == _ICMP else addresses + struct.pack("!LL", len(payload), protocol)
    wrong = 1 if what.endswith(":spoilt") else 0
    payload = payload[:place] + struct.pack("!H", _checksum(pseudo + payload) ^ wrong) + payload[place + 2 :]
    return _ip(protocol, payload, source, target)


def _quote(what: str, source: Endpoint, target: Endpoint) -> bytes:
    """What an error quotes of a packet between these ends."""
    odd = what.partition(":")[2]
    quoted = _packet("udp" if odd == "udp" else "ack", source, target, b"")
    header = 20 if source.address.version == 4 else 40
    if odd in ("short", "ports", "cut"):
        return quoted[: header + {"short": 8, "ports": 4, "cut": 2}[odd]]
    if odd in ("options", "fragment"):
        later = odd == "fragment"
        if header == 20:
            head = bytes([0x45 if later else 0x4F]) + quoted[1:6] + bytes([0, 9 * later]) + quoted[8:20]
            return head + (b"" if later else b"\1" * 40) + quoted[20:]
        before = bytes([_TCP, 0, 0, 9, 0, 0, 0, 1]) if later else bytes([_TCP, 0, 1, 4, 0, 0, 0, 0])
        return quoted[:6] + bytes([44 if later else 60]) + quoted[7:40] + before + quoted[40:]
    if odd == "longer":
        at = 2 if header == 20 else 4
        return quoted[:at] + struct.pack("!H", 1400) + quoted[at + 2 :]
    return quoted


def _ip(protocol: int, payload: bytes, source: Endpoint, target: Endpoint) -> bytes:
    addresses = source.address.packed + target.address.packed
    if source.address.version == 6:
        return struct.pack("!LHBB", 6 << 28, len(payload), protocol, 64) + addresses + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + addresses
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + payload


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


PIECE = 1024
"""Bytes in a fragment."""


def pieces(source: Endpoint, target: Endpoint, said: bytes, identification: int) -> list[bytes]:
    """IP packets: a datagram in fragments."""
    whole = _packet("udp", source, target, said)
    if source.address.version == 6:
        data, cut = whole[40:], []
        for at in range(0, len(data), PIECE):
            more = at + PIECE < len(data)
            header = struct.pack("!BBHL", _UDP, 0, at | more, identification)
            cut.append(_ip(_FRAGMENT, header + data[at : at + PIECE], source, target))
        return cut
    data, cut = whole[20:], []
    for at in range(0, len(data), PIECE):
        packet = _ip(_UDP, data[at : at + PIECE], source, target)
        more = 0x2000 if at + PIECE < len(data) else 0
        head = packet[:4] + struct.pack("!HH", identification, at // 8 | more) + packet[8:10] + b"\0\0" + packet[12:20]
        cut.append(head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + packet[20:])
    return cut


def _piece(data: bytes, source: Endpoint, target: Endpoint) -> bytes:
    """What a fragment between these hosts, or a whole datagram, carries of a datagram."""
    addresses = source.address.packed + target.address.packed
    if data[0] >> 4 == 4 and data[12:20] == addresses and data[9] == _UDP:
        return data[20 : int.from_bytes(data[2:4], "big")]
    if data[0] >> 4 == 6 and data[8:40] == addresses and data[6] in (_UDP, _FRAGMENT):
        return data[40 + 8 * (data[6] == _FRAGMENT) : 40 + int.from_bytes(data[4:6], "big")]
    return b""


@dataclass(frozen=True, slots=True)
class Packet:
    """What an IP packet says: its protocol and ends; its TCP flags or ICMP type and code as `detail`."""

    protocol: int
    ends: Ends
    detail: int
    payload: bytes


def read_packet(data: bytes) -> Packet | None:
    """Read an IP packet; None if it is none of TCP, UDP, SCTP and ICMP."""
    if len(data) >= 28 and data[0] >> 4 == 4:
        protocol, source, target, payload = data[9], data[12:16], data[16:20], data[(data[0] & 15) * 4 :]
    elif len(data) >= 48 and data[0] >> 4 == 6:
        protocol, source, target, payload = data[6], data[8:24], data[24:40], data[40:]
    else:
        return None
    if protocol in (_ICMP, _ICMPV6):
        return Packet(protocol, (source, 0, target, 0), payload[0] << 8 | payload[1], payload[8:])
    if protocol not in (_TCP, _UDP, _SCTP):
        return None
    sport, dport = struct.unpack("!HH", payload[:4])
    return Packet(
        protocol, (source, sport, target, dport), payload[13] if protocol == _TCP and len(payload) > 13 else 0, b""
    )


class Wire:
    """The client's and the real servers' ends of the segment."""

    def __init__(self, hosts: dict[str, Host]) -> None:
        self._hosts = hosts
        self._identification = 0
        self._sockets = {name: _packet_socket(hosts[name]) for name in ("client", *REAL_SERVERS)}

    def send(self, what: str, source: Endpoint, target: Endpoint) -> str:
        """Send a packet to the director and say where it went: a real server, an answer to it, or nowhere."""
        if what.startswith("pieces:"):
            return self.send_pieces(what.removeprefix("pieces:"), source, target)
        for watch in self._sockets.values():
            _drain(watch)
        director, client = self._hosts["director"].mac, self._hosts["client"].mac
        self._sockets["client"].send(frame(what, source, target, director, client))
        ends = (source.address.packed, source.port, target.address.packed, target.port)
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(self._sockets.values(), [], [], left)
            if ready and (seen := self._seen(ends)):
                return " and ".join(seen)
        return "nowhere"

    def reply(self, what: str, source: Endpoint, target: Endpoint) -> str:
        """Send a packet of a real server to the director, and say what the client gets, and from whom."""
        for watch in self._sockets.values():
            _drain(watch)
        host = next((name for name in REAL_SERVERS if int(source.address) & 0xFF == _last(name, source)), SILENT_AT)
        self._sockets[host].send(frame(what, source, target, self._hosts["director"].mac, self._hosts[host].mac))
        ends = (source.address.packed, source.port, target.address.packed, target.port)
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(self._sockets.values(), [], [], left)
            if ready and (seen := self._seen_of_reply(host, ends)):
                return " and ".join(seen)
        return "nowhere"

    def _seen_of_reply(self, host: str, ends: Ends) -> list[str]:
        seen = []
        for name, watch in self._sockets.items():
            for data in _drain(watch):
                packet = read_packet(data[_ETHERNET:])
                if packet is None or data[6:12] != self._hosts["director"].mac:
                    continue
                if name == host:
                    seen += _answer(packet, ends)
                elif name == "client" and (quoted := _quoted_by(packet)) and quoted[:2] == ends[2:]:
                    seen.append(f"client about {_written(quoted[2:])} from {ip_address(packet.ends[0])}")
                elif name == "client" and packet.ends[2:] == ends[2:]:
                    seen.append(f"client from {_written(packet.ends[:2])}")
        return seen

    def send_pieces(self, order: str, source: Endpoint, target: Endpoint) -> str:
        """Send a datagram to the director in as many fragments as `order` has digits, in that order.

        Says which hosts got all of it, whether in the same fragments or in others.
        """
        for watch in self._sockets.values():
            _drain(watch)
        self._identification += 1
        said = b"?" * (PIECE * len(order) - 8)
        frames = pieces(source, target, said, self._identification)
        kind = b"\x08\x00" if source.address.version == 4 else b"\x86\xdd"
        head = self._hosts["director"].mac + self._hosts["client"].mac + kind
        for number in order:
            self._sockets["client"].send(head + frames[int(number)])
        wanted, got = PIECE * len(order), dict.fromkeys(REAL_SERVERS, 0)
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select([self._sockets[name] for name in REAL_SERVERS], [], [], left)
            if not ready:
                break
            for name in REAL_SERVERS:
                data = b"".join(_piece(frame[_ETHERNET:], source, target) for frame in _drain(self._sockets[name]))
                got[name] += len(data)
            if wanted in got.values():
                break
        return " and ".join(name for name in REAL_SERVERS if got[name] == wanted) or "nowhere"

    def flood(self, sources: list[Endpoint], target: Endpoint, said: bytes, times: int) -> None:
        """Send so many datagrams to the director, from one source after the other, and don't look where they go."""
        client, director = self._hosts["client"].mac, self._hosts["director"].mac
        frames = [frame("udp", source, target, director, client, said) for source in sources]
        with _packet_socket(self._hosts["client"]) as out:
            out.setblocking(True)
            for number in range(times):
                out.send(frames[number % len(frames)])

    def _seen(self, ends: Ends) -> list[str]:
        seen = []
        for name, watch in self._sockets.items():
            for data in _drain(watch):
                packet = read_packet(data[_ETHERNET:])
                if packet is None:
                    continue
                if name != "client" and (packet.ends == ends or _quotes(packet, (*ends[2:], *ends[:2]))):
                    seen.append(name)
                elif name != "client" and packet.ends[:2] == ends[:2] and packet.protocol not in (_ICMP, _ICMPV6):
                    seen.append(f"{name} at {_written(packet.ends[2:])}")
                elif name != "client" and (quoted := _quoted_by(packet)) and quoted[2:] == ends[:2]:
                    seen.append(f"{name} about {_written(quoted[:2])}")
                elif name == "client" and data[6:12] == self._hosts["director"].mac:
                    seen += _answer(packet, ends)
        return seen


def _answer(packet: Packet, ends: Ends) -> list[str]:
    """What the director's packet says about ours."""
    by = f"from {ip_address(packet.ends[0])}"
    if packet.protocol == _TCP and packet.ends == (*ends[2:], *ends[:2]):
        return [f"reset {by}" if packet.detail & TCP_FLAGS["rst"] else f"answered {by}"]
    if _quotes(packet, ends):
        return [f"icmp {packet.detail >> 8}/{packet.detail & 255} {by}"]
    return []


def _quotes(packet: Packet, ends: Ends) -> bool:
    """Whether it is an ICMP error about a packet between these ends."""
    return _quoted_by(packet) == ends


def _quoted_by(packet: Packet) -> Ends | None:
    """The ends of the packet that an ICMP error is about."""
    return _quoted_ends(packet.payload) if packet.protocol in (_ICMP, _ICMPV6) else None


def _written(end: tuple[bytes, int]) -> str:
    """An address and its port, as scenarios write them."""
    address = ip_address(end[0])
    return f"{address}:{end[1]}" if address.version == 4 else f"[{address}]:{end[1]}"


def _last(name: str, source: Endpoint) -> int:
    """The last byte of a host's address: decimal digits that are read as hexadecimal ones in IPv6."""
    return NUMBERS[name] if source.address.version == 4 else int(str(NUMBERS[name]), 16)


def _quoted_ends(data: bytes) -> Ends | None:
    """The ends of a quoted packet, which may be cut off behind its ports; of one without ports they are 0."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        protocol, source, target, at = data[9], data[12:16], data[16:20], (data[0] & 15) * 4
    elif len(data) >= 40 and data[0] >> 4 == 6:
        protocol, source, target, at = data[6], data[8:24], data[24:40], 40
        if protocol in (_FRAGMENT, _OPTIONS):
            protocol, at = data[40], 48
    else:
        return None
    if protocol not in (_TCP, _UDP, _SCTP):
        return None
    if len(data) < at + 4:
        return None
    source_port, target_port = struct.unpack_from("!HH", data, at)
    return source, source_port, target, target_port


def _packet_socket(host: Host) -> socket.socket:
    with host.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    made.bind(("eth0", _ETH_P_ALL))
    made.setblocking(False)
    return made


def _drain(watch: socket.socket) -> list[bytes]:
    """All that came in since the last time."""
    frames = []
    while True:
        try:
            data, (_, _, kind, *_) = watch.recvfrom(1 << 16)
        except BlockingIOError:
            return frames
        if kind == socket.PACKET_HOST:
            frames.append(data)
