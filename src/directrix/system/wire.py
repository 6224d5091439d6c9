"""Asking on a wire: frames sent by a packet socket, and the answers that come within a time.

A socket here sees frames before the host's own stack and firewall do. On a busy director it must
not be handed every packet, so a small filter in the kernel lets only those through that can be an
answer: ARP, ICMP, and TCP to the port that questions come from.
"""

from __future__ import annotations

import ctypes
import random
import select
import socket
import struct
import time
from collections.abc import Callable, Sequence

from directrix.system.heard import Heard, parse

_ETH_P_ALL = 3
_SO_ATTACH_FILTER = 26
SOL_PACKET, PACKET_AUXDATA = 263, 8
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 1 << 4
_OUTGOING = 4
_LARGEST = 1 << 16
_FIRST_PORT, _PORTS = 42000, 20000

# Classic BPF: which frames are handed to us. A jump names the label it goes to, or goes on to the next line.
_LOAD_HALF, _LOAD_BYTE, _LOAD_HALF_X, _HEADER_X = 0x28, 0x30, 0x48, 0xB1
_EQUAL, _ANY_BIT, _RETURN = 0x15, 0x45, 0x06
_OURS = -1  # stands for our own port
_NEXT = ""
_FILTER: tuple[tuple[str, int, int, str, str], ...] = (
    ("", _LOAD_HALF, 12, _NEXT, _NEXT),
    ("", _EQUAL, 0x0806, "take", _NEXT),
    ("", _EQUAL, 0x0800, _NEXT, "ipv6"),
    ("", _LOAD_BYTE, 23, _NEXT, _NEXT),
    ("", _EQUAL, 1, "take", _NEXT),
    ("", _EQUAL, 6, _NEXT, "leave"),
    ("", _LOAD_HALF, 20, _NEXT, _NEXT),
    ("", _ANY_BIT, 0x1FFF, "leave", _NEXT),  # a later fragment has no ports
    ("", _HEADER_X, 14, _NEXT, _NEXT),
    ("", _LOAD_HALF_X, 14, _NEXT, _NEXT),
    ("", _EQUAL, _OURS, "take", _NEXT),
    ("", _LOAD_HALF_X, 16, _NEXT, _NEXT),
    ("", _EQUAL, _OURS, "take", "leave"),
    ("ipv6", _EQUAL, 0x86DD, _NEXT, "leave"),
    ("", _LOAD_BYTE, 20, _NEXT, _NEXT),
    ("", _EQUAL, 58, "take", _NEXT),
    ("", _EQUAL, 6, _NEXT, "leave"),
    ("", _LOAD_HALF, 54, _NEXT, _NEXT),
    ("", _EQUAL, _OURS, "take", _NEXT),
    ("", _LOAD_HALF, 56, _NEXT, _NEXT),
    ("", _EQUAL, _OURS, "take", "leave"),
    ("take", _RETURN, 0x40000, _NEXT, _NEXT),
    ("leave", _RETURN, 0, _NEXT, _NEXT),
)


class Wire:
    """One network interface to ask on. `port` is where TCP questions come from; frames of other ports aren't seen.

    Raises:
        OSError: there is no such interface, or no privilege (CAP_NET_RAW).
    """

    def __init__(self, interface: str, port: int = 0) -> None:
        self.interface = interface
        self.port = port or _FIRST_PORT + random.randrange(_PORTS)
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            program = _program(self.port)
            buffer = ctypes.create_string_buffer(program, len(program))
            head = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, head)
            self._socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
            self._socket.bind((interface, _ETH_P_ALL))
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, frame: bytes) -> None:
        """Put a frame on the wire.

        Raises:
            OSError: the interface is down, or the frame is too long for it.
        """
        self._socket.send(frame)

    def ask(
        self,
        frames: Sequence[bytes],
        is_answer: Callable[[Heard], bool],
        *,
        seconds: float = 0.5,
        tries: int = 2,
        enough: int = 1,
    ) -> list[Heard]:
        """Send frames, and again if too few answers came; gives the answers, each of the same kind once.

        Args:
            seconds: how long each try waits.
            enough: with so many answers waiting ends; 0 waits to the end of the first try.
        """
        heard: dict[tuple[object, ...], Heard] = {}
        for _ in range(tries if enough else 1):
            for frame in frames:
                self.send(frame)
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                answer = self.receive(left)
                if answer is not None and is_answer(answer):
                    heard.setdefault((answer.mac, answer.source, answer.destination, answer.source_port), answer)
                    if enough and len(heard) >= enough:
                        return list(heard.values())
        return list(heard.values())

    def wait_for(self, is_answer: Callable[[Heard], bool], seconds: float) -> Heard | None:
        """The first answer that comes within a time; None if none does."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            heard = self.receive(left)
            if heard is not None and is_answer(heard):
                return heard
        return None

    def receive(self, seconds: float) -> Heard | None:
        """The next frame that came in; None if none did in time, or it says nothing that could be an answer."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return None
        try:
            data, extra, _, place = self._socket.recvmsg(_LARGEST, 128)
        except OSError:
            return None  # The interface went down; what is asked on it stays unanswered.
        if place[2] == _OUTGOING or is_tagged(extra):
            return None
        return parse(data)


def _program(port: int) -> bytes:
    """The filter as the kernel reads it."""
    labels = {label: line for line, (label, *_) in enumerate(_FILTER) if label}

    def jump(line: int, label: str) -> int:
        return labels[label] - line - 1 if label else 0

    return b"".join(
        struct.pack("=HBBI", code, jump(line, yes), jump(line, no), port if value == _OURS else value)
        for line, (_, code, value, yes, no) in enumerate(_FILTER)
    )


def is_tagged(extra: list[tuple[int, int, bytes]]) -> bool:
    """Whether a frame had a VLAN tag that the kernel took off: it belongs to another wire then. From PACKET_AUXDATA."""
    for level, kind, data in extra:
        if level == SOL_PACKET and kind == PACKET_AUXDATA and len(data) >= _AUXDATA.size:
            return bool(_AUXDATA.unpack_from(data)[0] & _VLAN_VALID)
    return False
