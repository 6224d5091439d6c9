"""Real servers that say who they are, clients that ask, and load that notices every mishap."""

from __future__ import annotations

import hashlib
import random
import selectors
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from hosts import VIP, VIP6, Cluster, Host

_BLOCK = random.Random(7).randbytes(1 << 20)
PATIENCE = 10.0


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def open_socket(host: Host, address: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket of the family of `address`, in the host's namespace."""
    with host.entered():
        s = socket.socket(_family(address), kind)
    s.settimeout(PATIENCE)
    return s


def _bytes(size: int, digest: hashlib._Hash) -> object:
    """`size` bytes in blocks that all differ."""
    for number in range(-(-size // len(_BLOCK))):
        block = (number.to_bytes(8, "big") + _BLOCK[8:])[: size - number * len(_BLOCK)]
        digest.update(block)
        yield block


class Server:
    """TCP and UDP on the VIPs (or `addresses`) at one port, in threads; answers with its name.

    TCP commands, a line each: `name`, `get N`, `put N` (answers the SHA-256 of the N bytes), `echo` (until closed).
    """

    def __init__(
        self, cluster: Cluster, host: Host, name: str = "", port: int = 80, addresses: tuple[str, ...] = (VIP, VIP6)
    ) -> None:
        self.name = (name or host.name).encode()
        self.accepted = 0
        self.datagrams: list[tuple[float, bytes]] = []
        self.answering = True
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()
        self._over = False
        for address in addresses:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                s = open_socket(host, address, kind)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if ":" in address:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind((address, port))
                s.setblocking(False)
                if kind == socket.SOCK_STREAM:
                    s.listen(1024)
                self._selector.register(s, selectors.EVENT_READ, kind)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        cluster.closing.append(self.close)

    def _serve(self) -> None:
        while not self._over:
            for key, _ in self._selector.select(0.2):
                with suppress(OSError):
                    if key.data == socket.SOCK_DGRAM:
                        data, sender = key.fileobj.recvfrom(65536)  # type: ignore[union-attr]
                        self.datagrams.append((time.monotonic(), data))
                        if self.answering:
                            key.fileobj.sendto(self.name, sender)  # type: ignore[union-attr]
                    else:
                        s, _ = key.fileobj.accept()  # type: ignore[union-attr]
                        self.accepted += 1
                        s.settimeout(PATIENCE)
                        self._open.add(s)
                        threading.Thread(target=self._talk, args=(s,), daemon=True).start()

    def _talk(self, s: socket.socket) -> None:
        with s, suppress(OSError), s.makefile("rb") as lines:
            verb, *words = lines.readline().decode().split() or [""]
            if verb == "name":
                s.sendall(self.name)
            elif verb == "get":
                for block in _bytes(int(words[0]), hashlib.sha256()):
                    s.sendall(block)
            elif verb == "put":
                digest, left = hashlib.sha256(), int(words[0])
                while left and (block := lines.read1(min(left, 1 << 20))):
                    digest.update(block)
                    left -= len(block)
                s.sendall(digest.hexdigest().encode())
            elif verb == "echo":
                s.settimeout(None)
                s.sendall(self.name + b"\n")
                while line := lines.readline():
                    s.sendall(line)
        self._open.discard(s)

    def close(self) -> None:
        self._over = True
        for s in list(self._open):
            with suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


def serve(cluster: Cluster, port: int = 80) -> dict[str, Server]:
    """A server on every real server."""
    return {name: Server(cluster, host, port=port) for name, host in cluster.hosts.items() if name.startswith("rs")}


def connect(host: Host, address: str = VIP, port: int = 80, patience: float = PATIENCE) -> socket.socket:
    s = open_socket(host, address)
    s.settimeout(patience)
    try:
        s.connect((address, port))
    except OSError:
        s.close()
        raise
    return s


def _read_all(s: socket.socket) -> bytes:
    parts = []
    while part := s.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def ask(host: Host, address: str = VIP, port: int = 80, patience: float = PATIENCE) -> str:
    """Who answers a new TCP connection."""
    with connect(host, address, port, patience) as s:
        s.sendall(b"name\n")
        return _read_all(s).decode()


def ask_udp(host: Host, address: str = VIP, port: int = 80, patience: float = PATIENCE, size: int = 4) -> str:
    """Who answers a datagram from a new port."""
    with open_socket(host, address, socket.SOCK_DGRAM) as s:
        s.settimeout(patience)
        s.connect((address, port))
        s.send(b"?" * size)
        return s.recv(65536).decode()


def download(host: Host, size: int, address: str = VIP, port: int = 80) -> bool:
    """Fetch so many bytes over one connection; were they right?"""
    expected, digest = hashlib.sha256(), hashlib.sha256()
    for _ in _bytes(size, expected):
        pass
    with connect(host, address, port) as s:
        s.sendall(f"get {size}\n".encode())
        while part := s.recv(1 << 20):
            digest.update(part)
    return digest.digest() == expected.digest()


def upload(host: Host, size: int, address: str = VIP, port: int = 80) -> bool:
    """Send so many bytes over one connection; did they arrive right?"""
    digest = hashlib.sha256()
    with connect(host, address, port) as s:
        s.sendall(f"put {size}\n".encode())
        for block in _bytes(size, digest):
            s.sendall(block)
        return _read_all(s).decode() == digest.hexdigest()


class Echo:
    """A connection that stays open: each `say` must come back."""

    def __init__(self, host: Host, address: str = VIP, port: int = 80) -> None:
        self.socket = connect(host, address, port)
        self.socket.sendall(b"echo\n")
        self._lines = self.socket.makefile("rb")
        self.name = self._lines.readline().decode().strip()

    def say(self, word: str = "still here", patience: float = PATIENCE) -> bool:
        self.socket.settimeout(patience)
        self.socket.sendall(word.encode() + b"\n")
        return self._lines.readline().decode().strip() == word

    def close(self) -> None:
        self._lines.close()
        self.socket.close()


@dataclass
class Load:
    """Echoing and short connections in the background; `stop` tells what went wrong."""

    host: Host
    address: str = VIP
    port: int = 80
    echoes: int = 2
    shorts: int = 1
    mishaps: list[str] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    echoed: int = 0
    longest: float = 0.0
    _over: bool = False
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> Load:
        for what, count in ((self._echo, self.echoes), (self._short, self.shorts)):
            for _ in range(count):
                self._threads.append(threading.Thread(target=what, daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def _echo(self) -> None:
        number = 0
        try:
            echo = Echo(self.host, self.address, self.port)
            with echo.socket:
                while not self._over:
                    number += 1
                    start = time.monotonic()
                    if not echo.say(str(number)):
                        self.mishaps.append(f"echo {number}: wrong answer")
                        return
                    self.echoed += 1
                    self.longest = max(self.longest, time.monotonic() - start)
                    time.sleep(0.001)
                echo.close()
        except OSError as error:
            self.mishaps.append(f"echo {number}: {error!r}")

    def _short(self) -> None:
        while not self._over:
            start = time.monotonic()
            try:
                name = ask(self.host, self.address, self.port)
                self.answers[name] = self.answers.get(name, 0) + 1
            except OSError as error:
                self.mishaps.append(f"short: {error!r}")
            self.longest = max(self.longest, time.monotonic() - start)

    def stop(self) -> Load:
        self._over = True
        for thread in self._threads:
            thread.join()
        return self
