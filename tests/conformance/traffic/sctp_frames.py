"""Packets of SCTP, made by hand: the host needs no SCTP for them."""

from __future__ import annotations

import struct

CHUNKS = {
    "data": 0,
    "init": 1,
    "init-ack": 2,
    "sack": 3,
    "heartbeat": 4,
    "heartbeat-ack": 5,
    "abort": 6,
    "shutdown": 7,
    "shutdown-ack": 8,
    "error": 9,
    "cookie-echo": 10,
    "cookie-ack": 11,
    "ecne": 12,
    "cwr": 13,
    "shutdown-complete": 14,
    "unknown": 63,
}
"""Types of chunks by name (RFC 9260, 3168)."""

BODIES = {
    "data": struct.pack("!IHHI", 1, 0, 0, 0) + b"who?",
    "init": struct.pack("!IIHHI", 1, 65535, 1, 1, 1),
    "init-ack": struct.pack("!IIHHI", 1, 65535, 1, 1, 1),
    "sack": struct.pack("!IIHH", 1, 65535, 0, 0),
    "shutdown": struct.pack("!I", 1),
    "cookie-echo": bytes(201),
}
"""What the chunks carry that have to carry something. A cookie whose length asks for padding."""

_CASTAGNOLI = 0x82F63B78


def packet(ports: bytes, chunks: str) -> bytes:
    """A packet with these chunks, joined by +; `none` for a header alone. `ports` is source and destination."""
    names = [] if chunks == "none" else chunks.split("+")
    content = bytes(8) + b"".join(_chunk(name) for name in names)
    checksum = struct.pack("<I", crc32c(ports + content))
    return ports + content[:4] + checksum + content[8:]


def _chunk(name: str) -> bytes:
    body = BODIES.get(name, b"")
    flags = 3 if name == "data" else 0
    return struct.pack("!BBH", CHUNKS[name], flags, 4 + len(body)) + body + bytes(-len(body) % 4)


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260, appendix A)."""
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (_CASTAGNOLI if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF
