"""The services of the real servers, and of the director itself: each answers with its host's name.

TCP: a line for every line received, until the other side closes. UDP: a datagram for a datagram.
"""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import socket
from collections.abc import Iterator

from topology import NUMBERS, REAL_SERVERS, VIPS, Host

TCP_PORTS = (20, 21, 80, 81, 443, 5000)
UDP_PORTS = (53, 123)
MASQUERADED_TCP_PORTS = (80, 8080)
MASQUERADED_UDP_PORTS = (53, 5353)
"""What each real server serves on its own addresses."""
DIRECTORS_TCP_PORT = 22
"""What the director itself serves on the VIPs."""

_PR_SET_PDEATHSIG = 1


def start(hosts: dict[str, Host]) -> int:
    """Start a process that answers for all hosts; its id. It ends with the calling process."""
    sockets = list(_open(hosts))
    process = os.fork()
    if process == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _answer(sockets)
    for listener, _ in sockets:
        listener.close()
    return process


def _open(hosts: dict[str, Host]) -> Iterator[tuple[socket.socket, str]]:
    for name in REAL_SERVERS:
        with hosts[name].entered():
            for vip in VIPS:
                for port in TCP_PORTS:
                    yield _listener(vip, port), name
                for port in UDP_PORTS:
                    yield _bound(vip, port), name
            for address in (f"10.0.0.{NUMBERS[name]}", f"fd00::{NUMBERS[name]}"):
                for port in MASQUERADED_TCP_PORTS:
                    yield _listener(address, port), name
                for port in MASQUERADED_UDP_PORTS:
                    yield _bound(address, port), name
    with hosts["director"].entered():
        for vip in VIPS:
            yield _listener(vip, DIRECTORS_TCP_PORT), "director"


def _bound(address: str, port: int, kind: int = socket.SOCK_DGRAM) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


def _listener(address: str, port: int) -> socket.socket:
    made = _bound(address, port, socket.SOCK_STREAM)
    made.listen(100)
    return made


def _answer(sockets: list[tuple[socket.socket, str]]) -> None:
    waiting = selectors.DefaultSelector()
    listeners = {made for made, _ in sockets if made.type is socket.SOCK_STREAM}
    for made, name in sockets:
        waiting.register(made, selectors.EVENT_READ, name)
    while True:
        for key, _ in waiting.select():
            made, name = key.fileobj, key.data
            assert isinstance(made, socket.socket)
            try:
                if made in listeners:
                    waiting.register(made.accept()[0], selectors.EVENT_READ, name)
                elif made.type is socket.SOCK_DGRAM:
                    _, client = made.recvfrom(1000)
                    made.sendto(name.encode(), client)
                elif made.recv(1000):
                    made.sendall(f"{name}\n".encode())
                else:
                    waiting.unregister(made)
                    made.close()
            except OSError:
                if made.type is socket.SOCK_STREAM and made not in listeners:
                    waiting.unregister(made)
                    made.close()
