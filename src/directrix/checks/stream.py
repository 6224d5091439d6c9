"""A connection to a target as a checker needs it: plain or TLS, every step with its own time-out.

TLS runs over two memory buffers, so that the socket stays ours: from the address and with the mark that were asked for,
and closed at once, whatever the other side does about its end of the TLS session.
"""

from __future__ import annotations

import asyncio
import socket
import ssl

from directrix.checks.settings import Target
from directrix.checks.sockets import CheckFailed, connected_tcp

CHUNK = 65536


class Stream:
    """A connection; `close` it in the end."""

    def __init__(self, connected: socket.socket, target: Target) -> None:
        self._socket = connected
        self._timeout = target.connect_timeout
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    @classmethod
    async def to(cls, target: Target) -> Stream:
        """Connect.

        Raises:
            CheckFailed: refused, unreachable, or not within `connect_timeout`.
        """
        return cls(await connected_tcp(target), target)

    async def start_tls(self, context: ssl.SSLContext, server_name: str | None) -> None:
        """Shake hands.

        Raises:
            CheckFailed: the server doesn't, or not within `connect_timeout`.
        """
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    try:
                        self._tls.do_handshake()
                        break
                    except ssl.SSLWantReadError:
                        await self._flush()
                        if not await self._fill():
                            raise CheckFailed("the TLS handshake failed: the server closed the connection") from None
                await self._flush()
        except TimeoutError:
            raise CheckFailed(f"no TLS handshake within {self._timeout:g} s") from None
        except ssl.SSLError as error:
            raise CheckFailed(f"the TLS handshake failed: {_reason(error)}") from None
        except OSError as error:
            raise CheckFailed(f"the TLS handshake failed: {error.strerror}") from None

    async def send(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            CheckFailed: the connection is broken, or nothing could be sent for `connect_timeout`.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if self._tls is None:
                    await asyncio.get_running_loop().sock_sendall(self._socket, data)
                else:
                    self._tls.write(data)
                    await self._flush()
        except TimeoutError:
            raise CheckFailed(f"the request could not be sent within {self._timeout:g} s") from None
        except ssl.SSLError as error:
            raise CheckFailed(f"sending failed: {_reason(error)}") from None
        except OSError as error:
            raise CheckFailed(f"sending failed: {error.strerror}") from None

    async def receive(self) -> bytes:
        """What comes next; nothing at the end.

        Raises:
            CheckFailed: the connection is broken, or nothing came for `connect_timeout`.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if self._tls is None:
                    return await asyncio.get_running_loop().sock_recv(self._socket, CHUNK)
                return await self._decrypted(self._tls)
        except TimeoutError:
            raise CheckFailed(f"the server said nothing for {self._timeout:g} s") from None
        except ssl.SSLError as error:
            raise CheckFailed(f"reading failed: {_reason(error)}") from None
        except OSError as error:
            raise CheckFailed(f"reading failed: {error.strerror}") from None

    def close(self) -> None:
        """Close at once."""
        self._socket.close()

    async def _decrypted(self, tls: ssl.SSLObject) -> bytes:
        while True:
            try:
                return tls.read(CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._fill():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""

    async def _fill(self) -> bool:
        data = await asyncio.get_running_loop().sock_recv(self._socket, CHUNK)
        self._incoming.write(data)
        return bool(data)

    async def _flush(self) -> None:
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._socket, data)


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or error.strerror or str(error)).replace("_", " ").lower()
