"""Sockets as a target asks for them, and connecting without blocking."""

from __future__ import annotations

import asyncio
import errno
import os
import socket

from directrix.checks.settings import Target
from directrix.lvs.addresses import Family, family_of

SO_MARK = 36
IP_RECVERR = 11
IPV6_RECVERR = 25


class CheckFailed(Exception):
    """What is checked isn't as it should be; the text says what was found."""


class CheckNotMade(Exception):
    """The check can't be made, for a reason of this host; the text says why. As in keepalived, it doesn't count."""


_SERVERS_FAULT = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.ECONNABORTED,
    errno.ETIMEDOUT,
}
"""Errors of connect(2) that say something of the way to the server; all others are of our own making."""


def endpoint_of(target: Target) -> tuple[str, int] | tuple[str, int, int, int]:
    """The target as a socket address."""
    if target.address.version == 4:
        return (str(target.address), target.port)
    return (str(target.address), target.port, 0, _scope(target))


def make(target: Target, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    """A non-blocking socket towards a target: marked, on its interface, from its address and port; not connected.

    Raises:
        CheckNotMade: it can't be had (no such interface, address not ours, port taken, no descriptors left).
    """
    family = family_of(target.address)
    try:
        made = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise CheckNotMade(f"no socket: {error.strerror}") from None
    try:
        if target.fwmark:
            made.setsockopt(socket.SOL_SOCKET, SO_MARK, target.fwmark)
        if target.bind_if:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, target.bind_if.encode() + b"\0")
        if target.bindto is not None or target.bind_port:
            _bind(made, target, family)
    except OSError as error:
        made.close()
        raise CheckNotMade(f"the socket can't be bound: {error.strerror}") from None
    return made


async def connected_tcp(target: Target) -> socket.socket:
    """A TCP connection to a target.

    Raises:
        CheckFailed: refused, unreachable, or not within `connect_timeout`.
        CheckNotMade: this host can't.
    """
    made = make(target, socket.SOCK_STREAM)
    try:
        await connect(made, target)
    except BaseException:
        made.close()
        raise
    return made


async def connect(made: socket.socket, target: Target) -> None:
    """Connect a TCP socket; the bare event loop, since this is what thousands of checks a second do.

    Raises:
        CheckFailed: refused, unreachable, or not within `connect_timeout`.
        CheckNotMade: this host can't.
    """
    error = made.connect_ex(endpoint_of(target))
    if error not in (0, errno.EINPROGRESS):
        raise refused(error)
    if error:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        descriptor = made.fileno()
        loop.add_writer(descriptor, _finish, done)
        timer = loop.call_later(target.connect_timeout, _finish, done)
        try:
            await done
        finally:
            timer.cancel()
            loop.remove_writer(descriptor)
        error = made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == 0 and not _is_connected(made):
            raise CheckFailed(f"no connection within {target.connect_timeout:g} s")
        if error:
            raise CheckFailed(f"connecting failed: {os.strerror(error)}")


def refused(number: int) -> CheckFailed | CheckNotMade:
    """What it means that connect(2) answered with an error at once."""
    kind = CheckFailed if number in _SERVERS_FAULT else CheckNotMade
    return kind(f"connecting failed: {os.strerror(number)}")


def connected_udp(target: Target) -> socket.socket:
    """A UDP socket that hears what ICMP says of its datagrams.

    Raises:
        CheckFailed: there is no route.
        CheckNotMade: it can't be bound.
    """
    made = make(target, socket.SOCK_DGRAM)
    try:
        if target.address.version == 4:
            made.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        made.connect(endpoint_of(target))
    except OSError as error:
        made.close()
        raise refused(error.errno or 0) from None
    return made


def _bind(made: socket.socket, target: Target, family: Family) -> None:
    if family is Family.INET:
        made.bind((str(target.bindto or "0.0.0.0"), target.bind_port))
    else:
        made.bind((str(target.bindto or "::"), target.bind_port, 0, _scope(target)))


def _scope(target: Target) -> int:
    return socket.if_nametoindex(target.bind_if) if target.bind_if else 0


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _is_connected(made: socket.socket) -> bool:
    try:
        made.getpeername()
    except OSError:
        return False
    return True
