"""One HTTP GET over something that sends and receives. The bytes of HTTP are h11's.

h11 speaks HTTP/1.1 only, and so the request line's version is ours to write; what comes back h11 understands in either
version. A response ends where its headers say, so a server that keeps the connection open costs no time; keepalived
reads on until the server closes, and fails if it doesn't.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

import h11

from directrix.checks.sockets import CheckFailed
from directrix.lvs.addresses import endpoint, parse_address

USER_AGENT = "KeepAliveClient (directrix)"
"""keepalived's name, which log filters know, and ours."""

LONGEST_ANSWER = 16 * 1024 * 1024
"""A longer answer is a failure. keepalived reads without end."""


class HttpVersion(enum.Enum):
    """`http_protocol`. 1.0C is 1.0 with `Connection: close`, which 1.1 always has here."""

    HTTP_1_0 = "1.0"
    HTTP_1_0C = "1.0C"
    HTTP_1_1 = "1.1"


class Wire(Protocol):
    """What carries the request and the response."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""

    async def receive(self) -> bytes:
        """What comes next; nothing at the end."""


@dataclass(frozen=True, slots=True)
class Response:
    """What the server said, byte for byte: `data` is head and body, which begins at `head`.

    A body in chunks is as it came, chunks' heads included. `cut_off`: the server closed before the body was whole.
    """

    status: int
    data: bytes
    head: int
    cut_off: bool = False

    @property
    def body(self) -> bytes:
        """The body alone."""
        return self.data[self.head :]


def host_header(virtualhost: str, address: str, port: int) -> str:
    """The Host header: the virtual host as it is written, else address and port."""
    return virtualhost or endpoint(parse_address(address), port)


async def get(wire: Wire, path: str, host: str, version: HttpVersion = HttpVersion.HTTP_1_0) -> Response:
    """Ask for a path and read the whole answer.

    Raises:
        CheckFailed: what comes back is no HTTP, ends too early, or is too long; or the wire failed.
    """
    connection = h11.Connection(h11.CLIENT)
    await wire.send(_request(connection, path, host, version))
    status, head, came, ended = 0, 0, bytearray(), False
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            if status and ended:
                return Response(status, bytes(came), head, cut_off=True)
            raise CheckFailed(f"the answer is no HTTP: {error}") from None
        # What h11 has not looked at yet is not part of what it told of.
        understood = len(came) - len(connection.trailing_data[0])
        if event is h11.NEED_DATA:
            data = await wire.receive()
            came += data
            ended = not data
            if not came:
                raise CheckFailed("the server closed the connection without an answer")
            if len(came) > LONGEST_ANSWER:
                raise CheckFailed(f"the answer is longer than {LONGEST_ANSWER} bytes")
            connection.receive_data(data)
        elif isinstance(event, h11.Response):
            status, head = event.status_code, understood
        elif isinstance(event, h11.EndOfMessage):
            return Response(status, bytes(came[:understood]), head)
        elif isinstance(event, h11.ConnectionClosed):
            raise CheckFailed("the server closed the connection in the middle")


def _request(connection: h11.Connection, path: str, host: str, version: HttpVersion) -> bytes:
    headers = [("Host", host), ("User-Agent", USER_AGENT)]
    if version is not HttpVersion.HTTP_1_0:
        headers.append(("Connection", "close"))
    try:
        written = connection.send(h11.Request(method="GET", target=path, headers=headers))
    except h11.LocalProtocolError as error:
        raise CheckFailed(f"the path {path!r} or the host {host!r} can't be asked for: {error}") from None
    connection.send(h11.EndOfMessage())
    if version is HttpVersion.HTTP_1_1:
        return written or b""
    line, _, rest = (written or b"").partition(b"\r\n")
    return line.removesuffix(b"1.1") + b"1.0\r\n" + rest
